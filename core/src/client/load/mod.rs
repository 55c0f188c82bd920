//! Lorry loads: opening, joining by code, requesting to close, the track.

mod edit;
mod manifest;
mod track;
mod view;

pub use edit::LoadEdit;
use edit::{checks_of, puts_of, require_lorry, required};
pub(super) use manifest::{check_load, hash_of, manifest_of};
pub use track::TrackView;
pub use view::{CloseView, LoadView};
use view::{JoinCode, load_view};

use super::{Basis, FieldClient, require_current, require_visible};
use crate::Error;
use crate::permission::Capability;
use crate::records::load::{self, LoadHeader, LoadSnapshot, Loader};
use crate::records::{Kind, Load, encode, version};
use crate::rules::{Check, LoadAtHand};
use crate::scope::Scope;
use crate::store::records::Found;
use crate::store::seam;
use crate::store::{drafts, records as stored};
use crate::units::{CentreCode, CommodityCode, DeliveryId, DocumentId, LoadId, LorryPlate};

/// Input for opening a load.
#[derive(Clone, Debug)]
pub struct OpenLoad {
    /// Centre, one of those granted.
    pub centre: CentreCode,
    /// Commodity that is loaded.
    pub commodity: CommodityCode,
    /// Plate of a known lorry.
    pub lorry: LorryPlate,
    /// The driver's name, if known.
    pub driver: Option<String>,
    /// Name of the destination, if known.
    pub destination: Option<String>,
    /// Whether it is only planned, and loading begins later.
    pub is_planned: bool,
}

impl FieldClient {
    /// Opens or plans a load of today, with the current user as its first loader.
    ///
    /// # Errors
    /// [`Error::Refused`] by role or centre, [`Error::Invalid`] for lorry, driver, destination or commodity (no season today), [`Error::Unauthorized`].
    pub fn open_load(&self, input: &OpenLoad) -> Result<LoadView, Error> {
        let author = self.author()?;
        author.require(Capability::OpenLoad)?;
        author.require_centre(&input.centre)?;
        require_lorry(&author, &input.lorry)?;
        let named = |field, text: Option<&str>| text.map(|text| required(field, text)).transpose();
        let driver = named("driver", input.driver.as_deref())?;
        let destination = named("destination", input.destination.as_deref())?;
        let (season, date) = self.season_today(&author, &input.commodity)?;
        let load_id: LoadId = self.new_id();
        self.act(&author, |action| {
            action.counters.loads += 1;
            let scope = Scope::Season(input.centre.clone(), season.clone());
            let header = LoadHeader {
                centre: input.centre.clone(),
                season,
                date,
                device_code: action.stamp.device_code,
                sequence: action.counters.loads,
                lorry: input.lorry.clone(),
            };
            let snapshot =
                LoadSnapshot { header, stamp: action.stamp, driver, destination, is_planned: input.is_planned };
            action.create(Kind::of::<Load>(), load_id.into(), &scope, encode(&snapshot))?;
            load_view(action.db, &author, load_id)
        })
    }

    /// Joins a load by the code that another phone shows, without network and before the load was received; joining again changes nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`] for text that is not a join code, [`Error::Refused`] for a centre that is not granted, [`Error::Unauthorized`].
    pub fn join_load(&self, join_code: &str) -> Result<LoadView, Error> {
        let author = self.author()?;
        author.require(Capability::JoinLoad)?;
        let JoinCode { load_id, header } = JoinCode::read(join_code)?;
        let me = (author.installation.user_id, author.installation.device_code);
        self.act(&author, |action| {
            let saved = stored::find(&mut seam(action.db), load_id.into())?;
            let found = stored::get::<Load>(&mut seam(action.db), load_id)?;
            let is_other = saved.is_some() && found.is_none();
            if is_other || drafts::find(action.db, DeliveryId::from(DocumentId::from(load_id)))?.is_some() {
                return Err(Error::invalid("join_code", "the code belongs to a record that is not a load"));
            }
            let is_me = |loader: &Loader| (loader.user_id, loader.device_code) == me;
            let joined = found.is_some_and(|found| found.record.loaders.iter().any(is_me));
            if !joined {
                let made = || Scope::Season(header.centre.clone(), header.season.clone());
                let scope = saved.as_ref().map_or_else(made, |saved| saved.scope.clone());
                scope.centre().map_or(Ok(()), |centre| author.require_centre(centre))?;
                let puts = load::join(action.stamp, header);
                action.edit(Kind::of::<Load>(), load_id.into(), &scope, saved.as_ref(), puts)?;
            }
            load_view(action.db, &author, load_id)
        })
    }

    /// Changes a load. What its state or the role does not permit is not among [`LoadView::actions`].
    ///
    /// # Errors
    /// [`Error::Stale`] if the load, or the manifest that was shown, has changed; [`Error::Refused`] by role or state, or if this phone has a
    /// draft for a load to be closed; [`Error::Confirm`] with the checks that are not in `accept` yet; [`Error::Invalid`],
    /// [`Error::TooLarge`], [`Error::NotFound`].
    pub fn change_load(&self, basis: Basis, edit: &LoadEdit, accept: &[Check]) -> Result<LoadView, Error> {
        let author = self.author()?;
        author.require_contact()?;
        let load_id = LoadId::from(basis.document_id);
        self.act(&author, |action| {
            let Found { stored, record: load } = require_visible::<Load>(action.db, &author, load_id, "load")?;
            require_current(basis, load_id, version(&stored.heads))?;
            let manifest = manifest_of(action.db, load_id)?;
            let at_hand = LoadAtHand { load: &load, deliveries: manifest.len() as u64 };
            at_hand
                .check(edit.action(), author.grant.role)
                .map_err(|refused| Error::not_allowed(refused.to_string()))?;
            Self::confirm(checks_of(edit, &load), accept)?;
            let puts = puts_of(edit, action, &load, manifest)?;
            action.edit(Kind::of::<Load>(), load_id.into(), &stored.scope, Some(&stored), puts)?;
            load_view(action.db, &author, load_id)
        })
    }

    /// Returns a load.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unauthorized`], [`Error::Refused`] if the phone is locked, [`Error::Store`].
    pub fn load(&self, load_id: LoadId) -> Result<LoadView, Error> {
        let author = self.author()?;
        self.store.read(|db| load_view(db, &author, load_id))
    }
}
