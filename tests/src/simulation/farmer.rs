//! Farmers in a schedule: people add telephone numbers and tags, make farmers inactive, and write and see payout details.

use farmtally_core::client::{FarmerEdit, FarmerView, PayoutInput};
use farmtally_core::records::farmer::{ContactDetails, PayoutAccount, PayoutField, PayoutMethod};

use super::action::any_farmer;
use super::world::{CallOutcome, World};
use crate::reason;

fn any_view(world: &mut World, who: usize) -> Option<FarmerView> {
    let farmer = any_farmer(world, who)?.farmer_id;
    let result = world.phones[who].client().farmer(farmer);
    match world.observe(who, "looks at a farmer", result) {
        CallOutcome::Done(view) => Some(view),
        _ => None,
    }
}

/// Changes another detail than the first telephone number, by which the checks know the farmer; or tags, or whether the farmer is active.
pub(super) fn changes(world: &mut World, who: usize) {
    let Some(view) = any_view(world, who) else { return };
    if world.once_in(2) {
        let mut other_phones = view.contact.other_phones.clone();
        if other_phones.len() > 2 {
            other_phones.remove(0);
        }
        other_phones.push(format!("+9177450{}", world.unique_numbers(1)[0]));
        let photo_consent = Some(world.once_in(2));
        let details = ContactDetails { other_phones, photo_consent, ..view.contact };
        let result = world.phones[who].client().edit_farmer(view.farmer_id, view.basis, &details);
        world.observe(who, "corrects a farmer", result);
        return;
    }
    let edit = if world.once_in(3) {
        FarmerEdit::SetActive { is_active: !view.is_active }
    } else {
        let all = ["ORGANIC", "SMALL", "LEADER"].map(|tag| tag.parse().expect("a tag"));
        let tags = all.into_iter().filter(|_| world.once_in(2)).collect();
        FarmerEdit::SetTags { tags }
    };
    let result = world.phones[who].client().change_farmer(view.identity_basis, &edit);
    world.observe(who, "changes a farmer", result);
}

/// Writes the farmer's own telephone number as account, which the checks look for once the farmer is erased; or sees it in full.
pub(super) fn pays(world: &mut World, who: usize) {
    let Some(view) = any_view(world, who) else { return };
    if world.once_in(3) {
        let client = world.phones[who].client();
        let result = client.reveal_payout(view.farmer_id, PayoutField::Account, &reason("bank_called"));
        world.observe(who, "sees an account", result);
        return;
    }
    let account = PayoutAccount {
        method: PayoutMethod::MobileMoney,
        account: view.contact.phone,
        bank_code: if world.once_in(2) { "MPESA" } else { "AIRTEL" }.into(),
        holder_name: String::new(),
    };
    let input = PayoutInput { national_id: None, account: Some(account) };
    let result = world.phones[who].client().propose_payout(view.farmer_id, view.payout.basis, &input);
    world.observe(who, "writes an account", result);
}
