//! Calls for advances and cash.

use farmtally_core::client::{Allowance, Basis, FarmerBalance, ListOrder, SimpleFilter};
use farmtally_core::records::delivery::Reason;
use farmtally_core::records::simple::SimpleStep;
use farmtally_core::records::{Advance, CashCount, CashMovement};
use farmtally_core::rules::CashBook;
use farmtally_core::units::{BusinessDate, CentreCode, DocumentId, FarmerId, Money, UserId};

use crate::client::{FieldClient, checks};
use crate::error::{Check, FieldError};
use crate::input::SimpleQuery;
use crate::view::simple::{AdvancePage, AdvanceView, CashCountPage, CashCountView, CashMovementPage, CashMovementView};

#[uniffi::export]
impl FieldClient {
    /// Returns what the current user may still pay out on this phone, without network.
    pub async fn allowance(&self) -> Result<Allowance, FieldError> {
        self.call(move |engine| Ok(engine.core.allowance()?)).await
    }

    /// Records an advance that a farmer got. A null `centre` is that of its delivery or of the advance that it reduces, otherwise the farmer's.
    /// Fails with AllowanceExceeded for more than is left of the allowance or of a limit of cash on the spot: offer an advance request; with
    /// Confirm (advances_over_limit, uncommon_date): ask, and repeat with `accept`; with Invalid, which names the field; with Refused by role.
    #[uniffi::method(default(centre = None, accept = []))]
    pub async fn record_advance(
        &self,
        content: Advance,
        centre: Option<CentreCode>,
        accept: Vec<Check>,
    ) -> Result<AdvanceView, FieldError> {
        self.call(move |engine| Ok(engine.core.record_advance(centre.as_ref(), content, &checks(accept)?)?)).await
    }

    /// Returns an advance. Fails with NotFound if it is not on this phone, of another kind, or not in a granted centre.
    pub async fn advance(&self, record_id: DocumentId) -> Result<AdvanceView, FieldError> {
        self.call(move |engine| Ok(engine.core.simple_record(record_id)?)).await
    }

    /// Returns a page of advances, newest first, of one farmer if the query names one. Fails with Refused (code out_of_scope) if the
    /// query's centre is not granted; with NotFound if the advance `after` is not on this phone any more: begin with the first page.
    pub async fn advances(&self, query: SimpleQuery) -> Result<AdvancePage, FieldError> {
        self.call(move |engine| {
            let (centre, after, limit) = (query.centre.clone(), query.after, query.limit);
            let filter = SimpleFilter::from(query);
            Ok(engine.core.simple_records(centre.as_ref(), &filter, ListOrder::NewestFirst, after, limit)?)
        })
        .await
    }

    /// Cancels an advance that was not handed over. The text of the reason must say how that is known. The allowance stays as it is: only the
    /// office can lease the amount again. Fails with Invalid (field evidence without that text, or reason); with Refused if `withdraw` is not
    /// among its actions.
    pub async fn cancel_advance(&self, basis: Basis, reason: Reason) -> Result<AdvanceView, FieldError> {
        self.call(move |engine| Ok(engine.core.cancel_advance(basis, &reason)?)).await
    }

    /// Returns what a farmer owes by the advances on this phone. Fails with NotFound if the farmer is not on this phone.
    pub async fn farmer_balance(&self, farmer_id: FarmerId) -> Result<FarmerBalance, FieldError> {
        self.call(move |engine| Ok(engine.core.farmer_balance(farmer_id)?)).await
    }

    /// Records that cash is handed over. The giver makes this call, and the receiver calls confirm_cash_movement. Fails with Invalid
    /// (field from, to, amount_minor or reference).
    pub async fn add_cash_movement(
        &self,
        centre: CentreCode,
        content: CashMovement,
    ) -> Result<CashMovementView, FieldError> {
        self.call(move |engine| Ok(engine.core.record_simple(Some(&centre), content)?)).await
    }

