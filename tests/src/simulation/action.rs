//! The actions of a schedule: what people do, and which faults happen to phones and the server.
//!
//! To add one: a function of the world and a phone, and a line in `ACTIONS`. A call that promises a fact is made with
//! [`World::expect_durable`]; any other result is classified with [`World::observe`].

use ed25519_dalek::SigningKey;
use farmtally_core::client::{DeliveryEdit, DraftEdit, FarmerInput, FarmerQuery, LoadEdit, OpenLoad, StartDraft};
use farmtally_core::environment::Clock;
use farmtally_core::protocol::authorization::{Authorization, SignedRequest};
use farmtally_core::protocol::message::{self, ChallengeResponse};
use farmtally_core::records::delivery::PrintMedium;
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::records::load::LoadState;
use farmtally_core::records::{Load, PaperEntry};
use farmtally_core::rules::Check;
use farmtally_core::store::rows::FarmerRow;
use farmtally_core::sync::WireRequest;
use farmtally_core::units::{DeliveryId, LoadId, Timestamp};
use rand::RngExt;
use rand::rngs::StdRng;

use super::farmer;
use super::faults;
use super::handover;
use super::money;
use super::office;
use super::oracle::{ActMatcher, FactKind, Later, Replica};
use super::server::NetworkFault;
use super::simple;
use super::world::{CallOutcome, World};
use crate::market::ADDRESS;
use crate::{Forger, bag, forgotten_bag, moisture, reason, track_point};

/// One kind of step.
pub struct Action {
    /// Name in trace and coverage.
    pub name: &'static str,
    /// Relative frequency.
    pub weight: u32,
    /// Does it, on the phone of this number if it concerns one.
    pub act: fn(&mut World, usize),
}

/// All actions of a schedule.
pub const ACTIONS: &[Action] = &[
    Action { name: "registers", weight: 4, act: registers },
    Action { name: "changes a farmer", weight: 4, act: farmer::changes },
    Action { name: "writes and sees payout details", weight: 3, act: farmer::pays },
    Action { name: "weighs", weight: 16, act: weighs },
    Action { name: "finishes a draft", weight: 3, act: finishes },
    Action { name: "adds a bag", weight: 8, act: adds_bag },
    Action { name: "voids a bag", weight: 4, act: voids_bag },
    Action { name: "moves", weight: 8, act: moves },
    Action { name: "puts a bag apart", weight: 6, act: puts_apart },
    Action { name: "voids", weight: 4, act: voids },
    Action { name: "two change one at once", weight: 6, act: two_at_once },
    Action { name: "adds to a delivery", weight: 6, act: adds_later },
    Action { name: "opens", weight: 5, act: opens },
    Action { name: "joins", weight: 5, act: joins },
    Action { name: "closes", weight: 4, act: closes },
    Action { name: "steps", weight: 5, act: steps },
    Action { name: "records another kind", weight: 5, act: simple::records_another },
    Action { name: "withdraws", weight: 2, act: simple::withdraws },
    Action { name: "pays an advance", weight: 8, act: money::pays },
    Action { name: "syncs", weight: 26, act: syncs },
    Action { name: "carries", weight: 4, act: carries },
    Action { name: "hands over", weight: 4, act: handover::hands_over },
    Action { name: "hands a stick to the office", weight: 2, act: handover::hands_to_office },
    Action { name: "restarts", weight: 3, act: faults::restarts },
    Action { name: "folds back", weight: 3, act: faults::folds_back },
    Action { name: "clock jumps", weight: 4, act: faults::clock_jumps },
    Action { name: "clock is set right", weight: 2, act: faults::clock_is_set_right },
    Action { name: "is switched off", weight: 3, act: faults::is_switched_off },
    Action { name: "is upgraded", weight: 3, act: faults::is_upgraded },
    Action { name: "server restarts", weight: 2, act: faults::server_restarts },
    Action { name: "server folds back", weight: 2, act: faults::server_folds_back },
    Action { name: "server clock jumps", weight: 1, act: faults::server_clock_jumps },
    Action { name: "enrols", weight: 4, act: faults::enrols },
    Action { name: "is copied", weight: 2, act: faults::is_copied },
    Action { name: "goes back to a copy", weight: 1, act: faults::goes_back },
    Action { name: "is cloned", weight: 2, act: faults::is_cloned },
    Action { name: "server is copied", weight: 3, act: faults::server_is_copied },
    Action { name: "server is backed up", weight: 7, act: faults::server_is_backed_up },
    Action { name: "server goes back", weight: 4, act: faults::server_goes_back },
    Action { name: "leases", weight: 4, act: money::leases },
    Action { name: "revokes", weight: 3, act: office::revokes },
    Action { name: "grants", weight: 3, act: office::grants },
    Action { name: "suspends", weight: 2, act: office::suspends },
    Action { name: "lifts", weight: 2, act: office::lifts },
    Action { name: "loses", weight: 3, act: office::loses },
    Action { name: "finds", weight: 3, act: office::finds },
    Action { name: "wipes", weight: 2, act: office::wipes },
    Action { name: "decides", weight: 4, act: office::decides },
    Action { name: "erases", weight: 3, act: office::erases },
    Action { name: "publishes", weight: 6, act: office::publishes },
    Action { name: "changes hands", weight: 7, act: office::changes_hands },
    Action { name: "recovery ends", weight: 3, act: office::recovery_ends },
];

