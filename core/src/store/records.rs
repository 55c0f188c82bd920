//! Documents and the rows that they project to.
//!
//! Owns the tables `documents` and `erased`, and writes the table of each kind, which [`Kind`] describes. Invariant: a document, its row
//! and its search words change in one transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::sql::{self, Column, Insert, Reader, Row, Value, Writer, values};
use super::{Error, search};
use crate::records::{self, AnyRecord, Change, DETAIL_NUMBER, KINDS, Kind, Merged, Record, RecordKind, TableInfo};
use crate::scope::Scope;
use crate::text::FOLD_VERSION;
use crate::units::{ChangeHash, DocumentId, HybridTime, ToValue};

/// A stored document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The kind of its record.
    pub kind: Kind,
    /// The scope that it belongs to.
    pub scope: Scope,
    /// The raw first change until the first edit, then Automerge's saved form.
    pub saved: Vec<u8>,
    /// The changes that no other change builds on, sorted.
    pub heads: Vec<ChangeHash>,
}

impl Stored {
    fn from_row(row: &dyn Row) -> Result<Self, sql::Error> {
        Ok(Self { kind: row.get(0)?, scope: row.get(1)?, saved: row.get(2)?, heads: row.get(3)? })
    }
}

/// The parts of the statements on a kind's table.
pub(super) struct Projection {
    pub(super) table: &'static str,
    key: &'static str,
    pub(super) columns: Vec<Column<'static>>,
    on_conflict: String,
    pub(super) details: Option<Details>,
}

/// The parts of the statements on a kind's second table.
pub(super) struct Details {
    pub(super) table: &'static str,
    pub(super) columns: Vec<Column<'static>>,
    on_conflict: String,
    /// Counts the rows of documents.
    count: String,
    /// Deletes the rows of a document from a number.
    shorten: String,
}

impl Details {
    fn new(TableInfo { name, key, columns }: TableInfo) -> Self {
        let own = [Column::blob(key), Column::int(DETAIL_NUMBER)];
        let columns = [&own, columns.as_slice()].concat();
        let updates: Vec<String> = columns.iter().skip(2).map(|it| format!("{0} = excluded.{0}", it.name)).collect();
        Self {
            table: name,
            columns,
            on_conflict: format!("ON CONFLICT ({key}, {DETAIL_NUMBER}) DO UPDATE SET {}", updates.join(", ")),
            count: format!(
                "SELECT keys.n, count(*) FROM keys JOIN {name} ON {name}.{key} = keys.document GROUP BY keys.n"
            ),
            shorten: format!("DELETE FROM {name} WHERE {key} = ?1 AND {DETAIL_NUMBER} >= ?2"),
        }
    }

    /// Replaces the rows of records.
    fn save(&self, db: &mut dyn Writer, records: &[(DocumentId, &Record)]) -> Result<(), Error> {
        let rows: Vec<Vec<Vec<Value<'_>>>> = records.iter().map(|(_, record)| record.details()).collect();
        let keys: Vec<Value<'_>> = records.iter().map(|(id, _)| id.to_value()).collect();
        let reader: &mut dyn Reader = db;
        let stored = reader.query_all_keys(&[Column::blob("document")], &keys, &self.count, |row| {
            Ok((row.get::<u32>(0)?, row.get::<u64>(1)?))
        })?;
        for (n, stored) in stored {
            let n = n as usize;
            if let (Some((id, _)), Some(rows)) = (records.get(n), rows.get(n))
                && (rows.len() as u64) < stored
            {
                db.execute(&self.shorten, &values![id, Value::int(rows.len())])?;
            }
        }
        let mut cells = Vec::new();
        for ((id, _), rows) in records.iter().zip(rows) {
            for (number, row) in rows.into_iter().enumerate() {
                cells.extend([id.to_value(), Value::int(number)]);
                cells.extend(row);
            }
        }
        let Self { table, columns, on_conflict, .. } = self;
        db.insert(&Insert { table, columns, on_conflict }, &cells)?;
        Ok(())
    }
}

