use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use farmtally_core::client::{
    Access, Basis, Choice, DeliveryEdit, DeliveryPage, DeliveryQuery, DeliveryView, DraftEdit, Event, Events,
    ExportFormat, FarmerEdit, FarmerInput, FarmerPage, FarmerQuery, FarmerView, FieldClient as Core, ImportInput,
    ImportProgress, ImportReport, LoadEdit, LoadPage, LoadQuery, LoadView, OpenLoad, PayoutInput, PhoneUser,
    ReadingInput, Report, ReportQuery, RevealedPayout, Session, StartDraft, SyncBudget, SyncOptions, SyncReport,
    SyncStatus, SyncTicket, Today, TrackView,
};
use farmtally_core::environment::Environment;
use farmtally_core::protocol::qr::QrProgress;
use farmtally_core::records::delivery::{PrintMedium, Reason};
use farmtally_core::records::farmer::{ContactDetails, PayoutField};
use farmtally_core::records::load::TrackPoint;
use farmtally_core::rules;
use farmtally_core::rules::track::{DeviceTrack, RoutePoint};
use farmtally_core::sync::{self, HttpTransport};
use farmtally_core::units::{BusinessDate, CentreCode, DeliveryId, FarmerId, FarmerTag, LoadId, UserId};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex as AsyncMutex, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::error::{Check, FieldError};
use crate::input::ClientConfig;
use crate::key_store::{AppKeys, KeyStore};
use crate::transport::{AppTransport, Transport};
use crate::view::{InboxPage, Reference};

/// Number of calls that run at the same time; further calls wait.
const MAX_THREADS: usize = 8;

/// Limits the threads of calls that wait for the network, so that weighing always finds a free one.
static NETWORK_CALLS: Semaphore = Semaphore::const_new(2);

/// Locked while an app's key store is called.
static KEY_STORES: AsyncMutex<()> = AsyncMutex::const_new(());

/// Interval at which a wait for an event checks the day and the access.
const CLOCK_STEP: Duration = Duration::from_secs(60);

/// Shortest time between two events: nobody sees more than ten a second.
const EVENT_STEP: Duration = Duration::from_millis(100);

/// Worker threads for all clients of the process; `None` if the system starts none.
static THREADS: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(1).max_blocking_threads(MAX_THREADS).enable_time().build().ok()
});

pub(crate) fn threads() -> Result<&'static Runtime, FieldError> {
    THREADS.as_ref().ok_or_else(|| FieldError::internal("the system gives no threads"))
}

pub(crate) struct Engine {
    pub(crate) core: Core,
    /// The app's transport, or the library's own, which is made at its first use.
    transport: OnceLock<Box<dyn sync::Transport>>,
}

impl Engine {
    fn transport(&self) -> Result<&dyn sync::Transport, FieldError> {
        if let Some(transport) = self.transport.get() {
            return Ok(&**transport);
        }
        let opened = HttpTransport::open().map_err(FieldError::internal)?;
        Ok(&**self.transport.get_or_init(|| Box::new(opened)))
    }
}

/// The field core on a phone: its records, its user and the sync with the server. Any thread may call it; no call blocks its caller.
///
/// A change of a record takes the `basis` of the view that the person saw and returns the new view; it fails with Stale if the record has
/// changed since. A cancelled call has either taken effect completely or not at all.
///
/// Calls about records fail with Unauthorized before enrolment, and with Refused (code locked) without a grant and on a locked phone; with
/// access RecordOnly, so does every change but weighing and recording. Reading the inbox and calls about session, sync and hand-over work
/// on a locked phone. Any call can fail with ShutDown, StorageFull, StorageDenied, StorageDamaged or
/// Internal.
#[derive(uniffi::Object)]
pub struct FieldClient {
    /// Read-locked by calls that work on the store; a call that waits for the network holds only the engine.
    engine: Arc<RwLock<Option<Arc<Engine>>>>,
    events: Arc<Events>,
    /// When the last event was returned.
    last_event_at: Arc<Mutex<Option<Instant>>>,
}

