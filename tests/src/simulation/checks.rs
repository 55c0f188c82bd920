//! Invariants that must hold once phones and server are quiescent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use data_encoding::HEXUPPER;
use farmtally_core::client::{InboxItem, InboxKind, SyncOutcome};
use farmtally_core::environment::Clock;
use farmtally_core::records::{Delivery, Load, Stamp};
use farmtally_core::store::records;
use farmtally_core::store::rows::Sum;
use farmtally_core::store::sql::sqlite::SqliteWriter;
use farmtally_core::units::{BusinessDate, CentreCode, DeliveryId, DeviceCode, FarmerId, Grams, LoadId};

use super::monitor::server_reader;
use super::oracle::{Certainty, Fact, FactKind, Later, Replica, ServerState};
use super::phone::Phone;
use super::world::World;
use crate::all_deliveries;
use crate::market::fingerprint_of;

/// Rounds of syncs, at most, until the simulation must be quiescent.
const ROUNDS: usize = 8;

impl World {
    /// Quiesces: without faults, every phone syncs and the office settles what waits, until a round changes nothing.
    pub fn quiesce(&mut self) {
        self.aftermath();
        self.server.delivers_stalled(true);
        for _ in 0..ROUNDS {
            let (before, mut is_settled) = (self.kept_by_server(), true);
            for who in self.unwiped() {
                let report = self.syncs(who, Vec::new()).expect("a sync without faults");
                is_settled &= report.outcome == SyncOutcome::Complete;
            }
            // If nothing was uploaded for a round, nothing is left to fetch.
            is_settled &= self.kept_by_server() == before;
            self.notes_decisions();
            if is_settled && self.settles() == 0 {
                return;
            }
        }
        panic!("the phones never become idle");
    }

    fn kept_by_server(&mut self) -> u64 {
        let sql = "SELECT (SELECT count(*) FROM log) + (SELECT count(*) FROM held)";
        let db = server_reader(&self.server, &mut self.server_reader);
        db.query_row(sql, [], |row| row.get(0)).expect("a count")
    }

    /// Checks all invariants, which hold only right after [`World::quiesce`].
    pub fn check_invariants(&mut self) {
        let server = fingerprint_of(server_reader(&self.server, &mut self.server_reader));
        let in_doubt = contacts_of(&server, self.erased.iter().filter(|(_, sure)| !**sure).map(|(farmer, _)| *farmer));
        let mut fingerprints = Vec::new();
        for who in self.unwiped() {
            let phone = &self.phones[who];
            let status = phone.client().sync_status().expect("a status");
            let backlog = &status.backlog;
            let waiting = (backlog.unsent, backlog.sent, backlog.held, status.set_aside, status.carried.parcels);
            let aside = set_aside(phone.looks());
            assert_eq!(
                waiting,
                (0, 0, 0, 0, 0),
                "{}: unsent, sent, held, set aside, carried; {status:?} {aside:?}",
                phone.name
            );
            assert_eq!(backlog.refused, None, "{}", phone.name);
            let today = self.server.clock.now().date(330);
            assert_eq!(phone.client().date(), today, "{} goes by another date than its server", phone.name);
            let own = fingerprint_of(phone.looks());
            let scope = format!("c/{}", phone.centre);
            let (here, there) = (within(&own, &scope), within(&server, &scope));
            // A review that the server lost is raised again later; a phone that had read it keeps the first time.
            let timed = |text: String| if self.was_set_back { without_times(&text) } else { text };
            let timed = |text: String| without_contacts(&timed(text), &in_doubt);
            assert_same(&format!("{} and the server", phone.name), &timed(here), &timed(there));
            fingerprints.push(own);
        }
        self.checks_facts();
        self.checks_decisions();
        self.checks_erasures();
        self.checks_rebuilds(&server, &fingerprints);
        self.checks_receipts();
        self.checks_leases();
    }

