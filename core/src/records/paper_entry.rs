//! Entries that were written on numbered paper first.

use minicbor::{Decode, Encode};

use super::simple::WrongField;
use crate::limits::MAX_SERIAL;
use crate::units::PaperBookCode;

/// The numbered form of a paper book on which a record was written before it was entered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct PaperEntry {
    /// Code of the book.
    #[n(0)]
    pub book: PaperBookCode,
    /// Number printed on the form.
    #[n(1)]
    pub serial: u32,
}

impl PaperEntry {
    /// Checks the number, which a form of no book exceeds.
    pub(crate) fn check(&self) -> Result<(), WrongField> {
        if self.serial <= MAX_SERIAL {
            return Ok(());
        }
        Err(WrongField::new("paper_entry", format!("a form has at most the number {MAX_SERIAL}")))
    }
}
