use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use farmtally_core::client::{
    Access, Basis, Choice, DeliveryEdit, DeliveryView, DraftEdit, Event, Events, FarmerInput, FarmerView,
    FieldClient as Core, LoadView, OpenLoad, PhoneUser, Session, StartDraft, SyncBudget, SyncOptions, SyncReport,
    SyncStatus, Today,
};
use farmtally_core::environment::Environment;
use farmtally_core::protocol::qr::QrProgress;
use farmtally_core::records::delivery::Reason;
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::rules;
use farmtally_core::store::rows::FarmerRow;
use farmtally_core::sync::{self, HttpTransport};
use farmtally_core::units::{BusinessDate, CentreCode, DeliveryId, FarmerId, LoadId, LorryPlate, UserId};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex as AsyncMutex, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::error::{Check, FieldError};
use crate::input::{ClientConfig, DeliveryQuery, MAX_PAGE};
use crate::key_store::{AppKeys, KeyStore};
use crate::transport::{AppTransport, Transport};
use crate::view::{DeliveryPage, InboxPage, Reference};

/// Calls that work at the same time; more wait their turn.
const MAX_THREADS: usize = 8;

/// Calls that wait for the network take few of the threads, so that weighing always finds one.
static NETWORK_CALLS: Semaphore = Semaphore::const_new(2);

/// Held while an app's key store is asked.
static KEY_STORES: AsyncMutex<()> = AsyncMutex::const_new(());

/// How often the clock is looked at while somebody waits for an event.
const CLOCK_STEP: Duration = Duration::from_secs(60);

/// Events follow each other no faster: ten a second are more than anybody sees.
const EVENT_STEP: Duration = Duration::from_millis(100);

/// The threads that do the work, for all clients of the process. `None` if the system gives no threads.
static THREADS: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(1).max_blocking_threads(MAX_THREADS).enable_time().build().ok()
});

pub(crate) fn threads() -> Result<&'static Runtime, FieldError> {
    THREADS.as_ref().ok_or_else(|| FieldError::internal("the system gives no threads"))
}

pub(crate) struct Engine {
    core: Core,
    /// The app's way to the server; the library's own from its first use on, if the app named none.
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

/// A phone's store and session. Any thread may call it; no call blocks its caller.
///
/// Every change takes the `basis` of the view that the person saw, and returns the new view. A call that was cancelled has either
/// wholly happened or not at all.
#[derive(uniffi::Object)]
pub struct FieldClient {
    /// Held for reading by every call that works on the store; a call that waits for the network holds only the engine.
    engine: Arc<RwLock<Option<Arc<Engine>>>>,
    events: Arc<Events>,
    /// When the last event was told.
    told_at: Arc<Mutex<Option<Instant>>>,
}

impl Drop for FieldClient {
    /// Closing takes its time, which is not that of whoever frees a handle.
    fn drop(&mut self) {
        let engine = std::mem::take(&mut self.engine);
        if let Ok(threads) = threads() {
            threads.spawn_blocking(move || drop(engine));
        }
    }
}

/// Runs work on a thread of this library.
async fn on_thread<T: Send + 'static>(
    f: impl FnOnce() -> Result<T, FieldError> + Send + 'static,
) -> Result<T, FieldError> {
    match threads()?.spawn_blocking(f).await {
        Ok(result) => result,
        Err(panicked) => Err(FieldError::internal(format!("a defect was caught: {panicked}"))),
    }
}

/// Reads the checks that a person said yes to.
fn checks(accept: Vec<Check>) -> Result<Vec<rules::Check>, FieldError> {
    accept.into_iter().map(rules::Check::try_from).collect()
}

/// What is newer than `after`. Looks at the clock while it waits: no clock raises an event.
async fn next_event(events: &Events, engine: &Arc<RwLock<Option<Arc<Engine>>>>, after: u64) -> Option<Event> {
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

    /// A call that may wait for the network: shutting down does not wait for it.
    async fn call_network<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Engine) -> Result<T, FieldError> + Send + 'static,
    ) -> Result<T, FieldError> {
        let turn = NETWORK_CALLS.acquire().await.map_err(FieldError::internal)?;
        let engine = Arc::clone(&self.engine);
        on_thread(move || {
            // The work goes on, and takes its thread, even if nobody waits for it any more.
            let _turn = turn;
            let engine = engine.read().unwrap_or_else(PoisonError::into_inner).clone();
            f(&*engine.ok_or_else(FieldError::shut_down)?)
        })
        .await
    }
}

