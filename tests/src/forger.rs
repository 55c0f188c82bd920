//! An attacker who has a phone's key and does not use the app.

use std::path::PathBuf;
use std::sync::Arc;

use automerge::transaction::{CommitOptions, Transactable, Transaction};
use automerge::{ActorId, Automerge, ExpandedChange, ScalarValue};
use ed25519_dalek::{SigningKey, VerifyingKey};
use farmtally_core::codec::encode;
use farmtally_core::limits::MAX_BODY_BYTES;
use farmtally_core::protocol::authorization::{Authorization, SignedRequest};
use farmtally_core::protocol::bundle::{self, BUNDLE_VERSION, Bundle, BundleEntry, BundleHeader, SCHEMA_VERSION};
use farmtally_core::protocol::message::{
    self, BundleVerdict, Challenge, ChallengeResponse, PROTOCOL_VERSION, Problem, SyncRequest, SyncResponse, Verdict,
};
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::records::{Change, Contact, Kind, Stamp};
use farmtally_core::sync::{WireRequest, WireResponse};
use farmtally_core::units::{
    BundleHash, DeviceCode, DeviceId, DocumentId, FarmerId, GrantId, HybridTime, OrganisationId, Timestamp, UserId,
};
use farmtally_sync_server::Server;

use minicbor::bytes::ByteSlice;

use crate::{Market, Person};

/// Makes bundles and requests by hand, with the key of an enrolled phone.
pub struct Forger {
    /// Id of the phone.
    pub device: DeviceId,
    /// User of the phone.
    pub user: UserId,
    /// Grant of the user on the phone.
    pub grant: GrantId,
    /// Organisation of the phone.
    pub organisation: OrganisationId,
    /// The phone's secret key.
    pub key: SigningKey,
    /// The server's public key.
    pub server_key: [u8; 32],
    /// Sequence number of the forger's newest bundle, at first 0; set it ahead to avoid those of the phone.
    pub sequence: u64,
    server: Arc<Server>,
    database: PathBuf,
    previous: BundleHash,
}

impl Forger {
    /// Copies the key of a person's phone. Requests reach the server that the market runs now, even after another has started.
    pub fn with_phone_of(person: &Person, market: &Market) -> Self {
        let session = person.client.session().expect("an enrolled phone");
        let db = rusqlite::Connection::open(person.database()).expect("it opens");
        let (secret, server_key): ([u8; 32], [u8; 32]) = db
            .query_row("SELECT secret_key, server_key FROM installation", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("an installation");
        Self {
            device: session.device_id,
            user: session.user_id,
            grant: session.grant_id.expect("a grant"),
            organisation: session.organisation_id,
            key: SigningKey::from_bytes(&secret),
            server_key,
            server: Arc::clone(&market.server),
            database: person.database(),
            sequence: 0,
            previous: BundleHash([0; 32]),
        }
    }

    /// Entries of the phone's outbox, oldest first.
    pub fn outbox(&self) -> Vec<BundleEntry> {
        let db = rusqlite::Connection::open(&self.database).expect("it opens");
        let sql = "SELECT document_id, kind, scope, change FROM outbox ORDER BY outbox";
        let mut statement = db.prepare(sql).expect("a table");
        let entry = |row: &rusqlite::Row<'_>| {
            Ok(BundleEntry {
                document_id: row.get(0)?,
                kind: row.get(1)?,
                scope: row.get(2)?,
                change: row.get(3)?,
                erased: None,
            })
        };
        statement.query_map([], entry).expect("rows").collect::<Result<_, _>>().expect("entries")
    }

    /// The sealed bundles that the phone keeps, oldest first.
    pub fn bundles(&self) -> Vec<Vec<u8>> {
        let db = rusqlite::Connection::open(&self.database).expect("it opens");
        let mut statement = db.prepare("SELECT bytes FROM bundles ORDER BY bundle_seq").expect("a table");
        statement.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("bundles")
    }

    /// The saved bytes of a document on the phone.
    pub fn document(&self, id: impl Into<DocumentId>) -> Vec<u8> {
        let db = rusqlite::Connection::open(&self.database).expect("it opens");
        let sql = "SELECT saved FROM documents WHERE document_id = ?1";
        db.query_row(sql, [id.into()], |row| row.get(0)).expect("a document")
    }

