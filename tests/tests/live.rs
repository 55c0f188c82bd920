//! Listening: phones hear that there is news, over real HTTP; what the news is, the exchange fetches.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::Duration;

use farmtally_core::Error;
use farmtally_core::client::SyncOutcome;
use farmtally_core::protocol::authorization::{Authorization, Signed};
use farmtally_core::protocol::message::Challenge;
use farmtally_core::sync::HttpLive;
use farmtally_core::units::Grams;
use farmtally_sync_server::{ReferenceFile, Running, serve};
use farmtally_tests::{Forger, Market, Person, REFERENCE};
use tokio::runtime::Runtime;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);
/// Within this a phone would have been woken by its own work.
const OWN: Duration = Duration::from_millis(500);

/// A market whose server is on the network.
struct Town {
    market: Market,
    runtime: Runtime,
    running: Option<Running>,
    address: SocketAddr,
}

impl Town {
    fn open(seed: u64) -> Self {
        Self::with(Market::open(seed))
    }

    fn with(market: Market) -> Self {
        let runtime = Runtime::new().expect("threads");
        let running = on_loopback(&runtime, &market, 0);
        let address = running.address();
        Self { market, runtime, running: Some(running), address }
    }

    /// Somebody whose phone was told the server's real address.
    fn hires(&mut self, name: &str) -> Person {
        let person = self.market.meets(name);
        let code = self.market.code(name, "field_manager", "KOLAR");
        let url = format!("http://{}", self.address);
        person.client.enrol(&person.network, &url, &code, "test phone").expect("enrolled");
        person
    }

    fn stops(&mut self) {
        let running = self.running.take().expect("a running server");
        self.runtime.block_on(running.stop()).expect("stopped in order");
    }

    fn starts(&mut self) {
        self.running = Some(on_loopback(&self.runtime, &self.market, self.address.port()));
    }

    /// Something that everybody may read: the centres, once more.
    fn announces(&self) {
        let file = ReferenceFile::parse(REFERENCE).expect("reference data");
        self.market.server.update_reference(self.market.organisation, &file).expect("updated");
    }
}

fn on_loopback(runtime: &Runtime, market: &Market, port: u16) -> Running {
    let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
    runtime.block_on(serve(Arc::clone(&market.server), localhost, port)).expect("a free port")
}

/// Lets somebody listen while `story` runs; each wake comes through the channel.
fn listening(person: &Person, story: impl FnOnce(&Receiver<()>)) -> Result<(), Error> {
    let (woken, wakes): (Sender<()>, _) = channel();
    let live = HttpLive::open().expect("a listener");
    std::thread::scope(|scope| {
        let listener = scope.spawn(|| person.client.listen(&live, &move || woken.send(()).expect("somebody waits")));
        // A failed story must not leave the listener behind: the scope would wait for it for ever.
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| story(&wakes)));
        person.client.stop_listening();
        let ended = listener.join().expect("no panic");
        told.unwrap_or_else(|failed| std::panic::resume_unwind(failed));
        ended
    })
}

/// Somebody who listens by hand, to server-sent events.
struct Ear(BufReader<TcpStream>);

impl Ear {
    fn open(town: &Town, authorization: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(town.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let authorization = authorization.map_or_else(String::new, |value| format!("authorization: {value}\r\n"));
        write!(stream, "GET /v1/live HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{authorization}\r\n", town.address)
            .expect("sent");
        Self(BufReader::new(stream))
    }

    fn of(town: &Town, forger: &Forger) -> Self {
        let mut ear = Self::open(town, Some(&signed(forger, forger.challenge(), "/v1/live")));
        assert_eq!(ear.status(), 200);
        ear
    }

    fn status(&mut self) -> u16 {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("an answer");
        line.split(' ').nth(1).expect("a status").parse().expect("a number")
    }

    /// The next line that says something; `None` once the connection has ended.
    fn hears(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).expect("a line") == 0 {
                return None;
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return Some(data.trim_end().to_owned());
            }
        }
    }

    /// The scopes that are named, up to the next line about the organisation.
    fn hears_of(&mut self) -> Vec<String> {
        let mut scopes = Vec::new();
        loop {
            let line = self.hears().expect("it goes on");
            let (scope, _) = line.split_once(' ').expect("a scope and a number");
            if scope == "org" {
                return scopes;
            }
            scopes.push(scope.to_owned());
        }
    }
}

