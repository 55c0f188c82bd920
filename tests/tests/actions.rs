//! Actions: what a view offers succeeds, what it does not offer is refused, on the phone and by the server.

use farmtally_core::client::{DeliveryView, DraftEdit, LoadEdit, LoadView, StartDraft};
use farmtally_core::permission::{Capability, Role};
use farmtally_core::records::delivery::PrintMedium;
use farmtally_core::records::load::LoadState;
use farmtally_core::rules::{ActionCode, Check};
use farmtally_core::units::UserId;
use farmtally_core::{Error, ErrorCode};
use farmtally_tests::{Market, Person, bag, forgotten_bag, mark, moisture, reason};

/// Roles that a phone can have.
fn roles() -> impl Iterator<Item = Role> {
    Role::ALL.into_iter().filter(|role| role.has_phone())
}

/// Every change of a load that the interface has, as it fits this view.
fn edits(load: &LoadView) -> Vec<LoadEdit> {
    let text = |text: &str| text.to_owned();
    vec![
        LoadEdit::Open,
        LoadEdit::SetLorry("KA07A2222".parse().expect("a plate")),
        LoadEdit::SetDriver(text("Basavaraj")),
        LoadEdit::SetDestination(text("Mill")),
        LoadEdit::AddStop { place: text("Vemagal") },
        LoadEdit::AddSeal { seal: text("S-17") },
        LoadEdit::RequestClose { manifest_hash: load.manifest_hash.clone() },
        LoadEdit::Depart { odometer_km: Some(120_000) },
        LoadEdit::Divert { destination: text("Port"), reason: reason("rain") },
        LoadEdit::Arrive { odometer_km: None },
        LoadEdit::Receive,
        LoadEdit::Cancel { reason: reason("no_lorry") },
    ]
}

/// A phone that people of all roles share.
struct Shared {
    person: Person,
    users: Vec<(Role, UserId)>,
}

impl Shared {
    fn new(market: &mut Market) -> Self {
        let person = market.hires("Bela", "dispatcher");
        let code = person.client.session().expect("a session").device_code;
        let centres = ["KOLAR".parse().expect("a code")];
        for role in roles().filter(|role| *role != Role::Dispatcher) {
            market.server.grant(market.organisation, code, role.as_str(), role, &centres).expect("granted");
        }
        person.syncs_wholly();
        let users = person.client.users().into_iter().map(|user| (user.role, user.user_id)).collect();
        Self { person, users }
    }

    fn works_as(&self, role: Role) {
        let (_, user) = self.users.iter().find(|(known, _)| *known == role).expect("a user of each role");
        self.person.client.switch_user(*user).expect("switched");
    }

    fn changes(&self, load: &LoadView, edit: &LoadEdit) -> Result<LoadView, Error> {
        self.person.client.change_load(load.basis, edit, &Check::ALL)
    }

    /// Returns a fresh load in this state, with or without a delivery, as the current view of `role`.
    fn load(&self, state: LoadState, has_delivery: bool, role: Role) -> LoadView {
        self.works_as(Role::Dispatcher);
        let mut load =
            if state == LoadState::Planned { self.person.plans("KA07A1111") } else { self.person.opens("KA07A1111") };
        if has_delivery {
            let farmer = self.person.registers("Lakshmi", "", "").farmer_id;
            self.person.weighs(farmer, Some(load.load_id), &[50_000]);
        }
        let depart = LoadEdit::Depart { odometer_km: None };
        let arrive = LoadEdit::Arrive { odometer_km: None };
        load = self.person.client.load(load.load_id).expect("a load");
        let close = LoadEdit::RequestClose { manifest_hash: load.manifest_hash.clone() };
        let steps = match state {
            LoadState::Planned | LoadState::Open => vec![],
            LoadState::Closing => vec![close],
            LoadState::Dispatched => vec![depart],
            LoadState::Arrived => vec![depart, arrive],
            LoadState::Received => vec![depart, arrive, LoadEdit::Receive],
            LoadState::Cancelled => vec![LoadEdit::Cancel { reason: reason("no_lorry") }],
        };
        for step in steps {
            if matches!(step, LoadEdit::Receive) {
                self.works_as(Role::Receiver);
            }
            load = self.changes(&load, &step).expect("a step that is offered");
        }
        assert_eq!(load.state, state);
        self.works_as(role);
        self.person.client.load(load.load_id).expect("a load")
    }
}

