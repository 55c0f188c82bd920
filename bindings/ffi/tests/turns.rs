//! Calls of an event loop or isolate that ended without cancelling them keep nobody else waiting.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic: that is how they fail")]

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use farmtally_ffi::{
    ClientConfig, FieldClient, FieldError, KeyStore, KeyStoreError, Transport, TransportError, WireRequest,
    WireResponse,
};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};

/// A key store and a transport that answer once the gate is open.
struct Gate {
    asked: mpsc::UnboundedSender<()>,
    is_open: watch::Receiver<bool>,
}

impl Gate {
    async fn pass(&self) {
        self.asked.send(()).unwrap();
        self.is_open.clone().wait_for(|is_open| *is_open).await.unwrap();
    }
}

#[async_trait::async_trait]
impl Transport for Gate {
    async fn send(&self, _: WireRequest) -> Result<WireResponse, TransportError> {
        self.pass().await;
        Err(TransportError::NoConnection { reason: "no network".into() })
    }
}

#[async_trait::async_trait]
impl KeyStore for Gate {
    async fn load(&self) -> Result<Option<Vec<u8>>, KeyStoreError> {
        self.pass().await;
        Ok(Some(vec![7; 32]))
    }

    async fn save(&self, _: Vec<u8>) -> Result<(), KeyStoreError> {
        Ok(())
    }
}

fn gate() -> (Arc<Gate>, mpsc::UnboundedReceiver<()>, watch::Sender<bool>) {
    let ((asked, was_asked), (opens, is_open)) = (mpsc::unbounded_channel(), watch::channel(false));
    (Arc::new(Gate { asked, is_open }), was_asked, opens)
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("farmtally-turns-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn config(name: &str) -> ClientConfig {
    ClientConfig { data_dir: folder(name).display().to_string() }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

/// Held by a test that needs all turns on the network: two such tests at once would each wait for a turn of the other.
static ALL_NETWORK_TURNS: Mutex<()> = Mutex::new(());

/// Begins a call and never polls it again.
fn leaves<T>(call: impl Future<Output = T> + 'static) {
    let mut call = Box::pin(call);
    assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    std::mem::forget(call);
}

/// Fails instead of waiting forever.
async fn soon<T>(call: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), call).await.expect("the call never got its turn")
}

async fn enrols(client: Arc<FieldClient>) -> String {
    let enrolled = client.enrol("http://127.0.0.1:1".into(), "ABCD-EFGH-IJKL-MNOP".into(), "phone".into()).await;
    enrolled.err().map_or_else(String::new, |error| code(&error))
}

fn code(error: &FieldError) -> String {
    match error {
        FieldError::Unavailable { code, .. } => code.clone(),
        other => other.to_string(),
    }
}

#[test]
fn a_call_that_was_left_while_it_waited_for_the_network_keeps_no_turn() {
    let _turns = ALL_NETWORK_TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    runtime().block_on(async {
        let (gate, mut was_asked, opens) = gate();
        let client = FieldClient::open(config("network"), None, Some(gate)).await.unwrap();
        let running = [(); 2].map(|()| tokio::spawn(enrols(Arc::clone(&client))));
        for _ in &running {
            soon(was_asked.recv()).await;
        }
        for _ in 0..2 {
            leaves(enrols(Arc::clone(&client)));
        }
        opens.send(true).unwrap();
        for call in running {
            assert_eq!(soon(call).await.unwrap(), "offline");
        }
        assert_eq!(soon(enrols(client)).await, "offline");
    });
    std::fs::remove_dir_all(folder("network")).unwrap();
}

#[test]
fn cancelling_ends_enrolments_and_moves_that_wait_for_their_turn() {
    let _turns = ALL_NETWORK_TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    runtime().block_on(async {
        let (gate, mut was_asked, opens) = gate();
        let busy = FieldClient::open(config("busy"), None, Some(gate)).await.unwrap();
        let running = [(); 2].map(|()| tokio::spawn(enrols(Arc::clone(&busy))));
        for _ in &running {
            soon(was_asked.recv()).await;
        }
        let (other, mut other_was_asked, other_opens) = self::gate();
        let client = FieldClient::open(config("waiting"), None, Some(other)).await.unwrap();
        other_opens.send(true).unwrap();
        let waiting = enrols(Arc::clone(&client));
        let mut waiting = Box::pin(waiting);
        assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        client.cancel_sync().await.unwrap();
        opens.send(true).unwrap();
        for call in running {
            assert_eq!(soon(call).await.unwrap(), "offline");
        }
        assert_eq!(soon(waiting).await, "interrupted");
        assert!(other_was_asked.try_recv().is_err(), "nothing was sent");
    });
    for name in ["busy", "waiting"] {
        std::fs::remove_dir_all(folder(name)).unwrap();
    }
}

#[test]
#[cfg(feature = "encryption")]
fn an_opening_that_was_left_while_it_waited_for_its_key_store_keeps_no_turn() {
    runtime().block_on(async {
        let (gate, mut was_asked, opens) = gate();
        let opened = |name| FieldClient::open(config(name), Some(Arc::clone(&gate) as Arc<dyn KeyStore>), None);
        let running = tokio::spawn(opened("running"));
        soon(was_asked.recv()).await;
        leaves(opened("left"));
        opens.send(true).unwrap();
        soon(running).await.unwrap().unwrap().shut_down().await.unwrap();
        soon(opened("next")).await.unwrap().shut_down().await.unwrap();
    });
    for name in ["running", "left", "next"] {
        std::fs::remove_dir_all(folder(name)).unwrap();
    }
}
