//! Lorry loads: opening, joining by code, requesting to close.

use data_encoding::BASE64URL_NOPAD;
use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

use super::action::Action;
use super::delivery::checked;
use super::{Author, Basis, FieldClient, require_current, require_visible};
use crate::Error;
use crate::codec::decode;
use crate::decisions::{CapacityLimits, Lorry, ReviewCode};
use crate::limits::{MAX_MANIFEST, MAX_ODOMETER_KM};
use crate::permission::Capability;
use crate::records::delivery::Reason;
use crate::records::load::{
    self, CloseRequest, LoadEvent, LoadHeader, LoadSnapshot, LoadState, LoadStep, Loader, ManifestLine,
};
use crate::records::{Conflict, Kind, Load, Put, Stamp, encode, version};
use crate::rules::{ActionCode, Check, LoadAtHand, check_text};
use crate::scope::Scope;
use crate::store::decisions::{self, Reference};
use crate::store::outbox::{self, SyncState};
use crate::store::records::Found;
use crate::store::rows::{self, Sum};
use crate::store::seam;
use crate::store::{drafts, records as stored};
use crate::units::{
    BusinessDate, CentreCode, CommodityCode, DeliveryId, DocumentId, Grams, LoadId, LorryPlate, SeasonCode,
};

/// Input for opening a load.
#[derive(Clone, Debug)]
pub struct OpenLoad {
    /// Centre, one of those granted.
    pub centre: CentreCode,
    /// Commodity that is loaded.
    pub commodity: CommodityCode,
    /// Plate of a known lorry.
    pub lorry: LorryPlate,
    /// The driver's name, if known.
    pub driver: Option<String>,
    /// Name of the destination, if known.
    pub destination: Option<String>,
    /// Whether it is only planned, and loading begins later.
    pub is_planned: bool,
}

/// A change of a load.
#[derive(Clone, Debug)]
pub enum LoadEdit {
    /// Begins loading a planned load.
    Open,
    /// Sets the lorry, to that of a known plate.
    SetLorry(LorryPlate),
    /// Sets the driver's name.
    SetDriver(String),
    /// Sets the name of the destination. On the way, [`Self::Divert`] also says why it changes.
    SetDestination(String),
    /// Records a stop at a place.
    AddStop {
        /// Name of the place.
        place: String,
    },
    /// Records a seal on the lorry.
    AddSeal {
        /// Number on the seal.
        seal: String,
    },
    /// Asks the office, perhaps again, to close the load with the deliveries on it that are here. Deliveries in no manifest count as late.
    RequestClose {
        /// [`LoadView::manifest_hash`] as shown.
        manifest_hash: String,
    },
    /// Records that the lorry left with the load.
    Depart {
        /// Reading of the odometer in kilometres, if it was read.
        odometer_km: Option<u32>,
    },
    /// Orders another destination on the way.
    Divert {
        /// Name of the new destination.
        destination: String,
        /// Reason that the person gave.
        reason: Reason,
    },
    /// Records that the lorry arrived at its destination.
    Arrive {
        /// Reading of the odometer in kilometres, if it was read.
        odometer_km: Option<u32>,
    },
    /// Takes the load over at its destination.
    Receive,
    /// Gives up a load without deliveries before it left.
    Cancel {
        /// Reason that the person gave.
        reason: Reason,
    },
}

impl LoadEdit {
    /// Returns the action under which a view offers this change.
    pub fn action(&self) -> ActionCode {
        match self {
            Self::Open => ActionCode::Open,
            Self::SetLorry(_) | Self::SetDriver(_) | Self::SetDestination(_) => ActionCode::Correct,
            Self::AddStop { .. } => ActionCode::Stop,
            Self::AddSeal { .. } => ActionCode::Seal,
            Self::RequestClose { .. } => ActionCode::RequestClose,
            Self::Depart { .. } => ActionCode::Depart,
            Self::Divert { .. } => ActionCode::Divert,
            Self::Arrive { .. } => ActionCode::Arrive,
            Self::Receive => ActionCode::Receive,
            Self::Cancel { .. } => ActionCode::Cancel,
        }
    }
}

