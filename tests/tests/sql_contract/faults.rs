//! Cases for writes on PostgreSQL that lose their connection or server, or conflict with another transaction: each counts exactly once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use farmtally_core::environment::{Entropy, Environment};
use farmtally_core::store::sql::{self, Database, Error, Writer};
use farmtally_sync_server::storage::postgres::{Options, PostgresStorage};
use farmtally_tests::postgres::{OWNER, PostgresServer, SERVER, SUPERUSER};
use farmtally_tests::{Cut, Proxy};
use postgres::Client;

use super::{Meeting, SCHEMA, count_up, counted, kolar, mandya, open};

/// A time limit that a test waits for; long enough to connect on a busy machine.
const SHORT: Duration = Duration::from_secs(1);

/// A database behind a proxy that can cut connections.
struct World {
    database: PostgresStorage,
    proxy: Proxy,
    name: String,
    server: Arc<PostgresServer>,
}

impl World {
    /// Returns `None` if there is no PostgreSQL.
    fn new(options: Options) -> Option<Self> {
        let server = PostgresServer::shared()?;
        let name = server.create_database(SCHEMA);
        let proxy = Proxy::start(server.address());
        let database = open(&PostgresServer::url(SERVER, proxy.address(), &name), options);
        Some(Self { database, proxy, name, server })
    }

    fn superuser(&self) -> Client {
        self.server.connect(SUPERUSER, &self.name)
    }

    /// Slows down each COMMIT of a transaction that wrote a step.
    fn slow_down_commits(&self) {
        let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON steps DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION slow()";
        self.server.connect(OWNER, &self.name).batch_execute(slow).expect("a trigger");
    }

    /// Asserts that each of `writes` writes added one to the counter.
    fn assert_counted(&self, writes: i64) {
        let (value, mut steps) = sql::read(&self.database, kolar(), counted).expect("read");
        steps.sort_unstable();
        assert_eq!((value, steps), (writes, (1..=writes).collect()));
    }
}

/// Counts up once for each cut, and asserts that each write counted once. Returns how often the transactions ran in all.
fn count_with_cuts(world: &World, cuts: &[Cut]) -> usize {
    let runs = AtomicUsize::new(0);
    for (number, cut) in (1..).zip(cuts) {
        world.proxy.cut_next_commit(*cut);
        let value = sql::write(&world.database, kolar(), |writer| {
            runs.fetch_add(1, Ordering::SeqCst);
            count_up(writer)
        });
        assert_eq!(value.expect("written"), number, "{cut:?}");
    }
    assert_eq!(world.proxy.cuts(), cuts.len());
    world.assert_counted(i64::try_from(cuts.len()).expect("few"));
    runs.into_inner()
}

#[test]
fn a_commit_that_does_not_reach_the_server_is_repeated() {
    let Some(world) = World::new(Options::default()) else { return };
    assert_eq!(count_with_cuts(&world, &[Cut::BeforeCommit; 10]), 20);
}

#[test]
fn a_commit_whose_answer_is_lost_is_not_repeated() {
    let Some(world) = World::new(Options::default()) else { return };
    assert_eq!(count_with_cuts(&world, &[Cut::AfterCommit; 10]), 10);
}

#[test]
fn connections_lost_at_any_moment_of_a_commit_count_once() {
    let Some(world) = World::new(Options::default()) else { return };
    let cuts = [Cut::DuringCommit, Cut::AfterCommit, Cut::BeforeCommit, Cut::DuringCommit];
    let runs = count_with_cuts(&world, &cuts.repeat(6));
    // Six cuts after the commit need one run, six before it need two; during it, the commit may have happened or not.
    assert!((30..=42).contains(&runs), "{runs}");
}

#[test]
fn a_commit_that_is_still_under_way_is_waited_for() {
    let Some(world) = World::new(Options::default()) else { return };
    world.slow_down_commits();
    assert_eq!(count_with_cuts(&world, &[Cut::DuringCommit; 4]), 4);
}

#[test]
fn a_server_that_is_gone_after_a_commit_leaves_the_outcome_unknown() {
    let options = Options { retry_for: SHORT, ..Options::default() };
    let Some(world) = World::new(options) else { return };
    world.proxy.cut_next_commit_for_good(Cut::AfterCommit);
    let result = sql::write(&world.database, kolar(), count_up);
    assert!(matches!(result, Err(Error::OutcomeUnknown { .. })), "{result:?}");
    let result = sql::write(&world.database, kolar(), count_up);
    assert!(matches!(result, Err(Error::Unavailable { .. })), "{result:?}");
    let result = sql::read(&world.database, kolar(), counted);
    assert!(matches!(result, Err(Error::Unavailable { .. })), "{result:?}");
    let value: i64 = world.superuser().query_one("SELECT value FROM counters", &[]).expect("a row").get(0);
    assert_eq!(value, 1);
}

