//! Outcome of the day on server and phones: merged records, decisions that a person must make, and totals.

use anyhow::{Context, ensure};
use farmtally_core::client::{InboxKind, RecordRef};
use farmtally_core::store::rows::Sum;

use crate::market::Market;
use crate::office::Office;
use crate::phone::Phone;
use crate::{grouped, say};

/// Sum of the day on a phone or on the server.
#[derive(Debug)]
pub(crate) struct Total {
    whose: String,
    pub(crate) sum: Sum,
}

/// Outcome of the day.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) published_g: i64,
    /// The server's total, then the phones'.
    pub(crate) totals: Vec<Total>,
    /// One line each: the field, the record, and all values, the effective one first.
    pub(crate) conflicts: Vec<String>,
    /// One line each: the code, and the records.
    pub(crate) reviews: Vec<String>,
    /// Number of entries that the server holds, plus held and rejected items in the first phone's inbox; 0 if all went well.
    pub(crate) held: usize,
}

impl Outcome {
    /// Reads the outcome from the server and the phones; conflicts and reviews come from the first phone.
    pub(crate) fn read(published_g: i64, office: &Office, phones: [&Phone; 2]) -> anyhow::Result<Self> {
        let day = office.day()?;
        let server = day.centres.iter().fold(Sum::default(), |sum, centre| sum + centre.sum);
        let mut totals = vec![Total { whose: "server".to_owned(), sum: server }];
        for phone in phones {
            totals.push(Total { whose: format!("{}'s phone", phone.name), sum: phone.today()?.sum });
        }

        let (mut conflicts, mut reviews, mut held) = (Vec::new(), Vec::new(), day.held_entries());
        let [first, _] = phones;
        for item in first.client.inbox()? {
            let mut records: Vec<String> = item.records.iter().map(|it| named(first, *it)).collect::<Result<_, _>>()?;
            records.sort_unstable();
            let records = records.join(" and ");
            match item.kind {
                InboxKind::Conflict(conflict) => {
                    let values = conflict.values.iter().map(|value| {
                        let is_author = |phone: &&&Phone| {
                            phone.client.session().is_some_and(|it| it.user_id == value.stamp.user_id)
                        };
                        let author = phones.iter().find(is_author).map_or("another", |phone| phone.name);
                        format!("   {author}: {}", value.text)
                    });
                    conflicts.push(format!("{:<20}{records}{}", conflict.field, values.collect::<Vec<_>>().concat()));
                }
                InboxKind::Review { code, .. } => reviews.push(format!("{code:<20}{records}")),
                InboxKind::Held { .. } | InboxKind::Rejected { .. } => held += 1,
            }
        }
        reviews.sort_unstable();
        Ok(Self { published_g, totals, conflicts, reviews, held })
    }

    /// Prints everything, the comparison last.
    pub(crate) fn show(&self, market: &Market) {
        say("\nMerged");
        for Total { whose, sum: Sum { deliveries, voided, bags, .. } } in &self.totals {
            say(format_args!("  {whose:<14}{deliveries} deliveries with {bags} crates, and {voided} voided"));
        }
        say("\nIn conflict: both changes are kept and shown; the first one counts");
        self.conflicts.iter().for_each(|line| say(format_args!("  {line}")));
        say("\nFlagged for the office");
        self.reviews.iter().for_each(|line| say(format_args!("  {line}")));
        say(format_args!("  held by the server: {}", self.held));

        say(format_args!("\n{}, {}", market.name, market.date));
        let line = |whose: &str, grams: i64| {
            let mark = if grams == self.published_g { "OK" } else { "DIFFERENT" };
            say(format_args!("  {whose:<26}{:>18} g   {mark}", grouped(grams)));
        };
        line("market's published total", self.published_g);
        self.totals.iter().for_each(|total| line(&total.whose, total.sum.gross_g.0));
    }

    /// Requires that all totals are equal and that the server holds nothing.
    pub(crate) fn require_equal(&self) -> anyhow::Result<()> {
        let is_equal = self.totals.iter().all(|total| total.sum.gross_g.0 == self.published_g);
        ensure!(is_equal, "the totals differ: published, server and phones must agree to the gram");
        ensure!(self.held == 0, "the server holds changes that it should have accepted");
        Ok(())
    }
}

/// A record as people name it: by receipt number, load number or farmer code.
fn named(phone: &Phone, record: RecordRef) -> anyhow::Result<String> {
    Ok(match record {
        RecordRef::Delivery { delivery_id } => {
            let receipt = phone.client.delivery(delivery_id)?.receipt_number;
            format!("delivery {}", receipt.context("no receipt")?)
        }
        RecordRef::Load { load_id } => {
            let load = phone.client.load(load_id)?;
            format!("load {} on {}", load.number, load.lorry)
        }
        RecordRef::Farmer { farmer_id } => {
            let farmer = phone.client.farmer(farmer_id)?;
            format!("farmer {} {}", farmer.code, farmer.contact.name)
        }
        RecordRef::Other { record_id, .. } => record_id.to_string(),
    })
}
