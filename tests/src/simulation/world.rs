//! The world of one schedule: a server, phones, people's books, and the chance that a seed gives.
//!
//! Owns how a schedule begins and how a step runs. What people do is in `action.rs`, what is looked at meanwhile in `monitor.rs`, what must hold
//! in the end in `checks.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use farmtally_core::client::{FarmerInput, FieldClient, SyncOutcome, SyncReport};
use farmtally_core::rules::Check;
use farmtally_core::units::{CentreCode, DeliveryId, DeviceCode, DeviceId, DocumentId, FarmerId, LoadId};
use farmtally_core::{Error, ErrorCode};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rusqlite::Connection;
use tempfile::TempDir;

use super::action::{self, ACTIONS};
use super::clock::{START, SkewedClock, TrueTime};
use super::decisions::Decisions;
use super::faults::ServerCopy;
use super::oracle::{Certainty, Fact, FactKind, Replica, newest_change, reader};
use super::phone::Phone;
use super::server::{FaultyTransport, NetworkFault, ServerImage, ServerVersion, SimServer};
use super::setup::{PEOPLE, StartState};
use super::{MAX_STEPS, Schedule};
use crate::disk::{DiskFault, DiskPlan, Image, Machine};
use crate::market::folder;

/// What everybody did, one line a step, and how often what happened.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// The lines.
    pub lines: Vec<String>,
    /// How often each action was taken and each fault happened.
    pub coverage: BTreeMap<String, u64>,
}

/// A trace that outlives a panic.
pub type SharedTrace = Arc<Mutex<Trace>>;

/// How a call ended.
pub enum CallOutcome<T> {
    /// It returned.
    Done(T),
    /// It refused, and so changed nothing.
    Refused(ErrorCode),
    /// The phone died within it.
    Died,
}

