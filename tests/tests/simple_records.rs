//! Simple records of every kind: recording, steps, lists, bad input, roles.

use farmtally_core::client::{DraftEdit, InboxKind, ListOrder, SimpleFilter, SimpleView, SyncState};
use farmtally_core::permission::Role;
use farmtally_core::records::container_movement::{MovementKind, Party};
use farmtally_core::records::delivery::Reason;
use farmtally_core::records::simple::{SimpleState, SimpleStep};
use farmtally_core::records::{
    ContainerMovement, Dispute, Feedback, InstrumentCheck, KINDS, Kind, Load, LorryRequest, Note, Privacy, QueueTicket,
    RecordKind, SimpleKind, SupplyIntent, WeighbridgeTicket,
};
use farmtally_core::rules::{ActionCode, Check, SupplyProposal, action_of};
use farmtally_core::scope::ScopeForm;
use farmtally_core::units::{DocumentId, Grams};
use farmtally_core::{Error, ErrorCode};
use farmtally_tests::samples::{Sample, Subjects, weight};
use farmtally_tests::{Market, Person, bag, bytes_of, fingerprint, for_each_simple_kind, reason};

/// Two people who may record every kind between them.
struct Team {
    dispatcher: Person,
    admin: Person,
}

impl Team {
    fn hired(market: &mut Market) -> (Self, Subjects) {
        let dispatcher = market.hires("Bela", "dispatcher");
        let subjects = Subjects::made_by(&dispatcher);
        dispatcher.syncs_wholly();
        (Self { dispatcher, admin: market.hires("Mohan", "admin") }, subjects)
    }

    /// The one of them who may record a kind.
    fn author<C: SimpleKind>(&self) -> &Person {
        if Role::Dispatcher.may(C::CAPABILITY) { &self.dispatcher } else { &self.admin }
    }
}

fn tries<C: Sample>(person: &Person, content: C) -> Result<SimpleView<C>, Error> {
    content.recorded_by(&person.client, &"KOLAR".parse().expect("a code"))
}

fn records<C: Sample>(person: &Person, subjects: &Subjects) -> SimpleView<C> {
    tries(person, C::valid(subjects)).unwrap_or_else(|error| panic!("{}: {error}", C::NAME))
}

fn list<C: SimpleKind>(
    person: &Person,
    filter: &SimpleFilter,
    order: ListOrder,
    after: Option<DocumentId>,
) -> Result<(Vec<DocumentId>, Option<DocumentId>), Error> {
    let page = person.client.simple_records::<C>(None, filter, order, after, 2)?;
    Ok((page.items.iter().map(|it| it.record_id).collect(), page.next))
}

#[test]
fn every_simple_kind_has_a_sample() {
    fn name<C: Sample>(names: &mut Vec<&str>) {
        names.push(C::NAME);
    }
    let mut names = Vec::new();
    for_each_simple_kind!(name(&mut names));
    let is_simple = |kind: &Kind| (kind.table)().name == "simple_records";
    assert_eq!(names, KINDS.into_iter().filter(is_simple).map(|kind| kind.name).collect::<Vec<_>>());
}

#[test]
fn every_simple_record_is_unsent_then_logged_and_the_same_on_every_replica() {
    fn check<C: Sample>(market: &Market, team: &Team, ravi: &Person, subjects: &Subjects) {
        let asha = team.author::<C>();
        asha.syncs_wholly();
        let made = records::<C>(asha, subjects);
        assert_eq!(made.sync, SyncState::Unsent, "{}", C::NAME);
        asha.syncs_wholly();
        ravi.syncs_wholly();
        let logged = asha.client.simple_record::<C>(made.record_id).expect("here");
        assert_eq!(logged, SimpleView { sync: SyncState::Logged, ..made }, "{}", C::NAME);
        let seen = ravi.client.simple_record::<C>(logged.record_id).expect("read");
        assert_eq!((seen.content, seen.made, seen.net_g), (logged.content, logged.made, logged.net_g));
        assert_eq!(fingerprint(&asha.database()), fingerprint(&ravi.database()), "{}", C::NAME);
        assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()), "{}", C::NAME);
    }
    let mut market = Market::open(720);
    let (team, subjects) = Team::hired(&mut market);
    let ravi = market.hires("Ravi", "dispatcher");
    for_each_simple_kind!(check(&market, &team, &ravi, &subjects));
}

