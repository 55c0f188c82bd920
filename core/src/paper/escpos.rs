//! A page as commands of a receipt printer.
//!
//! Source: Epson, *ESC/POS Command Reference*. Used are `ESC @`, `FS .`, `ESC t`, `ESC E`, `GS !`, `ESC a`, `ESC d`, `GS v 0`, `GS ( k`
//! and `GS V`, which cheap printers have too.
//!
//! A line whose characters are all in the printer's code page is sent as text. Any other line is drawn in the whole width of the paper and
//! sent as a picture, so that no printer needs to know Kannada, Devanagari or Arabic.

use super::PaperError;
use super::layout::{Measure, printed_lines};
use super::model::{Line, Page, PaperWidth, clean};
use super::qr;
use super::raster::{Bitmap, Placement, TextDrawing};
use super::text::{Columns, place_to_sign, rule};
use super::wording::Direction;

/// What a printer can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrinterProfile {
    /// Width of its paper.
    pub width: PaperWidth,
    /// Characters that it has.
    pub code_page: CodePage,
    /// Whether it draws QR codes by itself (`GS ( k`); otherwise they are sent as pictures.
    pub has_qr: bool,
    /// Whether it cuts the paper.
    pub cuts: bool,
}

/// Characters of a printer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodePage {
    /// ASCII only, which every printer has.
    Ascii,
    /// Windows-1252, which has the letters of Western Europe, as table 16 (Epson's `WPC1252`).
    Windows1252,
}

/// Commands of a page, cut where a printer may be asked for its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Commands that prepare the printer and print nothing.
    pub start: Vec<u8>,
    /// Commands of each line of the page.
    pub lines: Vec<Vec<u8>>,
    /// Commands that feed and cut the paper.
    pub end: Vec<u8>,
}

impl Job {
    /// Returns all commands in their order.
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.start.as_slice(), &self.lines.concat(), &self.end].concat()
    }
}

/// Windows-1252 from 0x80 to 0x9F; U+FFFD where it has no character. From 0xA0 it is Latin-1.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{fffd}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{fffd}', 'Ž', '\u{fffd}', '\u{fffd}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{fffd}', 'ž', 'Ÿ',
];

/// Dots for each em of drawn text: about as large as the printer's own font A of 12 by 24 dots.
const TEXT_SIZE: u32 = 24;
const HEADING_SIZE: u32 = 32;
/// Dots kept free at both edges, because letters may reach beyond their width.
const OVERHANG: u32 = 2;
/// White rows below a drawn line.
const LEADING: u32 = 4;
/// Largest width of a module of a QR code, in dots: 0.75 mm.
const LARGEST_MODULE: u32 = 6;
/// Rows of one `GS v 0`; cheap printers have room for few kilobytes.
const ROWS_AT_ONCE: usize = 120;

impl CodePage {
    fn byte(self, c: char) -> Option<u8> {
        match c {
            ' '..='~' => u8::try_from(c).ok(),
            _ if self == Self::Ascii || c == '\u{fffd}' => None,
            '\u{a0}'..='\u{ff}' => u8::try_from(c).ok(),
            _ => {
                let index = WINDOWS_1252.iter().position(|known| *known == c)?;
                u8::try_from(index).ok()?.checked_add(0x80)
            }
        }
    }

    /// Returns the first character of a text that the printer does not have.
    fn missing(self, text: &str) -> Option<char> {
        text.chars().find(|c| self.byte(*c).is_none())
    }
}

/// Returns the page as commands for a printer. `drawing` draws the lines for which the printer has no characters.
///
/// # Errors
/// [`PaperError::NeedsFonts`] without `drawing` if there is such a line, [`PaperError::QrTooLong`].
pub fn render(page: &Page, profile: &PrinterProfile, drawing: Option<&dyn TextDrawing>) -> Result<Job, PaperError> {
    let encoder = Encoder { profile, drawing, direction: page.wording.language.direction() };
    let mut start = b"\x1b@".to_vec();
    if profile.code_page == CodePage::Windows1252 {
        // No Chinese characters of two bytes, which many printers sold in Asia begin with; then table 16.
        start.extend(b"\x1c.\x1bt\x10");
    }
    let lines = page.lines.iter().map(|line| encoder.line(line)).collect::<Result<_, _>>()?;
    let mut end = b"\x1bd\x04".to_vec();
    if profile.cuts {
        // Feeds to the cutter and cuts all but one point.
        end.extend(b"\x1dVB\x00");
    }
    Ok(Job { start, lines, end })
}