#[test]
fn what_is_offered_about_a_load_succeeds_and_the_rest_is_refused_for_each_role_and_state() {
    let mut market = Market::open(700);
    let shared = Shared::new(&mut market);
    let (mut offered, mut refused) = (0, 0);
    for state in LoadState::ALL {
        for has_delivery in [false, true] {
            let is_possible = match state {
                LoadState::Cancelled => !has_delivery,
                LoadState::Closing => has_delivery,
                _ => true,
            };
            for role in roles().filter(|_| is_possible) {
                let mut load = shared.load(state, has_delivery, role);
                for at in 0..edits(&load).len() {
                    let edit = edits(&load).swap_remove(at);
                    let result = shared.changes(&load, &edit);
                    if load.actions.contains(&edit.action()) {
                        offered += 1;
                        result.unwrap_or_else(|error| panic!("{role} {edit:?} of a {state} load: {error}"));
                        load = shared.load(state, has_delivery, role);
                    } else {
                        refused += 1;
                        let error = result.expect_err("not offered");
                        assert_eq!(error.code(), ErrorCode::NotAllowed, "{role} {edit:?} of a {state} load: {error}");
                        assert_eq!(shared.person.client.load(load.load_id).expect("a load").basis, load.basis);
                    }
                }
            }
        }
    }
    assert!(offered > 100 && refused > 500, "{offered} {refused}");
}

/// Every change of a recorded delivery that the interface has, with its action.
fn acts_on(person: &Person, view: &DeliveryView, action: ActionCode) -> Result<DeliveryView, Error> {
    let client = &person.client;
    let other = || person.farmers("Meena").expect("farmers").items[0].farmer_id;
    match action {
        ActionCode::Amend => client.amend_delivery(view.basis, &reason("forgotten"), &[forgotten_bag(30_000)]),
        ActionCode::Void => client.void_delivery(view.basis, &reason("returned")),
        ActionCode::CorrectFarmer => client.correct_farmer(view.basis, other(), &reason("wrong_farmer"), &Check::ALL),
        ActionCode::Replace => client.start_draft(StartDraft {
            centre: view.centre.clone(),
            commodity: view.commodity.clone(),
            farmer_id: None,
            load_id: None,
            replaces: Some(view.delivery_id),
        }),
        ActionCode::AddReadings => client.add_readings(view.basis, &[moisture(1_400)]),
        ActionCode::Sign => client.sign(view.basis, mark()).map(|_| view.clone()),
        ActionCode::Print => client.record_print(view.basis, PrintMedium::Paper),
        ActionCode::Edit => client.edit_draft(view.basis, &[bag(20_000)]),
        ActionCode::Record => client.record_delivery(view.basis, &Check::ALL),
        ActionCode::Discard => client.discard_draft(view.basis).map(|()| view.clone()),
        ActionCode::TakeOver => client.take_over_draft(view.basis),
        other => panic!("{other} is not of deliveries"),
    }
}

/// Actions on recorded deliveries and on drafts.
const ON_DELIVERIES: [ActionCode; 11] = [
    ActionCode::Amend,
    ActionCode::Void,
    ActionCode::CorrectFarmer,
    ActionCode::Replace,
    ActionCode::AddReadings,
    ActionCode::Sign,
    ActionCode::Print,
    ActionCode::Edit,
    ActionCode::Record,
    ActionCode::Discard,
    ActionCode::TakeOver,
];

/// A delivery as the generated test makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Draft,
    Recorded,
    /// Recorded more than a day ago.
    Old,
    /// On a load that has left.
    OnTheRoad,
    Voided,
}

impl Shared {
    /// Returns a fresh delivery by `author` in this stage, as the current view of `role`.
    fn delivery(&self, market: &Market, stage: Stage, author: Role, role: Role) -> DeliveryView {
        self.works_as(Role::Dispatcher);
        let load = (stage == Stage::OnTheRoad).then(|| self.person.opens("KA07A1111"));
        let farmer = self.person.registers("Lakshmi", "", "").farmer_id;
        self.works_as(author);
        let draft = self.person.starts(Some(farmer), load.as_ref().map(|load| load.load_id));
        let edits = [bag(50_000), DraftEdit::SetSecondHeap(true)];
        let mut view = self.person.client.edit_draft(draft.basis, &edits).expect("weighed");
        if stage != Stage::Draft {
            view = self.person.client.record_delivery(view.basis, &Check::ALL).expect("recorded");
        }
        match (stage, load) {
            (Stage::Voided, _) => {
                view = self.person.client.void_delivery(view.basis, &reason("returned")).expect("voided");
            }
            (Stage::Old, _) => market.clock.pass(25 * 3_600),
            (_, Some(load)) => {
                self.works_as(Role::Dispatcher);
                let load = self.person.client.load(load.load_id).expect("a load");
                self.changes(&load, &LoadEdit::Depart { odometer_km: None }).expect("it left");
            }
            _ => {}
        }
        self.works_as(role);
        self.person.client.delivery(view.delivery_id).expect("a delivery")
    }
}

