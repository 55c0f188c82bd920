//! Processes beside this one: the real server, and a phone whose memory can be told apart. Owns what `/proc` says about them.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use farmtally_core::client::{FieldClient, SyncOutcome, SyncReport};
use farmtally_core::environment::Environment;
use farmtally_core::sync::HttpTransport;

use crate::world::enrol;

/// The first argument of a process that is one phone.
pub(crate) const PHONE: &str = "--phone";

/// `farmtally-server serve`, until it is dropped.
pub(crate) struct ServerProcess {
    child: Child,
    pub(crate) url: String,
}

impl ServerProcess {
    pub(crate) fn start(folder: &Path) -> Self {
        let mut command = Command::new(server_binary());
        command.args(["serve", "--port", "0", "--data"]).arg(folder).env("RUST_LOG", "warn").stdout(Stdio::piped());
        let mut child = command.spawn().expect("a server");
        let mut said = String::new();
        BufReader::new(child.stdout.take().expect("its words")).read_line(&mut said).expect("an address");
        Self { child, url: said.trim().trim_end_matches('/').to_owned() }
    }

    pub(crate) fn peak_mib(&self) -> f64 {
        peak_mib(&self.child.id().to_string())
    }

    /// What all its threads computed so far.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        // After the name, which may hold anything; in hundredths of a second.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Duration::from_millis(10 * ticks)
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // One that has ended already is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The binary that the variable names, or one of the bench's own profile, which is built now: cargo builds no binaries of other packages.
fn server_binary() -> PathBuf {
    if let Some(named) = std::env::var_os("FARMTALLY_SERVER") {
        return named.into();
    }
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--package", "farmtally-sync-server", "--bin", "farmtally-server", "--profile", profile]);
    assert!(cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo").success(), "the server is built");
    let bench = std::env::current_exe().expect("this program");
    bench.ancestors().nth(2).expect("the folder of the profile").join("farmtally-server")
}

/// The most memory that a process ever had in use; not a number where the system does not tell.
fn peak_mib(process: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib / 1024.0)
}

/// A phone that talks HTTP, enrolled and with nothing read yet.
pub(crate) struct HttpPhone {
    client: FieldClient,
    transport: HttpTransport,
}

impl HttpPhone {
    pub(crate) fn enrol(folder: &Path, url: &str, code: &str) -> Self {
        let client = FieldClient::open(folder, Environment::system()).expect("a phone");
        let transport = HttpTransport::open().expect("a transport");
        enrol(&client, &transport, url, code);
        Self { client, transport }
    }

    /// Syncs until all is through; returns each attempt.
    pub(crate) fn syncs(&self) -> Vec<SyncReport> {
        let mut reports: Vec<SyncReport> = Vec::new();
        while reports.last().is_none_or(|report| report.outcome != SyncOutcome::Complete) {
            assert!(reports.len() < 20, "it never ends: {reports:?}");
            reports.push(self.client.sync(&self.transport, &|_| ()).expect("a sync"));
        }
        reports
    }
}

/// What a phone in a process of its own needed for its first sync.
pub(crate) struct Needed {
    pub(crate) took: Duration,
    /// Before it, and at its most.
    pub(crate) mib: [f64; 2],
}

/// Lets a phone in a process of its own sync for the first time.
pub(crate) fn first_sync(folder: &Path, url: &str, code: &str) -> Needed {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg(PHONE).arg(folder).args([url, code]);
    let output = command.stderr(Stdio::inherit()).output().expect("a phone");
    assert!(output.status.success(), "the phone failed");
    let said = String::from_utf8(output.stdout).expect("text");
    let numbers: Vec<f64> = said.split_whitespace().map(|number| number.parse().expect("a number")).collect();
    Needed { took: Duration::from_secs_f64(numbers[0]), mib: [numbers[1], numbers[2]] }
}

/// Is that phone: folder, address and code.
pub(crate) fn be_phone(arguments: &[String]) {
    let [folder, url, code] = arguments else { panic!("three arguments") };
    let phone = HttpPhone::enrol(Path::new(folder), url, code);
    let before = peak_mib("self");
    let begun = Instant::now();
    phone.syncs();
    println!("{} {before} {}", begun.elapsed().as_secs_f64(), peak_mib("self"));
}
