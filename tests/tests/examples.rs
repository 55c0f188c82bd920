//! Checks the examples of docs/protocol.md byte for byte.
//!
//! Whatever core is not needed for is computed here a second time, from the page alone. `FARMTALLY_WRITE_EXAMPLES=1` rewrites the page's
//! section; read the difference before you commit it.

use std::fmt::Write;

use automerge::ROOT;
use automerge::transaction::Transactable;
use data_encoding::HEXLOWER;
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier};
use farmtally_core::codec::encode;
use farmtally_core::decisions::ReviewCode;
use farmtally_core::decisions::{DecidedBy, Decision};
use farmtally_core::protocol::authorization::{Authorization, SignedRequest};
use farmtally_core::protocol::bundle::{Bundle, BundleAction, BundleEntry, BundleHeader, ChangeEnvelope};
use farmtally_core::protocol::log::Cursor;
use farmtally_core::protocol::message::{
    self, Attestation, BundleVerdict, Certificate, Challenge, DeviceHead, FrameEntry, LogFrame, SafeCopy, SafePosition,
    SyncResponse, SyncUpdates, Verdict,
};
use farmtally_core::protocol::repair::{Divergence, Offer, chain_hashes};
use farmtally_core::records::{self, Change, Farmer, Kind};
use farmtally_core::scope::Scope;
use farmtally_core::units::{
    BundleHash, DeviceCode, DeviceId, DocumentId, EntryHash, GrantId, OrganisationId, Timestamp, UserId,
};
use farmtally_tests::{Forger, forged_change};
use sha2::{Digest, Sha256};

const NOW: Timestamp = Timestamp(1_557_363_600_000);
const ORGANISATION: [u8; 16] = [0x0a; 16];
const DEVICE: [u8; 16] = [0x0d; 16];
const USER: [u8; 16] = [0x0e; 16];
const GRANT: [u8; 16] = [0x09; 16];
const FARMER: [u8; 16] = [0x0f; 16];

/// Lines of a name and bytes in hex.
#[derive(Default)]
struct Listing(String);

impl Listing {
    fn section(&mut self, heading: &str) {
        if !self.0.is_empty() {
            self.0.push_str("```\n");
        }
        writeln!(self.0, "\n### {heading}\n\n```text").expect("text");
    }

    fn bytes(&mut self, mut name: &str, bytes: &[u8]) {
        for line in bytes.chunks(56) {
            writeln!(self.0, "{name:<18}{}", HEXLOWER.encode(line)).expect("text");
            name = "";
        }
    }

    fn text(&mut self, name: &str, text: &str) {
        writeln!(self.0, "{name:<18}{text}").expect("text");
    }
}

fn sha(parts: &[&[u8]]) -> [u8; 32] {
    Sha256::digest(parts.concat()).into()
}

fn scope() -> Scope {
    "c/KOLAR".parse().expect("a scope")
}

/// The registration of a farmer.
fn change() -> Change {
    let stamp = (UserId::from(USER), 1_u8, (NOW.0, 0_u8), false);
    let value = encode(&("KOLAR", stamp, 1_u8));
    let change = forged_change(None, [0xac; 16], |it| it.put(ROOT, "v1", value).expect("written"));
    let change = Change::parse_stripped(&change).expect("a change");
    records::merge(Kind::of::<Farmer>(), DocumentId::from(FARMER), None, &change).expect("a lawful record");
    change
}

fn bundle(key: &SigningKey) -> Bundle {
    let header = BundleHeader {
        version: 1,
        organisation_id: OrganisationId::from(ORGANISATION),
        device_id: DeviceId::from(DEVICE),
        sequence: 1,
        previous: BundleHash([0; 32]),
        sealed_at: NOW,
        schema: 1,
    };
    let entry = BundleEntry {
        document_id: DocumentId::from(FARMER),
        kind: Kind::of::<Farmer>().number,
        scope: scope(),
        change: change().stripped().to_vec(),
        erased: None,
    };
    let (author, grant) = (UserId::from(USER), GrantId::from(GRANT));
    Bundle::seal(
        header,
        vec![BundleAction { author_id: author, grant_id: grant, device_cursor: 1, entries: vec![entry] }],
        key,
    )
}

fn keys() -> (SigningKey, SigningKey) {
    (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]))
}

