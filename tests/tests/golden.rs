//! Golden messages: one of each form as bytes, which core reads and writes unchanged, and a server accepts.
//!
//! `fixtures/golden` holds what Asha's phone and its server sent: the enrolment, the first sync, and the sync with one bundle, which is in
//! the parcels too; also the server's key. After an intended change of a form, `just accept-golden` rewrites them.

use std::path::PathBuf;
use std::sync::Mutex;

use data_encoding::HEXLOWER;
use ed25519_dalek::{SigningKey, VerifyingKey};
use farmtally_core::codec::{decode, encode};
use farmtally_core::decisions::Decision;
use farmtally_core::limits::MAX_BODY_BYTES;
use farmtally_core::permission::Role;
use farmtally_core::protocol::RefusalCode;
use farmtally_core::protocol::authorization::{Authorization, SignedRequest};
use farmtally_core::protocol::bundle::{BUNDLE_VERSION, Bundle, BundleHeader};
use farmtally_core::protocol::message::{
    self, Attestation, EnrolRequest, Enrolment, FrameEntry, SyncRequest, SyncResponse, SyncUpdates,
};
use farmtally_core::protocol::parcel::Parcel;
use farmtally_core::records::{Change, KINDS, Kind};
use farmtally_core::sync::WireRequest;
use farmtally_sync_server::Server;
use farmtally_sync_server::storage::{self, Device, LogContent, SqliteStorage, Storage};
use farmtally_tests::{
    ADDRESS, Forger, Market, Tap, TestClock, environment, one_of_everything, verdict_code, verdicts_of,
};
use minicbor::{Decode, Encode};
use tempfile::TempDir;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden").join(name)
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn text(name: &str) -> String {
    String::from_utf8(file(name)).expect("text")
}

/// The key of the server that sent the responses.
fn server_key() -> SigningKey {
    let secret = HEXLOWER.decode(text("server.key").trim().as_bytes()).expect("hex");
    SigningKey::from_bytes(&secret.try_into().expect("32 bytes"))
}

