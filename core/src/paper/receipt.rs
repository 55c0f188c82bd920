//! The receipt of a delivery.

use super::document::{FarmerName, Heading, Instant, Proof, Writer};
use super::model::{Cell, Line, Page};
use super::wording::Wording;
use super::words::Word;
use crate::decisions::{Deduction, EffectiveReading, MoistureMethod};
use crate::rules::LineKind;
use crate::units::{BusinessDate, Currency, Grams, Percent};

/// Content of the receipt of a delivery. All figures are printed as given; nothing is computed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Issuer and number of the print.
    pub heading: Heading,
    /// Receipt number with its check character.
    pub number: String,
    /// When the delivery was recorded.
    pub recorded: Instant,
    /// Day on which it counts.
    pub business_date: BusinessDate,
    /// The farmer.
    pub farmer: FarmerName,
    /// The delivery by grade; one group without a grade if the delivery has none.
    pub groups: Vec<ReceiptGroup>,
    /// Number of bags of all groups.
    pub bag_count: u32,
    /// Gross weight of all groups.
    pub gross: Grams,
    /// Net weight of all groups.
    pub net: Grams,
    /// Value of all groups.
    pub value: Value,
    /// Effective moisture, if it was measured.
    pub moisture: Option<MoistureLine>,
    /// Observations of quality, each a factor and what was observed.
    pub quality: Vec<(String, String)>,
    /// Advances of the farmer, if the receipt is to show them.
    pub advances: Option<AdvancesBalance>,
    /// The scale, if it is known.
    pub scale: Option<Scale>,
    /// Number of the rule set.
    pub rule_set: u32,
    /// Name of the clerk.
    pub clerk: String,
    /// Number of the load and plate of its lorry, if the delivery is on one.
    pub load: Option<(String, String)>,
    /// Currency of all amounts.
    pub currency: Currency,
    /// The last amendment, if there is one.
    pub amendment: Option<Amendment>,
    /// Why the delivery was voided, if it was.
    pub void_reason: Option<String>,
    /// Book and number of the paper form on which it was written first.
    pub paper_form: Option<String>,
    /// When the farmer signed on the screen; `None` for a paper to be signed.
    pub signed: Option<Instant>,
    /// Number of the receipt that this one replaces.
    pub replaces: Option<String>,
    /// Number of the receipt that replaces this one.
    pub replaced_by: Option<String>,
    /// Code with the signed digest.
    pub proof: Option<Proof>,
}

/// Part of a delivery with one grade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptGroup {
    /// Code of the grade.
    pub grade: Option<String>,
    /// Each bag that counts and was weighed alone.
    pub bags: Vec<BagLine>,
    /// Each lot and vehicle that counts.
    pub lots: Vec<LotLine>,
    /// Number of bags, also of those that were only declared.
    pub bag_count: u32,
    /// Gross weight.
    pub gross: Grams,
    /// What was deducted, in the order in which it was computed.
    pub deductions: Vec<DeductionLine>,
    /// The moisture that counts for it, printed if there are several groups.
    pub moisture: Option<Percent>,
    /// Net weight.
    pub net: Grams,
    /// The price.
    pub price: Price,
    /// The value.
    pub value: Value,
}

/// A bag with its label and gross weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BagLine {
    /// Number of the bag.
    pub number: u32,
    /// Gross weight.
    pub gross: Grams,
}

/// A lot or vehicle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LotLine {
    /// Number of the lot.
    pub number: u32,
    /// Weight with the bags, and with the vehicle if there is one.
    pub gross: Grams,
    /// Weight of the empty vehicle, if the lot was weighed on one.
    pub vehicle: Option<Grams>,
}

/// A weight between gross and net as it was computed and rounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeductionLine {
    /// What it is for.
    pub kind: LineKind,
    /// The organisation's own name for it, such as that of a quality factor; empty for the general word.
    pub name: String,
    /// The weight; a deduction is negative.
    pub amount: Grams,
}

/// Price of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Price {
    /// No price was decided.
    Undecided,
    /// Decided: minor units of the currency for 1,000 kg, and the unit for which it is printed.
    Decided {
        /// Minor units for 1,000 kg.
        minor_per_tonne: i64,
        /// Unit in which people speak of the price.
        unit: PriceUnit,
    },
}

