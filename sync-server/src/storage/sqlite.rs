//! The embedded backend: a control file and one file an organisation, in a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use farmtally_core::codec::{decode, encode};
use farmtally_core::decisions::{Decision, Grant, Review};
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::records::{ChangeHash, Kind, Merged};
use farmtally_core::scope::Scope;
use farmtally_core::store::decisions::{self, Reference};
use farmtally_core::store::records::{self, Stored};
use farmtally_core::store::rows::{self, DeliveryFilter, DeliveryRow, FarmerRow, LoadRow, Sum};
use farmtally_core::store::{self, RECORDS, Store};
use farmtally_core::sync::bundle::BundleHash;
use farmtally_core::sync::log::{ChainHash, Cursor, EntryHash};
use farmtally_core::sync::message::{DeviceHead, VerdictRun};
use farmtally_core::units::{
    BusinessDate, DeviceCode, DeviceId, DocumentId, FarmerId, GrantId, LoadId, OrganisationId, ReviewId, Timestamp,
};
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::{
    Device, EnrolmentCode, HeldEntry, LogContent, LogEntry, NewEntry, Storage, StoredBundle, Transaction, Work,
};
use crate::Error;

const CONTROL: &[store::Migration] = &[include_str!("control.sql")];
const ORGANISATION: &[store::Migration] = &[RECORDS, include_str!("schema.sql")];

/// Storage in a folder of SQLite files.
#[derive(Debug)]
pub struct SqliteStorage {
    folder: PathBuf,
    control: Store,
    open: Mutex<BTreeMap<OrganisationId, Arc<Store>>>,
}

impl SqliteStorage {
    /// Opens the files in a folder, and makes them if there are none.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn open(folder: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(folder)
            .map_err(|error| Error::Setup { reason: format!("the data folder: {error}") })?;
        let control = Store::open(&folder.join("control.db"), CONTROL)?;
        Ok(Self { folder: folder.to_owned(), control, open: Mutex::default() })
    }

    fn store(&self, organisation: OrganisationId) -> Result<Arc<Store>, Error> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = open.get(&organisation) {
            return Ok(Arc::clone(store));
        }
        let path = self.folder.join(format!("{organisation}.db"));
        let store = Arc::new(Store::open(&path, ORGANISATION)?);
        open.insert(organisation, Arc::clone(&store));
        Ok(store)
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
        self.store(organisation)?.read(|db| work(&mut SqliteTransaction(db)))
    }

    fn write(&self, organisation: OrganisationId, work: Work<'_>) -> Result<(), Error> {
        self.store(organisation)?.write(|db| work(&mut SqliteTransaction(db)))
    }
}

fn sql<T>(result: rusqlite::Result<T>) -> Result<T, Error> {
    result.map_err(|error| Error::Storage(error.into()))
}

fn corrupt(error: impl std::fmt::Display) -> Error {
    Error::Storage(store::Error::Corrupt { reason: error.to_string() })
}

struct SqliteTransaction<'a>(&'a Connection);

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

    fn run(&self, statement: &str, parameters: impl rusqlite::Params) -> Result<(), Error> {
        sql(sql(self.0.prepare_cached(statement))?.execute(parameters)).map(drop)
    }
}

const DEVICE: &str = "SELECT device_id, device_code, public_key, user_id, model, enrolled_at_ms, seen_at_ms, head_seq, head_hash FROM devices";

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
    })
}

const LOG: &str = "SELECT scope, seq, chain, work, bundle_hash, entry, envelope, body FROM log";

type LogRow = (Cursor, u64, Option<([u8; 32], u32, Vec<u8>)>, Vec<u8>);

fn log_row(row: &Row<'_>) -> rusqlite::Result<LogRow> {
    let cursor = Cursor { scope: row.get(0)?, sequence: row.get(1)?, chain: ChainHash(row.get(2)?) };
    let origin: Option<[u8; 32]> = row.get(4)?;
    let origin = match origin {
        Some(bundle) => Some((bundle, row.get(5)?, row.get(6)?)),
        None => None,
    };
    Ok((cursor, row.get(3)?, origin, row.get(7)?))
}

