//! Reports with totals of deliveries in groups.

use std::collections::BTreeMap;

use super::lines::weight_cells;
use super::scan::Weighed;
use super::{Cell, ReportCode, Run, Sink};
use crate::Error;
use crate::records::delivery::LoadPart;
use crate::rules::{Totals, largest_remainder};
use crate::store::rows;
use crate::store::seam;
use crate::units::{FarmerId, Grams, LoadId};

/// Returns the columns of totals after those that name the group.
pub(super) fn columns(group: &[&'static str]) -> Vec<&'static str> {
    const TOTALS: [&str; 9] =
        ["deliveries", "voided", "bags", "gross_g", "tare_g", "quality_g", "moisture_g", "allowance_g", "net_g"];
    [group, &TOTALS].concat()
}

/// Totals of a group of deliveries. Voided deliveries are counted, and in no other number.
#[derive(Default)]
struct Group {
    deliveries: u64,
    voided: u64,
    totals: Totals,
}

impl Group {
    fn add(&mut self, is_voided: bool, totals: &Totals) {
        if is_voided {
            self.voided += 1;
        } else {
            self.deliveries += 1;
            self.totals = self.totals.add(totals);
        }
    }

    fn cells(&self) -> impl Iterator<Item = Cell> {
        [Cell::number(self.deliveries), Cell::number(self.voided)].into_iter().chain(weight_cells(&self.totals))
    }
}

/// Divides the totals of a delivery among its parts. Bags and gross weight are those of the part; deductions are shared out by gross weight,
/// so the sums of all parts are those of the delivery.
pub(super) fn by_parts(totals: &Totals, parts: &[LoadPart]) -> Vec<(Option<LoadId>, Totals)> {
    if let [whole] = parts {
        return vec![(whole.load_id, *totals)];
    }
    let gross: Vec<(usize, i64)> = parts.iter().map(|part| part.gross_g.0).enumerate().collect();
    let shares = |total: Grams| largest_remainder(total.0, &gross).into_iter().map(|(_, share)| Grams(share));
    let (mut tare, mut quality) = (shares(totals.tare_g), shares(totals.quality_g));
    let (mut moisture, mut allowance) = (shares(totals.moisture_g), shares(totals.allowance_g));
    let mut net = shares(totals.net_g);
    let share = |of: &mut dyn Iterator<Item = Grams>| of.next().unwrap_or_default();
    let part = |part: &LoadPart| {
        let divided = Totals {
            bags: part.bags,
            gross_g: part.gross_g,
            tare_g: share(&mut tare),
            quality_g: share(&mut quality),
            moisture_g: share(&mut moisture),
            allowance_g: share(&mut allowance),
            net_g: share(&mut net),
            ..*totals
        };
        (part.load_id, divided)
    };
    parts.iter().map(part).collect()
}

impl Run<'_> {
    pub(super) fn by_farmer(&self, sink: Sink<'_>) -> Result<(), Error> {
        let groups = self.groups(|it| it.row.farmer_id)?;
        let mut groups: Vec<(FarmerId, Group)> = groups.into_iter().collect();
        if self.query.report == ReportCode::TopFarmers {
            groups.retain(|(_, group)| group.deliveries > 0);
            groups.sort_by_key(|(farmer, group)| (std::cmp::Reverse(group.totals.net_g), *farmer));
            groups.truncate(self.query.top as usize);
        }
        for (farmer, group) in groups {
            sink(self.farmer_cells(farmer)?.into_iter().chain(group.cells()).collect())?;
        }
        Ok(())
    }

    pub(super) fn by_grade(&self, sink: Sink<'_>) -> Result<(), Error> {
        let mut groups = BTreeMap::<_, Group>::new();
        self.each_delivery(|_| true, &mut |it| {
            let commodity = &it.delivery.commodity;
            for grade in &it.weight.grades {
                let group = groups.entry((commodity.clone(), grade.grade.clone())).or_default();
                group.add(it.row.is_voided, &grade.totals);
            }
            if it.weight.grades.is_empty() {
                // All of its bags are voided.
                groups.entry((commodity.clone(), None)).or_default().add(it.row.is_voided, &Totals::default());
            }
            Ok(())
        })?;
        for ((commodity, grade), group) in groups {
            sink([Cell::text(commodity), Cell::maybe(grade)].into_iter().chain(group.cells()).collect())?;
        }
        Ok(())
    }

    pub(super) fn by_load(&self, sink: Sink<'_>) -> Result<(), Error> {
        let mut groups = BTreeMap::<_, Group>::new();
        self.each_delivery(|_| true, &mut |it| {
            for (load, totals) in by_parts(&it.weight.totals(), &it.delivery.parts()) {
                groups.entry(load).or_default().add(it.row.is_voided, &totals);
            }
            Ok(())
        })?;
        for (load, group) in groups {
            let row = load.map_or(Ok(None), |load: LoadId| rows::load_row(&mut seam(self.db), load))?;
            let number = match (&row, load) {
                (Some(row), _) => Cell::text(&row.number),
                // The load has not arrived yet.
                (None, load) => Cell::maybe(load),
            };
            let lorry = Cell::maybe(row.map(|row| row.lorry));
            sink([number, lorry].into_iter().chain(group.cells()).collect())?;
        }
        Ok(())
    }

    pub(super) fn by_clerk(&self, sink: Sink<'_>) -> Result<(), Error> {
        for (user, group) in self.groups(|it| it.row.user_id)? {
            sink([self.clerk(user)].into_iter().chain(group.cells()).collect())?;
        }
        Ok(())
    }

    pub(super) fn by_day(&self, sink: Sink<'_>) -> Result<(), Error> {
        for (date, group) in self.groups(|it| it.row.business_date)? {
            sink([Cell::text(date)].into_iter().chain(group.cells()).collect())?;
        }
        Ok(())
    }

    fn groups<K: Ord>(&self, key: impl Fn(&Weighed) -> K) -> Result<BTreeMap<K, Group>, Error> {
        let mut groups = BTreeMap::<K, Group>::new();
        self.each_delivery(|_| true, &mut |it| {
            groups.entry(key(&it)).or_default().add(it.row.is_voided, &it.weight.totals());
            Ok(())
        })?;
        Ok(groups)
    }
}
