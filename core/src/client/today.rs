//! A centre's day: totals, drafts, loads and sync status.

use super::{DeliveryView, FieldClient, SyncStatus};
use crate::Error;
use crate::decisions::Season;
use crate::scope::Scope;
use crate::store::rows::{self, LoadRow, Sum};
use crate::store::{installation, seam};
use crate::units::{BusinessDate, CentreCode};

/// A centre's day over all its seasons, with the user's drafts and the sync status of the phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Today {
    /// The business date.
    pub date: BusinessDate,
    /// Totals of the centre's recorded deliveries of this day, voided ones counted apart.
    pub sum: Sum,
    /// Drafts that the user sees, of all days and all centres.
    pub drafts: Vec<DeliveryView>,
    /// Drafts that were discarded on this phone since it was first enrolled.
    pub discarded_drafts: u32,
    /// Loads that were opened at the centre on this day.
    pub loads: Vec<LoadRow>,
    /// Sync status of the whole phone, of all days and centres.
    pub sync: SyncStatus,
}

impl FieldClient {
    /// Returns a centre's day; today if `date` is `None`.
    ///
    /// # Errors
    /// [`Error::Refused`] for a centre that is not granted, [`Error::Unauthorized`], [`Error::Store`].
    pub fn today(&self, centre: &CentreCode, date: Option<BusinessDate>) -> Result<Today, Error> {
        let author = self.author()?;
        author.require_centre(centre)?;
        let date = date.unwrap_or_else(|| self.date());
        // One snapshot, so that a delivery that is recorded meanwhile is either a draft or in the sum.
        self.store.read(|db| {
            let (mut sum, mut loads) = (Sum::default(), Vec::new());
            for season in author.reference.all::<Season>() {
                let scope = Scope::Season(centre.clone(), season.code.clone());
                sum = sum + rows::day_sum(&mut seam(db), &scope, date)?;
                loads.extend(rows::loads_on(&mut seam(db), &scope, date)?);
            }
            let (drafts, sync) = (self.drafts_in(db, &author)?, self.sync_status_in(db)?);
            Ok(Today { date, sum, drafts, discarded_drafts: installation::discards(db)?, loads, sync })
        })
    }
}