/// Actions that are left out, each with the reason.
pub const LEFT_OUT: &[(&str, &str)] = &[
    ("the server is upgraded", "there is no older one yet, see tests/versions.rs"),
    (
        "server goes back with an older journal after device codes were given out",
        "it may give the same codes out again: nothing tells it before a phone does",
    ),
    (
        "the farmer of a delivery is corrected",
        "the phone may die within the call, and only it knew the id of the new delivery: see tests/killed.rs",
    ),
    (
        "a draft of a copy, recorded since",
        "the draft continues under another id when the record comes back; people throw it away",
    ),
];

/// Draws an action by weight. Returns its index in [`ACTIONS`].
pub fn pick(rng: &mut StdRng) -> usize {
    let all = ACTIONS.iter().map(|action| action.weight).sum();
    let mut left = rng.random_range(0..all);
    for (index, action) in ACTIONS.iter().enumerate() {
        match left.checked_sub(action.weight) {
            Some(less) => left = less,
            None => return index,
        }
    }
    0
}

const NAMES: [&str; 3] = ["Lakshmi Devi", "Ramesh Gowda", "Meena Kumari"];
const LORRIES: [&str; 3] = ["KA07A1111", "KA07A2222", "KA07A3333"];

/// A farmer whose only unique value is the telephone number.
fn any_farmer_input(world: &mut World, who: usize) -> FarmerInput {
    let centre = world.centre(who);
    let name = NAMES[world.rng.random_range(0..NAMES.len())].to_owned();
    let village = if world.once_in(2) { "Vemagal" } else { "Kyalanur" };
    // Unique, so that the check can search for it once the farmer is erased.
    let phone = format!("+9198450{}", world.unique_numbers(1)[0]);
    let details = ContactDetails { name, village: village.into(), phone, ..ContactDetails::default() };
    FarmerInput { centre, details, tags: Vec::new() }
}

pub(super) fn registers(world: &mut World, who: usize) {
    let input = any_farmer_input(world, who);
    let phone = input.details.phone.clone();
    let result = world.phones[who].client().register_farmer(&input, &[Check::FarmerLooksAlike]);
    if let CallOutcome::Done(view) = world.observe(who, "registers a farmer", result) {
        world.expect_durable(who, FactKind::Registered { farmer: view.farmer_id, phone }, |_| Ok(()));
    }
}

pub(super) fn any_farmer(world: &mut World, who: usize) -> Option<FarmerRow> {
    let centre = world.centre(who);
    let result = world.phones[who].client().farmers(&FarmerQuery { limit: 20, ..FarmerQuery::new(centre, "") });
    let CallOutcome::Done(farmers) = world.observe(who, "looks for a farmer", result) else { return None };
    world.picks(&farmers.items)
}

/// Draws a load of any phone; `None` if this phone does not know it.
pub(super) fn any_load_here(world: &mut World, who: usize) -> Option<LoadId> {
    let loads = world.loads.clone();
    let (load, _) = world.picks(&loads)?;
    world.phones[who].client().load(load).is_ok().then_some(load)
}

pub(super) fn weighs(world: &mut World, who: usize) {
    let Some(farmer) = any_farmer(world, who).map(|row| row.farmer_id) else { return registers(world, who) };
    let load = if world.once_in(2) { any_load_here(world, who) } else { None };
    let input = StartDraft {
        centre: world.centre(who),
        commodity: "TOMATO".parse().expect("a code"),
        farmer_id: Some(farmer),
        load_id: load,
        replaces: None,
    };
    let result = world.phones[who].client().start_draft(input);
    let CallOutcome::Done(mut draft) = world.observe(who, "starts a draft", result) else { return };
    let id = draft.delivery_id;
    world.phones[who].drafts.insert(id, Vec::new());
    let count = world.rng.random_range(1..=3);
    for grams in world.unique_numbers(count) {
        let mut steps = vec![bag(grams)];
        if world.once_in(8) {
            let book = "BOOK1".parse().expect("a code");
            let serial = world.rng.random_range(1..=20);
            steps.push(DraftEdit::SetPaperEntry(Some(PaperEntry { book, serial })));
        }
        let result = world.phones[who].client().edit_draft(draft.basis, &steps);
        let CallOutcome::Done(after) = world.observe(who, &format!("calls out {grams} g"), result) else { return };
        draft = after;
        world.phones[who].drafts.get_mut(&id).expect("a draft").push(grams);
    }
    if !world.once_in(12) {
        records(world, who, id);
    }
}

