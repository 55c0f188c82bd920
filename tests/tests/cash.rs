//! Cash of users: handovers that both sides confirm, counts, and books.

use farmtally_core::client::SimpleView;
use farmtally_core::records::advance::{AdvanceKind, PaymentMethod};
use farmtally_core::records::cash_movement::CashHolder;
use farmtally_core::records::simple::{SimpleState, SimpleStep};
use farmtally_core::records::{Advance, CashMovement};
use farmtally_core::rules::{ActionCode, CashBook, CashLineKind};
use farmtally_core::units::{BusinessDate, CentreCode, DocumentId, UserId};
use farmtally_core::{Error, ErrorCode};
use farmtally_tests::samples::minor;
use farmtally_tests::{Market, Person, reason};

fn user(person: &Person) -> UserId {
    person.client.session().expect("a session").user_id
}

fn kolar() -> CentreCode {
    "KOLAR".parse().expect("a code")
}

fn today() -> BusinessDate {
    "2019-05-09".parse().expect("a date")
}

fn gives(person: &Person, to: CashHolder, amount: i64) -> SimpleView<CashMovement> {
    let (from, amount_minor) = (CashHolder::User { user_id: user(person) }, minor(amount));
    let movement = CashMovement { from, to, amount_minor, date: today(), reference: String::new() };
    person.client.record_simple(Some(&kolar()), movement).expect("recorded")
}

fn confirms(person: &Person, movement: DocumentId) -> Result<SimpleView<CashMovement>, Error> {
    let basis = person.client.simple_record::<CashMovement>(movement).expect("a movement").basis;
    person.client.step_simple(basis, SimpleStep::Confirmed, None)
}

fn book(person: &Person, of: Option<UserId>) -> CashBook {
    person.client.cash_book(of, today(), today()).expect("a book")
}

fn lines(book: &CashBook) -> Vec<(CashLineKind, i64, i64)> {
    book.lines.iter().map(|it| (it.kind, it.amount_minor.minor(), it.balance_minor.minor())).collect()
}

#[test]
fn cash_counts_for_its_receiver_once_the_receiver_confirms() {
    let mut market = Market::open(921);
    let (mohan, asha) = (market.hires("Mohan", "accountant"), market.hires("Asha", "field_manager"));
    let ravi = market.hires("Ravi", "dispatcher");
    for person in [&mohan, &asha, &ravi] {
        person.syncs_wholly();
    }
    let office = CashMovement {
        from: CashHolder::Office,
        to: CashHolder::User { user_id: user(&asha) },
        amount_minor: minor(5_000),
        date: today(),
        reference: "V-1".into(),
    };
    let error = asha.client.record_simple(Some(&kolar()), office.clone()).expect_err("not the office");
    assert!(matches!(error, Error::Invalid { field: "from", .. }), "{error}");
    let movement = mohan.client.record_simple(Some(&kolar()), office).expect("recorded");
    assert!(!movement.actions.contains(&ActionCode::Confirm), "not the giver");
    for person in [&mohan, &asha, &ravi] {
        person.syncs_wholly();
    }
    assert_eq!(confirms(&ravi, movement.record_id).expect_err("not the receiver").code(), ErrorCode::NotAllowed);
    assert_eq!(book(&asha, None).closing_minor, minor(0));
    let confirmed = confirms(&asha, movement.record_id).expect("confirmed");
    assert_eq!((confirmed.state, confirmed.actions), (SimpleState::Confirmed, vec![]));
    assert_eq!(book(&asha, None).closing_minor, minor(5_000));

    let handed = gives(&asha, CashHolder::User { user_id: user(&ravi) }, 2_000);
    assert_eq!(book(&asha, None).closing_minor, minor(3_000));
    asha.syncs_wholly();
    ravi.syncs_wholly();
    confirms(&ravi, handed.record_id).expect("confirmed");
    ravi.syncs_wholly();
    mohan.syncs_wholly();
    let seen = lines(&book(&mohan, Some(user(&ravi))));
    assert_eq!(seen, [(CashLineKind::Received, 2_000, 2_000)]);
    let back = gives(&ravi, CashHolder::Office, 500);
    let withdrawn = ravi.client.step_simple(back.basis, SimpleStep::Withdrawn, Some(&reason("mistake")));
    withdrawn.map(|_: SimpleView<CashMovement>| ()).expect("withdrawn");
    assert_eq!(book(&ravi, None).closing_minor, minor(2_000));
    let back = gives(&ravi, CashHolder::Office, 700);
    ravi.syncs_wholly();
    mohan.syncs_wholly();
    confirms(&mohan, back.record_id).expect("the accountant is the office");
}

