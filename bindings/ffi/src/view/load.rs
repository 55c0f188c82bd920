use farmtally_core::client::{Basis, CloseView, LoadItem, LoadPage, LoadView, SyncState, TrackView};
use farmtally_core::decisions::{LossBearer, ReviewCode};
use farmtally_core::records::delivery::Reason;
use farmtally_core::records::load::{LoadEvent, LoadState, LoadStep, Loader, TrackPoint};
use farmtally_core::records::{Conflict, Stamp};
use farmtally_core::rules::track::{DeviceTrack, GapKind, RoutePoint, TrackGap, TrackSummary};
use farmtally_core::rules::{ActionCode, Loss, LossShare};
use farmtally_core::scope::Scope;
use farmtally_core::store::on_load::Variance;
use farmtally_core::store::rows::{LoadRow, Sum};
use farmtally_core::units::{
    BusinessDate, CentreCode, DeliveryId, DeviceCode, Grams, HybridTime, LoadId, LocationProvider, LorryPlate,
    SeasonCode, Timestamp, UserId,
};

/// State of a load, as far as this phone knows.
#[uniffi::remote(Enum)]
pub enum LoadState {
    /// It is planned; nothing is loaded yet
    Planned,
    /// Deliveries are being added
    Open,
    /// A request to close it was made
    Closing,
    /// The lorry has left with it
    Dispatched,
    /// The lorry is at the destination
    Arrived,
    /// The destination took it over
    Received,
    /// It was given up before it departed
    Cancelled,
}

/// A step of a load.
#[uniffi::remote(Enum)]
pub enum LoadStep {
    /// Loading of a planned load began
    Opened,
    /// The lorry stopped to load or unload
    Stopped {
        /// Name of the place
        place: String,
    },
    /// A seal was put on the lorry
    Sealed {
        /// Number on the seal
        seal: String,
    },
    /// Another destination was ordered on the way
    Diverted {
        /// Reason that the person gave
        reason: Reason,
    },
    /// It was given up before it departed
    Cancelled {
        /// Reason that the person gave
        reason: Reason,
    },
    /// The lorry left with the load
    Departed {
        /// Reading of the odometer in kilometres; null if it was not read
        odometer_km: Option<u32>,
    },
    /// The lorry arrived at its destination
    Arrived {
        /// Reading of the odometer in kilometres; null if it was not read
        odometer_km: Option<u32>,
    },
    /// The destination took it over
    Received,
}

/// A step of a load, with author, device and time.
#[uniffi::remote(Record)]
pub struct LoadEvent {
    /// Author, device and time
    pub stamp: Stamp,
    /// The step itself, such as the departure
    pub step: LoadStep,
}

/// A load as a screen shows it.
#[uniffi::remote(Record)]
pub struct LoadView {
    /// Id of the load
    pub load_id: LoadId,
    /// The version shown here; pass it to the next change
    pub basis: Basis,
    /// Load number, such as KOLAR-1121-10-3
    pub number: String,
    /// Centre where it was opened
    pub centre: CentreCode,
    /// Season in which it was opened
    pub season: SeasonCode,
    /// Day on which it was opened
    pub business_date: BusinessDate,
    /// The lorry's plate, as last corrected
    pub lorry: LorryPlate,
    /// The driver's name; null if not known
    pub driver: Option<String>,
    /// Name of the destination; null if not known
    pub destination: Option<String>,
    /// State that follows from all steps that this phone knows
    pub state: LoadState,
    /// Clerks who opened or joined it, in the order of their times
    pub loaders: Vec<Loader>,
    /// Requests to close, oldest first
    pub close_requests: Vec<CloseView>,
    /// Steps such as stops, seals and the departure, oldest first
    pub timeline: Vec<LoadEvent>,
    /// What the current user may do with it now
    pub actions: Vec<ActionCode>,
    /// Totals of its deliveries, as far as they are on this phone
    pub sum: Sum,
    /// What was weighed of it after it had left, beside what this phone knows to be on it; null until then
    pub variance: Option<Variance>,
    /// Hash of the deliveries on it that count and are on this phone, in their versions; pass it to RequestClose
    pub manifest_hash: String,
    /// Code that other clerks read, as text or QR code, to join without network
    pub join_code: String,
    /// How far it is on its way to the server's log
    pub sync: SyncState,
    /// Fields that have concurrent values
    pub conflicts: Vec<Conflict>,
    /// Codes of the reviews that name it
    pub reviews: Vec<ReviewCode>,
}

/// What was weighed of a load after it had left, beside what is on it.
#[uniffi::remote(Record)]
pub struct Variance {
    /// Weight in grams of what the lorry carried, with its bags, by the latest ticket that was not withdrawn
    pub received_g: Grams,
    /// What is missing of the deliveries, or in excess, by the rule set of the first one
    pub loss: Loss,
}

/// Loss or gain of one load.
#[uniffi::remote(Record)]
pub struct Loss {
    /// Gross on the load minus what arrived, in grams; negative if more arrived
    pub shortage_g: Grams,
    /// Part of the shortage in grams that is beyond the tolerance; the buyer bears the rest
    pub beyond_g: Grams,
    /// Who bears what is beyond the tolerance
    pub bearer: LossBearer,
    /// Shares of the deliveries in what is beyond the tolerance, which add up to it; empty if the buyer bears it
    pub shares: Vec<LossShare>,
}

