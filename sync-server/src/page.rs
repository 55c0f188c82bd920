//! The office's page: what was recorded on a day, by centre and device, and what waits for a person.
//!
//! Shows codes and weights. It has no sign-in, so it does not show farmers' names.

use askama::Template;
use farmtally_core::decisions::ReviewCode;
use farmtally_core::decisions::{Centre, Organisation};
use farmtally_core::scope::Scope;
use farmtally_core::store::decisions::{self, Reference};
use farmtally_core::store::rows::{self, DeliveryFilter, DeliveryRow, ListOrder, LoadRow, Part, Sum};
use farmtally_core::text::printable;
use farmtally_core::units::{BusinessDate, DocumentId, OrganisationId, Timestamp};
use serde::Deserialize;

use crate::backup::safe_copy;
use crate::drafts::about;
use crate::recovery::current_recovery;
use crate::storage::{DeferredEntry, Device, HeldEntry, ReadTransaction, Recovery};
use crate::{Error, Server};

/// Maximum deliveries listed for a centre, the last recorded; the sums cover all.
const DELIVERIES_SHOWN: u32 = 100;

/// Query of the page's address.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct PageQuery {
    organisation: Option<String>,
    date: Option<String>,
}

/// Content of the office page: one business date by centre, and everything that waits for a person.
#[derive(Clone, Debug)]
pub struct Day {
    /// The organisation.
    pub organisation: Organisation,
    /// The business date.
    pub date: BusinessDate,
    /// Centres with deliveries or loads on that day, one for each season, ordered by scope.
    pub centres: Vec<DayCentre>,
    /// Number of reviews ever raised that name a record, by code.
    pub reviews: Vec<(ReviewCode, usize)>,
    /// Held changes of all days, by document.
    pub held: Vec<Lane>,
    /// Deferred entries, oldest first.
    pub deferred: Vec<Waiting>,
    /// The open recovery, if any.
    recovery: Option<Recovery>,
    /// Local time of the older of the newest two verified copies; `None` if there are not two.
    copied: Option<String>,
    devices: Vec<DeviceLine>,
}

/// Held changes of one document.
#[derive(Clone, Debug)]
pub struct Lane {
    /// The document.
    pub document_id: DocumentId,
    /// Its held changes.
    pub entries: Vec<HeldLine>,
}

/// A held change.
#[derive(Clone, Debug)]
pub struct HeldLine {
    /// The held entry.
    pub entry: HeldEntry,
    /// What it changes: the kind of the record, or the content of a draft.
    pub about: String,
    /// Name of its author.
    pub author: String,
    /// Code of the device that made it; empty if it is unknown.
    pub device: String,
    /// When it was first held, in the organisation's local time.
    pub since: String,
}

/// A deferred entry.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The deferred entry.
    pub entry: DeferredEntry,
    since: String,
    days: i64,
}

impl Day {
    /// Returns the number of held changes, of all documents and days.
    pub fn held_entries(&self) -> usize {
        self.held.iter().map(|lane| lane.entries.len()).sum()
    }

    fn zone(&self) -> String {
        zone(self.organisation.zone_minutes)
    }
}

/// A day of a centre in one season.
#[derive(Clone, Debug)]
pub struct DayCentre {
    /// Scope of the season.
    pub scope: Scope,
    /// Sums over its deliveries of the day; voided ones are only counted.
    pub sum: Sum,
    name: String,
    loads: Vec<LoadLine>,
    deliveries: Vec<DeliveryLine>,
}

#[derive(Clone, Debug)]
struct LoadLine {
    row: LoadRow,
    sum: Sum,
    late: usize,
    is_contended: bool,
}

#[derive(Clone, Debug)]
struct DeliveryLine {
    row: DeliveryRow,
    farmer: String,
    receipt: String,
    time: String,
}

/// A device as the office sees it.
#[derive(Clone, Debug)]
pub struct DeviceLine {
    /// The device.
    pub device: Device,
    /// Name of the user for whom it was enrolled.
    pub user: String,
    /// Last contact, in the organisation's local time.
    pub seen: String,
    /// What restricts it: an order in force, suspended users, or that it was wiped. Empty if nothing does.
    pub state: String,
}

#[derive(Template)]
#[template(path = "day.html")]
struct DayPage<'a> {
    day: &'a Day,
}

#[derive(Template)]
#[template(path = "organisations.html")]
struct OrganisationsPage {
    organisations: Vec<Organisation>,
}

