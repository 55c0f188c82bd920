use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Stored};
use crate::records::{Table, TableColumn};
use crate::units::{DocumentId, ReviewId, ToValue};

/// A matter that waits for a person. It holds what `code` says it blocks, never the record.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Review {
    /// Its id: the same matter has the same id, however often it is found.
    #[n(0)]
    pub review: ReviewId,
    /// What kind of matter.
    #[n(1)]
    pub code: String,
    /// The records that it is about.
    #[n(2)]
    pub documents: Vec<DocumentId>,
}

impl DecisionKind for Review {
    const NUMBER: u8 = 8;
    const NAME: &'static str = "review";
    const AUDIENCE: Audience = Audience::Scope;
    const STORED: Stored<Self> = Stored::Rows(Table {
        name: "reviews",
        key: "review_id",
        columns: &[
            TableColumn::blob("review_id", |it| it.review.to_value()),
            TableColumn::text("code", |it| it.code.to_value()),
        ],
    });

    fn documents(&self) -> Vec<DocumentId> {
        self.documents.clone()
    }
}