fn finishes(world: &mut World, who: usize) {
    let drafts: Vec<DeliveryId> = world.phones[who].drafts.keys().copied().collect();
    if let Some(draft) = world.picks(&drafts) {
        records(world, who, draft);
    }
}

fn records(world: &mut World, who: usize, delivery: DeliveryId) {
    let result = world.phones[who].client().delivery(delivery);
    let CallOutcome::Done(view) = world.observe(who, "looks at a draft", result) else { return };
    let bags = view.bags.iter().map(|bag| bag.gross_g.0).collect();
    let farmer = view.farmer_id.expect("a farmer");
    let what = FactKind::Recorded { delivery, farmer, date: view.business_date, load: view.load_id, bags };
    let done = world.expect_durable(who, what, |client| client.record_delivery(view.basis, &Check::ALL));
    if done.is_some() {
        world.phones[who].drafts.remove(&delivery);
    }
}

/// Draws a delivery of any phone, mostly one of the two newest, so that phones change the same ones. Not every phone knows it.
pub(super) fn any_delivery(world: &mut World) -> Option<DeliveryId> {
    let mut known = world.recorded_deliveries();
    if !world.once_in(3) {
        known.drain(..known.len().saturating_sub(2));
    }
    world.picks(&known)
}

fn adds_bag(world: &mut World, who: usize) {
    if let Some(delivery) = any_delivery(world) {
        adds_bag_to(world, who, delivery);
    }
}

pub(super) fn adds_bag_to(world: &mut World, who: usize, delivery: DeliveryId) {
    let Ok(view) = world.phones[who].client().delivery(delivery) else { return };
    let grams = world.unique_numbers(1)[0];
    world.expect_durable(who, FactKind::BagAdded { delivery, grams }, |client| {
        client.amend_delivery(view.basis, &reason("bag_forgotten"), &[forgotten_bag(grams)])
    });
}

fn voids_bag(world: &mut World, who: usize) {
    if let Some(delivery) = any_delivery(world) {
        voids_bag_in(world, who, delivery);
    }
}

fn voids_bag_in(world: &mut World, who: usize, delivery: DeliveryId) {
    let Ok(view) = world.phones[who].client().delivery(delivery) else { return };
    let standing: Vec<(String, i64)> =
        view.bags.iter().filter(|bag| bag.voids.is_empty()).map(|bag| (bag.bag_id.clone(), bag.gross_g.0)).collect();
    let Some((bag_id, grams)) = world.picks(&standing) else { return };
    let edit = DeliveryEdit::VoidBag { bag_id, reason: reason("mistyped") };
    world.expect_durable(who, FactKind::BagVoided { delivery, grams }, |client| {
        client.amend_delivery(view.basis, &reason("mistyped"), &[edit])
    });
}

fn moves(world: &mut World, who: usize) {
    if let Some(delivery) = any_delivery(world) {
        moves_it(world, who, delivery);
    }
}

fn puts_apart(world: &mut World, who: usize) {
    if let Some(delivery) = any_delivery(world) {
        puts_apart_of(world, who, delivery);
    }
}

fn puts_apart_of(world: &mut World, who: usize, delivery: DeliveryId) {
    let Ok(view) = world.phones[who].client().delivery(delivery) else { return };
    let standing: Vec<(String, i64)> =
        view.bags.iter().filter(|bag| bag.voids.is_empty()).map(|bag| (bag.bag_id.clone(), bag.gross_g.0)).collect();
    let Some((bag_id, grams)) = world.picks(&standing) else { return };
    let mut here = loads_here(world, who);
    let client = world.phones[who].client();
    here.retain(|load| client.load(*load).is_ok_and(|it| matches!(it.state, LoadState::Planned | LoadState::Open)));
    let load = if world.once_in(4) { None } else { world.picks(&here) };
    let sign = ActMatcher::after(view.amendments.iter().map(|act| act.stamp).collect());
    world.expect_durable(who, FactKind::PutApart { delivery, grams, load, sign }, |client| {
        let edit = DeliveryEdit::SetLoadOfBags { load_id: load, ids: vec![bag_id], overload_reason: None };
        client.amend_delivery(view.basis, &reason("no_room"), &[edit])
    });
}