impl Drop for FieldClient {
    /// Closes the store on another thread: closing takes time, and a handle may be freed on any thread.
    fn drop(&mut self) {
        let engine = std::mem::take(&mut self.engine);
        if let Ok(threads) = threads() {
            threads.spawn_blocking(move || drop(engine));
        }
    }
}

/// Runs `f` on a thread of the library.
pub(crate) async fn on_thread<T: Send + 'static>(
    f: impl FnOnce() -> Result<T, FieldError> + Send + 'static,
) -> Result<T, FieldError> {
    match threads()?.spawn_blocking(f).await {
        Ok(result) => result,
        Err(panicked) => Err(FieldError::internal(format!("a defect was caught: {panicked}"))),
    }
}

/// Runs a call that waits for its turn or for an event on a thread of the library, and ends it when the call is cancelled.
///
/// The caller's event loop or isolate may end without cancelling its calls, and never polls them again. A turn would then be given to a
/// call that cannot take it, and nobody else would get one.
async fn on_runtime<T: Send + 'static>(
    call: impl Future<Output = Result<T, FieldError>> + Send + 'static,
) -> Result<T, FieldError> {
    // Dropping the set ends the call.
    let mut running = JoinSet::new();
    running.spawn_on(call, threads()?.handle());
    match running.join_next().await {
        Some(Ok(result)) => result,
        Some(Err(panicked)) => Err(FieldError::internal(format!("a defect was caught: {panicked}"))),
        None => Err(FieldError::internal("the call was lost")),
    }
}

pub(crate) fn checks(accept: Vec<Check>) -> Result<Vec<rules::Check>, FieldError> {
    accept.into_iter().map(rules::Check::try_from).collect()
}

/// Returns the next event after `after`. Checks the clock while it waits, because nothing else notices a new day.
async fn wait_for_event(events: &Events, engine: &Arc<RwLock<Option<Arc<Engine>>>>, after: u64) -> Option<Event> {
    let mut next = std::pin::pin!(events.next(after));
    loop {
        tokio::select! {
            biased;
            event = &mut next => return event,
            () = tokio::time::sleep(CLOCK_STEP) => {
                let engine = Arc::clone(engine);
                let look = move || {
                    if let Some(engine) = engine.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
                        engine.core.refresh_day_and_access();
                    }
                    Ok(())
                };
                drop(on_thread(look).await);
            }
        }
    }
}

impl FieldClient {
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Engine) -> Result<T, FieldError> + Send + 'static,
    ) -> Result<T, FieldError> {
        let engine = Arc::clone(&self.engine);
        on_thread(move || {
            let engine = engine.read().unwrap_or_else(PoisonError::into_inner);
            f(engine.as_ref().ok_or_else(FieldError::shut_down)?)
        })
        .await
    }

    /// Runs a call that may wait for the network, with a ticket from before it waits for its turn; shutting down does not wait for it.
    async fn call_network<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Engine, SyncTicket) -> Result<T, FieldError> + Send + 'static,
    ) -> Result<T, FieldError> {
        // While the client shuts down, a call must not wait for its ticket.
        let ticket = self.engine.try_read().ok().and_then(|it| it.as_ref().map(|engine| engine.core.ticket()));
        let engine = Arc::clone(&self.engine);
        on_runtime(async move {
            let turn = NETWORK_CALLS.acquire().await.map_err(FieldError::internal)?;
            on_thread(move || {
                // The work continues, and occupies its thread, even if its caller has been cancelled.
                let _turn = turn;
                let engine = engine.read().unwrap_or_else(PoisonError::into_inner).clone();
                let engine = engine.ok_or_else(FieldError::shut_down)?;
                f(&engine, ticket.unwrap_or_else(|| engine.core.ticket()))
            })
            .await
        })
        .await
    }
}