    /// Drops facts that were rejected or may be lost. Checks that the server shows the others and nothing else, and that each phone shows
    /// those of its centre and the oracle's sums.
    fn checks_facts(&mut self) {
        let mut facts = std::mem::take(&mut self.facts);
        let mut server = Replica::new(server_reader(&self.server, &mut self.server_reader));
        facts.retain_mut(|fact| {
            if let Some(centre) = server.scope(fact.document()).and_then(|scope| scope.centre().cloned()) {
                fact.centre = centre;
            }
            let is_of_farmer = |(farmer, _): &(&FarmerId, &bool)| fact.what.is_erased_with(**farmer);
            if let Some((_, is_sure)) = self.erased.iter().find(is_of_farmer) {
                // Its author had not heard of the erasure.
                let shows = server.contains(fact);
                assert!(!(shows && *is_sure), "it is about a forgotten farmer, but shows: {}", fact.what);
                return shows;
            }
            let kept = server.kept(fact);
            if kept == ServerState::Rejected && self.rejected.contains(&fact.document()) {
                let phone = &self.phones[fact.phone];
                assert!(
                    fact.is_unrecoverable || is_back(phone, fact),
                    "{} was sent back, but is nowhere: {}",
                    phone.name,
                    fact.what
                );
                return false;
            }
            let here = kept == ServerState::Logged;
            assert!(here || fact.certainty == Certainty::Maybe, "the server lost what was promised: {}", fact.what);
            assert!(!here || server.contains(fact), "it is logged, but does not show: {}", fact.what);
            here
        });
        let whole = expected_deliveries(&facts);
        let books = sums(&facts, &whole);
        check_exactly(&facts, &mut server, &whole);
        check_loads(&mut server, &whole);
        for it in whole.values() {
            let moves = it.standing_moves();
            if moves.iter().any(|(load, _)| *load != moves[0].0) {
                self.counts("met: a delivery on two loads at once");
            }
        }
        for phone in self.phones.iter().filter(|phone| !phone.is_wiped()) {
            let mut replica = Replica::new(phone.looks());
            let here = |fact: &&mut Fact| fact.centre == phone.centre;
            for fact in facts.iter_mut().filter(here) {
                assert!(replica.contains(fact), "{} has not what was promised: {}", phone.name, fact.what);
            }
            let rows = all_deliveries(phone.client());
            let shown: BTreeSet<DeliveryId> = rows.iter().map(|row| row.delivery_id).collect();
            for fact in facts.iter().filter(|fact| fact.centre == phone.centre) {
                if let FactKind::Recorded { delivery, .. } = fact.what {
                    assert!(shown.contains(&delivery), "{} does not show {delivery}", phone.name);
                }
            }
            for ((centre, date), sum) in books.iter().filter(|((centre, _), _)| *centre == phone.centre) {
                let shown = phone.client().today(centre, Some(*date)).expect("a day").sum;
                assert_eq!(shown, *sum, "{} on {date}", phone.name);
            }
        }
        self.facts = facts;
    }

    /// Checks that no file contains the telephone number of an erased farmer, and that the contacts of all others are on the server.
    fn checks_erasures(&mut self) {
        let db = server_reader(&self.server, &mut self.server_reader);
        for fact in &self.facts {
            let FactKind::Registered { farmer, phone: number } = &fact.what else { continue };
            match self.erased.get(farmer) {
                Some(true) => {
                    let folders = self.phones.iter().map(|phone| phone.folder.clone());
                    for folder in folders.chain([self.server.folder.clone()]) {
                        let found = files_with(&folder, number.as_bytes());
                        assert!(found.is_empty(), "{number} was forgotten, but is in {found:?}");
                    }
                    let machines = self.phones.iter().map(|phone| (phone.name.as_str(), &phone.machine));
                    for (whose, machine) in machines.chain([("the server", &self.server.machine)]) {
                        let image = machine.image();
                        let found = image.files_with(number.as_bytes());
                        assert!(found.is_empty(), "{number} was forgotten, but is on the disk of {whose}: {found:?}");
                    }
                }
                Some(false) => {}
                None => {
                    let sql = "SELECT count(*) FROM contacts WHERE phone = ?1";
                    let count = db.query_row(sql, [number], |row| row.get::<_, u64>(0)).expect("a count");
                    // The office decides about record and contact separately; a rejected one is on the phone.
                    let may_miss = fact.certainty == Certainty::Maybe || !self.rejected.is_empty();
                    assert!(count == 1 || may_miss, "{number} is on the server {count} times");
                }
            }
        }
    }

