//! Validation of a rule set before it is published. Finds all errors at once.

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::decisions::{Deduction, MoistureMethod, RuleSet};
use crate::limits::{
    MAX_BAG_SECONDS, MAX_BRACKETS, MAX_CAPACITY_HUNDREDTHS, MAX_CASH_UNIT, MAX_CHECK_DAYS, MAX_FACTORS, MAX_GRACE_DAYS,
    MAX_GRADES, MAX_PATTERN_BAGS, MAX_RULE_SET, MAX_WINDOW_MINUTES,
};
use crate::units::{BagWeight, Money, Percent, named};

named! {
    /// A stable name of an error in reference data, listed in `docs/errors.md`.
    pub PublicationCode, "a code of a publication error" {
        /// A field that must be there is missing.
        Missing = "missing",
        /// A field that the format does not have.
        UnknownField = "unknown_field",
        /// A value of another JSON type than expected.
        WrongType = "wrong_type",
        /// A text that is no code, date, name or choice of its field.
        Malformed = "malformed",
        /// A number beyond its bounds.
        OutOfRange = "out_of_range",
        /// A number, code or field is there twice.
        Duplicate = "duplicate",
        /// A list with more entries than a rule set may have.
        TooMany = "too_many",
        /// Two fields of which only one may be there.
        Ambiguous = "ambiguous",
        /// A farmer or plot that the server does not have.
        UnknownRecord = "unknown_record",
        /// A published rule set, which cannot change.
        Published = "published",
        /// A season that ends before it begins.
        EndsBeforeItBegins = "ends_before_it_begins",
        /// A rule set without a bag type: no bag would have a tare.
        NoBagType = "no_bag_type",
        /// Tare and allowance of a bag type are more than the law allows.
        LegalCapExceeded = "legal_cap_exceeded",
        /// A target of 100 %.
        MoistureTargetTooHigh = "moisture_target_too_high",
        /// A method that deducts for moisture, without a target.
        MoistureTargetMissing = "moisture_target_missing",
        /// A handling loss with a method that cuts no weight, so that it would never be deducted.
        HandlingLossUnused = "handling_loss_unused",
        /// A bracket that ends where it begins, or before.
        BracketEmpty = "bracket_empty",
        /// Moisture that is in no bracket.
        BracketGap = "bracket_gap",
        /// Moisture that is in two brackets, or brackets out of order.
        BracketOverlap = "bracket_overlap",
        /// A warning that comes after the stop.
        CapacityWarningAboveStop = "capacity_warning_above_stop",
        /// A limit of cash that another limit makes useless.
        CashLimitsContradict = "cash_limits_contradict",
    }
}

/// An error in reference data that is to be published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason} ({code})")]
pub struct PublicationError {
    /// Place of the error: a JSON Pointer (RFC 6901) from the root of what is published.
    pub path: String,
    /// Kind of the error.
    pub code: PublicationCode,
    /// What is wrong and what is expected.
    pub reason: String,
}

/// Returns all errors of a rule set; none if it may be published. Paths are those of the rule set's JSON form, from its own root.
pub fn check_rule_set(rules: &RuleSet) -> Vec<PublicationError> {
    let mut findings = Findings(Vec::new());
    findings.range("/number", rules.number, 1..=MAX_RULE_SET);
    findings.range("/allowance_g", rules.allowance.0, BAG_DEDUCTION);
    if let Some(cap) = rules.legal_cap {
        findings.range("/legal_cap_g", cap.0, BAG_DEDUCTION);
    }
    bag_types(&mut findings, rules);
    findings.count("/grades", rules.grades.len(), MAX_GRADES);
    findings.unique("/grades", "code", rules.grades.iter().map(|grade| &grade.code));
    moisture(&mut findings, rules);
    factors(&mut findings, rules);
    limits(&mut findings, rules);
    findings.0
}

/// Weight that may be deducted for a bag, in grams: as much as a bag may weigh.
const BAG_DEDUCTION: RangeInclusive<i64> = 0..=BagWeight::MAX.0;

struct Findings(Vec<PublicationError>);

impl Findings {
    fn add(&mut self, path: impl Into<String>, code: PublicationCode, reason: impl Into<String>) {
        self.0.push(PublicationError { path: path.into(), code, reason: reason.into() });
    }

    fn range<T: Copy + PartialOrd + Display>(&mut self, path: &str, value: T, bounds: RangeInclusive<T>) {
        if !bounds.contains(&value) {
            let reason = format!("{value} is not {} to {}", bounds.start(), bounds.end());
            self.add(path, PublicationCode::OutOfRange, reason);
        }
    }

