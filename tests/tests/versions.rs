//! Phones and servers of different versions: what one of them does not know is skipped or kept, never lost.

use automerge::transaction::Transactable;
use ed25519_dalek::SigningKey;
use farmtally_core::client::SyncOutcome;
use farmtally_core::codec::{decode, encode};
use farmtally_core::decisions::{DecidedBy, Decision, Grant, Lorry};
use farmtally_core::permission::Role;
use farmtally_core::protocol::authorization::{Authorization, SignedRequest};
use farmtally_core::protocol::bundle::{self, Bundle, BundleHeader, ChangeEnvelope, SCHEMA_VERSION};
use farmtally_core::protocol::message::{
    self, FrameEntry, PROTOCOL_VERSION, Problem, SyncRequest, SyncResponse, Verdict,
};
use farmtally_core::records::{Change, Delivery, Kind};
use farmtally_core::scope::Scope;
use farmtally_core::store::decisions::Reference;
use farmtally_core::sync::{Transport, TransportError, WireRequest, WireResponse};
use farmtally_core::units::{DocumentId, Grams, GrantId, Timestamp};
use farmtally_core::{Error, ErrorCode};
use farmtally_sync_server::storage::{self, DeferredEntry, LogContent, PendingEntry, ReadTransaction, SqliteStorage};
use farmtally_sync_server::{ReferenceFile, Server};
use farmtally_tests::{
    Fault, Forger, Market, Network, Person, environment, fingerprint, forged_change, verdict_code, verdicts_of,
};
use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

/// A CBOR value that can be taken apart and extended.
enum Node {
    Map(Vec<(u64, Node)>),
    Array(Vec<Node>),
    Other(Vec<u8>),
}

impl Node {
    fn read(bytes: &[u8]) -> Self {
        Self::decode(&mut Decoder::new(bytes))
    }

    fn decode(decoder: &mut Decoder<'_>) -> Self {
        match decoder.datatype().expect("CBOR") {
            Type::Map => {
                let count = decoder.map().expect("a map").expect("its length");
                Self::Map((0..count).map(|_| (decoder.u64().expect("a key"), Self::decode(decoder))).collect())
            }
            Type::Array => {
                let count = decoder.array().expect("an array").expect("its length");
                Self::Array((0..count).map(|_| Self::decode(decoder)).collect())
            }
            _ => {
                let start = decoder.position();
                decoder.skip().expect("a value");
                Self::Other(decoder.input()[start..decoder.position()].to_vec())
            }
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::Map(fields) => {
                Encoder::new(&mut bytes).map(fields.len() as u64).expect("written");
                for (key, value) in fields {
                    bytes.extend(encode(key));
                    bytes.extend(value.to_bytes());
                }
            }
            Self::Array(items) => {
                Encoder::new(&mut bytes).array(items.len() as u64).expect("written");
                for item in items {
                    bytes.extend(item.to_bytes());
                }
            }
            Self::Other(value) => bytes.extend(value),
        }
        bytes
    }

    /// Adds what a newer version might add.
    fn grow(&mut self) -> &mut Self {
        let further = Self::read(&encode(&("of a newer version", [1_u8, 2])));
        match self {
            Self::Map(fields) => fields.push((99, further)),
            Self::Array(items) => items.push(further),
            Self::Other(_) => panic!("only maps and arrays grow"),
        }
        self
    }

    fn find(&mut self, key: u64) -> Option<&mut Self> {
        match self {
            Self::Map(fields) => fields.iter_mut().find(|(it, _)| *it == key).map(|(_, value)| value),
            Self::Array(items) => items.get_mut(usize::try_from(key).expect("an index")),
            Self::Other(_) => panic!("nothing is in it"),
        }
    }

    fn at(&mut self, key: u64) -> &mut Self {
        self.find(key).expect("the key")
    }

    fn items(&mut self) -> &mut [Self] {
        let Self::Array(items) = self else { panic!("no array") };
        items
    }