impl Server {
    /// Returns a day of an organisation; without a date, the latest day that has a delivery, or else today.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an organisation that does not exist, [`Error::Storage`].
    pub fn day(&self, organisation: OrganisationId, date: Option<BusinessDate>) -> Result<Day, Error> {
        if !self.storage.organisations()?.contains(&organisation) {
            return Err(Error::NotFound { what: "organisation" });
        }
        let now = self.environment.clock.now();
        self.read(organisation, |db| read_day(db, date, now))
    }

    /// Returns all devices that were ever enrolled, ordered by code.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn devices(&self, organisation: OrganisationId) -> Result<Vec<DeviceLine>, Error> {
        self.read(organisation, |db| {
            let reference = Reference::load(db.reader())?;
            let zone_minutes = reference.organisation().map_or(0, |organisation| organisation.zone_minutes);
            device_lines(db, &reference, zone_minutes)
        })
    }

    /// Returns the zone of an organisation's local times, such as `UTC+05:30`.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn zone(&self, organisation: OrganisationId) -> Result<String, Error> {
        Ok(zone(self.zone_minutes(organisation)?))
    }

    /// Formats a time as `2019-05-09 14:30 UTC+05:30`, in an organisation's local time.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn local_time(&self, organisation: OrganisationId, at: Timestamp) -> Result<String, Error> {
        Ok(format!("{} {}", local_time(at, self.zone_minutes(organisation)?), self.zone(organisation)?))
    }

    fn zone_minutes(&self, organisation: OrganisationId) -> Result<i16, Error> {
        let reference = self.read(organisation, |db| Ok(Reference::load(db.reader())?))?;
        Ok(reference.organisation().map_or(0, |organisation| organisation.zone_minutes))
    }

    /// Returns the held changes, by document.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn held_lanes(&self, organisation: OrganisationId) -> Result<Vec<Lane>, Error> {
        self.read(organisation, |db| {
            let reference = Reference::load(db.reader())?;
            let zone_minutes = reference.organisation().map_or(0, |organisation| organisation.zone_minutes);
            lanes(db, &reference, zone_minutes)
        })
    }

    pub(crate) fn page(&self, query: &PageQuery) -> Result<String, Error> {
        let read = |field, text: &str| Error::invalid(field, format_args!("{text:?} cannot be read"));
        let date = query.date.as_deref().filter(|text| !text.is_empty());
        let date = date.map(|text| text.parse().map_err(|_wrong| read("date", text))).transpose()?;
        let asked = query.organisation.as_deref();
        let asked = asked.map(|text| text.parse().map_err(|_wrong| read("organisation", text))).transpose()?;
        let all = self.storage.organisations()?;
        let html = match (asked, all.as_slice()) {
            (Some(organisation), _) | (None, &[organisation]) => {
                DayPage { day: &self.day(organisation, date)? }.render()
            }
            (None, all) => {
                let days = all.iter().map(|organisation| self.day(*organisation, None));
                let organisations = days.map(|day| day.map(|day| day.organisation)).collect::<Result<_, _>>()?;
                OrganisationsPage { organisations }.render()
            }
        };
        // Forged changes may have any text in a name.
        Ok(html?.lines().map(printable).collect::<Vec<_>>().join("\n"))
    }
}

fn read_day(db: &mut ReadTransaction<'_>, date: Option<BusinessDate>, now: Timestamp) -> Result<Day, Error> {
    let reference = Reference::load(db.reader())?;
    let organisation = reference.organisation().cloned().ok_or(Error::NotFound { what: "organisation" })?;
    let zone_minutes = organisation.zone_minutes;
    let scopes = db.scopes()?;
    let date = match date {
        Some(date) => date,
        None => rows::latest_day(db.reader(), &scopes)?.unwrap_or_else(|| now.date(zone_minutes)),
    };
    let reviews: Vec<_> = decisions::reviews(db.reader())?.into_iter().map(|raised| raised.review).collect();
    let naming = |code: ReviewCode, document: DocumentId| {
        reviews.iter().filter(|review| review.code == code && review.documents.contains(&document)).count()
    };
    let mut centres = Vec::new();
    for scope in rows::scopes_on(db.reader(), &scopes, date)? {
        let mut loads = Vec::new();
        for row in rows::loads_on(db.reader(), &scope, date)? {
            let sum = rows::load_sum(db.reader(), row.load_id)?;
            let late = naming(ReviewCode::LateDelivery, row.load_id.into());
            let is_contended = naming(ReviewCode::LoadContention, row.load_id.into()) > 0;
            loads.push(LoadLine { row, sum, late, is_contended });
        }
        let mut deliveries = Vec::new();
        let filter = DeliveryFilter { from: Some(date), to: Some(date), ..DeliveryFilter::default() };
        let part = Part { order: ListOrder::NewestFirst, after: None, limit: DELIVERIES_SHOWN };
        for row in rows::deliveries(db.reader(), std::slice::from_ref(&scope), &filter, &part)? {
            deliveries.push(delivery_line(db, &scope, row, zone_minutes)?);
        }
        let name = scope.centre().map_or_else(String::new, |code| {
            let centre = reference.latest::<Centre>(code.as_str());
            centre.map_or_else(|| code.to_string(), |centre| centre.name.clone())
        });
        let sum = rows::day_sum(db.reader(), &scope, date)?;
        centres.push(DayCentre { scope, sum, name, loads, deliveries });
    }
    let mut counts = std::collections::BTreeMap::new();
    for review in &reviews {
        *counts.entry(review.code.clone()).or_insert(0) += 1;
    }
    let devices = device_lines(db, &reference, zone_minutes)?;
    let reviews = counts.into_iter().collect();
    let recovery = current_recovery(db)?;
    let copied = safe_copy(db)?.map(|copied| local_time(copied.made_at, zone_minutes));
    let (held, deferred) = (lanes(db, &reference, zone_minutes)?, waiting(db, zone_minutes, now)?);
    Ok(Day { organisation, date, centres, reviews, held, deferred, recovery, copied, devices })
}

