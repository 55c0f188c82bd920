//! Access to a phone: its users, the limits of working without contact, and orders of the office. Invariants: a lock never stops a sync or
//! an export; no data is destroyed before the server has it.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use ed25519_dalek::SigningKey;

use super::sync::Run;
use super::{Author, FieldClient, Identity, Session, Topic, newest_grant};
use crate::decisions::{Grant, Order};
use crate::permission::{Role, Visibility};
use crate::protocol::path;
use crate::store::decisions::DeviceAccess;
use crate::store::installation::{self, Installation};
use crate::store::{drafts, incoming, outbox};
use crate::sync::request::{challenge, enrolment, is_success, rekey_request, signed_request};
use crate::units::{BusinessDate, UserId};
use crate::{Error, UnavailableCause};

const DAY_MS: u64 = 24 * 3_600_000;
/// Time without contact beyond which a phone can read and record deliveries, but neither correct records nor write other ones.
const LAPSE_MS: u64 = 14 * DAY_MS;
/// Time without contact, 21 days in all, beyond which a phone can only sync, hand over, carry parcels and show the user's own inbox items.
const LOCK_MS: u64 = LAPSE_MS + 7 * DAY_MS;

/// A user who has a grant on this phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneUser {
    /// The user's id.
    pub user_id: UserId,
    /// The user's name.
    pub name: String,
    /// Role in the user's newest grant in force on this phone.
    pub role: Role,
}

/// What this phone may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// No limit besides the user's grant.
    Full,
    /// Reading and recording of deliveries: no contact for more than 14 days. Any response that the server signed restores full access.
    RecordOnly,
    /// Sync, hand-over and own inbox items: no contact for more than 21 days; an order `lost` or `wipe`, which no contact ends; or the
    /// user has no grant on this phone, as before the first sync.
    Locked,
}

/// Values that change the results of reads although no record changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DayAndAccess {
    date: BusinessDate,
    access: Access,
    grant: Option<Grant>,
}

impl FieldClient {
    /// Raises an event of all topics if the business date, the phone's access or the user's newest grant differs from the last call. An app
    /// must call it about once a minute: nothing here has a timer.
    pub fn refresh_day_and_access(&self) {
        let Identity { installation, device, .. } = self.identity();
        let grant = installation.and_then(|installation| newest_grant(&device, &installation));
        let now = DayAndAccess { date: self.date(), access: self.access(), grant };
        let before = self.last_day_and_access.lock().unwrap_or_else(PoisonError::into_inner).replace(now.clone());
        if before.is_some_and(|before| before != now) {
            self.events.changed(&Topic::ALL);
        }
    }

    /// Returns the users with a grant in force on this phone, sorted by name. Users whose names are not stored are left out: before the
    /// first sync, and on a phone that was marked as lost and has purged all names.
    pub fn users(&self) -> Vec<PhoneUser> {
        let Identity { reference, device, .. } = self.identity();
        let mut users: Vec<PhoneUser> = Vec::new();
        for grant in &device.grants {
            let Some(known) = reference.user(grant.user_id) else { continue };
            users.retain(|user| user.user_id != grant.user_id);
            users.push(PhoneUser { user_id: grant.user_id, name: known.name.clone(), role: grant.role });
        }
        users.sort_by(|a, b| (&a.name, a.user_id).cmp(&(&b.name, b.user_id)));
        users
    }

    /// Makes a user with a grant on this phone its current user, without a password. Records of every user are sent with the next sync.
    ///
    /// # Errors
    /// [`Error::Refused`] for a user without a grant on this phone, [`Error::Unauthorized`], [`Error::Store`].
    pub fn switch_user(&self, user: UserId) -> Result<Session, Error> {
        self.installation()?;
        if !self.identity().device.grants.iter().any(|grant| grant.user_id == user) {
            return Err(Error::not_allowed("this user has no grant on this phone: ask the office for one"));
        }
        self.store.write(|db| installation::switch_user(db, user))?;
        self.refresh_identity()?;
        self.events.changed(&Topic::ALL);
        self.session().ok_or_else(|| Error::Internal { reason: "no session after switching the user".into() })
    }

    /// Returns what the current user may do on this phone. A phone that is not enrolled has [`Access::Full`].
    pub fn access(&self) -> Access {
        let Identity { installation, device, .. } = self.identity();
        if installation.is_some_and(|it| newest_grant(&device, &it).is_none()) {
            return Access::Locked;
        }
        self.access_of_phone()
    }

    /// Returns what this phone may do by the office's newest order and the time without contact; grants are not considered.
    pub(super) fn access_of_phone(&self) -> Access {
        let ordered = matches!(self.order(), Some(Order::Lost | Order::Wipe));
        match self.phone_clock().idle_ms {
            _ if ordered => Access::Locked,
            idle_ms if idle_ms > LOCK_MS => Access::Locked,
            idle_ms if idle_ms > LAPSE_MS => Access::RecordOnly,
            _ => Access::Full,
        }
    }

