//! Checks that the rows of a database are those that its documents and decisions project to. Only reads.
//!
//! Rows of searched kinds and words that were computed with another [`FOLD_VERSION`](crate::text::FOLD_VERSION) are not compared: opening
//! the database computes them again.

use std::collections::BTreeMap;

use super::records::{self, Details, PROJECTIONS, Projection, Stored};
use super::sql::{Reader, Value, values};
use super::{Error, search};
use crate::decisions::{Decision, StoredAsInfo};
use crate::records::Record;
use crate::scope::Scope;
use crate::units::{DocumentId, ToValue};

/// Requires that every document can be read, that its heads, row and words are those that follow from it, and that there are no others.
///
/// # Errors
/// [`Error::Corrupt`] naming the table; errors of the database.
pub fn documents(db: &mut dyn Reader) -> Result<(), Error> {
    let ids: Vec<DocumentId> = db.query_all("SELECT document_id FROM documents", &[], |row| row.get(0))?;
    let is_folded = records::is_folded(db)?;
    let (mut words, mut rows) = (0, BTreeMap::<&str, usize>::new());
    for id in &ids {
        let loaded = records::load(db, *id).map_err(|error| wrong("documents", error.to_string()))?;
        let Some((stored, merged)) = loaded else { continue };
        if stored.heads != merged.heads {
            return Err(wrong("documents", format!("document {id} has other heads than stored")));
        }
        if let Some(record) = &merged.record {
            if is_folded || !record.kind().is_searched {
                require_row(db, *id, &stored, record)?;
                require_details(db, *id, record)?;
                words += require_words(db, *id, &stored.scope, record)?;
            }
            *rows.entry((record.kind().table)().name).or_default() += 1;
            if let Some(details) = (record.kind().details)() {
                *rows.entry(details.name).or_default() += record.details().len();
            }
        }
    }
    let count = |db: &mut dyn Reader, table: &str| -> Result<usize, Error> {
        Ok(db.query_one(&format!("SELECT count(*) FROM {table}"), &[], |row| row.get(0))?.unwrap_or(0))
    };
    if is_folded && count(db, "words")? != words {
        return Err(wrong("words", "there are words of no document"));
    }
    for table in PROJECTIONS.values().flat_map(|it| [Some(it.table), it.details.as_ref().map(|it| it.table)]).flatten()
    {
        if count(db, table)? != rows.get(table).copied().unwrap_or(0) {
            return Err(wrong(table, "there are rows of no document"));
        }
    }
    Ok(())
}

fn require_row(db: &mut dyn Reader, id: DocumentId, stored: &Stored, record: &Record) -> Result<(), Error> {
    let Some(Projection { table, columns, .. }) = PROJECTIONS.get(&record.kind().number) else { return Ok(()) };
    let mut cells = vec![id.to_value(), stored.scope.to_value(), Value::int(record.conflicts().len())];
    cells.extend(record.cells());
    let names = columns.iter().map(|column| column.name);
    if has_row(db, table, names, &cells)? {
        return Ok(());
    }
    Err(wrong(table, format!("the row of document {id} is missing, or is not what the document contains")))
}

fn require_details(db: &mut dyn Reader, id: DocumentId, record: &Record) -> Result<(), Error> {
    let projection = PROJECTIONS.get(&record.kind().number).and_then(|it| it.details.as_ref());
    let Some(Details { table, columns, .. }) = projection else { return Ok(()) };
    for (number, row) in record.details().into_iter().enumerate() {
        let cells: Vec<Value<'_>> = [id.to_value(), Value::int(number)].into_iter().chain(row).collect();
        if !has_row(db, table, columns.iter().map(|column| column.name), &cells)? {
            return Err(wrong(
                table,
                format!("a row of document {id} is missing, or is not what the document contains"),
            ));
        }
    }
    Ok(())
}

/// Requires the words of a record, and returns how many rows they are.
fn require_words(db: &mut dyn Reader, id: DocumentId, scope: &Scope, record: &Record) -> Result<usize, Error> {
    let statement = "SELECT token FROM words WHERE document_id = ?1 AND scope = ?2 ORDER BY token";
    let stored: Vec<String> = db.query_all(statement, &values![id, scope], |row| row.get(0))?;
    let expected = search::tokens(&record.words());
    if stored == expected { Ok(stored.len()) } else { Err(wrong("words", format!("document {id} has other words"))) }
}

/// Requires the row of a logged decision. Does nothing for one that this version cannot read.
///
/// # Errors
/// [`Error::Corrupt`] naming the table; errors of the database.
pub fn decision(db: &mut dyn Reader, scope: &Scope, sequence: u64, decision: &Decision) -> Result<(), Error> {
    let Ok(content) = decision.content() else { return Ok(()) };
    if let Some(subject) = content.subject() {
        let statement = "SELECT 1 FROM reference WHERE kind = ?1 AND subject = ?2";
        if !db.exists(statement, &values![decision.number(), subject])? {
            return Err(wrong("reference", format!("the decision {sequence} of {scope} is missing")));
        }
    }
    if let StoredAsInfo::Rows(table) = (content.kind().stored)() {
        let names = table.columns.iter().map(|column| column.name);
        if !has_row(db, table.name, names, &content.cells())? {
            let reason = format!("the row of decision {sequence} of {scope} is missing, or is not what was decided");
            return Err(wrong(table.name, reason));
        }
    }
    for document in content.document_ids() {
        let statement = "SELECT 1 FROM decision_documents WHERE scope = ?1 AND seq = ?2 AND document_id = ?3";
        if !db.exists(statement, &values![scope, sequence, document])? {
            let reason = format!("a document of decision {sequence} of {scope} is missing");
            return Err(wrong("decision_documents", reason));
        }
    }
    Ok(())
}

fn has_row<'n>(
    db: &mut dyn Reader,
    table: &str,
    columns: impl Iterator<Item = &'n str>,
    cells: &[Value<'_>],
) -> Result<bool, Error> {
    let conditions: Vec<String> =
        (1..).zip(columns).map(|(number, column)| format!("{column} IS NOT DISTINCT FROM ?{number}")).collect();
    Ok(db.exists(&format!("SELECT 1 FROM {table} WHERE {}", conditions.join(" AND ")), cells)?)
}

fn wrong(table: &str, reason: impl std::fmt::Display) -> Error {
    Error::Corrupt { source: format!("table `{table}`: {reason}").into() }
}
