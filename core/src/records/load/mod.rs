//! A lorry load: planned or opened by one clerk, joined by others, closed with a manifest, driven to its destination and received.
//!
//! Invariants: the state follows from the set of steps, so any order of merging gives the same; a clerk who joins by code may write into the document before receiving its creating change; until then the header of the join
//! code is used.

mod projection;
mod track;
mod values;

pub use track::{TrackPiece, TrackPoint};
pub(crate) use track::{add_track, packed_size};
use values::LOADING;
pub use values::{CloseRequest, LoadEvent, LoadHeader, LoadStep, ManifestLine};
pub(crate) use values::{LoadSnapshot, join, request_close, set_destination, set_driver, set_lorry, step};

use super::delivery::LoadPart;
use super::{Class, Conflict, Error, Fields, KeyRule, Privacy, RecordKind, Shape, Stamp, Table, Topic};
use crate::permission::Capability;
use crate::scope::{Scope, ScopeForm};
use crate::units::{Column, DeliveryId, DeviceCode, HybridTime, LoadId, LorryPlate, ToValue, UserId, Value, named};

/// Clerk who opened or joined a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loader {
    /// User id of the clerk.
    pub user_id: UserId,
    /// Device of the clerk.
    pub device_code: DeviceCode,
    /// Time of opening or joining.
    pub since: HybridTime,
}

named! {
    /// State of a load, as far as the field knows. Tables contain its position in this list, from 0.
    pub LoadState, "a load state" {
        /// It is planned; nothing is loaded yet.
        Planned = "planned",
        /// Deliveries are being loaded.
        Open = "open",
        /// Somebody requested to close it.
        Closing = "closing",
        /// The lorry has left with it.
        Dispatched = "dispatched",
        /// The lorry is at the destination.
        Arrived = "arrived",
        /// The destination took it over.
        Received = "received",
        /// It was given up before it departed.
        Cancelled = "cancelled",
    }
}

/// Load, projected from all changes of its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// Id of the load.
    pub load_id: LoadId,
    /// Identification, with the lorry that the load was opened with.
    pub header: LoadHeader,
    /// Effective lorry, after corrections.
    pub lorry: LorryPlate,
    /// Effective driver, if known.
    pub driver: Option<String>,
    /// Effective destination, if known.
    pub destination: Option<String>,
    /// Whether it began as a planned load.
    pub is_planned: bool,
    /// Author, device and time of opening; `None` while the creating change is missing, as after joining by code.
    pub opened: Option<Stamp>,
    /// Clerks who opened or joined, earliest first, once for each user and device.
    pub loaders: Vec<Loader>,
    /// Requests to close, oldest first.
    pub close_requests: Vec<CloseRequest>,
    /// Steps, oldest first.
    pub timeline: Vec<LoadEvent>,
    /// Authors and times of the values of lorry, driver and destination that were written later, in no order.
    pub corrections: Vec<Stamp>,
    /// Pieces of its track, in the order of their keys.
    pub track: Vec<TrackPiece>,
    /// Conflicts between concurrent changes.
    pub conflicts: Vec<Conflict>,
}

impl Load {
    /// Returns when the load had left, by the earliest step that says so; `None` while there is none.
    pub fn left_at(&self) -> Option<HybridTime> {
        let steps = self.timeline.iter().filter(|event| event.step.family() != LOADING);
        steps.map(|event| event.stamp.at).min()
    }

    /// Returns the state that follows from all steps, in whichever order they became known: the furthest one. A load that departed is not
    /// cancelled, because it is on the road.
    pub fn state(&self) -> LoadState {
        let has = |is: fn(&LoadStep) -> bool| self.timeline.iter().any(|event| is(&event.step));
        let is_open = !self.is_planned || self.loaders.len() > 1 || has(|step| *step == LoadStep::Opened);
        match () {
            () if has(|step| *step == LoadStep::Received) => LoadState::Received,
            () if has(|step| matches!(step, LoadStep::Arrived { .. })) => LoadState::Arrived,
            () if has(|step| matches!(step, LoadStep::Departed { .. })) => LoadState::Dispatched,
            () if has(|step| matches!(step, LoadStep::Cancelled { .. })) => LoadState::Cancelled,
            () if !self.close_requests.is_empty() => LoadState::Closing,
            () if is_open => LoadState::Open,
            () => LoadState::Planned,
        }
    }

    /// Returns whether the load takes no more deliveries: somebody asked to close it, or it left or was cancelled.
    pub fn is_shut(&self) -> bool {
        !matches!(self.state(), LoadState::Planned | LoadState::Open)
    }

    /// Returns the numbers of its seals, in the order of their times.
    pub fn seals(&self) -> impl Iterator<Item = &str> {
        self.timeline.iter().filter_map(|event| match &event.step {
            LoadStep::Sealed { seal } => Some(seal.as_str()),
            _ => None,
        })
    }

