//! The fonts of a PDF file: the used glyphs, and the characters that they stand for.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use harfrust::GlyphId;
use harfrust::font::Font;
use harfrust::font::glyph::outline::{DrawMemory, DrawOptions, PathSink};
use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::writers::Resources;
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, Str};
use subsetter::GlyphRemapper;

use super::super::PaperError;
use super::super::shape::{Fonts, Glyph};

const SYSTEM: SystemInfo<'static> = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };

/// Glyphs that a file uses, by font.
pub(super) struct UsedFonts<'a> {
    fonts: &'a Fonts,
    used: BTreeMap<usize, UsedFont>,
    /// Glyphs that are drawn as shapes, by font; each thin or bold.
    shapes: BTreeSet<(usize, u16, bool)>,
}

#[derive(Default)]
struct UsedFont {
    /// For each glyph with its characters the number in the file. A glyph that stands for several texts has several numbers.
    numbers: BTreeMap<(u16, String), Cid>,
    /// Glyph, characters and width of number 1 and so on.
    glyphs: Vec<(u16, String, i32)>,
}

/// A glyph as the file names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cid {
    pub(super) number: u16,
    /// Width in thousandths of an em.
    pub(super) width: i32,
}

/// Returns the name of a font in the file.
pub(super) fn name(face: usize) -> String {
    format!("F{face}")
}

impl<'a> UsedFonts<'a> {
    pub(super) fn new(fonts: &'a Fonts) -> Self {
        Self { fonts, used: BTreeMap::new(), shapes: BTreeSet::new() }
    }

    /// Returns the number of a glyph that stands for some characters, whose width is that of all their glyphs.
    pub(super) fn cid(&mut self, glyph: &Glyph, characters: &str, width: i32) -> Cid {
        let used = self.used.entry(glyph.face).or_default();
        let key = (glyph.id, characters.to_owned());
        if let Some(cid) = used.numbers.get(&key) {
            return *cid;
        }
        used.glyphs.push((glyph.id, characters.to_owned(), width));
        let cid = Cid { number: u16::try_from(used.glyphs.len()).unwrap_or(0), width };
        used.numbers.insert(key, cid);
        cid
    }

    /// Returns the name of a glyph that is drawn as a shape.
    pub(super) fn shape(&mut self, glyph: &Glyph, is_strong: bool) -> String {
        self.shapes.insert((glyph.face, glyph.id, is_strong));
        shape_name(glyph.face, glyph.id, is_strong)
    }

    /// Writes the fonts and shapes, and the names under which all sheets use them.
    pub(super) fn write(
        self,
        pdf: &mut Pdf,
        resources_id: Ref,
        allocate: &mut impl FnMut() -> Ref,
    ) -> Result<(), PaperError> {
        let (mut fonts, mut shapes) = (Vec::new(), Vec::new());
        for (index, used) in &self.used {
            let id = allocate();
            let bytes = self.fonts.face(*index).map(|face| face.bytes.as_slice()).unwrap_or_default();
            used.write(pdf, id, bytes, *index, allocate).map_err(|_damaged| PaperError::BadFont { index: *index })?;
            fonts.push((name(*index), id));
        }
        for (index, glyph, is_strong) in &self.shapes {
            let Some(face) = self.fonts.face(*index) else { continue };
            let id = allocate();
            let content = deflated(&shape_content(&face.font, *glyph, *is_strong));
            let mut form = pdf.form_xobject(id, &content);
            form.bbox(Rect::new(-SHAPE_EM, -SHAPE_EM, 3.0 * SHAPE_EM, 2.0 * SHAPE_EM)).filter(Filter::FlateDecode);
            shapes.push((shape_name(*index, *glyph, *is_strong), id));
        }
        let mut resources = pdf.indirect(resources_id).start::<Resources<'_>>();
        resources.fonts().pairs(fonts.iter().map(|(name, id)| (Name(name.as_bytes()), *id)));
        resources.x_objects().pairs(shapes.iter().map(|(name, id)| (Name(name.as_bytes()), *id)));
        resources.finish();
        Ok(())
    }
}

fn shape_name(face: usize, glyph: u16, is_strong: bool) -> String {
    format!("{}{face}G{glyph}", if is_strong { "B" } else { "S" })
}

/// Units of an em in shapes.
pub(super) const SHAPE_EM: f32 = 1_000.0;
/// Part of an em by which the line around bold letters is thick.
pub(super) const BOLD_PART: f32 = 42.0;

