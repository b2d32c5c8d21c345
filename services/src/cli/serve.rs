//! `lethe serve`, `lethe api` and `lethe work`: starts, prints where everything is, stops in order.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use infra::descriptors;
use infra::keyring::KeyringWentBack;
use infra::log::watermark::WentBack;
use infra::log::{ReaderOptions, Readers, Wake};
use infra::metrics::Metrics;
use infra::postgres::Cluster;
use infra::supervise;
use tokio::task::JoinHandle;

use super::CliError;
use super::listener::Listener;
use super::places;
use super::sockets::Sockets;
use super::stop::Stop;
use crate::api::after_answer::{AfterAnswer, Appending};
use crate::config::Config;
use crate::databases::{Databases, DatabasesError};
use crate::readiness::ReadinessCheck;
use crate::wiring::{App, Creation};
use crate::workers::{self, Workers};
use crate::{api, gauges, metrics};

const WRITE_DOWN_AGAIN: Duration = Duration::from_secs(1);

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

    /// `lethe serve` alone makes databases and root keys: one half of an installation would make them
    /// from a mistyped name or path.
    fn creation(self) -> Creation {
        if self.api && self.readers { Creation::All } else { Creation::MailFolder }
    }
}

async fn databases(config: &Config, parts: Parts) -> Result<Databases, DatabasesError> {
    match parts.creation() {
        Creation::All => Databases::own(config).await,
        Creation::MailFolder | Creation::Nothing => Databases::existing(config).await,
    }
}

/// What was started, and is stopped in the opposite order.
pub(super) struct Running {
    pub databases: Databases,
    pub api: Option<Listener>,
    after_answer: Option<Appending>,
    pub metrics: Listener,
    app: App,
    gauges: JoinHandle<()>,
    keeping: JoinHandle<()>,
    wake: Wake,
    readers: Option<(Workers, Readers)>,
}

pub async fn run(config: Arc<Config>, parts: Parts) -> Result<(), CliError> {
    let stop = Stop::on_signals()?;
    // How many servers are watched is not known yet: the doctor counts them, and an alert looks at what is open.
    let limits = descriptors::raise(config.descriptors_needed(0));
    // Before anything is made: a port that is in use is refused without a trace.
    let sockets = Sockets::bind(&config, parts.api)?;
    let databases = tokio::select! {
        databases = databases(&config, parts) => databases?,
        // What was started so far stops as it is dropped.
        () = stop.requested() => return Ok(()),
    };
    let mut running = tokio::select! {
        running = Running::start(&config, databases, parts, sockets) => running?,
        () = stop.requested() => return Ok(()),
    };
    let cluster = running.databases.cluster.as_ref().map(Cluster::dir);
    let api = running.api.as_ref().map(|api| api.at);
    places::say_where(&config, limits, cluster, running.metrics.at, api);
    let ended = tokio::select! {
        () = stop.requested() => Ok(()),
        () = running.databases.ended() => {
            let log = config.cluster_dir().join("postgres.log");
            Err(CliError::Failed(format!("PostgreSQL has stopped: {} says why", log.display())))
        }
        why = running.went_back() => {
            running.stop_readers().await;
            running.write_down(why, &stop).await;
            Err(CliError::WentBack(why))
        }
        why = running.keyring_went_back() => {
            tracing::error!("{why}");
            running.stop_readers().await;
            Err(CliError::KeyringWentBack(why))
        }
    };
    tracing::info!("stopping");
    Box::pin(running.stop(drain(&config))).await;
    ended
}