#[test]
fn a_count_keeps_what_was_expected_and_a_difference_is_reviewed() {
    let mut market = Market::open(922);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    for person in [&asha, &ravi] {
        person.syncs_wholly();
    }
    let handed = gives(&ravi, CashHolder::User { user_id: user(&asha) }, 1_000);
    let until = "2019-05-31".parse().expect("a date");
    let device = asha.client.session().expect("a session").device_code;
    market.server.lease(market.organisation, device, user(&asha), minor(1_000), until).expect("leased");
    ravi.syncs_wholly();
    asha.syncs_wholly();
    confirms(&asha, handed.record_id).expect("confirmed");
    let advance = |method| Advance {
        farmer_id: farmer,
        amount_minor: minor(300),
        method,
        date: today(),
        reason_code: "sowing".into(),
        reference: String::new(),
        kind: AdvanceKind::Cash,
        paper_entry: None,
    };
    for method in [PaymentMethod::Cash, PaymentMethod::MobileMoney] {
        asha.client.record_advance(None, advance(method), &[]).expect("paid");
    }
    let count = asha.client.count_cash(&kolar(), today(), minor(700)).expect("counted");
    assert_eq!((count.content.expected_minor, count.content.user_id), (minor(700), user(&asha)));
    asha.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!(ravi.reviews(), [""; 0]);
    let count = asha.client.count_cash(&kolar(), today(), minor(690)).expect("counted");
    assert_eq!(count.content.expected_minor, minor(700));
    asha.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!(ravi.reviews(), ["cash_difference"]);
    let expected = [
        (CashLineKind::Received, 1_000, 1_000),
        (CashLineKind::Advance, -300, 700),
        (CashLineKind::Count, 0, 700),
        (CashLineKind::Count, -10, 690),
    ];
    assert_eq!(lines(&book(&ravi, Some(user(&asha)))), expected);
    let next = BusinessDate(today().0 + 1);
    let after = asha.client.cash_book(None, next, next).expect("a book");
    assert_eq!((after.opening_minor, after.lines.len(), after.closing_minor), (minor(690), 0, minor(690)));
    let error = asha.client.count_cash(&kolar(), today(), minor(-1)).expect_err("negative");
    assert!(matches!(error, Error::Invalid { field: "counted_minor", .. }), "{error}");
}

#[test]
fn the_cash_of_others_is_for_roles_that_report_on_them() {
    let mut market = Market::open(923);
    let (asha, meena) = (market.hires("Asha", "field_manager"), market.hires("Meena", "clerk"));
    for person in [&asha, &meena] {
        person.syncs_wholly();
    }
    let error = meena.client.cash_book(Some(user(&asha)), today(), today()).expect_err("a clerk");
    assert_eq!(error.code(), ErrorCode::NotAllowed);
    assert_eq!(book(&meena, None).lines, []);
    assert_eq!(book(&asha, Some(user(&meena))).lines, []);
    let before = BusinessDate(today().0 - 1);
    let error = asha.client.cash_book(None, today(), before).expect_err("backwards");
    assert!(matches!(error, Error::Invalid { field: "from_date", .. }), "{error}");
}
