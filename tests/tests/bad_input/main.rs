//! Bad input at every command of the phone: a typed error that names the field, and nothing written.
//!
//! Owns the list of commands: a new one fails the first test until it has cases here. Does not own limits, whose edges are tested in
//! `limits.rs`, or the reading of text as numbers, which is tested in `bindings/ffi/src/names.rs`.

mod deliveries;
mod others;
mod simple;

use std::collections::BTreeSet;
use std::path::Path;

use farmtally_core::client::{Basis, DeliveryView, FarmerView, LoadEdit, LoadView, SimpleView};
use farmtally_core::permission::Role;
use farmtally_core::records::LorryRequest;
use farmtally_core::rules::Check;
use farmtally_core::units::{DeliveryId, DocumentId, FarmerId, LoadId};
use farmtally_core::{Error, ErrorCode};
use farmtally_tests::samples::{Sample, Subjects};
use farmtally_tests::{Market, Person};
use sha2::{Digest, Sha256};

/// Commands without any input that could be bad, and those that only exchange with the server or open files.
const WITHOUT_INPUT: [&str; 9] = [
    "cancel_sync",
    "export_parcel",
    "listen",
    "open",
    "open_encrypted",
    "parcel_qr_frames",
    "rebuild",
    "sync",
    "sync_with",
];

/// Calls that write nothing.
const READS: [&str; 41] = [
    "access",
    "allowance",
    "cash_book",
    "container_balances",
    "date",
    "day_book",
    "deliveries",
    "deliveries_in_doubt",
    "delivery",
    "drafts",
    "events",
    "export_report",
    "farmer",
    "farmer_balance",
    "farmers",
    "held_record",
    "import_progress",
    "inbox",
    "load",
    "loads",
    "manifest",
    "order",
    "propose_supply",
    "queue_position",
    "receipt",
    "reference",
    "refresh_day_and_access",
    "report",
    "session",
    "simple_record",
    "simple_records",
    "statement",
    "stop_listening",
    "sync_status",
    "ticket",
    "today",
    "track",
    "track_points",
    "users",
    // The same calls with a ticket.
    "enrol_with",
    "set_server_url_with",
];

/// A call with bad input.
type Call = Box<dyn Fn(&Yard) -> Result<(), Error>>;

/// A call with bad input, and the error that it must return.
struct Case {
    command: &'static str,
    /// The field of an `Invalid` or `TooLarge`, otherwise the code; `ok` if it is no error, and nothing is to be done.
    expected: &'static str,
    /// What is bad about it.
    what: String,
    call: Call,
}

/// Collects the cases of commands.
#[derive(Default)]
struct Cases(Vec<Case>);

impl Cases {
    /// Adds a case.
    fn add<T>(
        &mut self,
        command: &'static str,
        expected: &'static str,
        what: &str,
        call: impl Fn(&Yard) -> Result<T, Error> + 'static,
    ) {
        let call: Call = Box::new(move |yard| call(yard).map(drop));
        self.0.push(Case { command, expected, what: what.to_owned(), call });
    }

    /// Adds a case for each bad text in a field of free text.
    fn texts<T: 'static>(
        &mut self,
        command: &'static str,
        field: &'static str,
        is_required: bool,
        call: impl Fn(&Yard, &str) -> Result<T, Error> + Copy + 'static,
    ) {
        let empty = if is_required { EMPTY_TEXTS.as_slice() } else { &[] };
        let huge =
            [(String::from("ten million letters"), "x".repeat(10_000_000)), ("too long".into(), "ಟ".repeat(201))];
        let bad = BAD_TEXTS.iter().chain(empty).map(|text| (format!("{text:?}"), (*text).to_owned()));
        for (what, text) in bad.chain(huge) {
            self.add(command, field, &format!("{field} {what}"), move |yard| call(yard, &text));
        }
    }

    /// Adds a case for each bad id of a record.
    fn ids<T: 'static>(
        &mut self,
        command: &'static str,
        field: &'static str,
        is: Subject,
        call: impl Fn(&Yard, DocumentId) -> Result<T, Error> + Copy + 'static,
    ) {
        for bad in BadId::ALL {
            if !bad.is_of(is) {
                self.add(command, field, &format!("{field} {bad:?}"), move |yard| call(yard, yard.id(bad)));
            }
        }
    }

    /// Adds a case for each basis that is not that of a record of this kind as it is now.
    fn bases<T: 'static>(
        &mut self,
        command: &'static str,
        is: Subject,
        call: impl Fn(&Yard, Basis) -> Result<T, Error> + Copy + 'static,
    ) {
        for bad in BadId::ALL {
            if !bad.is_of(is) {
                let basis = move |yard: &Yard| Basis { document_id: yard.id(bad), version: [0; 8] };
                self.add(command, "not_found", &format!("basis {bad:?}"), move |yard| call(yard, basis(yard)));
            }
        }
        let stale = move |yard: &Yard| Basis { version: [0xff; 8], ..yard.basis(is) };
        self.add(command, "stale", "the basis of a version that never was", move |yard| call(yard, stale(yard)));
    }
}

