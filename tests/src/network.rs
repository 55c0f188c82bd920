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
    /// The phone times out; the request arrives just before the next request, of any phone, that arrives.
    Delayed,
    /// Only the first half of the response's body arrives.
    ResponseCut,
    /// One bit in the middle of the response's body flips; panics if the body is empty.
    ResponseBent,
}

/// The running server, shared by all networks that lead to it, and replaced when it restarts.
pub type CurrentServer = Arc<RwLock<Arc<Server>>>;

/// A connection to the server, with planned faults.
pub struct Network {
    server: CurrentServer,
    plan: Mutex<VecDeque<Fault>>,
    stuck: Arc<Mutex<Vec<WireRequest>>>,
}

impl Network {
    /// A network without planned faults. Networks with the same `stuck` share their delayed requests.
    pub fn new(server: CurrentServer, stuck: Arc<Mutex<Vec<WireRequest>>>) -> Self {
        Self { server, plan: Mutex::default(), stuck }
    }

    /// Plans the faults of the next requests, of which one sync sends several, in place of any plan; later requests have none.
    pub fn plan(&self, faults: &[Fault]) {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        plan.clear();
        plan.extend(faults);
    }
}

fn lost(reason: &str) -> TransportError {
    TransportError::interrupted(reason.to_owned())
}

impl Transport for Network {
    fn send(&self, request: &WireRequest, _: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        let fault = self.plan.lock().unwrap_or_else(PoisonError::into_inner).pop_front().unwrap_or(Fault::None);
        if fault == Fault::RequestLost {
            return Err(TransportError::no_connection("lost"));
        }
        if fault == Fault::Delayed {
            self.stuck.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
            return Err(lost("stuck"));
        }
        let server = Arc::clone(&self.server.read().unwrap_or_else(PoisonError::into_inner));
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
