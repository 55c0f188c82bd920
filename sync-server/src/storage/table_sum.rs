//! Sums of a database's tables: how many rows each has, and the SHA-256 of their values, by which a copy is compared with what was copied.

use std::path::Path;

use farmtally_core::store::file::plain_path;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};
use sha2::{Digest, Sha256};

use crate::Error;

/// Query for the schema, which is summed like a table.
const SCHEMA: &str = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name";
/// Query for the number of the schema's version, which is summed like a table of one row.
const VERSION: &str = "SELECT user_version FROM pragma_user_version";

/// Rows of a table, and the hash of their values in the order of the primary key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableSum {
    pub(crate) table: String,
    pub(crate) rows: u64,
    pub(crate) hash: [u8; 32],
}

/// Returns the sum of each table of a copied database, of its schema (`sqlite_schema`) and of its version (`user_version`). Keeps one row
/// at a time in memory.
///
/// # Errors
/// [`Error::Unusable`] naming the file.
pub(crate) fn table_sums(path: &Path) -> Result<Vec<TableSum>, Error> {
    let sums = || -> rusqlite::Result<Vec<TableSum>> {
        let db = Connection::open_with_flags(plain_path(path), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut sums = vec![sum(&db, "sqlite_schema", SCHEMA)?, sum(&db, "user_version", VERSION)?];
        let mut statement = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?;
        let tables = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
        for table in tables {
            sums.push(sum(&db, &table, &rows_in_order(&db, &table)?)?);
        }
        Ok(sums)
    };
    sums().map_err(|error| Error::unusable(&path.display(), format!("it cannot be read: {error}: make another copy")))
}

/// Returns the query for all columns of a table, ordered by its primary key, or by the row's number if it has none.
fn rows_in_order(db: &Connection, table: &str) -> rusqlite::Result<String> {
    let mut statement = db.prepare("SELECT name, pk FROM pragma_table_info(?1) ORDER BY cid")?;
    let columns = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let columns = columns.collect::<rusqlite::Result<Vec<(String, u32)>>>()?;
    let mut key: Vec<&(String, u32)> = columns.iter().filter(|(_, place)| *place > 0).collect();
    key.sort_by_key(|(_, place)| *place);
    let list = |names: Vec<String>| names.join(", ");
    let all = list(columns.iter().map(|(name, _)| quoted(name)).collect());
    let order =
        if key.is_empty() { "rowid".to_owned() } else { list(key.iter().map(|(name, _)| quoted(name)).collect()) };
    Ok(format!("SELECT {all} FROM {} ORDER BY {order}", quoted(table)))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn sum(db: &Connection, table: &str, query: &str) -> rusqlite::Result<TableSum> {
    let mut statement = db.prepare(query)?;
    let columns = statement.column_count();
    let (mut rows, mut hash) = (0, Sha256::new());
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        rows += 1;
        for column in 0..columns {
            hash_value(&mut hash, row, column)?;
        }
    }
    Ok(TableSum { table: table.to_owned(), rows, hash: hash.finalize().into() })
}

/// Adds a value to a hash: a letter for its type, the number of its bytes as 8 bytes (lowest first), and the bytes. An integer is 8 bytes,
/// lowest first.
fn hash_value(hash: &mut Sha256, row: &Row<'_>, column: usize) -> rusqlite::Result<()> {
    let mut add = |letter: &[u8; 1], bytes: &[u8]| {
        hash.update(letter);
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    match row.get_ref(column)? {
        ValueRef::Null => add(b"n", &[]),
        ValueRef::Integer(number) => add(b"i", &number.to_le_bytes()),
        ValueRef::Real(number) => add(b"r", &number.to_le_bytes()),
        ValueRef::Text(text) => add(b"t", text),
        ValueRef::Blob(bytes) => add(b"b", bytes),
    }
    Ok(())
}
