//! A reader of ESC/POS commands, written after Epson's command reference and without core's encoder. It accepts only commands that it
//! knows, and fails on a line wider than the paper.

use farmtally_core::paper::{Bitmap, Fonts, PaperWidth, Placement, TextDrawing};

/// What was printed.
#[derive(Clone, Debug)]
pub struct Printout {
    /// The paper.
    pub picture: Bitmap,
    /// Each line printed as text, without blanks at its end.
    pub texts: Vec<String>,
    /// Contents of the codes that the printer drew by itself.
    pub codes: Vec<String>,
    /// Number of cuts.
    pub cuts: u32,
}

/// A printer's state while it reads commands.
pub struct Interpreter {
    width: PaperWidth,
    fonts: Fonts,
    unread: Vec<u8>,
    rows: Vec<Vec<u32>>,
    line: String,
    texts: Vec<String>,
    codes: Vec<String>,
    code: Option<(String, u32)>,
    module: u32,
    code_page: u8,
    is_strong: bool,
    is_high: bool,
    is_centred: bool,
    cuts: u32,
    /// Rows of dots until the paper ends.
    pub rows_left: Option<usize>,
}

/// Why reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A command is not complete.
    Incomplete,
    /// There is no paper for the next rows.
    OutOfPaper,
}

const LINE_ROWS: usize = 30;
/// Height of the letters of font A.
const TEXT_ROWS: u32 = 24;

impl Interpreter {
    /// Returns a printer that was switched on.
    pub fn new(width: PaperWidth, fonts: Fonts) -> Self {
        Self {
            width,
            fonts,
            unread: Vec::new(),
            rows: Vec::new(),
            line: String::new(),
            texts: Vec::new(),
            codes: Vec::new(),
            code: None,
            module: 3,
            code_page: 0,
            is_strong: false,
            is_high: false,
            is_centred: false,
            cuts: 0,
            rows_left: None,
        }
    }

    /// Returns what a printer prints from bytes.
    pub fn print(bytes: &[u8], width: PaperWidth, fonts: &Fonts) -> Printout {
        let mut printer = Self::new(width, fonts.clone());
        assert_eq!(printer.read(bytes), None, "a command without its end");
        assert_eq!(printer.line, "", "text without a line feed");
        printer.printout()
    }

    /// Reads bytes, and executes the commands that are complete as long as there is paper.
    pub fn read(&mut self, bytes: &[u8]) -> Option<Stop> {
        self.unread.extend(bytes);
        while !self.unread.is_empty() {
            match self.execute() {
                Ok(length) => drop(self.unread.drain(..length)),
                Err(stop) => return Some(stop),
            }
        }
        None
    }

    /// Returns what was printed up to now.
    pub fn printout(&self) -> Printout {
        let height = u32::try_from(self.rows.len()).expect("small");
        let mut picture = Bitmap::new(self.width.dots(), height);
        for (y, row) in (0..).zip(&self.rows) {
            for x in row {
                picture.set(*x, y);
            }
        }
        Printout { picture, texts: self.texts.clone(), codes: self.codes.clone(), cuts: self.cuts }
    }

    /// The bytes of parameters of the next command.
    fn bytes(&self, from: usize, count: usize) -> Result<&[u8], Stop> {
        self.unread.get(from..from + count).ok_or(Stop::Incomplete)
    }

    fn number(&self, from: usize) -> Result<usize, Stop> {
        let bytes = self.bytes(from, 2)?;
        Ok(usize::from(bytes[0]) + 256 * usize::from(bytes[1]))
    }

    /// Executes the first command, and returns its length.
    fn execute(&mut self) -> Result<usize, Stop> {
        let unread = self.unread.clone();
        let parameter = |at: usize| unread.get(at).copied().ok_or(Stop::Incomplete);
        match unread[0] {
            b'\n' => {
                self.feed_line()?;
                Ok(1)
            }
            0x1b => match parameter(1)? {
                b'@' => {
                    (self.code_page, self.is_strong, self.is_high, self.is_centred) = (0, false, false, false);
                    Ok(2)
                }
                b't' => {
                    self.code_page = parameter(2)?;
                    Ok(3)
                }
                b'E' => {
                    self.is_strong = parameter(2)? & 1 == 1;
                    Ok(3)
                }
                b'a' => {
                    self.is_centred = parameter(2)? == 1;
                    Ok(3)
                }
                b'd' => {
                    for _ in 0..parameter(2)? {
                        self.feed(vec![Vec::new(); LINE_ROWS])?;
                    }
                    Ok(3)
                }
                other => panic!("ESC {other:#x}"),
            },
            0x1c if parameter(1)? == b'.' => Ok(2),
            0x1d => self.execute_gs(parameter(1)?),
            byte => {
                let c = match (self.code_page, byte) {
                    // From 0xA0, Windows-1252 is Latin-1.
                    (_, 0x20..=0x7e) | (16, 0xa0..) => char::from(byte),
                    (16, 0x95) => '•',
                    (16, 0x96) => '–',
                    (page, byte) => panic!("byte {byte:#x} of table {page}"),
                };
                self.line.push(c);
                assert!(
                    self.line.chars().count() <= self.width.columns() as usize,
                    "wider than the paper: {:?}",
                    self.line
                );
                Ok(1)
            }
        }
    }

