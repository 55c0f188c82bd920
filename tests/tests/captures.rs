//! What released versions said is understood for ever.
//!
//! `tests/fixtures/wire-N` holds what was said under protocol version N by its first release: bundles, requests with their answers, parcels
//! and QR frames, what was said when the server had been set back, and in `setup.json` the server that they were meant for. Each is put before today's code. A folder is written once, with
//! `FARMTALLY_WRITE_CAPTURES=1` and only while it is not there; after the release it is never touched again.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use farmtally_core::codec::{decode, encode};
use farmtally_core::decisions::Decision;
use farmtally_core::records::Change;
use farmtally_core::scope::Scope;
use farmtally_core::sync::bundle::Bundle;
use farmtally_core::sync::handover::Parcel;
use farmtally_core::sync::log::{Cursor, EntryHash};
use farmtally_core::sync::message::{
    self, ChallengeResponse, Enrolment, Frame, FrameEntry, News, PROTOCOL_VERSION, Statement, SyncRequest, SyncResponse,
};
use farmtally_core::sync::qr::FrameCollector;
use farmtally_core::sync::{Transport, TransportError, WireRequest, WireResponse};
use farmtally_core::units::{DeviceCode, DeviceId, OrganisationId, Timestamp, UserId};
use farmtally_sync_server::storage::{Device, LogContent, NewEntry, SqliteStorage, Storage};
use farmtally_sync_server::{NewCode, Server};
use farmtally_tests::{
    ADDRESS, Exchange, Market, Network, Person, Tap, TestClock, environment, fate, fates, one_of_everything,
};
use serde_json::{Value, json};

/// Half past six in the morning of 9 May 2019, as in [`Market::open`].
const NOW: Timestamp = Timestamp(1_557_363_600_000);

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn hex(bytes: impl AsRef<[u8]>) -> Value {
    HEXLOWER.encode(bytes.as_ref()).into()
}

fn bytes(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().expect("text").as_bytes()).expect("hex")
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().expect("the right length")
}

/// Writes a folder: a server with Asha's and Ravi's phones, then what both hand over, then all that Sita's new phone reads. At last the
/// server is set back to how it began, with Sita's code, and gets everything back.
fn write(folder: &Path) {
    let mut market = Market::open(2019);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let code = market.code("Sita", "clerk", "KOLAR");
    let setup = setup(&market);
    let copy = market.backs_up("copy");
    let parcels = one_of_everything(&asha, &ravi);
    let frames: Vec<Value> = asha.client.parcel_frames().expect("frames").iter().map(hex).collect();
    let heard = Mutex::default();
    for person in [&asha, &ravi, &asha] {
        person.client.sync(&Tap { network: &person.network, heard: &heard }, &|_| ()).expect("a sync");
    }
    let sita = market.meets("Sita");
    sita.client.enrol(&Tap { network: &sita.network, heard: &heard }, ADDRESS, &code, "test phone").expect("enrolled");
    assert_eq!(sita.sum(), asha.sum());
    std::fs::create_dir(folder).expect("a folder");
    let put = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).expect("written");
    let exchange = |(request, response): &Exchange| {
        json!({
            "path": request.path, "authorization": request.authorization, "body": hex(&request.body),
            "status": response.status, "answer": hex(&response.body),
        })
    };
    let list =
        |heard: Mutex<Vec<Exchange>>| heard.into_inner().expect("heard").iter().map(exchange).collect::<Vec<_>>();
    let heard = list(heard);
    let bundles = [&asha, &ravi].map(|person| farmtally_tests::Forger::with_phone_of(person, &market).bundles());
    market.verifies_two_copies();
    let repaired = Mutex::default();
    let syncs = |person: &Person| {
        person.client.sync(&Tap { network: &person.network, heard: &repaired }, &|_| ()).expect("a sync");
    };
    syncs(&ravi);
    market.sets_back(&copy, false);
    for person in [&asha, &sita, &ravi] {
        syncs(person);
    }
    put("recovery.json", &serde_json::to_vec_pretty(&list(repaired)).expect("JSON"));
    put("setup.json", &serde_json::to_vec_pretty(&setup).expect("JSON"));
    put("exchanges.json", &serde_json::to_vec_pretty(&heard).expect("JSON"));
    put("parcels.ftpl", &parcels);
    put("qr-frames.json", &serde_json::to_vec_pretty(&frames).expect("JSON"));
    for (name, bundles) in ["asha", "ravi"].into_iter().zip(bundles) {
        for (number, bundle) in bundles.iter().enumerate() {
            put(&format!("{name}-{}.bundle", number + 1), bundle);
        }
    }
}