    /// Increments `sequence`. Returns the header of the bundle with that number, which follows the last sealed one.
    pub fn header(&mut self) -> BundleHeader {
        self.sequence += 1;
        BundleHeader {
            version: BUNDLE_VERSION,
            organisation_id: self.organisation,
            device_id: self.device,
            sequence: self.sequence,
            previous: self.previous,
            sealed_at: Timestamp(1_557_363_600_000),
            schema: SCHEMA_VERSION,
        }
    }

    /// Entries as one action of the phone's user.
    pub fn action(&self, entries: Vec<BundleEntry>) -> bundle::BundleAction {
        bundle::BundleAction { author_id: self.user, grant_id: self.grant, device_cursor: 1, entries }
    }

    /// Seals the next bundle, one action for each entry, without uploading it.
    pub fn seals(&mut self, entries: Vec<BundleEntry>) -> Bundle {
        let transactions = entries.into_iter().map(|entry| self.action(vec![entry])).collect();
        let bundle = Bundle::seal(self.header(), transactions, &self.key);
        self.previous = bundle.hash();
        bundle
    }

    /// A contact at KOLAR with details that core would refuse; `number` determines its ids.
    pub fn contact(&self, number: u8, device_code: DeviceCode, details: &ContactDetails) -> BundleEntry {
        let at = HybridTime { wall_ms: 1_557_363_600_000, counter: 0 };
        let stamp = Stamp { user_id: self.user, device_code, at, clock_suspect: false };
        let nonce = [number; 16];
        let value = encode(&(stamp, <&ByteSlice>::from(nonce.as_slice()), FarmerId::from(nonce), details));
        let change = forged_change(None, nonce, |it| {
            it.put(automerge::ROOT, "v1", ScalarValue::Bytes(value)).expect("written");
        });
        let scope = "c/KOLAR".parse().expect("a scope");
        BundleEntry { document_id: nonce.into(), kind: Kind::of::<Contact>().number, scope, change, erased: None }
    }

    /// A request with these bundles and no cursors.
    pub fn request(bundles: &[Vec<u8>]) -> SyncRequest {
        SyncRequest {
            protocol: PROTOCOL_VERSION,
            cursors: Vec::new(),
            bundles: bundles.iter().map(|bytes| bytes.clone().into()).collect(),
            budget_bytes: u32::try_from(MAX_BODY_BYTES / 4).expect("it fits"),
            own_bytes: false,
            checkpoints: Vec::new(),
            offers: Vec::new(),
            safe_copy: 0,
            parcels: Vec::new(),
        }
    }

    /// Requests a new challenge from the server.
    pub fn challenge(&self) -> Challenge {
        let unsigned = WireRequest { authorization: None, ..wire(Vec::new()) };
        let response = self.server.respond(&unsigned);
        assert_eq!(response.status, 401, "an unsigned request is challenged");
        message::unpack::<ChallengeResponse>(&response.body).expect("a challenge").challenge
    }

    /// A request with this body, signed as the phone would, over a new challenge.
    pub fn signed(&self, body: Vec<u8>) -> WireRequest {
        self.signed_with(body, &self.key, self.challenge())
    }

    /// A sync request of the phone, signed with this key over this challenge.
    pub fn signed_with(&self, body: Vec<u8>, key: &SigningKey, challenge: Challenge) -> WireRequest {
        self.signed_for("/v1/sync", body, key, challenge)
    }

    /// A request of the phone to this path, signed with this key over this challenge.
    pub fn signed_for(&self, path: &'static str, body: Vec<u8>, key: &SigningKey, challenge: Challenge) -> WireRequest {
        let signed = SignedRequest { server_key: &self.server_key, method: "POST", path, body: &body };
        let authorization = Authorization::sign(&signed, self.device, challenge, key).to_header();
        WireRequest { authorization: Some(authorization), path, ..wire(body) }
    }

    /// Sends a request unchanged, past the phone's network and its faults.
    pub fn sends(&self, request: &WireRequest) -> WireResponse {
        self.server.respond(request)
    }

