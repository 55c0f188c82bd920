//! The office: a real server on a free loopback port, over real HTTP.
//!
//! Owns the server, the runtime it answers on, and the folders of all. Phones block, so they are driven from the main thread, never inside the runtime.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use farmtally_core::permission::Role;
use farmtally_core::store::rows::Sum;
use farmtally_core::units::OrganisationId;
use farmtally_sync_server::{NewCode, Running, Server, serve};
use tokio::runtime::Runtime;

use crate::clock::{DayClock, INDIA_MINUTES, environment};
use crate::market::Market;
use crate::phone::{Pace, Phone};

/// The stream of chance that is the server's; phones have the next ones.
const SERVER_STREAM: u64 = 0;

/// The office of a market.
pub(crate) struct Office {
    server: Arc<Server>,
    running: Running,
    runtime: Runtime,
    organisation: OrganisationId,
    market: Market,
    clock: Arc<DayClock>,
    folder: PathBuf,
    seed: u64,
}

impl Office {
    /// Opens the office in a folder, with a server that answers.
    pub(crate) fn open(
        folder: &Path,
        market: &Market,
        lorries: usize,
        clock: &Arc<DayClock>,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let server = Server::open(&folder.join("server"), environment(clock, seed, SERVER_STREAM))?;
        let name = format!("{} market", market.name);
        let organisation = server.create_organisation(&name, INDIA_MINUTES, &market.reference(lorries)?)?;
        let server = Arc::new(server);
        let runtime = Runtime::new().context("threads for the server")?;
        let running = runtime.block_on(serve(Arc::clone(&server), IpAddr::V4(Ipv4Addr::LOCALHOST), 0))?;
        let (market, clock, folder) = (market.clone(), Arc::clone(clock), folder.to_owned());
        Ok(Self { server, running, runtime, organisation, market, clock, folder, seed })
    }

    /// Where the server listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.running.address())
    }

    /// Gives somebody a phone: a folder of its own, keys of its own, enrolled with a code.
    pub(crate) fn hires(&self, name: &'static str, role: Role, stream: u64, pace: Pace) -> anyhow::Result<Phone> {
        let new = NewCode { user: name.to_owned(), role, centres: vec![self.market.centre.clone()] };
        let code = self.server.create_code(self.organisation, &new)?;
        let environment = environment(&self.clock, self.seed, SERVER_STREAM + stream);
        let folder = self.folder.join(name.to_lowercase());
        Phone::enrol(name, folder, environment, &self.clock, &self.market, pace, &self.url(), &code)
            .with_context(|| format!("{name} cannot enrol"))
    }

    /// What the server has of the day, and how many entries it holds for a person.
    pub(crate) fn day(&self) -> anyhow::Result<(Sum, usize)> {
        let day = self.server.day(self.organisation, Some(self.market.date))?;
        let mut sum = Sum::default();
        for centre in &day.centres {
            sum.deliveries += centre.sum.deliveries;
            sum.voided += centre.sum.voided;
            sum.bags += centre.sum.bags;
            sum.gross = sum.gross + centre.sum.gross;
        }
        Ok((sum, day.held_entries()))
    }

    /// Answers until somebody asks to stop, with Ctrl-C or as service managers do.
    pub(crate) fn serve_until_asked(&mut self) -> anyhow::Result<()> {
        let Self { runtime, running, .. } = self;
        runtime.block_on(async {
            tokio::select! {
                ended = running.wait() => Ok(ended?),
                asked = asked_to_stop() => asked.context("cannot listen for Ctrl-C"),
            }
        })
    }

    /// Stops the server and waits for its end.
    pub(crate) fn close(self) -> anyhow::Result<()> {
        Ok(self.runtime.block_on(self.running.stop())?)
    }
}

async fn asked_to_stop() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            asked = tokio::signal::ctrl_c() => asked,
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
