//! Certificates and quotas of a reference file, which name farmers by code and plots by id.

use std::collections::BTreeSet;

use farmtally_core::decisions::{AnyContent, Certificate, LandSubject, Quota};
use farmtally_core::rules::PublicationCode;
use farmtally_core::units::{DocumentId, FarmerId, Grams};

use super::fields::Fields;

/// A farmer or plot as the file names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// A farmer by farmer code, to be looked for.
    Farmer(String),
    /// A plot by its id.
    Plot(DocumentId),
}

impl Named {
    /// Returns the subject; that of a farmer is a placeholder until the farmer was found.
    fn subject(&self) -> LandSubject {
        match self {
            Self::Farmer(_) => LandSubject::Farmer { farmer_id: FarmerId::from([0; 16]) },
            Self::Plot(plot_id) => LandSubject::Plot { plot_id: *plot_id },
        }
    }
}

/// A decision about land with the farmer or plot that the file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct About<D> {
    pub(crate) named: Named,
    pub(crate) decision: D,
}

pub(super) fn certificates(it: &mut Fields<'_>) -> Vec<About<Certificate>> {
    about_land(it, "certificates", "scheme", |it, subject| {
        let (scheme, number) = (it.required("scheme"), it.text("number", true));
        let (valid_from, valid_until) = (it.required("valid_from"), it.required("valid_until"));
        let (valid_from, valid_until) = (valid_from?, valid_until?);
        if valid_from > valid_until {
            it.error("valid_until", PublicationCode::EndsBeforeItBegins, "the certificate ends before it begins");
        }
        Some(Certificate { subject, scheme: scheme?, number: number?, valid_from, valid_until })
    })
}

pub(super) fn quotas(it: &mut Fields<'_>) -> Vec<About<Quota>> {
    about_land(it, "quotas", "season", |it, subject| {
        let (commodity, season) = (it.required("commodity"), it.required("season"));
        let most: Grams = it.required("most_g")?;
        if !(0..=MAX_QUOTA_G).contains(&most.0) {
            it.error("most_g", PublicationCode::OutOfRange, format!("{} is not 0 to {MAX_QUOTA_G} g", most.0));
        }
        Some(Quota { subject, commodity: commodity?, season: season?, most })
    })
}

/// Largest quota: a million tonnes.
const MAX_QUOTA_G: i64 = 1_000_000_000_000;

/// Reads a list of decisions. Two about the same are an error at `field`, because only the last would count.
fn about_land<D: AnyContent>(
    it: &mut Fields<'_>,
    list: &'static str,
    field: &'static str,
    read: impl Fn(&mut Fields<'_>, LandSubject) -> Option<D>,
) -> Vec<About<D>> {
    let mut seen = BTreeSet::new();
    it.list(list, |it| {
        let named = named(it);
        let subject = named.as_ref().map_or_else(|| Named::Farmer(String::new()).subject(), Named::subject);
        let decision = read(it, subject);
        let (named, decision) = (named?, decision?);
        let farmer = if let Named::Farmer(code) = &named { code.clone() } else { String::new() };
        if !seen.insert((farmer, decision.subject())) {
            it.error(field, PublicationCode::Duplicate, "is there twice for this farmer or plot");
        }
        Some(About { named, decision })
    })
}

/// Reads the farmer or the plot; both are an error, and so is neither.
fn named(it: &mut Fields<'_>) -> Option<Named> {
    let has = |it: &Fields<'_>, name| !it.written(name).is_empty();
    if has(it, "farmer") && has(it, "plot") {
        it.ignore(&["farmer", "plot"]);
        it.error("plot", PublicationCode::Ambiguous, "use farmer or plot, not both");
        return None;
    }
    if has(it, "plot") {
        it.ignore(&["farmer"]);
        return it.required("plot").map(Named::Plot);
    }
    it.ignore(&["plot"]);
    it.text("farmer", true).map(Named::Farmer)
}
