//! A market whose server listens on loopback.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use farmtally_sync_server::{ReferenceFile, Running, serve};
use tokio::runtime::Runtime;

use crate::{Market, Person};

/// Longest wait for the next bytes of an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A market with a server that also listens on HTTP; `Person::syncs` still reaches it within the process.
pub struct Town {
    /// The market behind the server.
    pub market: Market,
    /// Address of the server; the same after each start.
    pub address: SocketAddr,
    runtime: Runtime,
    running: Option<Running>,
    /// Notices published so far.
    notices: AtomicU64,
}

impl Town {
    /// Opens a market and starts its server on loopback.
    pub fn open(seed: u64) -> Self {
        Self::with(Market::open(seed))
    }

    /// Starts the server of a market on loopback.
    pub fn with(market: Market) -> Self {
        let runtime = Runtime::new().expect("threads");
        let running = on_loopback(&runtime, &market, 0);
        let address = running.address();
        Self { market, address, runtime, running: Some(running), notices: AtomicU64::default() }
    }

    /// A new field manager, with a phone enrolled at the server's real address.
    pub fn hires(&mut self, name: &str) -> Person {
        self.hires_as(name, "field_manager")
    }

    /// A new person in this role, with a phone enrolled at the server's real address.
    pub fn hires_as(&mut self, name: &str, role: &str) -> Person {
        let person = self.market.meets(name);
        let code = self.market.code(name, role, "KOLAR");
        let url = format!("http://{}", self.address);
        person.client.enrol(&person.network, &url, &code, "test phone").expect("enrolled");
        person
    }

    /// Stops the server's listener; within the process the server still answers.
    pub fn stops(&mut self) {
        let running = self.running.take().expect("a running server");
        self.runtime.block_on(running.stop()).expect("stopped in order");
    }

    /// Starts a listener for the market's current server at the same address.
    pub fn starts(&mut self) {
        self.running = Some(on_loopback(&self.runtime, &self.market, self.address.port()));
    }

    /// Publishes a notice with another text each time, which every phone may read.
    pub fn announces(&self) {
        let number = self.notices.fetch_add(1, Ordering::Relaxed);
        let file = format!(r#"{{"notices": [{{"code": "news", "text": "news {number}"}}]}}"#);
        let file = ReferenceFile::parse(&file).expect("a notice");
        self.market.server.update_reference(self.market.organisation, &file).expect("updated");
    }

    /// Sends bytes over a new connection. Returns the answer, read until the server closes it, switches to a WebSocket or is silent.
    pub fn answers(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        // The write may fail: a server does not read a body that it refuses.
        drop(stream.write_all(request));
        let (mut answer, mut bytes) = (Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = stream.read(&mut bytes) {
            answer.extend_from_slice(&bytes[..count]);
            if answer.starts_with(b"HTTP/1.1 101") && answer.windows(4).any(|it| it == b"\r\n\r\n") {
                break;
            }
        }
        answer
    }
}

fn on_loopback(runtime: &Runtime, market: &Market, port: u16) -> Running {
    let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
    runtime.block_on(serve(Arc::clone(&market.server), localhost, port)).expect("a free port")
}
