//! A server that moves to another address, before and after the old one is gone.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use farmtally_core::client::{Access, FieldClient, SyncBudget, SyncOptions, SyncOutcome};
use farmtally_core::decisions::Order;
use farmtally_core::environment::{Clock, Environment};
use farmtally_core::protocol::message::{self, Certificate, Problem, SyncRequest};
use farmtally_core::sync::{Transport, TransportError, WireRequest, WireResponse};
use farmtally_core::{Error, ErrorCode};
use farmtally_sync_server::ReferenceFile;
use farmtally_tests::{ADDRESS, Link, Market, Network, Person, TestClock, fingerprint};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const NEW_ADDRESS: &str = "https://new.example.org";

/// Servers by address; there is no connection to any other.
#[derive(Default)]
struct Addresses(BTreeMap<String, Network>);

impl Addresses {
    fn of<const N: usize>(servers: [(&str, &Market); N]) -> Self {
        Self(servers.map(|(address, market)| (address.to_owned(), market.network())).into())
    }
}

impl Transport for Addresses {
    fn send(&self, request: &WireRequest, must_stop: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        let nowhere = || TransportError::no_connection(format!("nothing listens at {}", request.server_url));
        self.0.get(&request.server_url).ok_or_else(nowhere)?.send(request, must_stop)
    }
}

fn unanswered(person: &Person) -> u64 {
    let backlog = person.client.sync_status().expect("a status").backlog;
    backlog.unsent + backlog.sent
}

fn syncs(person: &Person, servers: &Addresses) -> SyncOutcome {
    person.client.sync(servers, &|_| ()).expect("a report").outcome
}

#[test]
fn phones_follow_a_server_that_said_where_it_moves_to() {
    let mut market = Market::open(1);
    let asha = market.hires("Asha", "field_manager");
    assert_eq!(market.server.move_to(Some(" https://new.example.org/ ")).expect("said").as_deref(), Some(NEW_ADDRESS));
    let (old, both, new) = (
        Addresses::of([(ADDRESS, &market)]),
        Addresses::of([(ADDRESS, &market), (NEW_ADDRESS, &market)]),
        Addresses::of([(NEW_ADDRESS, &market)]),
    );
    for _ in 0..2 {
        asha.registers("Lakshmi Devi", "Vemagal", "");
        assert_eq!(syncs(&asha, &old), SyncOutcome::Complete, "the new address does not answer yet");
        assert_eq!(unanswered(&asha), 0);
    }
    assert_eq!(syncs(&asha, &both), SyncOutcome::Complete);
    asha.registers("Ramesh Gowda", "Vemagal", "");
    assert_eq!(syncs(&asha, &new), SyncOutcome::Complete);
    assert_eq!(unanswered(&asha), 0);
    assert_eq!(syncs(&asha, &old), SyncOutcome::Offline, "the old address is forgotten");
}

#[test]
fn a_server_that_stays_after_all_is_found_at_its_old_address() {
    let mut market = Market::open(2);
    let asha = market.hires("Asha", "field_manager");
    let old = Addresses::of([(ADDRESS, &market)]);
    market.server.move_to(Some(NEW_ADDRESS)).expect("said");
    assert_eq!(syncs(&asha, &old), SyncOutcome::Complete);
    assert_eq!(market.server.move_to(None).expect("said"), None);
    assert_eq!(syncs(&asha, &old), SyncOutcome::Complete);
    let both = Addresses::of([(ADDRESS, &market), (NEW_ADDRESS, &market)]);
    assert_eq!(syncs(&asha, &both), SyncOutcome::Complete);
    assert_eq!(syncs(&asha, &old), SyncOutcome::Complete);
    let refused = market.server.move_to(Some("new.example.org")).expect_err("no address");
    assert_eq!(refused.code(), ErrorCode::InvalidInput);
}

