//! The office: a real server on a free loopback port.
//!
//! Phones block, so they are used from the main thread, never within the server's runtime.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use farmtally_core::permission::Role;
use farmtally_core::units::{Money, OrganisationId};
use farmtally_sync_server::{Day, Running, Server, serve};
use tokio::runtime::Runtime;

use crate::market::{DayClock, INDIA_MINUTES, Market};
use crate::phone::Phone;

/// A running server with one organisation, the market.
pub(crate) struct Office {
    server: Arc<Server>,
    running: Running,
    runtime: Runtime,
    organisation: OrganisationId,
    market: Market,
    /// The folder of all data: the server's, and one for each phone.
    pub(crate) folder: PathBuf,
}

impl Office {
    /// Opens a server in `folder`, which must be empty, publishes the market's reference data, and begins to serve.
    pub(crate) fn open(folder: &Path, market: &Market, lorries: usize, clock: &Arc<DayClock>) -> anyhow::Result<Self> {
        let server = Arc::new(Server::open(&folder.join("server"), clock.environment())?);
        let name = format!("{} market", market.name);
        let organisation =
            server.create_organisation(&name, &"IN".parse()?, INDIA_MINUTES, None, &market.reference(lorries)?)?;
        let runtime = Runtime::new().context("cannot start threads for the server")?;
        let running = runtime.block_on(serve(Arc::clone(&server), IpAddr::V4(Ipv4Addr::LOCALHOST), 0))?;
        Ok(Self { server, running, runtime, organisation, market: market.clone(), folder: folder.to_owned() })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.running.address())
    }

    /// Creates a code with which one phone can enrol, once, and the user if there is none of this name.
    pub(crate) fn enrolment_code(&self, user: &str, role: Role) -> anyhow::Result<String> {
        let centres = [self.market.centre.clone()];
        Ok(self.server.create_code(self.organisation, user, role, &centres)?)
    }

    /// Leases an amount in minor units to the user of a phone for the market day.
    pub(crate) fn lease(&self, phone: &Phone, amount: Money) -> anyhow::Result<()> {
        let session = phone.client.session().context("not enrolled")?;
        let (device, user) = (session.device_code, session.user_id);
        self.server.lease(self.organisation, device, user, amount, self.market.date)?;
        Ok(())
    }

    /// The server's totals of the market day.
    pub(crate) fn day(&self) -> anyhow::Result<Day> {
        Ok(self.server.day(self.organisation, Some(self.market.date))?)
    }

    pub(crate) fn serve_until_ctrl_c(&mut self) -> anyhow::Result<()> {
        let Self { runtime, running, .. } = self;
        runtime.block_on(async {
            tokio::select! {
                ended = running.wait() => Ok(ended?),
                asked = tokio::signal::ctrl_c() => asked.context("cannot wait for Ctrl-C"),
            }
        })
    }

    /// Stops the server, and waits until it has.
    pub(crate) fn close(self) -> anyhow::Result<()> {
        Ok(self.runtime.block_on(self.running.stop())?)
    }
}
