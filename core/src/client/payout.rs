//! Payout details of farmers: writing them, and seeing them in full for a reason that is recorded.

use super::delivery::checked;
use super::farmer::farmer_view;
use super::{Basis, FarmerView, FieldClient, not_found, require_current, require_visible};
use crate::Error;
use crate::limits::{BANK_ACCOUNT, NATIONAL_ID};
use crate::permission::Capability;
use crate::records::delivery::Reason;
use crate::records::farmer::{
    PayoutAccount, PayoutField, PayoutMethod, Reveal, masked, masked_account, payout_of, payout_puts, reveal_put,
};
use crate::records::{self, Conflict, Farmer, Kind, Payout};
use crate::rules::{TextError, check_phone, check_text};
use crate::store::records::Found;
use crate::store::{records as stored, rows, seam};
use crate::units::{FarmerId, named};

named! {
    /// How far a farmer's payout details may be used.
    pub PayoutState, "a state of payout details" {
        /// There are none on this phone.
        Missing = "missing",
        /// The office has not confirmed them.
        Unconfirmed = "unconfirmed",
        /// A field has concurrent values, and a person must pick one before anybody is paid.
        Conflict = "conflict",
    }
}

/// Payout details as every screen shows them: without the values, of which only the last characters are seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutView {
    /// The version shown here, for [`FieldClient::propose_payout`].
    pub basis: Basis,
    /// How far they may be used.
    pub state: PayoutState,
    /// Masked national id; empty without one, and while it has concurrent values.
    pub national_id: String,
    /// Account with its number masked; `None` without one, and while it has concurrent values.
    pub account: Option<PayoutAccount>,
    /// Who saw values in full, oldest first.
    pub reveals: Vec<Reveal>,
}

/// New payout details; a field that is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct PayoutInput {
    /// National id: letters, digits and signs between them.
    pub national_id: Option<String>,
    /// Account.
    pub account: Option<PayoutAccount>,
}

/// A part of the payout details in full; several values if they were written concurrently.
#[derive(Clone, PartialEq, Eq)]
pub struct RevealedPayout {
    /// Values of the national id, if that was asked for.
    pub national_ids: Vec<String>,
    /// Values of the account, if that was asked for.
    pub accounts: Vec<PayoutAccount>,
}

impl std::fmt::Debug for RevealedPayout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RevealedPayout").finish_non_exhaustive()
    }
}

impl FieldClient {
    /// Writes a farmer's payout details, which stay unconfirmed until the office has approved them. `basis` is that of the view's `payout`.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `national_id`, `account`, `bank_code` or `holder_name`, or of `payout` without any field; [`Error::Refused`] if
    /// `propose_payout` is not among the view's actions; [`Error::Stale`], [`Error::NotFound`], [`Error::Unauthorized`].
    pub fn propose_payout(&self, farmer_id: FarmerId, basis: Basis, input: &PayoutInput) -> Result<FarmerView, Error> {
        let author = self.author()?;
        author.require(Capability::ProposePayout)?;
        let PayoutInput { national_id, account } = self.checked_payout(input)?;
        self.act(&author, |action| {
            let scope = require_visible::<Farmer>(action.db, &author, farmer_id, "farmer")?.stored.scope;
            if rows::contacts_of(&mut seam(action.db), farmer_id)?.is_empty() {
                return Err(not_found("farmer"));
            }
            let known = stored::get::<Payout>(&mut seam(action.db), payout_of(farmer_id))?;
            require_current(basis, payout_of(farmer_id), version_of(known.as_ref()))?;
            // What is equal is not written, and is no second value beside what somebody else writes.
            let (ids, accounts) = known
                .as_ref()
                .map_or_else(Default::default, |it| (&it.record.national_ids[..], &it.record.accounts[..]));
            let id = national_id.as_ref().filter(|id| ids != std::slice::from_ref(*id));
            let account = account.as_ref().filter(|account| accounts != std::slice::from_ref(*account));
            let puts = payout_puts(action.stamp, farmer_id, id, account, || self.environment.random());
            if !puts.is_empty() {
                let saved = known.as_ref().map(|found| &found.stored);
                action.edit(Kind::of::<Payout>(), payout_of(farmer_id).into(), &scope, saved, puts)?;
            }
            farmer_view(action.db, &author, action.stamp.at, farmer_id)
        })
    }

