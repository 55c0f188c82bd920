//! Loss or gain between gate and arrival (formula 13 of `docs/arithmetic.md`).

use std::num::NonZeroU64;

use super::rounding::{WHOLE, divide};
use super::shares::largest_remainder;
use super::value::{AmountTooLarge, value};
use crate::decisions::{LossBearer, LossPolicy, LossPrice, LossTolerance, Rounding};
use crate::units::{DeliveryId, Grams, Money, PricePerTonne};

/// The share of one delivery: a printed line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LossShare {
    /// Id of the delivery.
    pub delivery_id: DeliveryId,
    /// Weight of the share; negative of a shortage.
    pub weight_g: Grams,
}

/// Loss or gain of one load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Gross on the load minus what arrived; negative if more arrived. Both include the bags.
    pub shortage_g: Grams,
    /// Part of the shortage that is beyond the tolerance by the policy; the buyer bears the rest.
    pub beyond_g: Grams,
    /// Who bears what is beyond the tolerance.
    pub bearer: LossBearer,
    /// Shares of the deliveries in what is beyond the tolerance, which add up to it; none if the buyer bears it. If the operator does, the sum
    /// of their [amounts](loss_amounts) is what the operator owes.
    pub shares: Vec<LossShare>,
}

/// Computes the loss of a load with these deliveries, each with its gross weight, of which `arrived` was weighed at the destination.
pub fn loss(on_load: &[(DeliveryId, Grams)], arrived: Grams, policy: &LossPolicy, rounding: Rounding) -> Loss {
    let gross: Grams = on_load.iter().map(|(_, gross)| *gross).sum();
    let shortage_g = gross - arrived;
    let tolerance = divide(i128::from(gross.0) * i128::from(policy.tolerance.hundredths()), WHOLE, rounding);
    let tolerance = Grams(i64::try_from(tolerance).unwrap_or(i64::MAX));
    let size = Grams(shortage_g.0.saturating_abs());
    let beyond = match policy.tolerance_kind {
        _ if size <= tolerance => Grams::ZERO,
        LossTolerance::Franchise => size,
        LossTolerance::Deductible => size - tolerance,
    };
    let beyond_g = if shortage_g < Grams::ZERO { Grams::ZERO - beyond } else { beyond };
    let bearer = if shortage_g < Grams::ZERO { policy.gain } else { policy.shortage };
    let shares = if bearer == LossBearer::Buyer || beyond == Grams::ZERO {
        Vec::new()
    } else {
        let weights: Vec<(DeliveryId, i64)> = on_load.iter().map(|(delivery, gross)| (*delivery, gross.0)).collect();
        let by_delivery = largest_remainder(-beyond_g.0, &weights).into_iter();
        by_delivery.map(|(delivery_id, grams)| LossShare { delivery_id, weight_g: Grams(grams) }).collect()
    };
    Loss { shortage_g, beyond_g, bearer, shares }
}

/// What the amount of a delivery's share depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LossValue {
    /// Net weight of the delivery.
    pub net: Grams,
    /// Its price; `None` if it is to be decided, or differs by grade.
    pub price: Option<PricePerTonne>,
    /// Its value; `None` if it is to be decided.
    pub value: Option<Money>,
}

/// Computes the amount of each share of a loss, also negative of a shortage; `None` as long as its price is to be decided. `values` are those of
/// the deliveries of the shares, in their order.
///
/// # Errors
/// [`AmountTooLarge`] if an amount is beyond the bounds of [`Money`].
pub fn loss_amounts(
    shares: &[LossShare],
    values: &[LossValue],
    price: LossPrice,
    rounding: Rounding,
) -> Result<Vec<Option<Money>>, AmountTooLarge> {
    let amounts = shares.iter().zip(values).map(|(share, of)| match price {
        LossPrice::Delivery => of.price.map(|price| value(share.weight_g, price, rounding)).transpose(),
        LossPrice::Fixed(price) => value(share.weight_g, price, rounding).map(Some),
        LossPrice::LoadAverage => average(share.weight_g, values, rounding),
    });
    amounts.collect()
}

/// Returns the amount for a weight at the average price of a load; `None` as long as a value of it is to be decided.
fn average(weight: Grams, values: &[LossValue], rounding: Rounding) -> Result<Option<Money>, AmountTooLarge> {
    let known: Option<Vec<Money>> = values.iter().map(|it| it.value).collect();
    let Some(known) = known else { return Ok(None) };
    let all = Money::checked_sum(known).ok_or(AmountTooLarge)?;
    let net: Grams = values.iter().map(|it| it.net).sum();
    let Some(net) = u64::try_from(net.0).ok().and_then(NonZeroU64::new) else { return Ok(None) };
    let product = i128::from(weight.0) * i128::from(all.minor());
    Money::from_wide(divide(product, net, rounding)).map(Some).ok_or(AmountTooLarge)
}
