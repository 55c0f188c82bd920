//! The app's transport: sends HTTP requests instead of the library's client.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use farmtally_core::sync::{self, CONTENT_TYPE};

use crate::client::threads;

/// Time to wait for a response.
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
}

/// The request could not be sent, or no complete response came.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum TransportError {
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

/// Sends HTTP requests in the app's own way; the app implements it. Send each request unchanged and do not follow redirects. Called on any
/// thread.
#[uniffi::export(with_foreign)]
#[async_trait::async_trait]
pub trait Transport: Send + Sync {
    /// Sends a request and returns the response, whatever its status. The wait ends after 60 seconds.
    async fn send(&self, request: WireRequest) -> Result<WireResponse, TransportError>;
}

/// The app's transport behind core's blocking interface.
pub(crate) struct AppTransport(pub(crate) Arc<dyn Transport>);

impl sync::Transport for AppTransport {
    fn send(&self, request: &sync::WireRequest) -> Result<sync::WireResponse, sync::TransportError> {
        let failed = |reason: String| sync::TransportError { reason };
        let authorization = request.authorization.clone().map(|it| ("authorization".to_owned(), it));
        let content = ("content-type".to_owned(), CONTENT_TYPE.to_owned());
        let sent = self.0.send(WireRequest {
            method: request.method.to_owned(),
            url: format!("{}{}", request.server_url, request.path),
            headers: authorization.into_iter().chain([content]).collect(),
            body: request.body.clone(),
        });
        let answered = threads().map_err(|error| failed(error.to_string()))?.block_on(async {
            // The timer needs the runtime, so it is made inside.
            tokio::time::timeout(ANSWER_TIME, sent).await
        });
        let answer = answered.map_err(|late| failed(late.to_string()))?.map_err(|error| failed(error.to_string()))?;
        Ok(sync::WireResponse { status: answer.status, body: answer.body })
    }
}
