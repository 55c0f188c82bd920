//! The address to which this server moves, which its answers tell phones.
//!
//! A file beside the databases, so that a command changes it while the server runs, and a copy of the data on another machine has none.

use std::io::ErrorKind;
use std::sync::PoisonError;

use farmtally_core::protocol::{normalize_secure_url, path};

use crate::files::replace_file;
use crate::{Error, Server};

const DAMAGED: &str =
    "it has no address: remove it, and say again with `farmtally-server move-to` where the server moves to";

impl Server {
    /// Returns the address to which this server moves, as phones learn it with each answer; `None` if it does not move.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Unusable`] if the file cannot be read, or has no address.
    pub fn moved_to(&self) -> Result<Option<String>, Error> {
        let path = self.address.display();
        match std::fs::read_to_string(&self.address) {
            Ok(text) if normalize_secure_url(&text).is_ok_and(|address| address == text) => Ok(Some(text)),
            Ok(_) => Err(Error::unusable(&path, DAMAGED)),
            Err(error) if error.kind() == ErrorKind::InvalidData => Err(Error::unusable(&path, DAMAGED)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(&path)(error)),
        }
    }

    /// Returns the address for an answer: as [`Self::moved_to`], or the last one that could be read. "None" would let phones forget it.
    pub(crate) fn announced_address(&self) -> Option<String> {
        let mut announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner);
        match self.moved_to() {
            Ok(address) => *announced = address,
            Err(error) => error.log(path::SYNC),
        }
        announced.clone()
    }

    /// Tells phones, with each answer, to use this address of the server once it answers there; `None` ends that. Returns the address as
    /// phones get it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an address that is not one, or is of HTTP on another machine; [`Error::Io`].
    pub fn move_to(&self, address: Option<&str>) -> Result<Option<String>, Error> {
        let io = Error::io(&self.address.display());
        let Some(address) = address else {
            return match std::fs::remove_file(&self.address) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(io(error)),
                _ => Ok(None),
            };
        };
        let address = normalize_secure_url(address).map_err(|wrong| Error::invalid("address", wrong))?;
        self.journal.while_locked(|| replace_file(&self.address, &address).map_err(io))?;
        Ok(Some(address))
    }
}
