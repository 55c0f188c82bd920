//! Bytes on the wire: of a large push, compared with the same rows as JSON lines, and of a working day.

use ed25519_dalek::SigningKey;
use farmtally_core::client::DeliveryView;
use farmtally_core::codec::encode;
use farmtally_core::protocol::bundle::Bundle;
use farmtally_core::protocol::message::{self, SyncRequest};
use farmtally_core::records::Measured;
use serde_json::{Value, json};

use crate::floor;
use crate::table::{Table, none, ratio};
use crate::world::{Exchanged, Loads, PER_DAY, Phone, Place, World};

/// Compression level of the wire.
const LEVEL: i32 = 3;

/// Sizes of the request bodies that were answered, without requests that only fetched a new challenge.
fn bodies_up(exchanged: &[Exchanged]) -> Vec<usize> {
    exchanged.iter().filter(|it| it.response.status == 200).map(|it| it.request.body.len()).collect()
}

/// Bytes that a request takes before its first delivery: cursors, and one sealed bundle without content.
fn fixed_part(exchanged: &[Exchanged]) -> usize {
    let mut requests = exchanged.iter().map(|it| message::unpack::<SyncRequest>(&it.request.body).expect("a request"));
    let mut request = requests.find(|request| !request.bundles.is_empty()).expect("a request with work");
    let bundle = Bundle::parse(&request.bundles[0]).expect("a bundle");
    let empty = Bundle::seal(bundle.header, Vec::new(), &SigningKey::from_bytes(&[7; 32]));
    request.bundles = vec![empty.to_bytes().into()];
    message::pack(&request).expect("a body").len()
}

/// Measures pushes of one delivery, of sixty, and of all that the phone has; each next to its rows as JSON lines.
pub(crate) fn push(world: &mut World, phone: Phone, table: &mut Table) {
    let mut one = world.phone("chand", Loads::Others, Place::Memory);
    one.weighs(1);
    let mut sixty = world.phone("divya", Loads::Others, Place::Memory);
    sixty.weighs(PER_DAY);
    for (phone, reach) in [(one, "–"), (sixty, "–"), (phone, "≤ 0.70×")] {
        push_of(&phone, reach, table);
    }
}

fn push_of(phone: &Phone, reach: &str, table: &mut Table) {
    let count = phone.recorded.len();
    let (_, exchanged) = phone.syncs();
    let bodies = bodies_up(&exchanged);
    let (sum, fixed) = (bodies.iter().sum::<usize>(), fixed_part(&exchanged));
    let [arrays, objects] = [Bags::Arrays, Bags::Objects].map(|bags| packed(json_lines(phone, bags).as_bytes()));
    let each = |bytes: usize| format!("{:.1} B", bytes as f64 / count as f64);
    let mut add = |what: String, bytes: usize, floor: usize, reach: &str| {
        let cells = [each(bytes), each(floor), ratio(bytes as f64, floor as f64), reach.to_owned()];
        table.line(what, cells, count);
    };
    add(format!("push {count}: bodies up, a delivery; bags as JSON arrays"), sum, arrays, reach);
    add("  beside JSON with an object a bag".to_owned(), sum, objects, "–");
    let above = format!("  above the fixed {fixed} B, in {} request(s)", bodies.len());
    add(above, sum.saturating_sub(fixed), arrays, if count >= 1_000 { "≤ 100 B" } else { "–" });
    if bodies.len() > 1 {
        add("  if it were one stream".to_owned(), one_stream(&exchanged), arrays, "–");
    }
    let mut whole = |what: &str, bytes: usize, reach: &str| {
        table.line(what, [format!("{bytes} B"), none(), none(), reach.to_owned()], 1);
    };
    if count == PER_DAY {
        whole("  the whole body", sum, "≤ 7168 B");
    }
    let before: usize = exchanged.iter().filter(|it| it.response.status == 401).map(|it| it.request.body.len()).sum();
    if before > 0 {
        whole("  before that, for a fresh challenge", before, "–");
    }
}

pub(crate) fn packed(bytes: &[u8]) -> usize {
    zstd::bulk::compress(bytes, LEVEL).expect("it packs").len()
}

/// Compressed size of the bundles of several requests in one request, which would exceed the limit.
fn one_stream(exchanged: &[Exchanged]) -> usize {
    let answered = exchanged.iter().filter(|it| it.response.status == 200);
    let mut requests = answered.map(|it| message::unpack::<SyncRequest>(&it.request.body).expect("a request"));
    let mut whole = requests.next().expect("a request");
    requests.for_each(|request| whole.bundles.extend(request.bundles));
    packed(&encode(&whole))
}

#[derive(Clone, Copy)]
pub(crate) enum Bags {
    /// Grams, seconds before the next bag, type and source as numbers.
    Arrays,
    /// Named fields, with the bag's number and its time in milliseconds.
    Objects,
}