    /// Carries out an order `rekey` or `wipe`. Without one, and if the exchange before was complete, purges scopes that no user of this
    /// phone may read. Returns whether another exchange must follow: after a rekey, or if something is still to be sent before a wipe.
    pub(super) fn apply_orders(&self, run: &Run<'_>, is_complete: bool) -> Result<bool, Error> {
        let installation = self.installation()?;
        let device = self.identity().device;
        match device.order {
            Some(Order::Rekey) => {
                self.rekey(&installation, run)?;
                return Ok(true);
            }
            Some(Order::Wipe) => return self.wipe(&installation, run),
            Some(Order::Lost | Order::Resume) | None => {}
        }
        if !is_complete || self.is_purge_current.swap(true, Ordering::AcqRel) {
            return Ok(false);
        }
        let visibility = visibility(&device, &installation);
        let forgotten = self.store.write(|db| {
            incoming::clear_wants_own(db)?;
            incoming::purge(db, installation.organisation_id, |scope| visibility.can_read(scope))
        });
        let forgotten = forgotten.inspect_err(|_| self.is_purge_current.store(false, Ordering::Release))?;
        if forgotten > 0 {
            self.events.changed(&Topic::ALL);
            self.store.scrub()?;
        }
        Ok(false)
    }

    /// Takes a new key and device id. Unseals changes that are neither logged nor held, for the next exchange to seal under the new key.
    fn rekey(&self, installation: &Installation, run: &Run<'_>) -> Result<(), Error> {
        let fresh = SigningKey::from_bytes(&self.environment.random());
        // Stored before it is sent, because a repeated request must name the same key.
        let key = self.store.write(|db| installation::enrolling_key(db, &installation.device_id.to_string(), fresh))?;
        let response = self.send(run, &rekey_request(installation, &key)?)?;
        let enrolment = enrolment(&response, &key)?;
        if enrolment.server_key != installation.server_key {
            let reason = "another server answered".into();
            return Err(Error::Unavailable { cause: UnavailableCause::OtherAnswer, reason });
        }
        self.store.write(|db| {
            installation::rekey(db, &key, &enrolment)?;
            outbox::unseal(db)
        })?;
        self.refresh_identity()
    }

    /// Moves drafts into the outbox as entries of kind 0, and destroys all data but the counters once the server has everything and
    /// answered the receipt. Returns whether another exchange must follow; an unanswered receipt waits for the next sync.
    fn wipe(&self, installation: &Installation, run: &Run<'_>) -> Result<bool, Error> {
        let grant = self.identity().device.grants.first().map(|grant| grant.grant_id);
        let now = self.now();
        let is_drained = self.write(&[Topic::Deliveries, Topic::Inbox], |db| {
            for (id, _, draft) in drafts::all(db)? {
                outbox::add_draft(db, draft.user_id, grant, id, &draft, now)?;
                drafts::remove(db, id)?;
            }
            outbox::is_drained(db)
        })?;
        if !is_drained {
            return Ok(true);
        }
        // Nothing is destroyed until the server confirms the receipt; the next sync tries again.
        let receipt = signed_request("POST", installation, installation.challenge, path::WIPED, Vec::new());
        let answer = self.send(run, &receipt);
        if let Err(error) = &answer
            && self.must_stop(run)
        {
            return Err(error.clone().into());
        }
        if answer.is_ok_and(|answer| is_success(answer.status) && challenge(&answer).is_some()) {
            let is_wiped = self.store.write(|db| {
                // Checked again: a user may have recorded something in the meantime.
                let is_empty = drafts::all(db)?.is_empty() && outbox::is_drained(db)?;
                if is_empty { installation::wipe(db).map(|()| true) } else { Ok(false) }
            })?;
            if !is_wiped {
                return Ok(true);
            }
            // Before the scrub, which fails on a full disk: what is destroyed stays so.
            self.refresh_identity()?;
            self.events.changed(&Topic::ALL);
            self.store.scrub()?;
        }
        Ok(false)
    }
}

fn visibility(device: &DeviceAccess, installation: &Installation) -> Visibility {
    let grants = device.grants.iter().map(|grant| (grant.role, grant.centres.as_slice()));
    Visibility::new(installation.device_id, device.order == Some(Order::Lost), grants)
}

impl Author {
    /// Requires [`Access::Full`]. All changes of records need it, except the recording of deliveries and changes of drafts.
    pub(super) fn require_contact(&self) -> Result<(), Error> {
        match self.access {
            Access::Full => Ok(()),
            Access::RecordOnly | Access::Locked => Err(Error::locked(
                "this phone was without its server for too long: sync first; deliveries can still be recorded",
            )),
        }
    }
}
