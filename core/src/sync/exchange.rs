//! The exchange as a state machine: it returns the next request and processes the response, without network access.
//!
//! Owns the order of a sync: seal, push before pull, parcels of others, verdicts, frames, until neither side has more. Invariants: a bundle
//! or parcel is sent at most once in a run, unless a response requires it again; a response is trusted only under the pinned server's
//! signature; a frame and its cursor are one transaction, so a run may end after any step and the next one continues.

mod repair;

use std::sync::Arc;

use ed25519_dalek::VerifyingKey;

use self::repair::Repair;
use super::piece_size::PieceSize;
use super::request::{internal, is_success, problem, signed_request, unknown_device};
use super::seal::seal;
use super::transport::{WireRequest, WireResponse};
use crate::Error;
use crate::limits::{MAX_PARCELS, MAX_WIRE_BYTES};
use crate::protocol::log::Cursor;
use crate::protocol::message::{
    self, Attestation, Challenge, ChallengeResponse, LogFrame, PROTOCOL_VERSION, Problem, SyncRequest, SyncResponse,
    SyncUpdates, WireError,
};
use crate::protocol::path;
use crate::protocol::repair::Evidence;
use crate::store::Store;
use crate::store::carried;
use crate::store::incoming::{self, FrameError};
use crate::store::installation::{self, Installation};
use crate::store::outbox;
use crate::store::tail;
use crate::units::{HybridTime, Timestamp};

/// Progress of a run over all its rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Own changes that the server answered as logged in this run, whenever it logged them.
    pub logged: u64,
    /// Own changes that the server answered as held in this run.
    pub held: u64,
    /// Changes of others and decisions that were received in this run.
    pub received: u64,
    /// Parcels of others that the server accepted.
    pub parcels_taken: u64,
    /// Parcels of others that the server refused. They were dropped here; their owners still have the content.
    pub parcels_refused: u64,
    /// Own changes that the server answered in this run, with any verdict or by refusing their bundle.
    pub sent: u64,
    /// Own changes that this run has to send, including those answered.
    pub to_send: u64,
    /// Log entries read in this run, including positions of own changes.
    pub read: u64,
    /// Log entries to read, as far as the server has said, including those read.
    pub to_read: u64,
    /// Number of requests sent.
    pub requests: u64,
    /// Bytes sent, above TLS ([`WireRequest::bytes`]).
    pub bytes_up: u64,
    /// Bytes of response bodies received.
    pub bytes_down: u64,
}

/// Maximum number of bundles in one request: as many as the largest piece has room for.
const BUNDLES_PER_REQUEST: usize = 32;
/// Maximum number of parcels in one request; fewer if they do not fit next to the bundles.
const PARCELS_PER_REQUEST: usize = MAX_PARCELS / 2;
/// Maximum consecutive responses without progress; the next one fails the run.
const MAX_IDLE_ANSWERS: u32 = 6;

/// State of the challenge for the next request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ChallengeState {
    /// Too old: the next request carries no bundles or parcels, which would be sent in vain.
    Expired,
    /// Expected to be accepted by the server.
    Assumed,
    /// Sent by the server when it refused the previous one.
    Fresh,
}

/// Exchange of this phone with its server: what was sent, what is to be sent, and what the answers say about the next request.
pub(crate) struct Exchange<'a> {
    store: &'a Store,
    installation: Arc<Installation>,
    challenge: message::Challenge,
    /// Number up to which bundles were sent in this run; lowered to send bundles again.
    sent_up_to: u64,
    bundles_in_flight: Vec<u64>,
    /// Number up to which parcels were sent in this run; lowered to send parcels again.
    carried_up_to: i64,
    parcels_in_flight: Vec<i64>,
    /// Number of own changes in the last request.
    changes_in_flight: u64,
    /// Body of the last request; a response to any other is not trusted.
    last_request_body: Vec<u8>,
    /// Whether requests ask for own changes with their bytes; from the first frame that needs them.
    own_bytes: bool,
    /// Whether neither side has more to send.
    pub(crate) is_done: bool,
    challenge_state: ChallengeState,
    /// Whether everything waits for the first signed answer, because another server may answer at this address.
    requires_proof: bool,
    repair: Repair,
    /// Size of the next request and answer; the caller records how long each took.
    pub(crate) piece_size: PieceSize,
    idle_answers: u32,
    /// Number of responses from the pinned server.
    pub(crate) answers: u32,
    pub(crate) progress: Progress,
    /// Newest hybrid time received, without those too far ahead of the server's time.
    pub(crate) newest: HybridTime,
}

