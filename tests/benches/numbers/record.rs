//! Adding a bag and recording a delivery, compared with the same rows by plain rusqlite.
//!
//! The floor writes, one round later, what the phone wrote, so that they can alternate and neither always goes first.

use std::time::{Duration, Instant};

use farmtally_core::rules::Check;
use farmtally_core::units::DeliveryId;
use rusqlite::Connection;

use crate::Sizes;
use crate::floor::{self, Floor, Values};
use crate::table::{Samples, Table, micros, none};
use crate::world::{BAGS, Loads, Phone, Place, World, settle};

/// Rows that one delivery left on the phone's disk.
struct Written {
    /// The draft after each step: id, version, body.
    draft: Vec<Values>,
    document: Values,
    delivery: Values,
    outbox: Values,
    counters: Values,
}

const SELECT_DRAFT: &str = "SELECT delivery_id, version, body FROM drafts WHERE delivery_id = ?1";
const INSERT_DRAFT: &str = "INSERT INTO drafts (delivery_id, version, body) VALUES (?1, ?2, ?3)";
const UPDATE_DRAFT: &str = "UPDATE drafts SET version = ?2, body = ?3 WHERE delivery_id = ?1";
const DELETE_DRAFT: &str = "DELETE FROM drafts WHERE delivery_id = ?1";
const SELECT_OUTBOX: &str =
    "SELECT action, author_id, grant_id, device_cursor, document_id, kind, scope, change, created_at_ms FROM outbox
     WHERE document_id = ?1";
const INSERT_OUTBOX: &str =
    "INSERT INTO outbox (action, author_id, grant_id, device_cursor, document_id, kind, scope, change, created_at_ms)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const SELECT_COUNTERS: &str = "SELECT receipts, loads, farmers, actions, hybrid_ms, hybrid_counter, idle_ms, phone_time_ms, boot_ms, boot_id, seen_at_ms FROM counters";
const UPDATE_COUNTERS: &str =
    "UPDATE counters SET receipts = ?1, loads = ?2, farmers = ?3, actions = ?4, hybrid_ms = ?5, hybrid_counter = ?6,
    idle_ms = ?7, phone_time_ms = ?8, boot_ms = ?9, boot_id = ?10, seen_at_ms = ?11";

impl Written {
    fn record(&self, floor: &mut Floor) {
        floor.write(|db| {
            floor::run(db, floor::INSERT_DOCUMENT, &self.document)?;
            floor::run(db, floor::INSERT_DELIVERY, &self.delivery)?;
            floor::run(db, INSERT_OUTBOX, &self.outbox)?;
            floor::run(db, UPDATE_COUNTERS, &self.counters)?;
            floor::run(db, DELETE_DRAFT, &vec![self.document[0].clone()])
        });
    }

    fn save_draft(&self, floor: &mut Floor, step: usize) {
        let statement = if step == 0 { INSERT_DRAFT } else { UPDATE_DRAFT };
        floor.write(|db| floor::run(db, statement, &self.draft[step]));
    }
}

/// Times of the phone and of the floor, in this order.
#[derive(Default)]
pub(crate) struct Recorded {
    bag: [Samples; 2],
    record: [Samples; 2],
    view: Samples,
}

impl Recorded {
    /// Adds the table's rows for a phone that syncs often.
    fn rows_in_step(&self, table: &mut Table) {
        let [bag, bag_floor] = &self.bag;
        let [record, record_floor] = &self.record;
        table.times("record a delivery", record, record_floor, ["≤ 1.35×", "≤ 1.5×"]);
        let cells = [micros(self.view.median_us()), none(), none(), none()];
        table.line("  reading its view again", cells, self.view.len());
        table.times("add a bag to a draft", bag, bag_floor, ["≤ 1.3×", "–"]);
    }

    /// Adds the table's rows for a phone with a backlog of `unsent` deliveries.
    pub(crate) fn rows(&self, table: &mut Table, unsent: usize) {
        let [record, record_floor] = &self.record;
        let what = format!("record a delivery, {unsent} unsent");
        table.times(&what, record, record_floor, ["–", "–"]);
        let cells = [micros(self.view.median_us()), none(), none(), none()];
        table.line("  reading its view again", cells, self.view.len());
    }
}

struct Pair {
    phone: Phone,
    floor: Floor,
    /// Connection that reads what the phone wrote.
    peek: Connection,
    /// What the phone wrote in the round before.
    before: Vec<Written>,
}

impl Pair {
    fn new(phone: Phone, world: &World, name: &str) -> Self {
        let floor = Floor::copy_of(&phone.database(), &world.path(name));
        let peek = floor::open(&phone.database());
        Self { phone, floor, peek, before: Vec::new() }
    }