    /// Rebuilds all projections, and checks that they equal the fingerprints from before: the server's, and one of each unwiped phone.
    fn checks_rebuilds(&mut self, server: &str, fingerprints: &[String]) {
        for (phone, before) in self.phones.iter().filter(|phone| !phone.is_wiped()).zip(fingerprints) {
            phone.client().rebuild().expect("rebuilt");
            assert_same(&format!("{} after a rebuild", phone.name), &fingerprint_of(phone.looks()), before);
        }
        let db = server_reader(&self.server, &mut self.server_reader);
        records::rebuild(&mut SqliteWriter::new(db)).expect("rebuilt");
        assert_same("the server after a rebuild", &fingerprint_of(db), server);
    }

    /// Checks that no phone shows a receipt number twice, except numbers of devices that were cloned or set back.
    fn checks_receipts(&self) {
        let is_doubled = |code: &DeviceCode| {
            self.codes_set_back.contains(code) || self.phones_of_codes.get(code).is_some_and(|phones| phones.len() > 1)
        };
        let (mut checked, mut skipped) = (0, 0);
        for phone in self.phones.iter().filter(|phone| !phone.is_wiped()) {
            let rows = all_deliveries(phone.client());
            let mut numbers = BTreeSet::new();
            for row in rows {
                if is_doubled(&row.device_code) {
                    skipped += 1;
                    continue;
                }
                checked += 1;
                let is_new = numbers.insert((row.device_code, row.receipt_sequence));
                assert!(is_new, "a receipt number twice: {row:?}");
            }
        }
        self.counts_times("checked: a receipt number", checked);
        self.counts_times("skipped: a receipt number of a device that was cloned or set back", skipped);
    }
}

/// Whether a phone's inbox shows a rejected change of a fact's document.
fn is_back(phone: &Phone, fact: &Fact) -> bool {
    let inbox = phone.client().inbox().expect("an inbox");
    let is_it = |item: &InboxItem| {
        matches!(item.kind, InboxKind::Rejected { .. })
            && item.records.iter().all(|it| it.document() == fact.document())
    };
    inbox.iter().any(is_it)
}

fn set_aside(db: &rusqlite::Connection) -> Vec<(String, u64, String)> {
    let mut statement = db.prepare("SELECT scope, seq, reason FROM set_aside ORDER BY scope, seq").expect("a table");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("rows");
    rows.collect::<Result<_, _>>().expect("entries")
}

/// Files in a folder and its subfolders that contain these bytes.
fn files_with(folder: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()) {
        if path.is_dir() {
            found.extend(files_with(&path, bytes));
        } else if std::fs::read(&path).expect("a file").windows(bytes.len()).any(|window| window == bytes) {
            found.push(path);
        }
    }
    found
}

#[track_caller]
fn assert_same(what: &str, left: &str, right: &str) {
    if left != right {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
        let (left, right) = (lines(left), lines(right));
        let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>().join("\n");
        panic!("differ: {what}\nonly the first:\n{}\nonly the second:\n{}", only(&left, &right), only(&right, &left));
    }
}

/// A fingerprint without the times of reviews.
fn without_times(fingerprint: &str) -> String {
    let timeless = |line: &str| match line.rsplit_once('|') {
        Some((review, _time)) if line.starts_with("reviews|") => review.to_owned(),
        _ => line.to_owned(),
    };
    fingerprint.lines().map(timeless).collect::<Vec<_>>().join("\n")
}

