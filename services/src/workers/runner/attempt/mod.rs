//! One attempt at one task: continues it from any state to its end, or until another node claims it.

mod clean_up;
mod drive;
mod error;
mod follow;
mod kill;
mod log;
mod settle;
mod way;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use domain::run::{Ending, Failure, LossCause, Run, Settled, Stage, StartCause, Target};
use infra::failpoint;
use infra::postgres::PgError;
use infra::remote::task::TaskId;
use infra::run_log;
use infra::run_queue::Task;
use tokio::sync::watch;

pub(super) use clean_up::{is_removed, name_left};
pub(super) use error::AttemptError;
pub(super) use way::{Reached, Way};

use super::{events, start_failure};
use crate::wiring::App;

const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// A run fails if its server is not reached for this long before the command is started.
const START_WITHIN: Duration = Duration::from_mins(1);
/// The time between two searches for a lost command.
const RECOVER_EVERY: Duration = Duration::from_mins(1);
/// After this time a lost command is not searched for any more.
const RECOVER_WITHIN: Duration = Duration::from_hours(24);

/// How an attempt and the renewal of its lease communicate.
#[derive(Clone)]
pub(super) struct AttemptSignals {
    /// Whether the server answered last time.
    pub reached: Arc<AtomicBool>,
    /// The run is to be cancelled.
    pub cancel: watch::Receiver<bool>,
}

pub(super) struct Attempt {
    app: App,
    task: Task,
    signals: AttemptSignals,
    id: TaskId,
    log: run_log::LogKey,
    /// This node or an earlier one may have sent the start to the server.
    launched: bool,
    /// When the server last answered.
    seen: Instant,
    /// Since when the command does not begin on a server that is reached, and why not.
    delayed: Option<(Instant, StartCause)>,
}

/// What follows a step without an error.
enum Next {
    Again,
    Done,
}

impl Attempt {
    pub fn new(app: App, task: Task, signals: AttemptSignals) -> Self {
        let (run, attempt, server) = (task.run, task.lease.attempt, task.lease.server);
        let now = Instant::now();
        let unseen = counted_unseen(&task, lost_after(&app));
        Self {
            id: TaskId { run, attempt, server },
            log: run_log::LogKey { workspace: task.workspace, run, server, attempt },
            launched: task.launched,
            seen: now.checked_sub(unseen).unwrap_or(now),
            delayed: None,
            app,
            task,
            signals,
        }
    }

