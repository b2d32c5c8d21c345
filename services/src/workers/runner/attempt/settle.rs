//! Looks for what may be left of an attempt that has ended: it is lost, or its end is not proven, or a later attempt is to
//! follow it.

use std::time::Duration;

use domain::run::{Ending, LossCause, RequestedRun, RunCommand, StartCause, Target};
use domain::server::ConnectFailure;
use infra::failpoint;
use infra::remote::Connection;
use infra::remote::task::{self, End, Forbidden, StopCause, TaskState};

use super::super::events;
use super::super::inputs::RunInputs;
use super::follow::natural_ending;
use super::kill::{TRIES_MAX, kill_for_good};
use super::way::Reached;
use super::{Attempt, AttemptError, Next, RECOVER_EVERY, RECOVER_WITHIN};

/// The time between two kills of what is lost, whose first process has gone.
const KILL_EVERY: Duration = Duration::from_hours(1);

/// Nothing is left.
struct Gone {
    connection: Connection,
    /// How the attempt ended, where that was not known.
    ending: Option<Ending>,
}

impl Attempt {
    /// Probes the server for a lost command: it may still run, or have ended.
    pub(super) async fn recover_lost(
        &mut self,
        run: &RequestedRun,
        target: &Target,
    ) -> Result<Next, AttemptError> {
        let Some(inputs) = self.inputs(run).await? else { return self.give_up().await };
        let Reached { connection, .. } = self.connect().await?;
        let state = task::probe(&connection, &self.id).await?;
        self.mark_reached();
        match state {
            TaskState::Missing | TaskState::Vanished { .. } => {
                self.settle_lost((connection, &inputs), state, target).await
            }
            // Its cancellation is in no log any more, which was restored since. How it would have ended nobody knows.
            TaskState::Ended(End { stopped: Some(StopCause::Cancel), .. })
                if !self.is_cancelled() =>
            {
                self.settle_lost((connection, &inputs), state, target).await
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

    /// Finishes a lost attempt whose end is not known, once nothing is left of it.
    async fn settle_lost(
        &self,
        (connection, inputs): (Connection, &RunInputs),
        state: TaskState,
        target: &Target,
    ) -> Result<Next, AttemptError> {
        let Some(forced) = self.is_gone(&connection, state).await? else {
            return self.postpone_for(KILL_EVERY).await;
        };
        let (log, connection) = self.rest_of_log(connection, inputs, state).await?;
        let ending = self.cancelled_ending(target, forced);
        events::gone(&self.app, &self.task, ending, Some(log)).await?;
        failpoint!(RunProvenGone);
        self.clean_up(Some(&connection)).await;
        self.finish().await
    }

    /// Finishes an attempt of which nothing is left. One that is to be ended is killed once more.
    pub(super) async fn look_for_left(&self, target: &Target) -> Result<Next, AttemptError> {
        let is_earlier = self.id.attempt < target.attempt;
        if is_earlier && !target.earlier.contains(&self.id.attempt) {
            // It has ended, and has left only what it wanted to leave.
            self.clean_up(None).await;
            return self.finish().await;
        }
        match self.search(target, is_earlier).await {
            Ok(Some(Gone { connection, ending })) => {
                events::gone(&self.app, &self.task, ending, None).await?;
                failpoint!(RunProvenGone);
                self.clean_up(Some(&connection)).await;
                self.finish().await
            }
            Err(AttemptError::Server(_)) if self.is_sought_soon() => self.postpone().await,
            Ok(None) | Err(AttemptError::Server(_)) => self.leave().await,
            Err(error) => Err(error),
        }
    }

    async fn search(
        &self,
        target: &Target,
        is_earlier: bool,
    ) -> Result<Option<Gone>, AttemptError> {
        let Reached { connection, .. } = self.connect().await?;
        let is_lost = !is_earlier && !target.is_unproven();
        if self.is_cancelled() || (!is_earlier && !is_lost) {
            let Some(forced) = self.is_killed(&connection).await? else { return Ok(None) };
            let ending = is_lost.then_some(Ending::Cancelled { forced, proven: true });
            return Ok(Some(Gone { connection, ending }));
        }
        let state = task::probe(&connection, &self.id).await?;
        let is_gone = match state {
            TaskState::Running => false,
            // What it has left it wanted to leave.
            TaskState::Ended(End { stopped: None, .. }) => true,
            TaskState::Ended(_) | TaskState::Missing | TaskState::Vanished { .. } => {
                self.is_gone(&connection, state).await?.is_some()
            }
        };
        let ending = if is_lost { known_ending(state) } else { None };
        Ok(is_gone.then_some(Gone { connection, ending }))
    }

    /// Whether nothing is left of a command that does not run any more, as its server says; and whether it was killed for
    /// that. `None`: something may be left.
    ///
    /// # Errors
    /// `Server`: it was not reached, or has started the command by now.
    async fn is_gone(
        &self,
        connection: &Connection,
        state: TaskState,
    ) -> Result<Option<bool>, AttemptError> {
        if state == (TaskState::Vanished { rebooted: true }) {
            return Ok(Some(false));
        }
        // A start that was sent may come late.
        if state == TaskState::Missing
            && task::forbid(connection, &self.id).await? == Forbidden::There
        {
            return Err(AttemptError::Server(StartCause::Connect(ConnectFailure::Command)));
        }
        self.is_killed(connection).await
    }

    /// As [`Self::is_gone`], so often until the server answers, and not without end. `false`: something may be left.
    pub(super) async fn is_surely_gone(
        &self,
        connection: &Connection,
        state: TaskState,
    ) -> Result<bool, AttemptError> {
        match self.is_gone(connection, state).await {
            Err(unanswered @ AttemptError::Server(_)) => {
                if self.note_kill().await? < TRIES_MAX {
                    Err(unanswered)
                } else {
                    Ok(false)
                }
            }
            gone => Ok(gone?.is_some()),
        }
    }

    /// `None`: something may be left. Else whether it had to be forced.
    async fn is_killed(&self, connection: &Connection) -> Result<Option<bool>, AttemptError> {
        let killed = kill_for_good(connection, &self.id).await?;
        if !killed.proven {
            self.note_kill().await?;
        }
        Ok(killed.proven.then_some(killed.forced))
    }

    /// A lost attempt that is to be cancelled is cancelled once nothing is left of it.
    fn cancelled_ending(&self, target: &Target, forced: bool) -> Option<Ending> {
        let is_to_end = target.cancelling && self.is_cancelled();
        is_to_end.then_some(Ending::Cancelled { forced, proven: true })
    }

    /// It is to be ended, and its server was not reached yet.
    fn is_sought_soon(&self) -> bool {
        let is_young = self.task.lost.is_none_or(|lost| lost < RECOVER_WITHIN);
        self.is_cancelled() && self.task.kill_tries == 0 && is_young
    }

    /// It is looked for again a minute later, and after a day ever more seldom.
    pub(super) async fn postpone(&self) -> Result<Next, AttemptError> {
        self.postpone_for(RECOVER_EVERY).await
    }

    async fn postpone_for(&self, pause: Duration) -> Result<Next, AttemptError> {
        if self.task.lost.is_some_and(|lost| lost >= RECOVER_WITHIN) {
            return self.give_up().await;
        }
        self.app.run_queue.lose(self.task.run, self.task.lease, pause).await?;
        Ok(Next::Done)
    }

    /// The command stays lost: its log ends with the output that was read.
    async fn give_up(&self) -> Result<Next, AttemptError> {
        let log = self.stored_log().await?;
        events::sealed(&self.app, &self.task, log).await?;
        self.leave().await
    }

    /// Something may be left. It is looked for again ever more seldom, and at the end of its workspace. Without a slot.
    pub(super) async fn leave(&self) -> Result<Next, AttemptError> {
        self.app.run_queue.leave(self.task.run, self.task.lease).await?;
        Ok(Next::Done)
    }

    fn mark_recovered(&mut self) {
        self.task.lost = None;
        self.launched = true;
    }

    /// Nobody reaches a deleted server any more: what may be left there is given up.
    pub(super) async fn on_deleted(&self) -> Result<Next, AttemptError> {
        if !self.launched && self.task.lost.is_none() {
            return self.fail(StartCause::NotReady).await;
        }
        let (lease, run) = (self.task.lease, self.load().await?);
        let requested = run.requested();
        let Some(target) = requested.and_then(|run| run.targets.get(&lease.server)) else {
            return self.finish().await;
        };
        let is_own = target.attempt == lease.attempt;
        let mut commands = vec![];
        if is_own && !target.is_ended() {
            let ending = Ending::Lost { why: LossCause::Unreachable };
            commands.push(RunCommand::End { lease, ending, left: None });
        }
        if is_own && target.log.is_none() {
            let log = self.stored_log().await?;
            commands.push(RunCommand::SealLog { lease, log });
        }
        if (is_own && !target.is_ended()) || target.may_be_left() {
            commands.push(RunCommand::GiveUp { server: lease.server, by: None });
        }
        events::given_up(&self.app, &self.task, commands).await?;
        self.finish().await
    }
}

/// `None`: the server does not know how it ended.
fn known_ending(state: TaskState) -> Option<Ending> {
    match state {
        TaskState::Ended(End { stopped: None, .. }) => Some(natural_ending(state)),
        TaskState::Ended(End { stopped: Some(StopCause::Timeout), .. }) => {
            Some(Ending::TimedOut { proven: true })
        }
        TaskState::Ended(End { stopped: Some(StopCause::Cancel), .. })
        | TaskState::Missing
        | TaskState::Running
        | TaskState::Vanished { .. } => None,
    }
}
