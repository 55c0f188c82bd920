//! Work reaches the server although its phone has no network: carried by a colleague, on a USB stick, or from screen to camera.
//!
//! Asha has no network. What she exports disturbs nobody, opens nowhere but on the server, and stays in her outbox until the server answers
//! her.

use ed25519_dalek::{SigningKey, VerifyingKey};
use farmtally_core::ErrorCode;
use farmtally_core::client::{Carried, SyncOutcome, SyncState};
use farmtally_core::environment::Environment;
use farmtally_core::limits::{MAX_CARRIED_BYTES, MAX_PARCEL_BYTES, MAX_PARCELS, MAX_QR_FRAMES, QR_FRAME_BYTES};
use farmtally_core::protocol::RefusalCode;
use farmtally_core::protocol::message::{self, ParcelVerdict, Problem, SyncRequest, SyncResponse};
use farmtally_core::protocol::parcel::{HandoverError, Parcel};
use farmtally_core::protocol::qr::{QrCollector, frames};
use farmtally_core::units::{DeliveryId, OrganisationId, ParcelId};
use farmtally_sync_server::{Error, Imported, ReferenceFile};
use farmtally_tests::{Fault, Forger, Market, Person, environment, fingerprint};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

/// Asha without network, with a farmer and a delivery of 20.5 kg; Ravi with network.
struct Valley {
    market: Market,
    asha: Person,
    ravi: Person,
    delivery: DeliveryId,
}

impl Valley {
    fn new(seed: u64) -> Self {
        let mut market = Market::open(seed);
        let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
        let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
        let delivery = asha.weighs(farmer, None, &[20_500]).delivery_id;
        Self { market, asha, ravi, delivery }
    }

    fn state(&self) -> SyncState {
        self.asha.client.delivery(self.delivery).expect("a delivery").sync
    }

    /// Numbers of Asha's changes that are unsent, sent and held.
    fn counts(&self) -> (u64, u64, u64) {
        let backlog = self.asha.client.sync_status().expect("a status").backlog;
        (backlog.unsent, backlog.sent, backlog.held)
    }

    fn server_has_it(&self) -> bool {
        fingerprint(&self.asha.database()) == fingerprint(&self.market.server_database())
    }

    fn imports(&self, file: &[u8]) -> Vec<Result<Imported, String>> {
        let name = |error: Error| match error {
            Error::Parcel(error) => error.code().to_string(),
            other => panic!("{other}"),
        };
        self.market.server.import(None, file).into_iter().map(|taken| taken.map_err(name)).collect()
    }

    /// Asha syncs herself at last, and all replicas are equal.
    fn ends_well(&self) {
        self.asha.syncs_wholly();
        assert_eq!((self.counts(), self.state()), ((0, 0, 0), SyncState::Logged));
        self.ravi.syncs_wholly();
        assert!(self.server_has_it());
        assert_eq!(fingerprint(&self.ravi.database()), fingerprint(&self.market.server_database()));
        assert_eq!(self.ravi.sum().gross_g.0, self.asha.sum().gross_g.0);
        assert_eq!(carried(&self.ravi).parcels, 0);
        assert_eq!(
            kept(&self.market),
            Forger::with_phone_of(&self.asha, &self.market).bundles().len(),
            "each bundle once"
        );
    }
}

fn carried(person: &Person) -> Carried {
    person.client.sync_status().expect("a status").carried
}

/// Number of bundles that the server keeps.
fn kept(market: &Market) -> usize {
    let db = rusqlite::Connection::open(market.server_database()).expect("it opens");
    db.query_row("SELECT count(*) FROM bundles", [], |row| row.get(0)).expect("a count")
}

const IMPORTED: Imported = Imported { bundles: 1, logged: 3, held: 0, deferred: 0, refused: 0 };

