use std::collections::BTreeSet;

use super::{about, corrupt};
use crate::decisions::Review;
use crate::store::Error;
use crate::store::sql::{Reader, values};
use crate::units::{DocumentId, ReviewId, Timestamp};

/// A review, and when it was raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raised {
    /// The review.
    pub review: Review,
    /// When, by the server's clock.
    pub raised_at: Timestamp,
}

/// Returns whether a review is known.
///
/// # Errors
/// Those of the database.
pub fn has_review(db: &mut dyn Reader, review: ReviewId) -> Result<bool, Error> {
    Ok(db.exists("SELECT 1 FROM reviews WHERE review_id = ?1", &values![review])?)
}

/// Returns all reviews that name a record, the oldest first.
///
/// # Errors
/// Those of the database.
pub fn reviews(db: &mut dyn Reader) -> Result<Vec<Raised>, Error> {
    let mut reviews: Vec<Raised> = Vec::new();
    let statement = "SELECT reviews.review_id, reviews.code, reviews.decided_at_ms, decision_documents.document_id
         FROM reviews JOIN decision_documents
             ON decision_documents.scope = reviews.scope AND decision_documents.seq = reviews.seq
         ORDER BY reviews.decided_at_ms, reviews.review_id, decision_documents.document_id";
    db.query(statement, &[], &mut |row| {
        let (id, document) = (row.get(0)?, row.get(3)?);
        match reviews.last_mut() {
            Some(Raised { review, .. }) if review.review == id => review.documents.push(document),
            _ => {
                let review = Review { review: id, code: row.get(1)?, documents: vec![document] };
                reviews.push(Raised { review, raised_at: row.get(2)? });
            }
        }
        Ok(())
    })?;
    Ok(reviews)
}

/// Returns the codes of the reviews that name a record, each once, in order.
///
/// # Errors
/// Those of the database; [`Error::Corrupt`] for a row that cannot be read.
pub fn review_codes(db: &mut dyn Reader, document: DocumentId) -> Result<Vec<String>, Error> {
    let mut codes = BTreeSet::new();
    for named in about(db, document)? {
        if let Some(review) = named.decision.get::<Review>() {
            codes.insert(review.map_err(corrupt)?.code);
        }
    }
    Ok(codes.into_iter().collect())
}
