//! Statements about bundles, and about the logs of scopes.

use std::collections::{BTreeMap, BTreeSet};

use farmtally_core::codec::{decode, encode};
use farmtally_core::permission::Visibility;
use farmtally_core::protocol::log::Cursor;
use farmtally_core::scope::Scope;
use farmtally_core::store::sql::{self, Column, Insert, Row, Value, values};
use farmtally_core::units::{BundleHash, ChangeHash, DeviceId, DocumentId, ToValue};

use super::{Access, LogContent, LogEntry, LogPosition, Transaction, WriteTransaction};
use crate::Error;

const LOG: &str = "SELECT scope, seq, chain, commit_id, bundle_hash, entry, envelope, change_hash, body FROM log";

fn cursor(row: &dyn Row) -> Result<Cursor, sql::Error> {
    Ok(Cursor { scope: row.get(0)?, sequence: row.get(1)?, chain: row.get(2)? })
}

fn log_entry(row: &dyn Row) -> Result<LogEntry, sql::Error> {
    let content = match row.get::<Option<BundleHash>>(4)? {
        Some(bundle) => {
            let envelope: Vec<u8> = row.get(6)?;
            LogContent::Change {
                envelope: decode(&envelope).map_err(|_form| sql::Error::Type { column: 6, expected: "an envelope" })?,
                hash: row.get(7)?,
                change: row.get(8)?,
                origin: (bundle, row.get(5)?),
            }
        }
        None => LogContent::Decision(row.get(8)?),
    };
    Ok(LogEntry { cursor: cursor(row)?, commit_id: row.get(3)?, content })
}