#[test]
fn a_colleague_carries_what_a_phone_without_network_recorded() {
    let valley = Valley::new(1);
    assert_eq!(valley.asha.client.sync_status().expect("a status").exported_at, None);
    let file = valley.asha.exports();
    // An export is no acknowledgement.
    assert_eq!((valley.counts(), valley.state()), ((3, 0, 0), SyncState::Unsent));
    assert!(valley.asha.client.sync_status().expect("a status").exported_at.is_some());

    valley.ravi.carries(&file);
    assert_eq!(carried(&valley.ravi), Carried { parcels: 1, bytes: file.len() as u64, refused: None });
    let unread = valley.ravi.client.delivery(valley.delivery).expect_err("he carries it, he does not read it");
    assert_eq!(unread.code(), ErrorCode::NotFound);
    assert_eq!((valley.counts(), valley.state()), ((3, 0, 0), SyncState::Unsent));

    let report = valley.ravi.syncs().expect("a sync");
    assert_eq!((report.outcome, report.progress.parcels_taken), (SyncOutcome::Complete, 1));
    assert_eq!(report.progress.logged, 0, "none of it is his");
    assert_eq!(carried(&valley.ravi), Carried::default());
    assert_eq!(valley.ravi.sum().gross_g.0, 20_500, "now it came down to him as to anybody at the centre");
    assert!(valley.server_has_it());
    assert_eq!(valley.state(), SyncState::Unsent, "nobody has told Asha's phone");

    let report = valley.asha.syncs().expect("a sync");
    assert_eq!((report.outcome, report.progress.logged), (SyncOutcome::Complete, 3));
    valley.ends_well();
    let nothing = valley.asha.client.export_parcel().expect_err("all is answered");
    assert_eq!(nothing.code(), ErrorCode::NotAllowed);
}

#[test]
fn a_stick_counts_before_the_phone_itself_and_after() {
    let valley = Valley::new(2);
    let path = valley.market.path_of("stick.parcels");
    valley.asha.client.export_to(&path).expect("a file");
    let file = std::fs::read(&path).expect("it reads");
    assert_eq!(valley.imports(&file), [Ok(IMPORTED)]);
    assert!(valley.server_has_it());
    valley.ends_well();
    assert_eq!(valley.imports(&file), [Ok(IMPORTED)], "the same once more: the same answer, and nothing new");
    valley.ends_well();

    let farmer = valley.asha.registers("Ramesh Gowda", "Malur", "").farmer_id;
    valley.asha.weighs(farmer, None, &[30_000]);
    valley.asha.client.export_to(&path).expect("the file is replaced");
    valley.ends_well();
    assert_eq!(valley.imports(&std::fs::read(&path).expect("it reads")), [Ok(IMPORTED)]);
    valley.ends_well();
    let nowhere = valley.market.path_of("no such folder").join("stick");
    valley.asha.weighs(farmer, None, &[31_000]);
    let database = valley.asha.database();
    for wrong in [&nowhere, &database, &valley.asha.folder] {
        let error = valley.asha.client.export_to(wrong).expect_err("no place for a file");
        assert!(matches!(error, farmtally_core::Error::Invalid { field: "path", .. }), "{wrong:?}: {error:?}");
    }
}

#[test]
fn the_same_work_by_several_ways_counts_once() {
    let mut valley = Valley::new(3);
    let meena = valley.market.hires("Meena", "clerk");
    let (first, again) = (valley.asha.exports(), valley.asha.exports());
    assert_ne!(first, again, "sealed anew each time");
    for carrier in [&valley.ravi, &meena] {
        carrier.carries(&first);
        carrier.carries(&first);
        carrier.carries(&again);
        assert_eq!(carried(carrier).parcels, 2);
        let report = carrier.syncs().expect("a sync");
        assert_eq!((report.outcome, report.progress.parcels_taken), (SyncOutcome::Complete, 2));
    }
    assert_eq!(valley.imports(&[first, again].concat()), [Ok(IMPORTED), Ok(IMPORTED)]);
    valley.ends_well();
}

