//! A check of a scale, weighbridge or moisture meter against a reference of known value.
//!
//! After a check that failed, what was weighed since the last one that passed is in doubt ([`crate::rules::is_in_doubt`]).

use minicbor::{Decode, Encode};

use super::simple::{SimpleKind, TextField, WrongField, recorded, steps, within};
use super::{Shape, Topic};
use crate::limits::MAX_SHOWN_VALUE;
use crate::permission::Capability;
use crate::scope::ScopeForm;
use crate::units::{BusinessDate, CommodityCode, InstrumentCode};

/// Content of an instrument check. Values are in grams; of a moisture meter, in hundredths of a percent.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct InstrumentCheck {
    /// Instrument that was checked; it need not be known to the office.
    #[n(0)]
    pub instrument: InstrumentCode,
    /// Commodity that is bought with it.
    #[n(1)]
    pub commodity: CommodityCode,
    /// Day of the check, in the season of the commodity.
    #[n(2)]
    pub date: BusinessDate,
    /// Known value of the reference, above 0.
    #[n(3)]
    pub reference_value: u32,
    /// Value that the instrument showed.
    #[n(4)]
    pub shown_value: u32,
    /// Whether the instrument may be used.
    #[n(5)]
    pub has_passed: bool,
}

impl SimpleKind for InstrumentCheck {
    const NUMBER: u8 = 16;
    const NAME: &'static str = "instrument_check";
    const HOME: ScopeForm = ScopeForm::Season;
    const TOPICS: &'static [Topic] = &[Topic::Deliveries, Topic::Records];
    const CAPABILITY: Capability = Capability::UseInstruments;
    const SHAPE: Shape = Shape(&[recorded(Self::CAPABILITY, "what was shown"), steps(Self::CAPABILITY)]);

    fn title(&self) -> String {
        let result = if self.has_passed { "passed" } else { "failed" };
        format!("{} {}: {} for {}, {result}", self.instrument, self.date, self.shown_value, self.reference_value)
    }

    fn commodity(&self) -> Option<&CommodityCode> {
        Some(&self.commodity)
    }

    fn date(&self) -> Option<BusinessDate> {
        Some(self.date)
    }

    fn texts(&mut self) -> Vec<TextField<'_>> {
        Vec::new()
    }

    fn check(&self) -> Result<(), WrongField> {
        within("reference_value", &self.reference_value, &(1..=MAX_SHOWN_VALUE))?;
        within("shown_value", &self.shown_value, &(0..=MAX_SHOWN_VALUE))
    }
}
