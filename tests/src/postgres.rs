//! A PostgreSQL server for tests: on loopback, in a temporary folder, stopped with its last user.

use std::fs::File;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};
use std::time::{Duration, Instant};

use farmtally_sync_server::storage::postgres::{CONTROL, TABLES};
use postgres::{Client, Config, NoTls};
use tempfile::TempDir;

use crate::ddl;

/// The role that owns the tables.
pub const OWNER: &str = "farmtally_owner";
/// The role that the sync server connects as; row policies restrict it.
pub const SERVER: &str = "farmtally_server";
/// The role that row policies do not restrict.
pub const SUPERUSER: &str = "postgres";

const NOBODY: u32 = 65_534;
const START_LIMIT: Duration = Duration::from_secs(60);
const START_TRIES: u32 = 3;

/// A running PostgreSQL server. Its data is not durable: `fsync` is off.
pub struct PostgresServer {
    process: Child,
    port: u16,
    databases: AtomicU32,
    /// Deleted after the server has ended.
    _folder: TempDir,
}

impl PostgresServer {
    /// Starts a server. Returns `None`, and prints `SKIPPED: PostgreSQL: …` on standard error, if it is not installed or does not start.
    pub fn start() -> Option<Self> {
        match Self::try_start() {
            Ok(server) => Some(server),
            Err(reason) => {
                static SAID: Once = Once::new();
                // Not `eprintln!`, which the test harness captures.
                SAID.call_once(|| drop(writeln!(std::io::stderr(), "SKIPPED: PostgreSQL: {reason}")));
                None
            }
        }
    }

