//! Reports on what was measured: moisture, and weights of bags.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use super::{Cell, Run, Sink};
use crate::Error;
use crate::decisions::Rounding;
use crate::records::BagSource;
use crate::rules::divide;
use crate::units::{BagType, CommodityCode, Grams};

pub(super) const MOISTURE: [&str; 6] = ["commodity", "from_hundredths", "to_hundredths", "weights", "gross_g", "net_g"];
pub(super) const BAGS: [&str; 11] = [
    "commodity",
    "bag_type",
    "bags",
    "gross_g",
    "lightest_g",
    "heaviest_g",
    "mean_g",
    "typed",
    "scale",
    "repeated",
    "spoken",
];

/// Width of a bracket of moisture, in hundredths of a percent.
const BRACKET: i32 = 100;

/// Bags of one type.
#[derive(Default)]
struct BagGroup {
    bags: u64,
    gross: i64,
    lightest: Option<Grams>,
    heaviest: Option<Grams>,
    /// Number of bags for each source of the weight: typed, scale, repeated, spoken.
    sources: [u64; 4],
}

impl BagGroup {
    fn add(&mut self, gross: Grams, source: BagSource) {
        self.bags += 1;
        self.gross += gross.0;
        self.lightest = Some(self.lightest.map_or(gross, |it| it.min(gross)));
        self.heaviest = self.heaviest.max(Some(gross));
        let of = match source {
            BagSource::Manual => 0,
            BagSource::Scale => 1,
            BagSource::Repeat => 2,
            BagSource::Voice => 3,
        };
        if let Some(count) = self.sources.get_mut(of) {
            *count += 1;
        }
    }
}

impl Run<'_> {
    pub(super) fn moisture(&self, sink: Sink<'_>) -> Result<(), Error> {
        let mut groups = BTreeMap::<(CommodityCode, Option<i32>), (u64, Grams, Grams)>::new();
        self.each_delivery(|row| !row.is_voided, &mut |it| {
            for grade in &it.weight.grades {
                let bracket = grade.moisture.map(|moisture| moisture.hundredths() / BRACKET);
                let (weights, gross, net) = groups.entry((it.delivery.commodity.clone(), bracket)).or_default();
                *weights += 1;
                *gross = *gross + grade.totals.gross_g;
                *net = *net + grade.totals.net_g;
            }
            Ok(())
        })?;
        for ((commodity, bracket), (weights, gross, net)) in groups {
            let bound = |above: i32| Cell::maybe_number(bracket.map(|bracket| (bracket + above) * BRACKET));
            let totals = [Cell::number(weights), Cell::Number(gross.0), Cell::Number(net.0)];
            sink([Cell::text(commodity), bound(0), bound(1)].into_iter().chain(totals).collect())?;
        }
        Ok(())
    }

    pub(super) fn bags(&self, sink: Sink<'_>) -> Result<(), Error> {
        let mut groups = BTreeMap::<(CommodityCode, BagType), BagGroup>::new();
        self.each_delivery(|row| !row.is_voided, &mut |it| {
            for bag in it.delivery.counted_bags() {
                let group = groups.entry((it.delivery.commodity.clone(), bag.bag_type)).or_default();
                group.add(bag.gross.grams(), bag.source);
            }
            Ok(())
        })?;
        for ((commodity, bag_type), group) in groups {
            let mean = NonZeroU64::new(group.bags)
                .map(|bags| divide(group.gross.into(), bags, Rounding::HalfAwayFromZero))
                .and_then(|mean| i64::try_from(mean).ok());
            let extremes = [group.lightest, group.heaviest].map(|weight| Cell::maybe_number(weight.map(|it| it.0)));
            let mut cells = vec![Cell::text(commodity), Cell::number(bag_type.number())];
            cells.extend([Cell::number(group.bags), Cell::Number(group.gross)]);
            cells.extend(extremes);
            cells.push(Cell::maybe_number(mean));
            cells.extend(group.sources.map(Cell::number));
            sink(cells)?;
        }
        Ok(())
    }
}
