//! The oracle's decisions: each is in the server's log unchanged, and takes effect on every phone.
//!
//! Owns which decisions were made, which of them were lost when the server was set back, and which phones must restore those. A lost
//! decision need not come back if the office has since decided the same subject without it. Reviews are excluded: the server raises them
//! again, and `checks.rs` compares their rows.

use std::collections::{BTreeMap, BTreeSet};

use farmtally_core::client::FieldClient;
use farmtally_core::codec::decode;
use farmtally_core::decisions::{Decision, DecisionKind, DeviceOrder, Order, Review};
use farmtally_core::scope::Scope;
use farmtally_core::store::decisions::Reference;
use farmtally_core::store::sql::sqlite::SqliteReader;
use rusqlite::{Connection, OptionalExtension};

use super::monitor::server_reader;
use super::world::World;

/// A decision in the oracle.
pub struct Decided {
    scope: Scope,
    decision: Decision,
    /// Kind and key, if only the latest decision about a subject counts.
    subject: Option<(u8, String)>,
    /// Earlier decisions about the same subject that the server had at that time.
    before: BTreeSet<usize>,
    /// Whether it was ever lost when the server was set back.
    was_lost: bool,
    /// Phones that had it when it was last lost, and have not lost it since.
    kept_by: BTreeSet<usize>,
}

/// Latest decision of each subject, with its scope.
type Counted = BTreeMap<(u8, String), Option<(Scope, Decision)>>;

/// A decision that a command promised when it returned.
pub struct Promised {
    what: String,
    is: Box<dyn Fn(&Decision) -> bool>,
}

impl Promised {
    /// A decision equal to this.
    pub(super) fn exactly<D: DecisionKind>(expected: D) -> Self {
        Self::some(&format!("{expected:?}"), move |it: &D| *it == expected)
    }

    /// A decision for which `is` returns true.
    pub(super) fn some<D: DecisionKind>(what: &str, is: impl Fn(&D) -> bool + 'static) -> Self {
        let is = move |decision: &Decision| decision.get::<D>().is_some_and(|it| it.is_ok_and(|it| is(&it)));
        Self { what: format!("{}: {what}", D::NAME), is: Box::new(is) }
    }
}

/// Decisions of a schedule, in the order in which they were made.
#[derive(Default)]
pub struct Decisions {
    all: Vec<Decided>,
    numbers: BTreeMap<(Scope, Decision), usize>,
    promised: Vec<Promised>,
}

impl World {
    /// Records that a command promised a decision; `notes_decisions` checks it at the end of the step.
    pub(super) fn expects_decision(&mut self, promised: Promised) {
        self.decisions.promised.push(promised);
    }

    /// Adds the decisions of this step to the oracle, and checks that each promised one is among them, or stands since before.
    pub(super) fn notes_decisions(&mut self) {
        let logged = logged(server_reader(&self.server, &mut self.server_reader));
        let books = &mut self.decisions;
        let known: BTreeSet<usize> = logged.iter().filter_map(|it| books.numbers.get(it).copied()).collect();
        let first = books.all.len();
        for (scope, decision) in logged {
            if books.numbers.contains_key(&(scope.clone(), decision.clone())) {
                continue;
            }
            let content = decision.content().expect("a decision that reads");
            let subject = content.subject().map(|key| (decision.number(), key));
            let is_before = |at: &usize| {
                subject.is_some() && books.all[*at].subject == subject && (known.contains(at) || *at >= first)
            };
            let before = (0..books.all.len()).filter(is_before).collect();
            books.numbers.insert((scope.clone(), decision.clone()), books.all.len());
            let (was_lost, kept_by) = (false, BTreeSet::new());
            books.all.push(Decided { scope, decision, subject, before, was_lost, kept_by });
        }
        for promised in std::mem::take(&mut books.promised) {
            let is_new = books.all[first..].iter().any(|it| (promised.is)(&it.decision));
            let is_there =
                is_new || standing(server_reader(&self.server, &mut self.server_reader)).iter().any(&promised.is);
            assert!(is_there, "the server said that it was decided, but has it not: {}", promised.what);
        }
        self.releases_decisions();
    }

    /// Records which decisions were lost when the server was set back, and which phones have them.
    pub(super) fn notes_lost_decisions(&mut self) {
        let logged = logged(server_reader(&self.server, &mut self.server_reader));
        let unwiped = self.unwiped();
        for it in &mut self.decisions.all {
            if !logged.contains(&(it.scope.clone(), it.decision.clone())) {
                it.was_lost = true;
                it.kept_by = unwiped.iter().copied().filter(|who| has(self.phones[*who].looks(), it)).collect();
            }
        }
        self.releases_decisions();
    }

    /// Releases phones from having to restore decisions if they were wiped, keep no records, or, in a device's scope, are another device.
    fn releases_decisions(&mut self) {
        let mut decisions = std::mem::take(&mut self.decisions.all);
        for it in &mut decisions {
            it.kept_by.retain(|who| {
                let phone = &self.phones[*who];
                let session = phone.client.as_ref().and_then(FieldClient::session);
                let is_own = |device| session.is_some_and(|session| session.device_id == device);
                let keeps = match &it.scope {
                    Scope::Device(device) => is_own(*device),
                    _ => self.keeps_records(*who),
                };
                !phone.is_wiped() && keeps
            });
        }
        self.decisions.all = decisions;
    }

    /// Releases a phone that was set back from having to restore decisions that it lost.
    pub(super) fn forgets_decisions(&mut self, who: usize) {
        for it in self.decisions.all.iter_mut().filter(|it| it.kept_by.contains(&who)) {
            if !has(self.phones[who].looks(), it) {
                it.kept_by.remove(&who);
            }
        }
    }

