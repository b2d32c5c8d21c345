//! Executes runs: requests go from the log into the queue, a node claims them and makes attempts, and
//! the results go back into the log.

mod attempt;
mod attempts;
mod events;
mod given_up;
mod inputs;
mod leftovers;
mod old;
mod place;
mod requester;
mod resumed;
mod start_failure;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::run::{RequestedRun, Run, RunEvent, Target, Work};
use domain::workspace::{Role, WorkspaceEvent};
use domain::{RunId, ServerId, WorkspaceId};
use infra::log::{Recorded, Worker, WorkerError};
use infra::postgres::PgError;
use infra::postgres::Transaction;
use infra::run_queue::NewTask;

pub(super) use attempts::Attempts;
#[cfg(test)]
pub(super) use inputs::RunInputs;
pub(super) use leftovers::{remove_leftovers, sweep_server};
use old::cancel_old;
pub(super) use resumed::resume_forgotten;
pub(super) use sweep::SecretsSweep;

use super::Wake;
use super::due::SELDOM;
use super::timer::Timers;
use crate::wiring::App;

const RENEW_EVERY: Duration = Duration::from_secs(1);

/// Starts the timers that claim tasks and renew their leases.
pub(super) fn start_timers(timers: &mut Timers, attempts: &Attempts, wake: Wake) {
    let (claiming, again) = (attempts.clone(), wake.clone());
    timers.on_every_node("run tasks", SELDOM, Some(wake), move |_| {
        let (claiming, again) = (claiming.clone(), again.clone());
        async move {
            if claiming.claim().await? {
                again.notify_one();
            }
            Ok::<(), PgError>(())
        }
    });
    let renewing = attempts.clone();
    timers.on_every_node("run leases", RENEW_EVERY, None, move |_| {
        let renewing = renewing.clone();
        async move { renewing.renew().await }
    });
}

/// Queues a task for each attempt that is requested, marks the tasks that are cancelled, deletes those that are given
/// up, and resumes those of a workspace where runs may begin again.
pub(super) struct RunDispatcher {
    app: App,
    wake: Wake,
}

impl RunDispatcher {
    pub(super) fn new(app: &App, wake: &Wake) -> Self {
        Self { app: app.clone(), wake: wake.clone() }
    }

    /// Uses the newest state of the run: a target that has ended needs no task. Nor does one of which a later attempt is
    /// requested: that has a requester of its own, with whom its own event is read.
    async fn put(
        &self,
        event: &Recorded,
        tx: &Transaction<'_>,
        servers: &[ServerId],
    ) -> Result<(), WorkerError> {
        let run = self.run(event).await?;
        let Some(requested) = run.requested() else { return Ok(()) };
        let executor = &self.app.executor;
        let by = requester::of(executor, event).await?;
        let then = requester::as_requested(executor, event, &run).await?;
        let attempt = |server: &ServerId| Some(then.requested()?.targets.get(server)?.attempt);
        for server in servers {
            match requested.targets.get(server) {
                Some(target) if !target.is_ended() && attempt(server) == Some(target.attempt) => {
                    let task = new_task(event, requested, *server, target);
                    self.app.run_queue.put(tx, &NewTask { requester: by, ..task }).await?;
                }
                Some(_) | None => {}
            }
        }
        if event.position() <= self.app.watermark.restored_through() {
            self.app.run_queue.lose_restored(tx, RunId(event.stream_id())).await?;
        }
        self.wake.notify_one();
        Ok(())
    }

    /// Uses the newest state of the run: a later attempt is not cancelled. One that is lost is looked for at once, also one
    /// before the last.
    async fn cancel(
        &self,
        event: &Recorded,
        tx: &Transaction<'_>,
        run: RunId,
    ) -> Result<(), WorkerError> {
        let state = self.run(event).await?;
        for (server, target) in state.requested().into_iter().flat_map(|run| &run.targets) {
            if target.cancelling && (!target.is_ended() || target.may_run()) {
                self.app.run_queue.cancel(tx, run, *server, target.attempt).await?;
            }
            for earlier in target.earlier.iter().filter(|_| target.cancelling) {
                self.app.run_queue.cancel(tx, run, *server, *earlier).await?;
            }
        }
        self.wake.notify_one();
        Ok(())
    }

