//! Signatures under records.

use super::delivery::require_action;
use super::simple::simple_view;
use super::{Author, Basis, FieldClient, SimpleView, is_within, not_found, require_current};
use crate::Error;
use crate::records::{self, Delivery, Kind, Mark, Signature, Simple, SimpleKind};
use crate::rules::ActionCode;
use crate::scope::Scope;
use crate::store::rows::ListOrder;
use crate::store::simple::{SimpleFilter, list};
use crate::store::{drafts, records as stored, seam};
use crate::units::{CentreCode, DeliveryId, DocumentId};

impl FieldClient {
    /// Puts a signature or thumb mark under a record, in the version that was shown to the person. It is a record of its own, which is
    /// erased with the farmer of the signed one.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `mark` for a drawing without a point, with a point outside of the field, or of more than 2,048 bytes; of
    /// `record_id` for a draft, whose mark is an edit, and for a record that is not signed. [`Error::Refused`] by role, or for a voided
    /// delivery; [`Error::Stale`], [`Error::NotFound`], [`Error::Unauthorized`].
    pub fn sign(&self, basis: Basis, mark: Mark) -> Result<SimpleView<Signature>, Error> {
        mark.check().map_err(|wrong| Error::invalid("mark", wrong))?;
        let author = self.author()?;
        author.require_contact()?;
        author.require(Signature::CAPABILITY)?;
        let record_id = basis.document_id;
        self.act(&author, |action| {
            if drafts::find(action.db, DeliveryId::from(record_id))?.is_some() {
                return Err(Error::invalid("record_id", "a draft is signed by an edit"));
            }
            let found = stored::load(&mut seam(action.db), record_id)?;
            let found = found.filter(|(stored, _)| is_within(&author.grant, &stored.scope));
            let (stored, record) = found.ok_or_else(|| not_found("record"))?;
            require_current(basis, record_id, records::version(&stored.heads))?;
            let record = record.record.ok_or_else(|| not_found("record"))?;
            if let Some(delivery) = record.downcast_ref::<Delivery>() {
                require_action(action, delivery, ActionCode::Sign)?;
            }
            let content = Signature { record_kind: stored.kind.number, record_id, farmer_id: record.farmer_id(), mark };
            self.record_in_action(action, None, content, &[])
        })
    }
}

/// Returns the signatures under a record of a centre, oldest first, as far as the user may see them.
pub(super) fn signatures_under(
    db: &rusqlite::Connection,
    author: &Author,
    centre: &CentreCode,
    record_id: DocumentId,
) -> Result<Vec<SimpleView<Signature>>, Error> {
    let scope = Scope::Centre(centre.clone());
    if !is_within(&author.grant, &scope) {
        return Ok(Vec::new());
    }
    let filter = SimpleFilter { about: Some(record_id), ..SimpleFilter::default() };
    let kind = Kind::of::<Simple<Signature>>();
    let ids = list(&mut seam(db), kind, &[scope], &filter, ListOrder::OldestFirst, None, u32::MAX)?;
    ids.into_iter().map(|id| simple_view(db, author, id)).collect()
}
