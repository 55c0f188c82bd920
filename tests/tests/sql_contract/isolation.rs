//! Cases for the isolation of organisations on PostgreSQL, and a comparison of both schemas.

use farmtally_core::environment::Environment;
use farmtally_core::store::Store;
use farmtally_core::store::sql::{self, Error, values};
use farmtally_sync_server::storage::postgres::{Options, PostgresStorage};
use farmtally_tests::ddl;
use farmtally_tests::postgres::{OWNER, PostgresServer, SERVER, SUPERUSER};
use postgres::Client;
use postgres::error::SqlState;

use super::{SCHEMA, count_up, kolar, mandya, open};

/// Tables without the column `organisation`.
const COMMON: &[&str] = &["listed", "organisations", "routes"];
/// Tables that only PostgreSQL has.
const DRIVERS: &[&str] = &["listed", "organisations", "routes", "writes"];

/// Begins a transaction of one organisation, or of none.
fn begin(client: &mut Client, organisation: Option<i64>) {
    client.batch_execute("BEGIN").expect("begun");
    if let Some(number) = organisation {
        client.batch_execute(&format!("SET LOCAL farmtally.organisation = {number}")).expect("set");
    }
}

fn tables(client: &mut Client) -> Vec<String> {
    let query =
        "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace";
    let names = client.query(query, &[]).expect("tables").into_iter().map(|row| row.get::<_, String>(0));
    names.filter(|name| !COMMON.contains(&name.as_str())).collect()
}

#[test]
fn every_table_forces_its_policy_and_begins_its_keys_with_the_organisation() {
    let Some(server) = PostgresServer::shared() else { return };
    let name = server.create_database(SCHEMA);
    let mut client = server.connect(SUPERUSER, &name);
    let names = tables(&mut client);
    assert_eq!(names.len(), 4, "{names:?}");
    for table in names {
        let forced =
            "SELECT relrowsecurity AND relforcerowsecurity, (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid)
            FROM pg_class c WHERE relname = $1 AND relnamespace = 'public'::regnamespace";
        let row = client.query_one(forced, &[&table]).expect("a table");
        assert_eq!((row.get(0), row.get(1)), (true, 1_i64), "{table}");
        let firsts = "SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
            WHERE i.indrelid = ('public.' || $1)::regclass";
        let firsts = client.query(firsts, &[&table]).expect("indexes");
        assert!(!firsts.is_empty(), "{table} has no key");
        for first in firsts {
            assert_eq!(first.get::<_, String>(0), "organisation", "{table}");
        }
    }
}

#[test]
fn rows_of_another_organisation_are_not_read_changed_or_deleted() {
    let Some(server) = PostgresServer::shared() else { return };
    let name = server.create_database(SCHEMA);
    let database = open(&PostgresServer::url(SERVER, server.address(), &name), Options::default());
    sql::write(&database, kolar(), |writer| {
        writer.execute("INSERT INTO samples (sample_id) VALUES (?1)", &values![b"x"])?;
        count_up(writer)
    })
    .expect("written");
    let mut superuser = server.connect(SUPERUSER, &name);
    // The owner too, because the policy is forced.
    for role in [SERVER, OWNER] {
        let mut client = server.connect(role, &name);
        for table in tables(&mut superuser) {
            let count = format!("SELECT count(*) FROM {table}");
            for (organisation, expected) in [(1, 1), (2, 0), (99, 0)] {
                begin(&mut client, Some(organisation));
                let found: i64 = client.query_one(&count, &[]).expect("a count").get(0);
                assert_eq!(u64::try_from(found), Ok(expected), "{table} as {organisation}");
                let update = format!("UPDATE {table} SET organisation = organisation");
                let changed = [update, format!("DELETE FROM {table}")].map(|it| client.execute(&it, &[]).expect("run"));
                assert_eq!(changed, [expected; 2], "{table} as {organisation}");
                client.batch_execute("ROLLBACK").expect("undone");
            }
            begin(&mut client, Some(1));
            let steal = client.execute(&format!("UPDATE {table} SET organisation = 2"), &[]).expect_err("refused");
            assert_eq!(steal.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{table}");
            client.batch_execute("ROLLBACK").expect("undone");
            for statement in [count, format!("UPDATE {table} SET organisation = 1"), format!("DELETE FROM {table}")] {
                begin(&mut client, None);
                let error = client.execute(&statement, &[]).expect_err("refused");
                let refusals = [SqlState::INVALID_TEXT_REPRESENTATION, SqlState::UNDEFINED_OBJECT];
                assert!(error.code().is_some_and(|code| refusals.contains(code)), "{statement}: {error:?}");
                client.batch_execute("ROLLBACK").expect("undone");
            }
        }
    }
    begin(&mut superuser, None);
    let foreign = "INSERT INTO counters (organisation, centre, part, value) VALUES (1, 'X', 0, 0)";
    let mut client = server.connect(SERVER, &name);
    begin(&mut client, Some(2));
    let error = client.execute(foreign, &[]).expect_err("refused");
    assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
    assert_eq!(sql::write(&database, mandya(), count_up).expect("written"), 1);
}

#[test]
fn a_role_that_row_level_security_does_not_bind_is_refused() {
    let Some(server) = PostgresServer::shared() else { return };
    let name = server.create_database(SCHEMA);
    let url = PostgresServer::url(SUPERUSER, server.address(), &name);
    let opened = PostgresStorage::open(&url, Options::default(), Environment::system());
    assert!(matches!(opened, Err(Error::Engine { .. })), "{:?}", opened.err());
}

#[test]
fn both_catalogs_say_the_same_and_a_difference_is_found() {
    let Some(server) = PostgresServer::shared() else { return };
    let name = server.create_database(SCHEMA);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("field.db");
    drop(Store::open(&path, &[SCHEMA]).expect("it opens"));
    let sqlite = rusqlite::Connection::open(&path).expect("it opens");
    let mut owner = server.connect(OWNER, &name);
    assert_eq!(ddl::schema_differences(&sqlite, &mut owner, DRIVERS), Vec::<String>::new());

    let changes = [
        ("ALTER TABLE samples ADD COLUMN extra BIGINT", "samples"),
        ("ALTER TABLE samples ALTER COLUMN name SET NOT NULL", "samples"),
        ("ALTER TABLE samples ALTER COLUMN name TYPE TEXT COLLATE \"POSIX\"", "samples"),
        ("ALTER TABLE counters ALTER COLUMN value TYPE INT", "counters"),
        ("DROP INDEX samples_by_number", "samples"),
        ("CREATE UNIQUE INDEX more ON counters (organisation, value)", "counters"),
        ("CREATE TABLE more (a BIGINT)", "more"),
        ("DROP TABLE steps", "steps"),
    ];
    for (change, table) in changes {
        owner.batch_execute(&format!("BEGIN; {change}")).expect("changed");
        let found = ddl::schema_differences(&sqlite, &mut owner, DRIVERS);
        assert!(found.iter().any(|it| it.starts_with(table)), "{change}: {found:?}");
        owner.batch_execute("ROLLBACK").expect("undone");
    }
}
