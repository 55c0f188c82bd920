//! A count of the cash that a user has, beside what the phone expected then.

use minicbor::{Decode, Encode};

use super::Shape;
use super::simple::{SimpleKind, TextField, WrongField, recorded, steps, within};
use crate::permission::Capability;
use crate::scope::ScopeForm;
use crate::units::{BusinessDate, Money, UserId};

/// Content of a cash count.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct CashCount {
    /// User whose cash was counted; always its author.
    #[n(0)]
    pub user_id: UserId,
    /// Day of the count.
    #[n(1)]
    pub date: BusinessDate,
    /// Amount that was counted, not negative.
    #[n(2)]
    pub counted_minor: Money,
    /// Amount that the phone expected by what it knew, kept as evidence; negative if more was paid out than is known to have been received.
    #[n(3)]
    pub expected_minor: Money,
}

impl SimpleKind for CashCount {
    const NUMBER: u8 = 21;
    const NAME: &'static str = "cash_count";
    const HOME: ScopeForm = ScopeForm::Centre;
    const CAPABILITY: Capability = Capability::KeepCash;
    const SHAPE: Shape = Shape(&[recorded(Self::CAPABILITY, "what was counted"), steps(Self::CAPABILITY)]);

    fn title(&self) -> String {
        format!("{} {} for {}", self.date, self.counted_minor.minor(), self.expected_minor.minor())
    }

    fn date(&self) -> Option<BusinessDate> {
        Some(self.date)
    }

    fn texts(&mut self) -> Vec<TextField<'_>> {
        Vec::new()
    }

    fn check(&self) -> Result<(), WrongField> {
        within("counted_minor", &self.counted_minor.minor(), &(0..=Money::MAX.minor()))
    }
}
