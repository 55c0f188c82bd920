//! Import of farmers from files as spreadsheets write them.

use std::path::PathBuf;

use farmtally_core::client::{ExportFormat, ImportCode, ImportInput, ImportReport, ReportCode, ReportQuery};
use farmtally_core::limits::{MAX_IMPORT_BYTES, MAX_IMPORT_ISSUES, MAX_TEXT};
use farmtally_core::{Error, ErrorCode};
use farmtally_tests::{Market, Person};

fn input() -> ImportInput {
    ImportInput { centre: "KOLAR".parse().expect("a code"), is_dry_run: false, with_look_alikes: false }
}

fn file(market: &Market, content: impl AsRef<[u8]>) -> PathBuf {
    let path = market.path_of("farmers.csv");
    std::fs::write(&path, content).expect("written");
    path
}

fn imports(market: &Market, person: &Person, content: impl AsRef<[u8]>) -> ImportReport {
    person.client.import_farmers(&file(market, content), &input()).expect("imported")
}

/// Name, village and telephone number of all farmers, sorted.
fn farmers(person: &Person) -> Vec<[String; 3]> {
    let rows = person.farmers("").expect("farmers").items.into_iter();
    let mut all: Vec<_> = rows.map(|row| [row.contact.name, row.contact.village, row.contact.phone]).collect();
    all.sort();
    all
}

/// Line, column, code and text of each issue.
fn issues(report: &ImportReport) -> Vec<(u64, &str, ImportCode, &str)> {
    let issues = report.issues.iter();
    issues.map(|it| (it.line, it.column.as_str(), it.code, it.text.as_str())).collect()
}

fn counts(report: &ImportReport) -> [u64; 4] {
    [report.lines, report.registered, report.known, report.failed]
}

#[test]
fn a_file_is_imported_in_every_encoding_and_with_every_separator() {
    let mut market = Market::open(1);
    let encodings: [fn(&str) -> Vec<u8>; 5] = [
        |text| text.as_bytes().to_vec(),
        |text| format!("\u{feff}{text}").into_bytes(),
        |text| format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
        |text| format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect(),
        |text| text.chars().map(|c| u8::try_from(u32::from(c)).expect("a letter of Windows-1252")).collect(),
    ];
    for (number, encode) in encodings.into_iter().enumerate() {
        for (name, separator) in [("Comma", ","), ("Semicolon", ";"), ("Tab", "\t")] {
            let asha = market.hires(&format!("{name} {number}"), "field_manager");
            // A tab in a name would be refused, in quotes or not.
            let village =
                if separator == "\t" { "Vemagal Kolar".to_owned() } else { format!("Vemagal{separator} Kolar") };
            let lines = [
                ["Nr", "Mobile No.", "Name", "Village"],
                ["1", "98450 11223", "Zoë Muñoz", &format!("\"{village}\"")],
                ["", "", " ", ""],
                ["2", "", "\"Ruth \"\"Mama\"\" W.\"", ""],
            ];
            let text: String = lines.map(|cells| cells.join(separator) + "\r\n").concat();
            let report = imports(&market, &asha, encode(&text));
            assert_eq!(issues(&report), [], "{number} {separator:?}");
            assert_eq!((counts(&report), report.ignored_columns), ([2, 2, 0, 0], vec!["Nr".to_owned()]));
            let expected = [["Ruth \"Mama\" W.", "", ""], ["Zoë Muñoz", &village, "+919845011223"]];
            assert_eq!(farmers(&asha), expected, "{number} {separator:?}");
        }
    }
}

