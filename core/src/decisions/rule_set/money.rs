//! Rules about money, as data.

use minicbor::{Decode, Encode};

use crate::units::{BasisPoints, Money, Percent, PricePerTonne, named};

/// Limits of cash that is paid on the spot; `None` is no limit beyond the cash that the user was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct CashLimits {
    /// Most cash for one payee on one day.
    #[n(0)]
    pub per_payee: Option<Money>,
    /// Most cash that one user pays on one day.
    #[n(1)]
    pub per_day: Option<Money>,
    /// Most cash for one delivery.
    #[n(2)]
    pub per_delivery: Option<Money>,
}

/// Amounts above which a second person approves; `None` is never because of the amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ApprovalThresholds {
    /// Amount of an advance.
    #[n(0)]
    pub advance: Option<Money>,
    /// Amount that a settlement pays one farmer.
    #[n(1)]
    pub settlement: Option<Money>,
    /// Amount of a payment.
    #[n(2)]
    pub payment: Option<Money>,
    /// Sum of the open advances of one farmer, above which the server asks a person.
    #[n(3)]
    pub farmer_advances: Option<Money>,
}

named! {
    /// The count of days between two dates, and of days in a year.
    #[derive(Default, Encode, Decode)]
    #[cbor(index_only)]
    pub DayCount, "a day count" {
        /// Days of the calendar, in years of 365 days.
        #[default]
        #[n(0)]
        Actual365 = "actual_365",
        /// Days of the calendar, in years of 360 days.
        #[n(1)]
        Actual360 = "actual_360",
        /// Months of 30 days, in years of 360 days. The 31st of a month counts as the 30th (ISDA 2006, 4.16(g), 30E/360).
        #[n(2)]
        Thirty360 = "30e_360",
    }
}

/// Interest on advances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct InterestPolicy {
    /// Rate per year.
    #[n(0)]
    pub rate: BasisPoints,
    /// Count of days.
    #[n(1)]
    pub day_count: DayCount,
    /// Days after the day of payment that bear no interest.
    #[n(2)]
    pub grace_days: u32,
    /// Largest share of an advance that its interest may reach in all; `None` is no limit.
    #[n(3)]
    pub cap: Option<Percent>,
}

/// Recovery of what a farmer owes from what the farmer earns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RecoveryPolicy {
    /// Largest share of what is available that is recovered.
    #[n(0)]
    pub share: Percent,
    /// Place of own advances among deduction orders, which have priorities of their own; the lowest is served first.
    #[n(1)]
    pub advances_priority: u32,
}

/// Recovers all that it can, own advances before deduction orders of a later priority than 0.
impl Default for RecoveryPolicy {
    fn default() -> Self {
        Self { share: Percent::WHOLE, advances_priority: 0 }
    }
}

named! {
    /// The effect of the tolerance on a shortage that exceeds it.
    #[derive(Default, Encode, Decode)]
    #[cbor(index_only)]
    pub LossTolerance, "a kind of tolerance" {
        /// The whole shortage counts.
        #[default]
        #[n(0)]
        Franchise = "franchise",
        /// Only what exceeds the tolerance counts.
        #[n(1)]
        Deductible = "deductible",
    }
}

named! {
    /// Who bears a shortage, or has a gain.
    #[derive(Default, Encode, Decode)]
    #[cbor(index_only)]
    pub LossBearer, "a bearer" {
        /// The buyer.
        #[default]
        #[n(0)]
        Buyer = "buyer",
        /// The operator of the lorry.
        #[n(1)]
        Operator = "operator",
        /// The farmers on the manifest, by gross weight.
        #[n(2)]
        ProRata = "pro_rata",
    }
}

/// The price that turns a share of a shortage or gain into money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub enum LossPrice {
    /// The price of the delivery itself.
    #[default]
    #[n(0)]
    Delivery,
    /// Value of all deliveries of the load for their net weight.
    #[n(1)]
    LoadAverage,
    /// A stated price.
    #[n(2)]
    Fixed(#[n(0)] PricePerTonne),
}

/// Loss between gate and arrival.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct LossPolicy {
    /// Share of the manifest's gross up to which the buyer bears a shortage or has a gain.
    #[n(0)]
    pub tolerance: Percent,
    /// Effect of the tolerance on what exceeds it.
    #[n(1)]
    pub tolerance_kind: LossTolerance,
    /// Who bears a shortage beyond the tolerance.
    #[n(2)]
    pub shortage: LossBearer,
    /// Who has a gain beyond the tolerance.
    #[n(3)]
    pub gain: LossBearer,
    /// Price of a share.
    #[n(4)]
    pub price: LossPrice,
}
