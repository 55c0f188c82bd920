//! What an operator sees of commands that go wrong: a line that says what, and exit code 1.

#![expect(clippy::expect_used, reason = "tests may panic: that is how they fail")]

mod program;

use program::{misused, run, server, text};

#[test]
fn what_cannot_be_done_is_named_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("written");
    write("list.json", "[]");
    write("wrong.json", r#"{"lorries": [{"plate": "KA07A1111", "payload_g": 0}]}"#);
    write("twice.json", r#"{"lorries": [{"plate": "KA07", "payload_g": 1}, {"plate": "ka 07", "payload_g": 2}]}"#);
    write("marked.json", "\u{feff}{\"centres\": [{\"code\": \"KOLAR\", \"name\": \"Kolar\"}]}\n");
    for (file, error) in [
        ("list.json", "must be a JSON object"),
        ("wrong.json", "payload_g"),
        ("none.json", "cannot read"),
        ("twice.json", "\"KA07\" and \"ka 07\" are one code, KA07"),
    ] {
        let complaint = server(folder, &["org", "create", "Kolar growers", "--country", "IN", "--reference", file])
            .expect_err(file);
        assert!(complaint.contains(error) && complaint.contains(file), "{complaint}");
        assert!(!folder.join("server").exists(), "{file}");
    }
    let complaint = misused(folder, &["org", "create", " ", "--country", "IN"]);
    assert!(complaint.contains("<NAME>"), "{complaint}");
    assert!(!folder.join("server").exists());
    let organisation =
        server(folder, &["org", "create", "Kolar growers", "--country", "IN", "--reference", "marked.json"])
            .expect("created");

    let twice = ["enrol-code", "--user", "Asha", "--role", "clerk", "--centre", "KOLAR", "--centre", "kolar"];
    for (arguments, error) in [
        (twice.as_slice(), "KOLAR is named twice"),
        (&["backup", "--to", "server/data/copy"], "must not be inside the server's folder"),
        (&["verify", "none"], "none: there is no such folder"),
        (&["verify", "server"], "not a complete copy"),
        (&["import", "."], "is a folder"),
        (&["find", "nobody"], "no record matches nobody"),
    ] {
        let complaint = server(folder, arguments).expect_err(error);
        assert!(complaint.contains(error), "{complaint}");
    }
    assert!(!folder.join("server/data/copy").exists());
    let told = server(folder, &["backup", "--to", "copy"]).expect("copied");
    assert!(told.contains("verify"), "{told}");
    server(folder, &["verify", "copy"]).expect("verified");
    server(folder, &["devices"]).expect("the only organisation");
    server(folder, &["devices", "--org", &organisation]).expect("its id");

    let journal = std::fs::read_dir(folder.join("server/journal")).expect("a folder");
    let heads =
        journal.map(|file| file.expect("a file").path()).find(|path| path.extension() == Some("heads".as_ref()));
    std::fs::write(heads.expect("a file of heads"), [0xff]).expect("written");
    let complaint = server(folder, &["devices"]).expect_err("unreadable");
    assert!(complaint.contains(".heads: "), "{complaint}");
}

#[test]
fn a_reference_file_and_a_name_that_are_refused_say_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let rules = |name: &str| {
        format!(
            r#"{{"centres": [{{"code": "KOLAR", "name": "Kolar"}}], "commodities": [{{"code": "TOMATO", "name": "Tomato"}}],
            "rule_sets": [{{"number": 1, "commodity": "TOMATO", "valid_from": "2020-01-01",
            "bag_types": [{{"number": 0, "name": "{name}", "tare_g": 1500}}]}}]}}"#
        )
    };
    std::fs::write(folder.join("rules.json"), rules("crate")).expect("written");
    std::fs::write(folder.join("changed.json"), rules("box")).expect("written");
    std::fs::write(folder.join("latin.json"), b"{\"centres\": [\xe9]}").expect("written");
    server(folder, &["org", "create", "Kolar growers", "--country", "IN", "--reference", "rules.json"])
        .expect("created");
    let enrols: &[&str] = &["enrol-code", "--user", "Asha", "--role", "clerk", "--centre", "KOLAR"];
    server(folder, enrols).expect("a code");
    for (arguments, errors) in [
        (&["org", "update", "--reference", "latin.json"][..], ["latin.json", "save it as UTF-8"]),
        (&["org", "update", "--reference", "changed.json"], ["changed.json", "use a new number"]),
        (enrols, ["Asha", "--another"]),
    ] {
        let complaint = server(folder, arguments).expect_err("refused");
        assert!(errors.iter().all(|error| complaint.contains(error)), "{complaint}");
    }
}

