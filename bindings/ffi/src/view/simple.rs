//! Simple records: each kind's fields, and its view and page, which have the same form for all kinds.

use farmtally_core::client::{Basis, SimplePage, SimpleView, SyncState};
use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::container_movement::{MovementKind, Party};
use farmtally_core::records::delivery::Reason;
use farmtally_core::records::lorry_request::Priority;
use farmtally_core::records::plot::{GeoPoint, PlotShape};
use farmtally_core::records::simple::{SimpleEvent, SimpleState, SimpleStep};
use farmtally_core::records::weighbridge_ticket::WeighingSource;
use farmtally_core::records::{
    Advance, AdvanceRequest, CashCount, CashMovement, Conflict, ContainerMovement, Dispute, Feedback, InstrumentCheck,
    LorryRequest, Mark, Note, Plot, QueueTicket, ReceivingNote, RetainedSample, Signature, Stamp, SupplyIntent,
    WeighbridgeTicket,
};
use farmtally_core::rules::{ActionCode, ContainerBalance, SupplyProposal};
use farmtally_core::units::{
    BusinessDate, CentreCode, CommodityCode, ContainerCode, DeliveryId, DocumentId, FarmerId, GradeCode, Grams,
    InstrumentCode, LoadId, LorryPlate, LotWeight, Money, Percent, SeasonCode,
};

/// State of a simple record, as far as this phone knows.
#[uniffi::remote(Enum)]
pub enum SimpleState {
    /// It stands as it was recorded
    Open,
    /// The farmer or lorry was called
    Called,
    /// The farmer or lorry left without being served
    Left,
    /// The farmer or lorry was served
    Served,
    /// The other side agreed
    Confirmed,
    /// It was withdrawn
    Withdrawn,
}

/// What happened to a simple record after it was made.
#[uniffi::remote(Enum)]
pub enum SimpleStep {
    /// It was withdrawn: a mistake, or not wanted any more
    Withdrawn,
    /// The farmer or lorry that waits was called
    Called,
    /// The farmer or lorry was served
    Served,
    /// The farmer or lorry left without being served
    Left,
    /// The other side agrees: cash was received
    Confirmed,
}

/// A step of a simple record, with author, device and time.
#[uniffi::remote(Record)]
pub struct SimpleEvent {
    /// Author, device and time
    pub stamp: Stamp,
    /// The step itself
    pub step: SimpleStep,
    /// Reason that the person gave; null for a step without one
    pub reason: Option<Reason>,
}