#[uniffi::export]
impl FieldClient {
    /// Opens the data folder, and creates it if it does not exist. With a key store, the database is encrypted. With a transport, it sends
    /// all requests; otherwise the library's HTTPS client does.
    ///
    /// Fails with Refused (code not_allowed) if the folder is already open in this or another process, or if a key store is given and this
    /// build cannot encrypt; with KeyNeeded if the key store gives no key or a wrong one, or the database is encrypted and no key store was
    /// given; with Invalid (field data_dir) if the folder cannot be used; with UpdateNeeded if a newer version wrote the database.
    #[uniffi::constructor(default(key_store = None, transport = None))]
    pub async fn open(
        config: ClientConfig,
        key_store: Option<Arc<dyn KeyStore>>,
        transport: Option<Arc<dyn Transport>>,
    ) -> Result<Arc<Self>, FieldError> {
        on_runtime(async move {
            let (_awaited, given_up) = watch::channel(());
            // Core calls one key store at a time. Waiting here instead of there occupies no thread and can be cancelled.
            let turn = if key_store.is_some() { Some(KEY_STORES.lock().await) } else { None };
            on_thread(move || {
                let _turn = turn;
                let data_dir = PathBuf::from(config.data_dir);
                let core = match key_store {
                    Some(keys) => Core::open_encrypted(&data_dir, &AppKeys { keys, given_up }, Environment::system())?,
                    None => Core::open(&data_dir, Environment::system())?,
                };
                let events = core.events();
                let app = |app| OnceLock::from(Box::new(AppTransport(app)) as Box<dyn sync::Transport>);
                let transport = transport.map_or_else(OnceLock::new, app);
                let engine = Arc::new(RwLock::new(Some(Arc::new(Engine { core, transport }))));
                Ok(Arc::new(Self { engine, events, last_event_at: Arc::default() }))
            })
            .await
        })
        .await
    }

    /// Waits until something changed after number `after`, and returns the changed topics with the newest number; 0 returns all topics at
    /// once. Several listeners may wait. Returns null once the client is shut down.
    /// There is no queue: an event says what to read again, not what happened, so a slow or cancelled listener loses nothing. At most ten
    /// events a second.
    pub async fn wait_for_event(&self, after: u64) -> Result<Option<Event>, FieldError> {
        let (events, last_event_at, engine) =
            (Arc::clone(&self.events), Arc::clone(&self.last_event_at), Arc::clone(&self.engine));
        on_runtime(async move {
            let due = *last_event_at.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(last_event_at) = due
                && after > 0
            {
                tokio::time::sleep_until(last_event_at + EVENT_STEP).await;
            }
            let event = wait_for_event(&events, &engine, after).await;
            if event.is_some() {
                *last_event_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            }
            Ok(event)
        })
        .await
    }

    /// Waits for running writes and closes the store; the folder stays open until a sync that waits for the network has ended. May be
    /// called twice. Later calls fail with ShutDown, except that wait_for_event returns null.
    pub async fn shut_down(&self) -> Result<(), FieldError> {
        let engine = Arc::clone(&self.engine);
        on_thread(move || {
            if let Some(engine) = engine.write().unwrap_or_else(PoisonError::into_inner).take() {
                // Also ends a sync that is just starting.
                engine.core.events().end();
            }
            Ok(())
        })
        .await
    }

    /// Returns the current user, their rights and this device; null before enrolment.
    pub async fn session(&self) -> Result<Option<Session>, FieldError> {
        self.call(|engine| Ok(engine.core.session())).await
    }

    /// Returns the users who have a grant on this phone, sorted by name. Empty before the first sync, and on a phone marked as lost.
    pub async fn users(&self) -> Result<Vec<PhoneUser>, FieldError> {
        self.call(|engine| Ok(engine.core.users())).await
    }

    /// Makes another user of this phone its current user and returns the new session. The next sync sends the records of all users. Fails
    /// with Refused if the user has no grant on this phone.
    pub async fn switch_user(&self, user_id: UserId) -> Result<Session, FieldError> {
        self.call(move |engine| Ok(engine.core.switch_user(user_id)?)).await
    }

    /// Returns what the current user may do on this phone, by their grant, the office's orders and the time since its last contact with
    /// the server.
    pub async fn access(&self) -> Result<Access, FieldError> {
        self.call(|engine| Ok(engine.core.access())).await
    }

