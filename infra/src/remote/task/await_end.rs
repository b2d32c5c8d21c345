//! Waits for the end of a command.

use domain::server::ConnectFailure;

use super::super::{Connection, RemoteError};
use super::watch::{Watched, watch};
use super::{TaskError, TaskId, TaskState, probe};

/// Waits until the command does not run any more; never returns `Running`.
///
/// # Errors
/// A connection that is lost meanwhile is an error, and says nothing about the command.
pub async fn wait(connection: &Connection, task: &TaskId) -> Result<TaskState, TaskError> {
    loop {
        match probe(connection, task).await? {
            TaskState::Running => {}
            other @ (TaskState::Missing | TaskState::Ended(_) | TaskState::Vanished { .. }) => {
                return Ok(other);
            }
        }
        match watch(connection, task, None).await?.next().await {
            Watched::Ended | Watched::Chunk(_) => {}
            Watched::Lost => return Err(RemoteError::Lost(ConnectFailure::Command).into()),
        }
    }
}