#[test]
fn bad_input_is_refused_by_its_field_and_writes_nothing() {
    fn refuses<C: Sample>(person: &Person, content: C, field: &str, why: &str) {
        let before = fingerprint(&person.database());
        let error = tries(person, content).expect_err(why);
        assert!(matches!(&error, Error::Invalid { field: found, .. } if *found == field), "{} {why}: {error}", C::NAME);
        assert_eq!(fingerprint(&person.database()), before, "{} {why}", C::NAME);
        assert_eq!(person.client.sync_status().expect("a status").backlog.unsent, 0, "{} {why}", C::NAME);
    }
    fn check<C: Sample>(team: &Team, subjects: &Subjects) {
        let (person, valid) = (team.author::<C>(), C::valid(subjects));
        for at in 0..valid.clone().texts().len() {
            let (field, is_required) = (valid.clone().texts()[at].field, valid.clone().texts()[at].is_required);
            let with = |text: &str| {
                let mut content = valid.clone();
                *content.texts()[at].text = text.to_owned();
                content
            };
            for text in ["two\nlines", "a\0b", "a\u{2028}b", &"ಟ".repeat(201), &"x".repeat(10_000_000)] {
                refuses(person, with(text), field, "a bad text");
            }
            for text in ["", " ", "\u{200b}\u{3164}"] {
                if is_required {
                    refuses(person, with(text), field, "an empty text");
                }
            }
            assert_eq!(with(&"ಟ".repeat(200)).check(), Ok(()), "{}: {field} of 200 characters", C::NAME);
        }
        for (field, content) in C::wrong(&valid) {
            refuses(person, content, field, "a wrong field");
        }
    }
    let mut market = Market::open(721);
    let (team, subjects) = Team::hired(&mut market);
    for_each_simple_kind!(check(&team, &subjects));
}

#[test]
fn text_is_stored_without_what_cannot_be_seen() {
    fn check<C: Sample>(team: &Team, subjects: &Subjects) {
        let mut content = C::valid(subjects);
        for it in content.texts() {
            *it.text = "  wet \u{202e}\u{200b} crates ".to_owned();
        }
        let mut stored = tries(team.author::<C>(), content).expect("recorded").content;
        assert!(stored.texts().iter().all(|it| it.text == "wet crates"), "{stored:?}");
    }
    let mut market = Market::open(722);
    let (team, subjects) = Team::hired(&mut market);
    for_each_simple_kind!(check(&team, &subjects));
}

/// A person of each role that a phone can have.
fn staff(market: &mut Market) -> Vec<(Role, Person)> {
    let roles = Role::ALL.into_iter().filter(|role| role.has_phone());
    roles.map(|role| (role, market.hires(role.as_str(), role.as_str()))).collect()
}

#[test]
fn only_roles_with_the_capability_record_and_a_step_that_is_offered_succeeds() {
    fn takes<C: Sample>(team: &Team, role: Role, person: &Person, subjects: &Subjects, step: SimpleStep) {
        let made = records::<C>(team.author::<C>(), subjects).record_id;
        team.author::<C>().syncs_wholly();
        person.syncs_wholly();
        let Ok(shown) = person.client.simple_record::<C>(made) else {
            assert!(C::HOME == ScopeForm::Centre && !role.sees_farmers(), "{role} does not see a {}", C::NAME);
            return;
        };
        let result = person.client.step_simple::<C>(shown.basis, step, Some(&reason("mistake")));
        if shown.actions.contains(&action_of(step)) {
            let after = result.unwrap_or_else(|error| panic!("{role} {step} of a {}: {error}", C::NAME));
            assert_eq!(after.state, step.state());
            let again = person.client.step_simple::<C>(shown.basis, step, Some(&reason("mistake")));
            assert_eq!(again.expect_err("a second tap").code(), ErrorCode::Stale);
            let again = person.client.step_simple::<C>(after.basis, step, Some(&reason("mistake")));
            assert_eq!(again.expect_err("done already").code(), ErrorCode::NotAllowed);
        } else {
            let error = result.expect_err("not offered");
            assert_eq!(error.code(), ErrorCode::NotAllowed, "{role} {step} of a {}: {error}", C::NAME);
            // Only the receiver of cash confirms it.
            let is_others = step == SimpleStep::Confirmed;
            assert!(
                !role.may(C::CAPABILITY) || !C::STEPS.contains(&step) || is_others,
                "{role} {step} of a {}",
                C::NAME
            );
        }
    }
    fn check<C: Sample>(team: &Team, staff: &[(Role, Person)], subjects: &Subjects) {
        for (role, person) in staff {
            person.syncs_wholly();
            let result = tries(person, C::valid(subjects));
            if !role.may(C::CAPABILITY) {
                assert_eq!(result.expect_err("not allowed").code(), ErrorCode::NotAllowed, "{role} {}", C::NAME);
            } else if role.sees_farmers() || C::valid(subjects).farmer_id().is_none() {
                result.unwrap_or_else(|error| panic!("{role} {}: {error}", C::NAME));
            }
            for step in SimpleStep::ALL {
                takes::<C>(team, *role, person, subjects, step);
            }
        }
    }
    let mut market = Market::open(723);
    let (team, subjects) = Team::hired(&mut market);
    let staff = staff(&mut market);
    for_each_simple_kind!(check(&team, &staff, &subjects));
}