/// A response that the pinned server signed.
pub(crate) struct Answer {
    attestation: Attestation,
    updates: SyncUpdates,
    challenge: Challenge,
    evidence: Evidence,
}

impl Answer {
    pub(crate) fn server_time(&self) -> Timestamp {
        self.attestation.server_time
    }
}

impl<'a> Exchange<'a> {
    /// Returns an exchange that continues the counts of the run's earlier rounds.
    pub(crate) fn new(
        store: &'a Store,
        installation: Arc<Installation>,
        progress: Progress,
        piece_size: PieceSize,
    ) -> Self {
        Self {
            challenge: installation.challenge,
            store,
            installation,
            sent_up_to: 0,
            bundles_in_flight: Vec::new(),
            carried_up_to: 0,
            parcels_in_flight: Vec::new(),
            changes_in_flight: 0,
            last_request_body: Vec::new(),
            own_bytes: false,
            is_done: false,
            challenge_state: ChallengeState::Assumed,
            requires_proof: false,
            repair: Repair::default(),
            piece_size: piece_size.without_limit(),
            idle_answers: 0,
            answers: 0,
            progress,
            newest: HybridTime::default(),
        }
    }

    /// Sends only a question without content, and the certificate if the server does not know this device, until the pinned server has
    /// signed an answer.
    pub(crate) fn require_proof(&mut self) {
        self.requires_proof = true;
    }

    /// Makes the next request one without bundles and parcels, to get a fresh challenge: a large request would be sent in vain.
    pub(crate) fn refresh_challenge_first(&mut self) {
        self.challenge_state = ChallengeState::Expired;
    }

    /// Returns whether this run rewound a log; what was applied after the common position may no longer be valid.
    pub(crate) fn has_rewound(&self) -> bool {
        self.repair.has_rewound()
    }

    /// Returns the next request, with its bundles marked as sent; `None` when neither side has more to send. Seals as many changes as it
    /// carries, at the phone's time `now`. Pass the response to [`Self::read_response`] before the next call.
    pub(crate) fn next_request(&mut self, now: Timestamp) -> Result<Option<WireRequest>, Error> {
        if self.is_done {
            return Ok(None);
        }
        self.repair.entries_in_flight = 0;
        if let Some(request) = self.repair_request()? {
            return Ok(Some(request));
        }
        if self.requires_proof {
            let question = message::pack(&self.bare_request()).map_err(|error| internal(&error))?;
            return Ok(Some(self.signed(question)));
        }
        let waiting = self.store.read(|db| outbox::unheld_count(db, self.sent_up_to))?;
        let (mut bundles, mut parcels) = match self.challenge_state {
            ChallengeState::Expired => Default::default(),
            ChallengeState::Assumed | ChallengeState::Fresh => {
                let bundles = self.next_bundles(now)?;
                let parcels = self.next_parcels(&bundles)?;
                (bundles, parcels)
            }
        };
        let cursors: Vec<_> = self.store.read(incoming::cursors)?.iter().map(Cursor::name).collect();
        let checkpoints = self.store.read(|db| {
            let of = self
                .repair
                .needs_checkpoints
                .iter()
                .map(|scope| tail::checkpoints(db, self.installation.organisation_id, scope));
            Ok::<_, Error>(of.collect::<Result<Vec<_>, _>>()?.concat())
        })?;
        let body = loop {
            let request = SyncRequest {
                cursors: cursors.clone(),
                bundles: bundles.iter().map(|(_, bytes)| bytes.clone().into()).collect(),
                budget_bytes: u32::try_from(self.piece_size.bytes()).unwrap_or(u32::MAX),
                parcels: parcels.iter().map(|(_, bytes)| bytes.clone().into()).collect(),
                checkpoints: checkpoints.clone(),
                safe_copy: self.installation.safe_copy,
                ..self.bare_request()
            };
            match message::pack(&request) {
                Ok(body) => break body,
                // Bundles come first; a single parcel always fits.
                Err(WireError::TooLarge { .. }) if parcels.len() > usize::from(bundles.is_empty()) => {
                    parcels.truncate(parcels.len() / 2);
                }
                // Changes that compress badly: send fewer bundles. A single bundle always fits.
                Err(WireError::TooLarge { .. }) if bundles.len() > 1 => bundles.truncate(bundles.len() / 2),
                Err(error) => return Err(internal(&error)),
            }
        };
        self.bundles_in_flight = bundles.iter().map(|(sequence, _)| *sequence).collect();
        self.sent_up_to = self.bundles_in_flight.last().copied().unwrap_or(self.sent_up_to);
        self.parcels_in_flight = parcels.iter().map(|(number, _)| *number).collect();
        self.carried_up_to = self.parcels_in_flight.last().copied().unwrap_or(self.carried_up_to);
        self.store.write(|db| outbox::mark_sent(db, &self.bundles_in_flight))?;
        let left = self.store.read(|db| outbox::unheld_count(db, self.sent_up_to))?;
        self.changes_in_flight = waiting.saturating_sub(left);
        self.progress.to_send = self.progress.sent + waiting;
        Ok(Some(self.signed(body)))
    }

