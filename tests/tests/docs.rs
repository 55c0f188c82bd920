//! Checks that the documents agree with the code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use farmtally_core::ErrorCode;
use farmtally_core::decisions::{Audience, DECISIONS, DecisionKindInfo, ReviewCode, StoredAsInfo};
use farmtally_core::permission::{Capability, Denied, Role, Target};
use farmtally_core::protocol::{HoldCode, RefusalCode};
use farmtally_core::records::{Class, KINDS, Kind};
use farmtally_core::rules::{Check, PublicationCode};
use farmtally_core::scope::ScopeForm;
use farmtally_sync_server::ReferenceFile;
use farmtally_tests::Market;

fn document(name: &str) -> String {
    let path = format!("{}/../docs/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("docs/{name}: {error}"))
}

/// The first cell of each row of a Markdown table, where it is code.
fn first_cells(text: &str) -> Vec<&str> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).collect()
}

#[test]
fn every_error_code_is_listed_and_no_other() {
    let text = document("errors.md");
    let table = text.split("\n## ").find(|part| part.starts_with("Error codes")).expect("a section of error codes");
    let mut listed = first_cells(table);
    let mut known: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    listed.sort_unstable();
    known.sort_unstable();
    assert_eq!(listed, known);
}

/// The page's name for a class of keys.
fn class_name(class: Class) -> &'static str {
    match class {
        Class::Snapshot => "snapshot",
        Class::Add => "add",
        Class::AddAbout => "add about",
        Class::Register => "register",
    }
}

fn audience_name(audience: Audience) -> &'static str {
    match audience {
        Audience::Organisation => "organisation",
        Audience::Device => "device",
        Audience::Scope => "scope",
    }
}

fn heading(kind: Kind) -> String {
    let (first, rest) = kind.name.split_at(1);
    first.to_uppercase() + &rest.replace('_', " ")
}

#[test]
fn every_key_of_every_record_kind_is_described_with_its_class() {
    let text = document("records.md");
    for kind in KINDS {
        let heading = heading(kind);
        let section = text.split("\n## ").find(|part| part.starts_with(&heading));
        let section = section.unwrap_or_else(|| panic!("docs/records.md has no section {heading}"));
        for rule in kind.shape.0 {
            let row = format!("| `{}` | {} |", rule.key, class_name(rule.class));
            assert!(section.contains(&row), "{heading}: no row {row}");
        }
    }
}

#[test]
fn every_record_kind_is_listed_and_no_other() {
    let text = document("records.md");
    let section = text.split("\n## ").find(|part| part.starts_with("Kinds")).expect("a section of kinds");
    let listed = section.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    let listed: Vec<Vec<&str>> = listed.map(|line| line.split('|').map(str::trim).collect()).collect();
    assert_eq!(listed.len(), KINDS.len());
    for (kind, row) in KINDS.into_iter().zip(listed) {
        let scope = match kind.home {
            ScopeForm::Centre => "`c/<centre>`",
            ScopeForm::Season => "`c/<centre>/<season>`",
        };
        assert_eq!((row[1], row[2], row[4]), (kind.number.to_string().as_str(), kind.name, scope));
    }
}

#[test]
fn every_check_and_role_is_described() {
    let text = document("records.md");
    for name in Check::ALL.map(Check::as_str).into_iter().chain(Role::ALL.map(Role::as_str)) {
        assert!(text.contains(&format!("`{name}`")), "{name} is not in docs/records.md");
    }
}

#[test]
fn the_table_of_rights_is_that_of_the_code() {
    let text = document("records.md");
    let row = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    };
    let lines: Vec<Vec<String>> =
        text.lines().skip_while(|line| !line.starts_with("| Capability |")).map(row).collect();
    assert_eq!(lines[0][1..], Role::ALL.map(|role| role.as_str().to_owned()));
    let right = |capability, role: Role| match role.check(capability, Target::Own { age_ms: i64::MAX }) {
        Ok(()) => "yes".to_owned(),
        Err(Denied::Late { minutes, .. }) => format!("{}&nbsp;h", minutes / 60),
        Err(_) => "–".to_owned(),
    };
    for (capability, line) in Capability::ALL.into_iter().zip(&lines[2..]) {
        let rights = Role::ALL.map(|role| right(capability, role));
        assert_eq!((line[0].as_str(), &line[1..]), (capability.as_str(), rights.as_slice()));
    }
}

