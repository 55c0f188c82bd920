//! The HTTP transport over real sockets, with a proxy on the way that hangs, cuts, compresses, relabels and slows down.

use std::io::{Read, Result, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use farmtally_core::ErrorCode;
use farmtally_core::client::{SyncBudget, SyncOptions, SyncOutcome, SyncReport};
use farmtally_core::environment::Clock;
use farmtally_core::sync::{HttpTimeouts, HttpTransport};
use farmtally_tests::{Person, TestClock, Town, gzip};

/// What the proxy does with one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Passes requests and responses.
    Passes,
    /// Reads the first request and never answers it.
    Hangs,
    /// Passes one response, reads the next request and closes the connection.
    ClosesAfterOne,
    /// Passes one response, reads the next request and never answers it.
    HangsAfterOne,
    /// Closes the connection in the middle of a response.
    CutsResponses,
    /// Compresses responses with gzip.
    Compresses,
    /// Gives responses the status 203.
    Relabels,
    /// Sends the head of a response, and then its body byte by byte; twenty seconds pass before each.
    Trickles,
    /// Sends the head of a response, and then its body byte by byte, each once the clock has moved.
    TricklesWithTheClock,
}

/// A proxy on loopback before the server of a town.
struct Proxy {
    address: SocketAddr,
    way: Arc<Mutex<Way>>,
    seen: Arc<Seen>,
    clock: Arc<TestClock>,
}

/// What the proxy has passed.
#[derive(Default)]
struct Seen {
    requests: AtomicUsize,
    /// Number of heads of responses that were sent before a body that trickles.
    heads: AtomicUsize,
}

impl Proxy {
    fn before(town: &Town) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let way = Arc::new(Mutex::new(Way::Passes));
        let clock = Arc::clone(&town.market.clock);
        let proxy = Self { address, way: Arc::clone(&way), seen: Arc::default(), clock: Arc::clone(&clock) };
        let (server, seen) = (town.address, Arc::clone(&proxy.seen));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (way, seen, clock) = (*way.lock().expect("a lock"), Arc::clone(&seen), Arc::clone(&clock));
                std::thread::spawn(move || drop(serve(client, server, way, &seen, &clock)));
            }
        });
        proxy
    }

    fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::SeqCst)
    }

    /// A transport that measures time by the town's clock.
    fn transport(&self) -> HttpTransport {
        HttpTransport::open_with(HttpTimeouts::default(), Arc::clone(&self.clock) as Arc<dyn Clock>)
            .expect("a transport")
    }

    /// The report of a sync during which `seconds` pass once its first request is here.
    fn sync_while_it_hangs(&self, person: &Person, transport: &HttpTransport, seconds: i64) -> SyncReport {
        let before = self.requests();
        std::thread::scope(|scope| {
            let running = scope.spawn(|| person.client.sync(transport, &|_| ()).expect("a report"));
            while self.requests() == before {
                std::thread::yield_now();
            }
            self.clock.pass(seconds);
            running.join().expect("no panic")
        })
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Chooses what happens to connections that are opened from now on.
    fn takes(&self, way: Way) {
        *self.way.lock().expect("a lock") = way;
    }
}

fn serve(mut client: TcpStream, server: SocketAddr, way: Way, seen: &Seen, clock: &TestClock) -> Result<()> {
    client.set_nodelay(true)?;
    for number in 0.. {
        let Some(request) = read_message(&mut client)? else { return Ok(()) };
        seen.requests.fetch_add(1, Ordering::SeqCst);
        let hangs = way == Way::Hangs || way == Way::HangsAfterOne && number == 1;
        if hangs {
            // Until the phone closes the connection.
            client.read_to_end(&mut Vec::new())?;
            return Ok(());
        }
        if way == Way::ClosesAfterOne && number == 1 {
            return Ok(());
        }
        let mut server = TcpStream::connect(server)?;
        server.write_all(&request)?;
        let response = read_message(&mut server)?.unwrap_or_default();
        let (status, body) = parts(&response);
        match way {
            Way::CutsResponses => return client.write_all(&response[..response.len() - body.len() / 2]),
            Way::Compresses => write(&mut client, status, "content-encoding: gzip\r\n", &gzip(body))?,
            Way::Relabels => write(&mut client, if status == "200" { "203" } else { status }, "", body)?,
            Way::Trickles | Way::TricklesWithTheClock => {
                client.write_all(&response[..response.len() - body.len()])?;
                let mut shown_ms = clock.boot_ms();
                seen.heads.fetch_add(1, Ordering::SeqCst);
                for byte in body {
                    if way == Way::Trickles {
                        clock.pass(20);
                    }
                    while clock.boot_ms() == shown_ms {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    shown_ms = clock.boot_ms();
                    client.write_all(&[*byte])?;
                }
            }
            _ => client.write_all(&response)?,
        }
    }
    Ok(())
}

fn write(client: &mut TcpStream, status: &str, headers: &str, body: &[u8]) -> Result<()> {
    let head = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n", body.len());
    client.write_all(&[head.as_bytes(), body].concat())
}

/// Reads one HTTP message with a content length; `None` if the connection was closed before it.
fn read_message(stream: &mut TcpStream) -> Result<Option<Vec<u8>>> {
    let (mut message, mut bytes) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut bytes)?;
        if count == 0 {
            return Ok(None);
        }
        message.extend_from_slice(&bytes[..count]);
        let Some(head) = message.windows(4).position(|it| it == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&message[..head]).to_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if message.len() >= head + 4 + length.unwrap_or(0) {
            return Ok(Some(message));
        }
    }
}

