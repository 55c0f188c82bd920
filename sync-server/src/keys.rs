//! Keys of the server, and the challenges made with them.
//!
//! Owns the folder `keys`, which is next to the data and not in its backups: a restored database must not bring back old keys.

use std::path::Path;

use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use farmtally_core::environment::Environment;
use farmtally_core::limits::CHALLENGE_LIFE_MS;
use farmtally_core::protocol::message::Challenge;
use farmtally_core::store::file::create_private_folder;
use farmtally_core::units::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::Error;
use crate::files::replace_file;

/// How far in the future a challenge may be, because nodes behind one load balancer may have slightly different clocks.
const CHALLENGE_LEAD_MS: i64 = 60_000;

pub(crate) struct Keys {
    /// Key that signs attestations and certificates, and opens parcels.
    pub(crate) signing: SigningKey,
    /// Public key of the successor; phones pin it for later.
    pub(crate) successor: [u8; 32],
    challenge: [u8; 32],
}

impl Keys {
    /// Reads the keys in a folder. Creates missing ones only if `is_new`: for a server that has no organisation yet.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Unusable`] if a key is missing or malformed.
    pub(crate) fn open(folder: &Path, environment: &Environment, is_new: bool) -> Result<Self, Error> {
        for name in ["server.key", "successor.pub"] {
            let path = folder.join(name);
            if !is_new && !path.try_exists().map_err(Error::io(&path.display()))? {
                let reason = format!("{name} is missing: put it back, phones do not trust a new one");
                return Err(Error::unusable(&folder.display(), reason));
            }
        }
        create_private_folder(folder).map_err(Error::io(&folder.display()))?;
        let signing = SigningKey::from_bytes(&secret(&folder.join("server.key"), environment)?);
        let (public, private) = (folder.join("successor.pub"), folder.join("successor.key"));
        if !public.exists() {
            let successor = SigningKey::from_bytes(&secret(&private, environment)?);
            write(&public, &successor.verifying_key().to_bytes())?;
        }
        let successor = read(&public)?;
        // The secret half may be kept elsewhere.
        if private.exists() && SigningKey::from_bytes(&read(&private)?).verifying_key().to_bytes() != successor {
            let reason = "it is not the public half of successor.key: put it back";
            return Err(Error::unusable(&public.display(), reason));
        }
        let challenge = Sha256::digest([b"farmtally challenge 1\0".as_slice(), signing.as_bytes()].concat()).into();
        Ok(Self { signing, successor, challenge })
    }

    /// Returns the public key that phones pin.
    pub(crate) fn public(&self) -> [u8; 32] {
        self.signing.verifying_key().to_bytes()
    }

    /// Returns a challenge for this moment; nothing is stored about it.
    pub(crate) fn challenge(&self, now: Timestamp) -> Challenge {
        let time = now.0.to_be_bytes();
        let mac: [u8; 32] = self.mac(time).finalize().into_bytes().into();
        Challenge([time.as_slice(), &mac].concat().first_chunk().copied().unwrap_or([0; 24]))
    }

    /// Returns whether this server made a challenge, at most [`CHALLENGE_LIFE_MS`] ago and [`CHALLENGE_LEAD_MS`] ahead, inclusive.
    pub(crate) fn accepts(&self, challenge: Challenge, now: Timestamp) -> bool {
        let Some((time, mac)) = challenge.0.split_first_chunk::<8>() else { return false };
        let age_ms = now.0.saturating_sub(i64::from_be_bytes(*time));
        (-CHALLENGE_LEAD_MS..=CHALLENGE_LIFE_MS).contains(&age_ms) && self.mac(*time).verify_truncated_left(mac).is_ok()
    }

    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    fn mac(&self, time: [u8; 8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.challenge).expect("a key of 32 bytes");
        mac.update(&time);
        mac
    }
}

fn secret(path: &Path, environment: &Environment) -> Result<[u8; 32], Error> {
    if !path.exists() {
        write(path, &environment.random())?;
    }
    read(path)
}

fn read(path: &Path) -> Result<[u8; 32], Error> {
    let text = std::fs::read(path).map_err(Error::io(&path.display()))?;
    let bytes = HEXLOWER.decode(text.trim_ascii()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| Error::unusable(&path.display(), "it is not a key of 32 bytes in hexadecimal: put it back"))
}

/// Writes a key file.
fn write(path: &Path, key: &[u8; 32]) -> Result<(), Error> {
    replace_file(path, &HEXLOWER.encode(key)).map_err(Error::io(&path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Server;

    #[test]
    fn servers_that_open_a_new_folder_at_the_same_time_have_the_same_keys() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().expect("a folder");
            let opens = || {
                let server = Server::open(folder.path(), Environment::system()).expect("it opens");
                (server.keys.public(), server.keys.successor)
            };
            let keys = std::thread::scope(|threads| {
                let running: Vec<_> = (0..4).map(|_| threads.spawn(opens)).collect();
                running.into_iter().map(|it| it.join().expect("it ends")).collect::<std::collections::BTreeSet<_>>()
            });
            assert_eq!(keys.len(), 1);
        }
    }

    #[test]
    fn a_challenge_is_good_for_two_days_on_the_server_that_made_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let environment = Environment::system();
        let keys = Keys::open(&folder.path().join("a"), &environment, true).expect("keys");
        let again = Keys::open(&folder.path().join("a"), &environment, true).expect("keys");
        let other = Keys::open(&folder.path().join("b"), &environment, true).expect("keys");
        let made = Timestamp(1_000_000_000_000);
        let challenge = keys.challenge(made);
        for (age_ms, good) in [
            (-CHALLENGE_LEAD_MS - 1, false),
            (-CHALLENGE_LEAD_MS, true),
            (CHALLENGE_LIFE_MS, true),
            (CHALLENGE_LIFE_MS + 1, false),
        ] {
            assert_eq!(again.accepts(challenge, Timestamp(made.0 + age_ms)), good, "{age_ms}");
        }
        assert!(!other.accepts(challenge, made));
        let mut bent = challenge;
        bent.0[20] ^= 1;
        assert!(!keys.accepts(bent, made));
    }
}
