//! Advances and cash: fields of their records, allowances, balances and cash books.

use farmtally_core::client::{Allowance, FarmerBalance};
use farmtally_core::records::advance::{AdvanceItem, AdvanceKind, PaymentMethod};
use farmtally_core::records::cash_movement::CashHolder;
use farmtally_core::records::{Advance, CashCount, CashMovement, PaperEntry};
use farmtally_core::rules::{CashBook, CashLine, CashLineKind, OpenAdvance};
use farmtally_core::units::{BusinessDate, DeliveryId, DocumentId, FarmerId, Money, Timestamp, UserId};

/// The way in which an advance is given.
#[uniffi::remote(Enum)]
pub enum PaymentMethod {
    /// Notes and coins
    Cash,
    /// Money on a telephone
    MobileMoney,
    /// A transfer to an account at a bank
    BankTransfer,
    /// A cheque
    Cheque,
    /// Goods instead of money
    Goods,
}

/// Goods of one line of an advance.
#[uniffi::remote(Record)]
pub struct AdvanceItem {
    /// Code or name of the goods, one line of at most 200 characters; must not be empty
    pub item: String,
    /// Unit in which they are counted, such as kg or bag; must not be empty
    pub unit: String,
    /// Number of units, 1 to 100,000
    pub quantity: u32,
    /// Price of one unit in minor units of the currency, above zero
    pub unit_price_minor: Money,
}

/// What an advance is given for.
#[uniffi::remote(Enum)]
pub enum AdvanceKind {
    /// Money, to be recovered at settlement
    Cash,
    /// Money on the spot for one delivery: bears no interest, recovered first from that delivery
    OnAccount {
        /// The delivery, of the same farmer
        delivery_id: DeliveryId,
    },
    /// Goods; the amount is the sum of the lines
    InKind {
        /// The lines, 1 to 50
        items: Vec<AdvanceItem>,
        /// Name of the store from which they came; may be empty
        store: String,
    },
    /// Goods that came back: reduces an earlier advance in kind by the sum of the lines
    Returned {
        /// The advance in kind, of the same farmer
        advance_id: DocumentId,
        /// The lines, 1 to 50
        items: Vec<AdvanceItem>,
    },
}

/// Fields of an advance. Texts are one line of at most 200 characters.
#[uniffi::remote(Record)]
pub struct Advance {
    /// Farmer who got it
    pub farmer_id: FarmerId,
    /// Amount in minor units of the currency, above zero; of goods, exactly the sum of the lines
    pub amount_minor: Money,
    /// The way in which it was given: goods for goods, anything else for money
    pub method: PaymentMethod,
    /// Day on which it was given
    pub date: BusinessDate,
    /// Code of the reason; must not be empty, never the farmer's words
    pub reason_code: String,
    /// Number of the voucher or transaction; may be empty
    #[uniffi(default = "")]
    pub reference: String,
    /// What it is given for
    pub kind: AdvanceKind,
    /// Paper form on which it was written first; null for none
    #[uniffi(default = None)]
    pub paper_entry: Option<PaperEntry>,
}

/// What the current user may still pay out on this phone.
#[uniffi::remote(Record)]
pub struct Allowance {
    /// Amount left; zero without a lease, and after its last day
    pub left_minor: Money,
    /// Sum of all that the office ever leased to the user on this phone
    pub total_minor: Money,
    /// Sum of all that the user ever paid out on this phone, with what was cancelled since
    pub paid_out_minor: Money,
    /// Last day on which the user may pay out; null without a lease
    pub valid_until: Option<BusinessDate>,
}

/// An advance that is not settled, as far as this phone knows.
#[uniffi::remote(Record)]
pub struct OpenAdvance {
    /// Id of the advance
    pub record_id: DocumentId,
    /// Farmer who got it
    pub farmer_id: FarmerId,
    /// Day on which it was given
    pub date: BusinessDate,
    /// What it was given for
    pub kind: AdvanceKind,
    /// The way in which it was given
    pub method: PaymentMethod,
    /// Amount that was given
    pub amount_minor: Money,
    /// Amount less the goods that came back; above zero
    pub outstanding_minor: Money,
    /// Days since it was given; 0 for a later day
    pub age_days: u32,
}

/// What a farmer owes by the advances on this phone.
#[uniffi::remote(Record)]
pub struct FarmerBalance {
    /// The farmer
    pub farmer_id: FarmerId,
    /// The phone's date, by which ages are counted
    pub as_of: BusinessDate,
    /// When the last complete sync ended: what others recorded since is not in the balance; null before the first
    pub synced_at: Option<Timestamp>,
    /// Sum of what is outstanding
    pub outstanding_minor: Money,
    /// The open advances, oldest first
    pub advances: Vec<OpenAdvance>,
}

/// Somebody who has cash.
#[uniffi::remote(Enum)]
pub enum CashHolder {
    /// The office, for which an admin or accountant acts
    Office,
    /// A user
    User {
        /// Id of the user
        user_id: UserId,
    },
}

/// Fields of a cash movement.
#[uniffi::remote(Record)]
pub struct CashMovement {
    /// Who gives the cash, and records it
    pub from: CashHolder,
    /// Who receives it, and confirms it
    pub to: CashHolder,
    /// Amount in minor units of the currency, above zero
    pub amount_minor: Money,
    /// Day of the handover
    pub date: BusinessDate,
    /// Number of the voucher, one line of at most 200 characters; may be empty
    #[uniffi(default = "")]
    pub reference: String,
}

/// Fields of a cash count.
#[uniffi::remote(Record)]
pub struct CashCount {
    /// User whose cash was counted
    pub user_id: UserId,
    /// Day of the count
    pub date: BusinessDate,
    /// Amount that was counted
    pub counted_minor: Money,
    /// Amount that the phone expected by what it knew
    pub expected_minor: Money,
}

/// What a line of a cash book is.
#[uniffi::remote(Enum)]
pub enum CashLineKind {
    /// Cash that the user received, and confirmed
    Received,
    /// Cash that the user gave to another user or the office
    Given,
    /// An advance in cash
    Advance,
    /// Cash on the spot for a delivery
    OnAccount,
    /// A count; its amount is the difference to the balance before
    Count,
}

/// A line of a cash book.
#[uniffi::remote(Record)]
pub struct CashLine {
    /// Record from which it follows
    pub record_id: DocumentId,
    /// Day of the line
    pub date: BusinessDate,
    /// What it is
    pub kind: CashLineKind,
    /// Amount by which the cash grew; negative for what was paid out
    pub amount_minor: Money,
    /// What the user should have after it
    pub balance_minor: Money,
}

/// Cash book of a user over some days, as far as this phone knows.
#[uniffi::remote(Record)]
pub struct CashBook {
    /// The user
    pub user_id: UserId,
    /// Balance before the first day
    pub opening_minor: Money,
    /// Lines of the days, by day, then in the order of their recording
    pub lines: Vec<CashLine>,
    /// Balance after the last day
    pub closing_minor: Money,
}
