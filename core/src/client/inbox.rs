//! Inbox: everything that waits for a person's decision.

use super::delivery::require_action;
use super::{Author, Basis, FieldClient, Topic, is_within, not_found, require_current};
use crate::Error;
use crate::decisions::ReviewCode;
use crate::protocol::HoldCode;
use crate::records::{self, Change, Conflict, Delivery, Farmer, Kind, Load, Record, merge};
use crate::rules::ActionCode;
use crate::scope::Scope;
use crate::store::decisions::Raised;
use crate::store::outbox::{self, OwnChange};
use crate::store::seam;
use crate::store::{decisions, records as stored};
use crate::units::{ChangeHash, DeliveryId, DocumentId, FarmerId, LoadId, Timestamp, UserId};

/// An item of the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxItem {
    /// Records that it concerns, at least one.
    pub records: Vec<RecordRef>,
    /// Document to decide about, and its version, for [`FieldClient::resolve`]; for contact details their own document, not the farmer's.
    pub basis: Basis,
    /// Type of the decision that is needed, with its reason.
    pub kind: InboxKind,
    /// Choices of a person here; empty if only the office can decide, or a conflict has no value to choose.
    pub choices: Vec<Choice>,
}

/// A record by the call that shows it; contact details are shown with their farmer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordRef {
    /// A delivery, draft or recorded.
    Delivery {
        /// For [`FieldClient::delivery`].
        delivery_id: DeliveryId,
    },
    /// A farmer or their contact details.
    Farmer {
        /// For [`FieldClient::farmer`].
        farmer_id: FarmerId,
    },
    /// A lorry load.
    Load {
        /// For [`FieldClient::load`].
        load_id: LoadId,
    },
    /// A simple record, or one that is not on this phone.
    Other {
        /// For [`FieldClient::simple_record`].
        record_id: DocumentId,
        /// Its kind; `None` if it is not on this phone.
        kind: Option<Kind>,
    },
}

impl RecordRef {
    /// Returns the id of the record's document; for contact details, that of the farmer.
    pub fn document(self) -> DocumentId {
        match self {
            Self::Delivery { delivery_id } => delivery_id.into(),
            Self::Farmer { farmer_id } => farmer_id.into(),
            Self::Load { load_id } => load_id.into(),
            Self::Other { record_id, .. } => record_id,
        }
    }
}

impl From<&Record> for RecordRef {
    fn from(record: &Record) -> Self {
        let (kind, document) = record.shown_under();
        if kind == Kind::of::<Delivery>() {
            Self::Delivery { delivery_id: document.into() }
        } else if kind == Kind::of::<Farmer>() {
            Self::Farmer { farmer_id: document.into() }
        } else if kind == Kind::of::<Load>() {
            Self::Load { load_id: document.into() }
        } else {
            Self::Other { record_id: document, kind: Some(kind) }
        }
    }
}

/// Type of a decision that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InboxKind {
    /// A field has concurrent values.
    Conflict(Conflict),
    /// The office must review something.
    Review {
        /// Code of the review.
        code: ReviewCode,
        /// When it was raised, by the server's clock.
        raised_at: Timestamp,
    },
    /// The server keeps a change of this phone until the office approves or rejects it; [`FieldClient::held_record`] applies it.
    Held {
        /// Code of the reason.
        code: HoldCode,
        /// The reason in words, for logs.
        reason: String,
    },
    /// The office rejected a change of this phone.
    Rejected {
        /// Number of the item, for [`Choice::Dismiss`].
        number: i64,
        /// The office's reason in words; may be empty.
        reason: String,
        /// Id of the draft that was made of a rejected delivery, which may be recorded or discarded since.
        draft_id: Option<DeliveryId>,
        /// When the office rejected it, by the server's clock; if a verdict said so, when the phone received it.
        rejected_at: Timestamp,
    },
}