    fn count(&mut self, path: &str, count: usize, most: usize) {
        if count > most {
            self.add(path, PublicationCode::TooMany, format!("{count} entries: at most {most} are allowed"));
        }
    }

    fn unique<T: PartialEq + Display>(&mut self, list: &str, field: &str, values: impl Iterator<Item = T>) {
        let values: Vec<T> = values.collect();
        for (place, value) in values.iter().enumerate() {
            if values.iter().take(place).any(|earlier| earlier == value) {
                let reason = format!("{value} is there twice");
                self.add(format!("{list}/{place}/{field}"), PublicationCode::Duplicate, reason);
            }
        }
    }

    fn deduction(&mut self, path: &str, deduction: Deduction) {
        match deduction {
            Deduction::PerBag(grams) => self.range(&format!("{path}/per_bag_g"), grams.0, BAG_DEDUCTION),
            Deduction::Share(_) => {}
        }
    }

    fn amount(&mut self, path: &str, amount: Option<Money>) {
        if let Some(amount) = amount {
            self.range(path, amount.minor(), 0..=Money::MAX.minor());
        }
    }

    /// Checks that brackets are in order, without gap or overlap, from `begin` to 100 %.
    fn brackets(&mut self, begin: Percent, brackets: impl Iterator<Item = (Percent, Percent)>) {
        let path = "/moisture/brackets";
        let (mut end, mut count) = (begin, 0);
        for (above, up_to) in brackets {
            let at = |field| format!("{path}/{count}/{field}");
            if up_to <= above {
                self.add(at("up_to_hundredths"), PublicationCode::BracketEmpty, format!("it begins at {above} %"));
            }
            if above > end {
                let reason = format!("{end} % to {above} % are in no bracket");
                self.add(at("above_hundredths"), PublicationCode::BracketGap, reason);
            }
            if above < end {
                let reason = format!("it must begin at {end} %");
                self.add(at("above_hundredths"), PublicationCode::BracketOverlap, reason);
            }
            (end, count) = (end.max(up_to), count + 1);
        }
        if end < Percent::WHOLE {
            self.add(path, PublicationCode::BracketGap, format!("above {end} % there is no bracket: end at 100 %"));
        }
        self.count(path, count, MAX_BRACKETS);
    }
}

fn bag_types(findings: &mut Findings, rules: &RuleSet) {
    if rules.bag_types.is_empty() {
        findings.add("/bag_types", PublicationCode::NoBagType, "no bag would have a tare: name at least one bag type");
    }
    findings.unique("/bag_types", "number", rules.bag_types.iter().map(|it| it.number));
    for (place, bag_type) in rules.bag_types.iter().enumerate() {
        let at = |field| format!("/bag_types/{place}/{field}");
        findings.range(&at("number"), bag_type.number, 0..=15);
        findings.range(&at("tare_g"), bag_type.tare.0, BAG_DEDUCTION);
        let deducted = bag_type.tare + rules.allowance;
        if let Some(cap) = rules.legal_cap.filter(|cap| deducted > *cap) {
            let reason = format!("tare and allowance are {} g, the law allows {} g", deducted.0, cap.0);
            findings.add(at("tare_g"), PublicationCode::LegalCapExceeded, reason);
        }
    }
}

fn moisture(findings: &mut Findings, rules: &RuleSet) {
    let moisture = &rules.moisture;
    let target = "/moisture/target_hundredths";
    if moisture.target >= Percent::WHOLE {
        findings.add(target, PublicationCode::MoistureTargetTooHigh, "it must be below 100 %");
    }
    findings.range(
        "/moisture/step_hundredths",
        moisture.step_hundredths,
        1..=Percent::WHOLE.hundredths().unsigned_abs(),
    );
    let cuts_weight = !matches!(moisture.method, MoistureMethod::None | MoistureMethod::PriceBracket(_));
    if cuts_weight && moisture.target == Percent::ZERO {
        findings.add(target, PublicationCode::MoistureTargetMissing, "the method needs a target above 0 %");
    }
    if !cuts_weight && moisture.handling_loss > Percent::ZERO {
        let reason = "the method cuts no weight, so this would never be deducted";
        findings.add("/moisture/handling_loss_hundredths", PublicationCode::HandlingLossUnused, reason);
    }
    match &moisture.method {
        MoistureMethod::None | MoistureMethod::WaterShrink => {}
        MoistureMethod::PerPoint(deduction) => findings.deduction("/moisture", *deduction),
        MoistureMethod::StepTable(steps) => {
            findings.brackets(moisture.target, steps.iter().map(|it| (it.above, it.up_to)));
            for (place, step) in steps.iter().enumerate() {
                findings.deduction(&format!("/moisture/brackets/{place}"), step.deduction);
            }
        }
        MoistureMethod::PriceBracket(brackets) => {
            findings.brackets(Percent::ZERO, brackets.iter().map(|it| (it.above, it.up_to)));
        }
    }
}

