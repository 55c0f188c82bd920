//! Papers: receipts, manifests, statements and day books, and the forms that they take.

use std::sync::Arc;

use farmtally_core::paper::escpos::{self, CodePage, PrinterProfile};
use farmtally_core::paper::pdf::{self, Sheet};
use farmtally_core::paper::{
    self, Fonts, Language, Page, PaperError, PaperWidth, PrintEnd, PrintResult, PrinterFault, TextDrawing, Wording,
    html, sms, text,
};
use farmtally_core::units::{BusinessDate, CentreCode, DeliveryId, FarmerId, LoadId};

use crate::client::{FieldClient, on_thread, threads};
use crate::error::FieldError;

/// A language of papers.
#[uniffi::remote(Enum)]
pub enum Language {
    /// English
    English,
    /// Kannada
    Kannada,
    /// Hindi
    Hindi,
    /// Arabic, written from right to left
    Arabic,
}

/// Language and digits of a paper.
#[uniffi::remote(Record)]
pub struct Wording {
    /// Language of the words
    pub language: Language,
    /// Whether weights, counts, amounts and dates have the digits of the language's script instead of Latin ones
    #[uniffi(default = false)]
    pub has_native_digits: bool,
}

/// Width of a receipt printer's paper.
#[uniffi::remote(Enum)]
pub enum PaperWidth {
    /// 58 mm: 32 columns, 384 dots
    Mm58,
    /// 80 mm: 48 columns, 576 dots
    Mm80,
}

/// Characters of a printer.
#[uniffi::remote(Enum)]
pub enum CodePage {
    /// ASCII only, which every printer has
    Ascii,
    /// Windows-1252, which has the letters of Western Europe, as table 16
    Windows1252,
}

/// What a receipt printer can do.
#[uniffi::remote(Record)]
pub struct PrinterProfile {
    /// Width of its paper
    pub width: PaperWidth,
    /// Characters that it has
    pub code_page: CodePage,
    /// Whether it draws QR codes by itself; otherwise they are sent as pictures
    pub has_qr: bool,
    /// Whether it cuts the paper
    pub cuts: bool,
}

/// Size of a PDF's sheets.
#[uniffi::remote(Enum)]
pub enum Sheet {
    /// 210 by 297 mm
    A4,
    /// 148 by 210 mm
    A5,
}

/// How a print ended.
#[uniffi::remote(Enum)]
pub enum PrintEnd {
    /// Everything was sent, and the printer reported no fault
    Complete,
    /// There was no paper: insert paper and print again
    OutOfPaper,
    /// The cover was open or the printer had an error: close it and print again
    NotReady,
    /// The connection ended: switch the printer on, connect and print again
    Disconnected,
    /// The printer took nothing for too long: print again
    TimedOut,
}

/// What was printed.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct PrintReport {
    /// How it ended
    pub end: PrintEnd,
    /// Lines that are on paper, if the printer confirmed it; otherwise those that it took
    pub lines_printed: u32,
    /// Lines of the paper
    pub lines: u32,
    /// Whether paper was used: then call record_print, so that the next print is marked as a copy
    pub has_used_paper: bool,
    /// Whether the printer confirmed each line; if not, a part of the last lines may be missing on the paper
    pub is_confirmed: bool,
}

impl From<PrintResult> for PrintReport {
    fn from(result: PrintResult) -> Self {
        let count = |lines: usize| u32::try_from(lines).unwrap_or(u32::MAX);
        Self {
            end: result.end,
            lines_printed: count(result.lines_printed),
            lines: count(result.lines),
            has_used_paper: result.has_used_paper,
            is_confirmed: result.is_confirmed,
        }
    }
}

/// A text message.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct TextMessage {
    /// The text
    pub text: String,
    /// Number of parts that are sent and paid for
    pub parts: u32,
    /// Number of lines that were left out so that it fits
    pub dropped: u32,
}

/// The printer cannot be reached.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum PrinterError {
    /// The connection ended: switched off or out of reach
    #[error("{reason}")]
    Disconnected {
        /// What failed, for logs
        reason: String,
    },
    /// The printer took nothing, or did not answer, for as long as the app waits
    #[error("{reason}")]
    TimedOut {
        /// What failed, for logs
        reason: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for PrinterError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Disconnected { reason: error.reason }
    }
}

impl From<PrinterError> for PrinterFault {
    fn from(error: PrinterError) -> Self {
        match error {
            PrinterError::Disconnected { .. } => Self::Disconnected,
            PrinterError::TimedOut { .. } => Self::TimedOut,
        }
    }
}

/// A connection to a receipt printer over Bluetooth, USB or a network, which the app implements.
#[uniffi::export(with_foreign)]
#[async_trait::async_trait]
pub trait Printer: Send + Sync {
    /// Sends bytes, and returns how many of them the printer took, at least one. Waits while a slow printer takes none.
    async fn send(&self, bytes: Vec<u8>) -> Result<u32, PrinterError>;

    /// Sends a question about the printer's state, and returns the byte that answers it; null if none comes.
    async fn ask(&self, question: Vec<u8>) -> Result<Option<u8>, PrinterError>;
}

/// The app's printer behind core's blocking interface.
struct AppPrinter(Arc<dyn Printer>);

/// Waits for an answer of the app's printer.
fn answer_of<T>(answer: impl Future<Output = Result<T, PrinterError>>) -> Result<T, PrinterFault> {
    let threads = threads().map_err(|_no_threads| PrinterFault::Disconnected)?;
    threads.block_on(answer).map_err(PrinterFault::from)
}

impl paper::Printer for AppPrinter {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, PrinterFault> {
        answer_of(self.0.send(bytes.to_vec())).map(|taken| (taken as usize).min(bytes.len()))
    }

