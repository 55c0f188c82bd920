//! What apps hand in. Numbers that people type cross as text and are read once, in core.

use farmtally_core::client;
use farmtally_core::records::BagSource;
use farmtally_core::records::delivery::Reason as CoreReason;
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::rules::Check;
use farmtally_core::units::{BagType, FarmerId, LoadId, Position as CorePosition};

use crate::FieldError;

/// Reads a person's text as a value of a unit.
pub(crate) fn read<T: std::str::FromStr<Err: std::fmt::Display>>(field: &str, text: &str) -> Result<T, FieldError> {
    text.parse().map_err(|error| FieldError::invalid(field, error))
}

/// Reads the codes of checks that a person said yes to.
pub(crate) fn checks(codes: &[String]) -> Result<Vec<Check>, FieldError> {
    let known = |code: &String| Check::ALL.into_iter().find(|check| check.code() == code);
    codes
        .iter()
        .map(|code| known(code).ok_or_else(|| FieldError::invalid("accept", format!("no check is called {code}"))))
        .collect()
}

/// What a new delivery begins with.
#[derive(Clone, Debug, uniffi::Record)]
pub struct StartDraft {
    /// The centre's code
    pub centre: String,
    /// The commodity's code
    pub commodity: String,
    /// The farmer, if known already
    #[uniffi(default = None)]
    pub farmer_id: Option<FarmerId>,
    /// The load, if any
    #[uniffi(default = None)]
    pub load_id: Option<LoadId>,
    /// The voided delivery that this one stands in for
    #[uniffi(default = None)]
    pub replaces: Option<String>,
}

impl StartDraft {
    pub(crate) fn read(self) -> Result<client::StartDraft, FieldError> {
        Ok(client::StartDraft {
            centre: read("centre", &self.centre)?,
            commodity: read("commodity", &self.commodity)?,
            farmer_id: self.farmer_id,
            load_id: self.load_id,
            replaces: self.replaces.map(|id| read("replaces", &id)).transpose()?,
        })
    }
}

/// How a weight came into the phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum WeightSource {
    /// Typed by a person
    Manual,
    /// Read from a scale
    Scale,
    /// The previous weight again
    Repeat,
    /// Spoken
    Voice,
}

impl From<WeightSource> for BagSource {
    fn from(source: WeightSource) -> Self {
        match source {
            WeightSource::Manual => Self::Manual,
            WeightSource::Scale => Self::Scale,
            WeightSource::Repeat => Self::Repeat,
            WeightSource::Voice => Self::Voice,
        }
    }
}

/// Where the phone was, as its receiver reported it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Position {
    /// Degrees × 10⁷
    pub latitude_e7: i32,
    /// Degrees × 10⁷
    pub longitude_e7: i32,
    /// Radius of the receiver's error in centimetres
    pub accuracy_cm: u32,
    /// Age of the fix in milliseconds
    pub age_ms: u32,
}

impl From<Position> for CorePosition {
    fn from(it: Position) -> Self {
        Self {
            latitude_e7: it.latitude_e7,
            longitude_e7: it.longitude_e7,
            accuracy_cm: it.accuracy_cm,
            age_ms: it.age_ms,
        }
    }
}

fn bag_type_of(number: u8) -> Result<BagType, FieldError> {
    BagType::try_from(number).map_err(|error| FieldError::invalid("bag_type", error))
}

/// Why something is amended or voided.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Reason {
    /// A code such as mistyped, wrong_farmer, returned
    pub code: String,
    /// Words of the person
    #[uniffi(default = "")]
    pub text: String,
}

impl From<Reason> for CoreReason {
    fn from(reason: Reason) -> Self {
        Self { code: reason.code, text: reason.text }
    }
}

/// A step of weighing, or a correction of a recorded delivery.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum DeliveryEdit {
    /// Chooses the farmer; of a draft only
    SetFarmer {
        /// Who
        farmer_id: FarmerId,
    },
    /// Chooses the load, or none
    SetLoad {
        /// Which
        load_id: Option<LoadId>,
    },
    /// Notes how many bags are said to come
    SetDeclaredBags {
        /// How many
        count: Option<u32>,
    },
    /// Chooses the day it counts for, within the same season
    SetBusinessDate {
        /// Year-month-day
        date: String,
    },
    /// A bag was called out, or forgotten
    AddBag {
        /// Kilograms such as 62.4, or grams such as 62400 g
        weight: String,
        /// The bag type's number in the rule set
        #[uniffi(default = 0)]
        bag_type: u8,
        /// How the weight came in
        #[uniffi(default = None)]
        source: Option<WeightSource>,
    },
    /// A bag that does not count. It is taken out of a draft; of a recorded delivery it stays visible, struck through
    VoidBag {
        /// The bag's id
        bag_id: String,
        /// Why; a draft needs none
        #[uniffi(default = None)]
        reason: Option<Reason>,
    },
    /// Adds a moisture reading, the last one counts; of a draft only
    AddReading {
        /// Percent, such as 14.5
        moisture: String,
    },
    /// Notes where the phone is; of a draft only
    SetPosition {
        /// Where
        position: Position,
    },
}

