//! Projections of decisions: the latest decision about each subject, rows of their own, and the records that they name.
//!
//! Owns the tables `reference` and `decision_documents`, and writes the table of each kind that has one. [`DECISIONS`]
//! says how each kind is stored; phone and server run the same code. Does not own the effects of decisions ([`DecisionKind::effect`]),
//! which the caller carries out. Invariant: the projections of a scope follow from its decisions alone, and are deleted with the scope.

mod access;
mod reference;
mod reviews;

pub use access::{
    DeviceAccess, ended_at, grant, granted, grants_of, order, roles_of, suspended_on, unrevoked_grants_of,
};
pub use reference::Reference;
pub use reviews::{Raised, review_codes, reviews, reviews_of};

use super::Error;
use super::sql::{Column, Insert, Reader, Writer, values};
use crate::codec::decode;
use crate::decisions::{AnyContent, AppliedAt, Content, DECISIONS, Decision, DecisionKind, StoredAsInfo};
use crate::records::TableInfo;
use crate::scope::Scope;

/// Returns the tables that decisions are projected to; each has a column `scope`.
pub fn tables() -> impl Iterator<Item = &'static str> {
    let of_kinds = DECISIONS.iter().filter_map(|kind| match (kind.stored)() {
        StoredAsInfo::Rows(table) => Some(table.name),
        StoredAsInfo::Latest | StoredAsInfo::LogOnly => None,
    });
    ["reference", "decision_documents"].into_iter().chain(of_kinds)
}

/// Projects a decision and its `content`. It may be projected again, and those of a scope in any order. Its effect is left to the caller.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn project(db: &mut dyn Writer, at: &AppliedAt<'_>, decision: &Decision, content: &Content) -> Result<(), Error> {
    if let Some(subject) = content.subject() {
        db.execute(
            "INSERT INTO reference (kind, subject, scope, seq, body) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (kind, subject) DO UPDATE SET scope = excluded.scope, seq = excluded.seq, body = excluded.body
             WHERE excluded.scope <> reference.scope OR excluded.seq > reference.seq",
            &values![decision.number(), subject, at.scope, at.sequence, decision.as_bytes()],
        )?;
    }
    if let StoredAsInfo::Rows(table) = (content.kind().stored)() {
        insert_row(db, at, &table, content)?;
    }
    for document in content.document_ids() {
        db.execute(
            "INSERT INTO decision_documents (scope, seq, document_id) VALUES (?1, ?2, ?3)
             ON CONFLICT (scope, seq, document_id) DO NOTHING",
            &values![at.scope, at.sequence, document],
        )?;
    }
    Ok(())
}

fn insert_row(db: &mut dyn Writer, at: &AppliedAt<'_>, table: &TableInfo, content: &Content) -> Result<(), Error> {
    let common = [Column::text("scope"), Column::int("seq"), Column::int("decided_at_ms")];
    let columns = [&common, table.columns.as_slice()].concat();
    let (name, key) = (table.name, table.key);
    let updates = columns.iter().map(|column| format!("{0} = excluded.{0}", column.name)).collect::<Vec<_>>();
    // The first of a scope counts, even if an older version set it aside and this version reads it after later ones.
    let on_conflict = format!(
        "ON CONFLICT ({key}) DO UPDATE SET {} WHERE excluded.scope = {name}.scope AND excluded.seq < {name}.seq",
        updates.join(", ")
    );
    let mut cells = values![at.scope, at.sequence, at.envelope.decided_at].to_vec();
    cells.extend(content.cells());
    db.insert(&Insert { table: name, columns: &columns, on_conflict: &on_conflict }, &cells)?;
    Ok(())
}

/// Deletes the projections of a scope's decisions, not the decisions.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn delete_scope(db: &mut dyn Writer, scope: &Scope) -> Result<(), Error> {
    for table in tables() {
        db.execute(&format!("DELETE FROM {table} WHERE scope = ?1"), &values![scope])?;
    }
    Ok(())
}

