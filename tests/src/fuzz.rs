//! Fuzz targets: every decoder as a function of arbitrary bytes.
//!
//! None may panic, or take more memory than its limits allow; what it reads must read the same after it is written again. `tests/fuzz.rs`
//! runs them on mutated real bytes, the crate in `tests/fuzz` for hours with libFuzzer (`just fuzz`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use automerge::transaction::Transactable;
use automerge::{Automerge, ROOT};
use ed25519_dalek::SigningKey;
use farmtally_core::codec::{decode, encode};
use farmtally_core::decisions::Decision;
use farmtally_core::limits::{MAX_BODY_BYTES, MAX_BUNDLES};
use farmtally_core::protocol::RefusalCode;
use farmtally_core::protocol::authorization::Authorization;
use farmtally_core::protocol::bundle::Bundle;
use farmtally_core::protocol::log::Cursor;
use farmtally_core::protocol::message::{
    self, Attestation, Certificate, ChallengeResponse, EnrolRequest, Enrolment, FrameEntry, LogFrame, Problem,
    RekeyRequest, SyncRequest, SyncResponse, SyncUpdates, WireError,
};
use farmtally_core::protocol::parcel::Parcel;
use farmtally_core::protocol::qr::QrCollector;
use farmtally_core::protocol::repair::{Offer, chain_hashes};
use farmtally_core::records::draft::Draft;
use farmtally_core::records::{self, Change, KINDS, Kind, Merged};
use farmtally_core::scope::Scope;
use farmtally_core::sync::live::head;
use farmtally_core::units::{DeviceId, DocumentId};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeS, Serializable};
use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

use crate::{Capture, Forger, forged_change};

