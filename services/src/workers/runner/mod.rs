//! Runs what was asked: from the log into the queue, from the queue to attempts, and back.

mod attempt;
mod attempts;
mod events;
mod inputs;
mod start_failure;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::run::{RequestedRun, Run, RunEvent, Target, Work};
use domain::{RunId, ServerId, WorkspaceId};
use infra::event_store::Executor;
use infra::log::{Recorded, Worker, WorkerError};
use infra::postgres::PgError;
use infra::run_queue::{NewTask, RunQueue};
use tokio_postgres::Transaction;

pub(super) use attempts::Attempts;
pub(super) use sweep::sweep_secrets;

use super::Wake;
use super::timer::Timers;
use crate::wiring::App;

const LOOK_EVERY: Duration = Duration::from_millis(500);
const RENEW_EVERY: Duration = Duration::from_secs(1);

/// Lets the attempts of this node take tasks and keep them.
pub(super) fn keep_going(timers: &mut Timers, attempts: &Attempts, wake: Wake) {
    let (taking, again) = (attempts.clone(), wake.clone());
    timers.on_every_node("run tasks", LOOK_EVERY, Some(wake), move |_| {
        let (taking, again) = (taking.clone(), again.clone());
        async move {
            if taking.take().await? {
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

/// Puts down a task for each attempt that the log asks for, and tells attempts of cancellations.
pub(super) struct RunDispatcher {
    queue: RunQueue,
    executor: Executor,
    wake: Wake,
}

impl RunDispatcher {
    pub(super) fn new(app: &App, wake: &Wake) -> Self {
        Self { queue: app.run_queue.clone(), executor: app.executor.clone(), wake: wake.clone() }
    }

    /// The run as it is by now: what has ended meanwhile needs no task.
    async fn put(
        &self,
        event: &Recorded,
        tx: &Transaction<'_>,
        servers: &[ServerId],
    ) -> Result<(), WorkerError> {
        let run = self.run(event).await?;
        let Some(requested) = run.requested() else { return Ok(()) };
        for server in servers {
            match requested.targets.get(server) {
                Some(target) if !target.is_ended() => {
                    self.queue.put(tx, &new_task(event, requested, *server, target)).await?;
                }
                Some(_) | None => {}
            }
        }
        self.wake.notify_one();
        Ok(())
    }

    /// Only what is still to be cancelled: a later attempt is none of it.
    async fn cancel(
        &self,
        event: &Recorded,
        tx: &Transaction<'_>,
        run: RunId,
    ) -> Result<(), WorkerError> {
        let state = self.run(event).await?;
        for (server, target) in state.requested().into_iter().flat_map(|run| &run.targets) {
            if target.cancelling && !target.is_ended() {
                self.queue.cancel(tx, run, *server, target.attempt).await?;
            }
        }
        self.wake.notify_one();
        Ok(())
    }

    async fn run(&self, event: &Recorded) -> Result<Arc<Run>, WorkerError> {
        let loaded = self.executor.load::<Run>(event.tenant(), event.stream_id()).await;
        Ok(loaded.map_err(|error| WorkerError::Unavailable(error.to_string()))?.state)
    }
}

fn new_task(event: &Recorded, run: &RequestedRun, server: ServerId, target: &Target) -> NewTask {
    NewTask {
        run: RunId(event.stream_id()),
        server,
        attempt: target.attempt,
        workspace: WorkspaceId(event.tenant().0),
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
        &["run.requested", "run.retried", "run.cancel_requested", "run.cancelled"]
    }

    async fn react(&self, event: &Recorded, tx: &Transaction<'_>) -> Result<(), WorkerError> {
        let run = RunId(event.stream_id());
        match event.decode()? {
            RunEvent::Requested { servers, .. } | RunEvent::Retried { servers, .. } => {
                self.put(event, tx, &servers).await?;
            }
            RunEvent::CancelRequested { .. } => {
                self.cancel(event, tx, run).await?;
            }
            RunEvent::Cancelled { server, attempt, .. } => {
                self.queue.delete_queued(tx, run, server, attempt).await?;
            }
            RunEvent::Dispatched { .. }
            | RunEvent::Started { .. }
            | RunEvent::Reattached { .. }
            | RunEvent::Succeeded { .. }
            | RunEvent::Failed { .. }
            | RunEvent::TimedOut { .. }
            | RunEvent::Lost { .. }
            | RunEvent::LogSealed { .. } => {}
        }
        Ok(())
    }
}
