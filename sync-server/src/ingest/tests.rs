//! Judgements on states built in memory, without a database.

use farmtally_core::decisions::Grant;
use farmtally_core::permission::Role;
use farmtally_core::protocol::bundle::{Bundle, SCHEMA_VERSION};
use farmtally_core::protocol::message::Verdict;
use farmtally_core::records::{self, Change, Delivery, Kind};
use farmtally_core::scope::Scope;
use farmtally_core::units::{BundleHash, ChangeHash, DeviceCode, GrantId, Timestamp};

use super::state::{Entry, State};
use crate::storage::{Device, HeldEntry, RejectedEntry};

/// A bundle of a day's work on one phone: farmers, loads, deliveries.
const BUNDLE: &[u8] = include_bytes!("../../../tests/fixtures/golden/asha.bundle");

/// Returns the state of a server that has none of the bundle's entries, and these entries.
fn fresh() -> (State, Vec<Entry>) {
    let bundle = Bundle::parse(BUNDLE).expect("a bundle");
    let hash = bundle.hash();
    let entries: Vec<Entry> = (0..).zip(bundle.entries()).map(|(n, it)| Entry::of(&bundle, hash, n, it)).collect();
    let mut state = State::default();
    state.now = Timestamp(1_000);
    for entry in &entries {
        let envelope = &entry.pending.envelope;
        let device = Device {
            device_id: envelope.device_id,
            code: code_of(entry),
            public_key: [0; 32],
            user_id: envelope.author_id,
            model: String::new(),
            enrolled_at: Timestamp(0),
            seen_at: Timestamp(0),
            head: None,
            ancestor_id: None,
            wiped_at: None,
        };
        state.sources.entry(envelope.device_id).or_default().lineage = vec![device];
        let grant = Grant {
            grant_id: envelope.grant_id,
            user_id: envelope.author_id,
            device_id: envelope.device_id,
            role: Role::FieldManager,
            centres: vec!["KOLAR".parse().expect("a code")],
        };
        state.grants.insert(envelope.grant_id, (grant, None));
    }
    (state, entries)
}

/// Returns the device code in the stamps of an entry.
fn code_of(entry: &Entry) -> DeviceCode {
    let kind = Kind::from_number(entry.pending.envelope.kind).expect("a kind");
    let stamps = kind.shape.stamps(change(entry)).expect("stamps");
    stamps.first().expect("a stamp").device_code
}

fn change(entry: &Entry) -> &Change {
    entry.change.as_ref().expect("a change")
}

/// Returns the indexes of the change that creates a delivery, and of the next change of that delivery.
fn delivery(entries: &[Entry]) -> (usize, usize) {
    let is_delivery = |entry: &Entry| entry.pending.envelope.kind == Kind::of::<Delivery>().number;
    let builds = |entry: &&Entry| is_delivery(entry) && !change(entry).dependencies().is_empty();
    let next = entries.iter().position(|entry| builds(&entry)).expect("an amendment");
    let first = entries.iter().position(|it| it.document() == entries[next].document()).expect("the delivery");
    (first, next)
}

/// Formats a verdict: its kind, and the sequence number, count or code.
fn word(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Logged { sequence, .. } => format!("logged {sequence}"),
        Verdict::Deferred { missing } => format!("deferred {}", missing.len()),
        Verdict::Held { code, .. } => format!("held {code}"),
        Verdict::Rejected { .. } => "rejected".into(),
        Verdict::Erased => "erased".into(),
        Verdict::BytesMissing => "bytes missing".into(),
    }
}

#[test]
fn a_whole_bundle_is_logged_in_order_and_again_with_the_same_numbers() {
    let (mut state, entries) = fresh();
    let first: Vec<Verdict> = entries.iter().map(|it| state.judge(it).expect("judged")).collect();
    assert!(first.iter().all(|verdict| matches!(verdict, Verdict::Logged { .. })), "{first:?}");
    let again: Vec<Verdict> = entries.iter().map(|it| state.judge(it).expect("judged")).collect();
    assert_eq!(again, first);
    assert!(state.findings.is_empty());
}

#[test]
fn each_check_has_its_verdict() {
    type Alter = fn(&mut State, &mut Entry);
    let cases: [(&str, Alter, &str); 19] = [
        ("nothing is wrong", |_, _| {}, "logged 1"),
        ("a draft", |_, it| it.pending.envelope.kind = 0, "held draft"),
        ("a kind of a newer version", |_, it| it.pending.envelope.kind = 200, "deferred 0"),
        ("a scope of a newer version", |_, it| it.pending.envelope.scope = newer_scope(), "deferred 0"),
        ("bytes that are no change", |_, it| it.change = Err(no_change()), "held malformed"),
        ("such bytes of a newer schema", |_, it| newer(it).change = Err(no_change()), "deferred 0"),
        ("no bytes", |_, it| it.is_missing = true, "bytes missing"),
        ("an unknown grant", |_, it| it.pending.envelope.grant_id = GrantId::from([9; 16]), "held not_allowed"),
        ("such a grant in a newer schema", |_, it| newer(it).pending.envelope.grant_id = [9; 16].into(), "deferred 0"),
        (
            "a form of scope that the kind does not live in",
            |_, it| it.pending.envelope.scope = home(),
            "held out_of_scope",
        ),
        ("such a form in a newer schema", |_, it| newer(it).pending.envelope.scope = home(), "deferred 0"),
        ("another's grant", |state, _| grant(state).0.user_id = [9; 16].into(), "held not_allowed"),
        ("a grant on another device", |state, _| grant(state).0.device_id = [9; 16].into(), "held not_allowed"),
        ("a grant that had ended", |state, it| grant(state).1 = Some(it.pending.device_cursor), "held not_allowed"),
        ("a grant that ended unknown", |state, it| grant(state).1 = Some(it.pending.device_cursor + 1), "logged 1"),
        (
            "another centre",
            |state, _| grant(state).0.centres = vec!["MALUR".parse().expect("a code")],
            "held out_of_scope",
        ),
        ("a lost device", |state, _| state.sources.values_mut().for_each(|it| it.is_lost = true), "held not_allowed"),
        ("another device's stamps", |state, _| code(state).0 += 1, "held not_allowed"),
        ("an erased document", |state, it| state.document(it.document()).is_erased = true, "erased"),
    ];
    for (name, alter, expected) in cases {
        let (mut state, mut entries) = fresh();
        let (first, _) = delivery(&entries);
        let mut entry = entries.swap_remove(first);
        alter(&mut state, &mut entry);
        let verdict = state.judge(&entry).expect("judged");
        assert_eq!(word(&verdict), expected, "{name}");
        if !matches!(verdict, Verdict::Logged { .. } | Verdict::BytesMissing) {
            assert_eq!(state.judge(&entry).expect("judged"), verdict, "{name}, again");
        }
        let findings = usize::from(["no bytes", "a grant that ended unknown"].contains(&name));
        assert_eq!(state.findings.len(), findings, "{name}");
    }
}