/// A name, and a function that gives bytes to a decoder and panics if a check fails; it accepts bytes that do not decode.
pub type Target = (&'static str, fn(&[u8]));

/// All targets, sorted by name.
pub const TARGETS: &[Target] = &[
    ("answer", answer),
    ("authorization", authorization),
    ("bundle", bundle),
    ("change", change),
    ("decision", decision),
    ("document", document),
    ("draft", draft),
    ("frame", frame),
    ("live", live),
    ("parcel", parcel),
    ("parcel_content", parcel_content),
    ("qr_frame", qr_frame),
    ("request", request),
    ("value", value),
    ("wire", wire),
];

/// Reads a value; panics if it does not read the same after it is written again. The input itself may be in another form.
fn read_and_check<T: Encode<()> + for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Option<T> {
    let value: T = decode(bytes).ok()?;
    let written = encode(&value);
    let again: T = decode(&written).expect("what was written reads");
    assert_eq!(encode(&again), written);
    Some(value)
}

/// Responses: to a sync with its two parts, to an enrolment, a challenge, a problem.
pub fn answer(bytes: &[u8]) {
    let key = SigningKey::from_bytes(&[2; 32]);
    if let Some(answer) = read_and_check::<SyncResponse>(bytes) {
        let opened = answer.open(b"a request that nobody sent", &key.verifying_key());
        assert!(matches!(opened, Err(WireError::Unsigned)), "{opened:?}");
    }
    if let Some(enrolment) = read_and_check::<Enrolment>(bytes) {
        assert!(!enrolment.is_for(&key.verifying_key()));
    }
    read_and_check::<ChallengeResponse>(bytes);
    read_and_check::<Problem>(bytes);
    if let Some(attestation) = read_and_check::<Attestation>(bytes) {
        assert_eq!(decode::<Attestation>(&encode(&attestation)).expect("it reads"), attestation);
    }
    if let Some(updates) = read_and_check::<SyncUpdates>(bytes) {
        assert_eq!(decode::<SyncUpdates>(&encode(&updates)).expect("it reads").frames, updates.frames);
    }
}

/// The `authorization` header.
pub fn authorization(bytes: &[u8]) {
    let Ok(header) = std::str::from_utf8(bytes) else { return };
    if let Some(read) = Authorization::from_header(header) {
        assert_eq!(read.to_header(), header);
    }
}

/// A bundle with its entries.
pub fn bundle(bytes: &[u8]) {
    let Ok(mut bundle) = Bundle::parse(bytes) else { return };
    let written = bundle.to_bytes();
    let again = Bundle::parse(&written).expect("what was written reads");
    assert_eq!((again.to_bytes(), again.hash()), (written, bundle.hash()));
    let verified = bundle.verify(&SigningKey::from_bytes(&[3; 32]).verifying_key());
    assert_eq!(verified, Err(RefusalCode::BundleSignatureWrong));
    for (_, entry) in bundle.entries().filter(|(_, entry)| entry.erased.is_none()) {
        if let Ok(change) = Change::parse_stripped(&entry.change) {
            assert_eq!(change.hash(), entry.change_hash(), "the signature covers what is read");
        }
    }
    assert_eq!(Bundle::parse(&bundle.without_bytes().to_bytes()).expect("still a bundle").hash(), bundle.hash());
    let (hash, documents) = (bundle.hash(), bundle.entries().map(|(_, it)| it.document_id).collect::<BTreeSet<_>>());
    for document in documents {
        bundle.erase(document);
    }
    assert_eq!(Bundle::parse(&bundle.to_bytes()).expect("still a bundle").hash(), hash);
}

/// A stripped change, alone and on top of real documents.
pub fn change(bytes: &[u8]) {
    let Ok(change) = Change::parse_stripped(bytes) else { return };
    assert_eq!((change.stripped(), change.hash()), (bytes, Change::hash_of_stripped(bytes)));
    assert_eq!(Change::parse(change.raw()).expect("its raw form").hash(), change.hash());
    for kind in KINDS {
        check_merge(kind, DocumentId::from([7; 16]), None, &change);
    }
    for (document, (kind, saved)) in DOCUMENTS.iter() {
        check_merge(*kind, *document, Some(saved), &change);
    }
}

/// Merges a change into a document, or into none. Panics if reading what it saved, with or without Automerge, gives another record or other
/// heads, or if merging it again does not find it known. A change that does not merge passes.
fn check_merge(kind: Kind, id: DocumentId, saved: Option<&[u8]>, change: &Change) {
    let _stamps = kind.shape.stamps(change);
    let _needed = kind.shape.capabilities(change).count();
    let Ok(merged) = records::merge(kind, id, saved, change) else { return };
    let again = records::read(kind, id, &merged.saved).expect("what was merged reads");
    // A creating change is read without Automerge; the result must equal Automerge's.
    let whole = records::without(kind, id, &merged.saved, &[]).expect("Automerge reads it").expect("a change");
    assert_eq!(as_text(&whole), as_text(&again));
    assert_eq!(as_text(&again), as_text(&merged));
    let twice = records::merge(kind, id, Some(&merged.saved), change).expect("it merges again");
    assert!(twice.was_known);
}

/// A document as text: every field of its record, and its heads.
fn as_text(merged: &Merged) -> String {
    format!("{:?} {:?}", merged.record, merged.heads)
}

/// A decision of any kind.
pub fn decision(bytes: &[u8]) {
    if let Some(decision) = read_and_check::<Decision>(bytes) {
        assert_eq!(encode(&decision), bytes, "it is kept as it came");
        let _envelope = decision.envelope();
        if let Ok(content) = decision.content() {
            let (_key, _cells, _documents) = (content.subject(), content.cells(), content.document_ids());
            assert_eq!(content.kind().number, decision.number());
        }
    }
}

/// A stored document.
pub fn document(bytes: &[u8]) {
    for kind in KINDS {
        let id = DocumentId::from([7; 16]);
        let Ok(merged) = records::read(kind, id, bytes) else { continue };
        let again = records::read(kind, id, &merged.saved).expect("what is kept reads");
        assert_eq!(as_text(&again), as_text(&merged));
    }
}

/// A draft, as the office gets it from a phone that was wiped.
pub fn draft(bytes: &[u8]) {
    if let Some(draft) = read_and_check::<Draft>(bytes) {
        assert_eq!(decode::<Draft>(&encode(&draft)).expect("it reads"), draft);
    }
}

/// A frame, and a frame entry as a phone stores it.
pub fn frame(bytes: &[u8]) {
    if let Some(frame) = read_and_check::<LogFrame>(bytes) {
        assert_eq!(decode::<LogFrame>(&encode(&frame)).expect("it reads"), frame);
    }
    read_and_check::<FrameEntry>(bytes);
}

/// Lines of the live signal.
pub fn live(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for (scope, sequence) in text.lines().filter_map(head) {
        assert_eq!(head(&format!("{scope} {sequence}")), Some((scope, sequence)));
    }
}

/// A file of parcels, as a carrier and as the server reads it.
pub fn parcel(bytes: &[u8]) {
    let mut length = 0;
    for parcel in Parcel::read_all(bytes) {
        let Ok(parcel) = parcel else { return };
        length += parcel.as_bytes().len();
        assert_eq!(Parcel::parse(parcel.as_bytes()).expect("it reads").id(), parcel.id());
        open(&parcel);
    }
    assert_eq!(length, bytes.len());
}

fn open(parcel: &Parcel) {
    if let Ok(bundles) = parcel.open(&parcel_key()) {
        assert!(bundles.len() <= MAX_BUNDLES);
        assert!(bundles.iter().map(Vec::len).sum::<usize>() <= MAX_BODY_BYTES);
    }
}

/// Secret key of the server for which the parcels of [`seeds`] are sealed.
fn parcel_key() -> SigningKey {
    SigningKey::from_bytes(&[2; 32])
}

/// The content of a correctly sealed parcel: as zstd, and as the content to compress.
pub fn parcel_content(bytes: &[u8]) {
    let packed = zstd::bulk::compress(bytes, 1).expect("it packs");
    for content in [bytes, packed.as_slice()] {
        let key = parcel_key();
        let server: [u8; 32] = Sha256::digest(key.verifying_key().as_bytes()).into();
        let length = u32::try_from(48 + content.len()).expect("small");
        let header = [b"FTPL\x01", &[1; 16][..], &server[..8], &length.to_be_bytes()].concat();
        let to = key.verifying_key().to_montgomery();
        let to = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(to.as_bytes()).expect("a key");
        let mut rng = Fixed(content.len() as u64);
        let sealed = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &to,
            b"farmtally parcel 1\0",
            content,
            &header,
            &mut rng,
        );
        let (one_time_key, sealed) = sealed.expect("sealed");
        if let Ok(parcel) = Parcel::parse(&[header, one_time_key.to_bytes().to_vec(), sealed].concat()) {
            open(&parcel);
        }
    }
}

