//! Simple records of every kind: recording, steps, lists, bad input, roles.

use farmtally_core::client::{ListOrder, Place, SimpleFilter, SimpleView, SyncState};
use farmtally_core::permission::Role;
use farmtally_core::records::simple::SimpleStep;
use farmtally_core::records::{Load, Note, RecordKind, SimpleKind};
use farmtally_core::rules::action_of;
use farmtally_core::scope::ScopeForm;
use farmtally_core::units::{DeliveryId, DocumentId, FarmerId, LoadId};
use farmtally_core::{Error, ErrorCode};
use farmtally_tests::{Market, Person, fingerprint, reason};

/// Records that simple records are about, all on one phone.
struct Subjects {
    delivery: DeliveryId,
    load: LoadId,
    farmer: FarmerId,
}

impl Subjects {
    fn of(person: &Person) -> Self {
        let farmer = person.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
        let load = person.opens("KA07A1111").load_id;
        let delivery = person.weighs(farmer, Some(load), &[20_000]).delivery_id;
        Self { delivery, load, farmer }
    }
}

/// A kind with content that its command accepts, and wrong contents with the field that is named.
trait Sample: SimpleKind {
    fn valid(subjects: &Subjects) -> (Place, Self);
    fn wrong(subjects: &Subjects) -> Vec<(&'static str, Self)>;
}

impl Sample for Note {
    fn valid(subjects: &Subjects) -> (Place, Self) {
        let text = "the crates were wet".to_owned();
        (Place::OfSubject, Self { record_kind: Load::NUMBER, record_id: subjects.load.into(), text })
    }

    fn wrong(subjects: &Subjects) -> Vec<(&'static str, Self)> {
        let (_, valid) = Self::valid(subjects);
        [0, 3, 4, 5].map(|record_kind| ("record_id", Self { record_kind, ..valid.clone() })).into()
    }
}

/// Calls a function of one type parameter for every simple kind.
macro_rules! for_each_kind {
    ($call:ident($($argument:expr),*)) => {{
        $call::<Note>($($argument),*);
    }};
}

fn records<C: Sample>(person: &Person, subjects: &Subjects) -> SimpleView<C> {
    let (place, content) = C::valid(subjects);
    person.client.record_simple(&place, content).unwrap_or_else(|error| panic!("{}: {error}", C::NAME))
}

#[test]
fn every_simple_record_is_unsent_then_logged_and_the_same_on_every_replica() {
    fn check<C: Sample>(market: &Market, asha: &Person, ravi: &Person, subjects: &Subjects) {
        let made = records::<C>(asha, subjects);
        assert_eq!(made.sync, SyncState::Unsent, "{}", C::NAME);
        asha.syncs_wholly();
        ravi.syncs_wholly();
        let logged = asha.client.simple_record::<C>(made.record_id).expect("here");
        assert_eq!(logged.sync, SyncState::Logged, "{}", C::NAME);
        assert_eq!(logged, SimpleView { sync: SyncState::Logged, ..made }, "{}", C::NAME);
        let seen = ravi.client.simple_record::<C>(logged.record_id).expect("read");
        assert_eq!((seen.content, seen.made), (logged.content, logged.made));
        assert_eq!(fingerprint(&asha.database()), fingerprint(&ravi.database()), "{}", C::NAME);
        assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()), "{}", C::NAME);
    }
    let mut market = Market::open(720);
    let (asha, ravi) = (market.hires("Asha", "dispatcher"), market.hires("Ravi", "dispatcher"));
    let subjects = Subjects::of(&asha);
    for_each_kind!(check(&market, &asha, &ravi, &subjects));
}

#[test]
fn bad_input_is_refused_by_its_field_and_writes_nothing() {
    fn refuses<C: Sample>(person: &Person, place: &Place, content: C, field: &str, why: &str) {
        let before = fingerprint(&person.database());
        let error = person.client.record_simple(place, content).expect_err(why);
        assert!(matches!(&error, Error::Invalid { field: found, .. } if *found == field), "{} {why}: {error}", C::NAME);
        assert_eq!(fingerprint(&person.database()), before, "{} {why}", C::NAME);
        assert_eq!(person.client.sync_status().expect("a status").backlog.unsent, 0, "{} {why}", C::NAME);
    }
    fn check<C: Sample>(person: &Person, subjects: &Subjects) {
        let (place, valid) = C::valid(subjects);
        for at in 0..valid.clone().texts().len() {
            let (field, is_required) = (valid.clone().texts()[at].field, valid.clone().texts()[at].is_required);
            let bad = ["two\nlines".to_owned(), "a\0b".to_owned(), "ಟ".repeat(201), "x".repeat(10_000_000)];
            let empty = ["", " ", "\u{200b}\u{3164}"].map(str::to_owned);
            for text in bad.into_iter().chain(empty.into_iter().filter(|_| is_required)) {
                let mut content = valid.clone();
                *content.texts()[at].text = text;
                refuses(person, &place, content, field, "a bad text");
            }
            let mut content = valid.clone();
            *content.texts()[at].text = "ಟ".repeat(200);
            assert_eq!(content.check(), Ok(()), "{}: {field} of 200 characters", C::NAME);
        }
        for (field, content) in C::wrong(subjects) {
            refuses(person, &place, content, field, "a wrong field");
        }
    }
    let mut market = Market::open(721);
    let asha = market.hires("Asha", "dispatcher");
    let subjects = Subjects::of(&asha);
    asha.syncs_wholly();
    for_each_kind!(check(&asha, &subjects));
}

