//! What an operator sees of a lost phone's drafts, of a file that is published again, and of commands that cannot be undone.

#![expect(clippy::expect_used, reason = "tests may panic: that is how they fail")]

mod program;

use std::path::Path;

use farmtally_core::client::{DraftEdit, FarmerInput, FieldClient, StartDraft};
use farmtally_core::decisions::Order;
use farmtally_core::environment::Environment;
use farmtally_core::permission::Role;
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::sync::{Transport, TransportError, WireRequest, WireResponse};
use farmtally_core::units::{BagType, Grams, OrganisationId};
use farmtally_sync_server::{ReferenceFile, Server};
use program::server;

/// A connection to a server in this process.
struct Direct<'a>(&'a Server);

impl Transport for Direct<'_> {
    fn send(&self, request: &WireRequest, _must_stop: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        Ok(self.0.respond(request))
    }
}

fn reference(lorries: usize) -> String {
    let today = farmtally_core::units::Timestamp(0).date(0);
    let lorries: Vec<String> =
        (0..lorries).map(|it| format!(r#"{{"plate": "KA07A{it:04}", "payload_g": 9000000}}"#)).collect();
    format!(
        r#"{{"centres": [{{"code": "KOLAR", "name": "Kolar"}}], "commodities": [{{"code": "TOMATO", "name": "Tomato"}}],
        "seasons": [{{"code": "ALL", "commodity": "TOMATO", "from": "{today}", "to": "2100-12-31"}}],
        "lorries": [{}],
        "rule_sets": [{{"number": 1, "commodity": "TOMATO", "valid_from": "{today}",
            "bag_types": [{{"number": 0, "name": "crate", "tare_g": 1500}}]}}],
        "notices": [{{"code": "hours", "text": "The yard opens at seven"}}]}}"#,
        lorries.join(", ")
    )
}

/// A server's folder whose only phone was wiped while Asha was weighing a draft of two bags; the farmer's id and code.
fn wiped(folder: &Path) -> (String, String) {
    let it = Server::open(&folder.join("server"), Environment::system()).expect("a server");
    let file = ReferenceFile::parse(&reference(1)).expect("reference data");
    let organisation: OrganisationId = it
        .create_organisation("Kolar growers", &"IN".parse().expect("a country"), 330, None, &file)
        .expect("an organisation");
    let role: Role = "field_manager".parse().expect("a role");
    let centre = "KOLAR".parse().expect("a code");
    let code = it.create_code(organisation, "Asha", role, std::slice::from_ref(&centre)).expect("a code");
    let phone = FieldClient::open(&folder.join("phone"), Environment::system()).expect("a phone");
    let session = phone.enrol(&Direct(&it), "http://server.test", &code, "test phone").expect("enrolled");
    let details = ContactDetails {
        name: "Lakshmi Devi".into(),
        village: "Vemagal".into(),
        phone: String::new(),
        ..ContactDetails::default()
    };
    let farmer = phone
        .register_farmer(&FarmerInput { centre: centre.clone(), details, tags: Vec::new() }, &[])
        .expect("registered");
    let commodity = "TOMATO".parse().expect("a code");
    let input = StartDraft { centre, commodity, farmer_id: Some(farmer.farmer_id), load_id: None, replaces: None };
    let mut draft = phone.start_draft(input).expect("a draft");
    for grams in [20_000, 21_500] {
        let (gross, bag_type) = (Grams(grams).try_into().expect("a bag"), BagType::default());
        draft = phone
            .edit_draft(draft.basis, &[DraftEdit::AddBag { gross, bag_type, source: None, grade: None, scale: None }])
            .expect("a bag");
    }
    it.order(organisation, session.device_code, Order::Wipe).expect("ordered");
    phone.sync(&Direct(&it), &|_| ()).expect("synced");
    assert_eq!(phone.session(), None, "wiped");
    (farmer.farmer_id.to_string(), farmer.code)
}

