//! The server on PostgreSQL: its tables match those of SQLite, a market day leaves the same rows in them, and its statements use indexes.

mod plans;

use std::path::Path;
use std::sync::Mutex;

use farmtally_core::client::InboxKind;
use farmtally_core::decisions::Order;
use farmtally_core::environment::Environment;
use farmtally_core::protocol::message::FrameEntry;
use farmtally_core::protocol::repair::{Evidence, Offer};
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::store::decisions;
use farmtally_core::units::{DeviceId, OrganisationId, Timestamp};
use farmtally_sync_server::Error;
use farmtally_sync_server::storage::postgres::Options;
use farmtally_sync_server::storage::{self, CopyContent, Device, PostgresStorage, SqliteStorage, Storage};
use farmtally_tests::names::wrongly_searched;
use farmtally_tests::postgres::{OWNER, PostgresServer, SERVER};
use farmtally_tests::{ADDRESS, Exchange, Forger, Market, Person, Tap, ddl, hostile_details, verdict_code};
use rusqlite::Connection;

/// Opens a database with separate clock and randomness, so that a server draws the same numbers on either engine.
fn open(url: &str) -> PostgresStorage {
    PostgresStorage::open(url, Options::default(), Environment::system()).expect("it opens")
}

fn storage_at(url: &str) -> impl Fn(&Path) -> Box<dyn Storage> + 'static {
    let url = url.to_owned();
    move |_folder| Box::new(open(&url))
}

#[test]
fn the_tables_are_those_of_sqlite() {
    let Some(server) = PostgresServer::shared() else { return };
    let mut owner = server.connect(OWNER, &server.create_server_database());
    let found = ddl::schema_differences(
        &ddl::sqlite_server_tables(),
        &mut owner,
        &["listed", "organisations", "routes", "writes"],
    );
    let help = "the tables differ: write them anew with `cargo run -p farmtally-tests --bin ddl`, or by hand";
    assert!(found.is_empty(), "{help}\n{}", found.join("\n"));
    // As `sql_contract` requires of every table: a policy that applies to its owner too, and keys that start with the organisation.
    let open = "SELECT relname::text FROM pg_class c
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname NOT IN ('listed', 'organisations', 'routes')
            AND NOT (relrowsecurity AND relforcerowsecurity AND EXISTS (SELECT 1 FROM pg_policy WHERE polrelid = c.oid)
                AND NOT EXISTS (SELECT 1 FROM pg_index i
                    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                    WHERE i.indrelid = c.oid AND a.attname <> 'organisation'))";
    let open: Vec<String> = owner.query(open, &[]).expect("tables").iter().map(|row| row.get(0)).collect();
    assert!(open.is_empty(), "organisations are not kept apart in {open:?}");
}

#[test]
fn texts_that_postgresql_would_refuse_are_stored() {
    let Some(server) = PostgresServer::shared() else { return };
    let url = PostgresServer::url(SERVER, server.address(), &server.create_server_database());
    let mut market = Market::open_over(storage_at(&url), 45);
    let phone = market.hires("Mallory", "field_manager");
    let device_code = phone.client.session().expect("a session").device_code;
    let mut mallory = Forger::with_phone_of(&phone, &market);
    let contacts = (1..).zip(hostile_details()).map(|(number, it)| mallory.contact(number, device_code, &it)).collect();
    let verdicts = mallory.seals_and_uploads(contacts);
    assert_eq!(verdicts.iter().map(verdict_code).collect::<Vec<_>>(), ["logged"; 3]);
}

#[test]
fn names_in_thirteen_scripts_are_found_by_every_beginning_as_on_sqlite() {
    let Some(server) = PostgresServer::shared() else { return };
    let url = PostgresServer::url(SERVER, server.address(), &server.create_server_database());
    let mut market = Market::open_over(storage_at(&url), 46);
    let asha = market.hires("Asha", "field_manager");
    let wrong = wrongly_searched(&market, &asha);
    assert!(wrong.is_empty(), "{} searches", wrong.len());
}

/// Requests and responses of a day, and what a phone and the server showed meanwhile.
#[derive(Default)]
struct Day {
    heard: Mutex<Vec<Exchange>>,
    shown: Vec<String>,
}

impl Day {
    fn enrols(&self, market: &mut Market, name: &str, role: &str) -> Person {
        let (person, code) = (market.meets(name), market.code(name, role, "KOLAR"));
        let tap = Tap { network: &person.network, heard: &self.heard };
        person.client.enrol(&tap, ADDRESS, &code, "test phone").expect("enrolled");
        person
    }

    fn sync(&self, people: &[&Person]) {
        for person in people {
            let tap = Tap { network: &person.network, heard: &self.heard };
            person.client.sync(&tap, &|_| ()).expect("a sync");
        }
    }

