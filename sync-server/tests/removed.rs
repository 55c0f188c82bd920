//! A running server whose files are removed or replaced: it accepts nothing more and says so, and phones keep what they recorded.

#![cfg(unix)]
#![expect(clippy::expect_used, reason = "tests may panic: that is how they fail")]

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use farmtally_core::client::{FarmerInput, FieldClient, SyncOutcome};
use farmtally_core::environment::Environment;
use farmtally_core::permission::Role;
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::sync::{Transport, TransportError, WireRequest, WireResponse};
use farmtally_core::units::OrganisationId;
use farmtally_sync_server::{ReferenceFile, Running, Server, serve};

/// A connection to a server in this process, with the statuses of its answers.
struct Direct<'a>(&'a Server, Mutex<Vec<u16>>);

impl Transport for Direct<'_> {
    fn send(&self, request: &WireRequest, _must_stop: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        let response = self.0.respond(request);
        self.1.lock().expect("a list").push(response.status);
        Ok(response)
    }
}

/// A server in `server` with one organisation, and the phone of Asha, who works at Kolar.
struct Market {
    folder: tempfile::TempDir,
    server: Arc<Server>,
    organisation: OrganisationId,
    asha: FieldClient,
}

impl Market {
    fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::open(&folder.path().join("server"), Environment::system()).expect("a server");
        let file = ReferenceFile::parse(r#"{"centres": [{"code": "KOLAR", "name": "Kolar"}]}"#).expect("data");
        let india = "IN".parse().expect("a country");
        let organisation = server.create_organisation("Kolar growers", &india, 330, None, &file).expect("created");
        let role: Role = "field_manager".parse().expect("a role");
        let code = server.create_code(organisation, "Asha", role, &["KOLAR".parse().expect("a code")]).expect("a code");
        let asha = FieldClient::open(&folder.path().join("phone"), Environment::system()).expect("a phone");
        asha.enrol(&Direct(&server, Mutex::default()), "http://server.test", &code, "test phone").expect("enrolled");
        let market = Self { folder, server: Arc::new(server), organisation, asha };
        assert!(market.syncs().iter().all(|status| *status < 500));
        market
    }

    fn data(&self, name: &str) -> PathBuf {
        self.folder.path().join("server/data").join(name)
    }

    fn database(&self) -> PathBuf {
        self.data(&format!("{}.db", self.organisation))
    }

    fn registers(&self, name: &str) {
        let details = ContactDetails {
            name: name.into(),
            village: "Vemagal".into(),
            phone: String::new(),
            ..ContactDetails::default()
        };
        let input = FarmerInput { centre: "KOLAR".parse().expect("a code"), details, tags: Vec::new() };
        self.asha.register_farmer(&input, &[]).expect("registered");
    }

    /// Statuses of the server's answers to a sync of Asha's phone.
    fn syncs(&self) -> Vec<u16> {
        let transport = Direct(&self.server, Mutex::default());
        let report = self.asha.sync(&transport, &|_| ()).expect("synced, or offline");
        let statuses = transport.1.into_inner().expect("a list");
        let is_refused = statuses.iter().any(|status| *status >= 400 && *status != 401);
        assert_eq!(report.outcome == SyncOutcome::Offline, is_refused, "{statuses:?}");
        statuses
    }

    /// Number of changes on Asha's phone that no server has accepted.
    fn waiting(&self) -> u64 {
        let backlog = self.asha.sync_status().expect("a status").backlog;
        backlog.unsent + backlog.sent
    }
}

/// The status line of an answer.
fn status(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.lines().next().expect("a line").to_owned()
}

/// Replaces a file by one with the same bytes.
fn replace(path: &Path) {
    let other = path.with_extension("other");
    fs::copy(path, &other).expect("copied");
    fs::rename(&other, path).expect("replaced");
}

type Removal = fn(&Market);

#[test]
fn a_server_whose_files_are_gone_accepts_nothing_and_says_so() {
    let removals: [(&str, Removal); 7] = [
        ("the folder", |it| fs::rename(it.data(""), it.folder.path().join("aside")).expect("moved")),
        ("the organisation's database", |it| fs::remove_file(it.database()).expect("removed")),
        ("the organisation's database replaced", |it| replace(&it.database())),
        ("the organisation's log", |it| fs::remove_file(it.database().with_extension("db-wal")).expect("removed")),
        ("control.db", |it| replace(&it.data("control.db"))),
        ("the journal", |it| fs::rename(it.data("../journal"), it.folder.path().join("aside")).expect("moved")),
        ("the journal's heads", |it| {
            fs::remove_file(it.data(&format!("../journal/{}.heads", it.organisation))).expect("removed");
        }),
    ];
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for (what, remove) in removals {
        let market = Market::open();
        let running = serve(Arc::clone(&market.server), Ipv4Addr::LOCALHOST.into(), 0);
        let running: Running = runtime.block_on(running).expect("it listens");
        assert_eq!(status(running.address(), "/healthz"), "HTTP/1.0 200 OK", "{what}");
        market.registers("Lakshmi Devi");
        remove(&market);
        let refused = market.syncs();
        assert_eq!(refused.last(), Some(&503), "{what}: {refused:?}");
        assert!(market.waiting() > 0, "{what}: the phone keeps what nobody accepted");
        for path in ["/healthz", "/"] {
            assert_eq!(status(running.address(), path), "HTTP/1.0 503 Service Unavailable", "{what}: {path}");
        }
        runtime.block_on(running.stop()).expect("it stops");
    }
}

#[test]
fn a_server_whose_folder_is_put_back_continues_and_loses_nothing() {
    let market = Market::open();
    market.registers("Lakshmi Devi");
    let aside = market.folder.path().join("aside");
    fs::rename(market.data(""), &aside).expect("moved");
    assert_eq!(market.syncs().last(), Some(&503));
    fs::rename(&aside, market.data("")).expect("put back");
    assert_eq!(market.syncs().last(), Some(&200));
    assert_eq!(market.waiting(), 0);
}
