//! Input that the server refuses or holds, with its code, and proof that nothing is lost by it.
//!
//! Mallory has an enrolled phone, so nothing here is refused for lack of a key: she makes bundles, changes and requests by hand, without
//! core's rules.

use std::io::Read;
use std::num::NonZeroU64;
use std::path::Path;

use automerge::transaction::{Transactable, Transaction};
use automerge::{Automerge, ExpandedChange, ObjType, ROOT, ReadDoc, ScalarValue};
use ed25519_dalek::{SigningKey, VerifyingKey};
use farmtally_core::client::{InboxKind, SyncOutcome};
use farmtally_core::limits::{MAX_BODY_BYTES, MAX_WIRE_BYTES};
use farmtally_core::permission::Role;
use farmtally_core::protocol::bundle::{self, Bundle, BundleEntry};
use farmtally_core::protocol::message::{
    self, BundleVerdict, Challenge, ChallengeResponse, EnrolRequest, Problem, SyncRequest, SyncResponse, Verdict,
};
use farmtally_core::records::{Change, Contact, Delivery, Kind, Load};
use farmtally_core::scope::Scope;
use farmtally_core::sync::{WireRequest, WireResponse};
use farmtally_core::units::{BundleHash, DeliveryId, DeviceCode, DeviceId, GrantId, OrganisationId};
use farmtally_sync_server::Server;
use farmtally_tests::{
    ADDRESS, Fault, Forger, Market, Person, bent_change, environment, fingerprint, forged_change, hostile_details,
    verdict_code, verdicts_of,
};

/// A market in which Asha sealed a bundle that never arrived, and Mallory has a copy of it.
struct Intercepted {
    market: Market,
    asha: Person,
    mallory: Forger,
    bytes: Vec<u8>,
}

impl Intercepted {
    fn new(seed: u64) -> Self {
        let mut market = Market::open(seed);
        let (asha, mallory) = (market.hires("Asha", "field_manager"), market.hires("Mallory", "field_manager"));
        let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
        asha.weighs(farmer, None, &[20_000, 21_000]);
        asha.network.plan(&[Fault::RequestLost]);
        assert_eq!(asha.syncs().expect("offline").outcome, SyncOutcome::Offline);
        let [bytes] = Forger::with_phone_of(&asha, &market).bundles().try_into().expect("one bundle");
        let mallory = Forger::with_phone_of(&mallory, &market);
        Self { market, asha, mallory, bytes }
    }

    /// Uploads variants of the bundle; each must be refused and leave no trace.
    fn refusals(&self, variants: &[Vec<u8>]) -> Vec<String> {
        let before = (fingerprint(&self.market.server_database()), kept(&self.market));
        let mut refusals = Vec::new();
        for variants in variants.chunks(100) {
            for verdict in self.mallory.uploads(variants) {
                let BundleVerdict { refused, runs, .. } = verdict;
                assert!(runs.is_empty(), "no entry of a refused bundle is judged");
                refusals.push(refused.expect("refused").to_string());
            }
        }
        assert_eq!(refusals.len(), variants.len());
        assert_eq!((fingerprint(&self.market.server_database()), kept(&self.market)), before, "a trace");
        refusals
    }

    /// Asha has lost nothing, and her next sync succeeds.
    fn ends_well(&self) {
        let backlog = self.asha.client.sync_status().expect("a status").backlog;
        assert_eq!((backlog.unsent, backlog.sent, backlog.held), (0, 3, 0));
        self.asha.syncs_wholly();
        assert_eq!(fingerprint(&self.asha.database()), fingerprint(&self.market.server_database()));
        assert_eq!(self.asha.sum().deliveries, 1);
    }
}

/// Numbers of bundles, held entries and log entries that the server keeps.
fn kept(market: &Market) -> (i64, i64, i64) {
    let db = rusqlite::Connection::open(market.server_database()).expect("it opens");
    let count =
        |table: &str| db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).expect("a count");
    (count("bundles"), count("held"), count("log"))
}

#[test]
fn a_bundle_with_any_bit_flipped_is_refused() {
    let story = Intercepted::new(1);
    let variants: Vec<Vec<u8>> = (0..story.bytes.len() * 8)
        .map(|bit| {
            let mut bytes = story.bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        })
        .collect();
    assert!(variants.len() > 2_000);
    let refusals = story.refusals(&variants);
    let stable = [
        "bundle_unreadable",
        "bundle_signature_wrong",
        "bundle_version_unknown",
        "bundle_foreign_organisation",
        "bundle_device_unknown",
    ];
    for refusal in &refusals {
        assert!(stable.contains(&refusal.as_str()), "{refusal}");
    }
    for code in stable {
        assert!(refusals.iter().any(|refusal| refusal == code), "no flip leads to {code}");
    }
    story.ends_well();
}

#[test]
fn a_bundle_that_was_cut_or_has_bytes_behind_it_is_refused() {
    let story = Intercepted::new(2);
    let mut variants: Vec<Vec<u8>> = (0..story.bytes.len()).map(|length| story.bytes[..length].to_vec()).collect();
    variants.push([story.bytes.as_slice(), &[0]].concat());
    for refusal in story.refusals(&variants) {
        assert_eq!(refusal, "bundle_unreadable");
    }
    story.ends_well();
}

