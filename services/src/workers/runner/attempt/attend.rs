//! Finds out how a task stands on its server, and brings it on from there.

use std::time::Duration;

use domain::run::{Ending, RequestedRun, Stage, StartFailure, Target};
use domain::server::ConnectFailure;
use infra::remote::Connection;
use infra::remote::task::{self, Launch, TaskError, TaskId, TaskState};

use super::super::given::Given;
use super::super::told;
use super::{Attempt, GRACE, Halt, LOOK_AGAIN, Next};
use crate::reach;

/// How often a directory on a server is tried to be removed.
const REMOVALS_MAX: u32 = 3;
const REMOVAL_PAUSE: Duration = Duration::from_secs(2);

impl Attempt {
    pub(super) async fn connect(&self) -> Result<Connection, Halt> {
        Ok(reach::connect(&self.app, self.task.workspace, self.task.lease.server).await?)
    }

    async fn given(&self, run: &RequestedRun) -> Result<Option<Given>, Halt> {
        Given::open(&self.app, self.task.workspace, run, self.task.secrets).await
    }

    /// A task that has not ended.
    pub(super) async fn attend(
        &mut self,
        run: &RequestedRun,
        target: &Target,
    ) -> Result<Next, Halt> {
        if self.is_cancelled() && !self.launched {
            return self.cancelled_before_it_began().await;
        }
        let Some(given) = self.given(run).await? else { return self.forgotten().await };
        let connection = self.connect().await?;
        let mut found = task::probe(&connection, &self.id).await?;
        self.in_sight();
        if target.stage == Stage::Started {
            match found {
                TaskState::Missing | TaskState::Vanished { .. } => {
                    return self.vanished(&connection, &given).await;
                }
                TaskState::Running if self.has_taken_over(target) => {
                    told::reattached(&self.app, &self.task).await?;
                }
                TaskState::Running | TaskState::Ended(_) => {}
            }
            return self.follow(connection, &given, found).await;
        }
        match found {
            TaskState::Missing if self.is_cancelled() => {
                return self.cancelled_before_it_began().await;
            }
            TaskState::Missing => {
                if !self.launch(&connection, &given).await? {
                    return self.fail(StartFailure::Connect(ConnectFailure::Command)).await;
                }
                found = TaskState::Running;
            }
            TaskState::Vanished { .. } => return self.vanished(&connection, &given).await,
            TaskState::Running | TaskState::Ended(_) => {}
        }
        told::started(&self.app, &self.task).await?;
        self.follow(connection, &given, found).await
    }

    async fn cancelled_before_it_began(&self) -> Result<Next, Halt> {
        let ending = Ending::Cancelled { forced: false };
        told::ended(&self.app, &self.task, ending, None).await?;
        self.finish().await
    }

    /// The server starts it once, however often it gets the request. False when it says that it cannot.
    async fn launch(&mut self, connection: &Connection, given: &Given) -> Result<bool, Halt> {
        if self.id.attempt > 1 {
            self.end_before(connection).await?;
        }
        if !self.app.run_queue.launch(self.task.run, self.task.lease).await? {
            return Err(Halt::Gone);
        }
        self.launched = true;
        let Given { command, environment, .. } = given;
        let launch = Launch { task: self.id, command, environment };
        match task::start(connection, &launch).await {
            Ok(_) => Ok(true),
            Err(TaskError::Launch(_) | TaskError::Unsupported(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Of the attempt before, which may have been lost, nothing is left when the next one starts.
    async fn end_before(&self, connection: &Connection) -> Result<(), Halt> {
        let before = TaskId { attempt: self.id.attempt - 1, ..self.id };
        match task::kill(connection, &before, GRACE).await {
            Ok(_) => {
                // What cannot be removed is left: it does no harm.
                let _ = task::remove(connection, &before).await;
                Ok(())
            }
            Err(TaskError::Missing) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What was lost may be found again: running, or ended.
    pub(super) async fn look_for(
        &mut self,
        run: &RequestedRun,
        target: &Target,
    ) -> Result<Next, Halt> {
        let Some(given) = self.given(run).await? else { return self.give_up().await };
        let connection = self.connect().await?;
        let found = task::probe(&connection, &self.id).await?;
        self.in_sight();
        match found {
            TaskState::Missing | TaskState::Vanished { .. } => {
                let log = self.rest_of_log(&connection, &given, found).await?;
                told::sealed(&self.app, &self.task, log).await?;
                self.put_away(Some(&connection)).await;
                self.finish().await
            }
            TaskState::Running if self.has_taken_over(target) => {
                told::reattached(&self.app, &self.task).await?;
                self.found_again();
                self.follow(connection, &given, found).await
            }
            TaskState::Running => {
                self.app.run_queue.lose(self.task.run, self.task.lease, LOOK_AGAIN).await?;
                Ok(Next::Done)
            }
            TaskState::Ended(_) => self.follow(connection, &given, found).await,
        }
    }

    fn found_again(&mut self) {
        self.task.lost = None;
        self.launched = true;
    }

    /// It does not run any more, and nobody can say how it ended.
    async fn vanished(&self, connection: &Connection, given: &Given) -> Result<Next, Halt> {
        let log =
            self.rest_of_log(connection, given, TaskState::Vanished { rebooted: false }).await?;
        told::ended(&self.app, &self.task, Ending::Lost, Some(log)).await?;
        self.put_away(Some(connection)).await;
        self.finish().await
    }

    /// What it was given is gone: without its secrets nothing of its log may be kept.
    async fn forgotten(&mut self) -> Result<Next, Halt> {
        if !self.launched {
            return self.fail(StartFailure::InputsDeleted).await;
        }
        let connection = self.connect().await?;
        match task::kill(&connection, &self.id, GRACE).await {
            Ok(_) | Err(TaskError::Missing) => {}
            Err(error) => return Err(error.into()),
        }
        let log = self.stored_log().await?;
        told::ended(&self.app, &self.task, Ending::Lost, Some(log)).await?;
        self.put_away(Some(&connection)).await;
        self.finish().await
    }

    /// Of an erased workspace nothing runs on, as far as its servers can still be reached.
    pub(super) async fn drop_erased(&self) {
        if let Ok(connection) = self.connect().await
            && task::kill(&connection, &self.id, GRACE).await.is_ok()
        {
            self.put_away(Some(&connection)).await;
        }
        if let Err(error) = self.finish().await {
            tracing::warn!(run = %self.task.run, %error, "a task of an erased workspace stays");
        }
    }

    /// Removes what the server keeps of it. What cannot be removed is left: it does no harm.
    pub(super) async fn put_away(&self, connection: Option<&Connection>) {
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
        let (run, server) = (self.task.run, self.task.lease.server);
        tracing::warn!(%run, %server, "what a server keeps of a run was not removed");
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