impl Projection {
    fn new(kind: Kind) -> Self {
        let TableInfo { name, key, columns } = (kind.table)();
        let common = [Column::blob(key), Column::text("scope"), Column::int("conflicts")];
        let columns = [&common, columns.as_slice()].concat();
        let updates = columns.iter().skip(1).map(|column| format!("{0} = excluded.{0}", column.name));
        let on_conflict = format!("ON CONFLICT ({key}) DO UPDATE SET {}", updates.collect::<Vec<_>>().join(", "));
        Self { table: name, key, columns, on_conflict, details: (kind.details)().map(Details::new) }
    }
}

/// The projections of all kinds, by number.
pub(super) static PROJECTIONS: LazyLock<BTreeMap<u8, Projection>> =
    LazyLock::new(|| KINDS.into_iter().map(|kind| (kind.number, Projection::new(kind))).collect());

/// Returns a document.
///
/// # Errors
/// Errors of the database; [`Error::Corrupt`] for an unreadable row.
pub fn find(db: &mut dyn Reader, id: DocumentId) -> Result<Option<Stored>, Error> {
    Ok(db.query_one(
        "SELECT kind, scope, saved, heads FROM documents WHERE document_id = ?1",
        &values![id],
        Stored::from_row,
    )?)
}

/// Returns documents by their ids, each a [`Value`] of a [`DocumentId`]; those that are not stored are left out.
///
/// # Errors
/// As for [`find`].
pub fn find_all(db: &mut dyn Reader, ids: &[Value<'_>]) -> Result<BTreeMap<DocumentId, Stored>, Error> {
    let statement = "SELECT kind, scope, saved, heads, documents.document_id FROM keys
         JOIN documents ON documents.document_id = keys.document";
    let found = db
        .query_all_keys(&[Column::blob("document")], ids, statement, |row| Ok((row.get(4)?, Stored::from_row(row)?)))?;
    Ok(found.into_iter().collect())
}

/// Returns a document and its content.
///
/// # Errors
/// As for [`find`]; [`Error::Record`] for an unreadable document.
pub fn load(db: &mut dyn Reader, id: DocumentId) -> Result<Option<(Stored, Merged)>, Error> {
    let Some(stored) = find(db, id)? else { return Ok(None) };
    let merged = records::read(stored.kind, id, &stored.saved)?;
    Ok(Some((stored, merged)))
}

/// A record of one kind with its document.
#[derive(Clone, Debug)]
pub struct Found<K> {
    /// The stored document.
    pub stored: Stored,
    /// The record in it.
    pub record: K,
}

impl<K> Found<K> {
    /// Returns the version of the record: the first eight bytes of the SHA-256 over its heads.
    pub fn version(&self) -> [u8; 8] {
        records::version(&self.stored.heads)
    }
}

/// Returns a record of one kind; `None` if it is not stored, of another kind, or without its creating change.
///
/// # Errors
/// As for [`load`].
pub fn get<K: RecordKind>(db: &mut dyn Reader, id: K::Id) -> Result<Option<Found<K>>, Error> {
    let Some((stored, merged)) = load(db, id.into())? else { return Ok(None) };
    Ok(merged.record.and_then(<dyn AnyRecord>::downcast).map(|record| Found { stored, record }))
}

/// Merges a change into its document, and updates its row and its words. Does nothing for a change that the document has. `scope` is for a
/// new document; a stored one keeps its own. The caller checks permission, and that the document [was not erased](is_erased).
///
/// # Errors
/// [`Error::Record`] if the change must be held or deferred, or the document is unreadable; nothing was written. Errors of the database.
pub fn apply(db: &mut dyn Writer, scope: &Scope, kind: Kind, id: DocumentId, change: &Change) -> Result<(), Error> {
    let mut batch = Batch::default();
    batch.merge(db, scope, kind, id, change)?;
    batch.write(db)
}

/// Documents with merged changes, to be written together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    merged: BTreeMap<DocumentId, (Scope, Kind, Merged)>,
    /// In the order of their first changes, in which their rows get their `arrival`.
    documents: Vec<DocumentId>,
}

