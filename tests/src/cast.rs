//! People with phones, and what they do.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use automerge::transaction::Transactable;
use farmtally_core::client::{
    DeliveryEdit, DeliveryQuery, DeliveryView, DraftEdit, FarmerInput, FarmerPage, FarmerQuery, FarmerView,
    FieldClient, InboxItem, InboxKind, LoadEdit, LoadView, OpenLoad, ReadingInput, StartDraft, SyncReport,
};
use farmtally_core::environment::Environment;
use farmtally_core::limits::MAX_PAGE;
use farmtally_core::records::delivery::Reason;
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::records::load::TrackPoint;
use farmtally_core::records::{BagSource, Change, Kind, Mark, Point, Stamp, Stroke};
use farmtally_core::rules::Check;
use farmtally_core::scope::Scope;
use farmtally_core::store::records;
use farmtally_core::store::rows::{DeliveryRow, Sum};
use farmtally_core::store::sql::sqlite::SqliteWriter;
use farmtally_core::units::{
    BagType, BusinessDate, CentreCode, DeliveryId, DocumentId, FarmerId, Grams, HybridTime, LoadId, LocationProvider,
    Timestamp,
};
use farmtally_core::{Error, client};

use crate::{Network, TestClock, forged_change};

/// A person at KOLAR with a phone, enrolled or not. Methods that do not return a `Result` panic if the phone refuses.
pub struct Person {
    /// The person's name.
    pub name: String,
    /// The phone's core.
    pub client: FieldClient,
    /// The phone's connection to the server.
    pub network: Network,
    /// Folder of the phone's files.
    pub folder: PathBuf,
    /// Centre at which the methods record.
    pub centre: CentreCode,
    environment: Environment,
    /// The clock of all phones.
    pub clock: Arc<TestClock>,
}

impl Person {
    /// A person whose phone opens the files in a folder; a phone without files there is new.
    pub fn new(name: &str, folder: &Path, environment: Environment, clock: &Arc<TestClock>, network: Network) -> Self {
        Self {
            name: name.to_owned(),
            client: FieldClient::open(folder, environment.clone()).expect("a phone"),
            network,
            folder: folder.to_owned(),
            centre: "KOLAR".parse().expect("a code"),
            environment,
            clock: Arc::clone(clock),
        }
    }

    /// The path of the phone's database.
    pub fn database(&self) -> PathBuf {
        self.folder.join("field.db")
    }

    /// Ends the app and starts it again on the same files.
    #[must_use]
    pub fn restarts(self) -> Self {
        let Self { name, client, network, folder, centre, environment, clock } = self;
        drop(client);
        let client = FieldClient::open(&folder, environment.clone()).expect("a phone");
        Self { name, client, network, folder, centre, environment, clock }
    }

    /// Registers a new farmer, even if another looks alike; `phone` is the farmer's telephone number.
    pub fn registers(&self, name: &str, village: &str, phone: &str) -> FarmerView {
        let details = ContactDetails {
            name: name.into(),
            village: village.into(),
            phone: phone.into(),
            ..ContactDetails::default()
        };
        let input = FarmerInput { centre: self.centre.clone(), details, tags: Vec::new() };
        self.client.register_farmer(&input, &[Check::FarmerLooksAlike]).expect("registered")
    }

    /// Starts a draft of tomatoes.
    pub fn starts(&self, farmer: Option<FarmerId>, load: Option<LoadId>) -> DeliveryView {
        let input = StartDraft {
            centre: self.centre.clone(),
            commodity: "TOMATO".parse().expect("a code"),
            farmer_id: farmer,
            load_id: load,
            replaces: None,
        };
        self.client.start_draft(input).expect("a draft")
    }

    /// Advances the clock of all by fifteen seconds, and adds a bag of this gross weight to a draft.
    pub fn adds_bag(&self, draft: &DeliveryView, grams: i64) -> DeliveryView {
        self.clock.pass(15);
        self.client.edit_draft(draft.basis, &[bag(grams)]).expect("a bag")
    }

    /// Weighs a farmer's bags one by one, as in `adds_bag`, and records them as a heap of its own, with all checks accepted.
    pub fn weighs(&self, farmer: FarmerId, load: Option<LoadId>, grams: &[i64]) -> DeliveryView {
        let draft = self.starts(Some(farmer), load);
        let heap = [DraftEdit::SetSecondHeap(true)];
        let mut draft = self.client.edit_draft(draft.basis, &heap).expect("a draft");
        for grams in grams {
            draft = self.adds_bag(&draft, *grams);
        }
        self.client.record_delivery(draft.basis, &Check::ALL).expect("recorded")
    }

