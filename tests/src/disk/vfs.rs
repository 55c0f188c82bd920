//! A SQLite virtual file system on simulated disks, registered as the default one.
//!
//! Owns the translation of SQLite's calls, nothing else. Files outside of mounted folders go to the system's own file system.
//!
//! Safety, for the whole file: SQLite promises (sqlite3.h, `sqlite3_vfs` and `sqlite3_io_methods`) that names are NUL-terminated or null,
//! that buffers have the length it names, that `xOpen` gets `szOsFile` bytes for the file, that a file's methods are called only between
//! `xOpen` and `xClose`, and by one thread at a time. Each `unsafe` block relies on that alone.
#![allow(unsafe_code, reason = "SQLite's file interface is one of C; nothing outside of this file needs any")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::size_of;
use std::sync::atomic::AtomicU64;
use std::sync::{Once, PoisonError};

use rusqlite::ffi;

use super::{Failure, Handle, machine_of};

/// An open file of ours, as SQLite holds it.
#[repr(C)]
struct OpenFile {
    base: ffi::sqlite3_file,
    handle: *mut Handle,
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

static REGISTERED: Once = Once::new();

/// Makes this the default file system of the process, once.
pub(super) fn register() {
    REGISTERED.call_once(|| {
        // SAFETY: the system's file system is never unregistered, and ours is never freed.
        unsafe {
            // Memory statistics take a lock at each allocation. If SQLite is already initialised, this call has no effect.
            ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 0);
            ffi::sqlite3_initialize();
            let system = ffi::sqlite3_vfs_find(std::ptr::null());
            let ours = Box::new(ffi::sqlite3_vfs {
                szOsFile: (*system).szOsFile.max(c_int::try_from(size_of::<OpenFile>()).expect("a small number")),
                pNext: std::ptr::null_mut(),
                zName: c"farmtally".as_ptr(),
                xOpen: Some(open),
                xDelete: Some(delete),
                xAccess: Some(access),
                xFullPathname: Some(full_pathname),
                xSleep: Some(sleep),
                ..*system
            });
            let code = ffi::sqlite3_vfs_register(Box::into_raw(ours), 1);
            assert_eq!(code, ffi::SQLITE_OK, "the file system is registered");
        }
    });
}

fn system() -> *mut ffi::sqlite3_vfs {
    // SAFETY: it is registered under this name on every Unix.
    unsafe { ffi::sqlite3_vfs_find(c"unix".as_ptr()) }
}

fn text<'a>(name: *const c_char) -> Option<&'a str> {
    if name.is_null() {
        return None;
    }
    // SAFETY: not null, so NUL-terminated; it lives as long as the call.
    unsafe { CStr::from_ptr(name) }.to_str().ok()
}

fn handle<'a>(file: *mut ffi::sqlite3_file) -> &'a mut Handle {
    // SAFETY: `open` put a boxed handle there, which only `close` removes, last.
    unsafe { &mut *(*file.cast::<OpenFile>()).handle }
}

fn code(result: Result<(), Failure>, when_dead: c_int) -> c_int {
    match result {
        Ok(()) => ffi::SQLITE_OK,
        Err(Failure::Full) => ffi::SQLITE_FULL,
        Err(Failure::Busy) => ffi::SQLITE_BUSY,
        Err(Failure::Dead | Failure::Missing) => when_dead,
    }
}

unsafe extern "C" fn open(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let Some((path, machine)) = text(name).and_then(|path| Some((path, machine_of(path)?))) else {
        let system = system();
        // SAFETY: the arguments are SQLite's own, and there is room for the system's file.
        return unsafe { (*system).xOpen.expect("it opens files")(system, name, file, flags, out_flags) };
    };
    let is_set = |flag: c_int| flags & flag != 0;
    // SAFETY: `file` has room for an `OpenFile`, `out_flags` is null or valid.
    unsafe {
        (*file).pMethods = std::ptr::null();
        match machine.open(path, is_set(ffi::SQLITE_OPEN_CREATE), is_set(ffi::SQLITE_OPEN_DELETEONCLOSE)) {
            Ok(opened) => {
                (*file.cast::<OpenFile>()).handle = Box::into_raw(Box::new(opened));
                (*file).pMethods = &raw const METHODS;
                if !out_flags.is_null() {
                    *out_flags = flags;
                }
                ffi::SQLITE_OK
            }
            Err(_) => ffi::SQLITE_CANTOPEN,
        }
    }
}

unsafe extern "C" fn delete(_vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    let Some((path, machine)) = text(name).and_then(|path| Some((path, machine_of(path)?))) else {
        let system = system();
        // SAFETY: the arguments are SQLite's own.
        return unsafe { (*system).xDelete.expect("it deletes files")(system, name, sync_folder) };
    };
    match machine.remove(path) {
        Err(Failure::Missing) => ffi::SQLITE_IOERR_DELETE_NOENT,
        other => code(other, ffi::SQLITE_IOERR_DELETE),
    }
}

