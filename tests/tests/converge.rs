//! Property test: phones converge for any actions in any order, over any network and with any clock.
//!
//! The test keeps an oracle of its own: the bags of each delivery, and which deliveries were voided. At the end every phone and the server
//! must equal it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use farmtally_core::units::{BusinessDate, DeliveryId, Grams, LoadId};
use farmtally_core::{Error, ErrorCode, store};
use farmtally_sync_server::ReferenceFile;
use farmtally_tests::{Fault, Market, Person, REFERENCE, fingerprint};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

/// An action of a person. Numbers choose among what there is, modulo how much that is.
#[derive(Clone, Debug)]
enum Action {
    Registers { name: usize },
    Weighs { farmer: usize, load: Option<usize>, bags: Vec<i64> },
    Amends { delivery: usize, grams: i64 },
    Voids { delivery: usize },
    Moves { delivery: usize, load: Option<usize> },
    Opens { lorry: usize },
    Joins { load: usize },
    Closes { load: usize },
    Syncs { faults: Vec<Fault> },
    Restarts,
    ClockJumps { seconds: i64 },
}

const NAMES: [&str; 3] = ["Lakshmi Devi", "Ramesh Gowda", "Meena Kumari"];
const LORRIES: [&str; 3] = ["KA07A1111", "KA07A2222", "KA07A3333"];
const HOUR: i64 = 3_600;
const DECADE: i64 = 10 * 365 * 24 * HOUR;

fn any_fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::None),
        Just(Fault::RequestLost),
        Just(Fault::ResponseLost),
        Just(Fault::Duplicated),
        Just(Fault::Delayed),
        Just(Fault::ResponseCut),
        Just(Fault::ResponseBent),
    ]
}

fn any_action() -> impl Strategy<Value = Action> {
    let grams = 10_000..100_000_i64;
    let load = || prop::option::of(any::<usize>());
    prop_oneof![
        2 => any::<usize>().prop_map(|name| Action::Registers { name }),
        6 => (any::<usize>(), load(), prop::collection::vec(grams.clone(), 1..4))
            .prop_map(|(farmer, load, bags)| Action::Weighs { farmer, load, bags }),
        4 => (any::<usize>(), grams).prop_map(|(delivery, grams)| Action::Amends { delivery, grams }),
        2 => any::<usize>().prop_map(|delivery| Action::Voids { delivery }),
        3 => (any::<usize>(), load()).prop_map(|(delivery, load)| Action::Moves { delivery, load }),
        2 => any::<usize>().prop_map(|lorry| Action::Opens { lorry }),
        2 => any::<usize>().prop_map(|load| Action::Joins { load }),
        2 => any::<usize>().prop_map(|load| Action::Closes { load }),
        8 => prop::collection::vec(any_fault(), 0..5).prop_map(|faults| Action::Syncs { faults }),
        1 => Just(Action::Restarts),
        1 => prop_oneof![
            -12..12_i64,
            Just(-4 * 365 * 24),
            Just(-DECADE / HOUR),
            Just(DECADE / HOUR),
        ].prop_map(|hours| Action::ClockJumps { seconds: hours * HOUR }),
    ]
}

/// The test's oracle.
#[derive(Default)]
struct Books {
    loads: Vec<(LoadId, String)>,
    deliveries: Vec<DeliveryId>,
    /// Business date, bags, and whether it was voided.
    entries: BTreeMap<DeliveryId, (BusinessDate, Vec<i64>, bool)>,
}

fn pick<T: Clone>(among: &[T], number: usize) -> Option<T> {
    among.get(number.checked_rem(among.len())?).cloned()
}

/// Allows that core refuses what is not permitted or not on the phone; any other error fails the test.
fn refused_at_most<T>(result: Result<T, Error>) -> Option<T> {
    match result {
        Ok(done) => Some(done),
        Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::NotAllowed | ErrorCode::InvalidInput) => {
            None
        }
        Err(error) => panic!("core failed: {error:?}"),
    }
}

