//! Command that runs the server until it is stopped.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use clap::Args;
use farmtally_core::store::file::private;
use farmtally_sync_server::{Error, MAX_LISTENERS, Server, is_locked, serve};

use crate::data::{Data, NO_ORGANISATION};
use crate::output::print;

/// Run the server: answer phones, and show the office's page
#[derive(Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    data: Data,
    /// The address to listen on; the page has no sign-in yet, so put a proxy in front before opening it to others
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// The port to listen on; 0 chooses a free one
    #[arg(long, default_value_t = 8484)]
    port: u16,
    /// How many phones may listen for new entries at the same time; each holds a connection
    #[arg(long, value_name = "N", default_value_t = MAX_LISTENERS)]
    listeners: usize,
}

impl Serve {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let filter = tracing_subscriber::EnvFilter::builder();
        let filter = filter.with_default_directive(tracing::Level::INFO.into()).from_env_lossy();
        tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).init();
        let server = self.data.open_existing_with(|warning| tracing::warn!("{warning}"))?;
        if server.organisations()?.is_empty() {
            anyhow::bail!("{NO_ORGANISATION}");
        }
        let folder = &self.data.data;
        let path = folder.join("serve.lock");
        let lock = private(File::options().write(true).create(true).truncate(true)).open(&path);
        let lock = lock.map_err(Error::io(&path.display()))?;
        if !is_locked(&path, lock.try_lock())? {
            anyhow::bail!("another process serves {} already", folder.display());
        }
        server.limit_listeners(self.listeners);
        let server = Arc::new(server);
        // Opened and dropped outside of the runtime, because the PostgreSQL client blocks.
        tokio::runtime::Runtime::new()?.block_on(answer(Arc::clone(&server), self.host, self.port))
    }
}

/// Answers requests until the program is asked to stop.
async fn answer(server: Arc<Server>, host: IpAddr, port: u16) -> anyhow::Result<()> {
    let mut running = serve(server, host, port).await?;
    let address = running.address();
    tracing::info!(%address, "listening");
    // A caller that asked for port 0 reads the address here.
    print(&format_args!("http://{address}/"))?;
    tokio::select! {
        ended = running.wait() => Ok(ended?),
        () = asked_to_stop() => {
            tracing::info!("stopping");
            Ok(running.stop().await?)
        }
    }
}

/// Waits for Ctrl-C or SIGTERM.
async fn asked_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = tokio::signal::ctrl_c() => return,
            }
        }
    }
    // Without a signal handler, Ctrl-C still ends the program, but running requests are cut off.
    drop(tokio::signal::ctrl_c().await);
}
