//! Phones on networks that are slow, break, or have something on the way that answers in the server's place.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use farmtally_core::client::{FieldClient, SyncBudget, SyncOptions, SyncOutcome, SyncReport};
use farmtally_core::decisions::Order;
use farmtally_core::environment::Clock;
use farmtally_core::sync::{Transport, TransportError, WireRequest, WireResponse};
use farmtally_core::{Error, ErrorCode, UnavailableCause};
use farmtally_tests::{ADDRESS, Link, Market, Middlebox, Person};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Bytes that a second of a poor mobile network moves.
const SLOW: u64 = 1_500;
/// Bytes that a second of a good network moves.
const FAST: u64 = 1_000_000;

/// Number of own changes that the server has not answered.
fn unanswered(phone: &FieldClient) -> u64 {
    let backlog = phone.sync_status().expect("a status").backlog;
    backlog.unsent + backlog.sent
}

fn weighs(person: &Person, deliveries: u32) {
    let farmer = person.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    // Weights that do not repeat, because equal ones would hardly take any bytes.
    let mut random = StdRng::seed_from_u64(1);
    let mut weights = std::iter::repeat_with(|| 100 * random.random_range(400..700));
    for _ in 0..deliveries {
        let bags: Vec<i64> = weights.by_ref().take(20).collect();
        person.weighs(farmer, None, &bags);
    }
}

/// Tries of at most twenty seconds, until one is complete; `check` runs after each.
fn tries(phone: &FieldClient, link: &Link, mut check: impl FnMut(&SyncReport)) -> u32 {
    for number in 1..=60 {
        link.breaks_in(20);
        let report = phone.sync(link, &|_| ()).expect("a report");
        check(&report);
        if report.outcome == SyncOutcome::Complete {
            return number;
        }
    }
    panic!("never complete");
}

#[test]
fn seven_hundred_deliveries_leave_a_phone_over_a_network_that_breaks_every_twenty_seconds() {
    let mut market = Market::open(1);
    let asha = market.hires("Asha", "field_manager");
    weighs(&asha, 700);
    let link = Link::new(&market, SLOW, FAST);
    let mut before = unanswered(&asha.client);
    tries(&asha.client, &link, |report| {
        let left = unanswered(&asha.client);
        assert!(left < before, "{left} after {before}: {report:?}");
        before = left;
    });
    assert_eq!(before, 0);
}

#[test]
fn a_new_phone_gets_its_grant_first_and_keeps_what_arrived_over_a_network_that_breaks_every_twenty_seconds() {
    let mut market = Market::open(2);
    let asha = market.hires("Asha", "field_manager");
    weighs(&asha, 1_100);
    asha.syncs_wholly();
    let ravi = market.meets("Ravi");
    let link = Link::new(&market, FAST, SLOW);
    link.breaks_in(20);
    let session = ravi.client.enrol(&link, ADDRESS, &market.code("Ravi", "clerk", "KOLAR"), "phone").expect("enrolled");
    assert!(session.grant_id.is_some(), "recording can start");
    ravi.starts(None, None);
    tries(&ravi.client, &link, |report| assert!(report.progress.read > 0, "{report:?}"));
    assert_eq!(ravi.sum(), asha.sum());
}

/// Tries to start a draft before each request.
struct Weighing<'a>(&'a Link, &'a Person, Mutex<Option<u32>>, AtomicU32);

impl Transport for Weighing<'_> {
    fn send(&self, request: &WireRequest, must_stop: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        let number = self.3.fetch_add(1, Ordering::Relaxed);
        if self.1.client.session().is_some_and(|session| session.grant_id.is_some()) {
            self.2.lock().expect("a lock").get_or_insert_with(|| {
                self.1.starts(None, None);
                number
            });
        }
        self.0.send(request, must_stop)
    }
}

#[test]
fn a_new_phone_records_while_its_first_sync_still_runs() {
    let mut market = Market::open(10);
    let asha = market.hires("Asha", "field_manager");
    weighs(&asha, 500);
    asha.syncs_wholly();
    let ravi = market.meets("Ravi");
    let link = Link::new(&market, FAST, SLOW);
    let weighing = Weighing(&link, &ravi, Mutex::default(), AtomicU32::default());
    let code = market.code("Ravi", "clerk", "KOLAR");
    ravi.client.enrol(&weighing, ADDRESS, &code, "phone").expect("enrolled");
    assert_eq!(ravi.sum(), asha.sum());
    let started = weighing.2.into_inner().expect("a lock");
    assert_eq!(started, Some(2), "after the answers to the enrolment and to the first request");
}