    /// Of a deletion that is requested again since, a node sets aside again what it claims. A workspace may have been
    /// without an owner for months: nobody expects what was requested then to begin any more.
    async fn resume(&self, event: &Recorded) -> Result<(), WorkerError> {
        let workspace = WorkspaceId(event.stream_id());
        let decoded: WorkspaceEvent = event.decode()?;
        if let WorkspaceEvent::RoleChanged { account, to: Role::Owner, .. } = decoded {
            cancel_old(&self.app.run_queue, &self.app.executor, event, account).await?;
        } else if decoded != (WorkspaceEvent::DeletionCancelled {}) {
            return Ok(());
        }
        self.app.run_queue.resume(workspace).await?;
        self.wake.notify_one();
        Ok(())
    }

    /// What may be left on a server that is deleted is given up: who looks for it finds that there is no way.
    async fn seek_on_deleted(
        &self,
        event: &Recorded,
        tx: &Transaction<'_>,
    ) -> Result<(), WorkerError> {
        let (workspace, server) = (WorkspaceId(event.tenant().0), ServerId(event.stream_id()));
        self.app.run_queue.hasten_on(tx, workspace, server).await?;
        self.wake.notify_one();
        Ok(())
    }

    async fn run(&self, event: &Recorded) -> Result<Arc<Run>, WorkerError> {
        Ok(self.app.executor.load::<Run>(event.tenant(), event.stream_id()).await?.state)
    }
}

fn new_task(event: &Recorded, run: &RequestedRun, server: ServerId, target: &Target) -> NewTask {
    NewTask {
        run: RunId(event.stream_id()),
        server,
        attempt: target.attempt,
        workspace: WorkspaceId(event.tenant().0),
        requester: None,
        queued_at: event.recorded_at(),
        deployment: match &run.work {
            Work::Deployment { deployment, .. } => Some(*deployment),
            Work::Command { .. } => None,
        },
        secrets: run.secrets,
        timeout_seconds: run.timeout_seconds,
    }
}

#[async_trait]
impl Worker for RunDispatcher {
    fn name(&self) -> &'static str {
        "run_dispatcher"
    }

    fn event_types(&self) -> &'static [&'static str] {
        &[
            "run.requested",
            "run.retried",
            "run.cancel_requested",
            "run.cancelled",
            "run.given_up",
            "server.removed",
            "workspace.deletion_cancelled",
            "workspace.role_changed",
        ]
    }

    async fn react(&self, event: &Recorded, tx: &Transaction<'_>) -> Result<(), WorkerError> {
        if event.stream_type() == "workspace" {
            return self.resume(event).await;
        }
        if event.stream_type() == "server" {
            return self.seek_on_deleted(event, tx).await;
        }
        let run = RunId(event.stream_id());
        match event.decode()? {
            RunEvent::Requested { servers, .. } | RunEvent::Retried { servers, .. } => {
                self.put(event, tx, &servers).await?;
            }
            RunEvent::CancelRequested { .. } => {
                self.cancel(event, tx, run).await?;
            }
            RunEvent::Cancelled { server, attempt, .. } => {
                self.app.run_queue.delete_queued(tx, run, server, attempt).await?;
            }
            RunEvent::GivenUp { server, attempt, .. } => {
                given_up::settle(&self.app, event, (server, attempt)).await?;
                self.wake.notify_one();
            }
            RunEvent::Dispatched { .. }
            | RunEvent::Started { .. }
            | RunEvent::Reattached { .. }
            | RunEvent::Succeeded { .. }
            | RunEvent::Failed { .. }
            | RunEvent::NotStarted { .. }
            | RunEvent::TimedOut { .. }
            | RunEvent::Lost { .. }
            | RunEvent::ProvenGone { .. }
            | RunEvent::SecretNames { .. }
            | RunEvent::EnvironmentGiven { .. }
            | RunEvent::LogSealed { .. } => {}
        }
        Ok(())
    }
}
