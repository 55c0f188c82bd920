//! Payout details of a farmer: the national id, and the account that receives money.
//!
//! The document's id follows from the farmer's, so two phones that write the first details of one farmer write one document. It has no
//! snapshot. Of concurrent values none wins until a person picks one. Invariant: neither views nor conflicts contain a value in full.

use std::fmt;

use minicbor::{Decode, Encode};

use super::{Farmer, Personal};
use crate::permission::Capability;
use crate::records::delivery::Reason;
use crate::records::stamp::Register;
use crate::records::{
    Class, Conflict, Error, Fields, KeyRule, Kind, Privacy, Put, RecordKind, Shape, Stamp, Table, Topic, encode,
};
use crate::scope::ScopeForm;
use crate::units::{Column, DocumentId, FarmerId, HybridTime, PayoutId, ToValue, derived, named};

named! {
    /// Way in which a farmer is paid without cash.
    #[derive(Encode, Decode)]
    #[cbor(index_only)]
    pub PayoutMethod, "a payout method" {
        /// To a bank account.
        #[n(0)]
        Bank = "bank",
        /// To the account of a telephone number.
        #[n(1)]
        MobileMoney = "mobile_money",
        /// To a virtual address of UPI, such as `name@bank`.
        #[n(2)]
        Upi = "upi",
    }
}

named! {
    /// A part of the payout details that is shown in full only on request.
    #[derive(Encode, Decode)]
    #[cbor(index_only)]
    pub PayoutField, "a payout field" {
        /// The national id.
        #[n(0)]
        NationalId = "national_id",
        /// The account.
        #[n(1)]
        Account = "account",
    }
}

impl PayoutField {
    const fn key(self) -> &'static str {
        match self {
            Self::NationalId => "national_id",
            Self::Account => "account",
        }
    }
}

/// Account that receives a farmer's money. Its `Debug` output leaves out all texts.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PayoutAccount {
    /// How it is paid.
    #[n(0)]
    pub method: PayoutMethod,
    /// Number of the bank account, telephone number, or address of UPI.
    #[n(1)]
    pub account: String,
    /// Code of the bank and branch, or name of the operator; may be empty.
    #[n(2)]
    pub bank_code: String,
    /// Name of the account's holder, if it is not the farmer's; may be empty.
    #[n(3)]
    pub holder_name: String,
}

impl fmt::Debug for PayoutAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PayoutAccount").field("method", &self.method).finish_non_exhaustive()
    }
}

/// Returns a text with all but its last four characters replaced by dots; of a short text, all but its last half at most.
pub fn masked(text: &str) -> String {
    let length = text.chars().count();
    let hidden = length - 4.min(length / 2);
    text.chars().enumerate().map(|(n, c)| if n < hidden { '\u{2022}' } else { c }).collect()
}

/// Returns an account with its number masked.
pub fn masked_account(account: &PayoutAccount) -> PayoutAccount {
    PayoutAccount { account: masked(&account.account), ..account.clone() }
}

/// Returns the id of the farmer's payout details.
pub fn payout_of(farmer: FarmerId) -> PayoutId {
    derived([b"payout".as_slice(), DocumentId::from(farmer).as_bytes()])
}

/// Values of a register of the payout details, with the farmer to whom they belong.
#[derive(Clone, Encode, Decode)]
#[cbor(array)]
struct Owned<T> {
    #[n(0)]
    farmer_id: FarmerId,
    #[n(1)]
    personal: Personal<T>,
}

/// A person who saw payout details in full.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Reveal {
    /// Who saw them, on which device, and when.
    #[n(0)]
    pub stamp: Stamp,
    /// What was seen.
    #[n(1)]
    pub field: PayoutField,
    /// Why.
    #[n(2)]
    pub reason: Reason,
}

/// Payout details of a farmer, projected from all changes of their document. The `Debug` output leaves out all values.
#[derive(Clone, PartialEq, Eq)]
pub struct Payout {
    /// Id of the document.
    pub payout_id: PayoutId,
    /// Farmer that they belong to.
    pub farmer_id: FarmerId,
    /// Values of the national id: none, one, or several that were written concurrently.
    pub national_ids: Vec<String>,
    /// Values of the account: none, one, or several that were written concurrently.
    pub accounts: Vec<PayoutAccount>,
    /// Who saw values in full, oldest first.
    pub reveals: Vec<Reveal>,
    /// Conflicts between concurrent changes, with masked values.
    pub conflicts: Vec<Conflict>,
}

impl fmt::Debug for Payout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payout").field("farmer_id", &self.farmer_id).finish_non_exhaustive()
    }
}

/// Returns the puts of new payout details; what is `None` is not written. `nonce` returns fresh random bytes.
pub(crate) fn payout_puts(
    stamp: Stamp,
    farmer_id: FarmerId,
    national_id: Option<&String>,
    account: Option<&PayoutAccount>,
    mut nonce: impl FnMut() -> [u8; 16],
) -> Vec<Put> {
    let national_id = national_id.map(|value| {
        let value = Owned { farmer_id, personal: Personal { nonce: nonce(), value: value.clone() } };
        Put::Key(PayoutField::NationalId.key(), encode(&Register { stamp, value }))
    });
    let account = account.map(|value| {
        let value = Owned { farmer_id, personal: Personal { nonce: nonce(), value: value.clone() } };
        Put::Key(PayoutField::Account.key(), encode(&Register { stamp, value }))
    });
    national_id.into_iter().chain(account).collect()
}