fn examples() -> String {
    let (device_key, server_key) = keys();
    let server_public = server_key.verifying_key().to_bytes();
    let mut page = Listing::default();
    page.section("Keys");
    page.bytes("device secret", device_key.as_bytes());
    page.bytes("device public", device_key.verifying_key().as_bytes());
    page.bytes("server secret", server_key.as_bytes());
    page.bytes("server public", &server_public);

    let change = change();
    let body = change.stripped();
    let chunk = [&[1, u8::try_from(body.len()).expect("one byte of LEB128")], body].concat();
    let hash = sha(&[&chunk]);
    assert_eq!(change.raw(), [&[0x85, 0x6f, 0x4a, 0x83], &hash[..4], &chunk].concat());
    assert_eq!(change.hash().0, hash);
    page.section("A change");
    page.bytes("raw", change.raw());
    page.bytes("stripped", body);
    page.bytes("hash", &hash);

    let bundle = bundle(&device_key);
    let it = &bundle.header;
    let header = ((it.version, it.organisation_id, it.device_id, it.sequence, it.previous), (it.sealed_at, it.schema));
    let (older, newer) = (encode(&header.0), encode(&header.1));
    let header = [&[0x87], &older[1..], &newer[1..]].concat();
    let entry = (DocumentId::from(FARMER), Kind::of::<Farmer>().number, "c/KOLAR", change.hash());
    let transactions = encode(&[(UserId::from(USER), GrantId::from(GRANT), 1_u8, [entry])]);
    let signed = [b"farmtally bundle 1\0", [0x82].as_slice(), &header, &transactions].concat();
    let bytes = bundle.to_bytes();
    let signature = Signature::from_slice(&bytes[bytes.len() - 64..]).expect("64 bytes");
    assert_eq!(device_key.sign(&signed), signature);
    assert_eq!(bundle.hash().0, sha(&[&signed]));
    page.section("A bundle");
    page.bytes("bundle", &bytes);
    page.bytes("signed", &signed);
    page.bytes("signature", &signature.to_bytes());
    page.bytes("hash", &bundle.hash().0);

    let envelope = ChangeEnvelope {
        device_id: DeviceId::from(DEVICE),
        author_id: UserId::from(USER),
        grant_id: GrantId::from(GRANT),
        document_id: DocumentId::from(FARMER),
        kind: Kind::of::<Farmer>().number,
        scope: scope(),
    };
    let farmers = vec![DocumentId::from(FARMER), DocumentId::from([0x1f; 16])];
    let review = ReviewCode::FarmerLookAlike.review(farmers);
    let decision = encode(&Decision::of(&review, &scope(), &DecidedBy::server(NOW)));
    let body = encode(&review);
    let key = sha(&[b"c/KOLAR\0", &[8], &body]);
    let decided = encode(&((0, [(); 0]), "", NOW, [(); 0], minicbor::bytes::ByteVec::from(key[..16].to_vec()), ""));
    assert_eq!(decision, [&[0x83, 8], decided.as_slice(), &body].concat());
    let entries = [EntryHash::of_change(&envelope, change.hash()), EntryHash::of_decision(&decision)];
    assert_eq!(entries[0].0, sha(&[b"change\0", &sha(&[&encode(&envelope)]), &hash]));
    assert_eq!(entries[1].0, sha(&[b"decision\0", &sha(&[&decision])]));
    let start = Cursor::start(OrganisationId::from(ORGANISATION), scope());
    assert_eq!(start.chain.0, sha(&[b"farmtally scope 1\0", &ORGANISATION, b"c/KOLAR"]));
    let mut cursor = start.clone();
    page.section("Two log entries");
    page.bytes("chain(0)", &start.chain.0);
    for (entry, (name, content)) in
        entries.into_iter().zip([("envelope 1", encode(&envelope)), ("decision 2", decision.clone())])
    {
        let before = cursor.chain;
        cursor.advance(entry);
        assert_eq!(cursor.chain.0, sha(&[&before.0, &entry.0]));
        page.bytes(name, &content);
        page.bytes(&format!("entry hash {}", cursor.sequence), &entry.0);
        page.bytes(&format!("chain({})", cursor.sequence), &cursor.chain.0);
    }
    page.section("A cursor name");
    page.bytes("cursor-name", &encode(&cursor.name()));

    exchange(&mut page, &bundle, &start, cursor, decision);
    certificate(&mut page);
    page.0 + "```\n"
}