    fn ask(&mut self, question: &[u8]) -> Result<Option<u8>, PrinterFault> {
        answer_of(self.0.ask(question.to_vec()))
    }
}

/// A paper: a receipt, a manifest, a statement or a day book. It does not change when the record does.
#[derive(uniffi::Object)]
pub struct Paper {
    page: Arc<Page>,
}

#[uniffi::export]
impl Paper {
    /// Returns the title, such as for the name of a file.
    pub fn title(&self) -> String {
        self.page.title.clone()
    }

    /// Returns the paper as text of 32 or 48 columns.
    pub fn text(&self, width: PaperWidth) -> String {
        text::render(&self.page, width)
    }

    /// Returns the paper as a text message of at most `most_parts` parts. The least important lines are left out until it fits; fails with
    /// Invalid (field most_parts) rather than leave out a number or a total.
    #[uniffi::method(default(most_parts = 2))]
    pub fn message(&self, most_parts: u32) -> Result<TextMessage, FieldError> {
        let message = sms::render(&self.page, most_parts as usize).map_err(|error| refused(&error))?;
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(TextMessage { parts: count(message.parts), dropped: count(message.dropped), text: message.text })
    }

    /// Returns the paper as an HTML file, which needs nothing from the network.
    pub fn html(&self) -> Result<String, FieldError> {
        html::render(&self.page).map_err(|error| refused(&error))
    }

    /// Returns the commands (ESC/POS) that print the paper. `fonts` are the contents of TrueType files, in the order of preference, for
    /// characters that the printer does not have; fails with Invalid (field fonts) if they are needed or cannot be read.
    #[uniffi::method(default(fonts = []))]
    pub async fn commands(&self, profile: PrinterProfile, fonts: Vec<Vec<u8>>) -> Result<Vec<u8>, FieldError> {
        let page = Arc::clone(&self.page);
        on_thread(move || Ok(job(&page, profile, fonts)?.to_bytes())).await
    }

    /// Returns the paper as a PDF file. `fonts` are as for `commands`, and cannot be left out.
    pub async fn pdf(&self, sheet: Sheet, fonts: Vec<Vec<u8>>) -> Result<Vec<u8>, FieldError> {
        let page = Arc::clone(&self.page);
        on_thread(move || {
            Fonts::new(fonts).and_then(|fonts| pdf::render(&page, sheet, &fonts)).map_err(|it| refused(&it))
        })
        .await
    }

    /// Prints the paper line by line, and asks the printer after each line whether it is on paper. The record is not changed: call
    /// record_print if paper was used.
    #[uniffi::method(default(fonts = []))]
    pub async fn print(
        &self,
        printer: Arc<dyn Printer>,
        profile: PrinterProfile,
        fonts: Vec<Vec<u8>>,
    ) -> Result<PrintReport, FieldError> {
        let page = Arc::clone(&self.page);
        on_thread(move || {
            let job = job(&page, profile, fonts)?;
            Ok(paper::print(&job, &mut AppPrinter(printer)).into())
        })
        .await
    }
}

#[uniffi::export]
impl FieldClient {
    /// Returns the receipt of a recorded delivery, as the next print of it. Fails with NotFound, also for a draft.
    pub async fn receipt(&self, delivery_id: DeliveryId, wording: Wording) -> Result<Arc<Paper>, FieldError> {
        self.call(move |engine| Ok(paper_of(engine.core.receipt(delivery_id, wording)?))).await
    }

    /// Returns the manifest of a load: of the last request to close it, or of the deliveries on it if there is none.
    pub async fn manifest(&self, load_id: LoadId, wording: Wording) -> Result<Arc<Paper>, FieldError> {
        self.call(move |engine| Ok(paper_of(engine.core.manifest(load_id, wording)?))).await
    }

    /// Returns the statement of a farmer: the deliveries of a period that are on this phone. Fails with Invalid (field from_date) if it
    /// ends before it begins.
    pub async fn statement(
        &self,
        farmer_id: FarmerId,
        from_date: BusinessDate,
        to_date: BusinessDate,
        wording: Wording,
    ) -> Result<Arc<Paper>, FieldError> {
        self.call(move |engine| Ok(paper_of(engine.core.statement(farmer_id, from_date, to_date, wording)?))).await
    }

    /// Returns the current user's day book of a centre. Fails with Refused (code out_of_scope) if the centre is not granted.
    pub async fn day_book(
        &self,
        centre: CentreCode,
        date: BusinessDate,
        wording: Wording,
    ) -> Result<Arc<Paper>, FieldError> {
        self.call(move |engine| Ok(paper_of(engine.core.day_book(&centre, date, wording)?))).await
    }
}

fn paper_of(page: Page) -> Arc<Paper> {
    Arc::new(Paper { page: Arc::new(page) })
}

fn job(page: &Page, profile: PrinterProfile, fonts: Vec<Vec<u8>>) -> Result<escpos::Job, FieldError> {
    let fonts = if fonts.is_empty() { Ok(None) } else { Fonts::new(fonts).map(Some) };
    let job = fonts
        .and_then(|fonts| escpos::render(page, &profile, fonts.as_ref().map(|fonts| -> &dyn TextDrawing { fonts })));
    job.map_err(|error| refused(&error))
}

fn refused(error: &PaperError) -> FieldError {
    let field = match error {
        PaperError::NeedsFonts { .. } | PaperError::BadFont { .. } => "fonts",
        PaperError::MessageTooLong { .. } => "most_parts",
        PaperError::QrTooLong { .. } => "code",
    };
    FieldError::invalid(field, error)
}