/// Describes the view and the page of a kind.
macro_rules! views {
    ($($(#[$doc:meta])* $content:ident, $view:ident, $page:ident;)*) => {$(
        pub(crate) type $view = SimpleView<$content>;
        pub(crate) type $page = SimplePage<$content>;

        $(#[$doc])*
        #[uniffi::remote(Record)]
        pub struct $view {
            /// Id of the record
            pub record_id: DocumentId,
            /// The version shown here; pass it to the next change
            pub basis: Basis,
            /// Centre to which it belongs
            pub centre: CentreCode,
            /// Season to which it belongs; null if it belongs to a centre only
            pub season: Option<SeasonCode>,
            /// Author, device and time of the recording
            pub made: Stamp,
            /// Its fields
            pub content: $content,
            /// State that follows from all steps that this phone knows
            pub state: SimpleState,
            /// Net weight in grams that follows from the fields; null for a kind without one
            pub net_g: Option<Grams>,
            /// Steps, oldest first
            pub steps: Vec<SimpleEvent>,
            /// What the current user may do with it now
            pub actions: Vec<ActionCode>,
            /// How far it is on its way to the server's log
            pub sync: SyncState,
            /// Fields that have concurrent values
            pub conflicts: Vec<Conflict>,
            /// Codes of the reviews that name it
            pub reviews: Vec<ReviewCode>,
        }

        /// A page of records.
        #[uniffi::remote(Record)]
        pub struct $page {
            /// The records
            pub items: Vec<$view>,
            /// Pass it as `after` for the next page; null on the last page
            pub next: Option<DocumentId>,
        }
    )*};
}

views! {
    /// A note as a screen shows it.
    Note, NoteView, NotePage;
    /// A weighbridge ticket as a screen shows it.
    WeighbridgeTicket, WeighbridgeTicketView, WeighbridgeTicketPage;
    /// A receiving note as a screen shows it.
    ReceivingNote, ReceivingNoteView, ReceivingNotePage;
    /// A lorry request as a screen shows it.
    LorryRequest, LorryRequestView, LorryRequestPage;
    /// A supply intent as a screen shows it.
    SupplyIntent, SupplyIntentView, SupplyIntentPage;
    /// An advance request as a screen shows it.
    AdvanceRequest, AdvanceRequestView, AdvanceRequestPage;
    /// A dispute as a screen shows it.
    Dispute, DisputeView, DisputePage;
    /// Feedback as a screen shows it.
    Feedback, FeedbackView, FeedbackPage;
    /// A queue ticket as a screen shows it.
    QueueTicket, QueueTicketView, QueueTicketPage;
    /// A container movement as a screen shows it.
    ContainerMovement, ContainerMovementView, ContainerMovementPage;
    /// A retained sample as a screen shows it.
    RetainedSample, RetainedSampleView, RetainedSamplePage;
    /// An instrument check as a screen shows it.
    InstrumentCheck, InstrumentCheckView, InstrumentCheckPage;
    /// A signature as a screen shows it.
    Signature, SignatureView, SignaturePage;
    /// An advance as a screen shows it.
    Advance, AdvanceView, AdvancePage;
    /// A cash movement as a screen shows it.
    CashMovement, CashMovementView, CashMovementPage;
    /// A cash count as a screen shows it.
    CashCount, CashCountView, CashCountPage;
    /// A plot as a screen shows it.
    Plot, PlotView, PlotPage;
}

/// Fields of a note.
#[uniffi::remote(Record)]
pub struct Note {
    /// Number of the kind of the record to which it refers
    pub record_kind: u8,
    /// Record to which it refers
    pub record_id: DocumentId,
    /// The remark, one line of at most 200 characters
    pub text: String,
}

/// How a weight of a ticket became known.
#[uniffi::remote(Enum)]
pub enum WeighingSource {
    /// A scale sent it
    Scale,
    /// A person read it from the scale and typed it
    Manual,
    /// It is on a ticket that somebody brought
    Claimed,
}

/// Fields of a weighbridge ticket. Texts are one line of at most 200 characters.
#[uniffi::remote(Record)]
pub struct WeighbridgeTicket {
    /// Load or delivery that was weighed
    pub record_id: DocumentId,
    /// Weight of the full vehicle: kilograms such as 12340, or grams such as 12340000 g
    pub gross: LotWeight,
    /// How it became known
    pub gross_source: WeighingSource,
    /// Weight of the empty vehicle, at most that of the full one
    pub tare: LotWeight,
    /// How it became known
    pub tare_source: WeighingSource,
    /// Number on the ticket; must not be empty
    pub number: String,
    /// Name of the place; may be empty
    #[uniffi(default = "")]
    pub place: String,
    /// Name of the person who operated the weighbridge; may be empty
    #[uniffi(default = "")]
    pub operator_name: String,
}

/// Fields of a receiving note.
#[uniffi::remote(Record)]
pub struct ReceivingNote {
    /// Load that was received
    pub load_id: LoadId,
    /// Number of bags that were counted, at most 100,000
    pub bags: u32,
    /// Number of them that were rejected
    #[uniffi(default = 0)]
    pub rejected_bags: u32,
    /// Moisture; null if it was not measured
    #[uniffi(default = None)]
    pub moisture: Option<Percent>,
    /// Grade; null if none was given
    #[uniffi(default = None)]
    pub grade: Option<GradeCode>,
    /// One line of at most 200 characters; may be empty
    #[uniffi(default = "")]
    pub remarks: String,
}

/// How urgent a lorry request is.
#[uniffi::remote(Enum)]
pub enum Priority {
    /// It can wait
    Low,
    /// As most requests
    Normal,
    /// Produce spoils or people wait
    High,
}

/// Fields of a lorry request. Numbers are estimates, at most 100,000 each; texts are one line of at most 200 characters.
#[uniffi::remote(Record)]
pub struct LorryRequest {
    /// Commodity that is to be carried
    pub commodity: CommodityCode,
    /// Day on which the lorry is wanted
    pub wanted_date: BusinessDate,
    /// Begin of the wanted window, in minutes after local midnight
    pub from_minute: u32,
    /// End of the wanted window, in minutes after local midnight, 1,440 at most
    pub to_minute: u32,
    /// Purpose; must not be empty
    pub purpose: String,
    /// Number of farmers
    pub farmers: u32,
    /// Number of bags
    pub bags: u32,
    /// Weight in grams, at most 100,000 kg
    pub weight_g: Grams,
    /// How urgent it is
    pub priority: Priority,
    /// Remarks; may be empty
    #[uniffi(default = "")]
    pub remarks: String,
}

/// Fields of a supply intent.
#[uniffi::remote(Record)]
pub struct SupplyIntent {
    /// Farmer who means to deliver
    pub farmer_id: FarmerId,
    /// Commodity to deliver
    pub commodity: CommodityCode,
    /// Number of bags, 1 to 100,000
    pub bags: u32,
    /// Weight of them together: kilograms such as 1200, or grams such as 1200000 g
    pub weight: LotWeight,
    /// Day of the delivery
    pub date: BusinessDate,
}

/// What supply intents add up to.
#[uniffi::remote(Record)]
pub struct SupplyProposal {
    /// Number of different farmers
    pub farmers: u32,
    /// Number of bags
    pub bags: u32,
    /// Weight of them together in grams
    pub weight_g: Grams,
}

/// Fields of an advance request.
#[uniffi::remote(Record)]
pub struct AdvanceRequest {
    /// Farmer who asks
    pub farmer_id: FarmerId,
    /// Amount in minor units of the organisation's currency, above zero
    pub amount_minor: Money,
    /// Reason that the farmer gave
    pub reason: Reason,
}

/// Fields of a dispute.
#[uniffi::remote(Record)]
pub struct Dispute {
    /// Delivery or advance that the farmer does not agree with
    pub record_id: DocumentId,
    /// Farmer of the delivery or advance
    pub farmer_id: FarmerId,
    /// Code of what is disputed, such as weight, moisture or not_received; must not be empty
    pub subject: String,
    /// The farmer's words, one line of at most 200 characters; must not be empty
    pub text: String,
}

/// Fields of feedback.
#[uniffi::remote(Record)]
pub struct Feedback {
    /// Farmer who rates; null for staff
    #[uniffi(default = None)]
    pub farmer_id: Option<FarmerId>,
    /// Rating, 1 (worst) to 5
    pub rating: u8,
    /// Codes of the reasons, such as waiting, at most 10
    #[uniffi(default = [])]
    pub reason_codes: Vec<String>,
    /// The person's words, one line of at most 200 characters; may be empty
    #[uniffi(default = "")]
    pub text: String,
}

/// Fields of a queue ticket: a farmer, a lorry or both.
#[uniffi::remote(Record)]
pub struct QueueTicket {
    /// Commodity that is brought
    pub commodity: CommodityCode,
    /// Day of the queue
    pub date: BusinessDate,
    /// Farmer who waits; null if not known
    #[uniffi(default = None)]
    pub farmer_id: Option<FarmerId>,
    /// Lorry that waits; null if there is none
    #[uniffi(default = None)]
    pub lorry: Option<LorryPlate>,
    /// Number of bags that are expected, at most 100,000
    #[uniffi(default = 0)]
    pub bags: u32,
}

/// What happened to empty bags or crates.
#[uniffi::remote(Enum)]
pub enum MovementKind {
    /// The party got them
    Issued,
    /// The party brought them back
    Returned,
    /// They were damaged or lost at the party, and are not expected back
    Damaged,
    /// The party has so many: they were counted
    Counted,
}

/// Somebody who owns or has empty bags or crates.
#[uniffi::remote(Enum)]
pub enum Party {
    /// The organisation itself
    Organisation,
    /// A farmer
    Farmer {
        /// Id of the farmer
        farmer_id: FarmerId,
    },
    /// Another business, such as a transporter or a mill
    Other {
        /// Name, one line of at most 200 characters; must not be empty
        name: String,
    },
}

/// Fields of a container movement.
#[uniffi::remote(Record)]
pub struct ContainerMovement {
    /// Type of the containers
    pub container: ContainerCode,
    /// Owner of the containers
    pub owner: Party,
    /// Party that got, brought back or has them
    pub party: Party,
    /// Name of the place, one line of at most 200 characters; may be empty
    #[uniffi(default = "")]
    pub place: String,
    /// What happened
    pub kind: MovementKind,
    /// Number of containers: 1 to 100,000; of a count from 0
    pub count: u32,
}

/// How many containers of one type and owner a party has.
#[uniffi::remote(Record)]
pub struct ContainerBalance {
    /// Party that has them
    pub party: Party,
    /// Their type
    pub container: ContainerCode,
    /// Their owner
    pub owner: Party,
    /// Number of containers; negative if the party brought back more than is known to have been issued
    pub count: i64,
}

/// Fields of a retained sample. Texts are one line of at most 200 characters.
#[uniffi::remote(Record)]
pub struct RetainedSample {
    /// Delivery from which it was taken
    pub delivery_id: DeliveryId,
    /// Text on its label; must not be empty
    pub label: String,
    /// Number of its seal; may be empty
    #[uniffi(default = "")]
    pub seal: String,
    /// Name of the witness, not a farmer's; may be empty
    #[uniffi(default = "")]
    pub witness: String,
    /// Last day on which it is kept
    pub kept_until: BusinessDate,
}

/// Content of a signature: who holds a phone lets another person sign a record. It is erased with the farmer of that record.
#[uniffi::remote(Record)]
pub struct Signature {
    /// Number of the kind of the record that was signed
    pub record_kind: u8,
    /// Record that was signed
    pub record_id: DocumentId,
    /// Farmer of that record; null if it has none, such as a load
    pub farmer_id: Option<FarmerId>,
    /// The mark
    pub mark: Mark,
}

/// Fields of an instrument check. Values are in grams; of a moisture meter, in hundredths of a percent.
#[uniffi::remote(Record)]
pub struct InstrumentCheck {
    /// Instrument that was checked
    pub instrument: InstrumentCode,
    /// Commodity that is bought with it
    pub commodity: CommodityCode,
    /// Day of the check
    pub date: BusinessDate,
    /// Known value of the reference, 1 to 200,000,000
    pub reference_value: u32,
    /// Value that the instrument showed, at most 200,000,000
    pub shown_value: u32,
    /// Whether the instrument may be used
    pub has_passed: bool,
}

/// A place on the globe.
#[uniffi::remote(Record)]
pub struct GeoPoint {
    /// Latitude in degrees × 10⁷, -900,000,000 to 900,000,000
    pub latitude_e7: i32,
    /// Longitude in degrees × 10⁷, -1,800,000,000 to 1,800,000,000
    pub longitude_e7: i32,
}

/// Where a plot lies.
#[uniffi::remote(Enum)]
pub enum PlotShape {
    /// One place on the land; its border is not known
    Point {
        /// The place
        point: GeoPoint,
    },
    /// The border, 3 to 200 points in either direction; the last point is joined with the first
    Ring {
        /// Its corners
        points: Vec<GeoPoint>,
    },
}

/// Fields of a plot.
#[uniffi::remote(Record)]
pub struct Plot {
    /// Farmer who works the land
    pub farmer_id: FarmerId,
    /// Name by which the farmer knows it, one line of at most 200 characters; must not be empty
    pub name: String,
    /// Where it lies
    pub shape: PlotShape,
    /// Area in square metres that the farmer or a land register says; null if not asked
    #[uniffi(default = None)]
    pub declared_area_m2: Option<u32>,
}
