//! Faults other than disk and network: restarts, clock jumps, upgrades, restored copies, cloned phones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use automerge::Automerge;
use farmtally_core::ErrorCode;
use farmtally_core::client::FieldClient;
use farmtally_core::codec::decode;
use farmtally_core::protocol::message::FrameEntry;
use farmtally_core::records::{Kind, Load};
use farmtally_core::units::{DeliveryId, DocumentId, FarmerId, Timestamp};
use farmtally_sync_server::Error;
use rand::RngExt;
use rand::rngs::StdRng;
use rusqlite::OptionalExtension;

use super::action::{adds_bag_to, any_delivery};
use super::clock::FAR;
use super::office::publishes_again;
use super::phone::Copy;
use super::server::{FaultyTransport, ServerImage};
use super::setup::code;
use super::world::{CallOutcome, World};
use crate::disk::Image;
use crate::market::ADDRESS;

/// A copy of the server's data and journal.
#[derive(Clone)]
pub struct ServerCopy {
    /// The databases.
    image: ServerImage,
    /// The journal at that time.
    journal: Vec<(PathBuf, Vec<u8>)>,
    /// Whether the server verified it, or died while it did.
    is_verified: bool,
    /// Number of device codes at that time.
    codes: usize,
    /// Farmers erased at that time, as in `World::erased`.
    erased: BTreeMap<FarmerId, bool>,
}

pub(super) fn restarts(world: &mut World, who: usize) {
    world.log(Some(who), "ends the app and starts it again");
    world.phones[who].ends();
    if world.phones[who].machine.is_dead() {
        return;
    }
    // Drawn from no random numbers, so that it changes no schedule.
    if world.phones[who].machine.points().is_multiple_of(3) {
        refuses_an_emptied_database(world, who);
    }
    starts_at_last(world, who);
}

/// An app does not start on an emptied database, at the second attempt neither.
fn refuses_an_emptied_database(world: &mut World, who: usize) {
    let phone = &world.phones[who];
    phone.machine.while_emptied(&phone.database(), || {
        for _ in 0..2 {
            let error = FieldClient::open(&phone.folder, phone.clock.environment(1)).err().expect("refused");
            assert_eq!(error.code(), ErrorCode::StorageCorrupt, "{error}");
        }
    });
    world.counts("met: an emptied database of a phone");
}

/// Starts the app, at the second attempt if the disk was full at the first.
fn starts_at_last(world: &mut World, who: usize) {
    let started = world.phones[who].starts();
    match world.observe(who, "starts the app", started) {
        CallOutcome::Done(()) | CallOutcome::Died => {}
        CallOutcome::Refused(_) => {
            world.phones[who].machine.relieve();
            world.phones[who].starts().expect("a phone that starts");
        }
    }
}

fn fold_back(path: &std::path::Path, rng: &mut StdRng) {
    let mode = ["PASSIVE", "RESTART", "TRUNCATE"][rng.random_range(0..3)];
    // A failing disk may refuse; then there is no checkpoint.
    let Ok(db) = rusqlite::Connection::open(path) else { return };
    let _ = db.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()));
}

pub(super) fn folds_back(world: &mut World, who: usize) {
    world.log(Some(who), "folds its log back");
    fold_back(&world.database(who), &mut world.rng);
}

fn jump(world: &mut World) -> i64 {
    const MINUTE: i64 = 60_000;
    let reach = [10 * MINUTE, 24 * 60 * MINUTE, 365 * 24 * 60 * MINUTE, 2 * FAR][world.rng.random_range(0..4)];
    world.rng.random_range(-reach..=reach)
}

pub(super) fn clock_jumps(world: &mut World, who: usize) {
    let by = jump(world);
    world.phones[who].clock.jump(by);
    world.log(Some(who), &format!("clock jumps by {} h", by / 3_600_000));
}

/// The network or a person sets the phone's clock right.
pub(super) fn clock_is_set_right(world: &mut World, who: usize) {
    world.phones[who].clock.is_set_right();
    world.log(Some(who), "clock is set right");
}