impl<C: Access + ?Sized> Transaction<'_, C> {
    /// Returns whether a bundle with this hash is stored.
    pub fn has_bundle(&mut self, bundle: BundleHash) -> Result<bool, Error> {
        Ok(self.reader().exists("SELECT 1 FROM bundles WHERE hash = ?1", &values![bundle])?)
    }

    /// Returns whether a bundle of the device with this number and another hash is stored: a fork.
    pub fn has_other_bundle(&mut self, device: DeviceId, sequence: u64, hash: BundleHash) -> Result<bool, Error> {
        let statement = "SELECT 1 FROM bundles WHERE device_id = ?1 AND bundle_seq = ?2 AND hash <> ?3";
        Ok(self.reader().exists(statement, &values![device, sequence, hash])?)
    }

    /// Returns the head of a scope's log; `None` for a log without entries.
    pub fn head(&mut self, scope: &Scope) -> Result<Option<Cursor>, Error> {
        Ok(self.reader().query_one("SELECT scope, seq, chain FROM scopes WHERE scope = ?1", &values![scope], cursor)?)
    }

    /// Returns the heads of these scopes' logs, in no order; none for a log without entries.
    pub fn heads_of<'s>(&mut self, scopes: impl IntoIterator<Item = &'s Scope>) -> Result<Vec<Cursor>, Error> {
        let keys: Vec<Value<'_>> = scopes.into_iter().map(ToValue::to_value).collect();
        let statement = "SELECT scopes.scope, seq, chain FROM keys JOIN scopes ON scopes.scope = keys.of_scope";
        Ok(self.reader().query_all_keys(&[Column::text("of_scope")], &keys, statement, cursor)?)
    }

    /// Returns the heads of the logs that a device may read, in no order.
    pub fn heads_within(&mut self, visible: &Visibility) -> Result<Vec<Cursor>, Error> {
        let ranges: Vec<(String, String)> = visible.scopes().collect();
        let keys: Vec<Value<'_>> =
            ranges.iter().flat_map(|(first, last)| [first.to_value(), last.to_value()]).collect();
        let statement = "SELECT scopes.scope, seq, chain FROM keys
             JOIN scopes ON scopes.scope >= keys.first_scope AND scopes.scope <= keys.last_scope";
        let columns = [Column::text("first_scope"), Column::text("last_scope")];
        Ok(self.reader().query_all_keys(&columns, &keys, statement, cursor)?)
    }

    /// Returns the heads of all logs, ordered by the scope's text.
    pub fn heads(&mut self) -> Result<Vec<Cursor>, Error> {
        Ok(self.reader().query_all("SELECT scope, seq, chain FROM scopes ORDER BY scope", &[], cursor)?)
    }

    /// Returns the scopes that have a log, ordered by their texts.
    pub fn scopes(&mut self) -> Result<Vec<Scope>, Error> {
        Ok(self.reader().query_all("SELECT scope FROM scopes ORDER BY scope", &[], |row| row.get(0))?)
    }

    /// Returns a commit id above all in use. Reserves nothing: until an entry is appended, each call returns the same one.
    pub fn next_commit_id(&mut self) -> Result<u64, Error> {
        // The sum of all sequence numbers rises with every entry.
        let statement = "SELECT CAST(coalesce(sum(seq), 0) AS BIGINT) FROM scopes";
        Ok(self.reader().query_one(statement, &[], |row| row.get(0))?.unwrap_or(0))
    }

    /// Returns the entry at a position; `None` before the first (1) or beyond the head.
    pub fn entry(&mut self, scope: &Scope, sequence: u64) -> Result<Option<LogEntry>, Error> {
        let statement = format!("{LOG} WHERE scope = ?1 AND seq = ?2");
        Ok(self.reader().query_one(&statement, &values![scope, sequence], log_entry)?)
    }

    /// Returns at most `limit` entries of a log after a sequence number, which is excluded, in order.
    pub fn entries_after(&mut self, scope: &Scope, sequence: u64, limit: u32) -> Result<Vec<LogEntry>, Error> {
        let statement = format!("{LOG} WHERE scope = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3");
        Ok(self.reader().query_all(&statement, &values![scope, sequence, limit], log_entry)?)
    }

    /// Returns the bytes of all decisions of a log after a sequence number, which is excluded, in order.
    pub fn decisions_after(&mut self, scope: &Scope, sequence: u64) -> Result<Vec<Vec<u8>>, Error> {
        let statement = "SELECT body FROM log WHERE scope = ?1 AND seq > ?2 AND envelope IS NULL ORDER BY seq";
        Ok(self.reader().query_all(statement, &values![scope, sequence], |row| row.get(0))?)
    }

    /// Returns the position of a document's change in the log; `None` if it is not logged.
    pub fn position_of(&mut self, document: DocumentId, change: ChangeHash) -> Result<Option<LogPosition>, Error> {
        let statement = "SELECT scope, seq FROM logged_changes WHERE document_id = ?1 AND change_hash = ?2";
        Ok(self.reader().query_one(statement, &values![document, change], |row| Ok((row.get(0)?, row.get(1)?)))?)
    }

    /// Returns the positions of all logged changes of the documents with these ids, in no order.
    pub fn positions_of(
        &mut self,
        documents: &[Value<'_>],
    ) -> Result<Vec<(DocumentId, ChangeHash, LogPosition)>, Error> {
        let statement = "SELECT document_id, change_hash, scope, seq FROM keys
             JOIN logged_changes ON logged_changes.document_id = keys.document";
        self.of_documents(documents, statement, |row| Ok((row.get(0)?, row.get(1)?, (row.get(2)?, row.get(3)?))))
    }
}

