//! Simulated disks: SQLite files in memory, with planned crashes, power cuts and full disks.
//!
//! Owns the content of every SQLite file under a mounted folder, and what a crash leaves of it. Files of other kinds (keys, locks) are real
//! ones.
//! Invariants: a machine that died fails every call until it is revived, and handles opened before stay dead; what was synced is never
//! lost; a file's content is a function of the calls and of the plan's seed.
//! Read next: `vfs.rs`, which SQLite calls.

mod vfs;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A fault of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// The process is killed before the operation.
    Killed,
    /// The process is killed within the operation: of a write, a first part is kept.
    KilledWithin,
    /// Power fails within the operation: of a write, a first part is kept; of what was not synced before, any part may be.
    PowerCut,
    /// The disk is full: files do not grow until [`Machine::relieve`] or [`Machine::revive`].
    Full,
}

impl DiskFault {
    /// All disk faults.
    pub const ALL: [Self; 4] = [Self::Killed, Self::KilledWithin, Self::PowerCut, Self::Full];
}

/// A planned fault.
#[derive(Clone, Copy, Debug)]
pub struct DiskPlan {
    /// Writes, syncs, truncations and removals that still succeed.
    pub after: u64,
    /// The fault that follows.
    pub fault: DiskFault,
    /// Determines what a power cut or a torn write leaves.
    pub seed: u64,
}

/// The files of a folder at some moment, by path within the folder; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Image(BTreeMap<String, Arc<Vec<u8>>>);

impl Image {
    /// Reads the files of a real folder without subfolders, as if they were in a subfolder `name`.
    pub fn of(folder: &Path, name: &str) -> Self {
        let files = std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file"));
        let named = |file: std::fs::DirEntry| {
            let content = std::fs::read(file.path()).expect("a file");
            (format!("{name}/{}", file.file_name().to_string_lossy()), Arc::new(content))
        };
        Self(files.map(named).collect())
    }

    /// Names of the files that contain these bytes.
    pub fn files_with(&self, bytes: &[u8]) -> Vec<&str> {
        let has = |content: &[u8]| content.windows(bytes.len()).any(|window| window == bytes);
        self.0.iter().filter(|(_, content)| has(content)).map(|(name, _)| name.as_str()).collect()
    }
}

/// The disk of one phone or server: the SQLite files under a folder.
pub struct Machine {
    folder: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, File>,
    /// Incremented at every revival; handles of earlier lives are dead.
    life: u64,
    is_dead: bool,
    is_full: bool,
    plan: Option<DiskPlan>,
    /// Number of writes, syncs, truncations and removals so far, in all lives.
    points: u64,
    handles: u64,
}

/// A write or truncation that was not synced yet, with the bytes and the length of the file before it.
struct Unsynced {
    offset: usize,
    old: Vec<u8>,
    old_length: usize,
    /// Length of the write; `None` for a truncation.
    written: Option<usize>,
}

#[derive(Default)]
struct File {
    content: Vec<u8>,
    unsynced: Vec<Unsynced>,
    locks: Locks,
    shared: Option<Arc<SharedMemory>>,
    shared_users: u32,
    shared_locks: [SharedLock; 8],
}

/// Holders of SQLite's locks on a file, by handle number.
#[derive(Default)]
struct Locks {
    readers: Vec<u64>,
    reserved: Option<u64>,
    pending: Option<u64>,
    exclusive: Option<u64>,
}

#[derive(Default)]
struct SharedLock {
    readers: Vec<u64>,
    writer: Option<u64>,
}

/// Index of a write-ahead log, shared by all connections to a file. Lost when the process dies.
#[derive(Default)]
struct SharedMemory(Mutex<Vec<Box<[AtomicU64]>>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Dead,
    Full,
    Missing,
    Busy,
}

/// A file opened by SQLite.
struct Handle {
    machine: Arc<Machine>,
    name: String,
    number: u64,
    life: u64,
    shared: Option<Arc<SharedMemory>>,
    removes_on_close: bool,
}

static MACHINES: RwLock<BTreeMap<String, Arc<Machine>>> = RwLock::new(BTreeMap::new());

fn machine_of(path: &str) -> Option<Arc<Machine>> {
    let machines = MACHINES.read().unwrap_or_else(PoisonError::into_inner);
    let mut folder = path;
    while let Some((parent, _)) = folder.rsplit_once('/') {
        if let Some(machine) = machines.get(parent) {
            return Some(Arc::clone(machine));
        }
        folder = parent;
    }
    None
}

