//! Drives a task: asks the server for its state, and continues from there.

use std::collections::BTreeSet;
use std::time::Instant;

use domain::run::{Ending, LossCause, RequestedRun, Stage, StartCause, Target};
use domain::server::ConnectFailure;
use infra::failpoint;
use infra::remote::Connection;
use infra::remote::task::{self, Forbidden, Launch, Started, TaskError, TaskId, TaskState};

use super::super::inputs::RunInputs;
use super::super::{events, start_failure};
use super::follow::loss_cause;
use super::kill::kill_for_good;
use super::way::{ELSEWHERE, Reached, is_at};
use super::{Attempt, AttemptError, Next, RECOVER_EVERY, RECOVER_WITHIN, lost_after};

impl Attempt {
    pub(super) async fn inputs(
        &self,
        run: &RequestedRun,
    ) -> Result<Option<RunInputs>, AttemptError> {
        RunInputs::open(&self.app, self.task.workspace, run, self.task.secrets).await
    }

    /// Starts or follows a command that has no end in the log.
    pub(super) async fn drive(
        &mut self,
        run: &RequestedRun,
        target: &Target,
    ) -> Result<Next, AttemptError> {
        if self.is_cancelled() && !self.launched {
            return self.cancelled_before_it_began().await;
        }
        let Some(inputs) = self.inputs(run).await? else { return self.inputs_erased().await };
        let reached = self.connect().await?;
        let mut state = match task::probe(&reached.connection, &self.id).await {
            Err(error @ (TaskError::Answer | TaskError::Unsupported(_))) if !self.launched => {
                return match lacking(&reached.connection, &error).await? {
                    Some(cause) => self.fail(cause).await,
                    None => Err(error.into()),
                };
            }
            state => state?,
        };
        self.mark_reached();
        let is_started = target.stage == Stage::Started;
        match state {
            TaskState::Missing if !is_started && self.is_cancelled() => {
                if self.is_forbidden(&reached.connection).await? {
                    return self.cancelled_before_it_began().await;
                }
                return Ok(Next::Again);
            }
            TaskState::Missing if !is_started => {
                if let Some(cause) = self.begin(&reached, &inputs, run, target).await? {
                    return self.not_started(&reached.connection, cause).await;
                }
                failpoint!(RunLaunched);
                state = TaskState::Running;
            }
            // What may be left is killed before it is said to be cancelled.
            TaskState::Missing | TaskState::Vanished { .. } if !self.is_cancelled() => {
                return self.vanished(reached.connection, &inputs, state).await;
            }
            TaskState::Running if is_started && self.has_taken_over(target) => {
                events::reattached(&self.app, &self.task).await?;
            }
            TaskState::Missing
            | TaskState::Vanished { .. }
            | TaskState::Running
            | TaskState::Ended(_) => {}
        }
        if !is_started {
            events::started(&self.app, &self.task).await?;
            failpoint!(RunStarted);
        }
        self.follow(reached.connection, &inputs, state).await
    }

    async fn cancelled_before_it_began(&self) -> Result<Next, AttemptError> {
        let ending = Ending::Cancelled { forced: false, proven: true };
        events::ended(&self.app, &self.task, ending, None, None).await?;
        self.finish().await
    }

    /// Whoever requested it may not start runs any more: it ends, unless it was started by now.
    pub(super) async fn on_not_allowed(&self) -> Result<Next, AttemptError> {
        if self.launched {
            let Reached { connection, .. } = self.connect().await?;
            if !self.is_forbidden(&connection).await? {
                return Ok(Next::Again);
            }
        }
        let (lease, run) = (self.task.lease, self.load().await?);
        let target = run.requested().and_then(|run| run.targets.get(&lease.server));
        let is_queued = target.is_some_and(|target| target.stage == Stage::Queued);
        events::requester_not_allowed(&self.app, &self.task, is_queued).await?;
        self.finish().await
    }

