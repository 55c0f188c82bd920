//! The live signal over real HTTP: a phone learns that there are updates, and fetches them by a sync.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::Duration;

use farmtally_core::Error;
use farmtally_core::client::SyncOutcome;
use farmtally_core::protocol::authorization::{Authorization, SignedRequest};
use farmtally_core::protocol::message::Challenge;
use farmtally_core::sync::HttpLive;
use farmtally_core::units::Grams;
use farmtally_tests::{Forger, Market, Person, Town};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::HandshakeError;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

/// Longest wait for an event that must come.
const PATIENCE: Duration = Duration::from_secs(60);
/// Wait within which the phone's own work would have woken it.
const OWN: Duration = Duration::from_millis(500);

/// Runs `story` while a phone listens; each wake is sent to its channel.
fn listening(person: &Person, story: impl FnOnce(&Receiver<()>)) -> Result<(), Error> {
    let (woken, wakes): (Sender<()>, _) = channel();
    let live = HttpLive::open().expect("a listener");
    std::thread::scope(|scope| {
        let listener = scope.spawn(|| person.client.listen(&live, &move || woken.send(()).expect("somebody waits")));
        // A failed story must not leave the listener running, or the scope would wait for it for ever.
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| story(&wakes)));
        person.client.stop_listening();
        let ended = listener.join().expect("no panic");
        told.unwrap_or_else(|failed| std::panic::resume_unwind(failed));
        ended
    })
}

/// A listener without the app.
struct Ear {
    socket: WebSocket<TcpStream>,
    /// Lines received and not read yet.
    lines: VecDeque<String>,
}

impl Ear {
    /// Opens the connection; the error is the HTTP status.
    fn open(town: &Town, authorization: Option<&str>) -> Result<Self, u16> {
        let stream = TcpStream::connect(town.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut request = format!("ws://{}/v1/live", town.address).into_client_request().expect("a request");
        if let Some(value) = authorization {
            request.headers_mut().insert("authorization", value.parse().expect("a header"));
        }
        match tungstenite::client(request, stream) {
            Ok((socket, _)) => Ok(Self { socket, lines: VecDeque::new() }),
            Err(HandshakeError::Failure(tungstenite::Error::Http(response))) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    fn of(town: &Town, forger: &Forger) -> Self {
        Self::open(town, Some(&signed(forger, forger.challenge(), "/v1/live"))).expect("upgraded")
    }

    /// The next line; `None` once the connection has ended.
    fn hears(&mut self) -> Option<String> {
        while self.lines.is_empty() {
            match self.socket.read() {
                Ok(Message::Text(text)) => self.lines.extend(text.lines().map(str::to_owned)),
                Ok(Message::Close(_)) | Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::Protocol(_)) => {
                    return None;
                }
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
        self.lines.pop_front()
    }

    /// The scopes named, up to the next line about the organisation.
    fn hears_of(&mut self) -> Vec<String> {
        let mut scopes = Vec::new();
        loop {
            let line = self.hears().expect("it continues");
            let (scope, _) = line.split_once(' ').expect("a scope and a number");
            if scope == "org" {
                return scopes;
            }
            scopes.push(scope.to_owned());
        }
    }
}

fn signed(forger: &Forger, challenge: Challenge, path: &str) -> String {
    let signed = SignedRequest { server_key: &forger.server_key, method: "GET", path, body: b"" };
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
        assert_eq!(wakes.recv_timeout(OWN), Err(RecvTimeoutError::Timeout), "woken by her own delivery");
        ravi.weighs(farmer, None, &[30_000]);
        ravi.syncs_wholly();
        wakes.recv_timeout(PATIENCE).expect("woken by the delivery");
        assert_eq!(asha.syncs().expect("a sync").progress.received, 1);
    });
    ended.expect("it was stopped");
    assert_eq!(asha.sum().gross_g, Grams(50_000));
}

#[test]
fn what_was_missed_before_listening_wakes_at_once() {
    let mut town = Town::open(2);
    let (asha, ravi) = (town.hires("Asha"), town.hires("Ravi"));
    ravi.registers("Lakshmi Devi", "Vemagal", "");
    ravi.syncs_wholly();
    // Her challenge has expired too, so she signs again with a new one.
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
        assert_eq!(Ear::open(&town, wrong).err(), Some(401), "{wrong:?}");
    }
    let good = signed(&forger, challenge, "/v1/live");
    assert_eq!(Ear::open(&town, Some(&good)).err(), None);
    town.market.clock.pass(49 * 3_600);
    assert_eq!(Ear::open(&town, Some(&good)).err(), Some(401), "a challenge lasts two days");
}

#[test]
fn a_listener_hears_only_of_what_its_device_may_read() {
    let mut town = Town::open(5);
    let (asha, ravi) = (town.hires("Asha"), town.hires("Ravi"));
    let farmer = ravi.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    ravi.syncs_wholly();
    let (forger, own) = (
        Forger::with_phone_of(&asha, &town.market),
        format!("d/{}", asha.client.session().expect("a session").device_id),
    );
    let mut ear = Ear::of(&town, &forger);
    assert_eq!(ear.hears_of(), ["c/KOLAR", own.as_str()], "the heads, to begin with");

    ravi.weighs(farmer, None, &[20_000]);
    ravi.syncs_wholly();
    town.announces();
    assert!(ear.hears_of().contains(&"c/KOLAR/2019".to_owned()), "while she may read it");

    town.market.server.revoke(town.market.organisation, forger.grant).expect("revoked");
    assert_eq!(ear.hears().expect("a line").split(' ').next(), Some(own.as_str()), "she is notified of the revocation");
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
    assert_eq!(Ear::open(&town, Some(&authorization)).err(), Some(429));
    let mut second = Ear::of(&town, &hers);
    while first.hears().is_some() {}
    second.hears_of();
    asha.syncs_wholly();
    ravi.syncs_wholly();
}

#[test]
fn a_request_that_asks_for_no_web_socket_is_refused() {
    let mut town = Town::open(7);
    let asha = town.hires("Asha");
    let forger = Forger::with_phone_of(&asha, &town.market);
    let authorization = signed(&forger, forger.challenge(), "/v1/live");
    let mut stream = TcpStream::connect(town.address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    write!(stream, "GET /v1/live HTTP/1.0\r\nauthorization: {authorization}\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.lines().next().is_some_and(|status| status.ends_with("400 Bad Request")), "{answer}");
}
