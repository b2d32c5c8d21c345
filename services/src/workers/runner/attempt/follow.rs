//! Follows a started command: writes its output into the log, and appends an event when it ends.

use std::pin::pin;
use std::time::Duration;

use domain::privacy::Leftovers;
use domain::run::{Ending, Failure, LogSeal, LossCause};
use domain::server::ConnectFailure;
use infra::failpoint;
use infra::remote::task::{End, Ending as Ended, StopCause, TaskState};
use infra::remote::{Connection, RemoteError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::super::events;
use super::super::inputs::RunInputs;
use super::kill::{KillOutcome, alive};
use super::log::{OutputReader, Seen};
use super::{Attempt, AttemptError, Next};

/// The pause before a command is watched again of which it was said that it has ended.
const WATCH_AGAIN: Duration = Duration::from_secs(1);
const TERM: u8 = 15;
const KILL: u8 = 9;

/// The state of a command that has ended, or that could not be ended.
struct CommandEnd {
    state: TaskState,
    /// Why Lethe has killed it, and what came of that.
    stopped: Option<(StopCause, KillOutcome)>,
}

impl Attempt {
    pub(super) async fn follow(
        &mut self,
        connection: Connection,
        inputs: &RunInputs,
        state: TaskState,
    ) -> Result<Next, AttemptError> {
        let left = self.app.run_queue.begin(self.task.run, self.task.lease).await?;
        let deadline = Instant::now() + left.ok_or(AttemptError::LeaseLost)?;
        let mut reader = OutputReader::begin(self, connection, inputs).await?;
        let end = self.until_ended(&mut reader, state, deadline).await?;
        if end.is_unknown() {
            let connection = reader.pause().await?;
            return Box::pin(self.vanished(connection, inputs, end.state)).await;
        }
        let is_complete = reader.read_rest(end.state).await?;
        let (writer, connection) = reader.finish().await?;
        failpoint!(CancelKilled if end.stopped.is_some());
        let log = self.finished_log(writer).await?;
        failpoint!(RunSealed);
        let log = LogSeal { truncated: log.truncated || !is_complete, ..log };
        let (ending, left) = end.into_ending();
        let is_settled = left.is_none();
        events::ended(&self.app, &self.task, ending, left, Some(log)).await?;
        failpoint!(RunEnded);
        if !is_settled {
            failpoint!(RunLeft);
            return self.leave().await;
        }
        self.clean_up(Some(&connection)).await;
        failpoint!(RunCleaned);
        self.finish().await
    }

    /// Reads the output until the command has ended. A cancelled or timed-out command is killed, with all its
    /// processes, also where its server or an earlier node has begun with it.
    async fn until_ended(
        &self,
        reader: &mut OutputReader,
        mut state: TaskState,
        deadline: Instant,
    ) -> Result<CommandEnd, AttemptError> {
        let cause = loop {
            if let Some(cause) = self.stop_cause(state, deadline) {
                break cause;
            }
            if state != TaskState::Running {
                return Ok(CommandEnd { state, stopped: None });
            }
            if let Some(cause) = self.until_stopped(reader, deadline).await? {
                break cause;
            }
            state = reader.probe(self).await?;
            if state == TaskState::Running {
                reader.watch_on();
                sleep(WATCH_AGAIN).await;
            }
        };
        let mut outcome = self.kill_all(reader, cause).await?;
        let mut state = reader.probe(self).await?;
        if state == TaskState::Running && outcome.left.is_none() {
            // The name of the server leads to several machines, and another one has answered the kill.
            outcome.forced |= reader.kill(cause).await?.forced;
            state = reader.probe(self).await?;
        }
        Ok(CommandEnd { state, stopped: Some((cause, outcome)) })
    }

    /// Reads the output until the command is to be ended; `None`: it has ended.
    async fn until_stopped(
        &self,
        reader: &mut OutputReader,
        deadline: Instant,
    ) -> Result<Option<StopCause>, AttemptError> {
        let mut cancel = self.signals.cancel.clone();
        let mut cancelled = pin!(is_cancelled(&mut cancel));
        let mut timed_out = pin!(sleep_until(deadline));
        loop {
            tokio::select! {
                // A cancellation or a deadline may have come before this node took the task.
                biased;
                () = &mut cancelled => return Ok(Some(StopCause::Cancel)),
                () = &mut timed_out => return Ok(Some(StopCause::Timeout)),
                seen = reader.next() => match seen? {
                    Seen::Output => {}
                    Seen::Ended => return Ok(None),
                    Seen::ConnectionLost => {
                        return Err(RemoteError::Lost(ConnectFailure::Command).into());
                    }
                },
            }
        }
    }

    /// Why a command that does not run was killed, or is to be: others may have begun with it.
    fn stop_cause(&self, state: TaskState, deadline: Instant) -> Option<StopCause> {
        let is_cancelled = self.is_cancelled();
        match state {
            TaskState::Ended(End { stopped: Some(StopCause::Timeout), .. }) => {
                Some(StopCause::Timeout)
            }
            TaskState::Ended(End { ending, stopped: None, written: None, .. }) => {
                let is_over_time = Instant::now() >= deadline;
                let cause = if is_cancelled { StopCause::Cancel } else { StopCause::Timeout };
                was_ended_by_lethe(ending, is_cancelled, is_over_time).then_some(cause)
            }
            // It has no end that says anything else. A cancellation of which no log knows is of before a restore.
            TaskState::Missing
            | TaskState::Vanished { .. }
            | TaskState::Ended(End { stopped: Some(StopCause::Cancel), .. }) => {
                is_cancelled.then_some(StopCause::Cancel)
            }
            // A server that counts what was written would say why it stopped.
            TaskState::Running | TaskState::Ended(End { written: Some(_), stopped: None, .. }) => {
                None
            }
        }
    }
}

async fn is_cancelled(cancel: &mut watch::Receiver<bool>) {
    if cancel.wait_for(|cancel| *cancel).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Whether Lethe killed a command that has ended and whose server does not say why: an earlier node of a former version
/// may have killed it after a cancellation or a time-out, and died before it appended the event.
const fn was_ended_by_lethe(ending: Ended, is_cancelled: bool, is_over_time: bool) -> bool {
    let is_killed = match ending {
        Ended::Signalled(number) => number == TERM || number == KILL,
        Ended::Exited(code) => code == 128 + TERM || code == 128 + KILL,
    };
    is_killed && (is_cancelled || is_over_time)
}

/// Why nobody knows what became of a command in this state.
pub(super) const fn loss_cause(state: TaskState) -> LossCause {
    match state {
        TaskState::Missing => LossCause::Missing,
        TaskState::Vanished { rebooted: true } => LossCause::Rebooted,
        TaskState::Vanished { rebooted: false } => LossCause::Vanished,
        TaskState::Running | TaskState::Ended(_) => LossCause::Unknown,
    }
}

impl CommandEnd {
    /// Nobody has ended it, and its server has no record of its end.
    const fn is_unknown(&self) -> bool {
        self.stopped.is_none() && !matches!(self.state, TaskState::Ended(_) | TaskState::Running)
    }

    /// The ending, and what may be left of the command.
    fn into_ending(self) -> (Ending, Option<Leftovers>) {
        let Some((cause, KillOutcome { forced, left })) = self.stopped else {
            return (natural_ending(self.state), None);
        };
        // Whatever a kill has proven.
        let still_runs = || (self.state == TaskState::Running).then(alive);
        let left = left.or_else(still_runs);
        let proven = left.is_none();
        let is_killed =
            matches!(self.state, TaskState::Ended(End { ending: Ended::Signalled(KILL), .. }));
        let ending = match cause {
            StopCause::Cancel => Ending::Cancelled { forced: forced || is_killed, proven },
            StopCause::Timeout => Ending::TimedOut { proven },
        };
        (ending, left)
    }
}

/// How a command ended that nobody has killed.
pub(super) fn natural_ending(state: TaskState) -> Ending {
    let TaskState::Ended(End { ending, .. }) = state else {
        return Ending::Lost { why: loss_cause(state) };
    };
    match ending {
        Ended::Exited(0) => Ending::Succeeded,
        Ended::Exited(code) => Ending::Failed { failure: Failure::Exit { code: code.into() } },
        Ended::Signalled(number) => {
            Ending::Failed { failure: Failure::Signal { number: number.into() } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_command_counts_as_stopped_only_when_it_was_to_be_stopped() {
        let killed = [TERM, KILL].map(Ended::Signalled);
        let killed_without_setsid = [TERM, KILL].map(|number| Ended::Exited(128 + number));
        for ending in killed.into_iter().chain(killed_without_setsid) {
            assert!(was_ended_by_lethe(ending, true, false), "{ending:?}");
            assert!(was_ended_by_lethe(ending, false, true), "{ending:?}");
            assert!(!was_ended_by_lethe(ending, false, false), "{ending:?}");
        }
        let by_itself = [Ended::Exited(0), Ended::Exited(1), Ended::Signalled(11)];
        for ending in by_itself {
            assert!(!was_ended_by_lethe(ending, true, true), "{ending:?}");
        }
    }

    #[test]
    fn nothing_is_proven_of_a_command_that_its_server_says_runs() {
        let proven_of = |state| {
            let stopped = KillOutcome { forced: false, left: None };
            let end = CommandEnd { state, stopped: Some((StopCause::Cancel, stopped)) };
            let (ending, left) = end.into_ending();
            let proven = ending == Ending::Cancelled { forced: false, proven: true };
            assert_eq!(proven, left.is_none(), "{state:?}");
            proven
        };
        assert!(!proven_of(TaskState::Running));
        assert!(proven_of(TaskState::Missing));
        assert!(proven_of(TaskState::Vanished { rebooted: false }));
    }

    #[test]
    fn an_end_that_nobody_has_noted_is_a_loss_with_its_cause() {
        let causes = [
            (TaskState::Missing, LossCause::Missing),
            (TaskState::Vanished { rebooted: true }, LossCause::Rebooted),
            (TaskState::Vanished { rebooted: false }, LossCause::Vanished),
        ];
        for (state, why) in causes {
            assert_eq!(natural_ending(state), Ending::Lost { why });
        }
    }
}