/// A decision that a person may make about an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Keeps one of the concurrent values.
    Keep {
        /// The field's name in the shape table.
        field: String,
        /// The change that wrote the value.
        change: ChangeHash,
    },
    /// Removes a rejected item from the inbox; a draft that was made of it stays.
    Dismiss {
        /// Number of the item.
        number: i64,
    },
}

impl InboxItem {
    fn new(records: Vec<RecordRef>, basis: Basis, kind: InboxKind) -> Self {
        let choices = match &kind {
            InboxKind::Conflict(conflict) => {
                let keep = |change| Choice::Keep { field: conflict.field.clone(), change };
                conflict.values.iter().filter_map(|value| value.change).map(keep).collect()
            }
            InboxKind::Rejected { number, .. } => vec![Choice::Dismiss { number: *number }],
            InboxKind::Review { .. } | InboxKind::Held { .. } => Vec::new(),
        };
        Self { records, basis, kind, choices }
    }
}

impl FieldClient {
    /// Returns the inbox of the granted centres: an item for each held change, then for each rejected change, conflict and review. Authors
    /// see their own held and rejected changes in any case, even on a locked phone.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn inbox(&self) -> Result<Vec<InboxItem>, Error> {
        let reader = self.inbox_reader();
        Ok(self.store.read(|db| {
            let held = outbox::held(db)?;
            let mut items = Vec::new();
            for it in held.iter().filter(|it| reader.sees_work_of(it.author_id, &it.scope)) {
                let lane = held.iter().filter(|other| other.document_id == it.document_id);
                let record = apply_held(db, it.document_id, lane)?;
                let about = match &record {
                    Some(record) => record.into(),
                    None => record_ref(db, it.document_id)?.1,
                };
                let Some((code, reason)) = it.held.clone() else { continue };
                let kind = InboxKind::Held { code, reason };
                items.push(InboxItem::new(vec![about], current_basis(db, it.document_id)?, kind));
            }
            for it in outbox::undismissed(db)?.into_iter().filter(|it| reader.sees_work_of(it.author_id, &it.scope)) {
                let (number, reason, draft_id, rejected_at) = (it.number, it.reason, it.draft_id, it.at);
                let kind = InboxKind::Rejected { number, reason, draft_id, rejected_at };
                let records = vec![record_ref(db, it.document_id)?.1];
                items.push(InboxItem::new(records, current_basis(db, it.document_id)?, kind));
            }
            for document in stored::in_conflict(&mut seam(db))? {
                let found = stored::load(&mut seam(db), document)?.filter(|(it, _)| reader.sees(&it.scope));
                let Some(record) = found.and_then(|(_, merged)| merged.record) else { continue };
                let basis = current_basis(db, document)?;
                for conflict in record.conflicts() {
                    let kind = InboxKind::Conflict(conflict.clone());
                    items.push(InboxItem::new(vec![RecordRef::from(&record)], basis, kind));
                }
            }
            for Raised { review, raised_at } in decisions::reviews(&mut seam(db))? {
                let Some(first) = review.documents.first() else { continue };
                let basis = current_basis(db, *first)?;
                let named = review.documents.iter().map(|document| record_ref(db, *document));
                let (scopes, records): (Vec<_>, Vec<_>) = named.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
                if reader.author.is_some() && scopes.iter().flatten().all(|scope| reader.sees(scope)) {
                    let kind = InboxKind::Review { code: review.code, raised_at };
                    items.push(InboxItem::new(records, basis, kind));
                }
            }
            Ok::<_, crate::store::Error>(items)
        })?)
    }

    /// Returns the record of an [`InboxItem::basis`]'s document with held changes applied; `None` if none is held, readable and visible.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn held_record(&self, document: DocumentId) -> Result<Option<Record>, Error> {
        let reader = self.inbox_reader();
        Ok(self.store.read(|db| {
            let mut held = outbox::held(db)?;
            held.retain(|it| it.document_id == document);
            let may_see = held.iter().any(|it| reader.sees_work_of(it.author_id, &it.scope));
            if may_see { apply_held(db, document, held.iter()) } else { Ok(None) }
        })?)
    }

    /// Decides an item. [`Choice::Keep`] ends a conflict by writing the chosen value again on top of all concurrent ones.
    ///
    /// # Errors
    /// [`Error::Stale`] if the record has changed or there is nothing to choose any more; [`Error::NotFound`], [`Error::Refused`] by role
    /// or centre, [`Error::Unauthorized`], [`Error::Store`].
    pub fn resolve(&self, basis: Basis, choice: &Choice) -> Result<(), Error> {
        let (field, change) = match choice {
            Choice::Dismiss { number } => return self.dismiss(basis, *number),
            Choice::Keep { field, change } => (field, *change),
        };
        let (author, document) = (self.author()?, basis.document_id);
        author.require_contact()?;
        self.act(&author, |action| {
            let found =
                stored::load(&mut seam(action.db), document)?.filter(|(it, _)| is_within(&author.grant, &it.scope));
            let (saved, merged) = found.ok_or_else(|| not_found("record"))?;
            require_current(basis, document, merged.version())?;
            let chosen = records::choose(saved.kind, &saved.saved, field, change, action.stamp);
            let (rule, put) = chosen.map_err(crate::store::Error::from)?.ok_or(Error::Stale)?;
            author.require(rule.capability)?;
            if let Some(delivery) = merged.record.as_ref().and_then(|record| record.downcast_ref()) {
                require_action(action, delivery, ActionCode::Amend)?;
            }
            action.edit(saved.kind, document, &saved.scope, Some(&saved), vec![put])?;
            Ok(())
        })
    }

    fn inbox_reader(&self) -> InboxReader {
        let user = self.identity().installation.map(|installation| installation.user_id);
        InboxReader { user_id: user, author: self.author().ok() }
    }

    /// Removes a rejected item from the inbox; succeeds without an effect if there is no such item.
    fn dismiss(&self, basis: Basis, number: i64) -> Result<(), Error> {
        let reader = self.inbox_reader();
        self.write(&[Topic::Inbox], |db| match outbox::undismissed(db)?.into_iter().find(|it| it.number == number) {
            None => Ok(()),
            Some(it) if it.document_id == basis.document_id && reader.sees_work_of(it.author_id, &it.scope) => {
                Ok(outbox::dismiss(db, number)?)
            }
            Some(_) => Err(Error::Stale),
        })
    }
}

