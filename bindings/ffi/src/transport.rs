//! The app's transport: sends HTTP requests instead of the library's client.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use farmtally_core::sync::{self, CONTENT_TYPE, STOP_STEP, UPLOAD_BYTES_PER_S};

use crate::client::threads;

/// Time to wait for a response to a request without a body.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// An HTTP request to the server.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct WireRequest {
    /// HTTP method
    pub method: String,
    /// Complete URL
    pub url: String,
    /// Headers, with names in lower case
    pub headers: HashMap<String, String>,
    /// Body, may be empty
    pub body: Vec<u8>,
}

/// An HTTP response.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct WireResponse {
    /// HTTP status code
    pub status: u16,
    /// Body, as received
    pub body: Vec<u8>,
    /// Value of the location header of a redirect; null if it has none
    #[uniffi(default = None)]
    pub location: Option<String>,
}

/// The request could not be sent, or no complete response came.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum TransportError {
    /// No connection could be made: there is no network, the host is not known, or nothing listens
    #[error("{reason}")]
    NoConnection {
        /// What failed, for logs
        reason: String,
    },
    /// No complete response came; the server may have acted on the request
    #[error("{reason}")]
    Failed {
        /// What failed, for logs
        reason: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for TransportError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed { reason: error.reason }
    }
}

/// Sends HTTP requests in the app's own way, for instance through a proxy; the app implements it. Send each request unchanged and do not
/// follow redirects. Called on any thread.
#[uniffi::export(with_foreign)]
#[async_trait::async_trait]
pub trait Transport: Send + Sync {
    /// Sends a request and returns the response, whatever its status. The wait ends after 60 seconds and one for each 512 bytes of the
    /// body, or earlier if the sync is cancelled or its time is used up; an answer that comes later is dropped.
    async fn send(&self, request: WireRequest) -> Result<WireResponse, TransportError>;
}

/// The app's transport behind core's blocking interface.
pub(crate) struct AppTransport(pub(crate) Arc<dyn Transport>);

impl sync::Transport for AppTransport {
    fn send(
        &self,
        request: &sync::WireRequest,
        must_stop: &dyn Fn() -> bool,
    ) -> Result<sync::WireResponse, sync::TransportError> {
        let longest = ANSWER_TIME + Duration::from_secs(request.body.len() as u64 / u64::from(UPLOAD_BYTES_PER_S));
        let authorization = request.authorization.clone().map(|it| ("authorization".to_owned(), it));
        let content = ("content-type".to_owned(), CONTENT_TYPE.to_owned());
        let sent = self.0.send(WireRequest {
            method: request.method.to_owned(),
            url: format!("{}{}", request.server_url, request.path),
            headers: authorization.into_iter().chain([content]).collect(),
            body: request.body.clone(),
        });
        let threads = threads().map_err(|error| sync::TransportError::interrupted(error.to_string()))?;
        let answer = threads.block_on(async {
            let (mut sent, started_at) = (pin!(sent), Instant::now());
            loop {
                match tokio::time::timeout(STOP_STEP, sent.as_mut()).await {
                    Ok(answer) => return answer.map_err(sync::TransportError::from),
                    Err(_elapsed) if must_stop() => {
                        return Err(sync::TransportError::interrupted("stopped before the answer"));
                    }
                    Err(_elapsed) if started_at.elapsed() >= longest => {
                        let reason = format!("no answer for {} s", longest.as_secs());
                        return Err(sync::TransportError::interrupted(reason));
                    }
                    Err(_elapsed) => {}
                }
            }
        })?;
        Ok(sync::WireResponse { status: answer.status, body: answer.body, location: answer.location })
    }
}

impl From<TransportError> for sync::TransportError {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::NoConnection { reason } => Self::no_connection(reason),
            TransportError::Failed { reason } => Self::interrupted(reason),
        }
    }
}