    /// Enrols this device with a code from the office, and runs a first sync. If only that fails, the session has no grant: call sync.
    /// `server_url` is an address such as `https://sync.example.org`; case, spaces and hyphens of `code` do not matter; `model`, at most
    /// 200 characters, names the phone for the office.
    ///
    /// Fails with Invalid if the address is malformed or leads to another (field server_url), or the code is wrong, used or expired; with
    /// Refused if this device is already enrolled; with Unavailable if no answer came: repeat the call with the same code. cancel_sync ends
    /// it.
    pub async fn enrol(&self, server_url: String, code: String, model: String) -> Result<Session, FieldError> {
        self.call_network(move |engine, ticket| {
            Ok(engine.core.enrol_with(engine.transport()?, &server_url, &code, &model, ticket)?)
        })
        .await
    }

    /// Returns commodities, bag types and lorries, as far as they were received; the bag types of the rules that are valid today.
    pub async fn reference(&self) -> Result<Reference, FieldError> {
        self.call(|engine| Ok(Reference::of(&engine.core.reference(), engine.core.date()))).await
    }

    /// Returns a centre's day: totals and loads; also all drafts that the user may see, and the phone's sync status. A null `date` is today
    /// by the phone's time, in the organisation's zone. Fails with Refused (code out_of_scope) if the centre is not granted.
    #[uniffi::method(default(date = None))]
    pub async fn today(&self, centre: CentreCode, date: Option<BusinessDate>) -> Result<Today, FieldError> {
        self.call(move |engine| Ok(engine.core.today(&centre, date)?)).await
    }

    /// Returns a page of recorded deliveries of the granted centres, also voided ones: the latest day first, and of each day what was
    /// recorded last, unless the query says otherwise. Fails with Invalid (field receipt_number, from_date, after or limit); with Refused
    /// (code out_of_scope) if the centre is not granted.
    pub async fn deliveries(&self, query: DeliveryQuery) -> Result<DeliveryPage, FieldError> {
        self.call(move |engine| Ok(engine.core.deliveries(&query)?)).await
    }

    /// Returns a draft or recorded delivery. Fails with NotFound if it is not on this phone or not in a granted centre.
    pub async fn delivery(&self, delivery_id: DeliveryId) -> Result<DeliveryView, FieldError> {
        self.call(move |engine| Ok(engine.core.delivery(delivery_id)?)).await
    }

    /// Starts a delivery as a draft. It is on disk when the call returns, and counts in no total until it is recorded. Fails with Refused
    /// (code out_of_scope) if the centre is not granted; with Invalid if no season of the commodity covers today, the farmer, load or replaced
    /// delivery is not on this phone, or the latter is replaced already.
    pub async fn start_draft(&self, input: StartDraft) -> Result<DeliveryView, FieldError> {
        self.call(move |engine| Ok(engine.core.start_draft(input)?)).await
    }

    /// Applies steps of weighing to a draft: all of them, or none if one is refused. They are on disk when the call returns. Fails with
    /// Invalid, which names the field of the refused step, or with TooLarge (field bags) for more than 2,000 bags.
    pub async fn edit_draft(&self, basis: Basis, edits: Vec<DraftEdit>) -> Result<DeliveryView, FieldError> {
        self.call(move |engine| Ok(engine.core.edit_draft(basis, &edits)?)).await
    }

    /// Makes the current user the one who weighs a draft that another user of this phone began; both are recorded. Fails with Refused if
    /// the draft is the user's own.
    pub async fn take_over_draft(&self, basis: Basis) -> Result<DeliveryView, FieldError> {
        self.call(move |engine| Ok(engine.core.take_over_draft(basis)?)).await
    }

    /// Deletes a draft for good; one that is deleted already stays so. Fails with Stale if it is recorded.
    pub async fn discard_draft(&self, basis: Basis) -> Result<(), FieldError> {
        self.call(move |engine| Ok(engine.core.discard_draft(basis)?)).await
    }

    /// Records a draft. From then on it counts, is sent, and can only be amended or voided. Fails with Confirm if something is unusual: ask
    /// the person, and repeat the call with the returned checks added to `accept`. Fails with Invalid without farmer, bags or rules. A second
    /// tap, which repeats the call with the same basis, returns the recorded delivery.
    #[uniffi::method(default(accept = []))]
    pub async fn record_delivery(&self, basis: Basis, accept: Vec<Check>) -> Result<DeliveryView, FieldError> {
        self.call(move |engine| Ok(engine.core.record_delivery(basis, &checks(accept)?)?)).await
    }

