//! Drives a task: asks the server for its state, and continues from there.

use std::time::Duration;

use domain::run::{Ending, LossCause, RequestedRun, Stage, StartCause, Target};
use domain::server::ConnectFailure;
use infra::failpoint;
use infra::remote::Connection;
use infra::remote::task::{self, Launch, StopCause, TaskError, TaskId, TaskState};

use super::super::events;
use super::super::inputs::RunInputs;
use super::{Attempt, AttemptError, GRACE, Next, RECOVER_EVERY, RECOVER_WITHIN};
use crate::operations::connect::connect;

/// How often the removal of a run's files on a server is tried.
const REMOVALS_MAX: u32 = 3;
const REMOVAL_PAUSE: Duration = Duration::from_secs(2);
const LOST: Ending = Ending::Lost { why: LossCause::Unknown };

impl Attempt {
    pub(super) async fn connect(&self) -> Result<Connection, AttemptError> {
        Ok(connect(&self.app, self.task.workspace, self.task.lease.server).await?)
    }

    async fn inputs(&self, run: &RequestedRun) -> Result<Option<RunInputs>, AttemptError> {
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
        let connection = self.connect().await?;
        let mut state = task::probe(&connection, &self.id).await?;
        self.mark_reached();
        if target.stage == Stage::Started {
            match state {
                TaskState::Missing | TaskState::Vanished { .. } => {
                    return self.vanished(&connection, &inputs).await;
                }
                TaskState::Running if self.has_taken_over(target) => {
                    events::reattached(&self.app, &self.task).await?;
                }
                TaskState::Running | TaskState::Ended(_) => {}
            }
            return self.follow(connection, &inputs, state).await;
        }
        match state {
            TaskState::Missing if self.is_cancelled() => {
                return self.cancelled_before_it_began().await;
            }
            TaskState::Missing => {
                if !self.launch(&connection, &inputs, run.timeout_seconds).await? {
                    return self.fail(StartCause::Connect(ConnectFailure::Command)).await;
                }
                failpoint!(RunLaunched);
                state = TaskState::Running;
            }
            TaskState::Vanished { .. } => return self.vanished(&connection, &inputs).await,
            TaskState::Running | TaskState::Ended(_) => {}
        }
        events::started(&self.app, &self.task).await?;
        failpoint!(RunStarted);
        self.follow(connection, &inputs, state).await
    }

    async fn cancelled_before_it_began(&self) -> Result<Next, AttemptError> {
        let ending = Ending::Cancelled { forced: false, proven: true };
        events::ended(&self.app, &self.task, ending, None).await?;
        self.finish().await
    }

