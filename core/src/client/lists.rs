//! Lists of deliveries, farmers and loads, page by page.
//!
//! Pages follow a key, not a row number: rows that arrive between two pages are neither repeated nor make others disappear. Each page is
//! read in one snapshot.

use data_encoding::BASE64URL_NOPAD;
use minicbor::{Decode, Encode};

use super::{Author, FieldClient};
use crate::Error;
use crate::codec::{decode, encode};
use crate::limits::MAX_PAGE;
use crate::records::load::LoadState;
use crate::rules::check_text;
use crate::scope::Scope;
use crate::store::outbox::{self, SyncState};
use crate::store::rows::{self, DeliveryFilter, DeliveryRow, FarmerRow, ListOrder, LoadFilter, LoadRow, Part, Sum};
use crate::store::seam;
use crate::text::code_text;
use crate::units::{BusinessDate, CentreCode, DeviceCode, FarmerId, LoadId, LorryPlate, ReceiptNumber, UserId};

/// Rows of a page if the app asks for no other number.
const COMMON_PAGE: u32 = 50;

/// Conditions that listed deliveries must all fulfil, and the page; `None` is no condition.
#[derive(Clone, Debug)]
pub struct DeliveryQuery {
    /// With this receipt number as people type it; its check character may be left out.
    pub receipt_number: Option<String>,
    /// Weighed at this centre, one of those granted.
    pub centre: Option<CentreCode>,
    /// On this load.
    pub load_id: Option<LoadId>,
    /// Delivered by this farmer.
    pub farmer_id: Option<FarmerId>,
    /// Recorded by this user.
    pub user_id: Option<UserId>,
    /// Counting on this day or a later one.
    pub from_date: Option<BusinessDate>,
    /// Counting on this day or an earlier one.
    pub to_date: Option<BusinessDate>,
    /// Voided if `true`, not voided if `false`.
    pub is_voided: Option<bool>,
    /// Whether the earliest comes first, instead of the latest.
    pub oldest_first: bool,
    /// [`DeliveryPage::next`] of the page before, under the same conditions; `None` for the first page.
    pub after: Option<String>,
    /// Maximum number of rows on the page, 1 to [`MAX_PAGE`].
    pub limit: u32,
}

impl Default for DeliveryQuery {
    fn default() -> Self {
        Self {
            receipt_number: None,
            centre: None,
            load_id: None,
            farmer_id: None,
            user_id: None,
            from_date: None,
            to_date: None,
            is_voided: None,
            oldest_first: false,
            after: None,
            limit: COMMON_PAGE,
        }
    }
}

/// A recorded delivery in a list, with its sync state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryItem {
    /// The delivery.
    pub row: DeliveryRow,
    /// How far it is on its way to the server's log.
    pub sync: SyncState,
}

/// A page of deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryPage {
    /// The deliveries.
    pub items: Vec<DeliveryItem>,
    /// `after` of the query for the next page; `None` on the last page.
    pub next: Option<String>,
}

/// The farmers to list, and the page.
#[derive(Clone, Debug)]
pub struct FarmerQuery {
    /// Home centre of the farmers, one of those granted.
    pub centre: CentreCode,
    /// What to search; blank for all farmers. See [`FieldClient::farmers`].
    pub text: String,
    /// Whether the earliest comes first, instead of the latest.
    pub oldest_first: bool,
    /// [`FarmerPage::next`] of the page before, with the same text; `None` for the first page.
    pub after: Option<String>,
    /// Maximum number of rows on the page, 1 to [`MAX_PAGE`].
    pub limit: u32,
}

impl FarmerQuery {
    /// Returns the query for the first page of a search, newest first.
    pub fn new(centre: CentreCode, text: impl Into<String>) -> Self {
        Self { centre, text: text.into(), oldest_first: false, after: None, limit: COMMON_PAGE }
    }
}

/// A page of farmers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FarmerPage {
    /// The farmers.
    pub items: Vec<FarmerRow>,
    /// `after` of the query for the next page; `None` on the last page.
    pub next: Option<String>,
}