#[test]
fn what_was_recorded_after_the_hand_over_follows_by_itself() {
    let valley = Valley::new(4);
    valley.ravi.carries(&valley.asha.exports());
    valley.asha.amends(valley.delivery, 21_000).expect("amended");
    let second = valley.asha.exports();
    // The second file alone has everything; the first one arrives late.
    let taken = Imported { bundles: 2, logged: 4, ..Imported::default() };
    assert_eq!(valley.imports(&second), [Ok(taken)]);
    valley.ends_well();
}

#[test]
fn a_change_that_builds_on_what_is_still_carried_waits_for_it() {
    let mut valley = Valley::new(5);
    let first = valley.asha.exports();
    valley.asha.amends(valley.delivery, 21_000).expect("amended");
    valley.asha.exports();
    let [_, second] = Forger::with_phone_of(&valley.asha, &valley.market).bundles().try_into().expect("two bundles");
    let key = server_key(&valley.market);
    let parcels = Parcel::pack(&[second], valley.market.organisation, key.as_bytes(), &Environment::system());
    let [second] = parcels.expect("packed").try_into().expect("one");
    let deferred = Imported { bundles: 1, deferred: 1, ..Imported::default() };
    assert_eq!(valley.imports(second.as_bytes()), [Ok(deferred)]);
    let meena = valley.market.hires("Meena", "clerk");
    meena.carries(&first);
    meena.syncs_wholly();
    valley.ends_well();
}

#[test]
fn from_screen_to_camera_in_any_order_with_loss_and_repeats() {
    let mut random = StdRng::seed_from_u64(6);
    let valley = Valley::new(6);
    let farmer = valley.asha.registers("Ramesh Gowda", "Malur", "").farmer_id;
    for _ in 0..250 {
        valley.asha.weighs(farmer, None, &[random.random_range(1..99_999), random.random_range(1..99_999)]);
    }
    let shown = valley.asha.client.parcel_qr_frames().expect("frames");
    assert!(shown.len() > 10, "{}", shown.len());
    assert!(shown.iter().all(|frame| frame.len() <= QR_FRAME_BYTES));
    let mut seen = vec![false; shown.len()];
    while seen.contains(&false) {
        assert_eq!(carried(&valley.ravi).parcels, 0, "not before the last frame");
        let mut order: Vec<usize> = (0..shown.len()).collect();
        order.shuffle(&mut random);
        for index in order {
            match random.random_range(0..10) {
                // The camera misses the frame, or misreads it.
                0..4 => {}
                4 => {
                    let mut wrong = shown[index].clone();
                    let at = random.random_range(0..wrong.len());
                    wrong[at] ^= 4;
                    let error = valley.ravi.client.add_qr_frame(&wrong).expect_err("read wrongly");
                    assert_eq!(error.code(), ErrorCode::InvalidInput);
                }
                _ => {
                    seen[index] = true;
                    let progress = valley.ravi.client.add_qr_frame(&shown[index]).expect("a frame");
                    let missing: Vec<u32> = (0..).zip(&seen).filter(|(_, seen)| !**seen).map(|(at, _)| at).collect();
                    assert_eq!((progress.total as usize, &progress.missing), (shown.len(), &missing));
                    assert_eq!(progress.received as usize, shown.len() - missing.len());
                }
            }
        }
    }
    assert_eq!(carried(&valley.ravi).parcels, 1);
    // The camera sees a frame again; nothing is carried twice.
    valley.ravi.client.add_qr_frame(&shown[0]).expect("a frame");
    assert_eq!(carried(&valley.ravi).parcels, 1);
    assert_eq!(valley.counts().1, 0, "none of it counts as sent");
    valley.ravi.syncs_wholly();
    assert!(valley.server_has_it());
    valley.ends_well();
}