/// A random number generator that is the same in each run.
struct Fixed(u64);

impl hpke::rand_core::TryRng for Fixed {
    type Error = std::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|number| (number >> 32) as u32)
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        Ok(self.0)
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in bytes.chunks_mut(8) {
            let number = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
        Ok(())
    }
}

impl hpke::rand_core::TryCryptoRng for Fixed {}

/// QR frames, each after its length as two bytes, big-endian; once as they are, once with a correct checksum.
pub fn qr_frame(bytes: &[u8]) {
    for has_check in [false, true] {
        let mut collector = QrCollector::default();
        let mut rest = bytes;
        while let Some((length, behind)) = rest.split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length)).min(behind.len());
            let (frame, behind) = behind.split_at(length);
            let mut frame = frame.to_vec();
            if has_check && frame.len() > 4 {
                let end = frame.len() - 4;
                let check = Sha256::digest(&frame[..end]);
                frame[end..].copy_from_slice(&check[..4]);
            }
            if let Ok(progress) = collector.add_frame(&frame) {
                assert_eq!(progress.received as usize + progress.missing.len(), progress.total as usize);
                if let Ok(Some(file)) = collector.parcels() {
                    parcel(&file);
                }
            }
            rest = behind;
        }
    }
}

/// An offer: only the server's key opens its evidence, and its entries chain exactly if none is an own entry.
fn offer(offer: &Offer) {
    assert_eq!(offer.evidence.open(&SigningKey::from_bytes(&[3; 32]).verifying_key()), None);
    let start = Cursor::start([1; 16].into(), offer.scope.clone());
    let is_whole = !offer.entries.iter().any(|entry| matches!(entry, FrameEntry::Own { .. }));
    assert_eq!(
        chain_hashes(&start, &offer.entries).map(|places| places.len()),
        is_whole.then_some(offer.entries.len())
    );
}

