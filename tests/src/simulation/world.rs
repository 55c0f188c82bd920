//! State of one schedule: server, phones, oracle and random number generator.
//!
//! Owns how a schedule starts and how a step runs.
//! Read next: `action.rs` for the steps, `monitor.rs` for checks after each step, `checks.rs` for the invariants at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use farmtally_core::client::{FarmerInput, FieldClient, SyncOutcome, SyncReport};
use farmtally_core::rules::Check;
use farmtally_core::units::{CentreCode, DeliveryId, DeviceCode, DeviceId, DocumentId, FarmerId, LoadId, UserId};
use farmtally_core::{Error, ErrorCode};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rusqlite::Connection;
use tempfile::TempDir;

use super::action::{self, ACTIONS};
use super::clock::{SERVER, START, SkewedClock, TrueTime};
use super::decisions::Decisions;
use super::faults::ServerCopy;
use super::oracle::{Certainty, Fact, FactKind, Replica, newest_change, reader};
use super::phone::Phone;
use super::server::{FaultyTransport, NetworkFault, ServerImage, ServerVersion, SimServer};
use super::setup::{PEOPLE, StartState};
use super::{MAX_STEPS, Schedule};
use crate::disk::{DiskFault, DiskPlan, Image, Machine};
use crate::market::folder;

/// Log of a schedule, one line an event, and its coverage counters.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Lines of the log.
    pub lines: Vec<String>,
    /// How often each action was taken and each fault happened.
    pub coverage: BTreeMap<String, u64>,
}

/// Shared trace, so that it outlives a panic.
pub type SharedTrace = Arc<Mutex<Trace>>;

/// How a call ended.
pub enum CallOutcome<T> {
    /// The call returned.
    Done(T),
    /// The call was refused and changed nothing.
    Refused(ErrorCode),
    /// The phone died within the call.
    Died,
}

/// State of one schedule while it runs.
pub struct World {
    /// Random number generator; seeded again at each step.
    pub rng: StdRng,
    /// The true time, which no clock shows exactly.
    pub time: TrueTime,
    /// The simulated sync server.
    pub server: SimServer,
    /// Phones, indexed by `who` everywhere.
    pub phones: Vec<Phone>,
    /// Oracle: facts that calls promised.
    pub facts: Vec<Fact>,
    /// Oracle: decisions that the office made.
    pub(super) decisions: Decisions,
    /// Loads of all phones, with their join codes.
    pub loads: Vec<(LoadId, String)>,
    /// Copies of the server's data, oldest first.
    pub(super) server_copies: Vec<ServerCopy>,
    /// Device by device code, as first seen.
    pub(super) codes: BTreeMap<DeviceCode, DeviceId>,
    /// Phones on which each code was seen; several after a clone.
    pub(super) phones_of_codes: BTreeMap<DeviceCode, BTreeSet<usize>>,
    /// Codes of phones that were set back to an older copy.
    pub(super) codes_set_back: BTreeSet<DeviceCode>,
    /// Whether the server was ever set back to older data.
    pub(super) was_set_back: bool,
    /// Users whom the office ever tried to suspend; one whose suspension was lifted stays.
    pub(super) suspended: BTreeSet<String>,
    /// Farmers that the office tried to erase; true if that is certain, false if the command failed or the server lost it.
    pub(super) erased: BTreeMap<FarmerId, bool>,
    /// Documents of which the office has rejected a change, or tried to.
    pub(super) rejected: BTreeSet<DocumentId>,
    /// Most that each user may ever have paid out on the phone of a code, by the leases of the office.
    pub(super) leased: BTreeMap<(DeviceCode, UserId), i64>,
    /// Kind and index of what the office published last.
    pub(super) last_published: Option<(u32, usize)>,
    /// The next of [`World::unique_numbers`].
    pub(super) next_number: i64,
    /// Largest number of disk operations that each action has caused so far: on its phone, on the server.
    reach: BTreeMap<usize, (u64, u64)>,
    /// Percentage of actions in which a disk fault is planned on the phone; the same on the server.
    disk_faults: u32,
    /// Percentage of requests that meet a network fault.
    wire_faults: u32,
    /// Connection to the server's database, and the version that it shows.
    pub(super) server_reader: Option<(ServerVersion, Connection)>,
    root: TempDir,
    trace: SharedTrace,
    step: usize,
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.machine.unmount();
        for phone in &self.phones {
            phone.machine.unmount();
        }
    }
}

