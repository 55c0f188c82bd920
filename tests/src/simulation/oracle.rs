//! The oracle: what the simulation knows to have happened, independent of the code under test, and how a replica is compared with it.
//!
//! A fact is what one call promised when it returned. To add a kind: a variant of [`FactKind`], a line in `document`, a line in `holds`.
//! Each bag has a unique weight, which identifies it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use automerge::{Automerge, ReadDoc};
use farmtally_core::records::simple::SimpleState;
use farmtally_core::records::{Act, Change, Delivery, Farmer, Kind, Load, Privacy, Record, Stamp};
use farmtally_core::scope::Scope;
use farmtally_core::store::records;
use farmtally_core::store::sql::sqlite::SqliteWriter;
use farmtally_core::units::{
    BusinessDate, CentreCode, ChangeHash, DeliveryId, DeviceCode, DocumentId, FarmerId, LoadId, UserId, Value,
};
use rusqlite::{Connection, OpenFlags, OptionalExtension};

/// What a call promised, with the records concerned.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "fields are named like what they hold")]
pub enum FactKind {
    /// A farmer was registered, with this telephone number.
    Registered { farmer: FarmerId, phone: String },
    /// A delivery was recorded.
    Recorded { delivery: DeliveryId, farmer: FarmerId, date: BusinessDate, load: Option<LoadId>, bags: Vec<i64> },
    /// A forgotten bag was added.
    BagAdded { delivery: DeliveryId, grams: i64 },
    /// The bag of this weight was voided.
    BagVoided { delivery: DeliveryId, grams: i64 },
    /// A delivery was moved to another load.
    Moved { delivery: DeliveryId, load: Option<LoadId>, sign: ActMatcher },
    /// The bag of this weight was put on a load of its own.
    PutApart { delivery: DeliveryId, grams: i64, load: Option<LoadId>, sign: ActMatcher },
    /// A delivery was voided.
    Voided { delivery: DeliveryId },
    /// A load was opened.
    Opened { load: LoadId },
    /// A user joined a load.
    Joined { load: LoadId, user: UserId, device: DeviceCode },
    /// A user asked to close a load.
    CloseAsked { load: LoadId, sign: ActMatcher },
    /// Something was added to a recorded delivery.
    Added { delivery: DeliveryId, what: Later, sign: ActMatcher },
    /// A piece was added to the track of a load.
    Tracked { load: LoadId, sign: ActMatcher },
    /// A step of a load was recorded.
    Stepped { load: LoadId, sign: ActMatcher },
    /// A simple record was made about a farmer, or a load or delivery of the farmer.
    Made { record: DocumentId, kind: Kind, farmer: FarmerId },
    /// A simple record was withdrawn.
    Withdrawn { record: DocumentId, kind: Kind, farmer: FarmerId },
}

/// What is added to a recorded delivery without amending it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Later {
    /// A reading.
    Reading,
    /// A print of the receipt.
    Print,
}

impl Later {
    /// The stamps of what was added to a delivery.
    pub fn stamps(self, delivery: &Delivery) -> Vec<Stamp> {
        match self {
            Self::Reading => delivery.readings.iter().map(|it| it.stamp).collect(),
            Self::Print => delivery.prints.iter().map(|it| it.stamp).collect(),
        }
    }
}

/// Identifies an act: by its stamp, or until that is known, as the one that was not there before.
#[derive(Clone, Debug, Default)]
pub struct ActMatcher {
    /// Stamps of acts of the same kind that the author saw.
    pub seen: Vec<Stamp>,
    /// The act's own stamp, once known.
    pub own: Option<Stamp>,
}

impl ActMatcher {
    /// An act made after these.
    pub fn after(seen: Vec<Stamp>) -> Self {
        Self { seen, own: None }
    }

    fn find(&mut self, mut now: impl Iterator<Item = Stamp>) -> bool {
        if let Some(own) = self.own {
            return now.any(|stamp| stamp == own);
        }
        self.own = now.find(|stamp| !self.seen.contains(stamp));
        self.own.is_some()
    }
}