/// Unit of weight for which a price is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceUnit {
    /// 1 kg.
    Kilogram,
    /// 100 kg.
    Quintal,
    /// 1,000 kg.
    Tonne,
}

/// Value of produce in minor units of the currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Not known, because there is no price.
    Unknown,
    /// Computed on the phone; the settlement may differ. Printed as an estimate.
    Estimate(i64),
    /// Settled.
    Final(i64),
}

/// The moisture that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoistureLine {
    /// The effective reading; `None` if each group has its own.
    pub reading: Option<Percent>,
    /// How it was chosen among the readings.
    pub rule: EffectiveReading,
    /// Number of the meter, or empty.
    pub meter: String,
    /// How moisture is deducted.
    pub method: MoistureMethod,
}

/// Outstanding advances of a farmer, as far as the phone knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdvancesBalance {
    /// Balance in minor units.
    pub outstanding_minor: i64,
    /// Day of the balance.
    pub as_of: BusinessDate,
}

/// The scale that weighed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Number of the scale.
    pub number: String,
    /// Day of its last calibration.
    pub calibrated_on: Option<BusinessDate>,
    /// Whether the next calibration was due before the delivery.
    pub is_overdue: bool,
}

/// The last amendment of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amendment {
    /// Its number, from 1.
    pub number: u32,
    /// When it was made.
    pub at: Instant,
    /// Reason that the person gave.
    pub reason: String,
    /// What it changed.
    pub changes: Vec<Change>,
}

/// A figure before and after an amendment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What was changed.
    pub label: Word,
    /// The figure before.
    pub old: Figure,
    /// The figure now.
    pub new: Figure,
}

/// A figure or text of a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Figure {
    /// A number of things.
    Count(u32),
    /// A weight.
    Weight(Grams),
    /// A share.
    Share(Percent),
    /// An amount in minor units.
    Amount(i64),
    /// A day.
    Day(BusinessDate),
    /// A code or name.
    Text(String),
}

impl Receipt {
    /// Returns the receipt as a page.
    pub fn page(&self, wording: Wording) -> Page {
        let mut writer = Writer::new(wording, Word::Receipt, &self.number, &self.heading);
        self.write_status(&mut writer);
        writer.pair(Word::Number, &self.number);
        writer.pair(Word::Time, &self.recorded.text(wording));
        writer.pair(Word::Date, &wording.date(self.business_date));
        writer.pair_if_any(Word::PaperForm, self.paper_form.as_deref().unwrap_or_default());
        writer.farmer(&self.farmer);
        for group in &self.groups {
            self.write_group(group, &mut writer);
        }
        if self.groups.len() > 1 {
            writer.push(Line::Rule);
            writer.notice(wording.word(Word::Total));
            self.write_totals(&mut writer);
        }
        writer.push(Line::Rule);
        self.write_measurement(&mut writer);
        if let Some(advances) = self.advances {
            let label = wording.fill(Word::AdvancesOn, &wording.date(advances.as_of));
            writer.push(Line::pair(label, wording.amount(advances.outstanding_minor, &self.currency)));
        }
        writer.pair(Word::RuleSet, &wording.count(self.rule_set));
        writer.pair(Word::Clerk, &self.clerk);
        if let Some((load, lorry)) = &self.load {
            writer.pair(Word::Load, load);
            writer.pair(Word::Lorry, lorry);
        }
        let signers: &[Word] = match self.signed {
            Some(Instant { at, zone_minutes }) => {
                writer.pair(Word::SignedOnScreen, &wording.instant(at, zone_minutes));
                &[Word::Clerk]
            }
            None => &[Word::Farmer, Word::Clerk],
        };
        writer.end(signers, self.proof.as_ref());
        self.write_short(&mut writer);
        writer.page
    }