impl Machine {
    /// Keeps all SQLite files under a folder in memory, at first none, until [`Machine::unmount`]; real files there are hidden.
    pub fn mount(folder: &Path) -> Arc<Self> {
        vfs::register();
        let folder = folder.to_str().expect("a path of text").to_owned();
        let machine = Arc::new(Self { folder: folder.clone(), state: Mutex::default() });
        MACHINES.write().unwrap_or_else(PoisonError::into_inner).insert(folder, Arc::clone(&machine));
        machine
    }

    /// Ends that: files opened later are real ones. Open files stay usable.
    pub fn unmount(&self) {
        MACHINES.write().unwrap_or_else(PoisonError::into_inner).remove(&self.folder);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plans the next fault, replacing any planned one.
    pub fn plan(&self, plan: DiskPlan) {
        self.state().plan = Some(plan);
    }

    /// Cancels the planned fault, and frees space. A dead machine stays dead.
    pub fn relieve(&self) {
        let mut state = self.state();
        state.plan = None;
        state.is_full = false;
    }

    /// Whether the machine died and was not revived since.
    pub fn is_dead(&self) -> bool {
        self.state().is_dead
    }

    /// Whether the disk is full.
    pub fn is_full(&self) -> bool {
        self.state().is_full
    }

    /// Number of writes, syncs, truncations and removals so far, in all lives.
    pub fn points(&self) -> u64 {
        self.state().points
    }

    /// Kills the process now. All that it wrote is kept, synced or not.
    pub fn kill(&self) {
        self.state().is_dead = true;
    }

    /// Cuts power now. Of what was not synced, the seed determines which parts are kept.
    pub fn cut_power(&self, seed: u64) {
        let mut state = self.state();
        state.is_dead = true;
        state.lose_unsynced(&mut StdRng::seed_from_u64(seed));
    }

    /// Starts the machine again on the files that survived, without a planned fault and with space. Handles opened before are dead.
    pub fn revive(&self) {
        let mut state = self.state();
        state.life += 1;
        state.is_dead = false;
        state.is_full = false;
        state.plan = None;
        for file in state.files.values_mut() {
            file.locks = Locks::default();
            file.shared = None;
            file.shared_users = 0;
            file.shared_locks = <[SharedLock; 8]>::default();
        }
    }

    /// Copies the files as they are now, with what was not synced.
    pub fn image(&self) -> Image {
        let state = self.state();
        let files = state.files.iter().map(|(name, file)| (name.clone(), Arc::new(file.content.clone())));
        Image(files.collect())
    }

    /// Replaces all files, as if synced. Handles opened before are dead; a dead machine stays dead.
    pub fn put(&self, image: &Image) {
        let mut state = self.state();
        state.files = image
            .0
            .iter()
            .map(|(name, content)| (name.clone(), File { content: content.to_vec(), ..File::default() }))
            .collect();
        state.life += 1;
    }

    /// Runs `check` while a file is empty and its log is lost; afterwards files and planned faults are as before. Handles opened before are
    /// dead.
    pub fn while_emptied(&self, path: &Path, check: impl FnOnce()) {
        let name = self.relative(path.to_str().expect("a path of text")).to_owned();
        let (files, plan, points) = {
            let mut state = self.state();
            let kept = state.files.iter().filter(|(other, _)| !other.starts_with(&name));
            let mut emptied: BTreeMap<String, File> = kept
                .map(|(other, file)| (other.clone(), File { content: file.content.clone(), ..File::default() }))
                .collect();
            emptied.insert(name, File::default());
            state.life += 1;
            (std::mem::replace(&mut state.files, emptied), state.plan.take(), state.points)
        };
        check();
        let mut state = self.state();
        state.life += 1;
        (state.files, state.plan, state.points) = (files, plan, points);
    }

    fn relative<'a>(&self, path: &'a str) -> &'a str {
        path.get(self.folder.len() + 1..).unwrap_or_default()
    }

    fn exists(&self, path: &str) -> bool {
        self.state().files.contains_key(self.relative(path))
    }

    fn open(self: &Arc<Self>, path: &str, may_create: bool, removes_on_close: bool) -> Result<Handle, Failure> {
        let mut state = self.state();
        if state.is_dead {
            return Err(Failure::Dead);
        }
        let name = self.relative(path).to_owned();
        if !state.files.contains_key(&name) {
            if !may_create {
                return Err(Failure::Missing);
            }
            state.files.insert(name.clone(), File::default());
        }
        state.handles += 1;
        let (number, life) = (state.handles, state.life);
        Ok(Handle { machine: Arc::clone(self), name, number, life, shared: None, removes_on_close })
    }

    fn remove(&self, path: &str) -> Result<(), Failure> {
        let mut state = self.state();
        let name = self.relative(path);
        if state.is_dead {
            return Err(Failure::Dead);
        }
        if !state.files.contains_key(name) {
            return Err(Failure::Missing);
        }
        state.point()?;
        state.files.remove(name);
        Ok(())
    }
}

