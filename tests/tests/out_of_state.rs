//! What a phone that was bypassed does in a state that does not permit it: the server holds what the role may not do, reviews what the state
//! does not permit, and neither holds nor reviews what the views offer.

use std::collections::BTreeMap;

use automerge::transaction::Transactable;
use automerge::{ROOT, ScalarValue};
use farmtally_core::client::{DraftEdit, LoadEdit, LoadView};
use farmtally_core::codec::encode;
use farmtally_core::decisions::ReviewCode;
use farmtally_core::environment::Clock;
use farmtally_core::permission::Role;
use farmtally_core::protocol::bundle::BundleEntry;
use farmtally_core::records::cash_movement::CashHolder;
use farmtally_core::records::load::{CloseRequest, LoadEvent, LoadHeader, LoadState, LoadStep, ManifestLine};
use farmtally_core::records::simple::{SimpleEvent, SimpleStep};
use farmtally_core::records::{CashMovement, Delivery, Kind, Load, LorryRequest, Measured, Reading, Simple, Stamp};
use farmtally_core::rules::{ActionCode, Check, action_of};
use farmtally_core::scope::Scope;
use farmtally_core::units::{
    BusinessDate, DeliveryId, DeviceCode, DocumentId, Grams, HybridTime, LoadId, Percent, UserId,
};
use farmtally_sync_server::ReferenceFile;
use farmtally_tests::samples::{Sample, Subjects, minor};
use farmtally_tests::{Forger, Market, Person, bag, for_each_simple_kind, forged_change, reason, verdict_code};

/// A phone that people of several roles share, and a forger with its keys.
struct Story {
    market: Market,
    person: Person,
    forger: Forger,
    device_code: DeviceCode,
    people: BTreeMap<&'static str, (UserId, farmtally_core::units::GrantId)>,
    actors: u8,
}

/// A change by hand, with what must follow.
struct Case {
    what: String,
    entry: BundleEntry,
    role: Role,
    is_offered: bool,
}

impl Story {
    fn begins(seed: u64, roles: &[Role]) -> Self {
        let mut market = Market::open(seed);
        let person = market.hires("Bela", "dispatcher");
        let device_code = person.client.session().expect("a session").device_code;
        let centres = ["KOLAR".parse().expect("a code")];
        for role in roles.iter().filter(|role| **role != Role::Dispatcher) {
            market.server.grant(market.organisation, device_code, role.as_str(), *role, &centres).expect("granted");
        }
        person.syncs_wholly();
        let forger = Forger::with_phone_of(&person, &market);
        let mut story = Self { market, person, forger, device_code, people: BTreeMap::new(), actors: 0 };
        for role in roles {
            story.works_as(*role);
            let session = story.person.client.session().expect("a session");
            story.people.insert(role.as_str(), (session.user_id, session.grant_id.expect("a grant")));
        }
        story
    }

    fn works_as(&self, role: Role) {
        let users = self.person.client.users();
        let user = users.iter().find(|user| user.role == role).expect("a user of each role");
        self.person.client.switch_user(user.user_id).expect("switched");
    }

    /// The stamp of a forged value that is written a minute from now.
    fn stamp(&self, role: Role) -> Stamp {
        self.stamp_at(role, self.market.clock.now().0 + 60_000)
    }

    fn stamp_at(&self, role: Role, wall_ms: i64) -> Stamp {
        let at = HybridTime { wall_ms, counter: 0 };
        let (user_id, _) = self.people[role.as_str()];
        Stamp { user_id, device_code: self.device_code, at, clock_suspect: false }
    }

    /// A forged value under a key of its own, in a family or, for a word, under the key of a register.
    fn entry(&mut self, kind: Kind, document: DocumentId, key: &str, value: Vec<u8>) -> BundleEntry {
        self.actors = self.actors % 250 + 1;
        let actor = [self.actors; 16];
        let key =
            if key.len() == 1 { format!("{key}{}-900", format!("{:02x}", actor[0]).repeat(4)) } else { key.into() };
        let change = forged_change(Some(&self.forger.document(document)), actor, |it| {
            it.put(ROOT, key, ScalarValue::Bytes(value)).expect("written");
        });
        let scope =
            if kind.home.is_of(&"c/KOLAR".parse::<Scope>().expect("a scope")) { "c/KOLAR" } else { "c/KOLAR/2019" };
        let scope = scope.parse().expect("a scope");
        BundleEntry { document_id: document, kind: kind.number, scope, change, erased: None }
    }

