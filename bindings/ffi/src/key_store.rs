//! The phone's key store, as the app reaches it.

use std::sync::Arc;
use std::time::Duration;

use farmtally_core::store;
use tokio::sync::watch;

use crate::client::threads;

/// How long a person may take to unlock the phone.
const ANSWER_TIME: Duration = Duration::from_secs(120);

/// The key store did not do as told.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum KeyStoreError {
    /// What was in the way, for logs
    #[error("{reason}")]
    Failed {
        /// For logs
        reason: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for KeyStoreError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed { reason: error.reason }
    }
}

/// Where the app keeps the store's key: the keystore of Android, the keychain of iOS, or what stands in for them. Each data folder has its own.
/// If the key is lost, so is what the phone holds and the server does not.
#[uniffi::export(with_foreign)]
#[async_trait::async_trait]
pub trait KeyStore: Send + Sync {
    /// The key that was saved; none if none ever was. It fails if the key cannot be had now, as before the person has unlocked the phone. It is
    /// given up after two minutes, and when the call that opens is.
    async fn load(&self) -> Result<Option<Vec<u8>>, KeyStoreError>;

    /// Keeps a new key of 32 bytes for good. Called once, before the store is made.
    async fn save(&self, key: Vec<u8>) -> Result<(), KeyStoreError>;
}

/// The app's key store as core asks it: on a thread that may wait.
pub(crate) struct AppKeys {
    pub(crate) keys: Arc<dyn KeyStore>,
    /// Closed once nobody waits for the answer any more.
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
