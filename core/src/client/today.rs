//! The day's screen: what was recorded, what is being weighed, which loads there are, what the server does not have yet.

use super::{DeliveryView, FieldClient, SyncStatus};
use crate::Error;
use crate::decisions::Season;
use crate::scope::Scope;
use crate::store::rows::{self, LoadRow, Sum};
use crate::store::seam;
use crate::units::{BusinessDate, CentreCode};

/// A centre's day, over all its seasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Today {
    /// Which day.
    pub date: BusinessDate,
    /// What the recorded deliveries add up to.
    pub sum: Sum,
    /// Deliveries that are still being weighed, of all days.
    pub drafts: Vec<DeliveryView>,
    /// The day's loads.
    pub loads: Vec<LoadRow>,
    /// What the server does not have yet, of all days.
    pub sync: SyncStatus,
}

impl FieldClient {
    /// The day that the phone's clock and zone say it is.
    pub fn date(&self) -> BusinessDate {
        let clock = &self.environment.clock;
        clock.now().date(clock.zone_minutes())
    }

    /// A centre's day; today's if none is given.
    ///
    /// # Errors
    /// [`Error::Refused`] for a centre that is not granted, [`Error::SignIn`], [`Error::Store`].
    pub fn today(&self, centre: &CentreCode, date: Option<BusinessDate>) -> Result<Today, Error> {
        let author = self.author()?;
        author.require_centre(centre)?;
        let date = date.unwrap_or_else(|| self.date());
        // One snapshot: a delivery that is recorded meanwhile is a draft or in the sum, not neither.
        Ok(self.store.read(|db| {
            let (mut sum, mut loads) = (Sum::default(), Vec::new());
            for season in author.reference.all::<Season>() {
                let scope = Scope::Season(centre.clone(), season.season.clone());
                sum = sum + rows::day_sum(&mut seam(db), &scope, date)?;
                loads.extend(rows::loads(&mut seam(db), &scope, date)?);
            }
            let (drafts, sync) = (self.drafts_in(db, &author)?, self.sync_status_in(db)?);
            Ok::<_, crate::store::Error>(Today { date, sum, drafts, loads, sync })
        })?)
    }
}