/// Reads a message, and requires that it is written as the same bytes.
fn read<T: Encode<()> + for<'b> Decode<'b, ()>>(name: &str) -> T {
    let value: T = message::unpack(&file(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let plain = zstd::bulk::decompress(&file(name), MAX_BODY_BYTES).expect("zstd");
    assert_eq!(HEXLOWER.encode(&encode(&value)), HEXLOWER.encode(&plain), "{name}");
    value
}

/// Opens the server's response to a sync.
fn answer(number: u32) -> (Attestation, SyncUpdates) {
    let answer: SyncResponse = read(&format!("sync-{number}.response"));
    let (attestation, updates) =
        answer.open(&file(&format!("sync-{number}.request")), &server_key().verifying_key()).expect("signed");
    assert_eq!((encode(&attestation), encode(&updates)), (answer.attestation.to_vec(), answer.updates.to_vec()));
    (attestation, updates)
}

fn device_key(enrolment: &Enrolment) -> VerifyingKey {
    VerifyingKey::from_bytes(&enrolment.certificate.public_key).expect("a key")
}

#[test]
fn core_reads_each_message_and_writes_the_same() {
    let (asked, enrolment): (EnrolRequest, Enrolment) = (read("enrol.request"), read("enrol.response"));
    let key = device_key(&enrolment);
    assert_eq!(asked.verified_key(), Some(key));
    assert!(enrolment.is_for(&key));
    assert_eq!(enrolment.server_key, server_key().verifying_key().to_bytes());

    let body = file("sync-2.request");
    let header = Authorization::from_header(&text("sync-2.authorization")).expect("an authorization");
    let signed = SignedRequest { server_key: &enrolment.server_key, method: "POST", path: "/v1/sync", body: &body };
    assert!(header.verify(&signed, &key));
    let (first, second): (SyncRequest, SyncRequest) = (read("sync-1.request"), read("sync-2.request"));
    assert_eq!((first.bundles.len(), second.bundles.len()), (0, 1));
    let (_, updates) = answer(1);
    assert!(updates.frames.iter().all(|frame| second.cursors.iter().any(|cursor| cursor.scope == frame.scope)));
    answer(2);

    let bytes = file("asha.bundle");
    let bundle = Bundle::parse(&bytes).expect("a bundle");
    bundle.verify(&key).expect("signed");
    assert_eq!((bundle.to_bytes(), second.bundles[0].to_vec()), (bytes.clone(), bytes.clone()));
    let mut kinds: Vec<u8> = bundle.entries().map(|(_, entry)| entry.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let may_record = |kind: &Kind| kind.shape.0.iter().any(|rule| Role::FieldManager.may(rule.capability));
    let expected: Vec<u8> = KINDS.into_iter().filter(may_record).map(|kind| kind.number).collect();
    assert_eq!(kinds, expected, "a record of every kind that she may record");
    assert!(bundle.entries().all(|(_, entry)| Change::parse_stripped(&entry.change).is_ok()));
    let parcel = Parcel::parse(&file("asha.parcel")).expect("a parcel");
    assert_eq!(parcel.open(&server_key()).expect("it opens"), [bytes]);
}

#[test]
fn a_bundle_of_another_version_is_refused() {
    let bundle = Bundle::parse(&file("asha.bundle")).expect("a bundle");
    for version in [0, BUNDLE_VERSION + 1] {
        let header = BundleHeader { version, ..bundle.header.clone() };
        let other = Bundle::seal(header, bundle.actions.clone(), &server_key()).to_bytes();
        assert_eq!(Bundle::parse(&other).expect_err("refused"), RefusalCode::BundleVersionUnknown);
    }
}

/// A server in the state after Asha's enrolment: her device, and the decisions that her first sync brought.
fn server() -> (TempDir, Server) {
    let (enrolment, (attestation, updates)): (Enrolment, _) = (read("enrol.response"), answer(1));
    let (certificate, home) = (enrolment.certificate, tempfile::tempdir().expect("a folder"));
    std::fs::create_dir(home.path().join("keys")).expect("a folder");
    std::fs::write(home.path().join("keys/server.key"), file("server.key")).expect("written");
    let successor = HEXLOWER.encode(&certificate.successor_key);
    std::fs::write(home.path().join("keys/successor.pub"), successor).expect("written");
    let (organisation, device) = (certificate.organisation_id, certificate.device_id);
    let storage = SqliteStorage::open(&home.path().join("data")).expect("it opens");
    storage.prepare(organisation).expect("made");
    storage.add_organisation(organisation).expect("added");
    storage.add_route(device.as_bytes(), organisation).expect("added");
    storage.add_route(&server_key().verifying_key().to_bytes(), organisation).expect("added");
    let known = storage::write(&storage, organisation, |db| {
        let device = Device {
            device_id: device,
            code: certificate.device_code,
            public_key: certificate.public_key,
            user_id: certificate.user_id,
            model: String::new(),
            enrolled_at: certificate.enrolled_at,
            seen_at: certificate.enrolled_at,
            head: None,
            ancestor_id: None,
            wiped_at: None,
        };
        assert_eq!(db.add_device(&device, 0)?, certificate.device_code);
        for frame in &updates.frames {
            for entry in &frame.entries {
                let FrameEntry::Decision { decision } = entry else { panic!("work came too early") };
                let commit_id = db.next_commit_id()?;
                let cursor = db.append(&frame.scope, commit_id, &LogContent::Decision(decision.clone()))?;
                let decided: Decision = decode(decision).expect("a decision");
                assert_eq!(encode(&decided), *decision);
                db.apply_decision(&frame.scope, cursor.sequence, &decided)?;
            }
            assert_eq!(db.head(&frame.scope)?.expect("a head").chain, frame.chain, "the log of {}", frame.scope);
        }
        Ok(())
    });
    known.expect("known");
    let server = Server::open(home.path(), environment(&TestClock::at(attestation.server_time), 1)).expect("a server");
    // It has data but no journal, and so began a recovery.
    server.end_recovery(organisation).expect("ended");
    (home, server)
}

#[test]
fn a_server_answers_the_request_as_it_was_answered() {
    let (_home, server) = server();
    let request = WireRequest {
        method: "POST",
        server_url: ADDRESS.to_owned(),
        path: "/v1/sync",
        authorization: Some(text("sync-2.authorization")),
        body: file("sync-2.request"),
    };
    let response = server.respond(&request);
    assert_eq!(response.status, 200);
    let again: SyncResponse = message::unpack(&response.body).expect("an answer");
    let (_, updates) = again.open(&request.body, &server_key().verifying_key()).expect("signed");
    assert_eq!(updates.verdicts, answer(2).1.verdicts);
    assert!(updates.verdicts.iter().flat_map(verdicts_of).all(|it| verdict_code(&it) == "logged"));
}

#[test]
fn a_server_takes_the_parcel() {
    let (_home, server) = server();
    let entries = Bundle::parse(&file("asha.bundle")).expect("a bundle").entries().count();
    let [imported] = server.import(None, file("asha.parcel").as_slice()).try_into().expect("one parcel");
    let imported = imported.expect("taken");
    let entries = u64::try_from(entries).expect("few");
    assert_eq!((imported.logged, imported.held, imported.deferred, imported.refused), (entries, 0, 0, 0));
}

#[test]
#[ignore = "writes fixtures/golden: just accept-golden"]
fn writes_each_message() {
    let (mut market, heard) = (Market::open(2019), Mutex::default());
    let (asha, code) = (market.meets("Asha"), market.code("Asha", "field_manager", "KOLAR"));
    let tap = Tap { network: &asha.network, heard: &heard };
    asha.client.enrol(&tap, ADDRESS, &code, "test phone").expect("enrolled");
    let ravi = market.hires("Ravi", "dispatcher");
    let parcel = one_of_everything(&asha, &ravi);
    asha.client.sync(&tap, &|_| ()).expect("a sync");
    let [bundle] = Forger::with_phone_of(&asha, &market).bundles().try_into().expect("one bundle");
    let heard = heard.into_inner().expect("heard");
    let [enrol, first, second] = heard.try_into().expect("three requests");
    let put = |name: &str, bytes: &[u8]| std::fs::write(path(name), bytes).expect("written");
    std::fs::create_dir_all(path("")).expect("a folder");
    for (name, (request, response)) in [("enrol", &enrol), ("sync-1", &first), ("sync-2", &second)] {
        put(&format!("{name}.request"), &request.body);
        put(&format!("{name}.response"), &response.body);
    }
    put("sync-2.authorization", second.0.authorization.as_deref().expect("signed").as_bytes());
    put("server.key", &std::fs::read(market.server_folder().join("keys/server.key")).expect("a key"));
    put("asha.bundle", &bundle);
    put("asha.parcel", &parcel);
}