/// Switches the phone off and on, some hours or weeks later, or with an empty battery, after which its clock shows another year.
pub(super) fn is_switched_off(world: &mut World, who: usize) {
    world.phones[who].ends();
    if world.phones[who].machine.is_dead() {
        return;
    }
    let hours = [1, 10, 100, 1_000][world.rng.random_range(0..4)];
    world.time.fetch_add(world.rng.random_range(0..hours * 3_600_000), Ordering::Relaxed);
    let clock = Arc::clone(&world.phones[who].clock);
    clock.boots();
    let mut then = String::new();
    if world.once_in(2) {
        let (year, seconds) = [(1970, 0), (2010, 1_262_304_000), (2106, 4_291_747_200)][world.rng.random_range(0..3)];
        clock.shows(Timestamp(seconds * 1_000));
        then = format!(", until its battery is empty and its clock shows {year}");
        world.counts("met: an empty battery");
    }
    world.log(Some(who), &format!("is off for up to {hours} h{then}"));
    starts_at_last(world, who);
}

/// Upgrades the phone from a version that does not know loads: those were set aside, and are read after the upgrade.
pub(super) fn is_upgraded(world: &mut World, who: usize) {
    let machine = &world.phones[who].machine;
    if machine.is_dead() || machine.is_full() {
        return;
    }
    world.phones[who].ends();
    if world.phones[who].machine.is_dead() {
        return;
    }
    let path = world.database(who);
    let aside = sets_loads_aside(&path).unwrap_or(0);
    if world.phones[who].machine.is_dead() {
        return;
    }
    world.log(Some(who), &format!("is upgraded, {aside} loads were set aside before"));
    if aside > 0 {
        world.counts("met: a phone that read after an upgrade what it had set aside");
    }
    starts_at_last(world, who);
    if !world.phones[who].machine.is_dead() {
        world.checks_promises(who);
    }
}

/// Sets aside the loads of which all changes are in the log tail and none is in the outbox. Returns how many.
fn sets_loads_aside(path: &std::path::Path) -> rusqlite::Result<usize> {
    let mut db = rusqlite::Connection::open(path)?;
    let db = db.transaction()?;
    let mut read = BTreeMap::<DocumentId, Vec<(String, u64, Vec<u8>)>>::new();
    let mut tail = db.prepare("SELECT scope, seq, entry FROM log_tail ORDER BY scope, seq")?;
    let mut rows = tail.query([])?;
    while let Some(row) = rows.next()? {
        let entry: Vec<u8> = row.get(2)?;
        if let Ok(FrameEntry::Change { envelope, .. }) = decode(&entry)
            && envelope.kind == Kind::of::<Load>().number
        {
            read.entry(envelope.document_id).or_default().push((row.get(0)?, row.get(1)?, entry));
        }
    }
    drop(rows);
    drop(tail);
    let mut aside = 0;
    for (document, entries) in read {
        let saved = "SELECT saved FROM documents WHERE document_id = ?1
            AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.document_id = documents.document_id)";
        let saved = db.query_row(saved, [document], |row| row.get::<_, Vec<u8>>(0)).optional()?;
        let count = saved.and_then(|saved| Automerge::load(&saved).ok()).map(|saved| saved.get_changes(&[]).len());
        if count != Some(entries.len()) {
            continue;
        }
        for (scope, sequence, entry) in entries {
            let sql =
                "INSERT INTO set_aside (scope, seq, document_id, entry, reason) VALUES (?1, ?2, ?3, ?4, 'kind 2')";
            db.execute(sql, (scope, sequence, document, entry))?;
        }
        db.execute("DELETE FROM documents WHERE document_id = ?1", [document])?;
        db.execute("DELETE FROM loads WHERE load_id = ?1", [document])?;
        aside += 1;
    }
    db.commit()?;
    Ok(aside)
}

pub(super) fn server_restarts(world: &mut World, _who: usize) {
    world.log(None, "the server restarts");
    if world.server.machine.is_full() {
        world.server.machine.relieve();
    }
    world.server_reader = None;
    if !world.server.is_on_postgres()
        && world.server.start_count().is_multiple_of(3)
        && world.server.refuses_emptied_databases()
    {
        world.counts("met: an emptied database of the server");
    }
    // A planned crash may hit the stop as well as the start.
    world.server.restarts();
}

