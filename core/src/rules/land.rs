//! What the office decided about a farmer's land, compared with what the farmer brings.

use std::collections::BTreeSet;

use super::Check;
use crate::decisions::{Certificate, LandSubject, Quota};
use crate::units::{BusinessDate, CommodityCode, Grams, SchemeCode, SeasonCode};

/// Certificates and quotas of a farmer and of the farmer's plots that are not withdrawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Land {
    /// The certificates, one for each subject and scheme.
    pub certificates: Vec<Certificate>,
    /// The quotas, one for each subject, season and commodity.
    pub quotas: Vec<Quota>,
}

impl Land {
    /// Returns what is to be asked about the certificates of a delivery of this day: [`Check::CertificateMissing`] if the season requires
    /// a scheme of which there is none, [`Check::CertificateExpired`] for a scheme of which none is valid on the day.
    pub fn certificate_checks(&self, required: Option<&SchemeCode>, date: BusinessDate) -> Vec<Check> {
        let mut checks = Vec::new();
        let schemes: BTreeSet<&SchemeCode> = self.certificates.iter().map(|it| &it.scheme).collect();
        if required.is_some_and(|scheme| !schemes.contains(scheme)) {
            checks.push(Check::CertificateMissing);
        }
        let is_valid = |scheme: &SchemeCode| self.certificates.iter().any(|it| it.scheme == *scheme && it.covers(date));
        if schemes.into_iter().any(|scheme| !is_valid(scheme)) {
            checks.push(Check::CertificateExpired);
        }
        checks
    }

    /// Returns the most weight that counts for a season: the farmer's own quota, or the sum of those of the plots; `None` without a quota.
    pub fn most(&self, season: &SeasonCode, commodity: &CommodityCode) -> Option<Grams> {
        let of = || self.quotas.iter().filter(|it| it.season == *season && it.commodity == *commodity);
        if let Some(own) = of().find(|it| matches!(it.subject, LandSubject::Farmer { .. })) {
            return Some(own.most);
        }
        let of_plots: Vec<Grams> = of().map(|it| it.most).collect();
        (!of_plots.is_empty()).then(|| of_plots.into_iter().sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{DocumentId, FarmerId};

    fn farmer() -> LandSubject {
        LandSubject::Farmer { farmer_id: FarmerId::from([1; 16]) }
    }

    fn plot(number: u8) -> LandSubject {
        LandSubject::Plot { plot_id: DocumentId::from([number; 16]) }
    }

    fn scheme(code: &str) -> SchemeCode {
        code.parse().expect("a code")
    }

    fn certificate(subject: LandSubject, code: &str, from: i32, until: i32) -> Certificate {
        let (valid_from, valid_until) = (BusinessDate(from), BusinessDate(until));
        Certificate { subject, scheme: scheme(code), number: "C-1".into(), valid_from, valid_until }
    }

    #[test]
    fn a_certificate_is_valid_from_its_first_to_its_last_day() {
        let land = Land { certificates: vec![certificate(farmer(), "ORGANIC", 10, 20)], quotas: Vec::new() };
        for (day, is_valid) in [(9, false), (10, true), (20, true), (21, false)] {
            let expected = if is_valid { vec![] } else { vec![Check::CertificateExpired] };
            assert_eq!(land.certificate_checks(None, BusinessDate(day)), expected, "{day}");
            assert_eq!(land.certificate_checks(Some(&scheme("ORGANIC")), BusinessDate(day)), expected, "{day}");
        }
        let missing = land.certificate_checks(Some(&scheme("FAIR")), BusinessDate(10));
        assert_eq!(missing, [Check::CertificateMissing]);
        assert_eq!(Land::default().certificate_checks(None, BusinessDate(10)), []);
    }

    #[test]
    fn one_valid_certificate_of_a_scheme_is_enough_and_each_scheme_needs_one() {
        let mut certificates = vec![certificate(plot(2), "ORGANIC", 1, 5), certificate(plot(3), "ORGANIC", 6, 9)];
        let checks = |certificates: &[Certificate]| {
            let land = Land { certificates: certificates.to_vec(), quotas: Vec::new() };
            land.certificate_checks(None, BusinessDate(7))
        };
        assert_eq!(checks(&certificates), []);
        certificates.push(certificate(farmer(), "FAIR", 1, 5));
        assert_eq!(checks(&certificates), [Check::CertificateExpired]);
    }

    #[test]
    fn the_quota_of_the_farmer_counts_before_those_of_the_plots() {
        let (season, commodity) = ("2026".parse().expect("a code"), "COFFEE".parse().expect("a code"));
        let quota = |subject, season: &SeasonCode, grams| {
            let (season, commodity): (_, CommodityCode) = (season.clone(), "COFFEE".parse().expect("a code"));
            Quota { subject, commodity, season, most: Grams(grams) }
        };
        let mut land = Land::default();
        assert_eq!(land.most(&season, &commodity), None);
        land.quotas = vec![quota(plot(2), &season, 300), quota(plot(3), &season, 200)];
        land.quotas.push(quota(plot(3), &"2025".parse().expect("a code"), 7));
        assert_eq!(land.most(&season, &commodity), Some(Grams(500)));
        assert_eq!(land.most(&season, &"TEA".parse().expect("a code")), None);
        land.quotas.push(quota(farmer(), &season, 400));
        assert_eq!(land.most(&season, &commodity), Some(Grams(400)));
    }
}