#[test]
fn a_bundle_whose_changes_do_not_stand_for_their_hashes_is_refused() {
    let story = Intercepted::new(5);
    let bundle = Bundle::parse(&story.bytes).expect("a bundle");
    let last = bundle.actions.len() - 1;
    let variant = |bend: &dyn Fn(&mut BundleEntry)| {
        let mut bundle = bundle.clone();
        bend(&mut bundle.actions[last].entries[0]);
        bundle.to_bytes()
    };
    let other = bundle.actions[0].entries[0].change.clone();
    // The signature covers the hash, not the bytes: a carrier could keep the hash and add other bytes, or none.
    let swapped = variant(&|entry| {
        entry.erased = Some(entry.change_hash());
        entry.change.clone_from(&other);
    });
    let doubled = variant(&|entry| entry.erased = Some(entry.change_hash()));
    let refusals = story.refusals(&[swapped, doubled]);
    assert_eq!(refusals, ["bundle_unreadable", "bundle_unreadable"]);
    story.ends_well();
}

#[test]
fn a_change_without_its_bytes_holds_up_nothing_else_in_its_bundle() {
    let story = Intercepted::new(5);
    let mut bundle = Bundle::parse(&story.bytes).expect("a bundle");
    let is_contact = |entry: &&BundleEntry| entry.kind == Kind::of::<Contact>().number;
    let contact = bundle.entries().map(|(_, entry)| entry).find(is_contact).expect("a contact").document_id;
    assert!(bundle.erase(contact));
    for _ in 0..2 {
        let verdicts = verdicts_of(&story.mallory.uploads(&[bundle.to_bytes()])[0]);
        assert_eq!(verdicts.iter().map(verdict_code).collect::<Vec<_>>(), ["logged", "bytes_missing", "logged"]);
    }
    // The office gets one review, and the device that has the bytes still brings them.
    story.asha.syncs_wholly();
    let reviews: Vec<InboxKind> = story.asha.inbox().into_iter().map(|item| item.kind).collect();
    assert!(
        matches!(reviews.as_slice(), [InboxKind::Review { code, .. }] if code == "bytes_missing"),
        "one review: {reviews:?}"
    );
    assert_eq!(fingerprint(&story.asha.database()), fingerprint(&story.market.server_database()));
    let stored = kept_bundle(&story.market, bundle.hash());
    assert_eq!(stored, bundle.without_bytes().to_bytes(), "the server keeps all that was signed");
}

fn kept_bundle(market: &Market, hash: BundleHash) -> Vec<u8> {
    let db = rusqlite::Connection::open(market.server_database()).expect("it opens");
    db.query_row("SELECT bytes FROM bundles WHERE hash = ?1", [hash.0], |row| row.get(0)).expect("a bundle")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("copied");
        }
    }
}

#[test]
fn who_was_forgotten_does_not_come_back_with_a_bundle_to_a_restored_server() {
    let Intercepted { market, asha, mallory, bytes } = Intercepted::new(7);
    let (now, backup) = (market.server_folder(), market.path_of("backup"));
    copy(&now.join("data"), &backup.join("data"));
    asha.syncs_wholly();
    let farmer = asha.farmers("Lakshmi").expect("rows").items[0].farmer_id;
    market.server.erase_farmer(market.organisation, farmer).expect("erased");
    copy(&now.join("keys"), &backup.join("keys"));
    copy(&now.join("journal"), &backup.join("journal"));

    let restored = Server::open(&backup, environment(&market.clock, 70)).expect("a server");
    let request = mallory.signed(message::pack(&Forger::request(&[bytes])).expect("it packs"));
    let answer: SyncResponse = message::unpack(&restored.respond(&request).body).expect("an answer");
    let server_key = VerifyingKey::from_bytes(&mallory.server_key).expect("a key");
    let updates = answer.open(&request.body, &server_key).expect("signed").1;
    let verdicts = verdicts_of(&updates.verdicts[0]);
    assert_eq!(verdicts.iter().map(verdict_code).collect::<Vec<_>>(), ["logged", "erased", "logged"]);

    // The phone's own copy of the bundle has lost the bytes too, and is still a valid bundle.
    asha.syncs_wholly();
    let erased = Forger::with_phone_of(&asha, &market).bundles();
    let verdicts = verdicts_of(&mallory.uploads(&erased)[0]);
    assert_eq!(
        verdicts.iter().map(verdict_code).collect::<Vec<_>>(),
        ["logged", "logged", "logged"],
        "all was in the log"
    );
    assert_eq!(Bundle::parse(&erased[0]).expect("a bundle").entries().filter(|(_, it)| it.erased.is_some()).count(), 1);
}