    fn execute_gs(&mut self, command: u8) -> Result<usize, Stop> {
        match command {
            b'!' => {
                let size = self.bytes(2, 1)?[0];
                assert_eq!(size & 0xf0, 0, "letters of double width would be wider than the paper");
                self.is_high = size == 1;
                Ok(3)
            }
            b'v' => {
                assert_eq!(self.bytes(2, 2)?, b"0\0");
                let (width, height) = (self.number(4)?, self.number(6)?);
                assert!(width * 8 <= self.width.dots() as usize, "a picture wider than the paper");
                let data = self.bytes(8, width * height)?;
                let row = |row: &[u8]| {
                    let bits = (0..width * 8).filter(|x| row[x / 8] & (0x80 >> (x % 8)) != 0);
                    bits.map(|x| u32::try_from(x).expect("small")).collect()
                };
                let rows = data.chunks(width).map(row).collect();
                self.feed(rows)?;
                Ok(8 + width * height)
            }
            b'(' => {
                assert_eq!(self.bytes(2, 1)?, b"k");
                let length = self.number(3)?;
                let data = self.bytes(5, length)?.to_vec();
                self.code(&data)?;
                Ok(5 + length)
            }
            b'V' => {
                assert_eq!(self.bytes(2, 2)?, b"B\0");
                self.cuts += 1;
                Ok(4)
            }
            other => panic!("GS {other:#x}"),
        }
    }

    /// Executes a function of a QR code: model, width of a module, correction level, content, print.
    fn code(&mut self, data: &[u8]) -> Result<(), Stop> {
        match (data[0], data[1]) {
            (b'1', b'A') => assert_eq!(&data[2..], b"2\0"),
            (b'1', b'C') => self.module = data[2].into(),
            (b'1', b'E') => assert_eq!(&data[2..], b"1"),
            (b'1', b'P') => {
                assert_eq!(data[2], b'0');
                self.code = Some((String::from_utf8(data[3..].to_vec()).expect("text"), self.module));
            }
            (b'1', b'Q') => {
                let (content, module) = self.code.clone().expect("a content");
                self.feed(self.code_rows(&content, module))?;
                self.codes.push(content);
            }
            other => panic!("GS ( k {other:?}"),
        }
        Ok(())
    }

    fn code_rows(&self, content: &str, module: u32) -> Vec<Vec<u32>> {
        let code = qrcodegen::QrCode::encode_text(content, qrcodegen::QrCodeEcc::Medium).expect("it fits");
        let side = code.size().unsigned_abs() * module;
        assert!(side <= self.width.dots(), "a code wider than the paper");
        let left = if self.is_centred { (self.width.dots() - side) / 2 } else { 0 };
        let is_black = |x: u32, y: u32| code.get_module((x / module).cast_signed(), (y / module).cast_signed());
        (0..side).map(|y| (0..side).filter(|x| is_black(*x, y)).map(|x| left + x).collect()).collect()
    }

    fn feed_line(&mut self) -> Result<(), Stop> {
        let factor = if self.is_high { 2 } else { 1 };
        let mut bitmap = Bitmap::new(self.width.dots(), TEXT_ROWS);
        for (column, c) in (0..).zip(self.line.chars()) {
            let placement = Placement { left: column * 12, baseline: 19, size: 19, is_strong: self.is_strong };
            self.fonts.draw(&c.to_string(), placement, &mut bitmap);
        }
        let row = |y: u32| (0..bitmap.width()).filter(|x| bitmap.is_black(*x, y)).collect();
        let mut rows: Vec<Vec<u32>> = (0..TEXT_ROWS * factor).map(|y| row(y / factor)).collect();
        rows.resize(rows.len().max(LINE_ROWS), Vec::new());
        if self.line.is_empty() {
            rows = vec![Vec::new(); LINE_ROWS];
        }
        self.feed(rows)?;
        let line = std::mem::take(&mut self.line);
        self.texts.push(line.trim_end().to_owned());
        Ok(())
    }

    fn feed(&mut self, rows: Vec<Vec<u32>>) -> Result<(), Stop> {
        if let Some(left) = &mut self.rows_left {
            *left = left.checked_sub(rows.len()).ok_or(Stop::OutOfPaper)?;
        }
        self.rows.extend(rows);
        Ok(())
    }
}