struct Encoder<'a> {
    profile: &'a PrinterProfile,
    drawing: Option<&'a dyn TextDrawing>,
    direction: Direction,
}

/// Measure in dots of drawn text.
struct Dots<'a> {
    drawing: &'a dyn TextDrawing,
    size: u32,
}

impl Measure for Dots<'_> {
    fn width(&self, text: &str) -> u32 {
        self.drawing.width(text, self.size)
    }
}

impl Encoder<'_> {
    fn line(&self, line: &Line) -> Result<Vec<u8>, PaperError> {
        let columns = self.profile.width.columns();
        Ok(match line {
            Line::Rule => format!("{}\n", rule(columns)).into_bytes(),
            Line::Blank => b"\n".to_vec(),
            Line::Qr { content, .. } => [self.qr(content)?, self.texts(line)?].concat(),
            Line::Signature(_) => {
                let place = format!("\n\n\n{}\n", place_to_sign(columns));
                [place.into_bytes(), self.texts(line)?].concat()
            }
            Line::Heading(_) | Line::Text { .. } | Line::Pair { .. } | Line::Row { .. } => self.texts(line)?,
        })
    }

    /// Returns the commands of the line's texts: as text, or as a picture if the printer does not have all their characters.
    fn texts(&self, line: &Line) -> Result<Vec<u8>, PaperError> {
        let missing = line.texts().into_iter().find_map(|text| self.profile.code_page.missing(&clean(text)));
        match (missing, self.drawing) {
            (None, _) => Ok(self.as_text(line)),
            (Some(_), Some(drawing)) => Ok(self.as_picture(line, drawing)),
            (Some(character), None) => Err(PaperError::NeedsFonts { character }),
        }
    }

    fn as_text(&self, line: &Line) -> Vec<u8> {
        let columns = self.profile.width.columns();
        let mut bytes = Vec::new();
        if line.is_strong() {
            bytes.extend(b"\x1bE\x01");
        }
        let is_heading = matches!(line, Line::Heading(_));
        if is_heading {
            // Twice as high.
            bytes.extend(b"\x1d!\x01");
        }
        for printed in printed_lines(line, columns, &Columns) {
            let mut column = 0;
            for (left, text) in printed.left_to_right(columns, self.direction) {
                bytes.extend((column..left).map(|_| b' '));
                bytes.extend(text.chars().map(|c| self.profile.code_page.byte(c).unwrap_or(b'?')));
                column = left.max(column) + Columns.width(text);
            }
            bytes.push(b'\n');
        }
        if is_heading {
            bytes.extend(b"\x1d!\x00");
        }
        if line.is_strong() {
            bytes.extend(b"\x1bE\x00");
        }
        bytes
    }

    fn as_picture(&self, line: &Line, drawing: &dyn TextDrawing) -> Vec<u8> {
        let size = if matches!(line, Line::Heading(_)) { HEADING_SIZE } else { TEXT_SIZE };
        let width = self.profile.width.dots() - 2 * OVERHANG;
        let mut bytes = Vec::new();
        for printed in printed_lines(line, width, &Dots { drawing, size }) {
            // High enough for marks above and below; the rows that they do not need are removed.
            let baseline = 2 * size;
            let mut bitmap = Bitmap::new(self.profile.width.dots(), 4 * size);
            for (left, text) in printed.left_to_right(width, self.direction) {
                let placement = Placement { left: left + OVERHANG, baseline, size, is_strong: line.is_strong() };
                drawing.draw(text, placement, &mut bitmap);
            }
            bitmap.trim_rows(baseline - size * 3 / 4, baseline + size / 4 + LEADING);
            bytes.extend(raster(&bitmap));
        }
        bytes
    }

    fn qr(&self, content: &str) -> Result<Vec<u8>, PaperError> {
        let code = qr::code(content)?;
        let width = self.profile.width.dots();
        let module = (width / code.width()).clamp(1, LARGEST_MODULE);
        if !self.profile.has_qr {
            let mut bitmap = Bitmap::new(width, code.height() * module);
            bitmap.draw_scaled(&code, width.saturating_sub(code.width() * module) / 2, 0, module);
            return Ok(raster(&bitmap));
        }
        let module = u8::try_from(module).unwrap_or(1);
        let stored =
            u16::try_from(content.len() + 3).map_err(|_over| PaperError::QrTooLong { bytes: content.len() })?;
        let [low, high] = stored.to_le_bytes();
        let mut bytes = b"\x1ba\x01".to_vec();
        // Model 2; width of a module; correction level M.
        bytes.extend(b"\x1d(k\x04\x001A2\x00");
        bytes.extend([0x1d, b'(', b'k', 3, 0, b'1', b'C', module]);
        bytes.extend(b"\x1d(k\x03\x001E1");
        bytes.extend([0x1d, b'(', b'k', low, high, b'1', b'P', b'0']);
        bytes.extend(content.as_bytes());
        bytes.extend(b"\x1d(k\x03\x001Q0\n\x1ba\x00");
        Ok(bytes)
    }
}

