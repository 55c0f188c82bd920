//! Advances: leases that are exact without network, limits of cash, goods, balances, and the reviews of what exceeded a limit.

use farmtally_core::client::{Allowance, FarmerEdit, SimpleFilter, SimpleView};
use farmtally_core::decisions::Order;
use farmtally_core::paper::Wording;
use farmtally_core::permission::Role;
use farmtally_core::records::advance::{AdvanceItem, AdvanceKind, PaymentMethod};
use farmtally_core::records::delivery::Reason;
use farmtally_core::records::simple::SimpleState;
use farmtally_core::records::{Advance, Dispute};
use farmtally_core::rules::Check;
use farmtally_core::units::{BusinessDate, DeliveryId, DeviceCode, DocumentId, FarmerId, Money, UserId};
use farmtally_core::{Error, ErrorCode, SpendingLimit};
use farmtally_sync_server::ReferenceFile;
use farmtally_tests::samples::{goods, minor};
use farmtally_tests::{ADDRESS, Market, Person, copy_folder, fingerprint, reason};

const DAY: i64 = 24 * 3_600;

fn code(person: &Person) -> DeviceCode {
    person.client.session().expect("a session").device_code
}

fn user(person: &Person) -> UserId {
    person.client.session().expect("a session").user_id
}

/// Leases an amount to a phone's user, which the phone hears of.
fn leases(market: &Market, person: &Person, amount: i64, until: &str) {
    let until = until.parse().expect("a date");
    let leased = market.server.lease(market.organisation, code(person), user(person), minor(amount), until);
    leased.expect("leased");
    person.syncs_wholly();
}

fn cash(farmer_id: FarmerId, amount: i64) -> Advance {
    Advance {
        farmer_id,
        amount_minor: minor(amount),
        method: PaymentMethod::Cash,
        date: "2019-05-09".parse().expect("a date"),
        reason_code: "sowing".into(),
        reference: "V-17".into(),
        kind: AdvanceKind::Cash,
        paper_entry: None,
    }
}

fn on_account(farmer_id: FarmerId, delivery_id: DeliveryId, amount: i64) -> Advance {
    Advance { kind: AdvanceKind::OnAccount { delivery_id }, ..cash(farmer_id, amount) }
}

fn in_kind(farmer_id: FarmerId, items: Vec<AdvanceItem>, amount: i64) -> Advance {
    let kind = AdvanceKind::InKind { items, store: "the yard".into() };
    Advance { method: PaymentMethod::Goods, kind, ..cash(farmer_id, amount) }
}

fn returned(farmer_id: FarmerId, advance_id: DocumentId, items: Vec<AdvanceItem>, amount: i64) -> Advance {
    let kind = AdvanceKind::Returned { advance_id, items };
    Advance { method: PaymentMethod::Goods, kind, ..cash(farmer_id, amount) }
}

fn pays(person: &Person, content: Advance) -> Result<SimpleView<Advance>, Error> {
    person.client.record_advance(None, content, &[])
}

fn left(person: &Person) -> i64 {
    person.client.allowance().expect("an allowance").left_minor.minor()
}

fn cancels(person: &Person, advance: DocumentId) -> SimpleView<Advance> {
    let basis = person.client.simple_record::<Advance>(advance).expect("an advance").basis;
    let reason = Reason { code: "not_handed_over".into(), text: "the farmer did not come, Ravi was there".into() };
    person.client.cancel_advance(basis, &reason).expect("cancelled")
}

/// Requires that a payment is refused by a limit with this amount left, and writes nothing.
#[track_caller]
fn refuses(person: &Person, content: Advance, by: SpendingLimit, rest: i64) {
    let before = fingerprint(&person.database());
    let allowance = person.client.allowance().expect("an allowance");
    let error = pays(person, content).expect_err("above the limit");
    assert_eq!(error.code(), ErrorCode::AllowanceExceeded, "{error}");
    assert!(
        matches!(error, Error::AllowanceExceeded { limit, left } if limit == by && left.minor() == rest),
        "{error}"
    );
    assert_eq!(fingerprint(&person.database()), before);
    assert_eq!(person.client.allowance().expect("an allowance"), allowance);
}

