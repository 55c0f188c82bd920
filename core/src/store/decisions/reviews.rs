use std::collections::BTreeSet;

use crate::decisions::{Review, ReviewCode};
use crate::scope::Scope;
use crate::store::Error;
use crate::store::sql::{Column, Reader, Value, values};
use crate::units::{DocumentId, ReviewId, Timestamp, ToValue};

/// A review with the time when it was raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raised {
    /// The review.
    pub review: Review,
    /// The time by the server's clock.
    pub raised_at: Timestamp,
}

/// Returns those of `reviews` that are stored, each with each scope in which it was raised.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn reviews_of(
    db: &mut dyn Reader,
    reviews: impl IntoIterator<Item = ReviewId>,
) -> Result<BTreeSet<(ReviewId, Scope)>, Error> {
    let reviews: Vec<ReviewId> = reviews.into_iter().collect();
    let keys: Vec<Value<'_>> = reviews.iter().map(ToValue::to_value).collect();
    let statement = "SELECT review_id, scope FROM keys JOIN reviews ON reviews.review_id = keys.review";
    let known = db.query_all_keys(&[Column::blob("review")], &keys, statement, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(known.into_iter().collect())
}

/// Returns the reviews of all scopes that name any record, each once, by scope and in the order of its log; none is ever closed in this
/// version.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn reviews(db: &mut dyn Reader) -> Result<Vec<Raised>, Error> {
    let mut reviews: Vec<Raised> = Vec::new();
    let (mut known, mut last) = (BTreeSet::<ReviewId>::new(), None);
    let statement = "SELECT reviews.review_id, reviews.code, reviews.decided_at_ms, decision_documents.document_id,
             reviews.scope
         FROM reviews JOIN decision_documents
             ON decision_documents.scope = reviews.scope AND decision_documents.seq = reviews.seq
         ORDER BY reviews.scope, reviews.seq, decision_documents.document_id";
    db.query(statement, &[], &mut |row| {
        let (id, document) = (row.get(0)?, row.get(3)?);
        let raised = Some((id, row.get::<Scope>(4)?));
        if raised == last {
            // Of a review that another scope has too, only the first scope's rows count.
            if let Some(Raised { review, .. }) = reviews.last_mut().filter(|it| it.review.review_id == id) {
                review.documents.push(document);
            }
        } else if known.insert(id) {
            let review = Review { review_id: id, code: row.get(1)?, documents: vec![document] };
            reviews.push(Raised { review, raised_at: row.get(2)? });
            last = raised;
        }
        Ok(())
    })?;
    Ok(reviews)
}

pub(super) const REVIEW_CODES: &str = "SELECT DISTINCT reviews.code FROM decision_documents JOIN reviews
         ON reviews.scope = decision_documents.scope AND reviews.seq = decision_documents.seq
     WHERE decision_documents.document_id = ?1 ORDER BY reviews.code";

/// Returns the codes of the reviews that name a record, sorted and without duplicates.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn review_codes(db: &mut dyn Reader, document: DocumentId) -> Result<Vec<ReviewCode>, Error> {
    Ok(db.query_all(REVIEW_CODES, &values![document], |row| row.get(0))?)
}
