//! The key of an encrypted store: loading or creating it, and telling a wrong key from a damaged file.
//!
//! SQLCipher reports a wrong key and a damaged file alike, so a fingerprint of the key is stored next to the file. The key is random, so
//! its fingerprint reveals nothing. The fingerprint only explains failures: a key that opens the file is right.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use data_encoding::HEXLOWER;
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::Error;
use super::file::private;
use crate::environment::Environment;

const KEY_BYTES: usize = 32;

/// The first bytes of an unencrypted SQLite file.
const PLAIN: &[u8; 16] = b"SQLite format 3\0";

/// An error of the key store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct KeyStoreError {
    /// What failed, for logs.
    pub reason: String,
}

/// Storage for the key of a store, such as the Android keystore or the iOS keychain. Each data folder has a key of its own. If it is lost,
/// so is everything on the phone that the server does not have.
pub trait KeyStore {
    /// Returns the saved key; `None` if no key was ever saved.
    ///
    /// # Errors
    /// [`KeyStoreError`] if the key is not available now, for example before the phone was first unlocked.
    fn load(&self) -> Result<Option<Vec<u8>>, KeyStoreError>;

    /// Saves a new key of 32 bytes permanently.
    ///
    /// # Errors
    /// [`KeyStoreError`] if the key cannot be saved.
    fn save(&self, key: &[u8]) -> Result<(), KeyStoreError>;
}

/// The 32-byte key of a store.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct StoreKey([u8; KEY_BYTES]);

impl StoreKey {
    /// Returns the key in `keys`, or saves a new one there if `is_new_store`. The caller ensures that nobody creates the store meanwhile.
    pub(crate) fn of(keys: &dyn KeyStore, is_new_store: bool, environment: &Environment) -> Result<Self, Error> {
        // One at a time: if two new stores are wrongly given the same key store, both get one key, and neither loses its own.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        if !can_encrypt()? {
            return Err(Error::NoEncryption);
        }
        if let Some(key) = Self::load(keys)? {
            return Ok(key);
        }
        // A key store that answers before it is ready must not have its key overwritten.
        if !is_new_store {
            return Err(Error::wrong_key("there is a store already, and the key store has no key for it"));
        }
        let new = Self(environment.random());
        keys.save(&new.0).map_err(|error| Error::key_unavailable(error.reason))?;
        match Self::load(keys)? {
            Some(kept) if kept == new => Ok(kept),
            _ => Err(Error::key_unavailable("the key store did not keep the new key")),
        }
    }

    fn load(keys: &dyn KeyStore) -> Result<Option<Self>, Error> {
        let Some(bytes) = keys.load().map_err(|error| Error::key_unavailable(error.reason))?.map(Zeroizing::new) else {
            return Ok(None);
        };
        let found = bytes.len();
        let key = bytes.as_slice().try_into();
        let wrong = |_| Error::wrong_key(format!("a key has {KEY_BYTES} bytes, this one has {found}"));
        Ok(Some(Self(key.map_err(wrong)?)))
    }

    /// Sets the key on a new connection without checking it; must be called before anything else.
    pub(super) fn unlock(&self, connection: &Connection) -> Result<(), Error> {
        let hex = Zeroizing::new(HEXLOWER.encode(&self.0));
        // SQLCipher takes hexadecimal bytes as the key itself; it would stretch anything else as a passphrase.
        let statements = Zeroizing::new(format!("PRAGMA cipher_log_level = NONE; PRAGMA key = \"x'{}'\";", *hex));
        connection.execute_batch(&statements)?;
        Ok(())
    }

    fn fingerprint(&self) -> String {
        let hash = Sha256::new().chain_update("farmtally store key").chain_update(self.0).finalize();
        HEXLOWER.encode(hash.get(..8).unwrap_or_default())
    }
}

impl Drop for StoreKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreKey")
    }
}

/// Returns whether SQLite is SQLCipher in this build. Plain SQLite ignores the key pragma and would write unencrypted.
fn can_encrypt() -> Result<bool, Error> {
    super::exit::prepare();
    let _use = super::exit::Use::begin();
    let memory = Connection::open_in_memory()?;
    let version = memory.query_row("PRAGMA cipher_version", [], |row| row.get::<_, String>(0)).optional()?;
    Ok(version.is_some())
}

