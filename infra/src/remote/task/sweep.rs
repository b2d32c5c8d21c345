//! Deletes what a server keeps of runs that ended long ago.

use domain::ServerId;

use super::super::Connection;
use super::script::Script;
use super::{ANSWER_WITHIN, TaskError, TaskId, ask};

/// Deletes the folders of up to 200 commands of this server that ended, or were removed, at least 14 days
/// ago by the server's clock, and answers how many those were. After that the server would start the
/// same tasks again.
///
/// What stays: a folder in which files have come or gone since; a command of `wanted`, which are those
/// that somebody still has to read or to end; one whose keeper or first process lives; one without a
/// noted end; every other server's, which may be another installation's; and what only a symbolic link
/// leads to, also where that is `.lethe`.
///
/// # Errors
/// The server was not reached, or its answer cannot be read.
pub async fn sweep(
    connection: &Connection,
    server: ServerId,
    wanted: &[TaskId],
) -> Result<u32, TaskError> {
    ask(connection, &Script::sweep(server, wanted), ANSWER_WITHIN).await?.swept()
}
