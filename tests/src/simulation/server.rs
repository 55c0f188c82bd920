//! The simulated server, and the faulty network that leads to it.
//!
//! Owns the server's restarts and the faults of requests. A server that dies while it answers has not answered.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use farmtally_core::ErrorCode;
use farmtally_core::environment::Environment;
use farmtally_core::sync::{Transport, TransportError, WireRequest, WireResponse};
use farmtally_core::units::OrganisationId;
use farmtally_sync_server::{Error, Server};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rusqlite::Connection;

use super::clock::SkewedClock;
use super::oracle::reader;
use super::postgres::Database;
use crate::disk::{DiskFault, DiskPlan, Image, Machine};

/// A fault of one request. To add one: a variant, an entry in `ALL`, a line in `send`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NetworkFault {
    /// The request and its response arrive unchanged.
    None,
    /// The request is lost.
    RequestLost,
    /// The request arrives, the response is lost.
    ResponseLost,
    /// The request arrives twice; the second response is returned.
    Duplicated,
    /// The phone times out; the request arrives before some later request of any phone, in any order.
    Stalled,
    /// The request is truncated.
    RequestCut,
    /// One bit of the request flips.
    RequestBent,
    /// The response is truncated.
    ResponseCut,
    /// One bit of the response flips.
    ResponseBent,
    /// The request arrives; the response to the request before it, of any phone, is returned.
    StaleResponse,
    /// A captive portal answers; the request does not arrive.
    Portal,
    /// A load balancer answers that no server is available; the request does not arrive.
    Unavailable,
    /// The network is slow: time passes, and what takes longer than `PATIENCE_MS` is lost.
    Slow,
}

/// Time after which a slow network loses a request or a response, in milliseconds.
const PATIENCE_MS: u64 = 20_000;

impl NetworkFault {
    /// All faults, without `None`.
    pub const ALL: [Self; 12] = [
        Self::RequestLost,
        Self::ResponseLost,
        Self::Duplicated,
        Self::Stalled,
        Self::RequestCut,
        Self::RequestBent,
        Self::ResponseCut,
        Self::ResponseBent,
        Self::StaleResponse,
        Self::Portal,
        Self::Unavailable,
        Self::Slow,
    ];

    /// Whether a sync may fail with any error: request or response are modified, or the response is an old one.
    pub fn garbles(self) -> bool {
        !matches!(
            self,
            Self::None
                | Self::RequestLost
                | Self::ResponseLost
                | Self::Duplicated
                | Self::Stalled
                | Self::Portal
                | Self::Unavailable
                | Self::Slow
        )
    }
}

/// A copy of the server's data, without keys and journal.
#[derive(Clone)]
pub enum ServerImage {
    /// Files of a disk.
    Files(Image),
    /// A database on PostgreSQL.
    Database(Arc<Database>),
}

/// Opens a server on a PostgreSQL database, or on the files in its folder.
pub(super) fn open_server(
    folder: &Path,
    database: Option<&Database>,
    environment: Environment,
) -> Result<Server, Error> {
    match database {
        None => Server::open(folder, environment),
        Some(database) => Server::with_storage(database.storage(), folder, environment),
    }
}

