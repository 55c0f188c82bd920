//! A lorry request: what a centre asks the office for, with its estimates. Its fields are changed until it is withdrawn.

use minicbor::{Decode, Encode};

use super::simple::{RegisterField, SimpleKind, TextField, WrongField, recorded, register, steps, within};
use super::{Class, KeyRule, Shape, Topic};
use crate::limits::{MAX_COUNTED, MAX_REQUESTED};
use crate::permission::Capability;
use crate::scope::ScopeForm;
use crate::units::{BusinessDate, CommodityCode, Grams, named};

named! {
    /// How urgent a request is.
    #[derive(Encode, Decode)]
    #[cbor(index_only)]
    pub Priority, "a priority" {
        /// It can wait.
        #[n(0)]
        Low = "low",
        /// As most requests.
        #[n(1)]
        Normal = "normal",
        /// Produce spoils or people wait.
        #[n(2)]
        High = "high",
    }
}

/// Minutes of a day.
const DAY_MINUTES: u32 = 24 * 60;

/// Content of a lorry request.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct LorryRequest {
    /// Commodity that is to be carried.
    #[n(0)]
    pub commodity: CommodityCode,
    /// Day on which the lorry is wanted, in the season of the commodity.
    #[n(1)]
    pub wanted_date: BusinessDate,
    /// Begin of the wanted window, in minutes after local midnight.
    #[n(2)]
    pub from_minute: u32,
    /// End of the wanted window, in minutes after local midnight, not before its begin; at most 1,440.
    #[n(3)]
    pub to_minute: u32,
    /// Purpose, not empty.
    #[n(4)]
    pub purpose: String,
    /// Estimated number of farmers.
    #[n(5)]
    pub farmers: u32,
    /// Estimated number of bags.
    #[n(6)]
    pub bags: u32,
    /// Estimated weight.
    #[n(7)]
    pub weight_g: Grams,
    /// How urgent it is.
    #[n(8)]
    pub priority: Priority,
    /// Remarks; may be empty.
    #[n(9)]
    pub remarks: String,
}

const fn field(key: &'static str, describes: &'static str) -> KeyRule {
    KeyRule::of(Class::Register, key, Capability::RequestLorry, describes)
}

impl SimpleKind for LorryRequest {
    const NUMBER: u8 = 8;
    const NAME: &'static str = "lorry_request";
    const HOME: ScopeForm = ScopeForm::Season;
    const TOPICS: &'static [Topic] = &[Topic::Loads, Topic::Records];
    const CAPABILITY: Capability = Capability::RequestLorry;
    const SHAPE: Shape = Shape(&[
        recorded(Self::CAPABILITY, "what was asked for"),
        steps(Self::CAPABILITY),
        field("date", "the wanted day"),
        field("from", "the begin of the window"),
        field("to", "the end of the window"),
        field("purpose", "the purpose"),
        field("farmers", "the estimated farmers"),
        field("bags", "the estimated bags"),
        field("weight", "the estimated weight"),
        field("priority", "the priority"),
        field("remarks", "the remarks"),
    ]);
    const REGISTERS: &'static [RegisterField<Self>] = &[
        register!("date", wanted_date),
        register!("from", from_minute),
        register!("to", to_minute),
        register!("purpose", purpose),
        register!("farmers", farmers),
        register!("bags", bags),
        register!("weight", weight_g),
        register!("priority", priority),
        register!("remarks", remarks),
    ];

    fn title(&self) -> String {
        format!("{} {}: {}, {} bags, {} kg", self.commodity, self.wanted_date, self.purpose, self.bags, self.weight_g)
    }

    fn commodity(&self) -> Option<&CommodityCode> {
        Some(&self.commodity)
    }

    fn date(&self) -> Option<BusinessDate> {
        Some(self.wanted_date)
    }

    fn texts(&mut self) -> Vec<TextField<'_>> {
        vec![TextField::required("purpose", &mut self.purpose), TextField::optional("remarks", &mut self.remarks)]
    }

    fn check(&self) -> Result<(), WrongField> {
        within("from_minute", &self.from_minute, &(0..=DAY_MINUTES))?;
        // Two people may change begin and end at the same time, so a window that ends before it begins can be read.
        within("to_minute", &self.to_minute, &(0..=DAY_MINUTES))?;
        within("farmers", &self.farmers, &(0..=MAX_COUNTED))?;
        within("bags", &self.bags, &(0..=MAX_COUNTED))?;
        within("weight_g", &self.weight_g.0, &(0..=MAX_REQUESTED.0))
    }

    fn check_input(&self) -> Result<(), WrongField> {
        within("to_minute", &self.to_minute, &(self.from_minute..=DAY_MINUTES))
    }
}