    fn number(&self) -> u64 {
        let Self::Other(bytes) = self else { panic!("no number") };
        decode(bytes).expect("a number")
    }
}

/// A network between a phone and a server that are both newer: everything that is not signed or hashed has more fields.
struct Newer<'a> {
    network: &'a Network,
    phone: Forger,
    server: SigningKey,
}

impl Newer<'_> {
    fn request(body: &[u8]) -> Vec<u8> {
        let mut request = Node::read(&zstd::bulk::decompress(body, 1 << 21).expect("zstd"));
        request.grow();
        for key in [2, 7, 8] {
            if let Some(list) = request.find(key) {
                for it in list.items() {
                    it.grow();
                }
            }
        }
        zstd::bulk::compress(&request.to_bytes(), 3).expect("it packs")
    }

    fn answer(&self, asked: &[u8], sent: &[u8], body: &[u8]) -> Vec<u8> {
        let mut answer: SyncResponse = message::unpack(body).expect("an answer");
        answer.open(sent, &self.server.verifying_key()).expect("signed");
        let mut attestation = Node::read(&answer.attestation);
        for head in attestation.grow().at(3).items() {
            head.grow();
        }
        if let Some(safe) = attestation.find(4) {
            for place in safe.grow().at(1).items() {
                place.grow();
            }
        }
        let mut updates = Node::read(&answer.updates);
        for verdict in updates.grow().at(0).items() {
            for run in verdict.grow().at(2).items() {
                run.grow().at(1).at(1).grow();
            }
        }
        for divergence in updates.at(3).items() {
            let Node::Array(fields) = divergence else { panic!("no fields") };
            // Without a common position there is room for one.
            if fields.len() == 1 {
                fields.push(Node::Other(vec![0xf6]));
            }
            divergence.grow();
        }
        for frame in updates.at(1).items() {
            for entry in frame.grow().at(2).items() {
                let is_decision = entry.at(0).number() == 1;
                let Node::Array(fields) = entry.at(1) else { panic!("no fields") };
                // A decision without an attachment has room for one; a newer version's fields come after it.
                if is_decision && fields.len() == 1 {
                    fields.push(Node::Other(vec![0xf6]));
                }
                entry.at(1).grow();
            }
        }
        answer.attestation = attestation.to_bytes().into();
        answer.updates = updates.to_bytes().into();
        let hash = |bytes: &[u8]| <[u8; 32]>::from(<sha2::Sha256 as sha2::Digest>::digest(bytes));
        let signed = [b"farmtally answer 1\0", &hash(asked)[..], &hash(&answer.updates), &answer.attestation].concat();
        answer.signature = ed25519_dalek::Signer::sign(&self.server, &signed).to_bytes();
        let mut grown = Node::read(&encode(&answer));
        message_of(grown.grow())
    }
}

fn message_of(node: &Node) -> Vec<u8> {
    zstd::bulk::compress(&node.to_bytes(), 3).expect("it packs")
}

impl Transport for Newer<'_> {
    fn send(&self, request: &WireRequest, must_stop: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        let body = Self::request(&request.body);
        let header = request.authorization.as_deref().and_then(Authorization::from_header).expect("signed");
        let signed =
            SignedRequest { server_key: &self.phone.server_key, method: "POST", path: request.path, body: &body };
        let header = Authorization::sign(&signed, header.device_id, header.challenge, &self.phone.key).to_header();
        let sent = WireRequest { authorization: Some(header), body: body.clone(), ..request.clone() };
        let mut response = self.network.send(&sent, must_stop)?;
        assert_eq!(response.status, 200);
        response.body = self.answer(&request.body, &body, &response.body);
        Ok(response)
    }
}

