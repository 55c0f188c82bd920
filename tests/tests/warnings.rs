//! Warnings about instruments and patterns of weights: shown while weighing, asked about when recording, never in the way.

use farmtally_core::Error;
use farmtally_core::client::{DeliveryView, DraftEdit, ReadingInput};
use farmtally_core::paper::{PaperWidth, Wording, text};
use farmtally_core::records::{BagSource, InstrumentCheck};
use farmtally_core::rules::Check;
use farmtally_core::units::{BagType, BusinessDate, DeliveryId, Grams, Percent};
use farmtally_sync_server::ReferenceFile;
use farmtally_tests::{Market, Person};

/// A market with a scale and a moisture meter that the office knows, and a field manager.
fn market(seed: u64) -> (Market, Person) {
    let mut market = Market::open(seed);
    let file = r#"{"instruments": [
        {"code": "SCALE7", "type": "scale", "serial": "A-4711", "accuracy_class": "III", "min_value": 1000,
         "max_value": 60000, "intervals": [{"up_to_value": 60000, "interval_value": 20}],
         "certificate": "LM-88", "valid_until": "2019-05-10"},
        {"code": "METER1", "type": "moisture_meter", "serial": "M-1", "accuracy_class": "", "min_value": 800,
         "max_value": 2500, "intervals": [{"up_to_value": 2500, "interval_value": 10}],
         "certificate": "", "valid_until": "2019-12-31"}
    ]}"#;
    let file = ReferenceFile::parse(file).expect("reference data");
    market.server.update_reference(market.organisation, &file).expect("published");
    let asha = market.hires("Asha", "field_manager");
    (market, asha)
}

fn on_scale(grams: i64) -> DraftEdit {
    let gross = Grams(grams).try_into().expect("a bag");
    let scale = Some("SCALE7".parse().expect("a code"));
    DraftEdit::AddBag { gross, bag_type: BagType::default(), source: Some(BagSource::Scale), grade: None, scale }
}

fn checks(asha: &Person, instrument: &str, has_passed: bool) -> InstrumentCheck {
    let content = InstrumentCheck {
        instrument: instrument.parse().expect("a code"),
        commodity: "TOMATO".parse().expect("a code"),
        date: asha.client.date(),
        reference_value: 20_000,
        shown_value: 20_000,
        has_passed,
    };
    let centre = "KOLAR".parse().expect("a code");
    asha.client.record_simple(Some(&centre), content).expect("checked").content
}

fn codes(view: &DeliveryView) -> Vec<&'static str> {
    view.warnings.iter().map(|it| it.check.as_str()).collect()
}

fn starts(asha: &Person, edits: &[DraftEdit]) -> DeliveryView {
    let farmer = asha.registers("Lakshmi", "", "").farmer_id;
    let draft = asha.starts(Some(farmer), None);
    asha.client.edit_draft(draft.basis, edits).expect("weighed")
}

#[test]
fn a_scale_that_was_not_checked_today_or_failed_is_warned_about_while_weighing() {
    let (market, asha) = market(2_200);
    let overdue = starts(&asha, &[on_scale(20_020)]);
    assert_eq!(codes(&overdue), ["instrument_check_overdue"]);
    assert_eq!(
        (overdue.warnings[0].number, overdue.warnings[0].value, overdue.warnings[0].limit),
        (Some(1), None, Some(1))
    );
    checks(&asha, "SCALE7", true);
    assert_eq!(codes(&starts(&asha, &[on_scale(20_020)])), [""; 0]);
    market.clock.pass(60);
    checks(&asha, "SCALE7", false);
    assert_eq!(codes(&starts(&asha, &[on_scale(20_020)])), ["instrument_check_failed"]);
    market.clock.pass(60);
    checks(&asha, "SCALE7", true);
    assert_eq!(codes(&starts(&asha, &[on_scale(20_020)])), [""; 0]);
    market.clock.pass(24 * 3_600);
    assert_eq!(codes(&starts(&asha, &[on_scale(20_020)])), ["instrument_check_overdue"]);
    market.clock.pass(24 * 3_600);
    assert_eq!(codes(&starts(&asha, &[on_scale(20_020)])), ["instrument_expired", "instrument_check_overdue"]);
}

#[test]
fn recording_asks_about_warnings_once_each_and_a_person_may_accept_them() {
    let (_market, asha) = market(2_201);
    let meter = Some("METER1".parse().expect("a code"));
    let moisture = Percent::try_from(1_405).expect("a share");
    let reading = ReadingInput::Moisture { moisture, grade: None, meter, photo: None };
    checks(&asha, "METER1", true);
    let edits = [on_scale(20_010), on_scale(20_030), on_scale(60_020), DraftEdit::AddReading(reading)];
    let draft = starts(&asha, &edits);
    let shown: Vec<_> =
        draft.warnings.iter().map(|it| (it.check.as_str(), it.number, it.count, it.value, it.limit)).collect();
    assert_eq!(
        shown,
        [
            ("off_interval", Some(1), 1, Some(1_405), Some(10)),
            ("off_interval", Some(1), 2, Some(20_010), Some(20)),
            ("above_maximum", Some(3), 1, Some(60_020), Some(60_000)),
            ("instrument_check_overdue", Some(1), 3, None, Some(1)),
        ]
    );
    let error = asha.client.record_delivery(draft.basis, &[]).expect_err("asked about");
    let Error::Confirm { checks } = error else { panic!("{error:?}") };
    assert_eq!(checks, [Check::OffInterval, Check::AboveMaximum, Check::InstrumentCheckOverdue]);
    let recorded = asha.client.record_delivery(draft.basis, &checks).expect("recorded");
    assert_eq!(recorded.warnings, []);
}

