//! The embedded backend: a control file and one file an organisation, in a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use farmtally_core::codec::{decode, encode};
use farmtally_core::decisions::{AppliedAt, Decision, DeviceOrder, Grant};
use farmtally_core::protocol::bundle::Bundle;
use farmtally_core::protocol::log::Cursor;
use farmtally_core::protocol::message::{DeviceHead, FrameEntry};
use farmtally_core::protocol::repair::Offer;
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::records::{Change, Kind, Merged};
use farmtally_core::scope::Scope;
use farmtally_core::store::decisions::{self, Raised, Reference};
use farmtally_core::store::records::{self, Stored};
use farmtally_core::store::rows::{self, DeliveryFilter, DeliveryRow, FarmerRow, LoadRow, Named, Sum};
use farmtally_core::store::sql::sqlite::SqliteWriter;
use farmtally_core::store::{self, RECORDS, Store};
use farmtally_core::units::{
    BundleHash, BusinessDate, ChainHash, ChangeHash, DeviceCode, DeviceId, DocumentId, EntryHash, FarmerId, GrantId,
    LoadId, OrganisationId, ReviewId, Timestamp, UserId,
};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};
use tokio::sync::broadcast;

use super::{
    Appended, Copied, DeferredEntry, Device, EnrolmentCode, HeldEntry, LogContent, LogEntry, NewEntry, Recovery,
    ReturnedEntry, Storage, StoredBundle, Transaction, Work,
};
use crate::Error;

/// How far device codes jump with each recovery.
const CODES_PER_RECOVERY: u32 = 10_000;

const CONTROL: &[store::Migration] = &[include_str!("control.sql")];
const ORGANISATION: &[store::Migration] = &[RECORDS, include_str!("schema.sql")];

/// Storage in a folder of SQLite files.
#[derive(Debug)]
pub struct SqliteStorage {
    folder: PathBuf,
    control: Store,
    open: Mutex<BTreeMap<OrganisationId, Arc<Opened>>>,
}

/// How many commits a listener may lag behind before it is told only the newest heads.
const WATCHED_COMMITS: usize = 256;

/// An organisation's file, and who is told of what is appended.
#[derive(Debug)]
struct Opened {
    store: Store,
    appended: broadcast::Sender<Appended>,
}

impl SqliteStorage {
    /// Opens the files in a folder, and makes them if there are none.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn open(folder: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(|error| setup(folder, &error))?;
        let control = folder.join("control.db");
        let organisations = || std::fs::read_dir(folder).into_iter().flatten().flatten();
        if !control.exists() && organisations().any(|file| file.path().extension().is_some_and(|it| it == "db")) {
            let reason = format!("{} is missing: restore it from a copy", control.display());
            return Err(Error::Setup { reason });
        }
        let control = Store::open(&control, CONTROL)?;
        Ok(Self { folder: folder.to_owned(), control, open: Mutex::default() })
    }

    fn store(&self, organisation: OrganisationId) -> Result<Arc<Opened>, Error> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = open.get(&organisation) {
            return Ok(Arc::clone(opened));
        }
        let path = self.folder.join(format!("{organisation}.db"));
        // Of one that is known its file must be there: an empty one in its place would look like an organisation without work.
        let is_known = self.organisations()?.contains(&organisation);
        let store =
            if is_known { Store::open_existing(&path, ORGANISATION)? } else { Store::open(&path, ORGANISATION)? };
        let opened = Arc::new(Opened { store, appended: broadcast::Sender::new(WATCHED_COMMITS) });
        open.insert(organisation, Arc::clone(&opened));
        Ok(opened)
    }
}

impl Storage for SqliteStorage {
    fn organisations(&self) -> Result<Vec<OrganisationId>, Error> {
        self.control.read(|db| {
            let mut statement = sql(db.prepare_cached("SELECT organisation_id FROM organisations ORDER BY 1"))?;
            let rows = sql(statement.query_map([], |row| row.get(0)))?;
            sql(rows.collect::<Result<_, _>>())
        })
    }

    fn add_organisation(&self, organisation: OrganisationId) -> Result<(), Error> {
        self.store(organisation)?;
        self.control.write(|db| {
            sql(db.execute("INSERT INTO organisations (organisation_id) VALUES (?1)", [organisation])).map(drop)
        })
    }

    fn add_route(&self, key: &[u8], organisation: OrganisationId) -> Result<(), Error> {
        let insert = "INSERT OR REPLACE INTO routes (key, organisation_id) VALUES (?1, ?2)";
        self.control.write(|db| sql(db.execute(insert, (key, organisation))).map(drop))
    }

    fn route(&self, key: &[u8]) -> Result<Option<OrganisationId>, Error> {
        self.control.read(|db| {
            let mut statement = sql(db.prepare_cached("SELECT organisation_id FROM routes WHERE key = ?1"))?;
            sql(statement.query_row([key], |row| row.get(0)).optional())
        })
    }

