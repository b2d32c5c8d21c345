//! Kills a command until it is proven that nothing of it is left, or for as long as that is tried.

use std::time::Duration;

use domain::privacy::{LeftCause, Leftovers};
use infra::remote::Connection;
use infra::remote::task::{self, Killed, Left, StopCause, TaskError, TaskId, Unproven};
use tokio::time::{Instant, sleep};

use super::super::start_failure;
use super::log::OutputReader;
use super::way::Reached;
use super::{Attempt, AttemptError, refuse_after_loss};

/// The time between TERM and KILL.
const GRACE: Duration = Duration::from_secs(10);
/// After so many kills that have proven nothing, the run ends without a proof.
pub(super) const TRIES_MAX: u32 = 14;
/// The same after this time.
const TRIED_FOR: Duration = Duration::from_mins(10);
const PAUSE_MAX: Duration = Duration::from_mins(1);
/// The pause before a server is connected to again, on which nothing was killed.
const CONNECT_AGAIN: Duration = Duration::from_secs(1);

/// What came of all kills of a command.
pub(super) struct KillOutcome {
    /// A process had not gone by itself.
    pub forced: bool,
    /// `None`: nothing is left.
    pub left: Option<Leftovers>,
}

/// Kills once. An answer that cannot be read proves nothing.
pub(super) async fn kill(
    connection: &Connection,
    id: &TaskId,
    cause: StopCause,
) -> Result<Killed, AttemptError> {
    match task::kill(connection, id, GRACE, cause).await {
        Ok(killed) => Ok(killed),
        Err(TaskError::Remote(error)) => Err(error.into()),
        Err(
            TaskError::Launch(_)
            | TaskError::Unsupported(_)
            | TaskError::Missing
            | TaskError::NotProven
            | TaskError::Running
            | TaskError::Answer,
        ) => {
            let left = Left { why: Some(Unproven::NoTool), ..Left::default() };
            Ok(Killed { forced: false, proven: false, left })
        }
    }
}

/// The same of a command whose start may come late: it starts nothing then, if the server can note that.
pub(super) async fn kill_for_good(
    connection: &Connection,
    id: &TaskId,
) -> Result<Killed, AttemptError> {
    match task::forbid(connection, id).await {
        Ok(_) | Err(TaskError::Unsupported(_) | TaskError::Answer) => {}
        Err(error) => return Err(error.into()),
    }
    kill(connection, id, StopCause::Cancel).await
}

impl Attempt {
    /// Repeats the kill, ever more seldom, while the output is read. It uses connections of its own, since that of the
    /// output may be full; and that one where no other can be made.
    pub(super) async fn kill_all(
        &self,
        reader: &mut OutputReader,
        cause: StopCause,
    ) -> Result<KillOutcome, AttemptError> {
        let (since, mut forced) = (Instant::now(), false);
        loop {
            let killed = match self.kill_by_any_connection(reader, cause).await {
                // A server that answers everything but a kill is not asked without end.
                Err(unanswered @ AttemptError::Server(_)) => {
                    if !is_over(self.note_kill().await?, since.elapsed()) {
                        return Err(unanswered);
                    }
                    return Ok(KillOutcome { forced, left: Some(leftovers(Left::default())) });
                }
                killed => killed?,
            };
            forced |= killed.forced;
            if killed.proven {
                return Ok(KillOutcome { forced, left: None });
            }
            let tries = self.note_kill().await?;
            if is_over(tries, since.elapsed()) {
                return Ok(KillOutcome { forced, left: Some(leftovers(killed.left)) });
            }
            let run = self.task.run;
            tracing::debug!(%run, tries, "it is not proven that a run has ended: its processes are killed again");
            reader.while_reading(sleep(pause_after(tries))).await?;
        }
    }

    async fn kill_by_any_connection(
        &self,
        reader: &mut OutputReader,
        cause: StopCause,
    ) -> Result<Killed, AttemptError> {
        for pause in [Some(CONNECT_AGAIN), None] {
            let (app, way, id) = (self.app.clone(), self.way(), self.id);
            let own = Box::pin(async move {
                let Reached { connection, .. } = way.connect().await?;
                refuse_after_loss(&app)?;
                kill(&connection, &id, cause).await
            });
            match reader.while_reading(own).await? {
                Err(AttemptError::ServerDeleted) => break,
                Err(AttemptError::Server(cause)) if start_failure::is_for_good(cause) => break,
                Err(AttemptError::Server(_)) => {}
                killed => return killed,
            }
            if let Some(pause) = pause {
                reader.while_reading(sleep(pause)).await?;
            }
        }
        reader.kill(cause).await
    }

    /// Counts a kill that has proven nothing. Answers how many have not by now, of whatever node.
    pub(super) async fn note_kill(&self) -> Result<u32, AttemptError> {
        let tries = self.app.run_queue.note_kill(self.task.run, self.task.lease).await?;
        tries.ok_or(AttemptError::LeaseLost)
    }
}

/// Whether a run ends without a proof.
fn is_over(tries: u32, tried_for: Duration) -> bool {
    tries >= TRIES_MAX || tried_for >= TRIED_FOR
}

/// 1 second, then twice as long each time.
fn pause_after(tries: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
    Duration::from_secs(doubled.into()).min(PAUSE_MAX)
}

/// What is left of a command that runs, for all that its server says.
pub(super) fn alive() -> Leftovers {
    leftovers(Left { why: Some(Unproven::Alive), processes: 1, names: vec![] })
}

fn leftovers(left: Left) -> Leftovers {
    let why = match left.why {
        Some(Unproven::NoTool) | None => LeftCause::NoTool,
        Some(Unproven::Hidden) => LeftCause::Hidden,
        Some(Unproven::Denied) => LeftCause::Denied,
        Some(Unproven::Orphans) => LeftCause::Orphans,
        Some(Unproven::Alive) => LeftCause::Alive,
    };
    Leftovers::new(why, left.processes, left.names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_is_tried_again_ever_more_seldom_and_some_minutes_long() {
        let pauses: Vec<u64> = (1..TRIES_MAX).map(|tries| pause_after(tries).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60, 60]);
        assert_eq!(pause_after(u32::MAX), PAUSE_MAX);
        assert!(Duration::from_secs(pauses.iter().sum()) < TRIED_FOR);
        assert!(!is_over(TRIES_MAX - 1, Duration::ZERO));
        assert!(is_over(TRIES_MAX, Duration::ZERO), "also where other nodes have tried it");
        assert!(is_over(1, TRIED_FOR), "where each try takes long");
    }
}