/// Publishes a rule set with these limits.
fn limits(market: &Market, content: &str) {
    let rules = format!(
        r#"{{"rule_sets": [{{"number": 2, "commodity": "TOMATO", "valid_from": "2016-01-01",
            "bag_types": [{{"number": 0, "name": "crate", "tare_g": 1500}}], {content}}}]}}"#
    );
    let file = ReferenceFile::parse(&rules).expect("reference data");
    market.server.update_reference(market.organisation, &file).expect("published");
}

#[test]
fn a_user_pays_out_what_was_leased_and_not_one_unit_more() {
    let mut market = Market::open(901);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    let none =
        Allowance { left_minor: Money::ZERO, total_minor: Money::ZERO, paid_out_minor: Money::ZERO, valid_until: None };
    assert_eq!(asha.client.allowance().expect("an allowance"), none);
    refuses(&asha, cash(farmer, 1), SpendingLimit::Lease, 0);
    leases(&market, &asha, 10_000, "2019-05-31");
    pays(&asha, cash(farmer, 4_000)).expect("paid");
    refuses(&asha, cash(farmer, 6_001), SpendingLimit::Lease, 6_000);
    pays(&asha, Advance { method: PaymentMethod::MobileMoney, ..cash(farmer, 5_999) }).expect("paid");
    pays(&asha, cash(farmer, 1)).expect("paid");
    refuses(&asha, cash(farmer, 1), SpendingLimit::Lease, 0);
    pays(&asha, in_kind(farmer, vec![goods(1, 5)], 5)).expect("goods are no money");
    // Also by the call for any simple record.
    let error = asha.client.record_simple(None, cash(farmer, 1)).expect_err("nothing is left");
    assert_eq!(error.code(), ErrorCode::AllowanceExceeded);
    leases(&market, &asha, 500, "2019-06-30");
    let allowance = asha.client.allowance().expect("an allowance");
    let expected = Allowance {
        left_minor: minor(500),
        total_minor: minor(10_500),
        paid_out_minor: minor(10_000),
        valid_until: Some("2019-06-30".parse().expect("a date")),
    };
    assert_eq!(allowance, expected);
}

#[test]
fn a_cancelled_advance_a_purge_and_a_restart_return_nothing() {
    let mut market = Market::open(902);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    leases(&market, &asha, 1_000, "2019-05-31");
    let advance = pays(&asha, cash(farmer, 700)).expect("paid").record_id;
    assert_eq!(cancels(&asha, advance).state, SimpleState::Withdrawn);
    assert_eq!(left(&asha), 300);
    let asha = asha.restarts();
    assert_eq!(left(&asha), 300);
    asha.syncs_wholly();
    let grant = asha.client.session().expect("a session").grant_id.expect("a grant");
    market.server.revoke(market.organisation, grant).expect("revoked");
    asha.syncs_wholly();
    let db = rusqlite::Connection::open(asha.database()).expect("it opens");
    let documents: i64 = db.query_row("SELECT count(*) FROM documents", [], |row| row.get(0)).expect("a count");
    assert_eq!(documents, 0, "all is purged");
    let (device, user, centres) = (code(&asha), user(&asha), ["KOLAR".parse().expect("a code")]);
    market.server.grant(market.organisation, device, user, Role::FieldManager, &centres).expect("granted");
    asha.syncs_wholly();
    assert_eq!(left(&asha), 300);
    refuses(&asha, cash(farmer, 301), SpendingLimit::Lease, 300);
}

#[test]
fn of_two_taps_at_once_only_what_is_left_is_paid() {
    let mut market = Market::open(903);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    leases(&market, &asha, 1_000, "2019-05-31");
    let paid = std::thread::scope(|scope| {
        let taps: Vec<_> = (0..8).map(|_| scope.spawn(|| pays(&asha, cash(farmer, 300)).is_ok())).collect();
        taps.into_iter().map(|tap| tap.join().expect("no panic")).filter(|is_paid| *is_paid).count()
    });
    assert_eq!((paid, left(&asha)), (3, 100));
}