#[test]
fn a_server_whose_file_of_the_new_address_is_damaged_still_says_where_it_moves() {
    let mut market = Market::open(7);
    let asha = market.hires("Asha", "field_manager");
    let (old, both, new) = (
        Addresses::of([(ADDRESS, &market)]),
        Addresses::of([(ADDRESS, &market), (NEW_ADDRESS, &market)]),
        Addresses::of([(NEW_ADDRESS, &market)]),
    );
    market.server.move_to(Some(NEW_ADDRESS)).expect("said");
    assert_eq!(syncs(&asha, &old), SyncOutcome::Complete);
    std::fs::write(market.server_folder().join("moved_to"), "").expect("emptied");
    assert_eq!(syncs(&asha, &old), SyncOutcome::Complete);
    assert_eq!(syncs(&asha, &both), SyncOutcome::Complete);
    assert_eq!(syncs(&asha, &new), SyncOutcome::Complete, "the phone knows the new address");
}

#[test]
fn a_phone_is_pointed_to_the_new_address_when_the_old_one_is_gone() {
    let mut market = Market::open(3);
    let asha = market.hires("Asha", "field_manager");
    asha.registers("Lakshmi Devi", "Vemagal", "");
    let new = Addresses::of([(NEW_ADDRESS, &market)]);
    assert_eq!(syncs(&asha, &new), SyncOutcome::Offline);
    let report = asha.client.set_server_url(&new, NEW_ADDRESS).expect("a report");
    assert_eq!((report.outcome, unanswered(&asha)), (SyncOutcome::Complete, 0));
    asha.registers("Ramesh Gowda", "Vemagal", "");
    assert_eq!(syncs(&asha, &new), SyncOutcome::Complete);
}

/// Keeps the requests that are sent.
struct Overheard<'a>(&'a dyn Transport, Mutex<Vec<WireRequest>>);

impl<'a> Overheard<'a> {
    fn of(transport: &'a dyn Transport) -> Self {
        Self(transport, Mutex::default())
    }

    fn heard(&self) -> Vec<WireRequest> {
        self.1.lock().expect("a lock").clone()
    }
}

impl Transport for Overheard<'_> {
    fn send(&self, request: &WireRequest, must_stop: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        self.1.lock().expect("a lock").push(request.clone());
        self.0.send(request, must_stop)
    }
}

/// A new address that takes a request and never answers it, besides a server at the old one.
struct Hanging(Network, Arc<TestClock>);

impl Transport for Hanging {
    fn send(&self, request: &WireRequest, must_stop: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        if request.server_url == ADDRESS {
            return self.0.send(request, must_stop);
        }
        for _ in 0..300 {
            if must_stop() {
                break;
            }
            self.1.pass_ms(200);
        }
        Err(TransportError::interrupted("nothing arrived"))
    }
}

#[test]
fn an_address_at_which_another_server_or_none_answers_is_refused_and_learns_nothing() {
    let (mut market, other) = (Market::open(4), Market::open(5));
    let asha = market.hires("Asha", "field_manager");
    for _ in 0..50 {
        asha.registers("Lakshmi Devi", "Vemagal", "");
    }
    let servers = Addresses::of([(ADDRESS, &market), (NEW_ADDRESS, &other)]);
    let heard = Overheard::of(&servers);
    let refused = asha.client.set_server_url(&heard, NEW_ADDRESS).expect_err("another server");
    let Error::Invalid { field: "server_url", .. } = refused else { panic!("{refused:?}") };
    let requests = heard.heard();
    let paths: Vec<_> = requests.iter().map(|request| request.path).collect();
    // One question, the same with the challenge of who answered, and the certificate.
    assert_eq!(paths, ["/v1/sync", "/v1/sync", "/v1/readmit"]);
    for request in &requests[..2] {
        let asked: SyncRequest = message::unpack(&request.body).expect("a sync");
        assert_eq!((asked.bundles.len(), asked.cursors.len()), (0, 0), "neither work nor the names of centres");
    }
    let _: Certificate = message::unpack(&requests[2].body).expect("nothing but the certificate");
    let refused = asha.client.set_server_url(&servers, "https://nowhere.example.org").expect_err("no server");
    assert_eq!(refused.code(), ErrorCode::Offline);
    let refused = asha.client.set_server_url(&servers, "nowhere").expect_err("no address");
    let Error::Invalid { field: "server_url", .. } = refused else { panic!("{refused:?}") };
    assert_eq!(unanswered(&asha), 100, "nothing is lost");
    assert_eq!(syncs(&asha, &servers), SyncOutcome::Complete, "at the old address");
}

