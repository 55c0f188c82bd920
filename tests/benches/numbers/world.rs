//! Data of the benchmarks: a server, phones, and working days as in `docs/performance.md`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use farmtally_core::client::{
    Access, DeliveryView, DraftEdit, FarmerInput, FieldClient, OpenLoad, StartDraft, SyncOutcome, SyncReport,
};
use farmtally_core::environment::{Clock, Environment};
use farmtally_core::records::BagSource;
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::rules::Check;
use farmtally_core::scope::Scope;
use farmtally_core::sync::{Transport, TransportError, WireRequest, WireResponse};
use farmtally_core::units::{BagType, DeliveryId, FarmerId, Grams, LoadId, Location, OrganisationId, Timestamp};
use farmtally_sync_server::storage::Storage;
use farmtally_sync_server::{ReferenceFile, Server};
use farmtally_tests::{SeededEntropy, moisture};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;

const REFERENCE: &str = r#"{
    "centres": [{"code": "KOLAR", "name": "Kolar"}],
    "commodities": [{"code": "TOMATO", "name": "Tomato"}],
    "seasons": [{"code": "2026", "commodity": "TOMATO", "from": "2024-01-01", "to": "2029-12-31"}],
    "lorries": [{"plate": "KA07A1111", "payload_g": 9000000}],
    "rule_sets": [{
        "number": 1, "commodity": "TOMATO", "valid_from": "2016-01-01",
        "bag_types": [{"number": 0, "name": "crate", "tare_g": 1500}, {"number": 1, "name": "sack", "tare_g": 400}]
    }]
}"#;

const CENTRE: &str = "KOLAR";
const COMMODITY: &str = "TOMATO";
const SEASON: &str = "2026";
const DAY_MS: i64 = 86_400_000;
/// 06:30 Indian time on Monday, 3 August 2026, in milliseconds.
const FIRST_MORNING_MS: i64 = 1_785_718_800_000;
/// Deliveries that one person weighs in a day.
pub(crate) const PER_DAY: usize = 60;
/// Bags of a delivery.
pub(crate) const BAGS: usize = 20;
const PER_LOAD: usize = 40;
pub(crate) const FARMERS: i64 = 1_000;
/// Loads that another person opened.
const LOADS: usize = 200;

/// A clock that moves only when told to, by the millisecond.
struct MovedClock(AtomicI64);

impl MovedClock {
    fn pass_ms(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }

    fn boot_ms(&self) -> u64 {
        u64::try_from(self.now().0).expect("a time after 1970")
    }

    fn boot_id(&self) -> [u8; 16] {
        [1; 16]
    }
}

/// One request with its response.
pub(crate) struct Exchanged {
    pub(crate) request: WireRequest,
    pub(crate) response: WireResponse,
    /// Time that the server took.
    pub(crate) took: Duration,
}

impl Exchanged {
    /// Bytes of both bodies and of the authorization header.
    pub(crate) fn bytes(&self) -> usize {
        self.request.body.len() + self.request.authorization.as_ref().map_or(0, String::len) + self.response.body.len()
    }
}

/// A transport to the server in this process, which keeps requests and responses.
struct Wire {
    server: Arc<Server>,
    exchanged: Mutex<Vec<Exchanged>>,
}

impl Transport for Wire {
    fn send(&self, request: &WireRequest, _: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        let begun = Instant::now();
        let response = self.server.respond(request);
        let took = begun.elapsed();
        let exchanged = Exchanged { request: request.clone(), response: response.clone(), took };
        self.exchanged.lock().unwrap_or_else(PoisonError::into_inner).push(exchanged);
        Ok(response)
    }
}

/// A server, its organisation, and records for all phones.
pub(crate) struct World {
    clock: Arc<MovedClock>,
    server: Arc<Server>,
    pub(crate) organisation: OrganisationId,
    farmers: Arc<[FarmerId]>,
    loads: Arc<[LoadId]>,
    folder: TempDir,
    memory: TempDir,
    phones: u64,
}

/// A transport that passes only the enrolment, and fails for all else, such as the first sync.
struct Enrolling<'a>(&'a dyn Transport);

impl Transport for Enrolling<'_> {
    fn send(&self, request: &WireRequest, must_stop: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        if request.path == "/v1/enrol" {
            self.0.send(request, must_stop)
        } else {
            Err(TransportError::interrupted("enough for now".to_owned()))
        }
    }
}