/// Returns the outline of a glyph as the content of a shape.
fn shape_content(font: &Font, glyph: u16, is_strong: bool) -> Vec<u8> {
    let mut path = Path { content: Content::new(), at: (0.0, 0.0), is_empty: true };
    path.content.set_line_width(SHAPE_EM / BOLD_PART);
    if let Some(outline) = font.outline_glyphs().get(GlyphId::from(u32::from(glyph))) {
        let options = DrawOptions::new().with_ppem(Some(SHAPE_EM));
        // Of a damaged glyph the part that was read is drawn, because a path must be ended.
        let _damaged = outline.draw(&options, DrawMemory::Scratch, &mut path);
    }
    match (path.is_empty, is_strong) {
        (true, _) => {}
        (false, true) => drop(path.content.fill_nonzero_and_stroke()),
        (false, false) => drop(path.content.fill_nonzero()),
    }
    path.content.finish().into_vec()
}

/// Outline of a glyph as a path.
struct Path {
    content: Content,
    at: (f32, f32),
    is_empty: bool,
}

impl PathSink for Path {
    fn move_to(&mut self, x: f32, y: f32) {
        self.at = (x.round(), y.round());
        self.is_empty = false;
        self.content.move_to(self.at.0, self.at.1);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.at = (x.round(), y.round());
        self.content.line_to(self.at.0, self.at.1);
    }

    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        // A quadratic curve as a cubic one, whose control points are two thirds of the way to the control point.
        let part = |end: f32, control: f32| end + (control - end) * 2.0 / 3.0;
        let from = self.at;
        self.curve_to(part(from.0, cx), part(from.1, cy), part(x, cx), part(y, cy), x, y);
    }

    fn curve_to(&mut self, ax: f32, ay: f32, bx: f32, by: f32, x: f32, y: f32) {
        self.at = (x.round(), y.round());
        self.content.cubic_to(ax.round(), ay.round(), bx.round(), by.round(), self.at.0, self.at.1);
    }

    fn close(&mut self) {
        self.content.close_path();
    }
}

impl UsedFont {
    #[expect(clippy::cast_precision_loss, reason = "widths are far below 2^23")]
    fn write(
        &self,
        pdf: &mut Pdf,
        id: Ref,
        bytes: &[u8],
        index: usize,
        allocate: &mut impl FnMut() -> Ref,
    ) -> Result<(), subsetter::Error> {
        let (cid_id, descriptor_id, file_id, text_id, map_id) =
            (allocate(), allocate(), allocate(), allocate(), allocate());
        // A subset has a tag of six letters (ISO 32000-1, 9.6.4).
        let base = format!("FARMTL+Font{index}");
        let base = Name(base.as_bytes());
        let mut remapper = GlyphRemapper::new();
        // Number 0 is the glyph for missing characters.
        let mut map = vec![0, 0];
        let mut unicode = UnicodeCmap::new(Name(b"Text"), SYSTEM);
        for (number, (glyph, characters, _)) in (1_u16..).zip(&self.glyphs) {
            map.extend(remapper.remap(*glyph).to_be_bytes());
            if !characters.is_empty() {
                unicode.pair_with_multiple(number, characters.chars());
            }
        }
        let mut font = pdf.type0_font(id);
        font.base_font(base).encoding_predefined(Name(b"Identity-H")).descendant_font(cid_id).to_unicode(text_id);
        font.finish();
        let mut cid = pdf.cid_font(cid_id);
        cid.subtype(CidFontType::Type2).base_font(base).system_info(SYSTEM).font_descriptor(descriptor_id);
        cid.default_width(0.0).cid_to_gid_map_stream(map_id);
        cid.widths().consecutive(1, self.glyphs.iter().map(|(_, _, width)| *width as f32));
        cid.finish();
        let mut descriptor = pdf.font_descriptor(descriptor_id);
        descriptor.name(base).flags(FontFlags::SYMBOLIC).bbox(Rect::new(-1_000.0, -600.0, 3_000.0, 1_400.0));
        descriptor.italic_angle(0.0).ascent(1_050.0).descent(-400.0).cap_height(714.0).stem_v(90.0).font_file2(file_id);
        descriptor.finish();
        let file = subsetter::subset(bytes, 0, &remapper)?;
        let length = i32::try_from(file.len()).unwrap_or(i32::MAX);
        let file = deflated(&file);
        pdf.stream(file_id, &file).filter(Filter::FlateDecode).pair(Name(b"Length1"), length);
        pdf.stream(text_id, &deflated(&unicode.finish().into_vec())).filter(Filter::FlateDecode);
        pdf.stream(map_id, &deflated(&map)).filter(Filter::FlateDecode);
        Ok(())
    }
}

/// Returns bytes compressed with zlib, as `FlateDecode` reads them.
pub(super) fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing to memory can't fail.
    encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default()
}