    /// Uploads the forged changes, past the phone. Checks that what is offered is logged and not reviewed, and that of the rest nothing is
    /// accepted without a word. Returns how many were offered, held and reviewed.
    fn uploads(&mut self, cases: &[Case], reviews: impl Fn(&Person, DocumentId) -> Vec<ReviewCode>) -> [usize; 3] {
        self.forger.sequence = 1_000;
        let mut verdicts = Vec::new();
        for case in cases {
            (self.forger.user, self.forger.grant) = self.people[case.role.as_str()];
            verdicts.extend(self.forger.seals_and_uploads(vec![case.entry.clone()]));
        }
        let ravi = self.market.hires("Ravi", "dispatcher");
        ravi.syncs_wholly();
        let (mut offered, mut held, mut reviewed) = (0, 0, 0);
        for (case, verdict) in cases.iter().zip(&verdicts) {
            let found = reviews(&ravi, case.entry.document_id);
            let is_reviewed = found.contains(&ReviewCode::OutOfState);
            match (verdict_code(verdict), case.is_offered) {
                ("logged", true) => {
                    offered += 1;
                    assert!(!is_reviewed, "{} is offered: {found:?}", case.what);
                }
                ("logged", false) => {
                    reviewed += 1;
                    assert!(is_reviewed, "{} was accepted without a review: {found:?}", case.what);
                }
                ("not_allowed", false) => held += 1,
                (verdict, is_offered) => panic!("{}: {verdict}, offered: {is_offered}", case.what),
            }
        }
        [offered, held, reviewed]
    }

    /// Returns a fresh load in this state, which the dispatcher brought there, with a delivery if somebody asked to close it.
    fn load(&self, state: LoadState) -> (LoadView, Option<DeliveryId>) {
        self.works_as(Role::Dispatcher);
        let mut load =
            if state == LoadState::Planned { self.person.plans("KA07A1111") } else { self.person.opens("KA07A1111") };
        let mut delivery = None;
        if state == LoadState::Closing {
            let farmer = self.person.registers("Lakshmi", "", "").farmer_id;
            delivery = Some(self.person.weighs(farmer, Some(load.load_id), &[50_000]).delivery_id);
        }
        load = self.person.client.load(load.load_id).expect("a load");
        let (depart, arrive) = (LoadEdit::Depart { odometer_km: None }, LoadEdit::Arrive { odometer_km: None });
        let steps = match state {
            LoadState::Planned | LoadState::Open => vec![],
            LoadState::Closing => vec![LoadEdit::RequestClose { manifest_hash: load.manifest_hash.clone() }],
            LoadState::Dispatched => vec![depart],
            LoadState::Arrived => vec![depart, arrive],
            LoadState::Received => vec![depart, arrive, LoadEdit::Receive],
            LoadState::Cancelled => vec![LoadEdit::Cancel { reason: reason("no_lorry") }],
        };
        for step in steps {
            if matches!(step, LoadEdit::Receive) {
                self.works_as(Role::Receiver);
            }
            load = self.person.client.change_load(load.basis, &step, &Check::ALL).expect("a step that is offered");
        }
        assert_eq!(load.state, state);
        (load, delivery)
    }
}

const ON_LOADS: [ActionCode; 11] = [
    ActionCode::Open,
    ActionCode::Join,
    ActionCode::Correct,
    ActionCode::Stop,
    ActionCode::Seal,
    ActionCode::RequestClose,
    ActionCode::Cancel,
    ActionCode::Depart,
    ActionCode::Divert,
    ActionCode::Arrive,
    ActionCode::Receive,
];

