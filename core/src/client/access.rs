//! Who may work on this phone, and for how long without its server.
//!
//! Owns the users of a phone, the lapse of a phone that never returns, and what a phone does when it loses access: hand in first, then forget.
//! Invariants: a lock never stops a sync or an export; nothing is destroyed that the server has not taken.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use ed25519_dalek::SigningKey;

use super::sync::offline;
use super::{Author, FieldClient, Identity, Session, Topic, newest_grant};
use crate::decisions::{Grant, Order};
use crate::permission::{Role, Visibility};
use crate::protocol::path;
use crate::store::decisions::DeviceAccess;
use crate::store::installation::{self, Counters, Installation};
use crate::store::{drafts, incoming, outbox};
use crate::sync::Transport;
use crate::sync::exchange::{challenge, enrolment, rekey_request, signed_request};
use crate::units::{BusinessDate, Timestamp, UserId};
use crate::{Error, ErrorCode};

const DAY_MS: u64 = 24 * 3_600_000;
/// Without contact for longer, a phone only records.
const LAPSE_MS: u64 = 14 * DAY_MS;
/// Without contact for longer, a phone only hands in.
const LOCK_MS: u64 = LAPSE_MS + 7 * DAY_MS;
/// What a jump of the wall clock counts at most while the phone was off: nobody can tell it from time that passed.
const SUSPECT_GAP_MS: u64 = 3 * DAY_MS;

/// Somebody who may use this phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneUser {
    /// The person's id.
    pub user_id: UserId,
    /// The person's name.
    pub name: String,
    /// What the person is in the organisation.
    pub role: Role,
}

/// What this phone may still do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everything that the user's grant says.
    Full,
    /// Fourteen days without contact: recording goes on, everything else waits for a sync.
    RecordOnly,
    /// Twenty-one days without contact, or by order of the office: hand in, nothing else.
    Locked,
}

/// What every read depends on beside the records: the day, what the phone may still do, what its user was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DayAndAccess {
    date: BusinessDate,
    access: Access,
    grant: Option<Grant>,
}

impl FieldClient {
    /// Tells whoever listens if it is another day than when last asked, or this phone may do more or less. No clock raises an event: an app
    /// that listens calls this about once a minute.
    pub fn refresh_day_and_access(&self) {
        let Identity { installation, device, .. } = self.identity();
        let grant = installation.and_then(|installation| newest_grant(&device, &installation));
        let now = DayAndAccess { date: self.date(), access: self.access(), grant };
        let before = self.noticed.lock().unwrap_or_else(PoisonError::into_inner).replace(now.clone());
        if before.is_some_and(|before| before != now) {
            self.events.changed(&Topic::ALL);
        }
    }

    /// Everybody who may use this phone, by name. Nobody whose name is not here: it came with no sync yet, or the phone is marked as lost and
    /// has forgotten all names.
    pub fn users(&self) -> Vec<PhoneUser> {
        let Identity { reference, device, .. } = self.identity();
        let mut users: Vec<PhoneUser> = Vec::new();
        for grant in &device.grants {
            let Some(known) = reference.user(grant.user) else { continue };
            users.retain(|user| user.user_id != grant.user);
            users.push(PhoneUser { user_id: grant.user, name: known.name.clone(), role: grant.role });
        }
        users.sort_by(|a, b| (&a.name, a.user_id).cmp(&(&b.name, b.user_id)));
        users
    }

    /// Hands the phone to another of its users. What anybody recorded on it goes up with the next sync, whoever syncs.
    ///
    /// # Errors
    /// [`Error::Refused`] for somebody who has no grant here, [`Error::SignIn`], [`Error::Store`].
    pub fn switch_user(&self, user: UserId) -> Result<Session, Error> {
        self.installation()?;
        if !self.identity().device.grants.iter().any(|grant| grant.user == user) {
            return Err(Error::not_allowed("this user has no grant on this phone: ask the office for one"));
        }
        self.store.write(|db| installation::switch_user(db, user))?;
        self.refresh_identity()?;
        self.events.changed(&Topic::ALL);
        self.session().ok_or_else(|| Error::Internal { reason: "switched, but without a session".into() })
    }

    /// What this phone may still do, by the office's orders and by the time since its last contact with the server.
    pub fn access(&self) -> Access {
        let counters = *self.counters();
        let ordered = matches!(self.order(), Some(Order::Lost | Order::Wipe));
        match self.idle_ms(&counters) {
            _ if ordered => Access::Locked,
            idle if idle > LOCK_MS => Access::Locked,
            idle if idle > LAPSE_MS => Access::RecordOnly,
            _ => Access::Full,
        }
    }

    /// Milliseconds since the last contact with the server, as far as this phone can tell.
    pub(super) fn idle_ms(&self, counters: &Counters) -> u64 {
        let since = self.environment.clock.monotonic_ms().saturating_sub(self.counted_to.load(Ordering::Acquire));
        counters.idle_ms.saturating_add(since)
    }

    /// Brings the count of time without contact up to now.
    pub(super) fn count_idle(&self, counters: &mut Counters) {
        counters.idle_ms = self.idle_ms(counters);
        counters.seen_at = self.environment.clock.now();
        self.counted_to.store(self.environment.clock.monotonic_ms(), Ordering::Release);
    }

