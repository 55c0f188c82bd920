//! An advance: money or goods that a farmer got before a settlement, or goods of one that came back.
//!
//! The farmer is named by id only, and nothing here is the farmer's own words, so advances stay when a farmer is erased. Its author's
//! allowance ([`crate::decisions::Lease`]) limits money, not goods.

use minicbor::{Decode, Encode};

use super::simple::{Reference, SimpleKind, TextField, WrongField, recorded, steps, within};
use super::{Delivery, Farmer, PaperEntry, RecordKind, Shape};
use crate::limits::{MAX_ADVANCE_ITEMS, MAX_COUNTED};
use crate::permission::Capability;
use crate::scope::ScopeForm;
use crate::units::{BusinessDate, DeliveryId, DocumentId, FarmerId, Money, named};

named! {
    /// The way in which an advance is given.
    #[derive(Encode, Decode)]
    #[cbor(index_only)]
    pub PaymentMethod, "a method of payment" {
        /// Notes and coins.
        #[n(0)]
        Cash = "cash",
        /// Money on a telephone.
        #[n(1)]
        MobileMoney = "mobile_money",
        /// A transfer to an account at a bank.
        #[n(2)]
        BankTransfer = "bank_transfer",
        /// A cheque.
        #[n(3)]
        Cheque = "cheque",
        /// Goods instead of money.
        #[n(4)]
        Goods = "goods",
    }
}

/// Goods of one line of an advance.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct AdvanceItem {
    /// Code or name of the goods, not empty.
    #[n(0)]
    pub item: String,
    /// Unit in which they are counted, such as `kg` or `bag`; not empty.
    #[n(1)]
    pub unit: String,
    /// Number of units, above zero.
    #[n(2)]
    pub quantity: u32,
    /// Price of one unit, above zero.
    #[n(3)]
    pub unit_price_minor: Money,
}

/// What an advance is given for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum AdvanceKind {
    /// Money, to be recovered at settlement.
    #[n(0)]
    Cash,
    /// Money on the spot for one delivery: bears no interest, and is recovered first from that delivery.
    #[n(1)]
    OnAccount {
        /// The delivery, of the same farmer.
        #[n(0)]
        delivery_id: DeliveryId,
    },
    /// Goods; the amount is the sum of the lines.
    #[n(2)]
    InKind {
        /// The goods, 1 to [`MAX_ADVANCE_ITEMS`] lines.
        #[n(0)]
        items: Vec<AdvanceItem>,
        /// Name of the store from which they came; may be empty.
        #[n(1)]
        store: String,
    },
    /// Goods that came back: reduces an earlier advance in kind by the sum of the lines.
    #[n(3)]
    Returned {
        /// The advance in kind, of the same farmer.
        #[n(0)]
        advance_id: DocumentId,
        /// What came back, 1 to [`MAX_ADVANCE_ITEMS`] lines.
        #[n(1)]
        items: Vec<AdvanceItem>,
    },
}

impl AdvanceKind {
    /// Returns the kind's stable name.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::OnAccount { .. } => "on_account",
            Self::InKind { .. } => "in_kind",
            Self::Returned { .. } => "returned",
        }
    }

    /// Returns the lines of goods; `None` for money.
    pub fn items(&self) -> Option<&[AdvanceItem]> {
        match self {
            Self::Cash | Self::OnAccount { .. } => None,
            Self::InKind { items, .. } | Self::Returned { items, .. } => Some(items),
        }
    }
}

/// Content of an advance.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Advance {
    /// Farmer who got it.
    #[n(0)]
    pub farmer_id: FarmerId,
    /// Amount, above zero; of goods, exactly the sum of the lines.
    #[n(1)]
    pub amount_minor: Money,
    /// The way in which it was given: goods for goods, anything else for money.
    #[n(2)]
    pub method: PaymentMethod,
    /// Day on which it was given.
    #[n(3)]
    pub date: BusinessDate,
    /// Code of the reason, not empty; never the farmer's words.
    #[n(4)]
    pub reason_code: String,
    /// Number of the voucher or transaction; may be empty.
    #[n(5)]
    pub reference: String,
    /// What it is given for.
    #[n(6)]
    pub kind: AdvanceKind,
    /// Paper form on which it was written first; `None` for none.
    #[n(7)]
    pub paper_entry: Option<PaperEntry>,
}

impl Advance {
    /// Returns the amount that its author paid out in money; `None` for goods.
    pub fn paid_out(&self) -> Option<Money> {
        self.kind.items().is_none().then_some(self.amount_minor)
    }

    /// Returns the amount that left the author's cash; `None` for goods and for other methods of payment.
    pub fn in_cash(&self) -> Option<Money> {
        self.paid_out().filter(|_| self.method == PaymentMethod::Cash)
    }
}