    /// Writes whether the receipt is void, amended or a replacement, with old and new figures.
    fn write_status(&self, writer: &mut Writer) {
        let wording = writer.wording;
        if let Some(reason) = &self.void_reason {
            writer.notice(wording.word(Word::Void));
            writer.pair(Word::Reason, reason);
        }
        for (word, number) in [(Word::Replaces, &self.replaces), (Word::ReplacedBy, &self.replaced_by)] {
            writer.pair_if_any(word, number.as_deref().unwrap_or_default());
        }
        let Some(amendment) = &self.amendment else { return };
        writer.notice(&wording.fill(Word::Amended, &wording.count(amendment.number)));
        writer.pair(Word::Time, &amendment.at.text(wording));
        writer.pair(Word::Reason, &amendment.reason);
        for change in &amendment.changes {
            let value = |word, figure| format!("{}: {}", wording.word(word), self.figure(figure, wording));
            writer.push(Line::text(wording.word(change.label)));
            let (old, new) = (value(Word::OldValue, &change.old), value(Word::NewValue, &change.new));
            writer.push(Line::row([Cell::start(old, 1), Cell::end(new, 1)]));
        }
        writer.push(Line::Rule);
    }

    fn figure(&self, figure: &Figure, wording: Wording) -> String {
        match figure {
            Figure::Count(count) => wording.count(*count),
            Figure::Weight(weight) => wording.weight(*weight),
            Figure::Share(share) => wording.percent(*share),
            Figure::Amount(minor) => wording.amount(*minor, &self.currency),
            Figure::Day(day) => wording.date(*day),
            Figure::Text(text) => text.clone(),
        }
    }

    fn write_group(&self, group: &ReceiptGroup, writer: &mut Writer) {
        let wording = writer.wording;
        writer.push(Line::Rule);
        if let Some(grade) = &group.grade {
            writer.strong_pair(Word::Grade, grade);
        }
        for bags in group.bags.chunks(BAGS_IN_A_ROW) {
            let bag = |bag: Option<&BagLine>| {
                let text = bag.map(|bag| format!("{}: {}", wording.count(bag.number), wording.kilograms(bag.gross)));
                Cell::start(text.unwrap_or_default(), 1)
            };
            writer.push(Line::row((0..BAGS_IN_A_ROW).map(|index| bag(bags.get(index)))));
        }
        for lot in &group.lots {
            let number = wording.count(lot.number);
            match lot.vehicle {
                None => writer.push(Line::pair(wording.fill(Word::Lot, &number), wording.weight(lot.gross))),
                Some(vehicle) => {
                    writer.push(Line::pair(wording.fill(Word::FullVehicle, &number), wording.weight(lot.gross)));
                    writer.push(Line::pair(wording.fill(Word::EmptyVehicle, &number), wording.weight(vehicle)));
                }
            }
        }
        writer.pair(Word::Bags, &wording.count(group.bag_count));
        writer.pair(Word::Gross, &wording.weight(group.gross));
        for line in &group.deductions {
            let name = if line.name.is_empty() { wording.word(word_of(line.kind)) } else { &line.name };
            writer.push(Line::pair(name, wording.weight(line.amount)));
        }
        if let Some(moisture) = group.moisture.filter(|_| self.groups.len() > 1) {
            writer.pair(Word::MoistureReading, &wording.percent(moisture));
        }
        writer.strong_pair(Word::Net, &wording.weight(group.net));
        writer.pair(Word::Price, &group.price.text(wording, &self.currency));
        group.value.write(writer, &self.currency);
    }

    fn write_totals(&self, writer: &mut Writer) {
        let wording = writer.wording;
        writer.strong_pair(Word::Bags, &wording.count(self.bag_count));
        writer.strong_pair(Word::Gross, &wording.weight(self.gross));
        writer.strong_pair(Word::Net, &wording.weight(self.net));
        self.value.write(writer, &self.currency);
    }

    /// Writes how the produce was measured: moisture, quality, scale.
    fn write_measurement(&self, writer: &mut Writer) {
        let wording = writer.wording;
        if let Some(moisture) = &self.moisture {
            let rule = wording.word(rule_word(moisture.rule));
            let reading = moisture.reading.map(|reading| format!("{} ({rule})", wording.percent(reading)));
            writer.pair(Word::MoistureReading, reading.as_deref().unwrap_or(rule));
            writer.pair_if_any(Word::Meter, &moisture.meter);
            writer.pair(Word::Method, wording.word(method_word(&moisture.method)));
        }
        for (factor, observed) in &self.quality {
            writer.push(Line::pair(factor, observed));
        }
        let Some(scale) = &self.scale else { return };
        writer.pair(Word::ScaleNumber, &scale.number);
        if let Some(day) = scale.calibrated_on {
            writer.pair(Word::CalibratedOn, &wording.date(day));
        }
        if scale.is_overdue {
            writer.notice(wording.word(Word::CalibrationOverdue));
        }
    }

