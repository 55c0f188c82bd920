//! The address to which this server moves, which its answers tell phones.
//!
//! A file beside the databases, so that a command changes it while the server runs, and a copy of the data on another machine has none.

use std::io::ErrorKind;
use std::sync::PoisonError;

use farmtally_core::protocol::{normalize_secure_url, path};
use farmtally_core::store::file::sync_folder_of;

use crate::files::replace_file;
use crate::{Error, Server};

impl Server {
    /// Returns the address to which this server moves, as phones learn it with each answer; `None` if it does not move.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::NoAddress`].
    pub fn moved_to(&self) -> Result<Option<String>, Error> {
        let path = self.moved_to_file.display();
        match std::fs::read_to_string(&self.moved_to_file) {
            Ok(text) if normalize_secure_url(&text).is_ok_and(|address| address == text) => Ok(Some(text)),
            Ok(_) => Err(Error::NoAddress { what: path.to_string() }),
            Err(error) if error.kind() == ErrorKind::InvalidData => Err(Error::NoAddress { what: path.to_string() }),
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
        let address =
            address.map(normalize_secure_url).transpose().map_err(|wrong| Error::invalid("address", wrong))?;
        let file = &self.moved_to_file;
        let write = || match &address {
            Some(address) => replace_file(file, address),
            None => match std::fs::remove_file(file) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                removed => removed.and_then(|()| sync_folder_of(file)),
            },
        };
        self.journal.while_locked(|| write().map_err(Error::io(&file.display())))?;
        Ok(address)
    }
}
