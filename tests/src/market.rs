//! A market with a server, and what must be equal everywhere.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use farmtally_core::decisions::{Audience, DECISIONS, StoredInfo};
use farmtally_core::environment::Environment;
use farmtally_core::records::KINDS;
use farmtally_core::sync::WireRequest;
use farmtally_core::units::{OrganisationId, Timestamp};
use farmtally_sync_server::storage::Storage;
use farmtally_sync_server::{NewCode, ReferenceFile, Server};
use tempfile::TempDir;

use crate::network::Address;
use crate::{Network, Person, TestClock, environment};

/// The address that phones are given; the test's network leads to the server whatever it says.
pub const ADDRESS: &str = "http://server.test";

/// One organisation with the centres KOLAR and MALUR, tomatoes, three lorries, and a server.
pub struct Market {
    /// Everybody's clock.
    pub clock: Arc<TestClock>,
    /// The server.
    pub server: Arc<Server>,
    /// Whose data it is.
    pub organisation: OrganisationId,
    address: Address,
    open_storage: Option<OpenStorage>,
    server_folder: PathBuf,
    folder: TempDir,
    stuck: Arc<Mutex<Vec<WireRequest>>>,
    seed: u64,
    people: u64,
}

/// Opens what a server in a folder keeps its data on.
type OpenStorage = Box<dyn Fn(&Path) -> Box<dyn Storage>>;

/// The market's reference data.
pub const REFERENCE: &str = r#"{
    "centres": [{"centre": "KOLAR", "name": "Kolar"}, {"centre": "MALUR", "name": "Malur"}],
    "commodities": [{"commodity": "TOMATO", "name": "Tomato"}],
    "seasons": [{"season": "2019", "commodity": "TOMATO", "from": "2019-01-01", "to": "2019-12-31"}],
    "lorries": [
        {"lorry": "KA07A1111", "payload_g": 9000000},
        {"lorry": "KA07A2222", "payload_g": 9000000},
        {"lorry": "KA07A3333", "payload_g": 9000000}
    ],
    "rule_sets": [{
        "number": 1, "commodity": "TOMATO", "valid_from": "2016-01-01",
        "bag_types": [{"number": 0, "name": "crate", "tare_g": 1500}]
    }]
}"#;

impl Market {
    /// Opens the market on 9 May 2019, half past six in the morning.
    pub fn open(seed: u64) -> Self {
        Self::open_with(None, seed)
    }

    /// The same with the server's data on another storage than files in its folder.
    pub fn open_over(open_storage: impl Fn(&Path) -> Box<dyn Storage> + 'static, seed: u64) -> Self {
        Self::open_with(Some(Box::new(open_storage)), seed)
    }

    /// The market of a server whose files are in a folder, on a copy of them.
    pub fn on_files(files: &Path, seed: u64) -> Self {
        let mut market = Self::open(seed);
        let folder = market.phone("server of the files");
        copy_folder(files, &folder);
        market.starts_on(folder);
        let organisations = market.server.organisations().expect("organisations");
        market.organisation = *organisations.first().expect("an organisation");
        market
    }

