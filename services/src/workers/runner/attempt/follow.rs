//! Follows a started command: writes its output into the log, and appends an event when it ends.

use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use domain::run::{Ending, Failure, LogSeal, LossCause, StartCause};
use domain::server::ConnectFailure;
use infra::failpoint;
use infra::remote::Connection;
use infra::remote::task::{self, End, Ending as Ended, Killed, StopCause, TaskId, TaskState};
use tokio::sync::watch;
use tokio::time::Instant;

use super::super::events;
use super::super::inputs::RunInputs;
use super::log::OutputReader;
use super::{Attempt, AttemptError, GRACE, Next, refuse_after_loss};
use crate::operations::connect::connect;
use crate::wiring::App;

/// A connection is closed if it delivers nothing for this long, although more output is known to exist.
const STALLED: Duration = Duration::from_secs(20);
/// After this many such connections, the output file itself must have become shorter.
const DRAINS_MAX: u32 = 3;
/// The pause before a kill is tried again.
const KILL_AGAIN: Duration = Duration::from_secs(1);
const TERM: u8 = 15;
const KILL: u8 = 9;

type Killing = Pin<Box<dyn Future<Output = Killed> + Send>>;

/// Why Lethe kills a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Cancelled,
    TimedOut,
}

/// The state of a command that has ended, and whether Lethe killed it.
struct CommandEnd {
    state: TaskState,
    stopped: Option<(Stop, Killed)>,
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
        let mut reader = OutputReader::begin(self, &connection, inputs).await?;
        let end = match state {
            TaskState::Ended(end)
                if end.stopped.is_none()
                    && !was_ended_by_lethe(
                        end.ending,
                        self.is_cancelled(),
                        Instant::now() >= deadline,
                    ) =>
            {
                CommandEnd { state, stopped: None }
            }
            TaskState::Running
            | TaskState::Ended(_)
            | TaskState::Missing
            | TaskState::Vanished { .. } => {
                self.until_ended(&connection, &mut reader, deadline).await?
            }
        };
        let is_complete = self.drain(&mut reader, end.state).await?;
        reader.finish().await?;
        failpoint!(CancelKilled if end.stopped.is_some());
        let log = self.sealed_log().await?;
        failpoint!(RunSealed);
        let log = LogSeal { truncated: log.truncated || !is_complete, ..log };
        events::ended(&self.app, &self.task, end.ending(), Some(log)).await?;
        failpoint!(RunEnded);
        self.clean_up(Some(&connection)).await;
        failpoint!(RunCleaned);
        self.finish().await
    }

    /// Reads the output until the command has ended. A cancelled or timed-out command is killed first, with
    /// all its processes, also where its server or an earlier node has begun with it.
    async fn until_ended(
        &self,
        connection: &Connection,
        reader: &mut OutputReader,
        deadline: Instant,
    ) -> Result<CommandEnd, AttemptError> {
        let mut end = pin!(task::wait(connection, &self.id));
        let mut cancel = self.signals.cancel.clone();
        let mut cancelled = pin!(is_cancelled(&mut cancel));
        let mut timed_out = pin!(tokio::time::sleep_until(deadline));
        let mut state = None;
        let (stop, mut killing) = loop {
            tokio::select! {
                // A cancellation or a deadline may have come before this node took the task.
                biased;
                () = &mut cancelled => break (Stop::Cancelled, self.kill(StopCause::Cancel)),
                () = &mut timed_out => break (Stop::TimedOut, self.kill(StopCause::Timeout)),
                ended = &mut end => {
                    let ended = ended?;
                    let Some(stop) = stopped(ended) else {
                        return Ok(CommandEnd { state: ended, stopped: None });
                    };
                    state = Some(ended);
                    break (stop, self.kill(stop.cause()));
                }
                read = reader.next() => read?,
            }
        };
        let killed = loop {
            tokio::select! {
                ended = &mut end, if state.is_none() => state = Some(ended?),
                read = reader.next() => read?,
                killed = &mut killing => break killed,
            }
        };
        while state.is_none() {
            tokio::select! {
                ended = &mut end => state = Some(ended?),
                read = reader.next() => read?,
            }
        }
        let state = state.unwrap_or(TaskState::Missing);
        Ok(CommandEnd { state, stopped: Some((stop, killed)) })
    }

    /// Repeats the kill until nothing is left, as far as the server can show. It uses its own connection, since the other may be full of
    /// output.
    fn kill(&self, cause: StopCause) -> Killing {
        let (app, workspace, id) = (self.app.clone(), self.task.workspace, self.id);
        Box::pin(async move {
            loop {
                match kill(&app, workspace, &id, cause).await {
                    Ok(killed) => return killed,
                    Err(error) => {
                        tracing::debug!(run = %id.run, %error, "a run is not killed yet: trying again");
                    }
                }
                tokio::time::sleep(KILL_AGAIN).await;
            }
        })
    }

    /// Reads to the end of the output. `false`: the output files have become shorter.
    async fn drain(
        &mut self,
        reader: &mut OutputReader,
        state: TaskState,
    ) -> Result<bool, AttemptError> {
        let TaskState::Ended(end) = state else {
            reader.until_quiet().await?;
            return Ok(false);
        };
        while !reader.has(end.out_bytes, end.err_bytes) {
            match tokio::time::timeout(STALLED, reader.next()).await {
                Ok(read) => read?,
                Err(_) if self.drained >= DRAINS_MAX => return Ok(false),
                Err(_) => {
                    self.drained += 1;
                    return Err(AttemptError::Server(StartCause::Connect(ConnectFailure::Command)));
                }
            }
        }
        Ok(true)
    }
}

