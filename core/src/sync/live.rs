//! The live signal: the server reports how far its logs are, and the exchange fetches the entries.
//!
//! Sync is correct without the signal. Format: `docs/protocol.md`, "Live".

use std::ops::ControlFlow;

use super::transport::{TransportError, WireRequest, WireResponse};
use crate::scope::Scope;

/// Connection that receives the live signal. This crate provides one for a WebSocket over HTTPS; tests and apps may bring their own.
pub trait Live: Send + Sync {
    /// Sends a request and passes every line of the response to `hear`, until the connection ends or `hear` breaks.
    ///
    /// While nothing arrives, `hear` gets `None` at least every few seconds. Returns status 200 without a body after a connection, and the
    /// response of a server that refused it.
    ///
    /// # Errors
    /// [`TransportError`] if no response came, or nothing at all for more than two heartbeats.
    fn listen(
        &self,
        request: &WireRequest,
        hear: &mut dyn FnMut(Option<&str>) -> ControlFlow<()>,
    ) -> Result<WireResponse, TransportError>;
}

/// Parses a line into a scope and the number of entries in its log; `None` if this version does not know the form.
pub fn head(line: &str) -> Option<(Scope, u64)> {
    let (scope, sequence) = line.split_once(' ')?;
    Some((scope.parse().ok()?, sequence.parse().ok()?))
}

#[cfg(feature = "http")]
pub use self::http::HttpLive;

#[cfg(feature = "http")]
mod http {
    use std::ops::ControlFlow;
    use std::pin::pin;
    use std::time::Duration;

    use futures_util::StreamExt;
    use reqwest::StatusCode;
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::handshake::client::generate_key;
    use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

    use super::Live;
    use crate::limits::MAX_WIRE_BYTES;
    use crate::sync::http::{failed, tls};
    use crate::sync::transport::{TransportError, WireRequest, WireResponse};

    /// Interval at which `hear` may break.
    const STEP: Duration = Duration::from_secs(1);
    /// Steps without data after which the connection counts as dead; the server sends a heartbeat every thirty seconds.
    const SILENT_STEPS: u32 = 75;

    /// WebSocket client over HTTP or HTTPS that runs on the caller's thread.
    #[derive(Debug)]
    pub struct HttpLive {
        client: reqwest::Client,
        runtime: tokio::runtime::Runtime,
    }

    impl HttpLive {
        /// Creates a client that waits up to ten seconds for a connection.
        ///
        /// # Errors
        /// [`TransportError`] if TLS cannot be set up.
        pub fn open() -> Result<Self, TransportError> {
            let client = reqwest::Client::builder()
                .tls_backend_preconfigured(tls()?)
                .connect_timeout(Duration::from_secs(10))
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .map_err(failed)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
            Ok(Self { client, runtime })
        }

        /// Drives a future until it is ready; `None` if `hear` breaks, an error after [`SILENT_STEPS`]. `hear` runs outside of the runtime.
        fn wait_for<F: Future>(
            &self,
            future: F,
            hear: &mut dyn FnMut(Option<&str>) -> ControlFlow<()>,
        ) -> Result<Option<F::Output>, TransportError> {
            let mut future = pin!(future);
            for _ in 0..SILENT_STEPS {
                match self.runtime.block_on(async { tokio::time::timeout(STEP, &mut future).await }) {
                    Ok(output) => return Ok(Some(output)),
                    Err(_nothing_yet) if hear(None).is_break() => return Ok(None),
                    Err(_nothing_yet) => {}
                }
            }
            Err(TransportError::interrupted("the server sent nothing for too long"))
        }
    }

    impl Live for HttpLive {
        fn listen(
            &self,
            request: &WireRequest,
            hear: &mut dyn FnMut(Option<&str>) -> ControlFlow<()>,
        ) -> Result<WireResponse, TransportError> {
            let mut answer = WireResponse::new(200, Vec::new());
            let key = generate_key();
            let mut builder = self.client.get(format!("{}{}", request.server_url, request.path));
            builder = builder.header("connection", "upgrade").header("upgrade", "websocket");
            builder = builder.header("sec-websocket-version", "13").header("sec-websocket-key", &key);
            if let Some(authorization) = &request.authorization {
                builder = builder.header("authorization", authorization);
            }
            let Some(response) = self.wait_for(builder.send(), hear)? else { return Ok(answer) };
            let mut response = response.map_err(failed)?;
            if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                answer.status = response.status().as_u16();
                while let Some(chunk) = self.wait_for(response.chunk(), hear)? {
                    let Some(chunk) = chunk.map_err(failed)? else { break };
                    answer.body.extend_from_slice(&chunk);
                    if answer.body.len() > MAX_WIRE_BYTES {
                        return Err(TransportError::interrupted("the response is too long"));
                    }
                }
                return Ok(answer);
            }
            let accepted = response.headers().get("sec-websocket-accept");
            if accepted.is_none_or(|accepted| accepted.as_bytes() != derive_accept_key(key.as_bytes()).as_bytes()) {
                return Err(TransportError::interrupted("the server's WebSocket handshake does not match the request"));
            }
            let Some(connection) = self.wait_for(response.upgrade(), hear)? else { return Ok(answer) };
            let limits = WebSocketConfig::default().max_message_size(Some(MAX_WIRE_BYTES));
            let opened = WebSocketStream::from_raw_socket(connection.map_err(failed)?, Role::Client, Some(limits));
            let mut socket = self.runtime.block_on(opened);
            while let Some(Some(message)) = self.wait_for(socket.next(), hear)? {
                let flow = match message.map_err(failed)? {
                    Message::Text(lines) => lines.lines().try_for_each(|line| hear(Some(line))),
                    Message::Close(_) => break,
                    // A heartbeat.
                    _ => hear(None),
                };
                if flow.is_break() {
                    break;
                }
            }
            Ok(answer)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_a_scope_and_a_number() {
        assert_eq!(head("c/KOLAR/2019 57"), Some(("c/KOLAR/2019".parse().expect("a scope"), 57)));
        for other in ["", "org", "org x", "org 1 2", "x//KOLAR 1", "org -1"] {
            assert_eq!(head(other), None, "{other:?}");
        }
    }
}
