//! Watches the servers that Lethe may connect to: each by one node, over a connection that stays open
//! and is replaced now and then. Samples go to a table of their own; an event is appended only when a server
//! becomes reachable or unreachable, or nobody watches it any more.

mod opinion;
mod patience;
mod report;
mod rounds;
mod watch;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use domain::server::{Server, ServerEvent, Watch};
use domain::{ServerId, WorkspaceId};
use infra::event_store::Executor;
use infra::log::{Recorded, Worker, WorkerError};
use infra::monitors::Monitors;
use infra::postgres::PgError;
use infra::postgres::Transaction;
use infra::server_credentials::ServerCredentials;

pub(super) use rounds::Rounds;

use super::due::{Due, SELDOM};
use super::timer::{Timers, Wake};
use crate::wiring::App;

/// Keeps a row for each server that is to be watched, and deletes private keys that are replaced or
/// whose server is removed.
pub(super) struct ServerMonitor {
    executor: Executor,
    monitors: Monitors,
    credentials: ServerCredentials,
    wake: Wake,
}

impl ServerMonitor {
    pub(super) fn new(app: &App, wake: &Wake) -> Self {
        Self {
            executor: app.executor.clone(),
            monitors: app.monitors.clone(),
            credentials: app.server_credentials.clone(),
            wake: wake.clone(),
        }
    }

    /// Uses the newest state, which may be ahead of the event: later events repeat this.
    async fn follow(
        &self,
        event: &Recorded,
        (server, state): (ServerId, &Server),
        tx: &Transaction<'_>,
    ) -> Result<(), WorkerError> {
        let workspace = WorkspaceId(event.tenant().0);
        let usable = state.live().filter(|live| live.is_usable());
        match usable.map(|live| live.watch) {
            None => self.monitors.delete_server(tx, server).await?,
            Some(Watch::Stopped { .. }) => self.monitors.stop(tx, workspace, server).await?,
            // Who watches it goes on.
            Some(Watch::On) if event.event_type() == "server.reachable" => {
                self.monitors.resume(tx, server).await?;
            }
            Some(Watch::On) => self.monitors.watch(tx, workspace, server).await?,
        }
        self.wake.notify_one();
        Ok(())
    }
}

#[async_trait]
impl Worker for ServerMonitor {
    fn name(&self) -> &'static str {
        "server_monitor"
    }

    fn event_types(&self) -> &'static [&'static str] {
        &[
            "server.host_key_approved",
            "server.host_key_mismatched",
            "server.credential_attached",
            "server.credential_rotated",
            "server.address_changed",
            "server.reachable",
            "server.watch_stopped",
            "server.removed",
            "workspace.deleted",
        ]
    }

    async fn react(&self, event: &Recorded, tx: &Transaction<'_>) -> Result<(), WorkerError> {
        if event.event_type() == "workspace.deleted" {
            let workspace = WorkspaceId(event.tenant().0);
            self.credentials.delete_of_workspace(workspace).await?;
            return Ok(self.monitors.delete_workspace(tx, workspace).await?);
        }
        let server = ServerId(event.stream_id());
        let loaded = self.executor.load::<Server>(event.tenant(), server.0).await?;
        match event.decode()? {
            ServerEvent::CredentialAttached { credential, .. }
            | ServerEvent::CredentialRotated { credential, .. } => {
                let current = loaded.state.live().and_then(|live| live.credential);
                if current.is_some_and(|current| current.id == credential) {
                    self.credentials.name(server, credential).await?;
                } else {
                    self.credentials.delete(credential).await?;
                }
            }
            ServerEvent::Deleted {} => {
                self.credentials.delete_of_server(server).await?;
            }
            ServerEvent::Registered { .. }
            | ServerEvent::Renamed { .. }
            | ServerEvent::HostKeyObserved { .. }
            | ServerEvent::HostKeyApproved { .. }
            | ServerEvent::HostKeyMismatched { .. }
            | ServerEvent::HostKeysAnnounced { .. }
            | ServerEvent::AddressChanged { .. }
            | ServerEvent::Reachable {}
            | ServerEvent::Unreachable { .. }
            | ServerEvent::WatchStopped { .. }
            | ServerEvent::DeploymentConfigured { .. }
            | ServerEvent::DeploymentDeleted { .. } => {}
        }
        self.follow(event, (server, &loaded.state), tx).await
    }
}

/// Starts the timers: monitoring on every node, retention on one. A round is woken with each look while there is a
/// server to watch, or this node watches one.
pub(super) fn start_timers(timers: &mut Timers, rounds: &Rounds, due: &Due) {
    let (rounds, watching) = (rounds.clone(), Arc::clone(&due.watching));
    timers.on_every_node("server monitor", SELDOM, Some(due.monitors.clone()), move |app| {
        let (rounds, watching) = (rounds.clone(), Arc::clone(&watching));
        async move {
            let watches = rounds.round(app).await?;
            watching.store(watches, Ordering::Relaxed);
            Ok::<(), PgError>(())
        }
    });
    timers.on_one_node("server samples", Duration::from_mins(10), None, delete_samples);
}

/// Deletes the partitions that are older than `sample_days`.
async fn delete_samples(app: App) -> Result<(), PgError> {
    app.monitors.delete_days(app.config.sample_days).await.map(drop)
}
