//! A network that loses, repeats and delays requests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use farmtally_core::sync::{Transport, TransportError, WireRequest, WireResponse};
use farmtally_sync_server::Server;

/// A fault of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request and its response arrive unchanged.
    None,
    /// The request is lost.
    RequestLost,
    /// The request arrives; the response is lost.
    ResponseLost,
    /// The request arrives twice; the second response is returned.
    Duplicated,
    /// The phone times out; the request arrives before some later request of any phone.
    Delayed,
    /// The response is cut in half.
    ResponseCut,
    /// One bit of the response flips.
    ResponseBent,
}

/// The server that requests reach, replaced when it restarts.
pub type Address = Arc<RwLock<Arc<Server>>>;

/// A connection to the server, with planned faults.
pub struct Network {
    address: Address,
    plan: Mutex<VecDeque<Fault>>,
    stuck: Arc<Mutex<Vec<WireRequest>>>,
}

impl Network {
    /// A network without faults.
    pub fn new(address: Address, stuck: Arc<Mutex<Vec<WireRequest>>>) -> Self {
        Self { address, plan: Mutex::default(), stuck }
    }

    /// Plans the faults of the next requests; requests after those have none.
    pub fn plan(&self, faults: &[Fault]) {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        plan.clear();
        plan.extend(faults);
    }
}

fn lost(reason: &str) -> TransportError {
    TransportError { reason: reason.to_owned() }
}

impl Transport for Network {
    fn send(&self, request: &WireRequest) -> Result<WireResponse, TransportError> {
        let fault = self.plan.lock().unwrap_or_else(PoisonError::into_inner).pop_front().unwrap_or(Fault::None);
        if fault == Fault::RequestLost {
            return Err(lost("lost"));
        }
        if fault == Fault::Delayed {
            self.stuck.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
            return Err(lost("stuck"));
        }
        let server = Arc::clone(&self.address.read().unwrap_or_else(PoisonError::into_inner));
        for late in self.stuck.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            server.respond(&late);
        }
        let mut response = server.respond(request);
        match fault {
            Fault::ResponseLost => return Err(lost("answer lost")),
            Fault::Duplicated => response = server.respond(request),
            Fault::ResponseCut => response.body.truncate(response.body.len() / 2),
            Fault::ResponseBent => {
                let middle = response.body.len() / 2;
                response.body[middle] ^= 0x10;
            }
            Fault::None | Fault::RequestLost | Fault::Delayed => {}
        }
        Ok(response)
    }
}