fn log_entry((cursor, work, origin, body): LogRow) -> Result<LogEntry, Error> {
    let content = match origin {
        Some((bundle, entry, envelope)) => LogContent::Change {
            envelope: decode(&envelope).map_err(corrupt)?,
            change: body,
            origin: (BundleHash(bundle), entry),
        },
        None => LogContent::Decision(body),
    };
    Ok(LogEntry { cursor, work, content })
}

impl Transaction for SqliteTransaction<'_> {
    fn device(&mut self, id: DeviceId) -> Result<Option<Device>, Error> {
        self.row(&format!("{DEVICE} WHERE device_id = ?1"), [id], device)
    }

    fn devices(&mut self) -> Result<Vec<Device>, Error> {
        self.rows(&format!("{DEVICE} ORDER BY device_code"), [], device)
    }

    fn add_device(&mut self, device: &Device) -> Result<DeviceCode, Error> {
        let newest: Option<u32> = self.row("SELECT max(device_code) FROM devices", [], |row| row.get(0))?.flatten();
        // From two characters on, so that codes look alike on receipts.
        let code = DeviceCode(newest.map_or(32, |newest| newest + 1));
        self.run(
            "INSERT INTO devices (device_id, device_code, public_key, user_id, model, enrolled_at_ms, seen_at_ms, head_seq)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)",
            (device.device, code.0, device.public_key, device.user, &device.model, device.enrolled_at.0, device.seen_at.0),
        )?;
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

    fn verdicts(&mut self, bundle: BundleHash) -> Result<Option<Vec<VerdictRun>>, Error> {
        let bytes: Option<Vec<u8>> =
            self.row("SELECT verdicts FROM bundles WHERE hash = ?1", [bundle.0], |row| row.get(0))?;
        bytes.map(|bytes| decode(&bytes).map_err(corrupt)).transpose()
    }

    fn save_bundle(&mut self, bundle: &StoredBundle<'_>) -> Result<(), Error> {
        self.run(
            "INSERT INTO bundles (hash, device_id, bundle_seq, bytes, verdicts, received_at_ms)
             VALUES (:hash, :device, :sequence, :bytes, :verdicts, :received_at)
             ON CONFLICT (hash) DO UPDATE SET verdicts = excluded.verdicts",
            named_params! {
                ":hash": bundle.hash.0,
                ":device": bundle.device,
                ":sequence": bundle.sequence,
                ":bytes": bundle.bytes,
                ":verdicts": encode(&bundle.verdicts.to_vec()),
                ":received_at": bundle.received_at.0,
            },
        )
    }

    fn has_other_bundle(&mut self, device: DeviceId, sequence: u64, hash: BundleHash) -> Result<bool, Error> {
        let query = "SELECT 1 FROM bundles WHERE device_id = ?1 AND bundle_seq = ?2 AND hash <> ?3";
        Ok(self.row(query, (device, sequence, hash.0), |_| Ok(()))?.is_some())
    }

    fn add_held(&mut self, held: &HeldEntry) -> Result<(), Error> {
        self.run(
            "INSERT OR IGNORE INTO held (bundle_hash, entry, document_id, code, reason, held_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (held.bundle.0, held.entry, held.document, &held.code, &held.reason, held.held_at.0),
        )
    }

    fn held(&mut self) -> Result<Vec<HeldEntry>, Error> {
        let query = "SELECT bundle_hash, entry, document_id, code, reason, held_at_ms FROM held ORDER BY held_at_ms";
        self.rows(query, [], |row| {
            Ok(HeldEntry {
                bundle: BundleHash(row.get(0)?),
                entry: row.get(1)?,
                document: row.get(2)?,
                code: row.get(3)?,
                reason: row.get(4)?,
                held_at: Timestamp(row.get(5)?),
            })
        })
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
        let mut cursor = self.head(scope)?.unwrap_or_else(|| Cursor::start(organisation, scope.clone()));
        let (body, origin, envelope) = match entry {
            NewEntry::Change { envelope, change, origin } => {
                cursor.advance(EntryHash::of_change(envelope, change.hash()));
                self.run(
                    "INSERT INTO logged_changes (document_id, change_hash, scope, seq) VALUES (?1, ?2, ?3, ?4)",
                    (envelope.document, change.hash(), scope, cursor.sequence),
                )?;
                (change.stripped(), Some(*origin), Some(encode(*envelope)))
            }
            NewEntry::Decision(decision) => {
                cursor.advance(EntryHash::of_decision(decision));
                (*decision, None, None)
            }
        };
        self.run(
            "INSERT INTO log (scope, seq, chain, work, bundle_hash, entry, envelope, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            (
                scope,
                cursor.sequence,
                cursor.chain.0,
                work,
                origin.map(|(bundle, _)| bundle.0),
                origin.map(|(_, entry)| entry),
                envelope,
                body,
            ),
        )?;
        self.run(
            "INSERT INTO scopes (scope, seq, chain) VALUES (?1, ?2, ?3)
             ON CONFLICT (scope) DO UPDATE SET seq = excluded.seq, chain = excluded.chain",
            (scope, cursor.sequence, cursor.chain.0),
        )?;
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

    fn place_of(&mut self, document: DocumentId, change: ChangeHash) -> Result<Option<(Scope, u64)>, Error> {
        let query = "SELECT scope, seq FROM logged_changes WHERE document_id = ?1 AND change_hash = ?2";
        self.row(query, (document, change), |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn document(&mut self, document: DocumentId) -> Result<Option<Stored>, Error> {
        Ok(records::find(self.0, document)?)
    }

    fn save_document(&mut self, scope: &Scope, kind: Kind, document: DocumentId, merged: &Merged) -> Result<(), Error> {
        Ok(records::save(self.0, scope, kind, document, merged)?)
    }

    fn apply_decision(&mut self, decision: &Decision) -> Result<(), Error> {
        Ok(decisions::apply(self.0, decision)?)
    }

    fn grant(&mut self, grant: GrantId) -> Result<Option<Grant>, Error> {
        Ok(decisions::grant(self.0, grant)?)
    }

    fn reference(&mut self) -> Result<Reference, Error> {
        Ok(Reference::load(self.0)?)
    }

    fn has_review(&mut self, review: ReviewId) -> Result<bool, Error> {
        Ok(decisions::has_review(self.0, review)?)
    }

    fn reviews(&mut self) -> Result<Vec<Review>, Error> {
        Ok(decisions::reviews(self.0)?)
    }

    fn latest_day(&mut self) -> Result<Option<BusinessDate>, Error> {
        Ok(rows::latest_day(self.0)?)
    }

    fn scopes_on(&mut self, date: BusinessDate) -> Result<Vec<Scope>, Error> {
        Ok(rows::scopes_on(self.0, date)?)
    }

    fn day_sum(&mut self, scope: &Scope, date: BusinessDate) -> Result<Sum, Error> {
        Ok(rows::day_sum(self.0, scope, date)?)
    }

    fn load_sum(&mut self, load: LoadId) -> Result<Sum, Error> {
        Ok(rows::load_sum(self.0, load)?)
    }

    fn loads(&mut self, scope: &Scope, date: BusinessDate) -> Result<Vec<LoadRow>, Error> {
        Ok(rows::loads(self.0, scope, date)?)
    }

    fn deliveries(&mut self, scope: &Scope, date: BusinessDate, limit: u32) -> Result<Vec<DeliveryRow>, Error> {
        let filter = DeliveryFilter { scope: Some(scope.clone()), date: Some(date), ..DeliveryFilter::default() };
        Ok(rows::deliveries(self.0, &filter, limit)?)
    }

    fn deliveries_on(&mut self, load: LoadId) -> Result<Vec<DeliveryRow>, Error> {
        let filter = DeliveryFilter { load_id: Some(load), ..DeliveryFilter::default() };
        Ok(rows::deliveries(self.0, &filter, u32::MAX)?)
    }

    fn farmer(&mut self, farmer: FarmerId) -> Result<Option<FarmerRow>, Error> {
        Ok(rows::farmer_row(self.0, farmer)?)
    }

    fn look_alike_candidates(
        &mut self,
        scope: &Scope,
        details: &ContactDetails,
    ) -> Result<Vec<(FarmerId, ContactDetails)>, Error> {
        Ok(rows::look_alike_candidates(self.0, scope, details)?)
    }
}