    fn write_short(&self, writer: &mut Writer) {
        let wording = writer.wording;
        writer.short(&self.heading.organisation, 4);
        if self.void_reason.is_some() {
            writer.short(wording.word(Word::Void), 0);
        }
        if let Some(amendment) = &self.amendment {
            writer.short(wording.fill(Word::Amended, &wording.count(amendment.number)), 0);
        }
        writer.short(&self.number, 0);
        writer.short(wording.date(self.business_date), 3);
        writer.short_pair(Word::Bags, &wording.count(self.bag_count), 0);
        writer.short_pair(Word::Gross, &wording.weight(self.gross), 0);
        writer.short_pair(Word::Net, &wording.weight(self.net), 0);
        match self.value {
            Value::Unknown => writer.short_pair(Word::Price, wording.word(Word::PriceUndecided), 1),
            Value::Estimate(_) | Value::Final(_) => {
                writer.short_pair(Word::Amount, &self.value.text(wording, &self.currency), 0);
            }
        }
        if let Some(advances) = self.advances {
            let label = wording.fill(Word::AdvancesOn, &wording.date(advances.as_of));
            writer.short(format!("{label}: {}", wording.amount(advances.outstanding_minor, &self.currency)), 5);
        }
    }
}

/// Bags in a row of a receipt, so that a weight of seven characters with its label fits into 32 columns.
const BAGS_IN_A_ROW: usize = 3;

fn word_of(kind: LineKind) -> Word {
    match kind {
        LineKind::Gross => Word::Gross,
        LineKind::Tare => Word::Tare,
        LineKind::Quality => Word::QualityDeduction,
        LineKind::Moisture => Word::MoistureDeduction,
        LineKind::HandlingLoss => Word::HandlingLoss,
        LineKind::QualityCap => Word::QualityCap,
        LineKind::Allowance => Word::Allowance,
        LineKind::Excess => Word::Excess,
    }
}

fn rule_word(rule: EffectiveReading) -> Word {
    match rule {
        EffectiveReading::Last => Word::LastReading,
        EffectiveReading::Average => Word::AverageReading,
        EffectiveReading::Worst => Word::WorstReading,
    }
}

fn method_word(method: &MoistureMethod) -> Word {
    match method {
        MoistureMethod::None => Word::NoMoistureDeduction,
        MoistureMethod::PerPoint(Deduction::PerBag(_)) => Word::PerBagPerPoint,
        MoistureMethod::PerPoint(Deduction::Share(_)) => Word::ConstantFactor,
        MoistureMethod::WaterShrink => Word::WaterShrink,
        MoistureMethod::StepTable(_) => Word::StepTable,
        MoistureMethod::PriceBracket(_) => Word::PriceBracket,
    }
}

impl Price {
    fn text(self, wording: Wording, currency: &Currency) -> String {
        match self {
            Self::Undecided => wording.word(Word::PriceUndecided).to_owned(),
            Self::Decided { minor_per_tonne, unit } => {
                let (phrase, kilograms) = match unit {
                    PriceUnit::Kilogram => (Word::PerKilogram, 1),
                    PriceUnit::Quintal => (Word::PerQuintal, 100),
                    PriceUnit::Tonne => (Word::PerTonne, 1_000),
                };
                wording.fill(phrase, &wording.price(minor_per_tonne, kilograms, currency))
            }
        }
    }
}

impl Value {
    /// Returns the amount, marked if it is an estimate; empty if it is unknown.
    pub(super) fn text(self, wording: Wording, currency: &Currency) -> String {
        match self {
            Self::Unknown => String::new(),
            Self::Estimate(minor) => wording.fill(Word::EstimateMark, &wording.amount(minor, currency)),
            Self::Final(minor) => wording.amount(minor, currency),
        }
    }

    fn write(self, writer: &mut Writer, currency: &Currency) {
        let wording = writer.wording;
        match self {
            Self::Unknown => {}
            Self::Estimate(minor) => {
                writer.pair(Word::Amount, &wording.amount(minor, currency));
                writer.push(Line::text(wording.word(Word::Estimate)));
            }
            Self::Final(minor) => writer.strong_pair(Word::Amount, &wording.amount(minor, currency)),
        }
    }
}