/// How certain it is that a fact happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// The call returned.
    Sure,
    /// The phone died within the call; resolved when it starts again.
    Unsure,
    /// Its phone was set back or destroyed, and no other copy is known: it may be lost.
    Maybe,
}

/// Where the server keeps a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerState {
    /// In the log.
    Logged,
    /// Held for the office.
    Held,
    /// Rejected by the office, or built on a rejected change.
    Rejected,
    /// Deferred until its dependencies arrive.
    Deferred,
    /// The server does not have it.
    Nowhere,
}

/// Something that a call promised.
#[derive(Clone, Debug)]
pub struct Fact {
    /// What was promised.
    pub what: FactKind,
    /// Number of the phone that promised it.
    pub phone: usize,
    /// Centre of its phone; from the checks at the end on, of its document.
    pub centre: CentreCode,
    /// The change that carries it; known once the phone was inspected.
    pub change: Option<ChangeHash>,
    /// How certain it is that it happened.
    pub certainty: Certainty,
    /// Whether its phone reported it as logged, and the server's log had it then.
    pub is_logged: bool,
    /// Whether the phone need not show it until it receives it again: it was set back to an older copy, or may not read it.
    pub is_forgotten: bool,
    /// Whether no bundle of the phone contains it any more: the phone was set back to an older copy, or wiped.
    pub is_unrecoverable: bool,
}

/// Returns the last two bytes of an id in hex: enough to distinguish the ids of a schedule.
pub fn short(document: impl Into<DocumentId>) -> String {
    let id: DocumentId = document.into();
    let [.., a, b] = id.as_bytes();
    format!("{a:02x}{b:02x}")
}

impl fmt::Display for FactKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on =
            |load: &Option<LoadId>| load.map_or_else(|| "no load".to_owned(), |load| format!("load {}", short(load)));
        match self {
            Self::Registered { farmer, .. } => write!(f, "registers farmer {}", short(*farmer)),
            Self::Recorded { delivery, farmer, date, load, bags } => {
                let (delivery, farmer, load) = (short(*delivery), short(*farmer), on(load));
                write!(f, "records delivery {delivery} of farmer {farmer} for {date} on {load}: {bags:?} g")
            }
            Self::BagAdded { delivery, grams } => write!(f, "adds {grams} g to delivery {}", short(*delivery)),
            Self::BagVoided { delivery, grams } => write!(f, "voids {grams} g of delivery {}", short(*delivery)),
            Self::Moved { delivery, load, .. } => write!(f, "moves delivery {} to {}", short(*delivery), on(load)),
            Self::PutApart { delivery, grams, load, .. } => {
                write!(f, "puts {grams} g of delivery {} on {}", short(*delivery), on(load))
            }
            Self::Voided { delivery } => write!(f, "voids delivery {}", short(*delivery)),
            Self::Opened { load } => write!(f, "opens load {}", short(*load)),
            Self::Joined { load, .. } => write!(f, "joins load {}", short(*load)),
            Self::CloseAsked { load, .. } => write!(f, "asks to close load {}", short(*load)),
            Self::Added { delivery, what, .. } => write!(f, "adds a {what:?} to delivery {}", short(*delivery)),
            Self::Tracked { load, .. } => write!(f, "adds to the track of load {}", short(*load)),
            Self::Stepped { load, .. } => write!(f, "records a step of load {}", short(*load)),
            Self::Made { record, kind, .. } => write!(f, "records {kind} {}", short(*record)),
            Self::Withdrawn { record, kind, .. } => write!(f, "withdraws {kind} {}", short(*record)),
        }
    }
}

impl FactKind {
    /// Whether an erasure of the farmer may erase the record.
    pub fn is_erased_with(&self, forgotten: FarmerId) -> bool {
        matches!(self, Self::Made { kind, farmer, .. } | Self::Withdrawn { kind, farmer, .. }
            if kind.privacy == Privacy::Personal && *farmer == forgotten)
    }
}

