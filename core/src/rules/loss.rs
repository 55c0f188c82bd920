//! Loss or gain between gate and arrival (formula 13 of `docs/arithmetic.md`).

use std::num::NonZeroU64;

use super::rounding::{WHOLE, divide};
use super::shares::largest_remainder;
use super::value::{AmountTooLarge, value};
use crate::decisions::{LossBearer, LossPolicy, LossPrice, LossTolerance, Rounding};
use crate::units::{DeliveryId, Grams, Money, PricePerTonne};

/// A delivery on a load's manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LossDelivery {
    /// Id of the delivery.
    pub delivery_id: DeliveryId,
    /// Gross weight on the manifest.
    pub gross: Grams,
    /// Net weight, by which the average price of the load is computed.
    pub net: Grams,
    /// Its price; `None` if it is to be decided, or differs by grade.
    pub price: Option<PricePerTonne>,
    /// Its value; `None` if it is to be decided.
    pub value: Option<Money>,
}

/// The share of one delivery: a printed line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LossShare {
    /// Id of the delivery.
    pub delivery_id: DeliveryId,
    /// Weight of the share; negative of a shortage.
    pub weight_g: Grams,
    /// Money for it, also negative of a shortage; `None` as long as the price is to be decided.
    pub amount: Option<Money>,
}

/// Loss or gain of one load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Gross on the manifest minus what arrived; negative if more arrived. Both include the bags.
    pub shortage_g: Grams,
    /// Part of the shortage that is beyond the tolerance by the policy; the buyer bears the rest.
    pub beyond_g: Grams,
    /// Who bears what is beyond the tolerance.
    pub bearer: LossBearer,
    /// Shares of the deliveries in what is beyond the tolerance, which add up to it; none if the buyer bears it. If the operator does, the sum
    /// of their amounts is what the operator owes.
    pub shares: Vec<LossShare>,
}

/// Computes the loss of a load whose vehicle weighed this much at arrival, full and empty.
///
/// # Errors
/// [`AmountTooLarge`] if the result is beyond the bounds of its unit.
pub fn loss(
    manifest: &[LossDelivery],
    vehicle_gross: Grams,
    vehicle_tare: Grams,
    policy: &LossPolicy,
    rounding: Rounding,
) -> Result<Loss, AmountTooLarge> {
    let gross: Grams = manifest.iter().map(|it| it.gross).sum();
    let shortage_g = gross - (vehicle_gross - vehicle_tare);
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
    let mut shares = Vec::new();
    if bearer != LossBearer::Buyer && beyond > Grams::ZERO {
        let weights: Vec<(DeliveryId, i64)> = manifest.iter().map(|it| (it.delivery_id, it.gross.0)).collect();
        for ((delivery_id, grams), delivery) in largest_remainder(-beyond_g.0, &weights).into_iter().zip(manifest) {
            let weight_g = Grams(grams);
            let amount = amount(weight_g, delivery, manifest, policy.price, rounding)?;
            shares.push(LossShare { delivery_id, weight_g, amount });
        }
    }
    Ok(Loss { shortage_g, beyond_g, bearer, shares })
}

/// Returns the money for a share; `None` as long as the price is to be decided.
fn amount(
    weight: Grams,
    delivery: &LossDelivery,
    manifest: &[LossDelivery],
    price: LossPrice,
    rounding: Rounding,
) -> Result<Option<Money>, AmountTooLarge> {
    match price {
        LossPrice::Delivery => delivery.price.map(|price| value(weight, price, rounding)).transpose(),
        LossPrice::Fixed(price) => value(weight, price, rounding).map(Some),
        LossPrice::LoadAverage => {
            let values: Option<Vec<Money>> = manifest.iter().map(|it| it.value).collect();
            let Some(values) = values else { return Ok(None) };
            let all = Money::checked_sum(values).ok_or(AmountTooLarge)?;
            let net: Grams = manifest.iter().map(|it| it.net).sum();
            let Some(net) = u64::try_from(net.0).ok().and_then(NonZeroU64::new) else { return Ok(None) };
            let product = i128::from(weight.0) * i128::from(all.minor());
            Money::from_wide(divide(product, net, rounding)).map(Some).ok_or(AmountTooLarge)
        }
    }
}
