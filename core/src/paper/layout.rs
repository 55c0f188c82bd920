//! Places of texts on lines of a given width, in columns, dots or points alike.

use unicode_normalization::char::canonical_combining_class;
use unicode_segmentation::UnicodeSegmentation;

use super::model::{Align, Cell, Line, clean};
use super::wording::Direction;

/// A way to measure texts, in the unit of a form: columns, dots, or hundredths of a point.
pub(super) trait Measure {
    /// Returns the width of a text.
    fn width(&self, text: &str) -> u32;
}

/// One printed line: pieces of text in reading order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PrintedLine {
    pub(super) pieces: Vec<Piece>,
}

/// A text with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) text: String,
    /// Distance from the edge at which reading begins.
    pub(super) offset: u32,
    pub(super) width: u32,
}

impl PrintedLine {
    /// Returns the pieces from left to right, each with the distance from the left edge of paper of a width.
    pub(super) fn left_to_right(&self, width: u32, direction: Direction) -> Vec<(u32, &str)> {
        let left = |piece: &Piece| match direction {
            Direction::LeftToRight => piece.offset,
            Direction::RightToLeft => width.saturating_sub(piece.offset + piece.width),
        };
        let mut pieces: Vec<(u32, &str)> = self.pieces.iter().map(|piece| (left(piece), piece.text.as_str())).collect();
        pieces.sort_by_key(|(left, _)| *left);
        pieces
    }
}

/// Returns the printed lines of a line with text: a heading, paragraph, pair, row, or the caption of a code or signature. No piece ends
/// beyond `width`, and pieces do not overlap.
pub(super) fn printed_lines(line: &Line, width: u32, measure: &dyn Measure) -> Vec<PrintedLine> {
    match line {
        Line::Heading(text) | Line::Qr { caption: text, .. } => paragraph(text, Align::Centre, width, measure),
        Line::Text { text, align, .. } => paragraph(text, *align, width, measure),
        Line::Signature(text) => paragraph(text, Align::Start, width, measure),
        Line::Pair { label, value, .. } => pair(label, value, width, measure),
        Line::Row { cells, .. } => row(cells, width, measure),
        Line::Rule | Line::Blank => Vec::new(),
    }
}

fn paragraph(text: &str, align: Align, width: u32, measure: &dyn Measure) -> Vec<PrintedLine> {
    let lines = wrapped(text, width, measure).into_iter();
    lines.map(|text| PrintedLine { pieces: vec![placed(text, align, 0, width, measure)] }).collect()
}

/// Places a text that is no wider than `width` in a cell that begins at `start`.
fn placed(text: String, align: Align, start: u32, width: u32, measure: &dyn Measure) -> Piece {
    let text_width = measure.width(&text);
    let free = width.saturating_sub(text_width);
    let offset = start
        + match align {
            Align::Start => 0,
            Align::Centre => free / 2,
            Align::End => free,
        };
    Piece { text, offset, width: text_width }
}

/// Places the label at the start and the value at the end: on one line if both fit, else the value begins on the label's last line if it
/// fits there, or below it.
fn pair(label: &str, value: &str, width: u32, measure: &dyn Measure) -> Vec<PrintedLine> {
    let gap = measure.width(" ").max(1);
    let mut lines = paragraph(label, Align::Start, width, measure);
    let mut values = paragraph(value, Align::End, width, measure).into_iter().peekable();
    if let (Some(last), Some(first)) = (lines.last_mut(), values.peek()) {
        let used: u32 = last.pieces.iter().map(|piece| piece.offset + piece.width + gap).max().unwrap_or(0);
        if first.pieces.iter().all(|piece| piece.offset >= used) {
            last.pieces.extend(values.next().into_iter().flat_map(|line| line.pieces));
        }
    }
    lines.extend(values);
    lines
}

/// Places each cell in its share of the width, with a gap between two.
fn row(cells: &[Cell], width: u32, measure: &dyn Measure) -> Vec<PrintedLine> {
    let between = u32::try_from(cells.len()).unwrap_or(u32::MAX).saturating_sub(1);
    let gap = measure.width(" ").max(1);
    // More cells than the paper has columns.
    let gap = if gap.saturating_mul(between) < width { gap } else { 0 };
    let shares = cells.iter().map(|cell| u64::from(cell.share)).sum::<u64>().max(1);
    let free = u64::from(width - gap * between);
    let mut lines: Vec<PrintedLine> = Vec::new();
    let (mut before, mut index) = (0_u64, 0_u32);
    for cell in cells {
        let end = before + u64::from(cell.share);
        let at = |shares_before: u64| u32::try_from(free * shares_before / shares).unwrap_or(u32::MAX);
        let (start, cell_width) = (at(before) + gap * index, at(end) - at(before));
        for (row, text) in wrapped(&cell.text, cell_width, measure).into_iter().enumerate() {
            if lines.len() <= row {
                lines.resize_with(row + 1, PrintedLine::default);
            }
            if let Some(line) = lines.get_mut(row) {
                line.pieces.push(placed(text, cell.align, start, cell_width, measure));
            }
        }
        (before, index) = (end, index + 1);
    }
    lines
}