#[test]
fn a_lease_is_of_one_user_on_one_device_up_to_a_day() {
    let mut market = Market::open(904);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    leases(&market, &asha, 1_000, "2019-05-10");
    let centres = ["KOLAR".parse().expect("a code")];
    market.server.grant(market.organisation, code(&asha), "Ravi", Role::Dispatcher, &centres).expect("granted");
    asha.syncs_wholly();
    let own = user(&asha);
    let ravi = asha.client.users().into_iter().find(|it| it.name == "Ravi").expect("Ravi").user_id;
    asha.client.switch_user(ravi).expect("switched");
    refuses(&asha, cash(farmer, 1), SpendingLimit::Lease, 0);
    asha.client.switch_user(own).expect("switched");
    market.clock.pass(DAY);
    pays(&asha, cash(farmer, 100)).expect("the last day");
    market.clock.pass(DAY);
    refuses(&asha, cash(farmer, 1), SpendingLimit::Lease, 0);
    leases(&market, &asha, 0, "2019-05-20");
    assert_eq!(left(&asha), 900);
    market.server.order(market.organisation, code(&asha), Order::Rekey).expect("ordered");
    asha.syncs_wholly();
    refuses(&asha, cash(farmer, 1), SpendingLimit::Lease, 0);
}

#[test]
fn a_phone_without_its_server_for_too_long_pays_no_advance_and_shows_no_balance() {
    let mut market = Market::open(905);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    leases(&market, &asha, 1_000, "2019-12-31");
    market.clock.pass(14 * DAY + 60);
    let late = |date: BusinessDate| Advance { date, ..cash(farmer, 1) };
    let error = pays(&asha, late(asha.client.date())).expect_err("no contact");
    assert_eq!(error.code(), ErrorCode::Locked);
    assert_eq!(asha.client.farmer_balance(farmer).expect_err("no contact").code(), ErrorCode::Locked);
    asha.syncs_wholly();
    pays(&asha, late(asha.client.date())).expect("paid");
}

#[test]
fn cash_on_the_spot_stays_within_the_limits_of_the_rule_set() {
    let mut market = Market::open(906);
    let limit = r#""cash_limits": {"per_payee_minor": 200, "per_day_minor": 300, "per_delivery_minor": 100}"#;
    limits(&market, limit);
    let asha = market.hires("Asha", "field_manager");
    let farmers = ["Lakshmi", "Ramesh", "Meena"].map(|name| asha.registers(name, "Vemagal", "").farmer_id);
    asha.syncs_wholly();
    leases(&market, &asha, 10_000, "2019-05-31");
    let heap = |who: usize| asha.weighs(farmers[who], None, &[20_000 + 1_000 * i64::try_from(who).expect("few")]);
    let deliveries = [0, 0, 0, 1, 2].map(|who| heap(who).delivery_id);
    let pay = |who: usize, delivery: usize, amount| on_account(farmers[who], deliveries[delivery], amount);
    refuses(&asha, pay(0, 0, 101), SpendingLimit::CashPerDelivery, 100);
    let first = pays(&asha, pay(0, 0, 60)).expect("paid").record_id;
    refuses(&asha, pay(0, 0, 41), SpendingLimit::CashPerDelivery, 40);
    pays(&asha, pay(0, 0, 40)).expect("paid");
    pays(&asha, pay(0, 1, 100)).expect("paid");
    refuses(&asha, pay(0, 2, 1), SpendingLimit::CashPerPayee, 0);
    pays(&asha, pay(1, 3, 99)).expect("paid");
    refuses(&asha, pay(2, 4, 2), SpendingLimit::CashPerDay, 1);
    pays(&asha, pay(2, 4, 1)).expect("paid");
    pays(&asha, Advance { method: PaymentMethod::BankTransfer, ..pay(2, 4, 500) }).expect("no cash");
    pays(&asha, cash(farmers[0], 500)).expect("not on the spot");
    let other_day = Advance { date: "2019-05-08".parse().expect("a date"), ..pay(0, 2, 100) };
    pays(&asha, other_day).expect("another day");
    // What was not handed over leaves room.
    cancels(&asha, first);
    pays(&asha, pay(0, 0, 60)).expect("paid");
    asha.voids(deliveries[1]).expect("voided");
    let error = pays(&asha, pay(0, 1, 1)).expect_err("voided");
    assert!(matches!(error, Error::Invalid { field: "delivery_id", .. }), "{error}");
    let error = pays(&asha, pay(1, 0, 1)).expect_err("of another farmer");
    assert!(matches!(error, Error::Invalid { field: "farmer_id", .. }), "{error}");
}