pub(super) fn server_folds_back(world: &mut World, _who: usize) {
    let Some(database) = world.server.database() else { return };
    world.log(None, "the server folds its log back");
    fold_back(&database, &mut world.rng);
}

pub(super) fn server_clock_jumps(world: &mut World, _who: usize) {
    let by = jump(world);
    world.server.clock.jump(by);
    world.log(None, &format!("the server's clock jumps by {} h", by / 3_600_000));
}

/// A new phone enrols over a faulty network until it succeeds. None comes if there are six, or if the office gives no code.
pub(super) fn enrols(world: &mut World, _who: usize) {
    if world.unwiped().len() >= 6 {
        return;
    }
    world.server.machine.relieve();
    if world.is_recovering() {
        return world.log(None, "the office hands out no code while a recovery is open");
    }
    let code = match code(&world.server.handle(), world.server.organisation, "clerk", "KOLAR") {
        Ok(code) => code,
        Err(Error::Invalid { field: "user", .. }) => return world.log(None, "a suspended clerk gets no further phone"),
        Err(error) => panic!("a code: {error:?}"),
    };
    let who = world.adds_phone("clerk", "KOLAR", &Image::default());
    world.log(Some(who), "is new");
    world.phones[who].starts().expect("a phone");
    for attempt in 0..4 {
        let plan = if attempt < 3 { world.wire_plan() } else { Vec::new() };
        if attempt < 3 {
            if world.draws_disk_fault() {
                world.plans_disk_fault(who, 60);
            }
        } else {
            world.server.machine.relieve();
            world.phones[who].machine.relieve();
            // Meanwhile a stalled request may have shown the server that it was set back.
            world.ends_recovery();
        }
        let phone = &world.phones[who];
        let wire = FaultyTransport::new(&world.server, &phone.machine, plan);
        let result = phone.client().enrol(&wire, ADDRESS, &code, "test phone");
        let is_enrolled = result.is_ok();
        let happened = format!("enrols over {:?}: {:?}", wire.happened.lock().expect("a lock"), result.err());
        drop(wire);
        world.log(Some(who), &happened);
        if world.phones[who].machine.is_dead() {
            world.restart_after_crash(who);
        }
        if is_enrolled || world.phones[who].client().session().is_some() {
            world.phones[who].machine.relieve();
            break;
        }
    }
    if !world.is_granted(who) {
        // Enrolled, but the first sync failed: any later one brings the grant.
        world.server.machine.relieve();
        world.phones[who].machine.relieve();
        world.syncs(who, Vec::new());
    }
    assert!(world.is_granted(who), "a phone that tried again is enrolled");
    world.notes_code(who);
}

/// Copies the phone's files, as they are on its disk.
pub(super) fn is_copied(world: &mut World, who: usize) {
    let phone = &world.phones[who];
    let copy = Copy { image: phone.machine.image(), drafts: phone.drafts.clone(), facts: world.facts.len() };
    world.log(Some(who), "is copied");
    world.phones[who].copies.push(copy);
}

/// Sets the phone back to an older copy. What it recorded since is lost, unless the server or another phone has it.
pub(super) fn goes_back(world: &mut World, who: usize) {
    let copies = world.phones[who].copies.clone();
    let Some(copy) = world.picks(&copies) else { return };
    world.log(Some(who), &format!("goes back to the copy after {} facts", copy.facts));
    world.notes_set_back(who);
    let phone = &mut world.phones[who];
    phone.ends();
    phone.machine.revive();
    phone.machine.put(&copy.image);
    phone.drafts = copy.drafts;
    // An older copy does not contain newer ones.
    phone.copies.retain(|other| other.facts <= copy.facts);
    for fact in world.facts.iter_mut().skip(copy.facts).filter(|fact| fact.phone == who) {
        (fact.is_forgotten, fact.is_unrecoverable) = (true, true);
    }
    // What was recorded since is a draft again; see `LEFT_OUT` for why it is not recorded twice.
    let recorded: BTreeSet<DeliveryId> = world.recorded_deliveries().into_iter().collect();
    world.phones[who].drafts.retain(|draft, _| !recorded.contains(draft));
    world.start_restored(who);
    world.notes_set_back(who);
    world.forgets_decisions(who);
    world.audit();
}