fn factors(findings: &mut Findings, rules: &RuleSet) {
    findings.count("/factors", rules.factors.len(), MAX_FACTORS);
    findings.unique("/factors", "code", rules.factors.iter().map(|factor| &factor.code));
    for (place, factor) in rules.factors.iter().enumerate() {
        if let Some(deduction) = factor.per_point {
            findings.deduction(&format!("/factors/{place}"), deduction);
        }
    }
}

/// Checks windows, limits and the policies about money.
fn limits(findings: &mut Findings, rules: &RuleSet) {
    let windows = &rules.windows;
    for (field, minutes) in [
        ("clerk_amend_minutes", windows.clerk_amend_minutes),
        ("field_manager_amend_minutes", windows.field_manager_amend_minutes),
        ("duplicate_minutes", windows.duplicate_minutes),
    ] {
        findings.range(&format!("/windows/{field}"), minutes, 0..=MAX_WINDOW_MINUTES);
    }
    let weighing = &rules.weighing;
    for (field, value, most) in [
        ("check_days", weighing.check_days, MAX_CHECK_DAYS),
        ("repeated_bags", weighing.repeated_bags, MAX_PATTERN_BAGS),
        ("pattern_bags", weighing.pattern_bags, MAX_PATTERN_BAGS),
        ("regular_hundredths", weighing.regular_hundredths, 10_000),
        ("repeat_hundredths", weighing.repeat_hundredths, 10_000),
        ("bag_seconds", weighing.bag_seconds, MAX_BAG_SECONDS),
        ("fast_bags", weighing.fast_bags, MAX_PATTERN_BAGS),
    ] {
        findings.range(&format!("/weighing/{field}"), value, 0..=most);
    }
    let capacity = &rules.capacity;
    findings.range("/capacity/warning_hundredths", capacity.warning_hundredths, 1..=MAX_CAPACITY_HUNDREDTHS);
    findings.range("/capacity/stop_hundredths", capacity.stop_hundredths, 1..=MAX_CAPACITY_HUNDREDTHS);
    if capacity.warning_hundredths > capacity.stop_hundredths {
        let reason = "the warning must not come after the stop";
        findings.add("/capacity/warning_hundredths", PublicationCode::CapacityWarningAboveStop, reason);
    }
    let cash = &rules.cash_limits;
    findings.amount("/cash_limits/per_payee_minor", cash.per_payee);
    findings.amount("/cash_limits/per_day_minor", cash.per_day);
    findings.amount("/cash_limits/per_delivery_minor", cash.per_delivery);
    let is_above = |narrow: Option<Money>, wide: Option<Money>| narrow.zip(wide).is_some_and(|(it, other)| it > other);
    if is_above(cash.per_delivery, cash.per_payee) || is_above(cash.per_delivery, cash.per_day) {
        let reason = "a delivery may not be paid more cash than its payee, or all payees, on a day";
        findings.add("/cash_limits/per_delivery_minor", PublicationCode::CashLimitsContradict, reason);
    }
    if is_above(cash.per_payee, cash.per_day) {
        let reason = "a payee may not be paid more cash than all payees on a day";
        findings.add("/cash_limits/per_payee_minor", PublicationCode::CashLimitsContradict, reason);
    }
    findings.amount("/approval/advance_minor", rules.approval.advance);
    findings.amount("/approval/settlement_minor", rules.approval.settlement);
    findings.amount("/approval/payment_minor", rules.approval.payment);
    findings.amount("/approval/farmer_advances_minor", rules.approval.farmer_advances);
    findings.range("/interest/grace_days", rules.interest.grace_days, 0..=MAX_GRACE_DAYS);
    if let Some(unit) = rules.cash_unit {
        findings.range("/cash_unit_minor", unit.minor(), 1..=MAX_CASH_UNIT);
    }
}

#[cfg(test)]
mod tests;