impl Batch {
    /// Merges a change into its document. Returns the record's times; none if the change was known or there is no record.
    ///
    /// # Errors
    /// As for [`apply`]; the batch is unchanged.
    pub(super) fn merge(
        &mut self,
        db: &mut dyn Reader,
        scope: &Scope,
        kind: Kind,
        id: DocumentId,
        change: &Change,
    ) -> Result<Vec<HybridTime>, Error> {
        let stored = if self.merged.contains_key(&id) { None } else { find(db, id)? };
        let merged = self.merged.get(&id).map(|(scope, kind, merged)| (scope, *kind, merged.saved.as_slice()));
        let before = merged.or_else(|| stored.as_ref().map(|it| (&it.scope, it.kind, it.saved.as_slice())));
        if let Some((_, other, _)) = before
            && other != kind
        {
            let reason = format!("the document is a {other:?}, not a {kind:?}");
            return Err(records::Error::Shape { key: String::new(), reason }.into());
        }
        let merged = records::merge(kind, id, before.map(|(.., saved)| saved), change)?;
        if merged.was_known {
            return Ok(Vec::new());
        }
        let times = merged.record.as_ref().map_or_else(Vec::new, |record| record.times());
        let scope = before.map_or(scope, |(scope, ..)| scope).clone();
        if self.merged.insert(id, (scope, kind, merged)).is_none() {
            self.documents.push(id);
        }
        Ok(times)
    }

    /// Writes the documents, their rows and their words.
    ///
    /// # Errors
    /// [`Error::Sql`] and other errors of the database.
    pub(super) fn write(self, db: &mut dyn Writer) -> Result<(), Error> {
        let saved = |id| self.merged.get(id).map(|(scope, kind, merged)| (scope, *kind, *id, merged));
        let documents: Vec<Saved<'_>> = self.documents.iter().filter_map(saved).collect();
        save_all(db, &documents)
    }
}

/// A document to be written: its scope, kind and id, and its merged content.
pub type Saved<'a> = (&'a Scope, Kind, DocumentId, &'a Merged);

/// Replaces a document, its row and its words, without merging; without a record, the row and words stay as they are.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn save(db: &mut dyn Writer, scope: &Scope, kind: Kind, id: DocumentId, merged: &Merged) -> Result<(), Error> {
    save_all(db, &[(scope, kind, id, merged)])
}