/// What a server must know before anybody hands anything over.
fn setup(market: &Market) -> Value {
    let keys = market.server_folder().join("keys");
    let key = |name: &str| std::fs::read_to_string(keys.join(name)).expect("a key");
    let storage = SqliteStorage::open(&market.server_folder().join("data")).expect("it opens");
    let (mut devices, mut decisions) = (Vec::new(), Vec::new());
    let mut read = |db: &mut dyn farmtally_sync_server::storage::Transaction| {
        for it in db.devices()? {
            devices.push(json!({
                "device": hex(it.device.as_bytes()), "code": it.code.0, "public_key": hex(it.public_key),
                "user": hex(it.user.as_bytes()), "enrolled_at_ms": it.enrolled_at.0,
            }));
        }
        for scope in db.scopes()? {
            for entry in db.entries_after(&scope, 0, 1_000)? {
                let LogContent::Decision(decision, None) = entry.content else { panic!("work came too early") };
                decisions.push(json!({"scope": scope.to_string(), "decision": hex(decision)}));
            }
        }
        Ok(())
    };
    storage.read(market.organisation, &mut read).expect("read");
    json!({
        "organisation": hex(market.organisation.as_bytes()), "now_ms": NOW.0,
        "server_key": key("server.key"), "successor_pub": key("successor.pub"),
        "devices": devices, "decisions": decisions,
    })
}

/// A folder of captures, and today's server set up as theirs was.
struct Release {
    folder: PathBuf,
    organisation: OrganisationId,
    key: SigningKey,
    clock: Arc<TestClock>,
    server: Arc<Server>,
    home: tempfile::TempDir,
}

impl Release {
    fn all() -> Vec<Self> {
        let newest = fixtures().join(format!("wire-{PROTOCOL_VERSION}"));
        if std::env::var_os("FARMTALLY_WRITE_CAPTURES").is_some() && !newest.exists() {
            write(&newest);
        }
        let folder = |version| fixtures().join(format!("wire-{version}"));
        (1..=PROTOCOL_VERSION).map(|version| Self::open(folder(version))).collect()
    }

    fn open(folder: PathBuf) -> Self {
        let setup = std::fs::read(folder.join("setup.json")).expect("a set-up");
        let setup: Value = serde_json::from_slice(&setup).expect("JSON");
        let organisation = OrganisationId::from(array::<16>(&setup["organisation"]));
        let home = tempfile::tempdir().expect("a folder");
        let place = |name: &str, value: &Value| {
            std::fs::write(home.path().join("keys").join(name), value.as_str().expect("text")).expect("written");
        };
        std::fs::create_dir(home.path().join("keys")).expect("a folder");
        place("server.key", &setup["server_key"]);
        place("successor.pub", &setup["successor_pub"]);
        let storage = SqliteStorage::open(&home.path().join("data")).expect("it opens");
        storage.add_organisation(organisation).expect("added");
        for device in setup["devices"].as_array().expect("devices") {
            storage.add_route(&bytes(&device["device"]), organisation).expect("added");
        }
        let install = &mut |db: &mut dyn farmtally_sync_server::storage::Transaction| {
            for it in setup["devices"].as_array().expect("devices") {
                let enrolled_at = Timestamp(it["enrolled_at_ms"].as_i64().expect("a time"));
                let code = DeviceCode(it["code"].as_u64().and_then(|code| code.try_into().ok()).expect("a code"));
                let device = Device {
                    device: DeviceId::from(array::<16>(&it["device"])),
                    code,
                    public_key: array(&it["public_key"]),
                    user: UserId::from(array::<16>(&it["user"])),
                    model: String::new(),
                    enrolled_at,
                    seen_at: enrolled_at,
                    head: None,
                    ancestor: None,
                    wiped_at: None,
                };
                assert_eq!(db.add_device(&device, 0)?, code);
            }
            for it in setup["decisions"].as_array().expect("decisions") {
                let scope: Scope = it["scope"].as_str().expect("text").parse().expect("a scope");
                let decision = bytes(&it["decision"]);
                let work = db.next_work()?;
                let cursor = db.append(organisation, &scope, work, &NewEntry::Decision(&decision, None))?;
                db.apply_decision(cursor.sequence, &decode::<Decision>(&decision).expect("a decision"))?;
            }
            Ok(())
        };
        storage.write(organisation, install).expect("set up");
        let clock = TestClock::at(Timestamp(setup["now_ms"].as_i64().expect("a time")));
        let server = Arc::new(Server::open(home.path(), environment(&clock, 7)).expect("a server"));
        // It has data, and no journal says so.
        server.end_recovery(organisation).expect("ended");
        let key = SigningKey::from_bytes(&array(&setup["server_key"]));
        Self { folder, organisation, key, clock, server, home }
    }

    fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn json(&self, name: &str) -> Vec<Value> {
        serde_json::from_slice(&self.file(name)).expect("JSON")
    }

    /// The bundles, oldest first.
    fn bundles(&self) -> Vec<Vec<u8>> {
        let folder = std::fs::read_dir(&self.folder).expect("a folder");
        let mut names: Vec<_> =
            folder.map(|file| file.expect("a file").file_name().into_string().expect("text")).collect();
        names.retain(|name| name.ends_with(".bundle"));
        names.sort();
        names.iter().map(|name| self.file(name)).collect()
    }

    /// Requests with their answers, in their order.
    fn exchanges(&self, name: &str) -> Vec<Exchange> {
        let path = |path: &str| {
            ["/v1/sync", "/v1/enrol", "/v1/readmit"].into_iter().find(|known| *known == path).expect("a path")
        };
        let exchange = |it: &Value| {
            let request = WireRequest {
                method: "POST",
                server_url: ADDRESS.to_owned(),
                path: path(it["path"].as_str().expect("text")),
                authorization: it["authorization"].as_str().map(str::to_owned),
                body: bytes(&it["body"]),
            };
            let status = it["status"].as_u64().and_then(|status| status.try_into().ok()).expect("a status");
            (request, WireResponse { status, body: bytes(&it["answer"]) })
        };
        self.json(name).iter().map(exchange).collect()
    }

    /// What its server answered to each sync.
    fn news(&self) -> Vec<(Statement, News)> {
        let exchanges = self.exchanges("exchanges.json");
        let syncs = exchanges.iter().filter(|(request, _)| request.path == "/v1/sync");
        syncs.map(|exchange| self.open_answer(exchange)).collect()
    }

    fn open_answer(&self, (request, response): &Exchange) -> (Statement, News) {
        let answer: SyncResponse = message::unpack(&response.body).expect("an answer");
        answer.open(&request.body, &self.key.verifying_key()).expect("signed by its server")
    }

    /// What the server has in its logs.
    fn logged(&self) -> i64 {
        let path = self.home.path().join("data").join(format!("{}.db", self.organisation));
        let db = rusqlite::Connection::open(path).expect("it opens");
        db.query_row("SELECT count(*) FROM logged_changes", [], |row| row.get(0)).expect("a count")
    }

    fn entries(&self) -> i64 {
        let count = |bytes: &Vec<u8>| Bundle::parse(bytes).expect("a bundle").entries().count();
        self.bundles().iter().map(count).sum::<usize>().try_into().expect("few")
    }
}

#[test]
fn a_bundle_of_every_release_is_logged() {
    for release in Release::all() {
        let mut kinds: Vec<u8> = Vec::new();
        for bytes in release.bundles() {
            let bundle = Bundle::parse(&bytes).expect("a bundle");
            assert_eq!(bundle.to_bytes(), bytes, "read and written again");
            kinds.extend(bundle.entries().map(|(_, entry)| entry.kind));
        }
        kinds.sort_unstable();
        kinds.dedup();
        assert!(kinds.starts_with(&[1, 2, 3, 4]), "{kinds:?}");
        let parcels = Parcel::pack(
            &release.bundles(),
            release.organisation,
            &release.key.verifying_key().to_bytes(),
            &environment(&release.clock, 1),
        );
        for parcel in parcels.expect("they pack") {
            let imported = release.server.import(None, parcel.as_bytes());
            let imported = imported.into_iter().next().expect("one parcel").expect("taken");
            assert_eq!((imported.held, imported.deferred, imported.refused), (0, 0, 0), "{}", release.folder.display());
        }
        assert_eq!(release.logged(), release.entries());
    }
}