#[test]
fn a_page_in_the_servers_place_is_no_connection_whatever_its_status() {
    let mut market = Market::open(3);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.meets("Ravi"));
    asha.registers("Lakshmi Devi", "Vemagal", "");
    let link = Link::new(&market, FAST, FAST);
    let statuses = [
        200, 203, 400, 401, 403, 404, 405, 407, 409, 410, 413, 421, 422, 426, 451, 500, 501, 511, 520, 521, 522, 523,
        524, 525, 526, 527, 530,
    ];
    for status in statuses {
        link.passes(Middlebox::Page(status));
        let report = asha.client.sync(&link, &|_| ()).unwrap_or_else(|error| panic!("{status}: {error:?}"));
        assert_eq!(report.outcome, SyncOutcome::Offline, "{status}");
        let code = market.code("Ravi", "clerk", "KOLAR");
        let refused = ravi.client.enrol(&link, ADDRESS, &code, "phone").expect_err("no server");
        assert_eq!(refused.code(), ErrorCode::Offline, "{status}: {refused}");
        assert!(refused.to_string().contains(&status.to_string()), "{status}: {refused}");
    }
    link.passes(Middlebox::None);
    assert_eq!(asha.client.sync(&link, &|_| ()).expect("a report").outcome, SyncOutcome::Complete);
}

#[test]
fn a_proxy_that_compresses_or_relabels_answers_does_not_stop_a_sync() {
    let mut market = Market::open(4);
    let asha = market.hires("Asha", "field_manager");
    let link = Link::new(&market, FAST, FAST);
    for middlebox in [Middlebox::Compresses, Middlebox::Relabels(203)] {
        link.passes(middlebox);
        asha.registers("Lakshmi Devi", "Vemagal", "");
        let report = asha.client.sync(&link, &|_| ()).unwrap_or_else(|error| panic!("{middlebox:?}: {error:?}"));
        assert_eq!((report.outcome, unanswered(&asha.client)), (SyncOutcome::Complete, 0), "{middlebox:?}");
    }
}

/// Notes the size of each request and the status of its answer; panics at a sync that does not end.
struct Noting<'a>(&'a Link, Mutex<Vec<(usize, u16)>>);

impl Transport for Noting<'_> {
    fn send(&self, request: &WireRequest, must_stop: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        let response = self.0.send(request, must_stop)?;
        let mut answers = self.1.lock().expect("a lock");
        answers.push((request.body.len(), response.status));
        assert!(answers.len() < 1_000, "no end");
        Ok(response)
    }
}

#[test]
fn a_filter_that_refuses_every_request_as_too_large_is_no_connection() {
    let mut market = Market::open(15);
    let asha = market.hires("Asha", "field_manager");
    // Each of these syncs seals a bundle.
    for _ in 0..5 {
        weighs(&asha, 2);
        let report = asha.client.sync(&Failing(UnavailableCause::NoConnection), &|_| ()).expect("a report");
        assert_eq!(report.outcome, SyncOutcome::Offline);
    }
    let link = Link::new(&market, FAST, FAST);
    link.passes(Middlebox::Page(413));
    let noting = Noting(&link, Mutex::default());
    let report = asha.client.sync(&noting, &|_| ()).expect("a report");
    assert_eq!(report.outcome, SyncOutcome::Offline);
    assert_eq!(report.offline.expect("a reason").cause, UnavailableCause::OtherAnswer);
    assert_eq!(noting.1.into_inner().expect("a lock").len(), 2, "16 KiB and the smallest piece, 4 KiB");
}

