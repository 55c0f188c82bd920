//! Rule sets of a reference file.

use farmtally_core::decisions::{
    BagTypeRule, CashLimits, Deduction, DeductionBase, FactorUnit, Grade, InterestPolicy, LossPolicy, LossPrice,
    MoistureMethod, MoistureRules, MoistureStep, PriceBracket, QualityFactor, RuleSet,
};
use farmtally_core::rules::{PublicationCode, check_rule_set};
use farmtally_core::units::{BusinessDate, Grams};

use super::fields::Fields;

/// Reads a rule set, with core's defaults for what is not there, and checks it.
pub(super) fn rule_set(it: &mut Fields<'_>) -> Option<RuleSet> {
    let (number, commodity) = (it.required("number"), it.required("commodity"));
    let valid_from = it.required("valid_from");
    let bag_types = it.list("bag_types", bag_type);
    // What could not be read is an error already, and is replaced so that the rest is checked too.
    let commodity = commodity.or_else(|| "0".parse().ok())?;
    let mut rules = RuleSet::new(number.unwrap_or(1), commodity, valid_from.unwrap_or(BusinessDate(0)), bag_types);
    rules.grades = it.list("grades", |it| {
        let (code, name) = (it.required("code"), it.text("name", true));
        Some(Grade { code: code?, name: name? })
    });
    it.set("rounding", &mut rules.rounding);
    it.set("effective_reading", &mut rules.effective_reading);
    it.set("allowance_g", &mut rules.allowance);
    it.set("legal_cap_g", &mut rules.legal_cap);
    it.object("moisture", |it| moisture(it, &mut rules.moisture));
    rules.factors = it.list("factors", factor);
    it.object("windows", |it| {
        it.set("clerk_amend_minutes", &mut rules.windows.clerk_amend_minutes);
        it.set("field_manager_amend_minutes", &mut rules.windows.field_manager_amend_minutes);
        it.set("duplicate_minutes", &mut rules.windows.duplicate_minutes);
    });
    it.object("weighing", |it| {
        let weighing = &mut rules.weighing;
        it.set("check_days", &mut weighing.check_days);
        it.set("repeated_bags", &mut weighing.repeated_bags);
        it.set("pattern_bags", &mut weighing.pattern_bags);
        it.set("regular_hundredths", &mut weighing.regular_hundredths);
        it.set("repeat_hundredths", &mut weighing.repeat_hundredths);
        it.set("bag_seconds", &mut weighing.bag_seconds);
        it.set("fast_bags", &mut weighing.fast_bags);
    });
    it.object("capacity", |it| {
        it.set("warning_hundredths", &mut rules.capacity.warning_hundredths);
        it.set("stop_hundredths", &mut rules.capacity.stop_hundredths);
    });
    it.object("cash_limits", |it| cash_limits(it, &mut rules.cash_limits));
    it.object("approval", |it| {
        it.set("advance_minor", &mut rules.approval.advance);
        it.set("settlement_minor", &mut rules.approval.settlement);
        it.set("payment_minor", &mut rules.approval.payment);
        it.set("farmer_advances_minor", &mut rules.approval.farmer_advances);
    });
    it.object("interest", |it| interest(it, &mut rules.interest));
    it.object("recovery", |it| {
        it.set("share_hundredths", &mut rules.recovery.share);
        it.set("advances_priority", &mut rules.recovery.advances_priority);
    });
    it.object("loss", |it| loss(it, &mut rules.loss));
    it.set("cash_unit_minor", &mut rules.cash_unit);
    it.add_checked(check_rule_set(&rules));
    Some(rules)
}

fn bag_type(it: &mut Fields<'_>) -> Option<BagTypeRule> {
    let (number, name, tare) = (it.required("number"), it.text("name", true), it.required("tare_g"));
    Some(BagTypeRule { number: number?, name: name?, tare: tare? })
}

/// Reads the deduction of one of two fields; both are an error.
fn deduction(it: &mut Fields<'_>) -> Option<Deduction> {
    let (per_bag, share) = (it.optional("per_bag_g"), it.optional("share_hundredths"));
    if per_bag.is_some() && share.is_some() {
        it.error("share_hundredths", PublicationCode::Ambiguous, "use per_bag_g or share_hundredths, not both");
    }
    share.map(Deduction::Share).or(per_bag.map(Deduction::PerBag))
}

