//! Measures syncs over poor networks in virtual time, and prints the table of docs/performance.md.
//!
//!     cargo run -p farmtally-tests --bin links [DELIVERIES]
//!
//! DELIVERIES is the size of the season that a new phone fetches, by default 25,000.

use std::sync::{Arc, Mutex};

use farmtally_core::client::{FieldClient, SyncOutcome};
use farmtally_core::environment::Clock;
use farmtally_core::sync::{Transport, TransportError, WireRequest, WireResponse};
use farmtally_core::units::FarmerId;
use farmtally_tests::{ADDRESS, Link, Market, Person, TestClock};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Rates in bytes per second.
const RATES: [u64; 3] = [1_500, 5_000, 50_000];
/// Deliveries between two syncs of the season: a day and a half.
const SYNCED_EACH: u32 = 400;
const FARMERS: usize = 1_000;

/// A link that counts, and notes when the phone can record.
struct Measured<'a> {
    link: Link,
    client: &'a FieldClient,
    clock: Arc<TestClock>,
    granted_at_ms: Mutex<Option<u64>>,
    requests: Mutex<u64>,
    bytes: Mutex<(u64, u64)>,
}

impl<'a> Measured<'a> {
    fn new(market: &Market, client: &'a FieldClient, rate: u64) -> Self {
        let (link, clock) = (Link::new(market, rate, rate), Arc::clone(&market.clock));
        Self {
            link,
            client,
            clock,
            granted_at_ms: Mutex::default(),
            requests: Mutex::default(),
            bytes: Mutex::default(),
        }
    }

    fn notes_grant(&self) {
        if self.client.session().is_some_and(|session| session.grant_id.is_some()) {
            let mut granted_at_ms = self.granted_at_ms.lock().expect("a lock");
            granted_at_ms.get_or_insert(self.clock.boot_ms());
        }
    }
}

impl Transport for Measured<'_> {
    fn send(&self, request: &WireRequest, must_stop: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        self.notes_grant();
        let response = self.link.send(request, must_stop)?;
        let mut bytes = self.bytes.lock().expect("a lock");
        *bytes = (bytes.0 + request.body.len() as u64, bytes.1 + response.body.len() as u64);
        *self.requests.lock().expect("a lock") += 1;
        Ok(response)
    }
}

fn weighs(person: &Person, farmers: &[FarmerId], random: &mut StdRng) {
    let bags: Vec<i64> = (0..20).map(|_| 100 * random.random_range(400..700)).collect();
    person.weighs(farmers[random.random_range(0..farmers.len())], None, &bags);
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}

fn main() {
    let deliveries = std::env::args().nth(1).map_or(25_000, |number| number.parse().expect("a number of deliveries"));
    let mut random = StdRng::seed_from_u64(1);
    let mut market = Market::open(1);
    let asha = market.hires("Asha", "field_manager");
    let farmers: Vec<_> =
        (0..FARMERS).map(|number| asha.registers(&format!("Farmer {number}"), "Vemagal", "").farmer_id).collect();
    asha.syncs_wholly();

    println!(
        "| A working day: 60 deliveries, a sync after each two | Requests | Bytes up | Bytes down | Time of all syncs |"
    );
    println!("|---|---:|---:|---:|---:|");
    for rate in RATES {
        let measured = Measured::new(&market, &asha.client, rate);
        let mut time_ms = 0;
        for _ in 0..30 {
            weighs(&asha, &farmers, &mut random);
            weighs(&asha, &farmers, &mut random);
            let before_ms = market.clock.boot_ms();
            let report = asha.client.sync(&measured, &|_| ()).expect("a report");
            assert_eq!(report.outcome, SyncOutcome::Complete);
            time_ms += market.clock.boot_ms() - before_ms;
        }
        let (up, down) = *measured.bytes.lock().expect("a lock");
        let requests = *measured.requests.lock().expect("a lock");
        println!("| at {rate} B/s | {requests} | {up} | {down} | {:.0} s |", seconds(time_ms));
    }

    for number in 0..deliveries {
        weighs(&asha, &farmers, &mut random);
        if number % SYNCED_EACH == 0 {
            asha.syncs_wholly();
        }
    }
    asha.syncs_wholly();
    println!();
    println!(
        "| A new phone fetches {deliveries} deliveries and {FARMERS} farmers | Can record after | Complete after | Floor | Ratio | Requests |"
    );
    println!("|---|---:|---:|---:|---:|---:|");
    for rate in RATES {
        let name = format!("Phone at {rate}");
        let ravi = market.meets(&name);
        let code = market.code(&name, "clerk", "KOLAR");
        let measured = Measured::new(&market, &ravi.client, rate);
        let before_ms = market.clock.boot_ms();
        ravi.client.enrol(&measured, ADDRESS, &code, "test phone").expect("enrolled");
        let complete_ms = market.clock.boot_ms() - before_ms;
        measured.notes_grant();
        let granted_ms = measured.granted_at_ms.lock().expect("a lock").expect("a grant") - before_ms;
        let (_, down) = *measured.bytes.lock().expect("a lock");
        let (requests, floor) = (*measured.requests.lock().expect("a lock"), down as f64 / rate as f64);
        assert_eq!(
            ravi.sum_on("2019-05-10".parse().expect("a day")),
            asha.sum_on("2019-05-10".parse().expect("a day"))
        );
        println!(
            "| at {rate} B/s | {:.1} s | {:.0} s | {floor:.0} s | {:.2} | {requests} |",
            seconds(granted_ms),
            seconds(complete_ms),
            seconds(complete_ms) / floor,
        );
    }
}
