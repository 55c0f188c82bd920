//! Reports on the trips of lorries: how full they were, and what arrived.

use std::num::NonZeroU64;

use super::{Cell, Run, Sink};
use crate::Error;
use crate::client::simple_sums::all;
use crate::decisions::{Lorry, Rounding};
use crate::records::ReceivingNote;
use crate::records::load::LoadStep;
use crate::records::simple::SimpleState;
use crate::rules::divide;
use crate::rules::track::{by_device, summarise};
use crate::store::on_load::{self, Variance};
use crate::store::rows::{self, LoadRow};
use crate::store::seam;
use crate::store::simple::SimpleFilter;
use crate::units::Grams;

pub(super) const VARIANCES: [&str; 12] = [
    "date",
    "load_number",
    "lorry",
    "state",
    "bags",
    "received_bags",
    "rejected_bags",
    "gross_g",
    "received_g",
    "shortage_g",
    "shortage_hundredths",
    "beyond_g",
];
pub(super) const UTILISATION: [&str; 13] = [
    "date",
    "load_number",
    "lorry",
    "state",
    "bags",
    "gross_g",
    "payload_g",
    "used_hundredths",
    "opened_at",
    "departed_at",
    "arrived_at",
    "received_at",
    "distance_m",
];

/// Returns a part of a whole in hundredths of a percent, half away from zero; empty without a whole.
fn share(part: Grams, whole: Grams) -> Cell {
    let divisor = u64::try_from(whole.0).ok().and_then(NonZeroU64::new);
    Cell::maybe_number(divisor.map(|divisor| divide(i128::from(part.0) * 10_000, divisor, Rounding::HalfAwayFromZero)))
}

impl Run<'_> {
    /// Passes on each load on which something was weighed or counted after it had left, beside what this phone knows to be on it.
    pub(super) fn variances(&self, sink: Sink<'_>) -> Result<(), Error> {
        self.each_load(&[], &mut |row, load| {
            let variance = on_load::variance(&mut seam(self.db), &row.scope, load)?;
            let note = self.last_note(row)?;
            if variance.is_none() && note.is_none() {
                return Ok(());
            }
            let sum = rows::load_sum(&mut seam(self.db), row.load_id)?;
            let grams = |of: fn(&Variance) -> Grams| Cell::maybe_number(variance.as_ref().map(|it| of(it).0));
            let mut cells = Self::load_cells(row);
            cells.extend([
                Cell::number(sum.bags),
                Cell::maybe_number(note.as_ref().map(|it| it.bags)),
                Cell::maybe_number(note.as_ref().map(|it| it.rejected_bags)),
                Cell::Number(sum.gross_g.0),
                grams(|it| it.received_g),
                grams(|it| it.loss.shortage_g),
                variance.as_ref().map_or(Cell::Empty, |it| share(it.loss.shortage_g, sum.gross_g)),
                grams(|it| it.loss.beyond_g),
            ]);
            sink(cells)
        })
    }

    /// Passes on each load with the share of the lorry's payload that it used, and the times and length of its trip.
    pub(super) fn utilisation(&self, sink: Sink<'_>) -> Result<(), Error> {
        self.each_load(&[], &mut |row, load| {
            let sum = rows::load_sum(&mut seam(self.db), row.load_id)?;
            let payload = self.author.reference.latest::<Lorry>(row.lorry.as_str()).map(|lorry| lorry.payload);
            let first = |is: fn(&LoadStep) -> bool| {
                let found = load.timeline.iter().filter(|event| is(&event.step)).map(|event| event.stamp.written_at());
                Cell::maybe(found.min())
            };
            let track = by_device(&load.track);
            let mut cells = Self::load_cells(row);
            cells.extend([
                Cell::number(sum.bags),
                Cell::Number(sum.gross_g.0),
                Cell::maybe_number(payload.map(|it| it.0)),
                payload.map_or(Cell::Empty, |payload| share(sum.gross_g, payload)),
                Cell::maybe(load.opened.map(|stamp| stamp.written_at())),
                first(|step| matches!(step, LoadStep::Departed { .. })),
                first(|step| matches!(step, LoadStep::Arrived { .. })),
                first(|step| *step == LoadStep::Received),
                Cell::maybe_number((!track.is_empty()).then(|| summarise(&track, &[]).distance_m)),
            ]);
            sink(cells)
        })
    }

    fn load_cells(row: &LoadRow) -> Vec<Cell> {
        vec![Cell::text(row.business_date), Cell::text(&row.number), Cell::text(&row.lorry), Cell::text(row.state)]
    }

    /// Returns the latest receiving note about a load that was not withdrawn.
    fn last_note(&self, row: &LoadRow) -> Result<Option<ReceivingNote>, Error> {
        let (about, state) = (Some(row.load_id.into()), Some(SimpleState::Open));
        let filter = SimpleFilter { about, state, ..SimpleFilter::default() };
        let last = all::<ReceivingNote>(self.db, std::slice::from_ref(&row.scope), &filter)?.pop();
        Ok(last.map(|it| it.content))
    }
}