    /// Corrects a recorded delivery, with a reason. The earlier values stay visible. Fails with Refused if it is voided, or if the user's
    /// role may not change it or not any more; with Invalid, which names the field, if an edit is wrong or there is none.
    pub async fn amend_delivery(
        &self,
        basis: Basis,
        reason: Reason,
        edits: Vec<DeliveryEdit>,
    ) -> Result<DeliveryView, FieldError> {
        self.call(move |engine| Ok(engine.core.amend_delivery(basis, &reason, &edits)?)).await
    }

    /// Voids a recorded delivery. It stays visible and never counts again. Fails with Refused as amend_delivery does.
    pub async fn void_delivery(&self, basis: Basis, reason: Reason) -> Result<DeliveryView, FieldError> {
        self.call(move |engine| Ok(engine.core.void_delivery(basis, &reason)?)).await
    }

    /// Records a delivery again for another farmer of its centre, with what counts of the first one, and voids that one. Returns the new
    /// delivery, which replaces the other, under a new receipt number. Fails as amend_delivery and record_delivery do.
    #[uniffi::method(default(accept = []))]
    pub async fn correct_farmer(
        &self,
        basis: Basis,
        farmer_id: FarmerId,
        reason: Reason,
        accept: Vec<Check>,
    ) -> Result<DeliveryView, FieldError> {
        self.call(move |engine| Ok(engine.core.correct_farmer(basis, farmer_id, &reason, &checks(accept)?)?)).await
    }

    /// Adds readings to a recorded delivery. Fails with Refused if it is voided, or by role, also once its load left.
    pub async fn add_readings(&self, basis: Basis, readings: Vec<ReadingInput>) -> Result<DeliveryView, FieldError> {
        self.call(move |engine| Ok(engine.core.add_readings(basis, &readings)?)).await
    }

    /// Records that the receipt was printed or sent. The first print is the receipt, each later one a copy. Fails with Refused by role.
    pub async fn record_print(&self, basis: Basis, medium: PrintMedium) -> Result<DeliveryView, FieldError> {
        self.call(move |engine| Ok(engine.core.record_print(basis, medium)?)).await
    }

    /// Returns a page of the farmers of a centre, newest first: those whose name, village or telephone number has words that begin with the
    /// words of the text, whose telephone number ends with its three or more digits, or whose farmer code it is; all if it is empty. Fails
    /// with Invalid (field text, after or limit); with Refused (code out_of_scope) if the centre is not granted.
    pub async fn farmers(&self, query: FarmerQuery) -> Result<FarmerPage, FieldError> {
        self.call(move |engine| Ok(engine.core.farmers(&query)?)).await
    }

    /// Returns a farmer. Fails with NotFound also while the contact details are not on this phone.
    pub async fn farmer(&self, farmer_id: FarmerId) -> Result<FarmerView, FieldError> {
        self.call(move |engine| Ok(engine.core.farmer(farmer_id)?)).await
    }

    /// Registers a farmer. Fails with Confirm if this phone knows one of the centre with one of the telephone numbers, or with the name or
    /// local name and the same village: ask the person, and repeat the call with the returned checks in `accept`. Fails with Invalid (field
    /// name, village, phone, local_name, address, language, other_phones or tags), or with Refused (code out_of_scope) if the centre is
    /// not granted.
    #[uniffi::method(default(accept = [], tags = []))]
    pub async fn register_farmer(
        &self,
        centre: CentreCode,
        contact: ContactDetails,
        accept: Vec<Check>,
        tags: Vec<FarmerTag>,
    ) -> Result<FarmerView, FieldError> {
        self.call(move |engine| {
            let input = FarmerInput { centre, details: contact, tags };
            Ok(engine.core.register_farmer(&input, &checks(accept)?)?)
        })
        .await
    }

