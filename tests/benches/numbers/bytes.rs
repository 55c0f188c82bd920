//! What goes over the wire: a large push beside the same rows as JSON lines, a working day, a sync with nothing to say.

use ed25519_dalek::SigningKey;
use farmtally_core::client::DeliveryView;
use farmtally_core::sync::bundle::Bundle;
use farmtally_core::sync::message::{self, SyncRequest};
use serde_json::{Value, json};

use crate::Sizes;
use crate::floor;
use crate::table::{Samples, Table, micros, none, ratio};
use crate::world::{Exchanged, Loads, PER_DAY, Phone, World};

/// The level that the wire uses.
const LEVEL: i32 = 3;

/// Bodies of the requests that were answered; a request that only fetched a fresh challenge is counted apart.
fn bodies_up(exchanged: &[Exchanged]) -> Vec<usize> {
    exchanged.iter().filter(|it| it.response.status == 200).map(|it| it.request.body.len()).collect()
}

/// What a request costs before its first delivery: cursors, one sealed bundle with nothing in it.
fn fixed_part(exchanged: &[Exchanged]) -> usize {
    let request = &exchanged.first().expect("a request").request;
    let mut request: SyncRequest = message::unpack(&request.body).expect("a request");
    let bundle = Bundle::parse(request.bundles.first().expect("a bundle")).expect("a bundle");
    let empty = Bundle::seal(bundle.header, Vec::new(), &SigningKey::from_bytes(&[7; 32]));
    request.bundles = vec![empty.to_bytes().into()];
    message::pack(&request).expect("a body").len()
}

/// Pushes one delivery, sixty, and all that the phone has; each beside its rows as JSON lines.
pub(crate) fn push(world: &mut World, phone: Phone, table: &mut Table) {
    let mut one = world.phone("chand", Loads::Others);
    one.weighs(1);
    let mut sixty = world.phone("divya", Loads::Others);
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
    let lines = json_lines(phone);
    let floor = zstd::bulk::compress(lines.as_bytes(), LEVEL).expect("it packs").len();
    let each = |bytes: usize| format!("{:.1} B", bytes as f64 / count as f64);
    let all = format!("push {count}: bodies up, a delivery");
    let cells = [each(sum), each(floor), ratio(sum as f64, floor as f64), reach.to_owned()];
    table.line(all, cells, count);
    let reach = if count >= 1_000 { "≤ 100 B" } else { "–" };
    let above = format!("  above the fixed {fixed} B, in {} request(s)", bodies.len());
    let above_bytes = sum.saturating_sub(fixed);
    let cells = [each(above_bytes), each(floor), ratio(above_bytes as f64, floor as f64), reach.to_owned()];
    table.line(above, cells, count);
    if count == PER_DAY {
        let cells = [format!("{sum} B"), format!("{floor} B"), ratio(sum as f64, floor as f64), "≤ 7168 B".to_owned()];
        table.line("  the whole body", cells, 1);
    }
    let wasted: usize = exchanged.iter().filter(|it| it.response.status == 401).map(|it| it.request.body.len()).sum();
    if wasted > 0 {
        let cells = [format!("{wasted} B"), none(), none(), none()];
        table.line("  sent in vain, for a fresh challenge", cells, 1);
    }
}

/// The same facts as JSON lines: bags as arrays of grams, seconds since the bag before, type and source.
fn json_lines(phone: &Phone) -> String {
    let peek = floor::open(&phone.database());
    let session = phone.client.session().expect("a session");
    let mut lines = String::new();
    for id in &phone.recorded {
        let view = phone.client.delivery(*id).expect("a delivery");
        let query = "SELECT recorded_at_ms, receipt_seq, rule_set FROM deliveries WHERE delivery_id = ?1";
        let integer = |value: &rusqlite::types::Value| match value {
            rusqlite::types::Value::Integer(value) => *value,
            other => panic!("not a number: {other:?}"),
        };
        let row: Vec<i64> = floor::row(&peek, query, [id]).iter().map(integer).collect();
        let text = |id: Option<String>| id.map_or(Value::Null, Value::String);
        let position = view.position.expect("a position");
        let line = json!({
            "user_id": session.user.to_string(),
            "device": session.device_code.to_string(),
            "zone_minutes": 330,
            "centre": view.centre.to_string(),
            "season": view.season.to_string(),
            "commodity": view.commodity.to_string(),
            "rule_set": row[2],
            "load_id": text(view.load_id.map(|id| id.to_string())),
            "business_date": view.business_date.to_string(),
            "delivery_id": id.to_string(),
            "recorded_at_ms": row[0],
            "receipt": row[1],
            "farmer_id": text(view.farmer_id.map(|id| id.to_string())),
            "moisture": view.readings.iter().map(|it| it.hundredths()).collect::<Vec<_>>(),
            "position": [position.latitude_e7, position.longitude_e7],
            "accuracy_cm": position.accuracy_cm,
            "age_ms": position.age_ms,
            "bags": bags(&view, row[0]),
        });
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    lines
}

fn bags(view: &DeliveryView, recorded_at_ms: i64) -> Vec<[i64; 4]> {
    let mut later_ms = recorded_at_ms;
    let mut bags = Vec::new();
    for bag in view.bags.iter().rev().map(|bag| &bag.bag) {
        let seconds = (later_ms - bag.weighed_at.0) / 1000;
        later_ms = bag.weighed_at.0;
        bags.push([bag.gross.grams().0, seconds, i64::from(bag.bag_type.number()), bag.source as i64]);
    }
    bags.reverse();
    bags
}

/// Sixty deliveries up, two hundred of four others down.
pub(crate) fn working_day(world: &mut World, table: &mut Table) {
    let mut phone = world.phone("farida", Loads::Others);
    let mut others: Vec<Phone> =
        ["gopal", "hema", "indu", "javed"].map(|name| world.phone(name, Loads::Others)).into_iter().collect();
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

/// Syncs without news either way.
pub(crate) fn nothing_to_say(world: &mut World, sizes: &Sizes, table: &mut Table) {
    let phone = world.phone("kavya", Loads::Others);
    let mut server = Samples::default();
    let mut bytes = 0;
    for _ in 0..sizes.idle_syncs {
        let (_, exchanged) = phone.syncs();
        bytes = bytes.max(exchanged.iter().map(Exchanged::bytes).sum());
        exchanged.iter().for_each(|it| server.push(it.took));
    }
    let cells = [format!("{bytes} B"), none(), none(), "≤ 600 B".to_owned()];
    table.line("a sync with nothing to say: bodies and authorization", cells, sizes.idle_syncs);
    let cells = [micros(server.median_us()), none(), none(), "≤ 5000 µs".to_owned()];
    table.line("  the server's time, median", cells, server.len());
}
