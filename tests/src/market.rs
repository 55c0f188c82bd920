//! A market with a server, and fingerprints to compare replicas.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use farmtally_core::decisions::{Audience, DECISIONS, StoredAsInfo};
use farmtally_core::environment::Environment;
use farmtally_core::records::KINDS;
use farmtally_core::sync::WireRequest;
use farmtally_core::units::{OrganisationId, Timestamp};
use farmtally_sync_server::storage::Storage;
use farmtally_sync_server::{NamedUser, ReferenceFile, Server};
use tempfile::TempDir;

use crate::network::CurrentServer;
use crate::{Network, Person, TestClock, environment};

/// The address that phones get; the test's network leads to the server, whatever the address.
pub const ADDRESS: &str = "http://server.test";

/// One organisation with the centres KOLAR and MALUR, tomatoes, three lorries, and a server.
pub struct Market {
    /// Clock of all phones and the server.
    pub clock: Arc<TestClock>,
    /// The running server.
    pub server: Arc<Server>,
    /// The only organisation.
    pub organisation: OrganisationId,
    current: CurrentServer,
    open_storage: Option<OpenStorage>,
    server_folder: PathBuf,
    folder: TempDir,
    stuck: Arc<Mutex<Vec<WireRequest>>>,
    seed: u64,
    people: u64,
}

/// Opens the storage of a server in a folder.
type OpenStorage = Box<dyn Fn(&Path) -> Box<dyn Storage>>;

/// The market's reference data.
pub const REFERENCE: &str = r#"{
    "centres": [{"code": "KOLAR", "name": "Kolar"}, {"code": "MALUR", "name": "Malur"}],
    "commodities": [{"code": "TOMATO", "name": "Tomato"}],
    "seasons": [{"code": "2019", "commodity": "TOMATO", "from": "2019-01-01", "to": "2019-12-31"}],
    "lorries": [
        {"plate": "KA07A1111", "payload_g": 9000000},
        {"plate": "KA07A2222", "payload_g": 9000000},
        {"plate": "KA07A3333", "payload_g": 9000000}
    ],
    "rule_sets": [{
        "number": 1, "commodity": "TOMATO", "valid_from": "2016-01-01",
        "bag_types": [{"number": 0, "name": "crate", "tare_g": 1500}]
    }]
}"#;

impl Market {
    /// Opens the market at 06:30 Indian time on 9 May 2019.
    pub fn open(seed: u64) -> Self {
        Self::open_in_zone(330, seed)
    }

    /// Opens the market in a zone that is so many minutes ahead of UTC.
    pub fn open_in_zone(zone_minutes: i16, seed: u64) -> Self {
        Self::open_with(None, zone_minutes, seed)
    }

    /// Opens the market with the server's data on the storage that `open_storage` opens for the server's folder, at each start.
    pub fn open_over(open_storage: impl Fn(&Path) -> Box<dyn Storage> + 'static, seed: u64) -> Self {
        Self::open_with(Some(Box::new(open_storage)), 330, seed)
    }

    /// Opens a market whose server runs on a copy of the files in a folder.
    pub fn on_files(files: &Path, seed: u64) -> Self {
        let mut market = Self::open(seed);
        let folder = market.path_of("server of the files");
        copy_folder(files, &folder);
        market.starts_on(folder);
        let organisations = market.server.organisations().expect("organisations");
        market.organisation = *organisations.first().expect("an organisation");
        market
    }

    fn open_with(open_storage: Option<OpenStorage>, zone_minutes: i16, seed: u64) -> Self {
        let clock = TestClock::at(Timestamp(1_557_363_600_000));
        let folder = folder();
        let server_folder = folder.path().join("server");
        let server = open_server(open_storage.as_ref(), &server_folder, environment(&clock, seed));
        let file = ReferenceFile::parse(REFERENCE).expect("reference data");
        let organisation = server
            .create_organisation("Kolar growers", &"IN".parse().expect("a country"), zone_minutes, None, &file)
            .expect("an organisation");
        let server = Arc::new(server);
        Self {
            clock,
            current: Arc::new(RwLock::new(Arc::clone(&server))),
            server,
            organisation,
            open_storage,
            server_folder,
            folder,
            stuck: Arc::default(),
            seed: seed.wrapping_mul(1_000),
            people: 0,
        }
    }

    /// The path of a file or folder of this name beside the phones' folders, which have their persons' names. Creates nothing.
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of the running server: another one after the server was set back or lost its journal.
    pub fn server_folder(&self) -> PathBuf {
        self.server_folder.clone()
    }