fn lanes(db: &mut ReadTransaction<'_>, reference: &Reference, zone_minutes: i16) -> Result<Vec<Lane>, Error> {
    let mut lanes = std::collections::BTreeMap::<DocumentId, Vec<HeldLine>>::new();
    let devices = db.devices()?;
    for entry in db.all_held()? {
        let envelope = &entry.entry.envelope;
        let device = devices.iter().find(|it| it.device_id == envelope.device_id);
        let device = device.map_or_else(String::new, |it| it.code.to_string());
        let (author, since) = (reference.user_name(envelope.author_id), local_time(entry.held_at, zone_minutes));
        let about = about(db, &entry.entry)?;
        let line = HeldLine { entry, about, author, device, since };
        lanes.entry(line.entry.entry.document()).or_default().push(line);
    }
    Ok(lanes.into_iter().map(|(document, entries)| Lane { document_id: document, entries }).collect())
}

fn waiting(db: &mut ReadTransaction<'_>, zone_minutes: i16, now: Timestamp) -> Result<Vec<Waiting>, Error> {
    let line = |entry: DeferredEntry| Waiting {
        since: local_time(entry.deferred_at, zone_minutes),
        days: (now.0 - entry.deferred_at.0).max(0) / 86_400_000,
        entry,
    };
    Ok(db.all_deferred()?.into_iter().map(line).collect())
}

fn delivery_line(
    db: &mut ReadTransaction<'_>,
    scope: &Scope,
    row: DeliveryRow,
    zone_minutes: i16,
) -> Result<DeliveryLine, Error> {
    let farmer = rows::farmer_row(db.reader(), row.farmer_id)?;
    let farmer = farmer.map_or_else(|| "not yet received".to_owned(), |farmer| farmer.code);
    let receipt = scope.centre().map_or_else(String::new, |centre| {
        let (device, sequence) = (row.device_code, row.receipt_sequence);
        farmtally_core::units::ReceiptNumber { centre: centre.clone(), device_code: device, sequence }.to_string()
    });
    Ok(DeliveryLine { farmer, receipt, time: local_time(row.recorded_at, zone_minutes), row })
}

fn device_lines(
    db: &mut ReadTransaction<'_>,
    reference: &Reference,
    zone_minutes: i16,
) -> Result<Vec<DeviceLine>, Error> {
    let mut lines = Vec::new();
    for device in db.devices()? {
        let order = decisions::order(db.reader(), device.device_id)?.map(|order| format!("ordered: {}", order.order));
        let suspended = decisions::suspended_on(db.reader(), device.device_id)?.into_iter();
        let suspended = suspended.map(|user| format!("suspended: {}", reference.user_name(user)));
        let wiped = device.wiped_at.map(|at| format!("wiped {} {}", local_time(at, zone_minutes), zone(zone_minutes)));
        let state = wiped.into_iter().chain(order).chain(suspended).collect::<Vec<_>>().join(", ");
        let (user, seen) = (reference.user_name(device.user_id), local_time(device.seen_at, zone_minutes));
        lines.push(DeviceLine { device, user, seen, state });
    }
    Ok(lines)
}

/// Formats a zone as `UTC+05:30`.
fn zone(minutes: i16) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("UTC{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

/// Formats a time as `2019-05-09 14:30`, in the organisation's local time.
fn local_time(at: Timestamp, zone_minutes: i16) -> String {
    let local = Timestamp(at.0.saturating_add(i64::from(zone_minutes) * 60_000));
    local.to_string().replace('T', " ").chars().take(16).collect()
}
