//! Advances: recording within the allowance that the office leased to the user on this phone, cancelling, balances of farmers.
//!
//! Invariant: what a user paid out never exceeds the lease. The sum is kept in a row of its own, in the transaction of the advance, so
//! neither a purge nor a cancelled advance returns anything.

use super::action::Action;
use super::delivery::check_paper_entry;
use super::simple_sums::all;
use super::{Author, Basis, FieldClient, SimpleView, require_visible};
use crate::Error;
use crate::decisions::{Lease, PaperPurpose, RuleSet};
use crate::error::SpendingLimit;
use crate::limits::COMMON_DAYS;
use crate::records::advance::AdvanceKind;
use crate::records::delivery::Reason;
use crate::records::simple::{SimpleState, SimpleStep};
use crate::records::{Advance, Delivery, Farmer, Simple, SimpleKind};
use crate::rules::{AmountTooLarge, Check, OpenAdvance, farmer_limit, open_advances, outstanding};
use crate::scope::Scope;
use crate::store::simple::SimpleFilter;
use crate::store::{decisions, paid_out, rows, seam};
use crate::units::{BusinessDate, CentreCode, DeliveryId, DocumentId, FarmerId, Money, Timestamp};

/// What the current user may still pay out on this phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Amount left; zero without a lease, and after its last day.
    pub left_minor: Money,
    /// Sum of all that the office ever leased to the user on this phone.
    pub total_minor: Money,
    /// Sum of all that the user ever paid out on this phone, with what was cancelled since.
    pub paid_out_minor: Money,
    /// Last day on which the user may pay out; `None` without a lease.
    pub valid_until: Option<BusinessDate>,
}

/// What a farmer owes by the advances on this phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FarmerBalance {
    /// The farmer.
    pub farmer_id: FarmerId,
    /// The phone's date, by which ages are counted.
    pub as_of: BusinessDate,
    /// When the last complete sync ended, by the phone's time: what others recorded since is not in the balance.
    pub synced_at: Option<Timestamp>,
    /// Sum of what is outstanding.
    pub outstanding_minor: Money,
    /// The open advances, oldest first.
    pub advances: Vec<OpenAdvance>,
}

impl From<AmountTooLarge> for Error {
    fn from(error: AmountTooLarge) -> Self {
        Self::TooLarge { field: "amount_minor", reason: error.to_string() }
    }
}

impl FieldClient {
    /// Returns what the current user may still pay out on this phone.
    ///
    /// # Errors
    /// [`Error::Refused`] on a locked phone, [`Error::Unauthorized`], [`Error::Store`].
    pub fn allowance(&self) -> Result<Allowance, Error> {
        let (author, today) = (self.author()?, self.date());
        self.store.read(|db| allowance(db, &author, today))
    }

    /// Records an advance, at a centre or, with `None`, that of the farmer, of the delivery or of the advance that it reduces.
    ///
    /// # Errors
    /// [`Error::AllowanceExceeded`] for more than is left of the allowance, or of a limit of cash on the spot; [`Error::Confirm`] for a
    /// check that is not accepted; [`Error::Invalid`] for a field; the other errors of [`Self::record_simple`].
    pub fn record_advance(
        &self,
        centre: Option<&CentreCode>,
        content: Advance,
        accept: &[Check],
    ) -> Result<SimpleView<Advance>, Error> {
        self.record_simple_with(centre, content, accept)
    }

    /// Cancels an advance that was not handed over. Returns nothing to the allowance: the office leases again.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `evidence` without a text that says how it is known that the farmer did not get it, and of `reason`; the other
    /// errors of [`Self::step_simple`].
    pub fn cancel_advance(&self, basis: Basis, reason: &Reason) -> Result<SimpleView<Advance>, Error> {
        if super::delivery::checked(reason)?.text.is_empty() {
            return Err(Error::invalid("evidence", "say how it is known that the farmer did not get it"));
        }
        self.step_simple(basis, SimpleStep::Withdrawn, Some(reason))
    }