impl Fact {
    /// The document concerned.
    pub fn document(&self) -> DocumentId {
        match &self.what {
            FactKind::Registered { farmer, .. } => (*farmer).into(),
            FactKind::Recorded { delivery, .. }
            | FactKind::BagAdded { delivery, .. }
            | FactKind::BagVoided { delivery, .. }
            | FactKind::Moved { delivery, .. }
            | FactKind::PutApart { delivery, .. }
            | FactKind::Added { delivery, .. }
            | FactKind::Voided { delivery } => (*delivery).into(),
            FactKind::Opened { load }
            | FactKind::Joined { load, .. }
            | FactKind::Stepped { load, .. }
            | FactKind::Tracked { load, .. }
            | FactKind::CloseAsked { load, .. } => (*load).into(),
            FactKind::Made { record, .. } | FactKind::Withdrawn { record, .. } => *record,
        }
    }
}

/// The newest change to a document in a phone's outbox.
pub fn newest_change(phone: &Connection, document: DocumentId) -> Option<ChangeHash> {
    let sql = "SELECT change FROM outbox WHERE document_id = ?1 ORDER BY action DESC, outbox DESC LIMIT 1";
    let newest = phone.query_row(sql, [document], |row| row.get::<_, Vec<u8>>(0));
    newest.optional().expect("a table").map(|change| Change::hash_of_stripped(&change))
}

/// A phone's changes that are held, and those that were rejected.
pub fn held_or_rejected(phone: &Connection) -> BTreeSet<ChangeHash> {
    let sql = "SELECT change FROM outbox WHERE held_code IS NOT NULL UNION ALL SELECT change FROM rejected";
    let mut statement = phone.prepare_cached(sql).expect("a table");
    let changes = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).expect("rows");
    changes.map(|change| Change::hash_of_stripped(&change.expect("a row"))).collect()
}

/// Opens an existing database for inspection.
pub fn reader(path: &Path) -> Connection {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("a database")
}

/// A database of a phone or of the server, compared with the oracle. Keeps the records that it read, so it does not see later changes.
pub struct Replica<'a> {
    db: &'a Connection,
    records: BTreeMap<DocumentId, Option<Record>>,
}

impl<'a> Replica<'a> {
    /// A replica read through this connection.
    pub fn new(db: &'a Connection) -> Self {
        Self { db, records: BTreeMap::new() }
    }

    /// The record of a document, if it is here.
    pub fn record(&mut self, document: DocumentId) -> Option<&Record> {
        let db = self.db;
        let read = || {
            records::load(&mut SqliteWriter::new(db), document)
                .expect("a document that reads")
                .and_then(|(_, merged)| merged.record)
        };
        self.records.entry(document).or_insert_with(read).as_ref()
    }

    /// A delivery, if it is here.
    pub fn delivery(&mut self, delivery: DeliveryId) -> Option<Delivery> {
        self.record(delivery.into()).and_then(|record| record.downcast_ref::<Delivery>()).cloned()
    }

    /// Bags and gross weight on each load, or on none, of deliveries that are not voided.
    pub fn sums_of_loads(&self) -> BTreeMap<Option<LoadId>, (u64, i64)> {
        let sql = "SELECT load_id, sum(bag_count), sum(gross_g)
             FROM (SELECT load_id, is_voided, bag_count, gross_g FROM deliveries WHERE parts = 1
                 UNION ALL SELECT load_id, is_voided, bag_count, gross_g FROM delivery_parts)
             WHERE is_voided = 0 GROUP BY load_id";
        let mut statement = self.db.prepare_cached(sql).expect("a table");
        let load = |bytes: Option<[u8; 16]>| bytes.map(LoadId::from);
        let rows = statement.query_map([], |row| Ok((load(row.get(0)?), (row.get(1)?, row.get(2)?)))).expect("rows");
        rows.collect::<Result<_, _>>().expect("sums")
    }

    /// Where the server keeps a fact's change. Only for the server's database; panics if the change is not known.
    pub fn kept(&self, fact: &Fact) -> ServerState {
        let is_in = |table: &str| {
            let sql = format!("SELECT 1 FROM {table} WHERE document_id = ?1 AND change_hash = ?2");
            let mut statement = self.db.prepare_cached(&sql).expect("a table");
            let change = fact.change.expect("a change that is known");
            statement.exists((fact.document(), change.0)).expect("an answer")
        };
        let places = [
            ("logged_changes", ServerState::Logged),
            ("held", ServerState::Held),
            ("rejected", ServerState::Rejected),
            ("deferred", ServerState::Deferred),
        ];
        places.into_iter().find(|(table, _)| is_in(table)).map_or(ServerState::Nowhere, |(_, kept)| kept)
    }