fn server_key(market: &Market) -> SigningKey {
    let secret = std::fs::read(market.server_folder().join("keys/server.key")).expect("a key");
    SigningKey::from_bytes(&data_encoding::HEXLOWER.decode(&secret).expect("hex").try_into().expect("32 bytes"))
}

fn set_aside(person: &Person) -> u64 {
    person.client.sync_status().expect("a status").set_aside
}

#[test]
fn fields_of_a_newer_version_are_passed_over_on_both_sides() {
    let mut market = Market::open(1);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.weighs(farmer, None, &[20_000, 21_000]);
    for person in [&asha, &ravi, &asha] {
        let newer = Newer {
            network: &person.network,
            phone: Forger::with_phone_of(person, &market),
            server: server_key(&market),
        };
        let report = person.client.sync(&newer, &|_| ()).expect("a sync");
        assert_eq!((report.outcome, set_aside(person)), (SyncOutcome::Complete, 0), "{}", person.name);
        ravi.weighs(ravi.registers("Muniyappa", "Hudukula", "").farmer_id, None, &[22_000]);
    }
    for person in [&ravi, &asha] {
        person.syncs_wholly();
        assert_eq!(fingerprint(&person.database()), fingerprint(&market.server_database()));
    }
}

#[test]
fn fields_of_a_newer_version_stop_no_repair() {
    let mut market = Market::open(7);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    market.verifies_two_copies();
    let syncs = |market: &Market, person: &Person| {
        let (network, phone) = (&person.network, Forger::with_phone_of(person, market));
        let newer = Newer { network, phone, server: server_key(market) };
        person.client.sync(&newer, &|_| ()).expect("a sync")
    };
    let copy = market.backs_up("copy");
    for grams in [20_000, 21_000] {
        asha.weighs(farmer, None, &[grams]);
        syncs(&market, &asha);
        syncs(&market, &ravi);
    }
    assert!(asha.client.sync_status().expect("a status").copied_at.is_some());
    let healthy = fingerprint(&market.server_database());
    market.sets_back(&copy, false);
    for person in [&ravi, &asha] {
        assert_eq!(syncs(&market, person).outcome, SyncOutcome::Complete);
        assert_eq!(fingerprint(&market.server_database()), healthy);
    }
    assert_eq!(fingerprint(&ravi.database()), healthy);
}

/// Answers instead of a server.
struct Refusing(u16, ErrorCode);

impl Transport for Refusing {
    fn send(&self, _: &WireRequest, _: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        let problem = Problem { code: self.1.to_string(), reason: "update".into() };
        Ok(WireResponse::new(self.0, message::pack(&problem).expect("it packs")))
    }
}

#[test]
fn a_phone_that_is_too_new_says_so_and_keeps_its_work() {
    let mut market = Market::open(2);
    let asha = market.hires("Asha", "field_manager");
    let mut forger = Forger::with_phone_of(&asha, &market);
    asha.registers("Lakshmi Devi", "Vemagal", "");
    forger.sequence = 100;
    let bundle = forger.seals(forger.outbox()).to_bytes();
    for (protocol, status) in
        [(0, 422), (1, 200), (PROTOCOL_VERSION, 200), (PROTOCOL_VERSION + 1, 426), (u16::MAX, 426)]
    {
        let request = SyncRequest { protocol, ..Forger::request(std::slice::from_ref(&bundle)) };
        let response = forger.sends(&forger.signed(message::pack(&request).expect("it packs")));
        assert_eq!(response.status, status, "protocol {protocol}");
        if status == 426 {
            let problem: Problem = message::unpack(&response.body).expect("a problem");
            assert_eq!(problem.code, ErrorCode::IncompatibleVersion.as_str());
        }
    }
    let refused = asha.client.sync(&Refusing(426, ErrorCode::IncompatibleVersion), &|_| ());
    assert!(matches!(refused, Err(Error::UpdateNeeded { .. })), "{refused:?}");
    assert_eq!(asha.client.sync_status().expect("a status").backlog.sent, 2);
    asha.syncs_wholly();
}