    /// Checks that the server has each decision unchanged and counts the latest of each subject, and that phones agree.
    pub(super) fn checks_decisions(&mut self) {
        self.notes_decisions();
        let server = server_reader(&self.server, &mut self.server_reader);
        let logged = logged(server);
        let books = &self.decisions.all;
        let is_there: Vec<bool> =
            books.iter().map(|it| logged.contains(&(it.scope.clone(), it.decision.clone()))).collect();
        let mut standing = BTreeMap::<&(u8, String), Vec<usize>>::new();
        for (number, it) in books.iter().enumerate().filter(|(number, _)| is_there[*number]) {
            let Some(subject) = &it.subject else { continue };
            standing.entry(subject).or_default().push(number);
        }
        let (mut back, mut gone) = (0, 0);
        for (number, it) in books.iter().enumerate() {
            let is_overtaken = || {
                let of_subject = it.subject.as_ref().and_then(|subject| standing.get(subject));
                of_subject.is_some_and(|all| all.iter().any(|other| !it.before.contains(other)))
            };
            let may_miss = it.was_lost && (it.kept_by.is_empty() || is_overtaken());
            assert!(is_there[number] || may_miss, "the server lost a decision in {}: {:?}", it.scope, it.decision);
            back += u64::from(it.was_lost && is_there[number]);
            gone += u64::from(!is_there[number]);
        }
        let mut counted = BTreeMap::new();
        for (subject, of_subject) in &standing {
            let (counts, last) = (shown(server, subject), &books[of_subject[of_subject.len() - 1]]);
            let is_last = counts.as_ref().is_some_and(|(scope, it)| (scope, it) == (&last.scope, &last.decision));
            assert!(is_last, "the server counts {counts:?}, not {:?}", last.decision);
            counted.insert((*subject).clone(), counts);
        }
        let mut checked = 0;
        for who in self.unwiped() {
            checked += self.checks_decisions_on(who, &counted, &is_there);
        }
        self.counts_times("checked: a decision on a phone", checked);
        self.counts_times("met: a decision that was lost and came back", back);
        self.counts_times("met: a decision that was lost for good or overtaken", gone);
    }

    /// Checks that a phone has the decisions of its scopes and counts the same of each subject as the server. Returns how many it has.
    fn checks_decisions_on(&self, who: usize, counted: &Counted, is_there: &[bool]) -> u64 {
        let phone = &self.phones[who];
        let own = phone.client().session().expect("an enrolled phone").device_id;
        let is_of = |scope: &Scope| match scope {
            Scope::Organisation => true,
            Scope::Device(device) => *device == own,
            Scope::Centre(centre) | Scope::Season(centre, _) => *centre == phone.centre,
            Scope::Unknown(_) => false,
        };
        let mut checked = 0;
        for (it, _) in self.decisions.all.iter().zip(is_there).filter(|(it, is_there)| **is_there && is_of(&it.scope)) {
            checked += 1;
            assert!(has(phone.looks(), it), "{} does not know what was decided: {:?}", phone.name, it.decision);
            if let Some(subject) = &it.subject {
                let here = shown(phone.looks(), subject);
                assert_eq!(here, counted[subject], "{} and the server count different decisions", phone.name);
            }
        }
        let stored = Reference::load(&mut SqliteReader::new(phone.looks())).expect("reference data");
        let in_use = phone.client().reference();
        assert_eq!(format!("{in_use:?}"), format!("{stored:?}"), "{} goes by other decisions than it has", phone.name);
        let order = counted.get(&(DeviceOrder::NUMBER, own.to_string())).and_then(Option::as_ref);
        let order = order.and_then(|(_, it)| it.get::<DeviceOrder>()).map(|it| it.expect("an order").order);
        assert_eq!(phone.client().order(), order.filter(|order| *order != Order::Resume), "{}", phone.name);
        checked
    }
}

/// Decisions in the server's log, without reviews, by scope and sequence number.
fn logged(server: &Connection) -> Vec<(Scope, Decision)> {
    let sql = "SELECT scope, body FROM log WHERE envelope IS NULL ORDER BY scope, seq";
    let mut statement = server.prepare_cached(sql).expect("a table");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?))).expect("rows");
    let decisions =
        rows.map(|row| row.expect("a decision")).map(|(scope, bytes)| (scope, decode(&bytes).expect("a decision")));
    decisions.filter(|(_, decision): &(Scope, Decision)| decision.number() != Review::NUMBER).collect()
}

/// The latest decision about each subject.
fn standing(server: &Connection) -> Vec<Decision> {
    let mut statement = server.prepare_cached("SELECT body FROM reference").expect("a table");
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).expect("rows");
    rows.map(|row| decode(&row.expect("a decision")).expect("a decision")).collect()
}

fn has(phone: &Connection, it: &Decided) -> bool {
    let sql = "SELECT 1 FROM decisions WHERE scope = ?1 AND decision = ?2";
    let mut statement = phone.prepare_cached(sql).expect("a table");
    statement.exists((&it.scope, it.decision.as_bytes())).expect("an answer")
}

/// The decision about a subject that counts in a database.
fn shown(db: &Connection, (kind, key): &(u8, String)) -> Option<(Scope, Decision)> {
    let sql = "SELECT scope, body FROM reference WHERE kind = ?1 AND subject = ?2";
    let mut statement = db.prepare_cached(sql).expect("a table");
    let row = statement.query_row((kind, key), |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)));
    row.optional().expect("a row").map(|(scope, bytes)| (scope, decode(&bytes).expect("a decision")))
}