#[test]
fn a_proxy_that_limits_messages_gets_smaller_ones() {
    let mut market = Market::open(5);
    let asha = market.hires("Asha", "field_manager");
    weighs(&asha, 700);
    let link = Link::new(&market, FAST, FAST);
    link.passes(Middlebox::LimitsRequests(9 * 1024));
    let noting = Noting(&link, Mutex::default());
    assert_eq!(asha.client.sync(&noting, &|_| ()).expect("a report").outcome, SyncOutcome::Complete);
    assert_eq!(unanswered(&asha.client), 0);
    let answers = noting.1.into_inner().expect("a lock");
    let sent: usize = answers.iter().map(|(bytes, _)| bytes).sum();
    let refused: Vec<_> = answers.iter().filter(|(_, status)| *status == 413).map(|(bytes, _)| bytes).collect();
    assert!(refused.len() == 1 && *refused[0] < sent / 4, "{answers:?}");
    let meena = market.meets("Meena");
    link.passes(Middlebox::CutsResponses(16 * 1024));
    meena.client.enrol(&link, ADDRESS, &market.code("Meena", "clerk", "KOLAR"), "phone").expect("enrolled");
    tries(&meena.client, &link, |_| ());
    assert_eq!(meena.sum(), asha.sum());
}

#[test]
fn an_address_that_no_host_can_have_is_a_wrong_input() {
    let mut market = Market::open(6);
    let asha = market.meets("Asha");
    let code = market.code("Asha", "clerk", "KOLAR");
    let label = "a".repeat(64);
    let long = ["b"; 150].join(".");
    for url in
        [format!("https://{}", "a".repeat(300)), format!("https://{label}.example.org"), format!("https://{long}/")]
    {
        let refused = asha.client.enrol(&asha.network, &url, &code, "phone").expect_err("refused");
        let Error::Invalid { field: "server_url", .. } = refused else { panic!("{url}: {refused:?}") };
    }
}

/// A server that another answers for, with a redirect.
struct Redirect(u16, &'static str);

impl Transport for Redirect {
    fn send(&self, _: &WireRequest, _: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        Ok(WireResponse { location: Some(self.1.to_owned()), ..WireResponse::new(self.0, Vec::new()) })
    }
}

#[test]
fn an_address_that_redirects_to_another_is_a_wrong_input_that_names_it() {
    let mut market = Market::open(7);
    let asha = market.meets("Asha");
    let code = market.code("Asha", "clerk", "KOLAR");
    for status in [301, 302, 307, 308] {
        let redirect = Redirect(status, "https://sync.example.org/v1/enrol");
        let refused = asha.client.enrol(&redirect, "http://sync.example.org", &code, "phone").expect_err("moved");
        let Error::Invalid { field: "server_url", reason } = &refused else { panic!("{status}: {refused:?}") };
        assert!(reason.contains("https://sync.example.org"), "{reason}");
    }
    // A captive portal leads elsewhere: the address may be right.
    let portal = Redirect(302, "https://hotel.example.org/login");
    let refused = asha.client.enrol(&portal, "http://sync.example.org", &code, "phone").expect_err("a portal");
    assert_eq!(refused.code(), ErrorCode::Offline);
    assert!(refused.to_string().contains("https://hotel.example.org/login"), "{refused}");
}

#[test]
fn a_sync_says_why_it_got_no_answer() {
    let mut market = Market::open(8);
    let asha = market.hires("Asha", "field_manager");
    let link = Link::new(&market, SLOW, SLOW);
    let reason = |transport: &dyn Transport| {
        let report = asha.client.sync(transport, &|_| ()).expect("a report");
        assert_eq!(report.outcome, SyncOutcome::Offline);
        report.offline.expect("a reason")
    };
    link.passes(Middlebox::Page(451));
    let page = reason(&link);
    assert_eq!(page.cause, UnavailableCause::OtherAnswer);
    assert!(page.reason.contains("451"), "{page:?}");
    link.passes(Middlebox::Page(503));
    assert_eq!(reason(&link).cause, UnavailableCause::Interrupted);
    link.breaks_in(0);
    assert_eq!(reason(&link).cause, UnavailableCause::Interrupted);
    let whole = Link::new(&market, SLOW, SLOW);
    for bytes in [3, 15, 100] {
        whole.passes(Middlebox::CutsCompressed(bytes));
        assert_eq!(reason(&whole).cause, UnavailableCause::Interrupted, "cut after {bytes} bytes");
    }
    let nowhere = Failing(UnavailableCause::WrongCertificate);
    assert_eq!(reason(&nowhere).cause, UnavailableCause::WrongCertificate);
}

/// A transport without a connection.
struct Failing(UnavailableCause);

impl Transport for Failing {
    fn send(&self, _: &WireRequest, _: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        Err(TransportError { cause: self.0, reason: "none".into() })
    }
}

#[test]
fn a_budget_ends_a_sync_that_waits_for_an_answer() {
    let mut market = Market::open(9);
    let asha = market.hires("Asha", "field_manager");
    weighs(&asha, 100);
    let link = Link::new(&market, 10, FAST);
    let budget = SyncBudget { time_ms: 20_000, ..SyncBudget::default() };
    let options = SyncOptions { is_manual: true, budget, ..SyncOptions::default() };
    let before_ms = market.clock.boot_ms();
    let report = asha.client.sync_with(&link, &options, &|_| ()).expect("a report");
    assert_eq!((report.outcome, report.progress.sent), (SyncOutcome::Partial, 0));
    let took_ms = market.clock.boot_ms() - before_ms;
    assert!((20_000..22_000).contains(&took_ms), "{took_ms} ms");
}

/// Cancels the sync of a phone while its request of this number waits, and notes the size of each request.
struct Cancelling<'a>(&'a Link, &'a FieldClient, usize, Mutex<Vec<usize>>);

impl Transport for Cancelling<'_> {
    fn send(&self, request: &WireRequest, must_stop: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        let mut sizes = self.3.lock().expect("a lock");
        sizes.push(request.body.len());
        if sizes.len() == self.2 {
            self.1.cancel_sync();
        }
        self.0.send(request, must_stop)
    }
}