/// Returns the commands that print a picture at the left edge, in bands.
fn raster(bitmap: &Bitmap) -> Vec<u8> {
    let rows: Vec<&[u8]> = bitmap.rows().collect();
    let width = u16::try_from(bitmap.width().div_ceil(8)).unwrap_or(u16::MAX).to_le_bytes();
    let mut bytes = Vec::new();
    for band in rows.chunks(ROWS_AT_ONCE) {
        let height = u16::try_from(band.len()).unwrap_or(u16::MAX).to_le_bytes();
        bytes.extend(b"\x1dv0\x00");
        bytes.extend(width);
        bytes.extend(height);
        bytes.extend(band.concat());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::wording::Wording;
    use super::*;

    const PRINTER: PrinterProfile =
        PrinterProfile { width: PaperWidth::Mm58, code_page: CodePage::Windows1252, has_qr: true, cuts: true };

    fn page(line: Line) -> Page {
        let mut page = Page::new(Wording::default(), "test");
        page.push(line);
        page
    }

    #[test]
    fn a_code_page_has_its_characters_and_no_others() {
        let byte = |c| (CodePage::Ascii.byte(c), CodePage::Windows1252.byte(c));
        for (c, expected) in [
            ('A', (Some(0x41), Some(0x41))),
            ('é', (None, Some(0xe9))),
            ('€', (None, Some(0x80))),
            ('Ÿ', (None, Some(0x9f))),
            ('\u{81}', (None, None)),
            ('\u{fffd}', (None, None)),
            ('\u{1b}', (None, None)),
            ('\u{7f}', (None, None)),
            ('ಕ', (None, None)),
        ] {
            assert_eq!(byte(c), expected, "{c:?}");
        }
    }

    #[test]
    fn a_line_beyond_the_code_page_needs_fonts() {
        let error = render(&page(Line::text("Name: ಲಕ್ಷ್ಮಿ")), &PRINTER, None).expect_err("no fonts");
        assert_eq!(error, PaperError::NeedsFonts { character: 'ಲ' });
        let job = render(&page(Line::text("Adé")), &PRINTER, None).expect("it is in the code page");
        assert_eq!(job.lines, [b"Ad\xe9\n"]);
    }

    #[test]
    fn a_code_of_the_largest_content_fits_and_a_longer_one_is_refused() {
        let most = crate::limits::MAX_PRINTED_CODE;
        for (bytes, fits) in [(most - 1, true), (most, true), (most + 1, false)] {
            let line = Line::Qr { content: "a".repeat(bytes), caption: String::new() };
            for has_qr in [true, false] {
                let job = render(&page(line.clone()), &PrinterProfile { has_qr, ..PRINTER }, None);
                assert_eq!(job.err(), (!fits).then_some(PaperError::QrTooLong { bytes }));
            }
        }
    }
}
