use crate::decisions::Review;
use crate::units::{DocumentId, derived};

/// The kinds of matter that the server raises. The names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReviewCode {
    /// Two loads for one lorry on one day. Blocks dispatch.
    LoadContention,
    /// A delivery on a load whose manifest does not name it. Blocks settlement of the delivery.
    LateDelivery,
    /// Two registrations that may be one farmer. Blocks payment.
    FarmerLookAlike,
    /// A device handed over two different bundles under one number: cloned, restored, or broken flash.
    DeviceFork,
    /// Recorded under a grant that had ended, by somebody who could not know. Blocks settlement.
    GrantEnded,
    /// Came back after the recovery from its loss had been ended. Blocks settlement.
    LateEvidence,
    /// A device no longer has the bytes of a change, because its document was erased there by a decision that this server lost. Erase it
    /// again, or find another device that has it.
    BytesMissing,
}

impl ReviewCode {
    /// The code's stable name.
    pub fn code(self) -> &'static str {
        match self {
            Self::LoadContention => "load_contention",
            Self::LateDelivery => "late_delivery",
            Self::FarmerLookAlike => "farmer_look_alike",
            Self::DeviceFork => "device_fork",
            Self::GrantEnded => "grant_ended",
            Self::LateEvidence => "late_evidence",
            Self::BytesMissing => "bytes_missing",
        }
    }

    /// The review of this matter about these records.
    ///
    /// Its id is the first 16 bytes of SHA-256 over the code and the sorted documents: the same matter found twice is one review.
    pub fn review(self, mut documents: Vec<DocumentId>) -> Review {
        documents.sort_unstable();
        documents.dedup();
        let about = documents.iter().map(|document| document.as_bytes().as_slice());
        let review = derived(std::iter::once(self.code().as_bytes()).chain(about));
        Review { review, code: self.code().to_owned(), documents }
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