/// Makes a phone believe that its grants are of another role.
fn pretends(person: Person, role: Role) -> Person {
    let table = rusqlite::Connection::open(person.database()).expect("the phone's database");
    table.execute("UPDATE grants SET role = ?1", [role.as_str()]).expect("pretended");
    drop(table);
    person.restarts()
}

#[test]
fn the_server_holds_what_a_phone_that_pretends_another_role_records() {
    fn check<C: Sample>(staff: &mut Vec<(Role, Person)>, subjects: &Subjects) {
        let able = Role::ALL.into_iter().find(|role| role.may(C::CAPABILITY)).expect("a role");
        for (role, person) in std::mem::take(staff) {
            let person = pretends(person, able);
            records::<C>(&person, subjects);
            let progress = person.syncs().expect("a sync").progress;
            let expected = if role.may(C::CAPABILITY) { (1, 0) } else { (0, 1) };
            assert_eq!((progress.logged, progress.held), expected, "{role} {}", C::NAME);
            staff.push((role, person));
        }
    }
    let mut market = Market::open(724);
    let (_, subjects) = Team::hired(&mut market);
    let mut staff = staff(&mut market);
    // Others do not have the farmers that some records name.
    staff.retain(|(role, _)| role.sees_farmers());
    for_each_simple_kind!(check(&mut staff, &subjects));
}

#[test]
fn a_list_shows_each_record_once_in_its_order_also_while_others_arrive() {
    fn check<C: Sample>(market: &mut Market, team: &Team, ravi: &Person, mala: &Person, subjects: &Subjects) {
        let asha = team.author::<C>();
        let other = if Role::Dispatcher.may(C::CAPABILITY) { ravi } else { mala };
        for person in [asha, other] {
            person.syncs_wholly();
        }
        let all = SimpleFilter::default();
        let mut made = Vec::new();
        market.clock.pass(1);
        let elsewhere = records::<C>(other, subjects).record_id;
        for _ in 0..3 {
            market.clock.pass(1);
            made.push(records::<C>(asha, subjects).record_id);
        }
        let page = |order, after| list::<C>(asha, &all, order, after).expect("a page");
        let (first, next) = page(ListOrder::NewestFirst, None);
        assert_eq!((first, next), (vec![made[2], made[1]], Some(made[1])), "{}", C::NAME);
        other.syncs_wholly();
        asha.syncs_wholly();
        assert_eq!(page(ListOrder::NewestFirst, next), (vec![made[0], elsewhere], None), "{}", C::NAME);
        let oldest = page(ListOrder::OldestFirst, None);
        assert_eq!(oldest, (vec![elsewhere, made[0]], Some(made[0])), "{}", C::NAME);
        let error = list::<C>(asha, &all, ListOrder::OldestFirst, Some(DocumentId::from([7; 16])));
        assert_eq!(error.expect_err("no such record").code(), ErrorCode::NotFound);
        let valid = C::valid(subjects);
        for (filter, is_matched) in [
            (SimpleFilter { about: valid.about(), ..all.clone() }, true),
            (SimpleFilter { farmer_id: valid.farmer_id(), ..all.clone() }, true),
            (SimpleFilter { date: valid.date(), state: Some(SimpleState::Open), ..all.clone() }, true),
            (SimpleFilter { about: Some(DocumentId::from([7; 16])), ..all.clone() }, false),
            (SimpleFilter { state: Some(SimpleState::Withdrawn), ..all.clone() }, false),
        ] {
            let (found, _) = list::<C>(asha, &filter, ListOrder::OldestFirst, None).expect("a page");
            assert_eq!(!found.is_empty(), is_matched, "{} {filter:?}", C::NAME);
        }
    }
    let mut market = Market::open(725);
    let (team, subjects) = Team::hired(&mut market);
    let (ravi, mala) = (market.hires("Ravi", "dispatcher"), market.hires("Mala", "admin"));
    for_each_simple_kind!(check(&mut market, &team, &ravi, &mala, &subjects));
}