#[test]
fn drafts_of_a_wiped_phone_are_listed_readably_printed_whole_and_cleared() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let (_farmer, farmer_code) = wiped(folder);
    let listed = server(folder, &["held", "list"]).expect("a list");
    let line = listed.lines().last().expect("a line");
    for shown in ["draft", "Asha", "KOLAR", "2 bags", "41.5 kg", &farmer_code] {
        assert!(line.contains(shown), "{shown}: {listed}");
    }
    let document = line.split_whitespace().next().expect("an id");
    let complaint = server(folder, &["held", "approve", document]).expect_err("no change");
    assert!(complaint.contains("held export"), "{complaint}");
    let exported = server(folder, &["held", "export", document]).expect("its content");
    let exported: serde_json::Value = serde_json::from_str(&exported).expect("JSON");
    assert_eq!(exported["user"], "Asha");
    assert_eq!(exported["farmer"], farmer_code);
    assert_eq!(exported["centre"], "KOLAR");
    assert_eq!(exported["bags"][1]["gross_g"], 21_500);
    assert_eq!(exported["bags"].as_array().map(Vec::len), Some(2));
    server(folder, &["held", "reject", document, "--reason", "recorded on Ravi's phone"]).expect("cleared");
    assert_eq!(server(folder, &["held", "list"]).expect("a list").lines().count(), 1, "only the column heads");
    let complaint = server(folder, &["held", "export", document]).expect_err("cleared");
    assert!(complaint.contains("no such held draft"), "{complaint}");
}

#[test]
fn leases_add_up_and_the_command_prints_their_sum() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let phone = {
        let it = Server::open(&folder.join("server"), Environment::system()).expect("a server");
        let (file, india) = (ReferenceFile::parse(&reference(0)).expect("data"), "IN".parse().expect("a country"));
        let organisation = it.create_organisation("Kolar growers", &india, 330, None, &file).expect("an organisation");
        let (role, centres): (Role, _) = ("field_manager".parse().expect("a role"), ["KOLAR".parse().expect("a code")]);
        let code = it.create_code(organisation, "Asha", role, &centres).expect("a code");
        let phone = FieldClient::open(&folder.join("phone"), Environment::system()).expect("a phone");
        let session = phone.enrol(&Direct(&it), "http://server.test", &code, "test phone").expect("enrolled");
        session.device_code.to_string()
    };
    let lease = |phone: &str, amount: &str, until: &str| {
        server(folder, &["lease", "--user", "asha", "--phone", phone, "--amount", amount, "--until", until])
    };
    let first = lease(&phone, "500000", "2099-11-30").expect("leased");
    assert_eq!(first, format!("{phone}: 500000 minor units leased in all, until 2099-11-30"));
    let second = lease(&phone, "1", "2099-12-31").expect("leased");
    assert_eq!(second, format!("{phone}: 500001 minor units leased in all, until 2099-12-31"));
    let complaint = lease("ZZ", "1", "2099-12-31").expect_err("no such phone");
    assert!(complaint.contains("device"), "{complaint}");
}

#[test]
fn a_file_that_is_published_again_every_night_logs_only_what_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    std::fs::write(folder.join("reference.json"), reference(2_000)).expect("written");
    server(folder, &["org", "create", "Kolar growers", "--country", "IN", "--reference", "reference.json"])
        .expect("created");
    let data =
        std::fs::read_dir(folder.join("server/data")).expect("a folder").map(|file| file.expect("a file").path());
    let is_organisation =
        |path: &std::path::PathBuf| path.extension() == Some("db".as_ref()) && !path.ends_with("control.db");
    let database = data.into_iter().find(is_organisation).expect("a database");
    let entries = || -> u64 {
        let db = rusqlite::Connection::open(&database).expect("it opens");
        db.query_row("SELECT count(*) FROM log", [], |row| row.get(0)).expect("a count")
    };
    let before = (entries(), std::fs::metadata(&database).expect("a file").len());
    for _ in 0..3 {
        let said = server(folder, &["org", "update", "--reference", "reference.json"]).expect("published");
        assert_eq!(said, "0 records are new or changed");
    }
    assert_eq!((entries(), std::fs::metadata(&database).expect("a file").len()), before);
    let heavier = reference(2_000).replace(r#""KA07A1999", "payload_g": 9000000"#, r#""KA07A1999", "payload_g": 1"#);
    std::fs::write(folder.join("reference.json"), heavier).expect("written");
    let said = server(folder, &["org", "update", "--reference", "reference.json"]).expect("published");
    assert_eq!(said, "1 records are new or changed");
    assert_eq!(entries(), before.0 + 1);
    // A record that changed and changed back is published again.
    std::fs::write(folder.join("reference.json"), reference(2_000)).expect("written");
    server(folder, &["org", "update", "--reference", "reference.json"]).expect("published");
    assert_eq!(entries(), before.0 + 2);
}