/// The key and the value with which a phone writes an action on a load.
fn act_on_load(action: ActionCode, stamp: Stamp, delivery: Option<DeliveryId>) -> (&'static str, Vec<u8>) {
    let event = |family, step| (family, encode(&LoadEvent { stamp, step }));
    match action {
        ActionCode::Open => event("s", LoadStep::Opened),
        ActionCode::Stop => event("s", LoadStep::Stopped { place: "Vemagal".into() }),
        ActionCode::Seal => event("s", LoadStep::Sealed { seal: "S-17".into() }),
        ActionCode::Divert => event("s", LoadStep::Diverted { reason: reason("rain") }),
        ActionCode::Cancel => event("s", LoadStep::Cancelled { reason: reason("no_lorry") }),
        ActionCode::Depart => event("t", LoadStep::Departed { odometer_km: None }),
        ActionCode::Arrive => event("t", LoadStep::Arrived { odometer_km: None }),
        ActionCode::Receive => event("r", LoadStep::Received),
        ActionCode::Correct => ("driver", encode(&(stamp, "Basavaraj"))),
        ActionCode::RequestClose => {
            let line = |delivery_id| ManifestLine {
                delivery_id,
                version: [1; 8],
                bags: 1,
                gross: Grams(50_000),
                is_part: false,
            };
            ("c", encode(&CloseRequest { stamp, manifest: delivery.map(line).into_iter().collect() }))
        }
        ActionCode::Join => {
            let header = LoadHeader {
                centre: "KOLAR".parse().expect("a code"),
                season: "2019".parse().expect("a code"),
                date: BusinessDate(18_025),
                device_code: stamp.device_code,
                sequence: 1,
                lorry: "KA07A1111".parse().expect("a plate"),
            };
            ("j", encode(&(stamp, header)))
        }
        other => panic!("{other} is not of loads"),
    }
}

#[test]
fn what_is_not_offered_about_a_load_is_held_or_reviewed_and_what_is_offered_is_neither() {
    let roles = [Role::FieldManager, Role::Receiver, Role::Clerk, Role::Dispatcher];
    let mut story = Story::begins(2_100, &roles);
    let mut made = Vec::new();
    for state in LoadState::ALL {
        for action in ON_LOADS {
            for role in roles.into_iter().filter(|role| *role != Role::Dispatcher) {
                let (load, delivery) = story.load(state);
                story.works_as(role);
                let offered = story.person.client.load(load.load_id).expect("a load").actions;
                made.push((state, action, role, load.load_id, delivery, offered.contains(&action)));
            }
        }
    }
    story.person.syncs_wholly();
    let mut cases = Vec::new();
    for (state, action, role, load, delivery, is_offered) in made {
        let (key, value) = act_on_load(action, story.stamp(role), delivery);
        let entry = story.entry(Kind::of::<Load>(), load.into(), key, value);
        cases.push(Case { what: format!("{role}: {action} of a {state} load"), entry, role, is_offered });
    }
    let reviews = |ravi: &Person, id: DocumentId| ravi.client.load(LoadId::from(id)).expect("a load").reviews;
    let [offered, held, reviewed] = story.uploads(&cases, reviews);
    assert!(offered > 20 && held > 80 && reviewed > 40, "{offered} {held} {reviewed}");
}

/// A delivery as the generated test makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Recorded,
    /// On a load that has left.
    OnTheRoad,
    Voided,
}

#[test]
fn what_is_not_offered_about_a_delivery_is_held_or_reviewed_and_what_is_offered_is_neither() {
    let roles = [Role::Clerk, Role::FieldManager, Role::Receiver, Role::Accountant, Role::Dispatcher];
    let acts = [ActionCode::Amend, ActionCode::Void, ActionCode::AddReadings, ActionCode::Print];
    let mut story = Story::begins(2_101, &roles);
    let mut made = Vec::new();
    for stage in [Stage::Recorded, Stage::OnTheRoad, Stage::Voided] {
        for action in acts {
            for role in roles {
                story.works_as(Role::Dispatcher);
                let farmer = story.person.registers("Lakshmi", "", "").farmer_id;
                let load = (stage == Stage::OnTheRoad).then(|| story.person.opens("KA07A1111"));
                story.works_as(Role::Clerk);
                let id = story.person.weighs(farmer, load.as_ref().map(|it| it.load_id), &[50_000]).delivery_id;
                if stage == Stage::Voided {
                    story.person.voids(id).expect("voided");
                }
                if let Some(load) = load {
                    story.works_as(Role::Dispatcher);
                    let view = story.person.client.load(load.load_id).expect("a load");
                    let depart = LoadEdit::Depart { odometer_km: None };
                    story.person.client.change_load(view.basis, &depart, &Check::ALL).expect("departed");
                }
                story.works_as(role);
                let offered = story.person.client.delivery(id).expect("a delivery").actions.contains(&action);
                made.push((stage, action, role, id, offered));
            }
        }
    }
    story.person.syncs_wholly();
    let mut cases = Vec::new();
    for (stage, action, role, id, is_offered) in made {
        let stamp = story.stamp(role);
        let act = |step: u8| ("e", encode(&(stamp, step, reason("mistake"), 0_u32)));
        let (key, value) = match action {
            ActionCode::Amend => act(0),
            ActionCode::Void => act(1),
            ActionCode::AddReadings => {
                let moisture = Measured::Moisture(Percent::try_from(1_400).expect("a share"));
                ("m", encode(&(stamp, Reading::new(moisture))))
            }
            _ => ("w", encode(&(stamp, 0_u8))),
        };
        let entry = story.entry(Kind::of::<Delivery>(), id.into(), key, value);
        cases.push(Case { what: format!("{role}: {action} of a delivery, {stage:?}"), entry, role, is_offered });
    }
    let reviews =
        |ravi: &Person, id: DocumentId| ravi.client.delivery(DeliveryId::from(id)).expect("a delivery").reviews;
    let [offered, held, reviewed] = story.uploads(&cases, reviews);
    assert!(offered > 20 && held > 20 && reviewed > 10, "{offered} {held} {reviewed}");
}