    /// The server has answered: the count begins anew.
    pub(super) fn save_contact_time(&self) -> Result<(), Error> {
        let mut counters = self.counters();
        self.count_idle(&mut counters);
        counters.idle_ms = 0;
        let saved = *counters;
        Ok(self.store.write(|db| saved.save(db))?)
    }

    /// Carries out the office's orders and, after a complete sync, purges scopes that no user of this phone may read.
    /// Returns whether there is more to exchange because of it.
    pub(super) fn apply_orders(&self, transport: &dyn Transport, is_complete: bool) -> Result<bool, Error> {
        let installation = self.installation()?;
        let device = self.identity().device;
        match device.order {
            Some(Order::Rekey) => {
                self.rekey(&installation, transport)?;
                return Ok(true);
            }
            Some(Order::Wipe) => return self.wipe(&installation, transport),
            Some(Order::Lost | Order::Resume) | None => {}
        }
        if !is_complete || self.is_purged.swap(true, Ordering::AcqRel) {
            return Ok(false);
        }
        let visibility = visibility(&device, &installation);
        let forgotten = self.store.write(|db| {
            incoming::caught_up(db)?;
            incoming::purge(db, installation.organisation, |scope| visibility.can_read(scope))
        });
        let forgotten = forgotten.inspect_err(|_| self.is_purged.store(false, Ordering::Release))?;
        if forgotten > 0 {
            self.events.changed(&Topic::ALL);
            self.store.scrub()?;
        }
        Ok(false)
    }

    /// Goes on under a new key and id; what was not logged yet is sealed again, unchanged.
    fn rekey(&self, installation: &Installation, transport: &dyn Transport) -> Result<(), Error> {
        let fresh = SigningKey::from_bytes(&self.environment.random());
        // Kept before anything is sent: a repeated request must show the same key.
        let key = self.store.write(|db| installation::enrolling_key(db, &installation.device.to_string(), fresh))?;
        let response = transport.send(&rekey_request(installation, &key)?).map_err(|error| offline(&error))?;
        let enrolment = enrolment(&response, &key)?;
        if enrolment.server_key != installation.server_key {
            return Err(Error::Unavailable { code: ErrorCode::Interrupted, reason: "another server answered".into() });
        }
        self.store.write(|db| {
            installation::rekey(db, &key, &enrolment)?;
            outbox::unseal(db)
        })?;
        self.refresh_identity()
    }

    /// First drafts become entries for the office, so that nothing weighed is lost; once all is handed in, everything is destroyed.
    fn wipe(&self, installation: &Installation, transport: &dyn Transport) -> Result<bool, Error> {
        let grant = self.identity().device.grants.first().map(|grant| grant.grant);
        let now = self.environment.clock.now();
        let is_drained = self.write(&[Topic::Deliveries, Topic::Inbox], |db| {
            for (id, _, draft) in drafts::all(db)? {
                outbox::add_draft(db, draft.user, grant, id, &draft, now)?;
                drafts::remove(db, id)?;
            }
            outbox::is_drained(db)
        })?;
        if !is_drained {
            return Ok(true);
        }
        // Without the server's word on the receipt nothing is destroyed yet: the next sync tries again.
        let receipt = signed_request("POST", installation, installation.challenge, path::WIPED, Vec::new());
        let answer = transport.send(&receipt);
        if answer.is_ok_and(|answer| answer.status == 200 && challenge(&answer).is_some()) {
            let is_wiped = self.store.write(|db| {
                // Somebody may have recorded something meanwhile.
                let is_empty = drafts::all(db)?.is_empty() && outbox::is_drained(db)?;
                if is_empty { installation::wipe(db).map(|()| true) } else { Ok(false) }
            })?;
            if !is_wiped {
                return Ok(true);
            }
            self.store.scrub()?;
            self.refresh_identity()?;
            self.events.changed(&Topic::ALL);
        }
        Ok(false)
    }
}

/// What of a gap between two openings counts: a clock that was set back says nothing, one that leapt says little.
pub(super) fn counted_gap_ms(seen_at: Timestamp, now: Timestamp) -> u64 {
    let gap_ms = u64::try_from(now.0.saturating_sub(seen_at.0)).unwrap_or(0);
    if gap_ms > LAPSE_MS { SUSPECT_GAP_MS } else { gap_ms }
}

/// What this phone may read, by the grants and orders that it knows.
fn visibility(device: &DeviceAccess, installation: &Installation) -> Visibility {
    Visibility {
        device: installation.device,
        is_lost: device.order == Some(Order::Lost),
        centres: device.grants.iter().flat_map(|grant| grant.centres.iter().cloned()).collect(),
    }
}

impl Author {
    /// Requires that the phone was in contact recently: whatever is not the recording of a delivery waits for a sync otherwise.
    pub(super) fn require_contact(&self) -> Result<(), Error> {
        match self.access {
            Access::Full => Ok(()),
            Access::RecordOnly | Access::Locked => {
                Err(Error::locked("this phone was without its server for too long: sync first, recording goes on"))
            }
        }
    }
}