#[test]
fn a_centre_that_is_not_granted_is_out_of_scope() {
    let mut market = Market::open(726);
    let asha = market.hires("Asha", "dispatcher");
    let malur = "MALUR".parse().expect("a code");
    let list =
        asha.client.simple_records::<Note>(Some(&malur), &SimpleFilter::default(), ListOrder::NewestFirst, None, 2);
    assert_eq!(list.expect_err("not granted").code(), ErrorCode::OutOfScope);
}

#[test]
fn a_note_belongs_to_a_recorded_delivery_or_load_on_the_phone() {
    let mut market = Market::open(727);
    let (asha, ravi) = (market.hires("Asha", "clerk"), market.hires("Ravi", "dispatcher"));
    let subjects = Subjects::made_by(&ravi);
    ravi.syncs_wholly();
    asha.syncs_wholly();
    let draft = asha.starts(Some(subjects.farmer), None).delivery_id;
    for (document, code, field) in [
        (DocumentId::from(draft), ErrorCode::InvalidInput, Some("record_id")),
        (subjects.farmer.into(), ErrorCode::InvalidInput, Some("record_id")),
        (DocumentId::from([7; 16]), ErrorCode::NotFound, None),
    ] {
        let error = asha.client.add_note(document, "late").expect_err("no notes");
        assert_eq!(error.code(), code, "{error}");
        if let Some(expected) = field {
            assert!(matches!(&error, Error::Invalid { field, .. } if *field == expected), "{error}");
        }
    }
    let on_load = asha.client.add_note(subjects.load.into(), "leaves at six").expect("a note");
    market.clock.pass(60);
    asha.syncs_wholly();
    ravi.syncs_wholly();
    let answer = ravi.client.add_note(subjects.load.into(), "wait for Muniyappa").expect("a note");
    asha.client.add_note(subjects.delivery.into(), "wet").expect("a note");
    let filter = SimpleFilter { about: Some(subjects.load.into()), ..SimpleFilter::default() };
    let chat = ravi.client.simple_records::<Note>(None, &filter, ListOrder::OldestFirst, None, 50).expect("the chat");
    let chat: Vec<DocumentId> = chat.items.into_iter().map(|it| it.record_id).collect();
    assert_eq!(chat, [on_load.record_id, answer.record_id]);
    assert_eq!(on_load.content.record_kind, Load::NUMBER);
    assert_eq!(asha.client.simple_record::<Note>(on_load.record_id).expect("a note").actions, []);
    let other = asha.client.simple_record::<Note>(subjects.delivery.into()).expect_err("not a note");
    assert_eq!(other.code(), ErrorCode::NotFound);
}

#[test]
fn the_net_weight_of_a_ticket_is_gross_minus_tare() {
    let mut market = Market::open(728);
    let (team, subjects) = Team::hired(&mut market);
    let ticket = records::<WeighbridgeTicket>(&team.dispatcher, &subjects);
    assert_eq!(ticket.net_g, Some(Grams(8_340_000)));
    let valid = WeighbridgeTicket::valid(&subjects);
    let empty = WeighbridgeTicket { tare: valid.gross, ..valid.clone() };
    assert_eq!(tries(&team.dispatcher, empty).expect("an empty lorry").net_g, Some(Grams::ZERO));
    let on_farmer = WeighbridgeTicket { record_id: subjects.farmer.into(), ..valid };
    let error = tries(&team.dispatcher, on_farmer).expect_err("neither a load nor a delivery");
    assert!(matches!(error, Error::Invalid { field: "record_id", .. }), "{error}");
}