impl DeliveryEdit {
    /// As a step of weighing.
    pub(crate) fn of_draft(self) -> Result<client::DraftEdit, FieldError> {
        Ok(match self {
            Self::SetFarmer { farmer_id } => client::DraftEdit::SetFarmer(farmer_id),
            Self::SetLoad { load_id } => client::DraftEdit::SetLoad(load_id),
            Self::SetDeclaredBags { count } => client::DraftEdit::SetDeclaredBags(count),
            Self::SetBusinessDate { date } => client::DraftEdit::SetBusinessDate(read("business_date", &date)?),
            Self::AddBag { weight, bag_type, source } => client::DraftEdit::AddBag {
                gross: read("weight", &weight)?,
                bag_type: bag_type_of(bag_type)?,
                source: source.unwrap_or(WeightSource::Manual).into(),
            },
            Self::VoidBag { bag_id, .. } => client::DraftEdit::RemoveBag { number: read("bag_id", &bag_id)? },
            Self::AddReading { moisture } => client::DraftEdit::AddReading(read("moisture", &moisture)?),
            Self::SetPosition { position } => client::DraftEdit::SetPosition(position.into()),
        })
    }

    /// As a correction.
    pub(crate) fn of_recorded(self) -> Result<client::DeliveryEdit, FieldError> {
        Ok(match self {
            Self::AddBag { weight, bag_type, source } => client::DeliveryEdit::AddBag {
                gross: read("weight", &weight)?,
                bag_type: bag_type_of(bag_type)?,
                source: source.unwrap_or(WeightSource::Manual).into(),
            },
            Self::VoidBag { bag_id, reason } => {
                let reason = reason.ok_or_else(|| FieldError::invalid("reason", "say why the bag does not count"))?;
                client::DeliveryEdit::VoidBag { key: bag_id, reason: reason.into() }
            }
            Self::SetLoad { load_id } => client::DeliveryEdit::SetLoad(load_id),
            Self::SetBusinessDate { date } => client::DeliveryEdit::SetBusinessDate(read("business_date", &date)?),
            Self::SetDeclaredBags { count } => client::DeliveryEdit::SetDeclaredBags(count),
            Self::SetFarmer { .. } | Self::AddReading { .. } | Self::SetPosition { .. } => {
                return Err(FieldError::invalid(
                    "edits",
                    "what was recorded of farmer, moisture and place stays: void it",
                ));
            }
        })
    }
}

/// What a person chose.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Choice {
    /// One of the item's options
    pub option_id: String,
}

/// With what a client is opened.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ClientConfig {
    /// A folder of the app's own, for this organisation alone
    pub data_dir: String,
}

/// Name, village and telephone number of a farmer.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Contact {
    /// The name as people say it
    pub name: String,
    /// The village
    #[uniffi(default = "")]
    pub village: String,
    /// The telephone number with country code
    #[uniffi(default = "")]
    pub phone: String,
}

impl From<Contact> for ContactDetails {
    fn from(it: Contact) -> Self {
        Self { name: it.name, village: it.village, phone: it.phone }
    }
}

impl From<ContactDetails> for Contact {
    fn from(it: ContactDetails) -> Self {
        Self { name: it.name, village: it.village, phone: it.phone }
    }
}

/// What a load is opened with.
#[derive(Clone, Debug, uniffi::Record)]
pub struct OpenLoad {
    /// The centre's code
    pub centre: String,
    /// The commodity's code
    pub commodity: String,
    /// The lorry's plate
    pub lorry: String,
    /// The driver's name
    #[uniffi(default = None)]
    pub driver: Option<String>,
}

impl OpenLoad {
    pub(crate) fn read(self) -> Result<client::OpenLoad, FieldError> {
        Ok(client::OpenLoad {
            centre: read("centre", &self.centre)?,
            commodity: read("commodity", &self.commodity)?,
            lorry: read("lorry", &self.lorry)?,
            driver: self.driver,
        })
    }
}

/// Which deliveries to list; what is left out does not matter.
#[derive(Clone, Debug, uniffi::Record)]
pub struct DeliveryQuery {
    /// Of this day, year-month-day
    #[uniffi(default = None)]
    pub date: Option<String>,
    /// On this load
    #[uniffi(default = None)]
    pub load_id: Option<LoadId>,
    /// Of this farmer
    #[uniffi(default = None)]
    pub farmer_id: Option<FarmerId>,
    /// Where the last page ended
    #[uniffi(default = None)]
    pub after: Option<i64>,
    /// Rows on a page, at most 200
    #[uniffi(default = 50)]
    pub limit: u32,
}