#[test]
fn a_wrong_line_is_reported_with_line_column_code_and_text_and_stops_no_other() {
    let mut market = Market::open(2);
    let asha = market.hires("Asha", "field_manager");
    let known = asha.registers("Ramesh Gowda", "Vemagal", "98450 22222");
    let long = "x".repeat(MAX_TEXT + 1);
    let text = format!(
        "name,village,phone\n\
         Lakshmi Devi,Vemagal,98450 11111\n\
         ,Vemagal,98450 33333\n\
         \u{200b},Vemagal,\n\
         {long},Vemagal,\n\
         \"Line\nbreak\",Vemagal,\n\
         Suresh,Vemagal,9.84501E+09\n\
         Mahesh,Vemagal,98450 44444 / 98450 55555\n\
         Ganesh,Vemagal, Kolar,98450 66666\n\
         lakshmi-devi,VEMAGAL,+91 98450 11111\n\
         Somebody,Else,98450 11111\n\
         Another,Else,98450 22222\n\
         Ramesh Gowda,Vemagal,098450 22222\n\
         Last,Vemagal,98450 77777\n"
    );
    let expected = [
        (3, "name", ImportCode::NameMissing, ""),
        (4, "name", ImportCode::NameMissing, "\u{200b}"),
        (5, "name", ImportCode::TextTooLong, &long[..MAX_TEXT]),
        (6, "name", ImportCode::TextInvalid, "Line\nbreak"),
        (8, "phone", ImportCode::PhoneLostDigits, "9.84501E+09"),
        (9, "phone", ImportCode::PhoneInvalid, "98450 44444 / 98450 55555"),
        (10, "", ImportCode::TooManyCells, "98450 66666"),
        (11, "name", ImportCode::DuplicateLine, "2"),
        (12, "name", ImportCode::LooksAlike, "2"),
        (13, "name", ImportCode::LooksAlike, known.code.as_str()),
    ];
    let path = file(&market, &text);
    let dry = asha.client.import_farmers(&path, &ImportInput { is_dry_run: true, ..input() }).expect("a dry run");
    assert_eq!(issues(&dry), expected);
    assert_eq!(counts(&dry), [13, 2, 1, 10]);
    assert_eq!(farmers(&asha).len(), 1, "a dry run writes nothing");
    let report = asha.client.import_farmers(&path, &input()).expect("imported");
    assert_eq!(report, dry, "a dry run says what happens");
    let names: Vec<String> = farmers(&asha).into_iter().map(|[name, ..]| name).collect();
    assert_eq!(names, ["Lakshmi Devi", "Last", "Ramesh Gowda"]);
    let damaged = [b"name,village\nLakshmi\xe0,".as_slice(), "ವೇಮಗಲ್\nರಮೇಶ್,ವೇಮಗಲ್\n".as_bytes()].concat();
    let report = imports(&market, &asha, damaged);
    assert_eq!((issues(&report)[0].2, report.registered), (ImportCode::Unreadable, 1));
}

#[test]
fn lines_are_numbered_as_a_spreadsheet_shows_them_whatever_ends_them() {
    let mut market = Market::open(12);
    for (name, end) in [("Asha", "\n"), ("Ravi", "\r\n")] {
        let person = market.hires(name, "field_manager");
        let lines = ["sep=,", "name,phone", "", "Ramesh,x", "\"Two", "lines\",", ",1", "Meena,", "", "", "meena,"];
        let report = imports(&market, &person, lines.join(end));
        let found: Vec<_> = report.issues.iter().map(|it| (it.line, it.code)).collect();
        let expected = [
            (4, ImportCode::PhoneInvalid),
            (5, ImportCode::TextInvalid),
            (7, ImportCode::NameMissing),
            (11, ImportCode::DuplicateLine),
        ];
        assert_eq!(found, expected, "{end:?}");
    }
}

#[test]
fn importing_twice_registers_nobody_twice() {
    let mut market = Market::open(3);
    let asha = market.hires("Asha", "field_manager");
    let lines = |range: std::ops::Range<u32>| -> String {
        let line = |n: u32| format!("Farmer {n},Village {},98450{:05}", n % 7, 10_000 + n);
        range.map(line).collect::<Vec<_>>().join("\n")
    };
    let first = format!("name,village,phone\n{}", lines(0..55));
    assert_eq!(counts(&imports(&market, &asha, &first)), [55, 55, 0, 0]);
    let before = farmers(&asha);
    assert_eq!(counts(&imports(&market, &asha, &first)), [55, 0, 55, 0]);
    let longer = format!("name,village,phone\n{}", lines(0..60));
    assert_eq!(counts(&imports(&market, &asha, longer)), [60, 5, 55, 0]);
    assert!(before.iter().all(|farmer| farmers(&asha).contains(farmer)) && farmers(&asha).len() == 60);
    asha.syncs_wholly();
    let ravi = market.hires("Ravi", "field_manager");
    ravi.syncs_wholly();
    assert_eq!(farmers(&ravi), farmers(&asha), "the import is sent like what is typed");
    assert_eq!(counts(&imports(&market, &ravi, first)), [55, 0, 55, 0], "on another phone too");
    let exported = market.path_of("exported.csv");
    let query = ReportQuery::new(ReportCode::Farmers);
    asha.client.export_report_to(&query, ExportFormat::CsvWithBom, &exported).expect("written");
    let report = asha.client.import_farmers(&exported, &input()).expect("imported");
    assert_eq!(counts(&report), [60, 0, 60, 0], "an export is understood");
}