    /// Returns what a farmer owes by the advances on this phone, at all granted centres.
    ///
    /// # Errors
    /// [`Error::NotFound`] without the farmer, [`Error::TooLarge`] if the sum is no amount, [`Error::Refused`] on a locked phone and while
    /// it is without its server for too long, [`Error::Unauthorized`], [`Error::Store`].
    pub fn farmer_balance(&self, farmer_id: FarmerId) -> Result<FarmerBalance, Error> {
        let (author, as_of) = (self.author()?, self.date());
        author.require_contact()?;
        self.store.read(|db| {
            require_visible::<Farmer>(db, &author, farmer_id, "farmer")?;
            let advances = open_advances(&advances_of(db, &author, farmer_id)?, as_of);
            let (outstanding_minor, synced_at) = (outstanding(&advances)?, author.installation.synced_at);
            Ok(FarmerBalance { farmer_id, as_of, synced_at, outstanding_minor, advances })
        })
    }

    /// Requires that an advance is possible by all that this phone knows, before it is written. Returns the checks that it needs.
    pub(super) fn check_advance(
        &self,
        action: &Action<'_>,
        scope: &Scope,
        content: &Advance,
    ) -> Result<Vec<Check>, Error> {
        let (db, author, today): (&rusqlite::Connection, _, _) = (action.db, action.author, self.date());
        let (known, mut checks) = (advances_of(db, author, content.farmer_id)?, Vec::new());
        let is_return = match &content.kind {
            AdvanceKind::Cash | AdvanceKind::InKind { .. } => false,
            AdvanceKind::OnAccount { delivery_id } => {
                check_cash_limits(db, author, content, *delivery_id, &known)?;
                false
            }
            AdvanceKind::Returned { advance_id, .. } => {
                check_return(db, author, content, *advance_id, &known, today)?;
                true
            }
        };
        let limit = farmer_limit(author.reference.all::<RuleSet>(), content.date).filter(|_| !is_return);
        if let Some(limit) = limit {
            let owed = outstanding(&open_advances(&known, today)).ok();
            let with_this = owed.and_then(|owed| owed.checked_add(content.amount_minor));
            if with_this.is_none_or(|it| it > limit) {
                checks.push(Check::AdvancesOverLimit);
            }
        }
        if !COMMON_DAYS.contains(&content.date.0.saturating_sub(today.0)) {
            checks.push(Check::UncommonDate);
        }
        let is_new_debt = matches!(content.kind, AdvanceKind::Cash | AdvanceKind::InKind { .. });
        let farmer = if is_new_debt { rows::farmer_row(&mut seam(db), content.farmer_id)? } else { None };
        if farmer.is_some_and(|it| !it.is_active) {
            checks.push(Check::FarmerInactive);
        }
        if let (Some(entry), Some(centre)) = (&content.paper_entry, scope.centre()) {
            checks.extend(check_paper_entry(action, entry, centre, PaperPurpose::Advances)?);
        }
        Ok(checks)
    }
}

/// Returns the scopes with advances and cash of the granted centres.
pub(super) fn money_scopes(author: &Author, centre: Option<&CentreCode>) -> Vec<Scope> {
    let centres = author.grant.centres.iter().filter(|it| centre.is_none_or(|centre| centre == *it));
    let scopes = centres.cloned().map(Scope::Centre);
    scopes.filter(|scope| super::is_within(&author.grant, scope)).collect()
}

/// Returns all advances of a farmer at the granted centres.
pub(super) fn advances_of(
    db: &rusqlite::Connection,
    author: &Author,
    farmer_id: FarmerId,
) -> Result<Vec<Simple<Advance>>, Error> {
    let filter = SimpleFilter { farmer_id: Some(farmer_id), ..SimpleFilter::default() };
    all::<Advance>(db, &money_scopes(author, None), &filter)
}

fn allowance(db: &rusqlite::Connection, author: &Author, today: BusinessDate) -> Result<Allowance, Error> {
    let (device, user) = (author.installation.device_id, author.grant.user_id);
    let lease: Option<Lease> = decisions::latest(&mut seam(db), &Lease::subject_of(device, user))?;
    let (total_minor, valid_until) = lease.map_or((Money::ZERO, None), |it| (it.total_minor, Some(it.valid_until)));
    let paid_out_minor = paid_out::of(db, device, user)?;
    // A server that lost a lease may have leased less since.
    let left = total_minor.checked_sub(paid_out_minor).filter(|left| *left > Money::ZERO);
    let left_minor = left.filter(|_| valid_until.is_some_and(|until| today <= until)).unwrap_or(Money::ZERO);
    Ok(Allowance { left_minor, total_minor, paid_out_minor, valid_until })
}

