//! Cases for transactions: atomic, serial, on a snapshot, of one organisation.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use farmtally_core::store::sql::{self, Error, values};
use farmtally_core::units::OrganisationId;

use super::{Engine, Meeting, count_up, counted, kolar, mandya};

const SET: &str = "INSERT INTO counters (centre, part, value) VALUES ('KOLAR', 0, ?1)";

pub(crate) fn a_failed_statement_leaves_nothing_and_answers_nothing_more(engine: &Engine) {
    let result = engine.write(|writer| {
        writer.execute(SET, &values![1])?;
        let again = writer.execute(SET, &values![2]);
        assert!(matches!(again, Err(Error::DuplicateKey { .. })), "{again:?}");
        let after = writer.exists("SELECT 1 FROM counters", &[]);
        assert!(matches!(after, Err(Error::Aborted)), "{after:?}");
        // The error is dropped here; the transaction must fail anyway.
        Ok(())
    });
    assert!(matches!(result, Err(Error::Aborted)), "{result:?}");
    assert_eq!(engine.read(counted).expect("read"), (0, vec![]));
    assert_eq!(engine.write(count_up).expect("the connection is as new"), 1);
}

pub(crate) fn a_failed_visitor_ends_the_transaction(engine: &Engine) {
    engine.write(|writer| writer.execute(SET, &values![1])).expect("written");
    let result = engine.write(|writer| {
        writer.execute("UPDATE counters SET value = 2", &[])?;
        let visited = writer.query("SELECT value FROM counters", &[], &mut |row| row.get::<String>(0).map(drop));
        assert!(matches!(visited, Err(Error::Type { .. })), "{visited:?}");
        let after = writer.execute("UPDATE counters SET value = 3", &[]);
        assert!(matches!(after, Err(Error::Aborted)), "{after:?}");
        visited
    });
    assert!(matches!(result, Err(Error::Type { column: 0, .. })), "{result:?}");
    assert_eq!(engine.read(counted).expect("read").0, 1);
}

#[derive(Debug)]
enum Own {
    Refused,
    Sql(Error),
}

impl From<Error> for Own {
    fn from(error: Error) -> Self {
        Self::Sql(error)
    }
}

pub(crate) fn the_callers_own_error_comes_back(engine: &Engine) {
    let runs = Cell::new(0);
    let result = sql::write(&*engine.database, kolar(), |writer| {
        runs.set(runs.get() + 1);
        count_up(writer)?;
        Err::<(), _>(Own::Refused)
    });
    assert!(matches!(result, Err(Own::Refused)), "{result:?}");
    assert_eq!(runs.get(), 1);
    let result = sql::write(&*engine.database, kolar(), |writer| Ok::<_, Own>(writer.execute("no SQL", &[])?));
    assert!(matches!(result, Err(Own::Sql(Error::Engine { .. }))), "{result:?}");
    let result = sql::read(&*engine.database, kolar(), |reader| {
        counted(reader)?;
        Err::<(), _>(Own::Refused)
    });
    assert!(matches!(result, Err(Own::Refused)), "{result:?}");
    assert_eq!(engine.read(counted).expect("read"), (0, vec![]));
}

pub(crate) fn a_panic_leaves_no_lock(engine: &Engine) {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        engine.write(|writer| -> Result<(), Error> {
            count_up(writer)?;
            panic!("on purpose");
        })
    }));
    std::panic::set_hook(hook);
    let payload = panicked.expect_err("it panics");
    assert_eq!(payload.downcast_ref(), Some(&"on purpose"));
    assert_eq!(engine.write(count_up).expect("written"), 1);
}

pub(crate) fn two_writers_of_one_organisation_count_one_after_the_other(engine: &Engine) {
    let each = 20;
    let mut values: Vec<i64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..each).map(|_| engine.write(count_up).expect("written")).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("it ends")).collect()
    });
    values.sort_unstable();
    let expected: Vec<i64> = (1..=4 * each).collect();
    assert_eq!(values, expected);
    assert_eq!(engine.read(counted).expect("read"), (4 * each, expected));
}

pub(crate) fn writers_of_two_organisations_run_at_the_same_time(engine: &Engine) {
    // Each waits inside its transaction until the other is inside its own.
    let write = |organisation: OrganisationId, meeting: Meeting| {
        sql::write(&*engine.database, organisation, |writer| {
            count_up(writer)?;
            meeting.wait();
            Ok::<_, Error>(())
        })
    };
    let [here, there] = Meeting::of_two();
    thread::scope(|scope| {
        let other = scope.spawn(|| write(mandya(), there));
        write(kolar(), here).expect("written");
        other.join().expect("it ends").expect("written");
    });
}

pub(crate) fn a_snapshot_does_not_move(engine: &Engine) {
    engine.write(count_up).expect("written");
    let (before, after) = engine
        .read(|reader| {
            let before = counted(reader)?;
            thread::scope(|scope| scope.spawn(|| engine.write(count_up)).join().expect("it ends"))?;
            Ok((before, counted(reader)?))
        })
        .expect("read");
    assert_eq!(before, (1, vec![1]));
    assert_eq!(after, before);
    assert_eq!(engine.read(counted).expect("read"), (2, vec![1, 2]));
}

pub(crate) fn a_reader_does_not_write(engine: &Engine) {
    // A doctest of `Reader` shows that it has no `execute`. The engine must refuse queries that write.
    let attempts = [
        "INSERT INTO counters (centre, part, value) VALUES ('KOLAR', 0, 1) RETURNING value",
        "UPDATE counters SET value = 7 RETURNING value",
        "DELETE FROM counters RETURNING value",
    ];
    engine.write(|writer| writer.execute(SET, &values![1])).expect("written");
    for attempt in attempts {
        let result = engine.read(|reader| reader.query(attempt, &[], &mut |_| Ok(())));
        assert!(matches!(result, Err(Error::Engine { .. })), "{attempt}: {result:?}");
    }
    assert_eq!(engine.read(counted).expect("read").0, 1);
}

pub(crate) fn organisations_do_not_see_each_other(engine: &Engine) {
    engine.write(count_up).expect("written");
    let there = sql::read(&*engine.database, mandya(), counted);
    assert_eq!(there.expect("read"), (0, vec![]));
    let changed = sql::write(&*engine.database, mandya(), |writer| {
        Ok::<_, Error>([
            writer.execute("UPDATE counters SET value = 9", &[])?,
            writer.execute("DELETE FROM steps", &[])?,
        ])
    });
    assert_eq!(changed.expect("written"), [0, 0]);
    // The same keys as those of the other organisation.
    assert_eq!(sql::write(&*engine.database, mandya(), count_up).expect("written"), 1);
    assert_eq!(engine.read(counted).expect("read"), (1, vec![1]));
}

pub(crate) fn an_unknown_organisation_is_refused(engine: &Engine) {
    let unknown = OrganisationId::from([9; 16]);
    let read = sql::read(&*engine.database, unknown, counted);
    assert!(matches!(read, Err(Error::UnknownOrganisation)), "{read:?}");
    let written = sql::write(&*engine.database, unknown, count_up);
    assert!(matches!(written, Err(Error::UnknownOrganisation)), "{written:?}");
}