fn newer_scope() -> Scope {
    "c/KOLAR/2019/pay".parse().expect("a scope")
}

/// Returns a scope of farmers, in which no delivery may be.
fn home() -> Scope {
    "c/KOLAR".parse().expect("a scope")
}

fn no_change() -> records::Error {
    Change::parse_stripped(&[]).expect_err("no change")
}

/// Gives an entry a newer schema version.
fn newer(entry: &mut Entry) -> &mut Entry {
    entry.pending.schema = SCHEMA_VERSION + 1;
    entry
}

fn grant(state: &mut State) -> &mut (Grant, Option<u64>) {
    state.grants.values_mut().next().expect("a grant")
}

fn code(state: &mut State) -> &mut DeviceCode {
    &mut state.sources.values_mut().next().expect("a device").lineage[0].code
}

#[test]
fn what_waits_is_judged_when_what_it_builds_on_comes() {
    let (mut state, entries) = fresh();
    let (first, next) = delivery(&entries);
    assert_eq!(word(&state.judge(&entries[next]).expect("judged")), "deferred 1");
    assert_eq!(word(&state.judge(&entries[next]).expect("judged")), "deferred 1", "again");
    assert_eq!(state.document(entries[next].document()).deferred.iter().count(), 1);
    assert_eq!(word(&state.judge(&entries[first]).expect("judged")), "logged 1");
    assert_eq!(word(&state.judge(&entries[next]).expect("judged")), "logged 2");
    assert_eq!(state.document(entries[next].document()).deferred.iter().count(), 0);
}

#[test]
fn what_builds_on_a_change_that_is_held_or_was_rejected_shares_its_verdict() {
    let (mut state, entries) = fresh();
    let (first, next) = delivery(&entries);
    let held = HeldEntry {
        entry: entries[first].pending.clone(),
        code: "not_allowed".into(),
        reason: String::new(),
        held_at: Timestamp(0),
    };
    state.document(entries[first].document()).held.add(held);
    assert_eq!(word(&state.judge(&entries[next]).expect("judged")), "held follows_held");

    let (mut state, entries) = fresh();
    let rejected = RejectedEntry {
        document_id: entries[first].document(),
        change: entries[first].pending.change,
        device_id: entries[first].pending.envelope.device_id,
        reason: "twice".into(),
    };
    state.document(entries[first].document()).rejected.add(rejected);
    let verdict = state.judge(&entries[next]).expect("judged");
    assert_eq!(verdict, Verdict::Rejected { reason: "twice".into() });
}

#[test]
fn only_the_devices_own_changes_pull_others_after_them() {
    let (mut state, entries) = fresh();
    let (first, next) = delivery(&entries);
    let mut entry = entries[first].pending.clone();
    entry.envelope.device_id = [9; 16].into();
    let held = HeldEntry { entry, code: "not_allowed".into(), reason: String::new(), held_at: Timestamp(0) };
    state.document(entries[first].document()).held.add(held);
    assert_eq!(word(&state.judge(&entries[next]).expect("judged")), "deferred 1");
}

#[test]
fn a_logged_change_of_another_bundle_is_the_same_change() {
    let (mut state, mut entries) = fresh();
    let (first, _) = delivery(&entries);
    let mut entry = entries.swap_remove(first);
    let verdict = state.judge(&entry).expect("judged");
    entry.pending.bundle = BundleHash([7; 32]);
    assert_eq!(state.judge(&entry).expect("judged"), verdict);
    entry.pending.change = ChangeHash([7; 32]);
    assert_ne!(state.judge(&entry).expect("judged"), verdict, "another change");
}

#[test]
fn a_change_that_waits_still_does_when_another_who_may_not_make_it_hands_it_over() {
    let (mut state, entries) = fresh();
    let (_, next) = delivery(&entries);
    assert_eq!(word(&state.judge(&entries[next]).expect("judged")), "deferred 1");
    let mut stolen = entries[next].pending.clone();
    stolen.envelope.grant_id = GrantId::from([9; 16]);
    assert_eq!(word(&state.judge(&Entry::from(stolen)).expect("judged")), "held not_allowed");
    assert_eq!(state.document(entries[next].document()).deferred.iter().count(), 1, "its author's waits on");
}