#[test]
fn a_bundle_in_somebody_elses_name_is_refused() {
    let story = Intercepted::new(3);
    let original = Bundle::parse(&story.bytes).expect("a bundle");
    let sealed = |change: &dyn Fn(&mut farmtally_core::protocol::bundle::BundleHeader), key: &SigningKey| {
        let mut header = original.header.clone();
        change(&mut header);
        Bundle::seal(header, original.actions.clone(), key).to_bytes()
    };
    let own = Forger::with_phone_of(&story.asha, &story.market).key;
    let mut actions = original.actions.clone();
    actions[0].device_cursor = i64::MAX as u64 + 1;
    let far = Bundle::seal(original.header.clone(), actions, &own).to_bytes();
    let cases = [
        ("bundle_unreadable", far),
        ("bundle_unreadable", sealed(&|it| it.sequence = i64::MAX as u64 + 1, &own)),
        ("bundle_signature_wrong", sealed(&|_| (), &story.mallory.key)),
        ("bundle_signature_wrong", sealed(&|_| (), &SigningKey::from_bytes(&[7; 32]))),
        ("bundle_foreign_organisation", sealed(&|it| it.organisation_id = OrganisationId::from([7; 16]), &own)),
        ("bundle_device_unknown", sealed(&|it| it.device_id = DeviceId::from([7; 16]), &own)),
        ("bundle_signature_wrong", sealed(&|it| it.device_id = story.mallory.device, &own)),
        ("bundle_version_unknown", sealed(&|it| it.version = 0, &own)),
        ("bundle_version_unknown", sealed(&|it| it.version = 2, &own)),
        ("bundle_unreadable", Vec::new()),
        ("bundle_unreadable", b"no bundle".to_vec()),
    ];
    let (codes, variants): (Vec<&str>, Vec<Vec<u8>>) = cases.into_iter().unzip();
    assert_eq!(story.refusals(&variants), codes);
    story.ends_well();
}

#[test]
fn a_bundle_of_another_organisation_is_refused() {
    let (story, elsewhere) = (Intercepted::new(4), Intercepted::new(5));
    assert_eq!(story.refusals(std::slice::from_ref(&elsewhere.bytes)), ["bundle_foreign_organisation"]);
    story.ends_well();
    elsewhere.ends_well();
}

#[test]
fn a_bundle_that_somebody_else_carries_counts_and_comes_again_without_effect() {
    let story = Intercepted::new(6);
    let first = story.mallory.uploads(std::slice::from_ref(&story.bytes));
    assert!(verdicts_of(&first[0]).iter().all(|verdict| verdict_code(verdict) == "logged"));
    let before = (fingerprint(&story.market.server_database()), kept(&story.market));
    for _ in 0..3 {
        assert_eq!(
            story.mallory.uploads(std::slice::from_ref(&story.bytes)),
            first,
            "the same verdicts, at the same places"
        );
    }
    let twice = story.mallory.uploads(&[story.bytes.clone(), story.bytes.clone()]);
    assert_eq!((&twice[0].runs, &twice[1].runs), (&first[0].runs, &first[0].runs));
    assert_eq!((fingerprint(&story.market.server_database()), kept(&story.market)), before);
    story.ends_well();
    assert_eq!(kept(&story.market).0, before.1.0, "the phone's own way brings nothing new");
}

/// Mallory with an amended delivery that is on the server, and honest deliveries that are not.
struct Hostile {
    market: Market,
    mallory: Forger,
    target: DeliveryId,
    honest: Vec<BundleEntry>,
    device_code: DeviceCode,
}

impl Hostile {
    fn new(seed: u64) -> Self {
        let mut market = Market::open(seed);
        let phone = market.hires("Mallory", "field_manager");
        let farmer = phone.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
        let target = phone.weighs(farmer, None, &[20_000]).delivery_id;
        phone.amends(target, 21_000).expect("amended");
        let mut mallory = Forger::with_phone_of(&phone, &market);
        let logged = mallory.seals_and_uploads(mallory.outbox());
        assert!(logged.iter().all(|verdict| verdict_code(verdict) == "logged"));
        let known = logged.len();
        for _ in 0..60 {
            phone.weighs(farmer, None, &[22_000]);
        }
        let honest = mallory.outbox().split_off(known);
        let device_code = phone.client.session().expect("a session").device_code;
        Self { market, mallory, target, honest, device_code }
    }

    fn entry(&self, change: Vec<u8>) -> BundleEntry {
        let scope = "c/KOLAR/2019".parse().expect("a scope");
        BundleEntry {
            document_id: self.target.into(),
            kind: Kind::of::<Delivery>().number,
            scope,
            change,
            erased: None,
        }
    }

