//! Cases for the order of rows.

use farmtally_core::store::sql::{Column, FromValue, Insert, Value, values};

use super::Engine;

fn ordered<T: FromValue>(engine: &Engine, rows: &[[Value<'_>; 3]], column: &str) -> Vec<T> {
    let columns = [Column::blob("sample_id"), Column::text("name"), Column::blob("body")];
    let into = Insert { table: "samples", columns: &columns, on_conflict: "" };
    let rows: Vec<Value<'_>> = rows.iter().flatten().cloned().collect();
    engine.write(|writer| writer.insert(&into, &rows)).expect("written");
    let query = format!("SELECT {column} FROM samples ORDER BY {column}");
    engine.read(|reader| reader.query_all(&query, &[], |row| row.get(0))).expect("read")
}

pub(crate) fn text_is_ordered_by_its_bytes(engine: &Engine) {
    let sorted =
        ["", " ", "-a", "A", "Aa", "B", "a", "a b", "a-b", "aB", "ab", "z", "É", "é", "लक्ष्मण", "लक्ष्मी", "ಲ", "ﬁ", "😀"];
    let rows: Vec<_> = sorted
        .iter()
        .rev()
        .map(|name| [Value::Blob(name.as_bytes().into()), Value::text(name), Value::Blob(b"".into())])
        .collect();
    assert_eq!(ordered::<String>(engine, &rows, "name"), sorted);
    let between = "SELECT count(*) FROM samples WHERE name >= ?1 AND name < ?2";
    let count = engine.read(|reader| reader.query_one(between, &values!["a", "b"], |row| row.get::<usize>(0)));
    assert_eq!(count.expect("read"), Some(5));
}

pub(crate) fn blobs_are_ordered_by_their_bytes(engine: &Engine) {
    let sorted: [&[u8]; 7] = [b"", b"\0", b"\0\0", b"\0\x01", b"\x7f", b"\x80", b"\xff"];
    let rows: Vec<_> = sorted
        .iter()
        .rev()
        .map(|body| [Value::Blob((*body).into()), Value::text(""), Value::Blob((*body).into())])
        .collect();
    assert_eq!(ordered::<Vec<u8>>(engine, &rows, "body"), sorted);
}

pub(crate) fn nulls_are_where_the_statement_says(engine: &Engine) {
    let rows = [values![b"1", "b", b""], values![b"2", None::<&str>, b""], values![b"3", "a", b""]];
    let names = |order: &str| {
        let query = format!("SELECT name FROM samples ORDER BY name {order}");
        engine.read(|reader| reader.query_all(&query, &[], |row| row.get::<Option<String>>(0))).expect("read")
    };
    ordered::<Option<String>>(engine, &rows, "name");
    let [a, b] = ["a", "b"].map(|name| Some(name.to_owned()));
    assert_eq!(names("NULLS FIRST"), [None, a.clone(), b.clone()]);
    assert_eq!(names("NULLS LAST"), [a.clone(), b.clone(), None]);
    assert_eq!(names("DESC NULLS LAST"), [b, a, None]);
}
