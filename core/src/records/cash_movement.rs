//! A movement of cash from one user to another, or between a user and the office. Its giver records it, its receiver confirms it.
//!
//! What a user should have follows from the movements and from advances in cash ([`crate::rules::cash_book`]).

use minicbor::{Decode, Encode};

use super::Shape;
use super::Stamp;
use super::simple::{SimpleKind, SimpleStep, TextField, WrongField, recorded, steps, within};
use crate::permission::{Capability, Role};
use crate::scope::ScopeForm;
use crate::units::{BusinessDate, Money, UserId};

/// Somebody who has cash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum CashHolder {
    /// The office, for which an admin or accountant acts.
    #[n(0)]
    Office,
    /// A user.
    #[n(1)]
    User {
        /// Id of the user.
        #[n(0)]
        user_id: UserId,
    },
}

impl CashHolder {
    /// Returns the user; `None` for the office.
    pub fn user_id(self) -> Option<UserId> {
        if let Self::User { user_id } = self { Some(user_id) } else { None }
    }

    /// Returns whether a user of this role acts for it.
    pub fn is_represented_by(self, user: UserId, role: Role) -> bool {
        self.user_id().map_or(matches!(role, Role::Admin | Role::Accountant), |it| it == user)
    }
}

/// Content of a cash movement.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct CashMovement {
    /// Who gives the cash.
    #[n(0)]
    pub from: CashHolder,
    /// Who receives it; not who gives it.
    #[n(1)]
    pub to: CashHolder,
    /// Amount, above zero.
    #[n(2)]
    pub amount_minor: Money,
    /// Day of the handover.
    #[n(3)]
    pub date: BusinessDate,
    /// Number of the voucher; may be empty.
    #[n(4)]
    pub reference: String,
}

impl SimpleKind for CashMovement {
    const NUMBER: u8 = 20;
    const NAME: &'static str = "cash_movement";
    const HOME: ScopeForm = ScopeForm::Centre;
    const CAPABILITY: Capability = Capability::KeepCash;
    const SHAPE: Shape = Shape(&[recorded(Self::CAPABILITY, "what was handed over"), steps(Self::CAPABILITY)]);
    const STEPS: &'static [SimpleStep] = &[SimpleStep::Withdrawn, SimpleStep::Confirmed];

    fn title(&self) -> String {
        let name = |it: CashHolder| it.user_id().map_or_else(|| "office".to_owned(), |user| user.to_string());
        let (from, to) = (name(self.from), name(self.to));
        format!("{} {} {from} > {to} {}", self.amount_minor.minor(), self.date, self.reference)
    }

    fn date(&self) -> Option<BusinessDate> {
        Some(self.date)
    }

    fn permits(&self, step: SimpleStep, made: &Stamp, user: UserId, role: Role) -> bool {
        step != SimpleStep::Confirmed || (self.to.is_represented_by(user, role) && made.user_id != user)
    }

    fn texts(&mut self) -> Vec<TextField<'_>> {
        vec![TextField::optional("reference", &mut self.reference)]
    }

    fn check(&self) -> Result<(), WrongField> {
        within("amount_minor", &self.amount_minor.minor(), &(1..=Money::MAX.minor()))?;
        if self.from == self.to {
            return Err(WrongField::new("to", "gives the cash as well: name two"));
        }
        Ok(())
    }
}
