//! What the server does with files that were emptied, cut, replaced, removed, or may not be used: it says which, and changes nothing.

#![cfg(unix)]
#![expect(clippy::expect_used, reason = "tests may panic: that is how they fail")]
#![expect(clippy::print_stdout, reason = "a test that cannot run says why")]

mod program;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use farmtally_core::environment::Environment;
use farmtally_sync_server::Server;
use program::accounts::{NOBODY, mode, owner, set_mode};
use program::text;
use tempfile::TempDir;

/// A folder in which an operator works; the server's folder is `server` in it.
struct Office {
    folder: TempDir,
}

impl Office {
    /// An office with one organisation.
    fn open() -> Self {
        let office = Self { folder: tempfile::tempdir().expect("a folder") };
        office.says(&["org", "create", "Kolar growers", "--country", "IN"]);
        office
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn runs(&self, arguments: &[&str]) -> Output {
        self.runs_for("server", arguments)
    }

    fn runs_for(&self, data: &str, arguments: &[&str]) -> Output {
        let mut command = program::command(self.folder.path(), data, arguments);
        if owner(self.folder.path()) == NOBODY {
            command.uid(NOBODY).gid(NOBODY);
        }
        let mut running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the server runs");
        if arguments.contains(&"serve") {
            let mut address = String::new();
            BufReader::new(running.stdout.as_mut().expect("a pipe")).read_line(&mut address).expect("text");
            if !address.is_empty() {
                // It serves, and would not end.
                running.kill().expect("killed");
            }
        }
        running.wait_with_output().expect("it ends")
    }

    /// Runs a command that succeeds; its warnings.
    fn says(&self, arguments: &[&str]) -> String {
        let output = self.runs(arguments);
        let warnings = text(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {warnings}");
        warnings
    }

    /// Runs a command that fails; its error.
    fn refuses(&self, arguments: &[&str]) -> String {
        self.refuses_for("server", arguments)
    }

    fn refuses_for(&self, data: &str, arguments: &[&str]) -> String {
        let output = self.runs_for(data, arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
        error
    }

    /// The path of the organisation's database.
    fn database(&self) -> PathBuf {
        let files = fs::read_dir(self.path("server/data")).expect("a folder").map(|file| file.expect("a file").path());
        let is_organisation = |path: &PathBuf| path.extension() == Some("db".as_ref()) && !path.ends_with("control.db");
        files.into_iter().find(is_organisation).expect("a database")
    }

    /// Writes a file of reference data; its name.
    fn reference(&self) -> &'static str {
        let text = r#"{"centres": [{"code": "KOLAR", "name": "Kolar"}]}"#;
        fs::write(self.path("reference.json"), text).expect("written");
        "reference.json"
    }

    /// All files and folders of the server, and those of a copy.
    fn files(&self) -> Vec<PathBuf> {
        files_in(&[self.path("server"), self.path("copy")])
    }

    /// Gives all files to an account to which permissions apply. Returns whether commands can be run as that account.
    fn belongs_to_nobody(&self) -> bool {
        if owner(self.folder.path()) == 0 {
            let mut command = Command::new(env!("CARGO_BIN_EXE_farmtally-server"));
            if command.arg("--version").uid(NOBODY).gid(NOBODY).output().is_err() {
                println!("SKIPPED: the account nobody cannot run the program where it was built");
                return false;
            }
            for path in self.files().into_iter().chain([self.folder.path().to_owned()]) {
                chown(path, Some(NOBODY), Some(NOBODY)).expect("given away");
            }
        }
        true
    }
}

/// Folders, and all files and folders in them.
fn files_in(folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = folders.to_vec();
    let mut next = 0;
    while let Some(folder) = found.get(next).cloned() {
        next += 1;
        found.extend(fs::read_dir(&folder).into_iter().flatten().map(|file| file.expect("a file").path()));
    }
    found.retain(|path| path.exists());
    found
}

const COMMANDS: [&[&str]; 5] =
    [&["org", "list"], &["devices"], &["held", "list"], &["backup", "--to", "copy"], &["serve", "--port", "0"]];

#[test]
fn a_damaged_database_stops_every_command_and_is_kept_as_it_is() {
    let office = Office::open();
    for database in [office.path("server/data/control.db"), office.database()] {
        let name = database.file_name().expect("a name").to_str().expect("text").to_owned();
        let whole = fs::read(&database).expect("bytes");
        let half = whole.get(..whole.len() / 8_192 * 4_096).expect("half").to_vec();
        let foreign = [b"\x89PNG\r\n".as_slice(), &[7; 9_000]].concat();
        for (damage, content) in [("emptied", Vec::new()), ("cut", half), ("foreign", foreign)] {
            fs::write(&database, &content).expect("damaged");
            for command in COMMANDS {
                let error = office.refuses(command);
                assert!(error.contains(&name), "{damage}, {command:?}: {error}");
            }
            assert!(fs::read(&database).expect("bytes") == content, "{damage}: {name} is as it was");
        }
        fs::remove_file(&database).expect("removed");
        for command in COMMANDS {
            let error = office.refuses(command);
            assert!(error.contains(&name) && error.contains("is missing"), "{command:?}: {error}");
        }
        fs::write(&database, &whole).expect("put back");
        set_mode(&database, 0o600);
        assert_eq!(office.says(&["devices"]), "", "nothing was lost");
    }
}

#[test]
fn an_emptied_control_file_is_no_new_server_even_if_all_else_is_lost() {
    let office = Office::open();
    for lost in ["server/journal", "server/keys"] {
        fs::remove_dir_all(office.path(lost)).expect("removed");
    }
    fs::remove_file(office.database()).expect("removed");
    fs::write(office.path("server/data/control.db"), []).expect("emptied");
    let error = office.refuses(&["org", "create", "Kolar growers", "--country", "IN"]);
    assert!(error.contains("control.db is empty"), "{error}");
}

#[test]
fn a_server_that_was_killed_while_it_made_its_first_file_starts() {
    let office = Office { folder: tempfile::tempdir().expect("a folder") };
    fs::create_dir_all(office.path("server/data")).expect("a folder");
    fs::write(office.path("server/data/control.creating"), []).expect("a mark");
    fs::write(office.path("server/data/control.db"), []).expect("an empty file");
    office.says(&["org", "create", "Kolar growers", "--country", "IN"]);
    assert!(!office.path("server/data/control.creating").exists());
}

#[test]
fn what_this_account_may_not_use_is_named_by_every_command() {
    let office = Office::open();
    office.says(&["devices"]);
    if !office.belongs_to_nobody() {
        return;
    }
    let database = office.database();
    let database = database.strip_prefix(office.folder.path()).expect("inside").to_str().expect("text");
    for (path, wrong_mode, named) in [
        ("server/data", 0o500, ".db"),
        ("server/data/control.db", 0o400, "control.db"),
        (database, 0o400, database),
        ("server/data", 0o000, "server/data"),
        ("server/data/control.db", 0o000, "control.db"),
        ("server/journal", 0o000, "server/journal"),
        ("server/journal/lock", 0o400, "server/journal/lock"),
        ("server/keys", 0o000, "server/keys"),
        ("server/keys/server.key", 0o000, "server/keys/server.key"),
    ] {
        let mode_before = mode(&office.path(path));
        set_mode(&office.path(path), wrong_mode);
        for command in COMMANDS {
            let error = office.refuses(command);
            assert!(error.contains(named), "{path} {wrong_mode:o}, {command:?}: {error}");
            assert!(error.contains("give this account"), "{path} {wrong_mode:o}, {command:?}: {error}");
        }
        set_mode(&office.path(path), mode_before);
        assert_eq!(office.says(&["devices"]), "", "{path}: nothing was changed");
    }
    set_mode(&office.path("server"), 0o500);
    let error = office.refuses(&["serve", "--port", "0"]);
    assert!(error.contains("serve.lock") && error.contains("give this account"), "{error}");
    set_mode(&office.path("server"), 0o700);
    fs::create_dir(office.path("full")).expect("a folder");
    set_mode(&office.path("full"), 0o555);
    let error = office.refuses(&["backup", "--to", "full/copy"]);
    assert!(error.contains("full/copy") && error.contains("give this account"), "{error}");
}

#[test]
fn other_accounts_of_the_machine_can_read_nothing() {
    let office = Office::open();
    office.says(&["backup", "--to", "copy"]);
    office.says(&["verify", "copy"]);
    for path in office.files() {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
    for path in office.files() {
        set_mode(&path, if path.is_dir() { 0o755 } else { 0o644 });
    }
    let warnings = office.says(&["devices"]);
    for path in ["server/data", "server/data/control.db", "server/journal", "server/keys", "server/keys/server.key"] {
        let line = format!("{path} could be read by other accounts");
        assert!(warnings.contains(&line), "{path}: {warnings}");
    }
    for path in office.files().into_iter().filter(|path| path.strip_prefix(office.path("server/")).is_ok()) {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        if path != office.path("server") {
            assert_eq!(mode(&path), expected, "{}", path.display());
        }
    }
    assert_eq!(office.says(&["devices"]), "", "once is enough");
}

#[test]
fn a_damaged_file_of_the_journal_is_named_with_its_line_and_nothing_begins_anew() {
    let office = Office::open();
    office.says(&["org", "update", "--reference", office.reference()]);
    office.says(&["enrol-code", "--user", "Asha", "--role", "clerk", "--centre", "KOLAR"]);
    let organisation = office.database().file_stem().expect("a name").to_str().expect("text").to_owned();
    let heads = office.path(&format!("server/journal/{organisation}.heads"));
    let epoch = office.path(&format!("server/journal/{organisation}.epoch"));
    let code = office.path(&format!("server/journal/{organisation}.code"));
    let erased = office.path("server/journal/erased");
    let journal = office.path("server/journal/lock").parent().expect("a folder").to_owned();
    let begin = fs::read_to_string(&heads).expect("heads");
    let last = format!("line {} cannot be read", begin.lines().count() + 1);
    for (file, content, complaint) in [
        (&heads, String::new(), "it is empty"),
        (&erased, String::new(), "it is empty"),
        (&heads, format!("{begin}c/KOLAR not a head\n"), last.as_str()),
        (&heads, format!("{}\n{begin}", "\0".repeat(40)), "line 1 cannot be read"),
        (&epoch, String::new(), "damaged"),
        (&epoch, "x\n".to_owned(), "damaged"),
        (&code, "12".to_owned(), "damaged"),
        (&erased, "a farmer\n".to_owned(), "line 1 cannot be read"),
    ] {
        let before = fs::read(file).ok();
        fs::write(file, &content).expect("damaged");
        let error = office.refuses(&["serve", "--port", "0"]);
        let name = file.strip_prefix(office.folder.path()).expect("inside").to_str().expect("text");
        assert!(error.contains(name) && error.contains(complaint), "{content:?}: {error}");
        assert_eq!(fs::read_to_string(file).expect("text"), content, "the file is as it was");
        match before {
            Some(before) => fs::write(file, before).expect("put back"),
            None => fs::remove_file(file).expect("put back"),
        }
    }
    // A crash cut off the last line, so nobody was answered after it.
    fs::write(&heads, format!("{begin}c/KOLAR 12 a7")).expect("cut off");
    office.says(&["enrol-code", "--user", "Ravi", "--role", "clerk", "--centre", "KOLAR"]);
    let text = fs::read_to_string(&heads).expect("heads");
    assert!(text.starts_with(&begin) && !text.contains("c/KOLAR 12") && text.ends_with('\n'), "{text}");
    assert_eq!(mode(&journal), 0o700);
}

#[test]
fn an_enrolment_code_that_cannot_be_made_leaves_no_user() {
    let office = Office::open();
    office.says(&["org", "update", "--reference", office.reference()]);
    if !office.belongs_to_nobody() {
        return;
    }
    let code = ["enrol-code", "--user", "Asha", "--role", "clerk", "--centre", "KOLAR"];
    let organisation = office.database().file_stem().expect("a name").to_str().expect("text").to_owned();
    let heads = office.path(&format!("server/journal/{organisation}.heads"));
    set_mode(&heads, 0o400);
    let error = office.refuses(&code);
    assert!(error.contains(".heads") && error.contains("give this account"), "{error}");
    set_mode(&heads, 0o600);
    office.says(&code);
}

#[test]
fn a_backup_that_was_killed_can_be_repeated() {
    let office = Office::open();
    let copy = office.path("copy");
    fs::create_dir(&copy).expect("an empty folder");
    office.says(&["backup", "--to", "copy"]);
    office.says(&["verify", "copy"]);
    let error = office.refuses(&["backup", "--to", "copy"]);
    assert!(error.contains("copy: the folder exists and is not empty"), "{error}");
    // As if it had been killed before its last step.
    fs::rename(copy.join("copy-id"), copy.join("incomplete-copy")).expect("renamed");
    assert!(office.refuses(&["verify", "copy"]).contains("not a complete copy"));
    office.says(&["backup", "--to", "copy"]);
    office.says(&["verify", "copy"]);
    assert!(!copy.join("incomplete-copy").exists());
    // Only files of a copy are deleted.
    fs::rename(copy.join("copy-id"), copy.join("incomplete-copy")).expect("renamed");
    fs::write(copy.join("precious.db"), "precious").expect("written");
    let before = office.files();
    let error = office.refuses(&["backup", "--to", "copy"]);
    assert!(error.contains("precious.db") && error.contains("name a new folder"), "{error}");
    assert_eq!(office.files(), before);
    fs::remove_file(copy.join("precious.db")).expect("removed");
    office.says(&["backup", "--to", "copy"]);
    fs::write(copy.join("incomplete-copy"), "").expect("written");
    assert!(office.refuses(&["verify", "copy"]).contains("incomplete-copy"));
}

#[test]
fn a_finished_backup_is_not_replaced_by_one_that_was_begun_before_it_ended() {
    let office = Office::open();
    let server = Server::open(&office.path("server"), Environment::system()).expect("it opens");
    for round in 0..20 {
        let copy = office.path(&format!("copy {round}"));
        let results = std::thread::scope(|threads| {
            let running: Vec<_> = (0..3).map(|_| threads.spawn(|| server.back_up(&copy))).collect();
            running.into_iter().map(|it| it.join().expect("it ends")).collect::<Vec<_>>()
        });
        let refused = results.iter().filter_map(|result| result.as_ref().err());
        let refused: Vec<String> = refused.map(ToString::to_string).collect();
        assert_eq!(refused.len(), 2, "one is made: {refused:?}");
        let reasons = ["another backup writes to it", "the folder exists and is not empty"];
        assert!(refused.iter().all(|it| reasons.iter().any(|reason| it.contains(reason))), "{refused:?}");
        server.verify(&copy).expect("the copy is whole");
        assert!(!copy.join("incomplete-copy").exists());
    }
}

#[test]
fn a_folder_that_is_not_a_servers_is_named_with_what_it_is_and_nothing_is_made_in_it() {
    let office = Office::open();
    fs::create_dir(office.path("empty")).expect("a folder");
    fs::write(office.path("file"), "").expect("a file");
    for command in [&["org", "list"][..], &["users"], &["serve", "--port", "0"]] {
        for (folder, complaint) in [
            ("sevrer", "contains no server data: create an organisation"),
            ("empty", "contains no server data: create an organisation"),
            ("file", "is not a folder"),
            ("server/data", "name the folder above"),
            ("server/keys", "name the folder above"),
        ] {
            let error = office.refuses_for(folder, command);
            assert!(error.contains(folder) && error.contains(complaint), "{folder}, {command:?}: {error}");
        }
        assert_eq!(fs::read_dir(office.path("empty")).expect("a folder").count(), 0);
    }
    assert!(!office.path("sevrer").exists());
    assert!(!office.path("server/data/keys").exists() && !office.path("server/keys/keys").exists());
    if office.belongs_to_nobody() {
        chown(office.path("server"), Some(0), Some(0)).expect("root's");
        for command in COMMANDS {
            let error = office.refuses(command);
            assert!(error.contains("server/keys cannot be used: give this account"), "{command:?}: {error}");
        }
        chown(office.path("server"), Some(NOBODY), Some(NOBODY)).expect("given back");
    }
}

#[test]
fn the_folder_of_another_program_is_left_as_it_is_even_if_its_parts_have_the_names_of_a_servers() {
    let office = Office { folder: tempfile::tempdir().expect("a folder") };
    // Those of the system's log, of a program with its data, and of one with its keys.
    for file in
        ["log/journal/0123456789abcdef0123456789abcdef/system.journal", "app/data/app.db", "web/keys/server.pem"]
    {
        let file = office.path(file);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(&file, "theirs").expect("a file");
    }
    // One that is like a server's in all but the content.
    fs::create_dir_all(office.path("like/keys")).expect("a folder");
    fs::create_dir_all(office.path("like/data")).expect("a folder");
    fs::write(office.path("like/keys/server.key"), "-----BEGIN PRIVATE KEY-----").expect("a file");
    fs::write(office.path("like/data/app.db"), "theirs").expect("a file");
    for folder in ["log", "app", "web", "like"] {
        let all = || -> Vec<(PathBuf, u32)> {
            files_in(&[office.path(folder)]).into_iter().map(|path| (path.clone(), mode(&path))).collect()
        };
        for (path, _) in all() {
            set_mode(&path, if path.is_dir() { 0o755 } else { 0o644 });
        }
        let before = all();
        let creates: &[&str] = &["org", "create", "Kolar growers", "--country", "IN"];
        for command in [creates].into_iter().chain(COMMANDS) {
            let error = office.refuses_for(folder, command);
            assert!(error.contains(folder), "{folder}, {command:?}: {error}");
            assert_eq!(all(), before, "{folder}, {command:?}");
        }
    }
}

#[test]
fn a_command_that_is_refused_changes_no_permissions_and_the_next_one_says_what_it_changes() {
    let office = Office::open();
    for path in ["server/data", "server/data/control.db", "server/keys/server.key"] {
        set_mode(&office.path(path), if path.ends_with("data") { 0o755 } else { 0o644 });
    }
    fs::write(office.path("server/moved_to"), "no address").expect("damaged");
    let modes =
        || ["server/data", "server/data/control.db", "server/keys/server.key"].map(|path| mode(&office.path(path)));
    let before = modes();
    office.refuses(&["devices"]);
    assert_eq!(modes(), before);
    fs::remove_file(office.path("server/moved_to")).expect("removed");
    let warnings = office.says(&["devices"]);
    for path in ["server/data", "server/data/control.db", "server/keys/server.key"] {
        assert!(warnings.contains(&format!("{path} could be read by other accounts")), "{path}: {warnings}");
    }
    assert_eq!(modes(), [0o700, 0o600, 0o600]);
}

#[test]
fn a_backup_to_a_folder_whose_name_begins_like_an_address_is_made_there() {
    let office = Office::open();
    for folder in ["file:copy", "file:///copy"] {
        office.says(&["backup", "--to", folder]);
        office.says(&["verify", folder]);
        assert!(office.path(folder).join("control.db").metadata().expect("a file").len() > 0);
    }
    assert!(!office.path("copy").exists(), "nothing was made elsewhere");
}

#[test]
fn a_server_whose_data_are_gone_refuses_every_command_and_makes_nothing() {
    let office = Office::open();
    for lost in ["server/data/control.db", "server/data"] {
        let aside = office.path("aside");
        fs::rename(office.path(lost), &aside).expect("moved away");
        let before = office.files();
        for command in COMMANDS {
            let error = office.refuses(command);
            assert!(error.contains("data/control.db: it is missing"), "{lost}, {command:?}: {error}");
            assert_eq!(office.files(), before, "{lost}, {command:?}");
        }
        fs::rename(&aside, office.path(lost)).expect("put back");
        office.says(&["devices"]);
    }
}

#[test]
fn a_successor_key_of_another_server_is_not_announced() {
    let office = Office::open();
    let public = office.path("server/keys/successor.pub");
    let whole = fs::read(&public).expect("a key");
    for foreign in ["server/keys/successor.key", "server/keys/server.key"] {
        fs::copy(office.path(foreign), &public).expect("replaced");
        for command in COMMANDS {
            let error = office.refuses(command);
            assert!(error.contains("successor.pub") && error.contains("put it back"), "{command:?}: {error}");
        }
    }
    fs::write(&public, whole).expect("put back");
    office.says(&["devices"]);
}

#[test]
fn a_copy_is_not_made_inside_the_servers_folder_and_its_missing_files_are_named() {
    let office = Office::open();
    let before = office.files();
    for inside in ["server/copy", "server/keys/copy", "server/journal", "server/data/../copy", "none/../server/copy"] {
        let error = office.refuses(&["backup", "--to", inside]);
        assert!(error.contains(inside) && error.contains("must not be inside"), "{inside}: {error}");
    }
    assert_eq!(office.files(), before);
    let organisation = office.database().file_name().expect("a name").to_str().expect("text").to_owned();
    for name in ["control.db", &organisation] {
        office.says(&["backup", "--to", "copy"]);
        let file = office.path("copy").join(name);
        fs::write(&file, "").expect("emptied");
        let error = office.refuses(&["verify", "copy"]);
        assert!(error.contains(&format!("copy/{name}: it is empty")), "{error}");
        fs::remove_file(&file).expect("removed");
        let error = office.refuses(&["verify", "copy"]);
        assert!(error.contains(&format!("copy/{name}: it is missing")), "{error}");
        fs::remove_dir_all(office.path("copy")).expect("removed");
    }
    office.says(&["backup", "--to", "copy"]);
    let id = fs::read_to_string(office.path("copy/copy-id")).expect("an id");
    let (first, tables) = id.split_once('\n').expect("lines");
    let (id, _) = first.split_once(' ').expect("an id and a time");
    fs::write(office.path("copy/copy-id"), format!("{id} 4102444800000\n{tables}")).expect("in 2100");
    let error = office.refuses(&["verify", "copy"]);
    assert!(error.contains("copy-id") && error.contains("in the future"), "{error}");
}

#[test]
fn a_damaged_key_or_copy_is_named() {
    let office = Office::open();
    for name in ["server/keys/server.key", "server/keys/successor.pub"] {
        let key = office.path(name);
        let whole = fs::read(&key).expect("a key");
        let cut = whole.get(..40).expect("a part").to_vec();
        for content in [Vec::new(), cut, b"\xff\xfe".to_vec(), vec![b'x'; 64]] {
            fs::write(&key, &content).expect("damaged");
            for command in COMMANDS {
                let error = office.refuses(command);
                assert!(error.contains(name) && error.contains("put it back"), "{command:?}: {error}");
            }
            assert!(fs::read(&key).expect("a key") == content, "{name} is as it was");
        }
        fs::remove_file(&key).expect("removed");
        let error = office.refuses(&["devices"]);
        assert!(error.contains("put it back"), "{error}");
        fs::write(&key, whole).expect("put back");
        set_mode(&key, 0o600);
    }
    let organisation = office.database().file_name().expect("a name").to_str().expect("text").to_owned();
    for name in ["control.db", "copy-id", &organisation] {
        for content in ["", "x", "SQLite format 3\0"] {
            office.says(&["backup", "--to", "copy"]);
            fs::write(office.path("copy").join(name), content).expect("damaged");
            let error = office.refuses(&["verify", "copy"]);
            assert!(error.contains(&format!("copy/{name}")), "{content:?}: {error}");
            fs::remove_dir_all(office.path("copy")).expect("removed");
        }
    }
}

#[test]
fn the_new_address_of_the_server_is_announced_or_its_damaged_file_is_named() {
    let office = Office::open();
    office.says(&["move-to", "https://field.example.org/"]);
    let file = office.path("server/moved_to");
    assert_eq!(fs::read_to_string(&file).expect("a file"), "https://field.example.org");
    assert_eq!(mode(&file), 0o600);
    let error = office.refuses(&["move-to", "ftp://field.example.org"]);
    assert!(error.contains("https://"), "{error}");
    let error = office.refuses(&["move-to", "http://field.example.org"]);
    assert!(error.contains("https://"), "{error}");
    office.says(&["move-to", "http://127.0.0.1:8484"]);
    office.says(&["move-to", "http://[::1]:8484"]);
    for content in [&b""[..], b"\xff\xfe", b"https://", b"https://field.example.org\nx", b"http://field.example.org"] {
        fs::write(&file, content).expect("damaged");
        for command in COMMANDS {
            let error = office.refuses(command);
            assert!(error.contains("moved_to") && error.contains("move-to"), "{command:?}: {error}");
        }
    }
    fs::remove_file(&file).expect("removed");
    office.says(&["move-to", "https://field.example.org"]);
    office.says(&["move-to"]);
    assert!(!file.exists(), "the server stays");
}

#[test]
fn a_backup_on_another_file_system_counts() {
    use std::os::unix::fs::MetadataExt;
    let office = Office::open();
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else {
        return println!("SKIPPED: there is no /dev/shm");
    };
    let device = |path: &Path| fs::metadata(path).expect("a folder").dev();
    if device(elsewhere.path()) == device(office.folder.path()) {
        return println!("SKIPPED: /dev/shm is on the same file system as the folder for temporary files");
    }
    let copy = elsewhere.path().join("copy");
    let copy = copy.to_str().expect("text");
    office.says(&["backup", "--to", copy]);
    office.says(&["verify", copy]);
}
