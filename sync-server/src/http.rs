//! HTTP routes and limits, and the conversion of a request for [`Server::respond`].

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use farmtally_core::limits::MAX_WIRE_BYTES;
use farmtally_core::protocol::path;
use farmtally_core::sync::{CONTENT_TYPE, WireRequest, WireResponse};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinError, JoinSet};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::{RequestBodyTimeoutLayer, TimeoutLayer};

use crate::live::Listener;
use crate::page::PageQuery;
use crate::wire::{problem, public_reason};
use crate::{Error, Server};

/// Limit for one request including its body: the largest body takes over four minutes at 1,000 bytes per second.
const REQUEST_TIME: Duration = Duration::from_secs(300);
/// Limit for the time between two parts of a body.
const BODY_TIME: Duration = Duration::from_secs(30);
/// Limit for receiving a request head on an open connection; longer than a phone keeps an idle connection.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// Largest WebSocket message accepted; clients have no reason to send any.
const MAX_CLIENT_MESSAGE_BYTES: usize = 1024;
/// Headers of all answers but those to phones: a page runs no script, loads nothing, cannot be framed and is not cached.
const PAGE_HEADERS: [(header::HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
];
/// Time that running requests get to finish after a stop.
const STOP_TIME: Duration = Duration::from_secs(10);

/// A running server, until [`stop`](Self::stop) is called. Dropping this does not stop it.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    finished: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Returns the address on which it listens, with the port that was chosen if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting requests and waits up to ten seconds for running ones.
    ///
    /// # Errors
    /// [`Error::TaskFailed`] if the server had failed.
    pub async fn stop(self) -> Result<(), Error> {
        // Fails only if the server has already ended; its result follows.
        let _ended_already = self.stop.send(());
        match tokio::time::timeout(STOP_TIME, self.finished).await {
            Ok(ended) => Ok(ended?),
            // A connection still open has sent nothing for that long, so nothing is lost by closing it.
            Err(_elapsed) => Ok(()),
        }
    }

    /// Waits until the server ends by itself.
    ///
    /// # Errors
    /// [`Error::TaskFailed`] if it failed.
    pub async fn wait(&mut self) -> Result<(), Error> {
        Ok((&mut self.finished).await?)
    }
}

/// Starts answering on an address; port 0 chooses a free one.
///
/// # Errors
/// [`Error::Io`] if the address cannot be used.
pub async fn serve(server: Arc<Server>, host: IpAddr, port: u16) -> Result<Running, Error> {
    let taken = |source| Error::Io {
        what: format!("cannot listen on {host} port {port} (choose another with --port)"),
        source,
    };
    let listener = TcpListener::bind((host, port)).await.map_err(taken)?;
    let address = listener.local_addr().map_err(taken)?;
    let (stop, stopped) = oneshot::channel::<()>();
    let router = router(Arc::clone(&server));
    let finished = tokio::spawn(async move {
        let stopped = async move {
            // The sender is in `Running`. If that is dropped, the server continues until its runtime ends.
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
            server.listeners.end();
        };
        answer_until(stopped, listener, router).await;
    });
    Ok(Running { address, stop, finished })
}

/// Serves connections like `axum::serve`, but no client can occupy one by not sending a request head.
async fn answer_until(stopped: impl Future<Output = ()>, mut listener: TcpListener, router: Router) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
    let (stop, stopping) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut stopped = pin!(stopped);
    loop {
        let stream = tokio::select! {
            (stream, _from) = axum::serve::Listener::accept(&mut listener) => stream,
            Some(_ended) = connections.join_next() => continue,
            () = &mut stopped => break,
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
        let mut stopping = stopping.clone();
        connections.spawn(async move {
            let mut connection = pin!(connection);
            tokio::select! {
                // How the connection ends does not matter: the phone repeats what was not answered.
                _ended = connection.as_mut() => {}
                _stopping = stopping.changed() => {
                    connection.as_mut().graceful_shutdown();
                    drop(connection.await);
                }
            }
        });
    }
    drop((listener, stop));
    while connections.join_next().await.is_some() {}
}