/// Turns [`Error::Corrupt`] into [`Error::WrongKey`] if the fingerprint or the file's first bytes show that the key is wrong.
pub(super) fn explain(error: Error, file: &Path, key: Option<&StoreKey>) -> Error {
    if !matches!(error, Error::Corrupt { .. }) {
        return error;
    }
    match (key, saved_fingerprint(file)) {
        (None, Some(_)) => Error::wrong_key("the store is encrypted, and no key was given"),
        (Some(_), _) if is_plain(file) => Error::wrong_key("the store was made without a key"),
        (Some(key), Some(kept)) if kept != key.fingerprint() => Error::wrong_key("the store was made with another key"),
        _ => error,
    }
}

/// Stores the fingerprint of a key that opened the file.
pub(super) fn save_fingerprint(file: &Path, key: &StoreKey) -> std::io::Result<()> {
    let fingerprint = key.fingerprint();
    if saved_fingerprint(file).as_ref() == Some(&fingerprint) {
        return Ok(());
    }
    let path = fingerprint_path(file);
    let written = path.with_extension("new");
    let mut new = private(File::options().write(true).create(true).truncate(true)).open(&written)?;
    new.write_all(fingerprint.as_bytes())?;
    new.sync_all()?;
    fs::rename(written, path)
}

fn saved_fingerprint(file: &Path) -> Option<String> {
    fs::read_to_string(fingerprint_path(file)).ok()
}

fn fingerprint_path(file: &Path) -> PathBuf {
    file.with_extension("fingerprint")
}

fn is_plain(file: &Path) -> bool {
    let mut begins = [0; PLAIN.len()];
    File::open(file).and_then(|mut file| file.read_exact(&mut begins)).is_ok() && &begins == PLAIN
}

#[cfg(test)]
mod tests {
    use super::super::{PHONE, Store};
    use super::*;

    /// A key store that has a key, forgets it, or refuses.
    #[derive(Default)]
    struct Keys {
        kept: Mutex<Option<Vec<u8>>>,
        forgets: bool,
        refuses: bool,
    }

    impl Keys {
        fn kept(&self) -> Option<Vec<u8>> {
            self.kept.lock().expect("no panic").clone()
        }
    }

    impl KeyStore for Keys {
        fn load(&self) -> Result<Option<Vec<u8>>, KeyStoreError> {
            if self.refuses { Err(KeyStoreError { reason: "not unlocked".into() }) } else { Ok(self.kept()) }
        }

        fn save(&self, key: &[u8]) -> Result<(), KeyStoreError> {
            if !self.forgets {
                *self.kept.lock().expect("no panic") = Some(key.to_vec());
            }
            Ok(())
        }
    }

    fn open(file: &Path, keys: &Keys) -> Result<Store, Error> {
        Store::open_with(file, Some(StoreKey::of(keys, !file.exists(), &Environment::system())?), PHONE, true)
    }

