//! Shaping: from text to placed glyphs of fonts that the app hands over. Source: Unicode's UAX #9 (directions) and OpenType, as `unicode-bidi`
//! and `harfrust`, a port of `HarfBuzz`, implement them.

use std::ops::Range;
use std::sync::Arc;

use harfrust::font::Font;
use harfrust::font::glyph::outline::OutlineSource;
use harfrust::unicode::script;
use harfrust::{Buffer, Direction, GlyphId, Script, ShapeOptions, ShaperFont};
use unicode_bidi::{BidiInfo, Level, get_base_direction};
use unicode_normalization::char::is_combining_mark;

use super::PaperError;
use super::outline::Outline;
use super::raster::{Bitmap, Placement, TextDrawing};

/// Positions of glyphs are in thousandths of an em.
const EM: i32 = 1_000;

/// Fonts in order of preference, such as Noto Sans for Latin, Kannada and Devanagari. A character that none has is drawn as the first
/// font's box for missing characters.
#[derive(Clone)]
pub struct Fonts {
    faces: Vec<Face>,
}

#[derive(Clone)]
pub(super) struct Face {
    pub(super) font: Font,
    /// The file, from which the used glyphs are embedded.
    #[cfg(feature = "paper-pdf")]
    pub(super) bytes: Arc<Vec<u8>>,
}

/// A placed glyph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glyph {
    /// Index of the font.
    pub(super) face: usize,
    pub(super) id: u16,
    /// Distance from the left end of the text, to the right.
    pub(super) x: i32,
    /// Distance from the baseline, upwards.
    pub(super) y: i32,
    /// Distance to the next glyph.
    pub(super) advance: i32,
    /// Bytes of the text that this glyph shows together with those of the same range.
    pub(super) text: Range<usize>,
    pub(super) is_right_to_left: bool,
}

/// Glyphs of a line of text from left to right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ShapedText {
    pub(super) glyphs: Vec<Glyph>,
    pub(super) width: i32,
}

impl std::fmt::Debug for Fonts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fonts").field("faces", &self.faces.len()).finish()
    }
}

impl Fonts {
    /// Reads fonts with TrueType outlines (`.ttf`), each the content of a file. Of a variable font the default style is used.
    ///
    /// # Errors
    /// [`PaperError::BadFont`] with the first file that is none, and with 0 if there is no file.
    pub fn new(files: Vec<Vec<u8>>) -> Result<Self, PaperError> {
        if files.is_empty() {
            return Err(PaperError::BadFont { index: 0 });
        }
        let face = |(index, file): (usize, Vec<u8>)| {
            let bytes = Arc::new(file);
            let blob: Arc<dyn AsRef<[u8]> + Send + Sync> = bytes.clone();
            let font = Font::new(blob, 0).filter(|font| font.outline_glyphs().source() == Some(OutlineSource::Glyf));
            let face = |font| Face {
                font,
                #[cfg(feature = "paper-pdf")]
                bytes,
            };
            font.map(face).ok_or(PaperError::BadFont { index })
        };
        Ok(Self { faces: files.into_iter().enumerate().map(face).collect::<Result<_, _>>()? })
    }

    #[cfg(feature = "paper-pdf")]
    pub(super) fn face(&self, index: usize) -> Option<&Face> {
        self.faces.get(index)
    }

    /// Shapes one line of text, whose direction follows its first letter.
    pub(super) fn shape(&self, text: &str) -> ShapedText {
        let base = match get_base_direction(text) {
            unicode_bidi::Direction::Rtl => Level::rtl(),
            unicode_bidi::Direction::Ltr | unicode_bidi::Direction::Mixed => Level::ltr(),
        };
        let directions = BidiInfo::new(text, Some(base));
        let mut shaped = ShapedText::default();
        for paragraph in &directions.paragraphs {
            let (levels, runs) = directions.visual_runs(paragraph, paragraph.range.clone());
            for run in runs {
                let is_rtl = levels.get(run.start).is_some_and(Level::is_rtl);
                let mut parts = self.parts(text, run);
                if is_rtl {
                    parts.reverse();
                }
                for (range, face) in parts {
                    self.shape_part(text, range, face, is_rtl, &mut shaped);
                }
            }
        }
        shaped
    }