#[test]
fn a_phone_that_is_not_enrolled_has_no_server_to_point_to() {
    let market = Market::open(6);
    let phone = FieldClient::open(&market.path_of("phone"), Environment::system()).expect("a phone");
    let refused = phone.set_server_url(&Addresses::default(), NEW_ADDRESS).expect_err("not enrolled");
    assert_eq!(refused.code(), ErrorCode::Unauthorized);
}

#[test]
fn a_phone_that_is_killed_after_the_first_answer_at_the_new_address_finds_it_again() {
    let mut market = Market::open(7);
    let asha = market.hires("Asha", "field_manager");
    market.server.move_to(Some(NEW_ADDRESS)).expect("said");
    asha.syncs_wholly();
    asha.registers("Lakshmi Devi", "Vemagal", "");
    let new = Addresses::of([(NEW_ADDRESS, &market)]);
    let killed = || asha.client.sync(&new, &|progress| assert_ne!(progress.requests, 1, "killed"));
    catch_unwind(AssertUnwindSafe(killed)).expect_err("killed");
    let asha = asha.restarts();
    assert_eq!(syncs(&asha, &new), SyncOutcome::Complete);
    assert_eq!(unanswered(&asha), 0);
}

#[test]
fn a_phone_that_is_killed_in_the_middle_of_a_sync_was_in_contact() {
    let (mut market, clock) = (Market::open(8), TestClock::at(farmtally_core::units::Timestamp(1_557_363_600_000)));
    let asha = market.hires_with("Asha", "field_manager", &clock);
    asha.registers("Lakshmi Devi", "Vemagal", "");
    clock.pass(22 * 24 * 3_600);
    market.clock.pass(22 * 24 * 3_600);
    assert_eq!(asha.client.access(), Access::Locked);
    let killed = || asha.client.sync(&asha.network, &|progress| assert_eq!(progress.sent, 0, "killed"));
    catch_unwind(AssertUnwindSafe(killed)).expect_err("killed");
    let asha = asha.restarts();
    assert_eq!(asha.client.access(), Access::Full);
}

#[test]
fn an_announced_address_that_hangs_leaves_a_background_sync_its_time_and_the_size_of_its_requests() {
    let requests_at_the_old_address = [None, Some(NEW_ADDRESS)].map(|address| {
        let mut market = Market::open(9);
        let asha = market.hires("Asha", "field_manager");
        market.server.move_to(address).expect("said");
        asha.syncs_wholly();
        for number in 0..300 {
            asha.registers(&format!("Farmer {number}"), "Vemagal", "");
        }
        let hanging = Hanging(market.network(), Arc::clone(&market.clock));
        let heard = Overheard::of(&hanging);
        let budget = SyncBudget { time_ms: 20_000, ..SyncBudget::default() };
        let options = SyncOptions { budget, ..SyncOptions::default() };
        let report = asha.client.sync_with(&heard, &options, &|_| ()).expect("a report");
        assert_eq!((report.outcome, unanswered(&asha)), (SyncOutcome::Complete, 0), "{address:?}");
        assert_eq!(report.next_try_ms, None, "the sync was complete");
        heard.heard().iter().filter(|request| request.server_url == ADDRESS).count()
    });
    let [without, with] = requests_at_the_old_address;
    assert_eq!(with, without);
}

