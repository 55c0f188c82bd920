//! Entries that are not in the log: held for a person, returned to their authors, deferred until what they wait for is there.

use farmtally_core::codec::{decode, encode};
use farmtally_core::store::sql::{self, Column, Insert, Row, Value, values};
use farmtally_core::units::{ChangeHash, DocumentId, EntryHash, ToValue};

use super::{Access, DeferredEntry, HeldEntry, PendingEntry, ReturnedEntry, Transaction, WriteTransaction};
use crate::Error;

const HELD: &str = "SELECT bundle_hash, entry, envelope, device_cursor, schema_version, change_hash, change, code, reason, held_at_ms FROM held";
const DEFERRED: &str = "SELECT bundle_hash, entry, envelope, device_cursor, schema_version, change_hash, change, missing, deferred_at_ms FROM deferred";
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
    let missing: Vec<u8> = row.get(7)?;
    Ok(DeferredEntry {
        entry: pending(row)?,
        missing: missing.as_chunks::<32>().0.iter().map(|hash| ChangeHash(*hash)).collect(),
        deferred_at: row.get(8)?,
    })
}

fn returned(row: &dyn Row) -> Result<ReturnedEntry, sql::Error> {
    Ok(ReturnedEntry { document: row.get(0)?, change: row.get(1)?, device: row.get(2)?, reason: row.get(3)? })
}

const RETURNED: &str = "SELECT document_id, change_hash, device_id, reason FROM returned";

