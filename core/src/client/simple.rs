//! Simple records of any kind: recording, steps, lists. The calls take the kind as a type parameter.

use super::action::Action;
use super::delivery::checked;
use super::lists::check_limit;
use super::{Author, Basis, FieldClient, is_within, not_found, require_current, require_visible};
use crate::Error;
use crate::decisions::ReviewCode;
use crate::records::delivery::Reason;
use crate::records::simple::{self, Reference, SimpleEvent, SimpleSnapshot, SimpleState, SimpleStep, WrongField};
use crate::records::{Conflict, Kind, Note, Privacy, Simple, SimpleKind, Stamp, encode};
use crate::rules::{ActionCode, check_step, check_text, simple_actions};
use crate::scope::{Scope, ScopeForm};
use crate::store::outbox::{self, SyncState};
use crate::store::records::Found;
use crate::store::rows::ListOrder;
use crate::store::simple::{SimpleFilter, list};
use crate::store::{decisions, drafts, records as stored, seam};
use crate::units::{CentreCode, CommodityCode, DeliveryId, DocumentId, SeasonCode};

/// Where a new simple record belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// To the season, or only the centre, of the record that it is about.
    OfSubject,
    /// To a centre, one of those granted.
    Centre(CentreCode),
    /// To the season of a commodity at a centre, on the record's business date, or today if it has none.
    Season(CentreCode, CommodityCode),
}

/// A simple record as a screen shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimpleView<C> {
    /// Id of the record.
    pub record_id: DocumentId,
    /// The version shown here; pass it to the next change.
    pub basis: Basis,
    /// Centre to which it belongs.
    pub centre: CentreCode,
    /// Season to which it belongs; `None` for a kind that belongs to a centre only.
    pub season: Option<SeasonCode>,
    /// Author, device and time of the recording.
    pub made: Stamp,
    /// Its fields.
    pub content: C,
    /// State that follows from all steps that are known here.
    pub state: SimpleState,
    /// Steps, oldest first.
    pub steps: Vec<SimpleEvent>,
    /// What the current user may do with it now.
    pub actions: Vec<ActionCode>,
    /// How far it is on its way to the server's log.
    pub sync: SyncState,
    /// Fields that have concurrent values.
    pub conflicts: Vec<Conflict>,
    /// Codes of the reviews that name it.
    pub reviews: Vec<ReviewCode>,
}

/// A page of simple records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimplePage<C> {
    /// The records.
    pub items: Vec<SimpleView<C>>,
    /// Id to pass as `after` for the next page; `None` on the last one.
    pub next: Option<DocumentId>,
}

impl FieldClient {
    /// Records a simple record.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a field, a record that it names, or a commodity without a season; [`Error::NotFound`] without the record that
    /// it is about; [`Error::Refused`] by role, centre or time without contact; [`Error::Unauthorized`].
    pub fn record_simple<C: SimpleKind>(&self, place: &Place, mut content: C) -> Result<SimpleView<C>, Error> {
        let author = self.author()?;
        author.require_contact()?;
        author.require(C::CAPABILITY)?;
        for it in content.texts() {
            *it.text = check_text(it.text, it.is_required).map_err(|wrong| Error::invalid(it.field, wrong))?;
        }
        content.check().map_err(|WrongField { field, reason }| Error::invalid(field, reason))?;
        let record_id: DocumentId = self.new_id();
        let nonce = (C::PRIVACY == Privacy::Personal).then(|| self.environment.random());
        self.act(&author, |action| {
            for reference in content.references() {
                require_reference(action.db, &author, &reference)?;
            }
            let scope = self.scope_of(action, place, &content)?;
            let snapshot = SimpleSnapshot { stamp: action.stamp, content, nonce };
            action.create(Kind::of::<Simple<C>>(), record_id, &scope, encode(&snapshot))?;
            simple_view(action.db, &author, record_id)
        })
    }

    /// Records a step of a simple record, with a reason if it was withdrawn.
    ///
    /// # Errors
    /// [`Error::Stale`] if the record has changed; [`Error::Refused`] if the step is not among [`SimpleView::actions`]; [`Error::Invalid`] of
    /// `reason`, [`Error::NotFound`], [`Error::Unauthorized`].
    pub fn step_simple<C: SimpleKind>(
        &self,
        basis: Basis,
        step: SimpleStep,
        reason: Option<&Reason>,
    ) -> Result<SimpleView<C>, Error> {
        let author = self.author()?;
        author.require_contact()?;
        let reason = reason.map(checked).transpose()?;
        if step == SimpleStep::Withdrawn && reason.is_none() {
            return Err(Error::invalid("reason", "must not be empty"));
        }
        self.act(&author, |action| {
            let found = require_visible::<Simple<C>>(action.db, &author, basis.document_id, C::NAME)?;
            require_current(basis, basis.document_id, found.version())?;
            let Found { stored, record } = found;
            check_step(&record, step, author.grant.role).map_err(|refused| Error::not_allowed(refused.to_string()))?;
            let put = simple::step(&SimpleEvent { stamp: action.stamp, step, reason });
            action.edit(stored.kind, basis.document_id, &stored.scope, Some(&stored), vec![put])?;
            simple_view(action.db, &author, basis.document_id)
        })
    }