#[test]
fn a_carrier_learns_nothing_but_the_destination() {
    let valley = Valley::new(7);
    let file = valley.asha.exports();
    let name = b"Lakshmi";
    let contains = |bytes: &[u8]| bytes.windows(name.len()).any(|window| window == name);
    let owner = Forger::with_phone_of(&valley.asha, &valley.market);
    assert!(owner.bundles().iter().any(|bundle| contains(bundle)), "it is in the bundle");
    let parcel = Parcel::parse(&file).expect("a parcel");
    let server = server_secret(&valley.market);
    assert_eq!(parcel.open(&server).expect("the server opens it"), owner.bundles());
    let carrier = Forger::with_phone_of(&valley.ravi, &valley.market);
    for key in [&owner.key, &carrier.key, &SigningKey::from_bytes(&[0; 32])] {
        assert_eq!(parcel.open(key), Err(HandoverError::Damaged), "not even who sealed it");
    }
    assert!(!contains(&file));
    // Neither ids nor the compressed content of the bundle are readable.
    let plain = zstd::bulk::compress(&owner.bundles()[0], 3).expect("it packs");
    for secret in [owner.device.as_bytes().as_slice(), owner.user.as_bytes(), &plain[plain.len() / 2..][..16]] {
        assert!(!file.windows(secret.len()).any(|window| window == secret));
    }
    valley.ravi.carries(&file);
    for name in ["field.db", "field.db-wal"] {
        assert!(!contains(&std::fs::read(valley.ravi.folder.join(name)).unwrap_or_default()), "{name}");
    }
    assert!(!frames(&file).expect("frames").iter().any(|frame| contains(frame)));
}

fn server_secret(market: &Market) -> SigningKey {
    let hex = std::fs::read_to_string(market.server_folder().join("keys").join("server.key")).expect("a key");
    let bytes: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&hex.trim()[2 * at..2 * at + 2], 16).expect("hex")).collect();
    SigningKey::from_bytes(&bytes.try_into().expect("32 bytes"))
}

fn server_key(market: &Market) -> VerifyingKey {
    server_secret(market).verifying_key()
}

/// A parcel of bytes that are no bundles, for this organisation and server.
fn parcel_of_noise(market: &Market, bytes: usize, random: &mut StdRng) -> Parcel {
    let mut noise = vec![0; bytes];
    random.fill(noise.as_mut_slice());
    let key = server_key(market);
    let packed =
        Parcel::pack(&[noise], market.organisation, key.as_bytes(), &environment(&market.clock, random.random()));
    let [parcel] = packed.expect("packed").try_into().expect("one");
    parcel
}

#[test]
fn what_is_meant_for_somebody_else_is_not_carried() {
    let valley = Valley::new(8);
    let elsewhere = Valley::new(9);
    let file = elsewhere.asha.exports();
    let refused = |file: &[u8]| {
        let error = valley.ravi.client.carry_parcel(file).expect_err("refused");
        assert_eq!(carried(&valley.ravi), Carried::default());
        (error.code(), error.to_string())
    };
    let (code, reason) = refused(&file);
    assert_eq!((code, reason), (ErrorCode::NotAllowed, HandoverError::ForeignOrganisation.to_string()));
    assert_eq!(valley.imports(&file), [Err("parcel_foreign_organisation".to_owned())]);

    let key = SigningKey::from_bytes(&[7; 32]).verifying_key().to_bytes();
    let parcels = Parcel::pack(&[b"x"], valley.market.organisation, &key, &Environment::system()).expect("packed");
    let (code, reason) = refused(parcels[0].as_bytes());
    assert_eq!((code, reason), (ErrorCode::NotAllowed, HandoverError::ForeignServer.to_string()));
    assert_eq!(valley.imports(parcels[0].as_bytes()), [Err("parcel_foreign_server".to_owned())]);

    // A phone takes all parcels of a file or none; the office takes those for its organisation.
    let own = valley.asha.exports();
    refused(&[own.as_slice(), &file].concat());
    let taken = valley.imports(&[file.as_slice(), &own].concat());
    assert_eq!(taken, [Err("parcel_foreign_organisation".to_owned()), Ok(IMPORTED)]);
    valley.ends_well();
    elsewhere.ends_well();

    // A phone that is not enrolled carries nothing.
    let mut market = Market::open(10);
    let stranger = market.meets("Stranger");
    assert_eq!(stranger.client.carry_parcel(own.as_slice()).expect_err("not enrolled").code(), ErrorCode::Unauthorized);
    assert_eq!(stranger.client.export_parcel().expect_err("not enrolled").code(), ErrorCode::Unauthorized);
}