#[test]
fn two_changes_of_one_request_merge_by_field_and_a_conflict_is_resolved() {
    let mut market = Market::open(729);
    let (team, subjects) = Team::hired(&mut market);
    let (asha, ravi) = (&team.dispatcher, market.hires("Ravi", "dispatcher"));
    let made = records::<LorryRequest>(asha, &subjects);
    asha.syncs_wholly();
    ravi.syncs_wholly();
    let change = |person: &Person, change: &dyn Fn(&mut LorryRequest)| {
        let shown = person.client.simple_record::<LorryRequest>(made.record_id).expect("a request");
        let mut content = shown.content;
        change(&mut content);
        person.client.change_simple(shown.basis, content).expect("changed")
    };
    change(asha, &|it| (it.bags, it.farmers) = (310, 13));
    market.clock.pass(60);
    change(&ravi, &|it| (it.bags, it.purpose) = (290, "to the port".into()));
    for person in [asha, &ravi, asha] {
        person.syncs_wholly();
    }
    let merged = asha.client.simple_record::<LorryRequest>(made.record_id).expect("a request");
    let LorryRequest { farmers, bags, purpose, .. } = &merged.content;
    assert_eq!((*farmers, *bags, purpose.as_str()), (13, 290, "to the port"));
    let [conflict] = merged.conflicts.as_slice() else { panic!("{:?}", merged.conflicts) };
    let texts: Vec<&str> = conflict.values.iter().map(|value| value.text.as_str()).collect();
    assert_eq!((conflict.field.as_str(), conflict.is_hard, texts), ("bags", false, vec!["290", "310"]));

    let items = asha.inbox();
    let item = items.iter().find(|item| matches!(item.kind, InboxKind::Conflict(_))).expect("an item");
    asha.client.resolve(item.basis, &item.choices[1]).expect("resolved");
    asha.syncs_wholly();
    ravi.syncs_wholly();
    let agreed = ravi.client.simple_record::<LorryRequest>(made.record_id).expect("a request");
    assert_eq!((agreed.content.bags, agreed.conflicts.len()), (310, 0));
    assert_eq!(fingerprint(&asha.database()), fingerprint(&ravi.database()));

    let same = asha.client.simple_record::<LorryRequest>(made.record_id).expect("a request");
    let unchanged = asha.client.change_simple(same.basis, same.content.clone()).expect("nothing to write");
    assert_eq!(unchanged.basis, same.basis);
    let other = LorryRequest { commodity: "MAIZE".parse().expect("a code"), ..same.content.clone() };
    let error = asha.client.change_simple(same.basis, other).expect_err("another commodity");
    assert!(matches!(error, Error::Invalid { field: "content", .. }), "{error}");
    // Another commodity was tried above.
    let wrong = LorryRequest::wrong(&same.content).into_iter().filter(|(field, _)| *field != "commodity");
    for (field, content) in wrong {
        let error = asha.client.change_simple(same.basis, content).expect_err("a wrong field");
        assert!(matches!(&error, Error::Invalid { field: found, .. } if *found == field), "{field}: {error}");
    }
    assert_eq!(same.actions, [ActionCode::Correct, ActionCode::Withdraw]);
    let withdrawn = asha.client.step_simple::<LorryRequest>(same.basis, SimpleStep::Withdrawn, Some(&reason("rain")));
    let withdrawn = withdrawn.expect("withdrawn");
    assert_eq!((withdrawn.actions.as_slice(), withdrawn.state), (&[][..], SimpleState::Withdrawn));
    let error = asha.client.change_simple(withdrawn.basis, same.content).expect_err("withdrawn");
    assert_eq!(error.code(), ErrorCode::NotAllowed);
}

#[test]
fn a_withdrawal_needs_a_reason() {
    let mut market = Market::open(730);
    let (team, subjects) = Team::hired(&mut market);
    let made = records::<LorryRequest>(&team.dispatcher, &subjects);
    for bad in [None, Some(reason("")), Some(reason("a\0b")), Some(reason(&"x".repeat(201)))] {
        let step = team.dispatcher.client.step_simple::<LorryRequest>(made.basis, SimpleStep::Withdrawn, bad.as_ref());
        assert!(matches!(step.expect_err("no reason"), Error::Invalid { field: "reason", .. }), "{bad:?}");
    }
}

