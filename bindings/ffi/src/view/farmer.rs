use farmtally_core::client::{Basis, FarmerPage, FarmerView, LandView, PlotSummary, QuotaUse, SyncState};
use farmtally_core::decisions::{Certificate, LandSubject, ReviewCode};
use farmtally_core::records::Conflict;
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::scope::Scope;
use farmtally_core::store::rows::FarmerRow;
use farmtally_core::units::{
    BusinessDate, CentreCode, CommodityCode, DocumentId, FarmerId, Grams, SchemeCode, SeasonCode,
};

/// A farmer as a screen shows it.
#[uniffi::remote(Record)]
pub struct FarmerView {
    /// Id of the farmer
    pub farmer_id: FarmerId,
    /// The version of the contact details shown here; pass it to edit_farmer only
    pub basis: Basis,
    /// Farmer code, such as T-KOLAR-10-17
    pub code: String,
    /// Home centre
    pub centre: CentreCode,
    /// Name, village and telephone number
    pub contact: ContactDetails,
    /// How far the registration and its corrections are on their way to the server's log
    pub sync: SyncState,
    /// Fields that have concurrent values
    pub conflicts: Vec<Conflict>,
    /// Codes of the reviews that name the farmer
    pub reviews: Vec<ReviewCode>,
    /// Plots, certificates and quotas
    pub land: LandView,
}

/// A farmer in a list.
#[uniffi::remote(Record)]
pub struct FarmerRow {
    /// Id of the farmer
    pub farmer_id: FarmerId,
    /// Scope of the home centre
    pub scope: Scope,
    /// Farmer code, such as T-KOLAR-10-17
    pub code: String,
    /// Name, village and telephone number; empty texts if they are not on this phone
    pub contact: ContactDetails,
}

/// A page of farmers.
#[uniffi::remote(Record)]
pub struct FarmerPage {
    /// The farmers
    pub items: Vec<FarmerRow>,
    /// Pass it as `after` of the query for the next page; null on the last page
    pub next: Option<String>,
}

/// Plots, certificates and quotas of a farmer.
#[uniffi::remote(Record)]
pub struct LandView {
    /// Plots that are not withdrawn, in the order in which they were recorded
    pub plots: Vec<PlotSummary>,
    /// Certificates of the farmer and of these plots, one for each scheme; also those that are not valid any more
    pub certificates: Vec<Certificate>,
    /// For each season with a quota, what is allowed and used
    pub quotas: Vec<QuotaUse>,
}

/// A plot in the view of its farmer.
#[uniffi::remote(Record)]
pub struct PlotSummary {
    /// Id of the plot
    pub record_id: DocumentId,
    /// Name by which the farmer knows it
    pub name: String,
    /// Area in square metres that follows from the border; null for a point
    pub area_m2: Option<u32>,
    /// Area in square metres that was declared; null if it was not
    pub declared_area_m2: Option<u32>,
}

/// Whom or what a certificate is for.
#[uniffi::remote(Enum)]
pub enum LandSubject {
    /// A farmer, with all that the farmer brings
    Farmer { farmer_id: FarmerId },
    /// A plot of the farmer
    Plot { plot_id: DocumentId },
}

/// A certificate by a scheme, such as one of organic farming.
#[uniffi::remote(Record)]
pub struct Certificate {
    /// Whom or what it certifies
    pub subject: LandSubject,
    /// Code of the scheme
    pub scheme: SchemeCode,
    /// Number of the certificate
    pub number: String,
    /// First day on which it is valid
    pub valid_from: BusinessDate,
    /// Last day on which it is valid
    pub valid_until: BusinessDate,
}

/// What is allowed and used of a quota.
#[uniffi::remote(Record)]
pub struct QuotaUse {
    /// Season in which it counts
    pub season: SeasonCode,
    /// Commodity of the season
    pub commodity: CommodityCode,
    /// Most weight in grams: the farmer's own quota, or the sum of those of the plots
    pub most_g: Grams,
    /// Gross weight in grams of the farmer's deliveries of the season that are not voided, as far as this phone knows
    pub used_g: Grams,
}