/// Counts an amount against the allowance, in the transaction of its record.
pub(super) fn pay_out(
    db: &rusqlite::Connection,
    author: &Author,
    amount: Money,
    today: BusinessDate,
) -> Result<(), Error> {
    let Allowance { left_minor: left, paid_out_minor, .. } = allowance(db, author, today)?;
    let paid_out = paid_out_minor.checked_add(amount).filter(|_| amount <= left);
    let paid_out = paid_out.ok_or(Error::AllowanceExceeded { limit: SpendingLimit::Lease, left })?;
    Ok(paid_out::set(db, author.installation.device_id, author.grant.user_id, paid_out)?)
}

/// Requires that the delivery stands, and that cash for it stays within the limits of its rule set, by what this phone knows.
fn check_cash_limits(
    db: &rusqlite::Connection,
    author: &Author,
    content: &Advance,
    delivery_id: DeliveryId,
    of_payee: &[Simple<Advance>],
) -> Result<(), Error> {
    let delivery = require_visible::<Delivery>(db, author, delivery_id, "delivery")?.record;
    if delivery.is_voided() {
        return Err(Error::invalid("delivery_id", "the delivery is voided"));
    }
    let Some(amount) = content.in_cash() else { return Ok(()) };
    let Some(limits) = author.reference.rule_set(delivery.rule_set).map(|it| it.cash_limits) else { return Ok(()) };
    let of_day = SimpleFilter { date: Some(content.date), ..SimpleFilter::default() };
    let of_day = limits.per_day.map(|_| all::<Advance>(db, &money_scopes(author, None), &of_day)).transpose()?;
    let sum = |advances: &[Simple<Advance>], counts: &dyn Fn(&Simple<Advance>) -> bool| {
        let is_meant = |it: &&Simple<Advance>| {
            let is_on_account = matches!(it.content.kind, AdvanceKind::OnAccount { .. });
            is_on_account && it.state() != SimpleState::Withdrawn && counts(it)
        };
        let amounts = advances.iter().filter(is_meant).filter_map(|it| it.content.in_cash());
        Money::checked_sum(amounts).unwrap_or(Money::MAX)
    };
    let user = author.grant.user_id;
    let kind = AdvanceKind::OnAccount { delivery_id };
    for (limit, most, spent) in [
        (SpendingLimit::CashPerDelivery, limits.per_delivery, sum(of_payee, &|it| it.content.kind == kind)),
        (SpendingLimit::CashPerPayee, limits.per_payee, sum(of_payee, &|it| it.content.date == content.date)),
        (SpendingLimit::CashPerDay, limits.per_day, sum(&of_day.unwrap_or_default(), &|it| it.made.user_id == user)),
    ] {
        let Some(most) = most else { continue };
        let left = most.checked_sub(spent).filter(|left| *left > Money::ZERO).unwrap_or(Money::ZERO);
        if amount > left {
            return Err(Error::AllowanceExceeded { limit, left });
        }
    }
    Ok(())
}

/// Requires that goods come back from an open advance in kind of the same farmer, for no more than is outstanding.
fn check_return(
    db: &rusqlite::Connection,
    author: &Author,
    content: &Advance,
    advance_id: DocumentId,
    known: &[Simple<Advance>],
    today: BusinessDate,
) -> Result<(), Error> {
    let given = require_visible::<Simple<Advance>>(db, author, advance_id, Advance::NAME)?.record;
    let wrong = |field, reason| Err(Error::invalid(field, reason));
    if !matches!(given.content.kind, AdvanceKind::InKind { .. }) {
        return wrong("advance_id", "only goods of an advance in kind come back");
    }
    let open = open_advances(known, today).into_iter().find(|it| it.record_id == advance_id);
    match open {
        Some(open) if content.amount_minor <= open.outstanding_minor => Ok(()),
        _ => wrong("amount_minor", "is more than is outstanding of the advance"),
    }
}