    fn read(&self, organisation: OrganisationId, work: Work<'_>) -> Result<(), Error> {
        self.store(organisation)?.store.read(|db| work(&mut SqliteTransaction(db, BTreeMap::new())))
    }

    fn write(&self, organisation: OrganisationId, work: Work<'_>) -> Result<(), Error> {
        let opened = self.store(organisation)?;
        let appended = opened.store.write(|db| {
            let mut transaction = SqliteTransaction(db, BTreeMap::new());
            work(&mut transaction)?;
            Ok::<_, Error>(transaction.1)
        })?;
        if !appended.is_empty() {
            // It fails only if nobody listens.
            drop(opened.appended.send(appended.into_values().collect()));
        }
        Ok(())
    }

    fn watch(&self, organisation: OrganisationId) -> Result<broadcast::Receiver<Appended>, Error> {
        Ok(self.store(organisation)?.appended.subscribe())
    }

    fn copy_to(&self, folder: &Path) -> Result<(), Error> {
        let folder = &std::path::absolute(folder).map_err(|error| setup(folder, &error))?;
        if folder.starts_with(std::path::absolute(&self.folder).map_err(|error| setup(&self.folder, &error))?) {
            return Err(Error::Setup { reason: format!("{} is within the data itself", folder.display()) });
        }
        std::fs::create_dir_all(folder).map_err(|error| setup(folder, &error))?;
        // Organisations first: a route to an organisation that is not in the copy would be worse than one that is missing.
        for organisation in self.organisations()? {
            let opened = self.store(organisation)?;
            opened.store.copy_to(&folder.join(format!("{organisation}.db")))?;
        }
        Ok(self.control.copy_to(&folder.join("control.db"))?)
    }

    fn scrub(&self, organisation: OrganisationId) -> Result<(), Error> {
        // Each try waits for readers by itself.
        for _ in 0..SCRUBS {
            if self.store(organisation)?.store.scrub()? {
                return Ok(());
            }
        }
        let reason = "the database is being read all the time: what was erased stays in its log until it is closed";
        Err(Error::Setup { reason: reason.into() })
    }
}

fn setup(path: &Path, error: &std::io::Error) -> Error {
    Error::Setup { reason: format!("{}: {error}", path.display()) }
}

/// How often a scrub is tried before a person must know of it.
const SCRUBS: u32 = 6;

/// Works every log of a copied file out again, entry by entry, and says what the copy contains.
///
/// # Errors
/// [`Error::Setup`] naming what does not come out, [`Error::Storage`].
pub fn check_copy(path: &Path, organisation: OrganisationId) -> Result<Copied, Error> {
    let wrong = |reason: String| Error::Setup { reason: format!("{}: {reason}", path.display()) };
    let db = sql(Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY))?;
    let state: String = sql(db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)))?;
    if state != "ok" {
        return Err(wrong(state));
    }
    let mut tx = SqliteTransaction(&db, BTreeMap::new());
    let mut places = Vec::new();
    for scope in tx.scopes()? {
        let mut at = Cursor::start(organisation, scope.clone());
        loop {
            let batch = tx.entries_after(&scope, at.sequence, 1_000)?;
            if batch.is_empty() {
                break;
            }
            for LogEntry { cursor, content, .. } in batch {
                at.advance(match &content {
                    LogContent::Change { hash, change: Some(change), .. }
                        if Change::hash_of_stripped(change) != *hash =>
                    {
                        return Err(wrong(format!("entry {} of {scope} is not what was logged", cursor.sequence)));
                    }
                    LogContent::Change { envelope, change: None, .. } if !tx.is_erased(envelope.document)? => {
                        return Err(wrong(format!("the bytes of entry {} of {scope} are missing", cursor.sequence)));
                    }
                    LogContent::Change { envelope, hash, .. } => EntryHash::of_change(envelope, *hash),
                    LogContent::Decision(decision) => EntryHash::of_decision(decision),
                });
                if at != cursor {
                    return Err(wrong(format!("the chain of {scope} breaks at entry {}", cursor.sequence)));
                }
            }
        }
        if tx.head(&scope)?.as_ref() != Some(&at) {
            return Err(wrong(format!("the log of {scope} ends before its head")));
        }
        places.push(at);
    }
    let lost = "SELECT count(DISTINCT document_id) FROM logged_changes
        WHERE document_id NOT IN (SELECT document_id FROM documents) AND document_id NOT IN (SELECT document_id FROM erased)";
    let lost: u64 = sql(db.query_row(lost, [], |row| row.get(0)))?;
    if lost > 0 {
        return Err(wrong(format!("{lost} documents that the logs speak of are missing")));
    }
    let devices = tx.devices()?.into_iter().map(|it| (it.device, it.head.map_or(0, |head| head.sequence))).collect();
    let made = std::fs::metadata(path).and_then(|file| file.modified()).map_err(|error| wrong(error.to_string()))?;
    let made_ms = made.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_millis());
    Ok(Copied { made_at: Timestamp(i64::try_from(made_ms).unwrap_or(0)), places, devices })
}

