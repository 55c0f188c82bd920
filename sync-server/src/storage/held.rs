//! Statements about entries that are not in the log: held, rejected or deferred.

use farmtally_core::codec::{decode, encode};
use farmtally_core::store::sql::{self, Column, Insert, Row, Value, values};
use farmtally_core::units::{ChangeHash, DocumentId, ToValue};

use super::{Access, DeferredEntry, HeldEntry, PendingEntry, RejectedEntry, Transaction, WriteTransaction};
use crate::Error;

const HELD: &str =
    "bundle_hash, entry, envelope, device_cursor, schema_version, change_hash, change, code, reason, held_at_ms";
const DEFERRED: &str =
    "bundle_hash, entry, envelope, device_cursor, schema_version, change_hash, change, missing, deferred_at_ms";
const PENDING: [Column<'static>; 9] = [
    Column::blob("bundle_hash"),
    Column::int("entry"),
    Column::blob("document_id"),
    Column::blob("change_hash"),
    Column::blob("entry_hash"),
    Column::blob("envelope"),
    Column::int("device_cursor"),
    Column::int("schema_version"),
    Column::blob("change"),
];

fn pending(row: &dyn Row) -> Result<PendingEntry, sql::Error> {
    let envelope: Vec<u8> = row.get(2)?;
    Ok(PendingEntry {
        bundle: row.get(0)?,
        entry: row.get(1)?,
        envelope: decode(&envelope).map_err(|_form| sql::Error::Type { column: 2, expected: "an envelope" })?,
        device_cursor: row.get(3)?,
        schema: row.get(4)?,
        change: row.get(5)?,
        bytes: row.get(6)?,
    })
}

fn held(row: &dyn Row) -> Result<HeldEntry, sql::Error> {
    Ok(HeldEntry { entry: pending(row)?, code: row.get(7)?, reason: row.get(8)?, held_at: row.get(9)? })
}

fn deferred(row: &dyn Row) -> Result<DeferredEntry, sql::Error> {
    Ok(DeferredEntry { entry: pending(row)?, missing: row.get(7)?, deferred_at: row.get(8)? })
}

fn rejected(row: &dyn Row) -> Result<RejectedEntry, sql::Error> {
    Ok(RejectedEntry { document_id: row.get(0)?, change: row.get(1)?, device_id: row.get(2)?, reason: row.get(3)? })
}

