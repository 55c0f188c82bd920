//! Checks while a schedule runs: promised facts are still there, and no phone reports "logged" for a change that the server does not have.

use std::collections::BTreeMap;

use farmtally_core::client::{Access, FieldClient, SyncState};
use farmtally_core::decisions::Order;
use farmtally_core::units::ChangeHash;
use rusqlite::Connection;

use super::oracle::{Certainty, Fact, FactKind, Replica, ServerState, held_or_rejected, newest_change};
use super::server::{ServerVersion, SimServer};
use super::simple;
use super::world::World;

impl World {
    /// Settles the facts without a known change, after a phone died: finds the change, or drops the fact. Panics if one is missing whose
    /// call returned.
    pub fn resolves(&mut self, who: usize) {
        let mut replica = Replica::new(self.phones[who].looks());
        let open = |fact: &mut Fact| fact.phone == who && fact.change.is_none();
        for mut fact in self.facts.extract_if(.., open).collect::<Vec<_>>() {
            let here = replica.contains(&mut fact);
            assert!(here || fact.certainty == Certainty::Unsure, "it died and forgot what it promised: {}", fact.what);
            (fact.certainty, fact.change) = (Certainty::Sure, self.new_change(&fact));
            if here && fact.change.is_some() {
                self.facts.push(fact);
            }
        }
        for fact in self.facts.iter().filter(|fact| fact.phone == who) {
            if let FactKind::Recorded { delivery, .. } = fact.what {
                self.phones[who].drafts.remove(&delivery);
            }
        }
    }

    /// The change that a fact just made: the newest of its document in the outbox, unless that belongs to another fact.
    pub(super) fn new_change(&self, fact: &Fact) -> Option<ChangeHash> {
        let newest = newest_change(self.phones[fact.phone].looks(), fact.document());
        newest.filter(|change| self.facts.iter().all(|other| other.change != Some(*change)))
    }

    /// Checks that a phone has all facts and drafts that it promised, except changes that are held or rejected.
    pub fn checks_promises(&mut self, who: usize) {
        self.forgets_if_barred(who);
        let phone = &self.phones[who];
        let mut replica = Replica::new(phone.looks());
        let aside = held_or_rejected(phone.looks());
        let is_own = |fact: &&mut Fact| fact.phone == who && fact.certainty == Certainty::Sure && !fact.is_forgotten;
        for fact in self.facts.iter_mut().filter(is_own) {
            let is_aside = fact.change.is_some_and(|change| aside.contains(&change));
            assert!(is_aside || replica.contains(fact), "{} lost what it promised: {}", phone.name, fact.what);
        }
        self.checks_paid_out(who);
        let phone = &self.phones[who];
        if !self.is_granted(who) || phone.client().access() == Access::Locked {
            return;
        }
        for (draft, bags) in &phone.drafts {
            let view = phone.client().delivery(*draft);
            let view = view.unwrap_or_else(|error| panic!("{} lost the draft {draft}: {error}", phone.name));
            let shown: Vec<i64> = view.bags.iter().map(|bag| bag.gross_g.0).collect();
            assert!(
                bags.iter().all(|bag| shown.contains(bag)),
                "a bag that was called out is lost: {bags:?} {shown:?}"
            );
        }
    }

    /// Whether the phone, as far as it knows, has a grant for its user and no order lost or wipe. Says nothing about a lapse, which locks a
    /// phone but purges nothing.
    pub fn keeps_records(&self, who: usize) -> bool {
        let client = self.phones[who].client();
        let is_barred = matches!(client.order(), Some(Order::Lost | Order::Wipe));
        client.session().is_some_and(|session| session.grant_id.is_some()) && !is_barred
    }

    /// Marks a phone's facts as forgotten if it keeps no records: it purges them after the upload, and may die right after.
    fn forgets_if_barred(&mut self, who: usize) {
        if !self.keeps_records(who) {
            for fact in self.facts.iter_mut().filter(|fact| fact.phone == who) {
                fact.is_forgotten = true;
            }
        }
    }

