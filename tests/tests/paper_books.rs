//! Forms of paper books from which deliveries and advances were entered.

use farmtally_core::Error;
use farmtally_core::client::{Cell, DeliveryView, DraftEdit, InboxKind, ReportCode, ReportQuery, SimpleView};
use farmtally_core::limits::MAX_SERIAL;
use farmtally_core::paper::Wording;
use farmtally_core::records::delivery::Reason;
use farmtally_core::records::{Advance, PaperEntry};
use farmtally_core::rules::Check;
use farmtally_sync_server::ReferenceFile;
use farmtally_tests::samples::{Sample, Subjects};
use farmtally_tests::{Market, Person, bag, reason};

/// A market whose centre has a book for deliveries with the forms 1001 to 1050, and one for advances.
fn market(seed: u64) -> Market {
    let market = Market::open(seed);
    let books = ReferenceFile::parse(
        r#"{"paper_books": [
            {"code": "BOOK17", "centre": "KOLAR", "purpose": "deliveries", "first_serial": 1001, "last_serial": 1050},
            {"code": "BOOK18", "centre": "KOLAR", "purpose": "advances", "first_serial": 1001, "last_serial": 1050},
            {"code": "BOOK19", "centre": "MALUR", "purpose": "deliveries", "first_serial": 1001, "last_serial": 1050}
        ]}"#,
    );
    market.server.update_reference(market.organisation, &books.expect("books")).expect("published");
    market
}

fn form(book: &str, serial: u32) -> PaperEntry {
    PaperEntry { book: book.parse().expect("a code"), serial }
}

/// A draft that was written on a form first.
fn copies(person: &Person, entry: &PaperEntry) -> DeliveryView {
    let farmer = person.farmers("").expect("farmers").items[0].farmer_id;
    let draft = person.starts(Some(farmer), None);
    let edits = [bag(20_000), DraftEdit::SetSecondHeap(true), DraftEdit::SetPaperEntry(Some(entry.clone()))];
    person.client.edit_draft(draft.basis, &edits).expect("weighed")
}

/// What the phone asks about before it records the draft.
fn asked(person: &Person, draft: &DeliveryView) -> Vec<Check> {
    match person.client.record_delivery(draft.basis, &[]) {
        Ok(_) => Vec::new(),
        Err(Error::Confirm { checks }) => checks,
        Err(other) => panic!("{other:?}"),
    }
}

fn repeated(person: &Person) -> usize {
    let is_repeated = |kind| matches!(kind, InboxKind::Review { code, .. } if code == "paper_serial_repeated");
    person.inbox().into_iter().filter(|item| is_repeated(item.kind.clone())).count()
}

#[test]
fn a_form_of_no_book_of_the_centre_for_deliveries_is_asked_about() {
    let mut market = market(801);
    let asha = market.hires("Asha", "dispatcher");
    asha.registers("Lakshmi Devi", "Vemagal", "");
    for (book, serial, is_known) in [
        ("BOOK17", 1_000, false),
        ("BOOK17", 1_001, true),
        ("BOOK17", 1_050, true),
        ("BOOK17", 1_051, false),
        ("BOOK18", 1_002, false),
        ("BOOK19", 1_002, false),
        ("BOOK20", 1_002, false),
    ] {
        let found = asked(&asha, &copies(&asha, &form(book, serial)));
        assert_eq!(found.contains(&Check::PaperSerialUnknown), !is_known, "{book} {serial}: {found:?}");
    }
}

#[test]
fn a_form_that_was_entered_on_this_phone_is_asked_about_until_that_delivery_is_voided() {
    let mut market = market(802);
    let asha = market.hires("Asha", "dispatcher");
    asha.registers("Lakshmi Devi", "Vemagal", "");
    let entry = form("BOOK17", 1_007);
    let first = copies(&asha, &entry);
    let first = asha.client.record_delivery(first.basis, &[]).expect("recorded");
    assert_eq!(first.paper_entry, Some(entry.clone()));
    let second = copies(&asha, &entry);
    assert_eq!(asked(&asha, &second), [Check::PaperSerialRepeated]);
    asha.voids(first.delivery_id).expect("voided");
    assert_eq!(asked(&asha, &second), []);
}