fn parts(response: &[u8]) -> (&str, &[u8]) {
    let head = response.windows(4).position(|it| it == b"\r\n\r\n").expect("a head");
    (std::str::from_utf8(&response[9..12]).expect("a status"), &response[head + 4..])
}

/// A person whose phone is enrolled at the proxy's address.
fn hires(town: &mut Town, proxy: &Proxy, name: &str) -> Person {
    let person = town.market.meets(name);
    let code = town.market.code(name, "field_manager", "KOLAR");
    person.client.enrol(&person.network, &proxy.url(), &code, "test phone").expect("enrolled");
    person
}

#[test]
fn answers_that_a_proxy_compressed_or_relabelled_are_read() {
    let mut town = Town::open(1);
    let proxy = Proxy::before(&town);
    let asha = hires(&mut town, &proxy, "Asha");
    for way in [Way::Compresses, Way::Relabels] {
        proxy.takes(way);
        asha.registers("Lakshmi Devi", "Vemagal", "");
        let report = asha.client.sync(&proxy.transport(), &|_| ()).expect("a report");
        assert_eq!(report.outcome, SyncOutcome::Complete, "{way:?}");
    }
}

#[test]
fn an_answer_that_breaks_off_is_interrupted_and_no_server_at_all_is_offline() {
    let mut town = Town::open(2);
    let proxy = Proxy::before(&town);
    let asha = town.market.meets("Asha");
    let code = town.market.code("Asha", "clerk", "KOLAR");
    let transport = proxy.transport();
    let enrols = |url: &str| asha.client.enrol(&transport, url, &code, "test phone").expect_err("no answer").code();
    proxy.takes(Way::CutsResponses);
    assert_eq!(enrols(&proxy.url()), ErrorCode::Interrupted);
    assert_eq!(enrols("http://127.0.0.1:1"), ErrorCode::Offline);
}

/// A person who has synced over a transport whose connection dies unnoticed, and has something to send.
fn syncs_over_a_connection_that_dies(town: &mut Town, proxy: &Proxy, way: Way) -> (Person, HttpTransport) {
    let asha = hires(town, proxy, "Asha");
    let transport = proxy.transport();
    proxy.takes(way);
    assert_eq!(asha.client.sync(&transport, &|_| ()).expect("a report").outcome, SyncOutcome::Complete);
    asha.registers("Lakshmi Devi", "Vemagal", "");
    (asha, transport)
}

#[test]
fn a_connection_that_has_died_in_the_pool_is_replaced() {
    // Idle for so many seconds, and then silent for so many.
    let (at_once, doubted, trusted) = ((0, 0), (5, 20), (0, 40));
    for (seed, way, (idle, silent)) in
        [(3, Way::ClosesAfterOne, at_once), (8, Way::HangsAfterOne, doubted), (9, Way::HangsAfterOne, trusted)]
    {
        let mut town = Town::open(seed);
        let proxy = Proxy::before(&town);
        let (asha, transport) = syncs_over_a_connection_that_dies(&mut town, &proxy, way);
        let before = proxy.requests();
        town.market.clock.pass(idle);
        let report = proxy.sync_while_it_hangs(&asha, &transport, silent);
        assert_eq!(report.outcome, SyncOutcome::Complete, "{way:?} {idle}");
        assert_eq!(proxy.requests(), before + 2, "{way:?} {idle}: on the old connection, and on a new one");
    }
}