/// Makes a record of the kind in each state that it can have, and forges each step on each.
fn steps_of<C: Sample>(seed: &mut u64) {
    *seed += 1;
    let role = if Role::Dispatcher.may(C::CAPABILITY) { Role::Dispatcher } else { Role::Admin };
    let mut story = Story::begins(*seed, &[Role::Dispatcher, Role::Admin]);
    story.works_as(Role::Dispatcher);
    let subjects = Subjects::made_by(&story.person);
    story.works_as(role);
    let centre = "KOLAR".parse().expect("a code");
    // Another person than the author confirms that cash was received.
    let role_of = |step| if step == Some(SimpleStep::Confirmed) { Role::Admin } else { role };
    let mut made = Vec::new();
    for before in std::iter::once(None).chain(C::STEPS.iter().copied().map(Some)) {
        for step in C::STEPS.iter().copied().map(Some).chain((!C::REGISTERS.is_empty()).then_some(None)) {
            let mut view = C::valid(&subjects).recorded_by(&story.person.client, &centre).expect("recorded");
            if let Some(before) = before {
                story.works_as(role_of(Some(before)));
                view = story.person.client.step_simple::<C>(view.basis, before, Some(&reason("x"))).expect("a step");
            }
            let action = step.map_or(ActionCode::Correct, action_of);
            story.works_as(role_of(step));
            let is_offered =
                story.person.client.simple_record::<C>(view.record_id).expect("a record").actions.contains(&action);
            story.works_as(role);
            made.push((before, step, view.record_id, is_offered));
        }
    }
    story.person.syncs_wholly();
    let mut cases = Vec::new();
    for (before, step, id, is_offered) in made {
        let role = role_of(step);
        let stamp = story.stamp(role);
        let (key, value) = match step {
            Some(step) => ("e", encode(&SimpleEvent { stamp, step, reason: Some(reason("x")) })),
            None => ("purpose", encode(&(stamp, "crates"))),
        };
        let entry = story.entry(Kind::of::<Simple<C>>(), id, key, value);
        cases.push(Case { what: format!("{} {before:?}: {step:?}", C::NAME), entry, role, is_offered });
    }
    let reviews = |ravi: &Person, id: DocumentId| ravi.client.simple_record::<C>(id).expect("a record").reviews;
    story.uploads(&cases, reviews);
}

#[test]
fn what_is_not_offered_about_a_simple_record_is_reviewed_and_what_is_offered_is_not() {
    let mut seed = 2_110;
    for_each_simple_kind!(steps_of(&mut seed));
    assert!(<LorryRequest as farmtally_core::records::SimpleKind>::REGISTERS.len() > 1, "corrections are among them");
}

