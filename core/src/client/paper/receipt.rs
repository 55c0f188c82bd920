//! What the receipt of a delivery says.

use std::collections::BTreeSet;

use super::{Desk, reason_text};
use crate::Error;
use crate::client::signature::signatures_under;
use crate::client::warnings::instruments_used;
use crate::decisions::{FactorUnit, RuleSet, WeighingRules};
use crate::paper::{
    AdvancesBalance, Amendment, BagLine, Change, CopyNumber, DeductionLine, Figure, LotLine, MoistureLine, Price,
    Proof, Receipt, ReceiptGroup, Scale, Value, Word,
};
use crate::protocol::receipt_code::ReceiptCode;
use crate::records::simple::SimpleState;
use crate::records::{Delivery, Reading};
use crate::rules::{GradeWeight, LineKind, Totals, WeightInput, WeightLine, weigh};
use crate::store::records::get;
use crate::store::rows;
use crate::store::seam;
use crate::units::{DeliveryId, InstrumentCode, LotWeight, Percent, Timestamp};

impl Desk<'_> {
    pub(super) fn receipt(&self, delivery: &Delivery, version: [u8; 8], now: Timestamp) -> Result<Receipt, Error> {
        let reference = &self.author.reference;
        let rules = reference.rule_set(delivery.rule_set);
        let weight = weigh(&WeightInput::from(delivery), rules);
        let totals = weight.totals();
        let prints = u32::try_from(delivery.prints.len()).unwrap_or(u32::MAX);
        let groups = weight.grades.iter().map(|grade| group_of(delivery, grade, rules)).collect();
        let moisture = rules.filter(|_| delivery.counted_readings().any(|it| it.factor().is_none()));
        let replacing = rows::replacements_of(&mut seam(self.db), &[delivery.delivery_id])?;
        let replaced_by = replacing.first().map(|(_, replacing)| *replacing);
        let (advances, as_of) = (self.advances(delivery.farmer_id, now)?, self.instant(now).date());
        let signatures = signatures_under(self.db, self.author, &delivery.centre, delivery.delivery_id.into())?;
        let signed = signatures.iter().rfind(|it| it.state == SimpleState::Open);
        Ok(Receipt {
            heading: self.heading(&delivery.centre, CopyNumber::after(prints)),
            number: delivery.receipt_number().to_string(),
            recorded: self.instant(delivery.recorded.written_at()),
            business_date: delivery.business_date,
            farmer: self.farmer(delivery.farmer_id)?,
            groups,
            bag_count: totals.bags,
            gross: totals.gross_g,
            net: totals.net_g,
            value: Value::Unknown,
            moisture: moisture.map(|rules| moisture_of(delivery, &weight.grades, rules)),
            quality: self.quality(delivery, rules),
            advances: advances.map(|it| AdvancesBalance { outstanding_minor: it.outstanding_minor, as_of }),
            scale: self.scale(delivery, rules)?,
            rule_set: delivery.rule_set,
            clerk: reference.user_name(delivery.recorded.user_id),
            load: self.loads_of(delivery)?,
            currency: self.currency()?,
            amendment: self.amendment(delivery, &totals),
            void_reason: delivery.voids.last().map(|act| reason_text(&act.reason)),
            paper_form: delivery.paper_entry.as_ref().map(|it| format!("{} {}", it.book, it.serial)),
            signed: signed.map(|it| self.instant(it.made.written_at())),
            replaces: self.receipt_of(delivery.replaces)?,
            replaced_by: self.receipt_of(replaced_by)?,
            proof: Some(self.proof(delivery, version, &totals)),
        })
    }

    fn proof(&self, delivery: &Delivery, version: [u8; 8], totals: &Totals) -> Proof {
        let installation = &self.author.installation;
        let code = ReceiptCode {
            delivery_id: delivery.delivery_id,
            version,
            receipt_number: delivery.receipt_number().to_string(),
            bags: totals.bags,
            gross: totals.gross_g,
            net: totals.net_g,
            is_voided: delivery.is_voided(),
            device_id: installation.device_id,
        };
        Proof { code: code.sign(&installation.key), digest: code.digest() }
    }

    /// Returns the scale if the whole delivery was weighed on one, as far as this phone knows it.
    /// It is overdue if the certificate had expired, or its last check before the last weighing had failed or was too old.
    fn scale(&self, delivery: &Delivery, rules: Option<&RuleSet>) -> Result<Option<Scale>, Error> {
        let Some((code, at)) = scale_of(delivery) else { return Ok(None) };
        let weighing = rules.map_or_else(WeighingRules::default, |rules| rules.weighing);
        let named = BTreeSet::from([code]);
        let used = instruments_used(self.db, self.author, &delivery.centre, &named, weighing, Some(at))?;
        let is_overdue = !used.checks_on(code, at.date(used.zone_minutes)).is_empty();
        Ok(Some(Scale { number: code.to_string(), calibrated_on: None, is_overdue }))
    }

    fn receipt_of(&self, delivery: Option<DeliveryId>) -> Result<Option<String>, Error> {
        let Some(delivery_id) = delivery else { return Ok(None) };
        let found = get::<Delivery>(&mut seam(self.db), delivery_id)?;
        Ok(found.map(|found| found.record.receipt_number().to_string()))
    }

    /// Returns numbers and plates of the loads that the delivery is on, as far as they are on this phone.
    fn loads_of(&self, delivery: &Delivery) -> Result<Option<(String, String)>, Error> {
        let (mut numbers, mut plates) = (Vec::new(), Vec::new());
        for load_id in delivery.parts().into_iter().filter_map(|part| part.load_id) {
            if let Some(row) = rows::load_row(&mut seam(self.db), load_id)? {
                numbers.push(row.number);
                plates.push(row.lorry.to_string());
            }
        }
        Ok((!numbers.is_empty()).then(|| (numbers.join(" + "), plates.join(" + "))))
    }

    fn quality(&self, delivery: &Delivery, rules: Option<&RuleSet>) -> Vec<(String, String)> {
        let observed = |reading: &Reading| {
            let code = reading.factor()?;
            let rule = rules.and_then(|rules| rules.factors.iter().find(|rule| rule.code == *code));
            let name = rule.map_or_else(|| code.to_string(), |rule| rule.name.clone());
            let name = reading.grade.as_ref().map_or_else(|| name.clone(), |grade| format!("{name} ({grade})"));
            let share = Percent::try_from(i64::from(reading.value())).ok();
            let value = match (rule.map(|rule| rule.unit), share) {
                (Some(FactorUnit::Percent), Some(share)) => self.wording.percent(share),
                _ => self.wording.count(reading.value()),
            };
            Some((name, value))
        };
        delivery.counted_readings().filter_map(observed).collect()
    }

    /// Returns the last amendment, with what all amendments together changed.
    fn amendment(&self, delivery: &Delivery, now: &Totals) -> Option<Amendment> {
        let last = delivery.amendments.last()?;
        let rules = self.author.reference.rule_set(delivery.rule_set);
        let first = weigh(&WeightInput::from(&delivery.as_recorded()), rules).totals();
        let figures = [
            (Word::Bags, Figure::Count(first.bags), Figure::Count(now.bags)),
            (Word::Gross, Figure::Weight(first.gross_g), Figure::Weight(now.gross_g)),
            (Word::Net, Figure::Weight(first.net_g), Figure::Weight(now.net_g)),
        ];
        let changed = figures.into_iter().filter(|(_, old, new)| old != new);
        Some(Amendment {
            number: u32::try_from(delivery.amendments.len()).unwrap_or(u32::MAX),
            at: self.instant(last.stamp.written_at()),
            reason: reason_text(&last.reason),
            changes: changed.map(|(label, old, new)| Change { label, old, new }).collect(),
        })
    }
}