/// The simulated server, restarted after each crash.
pub struct SimServer {
    /// Its folder: `data` is on the simulated disk, `keys` and `journal` are not.
    pub folder: PathBuf,
    /// Its disk.
    pub machine: Arc<Machine>,
    /// Its clock.
    pub clock: Arc<SkewedClock>,
    /// Its only organisation.
    pub organisation: OrganisationId,
    server: Mutex<Option<Arc<Server>>>,
    /// PostgreSQL database of its data, if any.
    database: Mutex<Option<Database>>,
    stalled: Mutex<Vec<WireRequest>>,
    before: Mutex<Option<WireResponse>>,
    rng: Mutex<StdRng>,
    deaths: Mutex<u64>,
    lives: Mutex<u64>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SimServer {
    /// Starts a server on this database, or on the files in its folder.
    pub fn open(
        folder: PathBuf,
        machine: Arc<Machine>,
        clock: Arc<SkewedClock>,
        organisation: OrganisationId,
        database: Option<Database>,
        seed: u64,
    ) -> Self {
        let server = Self {
            folder,
            machine,
            clock,
            organisation,
            server: Mutex::default(),
            database: Mutex::new(database),
            stalled: Mutex::default(),
            before: Mutex::default(),
            rng: Mutex::new(StdRng::seed_from_u64(seed)),
            deaths: Mutex::default(),
            lives: Mutex::default(),
        };
        server.starts();
        server
    }

    /// How often the server started, failed attempts included.
    pub fn start_count(&self) -> u64 {
        *lock(&self.lives)
    }

    fn starts(&self) {
        *lock(&self.lives) += 1;
        let seed = lock(&self.rng).random();
        let environment = self.clock.environment(seed);
        let server = open_server(&self.folder, lock(&self.database).as_ref(), environment);
        *lock(&self.server) = server.ok().filter(|_| !self.machine.is_dead()).map(Arc::new);
    }

    /// The running server.
    pub fn handle(&self) -> Arc<Server> {
        Arc::clone(lock(&self.server).as_ref().expect("a server that runs"))
    }

    /// The path of the organisation's database, if it is a file.
    pub fn database(&self) -> Option<PathBuf> {
        (!self.is_on_postgres()).then(|| self.file())
    }

    fn file(&self) -> PathBuf {
        self.folder.join("data").join(format!("{}.db", self.organisation))
    }

    /// Whether the server's data is on PostgreSQL.
    pub fn is_on_postgres(&self) -> bool {
        lock(&self.database).is_some()
    }

    /// Returns a connection to the server's database, or to a copy of one on PostgreSQL: `kept` if still current, otherwise a new one.
    pub(super) fn reads(&self, kept: Option<(ServerVersion, Connection)>) -> (ServerVersion, Connection) {
        let database = lock(&self.database);
        let version = (self.start_count(), database.as_ref().map(Database::version));
        if let Some((_, db)) = kept.filter(|(kept, _)| *kept == version) {
            return (version, db);
        }
        let db = database.as_ref().map_or_else(|| reader(&self.file()), Database::mirror);
        (version, db)
    }

    /// Copies the server's data as they are; on PostgreSQL, restarts the server for that.
    pub fn copies(&self) -> ServerImage {
        if !self.is_on_postgres() {
            return ServerImage::Files(self.machine.image());
        }
        // PostgreSQL copies a database only while no client is connected to it.
        drop(lock(&self.server).take());
        let copy = lock(&self.database).as_ref().expect("a database").copy();
        self.starts();
        ServerImage::Database(Arc::new(copy))
    }

    /// How often the server died.
    pub fn deaths(&self) -> u64 {
        *lock(&self.deaths)
    }

    /// Stops the server in an orderly way and starts it again.
    pub fn restarts(&self) {
        drop(lock(&self.server).take());
        self.starts();
        if lock(&self.server).is_none() {
            self.restart_after_crash();
        }
    }

    /// Stops the server, and requires that it does not start while one of its databases is empty. Returns `false` if it died while it
    /// stopped.
    pub fn refuses_emptied_databases(&self) -> bool {
        drop(lock(&self.server).take());
        if self.machine.is_dead() {
            return false;
        }
        for path in [self.folder.join("data").join("control.db"), self.file()] {
            self.machine.while_emptied(&path, || {
                let error = open_server(&self.folder, None, self.clock.environment(1)).err().expect("refused");
                assert_eq!(error.code(), ErrorCode::StorageCorrupt, "{error}");
            });
        }
        true
    }

    /// The files of the journal, by full path, sorted.
    pub fn journal(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let files = std::fs::read_dir(self.folder.join("journal")).expect("a folder");
        let paths = files.map(|file| file.expect("a file").path());
        let mut files: Vec<_> = paths.map(|path| (path.clone(), std::fs::read(path).expect("a file"))).collect();
        files.sort();
        files
    }

    /// Stops the server and starts it again on older data, and on an older journal if one is given.
    pub fn goes_back(&self, image: &ServerImage, journal: Option<&[(PathBuf, Vec<u8>)]>) {
        drop(lock(&self.server).take());
        self.machine.revive();
        match image {
            ServerImage::Files(image) => self.machine.put(image),
            ServerImage::Database(image) => *lock(&self.database) = Some(image.copy()),
        }
        if let Some(journal) = journal {
            for (path, _) in self.journal() {
                std::fs::remove_file(path).expect("removed");
            }
            for (path, content) in journal {
                std::fs::write(path, content).expect("written");
            }
        }
        self.starts();
        if lock(&self.server).is_none() {
            self.restart_after_crash();
        }
    }

    /// Counts a death and restarts the server, sometimes with another crash during the start.
    pub fn restart_after_crash(&self) {
        drop(lock(&self.server).take());
        *lock(&self.deaths) += 1;
        self.machine.revive();
        if lock(&self.rng).random_ratio(1, 4) {
            let (after, seed) = {
                let mut rng = lock(&self.rng);
                (rng.random_range(0..24), rng.random())
            };
            self.machine.plan(DiskPlan { after, fault: DiskFault::KilledWithin, seed });
        }
        self.starts();
        if self.machine.is_dead() {
            self.machine.revive();
            self.starts();
        }
        self.machine.relieve();
        assert!(lock(&self.server).is_some(), "the server starts again after it died");
    }

    /// Answers a request; `None` if the server died meanwhile, and was restarted.
    pub fn respond(&self, request: &WireRequest) -> Option<WireResponse> {
        let server = self.handle();
        let response = server.respond(request);
        drop(server);
        if self.machine.is_dead() {
            self.restart_after_crash();
            return None;
        }
        Some(response)
    }

    /// Delivers some of the stalled requests, or all of them, in any order.
    pub fn delivers_stalled(&self, is_all: bool) {
        loop {
            let late = {
                let (mut stalled, mut rng) = (lock(&self.stalled), lock(&self.rng));
                if stalled.is_empty() || (!is_all && rng.random_ratio(1, 3)) {
                    return;
                }
                let which = rng.random_range(0..stalled.len());
                stalled.swap_remove(which)
            };
            self.respond(&late);
        }
    }
}

/// Number of the server's start, and on PostgreSQL the version of its database.
pub(super) type ServerVersion = (u64, Option<String>);

/// A phone's connection to the server, with planned faults.
pub struct FaultyTransport<'a> {
    /// The server it leads to.
    pub server: &'a SimServer,
    /// The phone's disk; a dead phone sends nothing.
    pub phone: &'a Machine,
    /// Faults of the next requests, each with a number that chooses the byte or bit; requests after those have none.
    pub plan: Mutex<VecDeque<(NetworkFault, u64)>>,
    /// Faults that happened, one for each request, `None` included.
    pub happened: Mutex<Vec<NetworkFault>>,
    /// Something to do on the phone during the request that follows so many others, or a later one if that is lost.
    pub meanwhile: Mutex<Option<(usize, Meanwhile<'a>)>>,
}

/// Something that happens while a request is under way.
pub type Meanwhile<'a> = Box<dyn FnOnce() + Send + 'a>;

impl<'a> FaultyTransport<'a> {
    /// A connection with these faults.
    pub fn new(server: &'a SimServer, phone: &'a Machine, plan: Vec<(NetworkFault, u64)>) -> Self {
        Self { server, phone, plan: Mutex::new(plan.into()), happened: Mutex::default(), meanwhile: Mutex::default() }
    }
}

impl<'a> FaultyTransport<'a> {
    /// Does `act` once, during the request that follows `after` others, or a later one if that is lost.
    pub fn does_meanwhile(&self, after: usize, act: Meanwhile<'a>) {
        *lock(&self.meanwhile) = Some((after, act));
    }
}

fn place(at: u64, length: usize) -> usize {
    usize::try_from(at % (length.max(1) as u64)).unwrap_or(0)
}

/// Lets the time pass that so many bytes take over a network of 50 to 2,000 bytes a second; returns whether they arrive.
fn moves(server: &SimServer, at: u64, bytes: usize) -> bool {
    let took_ms = bytes as u64 * 1_000 / (50 + at % 1_950);
    server.clock.pass(took_ms.min(PATIENCE_MS));
    took_ms <= PATIENCE_MS
}

fn bend(bytes: &mut [u8], at: u64) {
    let byte = place(at / 8, bytes.len());
    if let Some(byte) = bytes.get_mut(byte) {
        *byte ^= 1 << (at % 8);
    }
}

impl Transport for FaultyTransport<'_> {
    fn send(&self, request: &WireRequest, _: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        let lost = |reason: &str| TransportError::interrupted(reason.to_owned());
        if self.phone.is_dead() {
            return Err(lost("a dead phone sends nothing"));
        }
        let (fault, at) = lock(&self.plan).pop_front().unwrap_or((NetworkFault::None, 0));
        lock(&self.happened).push(fault);
        let mut request = request.clone();
        match fault {
            NetworkFault::RequestLost => return Err(lost("lost")),
            NetworkFault::Stalled => {
                lock(&self.server.stalled).push(request);
                return Err(lost("stalled"));
            }
            NetworkFault::Portal => return Ok(WireResponse::new(200, b"<html>Pay here</html>".to_vec())),
            NetworkFault::Unavailable => return Ok(WireResponse::new(503, Vec::new())),
            NetworkFault::Slow if !moves(self.server, at, request.body.len()) => return Err(lost("too slow")),
            NetworkFault::RequestCut => request.body.truncate(place(at, request.body.len())),
            NetworkFault::RequestBent => bend(&mut request.body, at),
            _ => {}
        }
        let is_due = |planned: &mut (usize, Meanwhile<'_>)| planned.0 < lock(&self.happened).len();
        let due = lock(&self.meanwhile).take_if(is_due);
        if let Some((_, act)) = due {
            act();
        }
        self.server.delivers_stalled(false);
        let died = || lost("the server died");
        let mut response = self.server.respond(&request).ok_or_else(died)?;
        if fault == NetworkFault::Duplicated {
            response = self.server.respond(&request).ok_or_else(died)?;
        }
        let before = lock(&self.server.before).replace(response.clone());
        match fault {
            NetworkFault::ResponseLost => return Err(lost("the answer is lost")),
            NetworkFault::Slow if !moves(self.server, at, response.body.len()) => return Err(lost("too slow")),
            NetworkFault::ResponseCut => response.body.truncate(place(at, response.body.len())),
            NetworkFault::ResponseBent => bend(&mut response.body, at),
            NetworkFault::StaleResponse => response = before.ok_or_else(|| lost("no answer"))?,
            _ => {}
        }
        Ok(response)
    }
}