#[test]
fn a_record_of_a_kind_that_the_server_does_not_know_waits_for_an_upgrade() {
    let mut market = Market::open(3);
    let asha = market.hires("Asha", "field_manager");
    asha.registers("Lakshmi Devi", "Vemagal", "");
    let mut forger = Forger::with_phone_of(&asha, &market);
    let [farmer, contact] = forger.outbox().try_into().expect("two entries");
    let mut unknown = contact.clone();
    (unknown.kind, unknown.document_id) = (200, DocumentId::from([200; 16]));
    let bundle = forger.seals(vec![unknown, contact]).to_bytes();
    let verdicts = verdicts_of(&forger.uploads(std::slice::from_ref(&bundle))[0]);
    assert_eq!(verdicts[0], Verdict::Deferred { missing: Vec::new() });
    assert_eq!(verdict_code(&verdicts[1]), "logged", "what is known is logged");
    let again = verdicts_of(&forger.uploads(&[bundle])[0]);
    assert_eq!(again, verdicts, "it is no acknowledgement");

    // State that an older server without farmers would have left.
    let left = forger.seals(vec![farmer.clone()]);
    let (_, entry) = left.entries().next().expect("an entry");
    let deferred = DeferredEntry {
        entry: PendingEntry {
            bundle: left.hash(),
            entry: 0,
            envelope: left.envelope(&left.actions[0], entry),
            device_cursor: left.actions[0].device_cursor,
            schema: left.header.schema,
            change: entry.change_hash(),
            bytes: entry.change.clone(),
        },
        missing: Vec::new(),
        deferred_at: left.header.sealed_at,
    };
    let storage = SqliteStorage::open(&market.server_folder().join("data")).expect("it opens");
    let left_behind = storage::write(&storage, market.organisation, |db| {
        let (hash, header) = (left.hash(), &left.header);
        db.save_bundle(hash, header.device_id, header.sequence, &left.without_bytes().to_bytes())?;
        db.add_deferred(std::slice::from_ref(&deferred))
    });
    left_behind.expect("left");
    let place = || {
        let find = storage::read(&storage, market.organisation, |db| {
            db.position_of(deferred.entry.document(), deferred.entry.change)
        });
        find.expect("read")
    };
    assert_eq!(place(), None);
    drop(Server::open(&market.server_folder(), environment(&market.clock, 30)).expect("a server"));
    assert!(place().is_some(), "judged at the opening");
    asha.syncs_wholly();
    assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()));
}

/// A sealed bundle of a version with a newer schema.
fn newer_bundle(forger: &mut Forger, entries: Vec<bundle::BundleEntry>) -> Bundle {
    let header = BundleHeader { schema: SCHEMA_VERSION + 1, ..forger.header() };
    let actions = vec![forger.action(entries)];
    Bundle::seal(header, actions, &forger.key)
}