    /// Makes sure that a start that was sent, and comes late, starts nothing. `false`: it was started by now.
    async fn is_forbidden(&self, connection: &Connection) -> Result<bool, AttemptError> {
        let is_forbidden = task::forbid(connection, &self.id).await? == Forbidden::Now;
        failpoint!(RunForbidden if is_forbidden);
        Ok(is_forbidden)
    }

    /// As [`Self::launch`], and not without end: whoever holds a slot keeps it from others.
    async fn begin(
        &mut self,
        reached: &Reached,
        inputs: &RunInputs,
        run: &RequestedRun,
        target: &Target,
    ) -> Result<Option<StartCause>, AttemptError> {
        if let Some((since, cause)) = self.delayed
            && since.elapsed() >= lost_after(&self.app)
        {
            return Ok(Some(cause));
        }
        let begun = self.launch(reached, inputs, run, target).await;
        if let Err(AttemptError::Server(cause)) = &begun {
            let since = self.delayed.map_or_else(Instant::now, |(since, _)| since);
            self.delayed = Some((since, *cause));
        }
        begun
    }

    /// Starts the command. The server starts it once, even if it gets the request twice. Answers why the server cannot
    /// run it, if it cannot.
    async fn launch(
        &mut self,
        reached: &Reached,
        inputs: &RunInputs,
        run: &RequestedRun,
        target: &Target,
    ) -> Result<Option<StartCause>, AttemptError> {
        events::may_begin(&self.app, self.task.workspace, self.task.requester).await?;
        // A restore to a time before the request is noticed, and does not start the command again.
        self.app.watermark.secure().await?;
        self.end_earlier(reached, Some(&target.earlier)).await?;
        let place = reached.place.to_bytes().map_err(|error| AttemptError::internal(&error))?;
        if !self.app.run_queue.launch(self.task.run, self.task.lease, &place).await? {
            return Err(AttemptError::LeaseLost);
        }
        failpoint!(RunLaunching);
        self.launched = true;
        self.task.place.get_or_insert(place);
        let RunInputs { command, environment, .. } = inputs;
        let timeout_seconds = run.timeout_seconds;
        let launch = Launch { task: self.id, command, environment, timeout_seconds };
        match task::start(&reached.connection, &launch).await {
            Ok(Started::Launched) => Ok(None),
            Ok(Started::AlreadyThere) => {
                // Nothing is there but the note of a node that came no further.
                let state = task::probe(&reached.connection, &self.id).await?;
                let cause = StartCause::Connect(ConnectFailure::Command);
                Ok((state == TaskState::Missing).then_some(cause))
            }
            Err(error) => match lacking(&reached.connection, &error).await? {
                Some(cause) => Ok(Some(cause)),
                None => Err(error.into()),
            },
        }
    }

