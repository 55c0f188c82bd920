//! Repair of logs that differ: re-admission, checkpoints, offers of what the server had signed, rewinding.

use std::collections::BTreeSet;

use super::Exchange;
use crate::Error;
use crate::protocol::message::{self, FrameEntry, SyncRequest, WireError};
use crate::protocol::path;
use crate::protocol::repair::{Divergence, Evidence, Offer};
use crate::scope::Scope;
use crate::store::{incoming, tail};
use crate::sync::request::{internal, unsigned_request};
use crate::sync::transport::WireRequest;

/// Repair of diverged logs in a run.
#[derive(Default)]
pub(super) struct Repair {
    /// Scopes whose checkpoints the next request sends.
    pub(super) needs_checkpoints: BTreeSet<Scope>,
    /// Runs of entries to restore to the server; the last one is sent first.
    pub(super) pending_offers: Vec<PendingOffer>,
    /// Number of entries of the offer in the last request; 0 if it had no offer.
    pub(super) entries_in_flight: u64,
    /// Scopes offered in this run; if one of them diverges again, the phone rewinds instead.
    offered: BTreeSet<Scope>,
    /// Scopes rewound in this run; if one of them diverges again, the run fails.
    rewound: BTreeSet<Scope>,
    /// Whether bundles were sent again in this run because the server had lost them.
    pub(super) has_resent_bundles: bool,
    pub(super) needs_readmit: bool,
    pub(super) was_readmitted: bool,
}

/// Run of log entries to restore to the server: those after `after`, up to and including `up_to`.
#[derive(Clone)]
pub(super) struct PendingOffer {
    scope: Scope,
    after: u64,
    up_to: u64,
    evidence: Evidence,
}

impl Exchange<'_> {
    /// Returns a request with the certificate that re-admits this device, or with the next offer; `None` if nothing is to be repaired.
    pub(super) fn repair_request(&mut self) -> Result<Option<WireRequest>, Error> {
        if self.repair.needs_readmit {
            let request =
                unsigned_request(&self.installation.server_url, path::READMIT, &self.installation.certificate);
            return request.map(Some);
        }
        let Some(PendingOffer { scope, after, up_to, evidence }) = self.repair.pending_offers.last().cloned() else {
            return Ok(None);
        };
        let mut limit = self.piece_size.bytes();
        loop {
            let entries = self.store.read(|db| tail::entries_after(db, &scope, after, up_to, limit))?;
            if entries.is_empty() || entries.iter().any(|entry| matches!(entry, FrameEntry::Own { .. })) {
                // The phone no longer has all of the entries: it follows the server's log instead.
                self.repair.pending_offers.pop();
                return self.repair_request();
            }
            let sent = entries.len() as u64;
            let offer = Offer { scope: scope.clone(), after, entries, evidence: evidence.clone() };
            let request = SyncRequest { offers: vec![offer], ..self.bare_request() };
            match message::pack(&request) {
                Ok(body) => {
                    self.repair.entries_in_flight = sent;
                    return Ok(Some(self.signed(body)));
                }
                Err(WireError::TooLarge { .. }) if sent > 1 => limit /= 2,
                Err(error) => return Err(internal(&error)),
            }
        }
    }

    /// Takes the next step for each diverged log: asks for the last common position, then offers what the server had signed, then rewinds.
    pub(super) fn repair_diverged(&mut self, diverged: &[Divergence]) -> Result<(), Error> {
        for Divergence { scope, common } in diverged {
            let Some(common) = common else {
                self.repair.needs_checkpoints.insert(scope.clone());
                continue;
            };
            self.repair.needs_checkpoints.remove(scope);
            let (read, signed) = self.store.read(|db| {
                let read = incoming::cursor(db, self.installation.organisation_id, scope)?.sequence;
                Ok::<_, Error>((read, tail::evidence(db, scope)?))
            })?;
            match signed {
                Some((up_to, evidence))
                    if up_to <= read && up_to > *common && self.repair.offered.insert(scope.clone()) =>
                {
                    let (scope, after) = (scope.clone(), *common);
                    self.repair.pending_offers.push(PendingOffer { scope, after, up_to, evidence });
                }
                _ if self.repair.rewound.insert(scope.clone()) => {
                    self.store.write(|db| tail::rewind(db, self.installation.organisation_id, scope, *common))?;
                }
                _ => {
                    let reason = format!("the server's log of {scope} changed twice while it was repaired: sync again");
                    return Err(Error::Internal { reason });
                }
            }
        }
        Ok(())
    }
}

impl Repair {
    /// Returns whether the last request had an offer, and counts its entries as restored.
    pub(super) fn has_restored(&mut self) -> bool {
        let restored = std::mem::take(&mut self.entries_in_flight);
        let Some(offer) = self.pending_offers.last_mut().filter(|_| restored > 0) else { return false };
        offer.after += restored;
        if offer.after >= offer.up_to {
            self.pending_offers.pop();
        }
        true
    }

    /// Returns whether a log was rewound.
    pub(super) fn has_rewound(&self) -> bool {
        !self.rewound.is_empty()
    }
}
