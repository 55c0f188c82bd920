use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Stored};
use crate::records::Table;
use crate::units::{Column, DocumentId, ReviewId, ToValue, derived, open_codes};

open_codes! {
    /// The kinds of matter that the server raises.
    pub ReviewCode {
        /// Two loads for one lorry on one day. Blocks dispatch.
        LoadContention = "load_contention",
        /// A delivery on a load whose manifest does not name it. Blocks settlement of the delivery.
        LateDelivery = "late_delivery",
        /// Two registrations that may be one farmer. Blocks payment.
        FarmerLookAlike = "farmer_look_alike",
        /// A device handed over two different bundles under one number: cloned, restored, or broken flash.
        DeviceFork = "device_fork",
        /// Recorded under a grant that had ended, by somebody who could not know. Blocks settlement.
        GrantEnded = "grant_ended",
        /// Came back after the recovery from its loss had been ended. Blocks settlement.
        LateEvidence = "late_evidence",
        /// A device no longer has the bytes of a change, because its document was erased there by a decision that this server lost. Erase
        /// it again, or find another device that has it.
        BytesMissing = "bytes_missing",
    }
}

impl ReviewCode {
    /// The review of this matter about these records.
    ///
    /// Its id is the first 16 bytes of SHA-256 over the code and the sorted documents: the same matter found twice is one review.
    pub fn review(self, mut documents: Vec<DocumentId>) -> Review {
        documents.sort_unstable();
        documents.dedup();
        let about = documents.iter().map(|document| document.as_bytes().as_slice());
        let review = derived(std::iter::once(self.as_str().as_bytes()).chain(about));
        Review { review, code: self, documents }
    }
}

/// A matter that waits for a person. It holds what `code` says it blocks, never the record.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Review {
    /// Its id: the same matter has the same id, however often it is found.
    #[n(0)]
    pub review: ReviewId,
    /// What kind of matter.
    #[n(1)]
    pub code: ReviewCode,
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
            (Column::blob("review_id"), |it| it.review.to_value()),
            (Column::text("code"), |it| it.code.to_value()),
        ],
    });

    fn documents(&self) -> Vec<DocumentId> {
        self.documents.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matter_found_twice_is_one_review() {
        let (a, b) = (DocumentId::from([1; 16]), DocumentId::from([2; 16]));
        let review = |documents| ReviewCode::LoadContention.review(documents);
        assert_eq!(review(vec![a, b]), review(vec![b, a]));
        assert_ne!(review(vec![a, b]).review, review(vec![a]).review);
    }
}
