//! Cases for many rows and many keys in one call.

use farmtally_core::store::sql::{Column, Error, Insert, ToValue, Value, Writer, values};

use super::Engine;

const COLUMNS: &[Column<'_>] =
    &[Column::blob("sample_id"), Column::int("number"), Column::text("name"), Column::blob("body")];
const SAMPLES: Insert<'_> = Insert { table: "samples", columns: COLUMNS, on_conflict: "" };
const COUNTERS: &[Column<'_>] = &[Column::text("centre"), Column::int("part"), Column::int("value")];
const UPSERT: Insert<'_> = Insert {
    table: "counters",
    columns: COUNTERS,
    on_conflict: "ON CONFLICT (centre, part) DO UPDATE SET value = counters.value + excluded.value",
};

/// Returns a row; the number, name and body of every third are null, beginning with the first.
fn sample(id: &[u8; 4]) -> [Value<'_>; 4] {
    let number = u32::from_be_bytes(*id);
    match number % 3 {
        0 => [Value::Blob(id.into()), Value::Null, Value::Null, Value::Null],
        _ => values_of(id, i64::from(number)),
    }
}

fn values_of(id: &[u8; 4], number: i64) -> [Value<'_>; 4] {
    [Value::Blob(id.into()), Value::Int(number), Value::text("ನಾರಾಯಣ \"d'Souza\" \\ \u{7}"), Value::Blob(id.into())]
}

fn ids(count: u32) -> Vec<[u8; 4]> {
    (0..count).map(u32::to_be_bytes).collect()
}

pub(crate) fn rows_of_any_number_are_inserted(engine: &Engine) {
    for count in [0, 1, 60, 5_000] {
        let ids = ids(count);
        let rows: Vec<Value<'_>> = ids.iter().flat_map(sample).collect();
        let (inserted, found) = engine
            .write(|writer| {
                writer.execute("DELETE FROM samples", &[])?;
                let inserted = writer.insert(&SAMPLES, &rows)?;
                let query = "SELECT sample_id, number, name, body FROM samples ORDER BY sample_id";
                let found = writer.query_all(query, &[], |row| {
                    Ok((
                        row.get::<[u8; 4]>(0)?,
                        row.get::<Option<i64>>(1)?,
                        row.get::<Option<String>>(2)?,
                        row.get::<Option<Vec<u8>>>(3)?,
                    ))
                })?;
                Ok((inserted, found))
            })
            .expect("written");
        assert_eq!(inserted, ids.len());
        let found: Vec<Value<'_>> = found
            .iter()
            .flat_map(|(id, number, name, body)| [id.to_value(), number.to_value(), name.to_value(), body.to_value()])
            .collect();
        assert!(found == rows, "{count} rows differ");
    }
}

pub(crate) fn incomplete_and_mistyped_rows_are_refused(engine: &Engine) {
    let refused = |rows: &[Value<'_>]| {
        let result = engine.write(|writer| writer.insert(&SAMPLES, rows));
        assert!(matches!(result, Err(Error::Type { .. })), "{rows:?}: {result:?}");
        let result = engine.read(|reader| reader.query_keys(COLUMNS, rows, "SELECT n FROM keys", &mut |_| Ok(())));
        assert!(matches!(result, Err(Error::Type { .. })), "{rows:?}: {result:?}");
    };
    refused(&values![b"x", 1, "one"]);
    refused(&values![b"x", 1, "one", b"x", b"y"]);
    refused(&values![b"x", "1", "one", b"x"]);
    refused(&values![b"x", 1, b"one", b"x"]);
    refused(&values![7, 1, "one", b"x"]);
    let nul = engine.write(|writer| writer.insert(&SAMPLES, &values![b"x", 1, "\0", b"x"]));
    assert!(matches!(nul, Err(Error::NulInText)), "{nul:?}");
    let large = engine.write(|writer| writer.insert(&SAMPLES, &values![b"x", u64::MAX, "", b"x"]));
    assert!(matches!(large, Err(Error::OutOfRange)), "{large:?}");
}

pub(crate) fn keys_of_any_number_are_matched_by_n(engine: &Engine) {
    let stored = ids(5_000);
    engine
        .write(|writer| writer.insert(&SAMPLES, &stored.iter().flat_map(sample).collect::<Vec<_>>()))
        .expect("written");
    let keys = [Column::blob("id"), Column::int("number"), Column::text("name")];
    let statement = "SELECT keys.n, samples.body FROM keys JOIN samples
        ON samples.sample_id = keys.id AND samples.number = keys.number AND samples.name = keys.name";
    for count in [0, 1, 60, 5_000] {
        // In reverse, so that `n` is not the order of the table.
        let wanted: Vec<[u8; 4]> = stored.iter().rev().take(count).copied().collect();
        let rows: Vec<Value<'_>> =
            wanted.iter().flat_map(|id| values_of(id, u32::from_be_bytes(*id).into()).into_iter().take(3)).collect();
        let mut found = engine
            .read(|reader| {
                let mut found = Vec::new();
                reader.query_keys(&keys, &rows, statement, &mut |row| {
                    found.push((row.get::<usize>(0)?, row.get::<[u8; 4]>(1)?));
                    Ok(())
                })?;
                Ok(found)
            })
            .expect("read");
        found.sort_unstable();
        let is_stored = |id: &[u8; 4]| !u32::from_be_bytes(*id).is_multiple_of(3);
        let expected: Vec<_> = wanted.iter().copied().enumerate().filter(|(_, id)| is_stored(id)).collect();
        assert!(found == expected, "of {count} keys other rows were found");
    }
}

pub(crate) fn one_statement_sees_all_keys(engine: &Engine) {
    let keys = [Column::text("name"), Column::int("number"), Column::blob("body")];
    let rows = [
        values!["b", i64::MAX, b"\xff\x00"],
        values![None::<&str>, None::<i64>, None::<&[u8]>],
        values!["ಲ\"\\\u{1}", i64::MIN, b""],
        values!["", 0, b"x"],
    ];
    let rows: Vec<Value<'_>> = rows.into_iter().flatten().collect();
    let mut found = Vec::new();
    let all = "SELECT n, name, number, body FROM keys ORDER BY name COLLATE \"C\" DESC NULLS LAST";
    let all =
        if engine.read(|reader| Ok(reader.dialect())).expect("read") == farmtally_core::store::sql::Dialect::Sqlite {
            all.replace(" COLLATE \"C\"", "")
        } else {
            all.to_owned()
        };
    let found_in = std::cell::RefCell::new(&mut found);
    engine
        .read(|reader| {
            reader.query_keys(&keys, &rows, &all, &mut |row| {
                let row = (
                    row.get::<i64>(0)?,
                    row.get::<Option<String>>(1)?,
                    row.get::<Option<i64>>(2)?,
                    row.get::<Option<Vec<u8>>>(3)?,
                );
                found_in.borrow_mut().push(row);
                Ok(())
            })
        })
        .expect("read");
    let text = |text: &str| Some(text.to_owned());
    let expected = [
        (2, text("ಲ\"\\\u{1}"), Some(i64::MIN), Some(vec![])),
        (0, text("b"), Some(i64::MAX), Some(vec![255, 0])),
        (3, text(""), Some(0), Some(b"x".to_vec())),
        (1, None, None, None),
    ];
    assert_eq!(found, expected);
    let count = engine.read(|reader| {
        let mut count = 0;
        reader.query_keys(&keys, &rows, "SELECT count(*) FROM keys", &mut |row| {
            count += row.get::<i64>(0)?;
            Ok(())
        })?;
        Ok(count)
    });
    assert_eq!(count.expect("read"), 4);
}

pub(crate) fn duplicate_keys_are_refused(engine: &Engine) {
    let insert = Insert { on_conflict: "", ..UPSERT };
    let refused = |into: Insert<'_>, rows: &[Value<'_>]| {
        let result = engine.write(|writer| writer.insert(&into, rows));
        assert!(matches!(result, Err(Error::DuplicateKey { .. })), "{result:?}");
    };
    engine.write(|writer| writer.insert(&insert, &values!["KOLAR", 1, 10])).expect("written");
    refused(insert, &values!["KOLAR", 1, 11]);
    refused(insert, &values!["KOLAR", 2, 20, "KOLAR", 2, 21]);
    refused(UPSERT, &values!["KOLAR", 3, 30, "KOLAR", 3, 31]);
    let single = "INSERT INTO counters (centre, part, value) VALUES ('KOLAR', 1, 12)";
    let result = engine.write(|writer| writer.execute(single, &[]));
    assert!(matches!(result, Err(Error::DuplicateKey { .. })), "{result:?}");
    assert_eq!(counters(engine), [("KOLAR".to_owned(), 1, 10)]);
}

