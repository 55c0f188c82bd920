//! Numbers of statements and bytes that a server needs for a bundle.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use farmtally_core::store::sql::{Error as SqlError, Reader};
use farmtally_sync_server::storage::{SqliteStorage, Storage};
use farmtally_tests::Market;
use farmtally_tests::watched::{Call, Watch, Watched};

/// Counts the calls.
struct Counter(Arc<AtomicUsize>);

impl Watch for Counter {
    fn sees(&self, _: &mut dyn Reader, _: Call<'_>) -> Result<(), SqlError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn counting_market() -> (Market, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let open = move |folder: &Path| -> Box<dyn Storage> {
        let storage = Box::new(SqliteStorage::open(&folder.join("data")).expect("it opens"));
        Box::new(Watched { storage, watch: Counter(Arc::clone(&counted)) })
    };
    (Market::open_over(open, 1), calls)
}

#[test]
fn the_number_of_statements_does_not_grow_with_the_number_of_entries() {
    let (mut market, calls) = counting_market();
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "+91 98450 11111").farmer_id;
    let load = asha.opens("KA07A1111").load_id;
    asha.syncs_wholly();
    let statements_for = |deliveries: u32, farmers: u32| {
        // Time passes so that the device's contact is saved each time.
        market.clock.pass(3_600);
        for number in 0..deliveries {
            asha.weighs(farmer, Some(load), &[20_000, 21_000 + i64::from(number)]);
        }
        for number in 0..farmers {
            asha.registers(&format!("Farmer {deliveries} {number}"), "Vemagal", "");
        }
        calls.store(0, Ordering::Relaxed);
        asha.syncs_wholly();
        calls.load(Ordering::Relaxed)
    };
    let few = statements_for(1, 1);
    assert!(few > 0);
    assert_eq!(statements_for(40, 20), few);
}

#[test]
fn a_sync_with_nothing_new_takes_as_many_statements_however_many_devices_there_are() {
    let (mut market, calls) = counting_market();
    let asha = market.hires("Asha", "field_manager");
    let statements = || {
        asha.syncs_wholly();
        calls.store(0, Ordering::Relaxed);
        asha.syncs_wholly();
        calls.load(Ordering::Relaxed)
    };
    let alone = statements();
    for number in 0..12 {
        market.hires(&format!("Clerk {number}"), "clerk").syncs_wholly();
    }
    assert_eq!(statements(), alone);
}

#[test]
fn reviews_are_raised_without_a_statement_more_for_each_entry_that_raises_none() {
    let (mut market, calls) = counting_market();
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let load = asha.opens("KA07A1111").load_id;
    asha.weighs(farmer, Some(load), &[20_000]);
    asha.closes(load).expect("closing");
    asha.syncs_wholly();
    let statements_for = |late: u32, on_no_load: u32| {
        market.clock.pass(3_600);
        (0..late).for_each(|_| drop(asha.weighs(farmer, Some(load), &[20_000])));
        (0..on_no_load).for_each(|_| drop(asha.weighs(farmer, None, &[20_000])));
        calls.store(0, Ordering::Relaxed);
        asha.syncs_wholly();
        calls.load(Ordering::Relaxed)
    };
    let (none, few, many) = (statements_for(0, 1), statements_for(1, 1), statements_for(1, 30));
    assert!(none < few);
    assert_eq!(few, many);
}

/// Most bytes that a delivery of twenty bags may take on the server: log, document, row, indexes, bundle. Some fifteen of them say that it
/// is a second heap, as each of `weighs` is.
const DELIVERY_BYTES: u64 = 1_240;

#[test]
fn a_delivery_of_twenty_bags_is_small_on_the_server() {
    let mut market = Market::open(2);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "+91 98450 11111").farmer_id;
    let loads: Vec<_> = (0..30).map(|_| asha.opens("KA07A1111").load_id).collect();
    asha.syncs_wholly();
    let bytes = |market: &Market| {
        let db = rusqlite::Connection::open(market.server_database()).expect("it opens");
        db.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);").expect("written");
        std::fs::metadata(market.server_database()).expect("a file").len()
    };
    let (before, deliveries) = (bytes(&market), 600);
    for (number, load) in (0..deliveries).zip(loads.iter().cycle()) {
        let bags: Vec<i64> = (0..20).map(|bag| 18_000 + (number * 37 + bag * 113) % 4_000).collect();
        asha.weighs(farmer, Some(*load), &bags);
        if number % 50 == 49 {
            asha.syncs_wholly();
        }
    }
    asha.syncs_wholly();
    let each = (bytes(&market) - before) / deliveries.unsigned_abs();
    assert!(each <= DELIVERY_BYTES, "{each} bytes");
    assert!(each > DELIVERY_BYTES / 2, "{each} bytes: the limit can be lowered");
}
