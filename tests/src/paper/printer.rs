use farmtally_core::paper::{Fonts, PaperWidth, Printer, PrinterFault};

use super::interpreter::{Interpreter, Printout, Stop};

/// Questions that a printer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// All.
    All,
    /// Those about its state at once (`DLE EOT`), and not whether all before a question is printed (`GS r`).
    AtOnce,
    /// None.
    Nothing,
}

/// A receipt printer with faults.
pub struct EmulatedPrinter {
    interpreter: Interpreter,
    /// Bytes that it takes until the connection ends.
    pub bytes_until_gone: Option<usize>,
    /// Most bytes that it takes at once; small for a slow printer.
    pub bytes_at_once: usize,
    /// Questions that it answers.
    pub answers: Answers,
    /// Whether its cover is open.
    pub is_open: bool,
    is_out_of_paper: bool,
}

impl EmulatedPrinter {
    /// Returns a printer with paper, which answers everything.
    pub fn new(width: PaperWidth, fonts: &Fonts) -> Self {
        Self {
            interpreter: Interpreter::new(width, fonts.clone()),
            bytes_until_gone: None,
            bytes_at_once: usize::MAX,
            answers: Answers::All,
            is_open: false,
            is_out_of_paper: false,
        }
    }

    /// Puts in a roll of so many rows of dots.
    pub fn insert_paper(&mut self, rows: usize) {
        self.interpreter.rows_left = Some(rows);
        self.is_out_of_paper = false;
    }

    /// Returns what is on the paper.
    pub fn printout(&self) -> Printout {
        self.interpreter.printout()
    }
}

impl Printer for EmulatedPrinter {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, PrinterFault> {
        let mut taken = bytes.len().min(self.bytes_at_once);
        if let Some(left) = &mut self.bytes_until_gone {
            taken = taken.min(*left);
            *left -= taken;
            if taken == 0 {
                return Err(PrinterFault::Disconnected);
            }
        }
        // What comes while there is no paper stays in the printer's memory.
        self.is_out_of_paper |= self.interpreter.read(&bytes[..taken]) == Some(Stop::OutOfPaper);
        Ok(taken)
    }

    fn ask(&mut self, question: &[u8]) -> Result<Option<u8>, PrinterFault> {
        if self.bytes_until_gone == Some(0) {
            return Err(PrinterFault::Disconnected);
        }
        let answers_at_once = self.answers != Answers::Nothing;
        // Fixed bits of the answers are 0x12 (DLE EOT) and none (GS r).
        let answer = match question {
            b"\x1dr\x01" => (self.answers == Answers::All && !self.is_out_of_paper && !self.is_open).then_some(0),
            b"\x10\x04\x04" => answers_at_once.then_some(if self.is_out_of_paper { 0x72 } else { 0x12 }),
            b"\x10\x04\x02" => {
                let (paper, cover) = (u8::from(self.is_out_of_paper) << 5, u8::from(self.is_open) << 2);
                answers_at_once.then_some(0x12 | paper | cover)
            }
            other => panic!("no question {other:?}"),
        };
        Ok(answer)
    }
}