    /// An edit of the target.
    fn edit(&self, actor: [u8; 16], write: impl FnOnce(&mut Transaction<'_>)) -> BundleEntry {
        self.entry(forged_change(Some(&self.mallory.document(self.target)), actor, write))
    }

    /// Uploads a bad entry between two honest ones, which must be logged. Returns its verdict.
    fn verdict_of(&mut self, bad: BundleEntry) -> Verdict {
        let saved = self.on_server();
        let [before, after] = [self.honest.pop().expect("more"), self.honest.pop().expect("more")];
        let fates: [Verdict; 3] =
            self.mallory.seals_and_uploads(vec![before, bad, after]).try_into().expect("three fates");
        let [before, bad, after] = fates;
        assert_eq!(
            (verdict_code(&before), verdict_code(&after)),
            ("logged", "logged"),
            "one bad change never delays another"
        );
        if verdict_code(&bad) != "logged" {
            assert!(self.on_server() == saved, "the document is as it was");
        }
        bad
    }

    fn on_server(&self) -> Vec<u8> {
        let db = rusqlite::Connection::open(self.market.server_database()).expect("it opens");
        let sql = "SELECT saved FROM documents WHERE document_id = ?1";
        db.query_row(sql, [self.target.as_bytes()], |row| row.get(0)).expect("a document")
    }

    /// A new phone reads the whole log without setting anything aside, and equals the server.
    fn ends_well(mut self, deliveries: u64) {
        let ravi = self.market.hires("Ravi", "dispatcher");
        ravi.syncs_wholly();
        assert_eq!(fingerprint(&ravi.database()), fingerprint(&self.market.server_database()));
        assert_eq!(ravi.client.sync_status().expect("a status").set_aside, 0);
        assert_eq!(ravi.sum().deliveries, deliveries);
    }
}

const ACTOR: [u8; 16] = [0xab; 16];

fn bytes() -> ScalarValue {
    ScalarValue::Bytes(vec![0x80])
}

fn put(transaction: &mut Transaction<'_>, key: &str, value: ScalarValue) {
    transaction.put(ROOT, key, value).expect("put");
}

#[test]
fn a_change_that_breaks_the_shape_is_held_and_delays_nobody() {
    let mut story = Hostile::new(10);
    let saved = story.mallory.document(story.target);
    let document = Automerge::load(&saved).expect("a document");
    let event = document.keys(ROOT).find(|key| key.starts_with('e')).expect("the amendment's key");
    let author = document.get_changes(&[]).last().expect("a change").actor_id().to_bytes().to_vec();
    let mut namesake = [0; 16];
    namesake[..4].copy_from_slice(&author[..4]);

    let cases: Vec<(&str, BundleEntry)> = vec![
        ("rewritten snapshot", story.edit(ACTOR, |it| put(it, "v1", bytes()))),
        ("overwritten addition", story.edit(namesake, |it| put(it, &event, bytes()))),
        ("deleted snapshot", story.edit(ACTOR, |it| it.delete(ROOT, "v1").expect("deleted"))),
        ("deleted addition", story.edit(ACTOR, |it| it.delete(ROOT, event.as_str()).expect("deleted"))),
        ("counter", story.edit(ACTOR, |it| put(it, "count", ScalarValue::counter(1)))),
        ("text", story.edit(ACTOR, |it| put(it, "load", "text".into()))),
        ("null", story.edit(ACTOR, |it| put(it, "load", ScalarValue::Null))),
        ("nested map", story.edit(ACTOR, |it| drop(it.put_object(ROOT, "load", ObjType::Map).expect("a map")))),
        ("nested list", story.edit(ACTOR, |it| drop(it.put_object(ROOT, "load", ObjType::List).expect("a list")))),
        (
            "value in a nested map",
            story.edit(ACTOR, |it| {
                let map = it.put_object(ROOT, "load", ObjType::Map).expect("a map");
                it.put(map, "load", bytes()).expect("put");
            }),
        ),
        ("undeclared key", story.edit(ACTOR, |it| put(it, "zz", bytes()))),
        ("undeclared snapshot", story.edit(ACTOR, |it| put(it, "v2", bytes()))),
        ("foreign suffix", story.edit(ACTOR, |it| put(it, "e00000000-1", bytes()))),
        ("no suffix", story.edit(ACTOR, |it| put(it, "e", bytes()))),
        ("suffix without a number", story.edit(ACTOR, |it| put(it, "eabababab-", bytes()))),
        ("suffix with a sign", story.edit(ACTOR, |it| put(it, "eabababab-+1", bytes()))),
        ("good and bad together", {
            story.edit(ACTOR, |it| {
                put(it, "load", bytes());
                put(it, "zz", bytes());
            })
        }),
        ("nothing", story.edit(ACTOR, |_| ())),
    ];
    // Two honest deliveries go with each bad change.
    let count = 1 + 2 * cases.len() as u64;
    for (what, bad) in cases {
        let verdict = story.verdict_of(bad);
        assert_eq!(verdict_code(&verdict), "shape", "{what}: {verdict:?}");
    }
    story.ends_well(count);
}

#[test]
fn a_change_of_another_kind_than_its_document_is_held() {
    let mut story = Hostile::new(11);
    let load = story.edit(ACTOR, |it| put(it, "lorry", bytes()));
    for (what, bad, expected) in [
        ("a load's change for a delivery", BundleEntry { kind: Kind::of::<Load>().number, ..load.clone() }, "shape"),
        ("a kind of the future", BundleEntry { kind: 99, ..load }, "deferred"),
    ] {
        let verdict = story.verdict_of(bad);
        assert_eq!(verdict_code(&verdict), expected, "{what}: {verdict:?}");
    }
    story.ends_well(5);
}

#[test]
fn values_that_cannot_be_read_are_held_as_malformed() {
    let mut story = Hostile::new(12);
    let garbage = ScalarValue::Bytes(vec![0xff; 9]);
    let cases = [
        ("garbage bytes", story.entry(vec![0x5a; 40])),
        ("no bytes", story.entry(Vec::new())),
        ("a register's garbage", story.edit(ACTOR, |it| put(it, "load", garbage.clone()))),
        ("an amendment's garbage", story.edit(ACTOR, |it| put(it, "eabababab-9", garbage.clone()))),
        ("bags' garbage", story.edit(ACTOR, |it| put(it, "pabababab-9", garbage.clone()))),
    ];
    for (what, bad) in cases {
        let verdict = story.verdict_of(bad);
        assert_eq!(verdict_code(&verdict), "malformed", "{what}: {verdict:?}");
    }
    let whole = story.honest.pop().expect("a delivery");
    for length in [1, whole.change.len() / 2, whole.change.len() - 1] {
        let cut = BundleEntry { change: whole.change[..length].to_vec(), ..whole.clone() };
        let verdict = story.verdict_of(cut);
        assert_eq!(verdict_code(&verdict), "malformed", "cut to {length} bytes: {verdict:?}");
    }
    assert_eq!(verdict_code(&story.verdict_of(whole)), "logged");
    story.ends_well(1 + 8 * 2 + 2 + 1);
}

#[test]
fn texts_that_a_database_would_refuse_are_stored_and_delay_nobody() {
    let mut story = Hostile::new(23);
    for (number, details) in (1..).zip(hostile_details()) {
        let contact = story.mallory.contact(number, story.device_code, &details);
        assert_eq!(verdict_code(&story.verdict_of(contact)), "logged", "{number}");
    }
    story.ends_well(1 + 3 * 2);
}

/// False counters, from which Automerge would have to continue.
#[test]
fn a_change_whose_counters_are_out_of_order_is_held() {
    let mut story = Hostile::new(15);
    let saved = story.mallory.document(story.target);
    let document = Automerge::load(&saved).expect("a document");
    let event = document.keys(ROOT).find(|key| key.starts_with('e')).expect("the amendment's key");
    let honest = document.get(ROOT, &event).expect("a value").expect("a value").0.into_scalar().expect("bytes");
    let forged = |actor: u8, bend: &dyn Fn(&mut ExpandedChange)| {
        let key = format!("e{}-9", format!("{actor:02x}").repeat(4));
        bent_change(Some(&saved), [actor; 16], |it| put(it, &key, honest.clone()), bend)
    };
    assert_eq!(
        verdict_code(&story.verdict_of(story.entry(forged(9, &|_| ())))),
        "logged",
        "unbent it is an honest amendment"
    );
    let start = |at: u64| move |it: &mut ExpandedChange| it.start_op = NonZeroU64::new(at).expect("not nothing");
    let cases: [(&str, Vec<u8>); 4] = [
        ("counts from the start again", forged(1, &start(1))),
        ("leaves numbers out", forged(2, &start(1_000))),
        ("leaves almost all numbers out", forged(3, &start(u64::from(u32::MAX) - 1))),
        ("an author's seventh change before the first", forged(4, &|it| it.seq = 7)),
    ];
    for (what, bad) in cases {
        let verdict = story.verdict_of(story.entry(bad));
        assert!(["shape", "malformed"].contains(&verdict_code(&verdict)), "{what}: {verdict:?}");
    }
    story.ends_well(11);
}

/// A register whose operation claims to replace another key.
#[test]
fn a_register_cannot_hide_what_stands_under_another_key() {
    let mut story = Hostile::new(17);
    let saved = story.mallory.document(story.target);
    let document = Automerge::load(&saved).expect("a document");
    let mut hides = |actor: u8, key: &str| {
        let automerge::ObjId::Id(counter, of, _) = document.get(ROOT, key).expect("a key").expect("a value").1 else {
            panic!("the root is no value");
        };
        let write = |it: &mut Transaction<'_>| put(it, "load", ScalarValue::Bytes(vec![0xf6]));
        let bad = bent_change(Some(&saved), [actor; 16], write, |it| {
            it.operations[0].pred = vec![automerge::legacy::OpId(counter, of)].into();
        });
        verdict_code(&story.verdict_of(story.entry(bad))).to_owned()
    };
    let event = document.keys(ROOT).find(|key| key.starts_with('e')).expect("the amendment's key");
    assert_eq!(hides(1, &event), "shape");
    assert_eq!(hides(2, "v1"), "shape");
    story.ends_well(5);
}

#[test]
fn nobody_writes_in_the_name_of_another() {
    let mut story = Hostile::new(18);
    let saved = story.mallory.document(story.target);
    let document = Automerge::load(&saved).expect("a document");
    let event = document.keys(ROOT).find(|key| key.starts_with('e')).expect("the amendment's key");
    let value = document.get(ROOT, &event).expect("a value").expect("a value").0;
    let mut value = value.as_bytes().expect("bytes").to_vec();
    // The stamp is first, and in it the user: array, array, byte string of sixteen.
    assert_eq!(value[2], 0x50);
    value[3] ^= 1;
    let key = format!("e{}-9", "0a".repeat(4));
    let forged = forged_change(Some(&saved), [10; 16], |it| put(it, &key, ScalarValue::Bytes(value)));
    assert_eq!(verdict_code(&story.verdict_of(story.entry(forged))), "not_allowed");
    story.ends_well(3);
}

#[test]
fn a_change_with_strange_trimmings_troubles_nobody() {
    let mut story = Hostile::new(16);
    let saved = story.mallory.document(story.target);
    let document = Automerge::load(&saved).expect("a document");
    let event = document.keys(ROOT).find(|key| key.starts_with('e')).expect("the amendment's key");
    let honest = document.get(ROOT, &event).expect("a value").expect("a value").0.into_scalar().expect("bytes");
    let forged = |actor: u8, about: &str, bend: &dyn Fn(&mut ExpandedChange)| {
        let key = format!("e{about}{}-9", format!("{actor:02x}").repeat(4));
        bent_change(Some(&saved), [actor; 16], |it| put(it, &key, honest.clone()), bend)
    };
    let first = document.get_changes(&[])[0].hash();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("a time before all time", forged(1, "", &|it| it.time = i64::MIN)),
        ("a message", forged(2, "", &|it| it.message = Some("read me".repeat(100)))),
        ("bytes behind", forged(3, "", &|it| it.extra_bytes = vec![7; 50])),
        ("a dependency twice", forged(4, "", &|it| it.deps.push(it.deps[0]))),
        ("a dependency of a dependency", forged(5, "", &|it| it.deps.push(first))),
        ("no dependency", forged(6, "", &|it| it.deps.clear())),
        ("a long key", forged(7, &"x".repeat(10_000), &|_| ())),
        ("a strange key", forged(8, "\u{202e}\0-", &|_| ())),
        ("an author without a name", forged(9, "", &|it| it.actor_id = automerge::ActorId::from(Vec::new()))),
        ("an author with a long name", forged(10, "", &|it| it.actor_id = automerge::ActorId::from(vec![10; 300]))),
        ("an operation in front of nothing", {
            forged(11, "", &|it| {
                let pred = automerge::legacy::OpId(999, automerge::ActorId::from([12; 16]));
                it.operations[0].key = automerge::legacy::Key::Map("load".into());
                it.operations[0].pred = vec![pred].into();
            })
        }),
        ("the same key twice", forged(13, "", &|it| it.operations.push(it.operations[0].clone()))),
    ];
    let count = cases.len();
    let mut actor = 100;
    for (what, bad) in cases {
        let verdict = story.verdict_of(story.entry(bad));
        let known = ["logged", "shape", "malformed", "deferred"];
        assert!(known.contains(&verdict_code(&verdict)), "{what}: {verdict:?}");
        // Whatever the verdict was, the document can still be edited.
        actor += 1;
        let key = format!("e{}-9", format!("{actor:02x}").repeat(4));
        let next = forged_change(Some(&story.on_server()), [actor; 16], |it| put(it, &key, honest.clone()));
        assert_eq!(verdict_code(&story.verdict_of(story.entry(next))), "logged", "an honest amendment after {what}");
    }
    story.ends_well(1 + 4 * count as u64);
}