/// Enrols a phone without its first sync.
pub(crate) fn enrol(client: &FieldClient, transport: &dyn Transport, url: &str, code: &str) {
    client.enrol(&Enrolling(transport), url, code, "test phone").expect("enrolled");
}

/// The scope of all deliveries.
pub(crate) fn season_scope() -> Scope {
    format!("c/{CENTRE}/{SEASON}").parse().expect("a scope")
}

impl World {
    /// Opens a server with its files at `place`, which is also where [`World::path`] leads.
    pub(crate) fn open(place: Place) -> Self {
        Self::with(place, Server::open)
    }

    /// Opens a server with its data on this storage, and its other files in memory.
    pub(crate) fn on(storage: Box<dyn Storage>) -> Self {
        Self::with(Place::Memory, |folder, environment| Server::with_storage(storage, folder, environment))
    }

    fn with(
        place: Place,
        open: impl FnOnce(&Path, Environment) -> Result<Server, farmtally_sync_server::Error>,
    ) -> Self {
        let disk = || TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let memory = || TempDir::new_in("/dev/shm").or_else(|_none| TempDir::new()).expect("a folder");
        let folder = match place {
            Place::Disk => disk(),
            Place::Memory => memory(),
        };
        let memory = memory();
        let clock = Arc::new(MovedClock(AtomicI64::new(FIRST_MORNING_MS - 730 * DAY_MS)));
        let server = open(&folder.path().join("server"), environment(&clock, 0)).expect("a server");
        let file = ReferenceFile::parse(REFERENCE).expect("reference data");
        let organisation = server
            .create_organisation("Kolar growers", &"IN".parse().expect("a country"), 330, None, &file)
            .expect("an organisation");
        let (farmers, loads) = (Arc::default(), Arc::default());
        let mut world =
            Self { clock, server: Arc::new(server), organisation, farmers, loads, folder, memory, phones: 0 };
        let mut registrar = world.phone("registrar", Loads::Opened, Place::Memory);
        // Spread over the two years before, so that ids are as far apart as in practice.
        world.farmers = (0..FARMERS).map(|number| registrar.registers(number)).collect();
        world.clock.0.store(FIRST_MORNING_MS, Ordering::Relaxed);
        world.loads = (0..LOADS).map(|_| registrar.opens_load()).collect();
        registrar.syncs();
        world
    }

    /// A new phone that is enrolled and has synced.
    pub(crate) fn phone(&mut self, name: &str, loads: Loads, place: Place) -> Phone {
        let phone = self.new_phone(name, loads, place);
        phone.syncs();
        phone
    }

    /// A new phone that is enrolled and has not synced.
    pub(crate) fn new_phone(&mut self, name: &str, loads: Loads, place: Place) -> Phone {
        self.phones += 1;
        let folder = match place {
            Place::Disk => self.path(name),
            Place::Memory => self.memory(name),
        };
        let code = new_code(&self.server, self.organisation, name);
        let environment = environment(&self.clock, self.phones);
        let phone = Phone {
            client: Some(FieldClient::open(&folder, environment.clone()).expect("a phone")),
            environment,
            wire: Wire { server: Arc::clone(&self.server), exchanged: Mutex::default() },
            folder,
            clock: Arc::clone(&self.clock),
            farmers: Arc::clone(&self.farmers),
            others_loads: Arc::clone(&self.loads),
            rng: StdRng::seed_from_u64(1_000 + self.phones),
            recorded: Vec::new(),
            loads,
            load: None,
        };
        enrol(phone.client(), &phone.wire, "http://server.test", &code);
        phone
    }

    pub(crate) fn server_folder(&self) -> PathBuf {
        self.folder.path().join("server")
    }

    pub(crate) fn server_database(&self) -> PathBuf {
        self.server_folder().join("data").join(format!("{}.db", self.organisation))
    }

    /// A path in memory, for the folder of a phone.
    pub(crate) fn memory(&self, name: &str) -> PathBuf {
        self.memory.path().join(name)
    }