#[test]
fn an_announced_address_that_hangs_is_not_tried_in_each_background_sync() {
    let mut market = Market::open(10);
    let asha = market.hires("Asha", "field_manager");
    market.server.move_to(Some(NEW_ADDRESS)).expect("said");
    asha.syncs_wholly();
    let hanging = Hanging(market.network(), Arc::clone(&market.clock));
    let heard = Overheard::of(&hanging);
    for _ in 0..20 {
        let report = asha.client.sync_with(&heard, &SyncOptions::default(), &|_| ()).expect("a report");
        assert_eq!(report.outcome, SyncOutcome::Complete);
        market.clock.pass(10);
    }
    let tried = heard.heard().iter().filter(|request| request.server_url == NEW_ADDRESS).count();
    assert!((2..=8).contains(&tried), "{tried}");
    let before_ms = market.clock.boot_ms();
    assert_eq!(asha.client.sync(&heard, &|_| ()).expect("a report").outcome, SyncOutcome::Complete);
    assert!(market.clock.boot_ms() > before_ms, "a person's sync tries it");
}

#[test]
fn naming_the_stored_address_again_without_network_is_no_answer() {
    let mut market = Market::open(11);
    let asha = market.hires("Asha", "field_manager");
    let refused = asha.client.set_server_url(&Addresses::default(), ADDRESS).expect_err("no server");
    assert_eq!(refused.code(), ErrorCode::Offline);
}

/// A server, or something before it, that answers with a problem.
struct Answers(u16, &'static str);

impl Transport for Answers {
    fn send(&self, _: &WireRequest, _: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        let problem = Problem { code: self.1.into(), reason: "why".into() };
        Ok(WireResponse::new(self.0, message::pack(&problem).expect("a body")))
    }
}

#[test]
fn a_server_that_wants_a_newer_app_or_fails_is_not_called_another() {
    let mut market = Market::open(12);
    let asha = market.hires("Asha", "field_manager");
    for (status, code) in [(426, "incompatible_version"), (413, "too_large"), (500, "internal")] {
        let refused = asha.client.set_server_url(&Answers(status, code), NEW_ADDRESS).expect_err(code);
        assert_eq!(refused.code().as_str(), code, "{refused}");
    }
}

#[test]
fn a_phone_that_is_pointed_to_a_new_address_follows_the_orders_there() {
    let mut market = Market::open(13);
    let asha = market.hires("Asha", "field_manager");
    asha.registers("Lakshmi Devi", "Vemagal", "");
    let device = asha.client.session().expect("a session").device_code;
    market.server.order(market.organisation, device, Order::Rekey).expect("ordered");
    let new = Addresses::of([(NEW_ADDRESS, &market)]);
    let report = asha.client.set_server_url(&new, NEW_ADDRESS).expect("a report");
    assert_eq!((report.outcome, unanswered(&asha)), (SyncOutcome::Complete, 0));
    assert_ne!(asha.client.session().expect("a session").device_code, device, "a new key and a new id");
}

/// Lets the device of a phone take a new key.
fn rekeys(market: &Market, person: &Person) {
    let device = person.client.session().expect("a session").device_code;
    market.server.order(market.organisation, device, Order::Rekey).expect("ordered");
    person.syncs_wholly();
    assert_ne!(person.client.session().expect("a session").device_code, device);
}

#[test]
fn phones_that_took_a_key_after_the_last_backup_follow_the_restored_server_to_another_address() {
    for (seed, (is_announced, is_rekeyed)) in (20..).zip([(false, false), (false, true), (true, false), (true, true)]) {
        let mut market = Market::open(seed);
        let mut backup = market.backs_up("backup without her");
        let asha = market.hires("Asha", "field_manager");
        if is_rekeyed {
            backup = market.backs_up("backup with her first key");
            asha.registers("Lakshmi Devi", "Vemagal", "");
            asha.syncs_wholly();
            rekeys(&market, &asha);
        }
        asha.registers("Ramesh Gowda", "Vemagal", "");
        asha.syncs_wholly();
        if is_announced {
            market.server.move_to(Some(NEW_ADDRESS)).expect("said");
            asha.syncs_wholly();
        }
        asha.registers("Meena Kumari", "Vemagal", "");
        market.sets_back(&backup, true);
        let new = Addresses::of([(NEW_ADDRESS, &market)]);
        let outcome = if is_announced {
            syncs(&asha, &new)
        } else {
            asha.client.set_server_url(&new, NEW_ADDRESS).expect("a report").outcome
        };
        assert_eq!((outcome, unanswered(&asha)), (SyncOutcome::Complete, 0), "{is_announced} {is_rekeyed}");
        assert_eq!(syncs(&asha, &new), SyncOutcome::Complete);
        assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()));
        assert!(asha.client.session().expect("a session").grant_id.is_some(), "her grant is restored too");
    }
}