    /// Returns the server that all tests of a process share, started if none runs; it stops with the last [`Arc`]. `None` as in `start`.
    pub fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<PostgresServer>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return Some(running);
        }
        let started = Arc::new(Self::start()?);
        *shared = Arc::downgrade(&started);
        Some(started)
    }

    fn try_start() -> Result<Self, String> {
        let programs = find_programs().ok_or("initdb and postgres are not installed (Debian package: postgresql)")?;
        let folder = tempfile::Builder::new().prefix("farmtally-postgres-").tempdir().map_err(|it| it.to_string())?;
        let user = Unprivileged::owner_of(folder.path())?;
        let data = folder.path().join("data");
        let made = user
            .command(&programs.join("initdb"))
            .arg("--pgdata")
            .arg(&data)
            .args([
                "--username",
                SUPERUSER,
                "--auth",
                "trust",
                "--encoding",
                "UTF8",
                "--locale",
                "C.UTF-8",
                "--no-sync",
            ])
            .output()
            .map_err(|error| format!("initdb: {error}"))?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).trim().replace('\n', "; "));
        }
        let mut failure = String::new();
        for _ in 0..START_TRIES {
            match run(&user, &programs, folder.path(), &data) {
                Ok((process, port)) => {
                    let server = Self { process, port, databases: AtomicU32::new(0), _folder: folder };
                    server.create_roles();
                    return Ok(server);
                }
                Err(reason) => failure = reason,
            }
        }
        Err(failure)
    }

    fn create_roles(&self) {
        let mut client = self.connect(SUPERUSER, "postgres");
        let create = format!("CREATE ROLE {OWNER} LOGIN; CREATE ROLE {SERVER} LOGIN");
        client.batch_execute(&create).expect("roles are created");
    }

    /// The address on which the server listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The URL of a database, through `address`, which may be a proxy.
    pub fn url(role: &str, address: SocketAddr, database: &str) -> String {
        format!("postgresql://{role}@{address}/{database}")
    }

    /// Connects as a role.
    pub fn connect(&self, role: &str, database: &str) -> Client {
        connect(role, self.port, database).expect("the server takes connections")
    }

    /// Creates a database with the driver's tables and a translation of those of a SQLite schema. Returns its name.
    pub fn create_database(&self, sqlite_schema: &str) -> String {
        self.create_database_of(&[TABLES[0], &ddl::to_postgres(sqlite_schema)])
    }

    /// Creates a database with the shipped tables of the server. Returns its name.
    pub fn create_server_database(&self) -> String {
        self.create_database_of(&TABLES)
    }

    /// Copies a database to which no client is connected. Returns the copy's name.
    pub fn copy_database(&self, name: &str) -> String {
        let copy = format!("farmtally_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.connect(SUPERUSER, "postgres")
            .batch_execute(&format!("CREATE DATABASE {copy} OWNER {OWNER} TEMPLATE {name}"))
            .expect("a copy");
        copy
    }

    /// Drops a database and ends the connections to it.
    pub fn drop_database(&self, name: &str) {
        let drop = format!("DROP DATABASE {name} WITH (FORCE)");
        self.connect(SUPERUSER, "postgres").batch_execute(&drop).expect("dropped");
    }

    fn create_database_of(&self, tables: &[&str]) -> String {
        let name = format!("farmtally_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.connect(SUPERUSER, "postgres")
            .batch_execute(&format!("CREATE DATABASE {name} OWNER {OWNER}"))
            .expect("a database");
        let mut owner = self.connect(OWNER, &name);
        owner.batch_execute(CONTROL).expect("the driver's tables");
        for tables in tables {
            owner.batch_execute(tables).expect("tables");
        }
        let grant = format!(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {SERVER};
             REVOKE UPDATE, DELETE ON organisations FROM {SERVER}"
        );
        owner.batch_execute(&grant).expect("rights");
        name
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // SIGINT is a fast shutdown. The process is a child that was not waited for, so its id cannot be another's.
        let asked = Command::new("kill").args(["-INT", &self.process.id().to_string()]).status();
        if !asked.is_ok_and(|status| status.success()) {
            drop(self.process.kill());
        }
        drop(self.process.wait());
    }
}

/// The user that the server runs as, because PostgreSQL refuses root.
struct Unprivileged {
    is_root: bool,
}

impl Unprivileged {
    /// Returns the user to run as: the folder's owner, or instead of root nobody, which then owns the folder.
    fn owner_of(folder: &Path) -> Result<Self, String> {
        let is_root = folder.metadata().map_err(|error| error.to_string())?.uid() == 0;
        if is_root {
            chown(folder, Some(NOBODY), Some(NOBODY)).map_err(|error| format!("chown: {error}"))?;
        }
        Ok(Self { is_root })
    }

    fn command(&self, program: &Path) -> Command {
        if !self.is_root {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        let (user, group) = (format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"));
        command.args([&user, &group]).arg("--clear-groups").arg(program);
        // The user nobody may not enter a folder of root's.
        command.current_dir("/");
        command
    }
}

/// Starts `postgres` on a free port, and waits until it answers. Returns process and port.
fn run(user: &Unprivileged, programs: &Path, folder: &Path, data: &Path) -> Result<(Child, u16), String> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| format!("no free port: {error}"))?
        .port();
    let log = folder.join("log");
    let output = File::create(&log).map_err(|error| error.to_string())?;
    let mut process = user
        .command(&programs.join("postgres"))
        .arg("-D")
        .arg(data)
        .arg("-k")
        .arg(folder)
        .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
        .args(["-c", "max_connections=100", "-c", "deadlock_timeout=100ms", "-c", "shared_buffers=16MB"])
        .stdin(Stdio::null())
        .stdout(output.try_clone().map_err(|error| error.to_string())?)
        .stderr(output)
        .spawn()
        .map_err(|error| format!("postgres: {error}"))?;
    let until = Instant::now() + START_LIMIT;
    while process.try_wait().is_ok_and(|ended| ended.is_none()) && Instant::now() < until {
        if connect(SUPERUSER, port, "postgres").is_ok() {
            return Ok((process, port));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(process.kill());
    drop(process.wait());
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    Err(format!("postgres does not start: {}", said.lines().last().unwrap_or("it says nothing")))
}

fn connect(role: &str, port: u16, database: &str) -> Result<Client, postgres::Error> {
    Config::new().host("127.0.0.1").port(port).user(role).dbname(database).connect(NoTls)
}

/// Finds the folder of a server's programs: on the path, otherwise the newest where Debian installs them.
fn find_programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let has_both = |folder: &PathBuf| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    if let Some(folder) = std::env::split_paths(&path).find(has_both) {
        return Some(folder);
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |folder: &PathBuf| folder.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    versions.map(|version| version.path().join("bin")).filter(has_both).max_by_key(number)
}