/// A load as a screen shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadView {
    /// The load's id.
    pub load_id: LoadId,
    /// The version shown here; pass it to the next change.
    pub basis: Basis,
    /// Load number, such as `KOLAR-1121-10-3`.
    pub number: String,
    /// Centre where it was opened.
    pub centre: CentreCode,
    /// Season in which it was opened.
    pub season: SeasonCode,
    /// Day on which it was opened.
    pub business_date: BusinessDate,
    /// The lorry's plate, as last corrected.
    pub lorry: LorryPlate,
    /// The driver's name, if known.
    pub driver: Option<String>,
    /// Name of the destination, if known.
    pub destination: Option<String>,
    /// State that follows from all steps that are known here.
    pub state: LoadState,
    /// Clerks who opened or joined it, in the order of their times.
    pub loaders: Vec<Loader>,
    /// Requests to close, oldest first.
    pub close_requests: Vec<CloseView>,
    /// Steps such as stops, seals and the departure, oldest first.
    pub timeline: Vec<LoadEvent>,
    /// What the current user may do with it now.
    pub actions: Vec<ActionCode>,
    /// Totals of the deliveries on it, as far as they are on this phone.
    pub sum: Sum,
    /// Hash of the deliveries on it that count, as far as they are on this phone; pass it to [`LoadEdit::RequestClose`].
    pub manifest_hash: String,
    /// Code that other clerks read, as text or QR code, to join without network.
    pub join_code: String,
    /// How far it is on its way to the server's log.
    pub sync: SyncState,
    /// Fields that have concurrent values.
    pub conflicts: Vec<Conflict>,
    /// Codes of the reviews that name it.
    pub reviews: Vec<ReviewCode>,
}

/// A request to close a load, as a screen shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseView {
    /// Author, device and time.
    pub stamp: Stamp,
    /// Number of deliveries in its manifest.
    pub deliveries: u32,
    /// Gross weight of these deliveries.
    pub gross_g: Grams,
}

impl From<&CloseRequest> for CloseView {
    fn from(request: &CloseRequest) -> Self {
        let deliveries = u32::try_from(request.manifest.len()).unwrap_or(u32::MAX);
        Self { stamp: request.stamp, deliveries, gross_g: request.gross() }
    }
}

/// Content of a join code: [`JOIN_PREFIX`], then base64url of this as CBOR.
#[derive(Encode, Decode)]
#[cbor(array)]
struct JoinCode {
    #[n(0)]
    load_id: LoadId,
    #[n(1)]
    header: LoadHeader,
}

const JOIN_PREFIX: &str = "FTL1-";

impl JoinCode {
    fn read(text: &str) -> Result<Self, Error> {
        let bytes = text.trim().strip_prefix(JOIN_PREFIX).and_then(|rest| BASE64URL_NOPAD.decode(rest.as_bytes()).ok());
        let code = bytes.and_then(|bytes| decode(&bytes).ok());
        code.ok_or_else(|| Error::invalid("join_code", "not a load's join code: scan it again from the other phone"))
    }

    fn write(&self) -> String {
        format!("{JOIN_PREFIX}{}", BASE64URL_NOPAD.encode(&encode(self)))
    }
}