    /// Whether a document here contains a fact's change, whatever was decided about it. Panics if the change is not known.
    pub fn knows(&self, fact: &Fact) -> bool {
        let sql = "SELECT saved FROM documents WHERE document_id = ?1";
        let saved = self.db.query_row(sql, [fact.document()], |row| row.get::<_, Vec<u8>>(0));
        let change = automerge::ChangeHash(fact.change.expect("a change that is known").0);
        saved.optional().expect("a table").is_some_and(|saved| {
            Automerge::load(&saved).expect("a document that reads").get_change_by_hash(&change).is_some()
        })
    }

    /// The scope in which a document is here.
    pub fn scope(&self, document: DocumentId) -> Option<Scope> {
        let sql = "SELECT scope FROM documents WHERE document_id = ?1";
        self.db.query_row(sql, [document], |row| row.get(0)).optional().expect("a table")
    }

    /// Whether a fact is true here. Stores the stamp of the fact's act in it when it finds one.
    pub fn contains(&mut self, fact: &mut Fact) -> bool {
        let stamps = |acts: &[Act]| acts.iter().map(|act| act.stamp).collect::<Vec<_>>();
        let Some(record) = self.record(fact.document()).cloned() else { return false };
        let (delivery, load) = (record.downcast_ref::<Delivery>(), record.downcast_ref::<Load>());
        if let FactKind::Made { kind, .. } | FactKind::Withdrawn { kind, .. } = fact.what {
            let column = (kind.table)().columns.iter().position(|column| column.name == "state");
            let state = column.and_then(|column| record.cells().get(column).and_then(Value::as_int));
            let is_withdrawn = state == Some(SimpleState::Withdrawn as i64);
            return record.kind() == kind && (is_withdrawn || matches!(fact.what, FactKind::Made { .. }));
        }
        match (delivery, load, &mut fact.what) {
            (None, None, FactKind::Registered { .. }) => record.downcast_ref::<Farmer>().is_some(),
            (Some(it), None, FactKind::Recorded { farmer, date, bags, .. }) => {
                let shown: BTreeSet<i64> = it.bags.iter().map(|bag| bag.bag.gross.grams().0).collect();
                it.farmer_id == *farmer && it.business_date == *date && bags.iter().all(|bag| shown.contains(bag))
            }
            (Some(it), None, FactKind::BagAdded { grams, .. }) => {
                it.bags.iter().any(|bag| bag.bag.gross.grams().0 == *grams)
            }
            (Some(it), None, FactKind::BagVoided { grams, .. }) => {
                it.bags.iter().any(|bag| bag.bag.gross.grams().0 == *grams && !bag.voids.is_empty())
            }
            (Some(it), None, FactKind::Moved { sign, .. } | FactKind::PutApart { sign, .. }) => {
                sign.find(stamps(&it.amendments).into_iter())
            }
            (Some(it), None, FactKind::Voided { .. }) => it.is_voided(),
            (Some(it), None, FactKind::Added { what, sign, .. }) => sign.find(what.stamps(it).into_iter()),
            (None, Some(it), FactKind::Stepped { sign, .. }) => sign.find(it.timeline.iter().map(|event| event.stamp)),
            (None, Some(it), FactKind::Tracked { sign, .. }) => sign.find(it.track.iter().map(|piece| piece.stamp)),
            (None, Some(it), FactKind::Opened { .. }) => it.opened.is_some(),
            (None, Some(it), FactKind::Joined { user, device, .. }) => {
                it.loaders.iter().any(|loader| (loader.user_id, loader.device_code) == (*user, *device))
            }
            (None, Some(it), FactKind::CloseAsked { sign, .. }) => {
                sign.find(it.close_requests.iter().map(|request| request.stamp))
            }
            _ => false,
        }
    }
}
