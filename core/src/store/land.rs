//! What is stored about farmers' land: plots, certificates, quotas, and what was delivered in a season.

use super::sql::{Column, Reader, Value, values};
use super::{Error, decisions};
use crate::decisions::{Certificate, DecisionKind, LandSubject, Quota};
use crate::records::simple::SimpleState;
use crate::records::{Plot, SimpleKind};
use crate::rules::Land;
use crate::scope::Scope;
use crate::units::{DocumentId, FarmerId, Grams, SeasonCode, ToValue};

/// Returns what the office decided about each of these farmers and their plots, in their order.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database; [`Error::Corrupt`] for an unreadable row.
pub fn of_farmers(db: &mut dyn Reader, farmers: &[FarmerId]) -> Result<Vec<Land>, Error> {
    let keys: Vec<Value<'_>> = farmers.iter().map(ToValue::to_value).collect();
    let statement = format!(
        "SELECT keys.n, record_id FROM keys JOIN simple_records ON simple_records.farmer_id = keys.farmer
         WHERE simple_records.kind = {} AND simple_records.state = {} ORDER BY keys.n, record_id",
        Plot::NUMBER,
        SimpleState::Open as u8
    );
    let plots: Vec<(u32, DocumentId)> =
        db.query_all_keys(&[Column::blob("farmer")], &keys, &statement, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let of_plots = plots.into_iter().map(|(place, plot)| (place as usize, plot));
    let subjects: Vec<(usize, DocumentId)> =
        farmers.iter().enumerate().map(|(place, farmer)| (place, DocumentId::from(*farmer))).chain(of_plots).collect();
    let keys: Vec<Value<'_>> = subjects.iter().map(|(_, document)| document.to_value()).collect();
    let statement = format!(
        "SELECT keys.n, reference.body FROM keys
         JOIN decision_documents ON decision_documents.document_id = keys.document
         JOIN reference ON reference.scope = decision_documents.scope AND reference.seq = decision_documents.seq
         WHERE reference.kind IN ({}, {}) ORDER BY keys.n, reference.kind, reference.subject",
        Certificate::NUMBER,
        Quota::NUMBER
    );
    let decided: Vec<(u32, Vec<u8>)> =
        db.query_all_keys(&[Column::blob("document")], &keys, &statement, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut lands: Vec<Land> = farmers.iter().map(|_| Land::default()).collect();
    for (place, body) in decided {
        let place = subjects.get(place as usize).map(|(place, _)| *place);
        let Some(land) = place.and_then(|place| lands.get_mut(place)) else { continue };
        let content = decisions::content(&body)?;
        land.certificates.extend(content.downcast_ref::<Certificate>().cloned());
        land.quotas.extend(content.downcast_ref::<Quota>().cloned());
    }
    Ok(lands)
}

/// Returns the gross weight of a farmer's deliveries in a season that are not voided, at all centres.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn delivered(db: &mut dyn Reader, farmer: FarmerId, season: &SeasonCode) -> Result<Grams, Error> {
    let statement = "SELECT scope, CAST(sum(gross_g) AS BIGINT) FROM deliveries
         WHERE farmer_id = ?1 AND is_voided = 0 GROUP BY scope";
    let sums: Vec<(Scope, Grams)> = db.query_all(statement, &values![farmer], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let of_season = |scope: &Scope| matches!(scope, Scope::Season(_, other) if other == season);
    Ok(sums.into_iter().filter(|(scope, _)| of_season(scope)).map(|(_, sum)| sum).sum())
}

/// Returns the farmers with a farmer code, with their scopes.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn farmers_with_code(db: &mut dyn Reader, code: &str) -> Result<Vec<(LandSubject, Scope)>, Error> {
    let statement = "SELECT farmer_id, scope FROM farmers WHERE code = ?1 ORDER BY farmer_id";
    Ok(db.query_all(statement, &values![code], |row| {
        Ok((LandSubject::Farmer { farmer_id: row.get(0)? }, row.get(1)?))
    })?)
}

/// Returns the scope of a plot, also of a withdrawn one.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn scope_of_plot(db: &mut dyn Reader, plot: DocumentId) -> Result<Option<Scope>, Error> {
    let statement = "SELECT scope FROM simple_records WHERE record_id = ?1 AND kind = ?2";
    Ok(db.query_one(statement, &values![plot, Plot::NUMBER], |row| row.get(0))?)
}
