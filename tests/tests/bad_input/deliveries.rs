//! Cases of the commands about drafts and deliveries.

use farmtally_core::Error;
use farmtally_core::client::{Basis, DeliveryEdit, DeliveryView, DraftEdit, ReadingInput, StartDraft};
use farmtally_core::limits::{MAX_BAG_COUNT, MAX_LOTS, MAX_READINGS, SIGNATURE_SIZE};
use farmtally_core::records::delivery::{PrintMedium, Reason};
use farmtally_core::records::{BagCount, Mark, Point, Stroke};
use farmtally_core::rules::Check;
use farmtally_core::units::{BagType, BusinessDate, Location};
use farmtally_tests::samples::weight;
use farmtally_tests::{bag, forgotten_bag, mark, moisture, reason};

use super::{Cases, Subject, Yard};

/// Days that no season covers.
const FAR_DAYS: [BusinessDate; 4] =
    [BusinessDate(i32::MIN), BusinessDate(0), BusinessDate(2_932_896), BusinessDate(i32::MAX)];

fn start() -> StartDraft {
    StartDraft {
        centre: "KOLAR".parse().expect("a code"),
        commodity: "TOMATO".parse().expect("a code"),
        farmer_id: None,
        load_id: None,
        replaces: None,
    }
}

fn coded(text: &str) -> Reason {
    Reason { code: text.to_owned(), text: String::new() }
}

fn explained(text: &str) -> Reason {
    Reason { code: "other".to_owned(), text: text.to_owned() }
}

fn factor() -> ReadingInput {
    let factor = "COLOUR".parse().expect("a code");
    ReadingInput::Factor { factor, value: 1, grade: None, meter: None, photo: None }
}

fn graded_reading() -> ReadingInput {
    let (moisture, grade) = ("14.5".parse().expect("a share"), Some("Z9".parse().expect("a code")));
    ReadingInput::Moisture { moisture, grade, meter: None, photo: None }
}

fn bad_marks() -> Vec<Mark> {
    let point = |x, y| Mark::Drawn { strokes: vec![Stroke { points: vec![Point { x, y }] }] };
    let zigzag = (0..10_000).map(|at| Point { x: at % 2 * (SIGNATURE_SIZE - 1), y: 0 }).collect();
    vec![
        Mark::Drawn { strokes: Vec::new() },
        Mark::Drawn { strokes: vec![Stroke { points: Vec::new() }] },
        point(SIGNATURE_SIZE, 0),
        point(0, SIGNATURE_SIZE),
        Mark::Drawn { strokes: vec![Stroke { points: zigzag }] },
    ]
}

fn bad_counts() -> Vec<Vec<BagCount>> {
    let count = |count| BagCount { bag_type: BagType::default(), grade: None, count };
    vec![vec![count(MAX_BAG_COUNT + 1)], vec![count(u32::MAX)], vec![count(1); 2]]
}

fn bad_locations() -> Vec<Location> {
    let at = |latitude_e7, longitude_e7| Location {
        latitude_e7,
        longitude_e7,
        accuracy_cm: 1,
        age_ms: 1,
        provider: None,
        is_mock: false,
    };
    vec![at(900_000_001, 0), at(-900_000_001, 0), at(0, 1_800_000_001), at(i32::MIN, i32::MIN), at(0, i32::MAX)]
}

fn edits(yard: &Yard, edits: &[DraftEdit]) -> Result<DeliveryView, Error> {
    yard.asha.client.edit_draft(yard.draft.basis, edits)
}

fn amends(yard: &Yard, edits: &[DeliveryEdit]) -> Result<DeliveryView, Error> {
    yard.asha.client.amend_delivery(yard.delivery.basis, &reason("miscounted"), edits)
}

fn lot(gross: i64, vehicle: i64) -> DraftEdit {
    DraftEdit::AddLot { gross: weight(gross), vehicle: Some(weight(vehicle)), source: None, grade: None, scale: None }
}

pub(super) fn add(cases: &mut Cases) {
    starting(cases);
    drafting(cases);
    drafting_with_details(cases);
    amending(cases);
    amending_with_details(cases);
    correcting(cases);
    adding(cases);
}

