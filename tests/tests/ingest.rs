//! How many statements a server needs for a bundle, whatever is in it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use farmtally_core::store::sql::{
    Column, Database, Dialect, Error as SqlError, Insert, ReadWork, Reader, RowVisitor, Value, WriteWork, Writer,
};
use farmtally_core::units::OrganisationId;
use farmtally_sync_server::Error;
use farmtally_sync_server::storage::{Appended, SqliteStorage, Storage};
use farmtally_tests::Market;
use tokio::sync::broadcast;

/// A storage that counts the calls through the seam.
struct Counting {
    storage: SqliteStorage,
    calls: Arc<AtomicUsize>,
}

struct Counted<'a, C: ?Sized> {
    connection: &'a mut C,
    calls: &'a AtomicUsize,
}

impl<C: ?Sized> Counted<'_, C> {
    fn count(&mut self) -> &mut C {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.connection
    }
}

macro_rules! counted_reader {
    ($($connection:ident)*) => {$(
        impl Reader for Counted<'_, dyn $connection + '_> {
            fn query(&mut self, text: &str, params: &[Value<'_>], visit: RowVisitor<'_>) -> Result<(), SqlError> {
                self.count().query(text, params, visit)
            }

            fn query_keys(
                &mut self,
                keys: &[Column<'_>],
                rows: &[Value<'_>],
                text: &str,
                visit: RowVisitor<'_>,
            ) -> Result<(), SqlError> {
                self.count().query_keys(keys, rows, text, visit)
            }

            fn dialect(&self) -> Dialect {
                self.connection.dialect()
            }
        }
    )*};
}

counted_reader!(Reader Writer);

impl Writer for Counted<'_, dyn Writer + '_> {
    fn execute(&mut self, text: &str, params: &[Value<'_>]) -> Result<usize, SqlError> {
        self.count().execute(text, params)
    }

    fn insert(&mut self, into: &Insert<'_>, rows: &[Value<'_>]) -> Result<usize, SqlError> {
        self.count().insert(into, rows)
    }
}

impl Database for Counting {
    fn read(&self, organisation: OrganisationId, work: ReadWork<'_>) -> Result<(), SqlError> {
        self.storage.read(organisation, &|connection| work(&mut Counted { connection, calls: &self.calls }))
    }

    fn write(&self, organisation: OrganisationId, work: WriteWork<'_>) -> Result<(), SqlError> {
        self.storage.write(organisation, &|connection| work(&mut Counted { connection, calls: &self.calls }))
    }
}

impl Storage for Counting {
    fn organisations(&self) -> Result<Vec<OrganisationId>, Error> {
        self.storage.organisations()
    }

    fn prepare(&self, organisation: OrganisationId) -> Result<(), Error> {
        self.storage.prepare(organisation)
    }

    fn add_organisation(&self, organisation: OrganisationId) -> Result<(), Error> {
        self.storage.add_organisation(organisation)
    }

    fn add_route(&self, key: &[u8], organisation: OrganisationId) -> Result<(), Error> {
        self.storage.add_route(key, organisation)
    }

    fn route(&self, key: &[u8]) -> Result<Option<OrganisationId>, Error> {
        self.storage.route(key)
    }

    fn announce(&self, organisation: OrganisationId, heads: Appended) -> Result<(), Error> {
        self.storage.announce(organisation, heads)
    }

    fn watch(&self, organisation: OrganisationId) -> Result<broadcast::Receiver<Appended>, Error> {
        self.storage.watch(organisation)
    }

    fn scrub(&self, organisation: OrganisationId) -> Result<(), Error> {
        self.storage.scrub(organisation)
    }

    fn copy_to(&self, folder: &Path) -> Result<(), Error> {
        self.storage.copy_to(folder)
    }
}

fn counting_market() -> (Market, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let open = move |folder: &Path| -> Box<dyn Storage> {
        let storage = SqliteStorage::open(&folder.join("data")).expect("it opens");
        Box::new(Counting { storage, calls: Arc::clone(&counted) })
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
        // So that the contact is noted each time.
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
fn a_sync_without_news_takes_as_many_statements_however_many_devices_there_are() {
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
