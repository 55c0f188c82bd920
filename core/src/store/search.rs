//! Search by prefixes of words.
//!
//! Owns the table `words`: for each document its folded words ([`crate::text::words`]) and their prefixes of one to three characters, so
//! that a short prefix is one key. The engines only index the table, so search is the same on both.

use super::rows::{Part, sorted};
use super::sql::{Column, Insert, Reader, Writer, values};
use super::{Error, records};
use crate::scope::Scope;
use crate::text::{COMPARED, PHONE_END, Query, queries};
use crate::units::{DocumentId, ToValue, Value};

/// Longest prefix that has a row of its own, in characters.
const MAX_PREFIX: usize = 3;

const COLUMNS: [Column<'static>; 3] = [Column::text("scope"), Column::text("token"), Column::blob("document_id")];

/// Replaces the words of documents, each given as scope, id, the words stored now, and the new ones.
pub(super) fn replace_words(
    db: &mut dyn Writer,
    documents: &[(&Scope, DocumentId, Vec<String>, Vec<String>)],
) -> Result<(), Error> {
    let mut added = Vec::new();
    for (scope, document, before, after) in documents {
        let (before, mut after) = (tokens(before), tokens(after));
        for token in before.iter().filter(|token| !after.contains(token)) {
            let delete = "DELETE FROM words WHERE scope = ?1 AND token = ?2 AND document_id = ?3";
            db.execute(delete, &values![scope, token, document])?;
        }
        after.retain(|token| !before.contains(token));
        added.extend(after.into_iter().map(|token| (scope, token, document)));
    }
    let rows: Vec<Value<'_>> = added
        .iter()
        .flat_map(|(scope, token, document)| [scope.to_value(), token.to_value(), document.to_value()])
        .collect();
    let on_conflict = "ON CONFLICT (scope, token, document_id) DO NOTHING";
    db.insert(&Insert { table: "words", columns: &COLUMNS, on_conflict }, &rows)?;
    Ok(())
}

pub(super) fn remove(db: &mut dyn Writer, document: DocumentId) -> Result<(), Error> {
    db.execute("DELETE FROM words WHERE document_id = ?1", &values![document])?;
    Ok(())
}

pub(super) fn clear(db: &mut dyn Writer) -> Result<(), Error> {
    db.execute("DELETE FROM words", &[])?;
    Ok(())
}

/// Returns a part of the documents of a scope, by id, that match one of the queries of `text`; none if it has no word.
pub(super) fn matching(
    db: &mut dyn Reader,
    scope: &Scope,
    text: &str,
    part: &Part<DocumentId>,
) -> Result<Vec<DocumentId>, Error> {
    let mut found = Vec::new();
    for query in queries(text) {
        found.extend(with_prefixes(db, scope, query, *part)?);
    }
    let mut found = sorted(found, part.order, u32::MAX, |id| *id);
    found.dedup();
    found.truncate(part.limit as usize);
    Ok(found)
}

/// Returns a part of the documents of a scope, by id, in which each word of the query begins a word.
fn with_prefixes(
    db: &mut dyn Reader,
    scope: &Scope,
    mut wanted: Query,
    mut part: Part<DocumentId>,
) -> Result<Vec<DocumentId>, Error> {
    wanted.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
    wanted.dedup();
    let (mut found, limit) = (Vec::new(), part.limit);
    loop {
        let batch = candidates(db, scope, &wanted, &part)?;
        let Some(last) = batch.last() else { return Ok(found) };
        part.after = Some(*last);
        let is_last = batch.len() < limit as usize;
        for document in batch {
            if has_all_prefixes(db, document, &wanted)? {
                found.push(document);
            }
            if found.len() == limit as usize {
                return Ok(found);
            }
        }
        if is_last {
            return Ok(found);
        }
    }
}

/// Returns a part of the documents that have a word with the first of the `wanted` prefixes, which is the longest, and words with the first
/// characters of the others.
fn candidates(
    db: &mut dyn Reader,
    scope: &Scope,
    wanted: &[String],
    part: &Part<DocumentId>,
) -> Result<Vec<DocumentId>, Error> {
    let Some((longest, others)) = wanted.split_first() else { return Ok(Vec::new()) };
    let (beyond, direction) = part.order.terms();
    let mut params = values![scope, part.limit].to_vec();
    let mut number_of = |text: String| {
        params.push(Value::Text(text.into()));
        params.len()
    };
    // One word drives the query, in the order of documents; the others are looked up for each document.
    let driver = if is_row(longest) {
        format!("w.token = ?{}", number_of(longest.clone()))
    } else {
        // No character is greater than U+10FFFF, so the upper bound is above every word with this prefix.
        let (from, to) = (number_of(longest.clone()), number_of(format!("{longest}\u{10ffff}")));
        format!("w.token >= ?{from} AND w.token < ?{to}")
    };
    let other = |word: &String| {
        let token = number_of(beginning(word, MAX_PREFIX));
        format!(
            " AND EXISTS (SELECT 1 FROM words o WHERE o.scope = w.scope AND o.token = ?{token} AND o.document_id = w.document_id)"
        )
    };
    let mut conditions: Vec<String> = others.iter().map(other).collect();
    if let Some(after) = &part.after {
        params.push(after.to_value());
        conditions.push(format!(" AND w.document_id {beyond} ?{}", params.len()));
    }
    // Several words of a document may be in a range.
    let distinct = if is_row(longest) { "" } else { "DISTINCT " };
    let statement = format!(
        "SELECT {distinct}w.document_id FROM words w WHERE w.scope = ?1 AND {driver}{} ORDER BY w.document_id {direction} LIMIT ?2",
        conditions.concat()
    );
    Ok(db.query_all(&statement, &params, |row| row.get(0))?)
}

/// Returns whether each wanted word begins a word of the document; skips those that [`candidates`] compared in full.
fn has_all_prefixes(db: &mut dyn Reader, document: DocumentId, wanted: &[String]) -> Result<bool, Error> {
    let open: Vec<&String> = wanted.iter().skip(1).filter(|word| !is_row(word)).collect();
    if open.is_empty() {
        return Ok(true);
    }
    let record = records::load(db, document)?.and_then(|(_, merged)| merged.record);
    let has = record.map_or_else(Vec::new, |record| record.words());
    Ok(open.into_iter().all(|word| has.iter().any(|it| it.starts_with(word.as_str()))))
}

fn is_row(word: &str) -> bool {
    word.chars().count() <= MAX_PREFIX
}

fn beginning(word: &str, length: usize) -> String {
    word.chars().take(length).collect()
}

/// Returns the tokens of words: the words and their prefixes, without duplicates.
pub(super) fn tokens(words: &[String]) -> Vec<String> {
    let lengths = 1..=MAX_PREFIX;
    // A search for the end of a number has more characters than a prefix, and no search is for what is compared.
    let begun = words.iter().filter(|word| !word.starts_with([PHONE_END, COMPARED]));
    let beginnings = begun.flat_map(|word| lengths.clone().map(|length| beginning(word, length)));
    let mut tokens: Vec<String> = words.iter().cloned().chain(beginnings).collect();
    tokens.sort_unstable();
    tokens.dedup();
    tokens
}