fn router(server: Arc<Server>) -> Router {
    let answered = |path| post(move |server, headers, body| answer(server, path, headers, body));
    Router::new()
        .route("/", get(page))
        .route("/healthz", get(health))
        .route(path::ENROL, answered(path::ENROL))
        .route(path::SYNC, answered(path::SYNC))
        .route(path::LIVE, get(live))
        .route(path::REKEY, answered(path::REKEY))
        .route(path::WIPED, answered(path::WIPED))
        .route(path::READMIT, answered(path::READMIT))
        .layer(RequestBodyLimitLayer::new(MAX_WIRE_BYTES))
        .layer(RequestBodyTimeoutLayer::new(BODY_TIME))
        .layer(map_response(explain_too_large))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIME))
        .layer(map_response(with_page_headers))
        .with_state(server)
}

/// Adds the headers of the page to an answer that a browser may show. An answer to a phone goes without, because each byte costs.
async fn with_page_headers(mut response: Response) -> Response {
    let is_for_phones = response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == CONTENT_TYPE);
    if !is_for_phones && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        for (name, value) in PAGE_HEADERS {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }
    response
}

/// Gives a 413 of the body limit the same problem body as a request that is too large once unpacked.
async fn explain_too_large(response: Response) -> Response {
    let is_problem = response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == CONTENT_TYPE);
    if response.status() != StatusCode::PAYLOAD_TOO_LARGE || is_problem {
        return response;
    }
    refused(&Error::TooLarge { reason: format!("the request is larger than {MAX_WIRE_BYTES} bytes") })
}

async fn live(State(server): State<Arc<Server>>, upgrade: WebSocketUpgrade, headers: HeaderMap) -> Response {
    let request = wire("GET", path::LIVE, &headers, &[]);
    let listening = tokio::task::spawn_blocking(move || {
        server.listen(&request).map_err(|error| server.refuse(request.path, &error))
    });
    match listening.await {
        Ok(Ok(listener)) => {
            upgrade.max_message_size(MAX_CLIENT_MESSAGE_BYTES).on_upgrade(|socket| serve_socket(socket, listener))
        }
        Ok(Err(refused)) => carry(refused),
        Err(panic) => panicked(path::LIVE, panic),
    }
}

async fn serve_socket(mut socket: WebSocket, mut listener: Listener) {
    loop {
        let message = tokio::select! {
            said = listener.next() => match said {
                Some(said) if said.is_empty() => Message::Ping(Bytes::new()),
                Some(said) => Message::text(said),
                None => Message::Close(None),
            },
            // Incoming messages are read only so that pings are answered and a closed connection is noticed.
            heard = socket.recv() => match heard {
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return,
            },
        };
        let is_last = matches!(message, Message::Close(_));
        if socket.send(message).await.is_err() || is_last {
            return;
        }
    }
}

fn wire(method: &'static str, path: &'static str, headers: &HeaderMap, body: &[u8]) -> WireRequest {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    WireRequest { method, server_url: String::new(), path, authorization, body: body.to_vec() }
}

async fn answer(State(server): State<Arc<Server>>, path: &'static str, headers: HeaderMap, body: Bytes) -> Response {
    let request = wire("POST", path, &headers, &body);
    let answered = tokio::task::spawn_blocking(move || server.respond(&request)).await;
    answered.map_or_else(|panic| panicked(path, panic), carry)
}

/// Logs a panic, and refuses the request that ended in it.
fn panicked(path: &str, panic: JoinError) -> Response {
    let error = Error::from(panic);
    error.log(path);
    refused(&error)
}

fn refused(error: &Error) -> Response {
    carry(WireResponse::new(error.status(), problem(error)))
}

fn carry(answered: WireResponse) -> Response {
    let status = StatusCode::from_u16(answered.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = (header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    (status, [content_type], answered.body).into_response()
}

/// Answers `ok` while the server can accept what phones send, as far as it knows without writing.
async fn health(State(server): State<Arc<Server>>) -> Response {
    let checked = tokio::task::spawn_blocking(move || server.require_in_place()).await;
    match checked.unwrap_or_else(|failed| Err(failed.into())) {
        Ok(()) => "ok\n".into_response(),
        Err(error) => {
            error.log("/healthz");
            explained(&error)
        }
    }
}

/// Refuses a request of a browser or a monitor in words.
fn explained(error: &Error) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, public_reason(error) + "\n").into_response()
}

async fn page(State(server): State<Arc<Server>>, Query(query): Query<PageQuery>) -> Response {
    let rendered =
        tokio::task::spawn_blocking(move || server.require_in_place().and_then(|()| server.page(&query))).await;
    let error = match rendered.unwrap_or_else(|failed| Err(failed.into())) {
        Ok(html) => return Html(html).into_response(),
        Err(error) => error,
    };
    error.log("/");
    explained(&error)
}