    /// Returns a part of a farmer's payout details in full, after writing who asked for it and why, which reaches the server.
    ///
    /// # Errors
    /// [`Error::Refused`] by role; [`Error::Invalid`] of `reason` without a code; [`Error::NotFound`] without such details here;
    /// [`Error::Unauthorized`], [`Error::Store`].
    pub fn reveal_payout(
        &self,
        farmer_id: FarmerId,
        field: PayoutField,
        reason: &Reason,
    ) -> Result<RevealedPayout, Error> {
        let author = self.author()?;
        author.require(Capability::RevealPayout)?;
        let reason = checked(reason)?;
        self.act(&author, |action| {
            let found = require_visible::<Payout>(action.db, &author, payout_of(farmer_id), "payout details")?;
            let Found { stored, record } = found;
            let revealed = match field {
                PayoutField::NationalId => RevealedPayout { national_ids: record.national_ids, accounts: Vec::new() },
                PayoutField::Account => RevealedPayout { national_ids: Vec::new(), accounts: record.accounts },
            };
            if revealed.national_ids.is_empty() && revealed.accounts.is_empty() {
                return Err(not_found("payout details"));
            }
            let put = reveal_put(&Reveal { stamp: action.stamp, field, reason });
            action.edit(stored.kind, record.payout_id.into(), &stored.scope, Some(&stored), vec![put])?;
            Ok(revealed)
        })
    }

    fn checked_payout(&self, input: &PayoutInput) -> Result<PayoutInput, Error> {
        if input.national_id.is_none() && input.account.is_none() {
            return Err(Error::invalid("payout", "needs a national id or an account"));
        }
        let national_id =
            input.national_id.as_deref().map(|id| identifier("national_id", id, &NATIONAL_ID)).transpose()?;
        let account = input.account.as_ref().map(|account| self.checked_account(account)).transpose()?;
        Ok(PayoutInput { national_id, account })
    }

    fn checked_account(&self, input: &PayoutAccount) -> Result<PayoutAccount, Error> {
        let text = |field, text: &str| check_text(text, false).map_err(|wrong| Error::invalid(field, wrong));
        let account = match input.method {
            PayoutMethod::Bank => identifier("account", &input.account, &BANK_ACCOUNT)?,
            PayoutMethod::MobileMoney => match check_phone(&input.account, &self.country()) {
                Ok(number) if !number.is_empty() => number,
                Ok(_) => return Err(Error::invalid("account", TextError::Empty)),
                Err(wrong) => return Err(Error::invalid("account", wrong)),
            },
            PayoutMethod::Upi => {
                let address = check_text(&input.account, true).map_err(|wrong| Error::invalid("account", wrong))?;
                let parts: Vec<&str> = address.split('@').collect();
                let is_address = matches!(parts[..], [name, bank] if !name.is_empty() && !bank.is_empty())
                    && address.bytes().all(|byte| byte.is_ascii_graphic());
                if !is_address {
                    return Err(Error::invalid("account", "is not an address such as name@bank"));
                }
                address.to_ascii_lowercase()
            }
        };
        let (bank_code, holder_name) = (text("bank_code", &input.bank_code)?, text("holder_name", &input.holder_name)?);
        Ok(PayoutAccount { method: input.method, account, bank_code, holder_name })
    }
}

/// Returns letters and digits without the signs and blanks between them, in capital letters.
fn identifier(field: &'static str, text: &str, length: &std::ops::RangeInclusive<usize>) -> Result<String, Error> {
    let text = check_text(text, true).map_err(|wrong| Error::invalid(field, wrong))?;
    let id: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '/' | '.')).collect();
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) || !length.contains(&id.len()) {
        let reason = format!("has {} to {} letters and digits", length.start(), length.end());
        return Err(Error::invalid(field, reason));
    }
    Ok(id.to_ascii_uppercase())
}

fn version_of(found: Option<&Found<Payout>>) -> [u8; 8] {
    found.map_or_else(|| records::version(&[]), Found::version)
}

/// Returns the masked view of a farmer's payout details, and their conflicts.
pub(super) fn payout_view(
    db: &rusqlite::Connection,
    farmer_id: FarmerId,
) -> Result<(PayoutView, Vec<Conflict>), Error> {
    let found = stored::get::<Payout>(&mut seam(db), payout_of(farmer_id))?;
    let basis = Basis { document_id: payout_of(farmer_id).into(), version: version_of(found.as_ref()) };
    let Some(Found { record, .. }) = found else {
        let (state, national_id) = (PayoutState::Missing, String::new());
        return Ok((PayoutView { basis, state, national_id, account: None, reveals: Vec::new() }, Vec::new()));
    };
    let state = if record.conflicts.is_empty() { PayoutState::Unconfirmed } else { PayoutState::Conflict };
    let national_id = match record.national_ids.as_slice() {
        [id] => masked(id),
        _ => String::new(),
    };
    let account = match record.accounts.as_slice() {
        [account] => Some(masked_account(account)),
        _ => None,
    };
    Ok((PayoutView { basis, state, national_id, account, reveals: record.reveals }, record.conflicts))
}