#[test]
fn what_a_newer_schema_may_mean_waits_for_an_upgrade_and_is_never_held() {
    let mut market = Market::open(11);
    let asha = market.hires("Asha", "field_manager");
    asha.registers("Lakshmi Devi", "Vemagal", "");
    let mut forger = Forger::with_phone_of(&asha, &market);
    let [_, contact] = forger.outbox().try_into().expect("two entries");
    let other = |it: &mut bundle::BundleEntry| it.document_id = DocumentId::from([200; 16]);
    let unknown_key = forged_change(None, [7; 16], |it| it.put(automerge::ROOT, "zz", 1).expect("written"));
    let cases: [(&str, bundle::BundleEntry, &str); 3] = [
        (
            "an unknown key",
            {
                let mut it = contact.clone();
                other(&mut it);
                it.change = unknown_key;
                it
            },
            "shape",
        ),
        (
            "a form of change",
            {
                let mut it = contact.clone();
                other(&mut it);
                it.change = vec![1];
                it
            },
            "malformed",
        ),
        (
            "a home",
            {
                let mut it = contact.clone();
                it.scope = "c/KOLAR/2019".parse().expect("a scope");
                it
            },
            "out_of_scope",
        ),
    ];
    for (what, entry, code) in cases {
        let newer = newer_bundle(&mut forger, vec![entry.clone()]).to_bytes();
        let verdicts = verdicts_of(&forger.uploads(&[newer])[0]);
        assert_eq!(verdicts, [Verdict::Deferred { missing: Vec::new() }], "{what}");
        let verdicts = forger.seals_and_uploads(vec![entry]);
        assert_eq!(verdicts.iter().map(verdict_code).collect::<Vec<_>>(), [code], "{what} of this version");
    }
    let mut elsewhere = contact.clone();
    (elsewhere.scope, elsewhere.document_id) =
        ("c/KOLAR/2019/pay".parse().expect("a scope"), DocumentId::from([201; 16]));
    assert_eq!(
        forger.seals_and_uploads(vec![elsewhere]),
        [Verdict::Deferred { missing: Vec::new() }],
        "an unknown scope"
    );
    market.restarts_server();
    asha.syncs_wholly();
    assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()));
}

#[test]
fn work_under_a_grant_that_only_a_newer_server_can_read_is_logged_after_the_upgrade() {
    let mut market = Market::open(12);
    let asha = market.hires("Asha", "field_manager");
    asha.registers("Lakshmi Devi", "Vemagal", "");
    let mut forger = Forger::with_phone_of(&asha, &market);
    let entries = forger.outbox();
    let (known, grant) = (forger.grant, GrantId::from([77; 16]));
    forger.grant = grant;
    let newer = newer_bundle(&mut forger, entries.clone()).to_bytes();
    let verdicts = verdicts_of(&forger.uploads(&[newer])[0]);
    assert_eq!(verdicts, vec![Verdict::Deferred { missing: Vec::new() }; entries.len()]);

    // What the older server has logged and could not read.
    let user = forger.user;
    let centres = vec!["KOLAR".parse().expect("a code")];
    let grant = Grant { grant_id: grant, user_id: user, device_id: forger.device, role: Role::FieldManager, centres };
    let scope = Scope::Device(forger.device);
    let by = DecidedBy::server(Timestamp(7));
    let place = logs(&market, &scope, &encode(&Decision::of(&grant, &scope, &by)));
    with_database(&market, |db| {
        let sql = "INSERT INTO deferred_decisions (scope, seq) VALUES (?1, ?2)";
        assert_eq!(db.execute(sql, (scope.to_string(), place)).expect("left"), 1);
    });
    market.restarts_server();
    let logged: u64 = with_database(&market, |db| {
        let sql = "SELECT count(*) FROM log WHERE scope = 'c/KOLAR'";
        db.query_row(sql, [], |row| row.get(0)).expect("a count")
    });
    assert_eq!(logged, 2, "farmer and contact");
    forger.grant = known;
    asha.syncs_wholly();
    assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()));
}

#[test]
fn a_role_and_a_scope_of_a_newer_version_are_set_aside_by_a_phone_and_stop_nothing() {
    let mut market = Market::open(13);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let forger = Forger::with_phone_of(&ravi, &market);
    let own = Scope::Device(forger.device);
    let centres = vec!["KOLAR".parse().expect("a code")];
    let known = Grant {
        grant_id: [77; 16].into(),
        user_id: forger.user,
        device_id: forger.device,
        role: Role::Dispatcher,
        centres,
    };
    let by = DecidedBy::server(Timestamp(7));
    let mut grant = Node::read(&encode(&Decision::of(&known, &own, &by)));
    *grant.at(2).at(3) = Node::Other(encode(&99_u8));
    logs(&market, &own, &grant.to_bytes());
    let unknown: Scope = "c/KOLAR/2019/pay".parse().expect("a scope");
    logs(&market, &unknown, &newer_decision());
    asha.weighs(farmer, None, &[20_000]);
    asha.syncs_wholly();
    for _ in 0..2 {
        ravi.syncs_wholly();
        assert_eq!((set_aside(&ravi), ravi.sum().deliveries), (2, 1));
    }
    let session = ravi.client.session().expect("a session");
    assert_eq!(session.role, Some(Role::Dispatcher), "by the grant that it can read");
    let ravi = ravi.restarts();
    assert_eq!(set_aside(&ravi), 2, "still nothing that this version knows");
    ravi.syncs_wholly();
    assert_eq!(fingerprint(&ravi.database()), fingerprint(&market.server_database()));
}

