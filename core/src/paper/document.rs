//! Parts that several papers have.

use super::model::{Line, Page};
use super::wording::{Wording, masked_phone};
use super::words::Word;
use crate::units::{BusinessDate, Timestamp};

/// Who issues a paper, where, and which print of it this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// Name of the organisation.
    pub organisation: String,
    /// Name of the centre.
    pub centre: String,
    /// Which print this is.
    pub copy: CopyNumber,
}

/// Number of a print of one paper: 1 is the original. The caller counts: each print that began takes a number, even one that ended in the
/// middle ([`super::PrintResult::has_used_paper`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CopyNumber(u32);

impl CopyNumber {
    /// The first print.
    pub const ORIGINAL: Self = Self(1);

    /// Returns the number of the next print after `prints` prints of the same paper that have used paper.
    pub fn after(prints: u32) -> Self {
        Self(prints.saturating_add(1))
    }

    /// Returns the number, from 1.
    pub fn number(self) -> u32 {
        self.0
    }

    fn text(self, wording: Wording) -> String {
        if self == Self::ORIGINAL {
            wording.word(Word::Original).to_owned()
        } else {
            wording.fill(Word::CopyNumber, &wording.count(self.0))
        }
    }
}

/// An instant with the zone in which it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instant {
    /// The instant.
    pub at: Timestamp,
    /// Minutes by which the zone is ahead of UTC.
    pub zone_minutes: i16,
}

impl Instant {
    pub(super) fn text(self, wording: Wording) -> String {
        wording.instant(self.at, self.zone_minutes)
    }

    pub(crate) fn date(self) -> BusinessDate {
        self.at.date(self.zone_minutes)
    }
}

/// A farmer as a paper names them. The telephone number is printed masked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FarmerName {
    /// Code of the farmer.
    pub code: String,
    /// Name as it is stored.
    pub name: String,
    /// Telephone number as it is stored, or empty.
    pub phone: String,
}

/// What makes a paper checkable: the content of its QR code, which is a code with a signed digest that the caller made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Content of the QR code, without personal data.
    pub code: String,
    /// Short form of the digest, printed below the code for people without a reader.
    pub digest: String,
}

/// Page of a paper, while it is written.
pub(super) struct Writer {
    pub(super) page: Page,
    pub(super) wording: Wording,
}

impl Writer {
    /// Begins a page with the organisation, the kind of paper, the centre and the number of the copy.
    pub(super) fn new(wording: Wording, kind: Word, number: &str, heading: &Heading) -> Self {
        let mut page = Page::new(wording, format!("{} {number}", wording.word(kind)));
        page.push(Line::Heading(heading.organisation.clone()));
        page.push(Line::notice(wording.word(kind)));
        page.push(Line::centred(heading.copy.text(wording)));
        page.push(Line::Rule);
        let mut writer = Self { page, wording };
        writer.pair(Word::Centre, &heading.centre);
        writer
    }

    pub(super) fn push(&mut self, line: Line) {
        self.page.push(line);
    }

    pub(super) fn pair(&mut self, label: Word, value: &str) {
        self.page.push(Line::pair(self.wording.word(label), value));
    }

    /// Adds a label and its value, unless the value is empty.
    pub(super) fn pair_if_any(&mut self, label: Word, value: &str) {
        if !value.is_empty() {
            self.pair(label, value);
        }
    }

    pub(super) fn strong_pair(&mut self, label: Word, value: &str) {
        self.page.push(Line::strong_pair(self.wording.word(label), value));
    }

    pub(super) fn notice(&mut self, text: &str) {
        self.page.push(Line::notice(text));
    }

    pub(super) fn farmer(&mut self, farmer: &FarmerName) {
        self.pair(Word::FarmerCode, &farmer.code);
        self.pair_if_any(Word::Farmer, &farmer.name);
        self.pair_if_any(Word::Telephone, &masked_phone(&farmer.phone));
    }

    /// Adds the places to sign and the code of the paper.
    pub(super) fn end(&mut self, signers: &[Word], proof: Option<&Proof>) {
        for signer in signers {
            let text = self.wording.fill(Word::SignatureOf, self.wording.word(*signer));
            self.page.push(Line::Signature(text));
        }
        if let Some(proof) = proof {
            self.page.push(Line::centred(self.wording.word(Word::CheckCode)));
            self.page.push(Line::Qr { content: proof.code.clone(), caption: proof.digest.clone() });
        }
    }

    /// Adds a line to the text message of the paper.
    pub(super) fn short(&mut self, text: impl Into<String>, drop_order: u8) {
        self.page.push_short(text, drop_order);
    }

    /// Adds a label and its value to the text message of the paper.
    pub(super) fn short_pair(&mut self, label: Word, value: &str, drop_order: u8) {
        let text = format!("{}: {value}", self.wording.word(label));
        self.page.push_short(text, drop_order);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_print_is_the_original_and_later_ones_are_numbered() {
        let texts = [0, 1, 2].map(|prints| CopyNumber::after(prints).text(Wording::default()));
        assert_eq!(texts, ["Original", "Copy 2", "Copy 3"]);
    }
}