#[test]
fn a_background_sync_over_a_slow_network_adopts_an_announced_address() {
    let mut market = Market::open(30);
    // Reference data that hardly compress.
    let mut random = StdRng::seed_from_u64(1);
    let letters: Vec<char> = ('a'..='z').chain('A'..='Z').chain('0'..='9').collect();
    let mut text = || (0..100).map(|_| letters[random.random_range(0..letters.len())]).collect::<String>();
    let notices: Vec<_> = (0..50).map(|number| format!(r#"{{"code": "n{number}", "text": "{}"}}"#, text())).collect();
    let file = ReferenceFile::parse(&format!(r#"{{"notices": [{}]}}"#, notices.join(","))).expect("notices");
    market.server.update_reference(market.organisation, &file).expect("updated");
    let asha = market.hires("Asha", "field_manager");
    market.server.move_to(Some(NEW_ADDRESS)).expect("said");
    asha.syncs_wholly();
    let slow = Link::new(&market, 1_500, 1_500);
    let heard = Overheard::of(&slow);
    let budget = SyncBudget { time_ms: 10_000, ..SyncBudget::default() };
    let options = SyncOptions { budget, ..SyncOptions::default() };
    let report = asha.client.sync_with(&heard, &options, &|_| ()).expect("a report");
    assert_eq!(report.outcome, SyncOutcome::Complete);
    assert!(heard.heard().iter().all(|request| request.server_url == NEW_ADDRESS), "the old one is not asked");
}

/// A server that answers one request at its new address; then the connection breaks. At the old address it fails.
struct AnswersOnce(Network, Mutex<bool>);

impl Transport for AnswersOnce {
    fn send(&self, request: &WireRequest, must_stop: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        if request.server_url == ADDRESS {
            return Answers(500, "internal").send(request, must_stop);
        }
        if std::mem::replace(&mut *self.1.lock().expect("a lock"), true) {
            return Err(TransportError::interrupted("the connection broke"));
        }
        self.0.send(request, must_stop)
    }
}

#[test]
fn failures_at_the_old_address_are_not_held_against_the_server_that_answers_at_the_new_one() {
    for (seed, is_announced) in [(31, false), (32, true)] {
        let mut market = Market::open(seed);
        let asha = market.hires("Asha", "field_manager");
        let automatic = |transport: &dyn Transport| {
            market.clock.pass(20 * 60);
            asha.client.sync_with(transport, &SyncOptions::default(), &|_| ())
        };
        if is_announced {
            market.server.move_to(Some(NEW_ADDRESS)).expect("said");
            asha.syncs_wholly();
        }
        for _ in 0..5 {
            let failed = automatic(&Answers(500, "internal")).expect_err("a defect");
            assert_eq!(failed.code(), ErrorCode::Internal);
        }
        assert!(asha.client.sync_status().expect("a status").is_server_failing);
        let once = AnswersOnce(market.network(), Mutex::default());
        let report = if is_announced { automatic(&once) } else { asha.client.set_server_url(&once, NEW_ADDRESS) };
        assert_eq!(report.expect("a report").outcome, SyncOutcome::Offline, "{is_announced}");
        let status = asha.client.sync_status().expect("a status");
        assert!(!status.is_server_failing, "{is_announced}");
        assert!(status.next_try_ms.is_some_and(|wait_ms| wait_ms <= 2_000), "{is_announced}: {status:?}");
    }
}