#[uniffi::export]
impl FieldClient {
    /// Opens the store in a folder of the app's own, and makes it if there is none: encrypted if the app names a key store, which a build
    /// without encryption refuses. Requests go the app's own way if it names one. A folder is open once: whoever opens it again too early is
    /// Refused.
    #[uniffi::constructor(default(key_store = None, transport = None))]
    pub async fn open(
        config: ClientConfig,
        key_store: Option<Arc<dyn KeyStore>>,
        transport: Option<Arc<dyn Transport>>,
    ) -> Result<Arc<Self>, FieldError> {
        let (_awaited, given_up) = watch::channel(());
        // Core asks one key store after another: whoever waits for that here takes no thread, and may give up.
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
            Ok(Arc::new(Self { engine, events, told_at: Arc::default() }))
        })
        .await
    }

    /// Waits until something is newer than `after`, 0 for whoever has heard nothing; none once the client is shut down. There is no queue:
    /// an event says what to read again, not what happened, so that a slow listener or one that gives up loses nothing. At most ten a second.
    pub async fn next_event(&self, after: u64) -> Result<Option<Event>, FieldError> {
        let (events, told_at, engine) = (Arc::clone(&self.events), Arc::clone(&self.told_at), Arc::clone(&self.engine));
        // A call that is given up ends the wait.
        let mut waiting = JoinSet::new();
        let wait = async move {
            let due = *told_at.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(told_at) = due
                && after > 0
            {
                tokio::time::sleep_until(told_at + EVENT_STEP).await;
            }
            let event = next_event(&events, &engine, after).await?;
            *told_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            Some(event)
        };
        waiting.spawn_on(wait, threads()?.handle());
        let ended = waiting.join_next().await.transpose();
        Ok(ended.map_err(|ended| FieldError::internal(format!("a defect was caught: {ended}")))?.flatten())
    }

    /// Waits for running writes and closes the store; a sync that waits for the network keeps the folder until it gives up. Calling it
    /// twice is fine; any later call fails with ShutDown, only next_event gives none.
    pub async fn shut_down(&self) -> Result<(), FieldError> {
        let engine = Arc::clone(&self.engine);
        on_thread(move || {
            if let Some(engine) = engine.write().unwrap_or_else(PoisonError::into_inner).take() {
                // Also ends what begins to sync only now.
                engine.core.events().end();
            }
            Ok(())
        })
        .await
    }

    /// Who is using the phone; none before enrolment.
    pub async fn session(&self) -> Result<Option<Session>, FieldError> {
        self.call(|engine| Ok(engine.core.session())).await
    }

    /// Everybody who may use this phone, by name.
    pub async fn users(&self) -> Result<Vec<PhoneUser>, FieldError> {
        self.call(|engine| Ok(engine.core.users())).await
    }

    /// Hands the phone to another of its users. What anybody recorded on it goes up with the next sync, whoever syncs.
    pub async fn switch_user(&self, user_id: UserId) -> Result<Session, FieldError> {
        self.call(move |engine| Ok(engine.core.switch_user(user_id)?)).await
    }

    /// What this phone may still do, by the office's orders and by the time since its last contact with the server.
    pub async fn access(&self) -> Result<Access, FieldError> {
        self.call(|engine| Ok(engine.core.access())).await
    }

    /// Enrols this installation with a code from the office. Needs the network, once; an attempt whose answer was lost may be repeated.
    pub async fn enrol(&self, server_url: String, code: String, model: String) -> Result<Session, FieldError> {
        self.call_network(move |engine| Ok(engine.core.enrol(engine.transport()?, &server_url, &code, &model)?)).await
    }

    /// Commodities, bag types and lorries, as far as they were received.
    pub async fn reference(&self) -> Result<Reference, FieldError> {
        self.call(|engine| Ok(Reference::of(&engine.core.reference(), engine.core.date()))).await
    }

    /// The day's screen of a centre; today's, if `date` is left out.
    #[uniffi::method(default(date = None))]
    pub async fn today(&self, centre: CentreCode, date: Option<BusinessDate>) -> Result<Today, FieldError> {
        self.call(move |engine| Ok(engine.core.today(&centre, date)?)).await
    }

    /// Recorded deliveries, the newest to arrive on this phone first.
    pub async fn deliveries(&self, query: DeliveryQuery) -> Result<DeliveryPage, FieldError> {
        self.call(move |engine| {
            let limit = query.limit();
            Ok(DeliveryPage::new(engine.core.deliveries(&query.into(), limit + 1)?, limit as usize))
        })
        .await
    }

    /// One delivery, draft or recorded.
    pub async fn delivery(&self, delivery_id: DeliveryId) -> Result<DeliveryView, FieldError> {
        self.call(move |engine| Ok(engine.core.delivery(delivery_id)?)).await
    }

    /// Begins a delivery. It is durable from here on, and in no total until it is recorded.
    pub async fn start_draft(&self, input: StartDraft) -> Result<DeliveryView, FieldError> {
        self.call(move |engine| Ok(engine.core.start_draft(input)?)).await
    }

    /// Weighs on. Returns once every step is on the disk; if one is refused, none is taken.
    pub async fn edit_draft(&self, basis: Basis, edits: Vec<DraftEdit>) -> Result<DeliveryView, FieldError> {
        self.call(move |engine| Ok(engine.core.edit_draft(basis, &edits)?)).await
    }

    /// Throws a draft away.
    pub async fn discard_draft(&self, basis: Basis) -> Result<(), FieldError> {
        self.call(move |engine| Ok(engine.core.discard_draft(basis)?)).await
    }

    /// Records a draft: from here on it counts, is sent, and is only ever amended or voided.
    #[uniffi::method(default(accept = []))]
    pub async fn record_delivery(&self, basis: Basis, accept: Vec<Check>) -> Result<DeliveryView, FieldError> {
        self.call(move |engine| Ok(engine.core.record_delivery(basis, &checks(accept)?)?)).await
    }

    /// Corrects a recorded delivery, with a reason. Everything stays visible.
    pub async fn amend_delivery(
        &self,
        basis: Basis,
        reason: Reason,
        edits: Vec<DeliveryEdit>,
    ) -> Result<DeliveryView, FieldError> {
        self.call(move |engine| Ok(engine.core.amend_delivery(basis, &reason, &edits)?)).await
    }

    /// Voids a recorded delivery, with a reason. It stays visible and counts nowhere.
    pub async fn void_delivery(&self, basis: Basis, reason: Reason) -> Result<DeliveryView, FieldError> {
        self.call(move |engine| Ok(engine.core.void_delivery(basis, &reason)?)).await
    }

    /// Farmers of a centre by the beginnings of words of name, village or telephone number; without text the newest.
    #[uniffi::method(default(limit = 50))]
    pub async fn farmers(&self, centre: CentreCode, text: String, limit: u32) -> Result<Vec<FarmerRow>, FieldError> {
        self.call(move |engine| Ok(engine.core.farmers(&centre, &text, limit.clamp(1, MAX_PAGE))?)).await
    }

    /// One farmer.
    pub async fn farmer(&self, farmer_id: FarmerId) -> Result<FarmerView, FieldError> {
        self.call(move |engine| Ok(engine.core.farmer(farmer_id)?)).await
    }

    /// Registers a farmer.
    #[uniffi::method(default(accept = []))]
    pub async fn register_farmer(
        &self,
        centre: CentreCode,
        contact: ContactDetails,
        accept: Vec<Check>,
    ) -> Result<FarmerView, FieldError> {
        self.call(move |engine| {
            Ok(engine.core.register_farmer(&FarmerInput { centre, details: contact }, &checks(accept)?)?)
        })
        .await
    }

    /// Corrects a farmer's contact details.
    pub async fn edit_farmer(
        &self,
        farmer_id: FarmerId,
        basis: Basis,
        contact: ContactDetails,
    ) -> Result<FarmerView, FieldError> {
        self.call(move |engine| Ok(engine.core.edit_farmer(farmer_id, basis, &contact)?)).await
    }

    /// Opens a load.
    pub async fn open_load(&self, input: OpenLoad) -> Result<LoadView, FieldError> {
        self.call(move |engine| Ok(engine.core.open_load(&input)?)).await
    }

    /// Joins a load that another phone opened, by the code it shows. Works without network.
    pub async fn join_load(&self, join_code: String) -> Result<LoadView, FieldError> {
        self.call(move |engine| Ok(engine.core.join_load(&join_code)?)).await
    }

    /// Corrects the lorry of a load.
    pub async fn set_lorry(&self, basis: Basis, lorry: LorryPlate) -> Result<LoadView, FieldError> {
        self.call(move |engine| Ok(engine.core.set_lorry(basis, &lorry)?)).await
    }

    /// Asks the office to close a load with what is on it; whatever is added later counts as late.
    pub async fn request_close(&self, basis: Basis, manifest_hash: String) -> Result<LoadView, FieldError> {
        self.call(move |engine| Ok(engine.core.request_close(basis, &manifest_hash)?)).await
    }

    /// One load.
    pub async fn load(&self, load_id: LoadId) -> Result<LoadView, FieldError> {
        self.call(move |engine| Ok(engine.core.load(load_id)?)).await
    }

    /// What waits for a person: held changes, conflicts, reviews.
    pub async fn inbox(&self) -> Result<InboxPage, FieldError> {
        self.call(|engine| Ok(InboxPage { items: engine.core.inbox()? })).await
    }

    /// Decides a matter by one of its choices, and returns what waits now.
    pub async fn resolve(&self, basis: Basis, choice: Choice) -> Result<InboxPage, FieldError> {
        self.call(move |engine| {
            engine.core.resolve(basis, &choice)?;
            Ok(InboxPage { items: engine.core.inbox()? })
        })
        .await
    }

    /// Pushes everybody's work from this phone and fetches the news. Being offline is an outcome, not an error. Cancelling the call does
    /// not end the run; cancel_sync does. In the background, where no person asked, it does nothing before a run is due, and ends with the
    /// answer by which so many milliseconds are spent.
    #[uniffi::method(default(in_background = false, budget_ms = None))]
    pub async fn sync(&self, in_background: bool, budget_ms: Option<u64>) -> Result<SyncReport, FieldError> {
        // A client that is just being shut down has no time to tell.
        let ticket = self.engine.try_read().ok().and_then(|it| it.as_ref().map(|engine| engine.core.ticket()));
        self.call_network(move |engine| {
            let unlimited = SyncBudget::default();
            let budget = SyncBudget { time_ms: budget_ms.unwrap_or(unlimited.time_ms), ..unlimited };
            let options = SyncOptions { is_manual: !in_background, budget, ticket };
            Ok(engine.core.sync_with(engine.transport()?, &options, &|_| ())?)
        })
        .await
    }

    /// Ends a running sync after the answer it waits for.
    pub async fn cancel_sync(&self) -> Result<(), FieldError> {
        self.call(|engine| {
            engine.core.cancel_sync();
            Ok(())
        })
        .await
    }

    /// Writes all that the server has not answered into a file that anybody may carry to it: on a stick, or over a colleague's phone. Only the
    /// server can open it. This is no acknowledgement: everything stays unsent here until the server says otherwise. Refused if there is
    /// nothing to hand over.
    pub async fn export_parcel(&self, path: String) -> Result<(), FieldError> {
        self.call(move |engine| Ok(engine.core.export_to(&PathBuf::from(path))?)).await
    }

    /// The same as the contents of QR codes, at most 600 bytes each, for byte mode: show them one after another, some five a second, again and
    /// again, until the colleague's phone has read all. A later call makes other codes: show one list to its end. TooLarge
    /// if it is too much for codes: write a file.
    pub async fn parcel_qr_frames(&self) -> Result<Vec<Vec<u8>>, FieldError> {
        self.call(|engine| Ok(engine.core.parcel_qr_frames()?)).await
    }

    /// Takes a colleague's file along; it goes to the server with the next sync. Refused if it is meant for another organisation or server;
    /// Invalid if it is none or a part is missing, TooLarge if this phone carries too much already.
    pub async fn carry_parcel(&self, path: String) -> Result<(), FieldError> {
        self.call(move |engine| {
            let unusable = |error: std::io::Error| FieldError::invalid("path", error.kind());
            let path = PathBuf::from(path);
            // Opening a pipe waits for whoever writes into it.
            if !path.metadata().map_err(unusable)?.is_file() {
                return Err(FieldError::invalid("path", "no file"));
            }
            let file = std::fs::File::open(path).map_err(unusable)?;
            Ok(engine.core.carry_parcel(std::io::BufReader::new(file))?)
        })
        .await
    }

    /// Takes the content of one QR code from a colleague's phone, in any order and as often as the camera likes. The call that brings the last
    /// missing one takes the work along, as carry_parcel does. Invalid for a code that is not of ours or was read wrongly: read on.
    pub async fn add_qr_frame(&self, frame: Vec<u8>) -> Result<QrProgress, FieldError> {
        self.call(move |engine| Ok(engine.core.add_qr_frame(&frame)?)).await
    }

    /// What the server does not have yet, and since when.
    pub async fn sync_status(&self) -> Result<SyncStatus, FieldError> {
        self.call(|engine| Ok(engine.core.sync_status()?)).await
    }
}