impl Books {
    fn note(&mut self, person: &Person, action: &Action) {
        match action {
            Action::Registers { name } => {
                let name = NAMES[name % NAMES.len()];
                person.registers(name, "Vemagal", "");
            }
            Action::Weighs { farmer, load, bags } => {
                let here = person.farmers("").expect("farmers").items;
                let farmer = pick(&here, *farmer)
                    .map_or_else(|| person.registers(NAMES[0], "Vemagal", "").farmer_id, |row| row.farmer_id);
                let load = load.and_then(|load| pick(&self.loads, load)).map(|(load, _)| load);
                let load = load.filter(|load| person.client.load(*load).is_ok());
                let delivery = person.weighs(farmer, load, bags);
                self.deliveries.push(delivery.delivery_id);
                self.entries.insert(delivery.delivery_id, (delivery.business_date, bags.clone(), false));
            }
            Action::Amends { delivery, grams } => {
                let Some(id) = pick(&self.deliveries, *delivery) else { return };
                if refused_at_most(person.amends(id, *grams)).is_some() {
                    self.entries.get_mut(&id).expect("an entry").1.push(*grams);
                }
            }
            Action::Voids { delivery } => {
                let Some(id) = pick(&self.deliveries, *delivery) else { return };
                if refused_at_most(person.voids(id)).is_some() {
                    self.entries.get_mut(&id).expect("an entry").2 = true;
                }
            }
            Action::Moves { delivery, load } => {
                let Some(id) = pick(&self.deliveries, *delivery) else { return };
                refused_at_most(person.moves(id, load.and_then(|load| pick(&self.loads, load)).map(|(load, _)| load)));
            }
            Action::Opens { lorry } => {
                if let Some(load) = refused_at_most(person.tries_to_open(LORRIES[lorry % LORRIES.len()])) {
                    self.loads.push((load.load_id, load.join_code));
                }
            }
            Action::Joins { load } => {
                if let Some((_, code)) = pick(&self.loads, *load) {
                    person.joins(&code);
                }
            }
            Action::Closes { load } => {
                if let Some((load, _)) = pick(&self.loads, *load) {
                    refused_at_most(person.closes(load));
                }
            }
            Action::Syncs { faults } => {
                person.network.plan(faults);
                let is_garbled = |fault: &Fault| matches!(fault, Fault::ResponseCut | Fault::ResponseBent);
                if let Err(error) = person.syncs() {
                    assert!(faults.iter().any(is_garbled), "a sync failed after {faults:?}: {error:?}");
                }
            }
            Action::Restarts | Action::ClockJumps { .. } => {}
        }
    }

    /// Deliveries, voided deliveries, bags and gross weight by business date.
    fn days(&self) -> BTreeMap<BusinessDate, (u64, u64, u64, i64)> {
        let mut days = BTreeMap::<_, (u64, u64, u64, i64)>::new();
        for (date, bags, is_voided) in self.entries.values() {
            let (deliveries, voided, count, gross) = days.entry(*date).or_default();
            if *is_voided {
                *voided += 1;
            } else {
                *deliveries += 1;
                *count += bags.len() as u64;
                *gross += bags.iter().sum::<i64>();
            }
        }
        days
    }
}

fn assert_same(what: &str, left: &impl Debug, right: &impl Debug) {
    let (left, right) = (format!("{left:#?}"), format!("{right:#?}"));
    assert!(left == right, "{what} differ:\n{left}\n{right}");
}

/// Everybody syncs until a round changes nothing, neither on a phone nor on the server.
fn all_sync(market: &Market, people: &[Person]) {
    let state = || {
        let phones = people.iter().map(|person| fingerprint(&person.database()));
        phones.chain([fingerprint(&market.server_database())]).collect::<Vec<_>>()
    };
    for _ in 0..6 {
        let before = state();
        people.iter().for_each(Person::syncs_wholly);
        if before == state() {
            return;
        }
    }
    panic!("the phones never become idle");
}

