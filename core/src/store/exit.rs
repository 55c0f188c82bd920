//! The end of the process. SQLCipher then frees memory that calls on other threads still use, and a program may end while calls run.
//!
//! Every use of a connection is a [`Use`]. When the process ends, those that run are waited for, and no other begins.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Number of uses now.
static USES: AtomicUsize = AtomicUsize::new(0);
static HAS_ENDED: AtomicBool = AtomicBool::new(false);

/// Opening, reading, writing or closing a database.
#[derive(Debug)]
pub(super) struct Use(());

impl Use {
    /// Begins a use. Never returns if the process is ending.
    pub(super) fn begin() -> Self {
        USES.fetch_add(1, Ordering::SeqCst);
        if HAS_ENDED.load(Ordering::SeqCst) {
            USES.fetch_sub(1, Ordering::SeqCst);
            loop {
                std::thread::park();
            }
        }
        Self(())
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        USES.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The use that closes a database. As its last field, it lasts until all other fields have been dropped.
#[derive(Debug, Default)]
pub(super) struct Closing(Option<Use>);

impl Closing {
    pub(super) fn begin(&mut self) {
        self.0 = Some(Use::begin());
    }
}

/// Prepares the end, once. Must be called before a connection is opened.
#[cfg(feature = "encryption")]
pub(super) fn prepare() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        #[cfg(not(target_vendor = "apple"))]
        keep_openssl();
        // SQLCipher registers its function with the first connection, and the one that is registered last is called first.
        drop(rusqlite::Connection::open_in_memory());
        at_exit();
    });
}

#[cfg(not(feature = "encryption"))]
pub(super) fn prepare() {}

#[cfg(feature = "encryption")]
#[expect(unsafe_code, reason = "the standard library has no function for the end of the process")]
fn at_exit() {
    use std::ffi::c_int;
    use std::sync::OnceLock;
    use std::time::{Duration, Instant};

    /// Longest wait for running uses.
    const MAX_WAIT: Duration = Duration::from_secs(2);
    /// The process that opened a database: a process that was forked from it has none of its threads.
    static PROCESS: OnceLock<u32> = OnceLock::new();

    unsafe extern "C" {
        fn atexit(function: extern "C" fn()) -> c_int;
    }
    extern "C" fn end() {
        if PROCESS.get() != Some(&std::process::id()) {
            return;
        }
        HAS_ENDED.store(true, Ordering::SeqCst);
        let begun = Instant::now();
        while USES.load(Ordering::SeqCst) > 0 && begun.elapsed() < MAX_WAIT {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    PROCESS.get_or_init(std::process::id);
    // SAFETY: the declaration is that of `stdlib.h`, and `end` does not panic. If it is not registered, the process ends as without it.
    unsafe { atexit(end) };
}

/// Has OpenSSL, with which SQLCipher encrypts, free nothing when the process ends: it would do so before [`at_exit`]'s function is called.
#[cfg(all(feature = "encryption", not(target_vendor = "apple")))]
#[expect(unsafe_code, reason = "OpenSSL has no other interface, and no crate calls this function without linking TLS")]
fn keep_openssl() {
    use std::ffi::{c_int, c_void};

    /// `OPENSSL_INIT_NO_ATEXIT` of `openssl/crypto.h`.
    const NO_ATEXIT: u64 = 0x0008_0000;

    unsafe extern "C" {
        fn OPENSSL_init_crypto(options: u64, settings: *const c_void) -> c_int;
    }
    // SAFETY: the declaration is that of `openssl/crypto.h`, which permits null, any thread and several calls.
    unsafe { OPENSSL_init_crypto(NO_ATEXIT, std::ptr::null()) };
}

#[cfg(all(test, feature = "encryption"))]
mod tests {
    use std::process::{Command, exit};
    use std::thread::{sleep, spawn};
    use std::time::Duration;

    use crate::environment::Environment;
    use crate::store::{Error, KeyStore, KeyStoreError, Store, StoreKey};

    struct Keys;

    impl KeyStore for Keys {
        fn load(&self) -> Result<Option<Vec<u8>>, KeyStoreError> {
            Ok(Some(vec![7; 32]))
        }

        fn save(&self, _: &[u8]) -> Result<(), KeyStoreError> {
            Ok(())
        }
    }

    /// Ends while four threads write, read, open and close.
    #[test]
    #[ignore = "the process of the other test"]
    fn ends() {
        let folder = tempfile::tempdir().expect("a folder");
        for number in 0..4 {
            let path = folder.path().join(format!("{number}.db"));
            spawn(move || {
                loop {
                    let key = StoreKey::of(&Keys, true, &Environment::system()).expect("a key");
                    let schema = "CREATE TABLE t (a INTEGER)";
                    let store = Store::open_with(&path, Some(key), &[schema], true).expect("a store");
                    for _ in 0..20 {
                        store.write(|db| Ok::<_, Error>(db.execute("INSERT INTO t VALUES (1)", [])?)).expect("written");
                        store.read(|db| Ok::<_, Error>(db.execute_batch("SELECT sum(a) FROM t")?)).expect("read");
                    }
                }
            });
        }
        sleep(Duration::from_millis(150));
        exit(0);
    }

    #[test]
    fn a_process_ends_in_order_while_its_threads_use_databases() {
        for _ in 0..20 {
            let mut ends = Command::new(std::env::current_exe().expect("a program"));
            ends.args(["--exact", "store::exit::tests::ends", "--ignored", "--nocapture"]);
            let ended = ends.output().expect("it ran");
            assert!(ended.status.success(), "{ended:?}");
        }
    }
}