#[test]
fn open_intents_of_a_day_propose_the_estimates_of_a_request() {
    let mut market = Market::open(731);
    let (team, subjects) = Team::hired(&mut market);
    let asha = &team.dispatcher;
    let valid = SupplyIntent::valid(&subjects);
    let first = tries(asha, valid.clone()).expect("an intent");
    tries(asha, SupplyIntent { bags: 5, weight: weight(300_000), ..valid.clone() }).expect("an intent");
    tries(asha, SupplyIntent { date: "2019-05-11".parse().expect("a date"), ..valid.clone() }).expect("another day");
    let propose = |date| asha.client.propose_supply(&"KOLAR".parse().expect("a code"), &valid.commodity, date);
    let both = SupplyProposal { farmers: 1, bags: 25, weight_g: Grams(1_500_000) };
    assert_eq!(propose(valid.date).expect("a sum"), both);
    asha.client.step_simple::<SupplyIntent>(first.basis, SimpleStep::Withdrawn, Some(&reason("rain"))).expect("done");
    assert_eq!(propose(valid.date).expect("a sum"), SupplyProposal { farmers: 1, bags: 5, weight_g: Grams(300_000) });
    let malur = asha.client.propose_supply(&"MALUR".parse().expect("a code"), &valid.commodity, valid.date);
    assert_eq!(malur.expect_err("not granted").code(), ErrorCode::OutOfScope);
}

#[test]
fn what_a_farmer_said_is_erased_with_the_farmer_everywhere() {
    fn says<C: Sample>(team: &Team, subjects: &Subjects, made: &mut Vec<(DocumentId, bool)>) {
        let author = team.author::<C>();
        author.syncs_wholly();
        let it = records::<C>(author, subjects).record_id;
        author.syncs_wholly();
        made.push((it, C::PRIVACY == Privacy::Personal));
    }
    let mut market = Market::open(732);
    let (team, subjects) = Team::hired(&mut market);
    let mut made = Vec::new();
    for_each_simple_kind!(says(&team, &subjects, &mut made));
    let staff = Feedback { farmer_id: None, text: "Zipporah was late".into(), ..Feedback::valid(&subjects) };
    let staff = tries(&team.dispatcher, staff).expect("recorded").record_id;
    let other = team.dispatcher.registers("Meena", "Malur", "").farmer_id;
    let foreign = tries(&team.dispatcher, Dispute { farmer_id: other, ..Dispute::valid(&subjects) });
    assert!(matches!(foreign, Err(Error::Invalid { field: "farmer_id", .. })), "{foreign:?}");
    let named = Dispute { text: "Zipporah Quill saw it".into(), ..Dispute::valid(&subjects) };
    let named = tries(&team.dispatcher, named).expect("recorded");
    let withdrawn = Reason { code: "settled".into(), text: "Zipporah Quill agreed".into() };
    let step = SimpleStep::Withdrawn;
    team.dispatcher.client.step_simple::<Dispute>(named.basis, step, Some(&withdrawn)).expect("withdrawn");
    team.dispatcher.syncs_wholly();
    team.admin.syncs_wholly();
    let personal = made.iter().filter(|(_, is_personal)| *is_personal).count();
    // The contact details, and the dispute that names somebody.
    let erased = market.server.erase_farmer(market.organisation, subjects.farmer).expect("erased");
    assert_eq!((personal, erased), (5, personal + 2));
    for person in [team.dispatcher, team.admin] {
        person.syncs_wholly();
        let db = rusqlite::Connection::open(person.database()).expect("it opens");
        for (document, is_personal) in &made {
            let sql = "SELECT count(*) FROM simple_records WHERE record_id = ?1";
            let rows: u32 = db.query_row(sql, [document], |row| row.get(0)).expect("a count");
            assert_eq!(rows == 0, *is_personal, "{document}");
        }
        drop(db);
        assert!(person.client.simple_record::<Feedback>(staff).is_ok(), "staff is not the farmer");
        let person = person.restarts();
        let bytes = bytes_of(&person.folder);
        assert!(!bytes.windows(14).any(|it| it == b"Zipporah Quill"), "{}", person.name);
    }
    let again = market.server.erase_farmer(market.organisation, subjects.farmer).expect_err("nothing is left");
    assert_eq!(again.code(), ErrorCode::NotFound);
}