/// Adds a phone with the same files; sometimes both then change the same delivery.
pub(super) fn is_cloned(world: &mut World, who: usize) {
    if world.unwiped().len() >= 6 || world.phones[who].machine.is_dead() {
        return;
    }
    let image = world.phones[who].machine.image();
    let centre = world.centre(who).to_string();
    let role = world.phones[who].role.clone();
    let clone = world.adds_phone(&role, &centre, &image);
    world.phones[clone].wipe = world.phones[who].wipe;
    world.log(Some(clone), &format!("is a clone of phone {who}"));
    world.start_restored(clone);
    world.notes_code(who);
    world.notes_code(clone);
    if let Some(delivery) = any_delivery(world).filter(|_| world.once_in(2)) {
        adds_bag_to(world, who, delivery);
        adds_bag_to(world, clone, delivery);
    }
}

/// Copies the server's data, as they are on its disk or on PostgreSQL, and its journal.
pub(super) fn server_is_copied(world: &mut World, _who: usize) {
    world.log(None, "the server is copied");
    let (image, journal) = (world.server.copies(), world.server.journal());
    world.server_copies.push(ServerCopy {
        image,
        journal,
        is_verified: false,
        codes: world.codes.len(),
        erased: world.erased.clone(),
    });
}

/// Makes and verifies a backup of the server's data; does nothing on PostgreSQL, where backups are not made by the server.
pub(super) fn server_is_backed_up(world: &mut World, _who: usize) {
    if world.server.is_on_postgres() {
        return;
    }
    let folders = (0..).map(|number| world.root().join(format!("copy-{number}")));
    let folder = folders.into_iter().find(|folder| !folder.exists()).expect("a name");
    let (server, journal) = (world.server.handle(), world.server.journal());
    let result = server.back_up(&folder).and_then(|()| server.verify(&folder));
    drop(server);
    let is_verified = world.observe_office("backs up and verifies", result).is_some() || world.server.machine.is_dead();
    if is_verified && folder.exists() {
        let (image, codes, erased) =
            (ServerImage::Files(Image::of(&folder, "data")), world.codes.len(), world.erased.clone());
        world.server_copies.push(ServerCopy { image, journal, is_verified, codes, erased });
    }
}

/// Sets the server back to an older copy of its data, with its current journal or the copy's; never to a copy older than the second newest
/// verified one.
pub(super) fn server_goes_back(world: &mut World, _who: usize) {
    let verified = world.server_copies.iter().enumerate().filter(|(_, copy)| copy.is_verified);
    let first = verified.map(|(number, _)| number).rev().nth(1).unwrap_or(0);
    let numbers: Vec<usize> = (first..world.server_copies.len()).collect();
    let Some(number) = world.picks(&numbers) else { return };
    let copy = world.server_copies[number].clone();
    // A reason for keeping the current journal is in `LEFT_OUT`.
    let has_journal = world.once_in(2) || world.codes.len() > copy.codes;
    let with = if has_journal { "its journal" } else { "the journal of then" };
    world.log(None, &format!("the server goes back to copy {number}, with {with}"));
    world.counts(&format!("met: a server that went back with {with}"));
    (world.server_reader, world.was_set_back) = (None, true);
    if !has_journal {
        // Only phones may know of farmers erased since.
        for (farmer, is_erased) in &mut world.erased {
            *is_erased &= copy.erased.get(farmer).is_some_and(|then| *then);
        }
    }
    world.server.goes_back(&copy.image, (!has_journal).then_some(copy.journal.as_slice()));
    world.notes_lost_decisions();
    if world.once_in(2) {
        publishes_again(world);
    }
    world.audit();
}
