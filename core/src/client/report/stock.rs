//! The report on produce that waits at the centres.

use std::collections::BTreeMap;

use super::totals::by_parts;
use super::{Cell, Run, Sink};
use crate::Error;
use crate::records::load::LoadState;
use crate::store::rows;
use crate::store::seam;
use crate::units::{BusinessDate, CentreCode, CommodityCode, Grams, LoadId};

pub(super) const STOCK: [&str; 7] = ["centre", "commodity", "deliveries", "bags", "gross_g", "net_g", "oldest_date"];

/// What waits of a commodity at a centre.
struct Waiting {
    deliveries: u64,
    bags: u64,
    gross: Grams,
    net: Grams,
    oldest: BusinessDate,
}

impl Run<'_> {
    /// Adds up the deliveries, or parts of them, that are on no load, or on a cancelled one.
    pub(super) fn stock(&self, sink: Sink<'_>) -> Result<(), Error> {
        let mut waiting = BTreeMap::<(CentreCode, CommodityCode), Waiting>::new();
        self.each_delivery(|row| !row.is_voided, &mut |it| {
            let mut here = Vec::new();
            for (load, totals) in by_parts(&it.weight.totals(), &it.delivery.parts()) {
                if self.waits(load)? {
                    here.push(totals);
                }
            }
            if here.is_empty() {
                return Ok(());
            }
            let key = (it.delivery.centre.clone(), it.delivery.commodity.clone());
            let oldest = it.row.business_date;
            let nothing = Waiting { deliveries: 0, bags: 0, gross: Grams::ZERO, net: Grams::ZERO, oldest };
            let of = waiting.entry(key).or_insert(nothing);
            of.deliveries += 1;
            of.oldest = of.oldest.min(oldest);
            for totals in here {
                of.bags += u64::from(totals.bags);
                of.gross = of.gross + totals.gross_g;
                of.net = of.net + totals.net_g;
            }
            Ok(())
        })?;
        for ((centre, commodity), it) in waiting {
            sink(vec![
                Cell::text(centre),
                Cell::text(commodity),
                Cell::number(it.deliveries),
                Cell::number(it.bags),
                Cell::Number(it.gross.0),
                Cell::Number(it.net.0),
                Cell::text(it.oldest),
            ])?;
        }
        Ok(())
    }

    /// Returns whether what is on this load waits at the centre. A load that is not on this phone may have left.
    fn waits(&self, load: Option<LoadId>) -> Result<bool, Error> {
        let Some(load) = load else { return Ok(true) };
        Ok(rows::load_row(&mut seam(self.db), load)?.is_some_and(|row| row.state == LoadState::Cancelled))
    }
}
