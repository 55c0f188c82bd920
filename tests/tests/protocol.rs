//! Checks docs/protocol.md: its CDDL matches real messages.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use automerge::{Automerge, ROOT, ReadDoc, ScalarValue, Value};
use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use farmtally_core::codec::{decode, encode};
use farmtally_core::decisions::DECISIONS;
use farmtally_core::limits::MAX_BODY_BYTES;
use farmtally_core::protocol::authorization::{Authorization, SignedRequest};
use farmtally_core::protocol::bundle::Bundle;
use farmtally_core::protocol::message::{Attestation, FrameEntry, SyncRequest, SyncResponse, SyncUpdates};
use farmtally_core::protocol::parcel::Parcel;
use farmtally_core::protocol::repair::{Divergence, Offer};
use farmtally_core::records::{KINDS, Kind};
use farmtally_sync_server::serve;
use farmtally_tests::{Capture, Forger, Market};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem};
use minicbor::data::Type;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};

fn page(name: &str) -> PathBuf {
    PathBuf::from(format!("{}/../docs/{name}", env!("CARGO_MANIFEST_DIR")))
}

fn text(name: &str) -> String {
    std::fs::read_to_string(page(name)).unwrap_or_else(|error| panic!("docs/{name}: {error}"))
}

/// The CDDL of both pages, as one.
struct Cddl(String);

impl Cddl {
    fn of_the_pages() -> Self {
        let pages = [text("protocol.md"), text("records.md")];
        let blocks = pages.iter().flat_map(|page| page.split("```cddl\n").skip(1));
        let mut cddl: String = blocks.filter_map(|block| block.split("```").next()).collect();
        for (kind, key, value) in values(&pages[1]) {
            writeln!(cddl, "{kind}-{key} = {value}").expect("written");
        }
        Self(cddl)
    }

    fn accepts(&self, rule: &str, bytes: &[u8]) -> Result<(), String> {
        cddl_cat::validate_cbor_bytes(rule, &self.0, bytes)
            .map_err(|error| format!("{rule}: {error}: {}", HEXLOWER.encode(bytes)))
    }