fn signed(forger: &Forger, challenge: Challenge, path: &str) -> String {
    let signed = Signed { server_key: &forger.server_key, method: "GET", path, body: b"" };
    Authorization::sign(&signed, forger.device, challenge, &forger.key).to_header()
}

#[test]
fn a_phone_is_woken_by_what_others_hand_over_and_not_by_its_own() {
    let mut town = Town::open(1);
    let (asha, ravi) = (town.hires("Asha"), town.hires("Ravi"));
    let farmer = ravi.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    let ended = listening(&asha, |wakes| {
        ravi.syncs_wholly();
        wakes.recv_timeout(PATIENCE).expect("woken by the farmer");
        asha.syncs_wholly();

        asha.weighs(farmer, None, &[20_000]);
        asha.syncs_wholly();
        assert!(wakes.recv_timeout(OWN).is_err(), "woken by her own delivery");
        ravi.weighs(farmer, None, &[30_000]);
        ravi.syncs_wholly();
        wakes.recv_timeout(PATIENCE).expect("woken by the delivery");
        assert_eq!(asha.syncs().expect("a sync").progress.received, 1);
    });
    ended.expect("it was stopped");
    assert_eq!(asha.sum().gross, Grams(50_000));
}

#[test]
fn what_was_missed_before_listening_wakes_at_once() {
    let mut town = Town::open(2);
    let (asha, ravi) = (town.hires("Asha"), town.hires("Ravi"));
    ravi.registers("Lakshmi Devi", "Vemagal", "");
    ravi.syncs_wholly();
    // Her challenge has expired too: she signs again with a fresh one.
    town.market.clock.pass(49 * 3_600);
    let ended = listening(&asha, |wakes| {
        wakes.recv_timeout(PATIENCE).expect("woken");
        assert_eq!(asha.syncs().expect("a sync").outcome, SyncOutcome::Complete);
    });
    ended.expect("it was stopped");
}

#[test]
fn the_server_stops_in_order_and_listeners_come_back() {
    let mut town = Town::open(3);
    let (asha, ravi) = (town.hires("Asha"), town.hires("Ravi"));
    let mut ear = Ear::of(&town, &Forger::with_phone_of(&ravi, &town.market));
    ear.hears_of();
    asha.syncs_wholly();
    let ended = listening(&asha, |wakes| {
        ravi.registers("Lakshmi Devi", "Vemagal", "");
        ravi.syncs_wholly();
        wakes.recv_timeout(PATIENCE).expect("woken");
        asha.syncs_wholly();
        town.stops();
        while ear.hears().is_some() {}

        ravi.registers("Ramesh", "Vemagal", "");
        ravi.syncs_wholly();
        assert_eq!(wakes.try_recv(), Err(TryRecvError::Empty), "nobody hears of it yet");
        town.starts();
        wakes.recv_timeout(PATIENCE).expect("connected again and woken");
        asha.syncs_wholly();
    });
    ended.expect("it was stopped");
}

#[test]
fn only_a_signed_request_is_listened_for() {
    let mut town = Town::open(4);
    let asha = town.hires("Asha");
    let forger = Forger::with_phone_of(&asha, &town.market);
    let challenge = forger.challenge();
    let mut bent = challenge;
    bent.0[20] ^= 1;
    let other_path = signed(&forger, challenge, "/v1/sync");
    let other_challenge = signed(&forger, bent, "/v1/live");
    for wrong in [None, Some("FarmTally x"), Some(&other_path), Some(&other_challenge)] {
        assert_eq!(Ear::open(&town, wrong).status(), 401, "{wrong:?}");
    }
    let good = signed(&forger, challenge, "/v1/live");
    assert_eq!(Ear::open(&town, Some(&good)).status(), 200);
    town.market.clock.pass(49 * 3_600);
    assert_eq!(Ear::open(&town, Some(&good)).status(), 401, "a challenge lasts two days");
}