fn starting(cases: &mut Cases) {
    let name = "start_draft";
    for (centre, what) in [("MALUR", "of another user"), ("NOWHERE", "that is unknown")] {
        cases.add(name, "out_of_scope", &format!("a centre {what}"), move |yard| {
            yard.asha.client.start_draft(StartDraft { centre: centre.parse().expect("a code"), ..start() })
        });
    }
    cases.add(name, "commodity", "a commodity that nobody buys", |yard| {
        yard.asha.client.start_draft(StartDraft { commodity: "RICE".parse().expect("a code"), ..start() })
    });
    cases.ids(name, "farmer_id", Subject::Farmer, |yard, id| {
        yard.asha.client.start_draft(StartDraft { farmer_id: Some(id.into()), ..start() })
    });
    cases.ids(name, "load_id", Subject::Load, |yard, id| {
        yard.asha.client.start_draft(StartDraft { load_id: Some(id.into()), ..start() })
    });
    // Even the delivery's own id is wrong, because it is not voided.
    cases.ids(name, "replaces", Subject::Load, |yard, id| {
        yard.asha.client.start_draft(StartDraft { replaces: Some(id.into()), ..start() })
    });
}

fn drafting(cases: &mut Cases) {
    let name = "edit_draft";
    // A draft is no record that is read by others: a recorded delivery is a version of it that has passed.
    for (command, call) in [
        (name, (|yard, basis| yard.asha.client.edit_draft(basis, &[bag(20_000)])) as fn(&Yard, Basis) -> _),
        ("take_over_draft", |yard, basis| yard.asha.client.take_over_draft(basis)),
        ("record_delivery", |yard, basis| yard.asha.client.record_delivery(basis, &Check::ALL)),
    ] {
        let mut of_command = Cases::default();
        of_command.bases(command, Subject::Draft, call);
        for case in &mut of_command.0 {
            if case.what == "basis Delivery" {
                case.expected = "stale";
            }
        }
        cases.0.append(&mut of_command.0);
    }
    cases.add("take_over_draft", "not_allowed", "one's own draft", |yard| {
        yard.asha.client.take_over_draft(yard.draft.basis)
    });
    cases.add("record_delivery", "bags", "a draft without bags", |yard| {
        yard.asha.client.record_delivery(yard.draft.basis, &Check::ALL)
    });
    cases.add("discard_draft", "stale", "a version that never was", |yard| {
        yard.asha.client.discard_draft(Basis { version: [0xff; 8], ..yard.draft.basis })
    });
    cases.add("discard_draft", "stale", "a recorded delivery", |yard| {
        yard.asha.client.discard_draft(yard.delivery.basis)
    });
    cases.add("discard_draft", "ok", "a load, of whose id there is no draft", |yard| {
        yard.asha.client.discard_draft(yard.load.basis)
    });
    cases.ids(name, "farmer_id", Subject::Farmer, |yard, id| edits(yard, &[DraftEdit::SetFarmer(id.into())]));
    cases.ids(name, "load_id", Subject::Load, |yard, id| edits(yard, &[DraftEdit::SetLoad(Some(id.into()))]));
    for day in FAR_DAYS {
        cases.add(name, "business_date", &format!("day {}", day.0), move |yard| {
            edits(yard, &[DraftEdit::SetBusinessDate(day)])
        });
    }
    cases.texts(name, "reason", true, |yard, text| edits(yard, &[DraftEdit::SetOverloadReason(Some(coded(text)))]));
    cases
        .texts(name, "reason", false, |yard, text| edits(yard, &[DraftEdit::SetOverloadReason(Some(explained(text)))]));
}

