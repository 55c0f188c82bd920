//! Actions of the office.

use farmtally_core::client::{InboxKind, PhoneUser};
use farmtally_core::decisions::{
    Centre, Commodity, DeviceOrder, Erasure, Grant, Lorry, Notice, Order, PaperBook, PaperPurpose, Quota, Revocation,
    RuleSet, Ruling, Season, Suspension,
};
use farmtally_core::permission::Role;
use farmtally_core::units::{DocumentId, FarmerId, Grams, GrantId};
use farmtally_sync_server::{Error, ReferenceFile, Server};
use rand::RngExt;

use super::decisions::Promised;
use super::monitor::server_reader;
use super::oracle::{FactKind, short};
use super::phone::Wipe;
use super::world::{CallOutcome, World};

impl World {
    /// Logs and classifies the result of a command: `None` if refused, or failed because the server died or its disk is full; a failed one
    /// may have taken effect. Panics on anything else.
    pub(super) fn observe_office<T>(&mut self, what: &str, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(done) => {
                self.log(None, &format!("the office {what}"));
                Some(done)
            }
            Err(error) => {
                let is_troubled = self.server.machine.is_dead() || self.server.machine.is_full();
                let is_refused = matches!(error, Error::Recovering | Error::Invalid { .. } | Error::NotFound { .. });
                assert!(is_troubled || is_refused, "the office could not do this: {what}: {error}");
                self.log(None, &format!("the office {what}: {error}"));
                None
            }
        }
    }

    /// Whether the server has lost data and waits for phones to restore it.
    pub(super) fn is_recovering(&self) -> bool {
        let recovery = self.server.handle().recovery(self.server.organisation).expect("a state");
        recovery.is_some_and(|recovery| recovery.ended_at.is_none())
    }

    /// Ends a recovery, if one is open. Returns whether it did.
    pub(super) fn ends_recovery(&mut self) -> bool {
        if !self.is_recovering() {
            return false;
        }
        let result = self.server.handle().end_recovery(self.server.organisation);
        self.observe_office("ends the recovery", result).is_some()
    }
}

impl World {
    fn orders(&mut self, who: usize, order: Order) -> bool {
        let Some(session) = self.phones[who].client().session() else { return false };
        let result = self.server.handle().order(self.server.organisation, session.device_code, order);
        let is_ordered =
            self.observe_office(&format!("orders {order:?} for {}", self.phones[who].name), result).is_some();
        if is_ordered {
            self.expects_decision(Promised::exactly(DeviceOrder { device_id: session.device_id, order }));
        }
        is_ordered
    }

    /// Grants the phone's current user its role on the phone.
    fn grants(&mut self, who: usize) -> Option<GrantId> {
        let role = self.phones[who].role.clone();
        self.grants_to(who, &role)
    }

    /// Grants a role on the phone, for its centre, to the user who has the role's name.
    fn grants_to(&mut self, who: usize, role: &str) -> Option<GrantId> {
        let session = self.phones[who].client().session()?;
        let (may, centre) = (role.parse::<Role>().expect("a role"), self.centre(who));
        let centres = vec![centre];
        let result = self.server.handle().grant(self.server.organisation, session.device_code, role, may, &centres);
        let grant = self.observe_office(&format!("grants to the {role} of {}", self.phones[who].name), result)?;
        let device = session.device_id;
        let is = move |it: &Grant| (it.grant_id, it.device_id, it.role, &it.centres) == (grant, device, may, &centres);
        self.expects_decision(Promised::some(may.as_str(), is));
        Some(grant)
    }

    /// Suspends a user, or lifts the suspension.
    fn suspends(&mut self, user: &str, is_suspended: bool) {
        let result = self.server.handle().suspend(self.server.organisation, user, is_suspended);
        let what = if is_suspended { "suspends" } else { "lifts the suspension of" };
        if self.observe_office(&format!("{what} every {user}"), result).is_some() {
            self.expects_decision(Promised::some(what, move |it: &Suspension| it.is_suspended == is_suspended));
        }
    }