#[test]
fn a_request_of_every_release_is_answered_as_it_was() {
    for release in Release::all() {
        let mut judged = 0;
        for ((request, _), (_, then)) in release
            .exchanges("exchanges.json")
            .iter()
            .filter(|(request, _)| request.path == "/v1/sync")
            .zip(release.news())
        {
            let response = release.server.respond(request);
            // Sita's phone was enrolled after the set-up.
            if response.status == 401 {
                message::unpack::<ChallengeResponse>(&response.body).expect("a challenge");
                continue;
            }
            assert_eq!(response.status, 200);
            let answer: SyncResponse = message::unpack(&response.body).expect("an answer");
            let (_, now) = answer.open(&request.body, &release.key.verifying_key()).expect("signed");
            assert_eq!(now.verdicts, then.verdicts);
            for verdict in now.verdicts.iter().flat_map(fates) {
                assert_eq!(fate(&verdict), "logged");
                judged += 1;
            }
        }
        assert_eq!(judged, release.entries());
    }
}

#[test]
fn a_server_that_was_set_back_takes_what_every_release_shows_and_offers() {
    for release in Release::all() {
        let exchanges = release.exchanges("exchanges.json");
        let (_, enrolled) = exchanges.iter().find(|(request, _)| request.path == "/v1/enrol").expect("an enrolment");
        let enrolment: Enrolment = message::unpack(&enrolled.body).expect("an enrolment");
        assert!(enrolment.certificate.fits(&release.key.verifying_key()));
        let (mut diverged, mut offers, mut safe, mut readmitted) = (0, 0, 0, 0);
        for exchange in release.exchanges("recovery.json") {
            let (request, then) = &exchange;
            let opened = |response: &WireResponse| release.open_answer(&(request.clone(), response.clone()));
            let is_told = request.path == "/v1/sync" && then.status == 200;
            if is_told && opened(then).0.safe.is_some() {
                // Said before the server was set back.
                safe += 1;
                continue;
            }
            let now = release.server.respond(request);
            assert_eq!(now.status, then.status, "{}", request.path);
            readmitted += usize::from(request.path == "/v1/readmit");
            if is_told {
                let (now, then) = (opened(&now).1, opened(then).1);
                assert_eq!((&now.diverged, &now.verdicts), (&then.diverged, &then.verdicts));
                diverged += now.diverged.len();
                offers += message::unpack::<SyncRequest>(&request.body).expect("a request").offers.len();
            }
        }
        assert!(diverged > 0 && offers > 0 && safe == 1 && readmitted == 1, "{diverged} {offers} {safe} {readmitted}");
        assert_eq!(release.logged(), release.entries());
    }
}

#[test]
fn parcels_and_qr_frames_of_every_release_are_taken() {
    for release in Release::all() {
        let mut collector = FrameCollector::default();
        for frame in release.json("qr-frames.json").iter().rev() {
            collector.take(&bytes(frame)).expect("a frame");
        }
        let shown = collector.parcels().expect("undamaged").expect("all frames");
        for file in [shown, release.file("parcels.ftpl")] {
            let imported: Vec<_> = release.server.import(None, file.as_slice());
            assert!(!imported.is_empty());
            for imported in imported {
                let imported = imported.expect("taken");
                assert!(imported.logged > 0);
                assert_eq!((imported.held, imported.deferred, imported.refused), (0, 0, 0));
            }
        }
    }
}

#[test]
fn the_frames_of_every_release_follow_from_each_other() {
    for release in Release::all() {
        let mut read = 0;
        for (statement, news) in release.news() {
            for head in statement.heads {
                let frames: Vec<&Frame> = news.frames.iter().filter(|frame| frame.scope == head.scope).collect();
                let from_start = frames.first().is_some_and(|frame| frame.after == 0);
                if !from_start || frames.iter().any(|frame| has_own(frame)) {
                    continue;
                }
                let mut cursor = Cursor::start(release.organisation, head.scope.clone());
                for frame in frames {
                    assert_eq!(cursor.sequence, frame.after);
                    for entry in &frame.entries {
                        cursor.advance(entry_hash(entry));
                        read += 1;
                    }
                    assert_eq!(cursor.chain, frame.chain);
                }
                assert_eq!(cursor, head);
            }
        }
        assert!(read > 20, "{read}");
    }
}

fn has_own(frame: &Frame) -> bool {
    frame.entries.iter().any(|entry| matches!(entry, FrameEntry::Own { .. }))
}