/// Reads a deduction that must be there.
fn required_deduction(it: &mut Fields<'_>) -> Deduction {
    deduction(it).unwrap_or_else(|| {
        it.error("per_bag_g", PublicationCode::Missing, "use per_bag_g or share_hundredths");
        Deduction::PerBag(Grams::ZERO)
    })
}

fn moisture(it: &mut Fields<'_>, rules: &mut MoistureRules) {
    it.set("required", &mut rules.is_required);
    it.set("target_hundredths", &mut rules.target);
    it.set("base", &mut rules.base);
    it.set("step_hundredths", &mut rules.step_hundredths);
    it.set("step_rounding", &mut rules.step_rounding);
    it.set("handling_loss_hundredths", &mut rules.handling_loss);
    let Some(method) = it.optional::<String>("method") else { return };
    rules.method = match method.as_str() {
        "none" => MoistureMethod::None,
        "per_point" => MoistureMethod::PerPoint(required_deduction(it)),
        "water_shrink" => MoistureMethod::WaterShrink,
        "step_table" => MoistureMethod::StepTable(it.list("brackets", step)),
        "price_bracket" => MoistureMethod::PriceBracket(it.list("brackets", price_bracket)),
        _ => {
            it.ignore(&["per_bag_g", "share_hundredths", "brackets"]);
            let reason = "use none, per_point, water_shrink, step_table or price_bracket";
            return it.error("method", PublicationCode::Malformed, reason);
        }
    };
}

fn step(it: &mut Fields<'_>) -> Option<MoistureStep> {
    let (above, up_to, deduction) =
        (it.required("above_hundredths"), it.required("up_to_hundredths"), required_deduction(it));
    Some(MoistureStep { above: above?, up_to: up_to?, deduction })
}

fn price_bracket(it: &mut Fields<'_>) -> Option<PriceBracket> {
    let (above, up_to) = (it.required("above_hundredths"), it.required("up_to_hundredths"));
    Some(PriceBracket { above: above?, up_to: up_to? })
}

fn factor(it: &mut Fields<'_>) -> Option<QualityFactor> {
    let (code, name, limit) = (it.required("code"), it.text("name", true), it.required("limit"));
    let per_point = deduction(it);
    let mut factor = QualityFactor {
        code: code?,
        name: name?,
        limit: limit?,
        per_point,
        unit: FactorUnit::default(),
        is_foreign_matter: false,
        base: DeductionBase::default(),
    };
    it.set("unit", &mut factor.unit);
    it.set("foreign_matter", &mut factor.is_foreign_matter);
    it.set("base", &mut factor.base);
    Some(factor)
}

fn cash_limits(it: &mut Fields<'_>, limits: &mut CashLimits) {
    it.set("per_payee_minor", &mut limits.per_payee);
    it.set("per_day_minor", &mut limits.per_day);
    it.set("per_delivery_minor", &mut limits.per_delivery);
}

fn interest(it: &mut Fields<'_>, policy: &mut InterestPolicy) {
    it.set("rate_bp", &mut policy.rate);
    it.set("day_count", &mut policy.day_count);
    it.set("grace_days", &mut policy.grace_days);
    it.set("cap_hundredths", &mut policy.cap);
}

fn loss(it: &mut Fields<'_>, policy: &mut LossPolicy) {
    it.set("tolerance_hundredths", &mut policy.tolerance);
    it.set("tolerance_kind", &mut policy.tolerance_kind);
    it.set("shortage", &mut policy.shortage);
    it.set("gain", &mut policy.gain);
    let Some(price) = it.optional::<String>("price") else { return };
    policy.price = match price.as_str() {
        "delivery" => LossPrice::Delivery,
        "load_average" => LossPrice::LoadAverage,
        "fixed" => match it.required("price_minor_per_tonne") {
            Some(price) => LossPrice::Fixed(price),
            None => return,
        },
        _ => {
            it.ignore(&["price_minor_per_tonne"]);
            return it.error("price", PublicationCode::Malformed, "use delivery, load_average or fixed");
        }
    };
}