/// Logs a change and a decision of kinds that only a newer server knows.
fn newer_entries(market: &Market, forger: &Forger, change: &Change) {
    let storage = SqliteStorage::open(&market.server_folder().join("data")).expect("it opens");
    let logged = storage::write(&storage, market.organisation, |db| {
        let scope: Scope = "c/KOLAR".parse().expect("a scope");
        let envelope = ChangeEnvelope {
            device_id: forger.device,
            author_id: forger.user,
            grant_id: forger.grant,
            document_id: DocumentId::from([200; 16]),
            kind: 200,
            scope: scope.clone(),
        };
        let commit_id = db.next_commit_id()?;
        let origin = (farmtally_core::units::BundleHash([200; 32]), 0);
        let (hash, change) = (change.hash(), Some(change.stripped().to_vec()));
        db.append(&scope, commit_id, &LogContent::Change { envelope, hash, change, origin })?;
        let decision = LogContent::Decision(encode(&(200, [("of a newer version", 1)])));
        let commit_id = db.next_commit_id()?;
        db.append(&Scope::Organisation, commit_id, &decision).map(drop)
    });
    logged.expect("logged");
}

#[test]
fn a_phone_keeps_what_it_does_not_know_and_continues() {
    let mut market = Market::open(4);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let forger = Forger::with_phone_of(&asha, &market);
    let change = Change::parse_stripped(&forger.outbox()[0].change).expect("a change");
    newer_entries(&market, &forger, &change);
    asha.weighs(farmer, None, &[20_000]);
    asha.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!((set_aside(&ravi), ravi.sum().deliveries), (2, 1), "the rest came through");
    let ravi = ravi.restarts();
    assert_eq!(set_aside(&ravi), 2, "still nothing that this version knows");
    let db = rusqlite::Connection::open(ravi.database()).expect("it opens");
    let kept: Vec<u8> = db
        .query_row("SELECT decision FROM decisions WHERE scope = 'org' ORDER BY seq DESC LIMIT 1", [], |row| row.get(0))
        .expect("a decision");
    assert_eq!(kept, encode(&(200, [("of a newer version", 1)])), "as it came");
    drop(db);
    asha.weighs(farmer, None, &[21_000]);
    asha.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!((set_aside(&ravi), ravi.sum().deliveries), (2, 2));
}