    /// Cuts a run of one direction into parts of one script and font, in reading order.
    fn parts(&self, text: &str, run: Range<usize>) -> Vec<(Range<usize>, usize)> {
        let mut parts: Vec<(Range<usize>, usize, Script)> = Vec::new();
        for (at, c) in text.get(run.clone()).unwrap_or_default().char_indices() {
            let (start, end) = (run.start + at, run.start + at + c.len_utf8());
            let of = script(c.into());
            if let Some((range, face, known)) = parts.last_mut() {
                let stays = is_combining_mark(c) || is_joiner(c) || c == ' ';
                if stays && (self.has(*face, c) || is_joiner(c)) {
                    range.end = end;
                    continue;
                }
                let chosen = self.choose(c);
                if *face == chosen && (of == *known || of == Script::COMMON || of == Script::INHERITED) {
                    range.end = end;
                    continue;
                }
                parts.push((start..end, chosen, of));
            } else {
                parts.push((start..end, self.choose(c), of));
            }
        }
        parts.into_iter().map(|(range, face, _)| (range, face)).collect()
    }

    fn has(&self, face: usize, c: char) -> bool {
        self.faces.get(face).is_some_and(|face| face.font.charmap().map_unicode(c).is_some())
    }

    /// Returns the first font that has a character, or the first.
    fn choose(&self, c: char) -> usize {
        (0..self.faces.len()).find(|face| self.has(*face, c)).unwrap_or(0)
    }

    fn shape_part(&self, text: &str, range: Range<usize>, face: usize, is_rtl: bool, shaped: &mut ShapedText) {
        let Some(font) = self.faces.get(face) else { return };
        let part = text.get(range.clone()).unwrap_or_default();
        let mut buffer = Buffer::new();
        buffer.push_str(part);
        buffer.set_direction(if is_rtl { Direction::RightToLeft } else { Direction::LeftToRight });
        buffer.guess_segment_properties();
        if harfrust::shape(&ShaperFont::new(&font.font).with_scale(EM), &mut buffer, ShapeOptions::new()).is_err() {
            // A damaged font; the text has no glyphs then.
            return;
        }
        let cluster = |cluster: u32| usize::try_from(cluster).unwrap_or_default();
        let mut starts: Vec<usize> = buffer.glyph_infos().iter().map(|info| cluster(info.cluster)).collect();
        starts.sort_unstable();
        starts.dedup();
        for (info, position) in buffer.glyph_infos().iter().zip(buffer.glyph_positions()) {
            let start = cluster(info.cluster);
            let next = starts.iter().find(|other| **other > start).copied().unwrap_or(part.len());
            shaped.glyphs.push(Glyph {
                face,
                id: u16::try_from(info.glyph_id).unwrap_or(0),
                x: shaped.width.saturating_add(position.x_offset),
                y: position.y_offset,
                advance: position.x_advance,
                text: range.start + start..range.start + next,
                is_right_to_left: is_rtl,
            });
            shaped.width = shaped.width.saturating_add(position.x_advance);
        }
    }
}

/// Returns whether a character joins or separates the letters around it, or varies the one before it, and is not seen itself.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

/// Returns a length in thousandths of an em at a size, rounded up.
pub(super) fn scaled(thousandths: i32, size: u32) -> u32 {
    let product = u64::from(thousandths.max(0).unsigned_abs()) * u64::from(size);
    u32::try_from(product.div_ceil(1_000)).unwrap_or(u32::MAX)
}

impl TextDrawing for Fonts {
    fn width(&self, text: &str, size: u32) -> u32 {
        scaled(self.shape(text).width, size)
    }

    fn draw(&self, text: &str, placement: Placement, bitmap: &mut Bitmap) {
        for glyph in self.shape(text).glyphs {
            let Some(face) = self.faces.get(glyph.face) else { continue };
            let Some(outline) = face.font.outline_glyphs().get(GlyphId::from(u32::from(glyph.id))) else { continue };
            Outline::new(&outline, placement, glyph.x, glyph.y).fill(bitmap);
        }
    }
}
