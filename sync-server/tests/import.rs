//! `farmtally-server import` as an operator sees it: what is printed where, and the exit code.

#![expect(clippy::expect_used, reason = "tests may panic: that is how they fail")]

mod program;

use std::path::Path;

use ed25519_dalek::SigningKey;
use farmtally_core::environment::Environment;
use farmtally_core::protocol::parcel::Parcel;
use farmtally_core::units::OrganisationId;
use program::{run, text};

/// A parcel of one thing that is no bundle: taken, and refused within.
fn parcel(folder: &Path, organisation: OrganisationId) -> Vec<u8> {
    let hex = std::fs::read_to_string(folder.join("server/keys/server.key")).expect("a key");
    let bytes = data_encoding::HEXLOWER.decode(hex.trim().as_bytes()).expect("hex");
    let key = SigningKey::from_bytes(&bytes.try_into().expect("32 bytes")).verifying_key().to_bytes();
    let packed = Parcel::pack(&[b"no bundle"], organisation, &key, &Environment::system()).expect("packed");
    packed.iter().flat_map(Parcel::as_bytes).copied().collect()
}

#[test]
fn bad_files_are_named_and_the_others_are_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let created = run(folder, &["org", "create", "Kolar growers", "--country", "IN"]);
    let organisation: OrganisationId = text(&created.stdout).trim().parse().expect("an id");
    let good = parcel(folder, organisation);
    let foreign = parcel(folder, OrganisationId::from([9; 16]));
    std::fs::write(folder.join("good"), &good).expect("written");
    std::fs::write(folder.join("foreign"), &foreign).expect("written");
    std::fs::write(folder.join("part"), [good.as_slice(), &foreign, &good, b"x"].concat()).expect("written");
    std::fs::write(folder.join("photo"), vec![0xff; 5_000]).expect("written");
    std::fs::write(folder.join("empty"), []).expect("written");

    let taken = run(folder, &["import", "good", "good"]);
    let line = "good: bundles 0, entries logged 0, held 0, deferred 0, bundles refused 1\n";
    assert_eq!((text(&taken.stdout), text(&taken.stderr)), (line.repeat(2), String::new()));
    assert!(taken.status.success());

    let taken = run(folder, &["import", "photo", "foreign", "missing", "part", "empty", "good"]);
    assert_eq!(
        text(&taken.stdout),
        format!("{}{line}", line.replace("good", "part").replace("refused 1", "refused 2"))
    );
    let unreadable = "not a parcel, or incomplete: export it again";
    let elsewhere = "the parcel belongs to another organisation";
    let errors = text(&taken.stderr);
    for (error, expected) in errors.lines().zip([
        format!("error: photo: parcel 1: {unreadable}"),
        format!("error: foreign: parcel 1: {elsewhere}"),
        "error: missing: cannot be opened: ".to_owned(),
        format!("error: part: parcel 2: {elsewhere}; parcel 4: {unreadable}"),
        format!("error: empty: parcel 1: {unreadable}"),
        "error: 5 of 6 files were not imported, or only in part".to_owned(),
    ]) {
        assert!(error.starts_with(&expected), "{error}");
    }
    assert_eq!((errors.lines().count(), taken.status.code()), (6, Some(1)));

    let other = text(&run(folder, &["org", "create", "Malur growers", "--country", "IN"]).stdout);
    let refused = run(folder, &["import", "--org", other.trim(), "good"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).starts_with(&format!("error: good: parcel 1: {elsewhere}")));
    let unknown = run(folder, &["import", "--org", "00000000-0000-7000-8000-000000000000", "good"]);
    assert!(text(&unknown.stderr).contains("there is no organisation"), "{}", text(&unknown.stderr));
}