#[test]
fn what_is_brought_about_a_forgotten_farmer_is_erased_too_even_held_or_after_a_restore() {
    let mut market = Market::open(740);
    let (team, subjects) = Team::hired(&mut market);
    let ravi = market.hires("Ravi", "dispatcher");
    ravi.syncs_wholly();
    let says = |person: &Person, text: &str| {
        let dispute = Dispute { text: text.into(), ..Dispute::valid(&subjects) };
        tries(person, dispute).expect("recorded").record_id
    };
    let copy = market.backs_up("before");
    // Ravi does not hear of the erasure before he syncs.
    let unsent = says(&ravi, "Zipporah Quill saw it");
    market.server.erase_farmer(market.organisation, subjects.farmer).expect("erased");
    ravi.syncs_wholly();
    let is_gone = |person: &Person, id: DocumentId| {
        person.syncs_wholly();
        let found = person.client.simple_record::<Dispute>(id);
        assert!(matches!(found, Err(Error::NotFound { .. })), "{found:?}");
    };
    is_gone(&ravi, unsent);
    is_gone(&team.admin, unsent);
    // An entry that nobody may log is held, and erased anyway.
    let held = says(&ravi, "Zipporah Quill was there");
    let db = rusqlite::Connection::open(ravi.database()).expect("it opens");
    assert_eq!(db.execute("UPDATE outbox SET grant_id = zeroblob(16)", []).expect("changed"), 1);
    drop(db);
    ravi.syncs_wholly();
    assert_eq!(market.server.held(market.organisation).expect("a list"), []);
    is_gone(&ravi, held);
    // The journal knows who was forgotten when the database does not.
    market.sets_back(&copy, true);
    let late = says(&team.dispatcher, "Zipporah Quill agreed");
    team.dispatcher.syncs_wholly();
    is_gone(&team.dispatcher, late);
    let bytes = bytes_of(&market.server_folder());
    assert!(!bytes.windows(14).any(|it| it == b"Zipporah Quill"));
}

#[test]
fn a_queue_ticket_advances_as_those_before_it_are_served_or_leave() {
    let mut market = Market::open(733);
    let (team, subjects) = Team::hired(&mut market);
    let asha = &team.dispatcher;
    let mut tickets = Vec::new();
    for _ in 0..4 {
        market.clock.pass(60);
        tickets.push(records::<QueueTicket>(asha, &subjects));
    }
    let other_day = QueueTicket { date: "2019-05-10".parse().expect("a date"), ..QueueTicket::valid(&subjects) };
    let other_day = tries(asha, other_day).expect("a ticket").record_id;
    let positions = || -> Vec<Option<u32>> {
        let ids = tickets.iter().map(|it| it.record_id).chain([other_day]);
        ids.map(|id| asha.client.queue_position(id).expect("a ticket")).collect()
    };
    let step = |at: usize, step| {
        let shown = asha.client.simple_record::<QueueTicket>(tickets[at].record_id).expect("a ticket");
        asha.client.step_simple::<QueueTicket>(shown.basis, step, None).expect("a step").state
    };
    assert_eq!(positions(), [Some(1), Some(2), Some(3), Some(4), Some(1)]);
    assert_eq!(step(0, SimpleStep::Called), SimpleState::Called);
    assert_eq!(step(1, SimpleStep::Left), SimpleState::Left);
    assert_eq!(positions(), [None, None, Some(1), Some(2), Some(1)]);
    assert_eq!(step(0, SimpleStep::Served), SimpleState::Served);
    assert_eq!(positions(), [None, None, Some(1), Some(2), Some(1)]);
    let error = asha.client.queue_position(DocumentId::from([7; 16])).expect_err("no ticket");
    assert_eq!(error.code(), ErrorCode::NotFound);
}