impl Running {
    async fn start(
        config: &Arc<Config>,
        databases: Databases,
        parts: Parts,
        sockets: Sockets,
    ) -> Result<Self, CliError> {
        let metrics = Arc::new(Metrics::new()?);
        // What takes long before anything is served can be seen, too.
        let started = metrics::Started::default();
        let metrics_server = Listener::spawn(metrics::serve(
            sockets.metrics,
            Arc::clone(&metrics),
            Arc::clone(&started),
        )?);
        if parts.creation() != Creation::All {
            databases.refuse_without_schema().await?;
        }
        databases.migrate(false).await?;
        let listens = sockets.api.as_ref().map_or(Ok(config.listen), TcpListener::local_addr)?;
        let public_url = config.public_url_at(listens);
        let app =
            App::start(Arc::clone(config), &databases, metrics, &public_url, parts.creation())
                .await?;
        let prepared = workers::prepare(&app, &databases.keyring).await;
        prepared.map_err(|error| start_failure(&app, CliError::Failed(error)))?;
        let readiness = ReadinessCheck::start(&app, &databases).await?;
        let wake = Wake::start(databases.direct.clone(), app.executor.appended());
        let readers = if parts.readers {
            Some(read(&app, &wake).await.map_err(|error| start_failure(&app, error))?)
        } else {
            None
        };
        let mut after_answer = None;
        let api = match sockets.api {
            Some(listener) => {
                let (places, appending) = AfterAnswer::start(&app);
                after_answer = Some(appending);
                let (app, readiness) = (app.clone(), readiness.clone());
                Some(api::serve(app, readiness, places, listener, drain(config))?)
            }
            None => None,
        };
        started.get_or_init(|| readiness);
        Ok(Self {
            databases,
            api: api.map(Listener::spawn),
            after_answer,
            metrics: metrics_server,
            gauges: gauges::start(app.clone()),
            // A node without readers looks at the log for nothing else.
            keeping: supervise::spawn("watermark", app.watermark.clone().keep(!parts.readers)),
            app,
            wake,
            readers,
        })
    }

    async fn went_back(&self) -> WentBack {
        let mut went_back = self.app.watermark.watermark().went_back();
        match went_back.wait_for(Option::is_some).await.map(|why| *why) {
            Ok(Some(why)) => why,
            // The sender lives as long as the app.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    async fn keyring_went_back(&self) -> KeyringWentBack {
        let mut went_back = self.app.keyring.went_back();
        match went_back.wait_for(Option::is_some).await.map(|why| why.clone()) {
            Ok(Some(why)) => why,
            // The sender lives as long as the app.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// For the next start. Until it is written down this process stays, and serves nothing: where the
    /// keyring's database went back too, nobody else knows.
    async fn write_down(&self, why: WentBack, stop: &Stop) {
        tracing::error!("{why}");
        while let Err(error) = self.app.watermark.notice().await {
            tracing::error!(%error, "that the log went back was not written down: tried again");
            tokio::select! {
                () = stop.requested() => return,
                () = tokio::time::sleep(WRITE_DOWN_AGAIN) => {}
            }
        }
    }

    /// And the workers that act by a clock.
    async fn stop_readers(&mut self) {
        if let Some((workers, readers)) = self.readers.take() {
            readers.stop().await;
            workers.stop().await;
        }
    }

    async fn stop(mut self, limit: Duration) {
        self.app.stopping.send_replace(true);
        if let Some(api) = self.api.take() {
            api.stop().await;
        }
        if let Some(after_answer) = self.after_answer.take() {
            after_answer.stop(limit).await;
        }
        self.stop_readers().await;
        self.app.executor.drain(limit).await;
        self.app.watermark.keep_last().await;
        self.gauges.abort();
        self.keeping.abort();
        // It was aborted: all that is waited for is that it lets go of the pools.
        let _ = self.gauges.await;
        let _ = self.keeping.await;
        drop(self.wake);
        self.metrics.stop().await;
        drop(self.app);
        self.databases.close().await;
    }
}

async fn read(app: &App, wake: &Wake) -> Result<(Workers, Readers), CliError> {
    let workers = Workers::start(app);
    let mut all = projections::all();
    all.extend(workers.readers());
    let (heads, options) = (wake.heads(), ReaderOptions::of(app.node));
    let metrics = Arc::clone(&app.metrics);
    let positions = app.read_positions.clone();
    let (pool, known) = (app.pool.clone(), app.watermark.watermark().clone());
    let readers = Readers::start(pool, heads, all, options, metrics, positions, known).await?;
    Ok((workers, readers))
}

/// A start may find that the log went back where it looks for something else. The row of the keyring stays:
/// the next start compares the log with it, and deals with it.
fn start_failure(app: &App, error: CliError) -> CliError {
    match app.watermark.watermark().check() {
        Err(why) => {
            tracing::error!(%error, "this start failed");
            CliError::WentBack(why)
        }
        Ok(()) => error,
    }
}

fn drain(config: &Config) -> Duration {
    Duration::from_secs(config.drain_seconds.into())
}
