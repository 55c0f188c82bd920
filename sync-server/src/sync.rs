//! The sync request: bundles and parcels are ingested in one transaction, then the response is read from one snapshot.

use farmtally_core::limits::{MAX_BODY_BYTES, MAX_BUNDLES, MAX_CURSORS, MAX_OFFERS, MAX_PARCELS, MIN_PIECE_BYTES};
use farmtally_core::protocol::message::{
    self, Attestation, BundleVerdict, ParcelVerdict, SyncRequest, SyncResponse, SyncUpdates, WireError,
};
use farmtally_core::protocol::repair::Divergence;
use farmtally_core::sync::WireRequest;
use farmtally_core::units::{OrganisationId, ParcelId, Timestamp};

use crate::backup::safe_for;
use crate::handover::ingest_parcel;
use crate::ingest::ingest;
use crate::pull::{Pulled, pull};
use crate::recovery::divergences;
use crate::storage::{Device, ReadTransaction};
use crate::wire::{require_protocol, unpack};
use crate::{Error, Server};

/// Precision of a device's last contact: within this time, a sync without bundles or parcels writes nothing.
const SEEN_STEP_MS: i64 = 60_000;

/// Verdicts on the bundles and parcels of a request.
#[derive(Default)]
struct Ingested {
    verdicts: Vec<BundleVerdict>,
    parcels: Vec<ParcelVerdict>,
    /// Scopes in which the phone's log differs from this server's; if there are any, nothing was ingested.
    diverged: Vec<Divergence>,
}

impl Server {
    pub(crate) fn sync(&self, request: &WireRequest) -> Result<Vec<u8>, Error> {
        let now = self.environment.clock.now();
        let (organisation, device) = self.authenticate(request, now)?;
        let asked: SyncRequest = unpack(&request.body)?;
        require_protocol(asked.protocol)?;
        require_limits(&asked)?;
        let ingested = if asked.offers.is_empty() {
            self.ingest_bundles_and_parcels(organisation, &device, &asked, now)?
        } else {
            self.restore_offers(organisation, device.device_id, &asked.offers)?;
            Some(Ingested::default())
        };
        if !(asked.bundles.is_empty() && asked.parcels.is_empty()) {
            self.erase_late_arrivals(organisation)?;
        }
        let mut budget = (asked.budget_bytes as usize).clamp(MIN_PIECE_BYTES, MAX_BODY_BYTES / 4);
        let moved_to = self.announced_address();
        loop {
            let (attestation, mut updates) =
                self.read(organisation, |db| compose_updates(db, &device, &asked, ingested.as_ref(), budget, now))?;
            updates.moved_to.clone_from(&moved_to);
            match self.sign(request, &attestation, &updates) {
                // The entries compress badly, so send fewer. A single small frame always fits.
                Err(Error::TooLarge { .. }) if budget > MIN_PIECE_BYTES => budget = (budget / 4).max(MIN_PIECE_BYTES),
                answer => return answer,
            }
        }
    }

    /// Ingests bundles and parcels in one transaction, or returns only the divergences if the logs differ. Notes the contact, unless the
    /// last is under a minute old. `None` if nothing is to be written: divergences are then unknown. Offers are not its work.
    fn ingest_bundles_and_parcels(
        &self,
        organisation: OrganisationId,
        device: &Device,
        asked: &SyncRequest,
        now: Timestamp,
    ) -> Result<Option<Ingested>, Error> {
        // Not if it was seen in the future: then this server's clock was wrong.
        let is_seen = (0..SEEN_STEP_MS).contains(&now.0.saturating_sub(device.seen_at.0));
        if is_seen && asked.bundles.is_empty() && asked.parcels.is_empty() {
            return Ok(None);
        }
        let parcels = asked.parcels.iter();
        let parcels: Vec<_> =
            parcels.map(|bytes| (ParcelId::of(bytes), self.open_parcel(organisation, bytes))).collect();
        self.write(organisation, |db| {
            if !is_seen {
                db.set_seen(device.device_id, now)?;
            }
            // The logs differ: entries appended now would take positions at which others were acknowledged before.
            let diverged = divergences(db, &asked.cursors, &asked.checkpoints)?;
            if !diverged.is_empty() {
                return Ok(Some(Ingested { diverged, ..Ingested::default() }));
            }
            let mut ingested = Ingested::default();
            for (index, bundle) in (0..).zip(&asked.bundles) {
                ingested.verdicts.push(ingest(db, index, bundle, now)?);
            }
            for (parcel, opened) in &parcels {
                if let Ok(bundles) = opened {
                    ingest_parcel(db, bundles, now)?;
                }
                let refused = opened.as_ref().err().map(|error| error.code());
                ingested.parcels.push(ParcelVerdict { parcel_id: *parcel, refused });
            }
            Ok(Some(ingested))
        })
    }

    fn sign(&self, request: &WireRequest, attestation: &Attestation, updates: &SyncUpdates) -> Result<Vec<u8>, Error> {
        let challenge = self.keys.challenge(attestation.server_time);
        let answer = SyncResponse::sign(&request.body, attestation, updates, challenge, &self.keys.signing);
        message::pack(&answer).map_err(|error| match error {
            WireError::TooLarge { .. } => Error::TooLarge { reason: error.to_string() },
            error => Error::Internal { reason: error.to_string() },
        })
    }
}

fn require_limits(asked: &SyncRequest) -> Result<(), Error> {
    for (what, count, most) in [
        ("bundles", asked.bundles.len(), MAX_BUNDLES),
        ("parcels", asked.parcels.len(), MAX_PARCELS),
        ("cursors", asked.cursors.len(), MAX_CURSORS),
        ("checkpoints", asked.checkpoints.len(), MAX_CURSORS),
        ("offers", asked.offers.len(), MAX_OFFERS),
    ] {
        if count > most {
            return Err(Error::TooLarge { reason: format!("at most {most} {what} fit one request") });
        }
    }
    Ok(())
}

/// Composes the response: the attestation, which is signed as evidence, and the updates. Without `ingested`, it looks for divergences.
fn compose_updates(
    db: &mut ReadTransaction<'_>,
    device: &Device,
    asked: &SyncRequest,
    ingested: Option<&Ingested>,
    budget: usize,
    now: Timestamp,
) -> Result<(Attestation, SyncUpdates), Error> {
    let diverged = match ingested {
        Some(ingested) => ingested.diverged.clone(),
        None => divergences(db, &asked.cursors, &asked.checkpoints)?,
    };
    let is_pulling = diverged.is_empty() && asked.offers.is_empty() && asked.budget_bytes > 0;
    let (pulled, safe) = if is_pulling {
        (pull(db, device.device_id, asked, budget)?, safe_for(db, device.device_id, asked)?)
    } else {
        (Pulled { more: true, ..Pulled::default() }, None)
    };
    let attestation = Attestation {
        device_id: device.device_id,
        server_time: now,
        device_head: db.device(device.device_id)?.and_then(|device| device.head),
        heads: pulled.heads,
        safe,
        epoch: db.recovery()?.map_or(0, |recovery| recovery.epoch),
    };
    let (verdicts, parcels) =
        ingested.map_or_else(Default::default, |ingested| (ingested.verdicts.clone(), ingested.parcels.clone()));
    let (frames, more) = (pulled.frames, pulled.more);
    Ok((attestation, SyncUpdates { verdicts, frames, more, diverged, parcels, moved_to: None }))
}