#[test]
fn a_change_beyond_what_was_granted_is_held() {
    let mut market = Market::open(13);
    let phone = market.hires("Mallory", "field_manager");
    let (asha, manju) = (market.hires("Asha", "field_manager"), market.hires_at("Manju", "field_manager", "MALUR"));
    let farmer = phone.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let deliveries: Vec<_> = (0..12).map(|_| phone.weighs(farmer, None, &[20_000])).collect();
    let mut mallory = Forger::with_phone_of(&phone, &market);
    let asha = Forger::with_phone_of(&asha, &market);
    let manju = Forger::with_phone_of(&manju, &market);
    let mut entries = mallory.outbox().into_iter().skip(2);
    assert_eq!(entries.len(), deliveries.len());
    let mut own = || mallory.action(vec![entries.next().expect("one more")]);
    let in_scope = |text: &str, mut transaction: bundle::BundleAction| {
        transaction.entries[0].scope = text.parse::<Scope>().expect("a scope");
        transaction
    };
    let cases: [(&str, &str, bundle::BundleAction); 8] = [
        ("a centre that was not granted", "out_of_scope", in_scope("c/MALUR/2019", own())),
        ("a delivery among the farmers", "out_of_scope", in_scope("c/KOLAR", own())),
        ("a delivery among the reference data", "out_of_scope", in_scope("org", own())),
        ("a season that the record does not name", "out_of_scope", in_scope("c/KOLAR/2020", own())),
        ("the grant of somebody else", "not_allowed", bundle::BundleAction { grant_id: asha.grant, ..own() }),
        (
            "the name of somebody else too",
            "not_allowed",
            bundle::BundleAction { grant_id: asha.grant, author_id: asha.user, ..own() },
        ),
        (
            "the grant of somebody at another centre",
            "not_allowed",
            bundle::BundleAction { grant_id: manju.grant, ..in_scope("c/MALUR/2019", own()) },
        ),
        (
            "a grant that was never given",
            "not_allowed",
            bundle::BundleAction { grant_id: GrantId::from([7; 16]), ..own() },
        ),
    ];
    let expected = cases.clone().map(|(what, code, _)| (what, code));
    let mut transactions: Vec<_> = cases.into_iter().map(|(_, _, transaction)| transaction).collect();
    transactions.push(own());
    let bundle = Bundle::seal(mallory.header(), transactions, &mallory.key);
    let verdicts = verdicts_of(&mallory.uploads(&[bundle.to_bytes()])[0]);
    for (verdict, (what, code)) in verdicts.iter().zip(expected) {
        assert_eq!(verdict_code(verdict), code, "{what}: {verdict:?}");
    }
    assert_eq!(verdict_code(verdicts.last().expect("a fate")), "logged", "the honest entry behind them");

    // The office sees one delivery; the honest phone uploads all of its own.
    let db = rusqlite::Connection::open(market.server_database()).expect("it opens");
    let count: i64 = db.query_row("SELECT count(*) FROM deliveries", [], |row| row.get(0)).expect("a count");
    assert_eq!(count, 1);
    phone.syncs_wholly();
    assert_eq!(phone.sum().deliveries, 12);
    let only_of = |text: &str| text.lines().filter(|line| !line.starts_with("review")).collect::<Vec<_>>().join("\n");
    assert_eq!(only_of(&fingerprint(&phone.database())), only_of(&fingerprint(&market.server_database())));
}

