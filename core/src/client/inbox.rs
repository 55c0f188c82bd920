//! What waits for a person: conflicts, reviews, held changes.

use super::FieldClient;
use crate::Error;
use crate::records::{Change, Conflict, Kind, Record, merge};
use crate::store::outbox::{self, HeldChange};
use crate::store::rows;
use crate::store::{decisions, records as stored};
use crate::units::{DeliveryId, DocumentId, Timestamp};

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
        /// The record as it would be with all that is held of it; `None` for what this version cannot read.
        record: Option<Box<Record>>,
    },
    /// The office sent work of this phone back.
    Returned {
        /// By which the item is put away ([`FieldClient::put_away`]).
        number: i64,
        /// Words of the office, may be empty.
        reason: String,
        /// The draft that was made of it, if it was a delivery.
        draft: Option<DeliveryId>,
        /// When.
        returned_at: Timestamp,
    },
}

impl FieldClient {
    /// All that waits for a person: held changes first, then what came back, then conflicts, then reviews.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn inbox(&self) -> Result<Vec<InboxItem>, Error> {
        Ok(self.store.read(|db| {
            let held = outbox::held(db)?;
            let mut items = Vec::new();
            for it in &held {
                let lane = held.iter().filter(|other| other.document == it.document);
                let record = with_held(db, it.document, lane)?.map(Box::new);
                let kind = InboxKind::Held { code: it.code.clone(), reason: it.reason.clone(), record };
                items.push(InboxItem { documents: vec![it.document], kind });
            }
            items.extend(outbox::all_returned(db)?.into_iter().map(|it| InboxItem {
                documents: vec![it.document],
                kind: InboxKind::Returned {
                    number: it.number,
                    reason: it.reason,
                    draft: it.draft,
                    returned_at: it.returned_at,
                },
            }));
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

    /// Puts away something that the office sent back, once the author has seen it. Putting away twice is putting away once.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn put_away(&self, number: i64) -> Result<(), Error> {
        Ok(self.store.write(|db| outbox::put_away(db, number))?)
    }
}

/// A record as it would be if all held changes of it counted.
fn with_held<'a>(
    db: &rusqlite::Connection,
    document: DocumentId,
    held: impl Iterator<Item = &'a HeldChange>,
) -> Result<Option<Record>, crate::store::Error> {
    let stored = stored::find(db, document)?;
    let mut saved = stored.as_ref().map(|stored| stored.saved.clone());
    let mut record = None;
    for it in held {
        let (Some(kind), Ok(change)) = (Kind::from_number(it.kind), Change::parse_stripped(&it.change)) else {
            continue;
        };
        if let Ok(merged) = merge(kind, document, saved.as_deref(), &change) {
            saved = Some(merged.saved);
            record = merged.record;
        }
    }
    Ok(record)
}