#[test]
fn a_phone_applies_after_an_upgrade_what_it_had_set_aside() {
    let mut market = Market::open(5);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let delivery = asha.weighs(farmer, None, &[20_000]).delivery_id;
    asha.syncs_wholly();

    // State that an older version without deliveries and lorries would have left.
    let storage = SqliteStorage::open(&market.server_folder().join("data")).expect("it opens");
    let scope: Scope = "c/KOLAR/2019".parse().expect("a scope");
    let logged = storage::read(&storage, market.organisation, |db| db.entries_after(&scope, 0, 10));
    let [entry] = logged.expect("read").try_into().expect("one delivery");
    let LogContent::Change { envelope, change: Some(change), .. } = entry.content else { panic!("no change") };
    assert_eq!((envelope.document_id, envelope.kind), (delivery.into(), Kind::of::<Delivery>().number));
    let change = FrameEntry::Change { envelope, change };
    let lorry = "KA07A9999".parse().expect("a plate");
    let by = DecidedBy::server(Timestamp(7));
    let lorry = encode(&Decision::of(&Lorry { plate: lorry, payload: Grams(9_000_000) }, &Scope::Organisation, &by));
    let decision = FrameEntry::Decision { decision: lorry };
    let db = rusqlite::Connection::open(ravi.database()).expect("it opens");
    for (scope, document, entry) in
        [("c/KOLAR/2019", Some(DocumentId::from(delivery)), change), ("org", None, decision)]
    {
        db.execute(
            "INSERT INTO set_aside (scope, seq, document_id, entry, reason) VALUES (?1, 1, ?2, ?3, 'not known')",
            (scope, document, encode(&entry)),
        )
        .expect("left");
    }
    drop(db);
    assert_eq!(set_aside(&ravi), 2);
    assert_eq!(ravi.tries_to_open("KA07A9999").expect_err("an unknown lorry").code(), ErrorCode::InvalidInput);
    let ravi = ravi.restarts();
    assert_eq!(set_aside(&ravi), 0);
    assert_eq!(ravi.sum().deliveries, 1);
    ravi.opens("KA07A9999");
    ravi.syncs_wholly();
    assert_eq!(fingerprint(&ravi.database()), fingerprint(&market.server_database()));
}

#[test]
fn a_bundle_with_fields_of_a_newer_version_is_read_if_its_signature_does_not_need_them() {
    let mut market = Market::open(6);
    let asha = market.hires("Asha", "field_manager");
    asha.registers("Lakshmi Devi", "Vemagal", "");
    asha.network.plan(&[Fault::RequestLost]);
    asha.syncs().expect("offline");
    let forger = Forger::with_phone_of(&asha, &market);
    let [bytes] = forger.bundles().try_into().expect("one bundle");
    let mut bundle = Node::read(&bytes);
    bundle.grow().at(0).grow();
    for transaction in bundle.at(1).items() {
        transaction.grow();
    }
    let grown = bundle.to_bytes();
    assert_eq!(Bundle::parse(&grown).expect("a bundle").hash(), Bundle::parse(&bytes).expect("a bundle").hash());
    let verdicts = verdicts_of(&forger.uploads(&[grown])[0]);
    assert_eq!(verdicts.iter().map(verdict_code).collect::<Vec<_>>(), ["logged", "logged"]);
}

/// A decision of an unknown kind, with fields of a newer version in its envelope and after its body.
fn newer_decision() -> Vec<u8> {
    let known = encode(&Decision::of(
        &Lorry { plate: "KA07A1".parse().expect("a plate"), payload: Grams(1) },
        &Scope::Organisation,
        &DecidedBy::server(Timestamp(7)),
    ));
    let mut decision = Node::read(&known);
    decision.grow().at(1).grow();
    decision.items()[0] = Node::Other(encode(&200_u8));
    decision.to_bytes()
}

fn with_database<T>(market: &Market, f: impl FnOnce(&rusqlite::Connection) -> T) -> T {
    f(&rusqlite::Connection::open(market.server_database()).expect("it opens"))
}

/// Logs a decision's bytes for everybody, as another version would have. Returns its sequence number.
fn logs_decision(market: &Market, bytes: &[u8]) -> u64 {
    logs(market, &Scope::Organisation, bytes)
}

fn logs(market: &Market, scope: &Scope, bytes: &[u8]) -> u64 {
    let storage = SqliteStorage::open(&market.server_folder().join("data")).expect("it opens");
    let logged = storage::write(&storage, market.organisation, |db| {
        let commit_id = db.next_commit_id()?;
        db.append(scope, commit_id, &LogContent::Decision(bytes.to_vec()))
    });
    logged.expect("logged").0.sequence
}

