//! Values that are added to a recorded delivery: more of what was weighed or read, voids, amendments, prints.

use minicbor::{Decode, Encode};

use super::super::stamp::Register;
use super::super::{Bag, BagCount, Error, Lot, Put, Reading, Stamp, bags, encode};
use super::Delivery;
use super::parts::move_items;
use crate::units::{BusinessDate, LoadId, named};

/// Families of added keys.
pub(super) const WEIGHED: char = 'p';
pub(super) const VOIDS: char = 'x';
pub(super) const EVENTS: char = 'e';
pub(super) const READINGS: char = 'm';
pub(super) const PRINTS: char = 'w';

/// Bags and lots that were forgotten when the delivery was recorded.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub(super) struct MoreWeighed {
    #[n(0)]
    pub(super) stamp: Stamp,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(super) bags: Vec<u8>,
    #[cbor(n(2), skip_if = "Vec::is_empty")]
    pub(super) lots: Vec<Lot>,
}

/// Reason for an amendment or a void.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Reason {
    /// Code that the app chooses, such as `mistyped`, `wrong_farmer`, `returned`.
    #[n(0)]
    pub code: String,
    /// Free text of the person; may be empty.
    #[n(1)]
    pub text: String,
}

/// Void of a bag, a lot or a reading.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub(super) struct VoidedValue {
    #[n(0)]
    pub(super) stamp: Stamp,
    #[n(1)]
    pub(super) reason: Reason,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub(super) struct Event {
    #[n(0)]
    pub(super) stamp: Stamp,
    #[n(1)]
    pub(super) step: Step,
    #[n(2)]
    pub(super) reason: Reason,
    /// Number of amendments the author had seen. A void that saw fewer than exist is concurrent with one of them.
    #[n(3)]
    pub(super) amendments_seen: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub(super) enum Step {
    #[n(0)]
    Amended,
    #[n(1)]
    Voided,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub(super) struct AddedReading {
    #[n(0)]
    pub(super) stamp: Stamp,
    #[n(1)]
    pub(super) reading: Reading,
}

named! {
    /// Where a receipt was printed or sent.
    #[derive(Encode, Decode)]
    #[cbor(index_only)]
    pub PrintMedium, "a print medium" {
        /// On paper.
        #[n(0)]
        Paper = "paper",
        /// As a text message.
        #[n(1)]
        Message = "message",
        /// As a file, such as a PDF.
        #[n(2)]
        File = "file",
    }
}

/// A print of the receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Print {
    /// Author, device and time.
    #[n(0)]
    pub stamp: Stamp,
    /// Where it was printed or sent.
    #[n(1)]
    pub medium: PrintMedium,
}

/// One correction within an amendment.
pub(crate) enum Amendment {
    AddWeighed {
        bags: Vec<Bag>,
        lots: Vec<Lot>,
    },
    Void {
        key: String,
        reason: Reason,
    },
    SetLoad(Option<LoadId>),
    /// Puts bags and lots, by their keys, on a load of their own.
    PutApart {
        load_id: Option<LoadId>,
        keys: Vec<String>,
        overload_reason: Option<Reason>,
    },
    SetDate(BusinessDate),
    SetDeclaredBags(Option<u32>),
    SetBagCounts(Vec<BagCount>),
}

pub(crate) fn amend(delivery: &Delivery, stamp: Stamp, reason: Reason, amendments: Vec<Amendment>) -> Vec<Put> {
    let mut puts = vec![event(delivery, stamp, Step::Amended, reason)];
    puts.extend(amendments.into_iter().map(|amendment| match amendment {
        Amendment::AddWeighed { bags, lots } => {
            let bags = bags::pack(&bags, &stamp);
            Put::Add(WEIGHED, String::new(), encode(&MoreWeighed { stamp, bags, lots }))
        }
        Amendment::Void { key, reason } => Put::Add(VOIDS, key, encode(&VoidedValue { stamp, reason })),
        Amendment::SetLoad(value) => Put::Key("load", encode(&Register { stamp, value })),
        Amendment::PutApart { load_id, keys, overload_reason } => {
            move_items(delivery, stamp, load_id, &keys, overload_reason)
        }
        Amendment::SetDate(value) => Put::Key("date", encode(&Register { stamp, value })),
        Amendment::SetDeclaredBags(value) => Put::Key("count", encode(&Register { stamp, value })),
        Amendment::SetBagCounts(value) => Put::Key("bags", encode(&Register { stamp, value })),
    }));
    puts
}

pub(crate) fn void(delivery: &Delivery, stamp: Stamp, reason: Reason) -> Vec<Put> {
    vec![event(delivery, stamp, Step::Voided, reason)]
}

/// Returns the puts of readings that were taken after recording.
pub(crate) fn add_readings(stamp: Stamp, readings: &[Reading]) -> Vec<Put> {
    let put = |reading: &Reading| {
        Put::Add(READINGS, String::new(), encode(&AddedReading { stamp, reading: reading.clone() }))
    };
    readings.iter().map(put).collect()
}

pub(crate) fn print(stamp: Stamp, medium: PrintMedium) -> Vec<Put> {
    vec![Put::Add(PRINTS, String::new(), encode(&Print { stamp, medium }))]
}

fn event(delivery: &Delivery, stamp: Stamp, step: Step, reason: Reason) -> Put {
    let amendments_seen = u32::try_from(delivery.amendments.len()).unwrap_or(u32::MAX);
    Put::Add(EVENTS, String::new(), encode(&Event { stamp, step, reason, amendments_seen }))
}

impl MoreWeighed {
    pub(super) fn bags(&self) -> Result<Vec<Bag>, Error> {
        bags::unpack(&self.bags, &self.stamp)
    }
}