#[test]
fn two_organisations_of_one_server_are_kept_apart() {
    let mut valley = Valley::new(11);
    let own = valley.market.organisation;
    let file = ReferenceFile::parse(farmtally_tests::REFERENCE).expect("reference data");
    let other = valley
        .market
        .server
        .create_organisation("Malur growers", &"IN".parse().expect("a country"), 330, None, &file)
        .expect("an organisation");
    let parcels = valley.asha.exports();
    let refused = valley.market.server.import(Some(other), parcels.as_slice());
    assert!(matches!(refused.as_slice(), [Err(Error::Parcel(HandoverError::ForeignOrganisation))]), "{refused:?}");
    valley.market.organisation = other;
    let meena = valley.market.hires("Meena", "clerk");
    assert_eq!(meena.client.carry_parcel(parcels.as_slice()).expect_err("foreign").code(), ErrorCode::NotAllowed);
    // Without the app: a request signed with her phone's key.
    let mut forger = Forger::with_phone_of(&meena, &valley.market);
    assert_eq!(
        sends(&mut forger, std::slice::from_ref(&parcels)),
        [verdict(&parcels, Some("parcel_foreign_organisation"))]
    );
    // A changed organisation makes it unreadable, because the encryption covers the header.
    valley.market.organisation = own;
    let mut relabelled = parcels.clone();
    relabelled[5..21].copy_from_slice(other.as_bytes());
    assert_eq!(valley.imports(&relabelled), [Err("parcel_damaged".to_owned())]);
    let unknown = OrganisationId::from([9; 16]);
    relabelled[5..21].copy_from_slice(unknown.as_bytes());
    assert_eq!(valley.imports(&relabelled), [Err("parcel_foreign_organisation".to_owned())]);
    let folder = valley.market.server_folder().join("data").join(format!("{unknown}.db"));
    assert!(!folder.exists(), "no database is made for whom nobody knows");
    valley.ends_well();
}

/// Sends parcels without the app. Returns their verdicts.
fn sends(forger: &mut Forger, parcels: &[Vec<u8>]) -> Vec<ParcelVerdict> {
    let parcels = parcels.iter().map(|bytes| bytes.clone().into()).collect();
    let request = SyncRequest { parcels, ..Forger::request(&[]) };
    let body = message::pack(&request).expect("it packs");
    let response = forger.sends(&forger.signed(body.clone()));
    assert_eq!(response.status, 200, "{:?}", message::unpack::<Problem>(&response.body));
    let answer: SyncResponse = message::unpack(&response.body).expect("an answer");
    let server_key = VerifyingKey::from_bytes(&forger.server_key).expect("a key");
    answer.open(&body, &server_key).expect("the server's signature").1.parcels
}

fn verdict(bytes: &[u8], refused: Option<&str>) -> ParcelVerdict {
    ParcelVerdict { parcel_id: ParcelId::of(bytes), refused: refused.map(RefusalCode::from) }
}