/// Replaces documents like [`save`]; each may be given only once.
///
/// # Errors
/// As for [`save`].
pub fn save_all(db: &mut dyn Writer, documents: &[Saved<'_>]) -> Result<(), Error> {
    let before = words_before(db, documents)?;
    let rows: Vec<Value<'_>> = documents
        .iter()
        .flat_map(|(scope, kind, id, merged)| {
            [id.to_value(), kind.to_value(), scope.to_value(), merged.saved.to_value(), merged.heads.to_value()]
        })
        .collect();
    let columns = [
        Column::blob("document_id"),
        Column::int("kind"),
        Column::text("scope"),
        Column::blob("saved"),
        Column::blob("heads"),
    ];
    let on_conflict = "ON CONFLICT (document_id) DO UPDATE SET scope = excluded.scope, saved = excluded.saved, heads = excluded.heads";
    db.insert(&Insert { table: "documents", columns: &columns, on_conflict }, &rows)?;
    let projected: Vec<_> = documents
        .iter()
        .filter_map(|(scope, _, id, merged)| merged.record.as_ref().map(|it| (*scope, *id, it)))
        .collect();
    save_rows(db, &projected)?;
    let words: Vec<_> = projected
        .iter()
        .map(|(scope, id, record)| (*scope, *id, before.get(id).cloned().unwrap_or_default(), record.words()))
        .collect();
    search::replace_words(db, &words)
}

/// Returns the words that the documents are found by now. Removes all words of a document that cannot be read any more.
fn words_before(db: &mut dyn Writer, documents: &[Saved<'_>]) -> Result<BTreeMap<DocumentId, Vec<String>>, Error> {
    let searched: Vec<DocumentId> =
        documents.iter().filter(|(_, kind, ..)| kind.is_searched).map(|(_, _, id, _)| *id).collect();
    let keys: Vec<Value<'_>> = searched.iter().map(ToValue::to_value).collect();
    let mut before = BTreeMap::new();
    for (id, stored) in find_all(db, &keys)? {
        match records::read(stored.kind, id, &stored.saved) {
            Ok(merged) => _ = before.insert(id, merged.record.map_or_else(Vec::new, |record| record.words())),
            Err(_unreadable) => search::remove(db, id)?,
        }
    }
    Ok(before)
}

/// Writes the rows of records, with one statement per kind and table.
fn save_rows(db: &mut dyn Writer, rows: &[(&Scope, DocumentId, &Record)]) -> Result<(), Error> {
    let mut cells = BTreeMap::<u8, Vec<Value<'_>>>::new();
    for (scope, id, record) in rows {
        let cells = cells.entry(record.kind().number).or_default();
        cells.extend([id.to_value(), scope.to_value(), Value::int(record.conflicts().len())]);
        cells.extend(record.cells());
    }
    for (kind, cells) in cells {
        let source = || format!("{kind} is not among the kinds").into();
        let Projection { table, columns, on_conflict, details, .. } =
            PROJECTIONS.get(&kind).ok_or_else(|| Error::Corrupt { source: source() })?;
        db.insert(&Insert { table, columns, on_conflict }, &cells)?;
        if let Some(details) = details {
            let of_kind = rows.iter().filter(|(.., record)| record.kind().number == kind);
            details.save(db, &of_kind.map(|(_, id, record)| (*id, *record)).collect::<Vec<_>>())?;
        }
    }
    Ok(())
}

/// Removes a document, its row and its words, even if they cannot be read. Its changes may be received again.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn remove(db: &mut dyn Writer, id: DocumentId) -> Result<(), Error> {
    let kind =
        db.query_one("SELECT kind FROM documents WHERE document_id = ?1", &values![id], |row| row.get::<u8>(0))?;
    let Some(kind) = kind else { return Ok(()) };
    search::remove(db, id)?;
    db.execute("DELETE FROM documents WHERE document_id = ?1", &values![id])?;
    if let Some(Projection { table, key, details, .. }) = PROJECTIONS.get(&kind) {
        db.execute(&format!("DELETE FROM {table} WHERE {key} = ?1"), &values![id])?;
        if let Some(details) = details {
            db.execute(&details.shorten, &values![id, Value::int(0)])?;
        }
    }
    Ok(())
}

/// Takes changes, and all that builds on them, out of a document. Removes the document if no record is left.
///
/// # Errors
/// Errors of the database; [`Error::Record`] for an unreadable document.
pub fn exclude(db: &mut dyn Writer, id: DocumentId, changes: &[ChangeHash]) -> Result<(), Error> {
    let Some(stored) = find(db, id)? else { return Ok(()) };
    match records::without(stored.kind, id, &stored.saved, changes)? {
        Some(rest) if rest.record.is_some() => {
            remove(db, id)?;
            save(db, &stored.scope, stored.kind, id, &rest)
        }
        _ => remove(db, id),
    }
}

/// Removes a document and keeps its id as erased. Only these tables: on a phone call `incoming::erase`.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn erase(db: &mut dyn Writer, document: DocumentId) -> Result<(), Error> {
    remove(db, document)?;
    let insert = "INSERT INTO erased (document_id) VALUES (?1) ON CONFLICT (document_id) DO NOTHING";
    db.execute(insert, &values![document])?;
    Ok(())
}

