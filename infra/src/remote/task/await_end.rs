//! Waits for the end of a command.

use std::time::Duration;

use domain::server::ConnectFailure;
use tokio::time::timeout;

use super::super::{Channel, ChannelEvent, Connection, RemoteError};
use super::follow::{MISSING, Noise, mark};
use super::script::Script;
use super::{TaskError, TaskId, TaskState, probe};

/// After this long the state is asked for again: the process on the server that signals the end may
/// have died.
const SIGNAL_WITHIN: Duration = Duration::from_secs(30);

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
        wait_for_signal(connection, task).await?;
    }
}

/// Returns when the server signals the end, or after [`SIGNAL_WITHIN`].
async fn wait_for_signal(connection: &Connection, task: &TaskId) -> Result<(), TaskError> {
    let mark = mark(task);
    let script = Script::wait(task, &mark);
    let mut channel = connection.open_held(&script.command, &script.stdin).await?;
    let signalled = timeout(SIGNAL_WITHIN, read_signal(&mut channel, &mark)).await;
    channel.close().await;
    signalled.unwrap_or(Ok(()))
}

async fn read_signal(channel: &mut Channel, mark: &str) -> Result<(), TaskError> {
    let mut noise = Noise::until(mark);
    let mut marked = false;
    while let Some(piece) = channel.next().await {
        match piece {
            ChannelEvent::Out(_) if marked => return Ok(()),
            ChannelEvent::Out(bytes) => {
                if let Some(rest) = noise.take(&bytes)? {
                    marked = true;
                    if !rest.is_empty() {
                        return Ok(());
                    }
                }
            }
            ChannelEvent::Exit(MISSING) => return Ok(()),
            ChannelEvent::Err(_) | ChannelEvent::Exit(_) => {}
        }
    }
    Err(RemoteError::Lost(ConnectFailure::Command).into())
}
