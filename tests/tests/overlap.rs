//! Overlapping requests over HTTP, on both storages: both end, nothing is lost or logged twice, and no log has a gap.
//!
//! A gate in the storage holds the first write transaction until the other request reaches its own.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use ed25519_dalek::VerifyingKey;
use farmtally_core::client::Backlog;
use farmtally_core::environment::Environment;
use farmtally_core::protocol::message::{self, SyncResponse, Verdict};
use farmtally_core::store::records;
use farmtally_core::store::sql::{self, Error as SqlError, Reader};
use farmtally_core::sync::{HttpTransport, Transport, WireRequest};
use farmtally_sync_server::storage::postgres::Options;
use farmtally_sync_server::storage::{self, LogContent, PostgresStorage, SqliteStorage, Storage};
use farmtally_tests::postgres::{PostgresServer, SERVER};
use farmtally_tests::watched::{Call, Watch, Watched};
use farmtally_tests::{Fault, Forger, Market, Person, Town, ddl, fingerprint, verdict_code, verdicts_of};

/// Longest wait of a request for the other one, which may have failed.
const LIMIT: Duration = Duration::from_secs(30);

/// Holds write transactions until the number for which it was closed has arrived.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<usize>, Condvar)>);

impl Gate {
    fn closes_for(&self, count: usize) {
        *self.0.0.lock().expect("a count") = count;
    }
}

impl Watch for Gate {
    fn sees(&self, _: &mut dyn Reader, _: Call<'_>) -> Result<(), SqlError> {
        Ok(())
    }

    fn begins_to_write(&self) {
        let (missing, opens) = &*self.0;
        let mut missing_now = missing.lock().expect("a count");
        if *missing_now > 0 {
            *missing_now -= 1;
            opens.notify_all();
            let waited = opens.wait_timeout_while(missing_now, LIMIT, |missing| *missing > 0).expect("a count");
            assert!(!waited.1.timed_out(), "the other request does not come");
        }
    }
}

/// The database of a server.
#[derive(Clone)]
enum Engine {
    Sqlite,
    Postgres { url: String, _server: Arc<PostgresServer> },
}

impl Engine {
    fn all() -> Vec<Self> {
        let postgres = PostgresServer::shared().map(|server| {
            let url = PostgresServer::url(SERVER, server.address(), &server.create_server_database());
            Self::Postgres { url, _server: server }
        });
        [Self::Sqlite].into_iter().chain(postgres).collect()
    }

    fn opens(&self, folder: &Path) -> Box<dyn Storage> {
        match self {
            Self::Sqlite => Box::new(SqliteStorage::open(&folder.join("data")).expect("it opens")),
            Self::Postgres { url, .. } => {
                let opened = PostgresStorage::open(url, Options::default(), Environment::system());
                Box::new(opened.expect("it opens"))
            }
        }
    }
}

/// A town whose storage has a gate.
struct Story {
    town: Town,
    gate: Gate,
    engine: Engine,
}

impl Story {
    fn new(engine: Engine, seed: u64) -> Self {
        let gate = Gate::default();
        let (storage, watch) = (engine.clone(), gate.clone());
        let open = move |folder: &Path| -> Box<dyn Storage> {
            Box::new(Watched { storage: storage.opens(folder), watch: watch.clone() })
        };
        let market = Market::open_over(open, seed);
        Self { town: Town::with(market), gate, engine }
    }

    /// Sends two requests of a phone at the same time. Returns the verdicts of each one's only bundle.
    fn sends_together(&self, phone: &Forger, requests: [&WireRequest; 2]) -> [Vec<Verdict>; 2] {
        let server_key = VerifyingKey::from_bytes(&phone.server_key).expect("a key");
        let server_url = format!("http://{}", self.town.address);
        let send = |request: &WireRequest| {
            let request = WireRequest { server_url: server_url.clone(), ..request.clone() };
            let answer = HttpTransport::open().expect("a transport").send(&request, &|| false).expect("an answer");
            assert_eq!(answer.status, 200);
            let answer: SyncResponse = message::unpack(&answer.body).expect("an answer to a sync");
            let [verdict] =
                answer.open(&request.body, &server_key).expect("signed").1.verdicts.try_into().expect("one");
            verdicts_of(&verdict)
        };
        self.gate.closes_for(2);
        std::thread::scope(|scope| {
            requests.map(|request| scope.spawn(|| send(request))).map(|sent| sent.join().expect("answered"))
        })
    }

    /// Both people sync at the same time.
    fn syncs_together(&self, people: [&Person; 2]) {
        self.gate.closes_for(people.len());
        std::thread::scope(|scope| {
            for person in people {
                scope.spawn(|| {
                    let transport = HttpTransport::open().expect("a transport");
                    person.client.sync(&transport, &|_| ()).expect("a sync");
                });
            }
        });
    }