/// Returns whether a document was erased.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn is_erased(db: &mut dyn Reader, id: DocumentId) -> Result<bool, Error> {
    Ok(db.exists("SELECT 1 FROM erased WHERE document_id = ?1", &values![id])?)
}

/// Returns the documents that have fields in conflict, hard or soft, ordered by id.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn in_conflict(db: &mut dyn Reader) -> Result<Vec<DocumentId>, Error> {
    // Kinds may share a table.
    let mut documents = BTreeSet::new();
    for projection in PROJECTIONS.values() {
        documents.extend(db.query_all(&in_conflict_query(projection), &[], |row| row.get::<DocumentId>(0))?);
    }
    Ok(documents.into_iter().collect())
}

fn in_conflict_query(Projection { table, key, .. }: &Projection) -> String {
    format!("SELECT {key} FROM {table} WHERE conflicts > 0 ORDER BY 1")
}

/// Projects all documents again, but no decisions, and returns how many there are. The rows are as before, except for `arrival`.
///
/// # Errors
/// Errors of the database; [`Error::Record`] for an unreadable document.
pub fn rebuild(db: &mut dyn Writer) -> Result<usize, Error> {
    for projection in PROJECTIONS.values() {
        db.execute(&format!("DELETE FROM {}", projection.table), &[])?;
        if let Some(details) = &projection.details {
            db.execute(&format!("DELETE FROM {}", details.table), &[])?;
        }
    }
    search::clear(db)?;
    let ids = db.query_all("SELECT document_id FROM documents ORDER BY document_id", &[], |row| row.get(0))?;
    for id in &ids {
        if let Some((Stored { scope, .. }, Merged { record: Some(record), .. })) = load(db, *id)? {
            save_rows(db, &[(&scope, *id, &record)])?;
            search::replace_words(db, &[(&scope, *id, Vec::new(), record.words())])?;
        }
    }
    Ok(ids.len())
}

/// Computes words and folded columns again if they were computed with another [`FOLD_VERSION`]. Documents that cannot be read keep theirs.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database; [`Error::Corrupt`] for an unreadable row.
pub fn refold(db: &mut dyn Writer) -> Result<(), Error> {
    if is_folded(db)? {
        return Ok(());
    }
    for kind in KINDS.into_iter().filter(|kind| kind.is_searched) {
        let of_kind = "SELECT document_id FROM documents WHERE kind = ?1 ORDER BY document_id";
        let ids: Vec<DocumentId> = db.query_all(of_kind, &values![kind], |row| row.get(0))?;
        for id in ids {
            let loaded = match load(db, id) {
                Err(Error::Record(_unreadable)) => continue,
                loaded => loaded?,
            };
            let Some((Stored { scope, .. }, Merged { record: Some(record), .. })) = loaded else { continue };
            save_rows(db, &[(&scope, id, &record)])?;
            search::remove(db, id)?;
            search::replace_words(db, &[(&scope, id, Vec::new(), record.words())])?;
        }
    }
    mark_folded(db)
}

/// Returns whether all words and folded columns were computed with this [`FOLD_VERSION`].
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub(super) fn is_folded(db: &mut dyn Reader) -> Result<bool, Error> {
    let version: Option<u32> = db.query_one("SELECT version FROM folding", &[], |row| row.get(0))?;
    Ok(version == Some(FOLD_VERSION))
}