    fn open_with(open_storage: Option<OpenStorage>, seed: u64) -> Self {
        let clock = TestClock::at(Timestamp(1_557_363_600_000));
        let folder = folder();
        let server_folder = folder.path().join("server");
        let server = open_server(open_storage.as_ref(), &server_folder, environment(&clock, seed));
        let file = ReferenceFile::parse(REFERENCE).expect("reference data");
        let organisation = server.create_organisation("Kolar growers", 330, &file).expect("an organisation");
        let server = Arc::new(server);
        Self {
            clock,
            address: Arc::new(RwLock::new(Arc::clone(&server))),
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

    /// The folder of a phone.
    pub fn phone(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The server's folder.
    pub fn server_folder(&self) -> PathBuf {
        self.server_folder.clone()
    }

    /// A copy of the server's data as it is now, as a backup would hold it: neither keys nor journal.
    pub fn backs_up(&self, name: &str) -> PathBuf {
        let copy = self.phone(name);
        copy_folder(&self.server_folder.join("data"), &copy);
        copy
    }

    /// From here on two verified copies contain all that the server has.
    pub fn verifies_two_copies(&self) {
        for number in 0..2 {
            let mut folders = (number..).map(|number| self.phone(&format!("verified copy {number}")));
            let copy = folders.find(|folder| !folder.exists()).expect("a name");
            self.server.back_up(&copy).expect("copied");
            self.server.verify(&copy).expect("verified");
        }
    }

    /// The server is set back to a copy of its data; with its journal as it was, or with one that says no more than the data.
    pub fn sets_back(&mut self, copy: &Path, with_journal: bool) {
        self.people += 1;
        let folder = self.phone(&format!("server {}", self.people));
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
            std::fs::write(file, heads.expect("heads").join("\n")).expect("a journal");
        }
        self.starts_on(folder);
    }

    /// The server loses its journal, and is started again on the data as they are.
    pub fn loses_its_journal(&mut self) {
        self.people += 1;
        let folder = self.phone(&format!("server {}", self.people));
        for part in ["data", "keys"] {
            copy_folder(&self.server_folder.join(part), &folder.join(part));
        }
        self.starts_on(folder);
    }

    /// The server stops, and starts again on what it has.
    pub fn restarts_server(&mut self) {
        self.starts_on(self.server_folder.clone());
    }

    fn starts_on(&mut self, folder: PathBuf) {
        self.server_folder = folder;
        let environment = environment(&self.clock, self.seed + self.people);
        self.server = Arc::new(open_server(self.open_storage.as_ref(), &self.server_folder, environment));
        *self.address.write().expect("a lock") = Arc::clone(&self.server);
    }

    /// The server's database of the organisation.
    pub fn server_database(&self) -> PathBuf {
        self.server_folder().join("data").join(format!("{}.db", self.organisation))
    }

    /// A new way to the server.
    pub fn network(&self) -> Network {
        Network::new(Arc::clone(&self.address), Arc::clone(&self.stuck))
    }

    /// A code from the office.
    pub fn code(&self, name: &str, role: &str, centre: &str) -> String {
        let role = role.parse().expect("a role");
        let centres = vec![centre.parse().expect("a code")];
        let new = NewCode { user: name.to_owned(), role, centres };
        self.server.create_code(self.organisation, &new).expect("a code")
    }

    /// Somebody with a phone that is not enrolled yet.
    pub fn meets(&mut self, name: &str) -> Person {
        let folder = self.phone(name);
        self.revives(name, &folder)
    }

    /// The app on the files in a folder, whatever state they are in.
    pub fn revives(&mut self, name: &str, folder: &Path) -> Person {
        self.people += 1;
        let environment = environment(&self.clock, self.seed + self.people);
        Person::new(name, folder, environment, &self.clock, self.network())
    }

    /// Somebody with a phone that is enrolled at KOLAR.
    pub fn hires(&mut self, name: &str, role: &str) -> Person {
        self.hires_at(name, role, "KOLAR")
    }

    /// Somebody with a phone that is enrolled at a centre.
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

/// All bytes of all files below a folder.
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

/// A folder in memory where there is one: the tests wait for no disk, and none of them is about losing power.
pub(crate) fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder")
}

/// All documents and rows of a database as text: equal fingerprints are equal replicas.
pub fn fingerprint(path: &Path) -> String {
    let db =
        rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE).expect("it opens");
    fingerprint_of(&db)
}

/// The records that reviews name.
const REVIEW_DOCUMENTS: &str = "CREATE TEMP VIEW IF NOT EXISTS review_documents AS
    SELECT document_id, review_id FROM reviews JOIN decision_documents USING (scope, seq) WHERE scope NOT LIKE 'd/%'";

/// All documents and rows of an open database as text.
pub(crate) fn fingerprint_of(db: &rusqlite::Connection) -> String {
    let mut tables =
        vec![("documents".to_owned(), "document_id, kind, scope, heads".to_owned(), "document_id".to_owned())];
    for kind in KINDS {
        let info = (kind.table)();
        let columns = [info.key, "scope", "conflicts"].into_iter().chain(info.columns.into_iter().map(|it| it.name));
        tables.push((info.name.to_owned(), columns.collect::<Vec<_>>().join(", "), info.key.to_owned()));
    }
    tables.push(("words".to_owned(), "document_id, scope, token".to_owned(), "document_id, token".to_owned()));
    for kind in DECISIONS {
        if let (Audience::Scope, StoredInfo::Rows(table)) = (kind.audience, (kind.stored)()) {
            let columns = table.columns.into_iter().map(|it| it.name).chain(["decided_at_ms"]);
            // What is in a device's scope, no other replica has, and a phone only until it takes a new key.
            let rows = format!("{} WHERE scope NOT LIKE 'd/%'", table.name);
            tables.push((rows, columns.collect::<Vec<_>>().join(", "), table.key.to_owned()));
        }
    }
    db.execute(REVIEW_DOCUMENTS, []).expect("a view");
    let columns = "document_id, review_id".to_owned();
    tables.push(("review_documents".to_owned(), columns.clone(), columns));
    for (table, columns, order) in [
        ("named_decisions WHERE scope NOT LIKE 'd/%'", "scope, seq, decision", "scope, seq"),
        ("erased", "document_id", "document_id"),
    ] {
        tables.push((table.to_owned(), columns.to_owned(), order.to_owned()));
    }
    let mut text = String::new();
    for (table, columns, order) in tables {
        let columns: Vec<String> = columns
            .split(", ")
            .map(|it| format!("coalesce(iif(typeof({it}) = 'blob', hex({it}), {it}), '')"))
            .collect();
        let sql = format!("SELECT concat_ws('|', {}) FROM {table} ORDER BY {order}", columns.join(", "));
        let mut statement = db.prepare(&sql).expect("a table; a frozen database may lack it: just accept-databases");
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).expect("rows");
        for row in rows {
            text.push_str(table.split(' ').next().unwrap_or_default());
            text.push('|');
            text.push_str(&row.expect("a row"));
            text.push('\n');
        }
    }
    text
}
