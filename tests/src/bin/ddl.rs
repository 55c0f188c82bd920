//! Overwrites the shipped PostgreSQL schema, which is edited by hand, with a translation: `cargo run -p farmtally-tests --bin ddl`.

use std::path::Path;

use farmtally_tests::ddl::to_postgres;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (sqlite, postgres) in [
        ("core/src/store/migrations/0001_create_records.sql", "records.sql"),
        ("sync-server/src/storage/schema.sql", "schema.sql"),
    ] {
        let tables = std::fs::read_to_string(root.join(sqlite)).expect("the tables of SQLite");
        let path = root.join("sync-server/src/storage/postgres").join(postgres);
        std::fs::write(path, to_postgres(&tables)).expect("the tables of PostgreSQL");
    }
}