    /// Seals what the next request has room for, and returns its bundles with their numbers: at least one if there is any.
    fn next_bundles(&self, now: Timestamp) -> Result<Vec<(u64, Vec<u8>)>, Error> {
        let unanswered = || self.store.read(|db| outbox::unanswered_bundles(db, self.sent_up_to, BUNDLES_PER_REQUEST));
        let mut bundles = unanswered()?;
        let (piece, bundle_bytes) = (self.piece_size.bytes(), self.piece_size.bundle_bytes());
        let sealed: usize = bundles.iter().map(|(_, bytes)| bytes.len()).sum();
        let room = piece.saturating_sub(sealed).div_ceil(bundle_bytes);
        if room > 0 {
            seal(self.store, &self.installation, now, bundle_bytes, room)?;
            bundles = unanswered()?;
        }
        // Envelopes add up to half as much as the changes.
        let (limit, mut total) = (piece / 2 * 3, 0);
        let count = bundles.iter().take_while(|(_, bytes)| {
            total += bytes.len();
            total <= limit
        });
        let count = count.count().max(1);
        bundles.truncate(count);
        Ok(bundles)
    }

    /// Returns the parcels, with their numbers, for which these bundles leave room; at least one if there are no bundles.
    fn next_parcels(&self, bundles: &[(u64, Vec<u8>)]) -> Result<Vec<(i64, Vec<u8>)>, Error> {
        let taken: usize = bundles.iter().map(|(_, bytes)| bytes.len()).sum();
        let room = self.piece_size.bytes().min(MAX_WIRE_BYTES / 2).saturating_sub(taken);
        let parcels = self.store.read(|db| carried::unanswered(db, self.carried_up_to, PARCELS_PER_REQUEST, room))?;
        let is_first_too_large = parcels.first().is_some_and(|(_, bytes)| bytes.len() > room);
        Ok(if is_first_too_large && !bundles.is_empty() { Vec::new() } else { parcels })
    }

    fn signed(&mut self, body: Vec<u8>) -> WireRequest {
        self.last_request_body.clone_from(&body);
        let request = signed_request("POST", &self.installation, self.challenge, path::SYNC, body);
        self.progress.requests += 1;
        self.progress.bytes_up += request.bytes();
        request
    }

    fn bare_request(&self) -> SyncRequest {
        SyncRequest { protocol: PROTOCOL_VERSION, own_bytes: self.own_bytes, ..SyncRequest::default() }
    }

    /// Reads the response to the last request. Returns the answer if the pinned server signed it: save the contact, then pass it to
    /// [`Self::apply`]. Otherwise the next request asks again.
    pub(crate) fn read_response(&mut self, response: &WireResponse) -> Result<Option<Answer>, Error> {
        self.progress.bytes_down += response.body.len() as u64;
        if std::mem::take(&mut self.repair.needs_readmit) {
            self.challenge_state = ChallengeState::Assumed;
            if !is_success(response.status) {
                return Err(problem(response, "certificate"));
            }
            let answer: ChallengeResponse = response.unpack().map_err(|error| response.unreadable(&error))?;
            self.challenge = answer.challenge;
            self.repair.was_readmitted = true;
            self.sent_up_to = 0;
            return Ok(None);
        }
        match response.status {
            status if is_success(status) => {
                let answer: SyncResponse = response.unpack().map_err(|error| response.unreadable(&error))?;
                self.challenge_state = ChallengeState::Assumed;
                self.open(&answer).map(Some)
            }
            401 => {
                // A body without a challenge is not from the server, but for instance from a proxy.
                let answer: ChallengeResponse = response.unpack().map_err(|_other| response.foreign_answer())?;
                if self.challenge_state != ChallengeState::Fresh {
                    self.challenge_state = ChallengeState::Fresh;
                    self.challenge = answer.challenge;
                    self.send_again();
                    return Ok(None);
                }
                if self.repair.was_readmitted {
                    return Err(unknown_device());
                }
                // The server may be set back to a copy from before it enrolled this device. Bundles under earlier keys are sent again even
                // if the response to the certificate is lost: afterwards the server knows the device as ever. If another server answers at a
                // new address, they are sent again too, which does no harm.
                self.store.write(|db| outbox::requeue_earlier_bundles(db, self.installation.device_id))?;
                self.repair.needs_readmit = true;
                self.send_again();
                Ok(None)
            }
            // The server cannot use the entries that are kept here: the phone follows the server's log instead. A page of a firewall says
            // nothing about them.
            422 if self.repair.entries_in_flight > 0 && response.unpack::<Problem>().is_ok() => {
                self.repair.entries_in_flight = 0;
                self.repair.pending_offers.pop();
                Ok(None)
            }
            // The server or a proxy before it takes smaller requests.
            413 if self.can_send_less() && self.piece_size.was_refused() => {
                self.send_again();
                Ok(None)
            }
            _ => Err(problem(response, "request")),
        }
    }

