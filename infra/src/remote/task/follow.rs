//! Follows the output of a command, also after its end.

use std::time::Duration;

use domain::server::ConnectFailure;

use super::super::{Connection, RemoteError};
use super::script::Until;
use super::watch::{Watch, watch_until};
use super::{Chunk, TaskError, TaskId};

/// The end of the command is not asked for.
const NEVER: Duration = Duration::from_hours(24 * 365);

/// Follows both outputs of a command until it is dropped. It does not end with the command:
/// [`super::wait`] says how much there is to read. No process is left on the server, however the
/// connection ends.
#[derive(Debug)]
pub struct Tail(Watch);

/// Follows the outputs, each from the given byte on.
///
/// # Errors
/// The server did not start the script; what is missing shows in [`Tail::next`].
pub async fn tail(
    connection: &Connection,
    task: &TaskId,
    out_offset: u64,
    err_offset: u64,
) -> Result<Tail, TaskError> {
    let offsets = Some((out_offset, err_offset));
    Ok(Tail(watch_until(connection, task, offsets, Until::Closed, NEVER).await?))
}

impl Tail {
    /// The next bytes of either output. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// `Missing` when the server has no record of the command; `Remote` when the connection is lost:
    /// what was returned before stays valid.
    pub async fn next(&mut self) -> Result<Chunk, TaskError> {
        let chunk = self.0.read().await?;
        chunk.ok_or_else(|| RemoteError::Lost(ConnectFailure::Command).into())
    }
}