/// Control characters and line breaks, which no text has.
const BAD_TEXTS: [&str; 6] = ["a\0b", "two\nlines", "a\u{2028}b", "a\u{1b}[31mb", "a\u{85}b", "a\u{7f}b"];
/// Texts that show nothing.
const EMPTY_TEXTS: [&str; 4] = ["", " \t ", "\u{200b}\u{202e}\u{feff}", "\u{3164}"];

/// Kind of the record that a command changes or names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Draft,
    Delivery,
    Load,
    Farmer,
}

/// Ids of other records than the one that a command changes or names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BadId {
    Unknown,
    Zeros,
    Ones,
    Draft,
    Delivery,
    Load,
    Farmer,
    User,
    DeliveryOfMalur,
    LoadOfMalur,
    FarmerOfMalur,
}

impl BadId {
    const ALL: [Self; 11] = [
        Self::Unknown,
        Self::Zeros,
        Self::Ones,
        Self::Draft,
        Self::Delivery,
        Self::Load,
        Self::Farmer,
        Self::User,
        Self::DeliveryOfMalur,
        Self::LoadOfMalur,
        Self::FarmerOfMalur,
    ];

    fn is_of(self, subject: Subject) -> bool {
        matches!(
            (self, subject),
            (Self::Draft, Subject::Draft)
                | (Self::Delivery, Subject::Delivery)
                | (Self::Load, Subject::Load)
                | (Self::Farmer, Subject::Farmer)
        )
    }
}

/// A phone at KOLAR with a record of each kind, and with records of MALUR that its current user may not see.
struct Yard {
    market: Market,
    asha: Person,
    /// A phone that is not enrolled.
    new: Person,
    farmer: FarmerView,
    other_farmer: FarmerId,
    draft: DeliveryView,
    delivery: DeliveryView,
    load: LoadView,
    empty_load: LoadView,
    departed: LoadView,
    request: SimpleView<LorryRequest>,
    malur: (DeliveryId, LoadId, FarmerId),
    malur_join_code: String,
}

impl Yard {
    fn open(seed: u64) -> Self {
        let mut market = Market::open(seed);
        let (asha, new) = (market.hires("Asha", "dispatcher"), market.meets("New"));
        let farmer = asha.registers("Lakshmi Devi", "Vemagal", "");
        let other_farmer = asha.registers("Muniyappa", "Hudukula", "").farmer_id;
        let (load, empty_load, departed) = (asha.opens("KA07A1111"), asha.plans("KA07A2222"), asha.opens("KA07A3333"));
        let depart = LoadEdit::Depart { odometer_km: None };
        let departed = asha.client.change_load(departed.basis, &depart, &Check::ALL).expect("departed");
        let delivery = asha.weighs(farmer.farmer_id, Some(load.load_id), &[20_000, 21_000]);
        let (malur, malur_join_code) = of_malur(&market, &asha);
        let draft = asha.starts(Some(farmer.farmer_id), None);
        let (kolar, delivery_id) = ("KOLAR".parse().expect("a code"), delivery.delivery_id);
        let subjects = Subjects { delivery: delivery_id, load: load.load_id, farmer: farmer.farmer_id };
        let request = LorryRequest::valid(&subjects).recorded_by(&asha.client, &kolar).expect("requested");
        let load = asha.client.load(load.load_id).expect("a load");
        Self {
            market,
            asha,
            new,
            farmer,
            other_farmer,
            draft,
            delivery,
            load,
            empty_load,
            departed,
            request,
            malur,
            malur_join_code,
        }
    }

    fn id(&self, id: BadId) -> DocumentId {
        match id {
            BadId::Unknown => [7; 16].into(),
            BadId::Zeros => [0; 16].into(),
            BadId::Ones => [0xff; 16].into(),
            BadId::Draft => self.draft.delivery_id.into(),
            BadId::Delivery => self.delivery.delivery_id.into(),
            BadId::Load => self.load.load_id.into(),
            BadId::Farmer => self.farmer.farmer_id.into(),
            BadId::User => {
                let user = self.asha.client.session().expect("a session").user_id;
                (*user.as_bytes()).into()
            }
            BadId::DeliveryOfMalur => self.malur.0.into(),
            BadId::LoadOfMalur => self.malur.1.into(),
            BadId::FarmerOfMalur => self.malur.2.into(),
        }
    }

    fn basis(&self, subject: Subject) -> Basis {
        match subject {
            Subject::Draft => self.draft.basis,
            Subject::Delivery => self.delivery.basis,
            Subject::Load => self.load.basis,
            Subject::Farmer => self.farmer.basis,
        }
    }

    /// Hash of all rows of all tables of both phones.
    fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for person in [&self.asha, &self.new] {
            hash_rows(&person.database(), &mut hash);
        }
        hash.finalize().into()
    }
}