fn group_of(delivery: &Delivery, weight: &GradeWeight, rules: Option<&RuleSet>) -> ReceiptGroup {
    let bags = delivery.counted_bags().filter(|bag| bag.grade == weight.grade);
    let lots = delivery.counted_lots().filter(|lot| lot.grade == weight.grade);
    let line_of = |lot: &crate::records::Lot| LotLine {
        number: lot.number,
        gross: lot.gross.grams(),
        vehicle: lot.vehicle.map(LotWeight::grams),
    };
    let tares = weight.lines.iter().filter(|line| line.kind == LineKind::Tare).count();
    let deducted = weight.lines.iter().filter(|line| line.kind != LineKind::Gross);
    ReceiptGroup {
        grade: weight.grade.as_ref().map(ToString::to_string),
        bags: bags.map(|bag| BagLine { number: bag.number, gross: bag.gross.grams() }).collect(),
        lots: lots.map(line_of).collect(),
        bag_count: weight.totals.bags,
        gross: weight.totals.gross_g,
        deductions: deducted
            .map(|line| DeductionLine { kind: line.kind, name: name_of(line, tares, rules), amount: line.amount_g })
            .collect(),
        moisture: weight.moisture,
        net: weight.totals.net_g,
        price: Price::Undecided,
        value: Value::Unknown,
    }
}

/// Returns the organisation's own name of a line: that of its factor, or of one of several bag types; else nothing.
fn name_of(line: &WeightLine, tares: usize, rules: Option<&RuleSet>) -> String {
    let factor = line.factor.as_ref().map(|code| {
        let rule = rules.and_then(|rules| rules.factors.iter().find(|rule| rule.code == *code));
        rule.map_or_else(|| code.to_string(), |rule| rule.name.clone())
    });
    let bag_type = line.bag_type.filter(|_| tares > 1).and_then(|bag_type| rules?.bag_type(bag_type));
    factor.or_else(|| bag_type.map(|rule| rule.name.clone())).unwrap_or_default()
}

fn moisture_of(delivery: &Delivery, grades: &[GradeWeight], rules: &RuleSet) -> MoistureLine {
    let mut read = delivery.counted_readings().filter(|it| it.factor().is_none());
    let meters: std::collections::BTreeSet<&InstrumentCode> =
        read.by_ref().filter_map(|it| it.meter.as_ref()).collect();
    let meters: Vec<&str> = meters.into_iter().map(InstrumentCode::as_str).collect();
    let reading = match grades {
        [only] => only.moisture,
        _ => None,
    };
    MoistureLine {
        reading,
        rule: rules.effective_reading,
        meter: meters.join(", "),
        method: rules.moisture.method.clone(),
    }
}

/// Returns the scale if the whole delivery was weighed on one, and when it was last used.
fn scale_of(delivery: &Delivery) -> Option<(&InstrumentCode, Timestamp)> {
    let bags = delivery.counted_bags().map(|bag| (bag.scale.as_ref(), bag.weighed_at));
    let mut weighed = bags.chain(delivery.counted_lots().map(|lot| (lot.scale.as_ref(), lot.weighed_at)));
    let (first, mut last) = weighed.next()?;
    for (scale, at) in weighed {
        if scale != first {
            return None;
        }
        last = last.max(at);
    }
    Some((first?, last))
}