#[test]
fn what_was_cut_or_changed_on_its_way_is_refused_by_its_name_and_leaves_no_trace() {
    let valley = Valley::new(12);
    let file = valley.asha.exports();
    let mut forger = Forger::with_phone_of(&valley.ravi, &valley.market);
    let before = (fingerprint(&valley.market.server_database()), kept(&valley.market));
    let mut variants: Vec<(Vec<u8>, &str)> = Vec::new();
    for bit in 0..file.len() * 8 {
        let mut bytes = file.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let claimed = u32::from_be_bytes(bytes[29..33].try_into().expect("four bytes")) as usize;
        let name = match bit / 8 {
            4 => "parcel_version_unknown",
            5..21 => "parcel_foreign_organisation",
            21..29 => "parcel_foreign_server",
            29..33 if claimed > MAX_PARCEL_BYTES - 33 => "parcel_too_large",
            0..4 | 29..33 => "parcel_unreadable",
            _ => "parcel_damaged",
        };
        // Every bit of the header, and one of each byte of the content.
        if bit / 8 < 33 || bit % 8 == (bit / 8) % 8 {
            variants.push((bytes, name));
        }
    }
    variants.extend((0..file.len()).step_by(3).map(|length| (file[..length].to_vec(), "parcel_unreadable")));
    variants.push(([file.as_slice(), &[0]].concat(), "parcel_unreadable"));
    for variants in variants.chunks(MAX_PARCELS) {
        let parcels: Vec<Vec<u8>> = variants.iter().map(|(bytes, _)| bytes.clone()).collect();
        let expected: Vec<ParcelVerdict> = variants.iter().map(|(bytes, name)| verdict(bytes, Some(name))).collect();
        assert_eq!(sends(&mut forger, &parcels), expected);
    }
    assert_eq!((fingerprint(&valley.market.server_database()), kept(&valley.market)), before, "a trace");
    assert_eq!((valley.counts(), valley.state()), ((3, 0, 0), SyncState::Unsent));
    // A parcel of a newer version asks for an update, on the carrier's phone too.
    let mut newer = file.clone();
    newer[4] = 2;
    let error = valley.ravi.client.carry_parcel(newer.as_slice()).expect_err("a version from the future");
    assert_eq!(error.code(), ErrorCode::IncompatibleVersion);
    for cut in [0, 1, 32, 33, 80, file.len() - 1] {
        let error = valley.ravi.client.carry_parcel(&file[..cut]).expect_err("cut");
        assert_eq!(error.code(), ErrorCode::InvalidInput, "{cut}");
    }
    // Of a file that is cut within its second parcel, the first counts.
    let taken = valley.imports(&[file.as_slice(), &file[..100]].concat());
    assert_eq!(taken, [Ok(IMPORTED), Err("parcel_unreadable".to_owned())]);
    valley.ends_well();
}

#[test]
fn a_bad_parcel_neither_stops_a_sync_nor_comes_again() {
    let valley = Valley::new(13);
    let file = valley.asha.exports();
    let mut bad = file.clone();
    bad[100] ^= 1;
    let mut worse = file.clone();
    worse[101] ^= 1;
    for parcel in [&bad, &file, &worse] {
        valley.ravi.carries(parcel);
    }
    let farmer = valley.ravi.registers("Ramesh Gowda", "Malur", "").farmer_id;
    valley.ravi.weighs(farmer, None, &[30_000]);
    let report = valley.ravi.syncs().expect("a sync");
    assert_eq!(report.outcome, SyncOutcome::Complete);
    let progress = report.progress;
    assert_eq!((progress.parcels_taken, progress.parcels_refused, progress.logged), (1, 2, 3));
    let note = Carried { refused: Some(RefusalCode::ParcelDamaged), ..Carried::default() };
    assert_eq!(carried(&valley.ravi), note);
    let report = valley.ravi.syncs().expect("a sync");
    assert_eq!((report.outcome, report.progress.parcels_refused), (SyncOutcome::Complete, 0));
    assert_eq!(carried(&valley.ravi), note, "the note stays");
    // A carrier who brings it again is notified again.
    valley.ravi.carries(&worse);
    assert_eq!((carried(&valley.ravi).parcels, carried(&valley.ravi).refused), (1, None));
    assert_eq!(valley.ravi.syncs().expect("a sync").progress.parcels_refused, 1);
    valley.asha.syncs_wholly();
    assert_eq!(valley.state(), SyncState::Logged);
    assert_eq!(fingerprint(&valley.asha.database()), fingerprint(&valley.market.server_database()));
}