#[test]
fn a_change_that_came_too_early_waits_for_what_is_missing_from_any_device() {
    let mut market = Market::open(14);
    let (phone, asha) = (market.hires("Mallory", "field_manager"), market.hires("Asha", "field_manager"));
    let farmer = phone.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let target = phone.weighs(farmer, None, &[20_000]).delivery_id;
    phone.amends(target, 21_000).expect("amended");
    phone.amends(target, 22_000).expect("amended");
    let other = phone.weighs(farmer, None, &[23_000]).delivery_id;
    let mut mallory = Forger::with_phone_of(&phone, &market);
    let mut asha = Forger::with_phone_of(&asha, &market);
    let [_, _, recorded, first, second, honest]: [BundleEntry; 6] = mallory.outbox().try_into().expect("six changes");
    assert_eq!(honest.document_id, other.into());
    let hash = |entry: &BundleEntry| Change::hash_of_stripped(&entry.change);

    let bundle = mallory.seals(vec![second, first.clone(), honest]).to_bytes();
    let verdicts = verdicts_of(&mallory.uploads(std::slice::from_ref(&bundle))[0]);
    assert_eq!(verdicts[0], Verdict::Deferred { missing: vec![hash(&first)] });
    assert_eq!(verdicts[1], Verdict::Deferred { missing: vec![hash(&recorded)] });
    assert_eq!(verdict_code(&verdicts[2]), "logged");
    assert_eq!(verdicts_of(&mallory.uploads(std::slice::from_ref(&bundle))[0]), verdicts, "nothing came meanwhile");

    // Another phone uploads the recording: it may carry the bundle, but not claim the change as its own.
    assert_eq!(verdict_code(&asha.seals_and_uploads(vec![recorded.clone()])[0]), "not_allowed");
    let file = mallory.seals(vec![recorded]).to_bytes();
    assert_eq!(verdict_code(&verdicts_of(&asha.uploads(&[file])[0])[0]), "logged");
    let verdicts = verdicts_of(&mallory.uploads(std::slice::from_ref(&bundle))[0]);
    assert_eq!(verdicts.iter().map(verdict_code).collect::<Vec<_>>(), ["logged", "logged", "logged"]);
    assert_eq!(verdicts_of(&mallory.uploads(&[bundle])[0]), verdicts);

    let ravi = market.hires("Ravi", "dispatcher");
    ravi.syncs_wholly();
    let view = ravi.client.delivery(target).expect("a delivery");
    assert_eq!(view.totals.gross_g.0, 20_000 + 21_000 + 22_000);
}