    /// Returns whether the last request carried more than one bundle, parcel or entry, so that it can be divided.
    fn can_send_less(&self) -> bool {
        let parts = (self.bundles_in_flight.len() + self.parcels_in_flight.len()) as u64;
        parts.max(self.repair.entries_in_flight) > 1
    }

    /// Lets later requests send the bundles and parcels of the last one again, because the server gave no verdict on them.
    fn send_again(&mut self) {
        self.sent_up_to = self.bundles_in_flight.first().map_or(self.sent_up_to, |first| first - 1);
        self.carried_up_to = self.parcels_in_flight.first().map_or(self.carried_up_to, |first| first - 1);
        self.bundles_in_flight.clear();
        self.parcels_in_flight.clear();
    }

    /// Verifies that the pinned server signed this answer to the last request of this device.
    fn open(&self, answer: &SyncResponse) -> Result<Answer, Error> {
        let key = VerifyingKey::from_bytes(&self.installation.server_key).map_err(|error| internal(&error))?;
        let opened = answer.open(&self.last_request_body, &key);
        let (attestation, updates) =
            opened.map_err(|error| if self.requires_proof { unknown_device() } else { internal(&error) })?;
        if attestation.device_id != self.installation.device_id {
            return Err(Error::Internal { reason: "the response is for another device".into() });
        }
        let evidence = answer.evidence(&self.last_request_body);
        Ok(Answer { attestation, updates, challenge: answer.challenge, evidence })
    }

    /// Saves what an answer says about the contact with the server, at whose address it was asked.
    pub(crate) fn save_contact(&self, db: &rusqlite::Connection, answer: &Answer) -> Result<(), crate::store::Error> {
        let server_url = &self.installation.server_url;
        let next = answer.updates.moved_to.as_deref().filter(|next| next != server_url);
        installation::save_contact(db, answer.challenge, answer.server_time(), server_url, next)
    }

    /// Applies an answer at the phone's time `now`.
    pub(crate) fn apply(&mut self, answer: &Answer, now: Timestamp) -> Result<(), Error> {
        let Answer { attestation, updates, .. } = answer;
        self.challenge = answer.challenge;
        self.answers += 1;
        // An answer to the question without content has none either.
        if std::mem::take(&mut self.requires_proof) {
            return Ok(());
        }
        self.idle_answers += 1;
        if self.idle_answers > MAX_IDLE_ANSWERS {
            return Err(Error::Internal {
                reason: "the server announces more entries but sends none that follow".into(),
            });
        }
        if self.repair.has_restored() {
            self.idle_answers = 0;
            return Ok(());
        }
        if !updates.diverged.is_empty() {
            // Nothing was judged: bundles and parcels are sent again once the logs agree.
            self.send_again();
            return self.repair_diverged(&updates.diverged);
        }
        let had_own_bytes = self.own_bytes;
        self.apply_attestation(attestation, updates, now)?;
        let had_work = !self.bundles_in_flight.is_empty() || !self.parcels_in_flight.is_empty();
        self.bundles_in_flight.clear();
        self.parcels_in_flight.clear();
        self.progress.sent += std::mem::take(&mut self.changes_in_flight);
        let has_read = self.read_frames(answer)?;
        if has_read || had_work || !updates.more {
            self.idle_answers = 0;
        }
        // A frame that needs the bytes of own changes was skipped: request it again, with them.
        let asks_again = self.own_bytes && !had_own_bytes;
        self.is_done = !updates.more && !asks_again && !self.has_more_to_send()?;
        Ok(())
    }

