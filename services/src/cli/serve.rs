//! `lethe serve`, `lethe api` and `lethe work`: starts, says where everything is, stops in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use infra::metrics::Metrics;
use tokio::task::JoinHandle;

use super::CliError;
use super::places;
use super::stop::Stop;
use crate::config::Config;
use crate::databases::Databases;
use crate::metrics;

/// What this process runs.
#[derive(Clone, Copy)]
pub struct Parts {
    pub api: bool,
    pub readers: bool,
}

impl Parts {
    pub const ALL: Self = Self { api: true, readers: true };
    pub const API: Self = Self { api: true, readers: false };
    pub const WORK: Self = Self { api: false, readers: true };
}

/// What was started, and is stopped in the opposite order.
pub(super) struct Running {
    pub databases: Databases,
    metrics: Listener,
}

struct Listener {
    at: SocketAddr,
    handle: ServerHandle,
    task: JoinHandle<std::io::Result<()>>,
}

pub async fn run(config: Arc<Config>, parts: Parts) -> Result<(), CliError> {
    let stop = Stop::on_signals()?;
    let running = tokio::select! {
        running = Running::start(&config, parts) => running?,
        // What was started so far stops as it is dropped.
        () = stop.asked() => return Ok(()),
    };
    places::say_where(&config, &running);
    let ended = tokio::select! {
        () = stop.asked() => Ok(()),
        () = running.databases.ended() => {
            Err(CliError::Failed("PostgreSQL has stopped; its log says why".to_owned()))
        }
    };
    tracing::info!("stopping");
    running.stop(&config).await;
    ended
}

impl Running {
    async fn start(config: &Config, _parts: Parts) -> Result<Self, CliError> {
        let metrics = Arc::new(Metrics::new()?);
        let listener = Listener::spawn(metrics::listen(config.metrics_listen, metrics.clone())?);
        let databases = Databases::own(config).await?;
        databases.migrate().await?;
        Ok(Self { databases, metrics: listener })
    }

    pub(super) fn metrics_at(&self) -> SocketAddr {
        self.metrics.at
    }

    async fn stop(self, config: &Config) {
        let _limit = Duration::from_secs(u64::from(config.drain_seconds));
        self.metrics.stop().await;
        self.databases.close().await;
    }
}

impl Listener {
    fn spawn((server, at): (Server, SocketAddr)) -> Self {
        Self { at, handle: server.handle(), task: tokio::spawn(server) }
    }

    /// Takes no more connections, and waits for the requests under way as long as it was built to.
    async fn stop(self) {
        self.handle.stop(true).await;
        if let Err(error) = self.task.await {
            tracing::error!(%error, "a listener did not end well");
        }
    }
}
