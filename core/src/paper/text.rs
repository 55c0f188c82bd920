//! A page as plain text of 32 or 48 columns.

use unicode_width::UnicodeWidthStr;

use super::layout::{Measure, PrintedLine, printed_lines};
use super::model::{Line, Page, PaperWidth, RIGHT_TO_LEFT_MARK, clean, is_right_to_left};
use super::wording::Direction;

/// Begins a text whose direction follows its first letter, apart from what is around it (Unicode's UAX #9).
const FIRST_STRONG_ISOLATE: char = '\u{2068}';
const POP_DIRECTIONAL_ISOLATE: char = '\u{2069}';
/// Measure in columns of a terminal: Unicode's East Asian width, as `unicode-width` computes it.
pub(super) struct Columns;

impl Measure for Columns {
    fn width(&self, text: &str) -> u32 {
        u32::try_from(text.width()).unwrap_or(u32::MAX)
    }
}

/// Returns the page as lines that end with a line feed, none wider than the paper.
///
/// A code is printed as its content, because text has no picture. In a language written from right to left, lines are in reading order, and
/// marks without width tell a screen the direction.
pub fn render(page: &Page, width: PaperWidth) -> String {
    let columns = width.columns();
    let direction = page.wording.language.direction();
    let mut text = String::new();
    let mut add = |line: &Line| {
        for printed in printed_lines(line, columns, &Columns) {
            text += &in_columns(&printed, direction);
            text.push('\n');
        }
    };
    for line in &page.lines {
        match line {
            Line::Rule => add(&Line::text(rule(columns))),
            Line::Blank => add(&Line::text("")),
            Line::Qr { content, .. } => {
                add(&Line::centred(content));
                add(line);
            }
            Line::Signature(_) => {
                for part in ["", "", &place_to_sign(columns)] {
                    add(&Line::text(part));
                }
                add(line);
            }
            Line::Heading(_) | Line::Text { .. } | Line::Pair { .. } | Line::Row { .. } => add(line),
        }
    }
    text
}

/// Returns a line across the paper.
pub(super) fn rule(columns: u32) -> String {
    "-".repeat(usize::try_from(columns).unwrap_or_default())
}

/// Returns a line to sign on.
pub(super) fn place_to_sign(columns: u32) -> String {
    "_".repeat(usize::try_from(columns).unwrap_or_default())
}

/// Returns a printed line in reading order with blanks between its pieces, without blanks at its end.
fn in_columns(line: &PrintedLine, direction: Direction) -> String {
    let mut text = String::new();
    if direction == Direction::RightToLeft {
        text.push(RIGHT_TO_LEFT_MARK);
    }
    for piece in &line.pieces {
        let blanks = piece.offset.saturating_sub(Columns.width(&text));
        text.extend(std::iter::repeat_n(' ', usize::try_from(blanks).unwrap_or_default()));
        if direction == Direction::RightToLeft || piece.text.chars().any(is_right_to_left) {
            text.push(FIRST_STRONG_ISOLATE);
            text += &piece.text;
            text.push(POP_DIRECTIONAL_ISOLATE);
        } else {
            text += &piece.text;
        }
    }
    text.truncate(text.trim_end_matches(' ').len());
    text
}

/// Returns all text of a page, a line for each line of the page and a tab between label and value or cells; for search and for tests.
pub fn plain(page: &Page) -> String {
    let lines = page.lines.iter().map(|line| line.texts().into_iter().map(clean).collect::<Vec<_>>().join("\t"));
    lines.collect::<Vec<_>>().join("\n")
}