    /// Copies the server's data as a backup would: without keys and journal. Not verified, so phones trim nothing. Returns the folder.
    pub fn backs_up(&self, name: &str) -> PathBuf {
        let copy = self.path_of(name);
        copy_folder(&self.server_folder.join("data"), &copy);
        copy
    }

    /// Makes two verified copies of all that the server has, so that phones trim it at their next sync.
    pub fn verifies_two_copies(&self) {
        for number in 0..2 {
            let mut folders = (number..).map(|number| self.path_of(&format!("verified copy {number}")));
            let copy = folders.find(|folder| !folder.exists()).expect("a name");
            self.server.back_up(&copy).expect("copied");
            self.server.verify(&copy).expect("verified");
        }
    }

    /// Sets the server back to a copy of its data, with its current journal if `with_journal`, otherwise with only the copy's heads in it.
    pub fn sets_back(&mut self, copy: &Path, with_journal: bool) {
        self.people += 1;
        let folder = self.path_of(&format!("server {}", self.people));
        copy_folder(copy, &folder.join("data"));
        copy_folder(&self.server_folder.join("keys"), &folder.join("keys"));
        if with_journal {
            copy_folder(&self.server_folder.join("journal"), &folder.join("journal"));
        } else {
            let db = rusqlite::Connection::open(copy.join(format!("{}.db", self.organisation))).expect("a copy");
            let mut statement = db
                .prepare("SELECT concat_ws(' ', scope, seq, lower(substr(hex(chain), 1, 16))) FROM scopes")
                .expect("a table");
            let heads = statement.query_map([], |row| row.get(0)).expect("rows").collect::<Result<Vec<String>, _>>();
            std::fs::create_dir(folder.join("journal")).expect("a folder");
            let file = folder.join("journal").join(format!("{}.heads", self.organisation));
            std::fs::write(file, heads.expect("heads").join("\n") + "\n").expect("a journal");
        }
        self.starts_on(folder);
    }

    /// Restarts the server without its journal.
    pub fn loses_its_journal(&mut self) {
        self.people += 1;
        let folder = self.path_of(&format!("server {}", self.people));
        for part in ["data", "keys"] {
            copy_folder(&self.server_folder.join(part), &folder.join(part));
        }
        self.starts_on(folder);
    }

    /// Restarts the server on the files that it has.
    pub fn restarts_server(&mut self) {
        self.starts_on(self.server_folder.clone());
    }

    fn starts_on(&mut self, folder: PathBuf) {
        self.server_folder = folder;
        let environment = environment(&self.clock, self.seed + self.people);
        self.server = Arc::new(open_server(self.open_storage.as_ref(), &self.server_folder, environment));
        *self.current.write().expect("a lock") = Arc::clone(&self.server);
    }

    /// The path of the organisation's database on the server.
    pub fn server_database(&self) -> PathBuf {
        self.server_folder().join("data").join(format!("{}.db", self.organisation))
    }

    /// A new connection to the server.
    pub fn network(&self) -> Network {
        Network::new(Arc::clone(&self.current), Arc::clone(&self.stuck))
    }

    /// Creates an enrolment code for the user of this name, who is added if new.
    pub fn code(&self, name: &str, role: &str, centre: &str) -> String {
        let (role, centres) = (role.parse().expect("a role"), [centre.parse().expect("a code")]);
        let known = self.server.users(self.organisation).expect("users");
        let known = known.iter().find(|user| user.name == name);
        let user: NamedUser<'_> = known.map_or(name.into(), |user| user.user_id.into());
        self.server.create_code(self.organisation, user, role, &centres).expect("a code")
    }

    /// A person with a phone that is not enrolled yet.
    pub fn meets(&mut self, name: &str) -> Person {
        let folder = self.path_of(name);
        self.revives(name, &folder)
    }

    /// A person whose app opens the files in a folder, whatever their state.
    pub fn revives(&mut self, name: &str, folder: &Path) -> Person {
        self.people += 1;
        let environment = environment(&self.clock, self.seed + self.people);
        Person::new(name, folder, environment, &self.clock, self.network())
    }

    /// A person with a phone that has a clock of its own and is enrolled at KOLAR.
    pub fn hires_with(&mut self, name: &str, role: &str, clock: &Arc<TestClock>) -> Person {
        self.people += 1;
        let environment = environment(clock, self.seed + self.people);
        let person = Person::new(name, &self.path_of(name), environment, clock, self.network());
        person.client.enrol(&person.network, ADDRESS, &self.code(name, role, "KOLAR"), "test phone").expect("enrolled");
        person
    }