    #[track_caller]
    fn require(&self, rule: &str, bytes: &[u8]) {
        self.accepts(rule, bytes).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Kind, key and form of each value in the tables of docs/records.md.
fn values(records: &str) -> Vec<(String, String, String)> {
    let mut values = Vec::new();
    for kind in KINDS {
        let is_of_kind =
            |section: &&str| section.lines().next().is_some_and(|it| it.to_lowercase() == kind.name.replace('_', " "));
        let section = records.split("\n## ").find(is_of_kind).expect("a section");
        for row in section.lines().filter(|line| line.starts_with("| `")) {
            let code: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
            let (key, value) = (code[0], code[code.len() - 1]);
            values.push((format!("{kind:?}").to_lowercase(), key.to_owned(), value.to_owned()));
        }
    }
    values
}

fn unpacked(body: &[u8]) -> Vec<u8> {
    zstd::bulk::decompress(body, MAX_BODY_BYTES).expect("zstd")
}

/// The number of an enumeration's case.
fn case(bytes: &[u8]) -> u64 {
    let mut decoder = minicbor::Decoder::new(bytes);
    if decoder.datatype().expect("CBOR") == Type::Array {
        decoder.array().expect("an array");
    }
    decoder.u64().expect("a number")
}

/// Requires that a bundle and its drafts match the page. Returns the numbers of drafts and of erased changes.
fn require_bundle(cddl: &Cddl, bytes: &[u8]) -> (usize, usize) {
    cddl.require("bundle", bytes);
    let (mut drafts, mut erased) = (0, 0);
    for (_, entry) in Bundle::parse(bytes).expect("a bundle").entries() {
        erased += usize::from(entry.erased.is_some());
        if entry.kind == 0 {
            cddl.require("draft", &entry.change);
            drafts += 1;
        }
    }
    (drafts, erased)
}

#[test]
fn all_that_is_said_on_a_day_is_as_the_page_says() {
    let (cddl, capture) = (Cddl::of_the_pages(), Capture::of_a_day(1));
    let (mut paths, mut statuses) = (BTreeSet::new(), BTreeSet::new());
    let (mut decisions, mut verdicts, mut entries) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut drafts, mut parcels) = (0, 0);
    let (mut repairs, mut offered, mut safe, mut known_copies) = (BTreeSet::new(), BTreeSet::new(), 0, 0);
    for (request, response) in &capture.heard {
        paths.insert(request.path);
        statuses.insert(response.status);
        let answer = unpacked(&response.body);
        let rule = match (request.path, response.status) {
            ("/v1/enrol" | "/v1/rekey", 200) => "enrolment",
            ("/v1/sync", 200) => "sync-response",
            (_, 401) | ("/v1/wiped" | "/v1/readmit", 200) => "challenge-response",
            _ => "problem",
        };
        cddl.require(rule, &answer);
        match request.path {
            "/v1/enrol" => cddl.require("enrol-request", &unpacked(&request.body)),
            "/v1/rekey" => cddl.require("rekey-request", &unpacked(&request.body)),
            "/v1/wiped" => assert!(request.body.is_empty()),
            "/v1/readmit" => cddl.require("certificate", &unpacked(&request.body)),
            _ => cddl.require("sync-request", &unpacked(&request.body)),
        }
        if rule != "sync-response" {
            continue;
        }
        let asked: SyncRequest = decode(&unpacked(&request.body)).expect("a request");
        known_copies += usize::from(asked.safe_copy > 0);
        for Offer { entries, evidence, .. } in &asked.offers {
            repairs.insert("an offer");
            offered.extend(entries.iter().map(|entry| case(&encode(entry))));
            cddl.require("attestation", &evidence.attestation);
        }
        drafts += asked.bundles.iter().map(|bundle| require_bundle(&cddl, bundle).0).sum::<usize>();
        let answer: SyncResponse = decode(&answer).expect("an answer");
        cddl.require("attestation", &answer.attestation);
        cddl.require("updates", &answer.updates);
        let updates: SyncUpdates = decode(&answer.updates).expect("updates");
        parcels += updates.parcels.len();
        safe += usize::from(decode::<Attestation>(&answer.attestation).expect("an attestation").safe.is_some());
        for Divergence { common, .. } in &updates.diverged {
            repairs.insert(if common.is_some() { "a common place" } else { "a divergence" });
        }
        if !asked.checkpoints.is_empty() {
            repairs.insert("checkpoints");
        }
        verdicts.extend(updates.verdicts.iter().flat_map(|it| &it.runs).map(|run| case(&encode(&run.verdict))));
        for entry in updates.frames.iter().flat_map(|frame| &frame.entries) {
            entries.insert(case(&encode(entry)));
            if let FrameEntry::Decision { decision } = entry {
                cddl.require("decision", decision);
                decisions.insert(case(decision));
            }
        }
    }
    let known = ["/v1/enrol", "/v1/nowhere", "/v1/readmit", "/v1/rekey", "/v1/sync", "/v1/wiped"];
    assert_eq!(Vec::from_iter(paths), known);
    assert_eq!(Vec::from_iter(statuses), [200, 401, 404, 426, 503]);
    assert_eq!(Vec::from_iter(repairs), ["a common place", "a divergence", "an offer", "checkpoints"]);
    assert!(offered.is_superset(&[0, 1].into()), "{offered:?}");
    assert!(safe > 0 && known_copies > 0, "{safe} {known_copies}");
    let kinds = DECISIONS.iter().map(|kind| u64::from(kind.number)).collect();
    assert!(decisions.is_superset(&kinds), "the day decides each kind once: {decisions:?}");
    assert_eq!(verdicts, (0..=4).collect());
    assert_eq!(entries, (0..=3).collect());
    assert!(drafts > 0 && parcels > 0, "{drafts} {parcels}");
    let kept = Forger::with_phone_of(&capture.asha, &capture.market).bundles();
    assert!(kept.iter().map(|bundle| require_bundle(&cddl, bundle).1).sum::<usize>() > 0, "nothing was erased");
}

#[test]
fn every_value_of_every_record_is_as_the_page_says() {
    let (cddl, capture) = (Cddl::of_the_pages(), Capture::of_a_day(2));
    let known: BTreeSet<_> = values(&text("records.md")).into_iter().map(|(kind, key, _)| (kind, key)).collect();
    let db = rusqlite::Connection::open(capture.market.server_database()).expect("it opens");
    let mut statement = db.prepare("SELECT kind, saved FROM documents").expect("a table");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    let documents: Vec<(u8, Vec<u8>)> = rows.collect::<Result<_, _>>().expect("documents");
    let mut seen = BTreeSet::new();
    for (kind, saved) in documents {
        let document = Automerge::load(&saved).expect("a document");
        let kind = Kind::from_number(kind).expect("a kind").name.to_owned();
        for key in document.keys(ROOT) {
            // An added key starts with its family's letter; any other is the key itself.
            let family = known.iter().find(|(of, name)| {
                *of == kind && (*name == key || (name.len() == 1 && key.contains('-') && key.starts_with(name)))
            });
            let family = family.unwrap_or_else(|| panic!("{kind} has no {key}"));
            for (value, _) in document.get_all(ROOT, &key).expect("values") {
                let Value::Scalar(value) = value else { panic!("{key} is no scalar") };
                let ScalarValue::Bytes(bytes) = value.as_ref() else { panic!("{key} holds no bytes") };
                cddl.require(&format!("{}-{}", family.0, family.1), bytes);
            }
            seen.insert(family.clone());
        }
    }
    assert_eq!(seen, known, "every key occurred");
}

#[test]
fn a_parcel_opens_as_the_page_says() {
    type Dh = X25519HkdfSha256;
    let (cddl, capture) = (Cddl::of_the_pages(), Capture::of_a_day(3));
    let key = server_key(&capture);
    let (header, sealed) = capture.parcels.split_at(33);
    let (enc, ct) = sealed.split_at(32);
    assert_eq!(header[29..], u32::try_from(sealed.len()).expect("short").to_be_bytes());
    let packed = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, Dh>(
        &hpke::OpModeR::Base,
        &<Dh as Kem>::PrivateKey::from_bytes(&key.to_scalar_bytes()).expect("a key"),
        &<Dh as Kem>::EncappedKey::from_bytes(enc).expect("a key"),
        b"farmtally parcel 1\0",
        ct,
        header,
    );
    cddl.require("content", &unpacked(&packed.expect("it opens")));
    for bundle in Parcel::parse(&capture.parcels).expect("a parcel").open(&key).expect("it opens") {
        cddl.require("bundle", &bundle);
    }
}

#[test]
fn what_a_listener_hears_is_as_the_page_says() {
    let mut market = Market::open(4);
    let asha = market.hires("Asha", "field_manager");
    let forger = Forger::with_phone_of(&asha, &market);
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let localhost = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    let running = runtime.block_on(serve(Arc::clone(&market.server), localhost, 0)).expect("a free port");
    let signed = SignedRequest { server_key: &forger.server_key, method: "GET", path: "/v1/live", body: b"" };
    let header = Authorization::sign(&signed, forger.device, forger.challenge(), &forger.key).to_header();
    let stream = TcpStream::connect(running.address()).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    let mut request = format!("ws://{}/v1/live", running.address()).into_client_request().expect("a request");
    request.headers_mut().insert("authorization", header.parse().expect("a header"));
    let (mut socket, _) = tungstenite::client(request, stream).expect("upgraded");
    let Message::Text(said) = socket.read().expect("a message") else { panic!("no text") };
    let db = rusqlite::Connection::open(market.server_database()).expect("it opens");
    let mut statement = db.prepare("SELECT scope || ' ' || max(seq) FROM log GROUP BY scope").expect("a table");
    let heads = statement.query_map([], |row| row.get(0)).expect("rows").collect::<Result<BTreeSet<String>, _>>();
    assert_eq!(said.lines().map(str::to_owned).collect::<BTreeSet<_>>(), heads.expect("heads"));
    runtime.block_on(running.stop()).expect("stopped");
}

fn server_key(capture: &Capture) -> SigningKey {
    let secret = std::fs::read(capture.market.server_folder().join("keys/server.key")).expect("a key");
    SigningKey::from_bytes(&HEXLOWER.decode(&secret).expect("hex").try_into().expect("32 bytes"))
}

#[test]
fn the_page_accepts_nothing_else() {
    let cddl = Cddl::of_the_pages();
    let message = |head: &[u8], length: usize, tail: &[u8]| [head, &vec![1; length], tail].concat();
    cddl.require("challenge-response", &message(&[0xa2, 0, 0x58, 24], 24, &[1, 0x24]));
    for (what, rule, bytes) in [
        ("a field is missing", "challenge-response", message(&[0xa1, 0, 0x58, 24], 24, &[])),
        ("a challenge is short", "challenge-response", message(&[0xa2, 0, 0x57], 23, &[1, 0x24])),
        ("the time is text", "challenge-response", message(&[0xa2, 0, 0x58, 24], 24, &[1, 0x61, b'5'])),
        ("there is a further field", "challenge-response", message(&[0xa3, 0, 0x58, 24], 24, &[1, 0x24, 2, 2])),
        ("it is an array", "challenge-response", message(&[0x82, 0x58, 24], 24, &[0x24])),
        ("no verdict has that number", "verdict", vec![0x82, 6, 0x80]),
        ("no order has that number", "order", vec![4]),
        ("a common place is a number or is left out", "divergence", vec![0x82, 0x63, b'o', b'r', b'g', 0xf6]),
        ("evidence is signed", "evidence", message(&[0x83, 0x58, 32], 32, &[0x40, 0x40])),
    ] {
        assert!(cddl.accepts(rule, &bytes).is_err(), "{what}");
    }
}
