//! Deliveries: recording, amending, voiding, correcting the farmer, and what is added later.

mod change;
mod later;
mod view;

use std::sync::PoisonError;

use change::require_lots_of_counts;
pub use change::{DeliveryEdit, ReadingInput};
pub(super) use change::{
    checked, checked_declared, require_action, require_few_readings, require_grade, require_readable, too_many,
};
pub use view::{BagView, DeliveryView, Lifecycle, LotView, ReadingView};
use view::{Surroundings, load_state};

use super::action::Action;
use super::draft::find_draft;
use super::land::check_land;
use super::load::check_load;
use super::signature::signatures_under;
use super::warnings::warnings_of;
use super::{Basis, FieldClient, not_found, require_current, require_visible};
use crate::Error;
use crate::decisions::{PaperBook, PaperPurpose, RuleSet, Windows};
use crate::permission::Capability;
use crate::records::delivery::DeliverySnapshot;
use crate::records::draft::Draft;
use crate::records::{AnyRecord, Delivery, Kind, Merged, PaperEntry, RecordKind, Signature, encode};
use crate::rules::{ActionCode, Check, Heap, check_delivery, check_draft};
use crate::scope::Scope;
use crate::store::heaps::{self, Weighed};
use crate::store::outbox::SyncState;
use crate::store::{drafts, paper_books, rows, seam};
use crate::units::{CentreCode, DeliveryId};

/// Reason of the error for a load above its limit without a reason.
const OVERLOADED: &str = "the load is above its limit: give a reason, or take the delivery off the load";

impl FieldClient {
    /// Records a draft: it counts, is sent, and can only be amended or voided. Its author is the current user, who must be the one who
    /// weighs. Another tap, which repeats the call with the same basis, returns the recorded delivery.
    ///
    /// # Errors
    /// [`Error::Confirm`] with the checks that are not in `accept` yet: ask the person, add them, and repeat the call. [`Error::Invalid`]
    /// without farmer, weight, rules, number of bags in lots if the rules need it, or reason for an overloaded lorry; [`Error::Stale`], [`Error::NotFound`],
    /// [`Error::Refused`], [`Error::Unauthorized`].
    pub fn record_delivery(&self, basis: Basis, accept: &[Check]) -> Result<DeliveryView, Error> {
        let author = self.author()?;
        author.require(Capability::RecordDelivery)?;
        let id = DeliveryId::from(basis.document_id);
        self.act(&author, |action| {
            let Some((version, draft)) = find_draft(action.db, &author, id)? else {
                let found = require_visible::<Delivery>(action.db, &author, id, "draft")?;
                if *self.last_recorded.lock().unwrap_or_else(PoisonError::into_inner) != Some(basis) {
                    return Err(Error::Stale);
                }
                return self.stored_view(action.db, &author, found.version(), found.record);
            };
            require_current(basis, id, version.to_be_bytes())?;
            check_draft(ActionCode::Record, draft.user_id == author.grant.user_id, author.grant.role)
                .map_err(|refused| Error::not_allowed(refused.to_string()))?;
            let view = self.record(action, id, draft, accept)?;
            drafts::remove(action.db, id)?;
            // Not after the commit, because another tap may come before that. If the commit fails, the draft is still there.
            *self.last_recorded.lock().unwrap_or_else(PoisonError::into_inner) = Some(basis);
            Ok(view)
        })
    }

    /// Creates the delivery of a draft, with a receipt number.
    fn record(
        &self,
        action: &mut Action<'_>,
        id: DeliveryId,
        draft: Draft,
        accept: &[Check],
    ) -> Result<DeliveryView, Error> {
        let author = action.author;
        author.require_centre(&draft.centre)?;
        let farmer_id = draft.farmer_id.ok_or_else(|| Error::invalid("farmer_id", "choose the farmer"))?;
        if draft.bags.is_empty() && draft.lots.is_empty() {
            return Err(Error::invalid("bags", "weigh at least one bag or lot"));
        }
        let rules = author.reference.rules_on(&draft.commodity, draft.business_date);
        let rules =
            rules.ok_or_else(|| Error::invalid("commodity", "no rules are valid for it on this day: sync first"))?;
        if !draft.lots.is_empty() && draft.bag_counts.is_empty() && rules.needs_bag_counts() {
            return Err(Error::invalid("bag_counts", "count the bags in the lots; loose produce has 0"));
        }
        require_lots_of_counts(draft.lots.len(), &draft.bag_counts)?;
        require_known(&draft, rules)?;
        Self::confirm(self.checks_of(action, &draft, rules)?, accept)?;

        let receipt_sequence = draft.receipt_sequence.unwrap_or(action.counters.receipts + 1);
        action.counters.receipts = receipt_sequence.max(action.counters.receipts);
        let scope = Scope::Season(draft.centre.clone(), draft.season.clone());
        if let Some(mark) = draft.mark.clone() {
            let content =
                Signature { record_kind: Delivery::NUMBER, record_id: id.into(), farmer_id: Some(farmer_id), mark };
            self.create_simple(action, &Scope::Centre(draft.centre.clone()), content)?;
        }
        let snapshot = DeliverySnapshot::new(draft, action.stamp, farmer_id, rules.number, receipt_sequence);
        let merged = action.create(Kind::of::<Delivery>(), id.into(), &scope, encode(&snapshot))?;
        let (version, delivery) = (merged.version(), delivery_of(merged)?);
        // A new record is not sent yet, and nothing can name it.
        let surroundings = Surroundings {
            sync: SyncState::Unsent,
            reviews: Vec::new(),
            replaced_by: Vec::new(),
            load: load_state(action.db, &delivery)?,
            signatures: signatures_under(action.db, author, &delivery.centre, id.into())?,
        };
        self.delivery_view(author, version, delivery, surroundings)
    }

