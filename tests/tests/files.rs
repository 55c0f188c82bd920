//! What a phone does with files that were emptied, cut, replaced or removed: it says which, and never starts anew.

#![cfg(unix)]

use std::path::{Path, PathBuf};

use farmtally_core::ErrorCode;
use farmtally_core::client::FieldClient;
use farmtally_core::environment::Environment;
use farmtally_sync_server::{ReferenceFile, Server};
use farmtally_tests::accounts::{mode, set_mode};
use farmtally_tests::disk::{DiskFault, DiskPlan, Machine};
use farmtally_tests::{Market, Person, all_deliveries};

/// Returns the error of opening a phone's folder.
fn refused(folder: &Path) -> farmtally_core::Error {
    FieldClient::open(folder, Environment::system()).err().expect("refused")
}

/// A market, and Asha's folder after she recorded a delivery and ended the app.
fn worked() -> (Market, PathBuf) {
    let mut market = Market::open(1);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.weighs(farmer, None, &[20_000]);
    (market, asha.folder)
}

/// The receipt number that the phone gives next.
fn next_receipt(asha: &Person) -> u32 {
    let farmer = asha.registers("Ramesh", "Vemagal", "").farmer_id;
    asha.weighs(farmer, None, &[21_000]);
    all_deliveries(&asha.client).iter().map(|row| row.receipt_sequence).max().expect("a receipt")
}

#[test]
fn a_damaged_database_is_named_kept_as_it_is_and_never_started_anew() {
    let (mut market, folder) = worked();
    let database = folder.join("field.db");
    let whole = std::fs::read(&database).expect("bytes");
    for (damage, content) in [
        ("emptied", Vec::new()),
        ("cut within the header", whole[..60].to_vec()),
        ("cut within a page", whole[..5_000].to_vec()),
        ("cut to half", whole[..whole.len() / 8_192 * 4_096].to_vec()),
        ("replaced by a picture", [b"\x89PNG\r\n".as_slice(), &[7; 9_000]].concat()),
    ] {
        std::fs::write(&database, &content).expect("damaged");
        for attempt in 0..2 {
            let error = refused(&folder);
            assert_eq!(error.code(), ErrorCode::StorageCorrupt, "{damage}, attempt {attempt}: {error}");
            assert!(error.to_string().contains("field.db"), "{damage}: {error}");
        }
        assert!(std::fs::read(&database).expect("bytes") == content, "{damage}: the file is as it was");
    }
    std::fs::write(&database, &whole).expect("put back");
    assert_eq!(next_receipt(&market.revives("Asha", &folder)), 2, "the first receipt is not given again");
}

#[test]
fn a_database_that_was_removed_is_called_damaged() {
    let (mut market, folder) = worked();
    std::fs::rename(folder.join("field.db"), folder.join("moved")).expect("moved away");
    for _ in 0..2 {
        let error = refused(&folder);
        assert_eq!(error.code(), ErrorCode::StorageCorrupt, "{error}");
        assert!(error.to_string().contains("field.db is missing"), "{error}");
        assert!(!folder.join("field.db").exists());
    }
    std::fs::rename(folder.join("moved"), folder.join("field.db")).expect("put back");
    assert_eq!(next_receipt(&market.revives("Asha", &folder)), 2);
}

#[test]
fn the_log_of_an_emptied_database_is_kept() {
    let mut market = Market::open(2);
    let asha = market.hires("Asha", "field_manager");
    asha.registers("Lakshmi Devi", "Vemagal", "");
    let copy = market.path_of("copy");
    std::fs::create_dir(&copy).expect("a folder");
    let log = std::fs::read(asha.folder.join("field.db-wal")).expect("a log");
    std::fs::write(copy.join("field.db-wal"), &log).expect("a copy");
    for database in [None, Some([])] {
        if let Some(empty) = database {
            std::fs::write(copy.join("field.db"), empty).expect("emptied");
        }
        assert_eq!(refused(&copy).code(), ErrorCode::StorageCorrupt, "{database:?}");
        assert!(std::fs::read(copy.join("field.db-wal")).expect("a log") == log, "the log is as it was");
    }
}

#[test]
fn a_phone_that_was_killed_while_it_made_its_database_starts_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    for fault in [DiskFault::KilledWithin, DiskFault::PowerCut] {
        for after in (0..).step_by(2) {
            let folder = folder.path().join(format!("{fault:?} {after}"));
            let machine = Machine::mount(&folder);
            machine.plan(DiskPlan { after, fault, seed: after });
            let first = FieldClient::open(&folder, Environment::system());
            let is_whole = !machine.is_dead();
            drop(first);
            machine.revive();
            FieldClient::open(&folder, Environment::system()).map(drop).expect("it starts");
            machine.unmount();
            if is_whole {
                assert!(after > 5, "the faults hit {after} operations");
                break;
            }
        }
    }
}

#[test]
fn other_accounts_of_the_phone_can_read_nothing() {
    let mut market = Market::open(3);
    let asha = market.hires("Asha", "field_manager");
    asha.registers("Lakshmi Devi", "Vemagal", "");
    let is_private = |folder: &Path| {
        assert_eq!(mode(folder), 0o700);
        for file in std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()) {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    };
    is_private(&asha.folder);
    for file in std::fs::read_dir(&asha.folder).expect("a folder").map(|file| file.expect("a file").path()) {
        set_mode(&file, 0o644);
    }
    let asha = asha.restarts();
    asha.registers("Ramesh", "Vemagal", "");
    is_private(&asha.folder);
}

#[test]
fn a_full_disk_keeps_nobody_from_reading_a_phone() {
    let mut market = Market::open(4);
    let folder = market.path_of("Asha");
    let machine = Machine::mount(&folder);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let delivery = asha.weighs(farmer, None, &[20_000]).delivery_id;
    drop(asha);
    // Otherwise there is nothing to note about the time.
    market.clock.pass(60);
    machine.plan(DiskPlan { after: 0, fault: DiskFault::Full, seed: 1 });
    let asha = market.revives("Asha", &folder);
    assert_eq!(asha.client.delivery(delivery).expect("her delivery").totals.gross_g.0, 20_000);
    let error = asha.tries_to_open("KA07A1111").expect_err("no room");
    assert_eq!(error.code(), ErrorCode::StorageFull, "{error}");
    machine.relieve();
    asha.weighs(farmer, None, &[21_000]);
    drop(asha);
    assert_eq!(next_receipt(&market.revives("Asha", &folder)), 3);
    machine.unmount();
}

#[test]
fn a_full_disk_keeps_nobody_from_reading_a_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let machine = Machine::mount(folder);
    let opened = Server::open(folder, Environment::system()).expect("a server");
    let organisation = opened
        .create_organisation("Kolar growers", &"IN".parse().expect("a country"), 330, None, &ReferenceFile::default())
        .expect("created");
    drop(opened);
    machine.plan(DiskPlan { after: 0, fault: DiskFault::Full, seed: 1 });
    let opened = Server::open(folder, Environment::system()).expect("it opens");
    assert_eq!(opened.devices(organisation).expect("devices").len(), 0);
    assert_eq!(opened.day(organisation, None).expect("a day").organisation.name, "Kolar growers");
    let error = opened
        .create_organisation("Malur growers", &"IN".parse().expect("a country"), 330, None, &ReferenceFile::default())
        .expect_err("no room");
    assert_eq!(error.code(), ErrorCode::StorageFull, "{error}");
    machine.unmount();
}
