//! What waits for a person: conflicts, reviews, held changes.

use super::FieldClient;
use crate::Error;
use crate::records::{Conflict, Record};
use crate::store::outbox;
use crate::store::rows;
use crate::store::{decisions, records as stored};
use crate::units::{DocumentId, Timestamp};

/// One matter that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxItem {
    /// The records it is about.
    pub documents: Vec<DocumentId>,
    /// What kind of matter.
    pub kind: InboxKind,
}

/// The kinds of matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InboxKind {
    /// Values that were given without knowledge of each other, all of them.
    Conflict(Conflict),
    /// The office must look at it.
    Review {
        /// What kind of review.
        code: String,
        /// Since when.
        raised_at: Timestamp,
    },
    /// The server keeps a change of this phone for a person to decide.
    Held {
        /// Why.
        code: String,
        /// Why, in words.
        reason: String,
    },
}

impl FieldClient {
    /// All that waits for a person: held changes first, then conflicts, then reviews.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn inbox(&self) -> Result<Vec<InboxItem>, Error> {
        Ok(self.store.read(|db| {
            let held = outbox::held(db)?.into_iter().map(|held| InboxItem {
                documents: vec![held.document],
                kind: InboxKind::Held { code: held.code, reason: held.reason },
            });
            let mut items: Vec<InboxItem> = held.collect();
            for document in rows::in_conflict(db)? {
                let record = stored::load(db, document)?.and_then(|(_, merged)| merged.record);
                let conflicts = record.iter().flat_map(Record::conflicts);
                items.extend(conflicts.map(|conflict| InboxItem {
                    documents: vec![document],
                    kind: InboxKind::Conflict(conflict.clone()),
                }));
            }
            items.extend(decisions::reviews(db)?.into_iter().map(|review| InboxItem {
                documents: review.documents,
                kind: InboxKind::Review { code: review.code, raised_at: review.raised_at },
            }));
            Ok::<_, crate::store::Error>(items)
        })?)
    }
}
