//! Carriage by the app: its own way of sending HTTP requests, instead of the library's.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use farmtally_core::sync::{self, CONTENT_TYPE};

use crate::client::threads;

/// How long a phone waits for an answer.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// A request to the server.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct WireRequest {
    /// POST
    pub method: String,
    /// Where to
    pub url: String,
    /// What goes with it
    pub headers: HashMap<String, String>,
    /// The body
    pub body: Vec<u8>,
}

/// What the server answered.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct WireResponse {
    /// The status of HTTP
    pub status: u16,
    /// The body
    pub body: Vec<u8>,
}

/// The request was not sent, or no whole answer came.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum TransportError {
    /// What was in the way, for logs
    #[error("{reason}")]
    Failed {
        /// For logs
        reason: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for TransportError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed { reason: error.reason }
    }
}

/// The app's own way to the server: it sends a request as it is and brings back what comes, without following redirects. It may be called
/// on any thread; a call that is given up is not waited for.
#[uniffi::export(with_foreign)]
#[async_trait::async_trait]
pub trait Transport: Send + Sync {
    /// Sends a request; any status is an answer.
    async fn send(&self, request: WireRequest) -> Result<WireResponse, TransportError>;
}

/// The app's way to the server, as core uses it.
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
            // Its timer needs the runtime, so it begins inside.
            tokio::time::timeout(ANSWER_TIME, sent).await
        });
        let answer = answered.map_err(|late| failed(late.to_string()))?.map_err(|error| failed(error.to_string()))?;
        Ok(sync::WireResponse { status: answer.status, body: answer.body })
    }
}
