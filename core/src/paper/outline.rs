//! Outlines of glyphs filled with black dots.

use harfrust::font::glyph::outline::{DrawMemory, DrawOptions, OutlineGlyph, PathSink};

use super::raster::{Bitmap, Placement};

/// Rows into which a row of dots is divided, to measure how much of a dot is covered.
const SUBROWS: u16 = 4;
/// Parts of the width of a dot that are counted in each of these rows.
const PARTS: u16 = 16;
/// Straight lines that replace a curve.
const CURVE_STEPS: u16 = 8;

/// Outline of one glyph at its place in a picture, as straight edges; x to the right, y downwards, in dots.
pub(super) struct Outline {
    edges: Vec<[(f32, f32); 2]>,
    start: (f32, f32),
    at: (f32, f32),
    left: f32,
    baseline: f32,
    is_strong: bool,
}

impl Outline {
    /// Reads the outline of a glyph that is `x` and `y` thousandths of an em from the start of the text.
    #[expect(clippy::cast_precision_loss, reason = "sizes and places of a receipt are far below 2^23 dots")]
    pub(super) fn new(glyph: &OutlineGlyph<'_>, placement: Placement, x: i32, y: i32) -> Self {
        let size = placement.size as f32;
        let mut outline = Self {
            edges: Vec::new(),
            start: (0.0, 0.0),
            at: (0.0, 0.0),
            left: placement.left as f32 + x as f32 * size / 1_000.0,
            baseline: placement.baseline as f32 - y as f32 * size / 1_000.0,
            is_strong: placement.is_strong,
        };
        let options = DrawOptions::new().with_ppem(Some(size));
        if glyph.draw(&options, DrawMemory::Scratch, &mut outline).is_err() {
            // A damaged glyph is left out.
            outline.edges.clear();
        }
        outline
    }

    fn place(&self, x: f32, y: f32) -> (f32, f32) {
        (self.left + x, self.baseline - y)
    }

    fn edge_to(&mut self, to: (f32, f32)) {
        self.edges.push([self.at, to]);
        self.at = to;
    }

    /// Adds a Bézier curve with these control points as edges, by de Casteljau's algorithm.
    fn curve_through<const POINTS: usize>(&mut self, points: [(f32, f32); POINTS]) {
        for step in 1..=CURVE_STEPS {
            let share = f32::from(step) / f32::from(CURVE_STEPS);
            let between = |from: f32, to: f32| from + (to - from) * share;
            let mut points = points.to_vec();
            while points.len() > 1 {
                let pairs = points.iter().zip(points.iter().skip(1));
                points = pairs.map(|(from, to)| (between(from.0, to.0), between(from.1, to.1))).collect();
            }
            self.edge_to(points.first().copied().unwrap_or(self.at));
        }
    }

    /// Makes all dots black that are covered by half or more, by the non-zero winding rule. Bold letters are one dot wider.
    pub(super) fn fill(&self, bitmap: &mut Bitmap) {
        let ends = || self.edges.iter().flatten();
        let (top, bottom) = ends().fold((f32::MAX, f32::MIN), |(top, bottom), (_, y)| (top.min(*y), bottom.max(*y)));
        let (left, right) = ends().fold((f32::MAX, f32::MIN), |(left, right), (x, _)| (left.min(*x), right.max(*x)));
        let (left, right) = (dots(left), dots(right.ceil()).min(bitmap.width()));
        let mut covered = vec![0_u16; usize::try_from(right.saturating_sub(left)).unwrap_or_default()];
        for y in dots(top)..dots(bottom.ceil()).min(bitmap.height()) {
            covered.fill(0);
            for subrow in 0..SUBROWS {
                self.cover(y, subrow, left, &mut covered);
            }
            for (x, _) in (left..).zip(&covered).filter(|(_, part)| **part >= SUBROWS * PARTS / 2) {
                bitmap.set(x, y);
                if self.is_strong {
                    bitmap.set(x + 1, y);
                }
            }
        }
    }

    /// Adds what the outline covers of each dot, from number `left` on, in a part of row `y`.
    #[expect(clippy::cast_precision_loss, reason = "pictures are far below 2^23 dots")]
    fn cover(&self, y: u32, subrow: u16, left: u32, covered: &mut [u16]) {
        let middle = y as f32 + (f32::from(subrow) + 0.5) / f32::from(SUBROWS);
        let mut crossings: Vec<(f32, i32)> = Vec::new();
        for [(x0, y0), (x1, y1)] in &self.edges {
            if (*y0 <= middle) != (*y1 <= middle) {
                let x = x0 + (middle - y0) * (x1 - x0) / (y1 - y0);
                crossings.push((x, if y0 < y1 { 1 } else { -1 }));
            }
        }
        crossings.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let mut winding = 0;
        for (this, next) in crossings.iter().zip(crossings.iter().skip(1)) {
            winding += this.1;
            if winding != 0 {
                cover_span(this.0 - left as f32, next.0 - left as f32, covered);
            }
        }
    }
}

/// Returns the number of a dot, 0 for one before the first.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the conversion saturates")]
fn dots(place: f32) -> u32 {
    place.max(0.0) as u32
}

/// Adds the parts of dots between two places of a row.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "between 0 and the parts of a dot; pictures are far below 2^23 dots"
)]
fn cover_span(from: f32, to: f32, covered: &mut [u16]) {
    let first = usize::try_from(dots(from)).unwrap_or(usize::MAX);
    let mut left = first as f32;
    for dot in covered.iter_mut().skip(first) {
        if left >= to {
            break;
        }
        let part = to.min(left + 1.0) - from.max(left);
        *dot += (part * f32::from(PARTS)).round().max(0.0) as u16;
        left += 1.0;
    }
}

impl PathSink for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.start = self.place(x, y);
        self.at = self.start;
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.edge_to(self.place(x, y));
    }

    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        self.curve_through([self.at, self.place(cx, cy), self.place(x, y)]);
    }

    fn curve_to(&mut self, ax: f32, ay: f32, bx: f32, by: f32, x: f32, y: f32) {
        self.curve_through([self.at, self.place(ax, ay), self.place(bx, by), self.place(x, y)]);
    }

    fn close(&mut self) {
        self.edge_to(self.start);
    }
}