fn live(roles: &[&str], seed: u64, actions: &[(usize, Action)]) {
    let mut market = Market::open(seed);
    // A season and rules for any date that a clock may show.
    let ever = REFERENCE
        .replace("2019-01-01", "1900-01-01")
        .replace("2019-12-31", "2199-12-31")
        .replace("2016-01-01", "1900-01-01")
        .replace("\"number\": 1", "\"number\": 2");
    let ever = ReferenceFile::parse(&ever).expect("reference data");
    market.server.update_reference(market.organisation, &ever).expect("published");
    let mut people: Vec<Person> =
        roles.iter().enumerate().map(|(index, role)| market.hires(&format!("phone {index}"), role)).collect();

    let mut books = Books::default();
    for (who, action) in actions {
        let who = who % people.len();
        match action {
            Action::Restarts => {
                let person = people.remove(who);
                people.insert(who, person.restarts());
            }
            Action::ClockJumps { seconds } => market.clock.jump(*seconds),
            action => books.note(&people[who], action),
        }
    }
    all_sync(&market, &people);

    let server = fingerprint(&market.server_database());
    for person in &people {
        let status = person.client.sync_status().expect("a status");
        let backlog = &status.backlog;
        assert_eq!((backlog.unsent, backlog.sent, backlog.held, status.set_aside), (0, 0, 0, 0), "{}", person.name);
        assert_eq!(backlog.refused, None);
        let own = fingerprint(&person.database());
        assert_eq!(own, server, "{} and the server", person.name);
        person.client.rebuild().expect("rebuilt");
        assert_eq!(fingerprint(&person.database()), own, "{} after a rebuild", person.name);

        let mut receipts = BTreeSet::new();
        for (id, (date, bags, is_voided)) in &books.entries {
            let view = person.client.delivery(*id).unwrap_or_else(|error| panic!("{id} is lost: {error}"));
            let mut said = bags.clone();
            let mut shown: Vec<i64> = view.bags.iter().map(|bag| bag.gross_g.0).collect();
            said.sort_unstable();
            shown.sort_unstable();
            assert_same("bags", &shown, &said);
            assert_eq!((view.business_date, view.voids.is_empty()), (*date, !*is_voided));
            assert!(receipts.insert(view.receipt_number.expect("a number")), "a receipt number twice");
        }
        for (date, (deliveries, voided, bags, gross)) in books.days() {
            let sum = person.sum_on(date);
            assert_eq!((sum.deliveries, sum.voided, sum.bags, sum.gross_g), (deliveries, voided, bags, Grams(gross)));
        }
    }

    let copy = market.server_folder().join("copy.db");
    let db = rusqlite::Connection::open(market.server_database()).expect("it opens");
    db.execute("VACUUM INTO ?1", [copy.to_str().expect("a path")]).expect("copied");
    let db = rusqlite::Connection::open(&copy).expect("it opens");
    store::records::rebuild(&mut store::sql::sqlite::SqliteWriter::new(&db)).expect("rebuilt");
    assert_eq!(fingerprint(&copy), server, "the server after a rebuild");
}

fn cases(cases: u32) -> ProptestConfig {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/converge.txt");
    ProptestConfig {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(seeds))),
        max_shrink_iters: 400,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(90))]

    #[test]
    fn two_phones_converge_and_lose_nothing(
        seed in 1..1_000_u64,
        actions in prop::collection::vec((any::<usize>(), any_action()), 5..50),
    ) {
        live(&["field_manager", "dispatcher"], seed, &actions);
    }

    #[test]
    fn three_phones_converge_and_lose_nothing(
        seed in 1..1_000_u64,
        actions in prop::collection::vec((any::<usize>(), any_action()), 5..60),
    ) {
        live(&["field_manager", "dispatcher", "clerk"], seed, &actions);
    }
}