impl FieldClient {
    /// Opens or plans a load of today, with the current user as its first loader.
    ///
    /// # Errors
    /// [`Error::Refused`] by role or centre, [`Error::Invalid`] for lorry, driver, destination or commodity (no season today), [`Error::Unauthorized`].
    pub fn open_load(&self, input: &OpenLoad) -> Result<LoadView, Error> {
        let author = self.author()?;
        author.require(Capability::OpenLoad)?;
        author.require_centre(&input.centre)?;
        require_lorry(&author, &input.lorry)?;
        let named = |field, text: Option<&str>| text.map(|text| required(field, text)).transpose();
        let driver = named("driver", input.driver.as_deref())?;
        let destination = named("destination", input.destination.as_deref())?;
        let (season, date) = self.season_today(&author, &input.commodity)?;
        let load_id: LoadId = self.new_id();
        self.act(&author, |action| {
            action.counters.loads += 1;
            let scope = Scope::Season(input.centre.clone(), season.clone());
            let header = LoadHeader {
                centre: input.centre.clone(),
                season,
                date,
                device_code: action.stamp.device_code,
                sequence: action.counters.loads,
                lorry: input.lorry.clone(),
            };
            let snapshot =
                LoadSnapshot { header, stamp: action.stamp, driver, destination, is_planned: input.is_planned };
            action.create(Kind::of::<Load>(), load_id.into(), &scope, encode(&snapshot))?;
            load_view(action.db, &author, load_id)
        })
    }

    /// Joins a load by the code that another phone shows, without network and before the load was received; joining again changes nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`] for text that is not a join code, [`Error::Refused`] for a centre that is not granted, [`Error::Unauthorized`].
    pub fn join_load(&self, join_code: &str) -> Result<LoadView, Error> {
        let author = self.author()?;
        author.require(Capability::JoinLoad)?;
        let JoinCode { load_id, header } = JoinCode::read(join_code)?;
        let me = (author.installation.user_id, author.installation.device_code);
        self.act(&author, |action| {
            let saved = stored::find(&mut seam(action.db), load_id.into())?;
            let found = stored::get::<Load>(&mut seam(action.db), load_id)?;
            let is_other = saved.is_some() && found.is_none();
            if is_other || drafts::find(action.db, DeliveryId::from(DocumentId::from(load_id)))?.is_some() {
                return Err(Error::invalid("join_code", "the code belongs to a record that is not a load"));
            }
            let is_me = |loader: &Loader| (loader.user_id, loader.device_code) == me;
            let joined = found.is_some_and(|found| found.record.loaders.iter().any(is_me));
            if !joined {
                let made = || Scope::Season(header.centre.clone(), header.season.clone());
                let scope = saved.as_ref().map_or_else(made, |saved| saved.scope.clone());
                scope.centre().map_or(Ok(()), |centre| author.require_centre(centre))?;
                let puts = load::join(action.stamp, header);
                action.edit(Kind::of::<Load>(), load_id.into(), &scope, saved.as_ref(), puts)?;
            }
            load_view(action.db, &author, load_id)
        })
    }

    /// Changes a load. What its state or the role does not permit is not among [`LoadView::actions`].
    ///
    /// # Errors
    /// [`Error::Stale`] if the load, or the manifest that was shown, has changed; [`Error::Refused`] by role or state, or if this phone has a
    /// draft for a load to be closed; [`Error::Confirm`] with the checks that are not in `accept` yet; [`Error::Invalid`],
    /// [`Error::TooLarge`], [`Error::NotFound`].
    pub fn change_load(&self, basis: Basis, edit: &LoadEdit, accept: &[Check]) -> Result<LoadView, Error> {
        let author = self.author()?;
        author.require_contact()?;
        let load_id = LoadId::from(basis.document_id);
        self.act(&author, |action| {
            let Found { stored, record: load } = require_visible::<Load>(action.db, &author, load_id, "load")?;
            require_current(basis, load_id, version(&stored.heads))?;
            let manifest = manifest_of(action.db, load_id)?;
            let at_hand = LoadAtHand { load: &load, deliveries: manifest.len() as u64 };
            at_hand
                .check(edit.action(), author.grant.role)
                .map_err(|refused| Error::not_allowed(refused.to_string()))?;
            Self::confirm(checks_of(edit, &load), accept)?;
            let puts = puts_of(edit, action, &load, manifest)?;
            action.edit(Kind::of::<Load>(), load_id.into(), &stored.scope, Some(&stored), puts)?;
            load_view(action.db, &author, load_id)
        })
    }

    /// Returns a load.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unauthorized`], [`Error::Refused`] if the phone is locked, [`Error::Store`].
    pub fn load(&self, load_id: LoadId) -> Result<LoadView, Error> {
        let author = self.author()?;
        self.store.read(|db| load_view(db, &author, load_id))
    }
}

