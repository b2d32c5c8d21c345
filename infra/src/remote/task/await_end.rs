//! Waits for the end of a command.

use std::time::Duration;

use domain::server::Cause;
use tokio::time::timeout;

use super::super::{Channel, ChannelEvent, Connection, RemoteError};
use super::follow::{MISSING, Noise, mark};
use super::script::Script;
use super::{Found, TaskError, TaskId, probe};

/// After this long the server is asked again: the keeper that tells of the end may be gone.
const TOLD_WITHIN: Duration = Duration::from_secs(30);

/// Resolves when the command does not run any more; never `Running`. A connection that is lost
/// meanwhile is an error, and says nothing about the command.
pub async fn wait(connection: &Connection, task: &TaskId) -> Result<Found, TaskError> {
    loop {
        match probe(connection, task).await? {
            Found::Running => {}
            other @ (Found::Missing | Found::Ended(_) | Found::Vanished { .. }) => {
                return Ok(other);
            }
        }
        told(connection, task).await?;
    }
}

/// Until the keeper's word, or for so long.
async fn told(connection: &Connection, task: &TaskId) -> Result<(), TaskError> {
    let mark = mark(task);
    let script = Script::wait(task, &mark);
    let mut channel = connection.open_held(&script.command, &script.stdin).await?;
    let told = timeout(TOLD_WITHIN, word(&mut channel, &mark)).await;
    channel.close().await;
    told.unwrap_or(Ok(()))
}

async fn word(channel: &mut Channel, mark: &str) -> Result<(), TaskError> {
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
    Err(RemoteError::Lost(Cause::Command).into())
}
