//! Cases of the commands about simple records, of every kind.

use farmtally_core::client::SimpleView;
use farmtally_core::records::delivery::Reason;
use farmtally_core::records::simple::SimpleStep;
use farmtally_core::records::{LorryRequest, SupplyIntent};
use farmtally_core::units::Grams;
use farmtally_core::{Error, ErrorCode};
use farmtally_tests::samples::{Sample, Subjects};
use farmtally_tests::{for_each_simple_kind, reason};

use super::{BadId, Cases, Subject, Yard};

fn subjects(yard: &Yard) -> Subjects {
    Subjects { delivery: yard.delivery.delivery_id, load: yard.load.load_id, farmer: yard.farmer.farmer_id }
}

/// Records content at KOLAR. Of a kind that a dispatcher may not record, any content is refused, which is as good.
fn records<C: Sample>(yard: &Yard, content: C, field: &'static str) -> Result<SimpleView<C>, Error> {
    let result = content.recorded_by(&yard.asha.client, &"KOLAR".parse().expect("a code"));
    match result {
        Err(error) if error.code() == ErrorCode::NotAllowed => Err(Error::Invalid { field, reason: error.to_string() }),
        other => other,
    }
}

pub(super) fn add(cases: &mut Cases) {
    for_each_simple_kind!(of_kind(cases));
    notes(cases);
    changes_and_steps(cases);
}

fn of_kind<C: Sample>(cases: &mut Cases) {
    let name = "record_simple";
    let nothing = Subjects { delivery: [9; 16].into(), load: [9; 16].into(), farmer: [9; 16].into() };
    let fields: Vec<_> = C::valid(&nothing).texts().iter().map(|it| (it.field, it.is_required)).collect();
    for (at, (field, is_required)) in fields.into_iter().enumerate() {
        cases.texts(name, field, is_required, move |yard, text| {
            let mut content = C::valid(&subjects(yard));
            text.clone_into(content.texts()[at].text);
            records(yard, content, field)
        });
    }
    for (at, (field, _)) in C::wrong(&C::valid(&nothing)).into_iter().enumerate() {
        cases.add(name, field, &format!("{} {at}", C::NAME), move |yard| {
            let (field, content) = C::wrong(&C::valid(&subjects(yard))).remove(at);
            records(yard, content, field)
        });
    }
    if C::NAMES_CENTRE {
        for centre in ["MALUR", "NOWHERE"] {
            cases.add(name, "out_of_scope", &format!("{} at {centre}", C::NAME), move |yard| {
                C::valid(&subjects(yard)).recorded_by(&yard.asha.client, &centre.parse().expect("a code"))
            });
        }
    }
}

fn notes(cases: &mut Cases) {
    let name = "add_note";
    cases.texts(name, "text", true, |yard, text| yard.asha.client.add_note(yard.delivery.delivery_id.into(), text));
    for (expected, id) in [
        ("not_found", BadId::Unknown),
        ("not_found", BadId::Zeros),
        ("not_found", BadId::User),
        ("record_id", BadId::Draft),
        ("record_id", BadId::Farmer),
        ("not_found", BadId::DeliveryOfMalur),
        ("not_found", BadId::LoadOfMalur),
        ("record_id", BadId::FarmerOfMalur),
    ] {
        cases.add(name, expected, &format!("{id:?}"), move |yard| yard.asha.client.add_note(yard.id(id), "wet"));
    }
    for id in [BadId::Unknown, BadId::Delivery, BadId::Load, BadId::FarmerOfMalur] {
        cases.add("record_simple", "farmer_id", &format!("an intent of {id:?}"), move |yard| {
            let content = SupplyIntent { farmer_id: yard.id(id).into(), ..SupplyIntent::valid(&subjects(yard)) };
            records(yard, content, "farmer_id")
        });
    }
}

fn changes_and_steps(cases: &mut Cases) {
    let content = |yard: &Yard| LorryRequest { bags: 301, ..LorryRequest::valid(&subjects(yard)) };
    cases.bases("change_simple", Subject::Draft, move |yard, basis| {
        yard.asha.client.change_simple(basis, content(yard))
    });
    cases.bases("step_simple", Subject::Draft, move |yard, basis| {
        let why = reason("no_lorry");
        yard.asha.client.step_simple::<LorryRequest>(basis, SimpleStep::Withdrawn, Some(&why))
    });
    for case in cases.0.iter_mut().filter(|it| matches!(it.command, "change_simple" | "step_simple")) {
        // The draft is of another kind too.
        case.expected = "not_found";
    }
    let request = |yard: &Yard| yard.request.basis;
    cases.texts("change_simple", "purpose", true, move |yard, text| {
        yard.asha.client.change_simple(request(yard), LorryRequest { purpose: text.to_owned(), ..content(yard) })
    });
    cases.texts("change_simple", "remarks", false, move |yard, text| {
        yard.asha.client.change_simple(request(yard), LorryRequest { remarks: text.to_owned(), ..content(yard) })
    });
    for (field, wrong) in [
        ("weight_g", (|it| LorryRequest { weight_g: Grams(i64::MIN), ..it }) as fn(LorryRequest) -> LorryRequest),
        ("bags", |it| LorryRequest { bags: u32::MAX, ..it }),
        ("to_minute", |it| LorryRequest { from_minute: 900, to_minute: 1, ..it }),
        ("content", |it| LorryRequest { commodity: "RICE".parse().expect("a code"), ..it }),
    ] {
        cases.add("change_simple", field, "a wrong field", move |yard| {
            yard.asha.client.change_simple(request(yard), wrong(content(yard)))
        });
    }
    let steps = |yard: &Yard, step, why: Option<&Reason>| {
        yard.asha.client.step_simple::<LorryRequest>(yard.request.basis, step, why)
    };
    cases.add("step_simple", "reason", "withdrawn without a reason", move |yard| {
        steps(yard, SimpleStep::Withdrawn, None)
    });
    cases.texts("step_simple", "reason", true, move |yard, text| {
        steps(yard, SimpleStep::Withdrawn, Some(&Reason { code: text.to_owned(), text: String::new() }))
    });
    cases.texts("step_simple", "reason", false, move |yard, text| {
        steps(yard, SimpleStep::Withdrawn, Some(&Reason { code: "other".into(), text: text.to_owned() }))
    });
    for step in [SimpleStep::Called, SimpleStep::Served, SimpleStep::Left] {
        cases
            .add("step_simple", "not_allowed", &format!("{step:?}, of a request"), move |yard| steps(yard, step, None));
    }
    for version in [[0; 8], [0xff; 8]] {
        cases.add("change_simple", "stale", "a version that never was", move |yard| {
            let basis = farmtally_core::client::Basis { version, ..yard.request.basis };
            yard.asha.client.change_simple(basis, content(yard))
        });
        cases.add("step_simple", "stale", "a version that never was", move |yard| {
            let basis = farmtally_core::client::Basis { version, ..yard.request.basis };
            let why = reason("no_lorry");
            yard.asha.client.step_simple::<LorryRequest>(basis, SimpleStep::Withdrawn, Some(&why))
        });
    }
}