/// Conditions that listed loads must all fulfil, and the page; `None` is no condition.
#[derive(Clone, Debug)]
pub struct LoadQuery {
    /// Opened at this centre, one of those granted.
    pub centre: Option<CentreCode>,
    /// In one of these states; empty for any.
    pub states: Vec<LoadState>,
    /// On the lorry with this plate.
    pub lorry: Option<LorryPlate>,
    /// Opened on this day or a later one.
    pub from_date: Option<BusinessDate>,
    /// Opened on this day or an earlier one.
    pub to_date: Option<BusinessDate>,
    /// Whether the earliest comes first, instead of the latest.
    pub oldest_first: bool,
    /// [`LoadPage::next`] of the page before, under the same conditions; `None` for the first page.
    pub after: Option<String>,
    /// Maximum number of rows on the page, 1 to [`MAX_PAGE`].
    pub limit: u32,
}

impl Default for LoadQuery {
    fn default() -> Self {
        Self {
            centre: None,
            states: Vec::new(),
            lorry: None,
            from_date: None,
            to_date: None,
            oldest_first: false,
            after: None,
            limit: COMMON_PAGE,
        }
    }
}

/// A load in a list, with its totals and sync state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadItem {
    /// The load.
    pub row: LoadRow,
    /// Totals of the deliveries on it, as far as they are on this phone.
    pub sum: Sum,
    /// How far it is on its way to the server's log.
    pub sync: SyncState,
}

/// A page of loads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadPage {
    /// The loads.
    pub items: Vec<LoadItem>,
    /// `after` of the query for the next page; `None` on the last page.
    pub next: Option<String>,
}

impl FieldClient {
    /// Returns a page of the recorded deliveries of the granted centres, voided ones too: by default the latest day first, and of each day
    /// what was recorded last.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `receipt_number`, `from_date` after `to_date`, `after` or `limit`; [`Error::Refused`] for a centre that is not
    /// granted and on a locked phone; [`Error::Unauthorized`], [`Error::Store`].
    pub fn deliveries(&self, query: &DeliveryQuery) -> Result<DeliveryPage, Error> {
        let author = self.author()?;
        let mut scopes = scopes_of(&author, query.centre.as_ref())?;
        check_days(query.from_date, query.to_date)?;
        let receipt = query.receipt_number.as_deref().map(receipt_of).transpose()?;
        if let Some((centre, ..)) = &receipt {
            scopes.retain(|scope| scope.centre() == Some(centre));
        }
        let filter = DeliveryFilter {
            receipt: receipt.map(|(_, device, sequence)| (device, sequence)),
            load_id: query.load_id,
            farmer_id: query.farmer_id,
            user_id: query.user_id,
            from: query.from_date,
            to: query.to_date,
            is_voided: query.is_voided,
        };
        let part = part_of(query.oldest_first, query.after.as_deref(), query.limit)?;
        self.store.read(|db| {
            let rows = rows::deliveries(&mut seam(db), &scopes, &filter, &part)?;
            let (rows, next) = cut(rows, query.limit, DeliveryRow::key);
            let item = |row: DeliveryRow| {
                Ok::<_, Error>(DeliveryItem { sync: outbox::state(db, row.delivery_id.into())?, row })
            };
            Ok(DeliveryPage { items: rows.into_iter().map(item).collect::<Result<_, _>>()?, next })
        })
    }

    /// Returns a page of the farmers of a centre, by default newest first: those for whom each word of the text begins a word of the name,
    /// village or telephone number, and the one whose farmer code it is; all if it is blank. Words are compared without case, accents and
    /// apostrophes, in every script. A telephone number is found from its first digits, with or without the country code, and from its last
    /// three or more.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `text`, `after` or `limit`; [`Error::Refused`] for a centre that is not granted and on a locked phone;
    /// [`Error::Unauthorized`], [`Error::Store`].
    pub fn farmers(&self, query: &FarmerQuery) -> Result<FarmerPage, Error> {
        let author = self.author()?;
        author.require_centre(&query.centre)?;
        // Only checked: a text of signs that is stored as an empty one still is no request for all farmers.
        check_text(&query.text, false).map_err(|wrong| Error::invalid("text", wrong))?;
        let part = part_of(query.oldest_first, query.after.as_deref(), query.limit)?;
        let scope = Scope::Centre(query.centre.clone());
        Ok(self.store.read(|db| {
            let with_code = rows::farmer_with_code(&mut seam(db), &scope, &query.text)?;
            if let Some(row) = with_code {
                return Ok::<_, crate::store::Error>(FarmerPage { items: vec![row], next: None });
            }
            let rows = rows::farmers(&mut seam(db), &scope, &query.text, &part)?;
            let (rows, next) = cut(rows, query.limit, |(id, _)| *id);
            Ok(FarmerPage { items: rows.into_iter().map(|(_, row)| row).collect(), next })
        })?)
    }