/// Requires that a copied `control.db` is whole and knows an organisation.
///
/// # Errors
/// [`Error::Setup`].
pub fn check_control(path: &Path, organisation: OrganisationId) -> Result<(), Error> {
    let read = || -> rusqlite::Result<bool> {
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let state: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        let knows = db.prepare("SELECT 1 FROM organisations WHERE organisation_id = ?1")?.exists([organisation])?;
        Ok(state == "ok" && knows)
    };
    if read().unwrap_or(false) {
        return Ok(());
    }
    Err(Error::Setup { reason: format!("{} is damaged, or does not know {organisation}", path.display()) })
}

fn sql<T>(result: rusqlite::Result<T>) -> Result<T, Error> {
    result.map_err(|error| Error::Storage(error.into()))
}

fn corrupt(error: impl std::fmt::Display) -> Error {
    Error::Storage(store::Error::Corrupt { reason: error.to_string() })
}

/// A connection inside a transaction, and where the logs stand to which it has appended.
struct SqliteTransaction<'a>(&'a Connection, BTreeMap<Scope, Cursor>);

impl SqliteTransaction<'_> {
    fn rows<T>(
        &self,
        query: &str,
        parameters: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        let mut statement = sql(self.0.prepare_cached(query))?;
        let rows = sql(statement.query_map(parameters, read))?;
        sql(rows.collect::<Result<_, _>>())
    }

    fn row<T>(
        &self,
        query: &str,
        parameters: impl rusqlite::Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        let mut statement = sql(self.0.prepare_cached(query))?;
        sql(statement.query_row(parameters, read).optional())
    }

    fn insert_device(&self, device: &Device, code: DeviceCode) -> Result<(), Error> {
        self.run(
            "INSERT INTO devices (device_id, device_code, public_key, user_id, model, enrolled_at_ms, seen_at_ms, head_seq,
                 ancestor_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8)",
            (
                device.device,
                code.0,
                device.public_key,
                device.user,
                &device.model,
                device.enrolled_at.0,
                device.seen_at.0,
                device.ancestor,
            ),
        )
    }

    fn run(&self, statement: &str, parameters: impl rusqlite::Params) -> Result<(), Error> {
        sql(sql(self.0.prepare_cached(statement))?.execute(parameters)).map(drop)
    }
}

const DEVICE: &str =
    "SELECT device_id, device_code, public_key, user_id, model, enrolled_at_ms, seen_at_ms, head_seq, head_hash,
    ancestor_id, wiped_at_ms FROM devices";

fn device(row: &Row<'_>) -> rusqlite::Result<Device> {
    let hash: Option<[u8; 32]> = row.get(8)?;
    let sequence = row.get(7)?;
    Ok(Device {
        device: row.get(0)?,
        code: DeviceCode(row.get(1)?),
        public_key: row.get(2)?,
        user: row.get(3)?,
        model: row.get(4)?,
        enrolled_at: Timestamp(row.get(5)?),
        seen_at: Timestamp(row.get(6)?),
        head: hash.map(|hash| DeviceHead { sequence, hash: BundleHash(hash) }),
        ancestor: row.get(9)?,
        wiped_at: row.get::<_, Option<i64>>(10)?.map(Timestamp),
    })
}

const LOG: &str = "SELECT scope, seq, chain, work, bundle_hash, entry, envelope, change_hash, body FROM log";

struct LogRow {
    cursor: Cursor,
    work: u64,
    origin: Option<([u8; 32], u32, Vec<u8>, ChangeHash)>,
    body: Option<Vec<u8>>,
}

fn log_row(row: &Row<'_>) -> rusqlite::Result<LogRow> {
    let bundle: Option<[u8; 32]> = row.get(4)?;
    Ok(LogRow {
        cursor: Cursor { scope: row.get(0)?, sequence: row.get(1)?, chain: ChainHash(row.get(2)?) },
        work: row.get(3)?,
        origin: match bundle {
            Some(bundle) => Some((bundle, row.get(5)?, row.get(6)?, row.get(7)?)),
            None => None,
        },
        body: row.get(8)?,
    })
}

fn log_entry(LogRow { cursor, work, origin, body }: LogRow) -> Result<LogEntry, Error> {
    let content = match (origin, body) {
        (Some((bundle, entry, envelope, hash)), change) => LogContent::Change {
            envelope: decode(&envelope).map_err(corrupt)?,
            hash,
            change,
            origin: (BundleHash(bundle), entry),
        },
        (None, Some(decision)) => LogContent::Decision(decision),
        (None, None) => return Err(corrupt("a decision without bytes")),
    };
    Ok(LogEntry { cursor, work, content })
}

const HELD: &str =
    "SELECT bundle_hash, entry, document_id, change_hash, entry_hash, device_id, author_id, code, reason, held_at_ms
    FROM held";