    /// A path beside the server's files, in memory if those are, for a file or a folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Creates an enrolment code for a user of this name.
pub(crate) fn new_code(server: &Server, organisation: OrganisationId, name: &str) -> String {
    let (role, centres) = ("field_manager".parse().expect("a role"), [CENTRE.parse().expect("a code")]);
    server.create_code(organisation, name, role, &centres).expect("a code")
}

fn environment(clock: &Arc<MovedClock>, seed: u64) -> Environment {
    Environment { clock: Arc::clone(clock) as Arc<dyn Clock>, entropy: SeededEntropy::new(seed) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The project's own disk, where commits are measured; for a phone, wherever the server's files are.
    Disk,
    /// Memory, if the system has such a folder: for thousands of commits that are not measured.
    Memory,
}

/// Loads that a phone's deliveries name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loads {
    /// Opened by this phone.
    Opened,
    /// Opened by another phone, so that all changes of this one are deliveries.
    Others,
}

/// A phone whose user weighs.
pub(crate) struct Phone {
    /// `None` only while it is opened again.
    client: Option<FieldClient>,
    pub(crate) recorded: Vec<DeliveryId>,
    wire: Wire,
    folder: PathBuf,
    environment: Environment,
    clock: Arc<MovedClock>,
    farmers: Arc<[FarmerId]>,
    others_loads: Arc<[LoadId]>,
    rng: StdRng,
    loads: Loads,
    load: Option<LoadId>,
}

impl Phone {
    pub(crate) fn client(&self) -> &FieldClient {
        self.client.as_ref().expect("a client")
    }

    /// Forgets how long there was no contact with the server, if that limits what the phone may do.
    fn keeps_its_access(&mut self) {
        if self.client().access() == Access::Full {
            return;
        }
        self.client = None;
        let db = rusqlite::Connection::open(self.database()).expect("it opens");
        db.execute("UPDATE counters SET idle_ms = 0", []).expect("written");
        drop(db);
        self.client = Some(FieldClient::open(&self.folder, self.environment.clone()).expect("a phone"));
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join("field.db")
    }

    /// Ends the app; [`Phone::opens`] starts it again.
    pub(crate) fn closes(&mut self) {
        self.client = None;
    }

    pub(crate) fn opens(&mut self) {
        self.client = Some(FieldClient::open(&self.folder, self.environment.clone()).expect("a phone"));
    }

    /// Copies the phone's database to another folder, and opens it there.
    pub(crate) fn moves_to(self, folder: PathBuf) -> Self {
        let Self {
            client,
            recorded,
            wire,
            folder: before,
            environment,
            clock,
            farmers,
            others_loads,
            rng,
            loads,
            load,
        } = self;
        // The last connection to close checkpoints the log into the file.
        drop(client);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::copy(before.join("field.db"), folder.join("field.db")).expect("a copy");
        let client = Some(FieldClient::open(&folder, environment.clone()).expect("a phone"));
        Self { client, recorded, wire, folder, environment, clock, farmers, others_loads, rng, loads, load }
    }

    fn registers(&mut self, number: i64) -> FarmerId {
        self.clock.pass_ms(self.rng.random_range(0..2 * 728 * DAY_MS / FARMERS));
        self.keeps_its_access();
        let details = ContactDetails {
            name: format!("Farmer {number:04}"),
            village: format!("Village {}", number % 60),
            phone: format!("98{:08}", self.rng.random_range(0..100_000_000)),
            ..ContactDetails::default()
        };
        let input = FarmerInput { centre: CENTRE.parse().expect("a code"), details, tags: Vec::new() };
        let farmer = self.client().register_farmer(&input, &Check::ALL).expect("registered");
        if number % 50 == 0 {
            self.syncs();
        }
        farmer.farmer_id
    }

    fn opens_load(&mut self) -> LoadId {
        self.keeps_its_access();
        let input = OpenLoad {
            centre: CENTRE.parse().expect("a code"),
            commodity: COMMODITY.parse().expect("a code"),
            lorry: "KA07A1111".parse().expect("a plate"),
            driver: None,
            destination: None,
            is_planned: false,
        };
        self.client().open_load(&input).expect("a load").load_id
    }