    /// Returns whether both loads may have been open at one time: loading of both has begun, and neither was shut before that of the other
    /// began, as far as is known. Between devices, a time by a clock in doubt says nothing.
    pub fn may_overlap(&self, other: &Self) -> bool {
        let is_planned = [self, other].into_iter().any(|it| it.state() == LoadState::Planned);
        !is_planned && !self.was_shut_before(other) && !other.was_shut_before(self)
    }

    fn was_shut_before(&self, other: &Self) -> bool {
        let Some(begun) = other.loading_began() else { return false };
        let is_comparable =
            |at: &Stamp| at.device_code == begun.device_code || !(at.clock_suspect || begun.clock_suspect);
        let shuts = |step: &LoadStep| step.family() != LOADING || matches!(step, LoadStep::Cancelled { .. });
        let steps = self.timeline.iter().filter(|event| shuts(&event.step)).map(|event| event.stamp);
        let mut shut = self.close_requests.iter().map(|request| request.stamp).chain(steps);
        shut.any(|shut| is_comparable(&shut) && shut.at < begun.at)
    }

    /// Returns when loading began; `None` if that is not known.
    fn loading_began(&self) -> Option<Stamp> {
        if !self.is_planned {
            return self.opened;
        }
        self.timeline.iter().find(|event| event.step == LoadStep::Opened).map(|event| event.stamp)
    }

    /// Returns whether any manifest names what of a delivery is on the load; false also while nobody has requested to close, when nothing is
    /// late. A manifest that names a part covers no more bags or weight than it says; one that names a whole delivery covers its amendments.
    pub fn manifest_covers(&self, delivery_id: DeliveryId, on_load: &LoadPart, is_part: bool) -> bool {
        let lines = self.close_requests.iter().flat_map(|request| &request.manifest);
        let mut lines = lines.filter(|line| line.delivery_id == delivery_id);
        lines.any(|line| {
            let is_whole = !line.is_part && !is_part;
            is_whole || (on_load.bags <= line.bags && on_load.gross_g <= line.gross)
        })
    }
}

impl RecordKind for Load {
    const NUMBER: u8 = 2;
    const NAME: &'static str = "load";
    const HOME: ScopeForm = ScopeForm::Season;
    const PRIVACY: Privacy = Privacy::Business;
    const SHAPE: Shape = Shape(&[
        KeyRule::snapshot(Capability::OpenLoad, "what was opened", |value| {
            Ok(super::decode::<LoadSnapshot>(value)?.stamp)
        }),
        KeyRule::of(Class::Add, "j", Capability::JoinLoad, "a clerk joined, with what the join code said"),
        KeyRule::of(Class::Add, "c", Capability::OpenLoad, "a request to close, with its manifest"),
        KeyRule::of(Class::Register, "lorry", Capability::OpenLoad, "the lorry"),
        KeyRule::of(Class::Register, "driver", Capability::OpenLoad, "the driver"),
        KeyRule::of(Class::Register, "place", Capability::OpenLoad, "the destination"),
        KeyRule::of(Class::Add, "s", Capability::OpenLoad, "a step of loading"),
        KeyRule::of(Class::Add, "t", Capability::DriveLoad, "departed or arrived"),
        KeyRule::of(Class::Add, "k", Capability::DriveLoad, "a piece of the track"),
        KeyRule::of(Class::Add, "r", Capability::ReceiveLoad, "received"),
    ]);
    const TABLE: Table<Self> = Table {
        name: "loads",
        key: "load_id",
        columns: &[
            (Column::text("number"), |it| Value::Text(it.header.number().into())),
            (Column::text("lorry"), |it| it.lorry.to_value()),
            (Column::int("business_day"), |it| it.header.date.to_value()),
            (Column::int("state"), |it| Value::int(it.state() as u8)),
            (Column::int("loaders"), |it| Value::int(it.loaders.len())),
        ],
    };
    const TOPICS: &'static [Topic] = &[Topic::Loads];

    type Id = LoadId;

    fn id(&self) -> LoadId {
        self.load_id
    }

    /// Returns `None` while neither the creating change nor a join is known.
    fn project(load_id: LoadId, fields: &Fields) -> Result<Option<Self>, Error> {
        projection::project(load_id, fields)
    }

    fn conflicts(&self) -> &[Conflict] {
        &self.conflicts
    }

    fn created(&self) -> Option<Stamp> {
        self.opened
    }

    fn times(&self) -> Vec<HybridTime> {
        let requests = self.close_requests.iter().map(|request| request.stamp.at);
        let steps = self.timeline.iter().map(|event| event.stamp.at);
        let pieces = self.track.iter().map(|piece| piece.stamp.at);
        requests.chain(pieces).chain(steps).chain(self.loaders.iter().map(|loader| loader.since)).collect()
    }