/// Returns the sum of lines of goods; `None` if it is no amount.
pub fn sum_of_items(items: &[AdvanceItem]) -> Option<Money> {
    let lines = items.iter().map(|it| i128::from(it.quantity).checked_mul(it.unit_price_minor.minor().into()));
    Money::from_wide(lines.sum::<Option<i128>>()?)
}

fn check_items(items: &[AdvanceItem], amount: Money) -> Result<(), WrongField> {
    if !(1..=MAX_ADVANCE_ITEMS).contains(&items.len()) {
        return Err(WrongField::new("items", format!("has 1 to {MAX_ADVANCE_ITEMS} lines")));
    }
    for it in items {
        within("quantity", &it.quantity, &(1..=MAX_COUNTED))?;
        within("unit_price_minor", &it.unit_price_minor.minor(), &(1..=Money::MAX.minor()))?;
    }
    if sum_of_items(items) == Some(amount) {
        return Ok(());
    }
    Err(WrongField::new("amount_minor", "is not the sum of the lines"))
}

impl SimpleKind for Advance {
    const NUMBER: u8 = 19;
    const NAME: &'static str = "advance";
    const HOME: ScopeForm = ScopeForm::Centre;
    const CAPABILITY: Capability = Capability::PayAdvance;
    const SHAPE: Shape = Shape(&[recorded(Self::CAPABILITY, "what was given"), steps(Self::CAPABILITY)]);

    fn title(&self) -> String {
        let (kind, method) = (self.kind.as_str(), self.method);
        format!("{} {kind} {method} {} {} {}", self.amount_minor.minor(), self.date, self.reason_code, self.reference)
    }

    fn references(&self) -> Vec<Reference> {
        let farmer = Reference { field: "farmer_id", kinds: &[Farmer::NUMBER], document_id: self.farmer_id.into() };
        let other = match &self.kind {
            AdvanceKind::Cash | AdvanceKind::InKind { .. } => None,
            AdvanceKind::OnAccount { delivery_id } => {
                Some(Reference { field: "delivery_id", kinds: &[Delivery::NUMBER], document_id: (*delivery_id).into() })
            }
            AdvanceKind::Returned { advance_id, .. } => {
                Some(Reference { field: "advance_id", kinds: &[Self::NUMBER], document_id: *advance_id })
            }
        };
        std::iter::once(farmer).chain(other).collect()
    }

    fn about(&self) -> Option<DocumentId> {
        Some(match &self.kind {
            AdvanceKind::Cash | AdvanceKind::InKind { .. } => self.farmer_id.into(),
            AdvanceKind::OnAccount { delivery_id } => (*delivery_id).into(),
            AdvanceKind::Returned { advance_id, .. } => *advance_id,
        })
    }

    fn farmer_id(&self) -> Option<FarmerId> {
        Some(self.farmer_id)
    }

    fn date(&self) -> Option<BusinessDate> {
        Some(self.date)
    }

    fn paid_out(&self) -> Option<Money> {
        Self::paid_out(self)
    }

    fn paper_entry(&self) -> Option<&PaperEntry> {
        self.paper_entry.as_ref()
    }

    fn texts(&mut self) -> Vec<TextField<'_>> {
        let mut texts = vec![
            TextField::required("reason_code", &mut self.reason_code),
            TextField::optional("reference", &mut self.reference),
        ];
        let items = match &mut self.kind {
            AdvanceKind::Cash | AdvanceKind::OnAccount { .. } => return texts,
            AdvanceKind::InKind { items, store } => {
                texts.push(TextField::optional("store", store));
                items
            }
            AdvanceKind::Returned { items, .. } => items,
        };
        for AdvanceItem { item, unit, .. } in items {
            texts.extend([TextField::required("item", item), TextField::required("unit", unit)]);
        }
        texts
    }

    fn check(&self) -> Result<(), WrongField> {
        within("amount_minor", &self.amount_minor.minor(), &(1..=Money::MAX.minor()))?;
        self.paper_entry.as_ref().map_or(Ok(()), PaperEntry::check)?;
        if (self.method == PaymentMethod::Goods) != self.kind.items().is_some() {
            return Err(WrongField::new("method", "is goods for goods, and another for money"));
        }
        self.kind.items().map_or(Ok(()), |items| check_items(items, self.amount_minor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(quantity: u32, price: i64) -> AdvanceItem {
        let unit_price_minor = Money::try_from(price).expect("an amount");
        AdvanceItem { item: "UREA".into(), unit: "bag".into(), quantity, unit_price_minor }
    }

    #[test]
    fn the_sum_of_lines_is_exact_or_none() {
        let largest = Money::MAX.minor();
        for (items, sum) in [
            (vec![], Some(0)),
            (vec![item(3, 26_650), item(1, 5)], Some(79_955)),
            (vec![item(1, largest)], Some(largest)),
            (vec![item(1, largest), item(1, 1)], None),
            (vec![item(u32::MAX, largest); 3], None),
        ] {
            assert_eq!(sum_of_items(&items).map(Money::minor), sum, "{items:?}");
        }
    }
}