/// Replaces the projections of a scope with those of `decisions`: sequence number, bytes. Skips unreadable ones; effects stay as they are.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn rebuild(db: &mut dyn Writer, scope: &Scope, decisions: &[(u64, Vec<u8>)]) -> Result<(), Error> {
    delete_scope(db, scope)?;
    for (sequence, bytes) in decisions {
        let Ok(decision) = decode::<Decision>(bytes) else { continue };
        if let Ok((envelope, content)) = decision.read() {
            let at = AppliedAt { scope, sequence: *sequence, envelope: &envelope };
            project(db, &at, &decision, &content)?;
        }
    }
    Ok(())
}

/// Returns the latest decision about the subject of `decision`, perhaps itself, with its sequence number; `None` if there is none, or the
/// kind is unknown or not [`StoredAsInfo::Latest`].
///
/// # Errors
/// Errors of the database; [`Error::Corrupt`] for an unreadable row.
pub fn current(db: &mut dyn Reader, decision: &Decision) -> Result<Option<(Decision, u64)>, Error> {
    let Some(subject) = decision.content().ok().and_then(|content| content.subject()) else { return Ok(None) };
    row(db, decision.number(), &subject)
}

/// Returns the latest decision of a kind about a subject.
///
/// # Errors
/// Errors of the database; [`Error::Corrupt`] for an unreadable row.
pub fn latest<D: DecisionKind>(db: &mut dyn Reader, subject: &str) -> Result<Option<D>, Error> {
    row(db, D::NUMBER, subject)?.map(|(decision, _)| require(&decision)).transpose()
}

/// Returns the latest decisions of a kind, about all subjects.
///
/// # Errors
/// Errors of the database; [`Error::Corrupt`] for an unreadable row.
pub fn all<D: DecisionKind>(db: &mut dyn Reader) -> Result<Vec<D>, Error> {
    let statement = "SELECT body FROM reference WHERE kind = ?1 ORDER BY subject";
    let rows: Vec<Vec<u8>> = db.query_all(statement, &values![D::NUMBER], |row| row.get(0))?;
    rows.iter().map(|body| require(&read(body)?)).collect()
}

/// Returns whether the latest decision about a subject is equal to this one; `false` for a kind that is not [`StoredAsInfo::Latest`].
///
/// # Errors
/// As for [`latest`].
pub fn is_last<D: DecisionKind + PartialEq>(db: &mut dyn Reader, content: &D) -> Result<bool, Error> {
    let Some(subject) = content.subject() else { return Ok(false) };
    Ok(latest::<D>(db, &subject)?.is_some_and(|last| last == *content))
}

fn row(db: &mut dyn Reader, kind: u8, subject: &str) -> Result<Option<(Decision, u64)>, Error> {
    let statement = "SELECT body, seq FROM reference WHERE kind = ?1 AND subject = ?2";
    let row: Option<(Vec<u8>, u64)> =
        db.query_one(statement, &values![kind, subject], |row| Ok((row.get(0)?, row.get(1)?)))?;
    row.map(|(body, sequence)| Ok((read(&body)?, sequence))).transpose()
}

/// Returns the content of a decision as it is stored.
pub(super) fn content(bytes: &[u8]) -> Result<Content, Error> {
    read(bytes)?.content().map_err(corrupt)
}

fn read(bytes: &[u8]) -> Result<Decision, Error> {
    decode(bytes).map_err(corrupt)
}

fn require<D: DecisionKind>(decision: &Decision) -> Result<D, Error> {
    decision.get().ok_or_else(|| corrupt(format!("a row of {} holds another decision", D::NAME)))?.map_err(corrupt)
}