    /// This request has started nothing; one that was sent before may come late.
    async fn not_started(
        &self,
        connection: &Connection,
        cause: StartCause,
    ) -> Result<Next, AttemptError> {
        match task::forbid(connection, &self.id).await {
            Ok(Forbidden::There) => Ok(Next::Again),
            // A server that cannot note that cannot note a start either.
            Ok(Forbidden::Now) | Err(TaskError::Unsupported(_) | TaskError::Answer) => {
                self.fail(cause).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Kills what may run of the attempts before, so that no two attempts run at the same time: of these, or, where the
    /// workspace is erased, of any. Those that have ended have left only what they wanted to leave.
    ///
    /// # Errors
    /// `Server`: one of them may run, here or where the server was before.
    async fn end_earlier(
        &self,
        reached: &Reached,
        of: Option<&BTreeSet<u32>>,
    ) -> Result<(), AttemptError> {
        let Reached { connection, place } = reached;
        let (queue, run, lease) = (&self.app.run_queue, self.task.run, self.task.lease);
        for earlier in queue.earlier(run, lease).await? {
            let (attempt, launched_at) = (earlier.attempt, earlier.place.as_deref());
            let may_run = of.is_none_or(|of| of.contains(&attempt));
            let is_here = is_at(&self.app, self.task.workspace, launched_at, place).await?;
            if may_run && !is_here {
                return Err(ELSEWHERE);
            }
            if may_run {
                let previous = TaskId { attempt, ..self.id };
                kill_for_good(connection, &previous).await?.if_proven()?;
            }
            if may_run && of.is_some() {
                events::earlier_gone(&self.app, &self.task, attempt).await?;
                failpoint!(RunProvenGone);
            }
            let connection = is_here.then_some(connection);
            self.clean_up_earlier(connection, attempt, launched_at).await;
            queue.prove_gone(run, lease.server, attempt).await?;
        }
        Ok(())
    }

    /// The first process of the command has gone, and the server has no record of its end. Where it does not show that
    /// nothing else is left of it, either, it is one that may run.
    pub(super) async fn vanished(
        &self,
        connection: Connection,
        inputs: &RunInputs,
        state: TaskState,
    ) -> Result<Next, AttemptError> {
        let is_gone = self.is_surely_gone(&connection, state).await?;
        let (log, connection) = self.rest_of_log(connection, inputs, state).await?;
        let why = if is_gone { loss_cause(state) } else { LossCause::Unknown };
        events::ended(&self.app, &self.task, Ending::Lost { why }, None, Some(log)).await?;
        if !is_gone {
            return self.leave().await;
        }
        self.clean_up(Some(&connection)).await;
        self.finish().await
    }

    /// The inputs are erased. Without the secrets the output cannot be masked, so no more is stored.
    async fn inputs_erased(&mut self) -> Result<Next, AttemptError> {
        if !self.launched {
            return self.fail(StartCause::InputsDeleted).await;
        }
        let Reached { connection, .. } = self.connect().await?;
        kill_for_good(&connection, &self.id).await?.if_proven()?;
        let log = self.stored_log().await?;
        let ending = Ending::Lost { why: LossCause::Vanished };
        events::ended(&self.app, &self.task, ending, None, Some(log)).await?;
        self.clean_up(Some(&connection)).await;
        self.finish().await
    }

    /// Kills the command of a workspace that is being erased. While its server is not reached, the task stays as a lost
    /// one, which is tried again, after a day ever more seldom. An eraser waits for it, and then deletes it.
    pub(super) async fn end_erased(&self) {
        let may_run = self.launched || self.id.attempt > 1;
        let (queue, run, lease) = (&self.app.run_queue, self.task.run, self.task.lease);
        let done = if !may_run || self.end_for_erasure().await.is_ok() {
            self.finish().await.map(drop)
        } else if self.task.lost.is_some_and(|lost| lost >= RECOVER_WITHIN) {
            queue.leave(run, lease).await.map_err(Into::into)
        } else {
            queue.lose(run, lease, RECOVER_EVERY).await.map(drop).map_err(Into::into)
        };
        if let Err(error) = done {
            tracing::warn!(%run, %error, "the task of an erased workspace was not ended: it is claimed again");
        }
    }

    /// # Errors
    /// Its server was not reached, or something of it may be left.
    async fn end_for_erasure(&self) -> Result<(), AttemptError> {
        let reached = self.connect().await?;
        // One may be lost, and its task superseded by this one.
        self.end_earlier(&reached, None).await?;
        kill_for_good(&reached.connection, &self.id).await?.if_proven()?;
        self.clean_up(Some(&reached.connection)).await;
        Ok(())
    }
}

/// Why a command was not started; `None`: it may have been. A server is asked what it lacks.
async fn lacking(
    connection: &Connection,
    error: &TaskError,
) -> Result<Option<StartCause>, AttemptError> {
    let cause = start_failure::of_task(error);
    if !matches!(error, TaskError::Unsupported(_) | TaskError::Answer) {
        return Ok(cause);
    }
    let missing = task::preflight(connection).await?.blocker();
    Ok(missing.map(start_failure::of_fact).or(cause))
}
