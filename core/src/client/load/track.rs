//! The track of a load: adding points on the way, and what it shows.

use crate::Error;
use crate::client::{FieldClient, require_visible};
use crate::limits::{MAX_ROUTE, MAX_TRACK_BYTES, MAX_TRACK_PIECES, MAX_TRACK_POINTS};
use crate::records::load::{self, TrackPoint};
use crate::records::{Kind, Load, Stamp};
use crate::rules::track::{self, DeviceTrack, RoutePoint, TrackSummary, by_device, summarise};
use crate::rules::{ActionCode, LoadAtHand};
use crate::store::records::Found;
use crate::units::{LoadId, Timestamp};

/// The track of a load, as a screen shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackView {
    /// Length, gaps, last point and distance from the route.
    pub summary: TrackSummary,
    /// Age of the last point in milliseconds, not below zero; `None` without a point.
    pub last_age_ms: Option<i64>,
}

impl TrackView {
    fn new(load: &Load, route: &[RoutePoint], now: Timestamp) -> Self {
        let summary = summarise(&by_device(&load.track), route);
        let age = |last: TrackPoint| now.0.saturating_sub(last.at.0).max(0);
        Self { last_age_ms: summary.last.map(age), summary }
    }
}

impl FieldClient {
    /// Adds points to the track of a load that is on its way, in any order; call it about every quarter of an hour, and before the arrival.
    /// Stores those of which the others are no further than 50 m from the track. Points that are not later than the last one of this phone
    /// are left out, so the call may be repeated.
    ///
    /// # Errors
    /// [`Error::Invalid`] without a point, for one that is not on the globe, or more than a day from now; [`Error::TooLarge`] for too many
    /// points, or a track that has no room for more; [`Error::Refused`] by role, or if the load is not on its way as far as this phone
    /// knows; [`Error::NotFound`], [`Error::Unauthorized`].
    pub fn add_track(&self, load_id: LoadId, points: &[TrackPoint]) -> Result<TrackView, Error> {
        let author = self.author()?;
        author.require_contact()?;
        let now = self.now();
        let points = checked(points, now)?;
        self.act(&author, |action| {
            let Found { stored, record: load } = require_visible::<Load>(action.db, &author, load_id, "load")?;
            LoadAtHand { load: &load, deliveries: 0 }
                .check(ActionCode::Track, author.grant.role)
                .map_err(|refused| Error::not_allowed(refused.to_string()))?;
            let own = load.track.iter().filter(|piece| piece.stamp.device_code == action.stamp.device_code);
            let last = own.flat_map(|piece| &piece.points).map(|point| point.at).max();
            let new: Vec<TrackPoint> = points.into_iter().filter(|it| last.is_none_or(|last| it.at > last)).collect();
            if new.is_empty() {
                return Ok(TrackView::new(&load, &[], now));
            }
            let thinned = track::thin(&new);
            require_room(&load, &thinned, &action.stamp)?;
            let puts = vec![load::add_track(action.stamp, &thinned)];
            action.edit(Kind::of::<Load>(), load_id.into(), &stored.scope, Some(&stored), puts)?;
            let load = require_visible::<Load>(action.db, &author, load_id, "load")?.record;
            Ok(TrackView::new(&load, &[], now))
        })
    }

    /// Returns what the track of a load shows. `route` has the positions of the centre, the stops and the destination in their order, as far
    /// as the app knows them.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a position that is not on the globe, [`Error::TooLarge`] for too many; [`Error::NotFound`],
    /// [`Error::Unauthorized`], [`Error::Refused`] if the phone is locked.
    pub fn track(&self, load_id: LoadId, route: &[RoutePoint]) -> Result<TrackView, Error> {
        let author = self.author()?;
        if route.len() > MAX_ROUTE {
            let reason = format!("a route has at most {MAX_ROUTE} positions");
            return Err(Error::TooLarge { field: "route", reason });
        }
        for position in route {
            position.check().map_err(|wrong| Error::invalid("route", wrong))?;
        }
        self.store.read(|db| {
            let load = require_visible::<Load>(db, &author, load_id, "load")?.record;
            Ok(TrackView::new(&load, route, self.now()))
        })
    }

    /// Returns the points of the track of a load, by the device that recorded them.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unauthorized`], [`Error::Refused`] if the phone is locked.
    pub fn track_points(&self, load_id: LoadId) -> Result<Vec<DeviceTrack>, Error> {
        let author = self.author()?;
        self.store.read(|db| Ok(by_device(&require_visible::<Load>(db, &author, load_id, "load")?.record.track)))
    }
}

/// Returns points as they are stored, by time, each time once.
fn checked(points: &[TrackPoint], now: Timestamp) -> Result<Vec<TrackPoint>, Error> {
    const DAY_MS: i64 = 86_400_000;
    /// Longest way of a load, with the time for which a phone keeps points that it could not add.
    const MAX_AGE_MS: i64 = 30 * DAY_MS;
    if points.is_empty() {
        return Err(Error::invalid("points", "there is no point"));
    }
    if points.len() > MAX_TRACK_POINTS {
        let reason = format!("add at most {MAX_TRACK_POINTS} points at a time");
        return Err(Error::TooLarge { field: "points", reason });
    }
    for point in points {
        point.check().map_err(|wrong| Error::invalid("points", wrong))?;
        if !(now.0.saturating_sub(MAX_AGE_MS)..=now.0.saturating_add(DAY_MS)).contains(&point.at.0) {
            return Err(Error::invalid("points", "the time of a point is more than a day ahead, or 30 days ago"));
        }
    }
    let mut points: Vec<TrackPoint> = points.iter().map(|point| point.rounded()).collect();
    points.sort_by_key(|point| point.at);
    points.dedup_by_key(|point| point.at);
    Ok(points)
}

fn require_room(load: &Load, points: &[TrackPoint], stamp: &Stamp) -> Result<(), Error> {
    let bytes: usize = load.track.iter().map(|piece| piece.bytes).sum();
    if load.track.len() >= MAX_TRACK_PIECES || bytes + load::packed_size(points, stamp) > MAX_TRACK_BYTES {
        let reason = format!("a track has at most {MAX_TRACK_PIECES} pieces and {MAX_TRACK_BYTES} bytes");
        return Err(Error::TooLarge { field: "points", reason });
    }
    Ok(())
}
