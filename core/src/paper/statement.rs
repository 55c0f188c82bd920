//! The statement of a farmer: deliveries and advances of a period, as far as the phone knows.

use super::document::{FarmerName, Heading, Instant, Writer};
use super::model::{Cell, Line, Page};
use super::receipt::Value;
use super::wording::Wording;
use super::words::Word;
use crate::units::{BusinessDate, Currency, Grams};

/// Content of a farmer's statement. It is information, not a settlement, and says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Issuer and number of the print.
    pub heading: Heading,
    /// When it was made, which is the time of all balances.
    pub made: Instant,
    /// The farmer.
    pub farmer: FarmerName,
    /// First day.
    pub from: BusinessDate,
    /// Last day.
    pub to: BusinessDate,
    /// The deliveries.
    pub deliveries: Vec<DeliveryLine>,
    /// Number of bags of all deliveries.
    pub bag_count: u32,
    /// Net weight of all deliveries.
    pub net: Grams,
    /// Value of all deliveries.
    pub value: Value,
    /// The advances; `None` if they are not known here.
    pub advances: Option<Advances>,
    /// Currency of all amounts.
    pub currency: Currency,
    /// Name of the clerk who made it.
    pub clerk: String,
}

/// A delivery in a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryLine {
    /// Business date.
    pub date: BusinessDate,
    /// Receipt number.
    pub receipt: String,
    /// Number of bags.
    pub bag_count: u32,
    /// Net weight.
    pub net: Grams,
    /// Value.
    pub value: Value,
}

/// The advances of a farmer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advances {
    /// Each advance.
    pub lines: Vec<AdvanceLine>,
    /// Outstanding of all advances, in minor units.
    pub outstanding_minor: i64,
}

/// An advance in a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvanceLine {
    /// Business date.
    pub date: BusinessDate,
    /// What was given.
    pub kind: AdvanceWord,
    /// Amount given, in minor units.
    pub amount_minor: i64,
    /// Amount outstanding, in minor units.
    pub outstanding_minor: i64,
    /// Days since it was given.
    pub age_days: u32,
}

/// What was given as an advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdvanceWord {
    /// Money.
    Cash,
    /// Money on the spot for a delivery.
    OnAccount,
    /// Goods.
    InKind,
}

impl AdvanceWord {
    fn word(self) -> Word {
        match self {
            Self::Cash => Word::CashAdvance,
            Self::OnAccount => Word::OnAccountAdvance,
            Self::InKind => Word::InKindAdvance,
        }
    }
}

impl Statement {
    /// Returns the statement as a page.
    pub fn page(&self, wording: Wording) -> Page {
        let mut writer = Writer::new(wording, Word::FarmerStatement, &self.farmer.code, &self.heading);
        writer.pair(Word::Time, &self.made.text(wording));
        let period = format!("{} - {}", wording.date(self.from), wording.date(self.to));
        writer.pair(Word::Period, &period);
        writer.farmer(&self.farmer);
        self.write_deliveries(&mut writer);
        if let Some(advances) = self.advances.as_ref().filter(|it| !it.lines.is_empty()) {
            self.write_advances(advances, &mut writer);
        }
        writer.push(Line::Rule);
        writer.notice(wording.word(Word::Information));
        writer.pair(Word::Clerk, &self.clerk);
        writer.end(&[Word::Clerk], None);

        writer.short(&self.heading.organisation, 4);
        writer.short_pair(Word::FarmerCode, &self.farmer.code, 2);
        writer.short(period, 3);
        writer.short_pair(Word::Deliveries, &count(self.deliveries.len(), wording), 0);
        writer.short_pair(Word::Bags, &wording.count(self.bag_count), 0);
        writer.short_pair(Word::Net, &wording.weight(self.net), 0);
        if self.value != Value::Unknown {
            writer.short_pair(Word::Amount, &self.value.text(wording, &self.currency), 0);
        }
        if let Some(advances) = &self.advances {
            let outstanding = wording.amount(advances.outstanding_minor, &self.currency);
            let label = wording.fill(Word::AdvancesOn, &wording.date(self.made.date()));
            writer.short(format!("{label}: {outstanding}"), 0);
        }
        writer.page
    }

    fn write_deliveries(&self, writer: &mut Writer) {
        let wording = writer.wording;
        writer.push(Line::Rule);
        writer.notice(wording.word(Word::Deliveries));
        let cells = |[name, bags, net]: [String; 3]| [Cell::start(name, 5), Cell::end(bags, 2), Cell::end(net, 3)];
        let head = [Word::ReceiptNumber, Word::Bags, Word::InKilograms].map(|word| wording.word(word).to_owned());
        writer.push(Line::strong_row(cells(head)));
        for line in &self.deliveries {
            let name = format!("{} {}", wording.date(line.date), line.receipt);
            writer.push(Line::row(cells([name, wording.count(line.bag_count), wording.kilograms(line.net)])));
            let value = line.value.text(wording, &self.currency);
            if !value.is_empty() {
                writer.push(Line::pair("", value));
            }
        }
        writer.push(Line::strong_row(cells([
            wording.word(Word::Total).to_owned(),
            wording.count(self.bag_count),
            wording.kilograms(self.net),
        ])));
        if self.value != Value::Unknown {
            writer.strong_pair(Word::Amount, &self.value.text(wording, &self.currency));
        }
    }

    fn write_advances(&self, advances: &Advances, writer: &mut Writer) {
        let wording = writer.wording;
        writer.push(Line::Rule);
        writer.notice(wording.word(Word::Advances));
        let cells = |[kind, age, outstanding]: [String; 3]| {
            [Cell::start(kind, 4), Cell::end(age, 2), Cell::end(outstanding, 4)]
        };
        let head = [Word::Kind, Word::AgeDays, Word::Outstanding].map(|word| wording.word(word).to_owned());
        writer.push(Line::strong_row(cells(head)));
        for line in &advances.lines {
            let amount = wording.amount(line.amount_minor, &self.currency);
            writer.push(Line::pair(wording.date(line.date), amount));
            let outstanding = wording.amount(line.outstanding_minor, &self.currency);
            writer.push(Line::row(cells([
                wording.word(line.kind.word()).to_owned(),
                wording.count(line.age_days),
                outstanding,
            ])));
        }
        let label = wording.fill(Word::AdvancesOn, &wording.date(self.made.date()));
        writer.push(Line::strong_pair(label, wording.amount(advances.outstanding_minor, &self.currency)));
    }
}

/// Returns a number of lines as text.
pub(super) fn count(lines: usize, wording: Wording) -> String {
    wording.count(u32::try_from(lines).unwrap_or(u32::MAX))
}
