//! Projection of a load from the keys of its document.

use std::collections::BTreeSet;

use super::super::shape::SNAPSHOT;
use super::super::{Error, Fields};
use super::track::{StoredPiece, TRACK};
use super::values::{CloseRequest, DRIVING, Joined, LOADING, LoadEvent, LoadSnapshot, RECEIVING};
use super::{Load, Loader};
use crate::limits::MAX_MANIFEST;
use crate::units::{LoadId, LorryPlate};

pub(super) fn project(load_id: LoadId, fields: &Fields) -> Result<Option<Load>, Error> {
    let mut conflicts = Vec::new();
    let number = |snapshot: &LoadSnapshot| snapshot.header.number();
    let snapshot = fields.effective(SNAPSHOT, |snapshot: &LoadSnapshot| snapshot.stamp, number, &mut conflicts)?;
    let joined: Vec<Joined> = fields.added('j')?.into_iter().map(|(_, joined)| joined).collect();
    let mut close_requests: Vec<CloseRequest> = fields.added('c')?.into_iter().map(|(_, request)| request).collect();
    if close_requests.iter().any(|request| request.manifest.len() > MAX_MANIFEST) {
        return Err(Error::Malformed { reason: format!("a manifest has at most {MAX_MANIFEST} deliveries") });
    }
    close_requests.sort_by_key(|request| (request.stamp.at, request.stamp.user_id));
    let mut timeline = Vec::new();
    for family in [LOADING, DRIVING, RECEIVING] {
        timeline.extend(
            fields
                .added(family)?
                .into_iter()
                .map(|(_, event)| event)
                .filter(|it: &LoadEvent| it.step.family() == family),
        );
    }
    timeline.sort_by_key(|event| (event.stamp.at, event.stamp.user_id));

    let track = fields.added::<StoredPiece>(TRACK)?.into_iter().map(|(_, piece)| piece.read());
    let track = track.collect::<Result<Vec<_>, _>>()?;

    let said = joined.iter().min_by_key(|it| (it.stamp.clock_suspect, it.stamp.at, it.stamp.user_id));
    let header = snapshot.as_ref().map(|it| &it.header).or(said.map(|it| &it.header));
    let Some(header) = header.cloned() else { return Ok(None) };

    let stamps = snapshot.iter().map(|it| it.stamp).chain(joined.iter().map(|it| it.stamp));
    let mut loaders: Vec<Loader> = stamps
        .map(|stamp| Loader { user_id: stamp.user_id, device_code: stamp.device_code, since: stamp.at })
        .collect();
    loaders.sort_by_key(|loader| (loader.since, loader.user_id));
    let mut seen = BTreeSet::new();
    loaders.retain(|loader| seen.insert((loader.user_id, loader.device_code)));

    let lorry = fields.register("lorry", LorryPlate::to_string, &mut conflicts)?;
    let driver = fields.register("driver", String::clone, &mut conflicts)?;
    let destination = fields.register("place", String::clone, &mut conflicts)?;
    let mut corrections = Vec::new();
    for key in ["lorry", "driver", "place"] {
        corrections.extend(fields.stamps(key)?);
    }
    let (first, opened) = (snapshot.as_ref(), snapshot.as_ref().map(|it| it.stamp));
    Ok(Some(Load {
        load_id,
        lorry: lorry.unwrap_or_else(|| header.lorry.clone()),
        header,
        driver: driver.or_else(|| first.and_then(|it| it.driver.clone())),
        destination: destination.or_else(|| first.and_then(|it| it.destination.clone())),
        is_planned: first.is_some_and(|it| it.is_planned),
        opened,
        loaders,
        close_requests,
        timeline,
        corrections,
        track,
        conflicts,
    }))
}