#[test]
fn a_parcel_stays_with_its_carrier_until_the_server_has_named_it() {
    let valley = Valley::new(14);
    let file = valley.asha.exports();
    valley.ravi.carries(&file);
    let waiting = Carried { parcels: 1, bytes: file.len() as u64, refused: None };
    for fault in [Fault::RequestLost, Fault::ResponseLost, Fault::ResponseCut, Fault::Delayed] {
        valley.ravi.network.plan(&[fault]);
        assert_eq!(valley.ravi.syncs().expect("offline").outcome, SyncOutcome::Offline, "{fault:?}");
        assert_eq!(carried(&valley.ravi), waiting, "{fault:?}");
    }
    // After three days his challenge has expired: he signs again, and the parcel goes with the second attempt.
    valley.market.clock.pass(3 * 86_400);
    let ravi = valley.ravi.restarts();
    assert_eq!(carried(&ravi), waiting);
    ravi.network.plan(&[Fault::Duplicated, Fault::Duplicated]);
    let report = ravi.syncs().expect("a sync");
    assert_eq!((report.outcome, report.progress.parcels_taken), (SyncOutcome::Complete, 1));
    let valley = Valley { ravi, ..valley };
    assert_eq!(carried(&valley.ravi), Carried::default());
    valley.ends_well();
}

#[test]
fn more_parcels_than_a_request_holds_go_in_several_and_own_work_goes_first() {
    let valley = Valley::new(15);
    let mut random = StdRng::seed_from_u64(15);
    for _ in 0..5 {
        valley.ravi.carries(parcel_of_noise(&valley.market, 120 * 1024, &mut random).as_bytes());
    }
    for _ in 0..20 {
        valley.ravi.carries(parcel_of_noise(&valley.market, 10, &mut random).as_bytes());
    }
    valley.ravi.carries(&valley.asha.exports());
    let farmer = valley.ravi.registers("Ramesh Gowda", "Malur", "").farmer_id;
    valley.ravi.weighs(farmer, None, &[30_000]);
    assert_eq!(carried(&valley.ravi).parcels, 26);
    let report = valley.ravi.client.sync(&valley.ravi.network, &|progress| {
        if progress.requests == 1 {
            assert_eq!(progress.logged, 3, "own work is in the first request");
        }
    });
    let report = report.expect("a sync");
    assert_eq!((report.outcome, report.progress.parcels_taken), (SyncOutcome::Complete, 26));
    assert!(report.progress.requests >= 5, "{:?}", report.progress);
    assert_eq!(carried(&valley.ravi), Carried::default());
    valley.asha.syncs_wholly();
    assert!(valley.server_has_it());
}