/// A request with the bundle, and its response: the verdict with its position, a decision after it, and the head of the log.
fn exchange(page: &mut Listing, bundle: &Bundle, start: &Cursor, cursor: Cursor, decision: Vec<u8>) {
    let (device_key, server_key) = keys();
    let server_public = server_key.verifying_key().to_bytes();
    let challenge = Challenge([0xcc; 24]);
    let mut request = Forger::request(&[bundle.to_bytes()]);
    request.cursors.push(start.name());
    let plain = encode(&request);
    let body = message::pack(&request).expect("it packs");
    let asked = SignedRequest { server_key: &server_public, method: "POST", path: "/v1/sync", body: &body };
    let header = Authorization::sign(&asked, DeviceId::from(DEVICE), challenge, &device_key).to_header();
    let signed =
        [b"farmtally request 1\0".as_slice(), &server_public, &DEVICE, &challenge.0, &sha(&[&body]), b"POST\0/v1/sync"]
            .concat();
    let signature = device_key.sign(&signed).to_bytes();
    let credentials = [DEVICE.as_slice(), &challenge.0, &signature].concat();
    assert_eq!(header, format!("FarmTally {}", data_encoding::BASE64URL_NOPAD.encode(&credentials)));
    page.section("A request");
    page.bytes("sync-request", &plain);
    page.bytes("body", &body);
    page.bytes("signed", &signed);
    page.text("authorization", &header[..110]);
    page.text("", &header[110..]);

    let runs = Verdict::runs([Verdict::Logged { scope: scope(), sequence: 1 }]);
    let own = FrameEntry::Own { bundle: bundle.hash(), first: 0, count: 1 };
    let (transaction, entry) = bundle.entries().next().expect("an entry");
    let envelope = bundle.envelope(transaction, entry);
    let lost = [
        FrameEntry::Change { envelope, change: entry.change.clone() },
        FrameEntry::Decision { decision: decision.clone() },
    ];
    let decided = FrameEntry::Decision { decision };
    let frame = LogFrame { scope: scope(), after: 0, entries: vec![own, decided], chain: cursor.chain };
    let updates = SyncUpdates {
        verdicts: vec![BundleVerdict { index: 0, refused: None, runs }],
        frames: vec![frame],
        more: false,
        diverged: Vec::new(),
        parcels: Vec::new(),
        moved_to: None,
    };
    let chain = cursor.chain;
    let attestation = Attestation {
        device_id: DeviceId::from(DEVICE),
        server_time: NOW,
        device_head: Some(DeviceHead { sequence: 1, hash: bundle.hash() }),
        heads: vec![cursor],
        safe: Some(SafeCopy {
            copy: 1_557_277_200_000,
            scopes: vec![SafePosition { scope: scope(), sequence: 0 }],
            bundle: 0,
        }),
        epoch: 0,
    };
    let answer = SyncResponse::sign(&body, &attestation, &updates, challenge, &server_key);
    let (attestation, updates) = (encode(&attestation), encode(&updates));
    let signed = [b"farmtally answer 1\0", sha(&[&body]).as_slice(), &sha(&[&updates]), &attestation].concat();
    server_key.verifying_key().verify(&signed, &Signature::from_bytes(&answer.signature)).expect("it fits");
    page.section("An answer");
    page.bytes("attestation", &attestation);
    page.bytes("updates", &updates);
    page.bytes("signed", &signed);
    page.bytes("sync-response", &encode(&answer));

    let evidence = answer.evidence(&body);
    assert_eq!((evidence.request, evidence.updates), (sha(&[&body]), sha(&[&updates])));
    assert!(evidence.open(&server_key.verifying_key()).is_some(), "the same signature");
    assert_eq!(chain_hashes(start, &lost).expect("with all bytes").last(), Some(&chain));
    let offer = Offer { scope: scope(), after: 0, entries: lost.into(), evidence };
    page.section("An offer");
    page.bytes("evidence", &encode(&offer.evidence));
    page.bytes("offer", &encode(&offer));
    page.bytes("divergence", &encode(&Divergence { scope: scope(), common: Some(0) }));
}

/// The server's certificate that the device is enrolled.
fn certificate(page: &mut Listing) {
    let (device_key, server_key) = keys();
    let unsigned = Certificate {
        organisation_id: OrganisationId::from(ORGANISATION),
        device_id: DeviceId::from(DEVICE),
        device_code: DeviceCode(32),
        public_key: device_key.verifying_key().to_bytes(),
        user_id: UserId::from(USER),
        ancestor_id: None,
        enrolled_at: NOW,
        successor_key: [0x5c; 32],
        signature: [0; 64],
    };
    let signed = [b"farmtally certificate 1\0", encode(&unsigned).as_slice()].concat();
    let certificate = unsigned.sign(&server_key);
    assert_eq!(server_key.sign(&signed).to_bytes(), certificate.signature);
    page.section("A certificate");
    page.bytes("signed", &signed);
    page.bytes("certificate", &encode(&certificate));
}

#[test]
fn the_examples_come_out_byte_for_byte() {
    const BEGIN: &str = "<!-- examples -->\n";
    const END: &str = "\n<!-- end of examples -->";
    let path = format!("{}/../docs/protocol.md", env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(&path).expect("the page");
    let (before, rest) = page.split_once(BEGIN).expect("a place for examples");
    let (written, after) = rest.split_once(END).expect("an end of the examples");
    let examples = examples();
    if std::env::var_os("FARMTALLY_WRITE_EXAMPLES").is_some() {
        std::fs::write(path, [before, BEGIN, &examples, END, after].concat()).expect("written");
    } else {
        assert_eq!(written, examples, "docs/protocol.md says otherwise");
    }
}
