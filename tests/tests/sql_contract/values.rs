//! Cases for values: limits, nulls and types.

use farmtally_core::store::sql::{Error, Reader, Value, values};

use super::Engine;

type Sample = (Option<i64>, Option<String>, Option<Vec<u8>>);

const INSERT: &str = "INSERT INTO samples (sample_id, number, name, body) VALUES (?1, ?2, ?3, ?4)";

fn samples(reader: &mut dyn Reader) -> Result<Vec<Sample>, Error> {
    let query = "SELECT number, name, body FROM samples ORDER BY sample_id";
    reader.query_all(query, &[], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
}

/// Writes samples with the ids 0, 1, …, and compares what is read back.
fn assert_kept(engine: &Engine, expected: &[Sample]) {
    engine
        .write(|writer| {
            for (id, (number, name, body)) in (0_u8..).zip(expected) {
                writer.execute(INSERT, &values![[id], number, name, body])?;
            }
            Ok(())
        })
        .expect("written");
    assert_eq!(engine.read(samples).expect("read"), expected);
}

pub(crate) fn values_come_back_as_stored(engine: &Engine) {
    let text = |text: &str| Some(text.to_owned());
    assert_kept(
        engine,
        &[
            (Some(i64::MIN), text(""), Some(Vec::new())),
            (Some(i64::MAX), text("ಲಕ್ಷ್ಮಿ लक्ष्मी లక్ష్మి"), Some(vec![0, 255, 0])),
            (Some(0), text("'\"\\ \u{1}\u{7f}\t\r\n ?1 $1"), Some((0..=255).collect())),
            (Some(-1), text(&"ನ".repeat(100_000)), Some(vec![7; 1 << 20])),
        ],
    );
}

pub(crate) fn a_null_is_found_first_and_later_in_each_type(engine: &Engine) {
    let full = || (Some(1), Some("one".to_owned()), Some(b"one".to_vec()));
    assert_kept(engine, &[(None, None, None), full(), (None, None, None), full()]);
}

pub(crate) fn a_parameter_is_null_first_and_a_value_later(engine: &Engine) {
    let find = "SELECT count(*) FROM samples WHERE number = ?1 OR name = ?2 OR body = ?3";
    engine.write(|writer| writer.execute(INSERT, &values![b"x", 7, "seven", b"7"])).expect("written");
    let counts = engine.read(|reader| {
        let mut count = |params: &[Value<'_>]| reader.query_one(find, params, |row| row.get::<i64>(0));
        Ok([
            count(&[Value::Null, Value::Null, Value::Null])?,
            count(&values![7, "x", b"x"])?,
            count(&[Value::Null, Value::text("seven"), Value::Null])?,
            count(&[Value::Int(8), Value::Null, Value::Blob(b"7".into())])?,
            count(&[Value::Null, Value::Null, Value::Null])?,
        ])
    });
    assert_eq!(counts.expect("read"), [0, 1, 1, 1, 0].map(Some));
}

pub(crate) fn text_with_nul_is_refused(engine: &Engine) {
    let insert = engine.write(|writer| writer.execute(INSERT, &values![b"x", 1, "a\0b", b"x"]));
    assert!(matches!(insert, Err(Error::NulInText)), "{insert:?}");
    let query = engine.read(|reader| reader.exists("SELECT 1 FROM samples WHERE name = ?1", &values!["\0"]));
    assert!(matches!(query, Err(Error::NulInText)), "{query:?}");
    assert_eq!(engine.read(samples).expect("read"), []);
    // A blob may contain NUL.
    engine.write(|writer| writer.execute(INSERT, &values![b"\0", 1, "", b"a\0b"])).expect("written");
}

pub(crate) fn numbers_beyond_a_column_are_refused(engine: &Engine) {
    let insert = engine.write(|writer| writer.execute(INSERT, &values![b"x", u64::MAX, "", b""]));
    assert!(matches!(insert, Err(Error::OutOfRange)), "{insert:?}");
    assert_eq!(engine.read(samples).expect("read"), []);
}

pub(crate) fn a_column_is_read_only_as_its_type(engine: &Engine) {
    engine.write(|writer| writer.execute(INSERT, &values![b"x", 300, "name", None::<&[u8]>])).expect("written");
    let read = |read: &dyn Fn(&dyn farmtally_core::store::sql::Row) -> Result<(), Error>| {
        let query = "SELECT number, name, body FROM samples";
        engine.read(|reader| reader.query(query, &[], &mut |row| read(row)))
    };
    read(&|row| row.get::<i64>(0).map(drop)).expect("a number");
    let refused = |result: Result<(), Error>, column: usize| {
        assert!(matches!(result, Err(Error::Type { column: found, .. }) if found == column), "{column}: {result:?}");
    };
    refused(read(&|row| row.get::<u8>(0).map(drop)), 0);
    refused(read(&|row| row.get::<String>(0).map(drop)), 0);
    refused(read(&|row| row.get::<i64>(1).map(drop)), 1);
    refused(read(&|row| row.get::<Vec<u8>>(1).map(drop)), 1);
    refused(read(&|row| row.get::<Vec<u8>>(2).map(drop)), 2);
    refused(read(&|row| row.get::<i64>(3).map(drop)), 3);
    let fraction = engine.read(|reader| reader.query_one("SELECT 1.5", &[], |row| row.get::<i64>(0)));
    assert!(matches!(fraction, Err(Error::Type { column: 0, .. })), "{fraction:?}");
}

pub(crate) fn expressions_have_the_types_of_columns(engine: &Engine) {
    engine
        .write(|writer| {
            writer.execute(INSERT, &values![b"x", i64::from(i32::MAX), "ನ", b"xyz"])?;
            writer.execute(INSERT, &values![b"y", 1, None::<&str>, None::<&[u8]>])
        })
        .expect("written");
    let query = "SELECT count(*), CAST(sum(number) AS BIGINT), max(number), max(coalesce(length(body), 0)), max(name),
        EXISTS (SELECT 1 FROM samples WHERE number = 1), max(CASE WHEN number = 1 THEN 1 ELSE 0 END), 7, 'text'
        FROM samples";
    let found = engine.read(|reader| {
        reader.query_one(query, &[], |row| {
            let numbers: Vec<i64> =
                [0, 1, 2, 3, 5, 6, 7].into_iter().map(|it| row.get(it)).collect::<Result<_, _>>()?;
            Ok((numbers, row.get::<String>(4)?, row.get::<String>(8)?, row.get::<bool>(5)?))
        })
    });
    let largest = i64::from(i32::MAX);
    let expected = (vec![2, largest + 1, largest, 3, 1, 1, 7], "ನ".to_owned(), "text".to_owned(), true);
    assert_eq!(found.expect("read"), Some(expected));
}