    /// Approves or rejects, at random, the held changes of a document. What can't be approved is rejected.
    fn decides(&mut self, document: DocumentId) {
        let (server, organisation) = (self.server.handle(), self.server.organisation);
        let approve = |server: &Server| server.approve(organisation, document, None);
        if !self.once_in(3) && self.observe_office("takes in what is held", approve(&server)).is_some() {
            let is = move |it: &Ruling| it.is_approved && it.document_id == document;
            self.expects_decision(Promised::some("taken in", is));
            return self.counts("met: held work that was taken in");
        }
        // A server that dies may still have done it.
        self.rejected.insert(document);
        let result = server.reject(organisation, document, None, "weigh it again");
        if self.observe_office("sends back what is held", result).is_some() {
            let is = move |it: &Ruling| !it.is_approved && it.document_id == document;
            self.expects_decision(Promised::some("sent back", is));
            self.counts("met: held work that was sent back");
        }
    }

    fn held(&self) -> Vec<DocumentId> {
        let held = self.server.handle().held(self.server.organisation).expect("a list");
        let mut documents: Vec<DocumentId> = held.into_iter().map(|held| held.entry.document()).collect();
        documents.dedup();
        documents
    }

    /// Ends a recovery, resumes lost phones, grants roles to phones without a grant, and decides all held changes. Returns how many of them
    /// there were; 0 if nothing waited.
    pub(super) fn settles(&mut self) -> usize {
        let mut done = usize::from(self.ends_recovery());
        for who in self.unwiped() {
            let client = self.phones[who].client();
            let session = client.session().expect("an enrolled phone");
            if client.order() == Some(Order::Lost) {
                done += usize::from(self.orders(who, Order::Resume));
            }
            if session.grant_id.is_none() {
                let role = self.phones[who].role.clone();
                if self.suspended.contains(&role) {
                    self.suspends(&role, false);
                }
                // Refused if the phone has not heard of a grant that is in force again because a suspension was lifted.
                if self.grants(who).is_some() {
                    self.counts("met: a copy that only uploads");
                }
                done += 1;
            }
        }
        for document in self.held() {
            self.decides(document);
            done += 1;
        }
        done
    }

    /// If a phone has wiped itself, records that, and checks that its drafts are at the office and all else is logged or held.
    pub(super) fn notes_wipe(&mut self, who: usize) {
        let phone = &self.phones[who];
        if phone.is_wiped() || !phone.is_enrolled || phone.client().session().is_some() {
            return;
        }
        self.log(Some(who), "is wiped");
        self.counts("met: a phone that was wiped");
        let server = self.server.handle();
        let held = server.held(self.server.organisation).expect("a list");
        for draft in std::mem::take(&mut self.phones[who].drafts).into_keys() {
            let document = DocumentId::from(draft);
            let is_there =
                held.iter().any(|held| held.entry.document() == document) || self.rejected.contains(&document);
            assert!(is_there, "{} was wiped before its draft was handed in: {draft}", self.phones[who].name);
        }
        self.phones[who].wipe = Wipe::Done;
        self.phones[who].copies.clear();
        self.check_uploaded(who);
    }

    /// Adds rejected deliveries that came back as drafts to the drafts that the oracle expects on the phone.
    pub(super) fn takes_drafts_up(&mut self, who: usize) {
        let phone = &self.phones[who];
        for item in phone.client().inbox().expect("an inbox") {
            let InboxKind::Rejected { draft_id: Some(draft), .. } = item.kind else { continue };
            let recorded = self.facts.iter().find_map(|fact| match &fact.what {
                FactKind::Recorded { delivery, bags, .. } if item.records[0].document() == (*delivery).into() => {
                    Some(bags.clone())
                }
                _ => None,
            });
            let is_recorded = self.recorded_deliveries().contains(&draft);
            if let (Some(bags), false) = (recorded, is_recorded) {
                self.phones[who].drafts.insert(draft, bags);
            }
        }
    }
}

/// The office revokes the grant of a phone's user.
pub(super) fn revokes(world: &mut World, who: usize) {
    let Some(grant) = world.phones[who].client().session().and_then(|session| session.grant_id) else { return };
    let result = world.server.handle().revoke(world.server.organisation, grant);
    if world.observe_office(&format!("revokes the grant of {}", world.phones[who].name), result).is_some() {
        world.expects_decision(Promised::exactly(Revocation { grant_id: grant }));
    }
}

/// The office grants a phone's user its role again.
pub(super) fn grants(world: &mut World, who: usize) {
    if !world.is_granted(who) {
        world.grants(who);
    }
}

/// The office suspends a user on all phones.
pub(super) fn suspends(world: &mut World, who: usize) {
    let user = world.phones[who].role.clone();
    world.suspended.insert(user.clone());
    world.suspends(&user, true);
}