fn entry_hash(entry: &FrameEntry) -> EntryHash {
    match entry {
        FrameEntry::Change { envelope, change } => {
            EntryHash::of_change(envelope, Change::parse_stripped(change).expect("a change").hash())
        }
        FrameEntry::Decision { decision, .. } => {
            assert_eq!(encode(&decode::<Decision>(decision).expect("a decision")), *decision);
            EntryHash::of_decision(decision)
        }
        FrameEntry::Erased { envelope, change } => EntryHash::of_change(envelope, *change),
        FrameEntry::Own { .. } => panic!("the bytes are elsewhere"),
    }
}

/// Says to a phone of today what the server of a release said to Sita's.
struct Replay<'a> {
    release: &'a Release,
    network: Network,
}

impl Transport for Replay<'_> {
    fn send(&self, request: &WireRequest) -> Result<WireResponse, TransportError> {
        let response = self.network.send(request)?;
        if request.path != "/v1/sync" {
            return Ok(response);
        }
        let asked: SyncRequest = message::unpack(&request.body).expect("a request");
        let answer: SyncResponse = message::unpack(&response.body).expect("an answer");
        let (own, mut news) = answer.open(&request.body, &self.release.key.verifying_key()).expect("signed");
        let (_, then) = self.release.news().pop().expect("the last answer");
        let is_new = |frame: &Frame| !asked.cursors.iter().any(|cursor| cursor.scope == frame.scope);
        news.frames.retain(|frame| matches!(frame.scope, Scope::Device(_)));
        news.frames.extend(then.frames.into_iter().filter(|it| !matches!(it.scope, Scope::Device(_)) && is_new(it)));
        news.more = false;
        let signed = SyncResponse::sign(&request.body, &own, &news, answer.challenge, &self.release.key);
        Ok(WireResponse { status: 200, body: message::pack(&signed).expect("it packs") })
    }
}

#[test]
fn a_phone_of_today_reads_what_every_release_sent() {
    for release in Release::all() {
        let new = NewCode {
            user: "Gita".into(),
            role: "dispatcher".parse().expect("a role"),
            centres: vec!["KOLAR".parse().expect("a code")],
        };
        let code = release.server.create_code(release.organisation, &new).expect("a code");
        let network = || Network::new(Arc::new(RwLock::new(Arc::clone(&release.server))), Arc::default());
        let gita = Person::new(
            "Gita",
            &release.home.path().join("gita"),
            environment(&release.clock, 8),
            &release.clock,
            network(),
        );
        let replay = Replay { release: &release, network: network() };
        gita.client.enrol(&replay, ADDRESS, &code, "test phone").expect("enrolled");
        assert_eq!(gita.client.sync_status().expect("a status").set_aside, 0);

        // The same as by way of the bundles.
        let parcels = release.bundles();
        let key = release.key.verifying_key().to_bytes();
        for parcel in
            Parcel::pack(&parcels, release.organisation, &key, &environment(&release.clock, 1)).expect("packed")
        {
            release.server.import(None, parcel.as_bytes());
        }
        let path = release.home.path().join("data").join(format!("{}.db", release.organisation));
        let documents = |path: &Path| {
            let db = rusqlite::Connection::open(path).expect("it opens");
            let mut statement = db
                .prepare("SELECT hex(document_id) || scope || hex(heads) FROM documents ORDER BY 1")
                .expect("a table");
            let rows = statement.query_map([], |row| row.get::<_, String>(0)).expect("rows");
            rows.collect::<Result<Vec<_>, _>>().expect("documents")
        };
        assert!(!documents(&path).is_empty());
        assert_eq!(documents(&gita.database()), documents(&path));
    }
}

#[test]
fn a_bundle_names_its_version_and_none_from_the_future_is_read() {
    use farmtally_core::sync::bundle::{BUNDLE_VERSION, Refusal};
    for release in Release::all() {
        for bytes in release.bundles() {
            let bundle = Bundle::parse(&bytes).expect("a bundle");
            assert!((1..=BUNDLE_VERSION).contains(&bundle.header.version));
            let mut header = bundle.header.clone();
            header.version = BUNDLE_VERSION + 1;
            let newer = Bundle::seal(header, bundle.transactions, &release.key).to_bytes();
            assert_eq!(Bundle::parse(&newer).expect_err("refused"), Refusal::UnknownVersion);
        }
    }
}