/// Returns the deliveries that a phone recorded itself, as JSON lines.
pub(crate) fn json_lines(phone: &Phone, bags: Bags) -> String {
    let peek = floor::open(&phone.database());
    let session = phone.client().session().expect("a session");
    let mut lines = String::new();
    for id in &phone.recorded {
        let view = phone.client().delivery(*id).expect("a delivery");
        let query = "SELECT recorded_at_ms, receipt_seq FROM deliveries WHERE delivery_id = ?1";
        let integer = |value: &rusqlite::types::Value| match value {
            rusqlite::types::Value::Integer(value) => *value,
            other => panic!("not a number: {other:?}"),
        };
        let row: Vec<i64> = floor::row(&peek, query, [id]).iter().map(integer).collect();
        let text = |id: Option<String>| id.map_or(Value::Null, Value::String);
        let location = view.location.expect("a location");
        let line = json!({
            "user_id": session.user_id.to_string(),
            "device": session.device_code.to_string(),
            "centre": view.centre.to_string(),
            "season": view.season.to_string(),
            "commodity": view.commodity.to_string(),
            "rule_set": 1,
            "load_id": text(view.load_id.map(|id| id.to_string())),
            "business_date": view.business_date.to_string(),
            "delivery_id": id.to_string(),
            "recorded_at_ms": row[0],
            "receipt": row[1],
            "farmer_id": text(view.farmer_id.map(|id| id.to_string())),
            "moisture": view.readings.iter().map(|it| moisture_of(&it.measured)).collect::<Vec<_>>(),
            "location": [location.latitude_e7, location.longitude_e7],
            "accuracy_cm": location.accuracy_cm,
            "age_ms": location.age_ms,
            "bags": match bags {
                Bags::Arrays => json!(bag_arrays(&view, row[0])),
                Bags::Objects => bag_objects(&view),
            },
        });
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    lines
}

fn moisture_of(measured: &Measured) -> i32 {
    let Measured::Moisture(moisture) = measured else { panic!("only moisture is read") };
    moisture.hundredths()
}

fn bag_objects(view: &DeliveryView) -> Value {
    let bags = view.bags.iter().map(|bag| {
        json!({
            "number": bag.number,
            "gross_g": bag.gross_g.0,
            "bag_type": bag.bag_type.number(),
            "source": bag.source as i64,
            "weighed_at_ms": bag.weighed_at.0,
        })
    });
    bags.collect()
}

fn bag_arrays(view: &DeliveryView, recorded_at_ms: i64) -> Vec<[i64; 4]> {
    let mut later_ms = recorded_at_ms;
    let mut bags = Vec::new();
    for bag in view.bags.iter().rev() {
        let seconds = (later_ms - bag.weighed_at.0) / 1000;
        later_ms = bag.weighed_at.0;
        bags.push([bag.gross_g.0, seconds, i64::from(bag.bag_type.number()), bag.source as i64]);
    }
    bags.reverse();
    bags
}

/// Measures a working day: sixty deliveries up, two hundred of four others down.
pub(crate) fn working_day(world: &mut World, table: &mut Table) {
    let mut phone = world.phone("farida", Loads::Others, Place::Memory);
    let mut others: Vec<Phone> = ["gopal", "hema", "indu", "javed"]
        .map(|name| world.phone(name, Loads::Others, Place::Memory))
        .into_iter()
        .collect();
    for other in &mut others {
        other.weighs(50);
    }
    phone.syncs();
    for other in &others {
        other.syncs();
    }
    phone.weighs(PER_DAY);
    let (report, exchanged) = phone.syncs();
    let bytes: usize = exchanged.iter().map(Exchanged::bytes).sum();
    let (up, down) = (report.progress.logged, report.progress.received);
    let what = format!("a working day: {up} changes up, {down} down, {} request(s)", exchanged.len());
    table.line(what, [format!("{bytes} B"), none(), none(), "≤ 16384 B".to_owned()], 1);
}

/// Measures fifty deliveries on each of two phones, and the three syncs after which both have all.
pub(crate) fn two_phones(world: &mut World, table: &mut Table) {
    let mut phones = ["kiran", "lata"].map(|name| world.phone(name, Loads::Others, Place::Memory));
    for phone in &mut phones {
        phone.weighs(50);
    }
    let [first, second] = &phones;
    let syncs = [first, second, first].map(Phone::syncs);
    let received: u64 = syncs.iter().map(|(report, _)| report.progress.received).sum();
    let bytes: usize = syncs.iter().flat_map(|(_, exchanged)| exchanged).map(Exchanged::bytes).sum();
    let what = format!("two phones record 50 each; three syncs, {received} changes received");
    table.line(what, [format!("{bytes} B"), none(), none(), "≤ 30000 B".to_owned()], 1);
}
