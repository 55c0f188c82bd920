//! The phone's key store, as the app reaches it.

use std::sync::Arc;

use farmtally_core::store;

use crate::client::threads;

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
    /// The key that was saved; none if none ever was. It fails if the key cannot be had now, as before the person has unlocked the phone.
    async fn load(&self) -> Result<Option<Vec<u8>>, KeyStoreError>;

    /// Keeps a new key of 32 bytes for good. Called once, before the store is made.
    async fn save(&self, key: Vec<u8>) -> Result<(), KeyStoreError>;
}

/// The app's key store as core asks it: on a thread that may wait.
pub(crate) struct AppKeys(pub(crate) Arc<dyn KeyStore>);

impl store::KeyStore for AppKeys {
    fn load(&self) -> Result<Option<Vec<u8>>, String> {
        wait(self.0.load())
    }

    fn save(&self, key: &[u8]) -> Result<(), String> {
        wait(self.0.save(key.to_vec()))
    }
}

fn wait<T>(answer: impl Future<Output = Result<T, KeyStoreError>>) -> Result<T, String> {
    let threads = threads().map_err(|error| error.to_string())?;
    threads.block_on(answer).map_err(|error| error.to_string())
}