#[test]
fn patterns_of_weights_are_asked_about_with_their_figures() {
    let (market, asha) = market(2_202);
    checks(&asha, "SCALE7", true);
    let mut draft = starts(&asha, &[on_scale(20_000)]);
    for _ in 0..5 {
        assert_eq!(codes(&draft), [""; 0]);
        market.clock.pass(15);
        draft = asha.client.edit_draft(draft.basis, &[on_scale(20_000)]).expect("weighed");
    }
    assert_eq!(codes(&draft), ["weights_repeated"]);
    assert_eq!(
        (draft.warnings[0].number, draft.warnings[0].value, draft.warnings[0].limit),
        (Some(1), Some(6), Some(6))
    );
    for _ in 0..4 {
        market.clock.pass(15);
        draft = asha.client.edit_draft(draft.basis, &[DraftEdit::RepeatBag]).expect("repeated");
    }
    assert_eq!(codes(&draft), ["weights_repeated", "weights_too_regular", "repeat_used_often"]);
    let fast: Vec<DraftEdit> = (0..5).map(|number| on_scale(30_020 + number * 140)).collect();
    let draft = starts(&asha, &fast);
    assert_eq!(codes(&draft), ["weighed_too_fast"]);
    let error = asha.client.record_delivery(draft.basis, &[]).expect_err("asked about");
    assert!(matches!(error, Error::Confirm { checks } if checks == [Check::WeighedTooFast]));
    asha.client.record_delivery(draft.basis, &[Check::WeighedTooFast]).expect("recorded");
}

#[test]
fn a_failed_check_doubts_by_the_time_of_weighing_and_what_was_read_later() {
    let (market, asha) = market(2_203);
    let records =
        |draft: &DeliveryView| asha.client.record_delivery(draft.basis, &Check::ALL).expect("recorded").delivery_id;
    let fails = |instrument: &str| {
        let content = checks(&asha, instrument, true);
        market.clock.pass(600);
        let centre = "KOLAR".parse().expect("a code");
        let failed = InstrumentCheck { has_passed: false, date: BusinessDate(content.date.0), ..content };
        asha.client.record_simple(Some(&centre), failed).expect("checked").record_id
    };
    let in_doubt = |check| -> Vec<DeliveryId> { asha.client.deliveries_in_doubt(check).expect("a list") };

    // Weighed before the good check, recorded after it; weighed before the failed check, recorded after that.
    let early = starts(&asha, &[on_scale(20_020)]);
    market.clock.pass(60);
    checks(&asha, "SCALE7", true);
    market.clock.pass(60);
    let early = records(&early);
    let late = starts(&asha, &[on_scale(20_020)]);
    market.clock.pass(60);
    let failed = InstrumentCheck { has_passed: false, ..checks(&asha, "METER1", true) };
    let failed = InstrumentCheck { instrument: "SCALE7".parse().expect("a code"), ..failed };
    let centre = "KOLAR".parse().expect("a code");
    let failed = asha.client.record_simple(Some(&centre), failed).expect("checked").record_id;
    market.clock.pass(60);
    let late = records(&late);
    assert_eq!(in_doubt(failed), [late]);

    // Recorded before the meter's good check, read after it.
    market.clock.pass(60);
    checks(&asha, "METER1", true);
    market.clock.pass(60);
    let meter = Some("METER1".parse().expect("a code"));
    let moisture = Percent::try_from(1_400).expect("a share");
    let reading = ReadingInput::Moisture { moisture, grade: None, meter, photo: None };
    let view = asha.client.delivery(early).expect("a delivery");
    asha.client.add_readings(view.basis, &[reading]).expect("read");
    let failed = InstrumentCheck { has_passed: false, ..checks(&asha, "SCALE7", true) };
    let failed = InstrumentCheck { instrument: "METER1".parse().expect("a code"), ..failed };
    let failed = asha.client.record_simple(Some(&centre), failed).expect("checked").record_id;
    assert_eq!(in_doubt(failed), [early]);
    assert_eq!(in_doubt(fails("SCALE7")), [], "nothing was weighed since");
    asha.voids(early).expect("voided");
    assert_eq!(in_doubt(failed), [early], "also voided ones");
}

#[test]
fn a_receipt_says_that_its_scale_was_overdue_when_it_weighed() {
    let (market, asha) = market(2_204);
    let paper = |id| {
        let page = asha.client.receipt(id, Wording::default()).expect("a receipt");
        text::render(&page, PaperWidth::Mm80).contains("Calibration of the scale is overdue")
    };
    let weighs = || {
        let draft = starts(&asha, &[on_scale(20_020)]);
        asha.client.record_delivery(draft.basis, &Check::ALL).expect("recorded").delivery_id
    };
    let overdue = weighs();
    market.clock.pass(60);
    checks(&asha, "SCALE7", true);
    market.clock.pass(60);
    let checked = weighs();
    market.clock.pass(60);
    checks(&asha, "SCALE7", false);
    market.clock.pass(60);
    let failed = weighs();
    assert_eq!([overdue, checked, failed].map(paper), [true, false, true]);
}