    /// Starts the command. The server starts it once, even if it gets the request twice. `false`: the
    /// server cannot run it.
    async fn launch(
        &mut self,
        connection: &Connection,
        inputs: &RunInputs,
        timeout_seconds: u32,
    ) -> Result<bool, AttemptError> {
        events::may_begin(&self.app, &self.task).await?;
        // A restore to a time before the request is noticed, and does not start the command again.
        self.app.watermark.secure().await?;
        if self.id.attempt > 1 {
            self.kill_previous(connection).await?;
        }
        if !self.app.run_queue.launch(self.task.run, self.task.lease).await? {
            return Err(AttemptError::LeaseLost);
        }
        failpoint!(RunLaunching);
        self.launched = true;
        let RunInputs { command, environment, .. } = inputs;
        let launch = Launch { task: self.id, command, environment, timeout_seconds };
        match task::start(connection, &launch).await {
            Ok(_) => Ok(true),
            Err(TaskError::Launch(_) | TaskError::Unsupported(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Kills the processes of the attempts before, which may be lost but running, so that no two attempts
    /// run at the same time.
    async fn kill_previous(&self, connection: &Connection) -> Result<(), AttemptError> {
        for attempt in (1..self.id.attempt).rev() {
            let previous = TaskId { attempt, ..self.id };
            kill(connection, &previous).await?;
            if let Err(error) = task::remove(connection, &previous).await {
                name_left(&previous, &error.to_string());
            }
        }
        Ok(self.app.run_queue.delete_earlier(self.task.run, self.task.lease).await?)
    }

    /// Probes the server for a lost command: it may still run, or have ended.
    pub(super) async fn recover_lost(
        &mut self,
        run: &RequestedRun,
        target: &Target,
    ) -> Result<Next, AttemptError> {
        let Some(inputs) = self.inputs(run).await? else { return self.give_up().await };
        let connection = self.connect().await?;
        let state = task::probe(&connection, &self.id).await?;
        self.mark_reached();
        match state {
            TaskState::Missing | TaskState::Vanished { .. } => {
                let log = self.rest_of_log(&connection, &inputs, state).await?;
                events::sealed(&self.app, &self.task, log).await?;
                self.clean_up(Some(&connection)).await;
                self.finish().await
            }
            TaskState::Running if self.has_taken_over(target) => {
                events::reattached(&self.app, &self.task).await?;
                self.mark_recovered();
                self.follow(connection, &inputs, state).await
            }
            TaskState::Running => {
                self.app.run_queue.lose(self.task.run, self.task.lease, RECOVER_EVERY).await?;
                Ok(Next::Done)
            }
            TaskState::Ended(_) => self.follow(connection, &inputs, state).await,
        }
    }

    /// Finishes an attempt that was left, if its server says that it does not run.
    pub(super) async fn look_for_left(&self) -> Result<Next, AttemptError> {
        if !self.is_cancelled()
            && let Ok(connection) = self.connect().await
            && let Ok(state) = task::probe(&connection, &self.id).await
            && state != TaskState::Running
        {
            self.clean_up(Some(&connection)).await;
            return self.finish().await;
        }
        self.leave().await
    }

    fn mark_recovered(&mut self) {
        self.task.lost = None;
        self.launched = true;
    }

    /// The command does not run any more, and the server has no record of its end.
    async fn vanished(
        &self,
        connection: &Connection,
        inputs: &RunInputs,
    ) -> Result<Next, AttemptError> {
        let log =
            self.rest_of_log(connection, inputs, TaskState::Vanished { rebooted: false }).await?;
        events::ended(&self.app, &self.task, LOST, Some(log)).await?;
        self.clean_up(Some(connection)).await;
        self.finish().await
    }

    /// The inputs are erased. Without the secrets the output cannot be masked, so no more is stored.
    async fn inputs_erased(&mut self) -> Result<Next, AttemptError> {
        if !self.launched {
            return self.fail(StartCause::InputsDeleted).await;
        }
        let connection = self.connect().await?;
        kill(&connection, &self.id).await?;
        let log = self.stored_log().await?;
        events::ended(&self.app, &self.task, LOST, Some(log)).await?;
        self.clean_up(Some(&connection)).await;
        self.finish().await
    }

    /// Kills the command of a workspace that is being erased, or one that was cancelled and is lost. While its server
    /// is not reached, the task stays as a lost one, which is tried again, after a day ever more seldom. An eraser waits
    /// for it, and then deletes it.
    pub(super) async fn end_erased(&self) {
        let may_run = self.launched || self.id.attempt > 1;
        let (queue, run, lease) = (&self.app.run_queue, self.task.run, self.task.lease);
        let done = if !may_run || self.is_killed().await {
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

    /// `false`: its server was not reached, or has not done it.
    async fn is_killed(&self) -> bool {
        let Ok(connection) = self.connect().await else { return false };
        // It may be lost, and its task superseded by this one.
        if self.id.attempt > 1 && self.kill_previous(&connection).await.is_err() {
            return false;
        }
        if kill(&connection, &self.id).await.is_err() {
            return false;
        }
        self.clean_up(Some(&connection)).await;
        true
    }

    /// Removes the command's files from the server. Files that cannot be removed do no harm.
    pub(super) async fn clean_up(&self, connection: Option<&Connection>) {
        if let Some(connection) = connection
            && self.removed(connection).await
        {
            return;
        }
        for _ in 0..REMOVALS_MAX {
            if let Ok(connection) = self.connect().await
                && self.removed(&connection).await
            {
                return;
            }
            tokio::time::sleep(REMOVAL_PAUSE).await;
        }
        name_left(&self.id, "the server was not reached, or did not do it");
    }

    async fn removed(&self, connection: &Connection) -> bool {
        match task::remove(connection, &self.id).await {
            Ok(()) | Err(TaskError::Missing | TaskError::Running) => true,
            Err(
                TaskError::Remote(_)
                | TaskError::Launch(_)
                | TaskError::Unsupported(_)
                | TaskError::NotProven
                | TaskError::Answer,
            ) => false,
        }
    }
}

/// Until it is proven that nothing of the command is left.
async fn kill(connection: &Connection, id: &TaskId) -> Result<(), TaskError> {
    task::kill(connection, id, GRACE, StopCause::Cancel).await?.if_proven().map(drop)
}

/// Nothing looks for them again.
fn name_left(task: &TaskId, why: &str) {
    let (run, server) = (task.run, task.server);
    let folder = format!("~/.lethe/runs/{task}");
    tracing::warn!(%run, %server, folder, why, "the files of a run stay on its server, with what it printed: remove the folder there");
}