fn problem(response: &WireResponse) -> Problem {
    message::unpack(&response.body).expect("a problem")
}

#[test]
fn a_request_that_the_device_did_not_sign_is_challenged() {
    let mut market = Market::open(20);
    let (phone, other) = (market.hires("Mallory", "field_manager"), market.hires("Asha", "field_manager"));
    let mallory = Forger::with_phone_of(&phone, &market);
    let other = Forger::with_phone_of(&other, &market);
    let body = || message::pack(&Forger::request(&[])).expect("it packs");
    let good = mallory.signed(body());
    assert_eq!(mallory.sends(&good).status, 200);
    assert_eq!(mallory.sends(&good).status, 200, "every request may be repeated");

    let expired = mallory.challenge();
    let header = |header: &str| WireRequest { authorization: Some(header.to_owned()), ..good.clone() };
    let mut tampered = good.clone();
    *tampered.body.last_mut().expect("a byte") ^= 1;
    let (mut elsewhere, mut unknown) = (Forger::with_phone_of(&phone, &market), Forger::with_phone_of(&phone, &market));
    elsewhere.server_key = [9; 32];
    unknown.device = DeviceId::from([7; 16]);
    let wrong = [
        ("no signature", WireRequest { authorization: None, ..good.clone() }),
        ("another device's key", mallory.signed_with(body(), &other.key, mallory.challenge())),
        ("an unknown device", unknown.signed(body())),
        ("a signature for another server", elsewhere.signed(body())),
        ("a challenge of nobody", mallory.signed_with(body(), &mallory.key, Challenge([1; 24]))),
        ("a tampered body", tampered),
        ("a body of another request", WireRequest { body: vec![0; 40], ..good.clone() }),
        ("nonsense", header("FarmTally x")),
        ("a password", header("Basic bWFsbG9yeTpzZWNyZXQ=")),
    ];
    let before = fingerprint(&market.server_database());
    for (what, request) in wrong {
        let response = market.server.respond(&request);
        assert_eq!(response.status, 401, "{what}");
        let answer: ChallengeResponse = message::unpack(&response.body).expect("a challenge");
        let retried = mallory.signed_with(body(), &mallory.key, answer.challenge);
        assert_eq!(mallory.sends(&retried).status, 200, "{what}: the challenge is good");
    }
    market.clock.pass(48 * 3_600 + 1);
    let late = mallory.signed_with(body(), &mallory.key, expired);
    assert_eq!(mallory.sends(&late).status, 401, "an expired challenge");
    assert_eq!(mallory.sends(&good).status, 401, "a request of the day before yesterday");
    assert_eq!(fingerprint(&market.server_database()), before);
    phone.syncs_wholly();
}

