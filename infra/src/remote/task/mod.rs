//! One run's command on a server: started once, followed, waited for and killed, also when connections
//! are lost. The server runs POSIX shell scripts on Linux, which it reads from standard input, so
//! that no login shell's quoting matters and no secret of a run appears on a command line.

mod answer;
mod chunk;
mod id;
mod launch;
mod preflight;
mod rest;
mod script;
mod sweep;
#[cfg(test)]
pub(super) mod tests;
mod watch;

use std::time::Duration;

pub use answer::{
    CheckedFact, End, Ending, Fact, Forbidden, Killed, Left, Preflight, Started, StopCause,
    TaskError, TaskState, Unproven, Unsupported,
};
pub use chunk::{Chunk, Output};
pub use id::TaskId;
pub use launch::{Launch, LaunchError};
pub use preflight::preflight;
pub use rest::{Rest, rest};
pub use sweep::sweep;
pub use watch::{Watch, Watched, watch};

use super::{Connection, Limits};
use script::Script;

/// The answer, and the text that a login may print before it.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
const START_WITHIN: Duration = Duration::from_mins(1);
/// The time that a kill may take beyond its grace.
const KILL_WITHIN: Duration = Duration::from_secs(40);

/// Starts the command, unless it was started, forbidden or removed before. Of any number of requests,
/// also at the same time and from several nodes, exactly one gets `Launched`. After a lost connection,
/// call it again.
///
/// # Errors
/// `Launch` and `Unsupported`: nothing was started. `Remote`: it is unknown whether it was.
pub async fn start(connection: &Connection, launch: &Launch<'_>) -> Result<Started, TaskError> {
    let script = Script::start(launch)?;
    ask(connection, &script, START_WITHIN).await?.started()
}

/// Asks the server for the state of the command.
///
/// # Errors
/// The server was not reached, or its answer cannot be read. `Unsupported`: it cannot look, which says nothing about the
/// command.
pub async fn probe(connection: &Connection, task: &TaskId) -> Result<TaskState, TaskError> {
    ask(connection, &Script::probe(task), ANSWER_WITHIN).await?.state()
}

/// Ends the command: TERM to its process group and all other processes of it, KILL to what is left
/// after `grace` (whole seconds). Also kills processes that an ended command left running, of a
/// command that was never started or is removed, too. The cause is noted on the server, unless the
/// command has ended.
///
/// # Errors
/// The server was not reached, or its answer cannot be read. That processes are left, or may be, is
/// no error: see [`Killed::proven`].
pub async fn kill(
    connection: &Connection,
    task: &TaskId,
    grace: Duration,
    cause: StopCause,
) -> Result<Killed, TaskError> {
    let script = Script::kill(task, grace.as_secs(), cause);
    ask(connection, &script, KILL_WITHIN.saturating_add(grace)).await?.killed()
}

/// Makes sure that the server does not start the command any more, also not when a request that was
/// sent before comes late.
///
/// # Errors
/// `Unsupported`: the server cannot note it.
pub async fn forbid(connection: &Connection, task: &TaskId) -> Result<Forbidden, TaskError> {
    ask(connection, &Script::forbid(task), ANSWER_WITHIN).await?.forbidden()
}

/// Removes what the server keeps of a command that does not run any more, but for a note by which it
/// never starts the same task again.
///
/// # Errors
/// `Running`: it has not ended.
pub async fn remove(connection: &Connection, task: &TaskId) -> Result<(), TaskError> {
    ask(connection, &Script::remove(task), ANSWER_WITHIN).await?.removed()
}

async fn ask(
    connection: &Connection,
    script: &Script,
    within: Duration,
) -> Result<answer::Answer, TaskError> {
    let limits = Limits { within, bytes_max: ANSWER_BYTES_MAX };
    let done = connection.exec(&script.command, &script.stdin, limits).await?;
    answer::Answer::of(&done.out)
}
