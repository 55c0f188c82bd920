//! Reviews of deliveries of a farmer without a valid certificate, or above the quota.

use std::collections::BTreeMap;

use farmtally_core::decisions::{ReviewCode, Season};
use farmtally_core::records::Delivery;
use farmtally_core::rules::Check;
use farmtally_core::store::{decisions, land};
use farmtally_core::units::SchemeCode;

use super::{Finding, Touched, of_kind};
use crate::Error;
use crate::storage::WriteTransaction;

pub(super) fn find(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let touched: Vec<_> = of_kind::<Delivery>(touched).filter(|(_, delivery)| !delivery.is_voided()).collect();
    let farmers: Vec<_> = touched.iter().map(|(_, delivery)| delivery.farmer_id).collect();
    let lands = land::of_farmers(db.reader(), &farmers)?;
    let mut required = BTreeMap::<String, Option<SchemeCode>>::new();
    let mut findings = Vec::new();
    for ((scope, delivery), land) in touched.into_iter().zip(lands) {
        let season = delivery.season.as_str();
        if !required.contains_key(season) {
            let read = decisions::latest::<Season>(db.reader(), season)?;
            required.insert(season.to_owned(), read.and_then(|season| season.required_scheme));
        }
        let scheme = required.get(season).and_then(Option::as_ref);
        let checks = land.certificate_checks(scheme, delivery.business_date);
        let mut codes = Vec::new();
        if checks.contains(&Check::CertificateMissing) {
            codes.push(ReviewCode::CertificateMissing);
        }
        if checks.contains(&Check::CertificateExpired) {
            codes.push(ReviewCode::CertificateExpired);
        }
        if let Some(most) = land.most(&delivery.season, &delivery.commodity)
            && land::delivered(db.reader(), delivery.farmer_id, &delivery.season)? > most
        {
            codes.push(ReviewCode::QuotaExceeded);
        }
        let documents = || vec![delivery.delivery_id.into()];
        findings.extend(codes.into_iter().map(|code| Finding { scope: scope.clone(), code, documents: documents() }));
    }
    Ok(findings)
}