/// Cuts a text into lines: between words, else between syllables, else between code points. A code point that is
/// wider than the line is printed as `?`. Returns one empty line for an empty text.
fn wrapped(text: &str, width: u32, measure: &dyn Measure) -> Vec<String> {
    let fits = |text: &str| measure.width(text) <= width;
    let text = clean(text);
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if fits(&longer) {
            line = longer;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        let mut parts = if fits(word) { vec![word.to_owned()] } else { cut(word, &fits) };
        line = parts.pop().unwrap_or_default();
        lines.extend(parts);
    }
    lines.push(line);
    lines
}

/// Cuts a word that does not fit into parts that do.
fn cut(word: &str, fits: &dyn Fn(&str) -> bool) -> Vec<String> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let mut add = |unit: &str| {
        let longer = format!("{part}{unit}");
        if fits(&longer) {
            part = longer;
        } else {
            parts.push(std::mem::replace(&mut part, unit.to_owned()));
        }
    };
    for syllable in syllables(word) {
        if fits(&syllable) {
            add(&syllable);
            continue;
        }
        for c in syllable.chars() {
            let c = c.to_string();
            let shown = if fits(&c) { &c } else { "?" };
            if fits(shown) {
                add(shown);
            }
        }
    }
    parts.push(part);
    parts.retain(|part| !part.is_empty());
    parts
}

/// Returns the characters that people see; consonants that a sign without vowel joins stay together.
fn syllables(word: &str) -> Vec<String> {
    let mut syllables: Vec<String> = Vec::new();
    for grapheme in word.graphemes(true) {
        match syllables.last_mut() {
            Some(last) if last.chars().next_back().is_some_and(|c| canonical_combining_class(c) == VIRAMA) => {
                *last += grapheme;
            }
            _ => syllables.push(grapheme.to_owned()),
        }
    }
    syllables
}

/// Canonical combining class of the sign that removes a consonant's vowel.
const VIRAMA: u8 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    /// A measure of one unit for each character.
    struct Characters;

    impl Measure for Characters {
        fn width(&self, text: &str) -> u32 {
            u32::try_from(text.chars().count()).expect("short")
        }
    }

    /// The printed lines as text, with blanks between the pieces.
    fn printed(line: &Line, width: u32) -> Vec<String> {
        let compose = |line: PrintedLine| {
            let mut text = String::new();
            for piece in line.pieces {
                text += &" ".repeat(piece.offset as usize - text.chars().count());
                text += &piece.text;
            }
            text
        };
        printed_lines(line, width, &Characters).into_iter().map(compose).collect()
    }

    #[test]
    fn paragraphs_break_between_words_and_long_words_anywhere() {
        assert_eq!(printed(&Line::text("twenty bags of maize"), 11), ["twenty bags", "of maize"]);
        assert_eq!(printed(&Line::text("a KOLAR-10-17-C"), 5), ["a", "KOLAR", "-10-1", "7-C"]);
        assert_eq!(printed(&Line::text(""), 5), [""]);
        assert_eq!(printed(&Line::centred("maize"), 10), ["  maize"]);
        // A character that people see stays whole while it fits.
        assert_eq!(printed(&Line::text("aಕ್ಷಿb"), 4), ["a", "ಕ್ಷಿ", "b"].map(String::from));
    }

    #[test]
    fn a_value_is_beside_its_label_or_below_it() {
        assert_eq!(printed(&Line::pair("Bags", "20"), 10), ["Bags    20"]);
        assert_eq!(printed(&Line::pair("Net weight", "12.0 kg"), 12), ["Net weight", "     12.0 kg"]);
        assert_eq!(printed(&Line::pair("Net weight of all", "12.0 kg"), 15), ["Net weight of", "all     12.0 kg"]);
    }

    #[test]
    fn cells_stay_in_their_share_of_the_width() {
        let cells = || [Cell::start("KOLAR-10-17-C", 2), Cell::end("20", 1), Cell::end("1240.0", 2)];
        assert_eq!(printed(&Line::row(cells()), 27), ["KOLAR-10-1    20     1240.0", "7-C"]);
        assert_eq!(printed(&Line::row(cells()), 0), Vec::<String>::from([String::new()]));
    }
}