pub(crate) fn reveal_put(reveal: &Reveal) -> Put {
    Put::Add('r', String::new(), encode(reveal))
}

/// Returns the different values of a register, the latest first, and their farmer. Adds a hard conflict without an effective value if there
/// are several.
fn values<T: for<'b> Decode<'b, ()> + Clone + PartialEq>(
    fields: &Fields,
    field: PayoutField,
    text: impl Fn(&T) -> String,
    conflicts: &mut Vec<Conflict>,
) -> Result<Vec<(FarmerId, T)>, Error> {
    let mut different: Vec<(FarmerId, T)> = Vec::new();
    let written = fields.written(field.key(), |it: &Register<Owned<T>>| it.stamp)?;
    for (Register { value: Owned { farmer_id, personal }, .. }, _) in &written {
        if different.iter().all(|(_, known)| *known != personal.value) {
            different.push((*farmer_id, personal.value.clone()));
        }
    }
    if different.len() > 1 {
        let values = written.iter().map(|(register, change)| crate::records::ConflictValue {
            text: text(&register.value.personal.value),
            stamp: register.stamp,
            is_effective: false,
            change: Some(*change),
        });
        conflicts.push(Conflict { field: field.key().to_owned(), is_hard: true, values: values.collect() });
    }
    Ok(different)
}

impl RecordKind for Payout {
    const NUMBER: u8 = 18;
    const NAME: &'static str = "payout";
    const HOME: ScopeForm = ScopeForm::Centre;
    const PRIVACY: Privacy = Privacy::Personal;
    const SHAPE: Shape = Shape(&[
        KeyRule::of(Class::Register, "national_id", Capability::ProposePayout, "the national id"),
        KeyRule::of(Class::Register, "account", Capability::ProposePayout, "the account"),
        KeyRule::of(Class::Add, "r", Capability::RevealPayout, "a view of a value in full"),
    ]);
    const TABLE: Table<Self> = Table {
        name: "payouts",
        key: "payout_id",
        columns: &[(Column::blob("farmer_id"), |it| it.farmer_id.to_value())],
    };
    const TOPICS: &'static [Topic] = &[Topic::Farmers];

    type Id = PayoutId;

    fn id(&self) -> PayoutId {
        self.payout_id
    }

    fn project(payout_id: PayoutId, fields: &Fields) -> Result<Option<Self>, Error> {
        let mut conflicts = Vec::new();
        let ids = values(fields, PayoutField::NationalId, |text: &String| masked(text), &mut conflicts)?;
        let text =
            |it: &PayoutAccount| [it.method.as_str(), &masked(&it.account), &it.bank_code, &it.holder_name].join(" ");
        let accounts = values(fields, PayoutField::Account, text, &mut conflicts)?;
        let mut reveals: Vec<Reveal> = fields.added('r')?.into_iter().map(|(_, reveal)| reveal).collect();
        reveals.sort_by_key(|reveal| (reveal.stamp.at, reveal.stamp.user_id, reveal.field));
        let mut farmers = ids.iter().map(|(farmer, _)| *farmer).chain(accounts.iter().map(|(farmer, _)| *farmer));
        let Some(farmer_id) = farmers.next() else { return Ok(None) };
        if payout_of(farmer_id) != payout_id || farmers.any(|other| other != farmer_id) {
            return Err(Error::malformed("payout details of another farmer"));
        }
        Ok(Some(Self {
            payout_id,
            farmer_id,
            national_ids: ids.into_iter().map(|(_, id)| id).collect(),
            accounts: accounts.into_iter().map(|(_, account)| account).collect(),
            reveals,
            conflicts,
        }))
    }

    fn conflicts(&self) -> &[Conflict] {
        &self.conflicts
    }

    /// Returns `None`: the details have no creating change.
    fn created(&self) -> Option<Stamp> {
        None
    }

    fn times(&self) -> Vec<HybridTime> {
        self.reveals.iter().map(|reveal| reveal.stamp.at).collect()
    }

    fn farmer_id(&self) -> Option<FarmerId> {
        Some(self.farmer_id)
    }

    /// Returns the farmer: inbox items about payout details are shown under their farmer.
    fn shown_under(&self) -> (Kind, DocumentId) {
        (Kind::of::<Farmer>(), self.farmer_id.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_text_shows_four_characters_at_most_and_never_more_than_half() {
        for (text, expected) in [
            ("123456789012", "\u{2022}\u{2022}\u{2022}\u{2022}\u{2022}\u{2022}\u{2022}\u{2022}9012"),
            ("12345678", "\u{2022}\u{2022}\u{2022}\u{2022}5678"),
            ("1234", "\u{2022}\u{2022}34"),
            ("1", "\u{2022}"),
            ("", ""),
        ] {
            assert_eq!(masked(text), expected);
        }
    }
}