#[test]
fn a_form_that_two_phones_entered_is_reviewed_once_and_only_if_neither_is_voided() {
    let mut market = market(803);
    let (asha, ravi) = (market.hires("Asha", "dispatcher"), market.hires("Ravi", "dispatcher"));
    asha.registers("Lakshmi Devi", "Vemagal", "");
    asha.syncs_wholly();
    ravi.syncs_wholly();
    let records = |person: &Person, serial| {
        let draft = copies(person, &form("BOOK17", serial));
        person.client.record_delivery(draft.basis, &[]).expect("recorded").delivery_id
    };
    let (here, there) = (records(&asha, 1_010), records(&ravi, 1_010));
    let (right, _) = (records(&asha, 1_011), records(&ravi, 1_012));
    // Its first entry was voided before it was sent.
    let wrong = records(&asha, 1_013);
    asha.voids(wrong).expect("voided");
    records(&ravi, 1_013);
    for person in [&asha, &ravi, &asha, &ravi] {
        person.syncs_wholly();
    }
    for person in [&asha, &ravi] {
        assert_eq!(repeated(person), 1, "{}", person.name);
        for delivery in [here, there] {
            let reviews = person.client.delivery(delivery).expect("a delivery").reviews;
            assert_eq!(reviews.iter().map(ToString::to_string).collect::<Vec<_>>(), ["paper_serial_repeated"]);
        }
        assert!(person.client.delivery(right).expect("a delivery").reviews.is_empty());
        let view = person.client.delivery(there).expect("a delivery");
        assert_eq!(view.paper_entry, Some(form("BOOK17", 1_010)), "the other phone has it too");
    }
}

#[test]
fn a_form_that_two_centres_entered_is_reviewed_once_on_the_phones_of_both() {
    let mut market = market(808);
    let (asha, mut manju) = (market.hires("Asha", "dispatcher"), market.hires_at("Manju", "dispatcher", "MALUR"));
    manju.centre = "MALUR".parse().expect("a code");
    for person in [&asha, &manju] {
        person.registers("Lakshmi Devi", "Vemagal", "");
        let draft = copies(person, &form("BOOK17", 1_040));
        person.client.record_delivery(draft.basis, &Check::ALL).expect("recorded");
    }
    for person in [&asha, &manju, &asha] {
        person.syncs_wholly();
    }
    assert_eq!((repeated(&asha), repeated(&manju)), (1, 1));
    // Who works at both centres sees one review.
    let both = market.hires("Ravi", "dispatcher");
    let session = both.client.session().expect("a session");
    let centres = ["KOLAR".parse().expect("a code"), "MALUR".parse().expect("a code")];
    let role = farmtally_core::permission::Role::Dispatcher;
    market.server.grant(market.organisation, session.device_code, "Ravi", role, &centres).expect("granted");
    both.syncs_wholly();
    both.syncs_wholly();
    assert_eq!(repeated(&both), 1);
}

#[test]
fn a_delivery_that_is_recorded_again_for_another_farmer_keeps_its_form() {
    let mut market = market(804);
    let asha = market.hires("Asha", "dispatcher");
    asha.registers("Lakshmi Devi", "Vemagal", "");
    let draft = copies(&asha, &form("BOOK17", 1_020));
    let first = asha.client.record_delivery(draft.basis, &[]).expect("recorded");
    let other = asha.registers("Muniyappa", "Malur", "").farmer_id;
    let again = asha.client.correct_farmer(first.basis, other, &reason("wrong_farmer"), &[]).expect("corrected");
    assert_eq!(again.paper_entry, Some(form("BOOK17", 1_020)));
    asha.syncs_wholly();
    asha.syncs_wholly();
    assert_eq!(repeated(&asha), 0);
}

#[test]
fn the_receipt_names_the_form() {
    let mut market = market(806);
    let asha = market.hires("Asha", "dispatcher");
    asha.registers("Lakshmi Devi", "Vemagal", "");
    let draft = copies(&asha, &form("BOOK17", 1_030));
    let delivery = asha.client.record_delivery(draft.basis, &[]).expect("recorded");
    let page = asha.client.receipt(delivery.delivery_id, Wording::default()).expect("a receipt");
    assert!(format!("{page:?}").contains("BOOK17 1030"));
}

/// An advance of goods that was written on a form first.
fn gives(person: &Person, entry: &PaperEntry, accept: &[Check]) -> Result<SimpleView<Advance>, Error> {
    let farmer = person.farmers("").expect("farmers").items[0].farmer_id;
    let subjects = Subjects { delivery: [9; 16].into(), load: [9; 16].into(), farmer };
    let advance = Advance { paper_entry: Some(entry.clone()), ..Advance::valid(&subjects) };
    person.client.record_advance(None, advance, accept)
}