#[test]
fn a_phone_carries_up_to_its_limit_and_not_beyond() {
    let valley = Valley::new(16);
    let mut random = StdRng::seed_from_u64(16);
    // A parcel of exactly the largest size: noise grows by a few bytes only.
    let overhead = parcel_of_noise(&valley.market, 150_000, &mut random).as_bytes().len() - 150_000;
    let largest = parcel_of_noise(&valley.market, MAX_PARCEL_BYTES - overhead, &mut random);
    assert_eq!(largest.as_bytes().len(), MAX_PARCEL_BYTES);
    let rest = MAX_CARRIED_BYTES % MAX_PARCEL_BYTES;
    let mut file = Vec::new();
    for _ in 0..MAX_CARRIED_BYTES / MAX_PARCEL_BYTES {
        file.extend_from_slice(parcel_of_noise(&valley.market, MAX_PARCEL_BYTES - overhead, &mut random).as_bytes());
    }
    valley.ravi.carries(&file);
    let small = |bytes: usize, random: &mut StdRng| {
        let guess = parcel_of_noise(&valley.market, bytes - 200, random).as_bytes().len();
        let noise = bytes - (guess - (bytes - 200));
        parcel_of_noise(&valley.market, noise, random)
    };
    let (above, at) = (small(rest + 1, &mut random), small(rest, &mut random));
    assert_eq!((above.as_bytes().len(), at.as_bytes().len()), (rest + 1, rest));
    let error = valley.ravi.client.carry_parcel(above.as_bytes()).expect_err("too much");
    assert_eq!(error.code(), ErrorCode::TooLarge);
    assert_eq!(carried(&valley.ravi).bytes, (MAX_CARRIED_BYTES - rest) as u64, "as before");
    valley.ravi.carries(at.as_bytes());
    assert_eq!(carried(&valley.ravi).bytes, MAX_CARRIED_BYTES as u64);
    valley.ravi.carries(at.as_bytes());
    let error = valley.ravi.client.carry_parcel(valley.asha.exports().as_slice()).expect_err("full");
    assert_eq!(error.code(), ErrorCode::TooLarge);
    // A file that is too large is not read to its end.
    let endless = std::io::Read::chain(file.as_slice(), std::io::Read::chain(file.as_slice(), std::io::repeat(0)));
    assert_eq!(valley.asha.client.carry_parcel(endless).expect_err("too much").code(), ErrorCode::TooLarge);
    // A full carrier uploads as usual.
    let report = valley.ravi.syncs().expect("a sync");
    assert_eq!((report.outcome, carried(&valley.ravi)), (SyncOutcome::Complete, Carried::default()));
    valley.ravi.carries(&valley.asha.exports());
    valley.ravi.syncs_wholly();
    valley.ends_well();
}

#[test]
fn a_request_holds_at_most_so_many_parcels() {
    let valley = Valley::new(17);
    let mut forger = Forger::with_phone_of(&valley.ravi, &valley.market);
    let mut random = StdRng::seed_from_u64(17);
    let mut parcels: Vec<Vec<u8>> =
        (0..MAX_PARCELS).map(|_| parcel_of_noise(&valley.market, 10, &mut random).as_bytes().to_vec()).collect();
    assert_eq!(sends(&mut forger, &parcels).len(), MAX_PARCELS);
    parcels.push(Vec::new());
    let parcels = parcels.into_iter().map(Into::into).collect();
    let body = message::pack(&SyncRequest { parcels, ..Forger::request(&[]) }).expect("it packs");
    assert_eq!(forger.sends(&forger.signed(body)).status, 413);
    assert_eq!(kept(&valley.market), 0, "noise is no bundle, and leaves no trace");
}

#[test]
fn a_camera_that_sees_too_much_keeps_what_it_carries() {
    let valley = Valley::new(18);
    let elsewhere = Valley::new(19);
    // A series for another organisation is refused once it is whole, and never reported as complete.
    let shown = elsewhere.asha.client.parcel_qr_frames().expect("frames");
    for _ in 0..2 {
        let (last, before) = shown.split_last().expect("frames");
        for frame in before {
            valley.ravi.client.add_qr_frame(frame).expect("a frame");
        }
        assert_eq!(valley.ravi.client.add_qr_frame(last).expect_err("foreign").code(), ErrorCode::NotAllowed);
    }
    assert_eq!(carried(&valley.ravi), Carried::default());
    // What does not fit into QR frames is refused before any is shown.
    assert_eq!(frames(&vec![0; MAX_QR_FRAMES * QR_FRAME_BYTES]), Err(HandoverError::TooLarge));
    let mut collector = QrCollector::default();
    let own = valley.asha.client.parcel_qr_frames().expect("frames");
    for frame in own.iter().rev() {
        collector.add_frame(frame).expect("a frame");
    }
    valley.ravi.carries(&collector.parcels().expect("whole").expect("all"));
    valley.ravi.syncs_wholly();
    valley.ends_well();
}