    fn checks_of(&self, action: &Action<'_>, draft: &Draft, rules: &RuleSet) -> Result<Vec<Check>, Error> {
        let mut checks = check_delivery(draft, rules, self.date());
        let warnings = warnings_of(action.db, action.author, draft, Some(rules), self.date(), None)?;
        checks.extend(warnings.iter().map(|it| it.check).collect::<std::collections::BTreeSet<_>>());
        if action.stamp.clock_suspect {
            checks.push(Check::ClockInDoubt);
        }
        for part in draft.parts() {
            let Some(load) = part.load_id else { continue };
            let of_load = check_load(action.db, &action.author.reference, load, part.gross_g, rules.capacity)?;
            if of_load.contains(&Check::OverCapacity) && draft.overload_reason.is_none() {
                return Err(Error::invalid("overload_reason", OVERLOADED));
            }
            checks.extend(of_load.into_iter().filter(|check| !checks.contains(check)).collect::<Vec<_>>());
        }
        if let Some(entry) = &draft.paper_entry {
            checks.extend(check_paper_entry(action, entry, &draft.centre, PaperPurpose::Deliveries)?);
        }
        checks.extend(check_land(action, draft)?);
        if may_be_recorded_already(action, draft, rules.windows)? {
            checks.push(Check::PossibleDuplicate);
        }
        if let Some(farmer) = draft.farmer_id
            && rows::farmer_row(&mut seam(action.db), farmer)?.is_some_and(|it| !it.is_active)
        {
            checks.push(Check::FarmerInactive);
        }
        Ok(checks)
    }

    /// Returns a draft or a recorded delivery, voided or not.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unauthorized`], [`Error::Refused`] if the phone is locked, [`Error::Store`].
    pub fn delivery(&self, id: DeliveryId) -> Result<DeliveryView, Error> {
        let author = self.author()?;
        self.store.read(|db| {
            if let Some((version, draft)) = find_draft(db, &author, id)? {
                return self.draft_view(db, &author, id, version, &draft);
            }
            let found = require_visible::<Delivery>(db, &author, id, "delivery")?;
            let version = found.version();
            self.stored_view(db, &author, version, found.record)
        })
    }

    /// Fails with the checks that are not in `accept`, if any.
    pub(super) fn confirm(mut checks: Vec<Check>, accept: &[Check]) -> Result<(), Error> {
        checks.retain(|check| !accept.contains(check));
        if checks.is_empty() { Ok(()) } else { Err(Error::Confirm { checks }) }
    }
}

/// Requires that the rules have the grades and factors of a draft: it may have been weighed under others.
fn require_known(draft: &Draft, rules: &RuleSet) -> Result<(), Error> {
    let of_bags = draft.bags.iter().map(|it| &it.grade);
    let grades =
        of_bags.chain(draft.lots.iter().map(|it| &it.grade)).chain(draft.bag_counts.iter().map(|it| &it.grade));
    for grade in grades {
        require_grade(Some(rules), grade.as_ref())?;
    }
    draft.readings.iter().try_for_each(|reading| require_readable(Some(rules), reading))
}

/// Returns the checks of the paper form on which a record was written first.
pub(super) fn check_paper_entry(
    action: &Action<'_>,
    entry: &PaperEntry,
    centre: &CentreCode,
    purpose: PaperPurpose,
) -> Result<Vec<Check>, Error> {
    let mut checks = Vec::new();
    let book = action.author.reference.latest::<PaperBook>(entry.book.as_str());
    if !book.is_some_and(|book| book.has(entry.serial) && book.centre == *centre && book.purpose == purpose) {
        checks.push(Check::PaperSerialUnknown);
    }
    if !paper_books::entered_from(&mut seam(action.db), std::slice::from_ref(entry))?.is_empty() {
        checks.push(Check::PaperSerialRepeated);
    }
    Ok(checks)
}

/// Returns whether the farmer has another delivery on this phone that may be the same heap, recorded twice.
fn may_be_recorded_already(action: &Action<'_>, draft: &Draft, windows: Windows) -> Result<bool, Error> {
    let Some(farmer_id) = draft.farmer_id.filter(|_| !draft.is_second_heap) else { return Ok(false) };
    let weighed = Weighed {
        delivery_id: None,
        farmer_id,
        business_date: draft.business_date,
        recorded_at: action.stamp.written_at(),
        minutes: windows.duplicate_minutes,
        replaces: draft.replaces,
        heap: Heap::from(draft),
    };
    Ok(heaps::find(&mut seam(action.db), &[weighed])?.iter().any(Option::is_some))
}

fn delivery_of(merged: Merged) -> Result<Delivery, Error> {
    merged.record.and_then(<dyn AnyRecord>::downcast).ok_or_else(|| not_found("delivery"))
}