/// Document ids, in hex, of the contacts of these farmers in a fingerprint.
fn contacts_of(fingerprint: &str, farmers: impl Iterator<Item = FarmerId>) -> BTreeSet<String> {
    let farmers: BTreeSet<String> = farmers.map(|farmer| HEXUPPER.encode(farmer.as_bytes())).collect();
    let contact = |line: &str| {
        let fields: Vec<&str> = line.split('|').collect();
        let is_one = fields[0] == "contacts" && farmers.contains(fields[4]);
        is_one.then(|| fields[1].to_owned())
    };
    fingerprint.lines().filter_map(contact).collect()
}

fn without_contacts(fingerprint: &str, contacts: &BTreeSet<String>) -> String {
    let is_kept = |line: &&str| !line.split('|').nth(1).is_some_and(|document| contacts.contains(document));
    fingerprint.lines().filter(is_kept).collect::<Vec<_>>().join("\n")
}

/// The lines of a fingerprint that belong to a scope or to one below it; without erasures.
fn within(fingerprint: &str, scope: &str) -> String {
    let mut documents = BTreeSet::new();
    let mut reviews = BTreeSet::new();
    let is_within = |text: &str| text == scope || text.strip_prefix(scope).is_some_and(|rest| rest.starts_with('/'));
    let fields = |line: &str| line.split('|').map(str::to_owned).collect::<Vec<_>>();
    for line in fingerprint.lines().map(fields) {
        match line[0].as_str() {
            "documents" if is_within(&line[3]) => drop(documents.insert(line[1].clone())),
            "review_documents" if documents.contains(&line[1]) => drop(reviews.insert(line[2].clone())),
            _ => {}
        }
    }
    let kept = fingerprint.lines().filter(|line| {
        let line = fields(line);
        match line[0].as_str() {
            "documents" => is_within(&line[3]),
            "reviews" => reviews.contains(&line[1]),
            "review_documents" => reviews.contains(&line[2]),
            "erased" => false,
            _ => is_within(&line[2]),
        }
    });
    kept.collect::<Vec<_>>().join("\n")
}

struct ExpectedDelivery<'a> {
    facts: Vec<&'a Fact>,
    is_voided: bool,
}

fn expected_deliveries(facts: &[Fact]) -> BTreeMap<DeliveryId, ExpectedDelivery<'_>> {
    let mut whole = BTreeMap::new();
    for fact in facts {
        let (FactKind::Recorded { delivery, .. }
        | FactKind::BagAdded { delivery, .. }
        | FactKind::BagVoided { delivery, .. }
        | FactKind::Moved { delivery, .. }
        | FactKind::PutApart { delivery, .. }
        | FactKind::Added { delivery, .. }
        | FactKind::Voided { delivery }) = &fact.what
        else {
            continue;
        };
        let it = whole.entry(*delivery).or_insert_with(|| ExpectedDelivery { facts: Vec::new(), is_voided: false });
        it.is_voided |= matches!(fact.what, FactKind::Voided { .. });
        it.facts.push(fact);
    }
    whole
}