#[test]
fn a_body_that_is_too_large_is_refused_before_it_is_unpacked() {
    let mut market = Market::open(21);
    let mallory = market.hires("Mallory", "field_manager");
    let mallory = Forger::with_phone_of(&mallory, &market);
    let bomb = |length: usize| zstd::bulk::compress(&vec![0; length], 3).expect("it packs");
    for (what, body) in [
        ("one byte above the limit", vec![0; MAX_WIRE_BYTES + 1]),
        ("a bomb of one byte above the limit", bomb(MAX_BODY_BYTES + 1)),
        ("a bomb of 64 MiB", bomb(1 << 26)),
    ] {
        let response = mallory.sends(&mallory.signed(body.clone()));
        assert_eq!((response.status, problem(&response).code.as_str()), (413, "too_large"), "{what}");
        let enrol = WireRequest { path: "/v1/enrol", authorization: None, ..mallory.signed(body) };
        assert_eq!(market.server.respond(&enrol).status, 413, "{what} at the door");
    }
    // Nor is one that does not state its size.
    let silent = zstd::stream::encode_all(std::io::repeat(0).take(1 << 26), 3).expect("it packs");
    let response = mallory.sends(&mallory.signed(silent));
    assert_eq!((response.status, problem(&response).code.as_str()), (413, "too_large"));
}

#[test]
fn a_body_that_is_no_request_is_refused() {
    let mut market = Market::open(22);
    let mallory = market.hires("Mallory", "field_manager");
    let mallory = Forger::with_phone_of(&mallory, &market);
    let good = message::pack(&Forger::request(&[])).expect("it packs");
    let zipped = |plain: &[u8]| zstd::bulk::compress(plain, 3).expect("it packs");
    for (what, body) in [
        ("nothing", Vec::new()),
        ("no zstd", b"hello".to_vec()),
        ("cut zstd", good[..good.len() - 1].to_vec()),
        ("no CBOR", zipped(&[0xff; 9])),
        ("another message", message::pack(&EnrolRequest::new("x", &mallory.key, "")).expect("it packs")),
        ("an empty map", zipped(&[0xa0])),
        (
            "bytes behind the message",
            zipped(&[zstd::bulk::decompress(&good, 1_000).expect("it unpacks"), vec![0]].concat()),
        ),
    ] {
        let response = mallory.sends(&mallory.signed(body));
        assert_eq!((response.status, problem(&response).code.as_str()), (422, "invalid_input"), "{what}");
    }
}

#[test]
fn a_protocol_that_is_not_spoken_here_is_named_so() {
    let mut market = Market::open(23);
    let phone = market.hires("Mallory", "field_manager");
    let mallory = Forger::with_phone_of(&phone, &market);
    for (protocol, status, code) in
        [(0, 422, "invalid_input"), (2, 426, "incompatible_version"), (u16::MAX, 426, "incompatible_version")]
    {
        let request = SyncRequest { protocol, ..Forger::request(&[]) };
        let response = mallory.sends(&mallory.signed(message::pack(&request).expect("it packs")));
        assert_eq!((response.status, problem(&response).code.as_str()), (status, code), "protocol {protocol}");

        let code_for_phone = market.code("Asha", "clerk", "KOLAR");
        let key = SigningKey::from_bytes(&[3; 32]);
        let request = EnrolRequest { protocol, ..EnrolRequest::new(&code_for_phone, &key, "by hand") };
        let body = message::pack(&request).expect("it packs");
        let server_url = ADDRESS.to_owned();
        let request = WireRequest { method: "POST", server_url, path: "/v1/enrol", authorization: None, body };
        let response = market.server.respond(&request);
        assert_eq!((response.status, problem(&response).code.as_str()), (status, code), "protocol {protocol}");
    }
}

#[test]
fn the_server_holds_what_the_phone_of_that_role_would_have_refused() {
    const HOUR: i64 = 3_600;
    let mut market = Market::open(21);
    let (asha, ravi) = (market.hires("Asha", "dispatcher"), market.hires("Ravi", "field_manager"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let own = asha.weighs(farmer, None, &[20_000]).delivery_id;
    asha.syncs_wholly();
    ravi.syncs_wholly();
    let others = ravi.weighs(farmer, None, &[30_000]).delivery_id;
    ravi.syncs_wholly();
    asha.syncs_wholly();
    // The office makes her a clerk; her phone has not received that, and a manipulated one would ignore it.
    let code = asha.client.session().expect("a session").device_code;
    let centres = ["KOLAR".parse().expect("a code")];
    let clerk = market.server.grant(market.organisation, code, "Asha", Role::Clerk, &centres).expect("granted");
    asha.amends(own, 1_000).expect("amended");
    asha.amends(others, 2_000).expect("amended by a dispatcher");
    market.clock.pass(2 * HOUR);
    asha.voids(own).expect("voided by a dispatcher");
    let mut tampered = Forger::with_phone_of(&asha, &market);
    (tampered.grant, tampered.sequence) = (clerk, 10);
    let verdicts = tampered.seals_and_uploads(tampered.outbox());
    assert_eq!(verdicts.iter().map(verdict_code).collect::<Vec<_>>(), ["logged", "not_allowed", "not_allowed"]);
    let reasons: Vec<&str> = verdicts
        .iter()
        .filter_map(|verdict| match verdict {
            Verdict::Held { code, reason } if code == "not_allowed" => Some(reason.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        reasons,
        [
            "role clerk does not permit changes to what others recorded",
            "role clerk may change this only within 1 h of recording"
        ]
    );
}