#[test]
fn goods_that_come_back_reduce_their_advance_and_nothing_else() {
    let mut market = Market::open(907);
    let asha = market.hires("Asha", "field_manager");
    let [farmer, other] = ["Lakshmi", "Ramesh"].map(|name| asha.registers(name, "Vemagal", "").farmer_id);
    let given = pays(&asha, in_kind(farmer, vec![goods(10, 50)], 500)).expect("given").record_id;
    let balance = || asha.client.farmer_balance(farmer).expect("a balance").outstanding_minor.minor();
    let returns =
        |who, of, quantity: u32| pays(&asha, returned(who, of, vec![goods(quantity, 50)], 50 * i64::from(quantity)));
    let field = |result: Result<SimpleView<Advance>, Error>| match result {
        Err(Error::Invalid { field, .. }) => field,
        result => panic!("{result:?}"),
    };
    assert_eq!(field(returns(farmer, given, 11)), "amount_minor");
    let back = returns(farmer, given, 4).expect("back").record_id;
    assert_eq!(balance(), 300);
    assert_eq!(field(returns(farmer, given, 7)), "amount_minor");
    assert_eq!(field(returns(other, given, 1)), "farmer_id");
    assert_eq!(field(returns(farmer, back, 1)), "advance_id");
    returns(farmer, given, 6).expect("back");
    assert_eq!(balance(), 0);
    cancels(&asha, back);
    assert_eq!(balance(), 200);
}

#[test]
fn an_advance_is_cancelled_only_with_evidence() {
    let mut market = Market::open(908);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let given = pays(&asha, in_kind(farmer, vec![goods(1, 50)], 50)).expect("given");
    let error = asha.client.cancel_advance(given.basis, &reason("mistake")).expect_err("no evidence");
    assert!(matches!(error, Error::Invalid { field: "evidence", .. }), "{error}");
    let cancelled = cancels(&asha, given.record_id);
    assert_eq!(cancelled.state, SimpleState::Withdrawn);
    assert_eq!(asha.client.farmer_balance(farmer).expect("a balance").advances, []);
}

#[test]
fn a_balance_has_the_open_advances_oldest_first_and_is_on_the_statement() {
    let mut market = Market::open(909);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "accountant"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    let english = Wording::default();
    let today: BusinessDate = asha.client.date();
    let page = |person: &Person| format!("{:?}", person.client.statement(farmer, today, today, english));
    assert!(!page(&asha).contains("Advances"));
    leases(&market, &asha, 100_000, "2019-05-31");
    pays(&asha, cash(farmer, 12_345)).expect("paid");
    let old = Advance { date: BusinessDate(today.0 - 30), ..in_kind(farmer, vec![goods(1, 500)], 500) };
    pays(&asha, old).expect("given");
    asha.syncs_wholly();
    ravi.syncs_wholly();
    let balance = ravi.client.farmer_balance(farmer).expect("a balance");
    let shown: Vec<(i64, u32)> =
        balance.advances.iter().map(|it| (it.outstanding_minor.minor(), it.age_days)).collect();
    assert_eq!((balance.as_of, balance.outstanding_minor), (today, minor(12_845)));
    assert_eq!(shown, [(500, 30), (12_345, 0)]);
    assert!(balance.synced_at.is_some());
    let filter = SimpleFilter { farmer_id: Some(farmer), ..SimpleFilter::default() };
    let order = farmtally_core::client::ListOrder::NewestFirst;
    let page_of = ravi.client.simple_records::<Advance>(None, &filter, order, None, 50).expect("a page");
    assert_eq!(page_of.items.len(), 2);
    for text in ["Advances", "128.45", "123.45", "goods"] {
        assert!(page(&ravi).contains(text), "{text}: {}", page(&ravi));
    }
}