    fn shows(&mut self, market: &Market) {
        let (server, organisation) = (&market.server, market.organisation);
        let shown = format!(
            "{:?}\n{:?}\n{:?}\n{:?}\n{:?}",
            server.day(organisation, Some("2019-05-09".parse().expect("a date"))),
            server.held(organisation),
            server.devices(organisation),
            server.grants(organisation),
            ["lakshmi vem", "9845011111", "KOLAR-10-2-H", "nobody"].map(|text| server.find(organisation, text)),
        );
        // On PostgreSQL a corrected row takes a new arrival number, which leaves gaps.
        let parts = shown.split("arrival: ").map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()));
        self.shown.push(parts.collect());
    }
}

/// Two phones, look-alikes, a late delivery, conflicts, held work, an erased farmer, and a server that lost data.
fn market_day(market: &mut Market) -> Day {
    let mut day = Day::default();
    let (asha, ravi) = (day.enrols(market, "Asha", "field_manager"), day.enrols(market, "Ravi", "dispatcher"));
    let lakshmi = asha.registers("Lakshmi Devi", "Vemagal", "+91 98450 11111");
    let twice = ravi.registers("L. Devi", "Vemagal", "+919845011111");
    let load = asha.opens("KA07A1111");
    ravi.joins(&load.join_code);
    asha.opens("KA07A2222");
    ravi.opens("KA07A2222");
    let first = asha.weighs(lakshmi.farmer_id, Some(load.load_id), &[20_000, 21_500]);
    day.sync(&[&asha, &ravi]);
    asha.amends(first.delivery_id, 19_000).expect("amended");
    ravi.voids(first.delivery_id).expect("voided");
    asha.weighs(lakshmi.farmer_id, Some(load.load_id), &[22_000]);
    asha.closes(load.load_id).expect("closing");
    ravi.weighs(twice.farmer_id, Some(load.load_id), &[18_200, 18_300]);
    day.sync(&[&asha, &ravi, &asha]);
    let shown = market.server.day(market.organisation, None).expect("a day");
    let raised: Vec<&str> = shown.reviews.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(raised, ["farmer_look_alike", "late_delivery", "load_contention"]);
    assert!(asha.inbox().iter().any(|item| matches!(item.kind, InboxKind::Conflict(_))));
    day.shows(market);

    // Work of a phone that was marked as lost.
    let (server, organisation) = (&market.server, market.organisation);
    let code = ravi.client.session().expect("a session").device_code;
    let approved = ravi.weighs(twice.farmer_id, None, &[40_000]).delivery_id;
    let returned = ravi.weighs(twice.farmer_id, None, &[41_000]).delivery_id;
    ravi.amends(approved, 42_000).expect("amended");
    server.order(organisation, code, Order::Lost).expect("ordered");
    day.sync(&[&ravi]);
    assert_eq!(server.held(organisation).expect("held").len(), 3);
    day.shows(market);
    assert_eq!(server.approve(organisation, approved.into(), None).expect("approved").len(), 2);
    assert_eq!(server.reject(organisation, returned.into(), None, "weigh it again").expect("rejected").len(), 1);
    server.order(organisation, code, Order::Resume).expect("ordered");
    day.sync(&[&ravi, &asha]);

    // A farmer is erased; what a phone wrote about her meanwhile arrives too late.
    let farmer = asha.client.farmer(lakshmi.farmer_id).expect("a farmer");
    let details = ContactDetails {
        name: "Lakshmi B".into(),
        village: "Vemagal".into(),
        phone: String::new(),
        ..ContactDetails::default()
    };
    asha.client.edit_farmer(farmer.farmer_id, farmer.basis, &details).expect("corrected");
    assert_eq!(server.erase_farmer(organisation, lakshmi.farmer_id).expect("erased"), 1);
    day.sync(&[&asha, &ravi]);
    assert!(server.find(organisation, "lakshmi").expect("farmers").is_empty());
    day.shows(market);

    // The journal has an entry that the database lacks.
    let journal = market.server_folder().join("journal").join(format!("{organisation}.heads"));
    let waiting = market.code("Manju", "clerk", "KOLAR");
    let heads = std::fs::read_to_string(&journal).expect("a journal");
    let last = heads.lines().rfind(|line| !line.is_empty()).expect("a line");
    let (scope, sequence) = last.rsplit_once(' ').expect("words").0.rsplit_once(' ').expect("words");
    let next = sequence.parse::<u64>().expect("a number") + 1;
    std::fs::write(&journal, format!("{heads}\n{scope} {next} 0011223344556677\n")).expect("a journal");
    market.restarts_server();
    let manju = market.meets("Manju");
    manju.client.enrol(&manju.network, ADDRESS, &waiting, "test phone").expect_err("a recovery is open");
    let refused = market.server.reject(organisation, approved.into(), None, "");
    assert!(matches!(refused, Err(Error::Recovering)), "{refused:?}");
    asha.weighs(twice.farmer_id, None, &[23_000]);
    day.sync(&[&asha]);
    day.shows(market);
    market.server.end_recovery(organisation).expect("ended");
    manju.client.enrol(&manju.network, ADDRESS, &waiting, "test phone").expect("enrolled");
    market.restarts_server();
    day.sync(&[&asha, &ravi, &manju]);
    day.shows(market);
    day
}

