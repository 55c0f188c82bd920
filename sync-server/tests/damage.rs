//! What an operator reads of databases that were swapped or damaged: which file, what is in it and what to do. Nothing is changed.

#![cfg(unix)]
#![expect(clippy::expect_used, reason = "tests may panic: that is how they fail")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const COMMANDS: [&[&str]; 5] =
    [&["org", "list"], &["devices"], &["held", "list"], &["backup", "--to", "copy"], &["serve", "--port", "0"]];

/// The section of the documentation that says what to do with a damaged database.
const SECTION: &str = "docs/operating.md, \"After a restore\"";

fn spawn(folder: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farmtally-server"));
    command.args(arguments).args(["--data", "server"]).current_dir(folder);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the server runs")
}

/// Runs a command that succeeds; what it prints.
fn says(folder: &Path, arguments: &[&str]) -> String {
    let output = spawn(folder, arguments).wait_with_output().expect("it ends");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

/// Runs a command that fails; its error.
fn refuses(folder: &Path, arguments: &[&str]) -> String {
    let mut running = spawn(folder, arguments);
    if arguments.contains(&"serve") {
        let mut address = String::new();
        BufReader::new(running.stdout.as_mut().expect("a pipe")).read_line(&mut address).expect("text");
        if !address.is_empty() {
            // It serves, and would not end.
            running.kill().expect("killed");
        }
    }
    let output = running.wait_with_output().expect("it ends");
    let error = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
    error
}

/// A folder with a server that has these organisations; their databases.
fn office<const N: usize>(names: [&str; N]) -> (tempfile::TempDir, [PathBuf; N]) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("centres.json"), r#"{"centres": [{"code": "KOLAR", "name": "Kolar"}]}"#)
        .expect("written");
    let create = |name| ["org", "create", name, "--country", "IN", "--reference", "centres.json"];
    let databases = names.map(|name| {
        let id = says(folder.path(), &create(name));
        folder.path().join(format!("server/data/{id}.db"))
    });
    (folder, databases)
}

fn name(path: &Path) -> &str {
    path.file_name().expect("a name").to_str().expect("text")
}

/// The databases and their write-ahead logs, with their bytes.
fn databases(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(folder.join("server/data")).expect("a folder").map(|file| file.expect("a file").path());
    let is_kept = |path: &PathBuf| !name(path).ends_with("-shm");
    let mut files: Vec<_> = files.filter(is_kept).map(|path| (path.clone(), fs::read(path).expect("bytes"))).collect();
    files.sort();
    files
}

/// Requires that each command fails with these texts, and leaves all databases as they are.
fn all_refuse(folder: &Path, texts: &[&str]) {
    let before = databases(folder);
    for command in COMMANDS {
        let error = refuses(folder, command);
        assert!(databases(folder) == before, "{command:?}: the files are as they were");
        assert!(texts.iter().all(|text| error.contains(text)), "{command:?}: {texts:?}: {error}");
    }
}

#[test]
fn databases_in_each_others_place_are_named_with_what_they_are() {
    let (folder, [kolar, malur]) = office(["Kolar growers", "Malur growers"]);
    let folder = folder.path();
    let control = folder.join("server/data/control.db");
    let whole = [&control, &kolar, &malur].map(|path| (path.clone(), fs::read(path).expect("bytes")));
    let [(_, of_control), (_, of_kolar), (_, of_malur)] = &whole;
    for (place, content, is) in [
        (&kolar, of_control, "control.db"),
        (&control, of_kolar, name(&kolar)),
        (&malur, of_kolar, name(&kolar)),
        (&kolar, of_malur, name(&malur)),
    ] {
        fs::write(place, content).expect("swapped");
        all_refuse(folder, &[name(place), &format!("the content of {is}"), "put each file back in its place"]);
        for (path, bytes) in &whole {
            fs::write(path, bytes).expect("put back");
        }
    }
    fs::write(&kolar, of_malur).expect("swapped");
    fs::write(&malur, of_kolar).expect("swapped");
    all_refuse(folder, &[name(&kolar), &format!("the content of {}", name(&malur))]);
    for (path, bytes) in &whole {
        fs::write(path, bytes).expect("put back");
    }
    says(folder, &["org", "list"]);
}

/// Overwrites all pages but the first.
fn damage(database: &Path) {
    let mut bytes = fs::read(database).expect("bytes");
    bytes.get_mut(4096..).expect("pages").fill(0xff);
    fs::write(database, bytes).expect("damaged");
}

#[test]
fn a_damaged_database_is_named_with_the_section_that_says_what_to_do() {
    let (folder, [kolar]) = office(["Kolar growers"]);
    let folder = folder.path();
    let whole = fs::read(&kolar).expect("bytes");
    damage(&kolar);
    all_refuse(folder, &[name(&kolar), SECTION]);
    fs::write(&kolar, [7; 9_000]).expect("damaged");
    all_refuse(folder, &[name(&kolar), SECTION]);
    fs::write(&kolar, whole).expect("put back");
    let output = spawn(folder, &["devices", "--org", "Kolar growers"]).wait_with_output().expect("it ends");
    let error = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("not the id of an organisation") && error.contains("org list"), "{error}");
}