#[test]
fn an_erasure_is_confirmed_and_says_whose_details_it_deletes() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let (farmer, farmer_code) = wiped(folder);
    let complaint = server(folder, &["erase", &farmer]).expect_err("not confirmed");
    assert!(complaint.contains("--yes") && complaint.contains(&farmer_code), "{complaint}");
    assert!(server(folder, &["find", "Lakshmi"]).expect("found").contains(&farmer), "nothing was erased");
    assert_eq!(server(folder, &["erase", &farmer, "--yes"]), Ok("erased 1 document(s)".into()));
}

#[test]
fn erasures_that_the_journal_lost_are_listed_in_it_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let (farmer, _code) = wiped(folder);
    server(folder, &["erase", &farmer, "--yes"]).expect("erased");
    let list = folder.join("server/journal/erased");
    let erased = std::fs::read_to_string(&list).expect("a list");
    assert_eq!(erased.trim().lines().count(), 1);
    std::fs::remove_file(&list).expect("lost");
    server(folder, &["devices"]).expect("a list");
    assert_eq!(std::fs::read_to_string(&list).expect("a list").trim(), erased.trim());
    std::fs::write(&list, "").expect("emptied");
    let complaint = server(folder, &["devices"]).expect_err("a damaged list");
    assert!(complaint.contains("journal/erased: it is empty"), "{complaint}");
}

#[test]
fn a_second_organisation_of_one_name_is_asked_about() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let first = server(folder, &["org", "create", "Kolar growers", "--country", "IN"]).expect("created");
    let complaint =
        server(folder, &["org", "create", " kolar  Growers", "--country", "IN"]).expect_err("there already");
    assert!(complaint.contains(&first) && complaint.contains("--same-name"), "{complaint}");
    assert_eq!(server(folder, &["org", "list"]).expect("a list").matches("rowers").count(), 1);
    server(folder, &["org", "create", "Kolar growers", "--country", "IN", "--same-name"]).expect("created");
    assert_eq!(server(folder, &["org", "list"]).expect("a list").matches("rowers").count(), 2);
}

#[test]
fn two_codes_of_a_file_that_are_the_same_are_both_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let centres = r#"{"centres": [{"code": "A", "name": "Anekal"}, {"code": "B", "name": "B"}, {"code": "a", "name": "Attibele"}]}"#;
    std::fs::write(folder.join("reference.json"), centres).expect("written");
    let complaint =
        server(folder, &["org", "create", "Kolar growers", "--country", "IN", "--reference", "reference.json"])
            .expect_err("A");
    assert!(complaint.contains(r#"/centres/2/code: "A" and "a" are one code, A"#), "{complaint}");
}

#[test]
fn lists_have_column_heads_and_times_name_their_zone() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    wiped(folder);
    let heads = |arguments: &[&str]| {
        let listed = server(folder, arguments).expect("a list");
        let first = listed.lines().next().expect("heads").to_owned();
        (first.split("  ").map(str::trim).filter(|head| !head.is_empty()).collect::<Vec<_>>().join(", "), listed)
    };
    for (arguments, expected) in [
        (["org", "list"].as_slice(), "ID, NAME, COUNTRY, CURRENCY, ZONE MINUTES"),
        (&["users"], "ID, NAME, PHONES, STATE"),
        (&["devices"], "CODE, USER, MODEL, LAST CONTACT (UTC+05:30), STATE"),
        (&["grant", "list"], "GRANT, DEVICE, USER, ROLE, CENTRES"),
        (&["held", "list"], "DOCUMENT, CHANGE, SINCE (UTC+05:30), DEVICE, AUTHOR, WHAT, CODE, REASON"),
        (&["find", "Lakshmi"], "KIND, ID, SCOPE, NUMBER"),
    ] {
        assert_eq!(heads(arguments).0, expected);
        assert_eq!(heads(arguments).1.lines().count(), 2, "{arguments:?}: one row");
    }
    std::fs::remove_dir_all(folder.join("server/journal")).expect("removed");
    let status = server(folder, &["recovery", "status"]).expect("a status");
    assert!(status.contains(" UTC+05:30, still open"), "{status}");
}
