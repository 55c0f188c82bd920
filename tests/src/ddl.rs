//! Translation of a SQLite schema to PostgreSQL, and comparison of the two in a running database.
//!
//! The shipped files were written by [`to_postgres`] once and are edited by hand since; [`schema_differences`] reports where they differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use farmtally_core::store::RECORDS;
use farmtally_core::store::sql::{self, Database, Dialect, Error, Value};
use farmtally_core::units::OrganisationId;
use postgres::Client;
use rusqlite::Connection;

const ORGANISATION: &str = "organisation BIGINT NOT NULL DEFAULT current_setting('farmtally.organisation')::bigint";

/// Translates `CREATE TABLE`, `CREATE INDEX` and `ALTER TABLE … ADD COLUMN` of SQLite. Comments and layout are kept.
///
/// Each table gets a column `organisation`, first in its keys and indexes, and a policy that shows only rows of the organisation in the
/// setting `farmtally.organisation`.
/// # Panics
/// On any other statement, which has to be written by hand.
pub fn to_postgres(sqlite: &str) -> String {
    let mut out = String::new();
    let mut statement = Vec::new();
    for token in tokens(sqlite) {
        let is_end = token == ";";
        statement.push(token);
        if is_end {
            out.push_str(&translate(&statement));
            statement.clear();
        }
    }
    assert!(words(&statement).is_empty(), "a statement without its end: {}", statement.concat());
    out.push_str(&statement.concat());
    out
}

/// Splits text into words, punctuation, quoted strings, comments and white space; joined, they are the text.
fn tokens(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = match first {
            c if c.is_whitespace() => rest.find(|c: char| !c.is_whitespace()),
            c if is_word(c) => rest.find(|c: char| !is_word(c)),
            '\'' => rest.match_indices('\'').nth(1).map(|(at, _)| at + 1),
            '-' if rest.starts_with("--") => rest.find('\n'),
            c => Some(c.len_utf8()),
        };
        let (token, after) = rest.split_at(length.unwrap_or(rest.len()));
        all.push(token);
        rest = after;
    }
    all
}

fn is_trivia(token: &str) -> bool {
    token.starts_with("--") || token.chars().all(char::is_whitespace)
}

/// The tokens that are neither white space nor comments.
fn words<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    tokens.iter().copied().filter(|token| !is_trivia(token)).collect()
}

fn translate(statement: &[&str]) -> String {
    match words(statement).as_slice() {
        ["CREATE", "TABLE", table, "(", ..] => create_table(table, statement),
        ["CREATE", "INDEX", ..] | ["CREATE", "UNIQUE", "INDEX", ..] => create_index(statement),
        ["ALTER", "TABLE", _, "ADD", "COLUMN", ..] => statement.iter().map(|token| type_name(token)).collect(),
        other => panic!("write this statement by hand: {}", other.join(" ")),
    }
}

fn type_name(token: &str) -> &str {
    match token {
        "INTEGER" => "BIGINT",
        "BLOB" => "BYTEA",
        "TEXT" => "TEXT COLLATE \"C\"",
        other => other,
    }
}