impl ExpectedDelivery<'_> {
    /// Weights of all bags in grams, sorted; voided ones included.
    fn bags(&self) -> Vec<i64> {
        let mut bags = Vec::new();
        for fact in &self.facts {
            match &fact.what {
                FactKind::Recorded { bags: recorded, .. } => bags.extend(recorded),
                FactKind::BagAdded { grams, .. } => bags.push(*grams),
                _ => {}
            }
        }
        bags.sort_unstable();
        bags
    }

    /// Weights of the bags that are not voided, in grams, sorted.
    fn counted_bags(&self) -> Vec<i64> {
        let is_voided = |bag: &i64| {
            self.facts.iter().any(|fact| matches!(fact.what, FactKind::BagVoided { grams, .. } if grams == *bag))
        };
        self.bags().into_iter().filter(|bag| !is_voided(bag)).collect()
    }

    /// Moves that no other move saw.
    fn standing_moves(&self) -> Vec<(Option<LoadId>, Stamp)> {
        let moves = self.facts.iter().filter_map(|fact| match &fact.what {
            FactKind::Moved { load, sign, .. } => Some((*load, sign.own?, sign.seen.as_slice())),
            _ => None,
        });
        let is_seen = |own: &Stamp| moves.clone().any(|(_, _, seen)| seen.contains(own));
        let standing = moves.clone().filter(|(_, own, _)| !is_seen(own));
        standing.map(|(load, own, _)| (load, own)).collect()
    }

    /// The loads that the bag of a weight may be on, if it was put apart: as [`Self::loads`], by the moves of this bag.
    fn loads_of(&self, bag: i64) -> Option<Vec<Option<LoadId>>> {
        let moves = self.facts.iter().filter_map(|fact| match &fact.what {
            FactKind::PutApart { grams, load, sign, .. } if *grams == bag => {
                Some((*load, sign.own?, sign.seen.as_slice()))
            }
            _ => None,
        });
        let is_seen = |own: &Stamp| moves.clone().any(|(_, _, seen)| seen.contains(own));
        let rank = |stamp: &Stamp| (!stamp.clock_suspect, stamp.at);
        let standing: Vec<_> = moves.clone().filter(|(_, own, _)| !is_seen(own)).collect();
        let best = standing.iter().map(|(_, own, _)| rank(own)).max()?;
        Some(standing.into_iter().filter(|(_, own, _)| rank(own) == best).map(|(load, ..)| load).collect())
    }

    /// The loads it may be on: that of the latest move that no other move saw, a clock not in doubt first; several if stamps are equal. The
    /// recorded one if it was never moved.
    fn loads(&self) -> Vec<Option<LoadId>> {
        let moves = self.standing_moves();
        let rank = |stamp: &Stamp| (!stamp.clock_suspect, stamp.at);
        if let Some(best) = moves.iter().map(|(_, own)| rank(own)).max() {
            return moves.into_iter().filter(|(_, own)| rank(own) == best).map(|(load, _)| load).collect();
        }
        let recorded = self.facts.iter().filter_map(|fact| match &fact.what {
            FactKind::Recorded { load, .. } => Some(*load),
            _ => None,
        });
        recorded.collect()
    }
}

/// Checks the sums that the server has for each load against the facts. A bag that may be on several loads is looked up in its record.
fn check_loads(server: &mut Replica<'_>, whole: &BTreeMap<DeliveryId, ExpectedDelivery<'_>>) {
    let mut expected = BTreeMap::<Option<LoadId>, (u64, i64)>::new();
    for (delivery, it) in whole.iter().filter(|(_, it)| !it.is_voided) {
        let shown = server.delivery(*delivery).expect("a delivery");
        let own = it.loads();
        for grams in it.counted_bags() {
            let loads = it.loads_of(grams).unwrap_or_else(|| own.clone());
            let load = match loads.as_slice() {
                [load] => *load,
                _ => shown.bags.iter().find(|bag| bag.bag.gross.grams().0 == grams).expect("a bag").load_id,
            };
            let (bags, gross) = expected.entry(load).or_default();
            *bags += 1;
            *gross += grams;
        }
    }
    let sums = server.sums_of_loads();
    let has_bags =
        |(load, (bags, gross)): (&Option<LoadId>, &(u64, i64))| (*bags > 0).then_some((*load, (*bags, *gross)));
    let sums: BTreeMap<_, _> = sums.iter().filter_map(has_bags).collect();
    assert_eq!(sums, expected, "bags and gross weights on each load");
}