#[expect(clippy::missing_errors_doc, reason = "said once for all methods of a transaction")]
impl<C: Access + ?Sized> Transaction<'_, C> {
    /// Returns all held entries, or those of a document, the oldest first.
    pub fn held(&mut self, document: Option<DocumentId>) -> Result<Vec<HeldEntry>, Error> {
        let order = "ORDER BY held_at_ms, bundle_hash, entry";
        Ok(match document {
            Some(document) => {
                let statement = format!("{HELD} WHERE document_id = ?1 {order}");
                self.reader().query_all(&statement, &values![document], held)?
            }
            None => self.reader().query_all(&format!("{HELD} {order}"), &[], held)?,
        })
    }

    /// Returns the held entries of some documents, the oldest first.
    pub fn held_of(&mut self, documents: &[Value<'_>]) -> Result<Vec<HeldEntry>, Error> {
        let statement =
            "SELECT bundle_hash, entry, envelope, device_cursor, schema_version, change_hash, change, code, reason, held_at_ms
             FROM keys JOIN held ON held.document_id = keys.document ORDER BY held_at_ms, bundle_hash, entry";
        self.of_documents(documents, statement, held)
    }

    /// Returns all entries that wait, or those of a document, the oldest first.
    pub fn deferred(&mut self, document: Option<DocumentId>) -> Result<Vec<DeferredEntry>, Error> {
        let order = "ORDER BY deferred_at_ms, bundle_hash, entry";
        Ok(match document {
            Some(document) => {
                let statement = format!("{DEFERRED} WHERE document_id = ?1 {order}");
                self.reader().query_all(&statement, &values![document], deferred)?
            }
            None => self.reader().query_all(&format!("{DEFERRED} {order}"), &[], deferred)?,
        })
    }

    /// Returns the entries of some documents that wait, the oldest first.
    pub fn deferred_of(&mut self, documents: &[Value<'_>]) -> Result<Vec<DeferredEntry>, Error> {
        let statement = "SELECT bundle_hash, entry, envelope, device_cursor, schema_version, change_hash, change, missing, deferred_at_ms
             FROM keys JOIN deferred ON deferred.document_id = keys.document ORDER BY deferred_at_ms, bundle_hash, entry";
        self.of_documents(documents, statement, deferred)
    }

    /// Returns a change that went back to its author, for each device that had handed it over.
    pub fn returned(&mut self, document: DocumentId, change: ChangeHash) -> Result<Vec<ReturnedEntry>, Error> {
        let statement = format!("{RETURNED} WHERE document_id = ?1 AND change_hash = ?2");
        Ok(self.reader().query_all(&statement, &values![document, change], returned)?)
    }

    /// Returns the changes of some documents that went back to their authors.
    pub fn returned_of(&mut self, documents: &[Value<'_>]) -> Result<Vec<ReturnedEntry>, Error> {
        let statement = "SELECT document_id, change_hash, device_id, reason
             FROM keys JOIN returned ON returned.document_id = keys.document";
        self.of_documents(documents, statement, returned)
    }

    pub(super) fn of_documents<T>(
        &mut self,
        documents: &[Value<'_>],
        statement: &str,
        read: fn(&dyn Row) -> Result<T, sql::Error>,
    ) -> Result<Vec<T>, Error> {
        let mut found = Vec::new();
        self.reader().query_keys(&[Column::blob("document")], documents, statement, &mut |row| {
            found.push(read(row)?);
            Ok(())
        })?;
        Ok(found)
    }
}

#[expect(clippy::missing_errors_doc, reason = "said once for all methods of a transaction")]
impl WriteTransaction<'_> {
    /// Keeps entries for a person; one that is kept already stays as it is.
    pub fn add_held(&mut self, held: &[HeldEntry]) -> Result<(), Error> {
        let columns =
            [&PENDING[..], &[Column::text("code"), Column::text("reason"), Column::int("held_at_ms")]].concat();
        let kept: Vec<Kept> = held.iter().map(|it| Kept::of(&it.entry)).collect();
        let rows: Vec<Value<'_>> = held
            .iter()
            .zip(&kept)
            .flat_map(|(it, kept)| {
                let own = values![it.code, it.reason, it.held_at];
                kept.values(&it.entry).into_iter().chain(own)
            })
            .collect();
        let into = Insert { table: "held", columns: &columns, on_conflict: "ON CONFLICT (entry_hash) DO NOTHING" };
        self.connection.insert(&into, &rows)?;
        Ok(())
    }

    /// Keeps entries that wait, or what they wait for now.
    pub fn add_deferred(&mut self, deferred: &[DeferredEntry]) -> Result<(), Error> {
        let columns = [&PENDING[..], &[Column::blob("missing"), Column::int("deferred_at_ms")]].concat();
        let kept: Vec<Kept> = deferred.iter().map(|it| Kept::of(&it.entry)).collect();
        let missing: Vec<Vec<u8>> =
            deferred.iter().map(|it| it.missing.iter().flat_map(|hash| hash.0).collect()).collect();
        let rows: Vec<Value<'_>> = deferred
            .iter()
            .zip(&kept)
            .zip(&missing)
            .flat_map(|((it, kept), missing)| {
                kept.values(&it.entry).into_iter().chain([missing.to_value(), it.deferred_at.to_value()])
            })
            .collect();
        let on_conflict = "ON CONFLICT (entry_hash) DO UPDATE SET missing = excluded.missing";
        self.connection.insert(&Insert { table: "deferred", columns: &columns, on_conflict }, &rows)?;
        Ok(())
    }

    /// Notes that changes went back to their authors.
    pub fn add_returned(&mut self, returned: &[ReturnedEntry]) -> Result<(), Error> {
        let columns = [
            Column::blob("document_id"),
            Column::blob("change_hash"),
            Column::blob("device_id"),
            Column::text("reason"),
        ];
        let rows: Vec<Value<'_>> =
            returned.iter().flat_map(|it| values![it.document, it.change, it.device, it.reason]).collect();
        let on_conflict = "ON CONFLICT (document_id, change_hash, device_id) DO NOTHING";
        self.connection.insert(&Insert { table: "returned", columns: &columns, on_conflict }, &rows)?;
        Ok(())
    }

    /// Drops held entries.
    pub fn remove_held(&mut self, entries: impl IntoIterator<Item = EntryHash>) -> Result<(), Error> {
        for entry in entries {
            self.connection.execute("DELETE FROM held WHERE entry_hash = ?1", &values![entry])?;
        }
        Ok(())
    }

    /// Drops entries that waited.
    pub fn remove_deferred(&mut self, entries: impl IntoIterator<Item = EntryHash>) -> Result<(), Error> {
        for entry in entries {
            self.connection.execute("DELETE FROM deferred WHERE entry_hash = ?1", &values![entry])?;
        }
        Ok(())
    }

    /// Drops what was held of a change, or waited, whoever handed it over.
    pub fn remove_pending(&mut self, document: DocumentId, change: ChangeHash) -> Result<(), Error> {
        for table in ["held", "deferred"] {
            let delete = format!("DELETE FROM {table} WHERE document_id = ?1 AND change_hash = ?2");
            self.connection.execute(&delete, &values![document, change])?;
        }
        Ok(())
    }
}

/// What of a pending entry is printed for its row.
struct Kept {
    hash: EntryHash,
    envelope: Vec<u8>,
}

impl Kept {
    fn of(entry: &PendingEntry) -> Self {
        Self { hash: entry.hash(), envelope: encode(&entry.envelope) }
    }

    /// The values of [`PENDING`].
    fn values<'v>(&'v self, entry: &'v PendingEntry) -> [Value<'v>; 9] {
        [
            entry.bundle.to_value(),
            entry.entry.to_value(),
            entry.envelope.document.to_value(),
            entry.change.to_value(),
            self.hash.to_value(),
            self.envelope.to_value(),
            entry.device_cursor.to_value(),
            entry.schema.to_value(),
            entry.bytes.to_value(),
        ]
    }
}
