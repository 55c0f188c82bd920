use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, StoredAs};
use crate::records::Table;
use crate::units::{Column, DocumentId, ReviewId, ToValue, derived, open_codes};

open_codes! {
    /// Code of a question that the server asks a person. Nothing enforces yet what a code is said to block (`docs/records.md`, "Reviews").
    pub ReviewCode {
        /// Two or more loads of a scope have one lorry on one day, and may have been open at one time. Blocks dispatch.
        LoadContention = "load_contention",
        /// A delivery that is not voided is on a load with a request to close, and no manifest names it. Blocks settlement of the delivery.
        LateDelivery = "late_delivery",
        /// Contacts of a centre look alike, so their farmers may be one. Names the farmers. Blocks payment.
        FarmerLookAlike = "farmer_look_alike",
        /// Farmers of a centre have a placeholder as telephone number, or too many have the same. Names the first of them.
        SharedPhone = "shared_phone",
        /// Two deliveries of one farmer and day may be one heap, recorded twice. Blocks settlement of both.
        PossibleDuplicate = "possible_duplicate",
        /// A delivery has bags of a type that its rule set does not name, so their tare is not known. Blocks settlement.
        UnknownBagType = "unknown_bag_type",
        /// The deductions of a delivery use up all that was weighed of a grade of it. Blocks settlement.
        DeductionsExceedWeight = "deductions_exceed_weight",
        /// A delivery that is not voided was recorded after its farmer had become inactive. Names both. Blocks payment.
        FarmerInactive = "farmer_inactive",
        /// Two or more deliveries that are not voided replace the same one. Names them and that one. Blocks settlement.
        ReplacedTwice = "replaced_twice",
        /// Something was done to a record in a state that did not permit it, or with the cash of others: somebody meant something by it. Names
        /// the record; with it the load that had left, or the delivery that is replaced. Blocks settlement.
        OutOfState = "out_of_state",
        /// The season requires a certificate of which the farmer of a delivery had none. Blocks settlement of the delivery.
        CertificateMissing = "certificate_missing",
        /// Of a scheme that certified the farmer of a delivery, no certificate was valid on its business date. Blocks settlement of it.
        CertificateExpired = "certificate_expired",
        /// With this delivery, the farmer's gross weight of the season was above the quota. Blocks settlement of the delivery.
        QuotaExceeded = "quota_exceeded",
        /// Two or more deliveries or advances that stand were entered from one paper form. Names them. Blocks settlement.
        PaperSerialRepeated = "paper_serial_repeated",
        /// A load weighs more than the highest limit of its lorry's payload, although perhaps no phone knew. Names the load. Blocks dispatch.
        OverCapacity = "over_capacity",
        /// What was weighed of a load after it had left differs from what is on it, beyond the tolerance of the rule set. Names the load.
        /// Blocks settlement of its deliveries.
        Variance = "variance",
        /// A device sealed two different bundles under one number: it was cloned, set back, or its memory is broken. Names the device's id.
        DeviceFork = "device_fork",
        /// A change was recorded under a grant that had ended, by an author who could not know. Blocks settlement.
        GrantEnded = "grant_ended",
        /// Lost entries were restored after a person had ended the recovery. Blocks settlement.
        LateEvidence = "late_evidence",
        /// An advance with which its author paid out more than was leased on the device, or its farmer has more than the limit for one
        /// farmer. Blocks its recovery.
        AdvanceOverLimit = "advance_over_limit",
        /// A count of cash differs from what the phone expected.
        CashDifference = "cash_difference",
        /// A device did not send a change's bytes, after an erasure that this server lost or for no known reason. Erase again or find them.
        BytesMissing = "bytes_missing",
    }
}

impl ReviewCode {
    /// Returns the review with this code that names these records, without raising it. Its id is the first 16 bytes of SHA-256 over the
    /// code and the sorted documents, so the review of the same finding has the same id.
    pub fn review(self, mut documents: Vec<DocumentId>) -> Review {
        documents.sort_unstable();
        documents.dedup();
        let about = documents.iter().map(|document| document.as_bytes().as_slice());
        let review = derived(std::iter::once(self.as_str().as_bytes()).chain(about));
        Review { review_id: review, code: self, documents }
    }
}

/// A question that waits for a person. The records that it names can still be changed; it cannot be closed in this version.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Review {
    /// Id of the review, the same however often it is found.
    #[n(0)]
    pub review_id: ReviewId,
    /// Code of the question.
    #[n(1)]
    pub code: ReviewCode,
    /// Records that it names, sorted and without duplicates; the device's id for [`ReviewCode::DeviceFork`].
    #[n(2)]
    pub documents: Vec<DocumentId>,
}

impl DecisionKind for Review {
    const NUMBER: u8 = 8;
    const NAME: &'static str = "review";
    const AUDIENCE: Audience = Audience::Scope;
    const STORED: StoredAs<Self> = StoredAs::Rows(Table {
        name: "reviews",
        key: "review_id, scope",
        columns: &[
            (Column::blob("review_id"), |it| it.review_id.to_value()),
            (Column::text("code"), |it| it.code.to_value()),
        ],
    });

    fn document_ids(&self) -> Vec<DocumentId> {
        self.documents.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_question_found_twice_is_one_review() {
        let (a, b) = (DocumentId::from([1; 16]), DocumentId::from([2; 16]));
        let review = |documents| ReviewCode::LoadContention.review(documents);
        assert_eq!(review(vec![a, b]), review(vec![b, a]));
        assert_ne!(review(vec![a, b]).review_id, review(vec![a]).review_id);
    }
}
