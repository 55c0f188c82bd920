//! What `verify` says of a copy of which a table was changed after it was made.

#![expect(clippy::expect_used, reason = "tests may panic: that is how they fail")]

use std::fs;
use std::path::Path;
use std::process::Command;

use farmtally_core::client::{FieldClient, StartDraft};
use farmtally_core::decisions::Order;
use farmtally_core::environment::Environment;
use farmtally_core::permission::Role;
use farmtally_core::sync::{Transport, TransportError, WireRequest, WireResponse};
use farmtally_core::units::OrganisationId;
use farmtally_sync_server::{ReferenceFile, Server};

/// Runs a command on the folder `server`; standard output, or what it complains of.
fn server(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farmtally-server"));
    let output = command.args(arguments).args(["--data", "server"]).current_dir(folder).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text").trim_end().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// A connection to a server in this process.
struct Direct<'a>(&'a Server);

impl Transport for Direct<'_> {
    fn send(&self, request: &WireRequest, _must_stop: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        Ok(self.0.respond(request))
    }
}

const REFERENCE: &str = r#"{"centres": [{"code": "KOLAR", "name": "Kolar"}], "commodities": [{"code": "TOMATO", "name": "Tomato"}],
    "seasons": [{"code": "ALL", "commodity": "TOMATO", "from": "1970-01-01", "to": "2100-12-31"}],
    "rule_sets": [{"number": 1, "commodity": "TOMATO", "valid_from": "1970-01-01",
        "bag_types": [{"number": 0, "name": "crate", "tare_g": 1500}]}]}"#;

/// Makes a server that knows Asha, whose wiped phone left a draft that is held, and Ravi, who has an open code.
fn market(folder: &Path) -> OrganisationId {
    let it = Server::open(&folder.join("server"), Environment::system()).expect("a server");
    let (file, india) = (ReferenceFile::parse(REFERENCE).expect("data"), "IN".parse().expect("a country"));
    let organisation = it.create_organisation("Kolar growers", &india, 330, None, &file).expect("an organisation");
    let (role, centre): (Role, _) = ("field_manager".parse().expect("a role"), "KOLAR".parse().expect("a code"));
    let centres = std::slice::from_ref(&centre);
    let code = it.create_code(organisation, "Asha", role, centres).expect("a code");
    let phone = FieldClient::open(&folder.join("phone"), Environment::system()).expect("a phone");
    let session = phone.enrol(&Direct(&it), "http://server.test", &code, "test phone").expect("enrolled");
    let commodity = "TOMATO".parse().expect("a code");
    let draft = StartDraft { centre: centre.clone(), commodity, farmer_id: None, load_id: None, replaces: None };
    phone.start_draft(draft).expect("a draft");
    it.order(organisation, session.device_code, Order::Wipe).expect("ordered");
    phone.sync(&Direct(&it), &|_| ()).expect("synced");
    assert_eq!(it.held(organisation).expect("a list").len(), 1, "the draft");
    it.create_code(organisation, "Ravi", role, centres).expect("a code");
    organisation
}

#[test]
fn a_copy_with_a_table_that_was_changed_is_refused_with_the_file_and_the_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let organisation = format!("{}.db", market(folder));
    server(folder, &["backup", "--to", "first"]).expect("copied");
    server(folder, &["verify", "first"]).expect("verified");
    for (number, (file, sql, table)) in [
        (&*organisation, "DELETE FROM held", "held"),
        (&organisation, "DELETE FROM devices", "devices"),
        (&organisation, "UPDATE devices SET model = 'other'", "devices"),
        (&organisation, "DELETE FROM enrolment_codes WHERE device_id IS NULL", "enrolment_codes"),
        (&organisation, "UPDATE enrolment_codes SET expires_at_ms = expires_at_ms + 1", "enrolment_codes"),
        (&organisation, "DELETE FROM backups", "backups"),
        (&organisation, "INSERT INTO erased (document_id) VALUES (zeroblob(16))", "erased"),
        (&organisation, "DROP INDEX held_by_document", "sqlite_schema"),
        (&organisation, "DROP TABLE staged", "sqlite_schema"),
        (&organisation, "PRAGMA user_version = 9", "user_version"),
        ("control.db", "DELETE FROM routes WHERE length(key) = 32", "routes"),
        ("control.db", "INSERT INTO organisations (organisation_id) VALUES (zeroblob(16))", "organisations"),
    ]
    .into_iter()
    .enumerate()
    {
        let copy = format!("copy {number}");
        server(folder, &["backup", "--to", &copy]).expect("copied");
        let db = rusqlite::Connection::open(folder.join(&copy).join(file)).expect("it opens");
        db.execute_batch(sql).expect("changed");
        drop(db);
        let complaint = server(folder, &["verify", &copy]).expect_err(sql);
        assert!(complaint.contains(&format!("{copy}/{file}")) && complaint.contains(table), "{sql}: {complaint}");
        assert!(complaint.contains("make another copy"), "{sql}: {complaint}");
    }
    server(folder, &["verify", "first"]).expect("a copy that nobody changed is whole");
}

#[test]
fn a_copy_id_that_was_changed_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    market(folder);
    server(folder, &["backup", "--to", "copy"]).expect("copied");
    let id = folder.join("copy/copy-id");
    let whole = fs::read_to_string(&id).expect("text");
    let held = whole.lines().find(|line| line.contains(" held ")).expect("a line for each table");
    for changed in [whole.replace(&format!("{held}\n"), ""), whole.replace(held, &held.replace("held 1", "held 0"))] {
        assert_ne!(changed, whole);
        fs::write(&id, changed).expect("written");
        let complaint = server(folder, &["verify", "copy"]).expect_err("changed");
        assert!(complaint.contains("copy/copy-id") && complaint.contains("make another copy"), "{complaint}");
    }
    fs::write(&id, whole).expect("put back");
    server(folder, &["verify", "copy"]).expect("verified");
}