/// Requests: a sync with its bundles, parcels and offers, an enrolment, a new key. Also an offer, a certificate or a scope alone.
pub fn request(bytes: &[u8]) {
    if let Some(request) = read_and_check::<SyncRequest>(bytes) {
        for bytes in &request.bundles {
            bundle(bytes);
        }
        for bytes in &request.parcels {
            parcel(bytes);
        }
        for it in &request.offers {
            offer(it);
        }
    }
    if let Some(it) = read_and_check::<Offer>(bytes) {
        offer(&it);
    }
    if let Some(certificate) = read_and_check::<Certificate>(bytes) {
        assert!(!certificate.verify(&parcel_key().verifying_key()));
    }
    if let Some(request) = read_and_check::<EnrolRequest>(bytes) {
        let _key = request.verified_key();
    }
    if let Some(request) = read_and_check::<RekeyRequest>(bytes) {
        let _key = request.verified_key(DeviceId::from([7; 16]));
    }
    if let Some(scope) = read_and_check::<Scope>(bytes) {
        assert_eq!(scope.to_string().parse::<Scope>().expect("it reads"), scope);
    }
}

/// A value of a record: the first byte chooses kind and key, the rest is the value, put into a forged change.
pub fn value(bytes: &[u8]) {
    let Some((first, value)) = bytes.split_first() else { return };
    let kind = KINDS[usize::from(*first) % KINDS.len()];
    let rules = kind.shape.0;
    let rule = &rules[usize::from(*first) / KINDS.len() % rules.len()];
    let value = value.to_vec();
    if rule.key == "v1" {
        let created = forged_change(None, [0xac; 16], |it| it.put(ROOT, "v1", value).expect("written"));
        return change(&created);
    }
    for (id, (_, saved)) in DOCUMENTS.iter().filter(|(_, (of, _))| *of == kind) {
        let bag = format!("{}v1-1-acacacac-9", rule.key);
        let added = format!("{}acacacac-9", rule.key);
        for key in [rule.key.to_owned(), added, bag] {
            let later = forged_change(Some(saved), [0xac; 16], |it| it.put(ROOT, key, value.clone()).expect("written"));
            let later = Change::parse_stripped(&later);
            if let Ok(later) = &later {
                check_merge(kind, *id, Some(saved), later);
            }
        }
    }
}

/// A compressed body, whatever size it claims.
pub fn wire(bytes: &[u8]) {
    if let Ok(request) = message::unpack::<SyncRequest>(bytes) {
        let again: SyncRequest = message::unpack(&message::pack(&request).expect("it packs")).expect("it unpacks");
        assert_eq!(encode(&again), encode(&request));
    }
    let _answer = message::unpack::<SyncResponse>(bytes);
}

/// Saved documents to build on, one of each kind: kind and bytes, by id.
static DOCUMENTS: LazyLock<BTreeMap<DocumentId, (Kind, Vec<u8>)>> = LazyLock::new(|| {
    let mut documents = BTreeMap::<DocumentId, (Kind, Vec<u8>)>::new();
    let bundle = Bundle::parse(include_bytes!("../fixtures/golden/asha.bundle")).expect("a bundle");
    for (_, entry) in bundle.entries() {
        let (id, kind) = (entry.document_id, Kind::from_number(entry.kind).expect("a kind"));
        // One document of each kind is enough; the first delivery is the amended one.
        if !documents.contains_key(&id) && documents.values().any(|(of, _)| *of == kind) {
            continue;
        }
        let saved = documents.get(&id).map(|(_, saved)| saved.as_slice());
        let merged = records::merge(kind, id, saved, &Change::parse_stripped(&entry.change).expect("a change"))
            .expect("it merges");
        documents.insert(id, (kind, merged.saved));
    }
    documents
});