impl World {
    /// A world without phones, facts and faults.
    pub(super) fn around(root: TempDir, time: TrueTime, server: SimServer, rng: StdRng, trace: SharedTrace) -> Self {
        Self {
            rng,
            time,
            server,
            phones: Vec::new(),
            facts: Vec::new(),
            decisions: Decisions::default(),
            loads: Vec::new(),
            server_copies: Vec::new(),
            codes: BTreeMap::new(),
            phones_of_codes: BTreeMap::new(),
            codes_set_back: BTreeSet::new(),
            was_set_back: false,
            suspended: BTreeSet::new(),
            erased: BTreeMap::new(),
            rejected: BTreeSet::new(),
            leased: BTreeMap::new(),
            last_published: None,
            next_number: 10_000,
            reach: BTreeMap::new(),
            disk_faults: 0,
            wire_faults: 0,
            server_reader: None,
            root,
            trace,
            step: 0,
        }
    }

    /// Builds the world of a schedule from a copy of the start state.
    pub fn open(schedule: &Schedule, trace: SharedTrace) -> Self {
        let start_state = StartState::of(schedule.postgres.as_deref());
        let mut rng = StdRng::seed_from_u64(schedule.seed);
        let root = folder();
        let time: TrueTime = Arc::new(AtomicI64::new(START));
        let server_folder = root.path().join("server");
        for (name, content) in &start_state.beside {
            let path = server_folder.join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, content).expect("a file");
        }
        let machine = Machine::mount(&server_folder);
        let database = match &start_state.server {
            ServerImage::Files(image) => {
                machine.put(image);
                None
            }
            ServerImage::Database(database) => Some(database.copy()),
        };
        let clock = SkewedClock::new(&time, rng.random_range(-20..=20), SERVER);
        let server = SimServer::open(server_folder, machine, clock, start_state.organisation, database, rng.random());
        let mut world = Self::around(root, time, server, rng, trace);
        world.facts.clone_from(&start_state.facts);
        world.loads.clone_from(&start_state.loads);
        world.next_number = start_state.next_number;
        world.disk_faults = [0, 5, 25][world.rng.random_range(0..3)];
        world.wire_faults = [0, 15, 50][world.rng.random_range(0..3)];
        let mut people: Vec<usize> = (0..PEOPLE.len()).collect();
        for _ in 0..world.rng.random_range(2..=3) {
            let person = people.remove(world.rng.random_range(0..people.len()));
            let who = world.adds_phone(PEOPLE[person].0, PEOPLE[person].1, &start_state.phones[person]);
            world.phones[who].starts().expect("a phone");
        }
        world.notes_decisions();
        world
    }

    /// Adds a phone with these files, whose app is not running yet. Returns its number. The role is also the user's name.
    pub fn adds_phone(&mut self, role: &str, centre: &str, image: &Image) -> usize {
        let number = self.phones.len();
        let folder = self.root.path().join(format!("phone-{number}"));
        let machine = Machine::mount(&folder);
        machine.put(image);
        let clock =
            SkewedClock::new(&self.time, self.rng.random_range(-500..=500), u8::try_from(number).expect("a few"));
        let name = format!("phone {number} ({role} at {centre})");
        let centre = centre.parse().expect("a code");
        self.phones.push(Phone::new(name, role.to_owned(), centre, folder, machine, clock, self.rng.random()));
        number
    }

    /// Appends a line to the trace.
    pub fn log(&self, who: Option<usize>, what: &str) {
        let name = who.map_or("", |who| self.phones[who].name.as_str());
        let line = format!("{:3} {name} {what}", self.step);
        self.trace.lock().unwrap_or_else(PoisonError::into_inner).lines.push(line);
    }

    /// Increments a coverage counter.
    pub fn counts(&self, what: &str) {
        self.counts_times(what, 1);
    }

    /// Adds `times` to a coverage counter.
    pub fn counts_times(&self, what: &str, times: u64) {
        let mut trace = self.trace.lock().unwrap_or_else(PoisonError::into_inner);
        *trace.coverage.entry(what.to_owned()).or_default() += times;
    }

    /// Picks one of several at random; `None`, without a draw, if there are none.
    pub fn picks<T: Clone>(&mut self, among: &[T]) -> Option<T> {
        (!among.is_empty()).then(|| among[self.rng.random_range(0..among.len())].clone())
    }

    /// Returns true with probability 1 in `n`.
    pub fn once_in(&mut self, n: u32) -> bool {
        self.rng.random_ratio(1, n)
    }

    /// Returns the next numbers of a count, each unique within the schedule: weights in grams, and other values that a check searches for.
    /// Not random.
    pub fn unique_numbers(&mut self, count: usize) -> Vec<i64> {
        let first = self.next_number;
        self.next_number += i64::try_from(count).expect("a few");
        (first..self.next_number).collect()
    }

    /// Runs the steps of a schedule, except those in `without`.
    pub fn run_steps(&mut self, without: &BTreeSet<usize>) {
        let steps = self.rng.random_range(8..=MAX_STEPS);
        let seeds: Vec<u64> = (0..=steps).map(|_| self.rng.random()).collect();
        for step in (1..=steps).filter(|step| !without.contains(step)) {
            self.step = step;
            self.rng = StdRng::seed_from_u64(seeds[step]);
            let seconds = match self.rng.random_range(0..20_u32) {
                0 => 50 * 3_600,
                1 => self.rng.random_range(0..8 * 3_600),
                _ => self.rng.random_range(0..120),
            };
            self.time.fetch_add(seconds * 1_000, Ordering::Relaxed);
            let unwiped = self.unwiped();
            let Some(who) = self.picks(&unwiped) else { break };
            let action = action::pick(&mut self.rng);
            self.plans_faults(who, action);
            self.counts(&format!("action: {}", ACTIONS[action].name));
            let points = |world: &Self| (world.phones[who].machine.points(), world.server.machine.points());
            let before = points(self);
            (ACTIONS[action].act)(self, who);
            let after = points(self);
            let reach = self.reach.entry(action).or_default();
            *reach = (reach.0.max(after.0 - before.0), reach.1.max(after.1 - before.1));
            self.accident(who);
            self.aftermath();
            self.notes_decisions();
        }
        self.step = steps + 1;
        self.rng = StdRng::seed_from_u64(seeds[0]);
    }

    fn disk_plan(&mut self, reach: u64) -> DiskPlan {
        let reach = if self.once_in(4) { [16, 64, 200][self.rng.random_range(0..3)] } else { reach + 1 };
        DiskPlan {
            after: self.rng.random_range(0..reach),
            fault: DiskFault::ALL[self.rng.random_range(0..DiskFault::ALL.len())],
            seed: self.rng.random(),
        }
    }

    /// Draws whether to plan a disk fault. Plans none.
    pub fn draws_disk_fault(&mut self) -> bool {
        self.rng.random_range(0..100) < self.disk_faults
    }

    /// Sometimes plans disk faults on the phone and the server, within the number of operations that the action has been seen to cause.
    fn plans_faults(&mut self, who: usize, action: usize) {
        let (phone, server) = self.reach.get(&action).copied().unwrap_or((16, 0));
        if phone > 0 && self.draws_disk_fault() {
            self.plans_disk_fault(who, phone);
        }
        if server > 0 && self.draws_disk_fault() {
            let plan = self.disk_plan(server);
            self.server.machine.plan(plan);
        }
    }

    /// Plans a disk fault on a phone, mostly within its next `reach` operations.
    pub fn plans_disk_fault(&mut self, who: usize, reach: u64) {
        let plan = self.disk_plan(reach);
        self.phones[who].machine.plan(plan);
    }

    /// Rarely kills the server or the phone, or cuts its power, between two steps.
    fn accident(&mut self, who: usize) {
        if self.rng.random_range(0..400) >= self.disk_faults {
            return;
        }
        let machine = if self.once_in(2) { &self.server.machine } else { &self.phones[who].machine };
        let machine = Arc::clone(machine);
        if self.once_in(2) {
            machine.cut_power(self.rng.random());
        } else {
            machine.kill();
        }
    }

    /// Restarts the phones and the server that died, and checks these phones. Cancels planned faults, and frees space on all machines.
    pub fn aftermath(&mut self) {
        for who in 0..self.phones.len() {
            if self.phones[who].machine.is_dead() {
                self.counts("fault: phone died");
                self.restart_after_crash(who);
            } else if self.phones[who].machine.is_full() {
                self.counts("fault: phone full");
            }
            self.phones[who].machine.relieve();
        }
        if self.server.machine.is_dead() {
            self.server.restart_after_crash();
            self.log(None, "the server died and started again");
        } else if self.server.machine.is_full() {
            self.counts("fault: server full");
        }
        self.server.machine.relieve();
    }

    /// Restarts a phone that died, sometimes with another crash during the start, and checks that it has all that it promised.
    pub fn restart_after_crash(&mut self, who: usize) {
        self.phones[who].ends();
        self.phones[who].machine.revive();
        if self.once_in(4) {
            let plan = self.disk_plan(24);
            if plan.fault != DiskFault::Full {
                self.phones[who].machine.plan(plan);
            }
        }
        let started = self.phones[who].starts();
        if self.phones[who].machine.is_dead() {
            self.counts("fault: phone died while it started");
            self.phones[who].ends();
            self.phones[who].machine.revive();
            self.phones[who].starts().expect("a phone that starts");
        } else {
            started.expect("a phone that starts");
        }
        self.phones[who].machine.relieve();
        self.log(Some(who), "died and started again");
        if !self.phones[who].is_wiped() {
            self.notes_wipe(who);
        }
        if !self.phones[who].is_wiped() {
            self.resolves(who);
            self.checks_promises(who);
        }
    }

    /// Starts a phone on files that were put there, and checks it.
    pub fn start_restored(&mut self, who: usize) {
        self.phones[who].starts().expect("a phone that starts");
        self.checks_promises(who);
    }

    /// Numbers of the phones that were not wiped; one may be dead until the end of the step.
    pub fn unwiped(&self) -> Vec<usize> {
        (0..self.phones.len()).filter(|who| !self.phones[*who].is_wiped()).collect()
    }

    /// Whether the phone knows of a grant for its user; without one it may only upload.
    pub fn is_granted(&self, who: usize) -> bool {
        self.phones[who].client().session().is_some_and(|session| session.grant_id.is_some())
    }

    /// Logs and classifies the result of a call: done, refused for a permitted reason, or died. Panics on anything else.
    #[track_caller]
    pub fn observe<T>(&mut self, who: usize, what: &str, result: Result<T, Error>) -> CallOutcome<T> {
        let machine = &self.phones[who].machine;
        let reason = result.as_ref().err().map(ToString::to_string).unwrap_or_default();
        let said = match result {
            Ok(done) => CallOutcome::Done(done),
            Err(_) if machine.is_dead() => CallOutcome::Died,
            Err(error) => match error.code() {
                code @ (ErrorCode::NotFound
                | ErrorCode::Locked
                | ErrorCode::NotAllowed
                | ErrorCode::OutOfScope
                | ErrorCode::AllowanceExceeded
                | ErrorCode::InvalidInput) => CallOutcome::Refused(code),
                code @ ErrorCode::StorageFull if machine.is_full() => CallOutcome::Refused(code),
                _ => panic!("{} could not do this: {what}: {error:?}", self.phones[who].name),
            },
        };
        match &said {
            CallOutcome::Done(_) => self.log(Some(who), what),
            CallOutcome::Refused(code) => self.log(Some(who), &format!("{what}: refused, {code}: {reason}")),
            CallOutcome::Died => self.log(Some(who), &format!("{what}: died")),
        }
        said
    }

    /// Makes a call that promises a fact, and records the fact in the oracle if it was made or may have been. `None` if refused or died.
    pub fn expect_durable<T>(
        &mut self,
        who: usize,
        what: FactKind,
        call: impl FnOnce(&FieldClient) -> Result<T, Error>,
    ) -> Option<T> {
        let text = what.to_string();
        let result = call(self.phones[who].client());
        let mut fact = self.fact(who, what);
        match self.observe(who, &text, result) {
            CallOutcome::Done(done) => {
                if self.phones[who].machine.is_dead() {
                    // The call returned before the phone died: checked when it starts again.
                    self.facts.push(fact);
                    return None;
                }
                let here = Replica::new(self.phones[who].looks()).contains(&mut fact);
                assert!(here, "what was just done is not there: {text}");
                fact.change = self.new_change(&fact);
                // Joining a load a second time changes nothing.
                if fact.change.is_some() {
                    self.facts.push(fact);
                }
                Some(done)
            }
            CallOutcome::Refused(_) => None,
            CallOutcome::Died => {
                fact.certainty = Certainty::Unsure;
                self.facts.push(fact);
                None
            }
        }
    }

    fn fact(&self, who: usize, what: FactKind) -> Fact {
        Fact {
            what,
            phone: who,
            centre: self.phones[who].centre.clone(),
            change: None,
            certainty: Certainty::Sure,
            is_logged: false,
            is_forgotten: false,
            is_unrecoverable: false,
        }
    }

    /// Draws the network faults of one sync: those of its first six requests. Sometimes the network is slow for all of them.
    pub fn wire_plan(&mut self) -> Vec<(NetworkFault, u64)> {
        if self.rng.random_range(0..1_000) < self.wire_faults {
            return vec![(NetworkFault::Slow, self.rng.random()); 6];
        }
        let mut plan = Vec::new();
        for _ in 0..6 {
            let fault = if self.rng.random_range(0..100) < self.wire_faults {
                NetworkFault::ALL[self.rng.random_range(0..NetworkFault::ALL.len())]
            } else {
                NetworkFault::None
            };
            plan.push((fault, self.rng.random()));
        }
        plan
    }

    /// Syncs a phone over a network with these faults. `None` if the sync failed, as faults permit, or the phone died.
    pub fn syncs(&mut self, who: usize, plan: Vec<(NetworkFault, u64)>) -> Option<SyncReport> {
        self.syncs_meanwhile(who, plan, None)
    }

    /// As [`World::syncs`], while the user registers a farmer during the request that follows `meanwhile.0` others, or a later one.
    pub fn syncs_meanwhile(
        &mut self,
        who: usize,
        plan: Vec<(NetworkFault, u64)>,
        meanwhile: Option<(usize, FarmerInput)>,
    ) -> Option<SyncReport> {
        let registered = Mutex::new(None);
        let (deaths, wire) =
            (self.server.deaths(), FaultyTransport::new(&self.server, &self.phones[who].machine, plan));
        if let Some((after, input)) = meanwhile {
            let (client, database) = (self.phones[who].client(), self.phones[who].database());
            let registered = &registered;
            let act = move || {
                if let Ok(view) = client.register_farmer(&input, &[Check::FarmerLooksAlike]) {
                    let change = newest_change(&reader(&database), view.farmer_id.into());
                    let what = FactKind::Registered { farmer: view.farmer_id, phone: input.details.phone };
                    *registered.lock().unwrap_or_else(PoisonError::into_inner) = Some((what, change));
                }
            };
            wire.does_meanwhile(after, Box::new(act));
        }
        let result = self.phones[who].client().sync(&wire, &|_| ());
        let happened = std::mem::take(&mut *wire.happened.lock().unwrap_or_else(PoisonError::into_inner));
        drop(wire);
        if let Some((what, change)) = registered.into_inner().unwrap_or_else(PoisonError::into_inner) {
            self.log(Some(who), &format!("{what}, while it syncs"));
            self.counts("met: somebody who registered while a sync ran");
            self.facts.push(Fact { change, ..self.fact(who, what) });
        }
        for fault in happened.iter().filter(|fault| **fault != NetworkFault::None) {
            self.counts(&format!("fault: {fault:?}"));
        }
        for _ in deaths..self.server.deaths() {
            self.counts("fault: server died");
        }
        let server_troubled = self.server.deaths() > deaths || self.server.machine.is_full();
        let is_garbled = happened.iter().any(|fault| fault.garbles()) || server_troubled;
        let mut text = format!("syncs over {happened:?}");
        if self.server.deaths() > deaths {
            text.push_str(", the server dies");
        }
        let report = match result {
            Err(error) if is_garbled && !self.phones[who].machine.is_dead() => {
                self.log(Some(who), &format!("{text}: {error}"));
                None
            }
            result => match self.observe(who, &text, result) {
                CallOutcome::Done(report) => {
                    let progress = &report.progress;
                    let (logged, held, received) = (progress.logged, progress.held, progress.received);
                    let outcome = report.outcome;
                    let text = format!("  {outcome:?}: {logged} logged, {held} held, {received} received");
                    self.log(Some(who), &text);
                    Some(report)
                }
                CallOutcome::Refused(ErrorCode::StorageFull) | CallOutcome::Died => None,
                CallOutcome::Refused(code) => panic!("a sync was refused: {code}"),
            },
        };
        if !self.phones[who].machine.is_dead() {
            // An old answer matches if the request is identical to the old one; it describes the server at that time.
            let is_old = happened.contains(&NetworkFault::StaleResponse);
            let is_complete = !is_old && report.as_ref().is_some_and(|report| report.outcome == SyncOutcome::Complete);
            self.notes_wipe(who);
            if !self.phones[who].is_wiped() {
                self.checks_status(who, is_complete);
                self.notes_code(who);
                self.takes_drafts_up(who);
            }
        }
        report
    }

    /// Deliveries that were recorded on any phone, voided ones included.
    pub fn recorded_deliveries(&self) -> Vec<DeliveryId> {
        let recorded = self.facts.iter().filter_map(|fact| match fact.what {
            FactKind::Recorded { delivery, .. } => Some(delivery),
            _ => None,
        });
        recorded.collect()
    }

    /// A phone's centre.
    pub fn centre(&self, who: usize) -> CentreCode {
        self.phones[who].centre.clone()
    }

    /// The folder of the schedule.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The path of a phone's database.
    pub fn database(&self, who: usize) -> PathBuf {
        self.phones[who].database()
    }
}