    /// A person with a phone that is enrolled at KOLAR.
    pub fn hires(&mut self, name: &str, role: &str) -> Person {
        self.hires_at(name, role, "KOLAR")
    }

    /// A person with a phone that is enrolled at a centre. The person's methods record at KOLAR, unless [`Person::centre`] is set.
    pub fn hires_at(&mut self, name: &str, role: &str, centre: &str) -> Person {
        let person = self.meets(name);
        person.client.enrol(&person.network, ADDRESS, &self.code(name, role, centre), "test phone").expect("enrolled");
        person
    }
}

fn open_server(open_storage: Option<&OpenStorage>, folder: &Path, environment: Environment) -> Server {
    let server = match open_storage {
        None => Server::open(folder, environment),
        Some(open) => Server::with_storage(open(folder), folder, environment),
    };
    server.expect("a server")
}

/// Copies a folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let copy = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_folder(&path, &copy);
        } else {
            std::fs::copy(&path, copy).expect("copied");
        }
    }
}

/// The bytes of all files below a folder, one after the other in no certain order.
pub fn bytes_of(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(bytes_of(&path));
        } else {
            all.extend(std::fs::read(&path).expect("bytes"));
        }
    }
    all
}

/// A folder in memory where there is one: tests need not wait for a disk, and none of them simulates a power cut on real files.
pub(crate) fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder")
}

/// Heads of documents, rows of records and of scopes' decisions, erasures as text, equal in equal replicas; without logs, outbox, drafts.
pub fn fingerprint(path: &Path) -> String {
    let db =
        rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE).expect("it opens");
    fingerprint_of(&db)
}

/// Creates a view of the documents that reviews name.
const REVIEW_DOCUMENTS: &str = "CREATE TEMP VIEW IF NOT EXISTS review_documents AS
    SELECT document_id, review_id FROM reviews JOIN decision_documents USING (scope, seq) WHERE scope NOT LIKE 'd/%'";

/// The [`fingerprint`] of an open database.
pub(crate) fn fingerprint_of(db: &rusqlite::Connection) -> String {
    let mut tables =
        vec![("documents".to_owned(), "document_id, kind, scope, heads".to_owned(), "document_id".to_owned())];
    for kind in KINDS {
        let info = (kind.table)();
        let columns = [info.key, "scope", "conflicts"].into_iter().chain(info.columns.into_iter().map(|it| it.name));
        tables.push((info.name.to_owned(), columns.collect::<Vec<_>>().join(", "), info.key.to_owned()));
        if let Some(details) = (kind.details)() {
            let order = format!("{}, number", details.key);
            let columns = [order.as_str()].into_iter().chain(details.columns.iter().map(|it| it.name));
            tables.push((details.name.to_owned(), columns.collect::<Vec<_>>().join(", "), order));
        }
    }
    // Kinds that share a table are next to each other.
    tables.dedup();
    tables.push(("words".to_owned(), "document_id, scope, token".to_owned(), "document_id, token".to_owned()));
    for kind in DECISIONS {
        if let (Audience::Scope, StoredAsInfo::Rows(table)) = (kind.audience, (kind.stored)()) {
            let columns = table.columns.into_iter().map(|it| it.name).chain(["decided_at_ms"]);
            // Rows of a device's scope are on no other replica, and on the phone only until it takes a new key.
            let rows = format!("{} WHERE scope NOT LIKE 'd/%'", table.name);
            tables.push((rows, columns.collect::<Vec<_>>().join(", "), table.key.to_owned()));
        }
    }
    db.execute(REVIEW_DOCUMENTS, []).expect("a view");
    let columns = "document_id, review_id".to_owned();
    tables.push(("review_documents".to_owned(), columns.clone(), columns));
    tables.push(("erased".to_owned(), "document_id".to_owned(), "document_id".to_owned()));
    let mut text = String::new();
    for (table, columns, order) in tables {
        let columns: Vec<String> = columns
            .split(", ")
            .map(|it| format!("coalesce(iif(typeof({it}) = 'blob', hex({it}), {it}), '')"))
            .collect();
        let sql = format!("SELECT concat_ws('|', {}) FROM {table} ORDER BY {order}", columns.join(", "));
        let mut statement = db.prepare(&sql).expect("a table; a frozen database may lack it: just accept-databases");
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).expect("rows");
        let mut rows: Vec<String> = rows.collect::<Result<_, _>>().expect("rows");
        // A review of several centres has a row for each.
        rows.dedup();
        for row in rows {
            text.push_str(table.split(' ').next().unwrap_or_default());
            text.push('|');
            text.push_str(&row);
            text.push('\n');
        }
    }
    text
}
