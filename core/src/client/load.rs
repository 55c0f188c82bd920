//! Lorry loads: opening, joining by code, requesting to close.

use data_encoding::BASE64URL_NOPAD;
use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

use super::{Author, Basis, FieldClient, not_found, require_current, require_visible};
use crate::Error;
use crate::codec::decode;
use crate::decisions::{Lorry, ReviewCode};
use crate::limits::MAX_MANIFEST;
use crate::permission::Capability;
use crate::records::load::{self, CloseRequest, LoadHeader, LoadSnapshot, LoadState, Loader, ManifestLine};
use crate::records::{Conflict, Kind, Load, Put, Stamp, encode, version};
use crate::rules::{Check, check_text};
use crate::scope::Scope;
use crate::store::decisions::{self, Reference};
use crate::store::outbox::{self, SyncState};
use crate::store::rows::{self, DeliveryFilter, Sum};
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
    /// `Closing` once a request to close was made.
    pub state: LoadState,
    /// Clerks who opened or joined it, in the order of their times.
    pub loaders: Vec<Loader>,
    /// Requests to close, oldest first.
    pub close_requests: Vec<CloseView>,
    /// Totals of the deliveries on it, as far as they are on this phone.
    pub sum: Sum,
    /// Hash of the deliveries on it that count, as far as they are on this phone; pass it to [`FieldClient::request_close`].
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
    /// Opens a load of today, with the current user as its first loader.
    ///
    /// # Errors
    /// [`Error::Refused`] by role or centre, [`Error::Invalid`] for lorry, driver or commodity (no season today), [`Error::Unauthorized`].
    pub fn open_load(&self, input: &OpenLoad) -> Result<LoadView, Error> {
        let author = self.author()?;
        author.require(Capability::OpenLoad)?;
        author.require_centre(&input.centre)?;
        if author.reference.latest::<Lorry>(input.lorry.as_str()).is_none() {
            return Err(Error::invalid("lorry", format!("no lorry {} is known: check the plate", input.lorry)));
        }
        let driver = input.driver.as_deref().map(|driver| check_text(driver, true)).transpose();
        let driver = driver.map_err(|wrong| Error::invalid("driver", wrong))?;
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
            let snapshot = LoadSnapshot { header, stamp: action.stamp, driver };
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

    /// Corrects the lorry of a load, also after a request to close.
    ///
    /// # Errors
    /// [`Error::Stale`], [`Error::NotFound`], [`Error::Invalid`] for an unknown or the same lorry, [`Error::Refused`].
    pub fn set_lorry(&self, basis: Basis, lorry: &LorryPlate) -> Result<LoadView, Error> {
        let author = self.author()?;
        author.require(Capability::OpenLoad)?;
        if author.reference.latest::<Lorry>(lorry.as_str()).is_none() {
            return Err(Error::invalid("lorry", format!("no lorry {lorry} is known: check the plate")));
        }
        self.change_load(&author, basis, |_, view, _, stamp| {
            if view.lorry == *lorry {
                return Err(Error::invalid("lorry", "the load has this lorry already"));
            }
            Ok(load::set_lorry(stamp, lorry.clone()))
        })
    }

    /// Asks the office, perhaps again, to close a load with the deliveries on it that are here. Deliveries in no manifest count as late.
    ///
    /// # Errors
    /// [`Error::Stale`] if the load or its manifest ([`LoadView::manifest_hash`]) has changed, [`Error::Refused`] if the load has no
    /// delivery or this phone has a draft for it, [`Error::TooLarge`], [`Error::NotFound`].
    pub fn request_close(&self, basis: Basis, manifest_hash: &str) -> Result<LoadView, Error> {
        let author = self.author()?;
        author.require(Capability::OpenLoad)?;
        self.change_load(&author, basis, |db, view, manifest, stamp| {
            let load_id = Some(view.load_id);
            if drafts::all(db)?.iter().any(|(_, _, draft)| draft.load_id == load_id) {
                return Err(Error::not_allowed("a draft for this load is still open: record or discard it first"));
            }
            if view.manifest_hash != manifest_hash {
                return Err(Error::Stale);
            }
            if manifest.is_empty() {
                return Err(Error::not_allowed("the load has no delivery"));
            }
            if manifest.len() > MAX_MANIFEST {
                let reason = format!("{} deliveries, at most {MAX_MANIFEST} fit one manifest", manifest.len());
                return Err(Error::TooLarge { field: "manifest", reason });
            }
            Ok(load::request_close(&CloseRequest { stamp, manifest }))
        })
    }

    fn change_load(
        &self,
        author: &Author,
        basis: Basis,
        puts: impl FnOnce(&rusqlite::Connection, &LoadView, Vec<ManifestLine>, Stamp) -> Result<Vec<Put>, Error>,
    ) -> Result<LoadView, Error> {
        let load_id = LoadId::from(basis.document_id);
        self.act(author, |action| {
            let (view, manifest) = view_and_manifest(action.db, author, load_id)?;
            require_current(basis, load_id, view.basis.version)?;
            let saved = stored::find(&mut seam(action.db), load_id.into())?.ok_or_else(|| not_found("load"))?;
            let puts = puts(action.db, &view, manifest, action.stamp)?;
            action.edit(Kind::of::<Load>(), load_id.into(), &saved.scope, Some(&saved), puts)?;
            load_view(action.db, author, load_id)
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

fn load_view(db: &rusqlite::Connection, author: &Author, load_id: LoadId) -> Result<LoadView, Error> {
    Ok(view_and_manifest(db, author, load_id)?.0)
}

fn view_and_manifest(
    db: &rusqlite::Connection,
    author: &Author,
    load_id: LoadId,
) -> Result<(LoadView, Vec<ManifestLine>), Error> {
    let found = require_visible::<Load>(db, author, load_id, "load")?;
    let basis = Basis { document_id: load_id.into(), version: found.version() };
    let manifest = manifest(db, load_id)?;
    let state = found.record.state();
    let Load { load_id, header, lorry, driver, opened: _, loaders, close_requests, conflicts } = found.record;
    let view = LoadView {
        load_id,
        basis,
        number: header.number(),
        join_code: JoinCode { load_id, header: header.clone() }.write(),
        centre: header.centre,
        season: header.season,
        business_date: header.date,
        lorry,
        driver,
        state,
        loaders,
        close_requests: close_requests.iter().map(CloseView::from).collect(),
        sum: rows::load_sum(&mut seam(db), load_id)?,
        manifest_hash: data_encoding::HEXLOWER.encode(&Sha256::digest(encode(&manifest))),
        sync: outbox::state(db, load_id.into())?,
        conflicts,
        reviews: decisions::review_codes(&mut seam(db), load_id.into())?,
    };
    Ok((view, manifest))
}

/// Returns the checks of a load to which a delivery of gross weight `more` is added; none if the load is not on this phone.
pub(super) fn check_load(
    db: &rusqlite::Connection,
    reference: &Reference,
    load_id: LoadId,
    more: Grams,
) -> Result<Vec<Check>, Error> {
    let Some((state, lorry, gross)) = rows::load_capacity(&mut seam(db), load_id)? else { return Ok(Vec::new()) };
    let mut checks = Vec::new();
    if state == LoadState::Closing {
        checks.push(Check::LoadClosing);
    }
    let payload = reference.latest::<Lorry>(lorry.as_str()).map_or(Grams::ZERO, |lorry| lorry.payload);
    if payload > Grams::ZERO && gross + more > payload {
        checks.push(Check::OverCapacity);
    }
    Ok(checks)
}

/// Returns the deliveries on a load that are not voided, ordered by id.
fn manifest(db: &rusqlite::Connection, load_id: LoadId) -> Result<Vec<ManifestLine>, Error> {
    let filter = DeliveryFilter { load_id: Some(load_id), ..DeliveryFilter::default() };
    let mut lines = Vec::new();
    for row in rows::deliveries(&mut seam(db), &filter, u32::MAX)?.into_iter().filter(|row| !row.is_voided) {
        let heads = stored::find(&mut seam(db), row.delivery_id.into())?.map_or(Vec::new(), |it| it.heads);
        lines.push(ManifestLine {
            delivery_id: row.delivery_id,
            version: version(&heads),
            bags: row.bags,
            gross: row.gross_g,
        });
    }
    lines.sort_by_key(|line| line.delivery_id);
    Ok(lines)
}
