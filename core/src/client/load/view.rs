//! Loads as screens show them, and their join codes.

use data_encoding::BASE64URL_NOPAD;
use minicbor::{Decode, Encode};

use super::manifest::{hash_of, manifest_of};
use crate::Error;
use crate::client::{Author, Basis, require_visible};
use crate::codec::decode;
use crate::decisions::ReviewCode;
use crate::records::load::{CloseRequest, LoadEvent, LoadHeader, LoadState, Loader};
use crate::records::{Conflict, Load, Stamp, encode};
use crate::rules::{ActionCode, LoadAtHand};
use crate::store::on_load::{self, Variance};
use crate::store::outbox::{self, SyncState};
use crate::store::rows::{self, Sum};
use crate::store::{decisions, seam};
use crate::units::{BusinessDate, CentreCode, Grams, LoadId, LorryPlate, SeasonCode};

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
    /// What was weighed of it after it had left, beside what this phone knows to be on it; `None` until then.
    pub variance: Option<Variance>,
    /// Hash of the deliveries on it that count, as far as they are on this phone; pass it to [`LoadEdit::RequestClose`](super::LoadEdit::RequestClose).
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
pub(super) struct JoinCode {
    #[n(0)]
    pub(super) load_id: LoadId,
    #[n(1)]
    pub(super) header: LoadHeader,
}

const JOIN_PREFIX: &str = "FTL1-";

impl JoinCode {
    pub(super) fn read(text: &str) -> Result<Self, Error> {
        let bytes = text.trim().strip_prefix(JOIN_PREFIX).and_then(|rest| BASE64URL_NOPAD.decode(rest.as_bytes()).ok());
        let code = bytes.and_then(|bytes| decode(&bytes).ok());
        code.ok_or_else(|| Error::invalid("join_code", "not a load's join code: scan it again from the other phone"))
    }

    fn write(&self) -> String {
        format!("{JOIN_PREFIX}{}", BASE64URL_NOPAD.encode(&encode(self)))
    }
}

pub(super) fn load_view(db: &rusqlite::Connection, author: &Author, load_id: LoadId) -> Result<LoadView, Error> {
    let found = require_visible::<Load>(db, author, load_id, "load")?;
    let basis = Basis { document_id: load_id.into(), version: found.version() };
    let manifest = manifest_of(db, load_id)?;
    let at_hand = LoadAtHand { load: &found.record, deliveries: manifest.len() as u64 };
    let (state, actions) = (found.record.state(), at_hand.actions(author.grant.role));
    let variance = on_load::variance(&mut seam(db), &found.stored.scope, &found.record)?;
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
        variance,
        manifest_hash: hash_of(&manifest),
        sync: outbox::state(db, load_id.into())?,
        conflicts,
        reviews: decisions::review_codes(&mut seam(db), load_id.into())?,
    })
}