struct InboxReader {
    user_id: Option<UserId>,
    /// The user as an author; `None` while the phone is locked or the user has no grant.
    author: Option<Author>,
}

impl InboxReader {
    fn sees(&self, scope: &Scope) -> bool {
        self.author.as_ref().is_some_and(|author| is_within(&author.grant, scope))
    }

    /// Returns whether the user sees a held or rejected change by `author` in `scope`: always if it is their own.
    fn sees_work_of(&self, author: UserId, scope: &Scope) -> bool {
        self.user_id == Some(author) || self.sees(scope)
    }
}

fn current_basis(db: &rusqlite::Connection, document: DocumentId) -> Result<Basis, crate::store::Error> {
    let heads = stored::find(&mut seam(db), document)?.map_or_else(Vec::new, |stored| stored.heads);
    Ok(Basis { document_id: document, version: records::version(&heads) })
}

fn record_ref(
    db: &rusqlite::Connection,
    document: DocumentId,
) -> Result<(Option<Scope>, RecordRef), crate::store::Error> {
    let found = stored::load(&mut seam(db), document)?;
    let elsewhere = RecordRef::Other { record_id: document, kind: None };
    Ok(match found {
        Some((stored, merged)) => (Some(stored.scope), merged.record.as_ref().map_or(elsewhere, RecordRef::from)),
        None => (None, elsewhere),
    })
}

/// Returns the record with held changes applied in order; skips those that this version cannot read, and returns `None` if none is left.
fn apply_held<'a>(
    db: &rusqlite::Connection,
    document: DocumentId,
    held: impl Iterator<Item = &'a OwnChange>,
) -> Result<Option<Record>, crate::store::Error> {
    let stored = stored::find(&mut seam(db), document)?;
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