#[test]
fn a_farmer_disputes_an_advance_of_their_own() {
    let mut market = Market::open(914);
    let asha = market.hires("Asha", "field_manager");
    let [farmer, other] = ["Lakshmi", "Ramesh"].map(|name| asha.registers(name, "Vemagal", "").farmer_id);
    let given = pays(&asha, in_kind(farmer, vec![goods(1, 50)], 50)).expect("given").record_id;
    let dispute = |farmer_id| Dispute {
        record_id: given,
        farmer_id,
        subject: "not_received".into(),
        text: "nobody brought it".into(),
    };
    let disputed = asha.client.record_simple(None, dispute(farmer)).expect("disputed");
    let filter = SimpleFilter { about: Some(given), ..SimpleFilter::default() };
    let order = farmtally_core::client::ListOrder::NewestFirst;
    let page = asha.client.simple_records::<Dispute>(None, &filter, order, None, 50).expect("a page");
    assert_eq!(page.items, [disputed]);
    let error = asha.client.record_simple(None, dispute(other)).expect_err("of another farmer");
    assert!(matches!(error, Error::Invalid { field: "farmer_id", .. }), "{error}");
}

#[test]
fn a_phone_asks_before_a_farmer_gets_more_than_the_limit_and_two_people_are_reviewed() {
    let mut market = Market::open(910);
    limits(&market, r#""approval": {"farmer_advances_minor": 1000}"#);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    for person in [&asha, &ravi] {
        leases(&market, person, 10_000, "2019-05-31");
    }
    pays(&asha, cash(farmer, 600)).expect("paid");
    pays(&ravi, cash(farmer, 400)).expect("paid");
    let error = pays(&asha, cash(farmer, 401)).expect_err("unusual");
    assert!(matches!(&error, Error::Confirm { checks } if *checks == [Check::AdvancesOverLimit]), "{error}");
    assert_eq!(left(&asha), 9_400, "what waits for a person is not counted");
    let strange = Advance { date: "2019-01-09".parse().expect("a date"), ..cash(farmer, 1) };
    let error = pays(&asha, strange).expect_err("unusual");
    assert!(matches!(&error, Error::Confirm { checks } if *checks == [Check::UncommonDate]), "{error}");
    for person in [&asha, &ravi] {
        person.syncs_wholly();
    }
    assert_eq!(ravi.reviews(), [""; 0], "exactly the limit");
    pays(&ravi, cash(farmer, 1)).expect_err("unusual");
    let more = ravi.client.record_advance(None, cash(farmer, 1), &[Check::AdvancesOverLimit]).expect("accepted");
    ravi.syncs_wholly();
    asha.syncs_wholly();
    assert_eq!(asha.reviews(), ["advance_over_limit"]);
    assert!(asha.client.simple_record::<Advance>(more.record_id).is_ok(), "it stands");
}

#[test]
fn a_phone_that_was_set_back_exceeds_its_lease_and_is_reviewed() {
    let mut market = Market::open(911);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    leases(&market, &asha, 1_000, "2019-05-31");
    let (folder, before) = (asha.folder.clone(), market.path_of("a copy"));
    let asha = {
        drop(asha);
        copy_folder(&folder, &before);
        market.revives("Asha", &folder)
    };
    pays(&asha, cash(farmer, 1_000)).expect("paid");
    asha.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!(ravi.reviews(), [""; 0], "exactly the lease");
    let copy = market.revives("Asha", &before);
    pays(&copy, cash(farmer, 800)).expect("the copy does not know better");
    drop(asha);
    copy.syncs().expect("a sync");
    ravi.syncs_wholly();
    assert!(ravi.reviews().contains(&"advance_over_limit".to_owned()), "{:?}", ravi.reviews());
    copy.syncs_wholly();
    assert_eq!(left(&copy), 0, "the new device id inherits nothing");
}

