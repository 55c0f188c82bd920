//! A page as a PDF file of one or more sheets. Source: ISO 32000-1.
//!
//! Only the used glyphs of the fonts are embedded. Text can be searched and copied: of the glyphs that together show some characters, one is
//! text and carries the characters (`ToUnicode`), and the others, such as dots of Arabic letters and signs of Kannada, are drawn as shapes.
//! (`ActualText` is an alternative, but programs differ in the order in which they read it in Arabic.)

mod font;

use pdf_writer::types::{Direction as ReadingDirection, TextRenderingMode};
use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str, TextStr};

use self::font::{Cid, UsedFonts, deflated};
use super::PaperError;
use super::layout::{Measure, printed_lines};
use super::model::{Line, Page};
use super::qr;
use super::shape::{Fonts, Glyph, scaled};
use super::wording::{Direction, Wording};

/// Size of the sheets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sheet {
    /// 210 by 297 mm.
    A4,
    /// 148 by 210 mm.
    A5,
}

/// Lengths in hundredths of a point (1/7,200 inch).
struct Sizes {
    width: u32,
    height: u32,
    margin: u32,
    text: u32,
}

impl Sheet {
    fn sizes(self) -> Sizes {
        match self {
            Self::A4 => Sizes { width: 59_528, height: 84_189, margin: 5_000, text: 1_000 },
            Self::A5 => Sizes { width: 41_953, height: 59_528, margin: 3_400, text: 900 },
        }
    }
}

/// Side of a QR code, with its margin: 35 mm.
const QR_SIDE: u32 = 9_921;

/// Returns the page as a PDF file. The same page and fonts give the same bytes.
///
/// # Errors
/// [`PaperError::QrTooLong`]; [`PaperError::BadFont`] if a font can't be embedded.
pub fn render(page: &Page, sheet: Sheet, fonts: &Fonts) -> Result<Vec<u8>, PaperError> {
    let mut composer = Composer {
        fonts,
        sizes: sheet.sizes(),
        direction: page.wording.language.direction(),
        used: UsedFonts::new(fonts),
        sheets: vec![Content::new()],
        top: sheet.sizes().margin,
    };
    for line in &page.lines {
        composer.line(line)?;
    }
    composer.number_sheets(page.wording);
    composer.finish(page)
}

struct Composer<'a> {
    fonts: &'a Fonts,
    sizes: Sizes,
    direction: Direction,
    used: UsedFonts<'a>,
    sheets: Vec<Content>,
    /// Distance from the upper edge of the sheet to the next line.
    top: u32,
}

/// Measure in hundredths of a point.
struct Hundredths<'a> {
    fonts: &'a Fonts,
    size: u32,
}

impl Measure for Hundredths<'_> {
    fn width(&self, text: &str) -> u32 {
        scaled(self.fonts.shape(text).width, self.size)
    }
}

/// Style of a text.
#[derive(Clone, Copy)]
struct Style {
    size: u32,
    is_strong: bool,
}

/// Place and size of a text on a sheet in points, from the lower left corner.
#[derive(Clone, Copy)]
struct Place {
    left: f32,
    baseline: f32,
    size: f32,
    is_strong: bool,
}

impl Place {
    /// Returns the place of a glyph.
    #[expect(clippy::cast_precision_loss, reason = "lengths on a sheet are far below 2^23")]
    fn of(self, glyph: &Glyph) -> (f32, f32) {
        let length = |thousandths: i32| thousandths as f32 * self.size / 1_000.0;
        (self.left + length(glyph.x), self.baseline + length(glyph.y))
    }
}

/// Returns a length in points.
#[expect(clippy::cast_precision_loss, reason = "lengths on a sheet are far below 2^23")]
fn points(hundredths: u32) -> f32 {
    hundredths as f32 / 100.0
}