    /// Confirms that cash was received. Fails with Refused if `confirm` is not among the movement's actions: only the receiver confirms.
    pub async fn confirm_cash_movement(&self, basis: Basis) -> Result<CashMovementView, FieldError> {
        self.call(move |engine| Ok(engine.core.step_simple(basis, SimpleStep::Confirmed, None)?)).await
    }

    /// Returns a cash movement. Fails with NotFound if it is not on this phone, of another kind, or not in a granted centre.
    pub async fn cash_movement(&self, record_id: DocumentId) -> Result<CashMovementView, FieldError> {
        self.call(move |engine| Ok(engine.core.simple_record(record_id)?)).await
    }

    /// Returns a page of cash movements, newest first. Fails as advances does.
    pub async fn cash_movements(&self, query: SimpleQuery) -> Result<CashMovementPage, FieldError> {
        self.call(move |engine| {
            let (centre, after, limit) = (query.centre.clone(), query.after, query.limit);
            let filter = SimpleFilter::from(query);
            Ok(engine.core.simple_records(centre.as_ref(), &filter, ListOrder::NewestFirst, after, limit)?)
        })
        .await
    }

    /// Withdraws a cash movement that was not confirmed. Fails with Refused if `withdraw` is not among its actions; with Invalid (field
    /// reason).
    pub async fn withdraw_cash_movement(&self, basis: Basis, reason: Reason) -> Result<CashMovementView, FieldError> {
        self.call(move |engine| {
            Ok(engine.core.step_simple::<CashMovement>(basis, SimpleStep::Withdrawn, Some(&reason))?)
        })
        .await
    }

    /// Records how much cash the current user has, together with what this phone expects at the end of the day. Fails with Invalid (field
    /// counted_minor).
    pub async fn count_cash(
        &self,
        centre: CentreCode,
        date: BusinessDate,
        counted_minor: Money,
    ) -> Result<CashCountView, FieldError> {
        self.call(move |engine| Ok(engine.core.count_cash(&centre, date, counted_minor)?)).await
    }

    /// Returns a cash count. Fails with NotFound if it is not on this phone, of another kind, or not in a granted centre.
    pub async fn cash_count(&self, record_id: DocumentId) -> Result<CashCountView, FieldError> {
        self.call(move |engine| Ok(engine.core.simple_record(record_id)?)).await
    }

    /// Returns a page of cash counts, newest first. Fails as advances does.
    pub async fn cash_counts(&self, query: SimpleQuery) -> Result<CashCountPage, FieldError> {
        self.call(move |engine| {
            let (centre, after, limit) = (query.centre.clone(), query.after, query.limit);
            let filter = SimpleFilter::from(query);
            Ok(engine.core.simple_records(centre.as_ref(), &filter, ListOrder::NewestFirst, after, limit)?)
        })
        .await
    }

    /// Withdraws a cash count. Fails with Refused if `withdraw` is not among its actions; with Invalid (field reason).
    pub async fn withdraw_cash_count(&self, basis: Basis, reason: Reason) -> Result<CashCountView, FieldError> {
        self.call(move |engine| {
            Ok(engine.core.step_simple::<CashCount>(basis, SimpleStep::Withdrawn, Some(&reason))?)
        })
        .await
    }

    /// Returns the cash book of a user from one day to another, as far as this phone knows. A null `user_id` is the current user. Fails with
    /// Invalid (field from_date) if the days are in the wrong order; with Refused for another user, by a role that reports on its own work
    /// only.
    #[uniffi::method(default(user_id = None))]
    pub async fn cash_book(
        &self,
        from_date: BusinessDate,
        to_date: BusinessDate,
        user_id: Option<UserId>,
    ) -> Result<CashBook, FieldError> {
        self.call(move |engine| Ok(engine.core.cash_book(user_id, from_date, to_date)?)).await
    }
}