    /// Adds a forgotten bag to a recorded delivery.
    pub fn amends(&self, delivery: DeliveryId, grams: i64) -> Result<DeliveryView, Error> {
        let basis = self.client.delivery(delivery)?.basis;
        self.client.amend_delivery(basis, &reason("bag_forgotten"), &[forgotten_bag(grams)])
    }

    /// Moves a recorded delivery to another load; `None` takes it off its load.
    pub fn moves(&self, delivery: DeliveryId, load: Option<LoadId>) -> Result<DeliveryView, Error> {
        let basis = self.client.delivery(delivery)?.basis;
        self.client.amend_delivery(basis, &reason("wrong_load"), &[DeliveryEdit::SetLoad(load)])
    }

    /// Puts the bags with these numbers of a recorded delivery on a load of their own; `None` takes them off their load.
    pub fn puts_apart(
        &self,
        delivery: DeliveryId,
        numbers: &[u32],
        load: Option<LoadId>,
    ) -> Result<DeliveryView, Error> {
        let view = self.client.delivery(delivery)?;
        let bags = view.bags.iter().filter(|bag| numbers.contains(&bag.number));
        let ids = bags.map(|bag| bag.bag_id.clone()).collect();
        let edit = DeliveryEdit::SetLoadOfBags { load_id: load, ids, overload_reason: None };
        self.client.amend_delivery(view.basis, &reason("no_room"), &[edit])
    }

    /// Voids a recorded delivery.
    pub fn voids(&self, delivery: DeliveryId) -> Result<DeliveryView, Error> {
        let basis = self.client.delivery(delivery)?.basis;
        self.client.void_delivery(basis, &reason("rejected"))
    }

    /// Opens a load on a lorry.
    pub fn opens(&self, lorry: &str) -> LoadView {
        self.tries_to_open(lorry).expect("a load")
    }

    /// Plans a load on a lorry.
    pub fn plans(&self, lorry: &str) -> LoadView {
        self.client.open_load(&OpenLoad { is_planned: true, ..self.load_on(lorry) }).expect("a planned load")
    }

    /// Opens a load on a lorry, or returns the refusal.
    pub fn tries_to_open(&self, lorry: &str) -> Result<LoadView, Error> {
        self.client.open_load(&self.load_on(lorry))
    }

    fn load_on(&self, lorry: &str) -> OpenLoad {
        OpenLoad {
            centre: self.centre.clone(),
            commodity: "TOMATO".parse().expect("a code"),
            lorry: lorry.parse().expect("a plate"),
            driver: None,
            destination: None,
            is_planned: false,
        }
    }

    /// Joins a load by its join code.
    pub fn joins(&self, code: &str) -> LoadView {
        self.client.join_load(code).expect("joined")
    }

    /// Asks to close a load with the deliveries that the phone knows.
    pub fn closes(&self, load: LoadId) -> Result<LoadView, Error> {
        let view = self.client.load(load)?;
        self.client.change_load(view.basis, &LoadEdit::RequestClose { manifest_hash: view.manifest_hash.clone() }, &[])
    }

    /// Writes a record of a kind that no call of an app writes into the phone's database and outbox; `snapshot` encodes its key `v1`.
    pub fn creates(&self, kind: Kind, scope: &Scope, snapshot: impl FnOnce(Stamp) -> Vec<u8>) -> DocumentId {
        let session = self.client.session().expect("an enrolled phone");
        let (document, now) = (self.environment.new_id::<DocumentId>(), self.environment.clock.now());
        let at = HybridTime { wall_ms: now.0, counter: 0 };
        let stamp = Stamp { user_id: session.user_id, device_code: session.device_code, at, clock_suspect: false };
        let change = forged_change(None, self.environment.random(), |it| {
            it.put(automerge::ROOT, "v1", snapshot(stamp)).expect("written");
        });
        let mut db = rusqlite::Connection::open(self.database()).expect("it opens");
        let db = db.transaction().expect("a transaction");
        let parsed = Change::parse_stripped(&change).expect("a change");
        records::apply(&mut SqliteWriter::new(&db), scope, kind, document, &parsed).expect("a record");
        // Action 0, because the client counts its own from 1.
        db.execute(
            "INSERT INTO outbox (action, author_id, grant_id, device_cursor, document_id, kind, scope, change, created_at_ms)
             VALUES (0, ?1, ?2, 1, ?3, ?4, ?5, ?6, ?7)",
            (session.user_id, session.grant_id.expect("a grant"), document, kind.number, scope, change, now.0),
        )
        .expect("in the outbox");
        db.commit().expect("committed");
        document
    }

