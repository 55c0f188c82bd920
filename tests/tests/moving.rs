//! A server that moves to another address, before and after the old one is gone.

use std::collections::BTreeMap;

use farmtally_core::client::{FieldClient, SyncOutcome};
use farmtally_core::environment::Environment;
use farmtally_core::sync::{Transport, TransportError, WireRequest, WireResponse};
use farmtally_core::{Error, ErrorCode};
use farmtally_tests::{ADDRESS, Market, Network, Person};

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

/// Keeps the bodies of requests.
struct Overheard<'a>(&'a Addresses, std::sync::Mutex<Vec<usize>>);

impl Transport for Overheard<'_> {
    fn send(&self, request: &WireRequest, must_stop: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        self.1.lock().expect("a lock").push(request.body.len());
        self.0.send(request, must_stop)
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
    let heard = Overheard(&servers, std::sync::Mutex::default());
    let refused = asha.client.set_server_url(&heard, NEW_ADDRESS).expect_err("another server");
    let Error::Invalid { field: "server_url", .. } = refused else { panic!("{refused:?}") };
    assert!(heard.1.into_inner().expect("a lock").iter().all(|bytes| *bytes < 1_000), "no work is sent");
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