impl State {
    /// Counts an operation, and fails it if a planned fault is due or the machine is dead.
    fn point(&mut self) -> Result<(), Failure> {
        self.torn_point().map_err(|(failure, _)| failure)
    }

    /// As [`State::point`]; with an error comes a seed if the caller must still write a part that the seed chooses.
    fn torn_point(&mut self) -> Result<(), (Failure, Option<u64>)> {
        if self.is_dead {
            return Err((Failure::Dead, None));
        }
        self.points += 1;
        let Some(plan) = &mut self.plan else { return Ok(()) };
        if plan.after > 0 {
            plan.after -= 1;
            return Ok(());
        }
        let (fault, seed) = (plan.fault, plan.seed);
        match fault {
            DiskFault::Full => {
                self.is_full = true;
                return Ok(());
            }
            DiskFault::Killed => {
                self.is_dead = true;
                return Err((Failure::Dead, None));
            }
            DiskFault::KilledWithin => self.is_dead = true,
            DiskFault::PowerCut => {
                self.is_dead = true;
                self.lose_unsynced(&mut StdRng::seed_from_u64(seed));
            }
        }
        Err((Failure::Dead, Some(seed)))
    }

    /// Drops, keeps or tears each unsynced piece, at random; all count as synced afterwards.
    fn lose_unsynced(&mut self, rng: &mut StdRng) {
        for file in self.files.values_mut() {
            let mut again = Vec::new();
            for piece in file.unsynced.drain(..).rev() {
                let new = piece.written.map(|length| file.content[piece.offset..piece.offset + length].to_vec());
                let end = piece.offset + piece.old.len();
                file.content.resize(file.content.len().max(end), 0);
                file.content[piece.offset..end].copy_from_slice(&piece.old);
                file.content.resize(piece.old_length, 0);
                again.push((piece.offset, new));
            }
            for (offset, new) in again.into_iter().rev() {
                match (rng.random_range(0..4_u32), new) {
                    (0 | 1, _) => {}
                    (2, Some(new)) => overwrite(&mut file.content, offset, &new),
                    (_, Some(new)) => {
                        let torn = rng.random_range(0..=new.len());
                        overwrite(&mut file.content, offset, &new[..torn]);
                    }
                    (_, None) => file.content.truncate(offset),
                }
            }
        }
    }
}

