//! Farmers: registering, correcting contact details and tags, activity.

use std::collections::BTreeSet;

use super::action::Action;
use super::land::{LandView, land_view};
use super::payout::{PayoutState, PayoutView, payout_view};
use super::{Author, Basis, FieldClient, not_found, require_current, require_visible};
use crate::Error;
use crate::decisions::ReviewCode;
use crate::limits::{MAX_PHONES, MAX_TAGS};
use crate::permission::{Capability, Target};
use crate::records::farmer::{self, ContactDetails, ContactSnapshot, FarmerSnapshot};
use crate::records::{Conflict, Contact, Farmer, Kind, encode};
use crate::rules::{ActionCode, Check, FarmerAtHand, check_language, check_phone, check_text};
use crate::scope::Scope;
use crate::store::look_alikes;
use crate::store::outbox::{self, SyncState};
use crate::store::records::Found;
use crate::store::rows;
use crate::store::seam;
use crate::store::{decisions, records as stored};
use crate::units::{CentreCode, ContactId, FarmerId, FarmerTag, HybridTime};

/// Input for registering a farmer.
#[derive(Clone, Debug)]
pub struct FarmerInput {
    /// Home centre, one of those granted.
    pub centre: CentreCode,
    /// Contact details, of which the name is required.
    pub details: ContactDetails,
    /// Tags, in any order.
    pub tags: Vec<FarmerTag>,
}

/// A change of a farmer's identity.
#[derive(Clone, Debug)]
pub enum FarmerEdit {
    /// Says whether new records about the farmer are expected.
    SetActive {
        /// Whether they are.
        is_active: bool,
    },
    /// Replaces the tags.
    SetTags {
        /// All tags, in any order.
        tags: Vec<FarmerTag>,
    },
}

/// A farmer as a screen shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FarmerView {
    /// The farmer's id.
    pub farmer_id: FarmerId,
    /// Contact document, not the farmer's, and its version shown here, for [`FieldClient::edit_farmer`].
    pub basis: Basis,
    /// The farmer's own document and its version shown here, for [`FieldClient::change_farmer`].
    pub identity_basis: Basis,
    /// Farmer code, such as `T-KOLAR-10-17`.
    pub code: String,
    /// The farmer's home centre.
    pub centre: CentreCode,
    /// Contact details.
    pub contact: ContactDetails,
    /// Whether new records about the farmer are expected.
    pub is_active: bool,
    /// Tags, sorted.
    pub tags: Vec<FarmerTag>,
    /// How the farmer is paid, masked.
    pub payout: PayoutView,
    /// What the current user may do with the farmer now.
    pub actions: Vec<ActionCode>,
    /// Sync state of the identity, the contact or the payout details: the one furthest from the server's log.
    pub sync: SyncState,
    /// Fields of the identity, the contact and the payout details that have concurrent values; those of payout details are masked.
    pub conflicts: Vec<Conflict>,
    /// Codes of the reviews that name the farmer.
    pub reviews: Vec<ReviewCode>,
    /// Plots, certificates and quotas.
    pub land: LandView,
}

impl FieldClient {
    /// Registers a farmer: identity and contact details in one action.
    ///
    /// # Errors
    /// [`Error::Confirm`] if this phone has a farmer of this centre with one of the telephone numbers, or with the name or local name and the
    /// same village; [`Error::Invalid`] of a contact detail or of `tags`; [`Error::Refused`], [`Error::Unauthorized`].
    pub fn register_farmer(&self, input: &FarmerInput, accept: &[Check]) -> Result<FarmerView, Error> {
        let author = self.author()?;
        author.require(Capability::RegisterFarmer)?;
        author.require_centre(&input.centre)?;
        let (details, tags) = (self.checked(&input.details)?, checked_tags(&input.tags)?);
        let scope = Scope::Centre(input.centre.clone());
        // No farmer has this id.
        let nobody = FarmerId::from([0; 16]);
        self.act(&author, |action| {
            let alike = look_alikes::find(&mut seam(action.db), [(&scope, nobody, &details)])?;
            if alike.iter().any(|it| !it.farmers.is_empty()) {
                Self::confirm(vec![Check::FarmerLooksAlike], accept)?;
            }
            let farmer_id = self.add_farmer(action, &input.centre, &scope, details, &tags)?;
            farmer_view(action.db, &author, action.stamp.at, farmer_id)
        })
    }