pub(crate) fn conflicts_update_or_do_nothing(engine: &Engine) {
    let nothing = Insert { on_conflict: "ON CONFLICT (centre, part) DO NOTHING", ..UPSERT };
    let changed = engine.write(|writer| {
        Ok([
            writer.insert(&UPSERT, &values!["KOLAR", 1, 10, "KOLAR", 2, 20])?,
            writer.insert(&UPSERT, &values!["KOLAR", 2, 1, "MANDYA", 1, 5])?,
            writer.insert(&nothing, &values!["KOLAR", 2, 99, "MANDYA", 2, 6, "MANDYA", 2, 7])?,
            writer.execute("INSERT INTO counters (centre, part, value) VALUES ('KOLAR', 1, 0) ON CONFLICT (centre, part) DO NOTHING", &[])?,
            writer.execute("UPDATE counters SET value = value + ?1 WHERE part = ?2", &values![100, 1])?,
            writer.execute("DELETE FROM counters WHERE part = 7", &[])?,
        ])
    });
    assert_eq!(changed.expect("written"), [2, 2, 1, 0, 2, 0]);
    let expected = [("KOLAR", 1, 110), ("KOLAR", 2, 21), ("MANDYA", 1, 105), ("MANDYA", 2, 6)];
    assert_eq!(counters(engine), expected.map(|(centre, part, value)| (centre.to_owned(), part, value)));
}

pub(crate) fn written_rows_are_returned(engine: &Engine) {
    let insert = "INSERT INTO counters (centre, part, value) VALUES (?1, ?2, 1)
        ON CONFLICT (centre, part) DO UPDATE SET value = counters.value + 1 RETURNING value";
    let next = |writer: &mut dyn Writer| writer.query_one(insert, &values!["KOLAR", 1], |row| row.get::<i64>(0));
    let values = engine.write(|writer| Ok([next(writer)?, next(writer)?, next(writer)?]));
    assert_eq!(values.expect("written"), [Some(1), Some(2), Some(3)]);
}

fn counters(engine: &Engine) -> Vec<(String, i64, i64)> {
    let query = "SELECT centre, part, value FROM counters ORDER BY centre, part";
    engine.read(|reader| reader.query_all(query, &[], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))).expect("read")
}