#[test]
fn an_advance_that_was_written_on_paper_is_of_a_book_for_advances_and_counts_once() {
    let mut market = market(807);
    let (asha, ravi) = (market.hires("Asha", "dispatcher"), market.hires("Ravi", "dispatcher"));
    asha.registers("Lakshmi Devi", "Vemagal", "");
    asha.syncs_wholly();
    ravi.syncs_wholly();
    let asks = |person: &Person, entry: &PaperEntry| match gives(person, entry, &[]) {
        Ok(view) => panic!("recorded: {view:?}"),
        Err(Error::Confirm { checks }) => checks,
        Err(other) => panic!("{other:?}"),
    };
    for other in [form("BOOK17", 1_005), form("BOOK18", 1_051), form("BOOK99", 1)] {
        assert_eq!(asks(&asha, &other), [Check::PaperSerialUnknown], "{other:?}");
    }
    let huge = gives(&asha, &form("BOOK18", MAX_SERIAL + 1), &Check::ALL);
    assert!(matches!(huge, Err(Error::Invalid { field: "paper_entry", .. })), "{huge:?}");
    let entry = form("BOOK18", 1_005);
    let first = gives(&asha, &entry, &[]).expect("recorded");
    assert_eq!(first.content.paper_entry, Some(entry.clone()));
    assert_eq!(asks(&asha, &entry), [Check::PaperSerialRepeated]);
    let withdrawn = Reason { code: "not_given".into(), text: "the shop had none".into() };
    asha.client.cancel_advance(first.basis, &withdrawn).expect("cancelled");
    let here = gives(&asha, &entry, &[]).expect("recorded").record_id;
    let there = gives(&ravi, &entry, &[]).expect("the other phone does not know").record_id;
    for person in [&asha, &ravi, &asha, &ravi] {
        person.syncs_wholly();
    }
    for person in [&asha, &ravi] {
        assert_eq!(repeated(person), 1, "{}", person.name);
        for (id, expected) in [(here, 1), (there, 1), (first.record_id, 0)] {
            let reviews = person.client.simple_record::<Advance>(id).expect("an advance").reviews;
            assert_eq!(reviews.len(), expected, "{reviews:?}");
        }
    }
    gives(&asha, &form("BOOK18", 1_007), &[]).expect("recorded");
    let report = asha.client.report(&ReportQuery::new(ReportCode::MissingSerials)).expect("a report");
    let of_book = report.rows.iter().filter(|row| row[1] == Cell::Text("BOOK18".into()));
    let missing: Vec<&[Cell]> = of_book.map(|row| &row[2..5]).collect();
    let run = |from, to| [Cell::Text("advances".into()), Cell::Number(from), Cell::Number(to)];
    assert_eq!(missing, [run(1_001, 1_004), run(1_006, 1_006)]);
}

#[test]
fn a_book_has_its_forms_in_order_and_not_too_many() {
    let book = |first: u32, last: u32| {
        let file = format!(
            r#"{{"paper_books": [{{"code": "B", "centre": "KOLAR", "purpose": "advances", "first_serial": {first},
                "last_serial": {last}}}]}}"#
        );
        ReferenceFile::parse(&file).is_ok()
    };
    for (first, last, is_book) in
        [(7, 7, true), (8, 7, false), (1, 9_999, true), (1, 10_000, true), (1, 10_001, false), (0, 10_000, false)]
    {
        assert_eq!(book(first, last), is_book, "{first} to {last}");
    }
}

#[test]
fn a_serial_is_bounded_and_may_be_taken_back() {
    let mut market = market(805);
    let asha = market.hires("Asha", "dispatcher");
    asha.registers("Lakshmi Devi", "Vemagal", "");
    let draft = asha.starts(None, None);
    for (serial, fits) in [(0, true), (MAX_SERIAL, true), (MAX_SERIAL + 1, false)] {
        let basis = asha.client.delivery(draft.delivery_id).expect("a draft").basis;
        match asha.client.edit_draft(basis, &[DraftEdit::SetPaperEntry(Some(form("BOOK17", serial)))]) {
            Ok(view) => assert!(fits && view.paper_entry == Some(form("BOOK17", serial)), "{serial}"),
            Err(error) => assert!(!fits && matches!(error, Error::Invalid { field: "paper_entry", .. }), "{error}"),
        }
    }
    let basis = asha.client.delivery(draft.delivery_id).expect("a draft").basis;
    let view = asha.client.edit_draft(basis, &[DraftEdit::SetPaperEntry(None)]).expect("taken back");
    assert_eq!(view.paper_entry, None);
}