/// Expected sums by centre and business date; `whole` is from [`expected_deliveries`].
fn sums(
    facts: &[Fact],
    whole: &BTreeMap<DeliveryId, ExpectedDelivery<'_>>,
) -> BTreeMap<(CentreCode, BusinessDate), Sum> {
    let mut sums = BTreeMap::<_, Sum>::new();
    for fact in facts {
        let FactKind::Recorded { delivery, date, .. } = &fact.what else { continue };
        let sum = sums.entry((fact.centre.clone(), *date)).or_default();
        let it = &whole[delivery];
        if it.is_voided {
            sum.voided += 1;
            continue;
        }
        let bags = it.counted_bags();
        sum.deliveries += 1;
        sum.bags += bags.len() as u64;
        sum.gross_g = sum.gross_g + bags.iter().copied().map(Grams).sum();
    }
    sums
}

/// Checks that the server shows the facts of each delivery and load, each once, and nothing else.
fn check_exactly(facts: &[Fact], server: &mut Replica<'_>, whole: &BTreeMap<DeliveryId, ExpectedDelivery<'_>>) {
    for (delivery, it) in whole {
        let Some(shown) = server.record((*delivery).into()).and_then(|record| record.downcast_ref::<Delivery>()) else {
            panic!("{delivery} is no delivery on the server")
        };
        let mut bags: Vec<i64> = shown.bags.iter().map(|bag| bag.bag.gross.grams().0).collect();
        bags.sort_unstable();
        assert_eq!(bags, it.bags(), "the bags of {delivery}");
        let count = |is: fn(&FactKind) -> bool| it.facts.iter().filter(|fact| is(&fact.what)).count();
        let keys: BTreeSet<&str> = shown.bags.iter().map(|bag| bag.key.as_str()).collect();
        assert_eq!(keys.len(), shown.bags.len(), "bags of {delivery} under one key: {:?}", shown.bags);
        let mut standing: Vec<i64> = shown.counted_bags().map(|bag| bag.gross.grams().0).collect();
        standing.sort_unstable();
        assert_eq!(standing, it.counted_bags(), "the bags of {delivery} that count");
        let amended = count(|what| {
            matches!(
                what,
                FactKind::BagAdded { .. }
                    | FactKind::BagVoided { .. }
                    | FactKind::Moved { .. }
                    | FactKind::PutApart { .. }
            )
        });
        assert_eq!(shown.amendments.len(), amended, "the amendments of {delivery}");
        assert_eq!(shown.voids.len(), count(|what| matches!(what, FactKind::Voided { .. })), "the voids of {delivery}");
        for later in [Later::Reading, Later::Print] {
            let added = it
                .facts
                .iter()
                .filter(|fact| matches!(fact.what, FactKind::Added { what, .. } if what == later))
                .count();
            assert_eq!(later.stamps(shown).len(), added, "what was added to {delivery}: {later:?}");
        }
        let loads = it.loads();
        assert!(loads.contains(&shown.load_id), "{delivery} lies on {:?}, not on {loads:?}", shown.load_id);
        for bag in &shown.bags {
            let loads = it.loads_of(bag.bag.gross.grams().0).unwrap_or_else(|| vec![shown.load_id]);
            assert!(
                loads.contains(&bag.load_id),
                "{} of {delivery} is on {:?}, not on {loads:?}",
                bag.key,
                bag.load_id
            );
        }
    }
    let mut loads = BTreeMap::<LoadId, (usize, usize, usize)>::new();
    for fact in facts {
        match fact.what {
            FactKind::CloseAsked { load, .. } => loads.entry(load).or_default().0 += 1,
            FactKind::Stepped { load, .. } => loads.entry(load).or_default().1 += 1,
            FactKind::Tracked { load, .. } => loads.entry(load).or_default().2 += 1,
            _ => {}
        }
    }
    for (load, (closes, steps, pieces)) in loads {
        let shown = server.record(load.into()).and_then(|record| record.downcast_ref::<Load>());
        let Some(shown) = shown else { panic!("{load} is no load on the server") };
        assert_eq!(shown.close_requests.len(), closes, "the requests to close {load}");
        assert_eq!(shown.timeline.len(), steps, "the steps of {load}");
        assert_eq!(shown.track.len(), pieces, "the pieces of the track of {load}");
    }
}