fn drafting_with_details(cases: &mut Cases) {
    let name = "edit_draft";
    let unknown = || Some("Z9".parse().expect("a code"));
    cases.add(name, "grade", "a bag of an unknown grade", move |yard| {
        let DraftEdit::AddBag { gross, bag_type, source, scale, .. } = bag(20_000) else { panic!("a bag") };
        edits(yard, &[DraftEdit::AddBag { gross, bag_type, source, grade: unknown(), scale }])
    });
    cases.add(name, "bags", "a bag repeated before the first", |yard| edits(yard, &[DraftEdit::RepeatBag]));
    cases.add(name, "bags", "more bags than a delivery has", |yard| edits(yard, &vec![bag(20_000); 2_001]));
    cases.add(name, "vehicle", "a vehicle that weighs all", |yard| edits(yard, &[lot(9_000, 9_000)]));
    cases.add(name, "vehicle", "a vehicle that weighs more", |yard| edits(yard, &[lot(1, 100_000_000)]));
    cases.add(name, "lots", "more lots than a delivery has", |yard| edits(yard, &vec![lot(2, 1); MAX_LOTS + 1]));
    for number in [0, 1, u32::MAX] {
        cases.add(name, "number", &format!("bag {number} removed"), move |yard| {
            edits(yard, &[DraftEdit::Remove { number }])
        });
        cases.add(name, "place", &format!("reading {number} removed"), move |yard| {
            edits(yard, &[DraftEdit::RemoveReading { place: number }])
        });
    }
    for counts in bad_counts() {
        cases.add(name, "bag_counts", &format!("{counts:?}"), move |yard| {
            edits(yard, &[DraftEdit::SetBagCounts(counts.clone())])
        });
    }
    for count in [MAX_BAG_COUNT + 1, u32::MAX] {
        cases.add(name, "declared_bags", &format!("{count} declared"), move |yard| {
            edits(yard, &[DraftEdit::SetDeclaredBags(Some(count))])
        });
    }
    cases.add(name, "factor", "an unknown factor", |yard| edits(yard, &[DraftEdit::AddReading(factor())]));
    cases.add(name, "grade", "an unknown grade", |yard| edits(yard, &[DraftEdit::AddReading(graded_reading())]));
    cases.add(name, "readings", "more readings than a delivery has", |yard| {
        edits(yard, &vec![DraftEdit::AddReading(moisture(1_400)); MAX_READINGS + 1])
    });
    for mark in bad_marks() {
        let what: String = format!("{mark:?}").chars().take(60).collect();
        let edit = DraftEdit::SetMark(Some(mark.clone()));
        cases.add(name, "mark", &what, move |yard| edits(yard, std::slice::from_ref(&edit)));
        cases.add("sign", "mark", &what, move |yard| yard.asha.client.sign(yard.delivery.basis, mark.clone()));
    }
    for location in bad_locations() {
        cases.add(name, "location", &format!("{location:?}"), move |yard| {
            edits(yard, &[DraftEdit::SetLocation(location)])
        });
    }
    // One bad step among good ones: none is applied.
    cases.add(name, "number", "a bad step after a good one", |yard| {
        edits(yard, &[bag(20_000), DraftEdit::Remove { number: 77 }])
    });
}

fn amending(cases: &mut Cases) {
    let name = "amend_delivery";
    cases.bases(name, Subject::Delivery, |yard, basis| {
        yard.asha.client.amend_delivery(basis, &reason("miscounted"), &[forgotten_bag(20_000)])
    });
    cases.add(name, "edits", "no edit", |yard| amends(yard, &[]));
    cases.texts(name, "reason", true, |yard, text| {
        yard.asha.client.amend_delivery(yard.delivery.basis, &coded(text), &[forgotten_bag(20_000)])
    });
    cases.texts(name, "reason", false, |yard, text| {
        yard.asha.client.amend_delivery(yard.delivery.basis, &explained(text), &[forgotten_bag(20_000)])
    });
    cases.texts(name, "reason", true, |yard, text| {
        let bag_id = yard.delivery.bags[0].bag_id.clone();
        amends(yard, &[DeliveryEdit::VoidBag { bag_id, reason: coded(text) }])
    });
    let keys = ["", "1", "v1-0", "v1-3", "V1-1", " v1-1", "v1-1\0", "v1-m1", "v1-99999999999999999999"];
    for key in keys.map(str::to_owned).into_iter().chain(["v".repeat(10_000_000)]) {
        let what: String = key.chars().take(30).collect();
        let (bag_id, lot_id, reading_id) = (key.clone(), key.clone(), key);
        cases.add(name, "bag_id", &what, move |yard| {
            amends(yard, &[DeliveryEdit::VoidBag { bag_id: bag_id.clone(), reason: reason("twice") }])
        });
        cases.add(name, "lot_id", &what, move |yard| {
            amends(yard, &[DeliveryEdit::VoidLot { lot_id: lot_id.clone(), reason: reason("twice") }])
        });
        cases.add(name, "reading_id", &what, move |yard| {
            amends(yard, &[DeliveryEdit::VoidReading { reading_id: reading_id.clone(), reason: reason("twice") }])
        });
    }
    cases.add(name, "bag_id", "one bag voided twice", |yard| {
        let void = DeliveryEdit::VoidBag { bag_id: yard.delivery.bags[0].bag_id.clone(), reason: reason("twice") };
        amends(yard, &[void.clone(), void])
    });
}

