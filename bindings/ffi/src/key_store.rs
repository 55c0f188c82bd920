//! The app's key store, called from core.

use std::sync::Arc;
use std::time::Duration;

use farmtally_core::store;
use tokio::sync::watch;

use crate::client::threads;

/// Time that a person has to unlock the phone.
const ANSWER_TIME: Duration = Duration::from_secs(120);

/// The key store failed to load or save the key.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum KeyStoreError {
    /// The key store could not load or save the key
    #[error("{reason}")]
    Failed {
        /// What failed, for logs
        reason: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for KeyStoreError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed { reason: error.reason }
    }
}

/// Stores the key of an encrypted database, in the Android Keystore, the iOS Keychain or the like. The app implements it, one for each data
/// folder. If the key is lost, all records that the server does not have are lost.
#[uniffi::export(with_foreign)]
#[async_trait::async_trait]
pub trait KeyStore: Send + Sync {
    /// Returns the saved key; null if none was ever saved. Fails if the key cannot be read now, such as before the person has unlocked the
    /// phone. The wait ends after two minutes, or when the call of open is cancelled.
    async fn load(&self) -> Result<Option<Vec<u8>>, KeyStoreError>;

    /// Saves a new key of 32 bytes permanently, before a new database is created; load is called next and must return it.
    async fn save(&self, key: Vec<u8>) -> Result<(), KeyStoreError>;
}

/// The app's key store behind core's blocking interface.
pub(crate) struct AppKeys {
    pub(crate) keys: Arc<dyn KeyStore>,
    /// Closed when the call that waits is cancelled.
    pub(crate) given_up: watch::Receiver<()>,
}

impl store::KeyStore for AppKeys {
    fn load(&self) -> Result<Option<Vec<u8>>, store::KeyStoreError> {
        self.wait(self.keys.load())
    }

    fn save(&self, key: &[u8]) -> Result<(), store::KeyStoreError> {
        self.wait(self.keys.save(key.to_vec()))
    }
}

impl AppKeys {
    fn wait<T>(&self, answer: impl Future<Output = Result<T, KeyStoreError>>) -> Result<T, store::KeyStoreError> {
        let mut given_up = self.given_up.clone();
        let failed = |reason: String| store::KeyStoreError { reason };
        let threads = threads().map_err(|error| failed(error.to_string()))?;
        threads.block_on(async {
            tokio::select! {
                biased;
                _ = given_up.changed() => Err(failed("nobody waits for the client any more".into())),
                () = tokio::time::sleep(ANSWER_TIME) => Err(failed("the key store did not answer".into())),
                answer = answer => answer.map_err(|error| failed(error.to_string())),
            }
        })
    }
}
