//! Kinds of reference data: small, for the whole organisation, and kept in memory.

use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, StoredAs};
use crate::units::{
    BusinessDate, CentreCode, CommodityCode, CountryCode, Currency, Grams, InstrumentCode, LorryPlate, OrganisationId,
    SchemeCode, SeasonCode, UserId, named,
};

/// The organisation that owns the data.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Organisation {
    /// Id of the organisation.
    #[n(0)]
    pub organisation_id: OrganisationId,
    /// Name of the organisation.
    #[n(1)]
    pub name: String,
    /// Minutes by which its local time is ahead of UTC; negative if it is behind.
    #[n(2)]
    pub zone_minutes: i16,
    /// Country of telephone numbers that are written without a country code.
    #[n(3)]
    pub country: CountryCode,
    /// Currency of all amounts.
    #[n(4)]
    pub currency: Currency,
}

/// A place where produce is weighed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Centre {
    /// Code of the centre.
    #[n(0)]
    pub code: CentreCode,
    /// Name of the centre.
    #[n(1)]
    pub name: String,
}

/// A span of days in which one commodity is bought.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Season {
    /// Code of the season.
    #[n(0)]
    pub code: SeasonCode,
    /// Commodity that is bought.
    #[n(1)]
    pub commodity: CommodityCode,
    /// First day of the season.
    #[n(2)]
    pub from: BusinessDate,
    /// Last day of the season, included.
    #[n(3)]
    pub to: BusinessDate,
    /// Scheme of which a farmer who delivers must have a valid certificate, if any.
    #[n(4)]
    pub required_scheme: Option<SchemeCode>,
}

impl Season {
    /// Returns whether the season covers a day.
    pub fn covers(&self, date: BusinessDate) -> bool {
        (self.from..=self.to).contains(&date)
    }
}

/// A commodity that the organisation buys.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Commodity {
    /// Code of the commodity.
    #[n(0)]
    pub code: CommodityCode,
    /// Name of the commodity.
    #[n(1)]
    pub name: String,
}

/// A lorry that carries loads.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Lorry {
    /// Plate of the lorry.
    #[n(0)]
    pub plate: LorryPlate,
    /// Largest gross weight of a load on it.
    #[n(1)]
    pub payload: Grams,
}

/// A person who records on phones. Role and centres are in [`Grant`](super::Grant).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct User {
    /// Id of the user.
    #[n(0)]
    pub user_id: UserId,
    /// Name of the user.
    #[n(1)]
    pub name: String,
    /// Whether the user gets no phone and no grant. What they may do on the phones that they have, a [`Suspension`](super::Suspension) for
    /// each says.
    #[n(2)]
    pub is_suspended: bool,
}

/// A text that the office shows on all phones.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Notice {
    /// Code of the notice; a later notice with the same code replaces it.
    #[n(0)]
    pub code: String,
    /// Text of the notice; empty to remove it.
    #[n(1)]
    pub text: String,
}

named! {
    /// What an instrument measures with.
    #[derive(Encode, Decode)]
    #[cbor(index_only)]
    pub InstrumentType, "a type of instrument" {
        /// It weighs bags and lots.
        #[n(0)]
        Scale = "scale",
        /// It weighs vehicles.
        #[n(1)]
        Weighbridge = "weighbridge",
        /// It measures moisture.
        #[n(2)]
        MoistureMeter = "moisture_meter",
    }
}

/// A scale, weighbridge or moisture meter. Values are in grams; of a moisture meter, in hundredths of a percent.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Instrument {
    /// Code of the instrument.
    #[n(0)]
    pub code: InstrumentCode,
    /// What it is.
    #[n(1)]
    pub instrument_type: InstrumentType,
    /// Serial number.
    #[n(2)]
    pub serial: String,
    /// Accuracy class, such as III; may be empty.
    #[n(3)]
    pub accuracy_class: String,
    /// Smallest value for which it may be used.
    #[n(4)]
    pub min_value: u32,
    /// Largest value, not below the smallest.
    #[n(5)]
    pub max_value: u32,
    /// Its intervals by range, in ascending order; none if not known.
    #[n(6)]
    pub intervals: Vec<InstrumentInterval>,
    /// Number of the certificate; may be empty.
    #[n(7)]
    pub certificate: String,
    /// Last day on which the certificate is valid.
    #[n(8)]
    pub valid_until: BusinessDate,
}

/// The interval of an instrument in a range of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct InstrumentInterval {
    /// Largest value of the range, which begins above that of the range before.
    #[n(0)]
    pub up_to_value: u32,
    /// Difference between two values that it shows in the range.
    #[n(1)]
    pub interval_value: u32,
}

macro_rules! reference_kinds {
    ($($kind:ident = $number:literal, $name:literal, $subject:expr;)*) => {$(
        impl DecisionKind for $kind {
            const NUMBER: u8 = $number;
            const NAME: &'static str = $name;
            const AUDIENCE: Audience = Audience::Organisation;
            const STORED: StoredAs<Self> = StoredAs::Latest($subject);
        }
    )*};
}

reference_kinds! {
    Organisation = 0, "organisation", |_| String::new();
    Centre = 1, "centre", |it| it.code.to_string();
    Season = 2, "season", |it| it.code.to_string();
    Commodity = 3, "commodity", |it| it.code.to_string();
    Lorry = 4, "lorry", |it| it.plate.to_string();
    User = 6, "user", |it| it.user_id.to_string();
    Notice = 15, "notice", |it| it.code.clone();
    Instrument = 16, "instrument", |it| it.code.to_string();
}