#[test]
fn cash_that_others_give_or_confirm_past_their_phone_is_reviewed() {
    let mut story = Story::begins(2_104, &[Role::Dispatcher, Role::Admin, Role::FieldManager]);
    let user = |story: &Story, role: Role| CashHolder::User { user_id: story.people[role.as_str()].0 };
    let date = "2019-05-09".parse().expect("a date");
    let amount_minor = minor(500);
    let movement = |story: &Story, author: Role, from: CashHolder, to: CashHolder| {
        story.works_as(author);
        let content = CashMovement { from, to, amount_minor, date, reference: String::new() };
        let centre = "KOLAR".parse().expect("a code");
        story.person.client.record_simple(Some(&centre), content).expect("recorded").record_id
    };
    let (clerk, dispatcher) = (user(&story, Role::FieldManager), user(&story, Role::Dispatcher));
    let to_office = movement(&story, Role::Dispatcher, dispatcher, CashHolder::Office);
    let to_clerk = movement(&story, Role::Dispatcher, dispatcher, clerk);
    let from_office = movement(&story, Role::Admin, CashHolder::Office, clerk);
    let to_admin = movement(&story, Role::Dispatcher, dispatcher, CashHolder::Office);
    story.person.syncs_wholly();
    // What each phone would refuse: the giver, a stranger and a clerk confirm; then those who may.
    let confirmed_by = [
        (to_office, Role::FieldManager, false),
        (to_clerk, Role::Dispatcher, false),
        (from_office, Role::Dispatcher, false),
        (to_admin, Role::Admin, true),
    ];
    story.person.syncs_wholly();
    let mut cases = Vec::new();
    for (id, role, is_offered) in confirmed_by {
        let event = SimpleEvent { stamp: story.stamp(role), step: SimpleStep::Confirmed, reason: None };
        let entry = story.entry(Kind::of::<Simple<CashMovement>>(), id, "e", encode(&event));
        cases.push(Case { what: format!("{role} confirms"), entry, role, is_offered });
    }
    let reviews =
        |ravi: &Person, id: DocumentId| ravi.client.simple_record::<CashMovement>(id).expect("a record").reviews;
    assert_eq!(story.uploads(&cases, reviews), [1, 0, 3]);
}

#[test]
fn a_replacement_of_a_delivery_that_is_not_voided_is_reviewed() {
    let mut story = Story::begins(2_102, &[Role::Dispatcher]);
    let (lakshmi, meena) = (story.person.registers("Lakshmi", "", ""), story.person.registers("Meena", "", ""));
    let wrong = story.person.weighs(lakshmi.farmer_id, None, &[50_000]);
    story.person.syncs_wholly();
    let right = story.person.client.correct_farmer(wrong.basis, meena.farmer_id, &reason("typing"), &Check::ALL);
    let right = right.expect("corrected").delivery_id;
    let ravi = story.market.hires("Ravi", "dispatcher");
    let outbox = story.forger.outbox();
    let creation: Vec<BundleEntry> = outbox.iter().filter(|it| it.document_id == right.into()).cloned().collect();
    assert_eq!((outbox.len(), creation.len()), (2, 1), "the void and the replacement");
    story.forger.sequence = 1_000;
    story.forger.seals_and_uploads(creation);
    ravi.syncs_wholly();
    for id in [right, wrong.delivery_id] {
        assert_eq!(ravi.client.delivery(id).expect("a delivery").reviews, [ReviewCode::OutOfState]);
    }
}

#[test]
fn a_correction_of_the_farmer_is_not_reviewed() {
    let mut market = Market::open(2_103);
    let bela = market.hires("Bela", "dispatcher");
    let (lakshmi, meena) = (bela.registers("Lakshmi", "", ""), bela.registers("Meena", "", ""));
    let wrong = bela.weighs(lakshmi.farmer_id, None, &[50_000]);
    bela.syncs_wholly();
    let right = bela.client.correct_farmer(wrong.basis, meena.farmer_id, &reason("typing"), &Check::ALL);
    bela.syncs_wholly();
    assert_eq!(bela.client.delivery(right.expect("corrected").delivery_id).expect("a delivery").reviews, [""; 0]);
}

