//! Other processes: the real server, and a phone whose memory is measured separately. Owns the reading of `/proc`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use farmtally_core::client::{FieldClient, SyncOutcome, SyncReport};
use farmtally_core::environment::Environment;
use farmtally_core::sync::HttpTransport;

use crate::world::enrol;

/// First argument of a process that is one phone.
pub(crate) const PHONE: &str = "--phone";

/// `farmtally-server serve` on a free port, killed when this is dropped.
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

    /// CPU time of all its threads so far.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        // After the name, which may contain any character; in hundredths of a second.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Duration::from_millis(10 * ticks)
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // An error means that it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Path of `FARMTALLY_SERVER`, or of a binary with the bench's profile, which is built now because cargo builds no binaries of other
/// packages.
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

/// Peak memory of a process in MiB; NaN where the system does not report it.
fn peak_mib(process: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib / 1024.0)
}

/// A phone over HTTP, enrolled and without a first sync.
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

    /// Syncs until all is sent and fetched. Returns the report of each attempt.
    pub(crate) fn syncs(&self) -> Vec<SyncReport> {
        let mut reports: Vec<SyncReport> = Vec::new();
        while reports.last().is_none_or(|report| report.outcome != SyncOutcome::Complete) {
            assert!(reports.len() < 20, "it never ends: {reports:?}");
            reports.push(self.client.sync(&self.transport, &|_| ()).expect("a sync"));
        }
        reports
    }
}

pub(crate) struct Needed {
    pub(crate) took: Duration,
    /// Before the sync, and at the peak.
    pub(crate) mib: [f64; 2],
}

/// Enrols a phone in its own process, and measures its first sync there.
pub(crate) fn first_sync(folder: &Path, url: &str, code: &str) -> Needed {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg(PHONE).arg(folder).args([url, code]);
    let output = command.stderr(Stdio::inherit()).output().expect("a phone");
    assert!(output.status.success(), "the phone failed");
    let said = String::from_utf8(output.stdout).expect("text");
    let numbers: Vec<f64> = said.split_whitespace().map(|number| number.parse().expect("a number")).collect();
    Needed { took: Duration::from_secs_f64(numbers[0]), mib: [numbers[1], numbers[2]] }
}

/// Runs this process as the phone of [`first_sync`], and prints its numbers; the arguments are folder, URL and code.
pub(crate) fn be_phone(arguments: &[String]) {
    let [folder, url, code] = arguments else { panic!("three arguments") };
    let phone = HttpPhone::enrol(Path::new(folder), url, code);
    let before = peak_mib("self");
    let begun = Instant::now();
    phone.syncs();
    println!("{} {before} {}", begun.elapsed().as_secs_f64(), peak_mib("self"));
}