    /// Returns a simple record.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unauthorized`], [`Error::Refused`] if the phone is locked, [`Error::Store`].
    pub fn simple_record<C: SimpleKind>(&self, record_id: DocumentId) -> Result<SimpleView<C>, Error> {
        let author = self.author()?;
        self.store.read(|db| simple_view(db, &author, record_id))
    }

    /// Returns a page of the simple records of a kind at a centre, or at all granted ones, that follow the record `after`.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `limit`; [`Error::NotFound`] if `after` is not on this phone any more: begin with the first page. [`Error::Refused`] for a centre that is not
    /// granted, or a locked phone; [`Error::Unauthorized`], [`Error::Store`].
    pub fn simple_records<C: SimpleKind>(
        &self,
        centre: Option<&CentreCode>,
        filter: &SimpleFilter,
        order: ListOrder,
        after: Option<DocumentId>,
        limit: u32,
    ) -> Result<SimplePage<C>, Error> {
        let author = self.author()?;
        check_limit(limit)?;
        centre.map_or(Ok(()), |centre| author.require_centre(centre))?;
        let mut scopes = match C::HOME {
            ScopeForm::Season => author.season_scopes(),
            ScopeForm::Centre => author.grant.centres.iter().cloned().map(Scope::Centre).collect(),
        };
        scopes.retain(|scope| is_within(&author.grant, scope) && (centre.is_none() || scope.centre() == centre));
        self.store.read(|db| {
            if let Some(after) = after {
                require_visible::<Simple<C>>(db, &author, after, "last record of the page before")?;
            }
            let kind = Kind::of::<Simple<C>>();
            let mut ids = list(&mut seam(db), kind, &scopes, filter, order, after, limit + 1)?;
            let has_more = ids.len() > limit as usize;
            ids.truncate(limit as usize);
            let next = ids.last().copied().filter(|_| has_more);
            let items = ids.into_iter().map(|id| simple_view(db, &author, id)).collect::<Result<_, _>>()?;
            Ok(SimplePage { items, next })
        })
    }

    /// Writes a note on a record of a season: a delivery, a load, or a simple record such as a lorry request.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `text`, or of `record_id` for a draft and for a record that has no notes; the errors of [`Self::record_simple`].
    pub fn add_note(&self, record_id: DocumentId, text: &str) -> Result<SimpleView<Note>, Error> {
        let kind = self.store.read(|db| {
            if drafts::find(db, DeliveryId::from(record_id))?.is_some() {
                return Err(Error::invalid("record_id", "a draft has no notes: record it first"));
            }
            Ok(stored::find(&mut seam(db), record_id)?.map(|stored| stored.kind))
        })?;
        let record_kind = kind.ok_or_else(|| not_found("record"))?.number;
        self.record_simple(&Place::OfSubject, Note { record_kind, record_id, text: text.to_owned() })
    }

    fn scope_of<C: SimpleKind>(&self, action: &Action<'_>, place: &Place, content: &C) -> Result<Scope, Error> {
        let author = action.author;
        let scope = match place {
            Place::OfSubject => {
                let about = content.about().ok_or_else(|| not_found("record"))?;
                let stored = stored::find(&mut seam(action.db), about)?;
                stored.filter(|it| is_within(&author.grant, &it.scope)).ok_or_else(|| not_found("record"))?.scope
            }
            Place::Centre(centre) => Scope::Centre(centre.clone()),
            Place::Season(centre, commodity) => {
                let date = content.date().unwrap_or_else(|| self.date());
                Scope::Season(centre.clone(), Self::season_of(author, commodity, date)?)
            }
        };
        let centre = scope.centre().ok_or_else(|| not_found("record"))?;
        author.require_centre(centre)?;
        let scope = if C::HOME == ScopeForm::Centre { Scope::Centre(centre.clone()) } else { scope };
        if !C::HOME.is_of(&scope) || !is_within(&author.grant, &scope) {
            return Err(Error::invalid("record_id", format!("a {} does not belong to {scope}", C::NAME)));
        }
        Ok(scope)
    }
}

/// Requires that a record that a new one names is on this phone, at a granted centre, and of the right kind.
fn require_reference(db: &rusqlite::Connection, author: &Author, reference: &Reference) -> Result<(), Error> {
    let stored = stored::find(&mut seam(db), reference.document_id)?.filter(|it| is_within(&author.grant, &it.scope));
    if stored.is_some_and(|stored| reference.kinds.contains(&stored.kind.number)) {
        return Ok(());
    }
    Err(Error::invalid(reference.field, "no such record is on this phone"))
}

fn simple_view<C: SimpleKind>(
    db: &rusqlite::Connection,
    author: &Author,
    record_id: DocumentId,
) -> Result<SimpleView<C>, Error> {
    let found = require_visible::<Simple<C>>(db, author, record_id, C::NAME)?;
    let (centre, season) = match &found.stored.scope {
        Scope::Season(centre, season) => (centre.clone(), Some(season.clone())),
        scope => (scope.centre().ok_or_else(|| not_found(C::NAME))?.clone(), None),
    };
    let basis = Basis { document_id: record_id, version: found.version() };
    let (state, actions) = (found.record.state(), simple_actions(&found.record, author.grant.role));
    let Simple { made, content, steps, conflicts, .. } = found.record;
    Ok(SimpleView {
        record_id,
        basis,
        centre,
        season,
        made,
        content,
        state,
        steps,
        actions,
        sync: outbox::state(db, record_id)?,
        conflicts,
        reviews: decisions::review_codes(&mut seam(db), record_id)?,
    })
}