    /// Runs one round. Without a round before it, the floor has nothing to write, and nothing is measured.
    fn round(&mut self, deliveries: usize, times: &mut Recorded) {
        let before = std::mem::take(&mut self.before);
        for number in 0..deliveries {
            let written = self.deliver(number, before.get(number), times);
            self.before.push(written);
        }
    }

    fn deliver(&mut self, number: usize, replay: Option<&Written>, times: &mut Recorded) -> Written {
        let Self { phone, floor, peek, .. } = self;
        let mut view = phone.starts();
        let id = view.delivery_id;
        let mut draft = vec![floor::row(peek, SELECT_DRAFT, [id])];
        if let Some(replay) = replay {
            replay.save_draft(floor, 0);
        }
        for step in 1..=BAGS {
            let (bag, basis) = ([phone.next_bag()], view.basis);
            let took = in_turn(
                number + step,
                || view = phone.client().edit_draft(basis, &bag).expect("a bag"),
                replay.map(|replay| || replay.save_draft(floor, step)),
            );
            add(&mut times.bag, took);
            floor.rest();
            draft.push(floor::row(peek, SELECT_DRAFT, [id]));
        }
        let steps = phone.last_steps();
        view = phone.client().edit_draft(view.basis, &steps).expect("the last steps");
        draft.push(floor::row(peek, SELECT_DRAFT, [id]));
        if let Some(replay) = replay {
            replay.save_draft(floor, BAGS + 1);
        }
        let took = in_turn(
            number,
            || drop(phone.client().record_delivery(view.basis, &Check::ALL).expect("recorded")),
            replay.map(|replay| || replay.record(floor)),
        );
        add(&mut times.record, took);
        if replay.is_some() {
            let begun = Instant::now();
            drop(phone.client().delivery(id).expect("a view"));
            times.view.push(begun.elapsed());
        }
        phone.recorded.push(id);
        written(peek, id, draft)
    }
}

fn written(peek: &Connection, id: DeliveryId, draft: Vec<Values>) -> Written {
    Written {
        draft,
        document: floor::row(peek, floor::SELECT_DOCUMENT, [id]),
        delivery: floor::row(peek, floor::SELECT_DELIVERY, [id]),
        outbox: floor::row(peek, SELECT_OUTBOX, [id]),
        counters: floor::row(peek, SELECT_COUNTERS, []),
    }
}

/// Runs and times both, `measured` first in even turns, and returns both times in the arguments' order. Without a floor, only runs
/// `measured`, and returns `None`.
pub(crate) fn in_turn(turn: usize, measured: impl FnOnce(), floor: Option<impl FnOnce()>) -> Option<[Duration; 2]> {
    settle();
    let Some(floor) = floor else {
        measured();
        return None;
    };
    if turn.is_multiple_of(2) {
        let measured = time(measured);
        // A checkpoint that the call began must not slow down the floor.
        settle();
        Some([measured, time(floor)])
    } else {
        let floor = time(floor);
        Some([time(measured), floor])
    }
}

fn time(f: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    f();
    begun.elapsed()
}

pub(crate) fn add(samples: &mut [Samples; 2], took: Option<[Duration; 2]>) {
    for (samples, took) in samples.iter_mut().zip(took.into_iter().flatten()) {
        samples.push(took);
    }
}

/// Measures a phone that syncs after every round.
pub(crate) fn bags_and_deliveries(world: &mut World, sizes: &Sizes, table: &mut Table) {
    let phone = world.phone("asha", Loads::Opened, Place::Disk);
    let mut pair = Pair::new(phone, world, "asha-floor.db");
    let mut times = Recorded::default();
    for _ in 0..=sizes.rounds {
        pair.round(sizes.per_round, &mut times);
        pair.phone.syncs();
        pair.floor.write(|db| db.execute("DELETE FROM outbox", []).map(drop));
        pair.floor.rest();
    }
    times.rows_in_step(table);
}

/// Measures a phone that has not synced for months. Returns it, still unsent.
pub(crate) fn behind_a_backlog(world: &mut World, sizes: &Sizes) -> (Phone, Recorded) {
    let measured = sizes.per_round * (sizes.backlog_rounds + 1);
    let mut phone = world.phone("bela", Loads::Others, Place::Memory);
    phone.weighs(sizes.push - measured);
    let phone = phone.moves_to(world.path("bela"));
    let mut pair = Pair::new(phone, world, "bela-floor.db");
    let mut times = Recorded::default();
    for _ in 0..=sizes.backlog_rounds {
        pair.round(sizes.per_round, &mut times);
    }
    (pair.phone, times)
}
