//! Papers of records: what a receipt, a manifest, a statement and a day book say, and that they say it on every phone.

use ed25519_dalek::{SigningKey, VerifyingKey};
use farmtally_core::client::{DeliveryEdit, DeliveryView, DraftEdit, LoadEdit};
use farmtally_core::paper::escpos::{self, CodePage, PrinterProfile};
use farmtally_core::paper::{Language, Line, Page, PaperWidth, PrintEnd, Wording, print, text};
use farmtally_core::protocol::receipt_code::ReceiptCode;
use farmtally_core::records::delivery::PrintMedium;
use farmtally_core::records::simple::SimpleStep;
use farmtally_core::records::{Advance, BagCount, BagSource, Signature};
use farmtally_core::rules::Check;
use farmtally_core::units::{BagType, BusinessDate, Grams};
use farmtally_core::{Error, ErrorCode};
use farmtally_sync_server::ReferenceFile;
use farmtally_tests::paper::{EmulatedPrinter, fonts};
use farmtally_tests::samples::{Sample, Subjects, minor};
use farmtally_tests::{Market, Person, bag, mark, moisture, reason};

const RULES: &str = r#"{"rule_sets": [{
    "number": 900, "commodity": "TOMATO", "valid_from": "2019-01-01", "effective_reading": "worst",
    "grades": [{"code": "A", "name": "first"}, {"code": "B", "name": "second"}],
    "bag_types": [{"number": 0, "name": "crate", "tare_g": 2000}], "allowance_g": 50,
    "factors": [{"code": "BROKEN", "name": "broken grains", "unit": "percent", "limit": 500}],
    "moisture": {"target_hundredths": 1400, "method": "water_shrink"}
}]}"#;

fn market(seed: u64) -> (Market, Person, Person) {
    let mut market = Market::open(seed);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let file = ReferenceFile::parse(RULES).unwrap_or_else(|errors| panic!("{errors}"));
    market.server.update_reference(market.organisation, &file).expect("published");
    asha.syncs_wholly();
    (market, asha, ravi)
}

fn words(page: &Page) -> String {
    text::render(page, PaperWidth::Mm80)
}

fn receipt(person: &Person, delivery: &DeliveryView) -> String {
    words(&person.client.receipt(delivery.delivery_id, Wording::default()).expect("a receipt"))
}