pub(super) fn lifts(world: &mut World, _who: usize) {
    let users: Vec<String> = world.suspended.iter().cloned().collect();
    if let Some(user) = world.picks(&users) {
        world.suspends(&user, false);
    }
}

/// The office marks a phone as lost, unless a wipe was ordered; its user may not know.
pub(super) fn loses(world: &mut World, who: usize) {
    if world.phones[who].wipe == Wipe::Never {
        world.orders(who, Order::Lost);
    }
}

/// The office lets a lost phone resume.
pub(super) fn finds(world: &mut World, who: usize) {
    if world.phones[who].client().order() == Some(Order::Lost) {
        world.orders(who, Order::Resume);
    }
}

/// The office orders a phone to wipe itself at its next contact, unless all others were wiped.
pub(super) fn wipes(world: &mut World, who: usize) {
    if world.unwiped().len() > 1 {
        world.phones[who].wipe = Wipe::Ordered;
        world.orders(who, Order::Wipe);
    }
}

/// The office decides about the held changes of a document.
pub(super) fn decides(world: &mut World, _who: usize) {
    let held = world.held();
    if let Some(document) = world.picks(&held) {
        world.decides(document);
    }
}

pub(super) fn erases(world: &mut World, _who: usize) {
    let farmers = world.facts.iter().filter_map(|fact| match fact.what {
        FactKind::Registered { farmer, .. } => Some(farmer),
        _ => None,
    });
    let farmers: Vec<FarmerId> = farmers.collect();
    let Some(farmer) = world.picks(&farmers) else { return };
    // Nobody promises the farmer's words any more, whether or not the command succeeds.
    world.facts.retain(|fact| !fact.what.is_erased_with(farmer));
    let result = world.server.handle().erase_farmer(world.server.organisation, farmer);
    let is_erased = world.observe_office(&format!("forgets farmer {}", short(farmer)), result).is_some();
    *world.erased.entry(farmer).or_default() |= is_erased;
    if is_erased {
        world.expects_decision(Promised::some(&short(farmer), |_: &Erasure| true));
        world.counts("met: a farmer who was forgotten");
    }
}

/// A phone switches to another of its users; if there is none, the office grants one.
pub(super) fn changes_hands(world: &mut World, who: usize) {
    let Some(session) = world.phones[who].client().session() else { return };
    let others: Vec<PhoneUser> =
        world.phones[who].client().users().into_iter().filter(|user| user.user_id != session.user_id).collect();
    if let Some(other) = world.picks(&others) {
        let result = world.phones[who].client().switch_user(other.user_id);
        if let CallOutcome::Done(_) = world.observe(who, &format!("is handed to {}", other.name), result) {
            world.phones[who].role = other.name;
            world.counts("met: a phone that was handed to another user");
        }
        return;
    }
    let roles: Vec<&str> =
        ["dispatcher", "field_manager", "clerk"].into_iter().filter(|role| *role != world.phones[who].role).collect();
    if let Some(role) = world.picks(&roles) {
        world.grants_to(who, role);
    }
}

/// The office ends a recovery, even if phones have not synced since.
pub(super) fn recovery_ends(world: &mut World, _who: usize) {
    if world.ends_recovery() {
        world.counts("met: a recovery that the office ended");
    }
}

/// The office publishes a new entry of the reference data, or another version of one.
pub(super) fn publishes(world: &mut World, _who: usize) {
    let (kind, which) = (world.rng.random_range(0..8), world.rng.random_range(0..3));
    world.last_published = Some((kind, which));
    publishes_version(world, kind, which);
}

/// The office notices that its last publication was lost, and publishes another version of it.
pub(super) fn publishes_again(world: &mut World) {
    if let Some((kind, which)) = world.last_published {
        publishes_version(world, kind, which);
    }
}

/// Returns a paper book with a unique last form.
fn paper_book(which: usize, unique: i64) -> (String, Promised) {
    let (code, last_serial) = (["BOOK1", "BOOK2", "BOOK3"][which], u32::try_from(1 + unique % 10_000).expect("small"));
    let entry = format!(
        r#""code": "{code}", "centre": "KOLAR", "purpose": "deliveries", "first_serial": 1, "last_serial": {last_serial}"#
    );
    let (code, centre) = (code.parse().expect("a code"), "KOLAR".parse().expect("a code"));
    let purpose = PaperPurpose::Deliveries;
    (entry, Promised::exactly(PaperBook { code, first_serial: 1, last_serial, centre, purpose }))
}

