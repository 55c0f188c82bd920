//! Manifests of a load, and the checks of a load to which more is added.

use sha2::{Digest, Sha256};

use crate::Error;
use crate::decisions::{CapacityLimits, Lorry};
use crate::records::load::{LoadState, ManifestLine};
use crate::records::{encode, version};
use crate::rules::{Check, is_above_limit};
use crate::store::decisions::Reference;
use crate::store::{records as stored, rows, seam};
use crate::units::{Grams, LoadId};

pub(in crate::client) fn hash_of(manifest: &[ManifestLine]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(encode(&manifest)))
}

/// Returns the checks of a load to which gross weight `more` is added; none if the load is not on this phone. The last one of
/// [`Check::NearCapacity`] and [`Check::OverCapacity`] that holds is returned.
pub(in crate::client) fn check_load(
    db: &rusqlite::Connection,
    reference: &Reference,
    load_id: LoadId,
    more: Grams,
    limits: CapacityLimits,
) -> Result<Vec<Check>, Error> {
    let Some((state, lorry, gross)) = rows::load_capacity(&mut seam(db), load_id)? else { return Ok(Vec::new()) };
    let mut checks = Vec::new();
    match state {
        LoadState::Planned | LoadState::Open => {}
        LoadState::Closing => checks.push(Check::LoadClosing),
        LoadState::Dispatched | LoadState::Arrived | LoadState::Received => checks.push(Check::LoadDeparted),
        LoadState::Cancelled => checks.push(Check::LoadCancelled),
    }
    let payload = reference.latest::<Lorry>(lorry.as_str()).map_or(Grams::ZERO, |lorry| lorry.payload);
    let is_above = |hundredths: u32| is_above_limit(gross + more, payload, hundredths);
    if is_above(limits.stop_hundredths) {
        checks.push(Check::OverCapacity);
    } else if is_above(limits.warning_hundredths) {
        checks.push(Check::NearCapacity);
    }
    Ok(checks)
}

/// Returns the deliveries, and parts of deliveries, on a load that are not voided, ordered by id.
pub(in crate::client) fn manifest_of(db: &rusqlite::Connection, load_id: LoadId) -> Result<Vec<ManifestLine>, Error> {
    let mut lines = Vec::new();
    for on_load in rows::parts_on(&mut seam(db), load_id)? {
        let heads = stored::find(&mut seam(db), on_load.delivery_id.into())?.map_or(Vec::new(), |it| it.heads);
        lines.push(ManifestLine {
            delivery_id: on_load.delivery_id,
            version: version(&heads),
            bags: on_load.bags,
            gross: on_load.gross_g,
            is_part: on_load.is_part,
        });
    }
    Ok(lines)
}
