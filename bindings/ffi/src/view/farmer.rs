use farmtally_core::client::{
    Basis, FarmerEdit, FarmerPage, FarmerView, LandView, PayoutInput, PayoutState, PayoutView, PlotSummary, QuotaUse,
    RevealedPayout, SyncState,
};
use farmtally_core::decisions::{Certificate, LandSubject, ReviewCode};
use farmtally_core::records::delivery::Reason;
use farmtally_core::records::farmer::{ContactDetails, PayoutAccount, PayoutField, PayoutMethod, Reveal};
use farmtally_core::records::{Conflict, Stamp};
use farmtally_core::rules::ActionCode;
use farmtally_core::scope::Scope;
use farmtally_core::store::rows::FarmerRow;
use farmtally_core::units::{
    BusinessDate, CentreCode, CommodityCode, DocumentId, FarmerId, FarmerTag, Grams, SchemeCode, SeasonCode,
};

/// A farmer as a screen shows it.
#[uniffi::remote(Record)]
pub struct FarmerView {
    /// Id of the farmer
    pub farmer_id: FarmerId,
    /// The version of the contact details shown here; pass it to edit_farmer only
    pub basis: Basis,
    /// The version of identity and tags shown here; pass it to change_farmer only
    pub identity_basis: Basis,
    /// Farmer code, such as T-KOLAR-10-17
    pub code: String,
    /// Home centre
    pub centre: CentreCode,
    /// Contact details
    pub contact: ContactDetails,
    /// Whether new records about the farmer are expected
    pub is_active: bool,
    /// Tags, sorted
    pub tags: Vec<FarmerTag>,
    /// How the farmer is paid, masked
    pub payout: PayoutView,
    /// What the current user may do with the farmer now
    pub actions: Vec<ActionCode>,
    /// How far the registration and its corrections are on their way to the server's log
    pub sync: SyncState,
    /// Fields that have concurrent values; those of payout details are masked
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
    /// Name, local name, village and first telephone number; empty texts if they are not on this phone. Other details are empty: call
    /// farmer for them
    pub contact: ContactDetails,
    /// Whether new records about the farmer are expected
    pub is_active: bool,
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
    Farmer {
        /// Id of the farmer
        farmer_id: FarmerId,
    },
    /// A plot of the farmer
    Plot {
        /// `record_id` of the plot
        plot_id: DocumentId,
    },
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

/// A change of a farmer's identity.
#[uniffi::remote(Enum)]
pub enum FarmerEdit {
    /// Says whether new records about the farmer are expected
    SetActive {
        /// Whether they are
        is_active: bool,
    },
    /// Replaces the tags, at most 20
    SetTags {
        /// All tags, in any order
        tags: Vec<FarmerTag>,
    },
}

/// Way in which a farmer is paid without cash.
#[uniffi::remote(Enum)]
pub enum PayoutMethod {
    /// To a bank account
    Bank,
    /// To the account of a telephone number
    MobileMoney,
    /// To a virtual address of UPI, such as name@bank
    Upi,
}

/// A part of the payout details that is shown in full only on request.
#[uniffi::remote(Enum)]
pub enum PayoutField {
    /// The national id
    NationalId,
    /// The account
    Account,
}

/// How far a farmer's payout details may be used.
#[uniffi::remote(Enum)]
pub enum PayoutState {
    /// There are none on this phone
    Missing,
    /// The office has not confirmed them
    Unconfirmed,
    /// A field has concurrent values, and a person must pick one before anybody is paid
    Conflict,
}

/// Account that receives a farmer's money.
#[uniffi::remote(Record)]
pub struct PayoutAccount {
    /// How it is paid
    pub method: PayoutMethod,
    /// Number of the bank account, telephone number, or address of UPI; masked in views
    pub account: String,
    /// Code of the bank and branch, or name of the operator; may be empty
    #[uniffi(default = "")]
    pub bank_code: String,
    /// Name of the account's holder, if it is not the farmer's; may be empty
    #[uniffi(default = "")]
    pub holder_name: String,
}

/// A person who saw payout details in full.
#[uniffi::remote(Record)]
pub struct Reveal {
    /// Who saw them, on which device, and when
    pub stamp: Stamp,
    /// What was seen
    pub field: PayoutField,
    /// Why
    pub reason: Reason,
}

/// Payout details as every screen shows them: of the values, only the last characters.
#[uniffi::remote(Record)]
pub struct PayoutView {
    /// The version shown here; pass it to propose_payout
    pub basis: Basis,
    /// How far they may be used
    pub state: PayoutState,
    /// Masked national id; empty without one, and while it has concurrent values
    pub national_id: String,
    /// Account with its number masked; null without one, and while it has concurrent values
    pub account: Option<PayoutAccount>,
    /// Who saw values in full, oldest first
    pub reveals: Vec<Reveal>,
}

/// New payout details; a field that is null stays as it is.
#[uniffi::remote(Record)]
pub struct PayoutInput {
    /// National id of 4 to 32 letters and digits
    #[uniffi(default = None)]
    pub national_id: Option<String>,
    /// Account
    #[uniffi(default = None)]
    pub account: Option<PayoutAccount>,
}

/// A part of the payout details in full; several values if they were written concurrently. Show it; never log or store it.
#[uniffi::remote(Record)]
pub struct RevealedPayout {
    /// Values of the national id, if that was asked for
    pub national_ids: Vec<String>,
    /// Values of the account, if that was asked for
    pub accounts: Vec<PayoutAccount>,
}