#[test]
fn a_phone_that_slept_for_an_hour_uses_no_connection_from_before() {
    let mut town = Town::open(10);
    let proxy = Proxy::before(&town);
    let (asha, transport) = syncs_over_a_connection_that_dies(&mut town, &proxy, Way::HangsAfterOne);
    let before = proxy.requests();
    town.market.clock.pass(3_600);
    let report = asha.client.sync(&transport, &|_| ()).expect("a report");
    assert_eq!((report.outcome, proxy.requests()), (SyncOutcome::Complete, before + 1));
}

#[test]
fn cancelling_ends_a_sync_that_waits_for_an_answer() {
    let mut town = Town::open(4);
    let proxy = Proxy::before(&town);
    let asha = hires(&mut town, &proxy, "Asha");
    proxy.takes(Way::Hangs);
    let transport = proxy.transport();
    let outcome = std::thread::scope(|scope| {
        let running = scope.spawn(|| asha.client.sync(&transport, &|_| ()).expect("a report").outcome);
        while proxy.requests() == 0 {
            std::thread::yield_now();
        }
        asha.client.cancel_sync();
        running.join().expect("no panic")
    });
    assert_eq!(outcome, SyncOutcome::Cancelled);
}

#[test]
fn a_budget_ends_a_sync_that_waits_for_an_answer() {
    let mut town = Town::open(5);
    let proxy = Proxy::before(&town);
    let asha = hires(&mut town, &proxy, "Asha");
    proxy.takes(Way::Hangs);
    let transport = proxy.transport();
    let budget = SyncBudget { time_ms: 10_000, ..SyncBudget::default() };
    let options = SyncOptions { is_manual: true, budget, ..SyncOptions::default() };
    std::thread::scope(|scope| {
        let running = scope.spawn(|| asha.client.sync_with(&transport, &options, &|_| ()).expect("a report").outcome);
        while proxy.requests() == 0 {
            std::thread::yield_now();
        }
        town.market.clock.pass(10);
        assert_eq!(running.join().expect("no panic"), SyncOutcome::Partial);
    });
}

#[test]
fn an_answer_that_takes_longer_than_any_silence_is_read() {
    let mut town = Town::open(6);
    let proxy = Proxy::before(&town);
    let asha = hires(&mut town, &proxy, "Asha");
    proxy.takes(Way::Trickles);
    let before_ms = town.market.clock.boot_ms();
    let report = asha.client.sync(&proxy.transport(), &|_| ()).expect("a report");
    assert_eq!(report.outcome, SyncOutcome::Complete);
    let took_ms = town.market.clock.boot_ms() - before_ms;
    assert_eq!(took_ms, 20_000 * report.progress.bytes_down, "twenty seconds a byte, thirty would be too long");
    proxy.takes(Way::Hangs);
    let report = proxy.sync_while_it_hangs(&asha, &proxy.transport(), 40);
    assert_eq!(report.outcome, SyncOutcome::Offline);
}

#[test]
fn cancelling_or_a_spent_budget_ends_a_sync_whose_answer_trickles() {
    let mut town = Town::open(7);
    let proxy = Proxy::before(&town);
    let asha = hires(&mut town, &proxy, "Asha");
    // An answer that is never silent for long.
    proxy.takes(Way::TricklesWithTheClock);
    let budget = SyncBudget { time_ms: 10_000, ..SyncBudget::default() };
    let options = SyncOptions { is_manual: true, budget, ..SyncOptions::default() };
    let stops: [(&dyn Fn(), SyncOutcome); 2] = [
        (&|| asha.client.cancel_sync(), SyncOutcome::Cancelled),
        (&|| town.market.clock.pass(10), SyncOutcome::Partial),
    ];
    for (stop, expected) in stops {
        let before = proxy.seen.heads.load(Ordering::SeqCst);
        let transport = proxy.transport();
        let report = std::thread::scope(|scope| {
            let running = scope.spawn(|| asha.client.sync_with(&transport, &options, &|_| ()).expect("a report"));
            while proxy.seen.heads.load(Ordering::SeqCst) == before {
                std::thread::yield_now();
            }
            stop();
            while !running.is_finished() {
                town.market.clock.pass_ms(10);
                std::thread::yield_now();
            }
            running.join().expect("no panic")
        });
        assert_eq!((report.outcome, report.progress.bytes_down), (expected, 0), "the rest is not awaited");
    }
}