/// One schedule.
pub struct World {
    /// Decides everything.
    pub rng: StdRng,
    /// The true time.
    pub time: TrueTime,
    /// The server.
    pub server: SimServer,
    /// The phones.
    pub phones: Vec<Phone>,
    /// The books.
    pub facts: Vec<Fact>,
    /// The decisions in the books.
    pub(super) decisions: Decisions,
    /// Join codes of loads, with their centre.
    pub loads: Vec<(LoadId, String)>,
    /// Copies of the server's data, the oldest first.
    pub(super) server_copies: Vec<ServerCopy>,
    /// Which device was seen to have which code.
    pub(super) codes: BTreeMap<DeviceCode, DeviceId>,
    /// On which phones a code was seen: several after a clone.
    pub(super) phones_of_codes: BTreeMap<DeviceCode, BTreeSet<usize>>,
    /// The codes of phones that went back in time.
    pub(super) codes_set_back: BTreeSet<DeviceCode>,
    /// Whether the server ever went back.
    pub(super) was_set_back: bool,
    /// Users whom the office has suspended.
    pub(super) suspended: BTreeSet<String>,
    /// Farmers whom the office has forgotten, or may have, with whether it has for sure.
    pub(super) erased: BTreeMap<FarmerId, bool>,
    /// Documents of which the office has sent something back.
    pub(super) rejected: BTreeSet<DocumentId>,
    /// What the office published last: which kind, and which of it.
    pub(super) last_published: Option<(u32, usize)>,
    /// The weight of the next bag.
    pub(super) next_grams: i64,
    /// How often an action wrote to its phone's disk and to the server's, at most, so far.
    reach: BTreeMap<usize, (u64, u64)>,
    /// How many actions in a hundred meet a failing disk.
    disk_faults: u32,
    /// How many requests in a hundred meet a failing network.
    wire_faults: u32,
    /// A look into the server's database, and of which of its versions.
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
    /// A world without phones, books and faults.
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
            last_published: None,
            next_grams: 10_000,
            reach: BTreeMap::new(),
            disk_faults: 0,
            wire_faults: 0,
            server_reader: None,
            root,
            trace,
            step: 0,
        }
    }

    /// The world of a schedule, in the start state.
    pub fn open(schedule: &Schedule, trace: SharedTrace) -> Self {
        let start_state = StartState::of(schedule.postgres.as_deref());
        let mut rng = StdRng::seed_from_u64(schedule.seed);
        let root = folder();
        let time: TrueTime = Arc::new(AtomicI64::new(START));
        let house_folder = root.path().join("server");
        for (name, content) in &start_state.beside {
            let path = house_folder.join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, content).expect("a file");
        }
        let machine = Machine::mount(&house_folder);
        let database = match &start_state.server {
            ServerImage::Files(image) => {
                machine.put(image);
                None
            }
            ServerImage::Database(database) => Some(database.copy()),
        };
        let clock = SkewedClock::new(&time, rng.random_range(-20..=20));
        let server = SimServer::open(house_folder, machine, clock, start_state.organisation, database, rng.random());
        let mut world = Self::around(root, time, server, rng, trace);
        world.facts.clone_from(&start_state.facts);
        world.loads.clone_from(&start_state.loads);
        world.next_grams = start_state.next_grams;
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

    /// A phone with these files, whose app is not running yet; returns its number.
    pub fn adds_phone(&mut self, role: &str, centre: &str, image: &Image) -> usize {
        let number = self.phones.len();
        let folder = self.root.path().join(format!("phone-{number}"));
        let machine = Machine::mount(&folder);
        machine.put(image);
        let clock = SkewedClock::new(&self.time, self.rng.random_range(-500..=500));
        let name = format!("phone {number} ({role} at {centre})");
        let centre = centre.parse().expect("a code");
        self.phones.push(Phone::new(name, role.to_owned(), centre, folder, machine, clock, self.rng.random()));
        number
    }

    /// Writes a line of the trace.
    pub fn log(&self, who: Option<usize>, what: &str) {
        let name = who.map_or("", |who| self.phones[who].name.as_str());
        let line = format!("{:3} {name} {what}", self.step);
        self.trace.lock().unwrap_or_else(PoisonError::into_inner).lines.push(line);
    }

    /// Counts something.
    pub fn counts(&self, what: &str) {
        self.counts_times(what, 1);
    }

    /// Counts something that happened several times.
    pub fn counts_times(&self, what: &str, times: u64) {
        let mut trace = self.trace.lock().unwrap_or_else(PoisonError::into_inner);
        *trace.coverage.entry(what.to_owned()).or_default() += times;
    }

    /// One of several, if there is any.
    pub fn picks<T: Clone>(&mut self, among: &[T]) -> Option<T> {
        (!among.is_empty()).then(|| among[self.rng.random_range(0..among.len())].clone())
    }

    /// Whether something happens that does so once in `n` times.
    pub fn once_in(&mut self, n: u32) -> bool {
        self.rng.random_ratio(1, n)
    }

    /// Weights of bags, none of them like any other.
    pub fn weights(&mut self, count: usize) -> Vec<i64> {
        let first = self.next_grams;
        self.next_grams += i64::try_from(count).expect("a few");
        (first..self.next_grams).collect()
    }

    /// Lives a schedule up to the rest at its end, without these steps.
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
            let living = self.living();
            let Some(who) = self.picks(&living) else { break };
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

    /// Whether a disk is to fail.
    pub fn disk_fails(&mut self) -> bool {
        self.rng.random_range(0..100) < self.disk_faults
    }

    /// Plans faults within what an action has been seen to write.
    fn plans_faults(&mut self, who: usize, action: usize) {
        let (phone, server) = self.reach.get(&action).copied().unwrap_or((16, 0));
        if phone > 0 && self.disk_fails() {
            self.plans_disk_fault(who, phone);
        }
        if server > 0 && self.disk_fails() {
            let plan = self.disk_plan(server);
            self.server.machine.plan(plan);
        }
    }

    /// The disk of a phone will fail soon.
    pub fn plans_disk_fault(&mut self, who: usize, reach: u64) {
        let plan = self.disk_plan(reach);
        self.phones[who].machine.plan(plan);
    }

    /// At times something dies between two actions.
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

    /// Whatever died starts again, and is looked at.
    pub fn aftermath(&mut self) {
        for who in 0..self.phones.len() {
            if self.phones[who].machine.is_dead() {
                self.counts("fault: phone died");
                self.starts_again(who);
            } else if self.phones[who].machine.is_full() {
                self.counts("fault: phone full");
            }
            self.phones[who].machine.relieve();
        }
        if self.server.machine.is_dead() {
            self.server.comes_back();
            self.log(None, "the server died and started again");
        } else if self.server.machine.is_full() {
            self.counts("fault: server full");
        }
        self.server.machine.relieve();
    }

    /// A phone that died starts again, at times only at the second attempt; what it promised must be there.
    pub fn starts_again(&mut self, who: usize) {
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
            self.read_state(who);
        }
    }

    /// A phone starts on files that were put there.
    pub fn starts_back(&mut self, who: usize) {
        self.phones[who].starts().expect("a phone that starts");
        self.read_state(who);
    }

    /// Phones that were not wiped.
    pub fn living(&self) -> Vec<usize> {
        (0..self.phones.len()).filter(|who| !self.phones[*who].is_wiped()).collect()
    }

    /// Whether the phone may do more than hand in.
    pub fn is_granted(&self, who: usize) -> bool {
        self.phones[who].client().session().is_some_and(|session| session.grant_id.is_some())
    }

    /// Judges the end of a call: done, refused for a reason that it may have, or died. Anything else is a defect.
    #[track_caller]
    pub fn observe<T>(&mut self, who: usize, what: &str, result: Result<T, Error>) -> CallOutcome<T> {
        let machine = &self.phones[who].machine;
        let reason = result.as_ref().err().map(ToString::to_string).unwrap_or_default();
        let said = match result {
            Ok(done) => CallOutcome::Done(done),
            Err(_) if machine.is_dead() => CallOutcome::Died,
            Err(error) => match error.code() {
                code @ ErrorCode::Unauthorized if !self.is_granted(who) => CallOutcome::Refused(code),
                code @ (ErrorCode::NotFound
                | ErrorCode::Locked
                | ErrorCode::NotAllowed
                | ErrorCode::OutOfScope
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

    /// Makes a call that promises a fact, and writes the fact down as far as it is one.
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
                    // It kept its word before it died; that is looked at when it starts again.
                    self.facts.push(fact);
                    return None;
                }
                let here = Replica::new(self.phones[who].looks()).holds(&mut fact);
                assert!(here, "what was just done is not there: {text}");
                fact.change = self.new_change(&fact);
                // Somebody who joins again changes nothing.
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

    /// What a phone has just promised.
    fn fact(&self, who: usize, what: FactKind) -> Fact {
        Fact {
            what,
            phone: who,
            centre: self.phones[who].centre.clone(),
            change: None,
            certainty: Certainty::Sure,
            is_logged: false,
            is_forgotten: false,
            is_gone: false,
        }
    }

    /// A plan of wire faults for one sync.
    pub fn wire_plan(&mut self) -> Vec<(NetworkFault, u64)> {
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

    /// A phone syncs over a wire with these faults.
    pub fn syncs(&mut self, who: usize, plan: Vec<(NetworkFault, u64)>) -> Option<SyncReport> {
        self.syncs_meanwhile(who, plan, None)
    }

    /// The same, while its user registers a farmer: when so many requests are answered, the next one is under way.
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
            // An old answer fits a request that is like the old one to the byte; it says what held then.
            let is_old = happened.contains(&NetworkFault::AnswerOfBefore);
            let is_complete = !is_old && report.is_some_and(|report| report.outcome == SyncOutcome::Complete);
            self.notes_wipe(who);
            if !self.phones[who].is_wiped() {
                self.checks_status(who, is_complete);
                self.notes_code(who);
                self.takes_drafts_up(who);
            }
        }
        report
    }

    /// Deliveries that people talk about, with those that only some phones have.
    pub fn known_deliveries(&self) -> Vec<DeliveryId> {
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
