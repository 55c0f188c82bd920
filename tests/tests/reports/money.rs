//! Advances and cash of the market whose reports are compared with the script.

use std::collections::BTreeMap;

use farmtally_core::client::DeliveryQuery;
use farmtally_core::records::advance::{AdvanceKind, PaymentMethod};
use farmtally_core::records::cash_movement::CashHolder;
use farmtally_core::records::delivery::Reason;
use farmtally_core::records::simple::{SimpleState, SimpleStep};
use farmtally_core::records::{Advance, CashCount, CashMovement, Simple, SimpleKind};
use farmtally_core::rules::Check;
use farmtally_core::store::records as stored;
use farmtally_core::store::rows::FarmerRow;
use farmtally_core::store::sql::sqlite::SqliteWriter;
use farmtally_core::units::{BusinessDate, CentreCode, DocumentId, FarmerId};
use farmtally_tests::samples::{goods, minor};
use farmtally_tests::{Person, reason};
use rand::RngExt;
use rand::rngs::StdRng;
use rusqlite::Connection;
use serde_json::{Value, json};

fn kolar() -> CentreCode {
    "KOLAR".parse().expect("a code")
}

/// Pays and gives advances of any age and kind, cancels some, takes goods back, and counts the cash.
pub(super) fn pays(person: &Person, rng: &mut StdRng, farmers: &[FarmerId]) {
    for _ in 0..12 {
        let farmer_id = farmers[rng.random_range(0..farmers.len())];
        let method = [PaymentMethod::Cash, PaymentMethod::MobileMoney, PaymentMethod::Goods][rng.random_range(0..3)];
        let days = [0, 1, 30, 31, 60, 61, 90, 91][rng.random_range(0..8)];
        let is_goods = method == PaymentMethod::Goods;
        let (quantity, price) = (rng.random_range(2..9), rng.random_range(1..90_000));
        let amount = if is_goods { i64::from(quantity) * price } else { rng.random_range(1..900_000) };
        let mut content = Advance {
            farmer_id,
            amount_minor: minor(amount),
            method,
            date: BusinessDate(person.client.date().0 - days),
            reason_code: "sowing".into(),
            reference: String::new(),
            kind: AdvanceKind::Cash,
            paper_entry: None,
        };
        if is_goods {
            content.kind = AdvanceKind::InKind { items: vec![goods(quantity, price)], store: String::new() };
        } else if rng.random_bool(0.5) {
            let query =
                DeliveryQuery { farmer_id: Some(farmer_id), is_voided: Some(false), ..DeliveryQuery::default() };
            let page = person.client.deliveries(&query).expect("deliveries");
            if let Some(item) = page.items.first() {
                content.kind = AdvanceKind::OnAccount { delivery_id: item.row.delivery_id };
            }
        }
        let given = person.client.record_advance(None, content.clone(), &Check::ALL).expect("given");
        if is_goods && rng.random_bool(0.5) {
            let back = rng.random_range(1..=quantity);
            content.amount_minor = minor(i64::from(back) * price);
            content.kind = AdvanceKind::Returned { advance_id: given.record_id, items: vec![goods(back, price)] };
            person.client.record_advance(None, content, &Check::ALL).expect("returned");
        }
        if rng.random_bool(0.2) {
            let why = Reason { code: "not_handed_over".into(), text: "the farmer did not come".into() };
            person.client.cancel_advance(given.basis, &why).expect("cancelled");
        }
    }
    let counted = minor(rng.random_range(0..1_000_000));
    person.client.count_cash(&kolar(), person.client.date(), counted).expect("counted");
}

/// Gives cash to somebody, who confirms it once both have synced, or withdraws it.
pub(super) fn gives(giver: &Person, receiver: &Person, rng: &mut StdRng) {
    let user = |person: &Person| CashHolder::User { user_id: person.client.session().expect("a session").user_id };
    for _ in 0..3 {
        let movement = CashMovement {
            from: user(giver),
            to: user(receiver),
            amount_minor: minor(rng.random_range(1..500_000)),
            date: giver.client.date(),
            reference: String::new(),
        };
        let handed = giver.client.record_simple(Some(&kolar()), movement).expect("given");
        match rng.random_range(0..3_u32) {
            0 => {
                let step = SimpleStep::Withdrawn;
                giver
                    .client
                    .step_simple::<CashMovement>(handed.basis, step, Some(&reason("mistake")))
                    .expect("withdrawn");
            }
            1 => {
                giver.syncs_wholly();
                receiver.syncs_wholly();
                receiver
                    .client
                    .step_simple::<CashMovement>(handed.basis, SimpleStep::Confirmed, None)
                    .expect("confirmed");
            }
            _ => {}
        }
    }
}

fn all<C: SimpleKind>(db: &Connection) -> Vec<Simple<C>> {
    let mut statement = db.prepare("SELECT record_id FROM simple_records WHERE kind = ?1").expect("a query");
    let ids = statement.query_map([C::NUMBER], |row| row.get::<_, DocumentId>(0)).expect("rows");
    let read = |id| stored::get::<Simple<C>>(&mut SqliteWriter::new(db), id).expect("read").expect("there").record;
    ids.map(|id| read(id.expect("an id"))).collect()
}

fn common<C: SimpleKind>(kind: &str, it: &Simple<C>, clerk: &str) -> Value {
    let date = it.content.date().expect("a date");
    json!({
        "kind": kind, "id": it.record_id.to_string(), "day": date.0, "date": date.to_string(), "clerk": clerk,
        "made": [it.made.at.wall_ms, i64::from(it.made.at.counter)],
        "is_withdrawn": it.state() == SimpleState::Withdrawn
    })
}

/// The raw advances, movements and counts of a phone.
pub(super) fn raw_records(person: &Person, db: &Connection, farmers: &BTreeMap<FarmerId, FarmerRow>) -> Vec<Value> {
    let reference = person.client.reference();
    let mut lines = Vec::new();
    for it in all::<Advance>(db) {
        let mut line = common("advance", &it, &reference.user_name(it.made.user_id));
        let (content, farmer) = (&it.content, &farmers[&it.content.farmer_id]);
        line["amount"] = json!(content.amount_minor.minor());
        line["farmer_code"] = json!(farmer.code);
        line["farmer_name"] = json!(farmer.contact.name);
        line["in_cash"] = json!(content.method == PaymentMethod::Cash);
        line["is_on_account"] = json!(matches!(content.kind, AdvanceKind::OnAccount { .. }));
        line["of"] = match &content.kind {
            AdvanceKind::Returned { advance_id, .. } => json!(advance_id.to_string()),
            _ => Value::Null,
        };
        lines.push(line);
    }
    for it in all::<CashMovement>(db) {
        let mut line = common("movement", &it, "");
        let name = |holder: CashHolder| reference.user_name(holder.user_id().expect("a user"));
        line["from"] = json!(name(it.content.from));
        line["to"] = json!(name(it.content.to));
        line["amount"] = json!(it.content.amount_minor.minor());
        line["is_confirmed"] = json!(it.state() == SimpleState::Confirmed);
        lines.push(line);
    }
    for it in all::<CashCount>(db) {
        let mut line = common("count", &it, &reference.user_name(it.content.user_id));
        line["amount"] = json!(it.content.counted_minor.minor());
        lines.push(line);
    }
    lines
}