/// Returns real bytes by the name of their target, without duplicates. Plays [`Capture::of_a_day`].
pub fn seeds() -> BTreeMap<&'static str, Vec<Vec<u8>>> {
    let capture = Capture::of_a_day(2019);
    let mut seeds: BTreeMap<&'static str, BTreeSet<Vec<u8>>> = BTreeMap::new();
    let mut add = |target, bytes: &[u8]| {
        seeds.entry(target).or_default().insert(bytes.to_vec());
    };
    for (request, response) in &capture.heard {
        if let Some(header) = &request.authorization {
            add("authorization", header.as_bytes());
        }
        let plain = |body: &[u8]| zstd::bulk::decompress(body, MAX_BODY_BYTES).unwrap_or_default();
        add("wire", &request.body);
        add("wire", &response.body);
        add("request", &plain(&request.body));
        add("answer", &plain(&response.body));
        let Ok(answer) = message::unpack::<SyncResponse>(&response.body) else { continue };
        add("answer", &answer.attestation);
        add("answer", &answer.updates);
        for frame in decode::<SyncUpdates>(&answer.updates).expect("updates").frames {
            add("frame", &encode(&frame));
            for entry in frame.entries {
                add("frame", &encode(&entry));
                match entry {
                    FrameEntry::Change { change, .. } => add("change", &change),
                    FrameEntry::Decision { decision } => add("decision", &decision),
                    FrameEntry::Own { .. } | FrameEntry::Erased { .. } => {}
                }
            }
        }
        let told = decode::<Attestation>(&answer.attestation).expect("an attestation").heads;
        let lines: Vec<String> = told.iter().map(|head| format!("{} {}", head.scope, head.sequence)).collect();
        add("live", lines.join("\n").as_bytes());
        let Ok(request) = message::unpack::<SyncRequest>(&request.body) else { continue };
        for offer in &request.offers {
            add("request", &encode(offer));
        }
        for bytes in &request.bundles {
            add("bundle", bytes);
            for (_, entry) in Bundle::parse(bytes).expect("a bundle").entries() {
                let target = if entry.kind == 0 { "draft" } else { "change" };
                add(target, &entry.change);
                for value in &values(entry.kind, &entry.change) {
                    add("value", value);
                }
            }
        }
    }
    for (_, saved) in DOCUMENTS.values() {
        add("document", saved);
        add("document", &Automerge::load(saved).expect("a document").save());
    }
    let kept = Forger::with_phone_of(&capture.asha, &capture.market).bundles();
    for bundle in &kept {
        add("bundle", bundle);
    }
    let organisation = capture.market.organisation;
    let environment = crate::environment(&capture.market.clock, 3);
    let key = parcel_key().verifying_key().to_bytes();
    let parcels = Parcel::pack(&kept, organisation, &key, &environment).expect("they pack");
    let file: Vec<u8> = parcels.iter().flat_map(Parcel::as_bytes).copied().collect();
    add("parcel", &file);
    add("parcel", &file.repeat(2));
    let lists: Vec<minicbor::bytes::ByteVec> = kept.into_iter().map(Into::into).collect();
    add("parcel_content", &encode(&lists));
    let frames = farmtally_core::protocol::qr::frames(&file).expect("frames");
    let led = |frame: &Vec<u8>| {
        let length = u16::try_from(frame.len()).expect("short").to_be_bytes();
        [length.as_slice(), frame].concat()
    };
    add("qr_frame", &frames.iter().flat_map(led).collect::<Vec<u8>>());
    seeds.into_iter().map(|(target, seeds)| (target, seeds.into_iter().collect())).collect()
}

/// The values of a change, each after the byte that makes [`value`] choose its kind and key.
fn values(kind: u8, change: &[u8]) -> Vec<Vec<u8>> {
    let Ok(change) = Change::parse_stripped(change) else { return Vec::new() };
    let change = automerge::Change::try_from(change.raw()).expect("a change").decode();
    let place = |key: &str| {
        let kind = KINDS.iter().position(|it| it.number == kind).expect("a known kind");
        let rules = KINDS[kind].shape.0;
        let rule = rules.iter().position(|rule| rule.key == key || (rule.key.len() == 1 && key.starts_with(rule.key)));
        u8::try_from(rule.expect("a declared key") * KINDS.len() + kind).expect("few keys")
    };
    let value = |operation: &automerge::legacy::Op| match (&operation.key, &operation.action) {
        (automerge::legacy::Key::Map(key), automerge::legacy::OpType::Put(automerge::ScalarValue::Bytes(value))) => {
            Some([&[place(key)], value.as_slice()].concat())
        }
        _ => None,
    };
    change.operations.iter().filter_map(value).collect()
}