    /// Syncs over a network with its planned faults. To be offline is an outcome in the report, not an error.
    pub fn syncs(&self) -> Result<SyncReport, Error> {
        self.client.sync(&self.network, &|_| ())
    }

    /// Cancels planned network faults and syncs; panics if the sync is not complete.
    pub fn syncs_wholly(&self) {
        self.network.plan(&[]);
        let report = self.syncs().expect("a sync");
        assert_eq!(report.outcome, client::SyncOutcome::Complete, "{} after {report:?}", self.name);
    }

    /// Exports all that the server has not answered, as a file of parcels.
    pub fn exports(&self) -> Vec<u8> {
        self.client.export_parcel().expect("parcels")
    }

    /// Takes over a colleague's file of parcels, which this phone's next sync uploads.
    pub fn carries(&self, file: &[u8]) {
        self.client.carry_parcel(file).expect("carried");
    }

    /// Sum of the deliveries of all people at KOLAR that the phone knows, on 9 May 2019.
    pub fn sum(&self) -> Sum {
        self.sum_on("2019-05-09".parse().expect("a date"))
    }

    /// Sum of the deliveries of all people at KOLAR that the phone knows, on a day.
    pub fn sum_on(&self, date: BusinessDate) -> Sum {
        self.client.today(&self.centre, Some(date)).expect("a day").sum
    }

    /// The first page of the farmers at KOLAR whom a search finds, newest first.
    pub fn farmers(&self, text: &str) -> Result<FarmerPage, Error> {
        self.client.farmers(&FarmerQuery { limit: MAX_PAGE, ..FarmerQuery::new(self.centre.clone(), text) })
    }

    /// Items of the phone's inbox.
    pub fn inbox(&self) -> Vec<InboxItem> {
        self.client.inbox().expect("an inbox")
    }

    /// Codes of the reviews in the inbox, in its order.
    pub fn reviews(&self) -> Vec<String> {
        let code = |kind| match kind {
            InboxKind::Review { code, .. } => Some(code.to_string()),
            _ => None,
        };
        self.inbox().into_iter().filter_map(|item| code(item.kind)).collect()
    }
}

/// All recorded deliveries that the user of a phone may see, voided ones too: of the latest day first, and of each day the last recorded.
pub fn all_deliveries(client: &FieldClient) -> Vec<DeliveryRow> {
    let (mut all, mut query) = (Vec::new(), DeliveryQuery { limit: MAX_PAGE, ..DeliveryQuery::default() });
    loop {
        let page = client.deliveries(&query).expect("a page");
        all.extend(page.items.into_iter().map(|item| item.row));
        query.after = Some(match page.next {
            Some(next) => next,
            None => return all,
        });
    }
}

/// The draft edit that adds a bag of this gross weight, read from a scale.
pub fn bag(grams: i64) -> DraftEdit {
    let (gross, source) = (Grams(grams).try_into().expect("a bag"), Some(BagSource::Scale));
    DraftEdit::AddBag { gross, bag_type: BagType::default(), source, grade: None, scale: None }
}

/// The correction of a delivery that adds a bag of this gross weight, typed.
pub fn forgotten_bag(grams: i64) -> DeliveryEdit {
    let (gross, source) = (Grams(grams).try_into().expect("a bag"), Some(BagSource::Manual));
    DeliveryEdit::AddBag { gross, bag_type: BagType::default(), source, grade: None, scale: None }
}

/// A reading of moisture, in hundredths of a percent.
pub fn moisture(hundredths: i64) -> ReadingInput {
    let moisture = hundredths.try_into().expect("a share");
    ReadingInput::Moisture { moisture, grade: None, meter: None, photo: None }
}

/// A point of a track, as satellites show it to ten metres.
pub fn track_point(at: Timestamp, latitude_e7: i32, longitude_e7: i32) -> TrackPoint {
    let provider = Some(LocationProvider::Satellite);
    TrackPoint { at, latitude_e7, longitude_e7, accuracy_cm: 1_000, provider, is_mock: false }
}

/// A signature of one short stroke.
pub fn mark() -> Mark {
    Mark::Drawn { strokes: vec![Stroke { points: vec![Point { x: 10, y: 700 }, Point { x: 600, y: 300 }] }] }
}

/// A reason with this code and no text.
pub fn reason(code: &str) -> Reason {
    Reason { code: code.to_owned(), text: String::new() }
}