/// Returns the line that begins with a label, with one blank between words.
fn line(paper: &str, label: &str) -> String {
    let found = paper.lines().find(|line| line.starts_with(label)).unwrap_or_else(|| panic!("no {label} in:\n{paper}"));
    found.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn number(delivery: &DeliveryView) -> String {
    delivery.receipt_number.clone().expect("a number").to_string()
}

fn weighs(person: &Person, load: Option<&farmtally_core::client::LoadView>, edits: &[DraftEdit]) -> DeliveryView {
    let farmer = person.registers("Lakshmi Devi", "Vemagal", "+91 98450 11111").farmer_id;
    let draft = person.starts(Some(farmer), load.map(|load| load.load_id));
    let draft = person.client.edit_draft(draft.basis, edits).expect("weighed");
    person.client.record_delivery(draft.basis, &Check::ALL).expect("recorded")
}

#[test]
fn a_receipt_says_that_the_farmer_signed_and_what_the_farmer_owes() {
    let (market, asha, _ravi) = market(1_215);
    let delivery = weighs(&asha, None, &[bag(20_000)]);
    let paper = receipt(&asha, &delivery);
    assert!(paper.contains("Signature: Farmer") && !paper.contains("signed on the screen"), "{paper}");
    assert!(!paper.contains("Advances"), "{paper}");
    let signed = asha.client.sign(delivery.basis, mark()).expect("signed");
    let until = "2019-12-31".parse().expect("a date");
    let session = asha.client.session().expect("a session");
    let lease = market.server.lease(market.organisation, session.device_code, session.user_id, minor(500_000), until);
    lease.expect("leased");
    asha.syncs_wholly();
    let subjects = Subjects {
        delivery: delivery.delivery_id,
        load: [9; 16].into(),
        farmer: delivery.farmer_id.expect("a farmer"),
    };
    let advance = Advance::valid(&subjects);
    asha.client.record_advance(None, advance, &Check::ALL).expect("given");
    let paper = receipt(&asha, &delivery);
    assert!(paper.contains("Farmer signed on the screen"), "{paper}");
    assert!(!paper.contains("Signature: Farmer") && paper.contains("Signature: Clerk"), "{paper}");
    assert!(line(&paper, "Advances").ends_with("799.55"), "{paper}");
    let why = reason("wrong_person");
    asha.client.step_simple::<Signature>(signed.basis, SimpleStep::Withdrawn, Some(&why)).expect("withdrawn");
    assert!(receipt(&asha, &delivery).contains("Signature: Farmer"));
}

#[test]
fn a_receipt_says_what_was_weighed_read_and_deducted() {
    let (_market, asha, ravi) = market(830);
    let load = asha.opens("KA07A1111");
    let delivery = weighs(&asha, Some(&load), &[bag(62_000), bag(53_000), DraftEdit::AddReading(moisture(1_450))]);
    let paper = receipt(&asha, &delivery);
    let receipt_number = number(&delivery);
    for (label, expected) in [
        ("Original", "Original".to_owned()),
        ("Centre", "Centre Kolar".to_owned()),
        ("No.", format!("No. {receipt_number}")),
        ("Telephone", "Telephone ******1111".to_owned()),
        ("1:", "1: 62.0 2: 53.0".to_owned()),
        ("Bags", "Bags 2".to_owned()),
        ("Gross", "Gross weight 115.0 kg".to_owned()),
        ("Tare", "Tare -4.0 kg".to_owned()),
        ("Moisture", "Moisture -0.645 kg".to_owned()),
        ("Allowance", "Allowance -0.1 kg".to_owned()),
        ("Net", "Net weight 110.255 kg".to_owned()),
        ("Price", "Price to be decided".to_owned()),
        ("Moisture reading", "Moisture reading 14.50 % (worst reading)".to_owned()),
        ("Method", "Method water shrink".to_owned()),
        ("Rule set", "Rule set 900".to_owned()),
        ("Clerk", "Clerk Asha".to_owned()),
        ("Load", format!("Load {}", load.number)),
        ("Lorry", "Lorry KA07A1111".to_owned()),
    ] {
        let found = paper.lines().map(|it| it.split_whitespace().collect::<Vec<_>>().join(" "));
        assert!(found.clone().any(|it| it == expected), "no {expected:?} by {label} in:\n{paper}");
    }
    // Ravi's phone prints the same, but for the code, which its own key signs.
    asha.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!(without_code(&receipt(&ravi, &delivery)), without_code(&paper));
}

/// The lines of a paper before its code.
fn without_code(paper: &str) -> Vec<&str> {
    paper.lines().take_while(|line| !line.contains("Check with this code")).collect()
}

#[test]
fn the_code_of_a_receipt_is_verified_with_the_key_of_the_phone_that_printed_it() {
    let (_market, asha, ravi) = market(831);
    let delivery = weighs(&asha, None, &[bag(62_000)]);
    let page = asha.client.receipt(delivery.delivery_id, Wording::default()).expect("a receipt");
    let code = page.lines.iter().find_map(|line| match line {
        Line::Qr { content, .. } => Some(content.clone()),
        _ => None,
    });
    let code = code.expect("a code");
    let read = ReceiptCode::read(&code).expect("a receipt's code");
    assert_eq!((read.code.receipt_number.clone(), read.code.bags), (number(&delivery), 1));
    assert_eq!((read.code.gross, read.code.net), (delivery.totals.gross_g, delivery.totals.net_g));
    assert!(read.verify(&key(&asha)));
    assert!(!read.verify(&key(&ravi)));
    assert!(!code.contains("Lakshmi"));
}

/// The public key of a person's phone.
fn key(person: &Person) -> VerifyingKey {
    let db = rusqlite::Connection::open(person.database()).expect("it opens");
    let secret: [u8; 32] =
        db.query_row("SELECT secret_key FROM installation", [], |row| row.get(0)).expect("an installation");
    SigningKey::from_bytes(&secret).verifying_key()
}

#[test]
fn a_receipt_says_that_it_is_a_copy_amended_replaced_or_void() {
    let (_market, asha, _ravi) = market(832);
    let delivery = weighs(&asha, None, &[bag(62_000), bag(53_000)]);
    let printed = asha.client.record_print(delivery.basis, PrintMedium::Paper).expect("printed");
    assert!(receipt(&asha, &printed).contains("Copy 2"));
    let edit = DeliveryEdit::VoidBag { bag_id: printed.bags[1].bag_id.clone(), reason: reason("torn") };
    let amended = asha.client.amend_delivery(printed.basis, &reason("torn_bag"), &[edit]).expect("amended");
    let paper = receipt(&asha, &amended);
    assert!(paper.contains("AMENDED (1)") && paper.contains("torn_bag"), "{paper}");
    let figures: Vec<String> = paper
        .lines()
        .filter(|it| it.starts_with("Old:"))
        .map(|it| it.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(figures, ["Old: 2 New: 1", "Old: 115.0 kg New: 62.0 kg", "Old: 110.9 kg New: 59.95 kg"]);

    let meena = asha.registers("Meena", "", "").farmer_id;
    let again =
        asha.client.correct_farmer(amended.basis, meena, &reason("wrong_farmer"), &Check::ALL).expect("corrected");
    let (old, new) = (receipt(&asha, &amended), receipt(&asha, &again));

    assert!(old.contains("VOID") && old.contains("wrong_farmer"), "{old}");
    assert_eq!(line(&old, "Replaced by"), format!("Replaced by receipt {}", number(&again)));
    assert_eq!(line(&new, "Replaces"), format!("Replaces receipt {}", number(&delivery)));
    assert!(new.contains("Meena") && !new.contains("Lakshmi"), "{new}");
}

#[test]
fn an_amended_count_of_bags_in_a_lot_is_on_the_receipt_with_what_it_was() {
    let (_market, asha, _ravi) = market(839);
    let counts = |count| vec![BagCount { bag_type: BagType::default(), grade: None, count }];
    let gross = Grams(500_000).try_into().expect("a weight");
    let lot = DraftEdit::AddLot { gross, vehicle: None, source: None, grade: None, scale: None };
    let delivery = weighs(&asha, None, &[lot, DraftEdit::SetBagCounts(counts(12))]);
    let edit = DeliveryEdit::SetBagCounts(counts(10));
    let amended = asha.client.amend_delivery(delivery.basis, &reason("counted_again"), &[edit]).expect("amended");
    let paper = receipt(&asha, &amended);
    let old: Vec<&str> = paper.lines().filter(|it| it.starts_with("Old:")).collect();
    assert!(old.iter().any(|it| it.contains("12") && it.contains("10")), "{paper}");
    assert_eq!(old.len(), 2, "bags and net: {paper}");
}

#[test]
fn a_driver_reads_no_name_of_a_farmer_on_a_receipt() {
    let (market, asha, _ravi) = market(840);
    let delivery = weighs(&asha, None, &[bag(62_000)]);
    assert!(receipt(&asha, &delivery).contains("Lakshmi"));
    let session = asha.client.session().expect("a session");
    let centres = ["KOLAR".parse().expect("a code")];
    let driver = farmtally_core::permission::Role::Driver;
    market.server.grant(market.organisation, session.device_code, "driver", driver, &centres).expect("granted");
    asha.syncs_wholly();
    let users = asha.client.users();
    let user = users.iter().find(|it| it.role == driver).expect("a driver");
    asha.client.switch_user(user.user_id).expect("switched");
    let paper = receipt(&asha, &delivery);
    assert!(!paper.contains("Lakshmi") && paper.contains("62.0 kg"), "{paper}");
}

#[test]
fn grades_lots_and_quality_are_on_the_receipt() {
    let (_market, asha, _ravi) = market(833);
    let grade = |code: &str| Some(code.parse().expect("a code"));
    let graded = |grams, code: &str| DraftEdit::AddBag {
        gross: Grams(grams).try_into().expect("a bag"),
        bag_type: BagType::default(),
        source: Some(BagSource::Scale),
        grade: grade(code),
        scale: Some(scale()),
    };
    let weight = |grams| Grams(grams).try_into().expect("a weight");
    let vehicle = DraftEdit::AddLot {
        gross: weight(4_000_000),
        vehicle: Some(weight(3_000_000)),
        source: None,
        grade: grade("B"),
        scale: Some(scale()),
    };
    let broken = farmtally_core::client::ReadingInput::Factor {
        factor: "BROKEN".parse().expect("a code"),
        value: 450,
        grade: None,
        meter: None,
        photo: None,
    };
    let counts = vec![BagCount { bag_type: BagType::default(), grade: grade("B"), count: 20 }];
    let edits = [graded(62_000, "A"), vehicle, DraftEdit::SetBagCounts(counts), DraftEdit::AddReading(broken)];
    let delivery = weighs(&asha, None, &edits);
    let paper = receipt(&asha, &delivery);
    for expected in [
        "Grade A",
        "Grade B",
        "Vehicle 2, full 4000.0 kg",
        "Vehicle 2, empty 3000.0 kg",
        "Bags 20",
        "Bags 21",
        "Gross weight 1062.0 kg",
        "broken grains 4.50 %",
        "Scale SCALE7",
    ] {
        let mut lines = paper.lines().map(|it| it.split_whitespace().collect::<Vec<_>>().join(" "));
        assert!(lines.any(|it| it == expected), "no {expected:?} in:\n{paper}");
    }
}

fn scale() -> farmtally_core::units::InstrumentCode {
    "SCALE7".parse().expect("a code")
}

#[test]
fn a_manifest_names_the_deliveries_of_the_close_request_and_no_farmer() {
    let (_market, asha, ravi) = market(834);
    let load = asha.opens("KA07A1111");
    let first = weighs(&asha, Some(&load), &[bag(62_000)]);
    let load = asha.client.load(load.load_id).expect("a load");
    let load = asha.client.change_load(load.basis, &LoadEdit::AddSeal { seal: "S-17".into() }, &[]).expect("sealed");
    let closed = asha.closes(load.load_id).expect("closing");
    let late = weighs(&asha, Some(&closed), &[bag(53_000)]);
    let paper = words(&asha.client.manifest(load.load_id, Wording::default()).expect("a manifest"));

    assert!(paper.contains(&number(&first)) && !paper.contains(&number(&late)), "{paper}");
    assert!(paper.contains("S-17") && paper.contains(&closed.number) && !paper.contains("Lakshmi"), "{paper}");
    assert!(paper.contains(&load.manifest_hash[..16]), "{paper}");
    asha.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!(words(&ravi.client.manifest(load.load_id, Wording::default()).expect("a manifest")), paper);
}

#[test]
fn a_statement_and_a_day_book_have_what_the_phone_knows() {
    let (_market, asha, ravi) = market(835);
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let kept = asha.weighs(farmer, None, &[62_000, 53_000]);
    let voided = asha.weighs(farmer, None, &[40_000]);
    asha.voids(voided.delivery_id).expect("voided");
    let other = asha.registers("Meena", "", "").farmer_id;
    asha.weighs(other, None, &[30_000]);
    asha.syncs_wholly();
    ravi.syncs_wholly();
    ravi.weighs(farmer, None, &[20_000]);
    let (today, english) = (kept.business_date, Wording::default());
    let statement = |from: BusinessDate, to| ravi.client.statement(farmer, from, to, english).map(|page| words(&page));
    let paper = statement(today, today).expect("a statement");
    assert_eq!(line(&paper, "Total"), "Total 3 128.85", "115 kg and 20 kg less 3 crates and allowances\n{paper}");
    assert!(!paper.contains("Advances"), "{paper}");
    let empty = statement(BusinessDate(today.0 - 9), BusinessDate(today.0 - 1)).expect("a statement");
    assert_eq!(line(&empty, "Total"), "Total 0 0.0");
    let backwards = statement(today, BusinessDate(today.0 - 1)).expect_err("backwards");
    assert!(matches!(backwards, Error::Invalid { field: "from_date", .. }), "{backwards:?}");

    let kolar = "KOLAR".parse().expect("a code");
    let book = words(&asha.client.day_book(&kolar, today, english).expect("a day book"));
    assert_eq!(line(&book, "Deliveries"), "Deliveries 2");
    assert_eq!(line(&book, "Voided"), "Voided 1");
    assert_eq!(line(&book, "Gross"), "Gross weight 145.0 kg", "{book}");
    assert_eq!(line(&book, "Not yet sent"), "Not yet sent 0");
    let theirs = words(&ravi.client.day_book(&kolar, today, english).expect("a day book"));
    assert_eq!(
        (line(&theirs, "Deliveries"), line(&theirs, "Not yet sent")),
        ("Deliveries 1".into(), "Not yet sent 1".into())
    );
    let malur = "MALUR".parse().expect("a code");
    assert_eq!(asha.client.day_book(&malur, today, english).expect_err("not granted").code(), ErrorCode::OutOfScope);
}

#[test]
fn a_receipt_is_printed_in_every_language_and_a_fault_of_the_printer_leaves_the_record_as_it_is() {
    let (_market, asha, _ravi) = market(836);
    let delivery = weighs(&asha, None, &[bag(62_000), bag(53_000)]);
    let fonts = fonts();
    let profile = PrinterProfile { width: PaperWidth::Mm58, code_page: CodePage::Ascii, has_qr: false, cuts: false };
    for language in Language::ALL {
        let page = asha.client.receipt(delivery.delivery_id, language.into()).expect("a receipt");
        let job = escpos::render(&page, &profile, Some(&fonts)).expect("a job");
        let mut printer = EmulatedPrinter::new(PaperWidth::Mm58, &fonts);
        let result = print(&job, &mut printer);
        assert_eq!(
            (result.end, result.lines_printed, result.is_confirmed),
            (PrintEnd::Complete, job.lines.len(), true)
        );
        let mut torn = EmulatedPrinter::new(PaperWidth::Mm58, &fonts);
        torn.insert_paper(200);
        let ended = print(&job, &mut torn);
        assert_eq!((ended.end, ended.has_used_paper), (PrintEnd::OutOfPaper, true), "{language}");
        assert!(ended.lines_printed < job.lines.len());
    }
    assert_eq!(asha.client.delivery(delivery.delivery_id).expect("a delivery"), delivery);
    let used = asha.client.record_print(delivery.basis, PrintMedium::Paper).expect("recorded");
    assert!(receipt(&asha, &used).contains("Copy 2"));
}

#[test]
fn what_is_not_on_the_phone_is_not_printed() {
    let (_market, asha, _ravi) = market(837);
    let draft = asha.starts(None, None);
    let english = Wording::default();
    for error in [
        asha.client.receipt(draft.delivery_id, english).expect_err("a draft has no receipt"),
        asha.client.receipt([9; 16].into(), english).expect_err("unknown"),
        asha.client.manifest([9; 16].into(), english).expect_err("unknown"),
        asha.client.statement([9; 16].into(), BusinessDate(0), BusinessDate(1), english).expect_err("unknown"),
    ] {
        assert_eq!(error.code(), ErrorCode::NotFound, "{error}");
    }
}