    /// Returns when the task is done, or another node has claimed it.
    pub async fn work(mut self) {
        let mut pause = PAUSE_MIN;
        loop {
            let next = match self.step().await {
                Err(AttemptError::Server(cause)) => self.on_unreachable(cause).await,
                Err(AttemptError::ServerDeleted) => self.on_deleted().await,
                Err(AttemptError::RequesterNotAllowed) => self.on_not_allowed().await,
                next => next,
            };
            match next {
                Ok(Next::Again) => pause = PAUSE_MIN,
                Ok(Next::Done) | Err(AttemptError::LeaseLost) => return,
                Err(AttemptError::Erased) => return self.end_erased().await,
                Err(AttemptError::Paused) => return self.set_aside().await,
                Err(error) => {
                    self.mark_unreached();
                    let (run, server) = (self.task.run, self.task.lease.server);
                    tracing::debug!(%run, %server, %error, "an attempt at a run is paused after an error: it continues by itself");
                    let mut cancel = self.signals.cancel.clone();
                    let cancelled = async {
                        // Only a new cancellation ends the pause.
                        if *cancel.borrow() || cancel.wait_for(|cancel| *cancel).await.is_err() {
                            std::future::pending::<()>().await;
                        }
                    };
                    let _ = tokio::time::timeout(pause, cancelled).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    async fn step(&mut self) -> Result<Next, AttemptError> {
        refuse_after_loss(&self.app)?;
        let (lease, run) = (self.task.lease, self.load().await?);
        let requested = run.requested();
        let target = requested.and_then(|run| run.targets.get(&lease.server));
        let (Some(requested), Some(target)) = (requested, target) else {
            return self.finish().await;
        };
        if target.attempt != lease.attempt {
            // A node may have died after it appended the end, before it wrote the row.
            let may_be_left = target.earlier.contains(&lease.attempt);
            return if may_be_left || self.task.lost.is_some() {
                self.look_for_left(target).await
            } else {
                self.finish().await
            };
        }
        match target.stage {
            // Only a restore of the log leaves a lost task whose end is not in the log.
            Stage::Queued | Stage::Dispatched | Stage::Started if self.task.lost.is_some() => {
                let is_queued = target.stage == Stage::Queued;
                events::lost_by_restore(&self.app, &self.task, is_queued).await?;
                Ok(Next::Again)
            }
            Stage::Queued => self.dispatch().await,
            Stage::Dispatched if target.fence < lease.fence => self.dispatch().await,
            Stage::Dispatched | Stage::Started => self.drive(requested, target).await,
            Stage::Ended(_) if !target.may_run() => {
                if self.launched && target.settled != Some(Settled::GivenUp) {
                    self.clean_up(None).await;
                }
                self.finish().await
            }
            Stage::Ended(Ending::Lost { .. }) if target.log.is_none() => {
                self.recover_lost(requested, target).await
            }
            Stage::Ended(_) => self.look_for_left(target).await,
        }
    }

    async fn load(&self) -> Result<Arc<Run>, AttemptError> {
        let (workspace, run) = (self.task.workspace, self.task.run);
        Ok(self.app.executor.load::<Run>(workspace.into(), run.0).await?.state)
    }

    /// A node may have died after the event, before it wrote the task's row.
    async fn has_ended(&self) -> Result<bool, AttemptError> {
        let (lease, run) = (self.task.lease, self.load().await?);
        let target = run.requested().and_then(|run| run.targets.get(&lease.server));
        Ok(target.is_some_and(|target| target.attempt == lease.attempt && target.is_ended()))
    }

    async fn dispatch(&self) -> Result<Next, AttemptError> {
        let begins = !self.launched && !self.is_cancelled();
        events::dispatched(&self.app, &self.task, begins).await?;
        failpoint!(RunDispatched);
        Ok(Next::Again)
    }

    /// The server is not reached, or its answer is not valid: waits, fails the run, or reports it as
    /// lost.
    async fn on_unreachable(&mut self, cause: StartCause) -> Result<Next, AttemptError> {
        self.mark_unreached();
        let unseen = self.seen.elapsed();
        if self.task.lost.is_some() || self.has_ended().await? {
            return self.postpone().await;
        }
        if !self.launched {
            let is_over = start_failure::is_for_good(cause) || unseen >= START_WITHIN;
            return if is_over { self.fail(cause).await } else { Err(AttemptError::Server(cause)) };
        }
        if unseen < lost_after(&self.app) {
            return Err(AttemptError::Server(cause));
        }
        let ending = Ending::Lost { why: LossCause::Unreachable };
        events::ended(&self.app, &self.task, ending, None, None).await?;
        self.app.run_queue.lose(self.task.run, self.task.lease, RECOVER_EVERY).await?;
        Ok(Next::Done)
    }

    /// Ends the attempt. Only where it is certain that nothing was started.
    async fn fail(&self, cause: StartCause) -> Result<Next, AttemptError> {
        let failure = Failure::NotStarted { cause };
        events::ended(&self.app, &self.task, Ending::Failed { failure }, None, None).await?;
        self.finish().await
    }

    /// It waits until the deletion is cancelled.
    async fn set_aside(&self) {
        let (queue, Task { run, workspace, lease, .. }) = (&self.app.run_queue, &self.task);
        let done = async {
            queue.set_aside(*run, *lease).await?;
            // Cancelled meanwhile, the deletion resumes only what was set aside by then.
            if events::may_begin(&self.app, *workspace, None).await.is_ok() {
                queue.resume(*workspace).await?;
            }
            Ok::<(), PgError>(())
        };
        if let Err(error) = done.await {
            tracing::warn!(%run, %error, "a task that may not begin was not set aside: it is claimed again when its lease expires");
        }
    }

    /// Deletes the task and its secrets: nothing is left to do.
    async fn finish(&self) -> Result<Next, AttemptError> {
        self.app.run_queue.finish(self.task.run, self.task.lease).await?;
        Ok(Next::Done)
    }

    fn mark_reached(&mut self) {
        self.signals.reached.store(true, Ordering::Relaxed);
        self.seen = Instant::now();
    }

    fn mark_unreached(&mut self) {
        if self.signals.reached.swap(false, Ordering::Relaxed) {
            self.seen = Instant::now();
        }
    }

    fn is_cancelled(&self) -> bool {
        *self.signals.cancel.borrow()
    }

    /// Whether an earlier lease of the task started the command.
    const fn has_taken_over(&self, target: &Target) -> bool {
        target.fence < self.task.lease.fence
    }
}

/// Not to reach the server of a command for so long is to lose it.
fn lost_after(app: &App) -> Duration {
    Duration::from_secs(app.config.run_lost_seconds.into())
}

/// How long ago the server last answered, as far as that counts. For a time nobody may have asked it, as where all nodes
/// were down: whoever takes the task tries for a minute, at the least.
fn counted_unseen(task: &Task, lost_after: Duration) -> Duration {
    let asked =
        if task.launched { lost_after.saturating_sub(START_WITHIN) } else { Duration::ZERO };
    task.unseen.min(asked)
}

/// Once the log went back, nothing is done on servers: what the log wants done may be over.
fn refuse_after_loss(app: &App) -> Result<(), AttemptError> {
    app.watermark.watermark().check().map_err(|why| AttemptError::internal(&why))
}

#[cfg(test)]
mod tests {
    use domain::run::TaskLease;
    use domain::{RunId, ServerId, WorkspaceId};
    use uuid::Uuid;

    use super::*;

    const fn task(launched: bool, unseen: Duration) -> Task {
        let lease = TaskLease { server: ServerId(Uuid::nil()), attempt: 1, fence: 1 };
        Task {
            run: RunId(Uuid::nil()),
            workspace: WorkspaceId(Uuid::nil()),
            lease,
            secrets: None,
            launched,
            cancel: false,
            left: None,
            unseen,
            lost: None,
            requester: None,
            place: None,
            kill_tries: 0,
        }
    }

    #[test]
    fn a_server_that_nobody_has_asked_for_a_week_is_tried_for_a_minute_before_its_run_is_lost() {
        let lost_after = Duration::from_mins(10);
        let counted = |launched, unseen| counted_unseen(&task(launched, unseen), lost_after);
        let (week, minute) = (Duration::from_hours(7 * 24), Duration::from_mins(1));
        assert_eq!(counted(true, week), Duration::from_mins(9));
        assert_eq!(counted(true, minute), minute, "as one node, two have not reached it");
        assert_eq!(counted(false, week), Duration::ZERO, "nor does it fail before it began");
        assert_eq!(counted_unseen(&task(true, week), minute), Duration::ZERO);
    }
}