fn overwrite(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

impl Handle {
    /// Runs `f` on the machine's state; fails if the machine or this handle is dead.
    fn with<T>(&self, f: impl FnOnce(&mut State) -> Result<T, Failure>) -> Result<T, Failure> {
        let mut state = self.machine.state();
        if state.is_dead || state.life != self.life {
            return Err(Failure::Dead);
        }
        f(&mut state)
    }

    fn with_file<T>(&self, f: impl FnOnce(&mut File) -> Result<T, Failure>) -> Result<T, Failure> {
        self.with(|state| f(state.files.get_mut(&self.name).ok_or(Failure::Missing)?))
    }

    /// Fills `bytes` with what the file has there, and the rest with zeroes. Returns the number of bytes that it had.
    fn read(&self, bytes: &mut [u8], offset: usize) -> Result<usize, Failure> {
        self.with_file(|file| {
            let there = file.content.get(offset..).unwrap_or_default();
            let length = there.len().min(bytes.len());
            bytes[..length].copy_from_slice(&there[..length]);
            bytes[length..].fill(0);
            Ok(length)
        })
    }

    fn write(&self, bytes: &[u8], offset: usize) -> Result<(), Failure> {
        self.with(|state| {
            let (mut bytes, mut failure) = (bytes, None);
            match state.torn_point() {
                Ok(()) => {}
                Err((dead, Some(seed))) => {
                    bytes = &bytes[..StdRng::seed_from_u64(seed).random_range(0..=bytes.len())];
                    failure = Some(dead);
                }
                Err((dead, None)) => return Err(dead),
            }
            let is_full = state.is_full;
            let file = state.files.get_mut(&self.name).ok_or(Failure::Missing)?;
            if is_full && offset + bytes.len() > file.content.len() {
                return Err(Failure::Full);
            }
            let old = file.content.get(offset..(offset + bytes.len()).min(file.content.len())).unwrap_or_default();
            file.unsynced.push(Unsynced {
                offset,
                old: old.to_vec(),
                old_length: file.content.len(),
                written: Some(bytes.len()),
            });
            overwrite(&mut file.content, offset, bytes);
            failure.map_or(Ok(()), Err)
        })
    }

    fn truncate(&self, length: usize) -> Result<(), Failure> {
        self.with(|state| {
            state.point()?;
            let file = state.files.get_mut(&self.name).ok_or(Failure::Missing)?;
            if length < file.content.len() {
                let old = file.content[length..].to_vec();
                let old_length = file.content.len();
                file.unsynced.push(Unsynced { offset: length, old, old_length, written: None });
                file.content.truncate(length);
            }
            Ok(())
        })
    }

    fn sync(&self) -> Result<(), Failure> {
        self.with(|state| {
            state.point()?;
            state.files.get_mut(&self.name).ok_or(Failure::Missing)?.unsynced.clear();
            Ok(())
        })
    }

    fn length(&self) -> Result<usize, Failure> {
        self.with_file(|file| Ok(file.content.len()))
    }

    /// Takes SQLite's lock of level 1, 2 or 4; 3 counts as 4. A refused 4 stays pending, so that no reader comes anew.
    fn lock(&self, level: u8) -> Result<(), Failure> {
        let me = self.number;
        let is_other = |holder: Option<u64>| holder.is_some_and(|holder| holder != me);
        self.with_file(|file| {
            let locks = &mut file.locks;
            match level {
                0 | 1 => {
                    if is_other(locks.pending) || is_other(locks.exclusive) {
                        return Err(Failure::Busy);
                    }
                    if level == 1 && !locks.readers.contains(&me) {
                        locks.readers.push(me);
                    }
                }
                2 => {
                    if is_other(locks.reserved) || is_other(locks.exclusive) {
                        return Err(Failure::Busy);
                    }
                    locks.reserved = Some(me);
                }
                _ => {
                    if is_other(locks.pending) || is_other(locks.exclusive) {
                        return Err(Failure::Busy);
                    }
                    locks.pending = Some(me);
                    if locks.readers.iter().any(|reader| *reader != me) {
                        return Err(Failure::Busy);
                    }
                    locks.exclusive = Some(me);
                }
            }
            Ok(())
        })
    }

    /// Lowers the lock to this level, 0 or 1.
    fn unlock(&self, level: u8) -> Result<(), Failure> {
        let me = Some(self.number);
        self.with_file(|file| {
            for holder in [&mut file.locks.reserved, &mut file.locks.pending, &mut file.locks.exclusive] {
                if *holder == me {
                    *holder = None;
                }
            }
            if level == 0 {
                file.locks.readers.retain(|reader| Some(*reader) != me);
            }
            Ok(())
        })
    }

    fn is_reserved(&self) -> Result<bool, Failure> {
        self.with_file(|file| Ok(file.locks.reserved.is_some()))
    }

    fn shared_memory(&mut self) -> Result<Arc<SharedMemory>, Failure> {
        if let Some(shared) = &self.shared {
            return self.with(|_| Ok(Arc::clone(shared)));
        }
        let shared = self.with_file(|file| {
            file.shared_users += 1;
            Ok(Arc::clone(file.shared.get_or_insert_default()))
        })?;
        self.shared = Some(Arc::clone(&shared));
        Ok(shared)
    }

    fn lock_shared(&self, slots: std::ops::Range<usize>, is_exclusive: bool) -> Result<(), Failure> {
        let me = self.number;
        self.with_file(|file| {
            let locks = file.shared_locks.get_mut(slots).ok_or(Failure::Missing)?;
            let is_taken = |lock: &SharedLock| {
                lock.writer.is_some_and(|writer| writer != me)
                    || is_exclusive && lock.readers.iter().any(|reader| *reader != me)
            };
            if locks.iter().any(is_taken) {
                return Err(Failure::Busy);
            }
            for lock in locks {
                if is_exclusive {
                    lock.writer = Some(me);
                } else if !lock.readers.contains(&me) {
                    lock.readers.push(me);
                }
            }
            Ok(())
        })
    }

    fn unlock_shared(&self, slots: std::ops::Range<usize>) -> Result<(), Failure> {
        let me = self.number;
        self.with_file(|file| {
            for lock in file.shared_locks.get_mut(slots).ok_or(Failure::Missing)? {
                lock.readers.retain(|reader| *reader != me);
                lock.writer = lock.writer.filter(|writer| *writer != me);
            }
            Ok(())
        })
    }

    fn leave_shared_memory(&mut self) {
        if self.shared.take().is_none() {
            return;
        }
        let left = self.unlock_shared(0..8).and_then(|()| {
            self.with_file(|file| {
                file.shared_users = file.shared_users.saturating_sub(1);
                if file.shared_users == 0 {
                    file.shared = None;
                }
                Ok(())
            })
        });
        // Fails only if this handle is dead, and then there is nothing to leave.
        let _ = left;
    }

    fn close(mut self) {
        self.leave_shared_memory();
        let closed = self.unlock(0).and_then(|()| {
            if self.removes_on_close {
                self.with(|state| {
                    state.files.remove(&self.name);
                    Ok(())
                })?;
            }
            Ok(())
        });
        let _ = closed;
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    fn open(folder: &Path) -> rusqlite::Result<Connection> {
        let db = Connection::open(folder.join("it.db"))?;
        db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        db.execute_batch("PRAGMA synchronous = FULL; CREATE TABLE IF NOT EXISTS it (n INTEGER, filling BLOB);")?;
        Ok(db)
    }

    fn count(db: &Connection) -> i64 {
        db.query_row("SELECT count(*) FROM it", [], |row| row.get(0)).expect("a count")
    }

    #[test]
    fn what_was_committed_survives_every_crash_and_what_was_not_is_gone() {
        let folder = Path::new("/a folder that does not exist/crashes");
        let mut crashes = [0; 4];
        for fault in [DiskFault::Killed, DiskFault::KilledWithin, DiskFault::PowerCut] {
            for after in 0..60 {
                let machine = Machine::mount(folder);
                machine.plan(DiskPlan { after, fault, seed: after });
                let mut committed = 0;
                let mut live = || -> rusqlite::Result<()> {
                    let (db, reader) = (open(folder)?, open(folder)?);
                    for n in 0..6 {
                        db.execute("INSERT INTO it VALUES (?1, zeroblob(3000))", [n])?;
                        committed = n + 1;
                        assert_eq!(count(&reader), committed);
                        if n == 3 {
                            db.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
                        }
                    }
                    Ok(())
                };
                let lived = live().is_ok();
                assert_eq!(lived, !machine.is_dead() || committed == 6, "{fault:?} after {after}");
                crashes[fault as usize] += u32::from(!lived);
                machine.revive();
                let db = open(folder).expect("it opens again");
                assert!((committed..=committed + 1).contains(&count(&db)), "{fault:?} after {after}");
                let whole: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
                assert_eq!(whole, "ok");
                machine.unmount();
            }
        }
        assert!(crashes[..3].iter().all(|crashes| *crashes > 30), "{crashes:?}");
    }

    #[test]
    fn what_was_not_synced_is_lost_when_power_fails() {
        let folder = Path::new("/a folder that does not exist/power");
        let mut lost = 0;
        for seed in 0..20 {
            let machine = Machine::mount(folder);
            let db = open(folder).expect("it opens");
            db.execute_batch("PRAGMA synchronous = NORMAL; INSERT INTO it VALUES (1, zeroblob(10))").expect("inserted");
            machine.cut_power(seed);
            drop(db);
            machine.revive();
            lost += u32::from(count(&open(folder).expect("it opens again")) == 0);
            machine.unmount();
        }
        assert!(lost > 5, "{lost}");
    }

    #[test]
    fn a_full_disk_refuses_writes_until_there_is_room_again() {
        let folder = Path::new("/a folder that does not exist/full");
        let machine = Machine::mount(folder);
        let db = open(folder).expect("it opens");
        machine.plan(DiskPlan { after: 0, fault: DiskFault::Full, seed: 0 });
        let error = db.execute("INSERT INTO it VALUES (1, zeroblob(9000))", []).expect_err("no room");
        assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull));
        assert_eq!(count(&db), 0);
        machine.relieve();
        db.execute("INSERT INTO it VALUES (1, zeroblob(9000))", []).expect("room again");
        assert_eq!(count(&db), 1);
        machine.unmount();
    }

    #[test]
    fn an_image_is_a_copy() {
        let folder = Path::new("/a folder that does not exist/image");
        let machine = Machine::mount(folder);
        let db = open(folder).expect("it opens");
        db.execute("INSERT INTO it VALUES (1, NULL)", []).expect("inserted");
        let image = machine.image();
        db.execute("INSERT INTO it VALUES (2, NULL)", []).expect("inserted");
        drop(db);
        machine.put(&image);
        assert_eq!(count(&open(folder).expect("it opens again")), 1);
        machine.unmount();
    }
}