#[test]
fn a_listener_hears_only_of_what_its_device_may_read() {
    let mut town = Town::open(5);
    let (asha, ravi) = (town.hires("Asha"), town.hires("Ravi"));
    let farmer = ravi.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    ravi.syncs_wholly();
    let (forger, own) =
        (Forger::with_phone_of(&asha, &town.market), format!("d/{}", asha.client.session().expect("a session").device));
    let mut ear = Ear::of(&town, &forger);
    assert_eq!(ear.hears_of(), ["c/KOLAR", own.as_str()], "the heads, to begin with");

    ravi.weighs(farmer, None, &[20_000]);
    ravi.syncs_wholly();
    town.announces();
    assert!(ear.hears_of().contains(&"c/KOLAR/2019".to_owned()), "while she may read it");

    town.market.server.revoke(town.market.organisation, forger.grant).expect("revoked");
    assert_eq!(ear.hears().expect("a line").split(' ').next(), Some(own.as_str()), "she is told of the revocation");
    ravi.weighs(farmer, None, &[21_000]);
    ravi.syncs_wholly();
    town.announces();
    assert_eq!(ear.hears_of(), Vec::<String>::new(), "no centre is named any more");
}

#[test]
fn a_device_has_one_place_and_there_are_only_so_many() {
    let market = Market::open(6);
    market.server.limit_listeners(1);
    let mut town = Town::with(market);
    let (asha, ravi) = (town.hires("Asha"), town.hires("Ravi"));
    let (hers, his) = (Forger::with_phone_of(&asha, &town.market), Forger::with_phone_of(&ravi, &town.market));
    let mut first = Ear::of(&town, &hers);
    let authorization = signed(&his, his.challenge(), "/v1/live");
    assert_eq!(Ear::open(&town, Some(&authorization)).status(), 429);
    let mut second = Ear::of(&town, &hers);
    while first.hears().is_some() {}
    second.hears_of();
    asha.syncs_wholly();
    ravi.syncs_wholly();
}

#[test]
fn a_web_socket_says_the_same() {
    let mut town = Town::open(7);
    let (asha, ravi) = (town.hires("Asha"), town.hires("Ravi"));
    let forger = Forger::with_phone_of(&asha, &town.market);
    let authorization = signed(&forger, forger.challenge(), "/v1/live");
    let address = town.address;
    town.runtime.block_on(async {
        let connect = async |authorization: Option<&str>| {
            let mut request = format!("ws://{address}/v1/live").into_client_request().expect("a request");
            if let Some(value) = authorization {
                request.headers_mut().insert("authorization", value.parse().expect("a header"));
            }
            let stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
            tokio_tungstenite::client_async(request, stream).await
        };
        match connect(None).await {
            Err(tungstenite::Error::Http(response)) => assert_eq!(response.status(), 401),
            other => panic!("{other:?}"),
        }
        let (mut socket, _) = connect(Some(&authorization)).await.expect("upgraded");
        let mut next = async || loop {
            let message = tokio::time::timeout(PATIENCE, futures_util::StreamExt::next(&mut socket)).await;
            match message.expect("it comes").expect("it goes on").expect("a message") {
                Message::Text(text) => return Some(text.to_string()),
                Message::Close(_) => return None,
                _ => {}
            }
        };
        let heads = next().await.expect("heads");
        assert!(heads.lines().any(|line| line.starts_with("org ")), "{heads}");
        tokio::task::block_in_place(|| {
            ravi.registers("Lakshmi Devi", "Vemagal", "");
            ravi.syncs_wholly();
        });
        let news = next().await.expect("news");
        assert_eq!(news.split(' ').next(), Some("c/KOLAR"), "{news}");
    });
    town.stops();
}
