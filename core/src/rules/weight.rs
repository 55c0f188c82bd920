use crate::decisions::RuleSet;
use crate::records::Bag;
use crate::units::Grams;

/// Totals of the bags of a delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Number of bags.
    pub bags: u32,
    /// Weight of produce and bags.
    pub gross_g: Grams,
    /// Weight of the empty bags.
    pub tare_g: Grams,
    /// Gross minus tare, never below zero.
    pub net_g: Grams,
    /// Number of these bags whose type the rule set does not name: their tare is not known, and not part of `tare_g`.
    pub bags_of_unknown_type: u32,
}

/// Returns the totals of all `bags`; the caller leaves out voided ones. Gross is the sum of their weights, tare the sum of the empty weight
/// of each bag's type in the rule set, and net is `max(gross - tare, 0)`.
///
/// A bag type that `rules` does not name, and each if that is `None`, is counted without tare, and in
/// [`Totals::bags_of_unknown_type`]: no farmer is paid less because of a gap in the rules, and somebody must look at it.
pub fn totals<'a>(bags: impl Iterator<Item = &'a Bag>, rules: Option<&RuleSet>) -> Totals {
    let mut totals = Totals::default();
    for bag in bags {
        let types = rules.map(|rules| rules.bag_types.as_slice()).unwrap_or_default();
        totals.bags += 1;
        totals.gross_g = totals.gross_g + bag.gross.grams();
        match types.iter().find(|rule| rule.is_for(bag.bag_type)) {
            Some(rule) => totals.tare_g = totals.tare_g + rule.tare,
            None => totals.bags_of_unknown_type += 1,
        }
    }
    totals.net_g = (totals.gross_g - totals.tare_g).max(Grams::ZERO);
    totals
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decisions::BagTypeRule;
    use crate::records::BagSource;
    use crate::units::{BagType, BusinessDate, Timestamp};

    fn rules(tare_g: i64) -> RuleSet {
        RuleSet {
            number: 1,
            commodity: "MAIZE".parse().expect("a code"),
            valid_from: BusinessDate(0),
            bag_types: vec![BagTypeRule { number: 0, name: "bag".into(), tare: Grams(tare_g) }],
            moisture_required: false,
        }
    }

    fn bags(weights: impl IntoIterator<Item = i64>, bag_type: u8) -> Vec<Bag> {
        let bag = |(number, grams)| Bag {
            number,
            gross: Grams(grams).try_into().expect("in bounds"),
            bag_type: BagType::try_from(bag_type).expect("in bounds"),
            source: BagSource::Manual,
            weighed_at: Timestamp(0),
        };
        (1..).zip(weights).map(bag).collect()
    }

    /// The bags of FarmTally's printed sample sheet, in kg. They add up to 3,431 kg, though the sheet says 3,441.
    const SAMPLE: [i64; 55] = [
        64, 59, 64, 65, 59, 63, 61, 59, 62, 60, 62, 59, 60, 63, 63, 64, 62, 67, 66, 64, 62, 62, 61, 62, 65, 62, 60, 60,
        65, 59, 65, 59, 62, 62, 66, 64, 63, 56, 53, 62, 60, 64, 61, 62, 65, 66, 62, 64, 66, 70, 65, 62, 65, 59, 64,
    ];

    #[test]
    fn the_printed_sample_of_55_bags_adds_up_to_its_bags_and_not_to_its_printed_sum() {
        let bags = bags(SAMPLE.map(|kilograms| kilograms * 1_000), 0);
        for (tare_g, net_g) in [(2_000, 3_321_000), (650, 3_395_250), (0, 3_431_000)] {
            let totals = totals(bags.iter(), Some(&rules(tare_g)));
            assert_eq!((totals.bags, totals.gross_g, totals.net_g), (55, Grams(3_431_000), Grams(net_g)));
        }
    }

    #[test]
    fn net_never_falls_below_nothing_and_a_bag_of_an_unknown_type_counts_without_tare_and_apart() {
        let known = rules(2_000);
        for (bag_type, rules, net_g, unknown) in
            [(0, Some(&known), Grams::ZERO, 0), (1, Some(&known), Grams(500), 1), (0, None, Grams(500), 1)]
        {
            let totals = totals(bags([500], bag_type).iter(), rules);
            assert_eq!((totals.net_g, totals.bags_of_unknown_type), (net_g, unknown));
        }
    }
}
