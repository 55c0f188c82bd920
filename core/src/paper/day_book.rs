//! The day book of a clerk: what was recorded on one day.

use super::document::{Heading, Instant, Writer};
use super::model::{Cell, Line, Page};
use super::statement::count;
use super::wording::Wording;
use super::words::Word;
use crate::units::{BusinessDate, Grams};

/// Content of the day book of a clerk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayBook {
    /// Issuer and number of the print.
    pub heading: Heading,
    /// The day.
    pub date: BusinessDate,
    /// When it was made.
    pub made: Instant,
    /// Name of the clerk.
    pub clerk: String,
    /// The deliveries, in the order of recording.
    pub lines: Vec<DayBookLine>,
    /// Number of bags of all lines that are not voided.
    pub bag_count: u32,
    /// Gross weight of all lines that are not voided.
    pub gross: Grams,
    /// Net weight of all lines that are not voided.
    pub net: Grams,
    /// Number of deliveries that only this phone has.
    pub unsent: u32,
}

/// A delivery in a day book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayBookLine {
    /// When it was recorded.
    pub recorded: Instant,
    /// Receipt number.
    pub receipt: String,
    /// Code of the farmer.
    pub farmer: String,
    /// Number of bags.
    pub bag_count: u32,
    /// Gross weight.
    pub gross: Grams,
    /// Net weight.
    pub net: Grams,
    /// Whether it is voided, so that no total contains it.
    pub is_void: bool,
}

impl DayBook {
    /// Returns the day book as a page.
    pub fn page(&self, wording: Wording) -> Page {
        let date = wording.date(self.date);
        let mut writer = Writer::new(wording, Word::DayBook, &date, &self.heading);
        let voided = self.lines.iter().filter(|line| line.is_void).count();
        let deliveries = count(self.lines.len() - voided, wording);
        writer.strong_pair(Word::Date, &date);
        writer.pair(Word::Clerk, &self.clerk);
        writer.pair(Word::Time, &self.made.text(wording));
        writer.push(Line::Rule);
        let head = [Word::Bags, Word::Gross, Word::Net].map(|word| wording.word(word).to_owned());
        writer.push(Line::strong_row(cells(head)));
        for line in &self.lines {
            let time = wording.time_of_day(line.recorded.at, line.recorded.zone_minutes);
            let void = if line.is_void { wording.word(Word::Void) } else { "" };
            writer.push(Line::pair(format!("{time} {} {}", line.receipt, line.farmer), void));
            let figures = [wording.count(line.bag_count), wording.kilograms(line.gross), wording.kilograms(line.net)];
            writer.push(Line::row(cells(figures)));
        }
        writer.push(Line::Rule);
        writer.strong_pair(Word::Deliveries, &deliveries);
        writer.pair(Word::Voided, &count(voided, wording));
        writer.strong_pair(Word::Bags, &wording.count(self.bag_count));
        writer.strong_pair(Word::Gross, &wording.weight(self.gross));
        writer.strong_pair(Word::Net, &wording.weight(self.net));
        writer.pair(Word::Unsent, &wording.count(self.unsent));
        writer.end(&[Word::Clerk], None);
        writer.short(&self.heading.organisation, 5);
        writer.short(date, 0);
        writer.short_pair(Word::Clerk, &self.clerk, 3);
        writer.short_pair(Word::Deliveries, &deliveries, 0);
        writer.short_pair(Word::Voided, &count(voided, wording), 2);
        writer.short_pair(Word::Bags, &wording.count(self.bag_count), 0);
        writer.short_pair(Word::Gross, &wording.weight(self.gross), 0);
        writer.short_pair(Word::Net, &wording.weight(self.net), 0);
        writer.short_pair(Word::Unsent, &wording.count(self.unsent), 4);
        writer.page
    }
}

fn cells([bags, gross, net]: [String; 3]) -> [Cell; 3] {
    [Cell::end(bags, 2), Cell::end(gross, 3), Cell::end(net, 3)]
}
