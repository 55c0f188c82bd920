//! The address to which this server moves, which its answers tell phones.
//!
//! A file beside the databases, so that a command changes it while the server runs, and a copy of the data on another machine has none.

use std::io::ErrorKind;

use farmtally_core::protocol::normalize_server_url;

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
            Ok(text) if normalize_server_url(&text).is_ok_and(|address| address == text) => Ok(Some(text)),
            Ok(_) => Err(Error::unusable(&path, DAMAGED)),
            Err(error) if error.kind() == ErrorKind::InvalidData => Err(Error::unusable(&path, DAMAGED)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(&path)(error)),
        }
    }

    /// Tells phones, with each answer, to use this address of the server once it answers there; `None` ends that. Returns the address as
    /// phones get it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an address that is not one; [`Error::Io`].
    pub fn move_to(&self, address: Option<&str>) -> Result<Option<String>, Error> {
        let io = Error::io(&self.address.display());
        let Some(address) = address else {
            return match std::fs::remove_file(&self.address) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(io(error)),
                _ => Ok(None),
            };
        };
        let address = normalize_server_url(address).map_err(|wrong| Error::invalid("address", wrong))?;
        replace_file(&self.address, &address).map_err(io)?;
        Ok(Some(address))
    }
}