#[test]
fn every_code_of_a_hold_refusal_or_review_is_described() {
    let names = |page: &str, codes: Vec<&str>| {
        let text = document(page);
        for code in codes {
            assert!(text.contains(&format!("`{code}`")), "{code} is not in docs/{page}");
        }
    };
    names("errors.md", HoldCode::KNOWN.iter().map(HoldCode::as_str).collect());
    names("errors.md", PublicationCode::ALL.iter().map(|code| code.as_str()).collect());
    names("protocol.md", HoldCode::KNOWN.iter().map(HoldCode::as_str).collect());
    names("errors.md", RefusalCode::KNOWN.iter().map(RefusalCode::as_str).collect());
    names("records.md", ReviewCode::KNOWN.iter().map(ReviewCode::as_str).collect());
}

#[test]
fn every_decision_kind_is_listed_and_no_other() {
    let text = document("protocol.md");
    let section = text.split("\n### ").find(|part| part.starts_with("Decisions")).expect("a section of decisions");
    let listed: Vec<&str> = section.lines().filter(|line| line.starts_with("| ") && line.contains('`')).collect();
    let row = |kind: &&DecisionKindInfo| {
        let stored = match (kind.stored)() {
            StoredAsInfo::Latest => "latest",
            StoredAsInfo::Rows(_) => "rows",
            StoredAsInfo::LogOnly => "log only",
        };
        format!("| {} | `{}` | {} | {stored} |", kind.number, kind.name, audience_name(kind.audience))
    };
    assert_eq!(listed, DECISIONS.iter().map(row).collect::<Vec<_>>());
    for kind in DECISIONS {
        let begins = format!("[{}, decision-envelope,", kind.number);
        assert!(section.contains(&begins), "no form {begins}");
    }
}

#[test]
fn every_stage_of_the_test_command_is_described_with_its_limit() {
    let run = document("../tests/run");
    let text = document("../CONTRIBUTING.md");
    let mut stages = 0;
    for table in ["\nchecks='\n", "\nby_hand='\n"] {
        let (_, table) = run.split_once(table).expect("a table of stages");
        for line in table.lines().take_while(|line| *line != "'") {
            let mut words = line.split_whitespace();
            let (name, limit) = (words.next().expect("a name"), words.next().expect("a limit"));
            let row = text.lines().find(|row| row.starts_with(&format!("| `{name}` |")));
            assert!(row.is_some_and(|row| row.ends_with(&format!("| {limit} s |"))), "{name}: {row:?}");
            stages += 1;
        }
    }
    assert!(stages > 0);
}

#[test]
fn the_reference_file_of_the_readme_lets_a_phone_record() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).expect("README.md");
    let file = readme.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a reference file");
    let mut market = Market::open(45);
    let file = ReferenceFile::parse(file).expect("the server reads it");
    market.organisation = market
        .server
        .create_organisation("Kolar growers", &"IN".parse().expect("a country"), 330, None, &file)
        .expect("an organisation");
    market.clock.pass(700 * 86_400);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    assert_eq!(asha.weighs(farmer, None, &[20_000]).totals.net_g.0, 18_500);
}

/// All code in which the glossary's names are looked up.
fn all_code() -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut folders: Vec<PathBuf> =
        ["core/src", "sync-server/src", "bindings/ffi/src"].map(|folder| Path::new(root).join(folder)).into();
    let mut code = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs" || it == "sql") {
                code += path.file_stem().and_then(|name| name.to_str()).expect("a name");
                code += &std::fs::read_to_string(&path).expect("text");
            }
        }
    }
    code
}

#[test]
fn every_name_in_the_glossary_exists_in_the_code() {
    let code = all_code();
    let words: BTreeSet<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let text = document("glossary.md");
    let rows = text.lines().filter(|line| line.starts_with("| "));
    // The last cell says where a thing is in the code; tables of units and numbers have examples there instead.
    let places = rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next());
    let names = places.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let is_name = |name: &&str| name.chars().all(|c| c.is_alphanumeric() || "_:.".contains(c));
    let unknown: Vec<&str> = names
        .filter(is_name)
        .filter(|name| {
            !name.split(['.', ':']).filter(|part| !part.is_empty()).all(|part| words.contains(part) || part == "rs")
        })
        .collect();
    assert_eq!(unknown, Vec::<&str>::new());
}

#[test]
fn the_glossary_has_every_record_kind_and_every_decision_kind() {
    let text = document("glossary.md").to_lowercase();
    let rows: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next())
        .flat_map(|words| words.split(", "))
        .collect();
    let kinds = KINDS.iter().map(|kind| kind.name.replace('_', " "));
    let decisions = DECISIONS.iter().map(|kind| kind.name.replace('_', " "));
    let missing: Vec<String> = kinds.chain(decisions).filter(|name| !rows.contains(name.as_str())).collect();
    assert_eq!(missing, Vec::<String>::new());
}