/// Returns what is unusual about a change. The lorry's way is a fact: it is recorded even if what belongs before it is missing.
fn checks_of(edit: &LoadEdit, load: &Load) -> Vec<Check> {
    let is_open = load.state() == LoadState::Open;
    let findings = match edit {
        LoadEdit::Depart { .. } => {
            vec![(Check::LoadNotClosed, is_open), (Check::LoadNotSealed, load.seals().next().is_none())]
        }
        LoadEdit::Arrive { .. } => vec![(Check::LoadNotDeparted, load.state() != LoadState::Dispatched)],
        _ => Vec::new(),
    };
    findings.into_iter().filter(|(_, found)| *found).map(|(check, _)| check).collect()
}

/// Returns the puts of a change that its state permits.
fn puts_of(edit: &LoadEdit, action: &Action<'_>, load: &Load, manifest: Vec<ManifestLine>) -> Result<Vec<Put>, Error> {
    let stamp = action.stamp;
    let step = |step| load::step(stamp, step);
    Ok(vec![match edit {
        LoadEdit::Open => step(LoadStep::Opened),
        LoadEdit::SetLorry(lorry) => {
            require_lorry(action.author, lorry)?;
            if load.lorry == *lorry {
                return Err(Error::invalid("lorry", "the load has this lorry already"));
            }
            load::set_lorry(stamp, lorry.clone())
        }
        LoadEdit::SetDriver(driver) => load::set_driver(stamp, required("driver", driver)?),
        LoadEdit::SetDestination(place) => load::set_destination(stamp, required("destination", place)?),
        LoadEdit::AddStop { place } => step(LoadStep::Stopped { place: required("place", place)? }),
        LoadEdit::AddSeal { seal } => {
            let seal = required("seal", seal)?;
            if load.seals().any(|known| known == seal) {
                return Err(Error::invalid("seal", "the load has this seal already"));
            }
            step(LoadStep::Sealed { seal })
        }
        LoadEdit::RequestClose { manifest_hash } => request_close(action, load.load_id, manifest, manifest_hash)?,
        LoadEdit::Depart { odometer_km } => step(LoadStep::Departed { odometer_km: checked_odometer(*odometer_km)? }),
        LoadEdit::Arrive { odometer_km } => step(LoadStep::Arrived { odometer_km: checked_odometer(*odometer_km)? }),
        LoadEdit::Receive => step(LoadStep::Received),
        LoadEdit::Cancel { reason } => step(LoadStep::Cancelled { reason: checked(reason)? }),
        LoadEdit::Divert { destination, reason } => {
            let place = load::set_destination(stamp, required("destination", destination)?);
            return Ok(vec![place, step(LoadStep::Diverted { reason: checked(reason)? })]);
        }
    }])
}

fn request_close(
    action: &Action<'_>,
    load_id: LoadId,
    manifest: Vec<ManifestLine>,
    shown_hash: &str,
) -> Result<Put, Error> {
    if drafts::all(action.db)?.iter().any(|(_, _, draft)| draft.load_id == Some(load_id)) {
        return Err(Error::not_allowed("a draft for this load is still open: record or discard it first"));
    }
    if hash_of(&manifest) != shown_hash {
        return Err(Error::Stale);
    }
    if manifest.len() > MAX_MANIFEST {
        let reason = format!("{} deliveries, at most {MAX_MANIFEST} fit one manifest", manifest.len());
        return Err(Error::TooLarge { field: "manifest", reason });
    }
    Ok(load::request_close(&CloseRequest { stamp: action.stamp, manifest }))
}

fn require_lorry(author: &Author, lorry: &LorryPlate) -> Result<(), Error> {
    match author.reference.latest::<Lorry>(lorry.as_str()) {
        Some(_) => Ok(()),
        None => Err(Error::invalid("lorry", format!("no lorry {lorry} is known: check the plate"))),
    }
}