fn amending_with_details(cases: &mut Cases) {
    let name = "amend_delivery";
    cases.ids(name, "load_id", Subject::Load, |yard, id| amends(yard, &[DeliveryEdit::SetLoad(Some(id.into()))]));
    for day in FAR_DAYS {
        cases.add(name, "business_date", &format!("day {}", day.0), move |yard| {
            amends(yard, &[DeliveryEdit::SetBusinessDate(day)])
        });
    }
    for counts in bad_counts() {
        cases.add(name, "bag_counts", &format!("{counts:?}"), move |yard| {
            amends(yard, &[DeliveryEdit::SetBagCounts(counts.clone())])
        });
    }
    cases.add(name, "bag_counts", "bags counted in lots that are not there", |yard| {
        amends(
            yard,
            &[DeliveryEdit::SetBagCounts(vec![BagCount { bag_type: BagType::default(), grade: None, count: 1 }])],
        )
    });
    for count in [MAX_BAG_COUNT + 1, u32::MAX] {
        cases.add(name, "declared_bags", &format!("{count} declared"), move |yard| {
            amends(yard, &[DeliveryEdit::SetDeclaredBags(Some(count))])
        });
    }
    cases.add(name, "bags", "more bags than a delivery has", |yard| amends(yard, &vec![forgotten_bag(20_000); 1_999]));
    cases.add(name, "vehicle", "a vehicle that weighs all", |yard| {
        let (gross, vehicle) = (weight(9_000), Some(weight(9_000)));
        amends(yard, &[DeliveryEdit::AddLot { gross, vehicle, source: None, grade: None, scale: None }])
    });
    cases.add(name, "grade", "a bag of an unknown grade", |yard| {
        let grade = Some("Z9".parse().expect("a code"));
        let DeliveryEdit::AddBag { gross, bag_type, source, scale, .. } = forgotten_bag(1) else { panic!("a bag") };
        amends(yard, &[DeliveryEdit::AddBag { gross, bag_type, source, grade, scale }])
    });
}

fn correcting(cases: &mut Cases) {
    cases.bases("void_delivery", Subject::Delivery, |yard, basis| {
        yard.asha.client.void_delivery(basis, &reason("rejected"))
    });
    cases.texts("void_delivery", "reason", true, |yard, text| {
        yard.asha.client.void_delivery(yard.delivery.basis, &coded(text))
    });
    cases.texts("void_delivery", "reason", false, |yard, text| {
        yard.asha.client.void_delivery(yard.delivery.basis, &explained(text))
    });
    let name = "correct_farmer";
    cases.bases(name, Subject::Delivery, |yard, basis| {
        yard.asha.client.correct_farmer(basis, yard.other_farmer, &reason("wrong_farmer"), &Check::ALL)
    });
    cases.ids(name, "farmer_id", Subject::Farmer, |yard, id| {
        yard.asha.client.correct_farmer(yard.delivery.basis, id.into(), &reason("wrong_farmer"), &Check::ALL)
    });
    cases.add(name, "farmer_id", "the farmer whose it is already", |yard| {
        let farmer = yard.farmer.farmer_id;
        yard.asha.client.correct_farmer(yard.delivery.basis, farmer, &reason("wrong_farmer"), &Check::ALL)
    });
    cases.texts(name, "reason", true, |yard, text| {
        yard.asha.client.correct_farmer(yard.delivery.basis, yard.other_farmer, &coded(text), &Check::ALL)
    });
}

fn adding(cases: &mut Cases) {
    let name = "add_readings";
    cases.bases(name, Subject::Delivery, |yard, basis| yard.asha.client.add_readings(basis, &[moisture(1_400)]));
    for (field, readings) in [
        ("readings", Vec::new()),
        ("readings", vec![moisture(1_400); MAX_READINGS + 1]),
        ("factor", vec![moisture(1_400), factor()]),
        ("grade", vec![graded_reading()]),
    ] {
        cases.add(name, field, &format!("{} readings", readings.len()), move |yard| {
            yard.asha.client.add_readings(yard.delivery.basis, &readings)
        });
    }
    cases.bases("sign", Subject::Delivery, |yard, basis| yard.asha.client.sign(basis, mark()));
    for case in cases.0.iter_mut().filter(|it| it.command == "sign") {
        match case.what.as_str() {
            "basis Draft" => case.expected = "record_id",
            // Other records are signed too, and their versions are wrong.
            "basis Load" | "basis Farmer" => case.expected = "stale",
            _ => {}
        }
    }
    cases.bases("record_print", Subject::Delivery, |yard, basis| {
        yard.asha.client.record_print(basis, PrintMedium::Paper)
    });
}