impl Composer<'_> {
    fn line(&mut self, line: &Line) -> Result<(), PaperError> {
        let line_height = self.sizes.text * 3 / 2;
        match line {
            Line::Rule => {
                self.reserve(line_height / 2);
                self.rule(self.top + line_height / 4, self.inner_width());
                self.top += line_height / 2;
            }
            Line::Blank => self.top += line_height,
            Line::Qr { content, .. } => {
                self.reserve(QR_SIDE + line_height);
                self.qr(content)?;
                self.texts(line);
            }
            Line::Signature(_) => {
                self.reserve(line_height * 5);
                self.top += line_height * 3;
                self.rule(self.top, self.inner_width() * 3 / 5);
                self.texts(line);
            }
            Line::Heading(_) | Line::Text { .. } | Line::Pair { .. } | Line::Row { .. } => self.texts(line),
        }
        Ok(())
    }

    fn inner_width(&self) -> u32 {
        self.sizes.width - 2 * self.sizes.margin
    }

    /// Begins another sheet if this one has no room for `height`.
    fn reserve(&mut self, height: u32) {
        if self.top + height > self.sizes.height - self.sizes.margin {
            self.sheets.push(Content::new());
            self.top = self.sizes.margin;
        }
    }

    fn texts(&mut self, line: &Line) {
        let size = if matches!(line, Line::Heading(_)) { self.sizes.text * 8 / 5 } else { self.sizes.text };
        let width = self.inner_width();
        for printed in printed_lines(line, width, &Hundredths { fonts: self.fonts, size }) {
            self.reserve(size * 3 / 2);
            for (left, text) in printed.left_to_right(width, self.direction) {
                let style = Style { size, is_strong: line.is_strong() };
                self.text(text, self.sizes.margin + left, self.top + size * 11 / 10, style);
            }
            self.top += size * 3 / 2;
        }
    }

    /// Draws a text with its left end and baseline at a place from the upper left corner.
    fn text(&mut self, text: &str, left: u32, baseline: u32, style: Style) {
        let line = self.fonts.shape(text);
        let Some(content) = self.sheets.last_mut() else { return };
        let place = Place {
            left: points(left),
            baseline: points(self.sizes.height - baseline),
            size: points(style.size),
            is_strong: style.is_strong,
        };
        let (mut shown, mut shapes) = (Vec::new(), Vec::new());
        for cluster in line.glyphs.chunk_by(|a, b| (a.face, &a.text) == (b.face, &b.text)) {
            let carrier = cluster.iter().position(|glyph| glyph.advance > 0).unwrap_or(0);
            for (index, glyph) in cluster.iter().enumerate() {
                if index == carrier {
                    let mut characters = text.get(glyph.text.clone()).unwrap_or_default().to_owned();
                    if glyph.is_right_to_left {
                        // Programs turn what they read from left to right around, character by character.
                        characters = characters.chars().rev().collect();
                    }
                    let width = cluster.iter().skip(carrier).map(|glyph| glyph.advance).sum();
                    shown.push((glyph, self.used.cid(glyph, &characters, width)));
                } else {
                    shapes.push((glyph, self.used.shape(glyph, style.is_strong)));
                }
            }
        }
        show(content, &shown, place);
        for (glyph, name) in shapes {
            let ((x, y), scale) = (place.of(glyph), place.size / font::SHAPE_EM);
            content.save_state().transform([scale, 0.0, 0.0, scale, x, y]);
            content.x_object(Name(name.as_bytes())).restore_state();
        }
    }

    /// Draws a line from the edge at which reading begins.
    fn rule(&mut self, from_top: u32, length: u32) {
        let left = match self.direction {
            Direction::LeftToRight => self.sizes.margin,
            Direction::RightToLeft => self.sizes.width - self.sizes.margin - length,
        };
        let y = points(self.sizes.height - from_top);
        if let Some(content) = self.sheets.last_mut() {
            content.set_line_width(0.6).move_to(points(left), y).line_to(points(left + length), y).stroke();
        }
    }

    fn qr(&mut self, code: &str) -> Result<(), PaperError> {
        let code = qr::code(code)?;
        let module = QR_SIDE / code.width();
        let left = (self.sizes.width - module * code.width()) / 2;
        let Some(content) = self.sheets.last_mut() else { return Ok(()) };
        for y in 0..code.height() {
            for x in (0..code.width()).filter(|x| code.is_black(*x, y)) {
                let lower = self.sizes.height - self.top - module * (y + 1);
                content.rect(points(left + module * x), points(lower), points(module), points(module));
            }
        }
        content.fill_nonzero();
        self.top += module * code.height();
        Ok(())
    }

    /// Writes number and count of the sheets at the foot of each, if there are several.
    fn number_sheets(&mut self, wording: Wording) {
        let sheets = std::mem::take(&mut self.sheets);
        let number = |number: usize| wording.count(u32::try_from(number).unwrap_or(u32::MAX));
        let count = number(sheets.len());
        let is_alone = sheets.len() == 1;
        for (index, content) in sheets.into_iter().enumerate() {
            self.sheets.push(content);
            if !is_alone {
                let style = Style { size: self.sizes.text * 4 / 5, is_strong: false };
                let foot = self.sizes.height - self.sizes.margin / 2;
                self.text(&format!("{}/{count}", number(index + 1)), self.sizes.width / 2, foot, style);
            }
        }
    }

    fn finish(self, page: &Page) -> Result<Vec<u8>, PaperError> {
        let mut pdf = Pdf::new();
        let mut next = 1;
        let mut allocate = || {
            next += 1;
            Ref::new(next - 1)
        };
        let (catalog_id, pages_id, info_id) = (allocate(), allocate(), allocate());
        let mut catalog = pdf.catalog(catalog_id);
        catalog.pages(pages_id).lang(TextStr(page.wording.language.as_str()));
        let mut preferences = catalog.viewer_preferences();
        preferences.display_doc_title(true);
        if self.direction == Direction::RightToLeft {
            preferences.direction(ReadingDirection::R2L);
        }
        preferences.finish();
        catalog.finish();
        pdf.document_info(info_id).title(TextStr(&super::model::clean(&page.title)));
        let sheets: Vec<(Ref, Ref, Content)> =
            self.sheets.into_iter().map(|content| (allocate(), allocate(), content)).collect();
        let count = i32::try_from(sheets.len()).unwrap_or(i32::MAX);
        pdf.pages(pages_id).kids(sheets.iter().map(|(id, _, _)| *id)).count(count);
        let resources_id = allocate();
        self.used.write(&mut pdf, resources_id, &mut allocate)?;
        for (id, content_id, content) in sheets {
            let mut sheet = pdf.page(id);
            sheet.media_box(Rect::new(0.0, 0.0, points(self.sizes.width), points(self.sizes.height)));
            sheet.parent(pages_id).contents(content_id);
            sheet.pair(Name(b"Resources"), resources_id);
            sheet.finish();
            let stream = deflated(&content.finish().into_vec());
            pdf.stream(content_id, &stream).filter(pdf_writer::Filter::FlateDecode);
        }
        Ok(pdf.finish())
    }
}

/// Shows glyphs as text.
#[expect(clippy::cast_precision_loss, reason = "lengths on a sheet are far below 2^23")]
fn show(content: &mut Content, shown: &[(&Glyph, Cid)], place: Place) {
    content.begin_text();
    content.set_text_rendering_mode(if place.is_strong {
        TextRenderingMode::FillStroke
    } else {
        TextRenderingMode::Fill
    });
    content.set_line_width(place.size / font::BOLD_PART);
    for run in shown.chunk_by(|(a, _), (b, _)| (a.face, a.y) == (b.face, b.y)) {
        let Some((first, _)) = run.first() else { continue };
        let (x, y) = place.of(first);
        content.set_font(Name(font::name(first.face).as_bytes()), place.size);
        content.set_text_matrix([1.0, 0.0, 0.0, 1.0, x, y]);
        let mut pen = first.x;
        let mut positioned = content.show_positioned();
        let mut items = positioned.items();
        for (glyph, cid) in run {
            if glyph.x != pen {
                items.adjust((pen - glyph.x) as f32);
            }
            items.show(Str(&cid.number.to_be_bytes()));
            pen = glyph.x + cid.width;
        }
    }
    content.end_text();
}
