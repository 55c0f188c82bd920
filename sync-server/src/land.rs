//! Publishing certificates and quotas, each in the scope of the farmer or plot that it names.

use farmtally_core::decisions::{Certificate, DecidedBy, DecisionKind, LandSubject, Quota};
use farmtally_core::rules::{PublicationCode, PublicationError};
use farmtally_core::scope::Scope;
use farmtally_core::store::{decisions, land};

use crate::Error;
use crate::ingest::decide;
use crate::reference::{About, Named};
use crate::storage::WriteTransaction;

/// Logs what is new or changed; returns how many these are. Logs nothing if a farmer or plot is not known, and fails with all of these.
pub(crate) fn publish(
    db: &mut WriteTransaction<'_>,
    certificates: &[About<Certificate>],
    quotas: &[About<Quota>],
    by: &DecidedBy,
) -> Result<usize, Error> {
    let mut errors = Vec::new();
    let certificates = found(db, "certificates", certificates, &mut errors)?;
    let quotas = found(db, "quotas", quotas, &mut errors)?;
    if !errors.is_empty() {
        return Err(Error::Reference { errors });
    }
    let certificates = certificates
        .into_iter()
        .map(|(it, subject, scope)| (Certificate { subject, ..it.clone() }, scope))
        .collect::<Vec<_>>();
    let quotas =
        quotas.into_iter().map(|(it, subject, scope)| (Quota { subject, ..it.clone() }, scope)).collect::<Vec<_>>();
    Ok(decide_each(db, &certificates, by)? + decide_each(db, &quotas, by)?)
}

/// Looks for the farmers and plots that are named, and adds an error for each that is not there.
fn found<'a, D>(
    db: &mut WriteTransaction<'_>,
    list: &str,
    all: &'a [About<D>],
    errors: &mut Vec<PublicationError>,
) -> Result<Vec<(&'a D, LandSubject, Scope)>, Error> {
    let mut found = Vec::with_capacity(all.len());
    for (place, About { named, decision }) in all.iter().enumerate() {
        let mut wrong = |field: &str, reason: String| {
            let path = format!("/{list}/{place}/{field}");
            errors.push(PublicationError { path, code: PublicationCode::UnknownRecord, reason });
        };
        match named {
            Named::Farmer(code) => match land::farmers_with_code(db.reader(), code)?.as_slice() {
                [(subject, scope)] => found.push((decision, *subject, scope.clone())),
                [] => wrong("farmer", format!("no farmer has the code {code}")),
                _ => wrong("farmer", format!("several farmers have the code {code}")),
            },
            Named::Plot(plot_id) => match land::scope_of_plot(db.reader(), *plot_id)? {
                Some(scope) => found.push((decision, LandSubject::Plot { plot_id: *plot_id }, scope)),
                None => wrong("plot", format!("there is no plot {plot_id}")),
            },
        }
    }
    Ok(found)
}

fn decide_each<D: DecisionKind>(
    db: &mut WriteTransaction<'_>,
    all: &[(D, Scope)],
    by: &DecidedBy,
) -> Result<usize, Error> {
    let mut logged = 0;
    for (it, scope) in all {
        if !decisions::is_last(db.reader(), it)? {
            decide(db, scope, it, by)?;
            logged += 1;
        }
    }
    Ok(logged)
}