    #[test]
    #[cfg(not(feature = "encryption"))]
    fn a_build_that_cannot_encrypt_refuses_before_a_key_is_made() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, keys) = (folder.path().join("field.db"), Keys::default());
        assert!(matches!(open(&file, &keys), Err(Error::NoEncryption)));
        assert_eq!((keys.kept(), file.exists()), (None, false));
    }

    #[cfg(feature = "encryption")]
    mod encrypted {
        use super::*;

        fn holding(key: &[u8]) -> Keys {
            Keys { kept: Mutex::new(Some(key.to_vec())), ..Keys::default() }
        }

        fn wrong_key(opened: Result<Store, Error>) -> String {
            match opened {
                Err(Error::WrongKey { reason }) => reason,
                other => panic!("{other:?}"),
            }
        }

        fn set_receipts(store: &Store, receipts: i64) {
            store
                .write(|tx| Ok::<_, Error>(tx.execute("UPDATE counters SET receipts = ?1", [receipts])?))
                .expect("written");
        }

        fn receipts(store: &Store) -> i64 {
            store
                .read(|db| Ok::<_, Error>(db.query_row("SELECT receipts FROM counters", [], |row| row.get(0))?))
                .expect("it reads")
        }

        #[test]
        fn a_store_opens_with_its_own_key_only() {
            let folder = tempfile::tempdir().expect("a folder");
            let (file, keys) = (folder.path().join("field.db"), Keys::default());
            set_receipts(&open(&file, &keys).expect("a new store"), 7);
            assert_eq!(keys.kept().map(|key| key.len()), Some(KEY_BYTES));

            assert_eq!(wrong_key(open(&file, &holding(&[1; 32]))), "the store was made with another key");
            assert_eq!(wrong_key(Store::open(&file, PHONE)), "the store is encrypted, and no key was given");
            assert_eq!(wrong_key(open(&file, &holding(&[1; 31]))), "a key has 32 bytes, this one has 31");
            assert_eq!(wrong_key(open(&file, &holding(&[1; 33]))), "a key has 32 bytes, this one has 33");
            assert_eq!(receipts(&open(&file, &keys).expect("its own key")), 7);
        }

        #[test]
        fn nothing_on_the_disk_can_be_read() {
            let folder = tempfile::tempdir().expect("a folder");
            let (file, keys) = (folder.path().join("field.db"), Keys::default());
            let store = open(&file, &keys).expect("a new store");
            store
                .write(|tx| {
                    tx.execute("CREATE TABLE said (words TEXT)", [])?;
                    Ok::<_, Error>(tx.execute("INSERT INTO said VALUES (?1)", ["Lakshmi, 98 450"])?)
                })
                .expect("written");
            let holds_words = || {
                std::fs::read_dir(folder.path()).expect("a folder").any(|entry| {
                    let bytes = std::fs::read(entry.expect("an entry").path()).expect("it reads");
                    bytes.windows(7).any(|window| window == b"Lakshmi" || window == b"SQLite ")
                })
            };
            assert!(!holds_words(), "in the write-ahead log");
            assert!(store.scrub().expect("folded back"));
            assert!(!holds_words(), "in the file");
        }

        #[test]
        fn a_store_without_a_key_stays_one() {
            let folder = tempfile::tempdir().expect("a folder");
            let file = folder.path().join("field.db");
            set_receipts(&Store::open(&file, PHONE).expect("a plain store"), 7);
            assert_eq!(wrong_key(open(&file, &holding(&[1; 32]))), "the store was made without a key");
            assert_eq!(receipts(&Store::open(&file, PHONE).expect("as it was")), 7);
        }

        #[test]
        fn a_damaged_store_is_called_damaged() {
            let folder = tempfile::tempdir().expect("a folder");
            let (file, keys) = (folder.path().join("field.db"), Keys::default());
            drop(open(&file, &keys).expect("a new store"));
            let mut bytes = fs::read(&file).expect("it reads");
            bytes.iter_mut().skip(40).take(8).for_each(|byte| *byte ^= 1);
            fs::write(&file, bytes).expect("it writes");
            assert!(matches!(open(&file, &keys), Err(Error::Corrupt { .. })));
        }

        #[test]
        fn the_fingerprint_only_explains() {
            let folder = tempfile::tempdir().expect("a folder");
            let (file, keys) = (folder.path().join("field.db"), Keys::default());
            drop(open(&file, &keys).expect("a new store"));
            let fingerprint = fs::read(fingerprint_path(&file)).expect("it is kept");

            fs::remove_file(fingerprint_path(&file)).expect("lost");
            assert!(matches!(open(&file, &holding(&[1; 32])), Err(Error::Corrupt { .. })), "nobody can tell");
            drop(open(&file, &keys).expect("the key is right anyway"));
            assert_eq!(fs::read(fingerprint_path(&file)).expect("kept again"), fingerprint);

            fs::write(fingerprint_path(&file), "?").expect("damaged");
            drop(open(&file, &keys).expect("the key is right anyway"));
            assert_eq!(fs::read(fingerprint_path(&file)).expect("mended"), fingerprint);
        }

        #[test]
        fn a_key_is_made_once_and_never_replaced() {
            let folder = tempfile::tempdir().expect("a folder");
            let (file, keys) = (folder.path().join("field.db"), Keys::default());
            for (keys, expected) in [
                (Keys { refuses: true, ..Keys::default() }, "not unlocked"),
                (Keys { forgets: true, ..Keys::default() }, "the key store did not keep the new key"),
            ] {
                assert!(matches!(open(&file, &keys), Err(Error::KeyUnavailable { reason }) if reason == expected));
                assert!(!file.exists());
            }
            drop(open(&file, &keys).expect("a new store"));

            let emptied = Keys::default();
            assert_eq!(
                wrong_key(open(&file, &emptied)),
                "there is a store already, and the key store has no key for it"
            );
            assert_eq!(emptied.kept(), None);
        }
    }
}