    /// Starts the next delivery, of a random farmer, and moves the clock: to a new day after `PER_DAY`, otherwise by some seconds.
    pub(crate) fn starts(&mut self) -> DeliveryView {
        if self.recorded.len().is_multiple_of(PER_DAY) {
            let days = (self.clock.now().0 - FIRST_MORNING_MS) / DAY_MS + 1;
            let morning_ms = FIRST_MORNING_MS + days * DAY_MS + self.rng.random_range(0..600_000);
            self.clock.0.store(morning_ms, Ordering::Relaxed);
        } else {
            self.clock.pass_ms(self.rng.random_range(10_000..60_000));
        }
        self.keeps_its_access();
        if self.recorded.len().is_multiple_of(PER_LOAD) {
            self.load = Some(match self.loads {
                Loads::Others => self.others_loads[self.rng.random_range(0..self.others_loads.len())],
                Loads::Opened => self.opens_load(),
            });
        }
        let farmer = self.farmers[self.rng.random_range(0..self.farmers.len())];
        let input = StartDraft {
            centre: CENTRE.parse().expect("a code"),
            commodity: COMMODITY.parse().expect("a code"),
            farmer_id: Some(farmer),
            load_id: self.load,
            replaces: None,
        };
        self.client().start_draft(input).expect("a draft")
    }

    /// The next bag: 40.0 to 70.0 kg in 0.1 kg, 8 to 40 s after the one before, 5 % of another type, 5 % typed.
    pub(crate) fn next_bag(&mut self) -> DraftEdit {
        self.clock.pass_ms(self.rng.random_range(8..=40) * 1000);
        DraftEdit::AddBag {
            gross: Grams(self.rng.random_range(400..=700) * 100).try_into().expect("a bag"),
            bag_type: BagType::try_from(u8::from(self.rng.random_ratio(1, 20))).expect("a bag type"),
            source: Some(if self.rng.random_ratio(1, 20) { BagSource::Manual } else { BagSource::Scale }),
            grade: None,
            scale: None,
        }
    }

    /// A moisture reading around 18 %, and the location with 4.4 m of noise.
    pub(crate) fn last_steps(&mut self) -> [DraftEdit; 2] {
        self.clock.pass_ms(self.rng.random_range(2_000..8_000));
        let hundredths = 1_800 + self.noise(200.0);
        let location = Location {
            latitude_e7: 131_360_000 + self.noise(395.0),
            longitude_e7: 781_290_000 + self.noise(405.0),
            accuracy_cm: self.rng.random_range(300..2_300),
            age_ms: self.rng.random_range(0..8_000),
            provider: None,
            is_mock: false,
        };
        [DraftEdit::AddReading(moisture(i64::from(hundredths))), DraftEdit::SetLocation(location)]
    }

    /// A roughly normal random number with this standard deviation.
    fn noise(&mut self, deviation: f64) -> i32 {
        let sum: f64 = (0..12).map(|_| self.rng.random_range(0.0..1.0)).sum();
        #[expect(clippy::cast_possible_truncation, reason = "at most six deviations of a few hundred")]
        let noise = ((sum - 6.0) * deviation).round() as i32;
        noise
    }

    /// Weighs and records deliveries that are not measured.
    pub(crate) fn weighs(&mut self, deliveries: usize) {
        for _ in 0..deliveries {
            let mut draft = self.starts();
            for _ in 0..BAGS {
                let bag = self.next_bag();
                draft = self.client().edit_draft(draft.basis, &[bag]).expect("a bag");
            }
            let steps = self.last_steps();
            draft = self.client().edit_draft(draft.basis, &steps).expect("the last steps");
            self.client().record_delivery(draft.basis, &Check::ALL).expect("recorded");
            self.recorded.push(draft.delivery_id);
        }
    }

    /// Syncs; panics if the sync is not complete. Returns its report, and its requests and responses.
    pub(crate) fn syncs(&self) -> (SyncReport, Vec<Exchanged>) {
        drop(self.exchanged());
        let report = self.client().sync(&self.wire, &|_| ()).expect("a sync");
        assert_eq!(report.outcome, SyncOutcome::Complete, "{report:?}");
        (report, self.exchanged())
    }

    /// Seals what is recorded into a bundle, without reaching the server.
    pub(crate) fn seals(&self) {
        drop(self.client().sync(&Enrolling(&self.wire), &|_| ()));
    }

    /// Advances the clock of all phones and the server.
    pub(crate) fn rests(&self, ms: i64) {
        self.clock.pass_ms(ms);
    }

    fn exchanged(&self) -> Vec<Exchanged> {
        std::mem::take(&mut *self.wire.exchanged.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Waits until a checkpoint that some call began on another thread is over, as it is on a phone before the next bag.
pub(crate) fn settle() {
    let threads = || std::fs::read_dir(Path::new("/proc/self/task")).map_or(1, Iterator::count);
    while threads() > 1 {
        std::thread::sleep(Duration::from_micros(200));
    }
}