    /// Writes the identity and the contact details of a new farmer.
    pub(super) fn add_farmer(
        &self,
        action: &mut Action<'_>,
        centre: &CentreCode,
        scope: &Scope,
        details: ContactDetails,
        tags: &BTreeSet<FarmerTag>,
    ) -> Result<FarmerId, Error> {
        let (farmer_id, contact_id): (FarmerId, ContactId) = (self.new_id(), self.new_id());
        action.counters.farmers += 1;
        let (stamp, sequence) = (action.stamp, action.counters.farmers);
        let identity = FarmerSnapshot { centre: centre.clone(), stamp, sequence };
        action.create(Kind::of::<Farmer>(), farmer_id.into(), scope, encode(&identity))?;
        let contact = ContactSnapshot { stamp, nonce: self.environment.random(), farmer_id, details };
        action.create(Kind::of::<Contact>(), contact_id.into(), scope, encode(&contact))?;
        if !tags.is_empty() {
            let found = stored::get::<Farmer>(&mut seam(action.db), farmer_id)?.ok_or_else(|| not_found("farmer"))?;
            let puts = found.record.set_tags(action.stamp, tags);
            action.edit(found.stored.kind, farmer_id.into(), scope, Some(&found.stored), puts)?;
        }
        Ok(farmer_id)
    }

    /// Replaces contact details by `details`, which is complete; fields that are equal are not written. `basis` is that of the view.
    ///
    /// # Errors
    /// [`Error::Stale`], [`Error::NotFound`], [`Error::Invalid`], [`Error::Refused`], [`Error::Unauthorized`].
    pub fn edit_farmer(
        &self,
        farmer_id: FarmerId,
        basis: Basis,
        details: &ContactDetails,
    ) -> Result<FarmerView, Error> {
        let author = self.author()?;
        author.require(Capability::EditFarmer)?;
        let details = self.checked(details)?;
        self.act(&author, |action| {
            let found = require_visible::<Contact>(action.db, &author, basis.document_id.into(), "farmer")?;
            require_current(basis, basis.document_id, found.version())?;
            let Found { stored, record: contact } = found;
            author.require_about(Capability::EditFarmer, contact.registered.target_of(&action.stamp))?;
            if contact.farmer_id != farmer_id {
                return Err(Error::Stale);
            }
            if contact.details != details {
                let nonce = || self.environment.random();
                let puts = farmer::edit_contact(action.stamp, &contact, &details, nonce);
                action.edit(stored.kind, basis.document_id, &stored.scope, Some(&stored), puts)?;
            }
            farmer_view(action.db, &author, action.stamp.at, farmer_id)
        })
    }

    /// Changes whether a farmer is active, or the tags. `basis` is the view's `identity_basis`.
    ///
    /// # Errors
    /// [`Error::Refused`] if the change is not among [`FarmerView::actions`], but not for a value that the farmer has already;
    /// [`Error::Invalid`] of `tags`, [`Error::Stale`], [`Error::NotFound`], [`Error::Unauthorized`].
    pub fn change_farmer(&self, basis: Basis, edit: &FarmerEdit) -> Result<FarmerView, Error> {
        let author = self.author()?;
        author.require(Capability::EditFarmer)?;
        self.act(&author, |action| {
            let farmer_id = FarmerId::from(basis.document_id);
            let found = require_visible::<Farmer>(action.db, &author, farmer_id, "farmer")?;
            require_current(basis, farmer_id, found.version())?;
            let Found { stored, record: farmer } = found;
            author.require_about(Capability::EditFarmer, farmer.registered.target_of(&action.stamp))?;
            let puts = match edit {
                FarmerEdit::SetActive { is_active } if *is_active == farmer.inactive_from.is_none() => Vec::new(),
                FarmerEdit::SetActive { is_active } => vec![Farmer::set_active(action.stamp, *is_active)],
                FarmerEdit::SetTags { tags } => farmer.set_tags(action.stamp, &checked_tags(tags)?),
            };
            if !puts.is_empty() {
                action.edit(stored.kind, farmer_id.into(), &stored.scope, Some(&stored), puts)?;
            }
            farmer_view(action.db, &author, action.stamp.at, farmer_id)
        })
    }

    /// Returns a farmer with the newest contact details.
    ///
    /// # Errors
    /// [`Error::NotFound`], also without contact details here; [`Error::Unauthorized`], [`Error::Refused`] on a locked phone,
    /// [`Error::Store`].
    pub fn farmer(&self, farmer_id: FarmerId) -> Result<FarmerView, Error> {
        let author = self.author()?;
        let now = HybridTime { wall_ms: self.now().0, counter: 0 };
        self.store.read(|db| farmer_view(db, &author, now, farmer_id))
    }