#[test]
fn an_amendment_that_a_departure_overtook_is_reviewed_whichever_arrives_first() {
    for departure_is_first in [true, false] {
        let mut market = Market::open(2_104);
        let (asha, bela) = (market.hires("Asha", "field_manager"), market.hires("Bela", "dispatcher"));
        let farmer = asha.registers("Lakshmi", "", "").farmer_id;
        let load = asha.opens("KA07A1111").load_id;
        let [early, late, taken_off] =
            [30_000, 40_000, 50_000].map(|grams| asha.weighs(farmer, Some(load), &[grams]).delivery_id);
        asha.closes(load).expect("asked to close");
        asha.syncs_wholly();
        bela.syncs_wholly();
        asha.amends(early, 20_000).expect("before the lorry left");
        market.clock.pass(60);
        let view = bela.client.load(load).expect("a load");
        let depart = LoadEdit::Depart { odometer_km: None };
        bela.client.change_load(view.basis, &depart, &Check::ALL).expect("departed");
        market.clock.pass(60);
        asha.amends(late, 20_000).expect("she does not know that it left");
        asha.moves(taken_off, None).expect("she does not know that it left");
        for person in if departure_is_first { [&bela, &asha] } else { [&asha, &bela] } {
            person.syncs_wholly();
        }
        bela.syncs_wholly();
        let reviews = |id| bela.client.delivery(id).expect("a delivery").reviews;
        assert_eq!(reviews(early), [""; 0], "{departure_is_first}");
        for id in [late, taken_off] {
            assert_eq!(reviews(id), [ReviewCode::OutOfState], "{departure_is_first}");
        }
    }
}

#[test]
fn the_windows_of_the_rule_set_on_a_delivery_decide_on_phone_and_server() {
    let mut story = Story::begins(2_105, &[Role::Clerk, Role::FieldManager, Role::Dispatcher]);
    let rules = |number: u32, valid_from: &str, clerk: u32, manager: u32| {
        let json = format!(
            r#"{{"rule_sets": [{{
                "number": {number}, "commodity": "TOMATO", "valid_from": "{valid_from}",
                "bag_types": [{{"number": 0, "name": "crate", "tare_g": 1500}}],
                "windows": {{"clerk_amend_minutes": {clerk}, "field_manager_amend_minutes": {manager}}}
            }}]}}"#
        );
        ReferenceFile::parse(&json).expect("reference data")
    };
    let organisation = story.market.organisation;
    story.market.server.update_reference(organisation, &rules(2, "2017-01-01", 10, 20)).expect("published");
    story.person.syncs_wholly();
    let farmer = story.person.registers("Lakshmi", "", "").farmer_id;
    let mut made = Vec::new();
    for (role, minutes) in [(Role::Clerk, 10), (Role::FieldManager, 20)] {
        story.works_as(role);
        for age_ms in [minutes * 60_000 - 1, minutes * 60_000, minutes * 60_000 + 1] {
            let draft = story.person.starts(Some(farmer), None);
            let edits = [bag(50_000), DraftEdit::SetSecondHeap(true)];
            let draft = story.person.client.edit_draft(draft.basis, &edits).expect("weighed");
            let view = story.person.client.record_delivery(draft.basis, &Check::ALL).expect("recorded");
            made.push((role, minutes * 60_000, age_ms, view.delivery_id, view.recorded.expect("recorded").at.wall_ms));
        }
    }
    story.person.syncs_wholly();
    // Later rule sets change nothing about earlier deliveries.
    story.market.server.update_reference(organisation, &rules(3, "2018-01-01", 500, 500)).expect("published");
    story.person.syncs_wholly();
    story.forger.sequence = 1_000;
    for (role, limit, age_ms, id, recorded_ms) in &made {
        let stamp = story.stamp_at(*role, recorded_ms + age_ms);
        let value = encode(&(stamp, 0_u8, reason("mistake"), 0_u32));
        let entry = story.entry(Kind::of::<Delivery>(), (*id).into(), "e", value);
        (story.forger.user, story.forger.grant) = story.people[role.as_str()];
        let verdict = story.forger.seals_and_uploads(vec![entry]).remove(0);
        let expected = if age_ms > limit { "not_allowed" } else { "logged" };
        assert_eq!(verdict_code(&verdict), expected, "{role} after {age_ms} ms");
    }
    for (after_s, actions) in
        [(10 * 60, [true, true]), (1, [false, true]), (10 * 60 - 1, [false, true]), (1, [false; 2])]
    {
        story.market.clock.pass(after_s);
        for ((role, may), index) in [Role::Clerk, Role::FieldManager].into_iter().zip(actions).zip([0, 3]) {
            story.works_as(role);
            let view = story.person.client.delivery(made[index].3).expect("a delivery");
            assert_eq!(view.actions.contains(&ActionCode::Amend), may, "{role} {after_s}");
        }
    }
}