    /// Checks that the server has all that a phone reports as logged, and all that it ever promised if its last sync `is_complete`.
    pub(super) fn checks_status(&mut self, who: usize, is_complete: bool) {
        self.forgets_if_barred(who);
        let mut server = Replica::new(server_reader(&self.server, &mut self.server_reader));
        let phone = &self.phones[who];
        let mut states = BTreeMap::new();
        for fact in &mut self.facts {
            if fact.phone != who || fact.is_logged || fact.is_unrecoverable || fact.certainty != Certainty::Sure {
                continue;
            }
            let state = states.entry(fact.document()).or_insert_with(|| state_of(phone.client(), &fact.what));
            match state {
                Some(SyncState::Logged) => {
                    let kept = server.kept(fact);
                    fact.is_logged = kept == ServerState::Logged;
                    let is_there = kept == ServerState::Rejected || fact.is_logged && server.contains(fact);
                    // A phone that has not learned yet that the server was set back reports what it knew before.
                    let is_there = is_there || kept == ServerState::Nowhere && self.was_set_back && !is_complete;
                    assert!(is_there, "{} says logged, but the server has it not: {}", phone.name, fact.what);
                }
                Some(SyncState::Unsent | SyncState::Sent) if is_complete => {
                    panic!("{} says complete, but {state:?}: {}", phone.name, fact.what)
                }
                Some(SyncState::Held { .. }) | None if is_complete => {
                    let is_there = server.kept(fact) != ServerState::Nowhere;
                    assert!(is_there, "{} says complete, but the server has it not: {}", phone.name, fact.what);
                }
                _ => {}
            }
        }
    }

    /// Checks that the server has all facts of a phone that was wiped, and marks them as forgotten and unrecoverable.
    pub(super) fn check_uploaded(&mut self, who: usize) {
        let server = Replica::new(server_reader(&self.server, &mut self.server_reader));
        for fact in self.facts.iter_mut().filter(|fact| fact.phone == who) {
            let may_miss = fact.is_unrecoverable || fact.certainty == Certainty::Maybe;
            let is_there = may_miss || server.kept(fact) != ServerState::Nowhere;
            assert!(is_there, "{} was wiped before it handed in: {}", self.phones[who].name, fact.what);
            (fact.is_forgotten, fact.is_unrecoverable) = (true, true);
        }
    }

    /// Marks facts that may be lost for good after a phone or the server was set back: they are neither on the server, nor in their phone's
    /// bundles, nor known to any other phone.
    pub(super) fn audit(&mut self) {
        let server = Replica::new(server_reader(&self.server, &mut self.server_reader));
        let phones: Vec<Replica<'_>> = self.phones.iter().map(|phone| Replica::new(phone.looks())).collect();
        for fact in self.facts.iter_mut().filter(|fact| fact.is_unrecoverable && fact.certainty == Certainty::Sure) {
            if server.kept(fact) == ServerState::Nowhere && !phones.iter().any(|phone| phone.knows(fact)) {
                fact.certainty = Certainty::Maybe;
            }
        }
    }

    /// Records the code of a phone's device, and checks that no two devices have the same.
    pub(super) fn notes_code(&mut self, who: usize) {
        let Some(session) = self.phones[who].client().session() else { return };
        self.phones[who].is_enrolled = true;
        let first = *self.codes.entry(session.device_code).or_insert(session.device_id);
        assert_eq!(first, session.device_id, "two devices have the code {}", session.device_code);
        self.phones_of_codes.entry(session.device_code).or_default().insert(who);
    }

    /// Records that a phone is set back, so that receipt numbers under its code may repeat.
    pub(super) fn notes_set_back(&mut self, who: usize) {
        let session = self.phones[who].client.as_ref().and_then(FieldClient::session);
        self.codes_set_back.extend(session.map(|session| session.device_code));
    }
}

/// A connection to the server's database, as it is now: the one in `kept` while that is current.
pub(super) fn server_reader<'a>(
    server: &SimServer,
    kept: &'a mut Option<(ServerVersion, Connection)>,
) -> &'a Connection {
    let read = server.reads(kept.take());
    &kept.insert(read).1
}

/// The sync state that a phone shows for the whole record of a fact; `None` if the call that shows it fails.
fn state_of(client: &FieldClient, what: &FactKind) -> Option<SyncState> {
    let state = match what {
        FactKind::Registered { farmer, .. } => client.farmer(*farmer).map(|view| view.sync),
        FactKind::Recorded { delivery, .. }
        | FactKind::BagAdded { delivery, .. }
        | FactKind::BagVoided { delivery, .. }
        | FactKind::Moved { delivery, .. }
        | FactKind::PutApart { delivery, .. }
        | FactKind::Added { delivery, .. }
        | FactKind::Voided { delivery } => client.delivery(*delivery).map(|view| view.sync),
        FactKind::Opened { load }
        | FactKind::Joined { load, .. }
        | FactKind::Stepped { load, .. }
        | FactKind::Tracked { load, .. }
        | FactKind::CloseAsked { load, .. } => client.load(*load).map(|view| view.sync),
        FactKind::Made { record, kind, .. } | FactKind::Withdrawn { record, kind, .. } => {
            simple::state_of(client, *kind, *record)
        }
    };
    state.ok()
}