#[test]
fn a_wiped_phone_that_is_enrolled_anew_inherits_nothing() {
    let mut market = Market::open(912);
    let asha = market.hires("Asha", "field_manager");
    asha.syncs_wholly();
    leases(&market, &asha, 1_000, "2019-05-31");
    market.server.order(market.organisation, code(&asha), Order::Wipe).expect("ordered");
    asha.syncs_wholly();
    let db = rusqlite::Connection::open(asha.database()).expect("it opens");
    let kept: i64 = db.query_row("SELECT count(*) FROM paid_out", [], |row| row.get(0)).expect("a count");
    assert_eq!(kept, 0);
    let again = market.code("Asha", "field_manager", "KOLAR");
    asha.client.enrol(&asha.network, ADDRESS, &again, "test phone").expect("enrolled");
    asha.syncs_wholly();
    assert_eq!(left(&asha), 0);
}

#[test]
fn the_office_leases_only_to_who_works_on_the_phone_and_never_takes_back() {
    let mut market = Market::open(913);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    asha.syncs_wholly();
    let until: BusinessDate = "2019-05-31".parse().expect("a date");
    let lease = |device, user: UserId, amount| market.server.lease(market.organisation, device, user, amount, until);
    let wrong = |result: Result<farmtally_core::decisions::Lease, farmtally_sync_server::Error>| match result {
        Err(farmtally_sync_server::Error::Invalid { field, .. }) => field,
        result => panic!("{result:?}"),
    };
    assert_eq!(wrong(lease(code(&asha), user(&asha), minor(-1))), "amount");
    assert_eq!(wrong(lease(code(&asha), user(&ravi), minor(1))), "user");
    let unknown = lease(DeviceCode(999), user(&asha), minor(1)).expect_err("no such device");
    assert_eq!(unknown.code(), ErrorCode::NotFound);
    assert_eq!(lease(code(&asha), user(&asha), Money::MAX).expect("leased").total_minor, Money::MAX);
    assert_eq!(wrong(lease(code(&asha), user(&asha), minor(1))), "amount");
    let grant = asha.client.session().expect("a session").grant_id.expect("a grant");
    market.server.revoke(market.organisation, grant).expect("revoked");
    assert_eq!(wrong(lease(code(&asha), user(&asha), minor(0))), "user");
}

#[test]
fn a_phone_asks_before_an_inactive_farmer_gets_an_advance_but_takes_goods_back_at_once() {
    let mut market = Market::open(917);
    let asha = market.hires("Asha", "dispatcher");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "");
    asha.syncs_wholly();
    leases(&market, &asha, 10_000, "2019-05-31");
    let items = || vec![goods(2, 300)];
    let lent = pays(&asha, in_kind(farmer.farmer_id, items(), 600)).expect("lent");
    let basis = asha.client.farmer(farmer.farmer_id).expect("a farmer").identity_basis;
    asha.client.change_farmer(basis, &FarmerEdit::SetActive { is_active: false }).expect("inactive");
    for advance in [cash(farmer.farmer_id, 100), in_kind(farmer.farmer_id, items(), 600)] {
        let error = pays(&asha, advance.clone()).expect_err("unusual");
        assert!(matches!(&error, Error::Confirm { checks } if *checks == [Check::FarmerInactive]), "{error}");
        asha.client.record_advance(None, advance, &[Check::FarmerInactive]).expect("accepted");
    }
    pays(&asha, returned(farmer.farmer_id, lent.record_id, items(), 600)).expect("taken back");
}