#[test]
fn data_that_were_lost_are_named_and_a_recovery_is_announced() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let organisation = server(folder, &["org", "create", "Kolar growers", "--country", "IN"]).expect("created");
    std::fs::rename(folder.join("server/data"), folder.join("lost")).expect("moved");
    let complaint = server(folder, &["devices"]).expect_err("no data");
    assert!(complaint.contains("control.db: it is missing") && complaint.contains("--postgres"), "{complaint}");
    std::fs::rename(folder.join("lost"), folder.join("server/data")).expect("moved");
    std::fs::remove_dir_all(folder.join("server/journal")).expect("removed");
    let output = run(folder, &["devices"]);
    let warning = text(&output.stderr);
    let expected = format!("warning: organisation {organisation} is in a recovery (its journal is missing)");
    assert!(output.status.success() && warning.starts_with(&expected), "{warning}");
    let enrols = ["enrol-code", "--user", "Asha", "--role", "clerk", "--centre", "KOLAR"];
    let complaint = server(folder, &enrols).expect_err("a recovery");
    assert!(complaint.ends_with("until it is ended: see `farmtally-server recovery`"), "{complaint}");
}

#[test]
fn a_text_like_an_id_that_is_none_is_no_new_user() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    std::fs::write(folder.join("kolar.json"), r#"{"centres": [{"code": "KOLAR", "name": "Kolar"}]}"#).expect("written");
    server(folder, &["org", "create", "Kolar growers", "--country", "IN", "--reference", "kolar.json"])
        .expect("created");
    let enrols = |user: &str| ["enrol-code", "--user", user, "--role", "clerk", "--centre", "KOLAR"].map(str::to_owned);
    let users =
        || -> Vec<String> { server(folder, &["users"]).expect("a list").lines().skip(1).map(str::to_owned).collect() };
    let run = |user: &str| server(folder, &enrols(user).each_ref().map(String::as_str));
    run("Asha").expect("a code");
    let listed = users();
    let id = listed[0].split_whitespace().next().expect("an id");
    run(&format!(" {id} ")).expect("blanks around it change nothing");
    let (short, letter) = (id.get(..13).expect("a part"), id.replacen('0', "O", 1));
    let (longer, swapped) = (format!("{id}0"), format!("{}x", id.get(..35).expect("all but one")));
    for wrong in [short, letter.as_str(), &longer, &swapped] {
        for arguments in [enrols(wrong).to_vec(), ["suspend", wrong].map(str::to_owned).to_vec()] {
            let complaint = misused(folder, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
            assert!(complaint.contains("no id of a user"), "{wrong}: {complaint}");
        }
        assert_eq!(users(), listed, "{wrong} is no name");
    }
    run("Clerk 007").expect("a name with digits");
}

#[test]
fn a_list_without_rows_prints_its_column_heads() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    server(folder, &["org", "create", "Kolar growers", "--country", "IN", "--zone-minutes", "330"]).expect("created");
    for (list, heads) in [
        (&["users"][..], "ID  NAME  PHONES  STATE"),
        (&["devices"], "CODE  USER  MODEL  LAST CONTACT (UTC+05:30)  STATE"),
        (&["grant", "list"], "GRANT  DEVICE  USER  ROLE  CENTRES"),
        (&["held", "list"], "DOCUMENT  CHANGE  SINCE (UTC+05:30)  DEVICE  AUTHOR  WHAT  CODE  REASON"),
    ] {
        assert_eq!(server(folder, list).as_deref(), Ok(heads), "{list:?}");
    }
}

#[test]
fn of_commands_that_create_one_name_at_the_same_time_one_succeeds() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let creates = || server(folder, &["org", "create", "Kolar growers", "--country", "IN"]);
    creates().expect("the first");
    let other = || server(folder, &["org", "create", "Malur growers", "--country", "IN"]);
    let results = std::thread::scope(|threads| {
        let running: Vec<_> = (0..4).map(|_| threads.spawn(other)).collect();
        running.into_iter().map(|it| it.join().expect("it ends")).collect::<Vec<_>>()
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    let refused = |result: &Result<String, String>| result.as_ref().is_err_and(|it| it.contains("has this name"));
    assert_eq!(results.iter().filter(|result| refused(result)).count(), 3, "{results:?}");
}

#[test]
fn an_organisation_has_the_currency_of_its_country_or_another_one_that_is_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let create =
        |name: &str, more: &[&str]| server(folder, &[&["org", "create", name, "--country", "IN"], more].concat());
    create("Kolar growers", &[]).expect("created");
    create("Port growers", &["--currency", "tnd"]).expect("created");
    let complaint = create("Nowhere growers", &["--currency", "ABC"]).expect_err("no currency");
    assert!(complaint.contains("use a code of ISO 4217"), "{complaint}");
    let list = server(folder, &["org", "list"]).expect("a list");
    let currencies: Vec<&str> = list.lines().skip(1).filter_map(|line| line.split_whitespace().rev().nth(1)).collect();
    assert_eq!(currencies, ["INR", "TND"]);
}
