//! What is done at the desk after weighing: a reading, a weighbridge, a disagreement that is settled, a signature, money, and paper.

use anyhow::{Context, ensure};
use farmtally_core::Error;
use farmtally_core::client::{Choice, DeliveryEdit, DeliveryView, DraftEdit, InboxKind, ReadingInput};
use farmtally_core::paper::{PaperWidth, Wording, text};
use farmtally_core::records::advance::{AdvanceKind, PaymentMethod};
use farmtally_core::records::delivery::PrintMedium;
use farmtally_core::records::weighbridge_ticket::WeighingSource;
use farmtally_core::records::{Advance, BagSource, Mark, Point, Stroke, WeighbridgeTicket};
use farmtally_core::units::{BagType, BagWeight, DeliveryId, Grams, LoadId, LotWeight, Money};

use crate::market::SCALE;
use crate::phone::{Phone, reason};
use crate::{grouped, say};

/// Moisture that is read, in hundredths of a percent: half a point above the target of the demo's rules.
const READ_HUNDREDTHS: i64 = 9_450;
/// A lorry without its load.
const EMPTY_LORRY_G: i64 = 6_200_000;

/// Sets the declared number of crates of a delivery.
pub(crate) fn declare(phone: &Phone, delivery: DeliveryId, crates: u32) -> anyhow::Result<()> {
    let basis = phone.client.delivery(delivery)?.basis;
    let edit = DeliveryEdit::SetDeclaredBags(Some(crates));
    phone.client.amend_delivery(basis, &reason("counted_again"), &[edit])?;
    Ok(())
}

/// Keeps the value of the declared number of crates that counts now, and returns both values, the kept one first.
pub(crate) fn settle_declared(phone: &Phone) -> anyhow::Result<Vec<String>> {
    for item in phone.client.inbox()? {
        let InboxKind::Conflict(conflict) = &item.kind else { continue };
        if conflict.field != "count" {
            continue;
        }
        let kept = conflict.values.first().context("a conflict without values")?;
        let choice = Choice::Keep { field: conflict.field.clone(), change: kept.change.context("nothing to choose")? };
        phone.client.resolve(item.basis, &choice)?;
        return Ok(conflict.values.iter().map(|value| value.text.clone()).collect());
    }
    anyhow::bail!("no conflict about the number of crates")
}

/// Reads the moisture of a recorded delivery; returns its net weight before and after.
pub(crate) fn read_moisture(phone: &Phone, delivery: DeliveryId) -> anyhow::Result<[Grams; 2]> {
    let before = phone.client.delivery(delivery)?;
    let moisture = READ_HUNDREDTHS.try_into()?;
    let reading = ReadingInput::Moisture { moisture, grade: None, meter: None, photo: None };
    let after = phone.client.add_readings(before.basis, &[reading])?;
    ensure!(after.totals.net_g < before.totals.net_g, "moisture above the target was not deducted");
    Ok([before.totals.net_g, after.totals.net_g])
}

/// Puts half of the crates of a delivery on another load; returns how many.
pub(crate) fn split(phone: &Phone, delivery: DeliveryId, load: LoadId) -> anyhow::Result<usize> {
    let view = phone.client.delivery(delivery)?;
    let ids: Vec<String> = view.bags.iter().take(view.bags.len() / 2).map(|bag| bag.bag_id.clone()).collect();
    let moved = ids.len();
    if moved > 0 {
        let edit = DeliveryEdit::SetLoadOfBags { load_id: Some(load), ids, overload_reason: None };
        let parts = phone.client.amend_delivery(view.basis, &reason("no_room"), &[edit])?.parts;
        ensure!(parts.len() == 2, "the delivery has {} parts", parts.len());
    }
    Ok(moved)
}

/// Lets the farmer sign a delivery on the screen.
pub(crate) fn sign(phone: &Phone, delivery: DeliveryId) -> anyhow::Result<()> {
    let points = vec![Point { x: 10, y: 700 }, Point { x: 300, y: 250 }, Point { x: 600, y: 300 }];
    phone.client.sign(phone.client.delivery(delivery)?.basis, Mark::Drawn { strokes: vec![Stroke { points }] })?;
    ensure!(phone.client.delivery(delivery)?.is_signed, "the signature was not recorded");
    Ok(())
}

/// Pays the farmer of a delivery an advance in cash; returns what is left of the allowance.
pub(crate) fn advance(phone: &Phone, delivery: DeliveryId, amount_minor: Money) -> Result<Money, Error> {
    let content = Advance {
        farmer_id: phone.client.delivery(delivery)?.farmer_id.ok_or(Error::NotFound { what: "farmer" })?,
        amount_minor,
        method: PaymentMethod::Cash,
        date: phone.client.date(),
        reason_code: "harvest".to_owned(),
        reference: String::new(),
        kind: AdvanceKind::Cash,
        paper_entry: None,
    };
    phone.client.record_advance(None, content, &[])?;
    Ok(phone.client.allowance()?.left_minor)
}

/// Weighs a crate on a scale that nobody checked today, and leaves it; returns the warnings that the screen shows.
pub(crate) fn warnings(phone: &Phone, draft: &DeliveryView) -> anyhow::Result<Vec<String>> {
    let gross = BagWeight::try_from(Grams(20_000))?;
    let (source, scale) = (Some(BagSource::Scale), Some(SCALE.parse()?));
    let bag = DraftEdit::AddBag { gross, bag_type: BagType::default(), source, grade: None, scale };
    let draft = phone.client.edit_draft(draft.basis, &[bag])?;
    ensure!(!draft.warnings.is_empty(), "the scale was not warned about");
    phone.client.discard_draft(draft.basis)?;
    Ok(draft.warnings.iter().map(|it| it.check.to_string()).collect())
}

/// Records the weighbridge's ticket of a load; returns its net weight.
pub(crate) fn weigh_load(phone: &Phone, load: LoadId) -> anyhow::Result<Grams> {
    let loaded = phone.client.load(load)?.sum.gross_g;
    let weight = |grams: i64| LotWeight::try_from(Grams(grams));
    let ticket = WeighbridgeTicket {
        record_id: load.into(),
        gross: weight(EMPTY_LORRY_G + loaded.0)?,
        gross_source: WeighingSource::Scale,
        tare: weight(EMPTY_LORRY_G)?,
        tare_source: WeighingSource::Scale,
        number: "WB-1".to_owned(),
        place: String::new(),
        operator_name: String::new(),
    };
    Ok(phone.client.record_simple(None, ticket)?.content.net_g())
}

/// Shows the receipt of a delivery and the manifest of a load as a printer of 58 mm prints them, and records the receipt's print.
pub(crate) fn print(phone: &Phone, delivery: DeliveryId, load: LoadId) -> anyhow::Result<()> {
    let receipt = phone.client.receipt(delivery, Wording::default())?;
    let manifest = phone.client.manifest(load, Wording::default())?;
    for page in [receipt, manifest] {
        say("");
        text::render(&page, PaperWidth::Mm58).lines().for_each(|line| say(format_args!("      | {line}")));
    }
    let basis = phone.client.delivery(delivery)?.basis;
    let printed = phone.client.record_print(basis, PrintMedium::Paper)?;
    ensure!(printed.prints.len() == 1, "the print was not recorded");
    Ok(())
}

/// Formats weights as `before g, after g`.
pub(crate) fn from_to([before, after]: [Grams; 2]) -> String {
    format!("{} g before, {} g now", grouped(before.0), grouped(after.0))
}