fn corrupt(error: impl Into<super::sql::Source>) -> Error {
    Error::Corrupt { source: error.into() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::reviews::REVIEW_CODES;
    use super::*;
    use crate::codec::encode;
    use crate::decisions::{Centre, DecidedBy, Erasure, Review};
    use crate::records::KINDS;
    use crate::store::{RECORDS, Store, seam};
    use crate::units::{ColumnType, DocumentId, ReviewId, Timestamp};

    /// Tables that decisions change and that are kept when a scope is deleted, each with the reason.
    const KEPT_WITHOUT_SCOPE: [(&str, &str); 2] = [
        ("erased", "what was dropped for good does not come back because a phone reads less, or again"),
        ("folding", "it says how the words of all scopes were computed"),
    ];

    fn with_store(f: impl FnOnce(&rusqlite::Connection)) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("shared.db"), &[RECORDS]).expect("it opens");
        let run = store.write(|db| {
            f(db);
            Ok::<_, Error>(())
        });
        run.expect("written");
    }

    fn columns(db: &rusqlite::Connection, table: &str) -> Vec<(String, String)> {
        let mut statement = db.prepare("SELECT name, type FROM pragma_table_info(?1)").expect("a statement");
        let rows = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
        rows.collect::<Result<_, _>>().expect("columns")
    }

    fn scopes_in(db: &rusqlite::Connection, table: &str) -> Vec<String> {
        let mut statement = db.prepare(&format!("SELECT scope FROM {table} ORDER BY scope")).expect("a statement");
        let rows = statement.query_map([], |row| row.get(0)).expect("rows");
        rows.collect::<Result<_, _>>().expect("scopes")
    }

    /// Inserts a row of a scope into any table.
    fn fill(db: &rusqlite::Connection, table: &str, scope: &str) {
        let value = |(_, column_type): (String, String)| match column_type.as_str() {
            "BLOB" => format!("CAST('{scope}' AS BLOB)"),
            "TEXT" => format!("'{scope}'"),
            _ => "7".to_owned(),
        };
        let values: Vec<String> = columns(db, table).into_iter().map(value).collect();
        db.execute(&format!("INSERT INTO {table} VALUES ({})", values.join(", ")), []).expect("a row");
    }

    fn place<D: DecisionKind>(db: &rusqlite::Connection, scope: &Scope, sequence: u64, content: &D) -> (u64, Vec<u8>) {
        let sequence_ms = i64::try_from(sequence).expect("small");
        let decision = Decision::of(content, scope, &DecidedBy::server(Timestamp(sequence_ms)));
        let (envelope, content) = decision.read().expect("it reads");
        let at = AppliedAt { scope, sequence, envelope: &envelope };
        project(&mut seam(db), &at, &decision, &content).expect("projected");
        (sequence, encode(&decision))
    }

    fn centre(name: &str) -> Centre {
        Centre { code: "KOLAR".parse().expect("a code"), name: name.to_owned() }
    }

    fn name(db: &rusqlite::Connection) -> Option<String> {
        latest::<Centre>(&mut seam(db), "KOLAR").expect("read").map(|centre| centre.name)
    }

    #[test]
    fn every_table_that_decisions_project_to_is_dropped_with_its_scope_or_kept_for_a_reason() {
        with_store(|db| {
            let of_records = KINDS.into_iter().map(|kind| (kind.table)().name).chain(["documents", "words"]);
            let details = KINDS.into_iter().filter_map(|kind| (kind.details)()).map(|table| table.name);
            let known = of_records.chain(details).chain(tables()).chain(KEPT_WITHOUT_SCOPE.map(|(table, _)| table));
            let mut statement = db
                .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
                .expect("it");
            let all = statement.query_map([], |row| row.get(0)).expect("rows").collect::<Result<BTreeSet<String>, _>>();
            assert_eq!(all.expect("tables"), known.map(str::to_owned).collect());

            let (lost, kept): (Scope, &str) = ("c/KOLAR".parse().expect("a scope"), "org");
            for drops in [delete_scope, |db: &mut dyn Writer, scope: &Scope| rebuild(db, scope, &[])] {
                for table in tables() {
                    db.execute(&format!("DELETE FROM {table}"), []).expect("cleared");
                    fill(db, table, &lost.to_string());
                    fill(db, table, kept);
                }
                drops(&mut seam(db), &lost).expect("dropped");
                assert!(tables().all(|table| scopes_in(db, table) == [kept]));
            }
        });
    }

    #[test]
    fn every_kind_with_a_table_has_the_columns_of_the_schema() {
        with_store(|db| {
            for kind in DECISIONS {
                let StoredAsInfo::Rows(table) = (kind.stored)() else { continue };
                let common = [Column::text("scope"), Column::int("seq"), Column::int("decided_at_ms")];
                let written = |column_type| match column_type {
                    ColumnType::Int => "INTEGER",
                    ColumnType::Text => "TEXT",
                    ColumnType::Blob => "BLOB",
                };
                let expected = table.columns.into_iter().chain(common);
                let expected = expected.map(|it| (it.name.to_owned(), written(it.column_type).to_owned()));
                let found: BTreeSet<_> = columns(db, table.name).into_iter().collect();
                assert_eq!(found, expected.collect(), "{}", table.name);
            }
        });
    }

    #[test]
    fn the_last_decision_counts_in_whatever_order_they_are_read() {
        with_store(|db| {
            let scope = Scope::Organisation;
            place(db, &scope, 8, &centre("newer"));
            place(db, &scope, 5, &centre("older, and set aside until now"));
            assert_eq!(name(db).as_deref(), Some("newer"));
            place(db, &scope, 9, &centre("newest"));
            assert_eq!(name(db).as_deref(), Some("newest"));
        });
    }

    #[test]
    fn going_back_to_a_position_restores_the_projection_of_then() {
        with_store(|db| {
            let scope = Scope::Organisation;
            let first = place(db, &scope, 1, &centre("first"));
            place(db, &scope, 2, &centre("second"));
            rebuild(&mut seam(db), &scope, &[first, (2, vec![0x80])]).expect("went back");
            assert_eq!(name(db).as_deref(), Some("first"));
            rebuild(&mut seam(db), &scope, &[]).expect("went back");
            assert_eq!(name(db), None);
        });
    }

    #[test]
    fn decisions_that_name_a_record_are_found() {
        with_store(|db| {
            let scope: Scope = "c/KOLAR".parse().expect("a scope");
            let (first, second) = (DocumentId::from([1; 16]), DocumentId::from([2; 16]));
            let review = |code: &str, review: u8, documents: &[DocumentId]| Review {
                review_id: ReviewId::from([review; 16]),
                code: code.into(),
                documents: documents.to_vec(),
            };
            place(db, &scope, 1, &review("late_delivery", 1, &[second, first]));
            place(db, &scope, 2, &review("grant_ended", 2, &[first]));
            place(db, &scope, 3, &Erasure { document_id: first });
            let mut seam = seam(db);
            assert_eq!(review_codes(&mut seam, second).expect("codes"), ["late_delivery"]);
            assert_eq!(review_codes(&mut seam, first).expect("codes"), ["grant_ended", "late_delivery"]);
            let raised = reviews(&mut seam).expect("reviews");
            assert_eq!(raised.iter().map(|it| it.raised_at.0).collect::<Vec<_>>(), [1, 2]);
            assert_eq!(raised.first().map(|it| it.review.documents.clone()), Some(vec![first, second]));
            let plan = plan(&mut seam, REVIEW_CODES, &values![first]);
            assert!(plan.iter().any(|step| step.contains("(scope=? AND seq=?)")), "{plan:?}");
            assert!(plan.iter().all(|step| !step.starts_with("SCAN")), "{plan:?}");
        });
    }

    fn plan(db: &mut dyn Reader, statement: &str, params: &[crate::units::Value<'_>]) -> Vec<String> {
        db.query_all(&format!("EXPLAIN QUERY PLAN {statement}"), params, |row| row.get(3)).expect("a plan")
    }
}
