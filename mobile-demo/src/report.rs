//! What came of the day: the totals next to each other, what merged, what waits for a person; on the screen and as JSON.
//!
//! Owns the JSON's form. Reads everything from the server and the phones themselves, nothing from the plan.

use anyhow::bail;
use farmtally_core::client::InboxKind;
use farmtally_core::records::ConflictValue;
use farmtally_core::store::rows::Sum;
use farmtally_core::units::DocumentId;
use serde::Serialize;

use crate::arrivals::MarketDay;
use crate::office::Office;
use crate::phone::{Phone, Synced};
use crate::screen::{Screen, count, grouped};

/// The result of a day. Weights are gross, in grams; voided deliveries are in none.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    market: String,
    date: String,
    published_g: i64,
    server_g: i64,
    phones: Vec<PhoneTotal>,
    syncs: Vec<SyncCost>,
    conflicts: Vec<ConflictLine>,
    reviews: Vec<ReviewLine>,
    #[serde(skip)]
    server: Sum,
    #[serde(skip)]
    held: usize,
}

#[derive(Debug, Serialize)]
struct PhoneTotal {
    name: &'static str,
    g: i64,
    #[serde(skip)]
    sum: Sum,
    #[serde(skip)]
    farmers: usize,
}

#[derive(Debug, Serialize)]
struct SyncCost {
    phone: &'static str,
    bytes_up: u64,
    bytes_down: u64,
    requests: u64,
    ms: u64,
}

/// A field with more than one value; the effective value comes first.
#[derive(Debug, Serialize)]
struct ConflictLine {
    record: String,
    field: &'static str,
    is_hard: bool,
    values: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ReviewLine {
    code: String,
    records: Vec<String>,
}

impl Outcome {
    /// Asks the server and the phones; what waits for a person is read on the first phone.
    pub(crate) fn read(
        chosen: &MarketDay,
        office: &Office,
        phones: [&Phone; 2],
        synced: &[Synced],
    ) -> anyhow::Result<Self> {
        let (server, mut held) = office.day()?;
        let [first, _] = phones;
        let (mut conflicts, mut reviews) = (Vec::new(), Vec::new());
        for item in first.client.inbox()? {
            let records: Vec<String> = item.records.iter().map(|record| named(first, record.document())).collect();
            match item.kind {
                InboxKind::Conflict(conflict) => conflicts.push(ConflictLine {
                    record: records.join(", "),
                    field: conflict.field,
                    is_hard: conflict.is_hard,
                    values: conflict.values.iter().map(|value| said(&phones, value)).collect(),
                }),
                InboxKind::Review { code, .. } => reviews.push(ReviewLine { code, records }),
                InboxKind::Held { .. } | InboxKind::Returned { .. } => held += 1,
            }
        }
        let total = |phone: &Phone| -> anyhow::Result<PhoneTotal> {
            let (sum, farmers) = (phone.day_sum()?, phone.farmers()?);
            Ok(PhoneTotal { name: phone.name, g: sum.gross.0, sum, farmers })
        };
        Ok(Self {
            market: chosen.market.clone(),
            date: chosen.date.to_string(),
            published_g: chosen.total_g,
            server_g: server.gross.0,
            phones: phones.into_iter().map(total).collect::<Result<_, _>>()?,
            syncs: synced.iter().map(cost).collect(),
            conflicts,
            reviews,
            server,
            held,
        })
    }

    /// Shows everything, the comparison last.
    pub(crate) fn show(&self, screen: &Screen) {
        self.show_merged(screen);
        screen.heading("In conflict: both values are kept, the first one counts until a person decides");
        for ConflictLine { record, field, values, .. } in &self.conflicts {
            screen.say(format_args!("  {field:<20}{record}   {}", values.join("   ")));
        }
        screen.heading("Flagged for the office");
        for ReviewLine { code, records } in &self.reviews {
            screen.say(format_args!("  {code:<20}{}", records.join(" and ")));
        }
        screen.say(format_args!(
            "  held by the server: {}",
            if self.held == 0 { "nothing".to_owned() } else { self.held.to_string() }
        ));
        self.show_totals(screen);
    }

    fn show_merged(&self, screen: &Screen) {
        screen.heading("Merged");
        for phone in &self.phones {
            let Sum { deliveries, voided, bags, .. } = phone.sum;
            screen.say(format_args!(
                "  {}'s phone knows {}, {} with {} that count, {} voided.",
                phone.name,
                count(phone.farmers as u64, "farmer", "farmers"),
                count(deliveries, "delivery", "deliveries"),
                count(bags, "crate", "crates"),
                grouped(voided)
            ));
        }
        let Sum { deliveries, voided, bags, .. } = self.server;
        screen.say(format_args!(
            "  The server has {} with {} that count, {} voided.",
            count(deliveries, "delivery", "deliveries"),
            count(bags, "crate", "crates"),
            grouped(voided)
        ));
    }

    fn show_totals(&self, screen: &Screen) {
        screen.heading(format_args!("{}, {}", self.market, self.date));
        let line = |what: &str, grams: i64| {
            let mark = if grams == self.published_g { "OK" } else { "DIFFERENT" };
            screen.say(format_args!("  {what:<26}{:>18} g   {mark}", grouped(grams)));
        };
        line("market's published total", self.published_g);
        line("server", self.server_g);
        for phone in &self.phones {
            line(&format!("{}'s phone", phone.name), phone.g);
        }
    }

    /// Requires that all four totals are the same and that nothing is held.
    pub(crate) fn require_equal(&self) -> anyhow::Result<()> {
        if self.server_g != self.published_g || self.phones.iter().any(|phone| phone.g != self.published_g) {
            bail!("the totals differ: published, server and phones must agree to the gram");
        }
        if self.held > 0 {
            bail!("the server holds changes that it should have taken");
        }
        Ok(())
    }
}

fn cost(synced: &Synced) -> SyncCost {
    let progress = synced.report.progress;
    SyncCost {
        phone: synced.name,
        bytes_up: progress.bytes_up,
        bytes_down: progress.bytes_down,
        requests: progress.requests,
        ms: synced.ms,
    }
}

/// A value with who wrote it.
fn said(phones: &[&Phone], value: &ConflictValue) -> String {
    let is_theirs = |phone: &&&Phone| phone.client.session().is_some_and(|session| session.user == value.stamp.user);
    let name = phones.iter().find(is_theirs).map_or("somebody", |phone| phone.name);
    format!("{name}: {}", value.text)
}

/// A record as people call it: a receipt, a load's number with its lorry, a farmer's code with the name.
fn named(phone: &Phone, document: DocumentId) -> String {
    if let Ok(delivery) = phone.client.delivery(document.into()) {
        return format!("delivery {}", delivery.receipt_number.unwrap_or_default());
    }
    if let Ok(load) = phone.client.load(document.into()) {
        return format!("load {} on {}", load.load.header.number(), load.load.lorry);
    }
    match phone.client.farmer(document.into()) {
        Ok(farmer) => format!("farmer {} {}", farmer.code, farmer.details.name),
        Err(_) => document.to_string(),
    }
}