    /// Returns the code of the organisation's country; empty before its data have arrived.
    pub(super) fn country(&self) -> String {
        let identity = self.identity();
        identity.reference.organisation().map_or_else(String::new, |it| it.country.as_str().to_owned())
    }

    /// Returns contact details as they are stored. A telephone number without a country code is one of the organisation's country; before
    /// the organisation's data have arrived, it stays as typed.
    fn checked(&self, details: &ContactDetails) -> Result<ContactDetails, Error> {
        let country = self.country();
        let text =
            |field, text: &str, required| check_text(text, required).map_err(|wrong| Error::invalid(field, wrong));
        let phone = |field, text: &str| check_phone(text, &country).map_err(|wrong| Error::invalid(field, wrong));
        let language = check_language(&details.language);
        let mut first = phone("phone", &details.phone)?;
        let others = details.other_phones.iter().map(|number| phone("other_phones", number));
        let mut others = others.collect::<Result<BTreeSet<String>, _>>()?;
        others.retain(|number| !number.is_empty());
        if first.is_empty() {
            first = others.pop_first().unwrap_or_default();
        }
        others.remove(&first);
        if others.len() >= MAX_PHONES {
            return Err(Error::invalid("other_phones", format!("a farmer has at most {MAX_PHONES} telephone numbers")));
        }
        Ok(ContactDetails {
            name: text("name", &details.name, true)?,
            village: text("village", &details.village, false)?,
            phone: first,
            local_name: text("local_name", &details.local_name, false)?,
            address: text("address", &details.address, false)?,
            language: language.ok_or_else(|| Error::invalid("language", "is not a tag of a language, such as kn"))?,
            other_phones: others.into_iter().collect(),
            messages_consent: details.messages_consent,
            photo_consent: details.photo_consent,
        })
    }
}

fn checked_tags(tags: &[FarmerTag]) -> Result<BTreeSet<FarmerTag>, Error> {
    let tags: BTreeSet<FarmerTag> = tags.iter().cloned().collect();
    if tags.len() > MAX_TAGS {
        return Err(Error::invalid("tags", format!("a farmer has at most {MAX_TAGS} tags")));
    }
    Ok(tags)
}

pub(super) fn farmer_view(
    db: &rusqlite::Connection,
    author: &Author,
    now: HybridTime,
    farmer_id: FarmerId,
) -> Result<FarmerView, Error> {
    let found = require_visible::<Farmer>(db, author, farmer_id, "farmer")?;
    let (identity_version, farmer) = (found.version(), found.record);
    let contact_id: ContactId =
        rows::contacts_of(&mut seam(db), farmer_id)?.pop().ok_or_else(|| not_found("farmer"))?;
    let contact = stored::get::<Contact>(&mut seam(db), contact_id)?.ok_or_else(|| not_found("farmer"))?;
    let (version, contact) = (contact.version(), contact.record);
    let (payout, of_payout) = payout_view(db, farmer_id)?;
    let is_own = farmer.registered.user_id == author.grant.user_id;
    let age_ms = now.wall_ms.saturating_sub(farmer.registered.at.wall_ms);
    let target = if is_own { Target::Own { age_ms } } else { Target::Others };
    let (is_active, has_payout) = (farmer.inactive_from.is_none(), payout.state != PayoutState::Missing);
    let at_hand = FarmerAtHand { role: author.grant.role, target, is_active, has_payout };
    let documents = [farmer_id.into(), contact_id.into(), payout.basis.document_id];
    let states = documents.into_iter().map(|document| outbox::state(db, document)).collect::<Result<Vec<_>, _>>()?;
    Ok(FarmerView {
        farmer_id,
        basis: Basis { document_id: contact_id.into(), version },
        identity_basis: Basis { document_id: farmer_id.into(), version: identity_version },
        code: farmer.code(),
        centre: farmer.centre,
        contact: contact.details,
        is_active,
        tags: farmer.tags,
        actions: if author.require_contact().is_ok() { at_hand.actions() } else { Vec::new() },
        payout,
        sync: states.into_iter().max().unwrap_or(SyncState::Logged),
        conflicts: [farmer.conflicts, contact.conflicts, of_payout].concat(),
        reviews: decisions::review_codes(&mut seam(db), farmer_id.into())?,
        land: land_view(db, farmer_id)?,
    })
}
