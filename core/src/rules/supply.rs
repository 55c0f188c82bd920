//! Estimates of a lorry request, from what farmers mean to bring.

use std::collections::BTreeSet;

use crate::records::SupplyIntent;
use crate::units::Grams;

/// What supply intents add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SupplyProposal {
    /// Number of different farmers.
    pub farmers: u32,
    /// Number of bags.
    pub bags: u32,
    /// Weight of them together.
    pub weight_g: Grams,
}

/// Returns the sum of intents, which the caller has chosen by centre, commodity, day and state. Sums saturate.
pub fn propose<'a>(intents: impl IntoIterator<Item = &'a SupplyIntent>) -> SupplyProposal {
    let (mut sum, mut farmers) = (SupplyProposal::default(), BTreeSet::new());
    for intent in intents {
        farmers.insert(intent.farmer_id);
        sum.bags = sum.bags.saturating_add(intent.bags);
        sum.weight_g = sum.weight_g + intent.weight.grams();
    }
    SupplyProposal { farmers: u32::try_from(farmers.len()).unwrap_or(u32::MAX), ..sum }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{BusinessDate, FarmerId};

    #[test]
    fn a_farmer_with_two_intents_counts_once_and_both_amounts_count() {
        let intent = |farmer: u8, bags, grams| SupplyIntent {
            farmer_id: FarmerId::from([farmer; 16]),
            commodity: "MAIZE".parse().expect("a code"),
            bags,
            weight: Grams(grams).try_into().expect("a weight"),
            date: BusinessDate(18_025),
        };
        let sum = propose(&[intent(1, 10, 500_000), intent(2, 5, 250_000), intent(1, 2, 100_000)]);
        assert_eq!(sum, SupplyProposal { farmers: 2, bags: 17, weight_g: Grams(850_000) });
        assert_eq!(propose(&[]), SupplyProposal::default());
        assert_eq!(propose(&[intent(1, u32::MAX, 1), intent(1, 1, 1)]).bags, u32::MAX);
    }
}