#[test]
fn look_alikes_are_registered_once_a_person_decides_so() {
    let mut market = Market::open(4);
    let asha = market.hires("Asha", "field_manager");
    let text = "sep=;\nname;phone\nLakshmi;98450 11111\nHer son;98450 11111\nOne;9999999999\nTwo;9999999999\n";
    let report = imports(&market, &asha, text);
    assert_eq!((counts(&report), issues(&report)), ([4, 3, 0, 1], vec![(4, "name", ImportCode::LooksAlike, "3")]));
    let path = file(&market, text);
    let report =
        asha.client.import_farmers(&path, &ImportInput { with_look_alikes: true, ..input() }).expect("imported");
    assert_eq!(counts(&report), [4, 1, 3, 0]);
}

#[test]
fn a_file_that_cannot_be_imported_is_refused_and_nothing_is_written() {
    let mut market = Market::open(5);
    let (asha, dev) = (market.hires("Asha", "field_manager"), market.hires("Dev", "driver"));
    for content in
        ["", "\u{feff}", "Lakshmi,Vemagal\nRamesh,Kolar\n", "phone,village\n9845011111,x\n", "name,name\nA,B\n", "\0\0"]
    {
        let refused = asha.client.import_farmers(&file(&market, content), &input());
        assert!(matches!(refused, Err(Error::Invalid { field: "columns", .. })), "{content:?}: {refused:?}");
    }
    for path in [market.path_of("nothing.csv"), asha.folder.clone()] {
        let refused = asha.client.import_farmers(&path, &input());
        assert!(matches!(refused, Err(Error::Invalid { field: "path", .. })), "{refused:?}");
    }
    let text = "name\nLakshmi\n";
    let path = file(&market, text);
    let centre = "MALUR".parse().expect("a code");
    let refused = asha.client.import_farmers(&path, &ImportInput { centre, ..input() }).expect_err("not granted");
    assert_eq!(refused.code(), ErrorCode::OutOfScope);
    assert_eq!(dev.client.import_farmers(&path, &input()).expect_err("a driver").code(), ErrorCode::NotAllowed);
    assert_eq!(farmers(&asha), [[""; 3]; 0]);
    for (size, expected) in [(MAX_IMPORT_BYTES, None), (MAX_IMPORT_BYTES + 1, Some(ErrorCode::TooLarge))] {
        let mut large = text.to_owned();
        large.push_str(&"\n".repeat(size - text.len()));
        let path = file(&market, large);
        let result = asha.client.import_farmers(&path, &ImportInput { is_dry_run: true, ..input() });
        assert_eq!(result.err().map(|error| error.code()), expected, "{size} bytes");
    }
    assert_eq!(asha.client.import_progress(), None);
}

#[test]
fn at_most_a_thousand_reasons_are_returned_and_the_rest_is_counted() {
    let mut market = Market::open(6);
    let asha = market.hires("Asha", "field_manager");
    for (lines, expected) in [
        (MAX_IMPORT_ISSUES - 1, MAX_IMPORT_ISSUES - 1),
        (MAX_IMPORT_ISSUES, MAX_IMPORT_ISSUES),
        (MAX_IMPORT_ISSUES + 1, MAX_IMPORT_ISSUES),
    ] {
        let report = imports(&market, &asha, format!("name,phone\n{}", ",98450\n".repeat(lines)));
        assert_eq!((report.failed, report.issues.len()), (lines as u64, expected));
    }
}

#[test]
fn progress_is_seen_while_an_import_runs_and_another_is_refused() {
    let mut market = Market::open(7);
    let asha = market.hires("Asha", "field_manager");
    let lines: Vec<String> = (0..2_000).map(|n| format!("Farmer {n},Village {n}")).collect();
    let path = file(&market, format!("name,village\n{}", lines.join("\n")));
    std::thread::scope(|scope| {
        let import = scope.spawn(|| asha.client.import_farmers(&path, &input()).expect("imported"));
        let (mut last, mut seen, mut refused) = (0, 0, 0);
        while !import.is_finished() {
            if let Some(progress) = asha.client.import_progress().filter(|it| it.done_bytes > last) {
                assert!(progress.done_bytes <= progress.total_bytes);
                (last, seen) = (progress.done_bytes, seen + 1);
                let again = asha.client.import_farmers(&path, &ImportInput { is_dry_run: true, ..input() });
                refused += u32::from(again.is_err_and(|error| error.code() == ErrorCode::NotAllowed));
            }
        }
        assert_eq!(import.join().expect("an end").registered, 2_000);
        assert!(seen > 1 && refused > 0, "{seen} {refused}");
    });
    assert_eq!(asha.client.import_progress(), None);
}

#[test]
fn docs_list_each_code() {
    let docs = include_str!("../../docs/import.md");
    for code in ImportCode::ALL {
        assert!(docs.contains(&format!("| `{code}` |")), "{code}");
    }
}
