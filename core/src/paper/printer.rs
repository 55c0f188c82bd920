//! The seam to a receipt printer, and what a print job reports.

use super::escpos::Job;

/// A connection to a receipt printer, which the app provides: Bluetooth, USB or network.
pub trait Printer {
    /// Sends bytes, and returns how many of them the printer took, at least one. Waits while a slow printer takes none.
    ///
    /// # Errors
    /// [`PrinterFault`] if the connection ended or the printer took nothing for too long.
    fn send(&mut self, bytes: &[u8]) -> Result<usize, PrinterFault>;

    /// Sends a question about the state and returns the byte that answers it, or `None` if the printer does not answer for as long as the
    /// app waits, although it is connected.
    ///
    /// # Errors
    /// [`PrinterFault`] if the connection ended.
    fn ask(&mut self, question: &[u8]) -> Result<Option<u8>, PrinterFault>;
}

/// Why a printer takes no more bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrinterFault {
    /// The connection ended: switched off or out of reach.
    Disconnected,
    /// The printer took nothing, or did not answer, for as long as the app waits.
    TimedOut,
}

/// How a print job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrintEnd {
    /// Everything was sent, and the printer reported no fault.
    Complete,
    /// There was no paper. Insert paper and print again, as the next copy.
    OutOfPaper,
    /// The cover was open or the printer had an error. Close it and print again, as the next copy.
    NotReady,
    /// The connection ended. Switch the printer on, connect and print again, as the next copy.
    Disconnected,
    /// The printer took nothing for too long. Print again, as the next copy.
    TimedOut,
}

/// What was printed of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrintResult {
    /// How it ended.
    pub end: PrintEnd,
    /// Lines of the page that are on paper, if the printer confirmed it; otherwise those that it took.
    pub lines_printed: usize,
    /// Lines of the page.
    pub lines: usize,
    /// Whether a part of a line may be on paper, so that the next print is another copy.
    pub has_used_paper: bool,
    /// Whether the printer confirmed each line after printing it. If not, a part of the last lines may be missing on the paper.
    pub is_confirmed: bool,
}

/// `GS r 1`: state of the paper sensors, answered when everything before it has been printed.
const ASK_IN_ORDER: &[u8] = b"\x1dr\x01";
/// `DLE EOT 4`: state of the paper sensors, answered at once.
const ASK_PAPER: &[u8] = b"\x10\x04\x04";
/// `DLE EOT 2`: why the printer is offline, answered at once.
const ASK_OFFLINE: &[u8] = b"\x10\x04\x02";
/// Bits of the answer to [`ASK_IN_ORDER`]: the sensor at the end of the roll sees no paper.
const ENDED_IN_ORDER: u8 = 0x0c;
/// Bits of the answer to [`ASK_PAPER`]: the same.
const PAPER_ENDED: u8 = 0x60;
/// Bit of the answer to [`ASK_OFFLINE`]: printing stopped because the paper ended.
const STOPPED_WITHOUT_PAPER: u8 = 0x20;
/// Bits of the answer to [`ASK_OFFLINE`]: the cover is open, or an error occurred.
const COVER_OPEN_OR_ERROR: u8 = 0x44;

/// Prints a job line by line and asks the printer for its state before the first and after each line, so that the result says which lines
/// are on paper. It changes nothing but the paper: the caller counts the copy if [`PrintResult::has_used_paper`].
pub fn print(job: &Job, printer: &mut dyn Printer) -> PrintResult {
    let lines = job.lines.len();
    let result =
        PrintResult { end: PrintEnd::Complete, lines_printed: 0, lines, has_used_paper: false, is_confirmed: true };
    let mut session = Session { printer, result };
    if let Err(end) = session.print(job) {
        session.result.end = end;
    }
    session.result
}

struct Session<'a> {
    printer: &'a mut dyn Printer,
    result: PrintResult,
}

impl Session<'_> {
    fn print(&mut self, job: &Job) -> Result<(), PrintEnd> {
        self.require_ready()?;
        self.send(&job.start)?;
        for line in &job.lines {
            self.result.has_used_paper = true;
            self.send(line)?;
            self.require_printed()?;
            self.result.lines_printed += 1;
        }
        self.send(&job.end)?;
        self.require_printed()
    }

    fn send(&mut self, mut bytes: &[u8]) -> Result<(), PrintEnd> {
        while !bytes.is_empty() {
            match self.printer.send(bytes)? {
                // A broken promise of the seam; it must not become an endless loop.
                0 => return Err(PrintEnd::TimedOut),
                taken => bytes = bytes.get(taken..).unwrap_or_default(),
            }
        }
        Ok(())
    }

    /// Waits until all that was sent is printed. A printer that does not know the question is asked for its state only, which it answers
    /// before it has printed what it keeps in memory.
    fn require_printed(&mut self) -> Result<(), PrintEnd> {
        if self.result.is_confirmed {
            match self.printer.ask(ASK_IN_ORDER)? {
                Some(state) if state & ENDED_IN_ORDER != 0 => return Err(PrintEnd::OutOfPaper),
                Some(_) => return Ok(()),
                // Also a printer that stopped does not answer.
                None => {
                    self.require_ready()?;
                    self.result.is_confirmed = false;
                }
            }
        }
        self.require_ready()
    }

    /// Fails if the printer says that it can't print.
    fn require_ready(&mut self) -> Result<(), PrintEnd> {
        let paper = self.printer.ask(ASK_PAPER)?.unwrap_or(0);
        let offline = self.printer.ask(ASK_OFFLINE)?.unwrap_or(0);
        if paper & PAPER_ENDED != 0 || offline & STOPPED_WITHOUT_PAPER != 0 {
            Err(PrintEnd::OutOfPaper)
        } else if offline & COVER_OPEN_OR_ERROR != 0 {
            Err(PrintEnd::NotReady)
        } else {
            Ok(())
        }
    }
}

impl From<PrinterFault> for PrintEnd {
    fn from(fault: PrinterFault) -> Self {
        match fault {
            PrinterFault::Disconnected => Self::Disconnected,
            PrinterFault::TimedOut => Self::TimedOut,
        }
    }
}