#[test]
fn what_is_offered_about_a_delivery_succeeds_and_the_rest_is_refused_for_each_role_author_and_stage() {
    let mut market = Market::open(703);
    let shared = Shared::new(&mut market);
    shared.works_as(Role::Dispatcher);
    shared.person.registers("Meena", "", "");
    let (mut offered, mut refused) = (0, 0);
    for stage in [Stage::Draft, Stage::Recorded, Stage::Old, Stage::OnTheRoad, Stage::Voided] {
        for author in [Role::Clerk, Role::FieldManager, Role::Dispatcher] {
            for role in roles() {
                let mut view = shared.delivery(&market, stage, author, role);
                for action in ON_DELIVERIES {
                    let result = acts_on(&shared.person, &view, action);
                    let what = || format!("{role}: {action} of a {stage:?} delivery of a {author}");
                    if view.actions.contains(&action) {
                        offered += 1;
                        result.unwrap_or_else(|error| panic!("{}: {error}", what()));
                        view = shared.delivery(&market, stage, author, role);
                    } else {
                        refused += 1;
                        let error = result.expect_err(&what());
                        let codes =
                            [ErrorCode::NotAllowed, ErrorCode::NotFound, ErrorCode::Stale, ErrorCode::InvalidInput];
                        assert!(codes.contains(&error.code()), "{}: {error}", what());
                        let now = shared.person.client.delivery(view.delivery_id).expect("a delivery");
                        assert_eq!(now.basis, view.basis, "{}", what());
                    }
                }
                // The hours of a restarted day keep the phone in contact with its server.
                shared.person.syncs_wholly();
            }
        }
    }
    assert!(offered > 150 && refused > 400, "{offered} {refused}");
}

#[test]
fn each_role_is_offered_its_own_work_on_a_delivery() {
    use ActionCode::{AddReadings, Amend, CorrectFarmer, Print, Replace, Sign, TakeOver, Void};
    let mut market = Market::open(704);
    let shared = Shared::new(&mut market);
    let own = [Amend, Void, CorrectFarmer, AddReadings, Sign, Print];
    for (stage, author, role, expected) in [
        (Stage::Recorded, Role::Clerk, Role::Clerk, own.to_vec()),
        (Stage::Recorded, Role::FieldManager, Role::Clerk, vec![AddReadings, Sign, Print]),
        (Stage::Old, Role::FieldManager, Role::FieldManager, vec![AddReadings, Sign, Print]),
        (Stage::OnTheRoad, Role::Clerk, Role::Clerk, vec![Sign, Print]),
        (Stage::OnTheRoad, Role::Clerk, Role::Dispatcher, own.to_vec()),
        (Stage::OnTheRoad, Role::Clerk, Role::Receiver, vec![AddReadings]),
        (Stage::Voided, Role::Clerk, Role::Clerk, vec![Replace, Print]),
        (Stage::Draft, Role::Clerk, Role::Dispatcher, vec![TakeOver]),
        (Stage::Recorded, Role::Clerk, Role::Auditor, vec![]),
    ] {
        let mut actions = shared.delivery(&market, stage, author, role).actions;
        actions.sort_unstable();
        let mut expected = expected;
        expected.sort_unstable();
        assert_eq!(actions, expected, "{role} and a {stage:?} delivery of a {author}");
    }
}

#[test]
fn a_phone_that_pretends_another_role_has_its_changes_of_a_load_held() {
    let mut market = Market::open(701);
    let bela = market.hires("Bela", "dispatcher");
    for role in roles() {
        let load = bela.opens("KA07A1111");
        let load = bela.client.change_load(load.basis, &LoadEdit::Depart { odometer_km: None }, &Check::ALL);
        let load = load.expect("it left").load_id;
        bela.syncs_wholly();
        let mut person = market.hires(role.as_str(), role.as_str());
        for (capability, pretended) in [
            (Capability::OpenLoad, Role::Dispatcher),
            (Capability::DriveLoad, Role::Driver),
            (Capability::ReceiveLoad, Role::Receiver),
        ] {
            let edit = match capability {
                Capability::OpenLoad => LoadEdit::AddSeal { seal: "S-17".into() },
                Capability::DriveLoad => LoadEdit::Arrive { odometer_km: None },
                _ => LoadEdit::Receive,
            };
            let table = rusqlite::Connection::open(person.database()).expect("the phone's database");
            table.execute("UPDATE grants SET role = ?1", [pretended.as_str()]).expect("pretended");
            drop(table);
            person = person.restarts();
            let shown = person.client.load(load).expect("a load");
            person.client.change_load(shown.basis, &edit, &Check::ALL).expect("the phone believes it");
            let report = person.syncs().expect("a sync");
            let may = role.may(capability);
            assert_eq!(
                (report.progress.logged, report.progress.held),
                if may { (1, 0) } else { (0, 1) },
                "{role} {capability}"
            );
        }
    }
}

#[test]
fn each_role_is_offered_its_own_work_on_a_load() {
    let mut market = Market::open(702);
    let shared = Shared::new(&mut market);
    let offered = |state, has_delivery, role| shared.load(state, has_delivery, role).actions;
    assert_eq!(offered(LoadState::Planned, false, Role::Clerk), [ActionCode::Join]);
    assert_eq!(offered(LoadState::Dispatched, true, Role::Driver), [ActionCode::Arrive, ActionCode::Track]);
    assert_eq!(offered(LoadState::Arrived, true, Role::Receiver), [ActionCode::Receive]);
    assert_eq!(offered(LoadState::Received, true, Role::Dispatcher), []);
    assert_eq!(offered(LoadState::Open, true, Role::Auditor), []);
}