    /// Imports farmers from a CSV file that a spreadsheet wrote, whose first line has the names of the columns; docs/import.md says what is
    /// understood. A line that is wrong is in the result, and stops no other. Fails with Invalid (field path or columns); with TooLarge
    /// (field path) above 16 MiB; with Refused if the role may not register farmers, the centre is not granted, or another import runs.
    /// If it fails for another reason, what was imported before stays; import the file again.
    pub async fn import_farmers(&self, path: String, input: ImportInput) -> Result<ImportReport, FieldError> {
        self.call(move |engine| Ok(engine.core.import_farmers(&PathBuf::from(path), &input)?)).await
    }

    /// Returns how far the running import is; null if none runs.
    pub async fn import_progress(&self) -> Result<Option<ImportProgress>, FieldError> {
        self.call(|engine| Ok(engine.core.import_progress())).await
    }

    /// Replaces all contact details of a farmer. `basis` is that of the farmer's view. Fails with Invalid (field name, village,
    /// phone, local_name, address, language or other_phones).
    pub async fn edit_farmer(
        &self,
        farmer_id: FarmerId,
        basis: Basis,
        contact: ContactDetails,
    ) -> Result<FarmerView, FieldError> {
        self.call(move |engine| Ok(engine.core.edit_farmer(farmer_id, basis, &contact)?)).await
    }

    /// Changes whether a farmer is active, or the tags. `basis` is the view's `identity_basis`. Fails with Refused by role; with Invalid
    /// (field tags) for more than 20.
    pub async fn change_farmer(&self, basis: Basis, edit: FarmerEdit) -> Result<FarmerView, FieldError> {
        self.call(move |engine| Ok(engine.core.change_farmer(basis, &edit)?)).await
    }

    /// Writes how a farmer is paid, which stays unconfirmed until the office has approved it. `basis` is that of the view's `payout`, not of
    /// the view itself. Fails with Refused by role; with Invalid (field national_id, account, bank_code or holder_name, or payout without any of them).
    pub async fn propose_payout(
        &self,
        farmer_id: FarmerId,
        basis: Basis,
        input: PayoutInput,
    ) -> Result<FarmerView, FieldError> {
        self.call(move |engine| Ok(engine.core.propose_payout(farmer_id, basis, &input)?)).await
    }

    /// Returns a part of a farmer's payout details in full, after writing who asked for it and why; that reaches the server. Fails with
    /// Refused by role, with Invalid (field reason) without a code, with NotFound without such details on this phone.
    pub async fn reveal_payout(
        &self,
        farmer_id: FarmerId,
        field: PayoutField,
        reason: Reason,
    ) -> Result<RevealedPayout, FieldError> {
        self.call(move |engine| Ok(engine.core.reveal_payout(farmer_id, field, &reason)?)).await
    }

    /// Opens a load. Fails with Refused if the role may not or the centre is not granted; with Invalid if the lorry is unknown (field
    /// lorry), the driver's name is wrong (field driver), or no season of the commodity covers today.
    pub async fn open_load(&self, input: OpenLoad) -> Result<LoadView, FieldError> {
        self.call(move |engine| Ok(engine.core.open_load(&input)?)).await
    }

    /// Joins a load by the code that another phone shows. Works without network, and changes nothing if the user has joined already. Fails
    /// with Invalid (field join_code) if the text is not a join code; with Refused (code out_of_scope) if the load's centre is not granted.
    pub async fn join_load(&self, join_code: String) -> Result<LoadView, FieldError> {
        self.call(move |engine| Ok(engine.core.join_load(&join_code)?)).await
    }

    /// Changes a load. Fails with Refused if the change is not among the view's actions, or this phone has a draft for a load to be closed;
    /// with Confirm for checks that are not in `accept` yet; with Invalid (field lorry, driver, destination, place, seal, odometer_km or
    /// reason); with Stale if the load changed, or deliveries were added to a manifest or changed since it was shown.
    #[uniffi::method(default(accept = []))]
    pub async fn change_load(&self, basis: Basis, edit: LoadEdit, accept: Vec<Check>) -> Result<LoadView, FieldError> {
        self.call(move |engine| Ok(engine.core.change_load(basis, &edit, &checks(accept)?)?)).await
    }