impl<C: Access + ?Sized> Transaction<'_, C> {
    /// Returns all held entries, oldest first.
    pub fn all_held(&mut self) -> Result<Vec<HeldEntry>, Error> {
        let statement = format!("SELECT {HELD} FROM held ORDER BY held_at_ms, bundle_hash, entry");
        Ok(self.reader().query_all(&statement, &[], held)?)
    }

    /// Returns the held entries of the documents with these ids, oldest first.
    pub fn held_of(&mut self, documents: &[Value<'_>]) -> Result<Vec<HeldEntry>, Error> {
        let statement = format!(
            "SELECT {HELD} FROM keys JOIN held ON held.document_id = keys.document ORDER BY held_at_ms, bundle_hash, entry"
        );
        self.of_documents(documents, &statement, held)
    }

    /// Returns all deferred entries, oldest first.
    pub fn all_deferred(&mut self) -> Result<Vec<DeferredEntry>, Error> {
        let statement = format!("SELECT {DEFERRED} FROM deferred ORDER BY deferred_at_ms, bundle_hash, entry");
        Ok(self.reader().query_all(&statement, &[], deferred)?)
    }

    /// Returns the deferred entries of the documents with these ids, oldest first.
    pub fn deferred_of(&mut self, documents: &[Value<'_>]) -> Result<Vec<DeferredEntry>, Error> {
        let statement = format!(
            "SELECT {DEFERRED} FROM keys JOIN deferred ON deferred.document_id = keys.document
             ORDER BY deferred_at_ms, bundle_hash, entry"
        );
        self.of_documents(documents, &statement, deferred)
    }

    /// Returns the rejected changes of the documents with these ids, in no order.
    pub fn rejected_of(&mut self, documents: &[Value<'_>]) -> Result<Vec<RejectedEntry>, Error> {
        let statement = "SELECT document_id, change_hash, device_id, reason
             FROM keys JOIN rejected ON rejected.document_id = keys.document";
        self.of_documents(documents, statement, rejected)
    }

    pub(super) fn of_documents<T>(
        &mut self,
        documents: &[Value<'_>],
        statement: &str,
        read: fn(&dyn Row) -> Result<T, sql::Error>,
    ) -> Result<Vec<T>, Error> {
        Ok(self.reader().query_all_keys(&[Column::blob("document")], documents, statement, read)?)
    }
}

impl WriteTransaction<'_> {
    /// Adds held entries; one that is already held stays as it is.
    pub fn add_held(&mut self, held: &[HeldEntry]) -> Result<(), Error> {
        let columns =
            [&PENDING[..], &[Column::text("code"), Column::text("reason"), Column::int("held_at_ms")]].concat();
        let rows: Vec<Value<'_>> = held
            .iter()
            .flat_map(|it| pending_values(&it.entry).into_iter().chain(values![it.code, it.reason, it.held_at]))
            .collect();
        let into = Insert { table: "held", columns: &columns, on_conflict: "ON CONFLICT (entry_hash) DO NOTHING" };
        self.put(&into, &rows)
    }

    /// Adds deferred entries. Of one that is already deferred, it updates only the changes that it waits for.
    pub fn add_deferred(&mut self, deferred: &[DeferredEntry]) -> Result<(), Error> {
        let columns = [&PENDING[..], &[Column::blob("missing"), Column::int("deferred_at_ms")]].concat();
        let rows: Vec<Value<'_>> = deferred
            .iter()
            .flat_map(|it| pending_values(&it.entry).into_iter().chain(values![it.missing, it.deferred_at]))
            .collect();
        let on_conflict = "ON CONFLICT (entry_hash) DO UPDATE SET missing = excluded.missing";
        self.put(&Insert { table: "deferred", columns: &columns, on_conflict }, &rows)
    }

    /// Adds rejected changes; one that is already rejected keeps its reason. Does not delete held entries.
    pub fn add_rejected(&mut self, rejected: &[RejectedEntry]) -> Result<(), Error> {
        let columns = [
            Column::blob("document_id"),
            Column::blob("change_hash"),
            Column::blob("device_id"),
            Column::text("reason"),
        ];
        let rows: Vec<Value<'_>> =
            rejected.iter().flat_map(|it| values![it.document_id, it.change, it.device_id, it.reason]).collect();
        let on_conflict = "ON CONFLICT (document_id, change_hash, device_id) DO NOTHING";
        self.put(&Insert { table: "rejected", columns: &columns, on_conflict }, &rows)
    }

    /// Deletes held and deferred entries.
    pub fn remove_entries(&mut self, held: &[HeldEntry], deferred: &[DeferredEntry]) -> Result<(), Error> {
        let held = held.iter().map(|it| ("held", it.entry.hash()));
        for (table, entry) in held.chain(deferred.iter().map(|it| ("deferred", it.entry.hash()))) {
            self.run(&format!("DELETE FROM {table} WHERE entry_hash = ?1"), &values![entry])?;
        }
        Ok(())
    }

    /// Deletes the held and deferred entries of a change, of all devices.
    pub fn remove_pending(&mut self, document: DocumentId, change: ChangeHash) -> Result<(), Error> {
        for table in ["held", "deferred"] {
            let delete = format!("DELETE FROM {table} WHERE document_id = ?1 AND change_hash = ?2");
            self.run(&delete, &values![document, change])?;
        }
        Ok(())
    }
}

/// Returns the values of the [`PENDING`] columns.
fn pending_values(entry: &PendingEntry) -> [Value<'_>; 9] {
    [
        entry.bundle.to_value(),
        entry.entry.to_value(),
        entry.envelope.document_id.to_value(),
        entry.change.to_value(),
        Value::Blob(entry.hash().0.to_vec().into()),
        Value::Blob(encode(&entry.envelope).into()),
        entry.device_cursor.to_value(),
        entry.schema.to_value(),
        entry.bytes.to_value(),
    ]
}
