//! The short form of a page as a text message.
//!
//! Source: 3GPP TS 23.038 (alphabets) and 23.040 (messages of several parts).

use super::PaperError;
use super::model::{Page, clean};

/// A text message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The text, with a line for each line of the page's short form.
    pub text: String,
    /// Alphabet in which it is sent.
    pub alphabet: Alphabet,
    /// Number of parts that are sent and paid for.
    pub parts: usize,
    /// Number of lines that were dropped.
    pub dropped: usize,
}

/// Alphabet of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// The default alphabet of GSM, of 7 bits a character: 160 in one part, 153 in each of several.
    Gsm7,
    /// UCS-2, of 16 bits a character: 70 in one part, 67 in each of several. Needed for Kannada, Devanagari and Arabic.
    Ucs2,
}

/// Characters of the default alphabet that take 7 bits.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Characters that follow an escape and take 14 bits.
const EXTENDED: &str = "\u{c}^{}\\[~]|€";

impl Alphabet {
    /// Returns the alphabet that a text needs.
    pub fn of(text: &str) -> Self {
        let is_gsm = text.chars().all(|c| BASIC.contains(c) || EXTENDED.contains(c));
        if is_gsm { Self::Gsm7 } else { Self::Ucs2 }
    }

    /// Returns the units of a character, none of which may be separated from the other by the end of a part.
    fn units(self, c: char) -> usize {
        match self {
            Self::Gsm7 if EXTENDED.contains(c) => 2,
            Self::Gsm7 => 1,
            Self::Ucs2 => c.len_utf16(),
        }
    }

    /// Returns the units of a single part, and of each of several.
    fn capacity(self) -> (usize, usize) {
        match self {
            Self::Gsm7 => (160, 153),
            Self::Ucs2 => (70, 67),
        }
    }
}

/// Returns the number of parts of a text.
pub fn parts(text: &str) -> usize {
    let alphabet = Alphabet::of(text);
    let (single, several) = alphabet.capacity();
    if text.chars().map(|c| alphabet.units(c)).sum::<usize>() <= single {
        return 1;
    }
    let (mut parts, mut used) = (1, 0);
    for units in text.chars().map(|c| alphabet.units(c)) {
        if used + units > several {
            (parts, used) = (parts + 1, 0);
        }
        used += units;
    }
    parts
}

/// Returns the short form of the page in at most `most_parts` parts. Lines are dropped while it is too long: those with the highest
/// [`super::ShortLine::drop_order`] first, of these the last first; totals have 0 and are never dropped.
///
/// # Errors
/// [`PaperError::MessageTooLong`] if the other lines need more parts.
pub fn render(page: &Page, most_parts: usize) -> Result<Message, PaperError> {
    let mut lines: Vec<(u8, String)> = page.short.iter().map(|line| (line.drop_order, clean(&line.text))).collect();
    let all = lines.len();
    loop {
        let text = lines.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n");
        let needed = parts(&text);
        if needed <= most_parts {
            return Ok(Message { alphabet: Alphabet::of(&text), parts: needed, dropped: all - lines.len(), text });
        }
        let droppable = lines.iter().enumerate().filter(|(_, (order, _))| *order > 0);
        match droppable.max_by_key(|(index, (order, _))| (*order, *index)).map(|(index, _)| index) {
            Some(index) => drop(lines.remove(index)),
            None => return Err(PaperError::MessageTooLong { needed }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::ShortLine;
    use super::super::wording::Wording;
    use super::*;

    #[test]
    fn parts_are_counted_as_networks_count_them() {
        for (text, expected) in [
            (String::new(), 1),
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            // An escape and its character are not separated: 76 in each part, not 76.5.
            ("€".repeat(152), 2),
            ("€".repeat(153), 3),
            ("ಕ".repeat(70), 1),
            ("ಕ".repeat(71), 2),
            ("ಕ".repeat(134), 2),
            ("ಕ".repeat(135), 3),
            // Two units each: 33 in a part of 67.
            ("😀".repeat(35), 1),
            ("😀".repeat(66), 2),
            ("😀".repeat(67), 3),
        ] {
            assert_eq!(parts(&text), expected, "{} of {:?}", text.chars().count(), text.chars().next());
        }
    }

    #[test]
    fn the_least_important_lines_are_dropped_and_totals_are_kept() {
        let mut page = Page::new(Wording::default(), "test");
        let line = |letter: &str, drop_order| ShortLine { text: letter.repeat(60), drop_order };
        page.short = vec![line("a", 2), line("b", 0), line("c", 3), line("d", 1), line("e", 0)];
        let letters = |most| {
            let message = render(&page, most).expect("it fits");
            let kept: String = message.text.lines().filter_map(|line| line.chars().next()).collect();
            (kept, message.parts, message.dropped)
        };
        assert_eq!(
            [1, 2, 3].map(letters),
            [("be".to_owned(), 1, 3), ("abcde".to_owned(), 2, 0), ("abcde".to_owned(), 2, 0)]
        );
        page.short.iter_mut().for_each(|line| line.drop_order = 0);
        assert_eq!(render(&page, 1), Err(PaperError::MessageTooLong { needed: 2 }));
    }
}