    fn own_scope(&self) -> Option<Scope> {
        Some(Scope::Season(self.header.centre.clone(), self.header.season.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::delivery::Reason;
    use crate::records::{Actor, Kind, edit};
    use crate::units::BusinessDate;

    fn stamp(device: u32, wall_ms: i64, clock_suspect: bool) -> Stamp {
        let at = HybridTime { wall_ms, counter: 0 };
        Stamp { user_id: UserId::from([1; 16]), device_code: DeviceCode(device), at, clock_suspect }
    }

    fn header(lorry: &str) -> LoadHeader {
        LoadHeader {
            centre: "KOLAR".parse().expect("a code"),
            season: "2019".parse().expect("a code"),
            date: BusinessDate(18_025),
            device_code: DeviceCode(32),
            sequence: 1,
            lorry: lorry.parse().expect("a plate"),
        }
    }

    fn load(opened: Option<Stamp>, closed: Option<Stamp>) -> Load {
        let request = |stamp| CloseRequest { stamp, manifest: Vec::new() };
        Load {
            load_id: LoadId::from([1; 16]),
            header: header("KA07A1111"),
            lorry: "KA07A1111".parse().expect("a plate"),
            driver: None,
            destination: None,
            is_planned: false,
            opened,
            loaders: Vec::new(),
            close_requests: closed.into_iter().map(request).collect(),
            timeline: Vec::new(),
            corrections: Vec::new(),
            track: Vec::new(),
            conflicts: Vec::new(),
        }
    }

    #[test]
    fn loads_overlap_unless_one_was_asked_to_be_closed_before_the_other_was_opened() {
        let at = |device, ms| stamp(device, ms, false);
        let in_doubt = |device, ms| stamp(device, ms, true);
        for (closed, opened, overlap) in [
            (Some(at(1, 10)), Some(at(2, 11)), false),
            (Some(at(1, 10)), Some(at(2, 10)), true),
            (Some(at(1, 12)), Some(at(2, 11)), true),
            (None, Some(at(2, 11)), true),
            (Some(at(1, 10)), None, true),
            (Some(in_doubt(1, 10)), Some(at(2, 11)), true),
            (Some(at(1, 10)), Some(in_doubt(2, 11)), true),
            (Some(in_doubt(1, 10)), Some(in_doubt(1, 11)), false),
        ] {
            let (first, second) = (load(Some(at(1, 1)), closed), load(opened, None));
            assert_eq!(first.may_overlap(&second), overlap, "{closed:?} {opened:?}");
            assert_eq!(second.may_overlap(&first), overlap, "{closed:?} {opened:?}");
        }
    }

    #[test]
    fn the_state_is_the_furthest_that_any_step_reached() {
        let reason = || Reason { code: "rain".into(), text: String::new() };
        let (sealed, cancelled) = (LoadStep::Sealed { seal: "17".into() }, LoadStep::Cancelled { reason: reason() });
        let (departed, arrived) =
            (LoadStep::Departed { odometer_km: None }, LoadStep::Arrived { odometer_km: Some(7) });
        let closed = Some(stamp(1, 2, false));
        for (is_planned, closed, steps, expected) in [
            (true, None, vec![], LoadState::Planned),
            (true, None, vec![LoadStep::Opened], LoadState::Open),
            (false, None, vec![sealed], LoadState::Open),
            (false, closed, vec![], LoadState::Closing),
            (true, None, vec![cancelled.clone()], LoadState::Cancelled),
            (false, None, vec![departed.clone()], LoadState::Dispatched),
            (false, closed, vec![cancelled, departed.clone()], LoadState::Dispatched),
            (false, None, vec![departed.clone(), LoadStep::Diverted { reason: reason() }], LoadState::Dispatched),
            (false, closed, vec![arrived.clone(), departed], LoadState::Arrived),
            (false, None, vec![LoadStep::Received, arrived], LoadState::Received),
        ] {
            let event = |step| LoadEvent { stamp: stamp(1, 3, false), step };
            let timeline = steps.into_iter().map(event).collect();
            let load = Load { is_planned, timeline, ..load(Some(stamp(1, 1, false)), closed) };
            assert_eq!(load.state(), expected, "{load:?}");
        }
    }

    #[test]
    fn of_two_join_codes_that_of_a_clock_in_doubt_does_not_count() {
        let (kind, id) = (Kind::of::<Load>(), [1; 16].into());
        let joins = |saved: Option<&[u8]>, stamp: Stamp, lorry: &str| {
            let actor = Actor::new([u8::try_from(stamp.device_code.0).expect("small"); 16]);
            edit(kind, id, saved, &actor, join(stamp, header(lorry))).expect("joined").1
        };
        let first = joins(None, stamp(1, 0, true), "KA07A2222");
        let both = joins(Some(&first.saved), stamp(2, 1_000, false), "KA07A1111");
        let load = both.record.expect("a load").downcast::<Load>().expect("a load");
        assert_eq!(load.header, header("KA07A1111"));
    }
}