    /// Checks that each change is everywhere and logged once, that logs have no gaps, and that rows equal a fresh projection.
    fn ends_well(&mut self, people: &[&Person], changes: usize) {
        let late = self.town.hires_as("Bela", "dispatcher");
        for person in people.iter().chain(people).chain([&&late]) {
            person.syncs_wholly();
        }
        for person in people {
            assert_eq!(person.client.sync_status().expect("a status").backlog, Backlog::default());
            assert_eq!(fingerprint(&person.database()), fingerprint(&late.database()), "{}", person.name);
        }
        let organisation = self.town.market.organisation;
        let storage = self.engine.opens(&self.town.market.server_folder());
        let logs = storage::read(&*storage, organisation, |db| {
            let heads = db.heads()?;
            heads
                .into_iter()
                .map(|head| Ok((db.entries_after(&head.scope, 0, 10_000)?, head)))
                .collect::<Result<Vec<_>, _>>()
        });
        let mut logged = Vec::new();
        for (entries, head) in logs.expect("logs") {
            let sequences: Vec<u64> = entries.iter().map(|entry| entry.cursor.sequence).collect();
            assert_eq!(sequences, (1..=head.sequence).collect::<Vec<_>>(), "{}", head.scope);
            assert_eq!(entries.last().map(|entry| &entry.cursor), Some(&head));
            logged.extend(entries.into_iter().filter_map(|entry| match entry.content {
                LogContent::Change { hash, .. } => Some(hash),
                LogContent::Decision(_) => None,
            }));
        }
        assert_eq!(logged.len(), changes);
        logged.sort_unstable();
        logged.dedup();
        assert_eq!(logged.len(), changes, "a change is logged twice");

        let tables = ddl::sqlite_server_tables();
        let rows = || {
            let rows = ddl::rows(&tables, &*storage, organisation);
            let mut lines: Vec<String> = rows.lines().map(str::to_owned).collect();
            lines.sort_unstable();
            lines
        };
        let before = rows();
        sql::write(&*storage, organisation, |db| records::rebuild(db)).expect("rebuilt");
        assert_eq!(rows(), before);
    }
}

/// Seals two bundles that never arrive: a farmer with two deliveries, then an amendment and a third delivery.
fn seals_two_bundles(asha: &Person) {
    let offline = || {
        asha.network.plan(&[Fault::RequestLost]);
        asha.syncs().expect("offline");
    };
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let delivery = asha.weighs(farmer, None, &[20_000]).delivery_id;
    asha.weighs(farmer, None, &[21_000]);
    offline();
    asha.amends(delivery, 22_000).expect("amended");
    asha.weighs(farmer, None, &[23_000]);
    offline();
}

#[test]
fn a_bundle_that_comes_twice_at_the_same_time_is_logged_once() {
    for engine in Engine::all() {
        let mut story = Story::new(engine, 1);
        let asha = story.town.hires("Asha");
        seals_two_bundles(&asha);
        let phone = Forger::with_phone_of(&asha, &story.town.market);
        let [first, _] = phone.bundles().try_into().expect("two bundles");
        let request = phone.signed(message::pack(&Forger::request(&[first])).expect("it packs"));
        let [one, other] = story.sends_together(&phone, [&request, &request]);
        assert_eq!(one, other);
        assert_eq!(one.iter().map(verdict_code).collect::<Vec<_>>(), ["logged"; 4]);
        story.ends_well(&[&asha], 6);
    }
}

#[test]
fn two_bundles_of_a_phone_that_come_at_the_same_time_are_both_logged() {
    for engine in Engine::all() {
        let mut story = Story::new(engine, 2);
        let asha = story.town.hires("Asha");
        seals_two_bundles(&asha);
        let phone = Forger::with_phone_of(&asha, &story.town.market);
        let [first, second] = phone
            .bundles()
            .try_into()
            .map(|bundles: [Vec<u8>; 2]| {
                bundles.map(|it| phone.signed(message::pack(&Forger::request(&[it])).expect("it packs")))
            })
            .expect("two bundles");
        let [first, second] = story.sends_together(&phone, [&first, &second]);
        assert_eq!(first.iter().map(verdict_code).collect::<Vec<_>>(), ["logged"; 4]);
        // The amendment is deferred if it came before its delivery.
        let second: Vec<&str> = second.iter().map(verdict_code).collect();
        assert!(second == ["logged", "logged"] || second == ["deferred", "logged"], "{second:?}");
        story.ends_well(&[&asha], 6);
    }
}

#[test]
fn two_phones_that_change_the_same_records_at_the_same_time_agree() {
    let rounds = 4;
    for engine in Engine::all() {
        let mut story = Story::new(engine, 3);
        let (asha, ravi) = (story.town.hires_as("Asha", "dispatcher"), story.town.hires_as("Ravi", "dispatcher"));
        let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
        let load = asha.opens("KA07A1111");
        let shared = asha.weighs(farmer, Some(load.load_id), &[20_000]).delivery_id;
        asha.syncs_wholly();
        ravi.syncs_wholly();
        for _ in 0..rounds {
            for (person, grams) in [(&asha, 1_000), (&ravi, 2_000)] {
                person.amends(shared, grams).expect("amended");
                person.weighs(farmer, Some(load.load_id), &[20_000 + grams]);
            }
            story.syncs_together([&asha, &ravi]);
        }
        asha.closes(load.load_id).expect("closing");
        ravi.closes(load.load_id).expect("closing");
        story.syncs_together([&asha, &ravi]);
        // Two documents of the farmer, a load, a delivery; four changes a round; two requests to close.
        story.ends_well(&[&asha, &ravi], 4 + rounds * 4 + 2);
        for person in [&asha, &ravi] {
            assert_eq!(person.sum().gross_g.0, 20_000 + 4 * (1_000 + 21_000 + 2_000 + 22_000));
            assert_eq!(person.client.load(load.load_id).expect("a load").close_requests.len(), 2);
        }
    }
}
