//! One run's command on a server: started once, followed, waited for and killed, whatever becomes
//! of connections. The far side is POSIX shell on Linux, fed through standard input, so that no
//! login shell's quoting matters and nothing given to a run stands on a command line.

mod answer;
mod await_end;
mod follow;
mod id;
mod launch;
mod script;
#[cfg(test)]
pub(super) mod tests;

use std::time::Duration;

pub use answer::{End, Ending, Found, Killed, Started, TaskError, Unable};
pub use await_end::wait;
pub use follow::{Chunk, Output, Tail, tail};
pub use id::TaskId;
pub use launch::{Launch, Unfit};

use super::{Connection, Limits};
use script::Script;

/// What a login may say before our own words.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
const START_WITHIN: Duration = Duration::from_mins(1);
/// What a kill may take longer than its grace.
const KILL_WITHIN: Duration = Duration::from_secs(40);

/// Starts the command, unless it ever was started. Asked any number of times, also at once and
/// from several places, one of them is told `Launched`. After a lost connection, ask again.
pub async fn start(connection: &Connection, launch: &Launch<'_>) -> Result<Started, TaskError> {
    let script = Script::start(launch)?;
    ask(connection, &script, START_WITHIN).await?.started()
}

/// What has become of the command, as the server knows it.
pub async fn probe(connection: &Connection, task: &TaskId) -> Result<Found, TaskError> {
    ask(connection, &Script::probe(task), ANSWER_WITHIN).await?.found()
}

/// Ends the command: TERM for its process group, KILL for what is left after `grace`, until no
/// process is left that carries its mark or is of its session. Also when it has ended already.
pub async fn kill(
    connection: &Connection,
    task: &TaskId,
    grace: Duration,
) -> Result<Killed, TaskError> {
    let script = Script::kill(task, grace.as_secs());
    ask(connection, &script, KILL_WITHIN.saturating_add(grace)).await?.killed()
}

/// Removes what the server keeps of a command that does not run any more. The server then would
/// start the same task again.
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