    /// Uploads bundles of any device in one request. Returns the verdict on each bundle, which names it by `index`.
    pub fn uploads(&self, bundles: &[Vec<u8>]) -> Vec<BundleVerdict> {
        let body = message::pack(&Self::request(bundles)).expect("it packs");
        let response = self.sends(&self.signed(body.clone()));
        assert_eq!(response.status, 200, "{:?}", message::unpack::<Problem>(&response.body));
        let answer: SyncResponse = message::unpack(&response.body).expect("an answer");
        let server_key = VerifyingKey::from_bytes(&self.server_key).expect("a key");
        answer.open(&body, &server_key).expect("the server's signature").1.verdicts
    }

    /// Seals these entries into one bundle and uploads it. Returns the verdict on each entry; panics if the bundle is refused.
    pub fn seals_and_uploads(&mut self, entries: Vec<BundleEntry>) -> Vec<Verdict> {
        let bundle = self.seals(entries);
        verdicts_of(&self.uploads(&[bundle.to_bytes()])[0])
    }
}

fn wire(body: Vec<u8>) -> WireRequest {
    WireRequest { method: "POST", server_url: crate::ADDRESS.to_owned(), path: "/v1/sync", authorization: None, body }
}

/// Expands runs into the verdict on each entry, with consecutive sequence numbers; panics if the bundle was refused.
pub fn verdicts_of(verdict: &BundleVerdict) -> Vec<Verdict> {
    assert_eq!(verdict.refused, None, "the bundle was refused as a whole");
    let mut fates = Vec::new();
    for run in &verdict.runs {
        fates.extend((0..run.count).map(|offset| match &run.verdict {
            Verdict::Logged { scope, sequence } => {
                Verdict::Logged { scope: scope.clone(), sequence: sequence + u64::from(offset) }
            }
            other => other.clone(),
        }));
    }
    fates
}

/// The name of a verdict, such as `logged`; of a held one, its code.
pub fn verdict_code(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Logged { .. } => "logged",
        Verdict::Deferred { .. } => "deferred",
        Verdict::Held { code, .. } => code.as_str(),
        Verdict::Rejected { .. } => "rejected",
        Verdict::Erased => "erased",
        Verdict::BytesMissing => "bytes_missing",
    }
}

/// A change made with Automerge directly, without core's rules, on top of a document or of nothing; in its stripped form.
pub fn forged_change(saved: Option<&[u8]>, actor: [u8; 16], write: impl FnOnce(&mut Transaction<'_>)) -> Vec<u8> {
    bent_change(saved, actor, write, |_| ())
}

/// A [`forged_change`], modified by `bend` beyond what Automerge could write: counters, dependencies, times.
pub fn bent_change(
    saved: Option<&[u8]>,
    actor: [u8; 16],
    write: impl FnOnce(&mut Transaction<'_>),
    bend: impl FnOnce(&mut ExpandedChange),
) -> Vec<u8> {
    let mut document = saved.map_or_else(Automerge::new, |saved| Automerge::load(saved).expect("a document"));
    document.set_actor(ActorId::from(actor));
    let mut action = document.transaction();
    write(&mut action);
    if action.commit_with(CommitOptions::default().with_time(0)).0.is_none() {
        document.empty_commit(CommitOptions::default().with_time(0));
    }
    let mut change = document.get_last_local_change().expect("a change").decode();
    bend(&mut change);
    let change = automerge::Change::from(change);
    Change::parse(change.raw_bytes()).expect("it parses").stripped().to_vec()
}

/// Contact details that databases refuse, or cannot index, unless they are changed or cut: NUL, and long texts that do not compress.
pub fn hostile_details() -> [ContactDetails; 3] {
    let mut state = 1_u32;
    let mut letter = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from_u32(0xac00 + state % 11_000).expect("a Hangul syllable")
    };
    let long: String = (0..12_000).map(|_| letter()).collect();
    let details = |name: &str, village: &str, phone: &str| ContactDetails {
        name: name.into(),
        village: village.into(),
        phone: phone.into(),
        ..ContactDetails::default()
    };
    [details("Meena\0", "\0", "\0"), details(&long, "", ""), details("Meena", "", &long)]
}