fn loads_here(world: &World, who: usize) -> Vec<LoadId> {
    let client = world.phones[who].client();
    world.loads.iter().filter(|(load, _)| client.load(*load).is_ok()).map(|(load, _)| *load).collect()
}

fn moves_it(world: &mut World, who: usize, delivery: DeliveryId) {
    let Ok(view) = world.phones[who].client().delivery(delivery) else { return };
    let here = loads_here(world, who);
    let load = if world.once_in(4) { None } else { world.picks(&here) };
    let sign = ActMatcher::after(view.amendments.iter().map(|act| act.stamp).collect());
    world.expect_durable(who, FactKind::Moved { delivery, load, sign }, |client| {
        client.amend_delivery(view.basis, &reason("wrong_load"), &[DeliveryEdit::SetLoad(load)])
    });
}

fn voids(world: &mut World, who: usize) {
    if let Some(delivery) = any_delivery(world) {
        voids_it(world, who, delivery);
    }
}

fn voids_it(world: &mut World, who: usize, delivery: DeliveryId) {
    let Ok(view) = world.phones[who].client().delivery(delivery) else { return };
    world.expect_durable(who, FactKind::Voided { delivery }, |client| {
        client.void_delivery(view.basis, &reason("rejected"))
    });
}

/// Adds a reading or a print to a delivery.
fn adds_later(world: &mut World, who: usize) {
    let Some(delivery) = any_delivery(world) else { return };
    let Ok(view) = world.phones[who].client().delivery(delivery) else { return };
    let Some(shown) = Replica::new(world.phones[who].looks()).delivery(delivery) else { return };
    let what = [Later::Reading, Later::Print][world.rng.random_range(0..2)];
    let sign = ActMatcher::after(what.stamps(&shown));
    world.expect_durable(who, FactKind::Added { delivery, what, sign }, |client| match what {
        Later::Reading => client.add_readings(view.basis, &[moisture(1_450)]),
        Later::Print => client.record_print(view.basis, PrintMedium::Paper),
    });
}

/// Two phones change one delivery without knowing of each other's change.
fn two_at_once(world: &mut World, who: usize) {
    let neighbours =
        world.unwiped().into_iter().filter(|other| *other != who && world.centre(*other) == world.centre(who));
    let neighbours: Vec<usize> = neighbours.collect();
    let Some(other) = world.picks(&neighbours) else { return };
    let is_on = |phone: usize, delivery: &DeliveryId| world.phones[phone].client().delivery(*delivery).is_ok();
    let mut both = world.recorded_deliveries();
    both.retain(|delivery| is_on(who, delivery) && is_on(other, delivery));
    let Some(delivery) = world.picks(&both) else { return };
    let (first, second) = (world.rng.random_range(0..10), world.rng.random_range(0..10));
    let second = if world.once_in(2) { first } else { second };
    for (phone, change) in [(who, first), (other, second)] {
        match change {
            0 => voids_it(world, phone, delivery),
            1 => voids_bag_in(world, phone, delivery),
            2 | 3 => adds_bag_to(world, phone, delivery),
            4 | 5 => puts_apart_of(world, phone, delivery),
            _ => moves_it(world, phone, delivery),
        }
    }
}

pub(super) fn opens(world: &mut World, who: usize) {
    let input = OpenLoad {
        centre: world.centre(who),
        commodity: "TOMATO".parse().expect("a code"),
        lorry: LORRIES[world.rng.random_range(0..LORRIES.len())].parse().expect("a plate"),
        driver: None,
        destination: None,
        is_planned: false,
    };
    let result = world.phones[who].client().open_load(&input);
    if let CallOutcome::Done(view) = world.observe(who, "opens a load", result) {
        world.loads.push((view.load_id, view.join_code));
        world.expect_durable(who, FactKind::Opened { load: view.load_id }, |_| Ok(()));
    }
}

fn joins(world: &mut World, who: usize) {
    let loads = world.loads.clone();
    let Some((load, join_code)) = world.picks(&loads) else { return };
    let session = world.phones[who].client().session().expect("an enrolled phone");
    let what = FactKind::Joined { load, user: session.user_id, device: session.device_code };
    world.expect_durable(who, what, |client| client.join_load(&join_code));
}