/// Returns a text of an input in its stored form.
fn required(field: &'static str, text: &str) -> Result<String, Error> {
    check_text(text, true).map_err(|wrong| Error::invalid(field, wrong))
}

fn checked_odometer(odometer_km: Option<u32>) -> Result<Option<u32>, Error> {
    if odometer_km.is_some_and(|km| km > MAX_ODOMETER_KM) {
        return Err(Error::invalid("odometer_km", format!("an odometer shows at most {MAX_ODOMETER_KM} km")));
    }
    Ok(odometer_km)
}

fn load_view(db: &rusqlite::Connection, author: &Author, load_id: LoadId) -> Result<LoadView, Error> {
    let found = require_visible::<Load>(db, author, load_id, "load")?;
    let basis = Basis { document_id: load_id.into(), version: found.version() };
    let manifest = manifest_of(db, load_id)?;
    let at_hand = LoadAtHand { load: &found.record, deliveries: manifest.len() as u64 };
    let (state, actions) = (found.record.state(), at_hand.actions(author.grant.role));
    let Load { header, lorry, driver, destination, loaders, close_requests, timeline, conflicts, .. } = found.record;
    Ok(LoadView {
        load_id,
        basis,
        number: header.number(),
        join_code: JoinCode { load_id, header: header.clone() }.write(),
        centre: header.centre,
        season: header.season,
        business_date: header.date,
        lorry,
        driver,
        destination,
        state,
        loaders,
        close_requests: close_requests.iter().map(CloseView::from).collect(),
        timeline,
        actions,
        sum: rows::load_sum(&mut seam(db), load_id)?,
        manifest_hash: hash_of(&manifest),
        sync: outbox::state(db, load_id.into())?,
        conflicts,
        reviews: decisions::review_codes(&mut seam(db), load_id.into())?,
    })
}

pub(super) fn hash_of(manifest: &[ManifestLine]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(encode(&manifest)))
}

/// Returns the checks of a load to which a delivery of gross weight `more` is added; none if the load is not on this phone. The last one of
/// [`Check::NearCapacity`] and [`Check::OverCapacity`] that holds is returned.
pub(super) fn check_load(
    db: &rusqlite::Connection,
    reference: &Reference,
    load_id: LoadId,
    more: Grams,
    limits: CapacityLimits,
) -> Result<Vec<Check>, Error> {
    let Some((state, lorry, gross)) = rows::load_capacity(&mut seam(db), load_id)? else { return Ok(Vec::new()) };
    let mut checks = Vec::new();
    match state {
        LoadState::Planned | LoadState::Open => {}
        LoadState::Closing => checks.push(Check::LoadClosing),
        LoadState::Dispatched | LoadState::Arrived | LoadState::Received => checks.push(Check::LoadDeparted),
        LoadState::Cancelled => checks.push(Check::LoadCancelled),
    }
    let payload = reference.latest::<Lorry>(lorry.as_str()).map_or(Grams::ZERO, |lorry| lorry.payload);
    let loaded = i128::from((gross + more).0) * 10_000;
    let is_above = |hundredths: u32| payload > Grams::ZERO && loaded > i128::from(payload.0) * i128::from(hundredths);
    if is_above(limits.stop_hundredths) {
        checks.push(Check::OverCapacity);
    } else if is_above(limits.warning_hundredths) {
        checks.push(Check::NearCapacity);
    }
    Ok(checks)
}

/// Returns the deliveries on a load that are not voided, ordered by id.
pub(super) fn manifest_of(db: &rusqlite::Connection, load_id: LoadId) -> Result<Vec<ManifestLine>, Error> {
    let mut lines = Vec::new();
    for row in rows::deliveries_on(&mut seam(db), load_id)? {
        let heads = stored::find(&mut seam(db), row.delivery_id.into())?.map_or(Vec::new(), |it| it.heads);
        lines.push(ManifestLine {
            delivery_id: row.delivery_id,
            version: version(&heads),
            bags: row.bags,
            gross: row.gross_g,
        });
    }
    Ok(lines)
}