fn held(row: &Row<'_>) -> rusqlite::Result<HeldEntry> {
    Ok(HeldEntry {
        bundle: BundleHash(row.get(0)?),
        entry: row.get(1)?,
        document: row.get(2)?,
        change: row.get(3)?,
        hash: EntryHash(row.get(4)?),
        device: row.get(5)?,
        author: row.get(6)?,
        code: row.get(7)?,
        reason: row.get(8)?,
        held_at: Timestamp(row.get(9)?),
    })
}

const DEFERRED: &str =
    "SELECT bundle_hash, entry, document_id, change_hash, entry_hash, missing, deferred_at_ms FROM deferred";

fn deferred(row: &Row<'_>) -> rusqlite::Result<DeferredEntry> {
    let missing: Vec<u8> = row.get(5)?;
    Ok(DeferredEntry {
        bundle: BundleHash(row.get(0)?),
        entry: row.get(1)?,
        document: row.get(2)?,
        change: row.get(3)?,
        hash: EntryHash(row.get(4)?),
        missing: missing.as_chunks::<32>().0.iter().map(|hash| ChangeHash(*hash)).collect(),
        deferred_at: Timestamp(row.get(6)?),
    })
}

impl Transaction for SqliteTransaction<'_> {
    fn device(&mut self, id: DeviceId) -> Result<Option<Device>, Error> {
        self.row(&format!("{DEVICE} WHERE device_id = ?1"), [id], device)
    }

    fn devices(&mut self) -> Result<Vec<Device>, Error> {
        self.rows(&format!("{DEVICE} ORDER BY device_code"), [], device)
    }

    fn add_device(&mut self, device: &Device, given: u32) -> Result<DeviceCode, Error> {
        let newest: Option<u32> = self.row("SELECT max(device_code) FROM devices", [], |row| row.get(0))?.flatten();
        let recoveries: u32 =
            self.row("SELECT coalesce(max(epoch), 0) FROM recoveries", [], |row| row.get(0))?.unwrap_or(0);
        // From two characters on, so that codes look alike on receipts; far above what a lost copy may have given out.
        let floor = recoveries.saturating_mul(CODES_PER_RECOVERY).saturating_add(32);
        let code = DeviceCode(newest.unwrap_or(0).max(given).saturating_add(1).max(floor));
        self.insert_device(device, code)?;
        Ok(code)
    }

    fn set_seen(&mut self, device: DeviceId, at: Timestamp) -> Result<(), Error> {
        self.run("UPDATE devices SET seen_at_ms = ?2 WHERE device_id = ?1", (device, at.0))
    }

    fn set_head(&mut self, device: DeviceId, head: DeviceHead) -> Result<(), Error> {
        let update = "UPDATE devices SET head_seq = ?2, head_hash = ?3 WHERE device_id = ?1";
        self.run(update, (device, head.sequence, head.hash.0))
    }

    fn enrolment_code(&mut self, hash: &[u8; 32]) -> Result<Option<EnrolmentCode>, Error> {
        let row = self.row(
            "SELECT user_id, role, centres, expires_at_ms, device_id FROM enrolment_codes WHERE code_hash = ?1",
            [hash],
            |row| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?, row.get(3)?, row.get(4)?)),
        )?;
        let Some((user, role, centres, expires_at, device)) = row else { return Ok(None) };
        let centres = centres.split_whitespace().map(str::parse).collect::<Result<_, _>>().map_err(corrupt)?;
        let role = role.parse().map_err(corrupt)?;
        Ok(Some(EnrolmentCode { hash: *hash, user, role, centres, expires_at: Timestamp(expires_at), device }))
    }

    fn save_enrolment_code(&mut self, code: &EnrolmentCode) -> Result<(), Error> {
        let centres: Vec<String> = code.centres.iter().map(ToString::to_string).collect();
        self.run(
            "INSERT OR REPLACE INTO enrolment_codes (code_hash, user_id, role, centres, expires_at_ms, device_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (code.hash, code.user, code.role.name(), centres.join(" "), code.expires_at.0, code.device),
        )
    }

    fn set_wiped(&mut self, device: DeviceId, at: Timestamp) -> Result<(), Error> {
        self.run("UPDATE devices SET wiped_at_ms = coalesce(wiped_at_ms, ?2) WHERE device_id = ?1", (device, at.0))
    }

    fn bundle(&mut self, bundle: BundleHash) -> Result<Option<Vec<u8>>, Error> {
        self.row("SELECT bytes FROM bundles WHERE hash = ?1", [bundle.0], |row| row.get(0))
    }

    fn save_bundle(&mut self, bundle: &StoredBundle<'_>) -> Result<(), Error> {
        self.run(
            "INSERT INTO bundles (hash, device_id, bundle_seq, bytes, received_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (hash) DO UPDATE SET bytes = excluded.bytes",
            (bundle.hash.0, bundle.device, bundle.sequence, bundle.bytes, bundle.received_at.0),
        )
    }

    fn has_other_bundle(&mut self, device: DeviceId, sequence: u64, hash: BundleHash) -> Result<bool, Error> {
        let query = "SELECT 1 FROM bundles WHERE device_id = ?1 AND bundle_seq = ?2 AND hash <> ?3";
        Ok(self.row(query, (device, sequence, hash.0), |_| Ok(()))?.is_some())
    }

    fn add_held(&mut self, held: &HeldEntry) -> Result<(), Error> {
        self.run(
            "INSERT OR IGNORE INTO held (bundle_hash, entry, document_id, change_hash, entry_hash, device_id, author_id, code, reason,
                 held_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            (
                held.bundle.0,
                held.entry,
                held.document,
                held.change,
                held.hash.0,
                held.device,
                held.author,
                &held.code,
                &held.reason,
                held.held_at.0,
            ),
        )
    }

    fn held_entry(&mut self, entry: EntryHash) -> Result<Option<HeldEntry>, Error> {
        self.row(&format!("{HELD} WHERE entry_hash = ?1"), [entry.0], held)
    }

    fn held(&mut self, document: Option<DocumentId>) -> Result<Vec<HeldEntry>, Error> {
        let order = "ORDER BY held_at_ms, bundle_hash, entry";
        match document {
            Some(document) => self.rows(&format!("{HELD} WHERE document_id = ?1 {order}"), [document], held),
            None => self.rows(&format!("{HELD} {order}"), [], held),
        }
    }

    fn remove_held(&mut self, document: DocumentId, change: ChangeHash) -> Result<(), Error> {
        self.run("DELETE FROM held WHERE document_id = ?1 AND change_hash = ?2", (document, change))
    }

    fn add_returned(&mut self, returned: &ReturnedEntry) -> Result<(), Error> {
        let ReturnedEntry { document, change, device, reason, returned_at } = returned;
        self.run(
            "INSERT OR IGNORE INTO returned (document_id, change_hash, device_id, reason, returned_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            (document, change, device, reason, returned_at.0),
        )
    }

    fn returned(&mut self, document: DocumentId, change: ChangeHash) -> Result<Vec<ReturnedEntry>, Error> {
        let query =
            "SELECT device_id, reason, returned_at_ms FROM returned WHERE document_id = ?1 AND change_hash = ?2";
        self.rows(query, (document, change), |row| {
            let (device, reason, returned_at) = (row.get(0)?, row.get(1)?, Timestamp(row.get(2)?));
            Ok(ReturnedEntry { document, change, device, reason, returned_at })
        })
    }

    fn add_deferred(&mut self, deferred: &DeferredEntry) -> Result<(), Error> {
        let missing: Vec<u8> = deferred.missing.iter().flat_map(|hash| hash.0).collect();
        self.run(
            "INSERT INTO deferred (document_id, change_hash, bundle_hash, entry, entry_hash, missing, deferred_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (entry_hash) DO UPDATE SET missing = excluded.missing",
            (
                deferred.document,
                deferred.change,
                deferred.bundle.0,
                deferred.entry,
                deferred.hash.0,
                missing,
                deferred.deferred_at.0,
            ),
        )
    }

    fn deferred(&mut self, document: Option<DocumentId>) -> Result<Vec<DeferredEntry>, Error> {
        let order = "ORDER BY deferred_at_ms, bundle_hash, entry";
        match document {
            Some(document) => self.rows(&format!("{DEFERRED} WHERE document_id = ?1 {order}"), [document], deferred),
            None => self.rows(&format!("{DEFERRED} {order}"), [], deferred),
        }
    }

    fn remove_deferred(&mut self, document: DocumentId, change: ChangeHash) -> Result<(), Error> {
        self.run("DELETE FROM deferred WHERE document_id = ?1 AND change_hash = ?2", (document, change))
    }

    fn save_backup(&mut self, copy: [u8; 16], copied: &Copied, verified_at: Timestamp) -> Result<(), Error> {
        self.run(
            "INSERT OR REPLACE INTO backups (made_at_ms, copy_id, verified_at_ms, content) VALUES (?1, ?2, ?3, ?4)",
            (copied.made_at.0, copy, verified_at.0, encode(&(copied.places.clone(), copied.devices.clone()))),
        )
    }

    fn backups(&mut self, limit: usize) -> Result<Vec<Copied>, Error> {
        let query = "SELECT made_at_ms, content FROM backups ORDER BY made_at_ms DESC LIMIT ?1";
        let rows = self.rows(query, [limit], |row| Ok((Timestamp(row.get(0)?), row.get::<_, Vec<u8>>(1)?)))?;
        let copied = |(made_at, content): (Timestamp, Vec<u8>)| {
            let (places, devices) = decode(&content).map_err(corrupt)?;
            Ok(Copied { made_at, places, devices })
        };
        rows.into_iter().map(copied).collect()
    }

    fn recovery(&mut self) -> Result<Option<Recovery>, Error> {
        let query = "SELECT epoch, reason, started_at_ms, ended_at_ms FROM recoveries ORDER BY epoch DESC LIMIT 1";
        self.row(query, [], |row| {
            Ok(Recovery {
                epoch: row.get(0)?,
                reason: row.get(1)?,
                started_at: Timestamp(row.get(2)?),
                ended_at: row.get::<_, Option<i64>>(3)?.map(Timestamp),
            })
        })
    }

    fn save_recovery(&mut self, recovery: &Recovery) -> Result<(), Error> {
        self.run(
            "INSERT OR REPLACE INTO recoveries (epoch, reason, started_at_ms, ended_at_ms) VALUES (?1, ?2, ?3, ?4)",
            (recovery.epoch, &recovery.reason, recovery.started_at.0, recovery.ended_at.map(|at| at.0)),
        )
    }

    fn readmit_device(&mut self, device: &Device) -> Result<(), Error> {
        self.insert_device(device, device.code)
    }

    fn stage(&mut self, device: DeviceId, offer: &Offer) -> Result<(), Error> {
        let follows = "SELECT 1 FROM staged WHERE device_id = ?1 AND scope = ?2 AND seq = ?3";
        if self.row(follows, (device, &offer.scope, offer.after), |_| Ok(()))?.is_none() {
            self.clear_stage(device, &offer.scope)?;
        }
        for (sequence, entry) in (offer.after + 1..).zip(&offer.entries) {
            let insert = "INSERT OR REPLACE INTO staged (device_id, scope, seq, entry) VALUES (?1, ?2, ?3, ?4)";
            self.run(insert, (device, &offer.scope, sequence, encode(entry)))?;
        }
        Ok(())
    }

    fn staged(&mut self, device: DeviceId, scope: &Scope) -> Result<(u64, Vec<FrameEntry>), Error> {
        let query = "SELECT seq, entry FROM staged WHERE device_id = ?1 AND scope = ?2 ORDER BY seq";
        let rows = self.rows(query, (device, scope), |row| Ok((row.get::<_, u64>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
        let after = rows.first().map_or(0, |(sequence, _)| sequence - 1);
        let entries = rows.iter().map(|(_, entry)| decode(entry).map_err(corrupt)).collect::<Result<_, _>>()?;
        Ok((after, entries))
    }

    fn clear_stage(&mut self, device: DeviceId, scope: &Scope) -> Result<(), Error> {
        self.run("DELETE FROM staged WHERE device_id = ?1 AND scope = ?2", (device, scope))
    }

    fn appended(&mut self) -> Vec<Cursor> {
        self.1.values().cloned().collect()
    }

    fn head(&mut self, scope: &Scope) -> Result<Option<Cursor>, Error> {
        self.row("SELECT seq, chain FROM scopes WHERE scope = ?1", [scope], |row| {
            Ok(Cursor { scope: scope.clone(), sequence: row.get(0)?, chain: ChainHash(row.get(1)?) })
        })
    }

    fn scopes(&mut self) -> Result<Vec<Scope>, Error> {
        self.rows("SELECT scope FROM scopes ORDER BY scope", [], |row| row.get(0))
    }

    fn append(
        &mut self,
        organisation: OrganisationId,
        scope: &Scope,
        work: u64,
        entry: &NewEntry<'_>,
    ) -> Result<Cursor, Error> {
        let head = match self.1.get(scope) {
            Some(head) => Some(head.clone()),
            None => self.head(scope)?,
        };
        let mut cursor = head.unwrap_or_else(|| Cursor::start(organisation, scope.clone()));
        let (body, change) = match entry {
            NewEntry::Change { envelope, change, origin } => {
                cursor.advance(EntryHash::of_change(envelope, change.hash()));
                self.run(
                    "INSERT INTO logged_changes (document_id, change_hash, scope, seq) VALUES (?1, ?2, ?3, ?4)",
                    (envelope.document, change.hash(), scope, cursor.sequence),
                )?;
                (Some(change.stripped()), Some((*origin, encode(*envelope), change.hash())))
            }
            NewEntry::Erased { envelope, change } => {
                cursor.advance(EntryHash::of_change(envelope, *change));
                self.run(
                    "INSERT INTO logged_changes (document_id, change_hash, scope, seq) VALUES (?1, ?2, ?3, ?4)",
                    (envelope.document, change, scope, cursor.sequence),
                )?;
                (None, Some(((BundleHash([0; 32]), 0), encode(*envelope), *change)))
            }
            NewEntry::Decision(decision) => {
                cursor.advance(EntryHash::of_decision(decision));
                (Some(*decision), None)
            }
        };
        self.run(
            "INSERT INTO log (scope, seq, chain, work, bundle_hash, entry, envelope, change_hash, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            (
                scope,
                cursor.sequence,
                cursor.chain.0,
                work,
                change.as_ref().map(|((bundle, _), ..)| bundle.0),
                change.as_ref().map(|((_, entry), ..)| entry),
                change.as_ref().map(|(_, envelope, _)| envelope),
                change.as_ref().map(|(.., hash)| hash),
                body,
            ),
        )?;
        self.run(
            "INSERT INTO scopes (scope, seq, chain) VALUES (?1, ?2, ?3)
             ON CONFLICT (scope) DO UPDATE SET seq = excluded.seq, chain = excluded.chain",
            (scope, cursor.sequence, cursor.chain.0),
        )?;
        self.1.insert(scope.clone(), cursor.clone());
        Ok(cursor)
    }

    fn next_work(&mut self) -> Result<u64, Error> {
        // All scopes' sequences together rise with every entry.
        let sum: Option<u64> = self.row("SELECT coalesce(sum(seq), 0) FROM scopes", [], |row| row.get(0))?;
        Ok(sum.unwrap_or(0))
    }

    fn entry(&mut self, scope: &Scope, sequence: u64) -> Result<Option<LogEntry>, Error> {
        let row = self.row(&format!("{LOG} WHERE scope = ?1 AND seq = ?2"), (scope, sequence), log_row)?;
        row.map(log_entry).transpose()
    }

    fn entries_after(&mut self, scope: &Scope, sequence: u64, limit: u32) -> Result<Vec<LogEntry>, Error> {
        let query = format!("{LOG} WHERE scope = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3");
        self.rows(&query, (scope, sequence, limit), log_row)?.into_iter().map(log_entry).collect()
    }

    fn decisions_after(&mut self, scope: &Scope, sequence: u64, limit: u32) -> Result<Vec<(u64, Vec<u8>)>, Error> {
        let query =
            "SELECT seq, body FROM log WHERE scope = ?1 AND seq > ?2 AND envelope IS NULL ORDER BY seq LIMIT ?3";
        self.rows(query, (scope, sequence, limit), |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn place_of(&mut self, document: DocumentId, change: ChangeHash) -> Result<Option<(Scope, u64)>, Error> {
        let query = "SELECT scope, seq FROM logged_changes WHERE document_id = ?1 AND change_hash = ?2";
        self.row(query, (document, change), |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn document(&mut self, document: DocumentId) -> Result<Option<Stored>, Error> {
        Ok(records::find(&mut SqliteWriter::new(self.0), document)?)
    }

    fn save_document(&mut self, scope: &Scope, kind: Kind, document: DocumentId, merged: &Merged) -> Result<(), Error> {
        Ok(records::save(&mut SqliteWriter::new(self.0), scope, kind, document, merged)?)
    }

    fn standing(&mut self, decision: &Decision) -> Result<Option<(Decision, u64)>, Error> {
        Ok(decisions::standing(&mut SqliteWriter::new(self.0), decision)?)
    }

    fn staged_bytes(&mut self, device: DeviceId) -> Result<u64, Error> {
        let query = "SELECT coalesce(sum(length(entry)), 0) FROM staged WHERE device_id = ?1";
        Ok(self.row(query, [device], |row| row.get(0))?.unwrap_or(0))
    }

    fn heads(&mut self) -> Result<Vec<Cursor>, Error> {
        self.rows("SELECT scope, seq, chain FROM scopes ORDER BY scope", [], |row| {
            Ok(Cursor { scope: row.get(0)?, sequence: row.get(1)?, chain: ChainHash(row.get(2)?) })
        })
    }

    fn clear_stages(&mut self) -> Result<(), Error> {
        self.run("DELETE FROM staged", [])
    }

    fn erase(&mut self, document: DocumentId, at: Timestamp) -> Result<(), Error> {
        // All of them: a clone may have handed the same change over in a bundle of its own.
        for hash in self.rows("SELECT hash FROM bundles", [], |row| row.get::<_, [u8; 32]>(0))? {
            let Some(bytes) = self.bundle(BundleHash(hash))? else { continue };
            let mut bundle = Bundle::parse(&bytes).map_err(corrupt)?;
            if bundle.erase(document) {
                self.run("UPDATE bundles SET bytes = ?2 WHERE hash = ?1", (hash, bundle.to_bytes()))?;
            }
        }
        let places = "(SELECT scope, seq FROM logged_changes WHERE document_id = ?1)";
        self.run(&format!("UPDATE log SET body = NULL WHERE (scope, seq) IN {places}"), [document])?;
        self.run("DELETE FROM held WHERE document_id = ?1", [document])?;
        self.run("DELETE FROM deferred WHERE document_id = ?1", [document])?;
        // Pieces of an offer may hold it too; the device offers them again.
        self.clear_stages()?;
        Ok(records::erase(&mut SqliteWriter::new(self.0), document, at)?)
    }

    fn is_erased(&mut self, document: DocumentId) -> Result<bool, Error> {
        Ok(records::is_erased(&mut SqliteWriter::new(self.0), document)?)
    }

    fn apply_decision(&mut self, scope: &Scope, sequence: u64, decision: &Decision) -> Result<(), Error> {
        let Ok((envelope, content)) = decision.read() else {
            let insert =
                "INSERT INTO deferred_decisions (scope, seq) VALUES (?1, ?2) ON CONFLICT (scope, seq) DO NOTHING";
            return self.run(insert, (scope, sequence));
        };
        let at = AppliedAt { scope, sequence, envelope: &envelope };
        decisions::project(&mut SqliteWriter::new(self.0), &at, decision, &content)?;
        self.run("DELETE FROM deferred_decisions WHERE scope = ?1 AND seq = ?2", (scope, sequence))
    }

    fn deferred_decisions(&mut self) -> Result<Vec<(Scope, u64)>, Error> {
        let query = "SELECT scope, seq FROM deferred_decisions ORDER BY scope, seq";
        self.rows(query, [], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn contacts_of(&mut self, farmer: FarmerId) -> Result<Vec<DocumentId>, Error> {
        self.rows("SELECT contact_id FROM contacts WHERE farmer_id = ?1 ORDER BY 1", [farmer], |row| row.get(0))
    }

    fn has_grant(&mut self, user: UserId, device: DeviceId) -> Result<bool, Error> {
        Ok(decisions::has_grant(&mut SqliteWriter::new(self.0), user, device)?)
    }

    fn ended_at(&mut self, grant: &Grant) -> Result<Option<u64>, Error> {
        Ok(decisions::ended_at(&mut SqliteWriter::new(self.0), grant)?)
    }

    fn order(&mut self, device: DeviceId) -> Result<Option<DeviceOrder>, Error> {
        Ok(decisions::order(&mut SqliteWriter::new(self.0), device)?)
    }

    fn grants_of(&mut self, device: DeviceId) -> Result<Vec<Grant>, Error> {
        Ok(decisions::grants_of(&mut SqliteWriter::new(self.0), device)?)
    }

    fn grant(&mut self, grant: GrantId) -> Result<Option<Grant>, Error> {
        Ok(decisions::grant(&mut SqliteWriter::new(self.0), grant)?)
    }

    fn suspended_on(&mut self, device: DeviceId) -> Result<Vec<UserId>, Error> {
        Ok(decisions::suspended_on(&mut SqliteWriter::new(self.0), device)?)
    }

    fn reference(&mut self) -> Result<Reference, Error> {
        Ok(Reference::load(&mut SqliteWriter::new(self.0))?)
    }

    fn has_review(&mut self, review: ReviewId) -> Result<bool, Error> {
        Ok(decisions::has_review(&mut SqliteWriter::new(self.0), review)?)
    }

    fn reviews(&mut self) -> Result<Vec<Raised>, Error> {
        Ok(decisions::reviews(&mut SqliteWriter::new(self.0))?)
    }

    fn latest_day(&mut self) -> Result<Option<BusinessDate>, Error> {
        let scopes = self.scopes()?;
        Ok(rows::latest_day(&mut SqliteWriter::new(self.0), &scopes)?)
    }

    fn scopes_on(&mut self, date: BusinessDate) -> Result<Vec<Scope>, Error> {
        let scopes = self.scopes()?;
        Ok(rows::scopes_on(&mut SqliteWriter::new(self.0), &scopes, date)?)
    }

    fn day_sum(&mut self, scope: &Scope, date: BusinessDate) -> Result<Sum, Error> {
        Ok(rows::day_sum(&mut SqliteWriter::new(self.0), scope, date)?)
    }

    fn load(&mut self, load: LoadId) -> Result<Option<LoadRow>, Error> {
        Ok(rows::load_row(&mut SqliteWriter::new(self.0), load)?)
    }

    fn load_sum(&mut self, load: LoadId) -> Result<Sum, Error> {
        Ok(rows::load_sum(&mut SqliteWriter::new(self.0), load)?)
    }

    fn loads(&mut self, scope: &Scope, date: BusinessDate) -> Result<Vec<LoadRow>, Error> {
        Ok(rows::loads(&mut SqliteWriter::new(self.0), scope, date)?)
    }

    fn deliveries(&mut self, scope: &Scope, date: BusinessDate, limit: u32) -> Result<Vec<DeliveryRow>, Error> {
        let filter = DeliveryFilter { scope: Some(scope.clone()), date: Some(date), ..DeliveryFilter::default() };
        Ok(rows::deliveries(&mut SqliteWriter::new(self.0), &filter, limit)?)
    }

    fn deliveries_on(&mut self, load: LoadId) -> Result<Vec<DeliveryRow>, Error> {
        let filter = DeliveryFilter { load_id: Some(load), ..DeliveryFilter::default() };
        Ok(rows::deliveries(&mut SqliteWriter::new(self.0), &filter, u32::MAX)?)
    }

    fn find(&mut self, text: &str, limit: u32) -> Result<Vec<Named>, Error> {
        let scopes = self.scopes()?;
        Ok(rows::find(&mut SqliteWriter::new(self.0), &scopes, text, limit)?)
    }

    fn farmer(&mut self, farmer: FarmerId) -> Result<Option<FarmerRow>, Error> {
        Ok(rows::farmer_row(&mut SqliteWriter::new(self.0), farmer)?)
    }

    fn look_alike_candidates(
        &mut self,
        scope: &Scope,
        details: &ContactDetails,
    ) -> Result<Vec<(FarmerId, ContactDetails)>, Error> {
        Ok(rows::look_alike_candidates(&mut SqliteWriter::new(self.0), scope, details)?)
    }
}
