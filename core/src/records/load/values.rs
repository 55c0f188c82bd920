//! Values that are written into the document of a load.

use minicbor::{Decode, Encode};

use super::super::delivery::Reason;
use super::super::stamp::Register;
use super::super::{Put, Stamp, encode};
use crate::units::{BusinessDate, CentreCode, DeliveryId, DeviceCode, Grams, LorryPlate, SeasonCode};

/// Value of the key `v1`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct LoadSnapshot {
    #[n(0)]
    pub(crate) header: LoadHeader,
    #[n(1)]
    pub(crate) stamp: Stamp,
    #[n(2)]
    pub(crate) driver: Option<String>,
    #[n(3)]
    pub(crate) destination: Option<String>,
    /// Whether it was only planned; loading begins with [`LoadStep::Opened`].
    #[n(4)]
    pub(crate) is_planned: bool,
}

/// Fields that identify a load to people; a join code has the same ones.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct LoadHeader {
    /// Centre where the load was opened.
    #[n(0)]
    pub centre: CentreCode,
    /// Season of the load.
    #[n(1)]
    pub season: SeasonCode,
    /// Business date on which the load was opened.
    #[n(2)]
    pub date: BusinessDate,
    /// Device that opened the load.
    #[n(3)]
    pub device_code: DeviceCode,
    /// Number of the load in that device's count.
    #[n(4)]
    pub sequence: u32,
    /// Plate of the lorry with which the load was opened; [`Load::lorry`](super::Load::lorry) is the corrected one.
    #[n(5)]
    pub lorry: LorryPlate,
}

impl LoadHeader {
    /// Returns the load number that people read out: `CENTRE-MMDD-DEVICE-COUNT`.
    pub fn number(&self) -> String {
        let date = self.date.to_string();
        let day: String = date.chars().skip(5).filter(char::is_ascii_digit).collect();
        format!("{}-{day}-{}-{}", self.centre, self.device_code, self.sequence)
    }
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub(super) struct Joined {
    #[n(0)]
    pub(super) stamp: Stamp,
    #[n(1)]
    pub(super) header: LoadHeader,
}

/// One delivery of a manifest, or a part of one, as the closer saw it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ManifestLine {
    /// Id of the delivery.
    #[n(0)]
    pub delivery_id: DeliveryId,
    /// Version of the delivery: the first eight bytes of the SHA-256 over its heads.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub version: [u8; 8],
    /// Number of its bags that were on the load.
    #[n(2)]
    pub bags: u32,
    /// Gross weight of those bags.
    #[n(3)]
    pub gross: Grams,
    /// Whether the rest of the delivery was on other loads, or on none.
    #[cbor(n(4), skip_if = "is_false")]
    pub is_part: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that the derived encoder calls")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// Request to close a load, with the deliveries that the closer knew to be on it and not voided: its manifest. There may be several
/// requests; all count.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct CloseRequest {
    /// Author, device and time of the request.
    #[n(0)]
    pub stamp: Stamp,
    /// Deliveries, sorted by id.
    #[n(1)]
    pub manifest: Vec<ManifestLine>,
}

impl CloseRequest {
    /// Returns the total gross weight of the manifest.
    pub fn gross(&self) -> Grams {
        self.manifest.iter().map(|line| line.gross).sum()
    }
}

/// A step of a load: what happened to it, by one person at one time.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum LoadStep {
    /// Loading of a planned load began.
    #[n(0)]
    Opened,
    /// The lorry stopped to load or unload.
    #[n(1)]
    Stopped {
        /// Name of the place.
        #[n(0)]
        place: String,
    },
    /// A seal was put on the lorry.
    #[n(2)]
    Sealed {
        /// Number on the seal.
        #[n(0)]
        seal: String,
    },
    /// Another destination was ordered on the way; the destination itself is in [`Load::destination`](super::Load::destination).
    #[n(3)]
    Diverted {
        /// Reason that the person gave.
        #[n(0)]
        reason: Reason,
    },
    /// The load was given up before it departed.
    #[n(4)]
    Cancelled {
        /// Reason that the person gave.
        #[n(0)]
        reason: Reason,
    },
    /// The lorry left with the load.
    #[n(5)]
    Departed {
        /// Reading of the odometer in kilometres, if it was read.
        #[n(0)]
        odometer_km: Option<u32>,
    },
    /// The lorry arrived at its destination.
    #[n(6)]
    Arrived {
        /// Reading of the odometer in kilometres, if it was read.
        #[n(0)]
        odometer_km: Option<u32>,
    },
    /// The destination took the load over.
    #[n(7)]
    Received,
}

impl LoadStep {
    /// Returns the family of keys under which the step is written. Each has its own capability.
    pub(super) fn family(&self) -> char {
        match self {
            Self::Opened
            | Self::Stopped { .. }
            | Self::Sealed { .. }
            | Self::Diverted { .. }
            | Self::Cancelled { .. } => LOADING,
            Self::Departed { .. } | Self::Arrived { .. } => DRIVING,
            Self::Received => RECEIVING,
        }
    }
}

/// Families of keys for steps.
pub(super) const LOADING: char = 's';
pub(super) const DRIVING: char = 't';
pub(super) const RECEIVING: char = 'r';

/// A step of a load, with author, device and time.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct LoadEvent {
    /// Author, device and time.
    #[n(0)]
    pub stamp: Stamp,
    /// The step itself, such as the departure.
    #[n(1)]
    pub step: LoadStep,
}

pub(crate) fn join(stamp: Stamp, header: LoadHeader) -> Vec<Put> {
    vec![Put::Add('j', String::new(), encode(&Joined { stamp, header }))]
}

pub(crate) fn request_close(request: &CloseRequest) -> Put {
    Put::Add('c', String::new(), encode(request))
}

pub(crate) fn set_lorry(stamp: Stamp, value: LorryPlate) -> Put {
    Put::Key("lorry", encode(&Register { stamp, value }))
}

pub(crate) fn set_driver(stamp: Stamp, value: String) -> Put {
    Put::Key("driver", encode(&Register { stamp, value }))
}

pub(crate) fn set_destination(stamp: Stamp, value: String) -> Put {
    Put::Key("place", encode(&Register { stamp, value }))
}

pub(crate) fn step(stamp: Stamp, step: LoadStep) -> Put {
    Put::Add(step.family(), String::new(), encode(&LoadEvent { stamp, step }))
}