#[test]
fn a_persons_cancel_does_not_make_the_next_requests_smaller() {
    let mut market = Market::open(11);
    let asha = market.hires("Asha", "field_manager");
    weighs(&asha, 700);
    let link = Link::new(&market, FAST, FAST);
    let cancelling = Cancelling(&link, &asha.client, 3, Mutex::default());
    assert_eq!(asha.client.sync(&cancelling, &|_| ()).expect("a report").outcome, SyncOutcome::Cancelled);
    assert_eq!(asha.client.sync(&cancelling, &|_| ()).expect("a report").outcome, SyncOutcome::Complete);
    let sizes = cancelling.3.into_inner().expect("a lock");
    assert!(sizes[3] >= sizes[2], "{sizes:?}");
}

#[test]
fn a_spent_budget_makes_requests_smaller_only_if_no_answer_came_in_it() {
    let mut market = Market::open(12);
    let asha = market.hires("Asha", "field_manager");
    weighs(&asha, 700);
    let sync = |link: &Link, time_ms| {
        let budget = SyncBudget { time_ms, ..SyncBudget::default() };
        let options = SyncOptions { is_manual: true, budget, ..SyncOptions::default() };
        let sizes = Cancelling(link, &asha.client, 0, Mutex::default());
        let report = asha.client.sync_with(&sizes, &options, &|_| ()).expect("a report");
        (sizes.3.into_inner().expect("a lock"), report)
    };
    let fast = Link::new(&market, FAST, FAST);
    // The first request gets a challenge, the second is answered, the third is cut.
    let ((sizes, _), (next, _)) = (sync(&fast, 1_100), sync(&fast, 700));
    assert_eq!(sizes.len(), 3, "{sizes:?}");
    assert!(next[0] >= sizes[2], "{next:?} after {sizes:?}");
    assert!(unanswered(&asha.client) > 100);
    // Pieces for a fast network do not fit into the time of a slow one.
    let slow = Link::new(&market, SLOW / 3, FAST);
    let arrived = (0..6).any(|_| sync(&slow, 15_000).1.progress.sent > 0);
    assert!(arrived, "requests become small enough for the budget");
}

#[test]
fn an_order_for_a_new_key_is_carried_out_by_syncs_that_always_run_out_of_time() {
    let mut market = Market::open(13);
    let asha = market.hires("Asha", "field_manager");
    weighs(&asha, 700);
    let device = asha.client.session().expect("a session").device_code;
    market.server.order(market.organisation, device, Order::Rekey).expect("ordered");
    let link = Link::new(&market, SLOW / 3, FAST);
    let budget = SyncBudget { time_ms: 20_000, ..SyncBudget::default() };
    for _ in 0..3 {
        let options = SyncOptions { budget, ..SyncOptions::default() };
        let report = asha.client.sync_with(&link, &options, &|_| ()).expect("a report");
        assert_eq!(report.outcome, SyncOutcome::Partial, "{report:?}");
        assert_eq!(report.next_try_ms, Some(0), "the rest may follow at once");
    }
    assert_ne!(asha.client.session().expect("a session").device_code, device, "a new key and a new id");
    assert!(unanswered(&asha.client) > 0, "long before everything is sent");
}