/// Returns a quota of a farmer whom the server has, with a unique weight; `None` if it has too few.
fn quota(world: &mut World, which: usize, unique: i64) -> Option<(String, Promised)> {
    let db = server_reader(&world.server, &mut world.server_reader);
    let mut statement = db.prepare("SELECT code FROM farmers ORDER BY code LIMIT 1 OFFSET ?1").expect("a query");
    let farmer: String = statement.query_row([which], |row| row.get(0)).ok()?;
    let entry = format!(r#""farmer": "{farmer}", "commodity": "TOMATO", "season": "2019", "most_g": {unique}"#);
    Some((entry, Promised::some(&format!("{unique} g"), move |it: &Quota| it.most == Grams(unique))))
}

/// Publishes an entry with a unique value: `kind` 0 to 7 chooses the list, `which` 0 to 2 the code.
fn publishes_version(world: &mut World, kind: u32, which: usize) {
    let unique = world.unique_numbers(1)[0];
    let name = format!("{which} {unique}");
    let (list, entry, promised) = match kind {
        0 => {
            let centre = ["KOLAR", "MALUR", "HOSUR"][which];
            let entry = format!(r#""code": "{centre}", "name": "{name}""#);
            ("centres", entry, Promised::exactly(Centre { code: centre.parse().expect("a code"), name }))
        }
        1 => {
            let commodity = ["TOMATO", "ONION", "OKRA"][which];
            let entry = format!(r#""code": "{commodity}", "name": "{name}""#);
            ("commodities", entry, Promised::exactly(Commodity { code: commodity.parse().expect("a code"), name }))
        }
        2 => {
            // Never for tomatoes, whose season determines the scope of deliveries.
            let (season, from) = (["2018", "2020", "2021"][which], format!("{}-06-01", 1900 + unique % 100));
            let entry = format!(r#""code": "{season}", "commodity": "ONION", "from": "{from}", "to": "2199-12-31""#);
            let (from, to) = (from.parse().expect("a date"), "2199-12-31".parse().expect("a date"));
            let (season, commodity) = (season.parse().expect("a code"), "ONION".parse().expect("a code"));
            ("seasons", entry, Promised::exactly(Season { code: season, commodity, from, to, required_scheme: None }))
        }
        3 => {
            let (lorry, payload) = (["KA07A1111", "KA07A2222", "KA07A4444"][which], 9_000_000 + unique);
            let entry = format!(r#""plate": "{lorry}", "payload_g": {payload}"#);
            let lorry = lorry.parse().expect("a plate");
            ("lorries", entry, Promised::exactly(Lorry { plate: lorry, payload: Grams(payload) }))
        }
        4 => {
            // A new number each time, because a rule set never changes.
            let number = u32::try_from(unique).expect("a number");
            let entry = format!(
                r#""number": {number}, "commodity": "TOMATO", "valid_from": "1900-01-01", "bag_types": [{{"number": 0, "name": "crate", "tare_g": {unique}}}]"#
            );
            let is = move |it: &RuleSet| it.number == number && it.bag_types[0].tare == Grams(unique);
            ("rule_sets", entry, Promised::some(&name, is))
        }
        5 => {
            let (entry, promised) = paper_book(which, unique);
            ("paper_books", entry, promised)
        }
        6 => {
            let Some((entry, promised)) = quota(world, which, unique) else { return };
            ("quotas", entry, promised)
        }
        _ => {
            let (code, text) = (["hours", "rain", "price"][which], if unique % 4 == 0 { String::new() } else { name });
            let entry = format!(r#""code": "{code}", "text": "{text}""#);
            ("notices", entry, Promised::exactly(Notice { code: code.to_owned(), text }))
        }
    };
    let file = ReferenceFile::parse(&format!(r#"{{"{list}": [{{{entry}}}]}}"#)).expect("reference data");
    let result = world.server.handle().update_reference(world.server.organisation, &file);
    // What the log has already is not logged again: an empty notice, or a season from the same year.
    if world.observe_office(&format!("publishes {list}: {entry}"), result).is_some_and(|logged| logged > 0) {
        world.expects_decision(promised);
    }
}
