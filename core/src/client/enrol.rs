//! Enrolment of this device.

use std::sync::atomic::Ordering;

use ed25519_dalek::SigningKey;

use super::{FieldClient, Session, SyncOptions, SyncTicket, Topic};
use crate::Error;
use crate::protocol::message::EnrolRequest;
use crate::protocol::{normalize_server_url, path};
use crate::rules::check_text;
use crate::store::installation;
use crate::sync::request::{enrolment, unsigned_request};
use crate::sync::{Transport, TransportError, WireResponse};
use crate::units::EnrolCode;

impl FieldClient {
    /// Enrols this device with a code from the office, then tries a first sync. If the response was lost, repeat it with the same code.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an address that is wrong or redirects to another (`server_url`), or a wrong, used or expired code;
    /// [`Error::Refused`] if enrolled; [`Error::Unavailable`], also after [`Self::cancel_sync`].
    pub fn enrol(
        &self,
        transport: &dyn Transport,
        server_url: &str,
        code: &str,
        model: &str,
    ) -> Result<Session, Error> {
        self.enrol_with(transport, server_url, code, model, self.ticket())
    }

    /// Enrols as [`Self::enrol`], with a ticket from before the call, because it had to wait for its turn.
    ///
    /// # Errors
    /// As [`Self::enrol`].
    pub fn enrol_with(
        &self,
        transport: &dyn Transport,
        server_url: &str,
        code: &str,
        model: &str,
        ticket: SyncTicket,
    ) -> Result<Session, Error> {
        let already = "this device is enrolled already: a new organisation needs a data folder of its own";
        if self.identity().installation.is_some() {
            return Err(Error::not_allowed(already));
        }
        let server_url = normalize_server_url(server_url).map_err(|wrong| Error::invalid("server_url", wrong))?;
        // Normalised: the same code typed differently must find the key of the earlier attempt.
        let code: EnrolCode = code.parse().map_err(|wrong| Error::invalid("code", wrong))?;
        let code = code.to_string();
        let model = check_text(model, false).map_err(|wrong| Error::invalid("model", wrong))?;
        let fresh = SigningKey::from_bytes(&self.environment.random());
        let key = self.store.write(|db| installation::enrolling_key(db, &code, fresh))?;
        let request = unsigned_request(&server_url, path::ENROL, &EnrolRequest::new(&code, &key, &model))?;
        let sent_ms = self.environment.clock.boot_ms();
        // Not ended by closing the client: the code may be redeemed already.
        let must_stop = || self.cancellations.load(Ordering::Acquire) != ticket.cancellations;
        if must_stop() {
            return Err(TransportError::interrupted("stopped before the request").into());
        }
        let response = transport.send(&request, &must_stop)?;
        require_no_redirect(&response, path::ENROL)?;
        let enrolment = enrolment(&response, &key)?;
        // In one transaction, because a repeated call would need the key that `save` deletes.
        self.note_contact(enrolment.server_time, sent_ms, |db| {
            if installation::load(db)?.is_some() {
                return Err(Error::not_allowed(already));
            }
            Ok(installation::save(db, &key, &server_url, &enrolment)?)
        })?;
        self.refresh_identity()?;
        self.events.changed(&Topic::ALL);
        // The phone is enrolled now. If this first sync fails, the session has no grant until a later one.
        let first = SyncOptions { is_manual: true, ticket: Some(ticket), ..SyncOptions::default() };
        drop(self.sync_with(transport, &first, &|_| ()));
        self.session().ok_or_else(|| Error::Internal { reason: "no session after enrolment".into() })
    }
}

/// Requires that a response is no redirect to another address of the same server, such as from HTTP to HTTPS.
pub(super) fn require_no_redirect(response: &WireResponse, path: &str) -> Result<(), Error> {
    match response.redirected_server(path) {
        Some(to) => Err(Error::invalid("server_url", format!("this address leads to {to}: use that one"))),
        None => Ok(()),
    }
}