/// The entries, separated by commas, of a statement's first parentheses: the words of each, with their token indexes.
fn entries<'a>(statement: &[&'a str]) -> Vec<Vec<(usize, &'a str)>> {
    let mut entries = vec![Vec::new()];
    let mut depth = 0;
    for (at, token) in statement.iter().copied().enumerate().filter(|(_, token)| !is_trivia(token)) {
        match token {
            "(" if depth == 0 => {
                depth = 1;
                continue;
            }
            ")" if depth == 1 => break,
            "," if depth == 1 => {
                entries.push(Vec::new());
                continue;
            }
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth > 0 {
            entries.last_mut().expect("one").push((at, token));
        }
    }
    entries
}

fn create_table(table: &str, statement: &[&str]) -> String {
    let mut changed: Vec<String> = statement.iter().map(|token| type_name(token).to_owned()).collect();
    let mut constraints = String::new();
    for entry in entries(statement) {
        let names: Vec<&str> = entry.iter().map(|(_, word)| *word).collect();
        let at = |number: usize| entry[number].0;
        match names.as_slice() {
            ["PRIMARY", "KEY", "(", ..] => changed[at(2)].push_str("organisation, "),
            ["UNIQUE", "(", ..] => changed[at(1)].push_str("organisation, "),
            [column, ..] => {
                let key = names.windows(2).position(|pair| pair == ["PRIMARY", "KEY"]);
                if let Some(key) = key {
                    remove(&mut changed, at(key));
                    remove(&mut changed, at(key + 1));
                    write!(constraints, "\n    PRIMARY KEY (organisation, {column}),").expect("into a String");
                }
                if key == Some(2) && names[1] == "INTEGER" {
                    changed[at(2)].push_str(" GENERATED BY DEFAULT AS IDENTITY");
                }
                if let Some(unique) = names.iter().position(|word| *word == "UNIQUE") {
                    remove(&mut changed, at(unique));
                    write!(constraints, "\n    UNIQUE (organisation, {column}),").expect("into a String");
                }
            }
            [] => {}
        }
    }
    let open = statement.iter().position(|token| *token == "(").expect("a table's columns");
    changed[open].push_str("\n    ");
    changed[open].push_str(ORGANISATION);
    changed[open].push(',');
    changed[open].push_str(&constraints);
    let close = statement.iter().rposition(|token| *token == ")").expect("a table's end");
    // STRICT and WITHOUT ROWID exist in SQLite only.
    changed.truncate(close + 1);
    let setting = "current_setting('farmtally.organisation')::bigint";
    let created = changed.concat();
    format!(
        "{created};\nALTER TABLE {table} ENABLE ROW LEVEL SECURITY;\nALTER TABLE {table} FORCE ROW LEVEL SECURITY;\n\
         CREATE POLICY {table}_of_organisation ON {table}\n    USING (organisation = {setting}) WITH CHECK (organisation = {setting});"
    )
}

/// Empties a word and the white space just before it; no index changes.
fn remove(tokens: &mut [String], at: usize) {
    tokens[at].clear();
    if tokens[at - 1].chars().all(char::is_whitespace) {
        tokens[at - 1].clear();
    }
}

fn create_index(statement: &[&str]) -> String {
    let open = statement.iter().position(|token| *token == "(").expect("an index's columns");
    let with_organisation = |(at, token): (usize, &&str)| {
        if at == open { "(organisation, ".to_owned() } else { (*token).to_owned() }
    };
    statement.iter().enumerate().map(with_organisation).collect()
}

/// A table of either engine, without the column `organisation`.
#[derive(Default)]
struct Table {
    /// Name, type as SQLite names it, and whether it may be null; in order.
    columns: Vec<(String, String, bool)>,
    primary_key: Vec<String>,
    /// Columns in order, whether unique, whether partial; without the primary key.
    indexes: BTreeSet<(Vec<String>, bool, bool)>,
}

impl Table {
    /// All parts of the table, as text.
    fn parts(&self) -> BTreeSet<String> {
        let columns = self.columns.iter().enumerate().map(|(number, (name, column_type, is_nullable))| {
            let null = if *is_nullable { "" } else { " NOT NULL" };
            format!("column {}: {name} {column_type}{null}", number + 1)
        });
        let indexes = self.indexes.iter().map(|(columns, is_unique, is_partial)| {
            let (unique, partial) =
                (if *is_unique { "unique " } else { "" }, if *is_partial { "partial " } else { "" });
            format!("{unique}{partial}index ({})", columns.join(", "))
        });
        let key = format!("primary key ({})", self.primary_key.join(", "));
        columns.chain(indexes).chain([key]).collect()
    }
}

/// Compares the columns, primary keys and indexes, not the rows, of two databases, without the tables in `postgres_only`. Returns one text
/// for each difference.
pub fn schema_differences(sqlite: &Connection, postgres: &mut Client, postgres_only: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let expected = sqlite_tables(sqlite);
    let mut actual = postgres_tables(postgres, &mut found);
    actual.retain(|name, _| !postgres_only.contains(&name.as_str()));
    let names: BTreeSet<&String> = expected.keys().chain(actual.keys()).collect();
    for name in names {
        match (expected.get(name), actual.get(name)) {
            (Some(expected), Some(actual)) => {
                let (expected, actual) = (expected.parts(), actual.parts());
                found.extend(expected.difference(&actual).map(|part| format!("{name}: only SQLite has {part}")));
                found.extend(actual.difference(&expected).map(|part| format!("{name}: only PostgreSQL has {part}")));
            }
            (Some(_), None) => found.push(format!("{name} is missing in PostgreSQL")),
            (None, _) => found.push(format!("{name} is missing in SQLite")),
        }
    }
    found
}

/// Opens a SQLite database in memory with the server's tables, without rows.
pub fn sqlite_server_tables() -> Connection {
    let db = Connection::open_in_memory().expect("it opens");
    for tables in [RECORDS, include_str!("../../sync-server/src/storage/schema.sql")] {
        db.execute_batch(tables).expect("tables");
    }
    db
}

fn printed(value: &Value<'_>) -> String {
    match value {
        Value::Null => String::new(),
        Value::Int(int) => int.to_string(),
        Value::Text(text) => text.to_string(),
        Value::Blob(blob) => data_encoding::HEXUPPER.encode(blob),
        Value::OutOfRange => "out of range".to_owned(),
    }
}

/// All rows of an organisation in `database` as text, one a line, ordered by table and primary key; `sqlite` only lists the tables. The
/// column `arrival` is left out, because on PostgreSQL all organisations share its numbers.
pub fn rows(sqlite: &Connection, database: &dyn Database, organisation: OrganisationId) -> String {
    let mut text = String::new();
    for (name, table) in sqlite_tables(sqlite) {
        let columns: Vec<&str> = table.columns.iter().map(|(column, ..)| column.as_str()).collect();
        let named: Vec<&str> = columns.iter().copied().filter(|column| *column != "arrival").collect();
        let query = format!("SELECT {} FROM {name} ORDER BY {}", named.join(", "), table.primary_key.join(", "));
        let lines: Result<Vec<String>, Error> = sql::read(database, organisation, |reader| {
            reader.query_all(&query, &[], |row| {
                let cells = (0..named.len()).map(|column| row.value(column).map(|value| printed(&value)));
                Ok(cells.collect::<Result<Vec<_>, _>>()?.join("|"))
            })
        });
        for line in lines.expect("rows") {
            writeln!(text, "{name}|{line}").expect("into a String");
        }
    }
    text
}

/// Copies all rows of a PostgreSQL database with one organisation into the same tables, still empty, of SQLite. Needs a role that row
/// policies do not restrict.
pub fn copy_rows(postgres: &mut Client, sqlite: &Connection) {
    for (name, table) in sqlite_tables(sqlite) {
        let columns: Vec<&str> = table.columns.iter().map(|(column, ..)| column.as_str()).collect();
        let (columns, marks) = (columns.join(", "), vec!["?"; columns.len()].join(", "));
        let mut insert = sqlite.prepare(&format!("INSERT INTO {name} ({columns}) VALUES ({marks})")).expect("a table");
        for row in postgres.query(&format!("SELECT {columns} FROM {name}"), &[]).expect("a table") {
            let value = |(at, (_, column_type, _)): (usize, &(String, String, bool))| match column_type.as_str() {
                "INTEGER" => row.get::<_, Option<i64>>(at).into(),
                "TEXT" => row.get::<_, Option<String>>(at).into(),
                _ => row.get::<_, Option<Vec<u8>>>(at).into(),
            };
            let values = table.columns.iter().enumerate().map(value).collect::<Vec<rusqlite::types::Value>>();
            insert.execute(rusqlite::params_from_iter(values)).expect("a row");
        }
    }
}

/// Returns an INSERT for each table that adds `count` rows, in scopes and on days that no test uses; `sqlite` only lists the columns. The
/// values mean nothing: only the engine can read them.
pub fn fill_statements(sqlite: &Connection, dialect: Dialect, tables: &[&str], count: u32) -> Vec<String> {
    let blob = if dialect == Dialect::Sqlite { "BLOB" } else { "BYTEA" };
    let all = sqlite_tables(sqlite);
    let of_table = |name: &&str| {
        let columns = all[*name].columns.iter().filter(|(column, ..)| column != "arrival");
        let (names, values): (Vec<&str>, Vec<String>) = columns
            .map(|(column, column_type, _)| {
                let value = match (column.as_str(), column_type.as_str()) {
                    ("scope", _) => "'c/S' || CAST(i % 100 AS TEXT) || '/2018'".to_owned(),
                    ("business_day", _) => "i % 300".to_owned(),
                    ("is_voided" | "conflicts", _) => "0".to_owned(),
                    (_, "BLOB") => format!("CAST(CAST(i AS TEXT) AS {blob})"),
                    (_, "TEXT") => "CAST(i AS TEXT)".to_owned(),
                    _ => "i".to_owned(),
                };
                (column.as_str(), value)
            })
            .unzip();
        format!(
            "WITH RECURSIVE numbers (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM numbers WHERE i < {count})
             INSERT INTO {name} ({}) SELECT {} FROM numbers",
            names.join(", "),
            values.join(", ")
        )
    };
    tables.iter().map(of_table).collect()
}

fn sqlite_tables(db: &Connection) -> BTreeMap<String, Table> {
    let strings = |query: &str| -> Vec<String> {
        let mut statement = db.prepare(query).expect("a query of the catalog");
        statement.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("names")
    };
    let names = strings("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
    names.into_iter().map(|name| (name.clone(), sqlite_table(db, &name))).collect()
}

fn sqlite_table(db: &Connection, name: &str) -> Table {
    let mut table = Table::default();
    let mut key = BTreeMap::new();
    let mut columns = db.prepare("SELECT name, type, \"notnull\", pk FROM pragma_table_info(?1)").expect("a pragma");
    let mut rows = columns.query([name]).expect("rows");
    while let Some(row) = rows.next().expect("a row") {
        let column: String = row.get(0).expect("a name");
        let place: u32 = row.get(3).expect("a number");
        let is_nullable = !row.get::<_, bool>(2).expect("a flag") && place == 0;
        if place > 0 {
            key.insert(place, column.clone());
        }
        table.columns.push((column, row.get(1).expect("a type"), is_nullable));
    }
    table.primary_key = key.into_values().collect();
    let mut indexes = db
        .prepare("SELECT name, \"unique\", partial FROM pragma_index_list(?1) WHERE origin <> 'pk'")
        .expect("a pragma");
    let mut rows = indexes.query([name]).expect("rows");
    while let Some(row) = rows.next().expect("a row") {
        let index: String = row.get(0).expect("a name");
        let mut info = db.prepare("SELECT name FROM pragma_index_info(?1) ORDER BY seqno").expect("a pragma");
        let columns =
            info.query_map([index], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("names");
        table.indexes.insert((columns, row.get(1).expect("a flag"), row.get(2).expect("a flag")));
    }
    table
}

const COLUMNS: &str =
    "SELECT table_name::text, column_name::text, data_type::text, is_nullable = 'YES', collation_name::text
    FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position";

const INDEXES: &str = "SELECT t.relname::text, i.indisprimary, i.indisunique, i.indpred IS NOT NULL,
        array(SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
              JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum ORDER BY k.place)
    FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
    WHERE t.relnamespace = 'public'::regnamespace AND t.relkind = 'r'";

/// Reads PostgreSQL's tables; appends to `found` what is wrong with any of them.
fn postgres_tables(client: &mut Client, found: &mut Vec<String>) -> BTreeMap<String, Table> {
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for row in client.query(COLUMNS, &[]).expect("columns") {
        let (table, column, data_type): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        if column == "organisation" {
            continue;
        }
        let collation: Option<String> = row.get(4);
        let sqlite_type = match (data_type.as_str(), collation.as_deref()) {
            ("bigint", _) => "INTEGER",
            ("bytea", _) => "BLOB",
            ("text", Some("C")) => "TEXT",
            (other, collation) => {
                found.push(format!("{table}.{column} is {other} with collation {collation:?}"));
                other
            }
        };
        tables.entry(table).or_default().columns.push((column, sqlite_type.to_owned(), row.get(3)));
    }
    for row in client.query(INDEXES, &[]).expect("indexes") {
        let (name, is_primary): (String, bool) = (row.get(0), row.get(1));
        let mut columns: Vec<String> = row.get(4);
        if columns.first().is_some_and(|first| first == "organisation") {
            columns.remove(0);
        }
        let table = tables.entry(name).or_default();
        if is_primary {
            table.primary_key = columns;
        } else {
            table.indexes.insert((columns, row.get(2), row.get(3)));
        }
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_translated_with_its_comments() {
        let sqlite = "-- What is known.
CREATE TABLE documents (
    document_id BLOB NOT NULL PRIMARY KEY,     -- its id; never 'reused', (really)
    kind        INTEGER NOT NULL,              -- 1 to 4
    scope       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";
        let expected = "-- What is known.
CREATE TABLE documents (
    organisation BIGINT NOT NULL DEFAULT current_setting('farmtally.organisation')::bigint,
    PRIMARY KEY (organisation, document_id),
    document_id BYTEA NOT NULL,     -- its id; never 'reused', (really)
    kind        BIGINT NOT NULL,              -- 1 to 4
    scope       TEXT COLLATE \"C\" NOT NULL
);
ALTER TABLE documents ENABLE ROW LEVEL SECURITY;
ALTER TABLE documents FORCE ROW LEVEL SECURITY;
CREATE POLICY documents_of_organisation ON documents
    USING (organisation = current_setting('farmtally.organisation')::bigint) WITH CHECK (organisation = current_setting('farmtally.organisation')::bigint);
";
        assert_eq!(to_postgres(sqlite), expected);
    }

    #[test]
    fn keys_and_indexes_begin_with_the_organisation() {
        let cases = [
            (
                "a INTEGER PRIMARY KEY, b TEXT",
                "PRIMARY KEY (organisation, a),a BIGINT GENERATED BY DEFAULT AS IDENTITY, b",
            ),
            ("a BLOB NOT NULL UNIQUE, b TEXT", "UNIQUE (organisation, a),a BYTEA NOT NULL, b"),
            ("a INTEGER NOT NULL, PRIMARY KEY (a, b)", "a BIGINT NOT NULL, PRIMARY KEY (organisation, a, b)"),
            ("a INTEGER, UNIQUE (a)", "a BIGINT, UNIQUE (organisation, a)"),
        ];
        for (columns, expected) in cases {
            let translated = to_postgres(&format!("CREATE TABLE t ({columns}) STRICT;"));
            let flat = translated.replace("\n    ", "").replace("::bigint,", "\n");
            assert!(flat.contains(expected), "{columns}: {flat}");
        }
        assert_eq!(
            to_postgres("CREATE UNIQUE INDEX i ON t (a, b) WHERE a > 0;"),
            "CREATE UNIQUE INDEX i ON t (organisation, a, b) WHERE a > 0;"
        );
        assert_eq!(to_postgres("ALTER TABLE t ADD COLUMN c BLOB;"), "ALTER TABLE t ADD COLUMN c BYTEA;");
    }

    #[test]
    #[should_panic(expected = "write this statement by hand: CREATE TRIGGER")]
    fn what_has_no_rule_is_refused() {
        to_postgres("CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END;");
    }
}