fn closes(world: &mut World, who: usize) {
    let Some(load) = any_load_here(world, who) else { return };
    let Ok(view) = world.phones[who].client().load(load) else { return };
    let sign = ActMatcher::after(view.close_requests.iter().map(|request| request.stamp).collect());
    world.expect_durable(who, FactKind::CloseAsked { load, sign }, |client| {
        client.change_load(view.basis, &LoadEdit::RequestClose { manifest_hash: view.manifest_hash.clone() }, &[])
    });
}

/// Records a step of a load: mostly a stop or a seal, sometimes what ends its loading.
fn steps(world: &mut World, who: usize) {
    let Some(load) = any_load_here(world, who) else { return };
    let Ok(view) = world.phones[who].client().load(load) else { return };
    if view.state == LoadState::Dispatched && world.once_in(2) {
        return tracks(world, who, load);
    }
    let number = world.unique_numbers(1)[0];
    let step = match world.rng.random_range(0..20) {
        0 => LoadEdit::Depart { odometer_km: None },
        1 => LoadEdit::Arrive { odometer_km: Some(120_000) },
        2 => LoadEdit::Cancel { reason: reason("no_lorry") },
        3..10 => LoadEdit::AddStop { place: format!("Village {number}") },
        _ => LoadEdit::AddSeal { seal: format!("S-{number}") },
    };
    let sign = ActMatcher::after(view.timeline.iter().map(|event| event.stamp).collect());
    world.expect_durable(who, FactKind::Stepped { load, sign }, |client| {
        client.change_load(view.basis, &step, &Check::ALL)
    });
}

/// Adds two points to the track of a load, later than those that the phone knows.
fn tracks(world: &mut World, who: usize, load: LoadId) {
    let mut replica = Replica::new(world.phones[who].looks());
    let Some(shown) = replica.record(load.into()).and_then(|it| it.downcast_ref::<Load>()).cloned() else { return };
    let newest = shown.track.iter().flat_map(|piece| &piece.points).map(|point| point.at).max();
    let at = newest.map_or_else(|| world.phones[who].clock.now(), |newest| Timestamp(newest.0 + 60_000));
    let points = [at, Timestamp(at.0 + 60_000)].map(|at| {
        track_point(
            at,
            world.rng.random_range(130_000_000..131_000_000),
            world.rng.random_range(780_000_000..781_000_000),
        )
    });
    let sign = ActMatcher::after(shown.track.iter().map(|piece| piece.stamp).collect());
    world.expect_durable(who, FactKind::Tracked { load, sign }, |client| client.add_track(load, &points));
}

pub(super) fn syncs(world: &mut World, who: usize) {
    let plan = world.wire_plan();
    let meanwhile = world.once_in(4).then(|| (world.rng.random_range(0..4), any_farmer_input(world, who)));
    world.syncs_meanwhile(who, plan, meanwhile);
}

/// Any phone, perhaps this one, uploads some of this one's unanswered bundles, newest first; this one must still push them itself.
fn carries(world: &mut World, who: usize) {
    // A sync seals bundles when it starts, even without a network.
    world.syncs(who, vec![(NetworkFault::RequestLost, 0)]);
    if world.phones[who].machine.is_dead() {
        return;
    }
    let mut bundles: Vec<Vec<u8>> = {
        let mut statement = world.phones[who]
            .looks()
            .prepare("SELECT bytes FROM bundles WHERE is_answered = 0 ORDER BY bundle_seq DESC LIMIT 8")
            .expect("a table");
        statement.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("bundles")
    };
    bundles.retain(|_| !world.once_in(3));
    let unwiped = world.unwiped();
    let Some(carrier) = world.picks(&unwiped) else { return };
    world.log(Some(carrier), &format!("carries {} bundles of phone {who}", bundles.len()));
    let (key, server_key): ([u8; 32], [u8; 32]) = {
        let sql = "SELECT secret_key, server_key FROM installation";
        world.phones[carrier].looks().query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("an installation")
    };
    let device = world.phones[carrier].client().session().expect("an enrolled phone").device_id;
    let request = |authorization, body| WireRequest {
        method: "POST",
        server_url: ADDRESS.to_owned(),
        path: "/v1/sync",
        authorization,
        body,
    };
    let Some(challenged) = world.server.respond(&request(None, Vec::new())) else { return };
    let Ok(challenge) = message::unpack::<ChallengeResponse>(&challenged.body) else { return };
    let body = message::pack(&Forger::request(&bundles)).expect("it packs");
    let signed = SignedRequest { server_key: &server_key, method: "POST", path: "/v1/sync", body: &body };
    let key = SigningKey::from_bytes(&key);
    let authorization = Authorization::sign(&signed, device, challenge.challenge, &key).to_header();
    world.server.respond(&request(Some(authorization), body));
}