#[test]
fn balances_of_crates_follow_from_what_every_phone_moved() {
    let mut market = Market::open(734);
    let (team, subjects) = Team::hired(&mut market);
    let ravi = market.hires("Ravi", "clerk");
    let valid = ContainerMovement::valid(&subjects);
    let moves = |person: &Person, kind, count| {
        let content = ContainerMovement { kind, count, ..valid.clone() };
        tries(person, content).expect("moved")
    };
    let kolar = "KOLAR".parse().expect("a code");
    let counts = |person: &Person| -> Vec<(Party, i64)> {
        let balances = person.client.container_balances(&kolar).expect("balances");
        balances.into_iter().map(|it| (it.party, it.count)).collect()
    };
    let mistake = moves(&team.dispatcher, MovementKind::Issued, 20);
    moves(&team.dispatcher, MovementKind::Issued, 30);
    market.clock.pass(60);
    moves(&ravi, MovementKind::Returned, 4);
    assert_eq!(counts(&team.dispatcher), [(valid.party.clone(), 50)]);
    let step = SimpleStep::Withdrawn;
    let withdrawn =
        team.dispatcher.client.step_simple::<ContainerMovement>(mistake.basis, step, Some(&reason("typed")));
    withdrawn.expect("withdrawn");
    for person in [&team.dispatcher, &ravi, &team.dispatcher] {
        person.syncs_wholly();
    }
    for person in [&team.dispatcher, &ravi] {
        assert_eq!(counts(person), [(valid.party.clone(), 26)], "{}", person.name);
    }
    let malur = team.dispatcher.client.container_balances(&"MALUR".parse().expect("a code"));
    assert_eq!(malur.expect_err("not granted").code(), ErrorCode::OutOfScope);
    let kavya = market.hires("Kavya", "receiver");
    let seen = kavya.client.container_balances(&kolar).expect_err("it names farmers");
    assert_eq!(seen.code(), ErrorCode::NotAllowed);
}

#[test]
fn a_failed_check_lists_every_delivery_since_the_last_good_one_that_may_have_been_weighed_with_it() {
    let mut market = Market::open(735);
    let (team, subjects) = Team::hired(&mut market);
    let asha = &team.dispatcher;
    let valid = InstrumentCheck::valid(&subjects);
    let weighs = |scale: Option<&str>| {
        let draft = asha.starts(Some(subjects.farmer), None);
        let DraftEdit::AddBag { gross, bag_type, source, grade, .. } = bag(20_000) else { panic!("a bag") };
        let scale = scale.map(|scale| scale.parse().expect("a code"));
        let edit = DraftEdit::AddBag { gross, bag_type, source, grade, scale };
        let draft = asha.client.edit_draft(draft.basis, &[edit]).expect("a bag");
        asha.client.record_delivery(draft.basis, &Check::ALL).expect("recorded").delivery_id
    };
    let checks = |has_passed, scale: &str| {
        let instrument = scale.parse().expect("a code");
        tries(asha, InstrumentCheck { has_passed, instrument, ..valid.clone() }).expect("checked")
    };
    let in_doubt =
        |check: &SimpleView<InstrumentCheck>| asha.client.deliveries_in_doubt(check.record_id).expect("a list");
    let first = checks(false, "SCALE7");
    assert_eq!(in_doubt(&first), [subjects.delivery]);
    market.clock.pass(60);
    weighs(Some("SCALE7"));
    let good = checks(true, "SCALE7");
    assert_eq!(in_doubt(&good), []);
    market.clock.pass(60);
    let (on_it, unnamed) = (weighs(Some("SCALE7")), weighs(None));
    weighs(Some("SCALE8"));
    checks(true, "SCALE8");
    let failed = checks(false, "SCALE7");
    market.clock.pass(60);
    weighs(Some("SCALE7"));
    assert_eq!(in_doubt(&failed), [on_it, unnamed]);
    let withdraws = |check: &SimpleView<InstrumentCheck>| {
        let step = SimpleStep::Withdrawn;
        asha.client.step_simple::<InstrumentCheck>(check.basis, step, Some(&reason("typed"))).expect("withdrawn")
    };
    // Without the good check, all deliveries since the beginning are in doubt but that of the other scale.
    withdraws(&good);
    assert_eq!(in_doubt(&failed).len(), 4);
    withdraws(&failed);
    assert_eq!(in_doubt(&failed), []);
    let error = asha.client.deliveries_in_doubt(subjects.delivery.into()).expect_err("not a check");
    assert_eq!(error.code(), ErrorCode::NotFound);
}