    /// Returns a page of the loads of the granted centres, by default the latest day first.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `from_date` after `to_date`, `after` or `limit`; [`Error::Refused`] for a centre that is not granted and on a
    /// locked phone; [`Error::Unauthorized`], [`Error::Store`].
    pub fn loads(&self, query: &LoadQuery) -> Result<LoadPage, Error> {
        let author = self.author()?;
        let scopes = scopes_of(&author, query.centre.as_ref())?;
        check_days(query.from_date, query.to_date)?;
        let filter = LoadFilter {
            lorry: query.lorry.clone(),
            states: query.states.clone(),
            from: query.from_date,
            to: query.to_date,
        };
        let part = part_of(query.oldest_first, query.after.as_deref(), query.limit)?;
        self.store.read(|db| {
            let rows = rows::loads(&mut seam(db), &scopes, &filter, &part)?;
            let (rows, next) = cut(rows, query.limit, LoadRow::key);
            let item = |row: LoadRow| {
                let (sum, sync) = (rows::load_sum(&mut seam(db), row.load_id)?, outbox::state(db, row.load_id.into())?);
                Ok::<_, Error>(LoadItem { row, sum, sync })
            };
            Ok(LoadPage { items: rows.into_iter().map(item).collect::<Result<_, _>>()?, next })
        })
    }
}

/// Returns the season scopes of a granted centre, or of all.
fn scopes_of(author: &Author, centre: Option<&CentreCode>) -> Result<Vec<Scope>, Error> {
    let mut scopes = author.season_scopes();
    if let Some(centre) = centre {
        author.require_centre(centre)?;
        scopes.retain(|scope| scope.centre() == Some(centre));
    }
    Ok(scopes)
}

pub(super) fn check_days(from: Option<BusinessDate>, to: Option<BusinessDate>) -> Result<(), Error> {
    match (from, to) {
        (Some(from), Some(to)) if from > to => {
            Err(Error::invalid("from_date", format!("{from} is after the last day, {to}")))
        }
        _ => Ok(()),
    }
}

/// Reads a receipt number as people type it. With a check character, it must be right.
fn receipt_of(text: &str) -> Result<(CentreCode, DeviceCode, u32), Error> {
    let wrong = |error: crate::units::UnitError| Error::invalid("receipt_number", error);
    let typed = code_text(text);
    let number: ReceiptNumber = if typed.split('-').count() == 3 {
        ReceiptNumber::unchecked(&format!("{typed}-0")).map_err(wrong)?
    } else {
        typed.parse().map_err(wrong)?
    };
    Ok((number.centre, number.device_code, number.sequence))
}

pub(super) fn check_limit(limit: u32) -> Result<(), Error> {
    if (1..=MAX_PAGE).contains(&limit) {
        return Ok(());
    }
    Err(Error::invalid("limit", format!("a page has 1 to {MAX_PAGE} rows")))
}

/// Returns the part of a list to read for a page: one row more than fits says that another page follows.
fn part_of<K: for<'b> Decode<'b, ()>>(oldest_first: bool, after: Option<&str>, limit: u32) -> Result<Part<K>, Error> {
    check_limit(limit)?;
    let key = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).ok().and_then(|bytes| decode(&bytes).ok());
    let wrong = || Error::invalid("after", "not the end of a page of this list: pass on `next` unchanged");
    let after = after.map(|text| key(text).ok_or_else(wrong)).transpose()?;
    let order = if oldest_first { ListOrder::OldestFirst } else { ListOrder::NewestFirst };
    Ok(Part { order, after, limit: limit + 1 })
}

/// Cuts rows to a page; returns them with the text for the next page, if there is one.
fn cut<T, K: Encode<()>>(mut rows: Vec<T>, limit: u32, key: impl Fn(&T) -> K) -> (Vec<T>, Option<String>) {
    let has_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let last = rows.last().filter(|_| has_more);
    let next = last.map(|row| BASE64URL_NOPAD.encode(&encode(&key(row))));
    (rows, next)
}
