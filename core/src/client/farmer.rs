//! Farmers: registering, correcting contact details, searching.

use super::action::Action;
use super::land::{LandView, land_view};
use super::{Author, Basis, FieldClient, not_found, require_current, require_visible};
use crate::Error;
use crate::decisions::ReviewCode;
use crate::permission::Capability;
use crate::records::farmer::{self, ContactDetails, ContactSnapshot, FarmerSnapshot};
use crate::records::{Conflict, Contact, Farmer, Kind, encode};
use crate::rules::{Check, check_phone, check_text};
use crate::scope::Scope;
use crate::store::look_alikes;
use crate::store::outbox::{self, SyncState};
use crate::store::records::Found;
use crate::store::rows;
use crate::store::seam;
use crate::store::{decisions, records as stored};
use crate::units::{CentreCode, ContactId, FarmerId};

/// Input for registering a farmer.
#[derive(Clone, Debug)]
pub struct FarmerInput {
    /// Home centre, one of those granted.
    pub centre: CentreCode,
    /// Name, village and telephone number.
    pub details: ContactDetails,
}

/// A farmer as a screen shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FarmerView {
    /// The farmer's id.
    pub farmer_id: FarmerId,
    /// Contact document, not the farmer's, and its version shown here, for [`FieldClient::edit_farmer`].
    pub basis: Basis,
    /// Farmer code, such as `T-KOLAR-10-17`.
    pub code: String,
    /// The farmer's home centre.
    pub centre: CentreCode,
    /// Name, village and telephone number.
    pub contact: ContactDetails,
    /// Sync state of the identity or the contact details: the one further from the server's log.
    pub sync: SyncState,
    /// Fields of the identity and the contact details that have concurrent values.
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
    /// [`Error::Confirm`] if this phone has a farmer of this centre with the same telephone number, or the same name and village;
    /// [`Error::Invalid`], [`Error::Refused`], [`Error::Unauthorized`].
    pub fn register_farmer(&self, input: &FarmerInput, accept: &[Check]) -> Result<FarmerView, Error> {
        let author = self.author()?;
        author.require(Capability::RegisterFarmer)?;
        author.require_centre(&input.centre)?;
        let details = self.checked(&input.details)?;
        let scope = Scope::Centre(input.centre.clone());
        // No farmer has this id.
        let nobody = FarmerId::from([0; 16]);
        self.act(&author, |action| {
            let alike = look_alikes::find(&mut seam(action.db), [(&scope, nobody, &details)])?;
            if alike.iter().any(|it| !it.farmers.is_empty()) {
                Self::confirm(vec![Check::FarmerLooksAlike], accept)?;
            }
            let farmer_id = self.add_farmer(action, &input.centre, &scope, details)?;
            farmer_view(action.db, &author, farmer_id)
        })
    }

    /// Writes the identity and the contact details of a new farmer.
    pub(super) fn add_farmer(
        &self,
        action: &mut Action<'_>,
        centre: &CentreCode,
        scope: &Scope,
        details: ContactDetails,
    ) -> Result<FarmerId, Error> {
        let (farmer_id, contact_id): (FarmerId, ContactId) = (self.new_id(), self.new_id());
        action.counters.farmers += 1;
        let (stamp, sequence) = (action.stamp, action.counters.farmers);
        let identity = FarmerSnapshot { centre: centre.clone(), stamp, sequence };
        action.create(Kind::of::<Farmer>(), farmer_id.into(), scope, encode(&identity))?;
        let contact = ContactSnapshot { stamp, nonce: self.environment.random(), farmer_id, details };
        action.create(Kind::of::<Contact>(), contact_id.into(), scope, encode(&contact))?;
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
                let puts = farmer::edit_contact(action.stamp, &contact.details, &details, nonce);
                action.edit(stored.kind, basis.document_id, &stored.scope, Some(&stored), puts)?;
            }
            farmer_view(action.db, &author, farmer_id)
        })
    }

    /// Returns a farmer with the newest contact details.
    ///
    /// # Errors
    /// [`Error::NotFound`], also without contact details here; [`Error::Unauthorized`], [`Error::Refused`] on a locked phone,
    /// [`Error::Store`].
    pub fn farmer(&self, farmer_id: FarmerId) -> Result<FarmerView, Error> {
        let author = self.author()?;
        self.store.read(|db| farmer_view(db, &author, farmer_id))
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
        Ok(ContactDetails {
            name: text("name", &details.name, true)?,
            village: text("village", &details.village, false)?,
            phone: check_phone(&details.phone, &country).map_err(|wrong| Error::invalid("phone", wrong))?,
        })
    }
}

fn farmer_view(db: &rusqlite::Connection, author: &Author, farmer_id: FarmerId) -> Result<FarmerView, Error> {
    let farmer = require_visible::<Farmer>(db, author, farmer_id, "farmer")?.record;
    let contact_id: ContactId =
        rows::contacts_of(&mut seam(db), farmer_id)?.pop().ok_or_else(|| not_found("farmer"))?;
    let contact = stored::get::<Contact>(&mut seam(db), contact_id)?.ok_or_else(|| not_found("farmer"))?;
    let (version, contact) = (contact.version(), contact.record);
    Ok(FarmerView {
        farmer_id,
        basis: Basis { document_id: contact_id.into(), version },
        code: farmer.code(),
        centre: farmer.centre,
        contact: contact.details,
        sync: outbox::state(db, farmer_id.into())?.max(outbox::state(db, contact_id.into())?),
        conflicts: farmer.conflicts.into_iter().chain(contact.conflicts).collect(),
        reviews: decisions::review_codes(&mut seam(db), farmer_id.into())?,
        land: land_view(db, farmer_id)?,
    })
}