fn knows_lorry(market: &Market, plate: &str) -> bool {
    let storage = SqliteStorage::open(&market.server_folder().join("data")).expect("it opens");
    let knows = |db: &mut ReadTransaction<'_>| Ok(Reference::load(db.reader())?.latest::<Lorry>(plate).is_some());
    storage::read(&storage, market.organisation, knows).expect("read")
}

fn adds_lorry(market: &Market, plate: &str) {
    let file = format!("{{\"lorries\": [{{\"plate\": \"{plate}\", \"payload_g\": 9000000}}]}}");
    let file = ReferenceFile::parse(&file).expect("reference data");
    market.server.update_reference(market.organisation, &file).expect("published");
}

#[test]
fn a_decision_of_a_newer_version_outlives_a_loss_of_the_server_and_stops_nothing_behind_it() {
    let mut market = Market::open(8);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let copy = market.backs_up("before");
    let bytes = newer_decision();
    let place = logs_decision(&market, &bytes);
    adds_lorry(&market, "KA07A9999");
    asha.syncs_wholly();
    assert_eq!(set_aside(&asha), 1);
    let db = rusqlite::Connection::open(asha.database()).expect("it opens");
    let kept: Vec<u8> = db
        .query_row("SELECT decision FROM decisions WHERE scope = 'org' AND seq = ?1", [place], |row| row.get(0))
        .expect("a decision");
    assert_eq!(kept, bytes, "as it came");
    asha.opens("KA07A9999");
    asha.syncs_wholly();

    market.sets_back(&copy, true);
    assert!(!knows_lorry(&market, "KA07A9999"));
    for person in [&asha, &ravi, &asha] {
        person.syncs_wholly();
    }
    let waiting = |market: &Market| -> Vec<(u64, Vec<u8>)> {
        with_database(market, |db| {
            let sql = "SELECT log.seq, log.body FROM deferred_decisions JOIN log USING (scope, seq)";
            let mut statement = db.prepare(sql).expect("a table");
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
            rows.collect::<Result<_, _>>().expect("decisions")
        })
    };
    assert_eq!(waiting(&market), [(place, bytes.clone())], "byte for byte at its old place");
    assert!(knows_lorry(&market, "KA07A9999"), "what stands behind it counts");
    market.restarts_server();
    assert_eq!(waiting(&market), [(place, bytes)], "still nothing that this version knows");
    assert_eq!((set_aside(&asha), set_aside(&ravi)), (1, 1));
    assert_eq!(fingerprint(&ravi.database()), fingerprint(&market.server_database()));
}

#[test]
fn a_server_applies_after_an_upgrade_a_decision_that_it_had_deferred() {
    let mut market = Market::open(9);
    adds_lorry(&market, "KA07A8888");
    // State that an older version without lorries would have left: an older decision and a newer one.
    let by = DecidedBy::server(Timestamp(7));
    let lorry = |plate: &str, grams| {
        let lorry = Lorry { plate: plate.parse().expect("a plate"), payload: Grams(grams) };
        encode(&Decision::of(&lorry, &Scope::Organisation, &by))
    };
    let places =
        [("KA07A9999", 1), ("KA07A9999", 2)].map(|(plate, grams)| logs_decision(&market, &lorry(plate, grams)));
    with_database(&market, |db| {
        for place in places {
            let sql = "INSERT INTO deferred_decisions (scope, seq) VALUES ('org', ?1)";
            assert_eq!(db.execute(sql, [place]).expect("left"), 1);
        }
    });
    assert!(!knows_lorry(&market, "KA07A9999"));
    market.restarts_server();
    assert!(knows_lorry(&market, "KA07A9999") && knows_lorry(&market, "KA07A8888"));
    let left = "SELECT count(*) FROM deferred_decisions";
    let left: u64 = with_database(&market, |db| db.query_row(left, [], |row| row.get(0)).expect("a count"));
    assert_eq!(left, 0);
}
