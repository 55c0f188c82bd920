//! Books of numbered paper forms, which a centre uses when there is no phone.

use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, StoredAs};
use crate::units::{CentreCode, PaperBookCode, named};

named! {
    /// What the forms of a paper book are for.
    #[derive(Encode, Decode)]
    #[cbor(index_only)]
    pub PaperPurpose, "a purpose of a paper book" {
        /// Deliveries that were weighed without a phone.
        #[n(0)]
        Deliveries = "deliveries",
        /// Advances that were given without a phone.
        #[n(1)]
        Advances = "advances",
    }
}

/// A book of numbered paper forms.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PaperBook {
    /// Code of the book.
    #[n(0)]
    pub code: PaperBookCode,
    /// Number of the first form.
    #[n(1)]
    pub first_serial: u32,
    /// Number of the last form, not below the first.
    #[n(2)]
    pub last_serial: u32,
    /// Centre that has the book.
    #[n(3)]
    pub centre: CentreCode,
    /// What its forms are for.
    #[n(4)]
    pub purpose: PaperPurpose,
}

impl PaperBook {
    /// Returns whether the book has a form with this number.
    pub fn has(&self, serial: u32) -> bool {
        (self.first_serial..=self.last_serial).contains(&serial)
    }
}

impl DecisionKind for PaperBook {
    const NUMBER: u8 = 20;
    const NAME: &'static str = "paper_book";
    const AUDIENCE: Audience = Audience::Organisation;
    const STORED: StoredAs<Self> = StoredAs::Latest(|it| it.code.to_string());
}