/// Why a command was ended before its time, as its server has noted it.
const fn stopped(state: TaskState) -> Option<Stop> {
    match state {
        TaskState::Ended(End { stopped: Some(StopCause::Cancel), .. }) => Some(Stop::Cancelled),
        TaskState::Ended(End { stopped: Some(StopCause::Timeout), .. }) => Some(Stop::TimedOut),
        TaskState::Ended(End { stopped: None, .. })
        | TaskState::Missing
        | TaskState::Running
        | TaskState::Vanished { .. } => None,
    }
}

async fn is_cancelled(cancel: &mut watch::Receiver<bool>) {
    if cancel.wait_for(|cancel| *cancel).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Whether Lethe killed a command that has ended and whose server does not say why: an earlier node of
/// a former version may have killed it after a cancellation or a time-out, and died before it appended the event.
const fn was_ended_by_lethe(ending: Ended, is_cancelled: bool, is_over_time: bool) -> bool {
    let is_killed = match ending {
        Ended::Signalled(number) => number == TERM || number == KILL,
        Ended::Exited(code) => code == 128 + TERM || code == 128 + KILL,
    };
    is_killed && (is_cancelled || is_over_time)
}

async fn kill(
    app: &App,
    workspace: domain::WorkspaceId,
    id: &TaskId,
    cause: StopCause,
) -> Result<Killed, AttemptError> {
    let connection = connect(app, workspace, id.server).await?;
    refuse_after_loss(app)?;
    Ok(task::kill(&connection, id, GRACE, cause).await?.if_proven()?)
}

impl Stop {
    const fn cause(self) -> StopCause {
        match self {
            Self::Cancelled => StopCause::Cancel,
            Self::TimedOut => StopCause::Timeout,
        }
    }
}

impl CommandEnd {
    fn ending(&self) -> Ending {
        match (&self.stopped, self.state) {
            (Some((Stop::Cancelled, killed)), state) => {
                let forced =
                    matches!(state, TaskState::Ended(End { ending: Ended::Signalled(KILL), .. }));
                Ending::Cancelled { forced: forced || killed.forced, proven: true }
            }
            (Some((Stop::TimedOut, _)), _) => Ending::TimedOut { proven: true },
            (None, TaskState::Ended(End { ending: Ended::Exited(0), .. })) => Ending::Succeeded,
            (None, TaskState::Ended(End { ending: Ended::Exited(code), .. })) => {
                Ending::Failed { failure: Failure::Exit { code: code.into() } }
            }
            (None, TaskState::Ended(End { ending: Ended::Signalled(number), .. })) => {
                Ending::Failed { failure: Failure::Signal { number: number.into() } }
            }
            (None, TaskState::Missing | TaskState::Running | TaskState::Vanished { .. }) => {
                Ending::Lost { why: LossCause::Unknown }
            }
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
}
