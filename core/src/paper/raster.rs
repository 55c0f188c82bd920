//! Pictures in black and white, and the seam through which text is drawn into them.

/// A picture of dots, black or white.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bitmap {
    width: u32,
    height: u32,
    rows: Vec<Vec<u8>>,
}

/// Where and how a text is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Dots from the left edge to the left end of the text.
    pub left: u32,
    /// Dots from the top edge to the baseline.
    pub baseline: u32,
    /// Size of the letters, in dots for each em.
    pub size: u32,
    /// Whether the letters are bold.
    pub is_strong: bool,
}

/// Measures and draws lines of text in any script. `Fonts` (feature `paper-shaping`) is one; an app may instead use its platform's.
pub trait TextDrawing {
    /// Returns the width of a text in dots, at `size` dots for each em.
    fn width(&self, text: &str, size: u32) -> u32;

    /// Draws a text whose direction follows its first letter.
    fn draw(&self, text: &str, placement: Placement, bitmap: &mut Bitmap);
}

impl Bitmap {
    /// Returns a white picture.
    pub fn new(width: u32, height: u32) -> Self {
        let bytes = usize::try_from(width.div_ceil(8)).unwrap_or_default();
        Self { width, height, rows: vec![vec![0; bytes]; usize::try_from(height).unwrap_or_default()] }
    }

    /// Returns the width in dots.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Returns the height in dots.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Makes a dot black; one outside of the picture has no effect.
    pub fn set(&mut self, x: u32, y: u32) {
        if x < self.width
            && let Some(byte) = Self::index(y).and_then(|y| self.rows.get_mut(y)?.get_mut(Self::index(x / 8)?))
        {
            *byte |= 0x80 >> (x % 8);
        }
    }

    /// Returns whether a dot is black.
    pub fn is_black(&self, x: u32, y: u32) -> bool {
        let byte = Self::index(y).and_then(|y| self.rows.get(y)?.get(Self::index(x / 8)?));
        x < self.width && byte.is_some_and(|byte| byte & (0x80 >> (x % 8)) != 0)
    }

    fn index(dots: u32) -> Option<usize> {
        usize::try_from(dots).ok()
    }

    /// Returns the rows from top to bottom, of eight dots a byte from left to right, black as 1.
    pub fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.rows.iter().map(Vec::as_slice)
    }

    /// Removes white rows above row `top` and below row `bottom`, as far as they are white.
    pub(super) fn trim_rows(&mut self, top: u32, bottom: u32) {
        let is_black = |row: &Vec<u8>| row.iter().any(|byte| *byte != 0);
        let ink = self.rows.iter().position(is_black).zip(self.rows.iter().rposition(is_black));
        let (mut first, mut last) = (Self::index(top).unwrap_or_default(), Self::index(bottom).unwrap_or_default());
        if let Some((ink_top, ink_bottom)) = ink {
            (first, last) = (first.min(ink_top), last.max(ink_bottom));
        }
        self.rows.truncate(last.saturating_add(1));
        self.rows.drain(..first.min(self.rows.len()));
        self.height = u32::try_from(self.rows.len()).unwrap_or_default();
    }

    /// Draws a picture `factor` times as large, with its upper left corner at a dot.
    pub(super) fn draw_scaled(&mut self, other: &Self, left: u32, top: u32, factor: u32) {
        for y in 0..other.height * factor {
            for x in 0..other.width * factor {
                if other.is_black(x / factor, y / factor) {
                    self.set(left + x, top + y);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_outside_of_a_picture_have_no_effect() {
        let mut bitmap = Bitmap::new(9, 2);
        for (x, y) in [(8, 1), (9, 1), (15, 0), (0, 2), (u32::MAX, u32::MAX)] {
            bitmap.set(x, y);
            assert_eq!(bitmap.is_black(x, y), (x, y) == (8, 1));
        }
        assert_eq!(bitmap.rows().collect::<Vec<_>>(), [[0, 0], [0, 0x80]]);
    }

    #[test]
    fn only_white_rows_are_trimmed() {
        let mut bitmap = Bitmap::new(8, 10);
        bitmap.set(0, 2);
        let trimmed = |top, bottom| {
            let mut bitmap = bitmap.clone();
            bitmap.trim_rows(top, bottom);
            (bitmap.height(), (0..bitmap.height()).find(|y| bitmap.is_black(0, *y)))
        };
        assert_eq!([trimmed(4, 6), trimmed(1, 1), trimmed(2, 2)], [(5, Some(0)), (2, Some(1)), (1, Some(0))]);
        let mut white = Bitmap::new(8, 10);
        white.trim_rows(4, 6);
        assert_eq!(white.height(), 3);
    }
}