unsafe extern "C" fn access(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    result: *mut c_int,
) -> c_int {
    let Some((path, machine)) = text(name).and_then(|path| Some((path, machine_of(path)?))) else {
        let system = system();
        // SAFETY: the arguments are SQLite's own.
        return unsafe { (*system).xAccess.expect("it looks for files")(system, name, flags, result) };
    };
    // SAFETY: `result` is valid.
    unsafe { *result = c_int::from(machine.exists(path)) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_pathname(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    length: c_int,
    out: *mut c_char,
) -> c_int {
    let path = text(name).filter(|path| machine_of(path).is_some());
    let Some(path) = path.filter(|path| c_int::try_from(path.len()).is_ok_and(|bytes| bytes < length)) else {
        let system = system();
        // SAFETY: the arguments are SQLite's own.
        return unsafe { (*system).xFullPathname.expect("it completes names")(system, name, length, out) };
    };
    // SAFETY: `out` has `length` bytes, more than the name and its NUL.
    unsafe { std::ptr::copy_nonoverlapping(name, out, path.len() + 1) };
    ffi::SQLITE_OK
}

/// Returns at once: in virtual time nothing sleeps.
unsafe extern "C" fn sleep(_vfs: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    microseconds
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: `open` boxed it, and this is the last call on the file.
    unsafe { Box::from_raw((*file.cast::<OpenFile>()).handle) }.close();
    ffi::SQLITE_OK
}

/// Converts a length or offset of SQLite, which is never negative.
fn size(number: impl TryInto<usize>) -> usize {
    number.try_into().unwrap_or_default()
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, to: *mut c_void, length: c_int, offset: i64) -> c_int {
    // SAFETY: `to` has `length` bytes.
    let bytes = unsafe { std::slice::from_raw_parts_mut(to.cast::<u8>(), size(length)) };
    match handle(file).read(bytes, size(offset)) {
        Ok(there) if there == bytes.len() => ffi::SQLITE_OK,
        Ok(_) => ffi::SQLITE_IOERR_SHORT_READ,
        Err(_) => ffi::SQLITE_IOERR_READ,
    }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, length: c_int, offset: i64) -> c_int {
    // SAFETY: `from` has `length` bytes.
    let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), size(length)) };
    code(handle(file).write(bytes, size(offset)), ffi::SQLITE_IOERR_WRITE)
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, length: i64) -> c_int {
    code(handle(file).truncate(size(length)), ffi::SQLITE_IOERR_TRUNCATE)
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    code(handle(file).sync(), ffi::SQLITE_IOERR_FSYNC)
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, result: *mut i64) -> c_int {
    match handle(file).length() {
        Ok(length) => {
            // SAFETY: `result` is valid.
            unsafe { *result = i64::try_from(length).unwrap_or(i64::MAX) };
            ffi::SQLITE_OK
        }
        Err(_) => ffi::SQLITE_IOERR_FSTAT,
    }
}

fn level(level: c_int) -> u8 {
    u8::try_from(level).unwrap_or_default()
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, wanted: c_int) -> c_int {
    code(handle(file).lock(level(wanted)), ffi::SQLITE_IOERR_LOCK)
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, kept: c_int) -> c_int {
    code(handle(file).unlock(level(kept)), ffi::SQLITE_IOERR_UNLOCK)
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, result: *mut c_int) -> c_int {
    match handle(file).is_reserved() {
        Ok(is_reserved) => {
            // SAFETY: `result` is valid.
            unsafe { *result = c_int::from(is_reserved) };
            ffi::SQLITE_OK
        }
        Err(_) => ffi::SQLITE_IOERR_CHECKRESERVEDLOCK,
    }
}

unsafe extern "C" fn file_control(_file: *mut ffi::sqlite3_file, _operation: c_int, _argument: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_file: *mut ffi::sqlite3_file) -> c_int {
    4096
}

unsafe extern "C" fn device_characteristics(_file: *mut ffi::sqlite3_file) -> c_int {
    // As the system's own file system reports; the tearing of writes here complies with it.
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    bytes: c_int,
    extend: c_int,
    result: *mut *mut c_void,
) -> c_int {
    let Ok(shared) = handle(file).shared_memory() else { return ffi::SQLITE_IOERR_SHMMAP };
    let mut regions = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
    if extend != 0 {
        while regions.len() <= size(region) {
            regions.push((0..size(bytes) / size_of::<AtomicU64>()).map(|_| AtomicU64::new(0)).collect());
        }
    }
    let found = regions.get(size(region)).map_or(std::ptr::null_mut(), |region| region.as_ptr().cast_mut());
    // SAFETY: `result` is valid. The region does not move for as long as the handle keeps the shared memory.
    unsafe { *result = found.cast() };
    ffi::SQLITE_OK
}

unsafe extern "C" fn shm_lock(file: *mut ffi::sqlite3_file, first: c_int, count: c_int, flags: c_int) -> c_int {
    let slots = size(first)..size(first) + size(count);
    let handle = handle(file);
    let done = if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
        handle.unlock_shared(slots)
    } else {
        handle.lock_shared(slots, flags & ffi::SQLITE_SHM_EXCLUSIVE != 0)
    };
    code(done, ffi::SQLITE_IOERR_SHMLOCK)
}

unsafe extern "C" fn shm_barrier(_file: *mut ffi::sqlite3_file) {
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, _delete: c_int) -> c_int {
    handle(file).leave_shared_memory();
    ffi::SQLITE_OK
}
