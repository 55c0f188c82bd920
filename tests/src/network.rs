//! A network that loses, repeats and delays.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use farmtally_core::sync::{Transport, TransportError, WireRequest, WireResponse};
use farmtally_sync_server::Server;

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It arrives, and so does the answer.
    None,
    /// It never arrives.
    RequestLost,
    /// It arrives; the answer does not.
    ResponseLost,
    /// It arrives twice; the second answer comes back.
    Duplicated,
    /// It gets stuck, the phone gives up, and it arrives before some later request of anybody.
    Delayed,
    /// The answer is cut in the middle.
    ResponseCut,
    /// One bit of the answer flips.
    ResponseBent,
}

/// Where the server is found, whichever stands there.
pub type Address = Arc<RwLock<Arc<Server>>>;

/// Leads to the server, with faults as planned.
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

    /// What happens to the next requests; after that nothing does.
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