    /// Applies the verdicts of `updates`; and the head of this device, the epoch and the safe copies of `attestation`.
    fn apply_attestation(
        &mut self,
        attestation: &Attestation,
        updates: &SyncUpdates,
        now: Timestamp,
    ) -> Result<(), Error> {
        let known =
            self.store.read(|db| outbox::known_up_to(db, self.installation.device_id, attestation.device_head))?;
        let (has_lost, has_erased, progress) = self.store.write(|db| {
            let has_lost = outbox::requeue_lost_bundles(db, self.installation.device_id, known, attestation.epoch)?;
            if let Some(safe) = &attestation.safe {
                installation::save_safe_copy(db, safe.copy)?;
                safe.scopes.iter().try_for_each(|place| tail::trim(db, &place.scope, place.sequence))?;
                outbox::trim(db, self.installation.device_id, safe.bundle)?;
            }
            let (mut progress, mut has_erased) = (self.progress, false);
            for verdict in &updates.verdicts {
                if let Some(sequence) = self.bundles_in_flight.get(verdict.index as usize) {
                    let settled = outbox::apply_verdicts(db, *sequence, verdict, now)?;
                    progress.logged += settled.logged;
                    progress.held += settled.held;
                    has_erased |= settled.has_erased;
                }
            }
            for verdict in &updates.parcels {
                let left = u64::from(carried::apply_verdict(db, verdict)?);
                match verdict.refused {
                    None => progress.parcels_taken += left,
                    Some(_) => progress.parcels_refused += left,
                }
            }
            Ok::<_, Error>((has_lost, has_erased, progress))
        })?;
        self.progress = progress;
        if has_erased {
            self.store.scrub()?;
        }
        if has_lost && !std::mem::replace(&mut self.repair.has_resent_bundles, true) {
            self.sent_up_to = self.sent_up_to.min(known);
        }
        Ok(())
    }

    /// Applies frames, and counts what was read and remains. Returns whether any frame could be applied.
    fn read_frames(&mut self, answer: &Answer) -> Result<bool, Error> {
        let heads = &answer.attestation.heads;
        self.progress.to_read = self.progress.read.saturating_add(self.behind(heads)?);
        let mut has_read = false;
        for frame in &answer.updates.frames {
            has_read |= self.apply_frame(frame, answer)?;
        }
        self.progress.read = self.progress.to_read.saturating_sub(self.behind(heads)?);
        Ok(has_read)
    }

    /// Returns whether there is anything that this run has not sent, such as a record made during the run.
    fn has_more_to_send(&self) -> Result<bool, Error> {
        self.store.read(|db| {
            let own = outbox::unanswered_bundles(db, self.sent_up_to, 1)?;
            let carried = carried::unanswered(db, self.carried_up_to, 1, 0)?;
            Ok(!own.is_empty() || !carried.is_empty() || outbox::has_unsealed(db)?)
        })
    }

    /// Returns the number of log entries between the cursors and these heads.
    fn behind(&self, heads: &[Cursor]) -> Result<u64, Error> {
        let cursors = self.store.read(incoming::cursors)?;
        let read = |head: &Cursor| cursors.iter().find(|it| it.scope == head.scope).map_or(0, |it| it.sequence);
        Ok(heads.iter().map(|head| head.sequence.saturating_sub(read(head))).fold(0, u64::saturating_add))
    }

    /// Applies a frame with its cursor and, if it reaches a head that the server signed, stores the evidence in the same transaction: a
    /// phone can always prove what it read. Returns whether the frame was applied.
    fn apply_frame(&mut self, frame: &LogFrame, answer: &Answer) -> Result<bool, Error> {
        let organisation = self.installation.organisation_id;
        let applied = self.store.write(|db| {
            let received = incoming::apply(db, organisation, frame)?;
            if let Some(head) = answer.attestation.heads.iter().find(|head| head.scope == frame.scope)
                && incoming::cursor(db, organisation, &head.scope)? == *head
            {
                tail::save_evidence(db, head, &answer.evidence)?;
            }
            Ok(received)
        });
        match applied {
            Ok(received) => {
                self.progress.received += received.entries;
                let newest = |newest: HybridTime, time| newest.following(time, answer.server_time());
                self.newest = received.times.into_iter().fold(self.newest, newest);
                if received.has_erased {
                    self.store.scrub()?;
                }
                Ok(true)
            }
            Err(FrameError::NotContiguous) => Ok(false),
            Err(FrameError::OwnBytesNeeded) => {
                self.own_bytes = true;
                Ok(false)
            }
            Err(error @ FrameError::Diverged { .. }) => Err(internal(&error)),
            Err(FrameError::Store(error)) => Err(error.into()),
        }
    }
}
