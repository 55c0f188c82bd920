//! Simple records of any kind: recording, steps, lists. The calls take the kind as a type parameter.

use std::any::Any;

use super::action::Action;
use super::advance::pay_out;
use super::cash::check_movement;
use super::delivery::checked;
use super::lists::check_limit;
use super::{Author, Basis, FieldClient, is_within, not_found, require_current, require_visible};
use crate::Error;
use crate::decisions::ReviewCode;
use crate::records::delivery::Reason;
use crate::records::simple::{self, Reference, SimpleEvent, SimpleSnapshot, SimpleState, SimpleStep, WrongField};
use crate::records::{
    Advance, CashCount, CashMovement, Conflict, Delivery, Kind, Note, Privacy, Simple, SimpleKind, Stamp, encode,
};
use crate::rules::{ActionCode, Check, check_change, check_step, check_text, simple_actions};
use crate::scope::{Scope, ScopeForm};
use crate::store::outbox::{self, SyncState};
use crate::store::records::Found;
use crate::store::rows::ListOrder;
use crate::store::simple::{SimpleFilter, list};
use crate::store::{decisions, drafts, records as stored, seam};
use crate::units::{CentreCode, DeliveryId, DocumentId, Grams, SeasonCode};

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
    /// Net weight that follows from the fields; `None` for a kind without one.
    pub net_g: Option<Grams>,
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
    /// Records a simple record at a centre, one of those granted; with `None`, at the centre of the record to which it refers. In a season's
    /// scope, it belongs to the season of its commodity on its business date, or today, or to the season of the record to which it refers.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a field, a record that it names, or a commodity without a season; [`Error::NotFound`] without the record that
    /// it names as subject; [`Error::Refused`] by role, centre or time without contact; [`Error::Unauthorized`].
    pub fn record_simple<C: SimpleKind>(
        &self,
        centre: Option<&CentreCode>,
        content: C,
    ) -> Result<SimpleView<C>, Error> {
        self.record_simple_with(centre, content, &Check::ALL)
    }

    /// Records a simple record like [`Self::record_simple`], with the checks that a person accepted.
    pub(super) fn record_simple_with<C: SimpleKind>(
        &self,
        centre: Option<&CentreCode>,
        mut content: C,
        accept: &[Check],
    ) -> Result<SimpleView<C>, Error> {
        let author = self.author()?;
        author.require_contact()?;
        author.require(C::CAPABILITY)?;
        checked_content(&mut content)?;
        self.act(&author, |action| self.record_in_action(action, centre, content, accept))
    }

    /// Records a simple record whose fields were checked, if what it names is on this phone.
    pub(super) fn record_in_action<C: SimpleKind>(
        &self,
        action: &mut Action<'_>,
        centre: Option<&CentreCode>,
        mut content: C,
        accept: &[Check],
    ) -> Result<SimpleView<C>, Error> {
        let author = action.author;
        for reference in content.references() {
            require_reference(action.db, author, &reference)?;
        }
        require_own_farmer(action.db, author, &content)?;
        let scope = self.scope_of(action, centre, &content)?;
        self.prepare(action, &scope, &mut content, accept)?;
        if let Some(amount) = content.paid_out() {
            pay_out(action.db, author, amount, self.date())?;
        }
        let record_id = self.create_simple(action, &scope, content)?;
        simple_view(action.db, author, record_id)
    }

    /// Writes a simple record whose content was checked. Returns its id.
    pub(super) fn create_simple<C: SimpleKind>(
        &self,
        action: &mut Action<'_>,
        scope: &Scope,
        content: C,
    ) -> Result<DocumentId, Error> {
        let record_id: DocumentId = self.new_id();
        let nonce = (C::PRIVACY == Privacy::Personal).then(|| self.environment.random());
        let snapshot = SimpleSnapshot { stamp: action.stamp, content, nonce };
        action.create(Kind::of::<Simple<C>>(), record_id, scope, encode(&snapshot))?;
        Ok(record_id)
    }

    /// Replaces the fields of a simple record that can be changed; fields that are equal are not written.
    ///
    /// # Errors
    /// [`Error::Stale`] if the record has changed; [`Error::Refused`] if `correct` is not among [`SimpleView::actions`]; [`Error::Invalid`] for
    /// a field, or of `content` if another field differs; [`Error::NotFound`], [`Error::Unauthorized`].
    pub fn change_simple<C: SimpleKind>(&self, basis: Basis, mut content: C) -> Result<SimpleView<C>, Error> {
        let author = self.author()?;
        author.require_contact()?;
        checked_content(&mut content)?;
        self.act(&author, |action| {
            let found = require_visible::<Simple<C>>(action.db, &author, basis.document_id, C::NAME)?;
            require_current(basis, basis.document_id, found.version())?;
            let Found { stored, record } = found;
            check_change(&record, author.grant.role).map_err(|refused| Error::not_allowed(refused.to_string()))?;
            let fixed = "only some fields can be changed: withdraw the record and make another";
            let puts = simple::change(&record.content, &content, action.stamp);
            let puts = puts.ok_or_else(|| Error::invalid("content", fixed))?;
            let centre = stored.scope.centre().filter(|_| content.commodity().is_some());
            if centre.is_some() && self.scope_of(action, centre, &content)? != stored.scope {
                return Err(Error::invalid("business_date", "is outside of the record's season"));
            }
            if !puts.is_empty() {
                action.edit(stored.kind, basis.document_id, &stored.scope, Some(&stored), puts)?;
            }
            simple_view(action.db, &author, basis.document_id)
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
            check_step(&record, step, author.grant.user_id, author.grant.role)
                .map_err(|refused| Error::not_allowed(refused.to_string()))?;
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
        self.record_simple(None, Note { record_kind, record_id, text: text.to_owned() })
    }

    /// Checks and completes what only some kinds need, by all that this phone knows.
    fn prepare<C: SimpleKind>(
        &self,
        action: &Action<'_>,
        scope: &Scope,
        content: &mut C,
        accept: &[Check],
    ) -> Result<(), Error> {
        let any: &mut dyn Any = content;
        if let Some(advance) = any.downcast_ref::<Advance>() {
            Self::confirm(self.check_advance(action, scope, advance)?, accept)
        } else if let Some(movement) = any.downcast_ref::<CashMovement>() {
            check_movement(action.author, movement)
        } else if let Some(count) = any.downcast_mut::<CashCount>() {
            Self::complete_count(action, count)
        } else {
            Ok(())
        }
    }

    fn scope_of<C: SimpleKind>(
        &self,
        action: &Action<'_>,
        centre: Option<&CentreCode>,
        content: &C,
    ) -> Result<Scope, Error> {
        let author = action.author;
        let found = || not_found("record");
        let of_subject = || -> Result<Scope, Error> {
            let stored = stored::find(&mut seam(action.db), content.about().ok_or_else(found)?)?;
            Ok(stored.filter(|it| is_within(&author.grant, &it.scope)).ok_or_else(found)?.scope)
        };
        let scope = match (centre, content.commodity()) {
            (Some(centre), Some(commodity)) => {
                let date = content.date().unwrap_or_else(|| self.date());
                Scope::Season(centre.clone(), Self::season_of(author, commodity, date)?)
            }
            (Some(centre), None) => Scope::Centre(centre.clone()),
            (None, _) => of_subject()?,
        };
        let centre = scope.centre().ok_or_else(found)?;
        author.require_centre(centre)?;
        let scope = if C::HOME == ScopeForm::Centre { Scope::Centre(centre.clone()) } else { scope };
        if !C::HOME.is_of(&scope) {
            return Err(Error::invalid("record_id", format!("a {} does not belong to {scope}", C::NAME)));
        }
        Ok(scope)
    }
}

/// Brings texts into their stored form, and checks all fields.
fn checked_content<C: SimpleKind>(content: &mut C) -> Result<(), Error> {
    for it in content.texts() {
        *it.text = check_text(it.text, it.is_required).map_err(|wrong| Error::invalid(it.field, wrong))?;
    }
    let checked = content.check().and_then(|()| content.check_input());
    checked.map_err(|WrongField { field, reason }| Error::invalid(field, reason))
}

/// Requires that what is about a delivery or advance names no other farmer than that does: it is erased with that farmer.
fn require_own_farmer<C: SimpleKind>(db: &rusqlite::Connection, author: &Author, content: &C) -> Result<(), Error> {
    let (Some(about), Some(farmer_id)) = (content.about(), content.farmer_id()) else { return Ok(()) };
    let of_delivery = require_visible::<Delivery>(db, author, DeliveryId::from(about), "delivery");
    let owner = match of_delivery.map(|found| found.record.farmer_id) {
        Err(Error::NotFound { .. }) => {
            require_visible::<Simple<Advance>>(db, author, about, Advance::NAME).map(|it| it.record.content.farmer_id)
        }
        owner => owner,
    };
    match owner {
        Ok(owner) if owner != farmer_id => {
            Err(Error::invalid("farmer_id", "is not the farmer of the delivery or advance"))
        }
        Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
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

pub(super) fn simple_view<C: SimpleKind>(
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
    let (state, actions) =
        (found.record.state(), simple_actions(&found.record, author.grant.user_id, author.grant.role));
    let Simple { made, content, steps, conflicts, .. } = found.record;
    Ok(SimpleView {
        record_id,
        basis,
        centre,
        season,
        made,
        net_g: content.net(),
        content,
        state,
        steps,
        actions,
        sync: outbox::state(db, record_id)?,
        conflicts,
        reviews: decisions::review_codes(&mut seam(db), record_id)?,
    })
}