    /// Adds points to the track of a load that is on its way, in any order; call it about every quarter of an hour, and before the arrival.
    /// Points that are not later than the last one of this phone are left out, so it may be repeated. Fails with Invalid (field points)
    /// without a point, or for one off the globe or with a wrong time; with TooLarge (field points) for more than 5,000, or if the track
    /// has no room for more; with Refused by role, or if the load is not on its way as far as this phone knows.
    pub async fn add_track(&self, load_id: LoadId, points: Vec<TrackPoint>) -> Result<TrackView, FieldError> {
        self.call(move |engine| Ok(engine.core.add_track(load_id, &points)?)).await
    }

    /// Returns length, gaps and last point of the track of a load. `route` has the positions of the centre, the stops and the destination in
    /// their order, as far as the app knows them; with two or more, the view says how far off the lorry was. Fails with Invalid (field route) for a position off the globe; with TooLarge (field route) for more than
    /// 200; with NotFound if the load is not on this phone or not in a granted centre.
    #[uniffi::method(default(route = []))]
    pub async fn track(&self, load_id: LoadId, route: Vec<RoutePoint>) -> Result<TrackView, FieldError> {
        self.call(move |engine| Ok(engine.core.track(load_id, &route)?)).await
    }

    /// Returns the points of the track of a load, by the device that recorded them. Fails with NotFound as load does.
    pub async fn track_points(&self, load_id: LoadId) -> Result<Vec<DeviceTrack>, FieldError> {
        self.call(move |engine| Ok(engine.core.track_points(load_id)?)).await
    }

    /// Returns a page of the loads of the granted centres, the latest day first. Fails with Invalid (field from_date, after or limit); with
    /// Refused (code out_of_scope) if the centre is not granted.
    pub async fn loads(&self, query: LoadQuery) -> Result<LoadPage, FieldError> {
        self.call(move |engine| Ok(engine.core.loads(&query)?)).await
    }

    /// Returns a load. Fails with NotFound if it is not on this phone or not in a granted centre.
    pub async fn load(&self, load_id: LoadId) -> Result<LoadView, FieldError> {
        self.call(move |engine| Ok(engine.core.load(load_id)?)).await
    }

    /// Computes a report from the records on this phone. A role that reports on its own work only gets what the user recorded. Fails with
    /// Invalid (field centre, from_date, farmer_id or top); with TooLarge (field rows) for more than 10,000 rows: call export_report; with
    /// Refused if the centre is not granted or the role may not list farmers.
    pub async fn report(&self, query: ReportQuery) -> Result<Report, FieldError> {
        self.call(move |engine| Ok(engine.core.report(&query)?)).await
    }

    /// Computes a report, writes it into the file `path`, and returns the number of rows. An existing file is replaced only by a complete
    /// one. Fails as report does, but not for many rows; with Invalid (field path) if the file cannot be written.
    pub async fn export_report(
        &self,
        query: ReportQuery,
        format: ExportFormat,
        path: String,
    ) -> Result<u64, FieldError> {
        self.call(move |engine| Ok(engine.core.export_report_to(&query, format, &PathBuf::from(path))?)).await
    }

    /// Returns everything that waits for a person: held changes, rejected changes, conflicts and reviews.
    pub async fn inbox(&self) -> Result<InboxPage, FieldError> {
        self.call(|engine| Ok(InboxPage { items: engine.core.inbox()? })).await
    }

    /// Decides an inbox item by one of its choices, and returns the inbox after it. `basis` is that of the item. Fails with Refused if the
    /// role may not; with Stale also if there is nothing to choose any more.
    pub async fn resolve(&self, basis: Basis, choice: Choice) -> Result<InboxPage, FieldError> {
        self.call(move |engine| {
            engine.core.resolve(basis, &choice)?;
            Ok(InboxPage { items: engine.core.inbox()? })
        })
        .await
    }