/// Notes that all words were computed with this [`FOLD_VERSION`]; a store without documents needs no more.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn mark_folded(db: &mut dyn Writer) -> Result<(), Error> {
    db.execute("DELETE FROM folding", &[])?;
    db.execute("INSERT INTO folding (version) VALUES (?1)", &values![FOLD_VERSION])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Contact;
    use crate::store::{RECORDS, Store, seam};
    use crate::units::ColumnType;

    #[test]
    fn every_kind_has_the_columns_of_the_schema() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("shared.db"), &[RECORDS]).expect("it opens");
        for kind in KINDS {
            let info = (kind.table)();
            let found = store.read(|db| {
                let mut statement = db.prepare("SELECT name, type FROM pragma_table_info(?1)")?;
                let rows = statement.query_map([info.name], |row| Ok((row.get(0)?, row.get(1)?)))?;
                Ok::<_, Error>(rows.collect::<Result<BTreeSet<(String, String)>, _>>()?)
            });
            let common =
                [Column::int("arrival"), Column::blob(info.key), Column::text("scope"), Column::int("conflicts")];
            let expected = info.columns.into_iter().chain(common).map(|column| {
                let written = match column.column_type {
                    ColumnType::Int => "INTEGER",
                    ColumnType::Text => "TEXT",
                    ColumnType::Blob => "BLOB",
                };
                (column.name.to_owned(), written.to_owned())
            });
            assert_eq!(found.expect("columns"), expected.collect(), "{kind:?}");
        }
    }

    #[test]
    fn rows_in_conflict_are_found_by_an_index() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("shared.db"), &[RECORDS]).expect("it opens");
        for (kind, projection) in &*PROJECTIONS {
            let explain = format!("EXPLAIN QUERY PLAN {}", in_conflict_query(projection));
            let plan = store.read(|db| Ok::<_, Error>(db.query_row(&explain, [], |row| row.get::<_, String>(3))?));
            let plan = plan.expect("a plan");
            assert!(plan.contains("_in_conflict"), "{kind:?}: {plan}");
        }
    }

    #[test]
    fn a_document_that_could_not_be_read_is_replaced_with_its_words() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("shared.db"), &[RECORDS]).expect("it opens");
        let (scope, id) = (Scope::Centre("KOLAR".parse().expect("a code")), DocumentId::from([7; 16]));
        let merged = Merged { saved: b"no document".to_vec(), heads: Vec::new(), record: None, was_known: false };
        let save = || {
            store.write(|db| {
                save(&mut seam(db), &scope, Kind::of::<Contact>(), id, &merged)?;
                Ok::<_, Error>(db.query_row("SELECT count(*) FROM words", [], |row| row.get::<_, i64>(0))?)
            })
        };
        assert_eq!(save().expect("its first bytes"), 0);
        let word = "INSERT INTO words (scope, token, document_id) VALUES (?1, 'lakshmi', ?2)";
        store.write(|db| Ok::<_, Error>(db.execute(word, (&scope, id))?)).expect("a word of another version");
        assert_eq!(save().expect("bytes that replace what cannot be read"), 0);
    }

    #[test]
    fn words_count_as_computed_again_only_once_every_row_could_be_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("shared.db"), &[RECORDS]).expect("it opens");
        let insert =
            "INSERT INTO documents (document_id, kind, scope, saved, heads) VALUES (?1, ?2, 'c/KOLAR', ?3, ?4)";
        let stores = |id: u8, heads: &[u8]| {
            let row = (DocumentId::from([id; 16]), Kind::of::<Contact>().number, b"no document", heads);
            store.write(|db| Ok::<_, Error>(db.execute(insert, row)?)).expect("a row");
        };
        let refolds = || store.write(|db| refold(&mut seam(db)));
        let is_folded = || store.read(|db| is_folded(&mut seam(db))).expect("an answer");
        stores(1, &[]);
        stores(2, &[7; 31]);
        let error = refolds().expect_err("a damaged row");
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        assert!(!is_folded());
        let delete = "DELETE FROM documents WHERE length(heads) = 31";
        store.write(|db| Ok::<_, Error>(db.execute(delete, [])?)).expect("deleted");
        refolds().expect("a document that cannot be read keeps its words");
        assert!(is_folded());
    }
}