impl WriteTransaction<'_> {
    /// Stores the signed part of a bundle, which has the hashes of its changes in place of their bytes. One that is already stored stays as
    /// it is. Stores no entries, and does not advance the device's head.
    pub fn save_bundle(
        &mut self,
        hash: BundleHash,
        device: DeviceId,
        sequence: u64,
        bytes: &[u8],
    ) -> Result<(), Error> {
        self.run(
            "INSERT INTO bundles (hash, device_id, bundle_seq, bytes) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (hash) DO NOTHING",
            &values![hash, device, sequence, bytes],
        )
    }

    /// Appends entries, none logged before, to the logs of scopes, and returns the cursor after each. Neither merges nor projects them.
    /// No frame is cut between entries of one `commit_id`, unless they exceed the largest frame.
    pub fn append_all(&mut self, commit_id: u64, entries: &[(&Scope, &LogContent)]) -> Result<Vec<Cursor>, Error> {
        let unread: BTreeSet<&Scope> =
            entries.iter().map(|(scope, _)| *scope).filter(|scope| !self.heads.contains_key(*scope)).collect();
        let organisation = self.organisation_id;
        for head in self.heads_of(unread)? {
            self.heads.insert(head.scope.clone(), head);
        }
        let mut cursors = Vec::with_capacity(entries.len());
        for (scope, entry) in entries {
            let head =
                self.heads.entry((*scope).clone()).or_insert_with(|| Cursor::start(organisation, (*scope).clone()));
            head.advance(entry.hash());
            cursors.push(head.clone());
        }
        self.insert_changes(entries, &cursors)?;
        self.insert_entries(commit_id, entries, &cursors)?;
        // The last cursor of each scope remains.
        let heads: BTreeMap<&Scope, &Cursor> = cursors.iter().map(|cursor| (&cursor.scope, cursor)).collect();
        let rows: Vec<Value<'_>> =
            heads.values().flat_map(|head| values![head.scope, head.sequence, head.chain]).collect();
        let columns = [Column::text("scope"), Column::int("seq"), Column::blob("chain")];
        let on_conflict = "ON CONFLICT (scope) DO UPDATE SET seq = excluded.seq, chain = excluded.chain";
        self.connection.insert(&Insert { table: "scopes", columns: &columns, on_conflict }, &rows)?;
        Ok(cursors)
    }

    /// Appends one entry to a scope's log, as [`Self::append_all`] does, and returns the cursor after it.
    pub fn append(&mut self, scope: &Scope, commit_id: u64, entry: &LogContent) -> Result<Cursor, Error> {
        let cursors = self.append_all(commit_id, &[(scope, entry)])?;
        cursors.into_iter().next().ok_or_else(|| super::sqlite::corrupt("an entry without a position"))
    }

    fn insert_changes(&mut self, entries: &[(&Scope, &LogContent)], cursors: &[Cursor]) -> Result<(), Error> {
        let columns =
            [Column::blob("document_id"), Column::blob("change_hash"), Column::text("scope"), Column::int("seq")];
        let mut rows: Vec<Value<'_>> = Vec::with_capacity(entries.len() * columns.len());
        for ((_, entry), cursor) in entries.iter().zip(cursors) {
            if let LogContent::Change { envelope, hash, .. } = entry {
                rows.extend(values![envelope.document_id, *hash, cursor.scope, cursor.sequence]);
            }
        }
        self.put(&Insert { table: "logged_changes", columns: &columns, on_conflict: "" }, &rows)
    }

    fn insert_entries(
        &mut self,
        commit_id: u64,
        entries: &[(&Scope, &LogContent)],
        cursors: &[Cursor],
    ) -> Result<(), Error> {
        let columns = [
            Column::text("scope"),
            Column::int("seq"),
            Column::blob("chain"),
            Column::int("commit_id"),
            Column::blob("bundle_hash"),
            Column::int("entry"),
            Column::blob("envelope"),
            Column::blob("change_hash"),
            Column::blob("body"),
        ];
        let mut rows: Vec<Value<'_>> = Vec::with_capacity(entries.len() * columns.len());
        for ((_, entry), cursor) in entries.iter().zip(cursors) {
            rows.extend(values![cursor.scope, cursor.sequence, cursor.chain, commit_id]);
            match entry {
                LogContent::Change { envelope, hash, change, origin: (bundle, number) } => {
                    let envelope = Value::Blob(encode(envelope).into());
                    rows.extend([bundle.to_value(), number.to_value(), envelope, hash.to_value(), change.to_value()]);
                }
                LogContent::Decision(decision) => {
                    rows.extend([Value::Null, Value::Null, Value::Null, Value::Null, decision.to_value()]);
                }
            }
        }
        self.put(&Insert { table: "log", columns: &columns, on_conflict: "" }, &rows)
    }
}
