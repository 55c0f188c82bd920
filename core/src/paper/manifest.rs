//! The manifest of a load.

use super::document::{Heading, Instant, Proof, Writer};
use super::model::{Cell, Line, Page};
use super::wording::Wording;
use super::words::Word;
use crate::units::Grams;

/// Content of the manifest that travels with a lorry. It names farmers by their codes only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Issuer and number of the print.
    pub heading: Heading,
    /// Number of the load.
    pub load: String,
    /// Version of the manifest, from 1.
    pub version: u32,
    /// When closing was requested.
    pub closed: Instant,
    /// Plate of the lorry.
    pub lorry: String,
    /// Name of the driver, or empty.
    pub driver: String,
    /// Where the load goes, or empty.
    pub destination: String,
    /// Numbers of the seals.
    pub seals: Vec<String>,
    /// Name of the clerk who closed it.
    pub clerk: String,
    /// The deliveries, or parts of deliveries.
    pub lines: Vec<ManifestLine>,
    /// Number of bags of all lines.
    pub bag_count: u32,
    /// Gross weight of all lines.
    pub gross: Grams,
    /// Code with the signed digest of the manifest.
    pub proof: Option<Proof>,
}

/// A delivery, or a part of one, on a load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestLine {
    /// Receipt number.
    pub receipt: String,
    /// Code of the farmer.
    pub farmer: String,
    /// Whether the rest of the delivery is not on this load.
    pub is_part: bool,
    /// Number of bags on this load.
    pub bag_count: u32,
    /// Their gross weight.
    pub gross: Grams,
}

impl Manifest {
    /// Returns the manifest as a page.
    pub fn page(&self, wording: Wording) -> Page {
        let mut writer = Writer::new(wording, Word::LoadManifest, &self.load, &self.heading);
        writer.strong_pair(Word::Load, &self.load);
        writer.pair(Word::Version, &wording.count(self.version));
        writer.pair(Word::Time, &self.closed.text(wording));
        writer.strong_pair(Word::Lorry, &self.lorry);
        writer.pair_if_any(Word::Driver, &self.driver);
        writer.pair_if_any(Word::Destination, &self.destination);
        writer.pair_if_any(Word::Seals, &self.seals.join(", "));
        writer.pair(Word::Clerk, &self.clerk);
        writer.push(Line::Rule);
        let head = [Word::ReceiptNumber, Word::Bags, Word::InKilograms].map(|word| wording.word(word).to_owned());
        writer.push(Line::strong_row(cells(head)));
        for line in &self.lines {
            let bags = wording.count(line.bag_count);
            writer.push(Line::row(cells([line.receipt.clone(), bags, wording.kilograms(line.gross)])));
            let part = if line.is_part { wording.word(Word::Part) } else { "" };
            writer.push(Line::text([&line.farmer, part].join(" ").trim()));
        }
        writer.push(Line::Rule);
        let deliveries = wording.count(u32::try_from(self.lines.len()).unwrap_or(u32::MAX));
        writer.strong_pair(Word::Deliveries, &deliveries);
        writer.strong_pair(Word::Bags, &wording.count(self.bag_count));
        writer.strong_pair(Word::Gross, &wording.weight(self.gross));
        writer.end(&[Word::Clerk, Word::Driver, Word::Receiver], self.proof.as_ref());
        writer.short(&self.heading.organisation, 4);
        writer.short_pair(Word::Load, &self.load, 0);
        writer.short_pair(Word::Version, &wording.count(self.version), 2);
        writer.short_pair(Word::Lorry, &self.lorry, 0);
        writer.short_pair(Word::Destination, &self.destination, 3);
        writer.short_pair(Word::Deliveries, &deliveries, 0);
        writer.short_pair(Word::Bags, &wording.count(self.bag_count), 0);
        writer.short_pair(Word::Gross, &wording.weight(self.gross), 0);
        writer.page
    }
}

fn cells([name, bags, gross]: [String; 3]) -> [Cell; 3] {
    [Cell::start(name, 5), Cell::end(bags, 2), Cell::end(gross, 3)]
}