#[test]
fn text_is_stored_without_what_cannot_be_seen() {
    fn check<C: Sample>(person: &Person, subjects: &Subjects) {
        let (place, mut content) = C::valid(subjects);
        for it in content.texts() {
            *it.text = "  wet \u{202e}\u{200b} crates ".to_owned();
        }
        let mut stored = person.client.record_simple(&place, content).expect("recorded").content;
        assert!(stored.texts().iter().all(|it| it.text == "wet crates"), "{stored:?}");
    }
    let mut market = Market::open(722);
    let asha = market.hires("Asha", "dispatcher");
    let subjects = Subjects::of(&asha);
    for_each_kind!(check(&asha, &subjects));
}

/// A person of each role that a phone can have.
fn staff(market: &mut Market) -> Vec<(Role, Person)> {
    let roles = Role::ALL.into_iter().filter(|role| role.has_phone());
    roles.map(|role| (role, market.hires(role.as_str(), role.as_str()))).collect()
}

#[test]
fn only_roles_with_the_capability_record_and_a_step_that_is_offered_succeeds() {
    fn takes<C: Sample>(bela: &Person, role: Role, person: &Person, subjects: &Subjects, step: SimpleStep) {
        let made = records::<C>(bela, subjects).record_id;
        bela.syncs_wholly();
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
            assert!(!role.may(C::CAPABILITY) || !C::STEPS.contains(&step), "{role} {step} of a {}", C::NAME);
        }
    }
    fn check<C: Sample>(bela: &Person, staff: &[(Role, Person)], subjects: &Subjects) {
        for (role, person) in staff {
            person.syncs_wholly();
            let (place, content) = C::valid(subjects);
            let result = person.client.record_simple(&place, content);
            if role.may(C::CAPABILITY) {
                result.unwrap_or_else(|error| panic!("{role} {}: {error}", C::NAME));
            } else {
                assert_eq!(result.expect_err("not allowed").code(), ErrorCode::NotAllowed, "{role} {}", C::NAME);
            }
            for step in SimpleStep::ALL {
                takes::<C>(bela, *role, person, subjects, step);
            }
        }
    }
    let mut market = Market::open(723);
    let bela = market.hires("Bela", "dispatcher");
    let subjects = Subjects::of(&bela);
    bela.syncs_wholly();
    let staff = staff(&mut market);
    for_each_kind!(check(&bela, &staff, &subjects));
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
    let bela = market.hires("Bela", "dispatcher");
    let subjects = Subjects::of(&bela);
    bela.syncs_wholly();
    let mut staff = staff(&mut market);
    // Others do not have the farmers that some records name.
    staff.retain(|(role, _)| role.sees_farmers());
    for_each_kind!(check(&mut staff, &subjects));
}

#[test]
fn a_list_shows_each_record_once_in_its_order_also_while_others_arrive() {
    fn check<C: Sample>(market: &mut Market, asha: &Person, ravi: &Person, subjects: &Subjects) {
        let list = |order, after| {
            let page =
                asha.client.simple_records::<C>(None, &SimpleFilter::default(), order, after, 2).expect("a page");
            (page.items.iter().map(|it| it.record_id).collect::<Vec<_>>(), page.next)
        };
        let mut made = Vec::new();
        let elsewhere = records::<C>(ravi, subjects).record_id;
        for _ in 0..3 {
            market.clock.pass(1);
            made.push(records::<C>(asha, subjects).record_id);
        }
        let (first, next) = list(ListOrder::NewestFirst, None);
        assert_eq!((first, next), (vec![made[2], made[1]], Some(made[1])), "{}", C::NAME);
        ravi.syncs_wholly();
        asha.syncs_wholly();
        let (second, next) = list(ListOrder::NewestFirst, next);
        assert_eq!((second, next), (vec![made[0], elsewhere], None), "{}", C::NAME);
        let (oldest, next) = list(ListOrder::OldestFirst, None);
        assert_eq!((oldest, next), (vec![elsewhere, made[0]], Some(made[0])), "{}", C::NAME);
        let gone = asha.client.simple_records::<C>(
            None,
            &SimpleFilter::default(),
            ListOrder::OldestFirst,
            Some(DocumentId::from([7; 16])),
            2,
        );
        assert_eq!(gone.expect_err("no such record").code(), ErrorCode::NotFound);
    }
    let mut market = Market::open(725);
    let (asha, ravi) = (market.hires("Asha", "dispatcher"), market.hires("Ravi", "dispatcher"));
    let subjects = Subjects::of(&asha);
    asha.syncs_wholly();
    ravi.syncs_wholly();
    for_each_kind!(check(&mut market, &asha, &ravi, &subjects));
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
    let subjects = Subjects::of(&ravi);
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