    /// Sends the changes of all users of this phone and fetches what is new. Being offline is an outcome, not an error. Cancelling the call
    /// does not end the sync; cancel_sync does.
    ///
    /// Pass `in_background` if no person asked for the sync: before the next one is due, it then does nothing (outcome NotDue). `budget_ms`
    /// limits its time in milliseconds; it ends within a second after them, also while it waits for an answer. Fails with Unauthorized if the
    /// server does not know the device, and with UpdateNeeded if app or server is too old for the other.
    #[uniffi::method(default(in_background = false, budget_ms = None))]
    pub async fn sync(&self, in_background: bool, budget_ms: Option<u64>) -> Result<SyncReport, FieldError> {
        self.call_network(move |engine, ticket| {
            let unlimited = SyncBudget::default();
            let budget = SyncBudget { time_ms: budget_ms.unwrap_or(unlimited.time_ms), ..unlimited };
            let options = SyncOptions { is_manual: !in_background, budget, ticket: Some(ticket) };
            Ok(engine.core.sync_with(engine.transport()?, &options, &|_| ())?)
        })
        .await
    }

    /// Ends all requested syncs within a second, also while they wait for an answer; returns before that. What they exchanged stays.
    pub async fn cancel_sync(&self) -> Result<(), FieldError> {
        self.call(|engine| {
            engine.core.cancel_sync();
            Ok(())
        })
        .await
    }

    /// Points this phone to another address of its server, and syncs there; unsent work stays and is sent there. Until the server that this
    /// phone was enrolled with has answered there, nothing is sent to the address but a signed question, and the old address stays.
    ///
    /// Fails with Invalid (field server_url) if the address is malformed, leads to another, or another server answers there; with
    /// Unavailable if no server does; with Unauthorized if this phone is not enrolled.
    pub async fn set_server_url(&self, server_url: String) -> Result<SyncReport, FieldError> {
        self.call_network(move |engine, ticket| {
            Ok(engine.core.set_server_url_with(engine.transport()?, &server_url, ticket)?)
        })
        .await
    }

    /// Writes everything that the server has not answered into the file `path`, for a colleague's phone or a USB stick to carry to the
    /// server. Only the server can decrypt it. An export is no acknowledgement: everything stays unsent here until the server answers.
    /// Fails with Refused if there is nothing to hand over, and with Invalid (field path) if the file cannot be written.
    pub async fn export_parcel(&self, path: String) -> Result<(), FieldError> {
        self.call(move |engine| Ok(engine.core.export_to(&PathBuf::from(path))?)).await
    }

    /// Returns the content of export_parcel as the contents of QR codes, at most 600 bytes each, for byte mode. Show them in a loop, about
    /// five a second, until the colleague's phone has read all. Each call makes a new series, so show one series to its end. Fails with
    /// TooLarge if there is too much for QR codes: use export_parcel.
    pub async fn parcel_qr_frames(&self) -> Result<Vec<Vec<u8>>, FieldError> {
        self.call(|engine| Ok(engine.core.parcel_qr_frames()?)).await
    }

    /// Imports a colleague's file, which the next sync uploads. Fails with Refused if it is for another organisation or server; with
    /// Invalid if it is not a parcel or is incomplete; with TooLarge if this phone would carry more than 16 MiB for others: sync first.
    pub async fn carry_parcel(&self, path: String) -> Result<(), FieldError> {
        self.call(move |engine| {
            let unusable = |error: std::io::Error| FieldError::invalid("path", error.kind());
            let path = PathBuf::from(path);
            // Opening a pipe would wait for its writer.
            if !path.metadata().map_err(unusable)?.is_file() {
                return Err(FieldError::invalid("path", "no file"));
            }
            let file = std::fs::File::open(path).map_err(unusable)?;
            Ok(engine.core.carry_parcel(std::io::BufReader::new(file))?)
        })
        .await
    }

    /// Adds the content of a QR code from a colleague's phone, in any order and as often as the camera reads it. A code of another series
    /// drops those read before. The last missing code imports the parcel as carry_parcel does. Fails with Invalid (field parcel) if it is
    /// not such a code or was misread: continue with the next one.
    pub async fn add_qr_frame(&self, frame: Vec<u8>) -> Result<QrProgress, FieldError> {
        self.call(move |engine| Ok(engine.core.add_qr_frame(&frame)?)).await
    }

    /// Returns what the server does not have yet, and since when.
    pub async fn sync_status(&self) -> Result<SyncStatus, FieldError> {
        self.call(|engine| Ok(engine.core.sync_status()?)).await
    }
}
