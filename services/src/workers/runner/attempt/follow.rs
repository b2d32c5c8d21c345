//! Follows a command that was started: its output into the log, its end into the event.

use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use domain::run::{Ending, Failure, LogSeal};
use domain::server::ConnectFailure;
use infra::remote::Connection;
use infra::remote::task::{self, End, Ending as Ended, Killed, TaskError, TaskId, TaskState};
use tokio::sync::watch;
use tokio::time::Instant;

use super::super::given::Given;
use super::super::told;
use super::log::Reading;
use super::{Attempt, GRACE, Halt, Next};
use crate::reach;
use crate::wiring::App;

/// A connection that brings nothing of a log that is known to be longer.
const STALLED: Duration = Duration::from_secs(20);
/// After so many of them the file itself must be shorter than it was.
const DRAINS_MAX: u32 = 3;
const KILL_AGAIN: Duration = Duration::from_secs(1);
const TERM: u8 = 15;
const KILL: u8 = 9;

type Killing = Pin<Box<dyn Future<Output = Killed> + Send>>;

/// Why a command is ended that has not ended by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Cancelled,
    TimedOut,
}

/// How a command came to its end.
struct Over {
    found: TaskState,
    stopped: Option<(Stop, Killed)>,
}

impl Attempt {
    pub(super) async fn follow(
        &mut self,
        connection: Connection,
        given: &Given,
        found: TaskState,
    ) -> Result<Next, Halt> {
        let left = self.app.run_queue.begin(self.task.run, self.task.lease).await?;
        let deadline = Instant::now() + left.ok_or(Halt::Gone)?;
        let mut reading = Reading::begin(self, &connection, given).await?;
        let over = match found {
            TaskState::Ended(end) if !self.was_ended_by_us(end, deadline) => {
                Over { found, stopped: None }
            }
            TaskState::Running
            | TaskState::Ended(_)
            | TaskState::Missing
            | TaskState::Vanished { .. } => self.see(&connection, &mut reading, deadline).await?,
        };
        let whole = self.drain(&mut reading, over.found).await?;
        reading.finish().await?;
        let log = self.sealed_log().await?;
        let log = LogSeal { truncated: log.truncated || !whole, ..log };
        told::ended(&self.app, &self.task, over.ending(), Some(log)).await?;
        self.put_away(Some(&connection)).await;
        self.finish().await
    }

    /// A node before this one may have stopped it, and not have come to tell.
    fn was_ended_by_us(&self, end: End, deadline: Instant) -> bool {
        let by_signal = match end.ending {
            Ended::Signalled(number) => number == TERM || number == KILL,
            Ended::Exited(code) => code == 128 + TERM || code == 128 + KILL,
        };
        by_signal && (self.is_cancelled() || Instant::now() >= deadline)
    }

    /// Until it does not run any more; stopped, until nothing of it is left.
    async fn see(
        &self,
        connection: &Connection,
        reading: &mut Reading,
        deadline: Instant,
    ) -> Result<Over, Halt> {
        let mut end = pin!(task::wait(connection, &self.id));
        let mut cancel = self.word.cancel.clone();
        let mut asked = pin!(asked(&mut cancel));
        let mut time = pin!(tokio::time::sleep_until(deadline));
        let mut found = None;
        let (stop, mut killing) = loop {
            tokio::select! {
                // First what may have come from the node before.
                biased;
                () = &mut asked => break (Stop::Cancelled, self.kill()),
                () = &mut time => break (Stop::TimedOut, self.kill()),
                over = &mut end => return Ok(Over { found: over?, stopped: None }),
                read = reading.next() => read?,
            }
        };
        let killed = loop {
            tokio::select! {
                over = &mut end, if found.is_none() => found = Some(over?),
                read = reading.next() => read?,
                killed = &mut killing => break killed,
            }
        };
        while found.is_none() {
            tokio::select! {
                over = &mut end => found = Some(over?),
                read = reading.next() => read?,
            }
        }
        let found = found.unwrap_or(TaskState::Missing);
        Ok(Over { found, stopped: Some((stop, killed)) })
    }

    /// On a connection of its own: this one may be full of output.
    fn kill(&self) -> Killing {
        let (app, workspace, id) = (self.app.clone(), self.task.workspace, self.id);
        Box::pin(async move {
            loop {
                match kill(&app, workspace, &id).await {
                    Ok(killed) => return killed,
                    Err(halt) => tracing::debug!(run = %id.run, %halt, "a run is not ended yet"),
                }
                tokio::time::sleep(KILL_AGAIN).await;
            }
        })
    }

    /// Reads up to where the output ended. False when the file has become shorter than that.
    async fn drain(&mut self, reading: &mut Reading, found: TaskState) -> Result<bool, Halt> {
        let TaskState::Ended(end) = found else {
            reading.until_quiet().await?;
            return Ok(false);
        };
        while !reading.has(end.out_bytes, end.err_bytes) {
            match tokio::time::timeout(STALLED, reading.next()).await {
                Ok(read) => read?,
                Err(_) if self.drained >= DRAINS_MAX => return Ok(false),
                Err(_) => {
                    self.drained += 1;
                    return Err(Halt::Server(domain::run::StartFailure::Connect(
                        ConnectFailure::Command,
                    )));
                }
            }
        }
        Ok(true)
    }
}

async fn asked(cancel: &mut watch::Receiver<bool>) {
    if cancel.wait_for(|asked| *asked).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn kill(app: &App, workspace: domain::WorkspaceId, id: &TaskId) -> Result<Killed, Halt> {
    let connection = reach::connect(app, workspace, id.server).await?;
    match task::kill(&connection, id, GRACE).await {
        Err(TaskError::Missing) => Ok(Killed { forced: false }),
        killed => Ok(killed?),
    }
}

impl Over {
    fn ending(&self) -> Ending {
        match (self.stopped, self.found) {
            (Some((Stop::Cancelled, killed)), found) => {
                let forced =
                    matches!(found, TaskState::Ended(End { ending: Ended::Signalled(KILL), .. }));
                Ending::Cancelled { forced: forced || killed.forced }
            }
            (Some((Stop::TimedOut, _)), _) => Ending::TimedOut,
            (None, TaskState::Ended(End { ending: Ended::Exited(0), .. })) => Ending::Succeeded,
            (None, TaskState::Ended(End { ending: Ended::Exited(code), .. })) => {
                Ending::Failed { failure: Failure::Exit { code: code.into() } }
            }
            (None, TaskState::Ended(End { ending: Ended::Signalled(number), .. })) => {
                Ending::Failed { failure: Failure::Signal { number: number.into() } }
            }
            (None, TaskState::Missing | TaskState::Running | TaskState::Vanished { .. }) => {
                Ending::Lost
            }
        }
    }
}