/// Calls that the server makes only after a loss, for a new key, or after a copy was verified.
fn rare_calls(storage: &dyn Storage, organisation: OrganisationId) -> String {
    let called = storage::write(storage, organisation, |db| {
        let devices = db.devices()?;
        let device = devices.first().expect("a device").device_id;
        let heads = db.heads()?;
        let scope = heads.first().expect("a log").scope.clone();
        let evidence = Evidence { request: [0; 32], updates: [0; 32], attestation: vec![].into(), signature: [0; 64] };
        let entries = vec![FrameEntry::Decision { decision: vec![1, 2, 3] }; 2];
        let mut shown = Vec::new();
        // A part, the one after it, the same again, and one that starts over.
        for after in [4, 6, 6, 1] {
            let (scope, entries, evidence) = (scope.clone(), entries.clone(), evidence.clone());
            db.stage(device, &Offer { scope: scope.clone(), after, entries, evidence })?;
            shown.push(format!("{:?} {}", db.staged(device, &scope)?, db.staged_bytes(device)?));
        }
        db.clear_stage(device, &scope)?;
        let copied = |made_at| CopyContent { made_at, cursors: heads.clone(), devices: vec![(device, 1)] };
        for (copy, made_at) in [(1, 1_000), (2, 2_000), (1, 3_000)] {
            db.save_backup([copy; 16], &copied(Timestamp(made_at)), Timestamp(i64::MAX))?;
        }
        shown.push(format!("{:?}", db.newest_verified_copies(2)?));
        let ancestor = Device { ancestor_id: Some(device), ..devices.first().expect("a device").clone() };
        let successor = Device { device_id: DeviceId::from([9; 16]), public_key: [9; 32], ..ancestor };
        db.add_device(&successor, 100)?;
        db.set_wiped(device, Timestamp(5_000))?;
        shown.push(format!("{:?}", db.lineage(successor.device_id)?));
        shown.push(format!("{:?}", db.entries_after(&scope, 2, 3)?));
        shown.push(format!("{:?}", db.decisions_after(&scope, 0)?));
        for grant in decisions::grants_of(db.reader(), device)? {
            shown.push(format!("{:?}", decisions::ended_at(db.reader(), &grant)?));
        }
        shown.push(format!("{:?}", decisions::unrevoked_grants_of(db.reader(), device)?));
        shown.push(format!("{:?}", decisions::granted(db.reader())?));
        Ok(shown.join("\n"))
    });
    called.expect("written").0
}

#[test]
fn a_market_day_leaves_the_same_on_both_engines() {
    let Some(server) = PostgresServer::shared() else { return };
    let url = PostgresServer::url(SERVER, server.address(), &server.create_server_database());
    let (mut on_sqlite, mut on_postgres) = (Market::open(7), Market::open_over(storage_at(&url), 7));
    let (sqlite_day, postgres_day) = (market_day(&mut on_sqlite), market_day(&mut on_postgres));
    assert_eq!(sqlite_day.shown, postgres_day.shown);
    let (heard, also_heard) = (sqlite_day.heard.into_inner(), postgres_day.heard.into_inner());
    assert!(heard.expect("all") == also_heard.expect("all"), "requests or answers differ");

    let organisation = on_sqlite.organisation;
    assert_eq!(on_postgres.organisation, organisation);
    let sqlite = SqliteStorage::open(&on_sqlite.server_folder().join("data")).expect("it opens");
    let postgres = open(&url);
    assert_eq!(rare_calls(&sqlite, organisation), rare_calls(&postgres, organisation));
    let tables = ddl::sqlite_server_tables();
    let rows = ddl::rows(&tables, &sqlite, organisation);
    assert!(rows.lines().count() > 100, "{rows}");
    assert_eq!(rows, ddl::rows(&tables, &postgres, organisation));
    assert_eq!(sqlite.organisations().expect("all"), postgres.organisations().expect("all"));
    let routes = Connection::open(on_sqlite.server_folder().join("data").join("control.db")).expect("it opens");
    let mut routes = routes.prepare("SELECT key FROM routes").expect("a table");
    let keys = routes.query_map([], |row| row.get::<_, Vec<u8>>(0)).expect("rows").collect::<Result<Vec<_>, _>>();
    for key in keys.expect("keys") {
        assert_eq!(postgres.route(&key).expect("a route"), Some(organisation));
    }
    assert_eq!(postgres.route(b"nowhere").expect("no route"), None);
}

#[test]
fn a_copy_is_made_by_pg_dump() {
    let Some(server) = PostgresServer::shared() else { return };
    let url = PostgresServer::url(SERVER, server.address(), &server.create_server_database());
    let market = Market::open_over(storage_at(&url), 8);
    let refused = market.server.back_up(&market.path_of("a copy"));
    assert!(matches!(&refused, Err(Error::Unsupported { reason }) if reason.contains("pg_dump")), "{refused:?}");
    assert!(!market.path_of("a copy").exists());
}
