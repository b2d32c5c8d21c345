//! Follows the output of a command, also after its end.

use std::time::Duration;

use domain::server::ConnectFailure;

use super::super::watch::{Watch, watch_until};
use super::super::{Chunk, TaskError, TaskId};
use crate::remote::{Connection, RemoteError};

/// Nothing is ever written to it: only the end of its standard input ends such a watch.
const NO_SIGNAL: &str = "/dev/null";
/// The end of the command is not asked for.
const NEVER: Duration = Duration::from_hours(24 * 365);

/// Follows both outputs of a command until it is dropped. It does not end with the command:
/// [`super::harness::wait`] says how much there is to read.
pub(super) struct Tail(Watch);

/// Follows the outputs, each from the given byte on.
pub(super) async fn tail(
    connection: &Connection,
    task: &TaskId,
    out_offset: u64,
    err_offset: u64,
) -> Result<Tail, TaskError> {
    let offsets = Some((out_offset, err_offset));
    Ok(Tail(watch_until(connection, task, offsets, NO_SIGNAL, NEVER).await?))
}

impl Tail {
    /// The next bytes of either output. `Missing` when the server has no record of the command.
    pub(super) async fn next(&mut self) -> Result<Chunk, TaskError> {
        let chunk = self.0.read().await?;
        chunk.ok_or_else(|| RemoteError::Lost(ConnectFailure::Command).into())
    }
}
