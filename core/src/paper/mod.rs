//! Printed papers: receipts, manifests, statements and day books, from plain input to bytes of a printer or a file.
//!
//! Owns the content of each paper ([`Receipt`], [`Manifest`], [`Statement`], [`DayBook`]), the words in four languages ([`Word`],
//! [`Wording`]), the neutral lines between content and form ([`Page`]), and the forms: [`text`], [`escpos`], [`html`], [`sms`], and with the
//! feature `paper-pdf` also `pdf`. Does *not* own arithmetic: it prints the figures that it is given. It reads no store, counts no copies,
//! and opens no connection to a printer ([`Printer`] is the seam).
//!
//! A paper becomes a [`Page`], and each form takes any page:
//!
//! ```
//! use farmtally_core::paper::{Line, Page, PaperWidth, Wording, text};
//!
//! let mut page = Page::new(Wording::default(), "Note");
//! page.push(Line::pair("Bags", "20"));
//! assert_eq!(text::render(&page, PaperWidth::Mm58), format!("Bags{}20\n", " ".repeat(26)));
//! ```
//!
//! Invariants: no text causes a panic or a line wider than the paper. A text from a record can't change what is printed around it: control
//! characters and characters that change the direction are not printed, and bytes of a printer's commands are never text.

mod day_book;
mod document;
pub mod escpos;
pub mod html;
mod layout;
mod manifest;
mod model;
#[cfg(feature = "paper-shaping")]
mod outline;
#[cfg(feature = "paper-pdf")]
pub mod pdf;
mod printer;
mod qr;
mod raster;
mod receipt;
#[cfg(feature = "paper-shaping")]
mod shape;
pub mod sms;
mod statement;
pub mod text;
mod wording;
mod words;

pub use day_book::{DayBook, DayBookLine};
pub use document::{CopyNumber, FarmerName, Heading, Instant, Proof};
pub use manifest::{Manifest, ManifestLine};
pub use model::{Align, Cell, Line, Page, PaperWidth, ShortLine};
pub use printer::{PrintEnd, PrintResult, Printer, PrinterFault, print};
pub use raster::{Bitmap, Placement, TextDrawing};
pub use receipt::{
    AdvancesBalance, Amendment, BagLine, Change, DeductionLine, Figure, LotLine, MoistureLine, Price, PriceUnit,
    Receipt, ReceiptGroup, Scale, Value,
};
#[cfg(feature = "paper-shaping")]
pub use shape::Fonts;
pub use statement::{AdvanceLine, AdvanceWord, Advances, DeliveryLine, Statement};
pub use wording::{Direction, Language, Wording};
pub use words::Word;

use crate::limits::MAX_PRINTED_CODE;

/// Error for a page that can't be printed in a form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaperError {
    /// The content of a QR code is longer than the largest code holds.
    #[error(
        "the content of a QR code has {bytes} bytes, and the largest code holds {MAX_PRINTED_CODE}: print less in it"
    )]
    QrTooLong {
        /// Length of the content.
        bytes: usize,
    },
    /// The printer has no characters for a line, and no fonts were handed over to draw it.
    #[error("the printer has no character {character:?}: hand over fonts, so that the line is printed as a picture")]
    NeedsFonts {
        /// The first such character.
        character: char,
    },
    /// The bytes handed over as a font are no TrueType or OpenType font.
    #[error("font {index} is not a TrueType or OpenType font, or is damaged: hand over another file")]
    BadFont {
        /// Its place in the list, from 0.
        index: usize,
    },
    /// A message is too long even without the lines that may be dropped.
    #[error(
        "the message needs {needed} parts without the lines that may be dropped: allow as many, or send it in another way"
    )]
    MessageTooLong {
        /// Parts that are needed.
        needed: usize,
    },
}
