//! The land of a farmer as a screen shows it, and the checks of a delivery against it.

use std::collections::BTreeSet;

use super::action::Action;
use crate::Error;
use crate::decisions::Certificate;
use crate::limits::MAX_PLOTS_SHOWN;
use crate::records::draft::Draft;
use crate::records::simple::SimpleState;
use crate::records::{Kind, Plot, Simple};
use crate::rules::Check;
use crate::store::rows::ListOrder;
use crate::store::simple::{SimpleFilter, list};
use crate::store::{land, records as stored, seam};
use crate::units::{CommodityCode, DocumentId, FarmerId, Grams, SeasonCode};

/// Plots, certificates and quotas of a farmer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LandView {
    /// Plots that are not withdrawn, in the order in which they were recorded.
    pub plots: Vec<PlotSummary>,
    /// Certificates of the farmer and of these plots, one for each scheme; also those that are not valid any more.
    pub certificates: Vec<Certificate>,
    /// For each season with a quota, what is allowed and used.
    pub quotas: Vec<QuotaUse>,
}

/// A plot in the view of its farmer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlotSummary {
    /// Id of the plot.
    pub record_id: DocumentId,
    /// Name by which the farmer knows it.
    pub name: String,
    /// Area in square metres that follows from the border; `None` for a point.
    pub area_m2: Option<u32>,
    /// Area that was declared; `None` if it was not.
    pub declared_area_m2: Option<u32>,
}

/// What is allowed and used of a quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaUse {
    /// Season in which it counts.
    pub season: SeasonCode,
    /// Commodity of the season.
    pub commodity: CommodityCode,
    /// Most weight: the farmer's own quota, or the sum of those of the plots.
    pub most_g: Grams,
    /// Gross weight of the farmer's deliveries of the season that are not voided, as far as this phone knows.
    pub used_g: Grams,
}

/// Returns the land of a farmer.
pub(super) fn land_view(db: &rusqlite::Connection, farmer_id: FarmerId) -> Result<LandView, Error> {
    let mut db = seam(db);
    let kind = Kind::of::<Simple<Plot>>();
    let filter = SimpleFilter { farmer_id: Some(farmer_id), state: Some(SimpleState::Open), ..SimpleFilter::default() };
    let scope = stored::find(&mut db, farmer_id.into())?.map(|it| it.scope);
    let scopes: Vec<_> = scope.into_iter().collect();
    let mut plots = Vec::new();
    for record_id in list(&mut db, kind, &scopes, &filter, ListOrder::OldestFirst, None, MAX_PLOTS_SHOWN)? {
        if let Some(found) = stored::get::<Simple<Plot>>(&mut db, record_id)? {
            let (area_m2, plot) = (found.record.content.area_m2(), found.record.content);
            plots.push(PlotSummary { record_id, name: plot.name, area_m2, declared_area_m2: plot.declared_area_m2 });
        }
    }
    let land = land::of_farmers(&mut db, &[farmer_id])?.pop().unwrap_or_default();
    let seasons: BTreeSet<_> = land.quotas.iter().map(|it| (it.season.clone(), it.commodity.clone())).collect();
    let mut quotas = Vec::new();
    for (season, commodity) in seasons {
        let Some(most_g) = land.most(&season, &commodity) else { continue };
        let used_g = land::delivered(&mut db, farmer_id, &season)?;
        quotas.push(QuotaUse { season, commodity, most_g, used_g });
    }
    Ok(LandView { plots, certificates: land.certificates, quotas })
}

/// Returns the checks of a draft against certificates and quota of its farmer, as far as this phone knows.
pub(super) fn check_land(action: &Action<'_>, draft: &Draft) -> Result<Vec<Check>, Error> {
    let Some(farmer_id) = draft.farmer_id else { return Ok(Vec::new()) };
    let mut db = seam(action.db);
    let land = land::of_farmers(&mut db, &[farmer_id])?.pop().unwrap_or_default();
    let season = action.author.reference.season(&draft.season);
    let required = season.and_then(|season| season.required_scheme.as_ref());
    let mut checks = land.certificate_checks(required, draft.business_date);
    if let Some(most) = land.most(&draft.season, &draft.commodity)
        && land::delivered(&mut db, farmer_id, &draft.season)? + draft.gross() > most
    {
        checks.push(Check::QuotaExceeded);
    }
    Ok(checks)
}