/// Share of one delivery in a loss.
#[uniffi::remote(Record)]
pub struct LossShare {
    /// Id of the delivery
    pub delivery_id: DeliveryId,
    /// Its weight in grams; negative of a shortage
    pub weight_g: Grams,
}

/// Who bears a loss, or has a gain.
#[uniffi::remote(Enum)]
pub enum LossBearer {
    /// The buyer
    Buyer,
    /// The operator of the lorry
    Operator,
    /// The farmers of the deliveries, by gross weight
    ProRata,
}

/// A clerk who opened or joined a load.
#[uniffi::remote(Record)]
pub struct Loader {
    /// User
    pub user_id: UserId,
    /// Code of the device
    pub device_code: DeviceCode,
    /// When they opened or joined it
    pub since: HybridTime,
}

/// A clerk's request to the office to close a load, as shown. To make one, call change_load with RequestClose.
#[uniffi::remote(Record)]
pub struct CloseView {
    /// Author, device and time
    pub stamp: Stamp,
    /// Number of deliveries in its manifest
    pub deliveries: u32,
    /// Gross weight of these deliveries in grams
    pub gross_g: Grams,
}

/// A load in a list.
#[uniffi::remote(Record)]
pub struct LoadRow {
    /// Id of the load
    pub load_id: LoadId,
    /// Its centre and season
    pub scope: Scope,
    /// Load number, such as KOLAR-1121-10-3
    pub number: String,
    /// The lorry's plate
    pub lorry: LorryPlate,
    /// Day on which it was opened
    pub business_date: BusinessDate,
    /// State that follows from all steps that this phone knows
    pub state: LoadState,
    /// Number of clerks who opened or joined it
    pub loaders: u32,
    /// Number of fields that have concurrent values
    pub conflicts: u32,
}

/// A load in a list, with its totals and sync state.
#[uniffi::remote(Record)]
pub struct LoadItem {
    /// The load
    pub row: LoadRow,
    /// Totals of its deliveries, as far as they are on this phone
    pub sum: Sum,
    /// How far it is on its way to the server's log
    pub sync: SyncState,
}

/// A page of loads.
#[uniffi::remote(Record)]
pub struct LoadPage {
    /// The loads
    pub items: Vec<LoadItem>,
    /// Pass it as `after` of the query for the next page; null on the last page
    pub next: Option<String>,
}

/// Place of a lorry at one time.
#[uniffi::remote(Record)]
pub struct TrackPoint {
    /// When it was there; stored in whole seconds
    pub at: Timestamp,
    /// Latitude in degrees × 10⁷, -900,000,000 to 900,000,000; stored to the nearest ten
    pub latitude_e7: i32,
    /// Longitude in degrees × 10⁷, -1,800,000,000 to 1,800,000,000; stored to the nearest ten
    pub longitude_e7: i32,
    /// Radius of the error in centimetres; stored in whole metres, rounded up
    pub accuracy_cm: u32,
    /// Source of the position; null if the phone does not say
    #[uniffi(default = None)]
    pub provider: Option<LocationProvider>,
    /// Whether the phone says that an app made the position up
    #[uniffi(default = false)]
    pub is_mock: bool,
}

/// A place on a route.
#[uniffi::remote(Record)]
pub struct RoutePoint {
    /// Latitude in degrees × 10⁷, -900,000,000 to 900,000,000
    pub latitude_e7: i32,
    /// Longitude in degrees × 10⁷, -1,800,000,000 to 1,800,000,000
    pub longitude_e7: i32,
}

/// What is strange about a leg of a track.
#[uniffi::remote(Enum)]
pub enum GapKind {
    /// There is no point for more than ten minutes
    Silent,
    /// More than 180 km/h: one of the two positions is wrong, or the phone's clock was changed
    TooFast,
}

/// Leg of a track of which it is not known how the lorry went.
#[uniffi::remote(Record)]
pub struct TrackGap {
    /// Time of the point before
    #[uniffi(name = "from_at")]
    pub from: Timestamp,
    /// Time of the point after
    #[uniffi(name = "to_at")]
    pub to: Timestamp,
    /// Straight distance in metres
    pub distance_m: u64,
    /// What is strange about it
    pub kind: GapKind,
}

/// What a track says as a whole.
#[uniffi::remote(Record)]
pub struct TrackSummary {
    /// Number of points of all devices
    pub points: u32,
    /// Length of the way in metres, without legs that are too fast; of several devices, that of the one with the longest
    pub distance_m: u64,
    /// Latest point; null without any
    pub last: Option<TrackPoint>,
    /// Gaps of that device, oldest first
    pub gaps: Vec<TrackGap>,
    /// Greatest distance from the route in metres; null if fewer than two positions of it were given
    pub off_route_m: Option<u64>,
}

/// The track of a load, as a screen shows it.
#[uniffi::remote(Record)]
pub struct TrackView {
    /// Length, gaps, last point and distance from the route
    pub summary: TrackSummary,
    /// Age of the last point in milliseconds; null without a point
    pub last_age_ms: Option<i64>,
}

/// Points of one device, oldest first.
#[uniffi::remote(Record)]
pub struct DeviceTrack {
    /// Code of the device
    pub device_code: DeviceCode,
    /// Its points
    pub points: Vec<TrackPoint>,
}