/// Ends all connections of the server role, and waits until they are closed.
fn terminate_all(superuser: &mut Client) {
    let others = "FROM pg_stat_activity WHERE usename = $1 AND datname = current_database()";
    superuser.query(&format!("SELECT pg_terminate_backend(pid) {others}"), &[&SERVER]).expect("terminated");
    for _ in 0..1_000 {
        let left: i64 = superuser.query_one(&format!("SELECT count(*) {others}"), &[&SERVER]).expect("a count").get(0);
        if left == 0 {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("the connections do not end");
}

#[test]
fn connections_ended_between_any_two_statements_count_once() {
    let Some(world) = World::new(Options::default()) else { return };
    let mut superuser = world.superuser();
    // Before the first statement, and after each of the three.
    for moment in 0..4_usize {
        let runs = AtomicU32::new(0);
        let end = std::cell::RefCell::new(&mut superuser);
        let at = |now: usize| {
            if now == moment && runs.load(Ordering::SeqCst) == 1 {
                terminate_all(&mut end.borrow_mut());
            }
        };
        let value = sql::write(&world.database, kolar(), |writer| {
            runs.fetch_add(1, Ordering::SeqCst);
            at(0);
            writer.exists("SELECT 1 FROM counters", &[])?;
            at(1);
            writer.exists("SELECT 1 FROM steps", &[])?;
            at(2);
            let value = count_up(writer)?;
            at(3);
            Ok::<_, Error>(value)
        });
        assert_eq!(value.expect("written"), i64::try_from(moment).expect("small") + 1, "{moment}");
        assert_eq!(runs.into_inner(), 2, "{moment}");
    }
    world.assert_counted(4);
}

#[test]
fn connections_ended_while_idle_are_replaced() {
    let Some(world) = World::new(Options::default()) else { return };
    let mut superuser = world.superuser();
    for expected in 1..=3 {
        assert_eq!(sql::write(&world.database, kolar(), count_up).expect("written"), expected);
        terminate_all(&mut superuser);
        assert_eq!(sql::read(&world.database, kolar(), counted).expect("read").0, expected);
        terminate_all(&mut superuser);
    }
}

#[test]
fn many_writers_with_connections_ended_at_random_count_once() {
    let Some(world) = World::new(Options { connections: 3, retry_for: Duration::from_secs(60), ..Options::default() })
    else {
        return;
    };
    let mut superuser = world.superuser();
    let is_over = AtomicBool::new(false);
    let (writers, each) = (4, 25);
    let mut values: Vec<i64> = thread::scope(|scope| {
        let (world, is_over) = (&world, &is_over);
        let killer = scope.spawn(move || {
            let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE usename = $1 AND datname = current_database() ORDER BY random() LIMIT 1";
            let mut cuts = [Cut::BeforeCommit, Cut::DuringCommit, Cut::AfterCommit].into_iter().cycle();
            let mut pause_ms = 5;
            while !is_over.load(Ordering::SeqCst) {
                superuser.query(kill, &[&SERVER]).expect("terminated");
                pause_ms = pause_ms * 7 % 41;
                thread::sleep(Duration::from_millis(pause_ms));
                if let (0, Some(cut)) = (pause_ms % 3, cuts.next()) {
                    world.proxy.cut_next_commit(cut);
                }
            }
        });
        let threads: Vec<_> = (0..writers)
            .map(|_| {
                let write = || sql::write(&world.database, kolar(), count_up).expect("written");
                scope.spawn(move || (0..each).map(|_| write()).collect::<Vec<_>>())
            })
            .collect();
        let ended: Vec<_> = threads.into_iter().map(thread::ScopedJoinHandle::join).collect();
        is_over.store(true, Ordering::SeqCst);
        killer.join().expect("it ends");
        ended.into_iter().flat_map(|values| values.expect("it ends")).collect()
    });
    values.sort_unstable();
    let expected: Vec<i64> = (1..=writers * each).collect();
    assert_eq!(values, expected);
    world.assert_counted(writers * each);
}

/// Makes the first run fail with an SQLSTATE, as the server would.
fn fail_first_run(database: &dyn Database, code: &str) -> (Result<i64, Error>, u32) {
    let runs = AtomicU32::new(0);
    let raise = format!("DO $$ BEGIN RAISE EXCEPTION 'on purpose' USING ERRCODE = '{code}'; END $$");
    let result = sql::write(database, kolar(), |writer| {
        let value = count_up(writer)?;
        if runs.fetch_add(1, Ordering::SeqCst) == 0 {
            writer.execute(&raise, &[])?;
        }
        Ok(value)
    });
    (result, runs.into_inner())
}

#[test]
fn a_serialization_failure_is_repeated_and_another_error_is_not() {
    let Some(world) = World::new(Options::default()) else { return };
    for (expected, code) in (1..).zip(["40001", "40P01", "55P03"]) {
        let (result, runs) = fail_first_run(&world.database, code);
        assert_eq!((result.expect("written"), runs), (expected, 2), "{code}");
    }
    for code in ["23514", "P0001", "57014"] {
        let (result, runs) = fail_first_run(&world.database, code);
        assert!(matches!(result, Err(Error::Engine { .. })), "{code}: {result:?}");
        assert_eq!(runs, 1, "{code}");
    }
    world.assert_counted(3);
}

#[test]
fn an_error_that_the_work_drops_is_repeated_too() {
    let Some(world) = World::new(Options::default()) else { return };
    let runs = AtomicU32::new(0);
    let value = sql::write(&world.database, kolar(), |writer| {
        let value = count_up(writer)?;
        if runs.fetch_add(1, Ordering::SeqCst) == 0 {
            drop(writer.execute("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$", &[]));
        }
        Ok::<_, Error>(value)
    });
    assert_eq!((value.expect("written"), runs.into_inner()), (1, 2));
    world.assert_counted(1);
}

#[test]
fn a_deadlock_ends_with_both_written() {
    let Some(world) = World::new(Options::default()) else { return };
    // Two organisations take the tests' own locks in opposite order.
    let write = |organisation, meeting: Meeting, first: i64, second: i64| {
        let runs = AtomicU32::new(0);
        let lock = |writer: &mut dyn Writer, key: i64| {
            writer.query("SELECT pg_advisory_xact_lock(?1)", &sql::values![key], &mut |_| Ok(()))
        };
        let value = sql::write(&world.database, organisation, |writer| {
            lock(writer, first)?;
            if runs.fetch_add(1, Ordering::SeqCst) == 0 {
                meeting.wait();
            }
            lock(writer, second)?;
            count_up(writer)
        });
        (value, runs.into_inner())
    };
    let [here, there] = Meeting::of_two();
    let ends = thread::scope(|scope| {
        let other = scope.spawn(|| write(mandya(), there, -8, -7));
        [write(kolar(), here, -7, -8), other.join().expect("it ends")]
    });
    let runs: u32 = ends.iter().map(|(_, runs)| runs).sum();
    for (value, _) in ends {
        assert_eq!(value.expect("written"), 1);
    }
    assert_eq!(runs, 3, "one of the two ran twice");
}

#[test]
fn a_lock_that_is_held_too_long_is_a_conflict() {
    let lock_timeout = Duration::from_millis(100);
    let Some(world) = World::new(Options { retry_for: SHORT, lock_timeout, ..Options::default() }) else { return };
    let mut holder = world.superuser();
    holder.batch_execute("BEGIN; SELECT pg_advisory_xact_lock(number) FROM organisations").expect("locked");
    let result = sql::write(&world.database, kolar(), count_up);
    assert!(matches!(result, Err(Error::Conflict { .. })), "{result:?}");
    holder.batch_execute("ROLLBACK").expect("unlocked");
    assert_eq!(sql::write(&world.database, kolar(), count_up).expect("written"), 1);
}

#[test]
fn calls_wait_for_a_connection_until_the_limit() {
    let options = Options { connections: 1, retry_for: SHORT, ..Options::default() };
    let Some(world) = World::new(options) else { return };
    let result = sql::read(&world.database, kolar(), |_| {
        let inner = sql::read(&world.database, kolar(), counted);
        assert!(matches!(inner, Err(Error::Unavailable { .. })), "{inner:?}");
        Ok::<_, Error>(())
    });
    result.expect("read");
}

/// A random source that always returns the same id.
struct SameId;

impl Entropy for SameId {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

#[test]
fn a_write_whose_id_is_there_is_refused_and_changes_nothing() {
    let Some(world) = World::new(Options { connections: 1, ..Options::default() }) else { return };
    let environment = Environment { entropy: Arc::new(SameId), ..Environment::system() };
    let url = PostgresServer::url(SERVER, world.server.address(), &world.name);
    let database = PostgresStorage::open(&url, Options { connections: 1, ..Options::default() }, environment);
    let database = database.expect("it opens");
    assert_eq!(sql::write(&database, kolar(), count_up).expect("written"), 1);
    for _ in 0..2 {
        let result = sql::write(&database, kolar(), count_up);
        assert!(matches!(result, Err(Error::DuplicateKey { .. })), "{result:?}");
        // The connection can be used again after each write.
        assert_eq!(sql::read(&database, kolar(), counted).expect("read"), (1, vec![1]));
    }
    // Write ids belong to an organisation.
    assert_eq!(sql::write(&database, mandya(), count_up).expect("written"), 1);
}

#[test]
fn write_ids_are_forgotten_after_a_day() {
    let Some(world) = World::new(Options::default()) else { return };
    sql::write(&world.database, kolar(), count_up).expect("written");
    let mut superuser = world.superuser();
    superuser.execute("UPDATE writes SET committed_at_ms = committed_at_ms - 90000000", &[]).expect("aged");
    let old =
        "SELECT count(*) FROM writes WHERE committed_at_ms < (extract(epoch FROM now()) * 1000)::bigint - 86400000";
    // One write in 256, chosen at random, deletes old ids.
    for _ in 0..5_000 {
        if superuser.query_one(old, &[]).expect("a count").get::<_, i64>(0) == 0 {
            let kept: i64 = superuser.query_one("SELECT count(*) FROM writes", &[]).expect("a count").get(0);
            assert!(kept > 0, "young ids are kept");
            return;
        }
        sql::write(&world.database, kolar(), |_| Ok::<_, Error>(())).expect("written");
    }
    panic!("old ids are kept");
}
