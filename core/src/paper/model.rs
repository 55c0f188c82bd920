//! The neutral lines of a page: what is printed in which order, without codes of a printer or a page format.

use super::wording::Wording;
use crate::text::printable;

/// A paper as lines in the reader's language. Each form ([`super::text`], [`super::escpos`], …) takes any page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Language and digits in which the lines are written.
    pub wording: Wording,
    /// Title of the document, such as the name of a file; printed only where a form has a place for it.
    pub title: String,
    /// Lines from top to bottom.
    pub lines: Vec<Line>,
    /// The same in short, for a text message.
    pub short: Vec<ShortLine>,
}

/// One line of a page, which may take several lines on narrow paper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A centred, large line.
    Heading(String),
    /// A paragraph.
    Text {
        /// The text.
        text: String,
        /// Where it is on the line.
        align: Align,
        /// Whether it is printed bold.
        is_strong: bool,
    },
    /// A label at the start of the line and its value at the end.
    Pair {
        /// The label.
        label: String,
        /// The value.
        value: String,
        /// Whether both are printed bold.
        is_strong: bool,
    },
    /// A row of a table.
    Row {
        /// The cells in reading order.
        cells: Vec<Cell>,
        /// Whether they are printed bold, as those of a head or total.
        is_strong: bool,
    },
    /// A line across the paper.
    Rule,
    /// A QR code.
    Qr {
        /// Content of the code, without personal data.
        content: String,
        /// Text below it.
        caption: String,
    },
    /// A place to sign.
    Signature(String),
    /// An empty line.
    Blank,
}

/// A cell of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The text.
    pub text: String,
    /// Width as a share of the sum of all shares of the row.
    pub share: u16,
    /// Where the text is in the cell.
    pub align: Align,
}

/// Place of a text between the edges of its line or cell. Start is left in languages written from left to right, else right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// At the edge where reading begins.
    Start,
    /// In the middle.
    Centre,
    /// At the edge where reading ends.
    End,
}

/// A line of a text message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShortLine {
    /// The text.
    pub text: String,
    /// Order in which lines are dropped when the message is too long: the highest first, and 0 never.
    pub drop_order: u8,
}

/// Width of a receipt printer's paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaperWidth {
    /// Paper of 58 mm: 32 columns, 384 dots.
    Mm58,
    /// Paper of 80 mm: 48 columns, 576 dots.
    Mm80,
}

impl PaperWidth {
    /// Returns the number of characters of twelve dots on a line.
    pub fn columns(self) -> u32 {
        match self {
            Self::Mm58 => 32,
            Self::Mm80 => 48,
        }
    }

    /// Returns the number of dots on a line, at eight a millimetre.
    pub fn dots(self) -> u32 {
        self.columns() * 12
    }
}

impl Line {
    /// Returns a plain paragraph.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), align: Align::Start, is_strong: false }
    }

    /// Returns a bold paragraph in the middle.
    pub fn notice(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), align: Align::Centre, is_strong: true }
    }

    /// Returns a paragraph in the middle.
    pub fn centred(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), align: Align::Centre, is_strong: false }
    }

    /// Returns a label with its value.
    pub fn pair(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self::Pair { label: label.into(), value: value.into(), is_strong: false }
    }

    /// Returns a label with its value, in bold.
    pub fn strong_pair(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self::Pair { label: label.into(), value: value.into(), is_strong: true }
    }

    /// Returns a row of a table.
    pub fn row(cells: impl IntoIterator<Item = Cell>) -> Self {
        Self::Row { cells: cells.into_iter().collect(), is_strong: false }
    }

    /// Returns a row of a table, in bold.
    pub fn strong_row(cells: impl IntoIterator<Item = Cell>) -> Self {
        Self::Row { cells: cells.into_iter().collect(), is_strong: true }
    }

    /// Returns the texts of the line in reading order.
    pub(super) fn texts(&self) -> Vec<&str> {
        match self {
            Self::Heading(text) | Self::Text { text, .. } | Self::Signature(text) | Self::Qr { caption: text, .. } => {
                vec![text]
            }
            Self::Pair { label, value, .. } => vec![label, value],
            Self::Row { cells, .. } => cells.iter().map(|cell| cell.text.as_str()).collect(),
            Self::Rule | Self::Blank => Vec::new(),
        }
    }

    /// Returns whether the line is printed bold.
    pub(super) fn is_strong(&self) -> bool {
        match self {
            Self::Heading(_) => true,
            Self::Text { is_strong, .. } | Self::Pair { is_strong, .. } | Self::Row { is_strong, .. } => *is_strong,
            Self::Rule | Self::Qr { .. } | Self::Signature(_) | Self::Blank => false,
        }
    }
}

impl Cell {
    /// Returns a cell whose text is at its start.
    pub fn start(text: impl Into<String>, share: u16) -> Self {
        Self { text: text.into(), share, align: Align::Start }
    }

    /// Returns a cell whose text is at its end, as numbers are.
    pub fn end(text: impl Into<String>, share: u16) -> Self {
        Self { text: text.into(), share, align: Align::End }
    }
}

impl Page {
    /// Returns an empty page.
    pub fn new(wording: Wording, title: impl Into<String>) -> Self {
        Self { wording, title: title.into(), lines: Vec::new(), short: Vec::new() }
    }

    /// Adds a line.
    pub fn push(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// Adds a line to the text message; see [`ShortLine::drop_order`].
    pub fn push_short(&mut self, text: impl Into<String>, drop_order: u8) {
        self.short.push(ShortLine { text: text.into(), drop_order });
    }
}

/// Before a number: it is written from left to right with its sign, also between letters written from right to left.
pub(super) const LEFT_TO_RIGHT_MARK: char = '\u{200e}';
/// Before a text: it is written from right to left, also if it begins with a number.
pub(super) const RIGHT_TO_LEFT_MARK: char = '\u{200f}';

/// Returns a text as it is printed: without control characters and characters that change the direction, with one blank for each space.
/// The two marks of direction stay, because they have no effect beyond the text, which is always placed apart from others.
pub(super) fn clean(text: &str) -> String {
    let is_mark = |c: char| matches!(c, LEFT_TO_RIGHT_MARK | RIGHT_TO_LEFT_MARK);
    let mut cleaned = String::new();
    for part in text.split_inclusive(is_mark) {
        cleaned.extend(printable(part).chars().map(|c| if c.is_whitespace() { ' ' } else { c }));
        cleaned.extend(part.chars().next_back().filter(|c| is_mark(*c)));
    }
    cleaned
}

/// Returns whether a character is a letter of a script written from right to left (Unicode's blocks with bidirectional class R or AL).
pub(super) fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
        && (c.is_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_bring_commands_of_a_printer_or_turn_the_line() {
        assert_eq!(clean("\u{200f}\u{200e}-4.5"), "\u{200f}\u{200e}-4.5");
        assert_eq!(clean("Lakshmi\u{1b}@\u{202e}Devi\u{2066}\u{a0}\u{3000}K"), "Lakshmi\u{fffd}@Devi  K");
    }

    #[test]
    fn arabic_letters_are_written_from_right_to_left_and_digits_are_not() {
        assert!("لا".chars().all(is_right_to_left));
        assert!(!"62.4 A ಕ क ٣".chars().any(is_right_to_left));
    }
}