/// Adds all rows of a database to a hash.
fn hash_rows(database: &Path, hash: &mut Sha256) {
    let db = rusqlite::Connection::open(database).expect("it opens");
    let mut names = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").expect("a table");
    let names = names.query_map([], |row| row.get::<_, String>(0)).expect("rows");
    let names: Vec<String> = names.collect::<Result<_, _>>().expect("names");
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        hash.update(&name);
        let mut rows = db.prepare(&format!("SELECT * FROM {name}")).expect("a table");
        let columns = rows.column_count();
        let mut rows = rows.query([]).expect("rows");
        while let Some(row) = rows.next().expect("a row") {
            for column in 0..columns {
                hash.update(format!("{:?}|", row.get_ref(column).expect("a value")));
            }
        }
    }
}

/// Records at MALUR on Asha's phone, by a second user of it, who then gives it back.
fn of_malur(market: &Market, asha: &Person) -> ((DeliveryId, LoadId, FarmerId), String) {
    let session = asha.client.session().expect("a session");
    let malur = ["MALUR".parse().expect("a code")];
    let role = Role::Dispatcher;
    market.server.grant(market.organisation, session.device_code, "Manju", role, &malur).expect("granted");
    asha.syncs_wholly();
    let users = asha.client.users();
    let manju = users.iter().find(|user| user.name == "Manju").expect("a second user");
    asha.client.switch_user(manju.user_id).expect("switched");
    let made = others::at_malur(asha);
    asha.client.switch_user(session.user_id).expect("switched back");
    asha.syncs_wholly();
    made
}

/// All cases.
fn cases() -> Vec<Case> {
    let mut cases = Cases::default();
    deliveries::add(&mut cases);
    others::add(&mut cases);
    simple::add(&mut cases);
    cases.0
}

/// Names of all `pub fn` of `impl FieldClient` in the files under a folder.
fn commands_under(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            commands_under(&path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a source file");
        for block in text.split("\nimpl FieldClient {").skip(1) {
            let block = block.split("\n}\n").next().expect("a block");
            let names = block.lines().filter_map(|line| line.strip_prefix("    pub fn "));
            found.extend(names.map(|rest| rest.split(['(', '<']).next().expect("a name").to_owned()));
        }
    }
}

#[test]
fn each_command_of_the_source_has_cases_or_a_line_that_says_why_not() {
    let mut found = BTreeSet::new();
    commands_under(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src/client"), &mut found);
    assert!(found.len() > 60, "{found:?}");
    let tried: BTreeSet<String> = cases().iter().map(|case| case.command.to_owned()).collect();
    let excused = READS.iter().chain(&WITHOUT_INPUT).map(|name| (*name).to_owned());
    let listed: BTreeSet<String> = tried.iter().cloned().chain(excused.clone()).collect();
    let missing: Vec<&String> = found.difference(&listed).collect();
    assert!(missing.is_empty(), "give these a case in tests/bad_input, or a line in READS: {missing:?}");
    let unknown: Vec<&String> = listed.difference(&found).collect();
    assert!(unknown.is_empty(), "these are no calls of FieldClient any more: {unknown:?}");
    let both: Vec<String> = excused.filter(|name| tried.contains(name)).collect();
    assert!(both.is_empty(), "these have cases, so they need no line: {both:?}");
}

#[test]
fn bad_input_at_every_command_is_refused_by_its_field_and_writes_nothing() {
    let yard = Yard::open(3_700);
    let mut before = yard.digest();
    let mut wrong = Vec::new();
    let cases = cases();
    assert!(cases.len() > 500, "{} cases", cases.len());
    for Case { command, expected, what, call } in cases {
        let result = call(&yard);
        let (found, reason) = match &result {
            Ok(()) => ("ok".to_owned(), String::new()),
            Err(error) => (name_of(error), error.to_string()),
        };
        if found != expected || reason.len() > 1_000 {
            let reason: String = reason.chars().take(100).collect();
            wrong.push(format!("{command}, {what}: {expected} expected, not {found}: {reason}"));
        }
        let after = yard.digest();
        if after != before {
            wrong.push(format!("{command}, {what}: something was written"));
            before = after;
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// The field of an error that names one, otherwise its code.
fn name_of(error: &Error) -> String {
    match error {
        Error::Invalid { field, .. } | Error::TooLarge { field, .. } => {
            assert!(matches!(error.code(), ErrorCode::InvalidInput | ErrorCode::TooLarge));
            (*field).to_owned()
        }
        other => other.code().to_string(),
    }
}

#[test]
fn the_records_that_bad_input_left_alone_are_sent_and_are_the_same_for_everybody() {
    let yard = Yard::open(3_701);
    for Case { call, what, .. } in cases().into_iter().filter(|case| !case.what.contains("million")) {
        drop((call(&yard), what));
    }
    yard.asha.syncs_wholly();
    assert_eq!(yard.market.server.held(yard.market.organisation).expect("a list"), []);
    assert_eq!(yard.asha.sum().gross_g.0, 41_000);
    let (phone, server) = (yard.asha.database(), yard.market.server_database());
    assert_eq!(farmtally_tests::fingerprint(&phone), farmtally_tests::fingerprint(&server));
}
