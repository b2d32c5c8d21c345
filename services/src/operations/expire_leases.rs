//! Expires seat leases: on a timer, and before a request is refused because every seat is taken.

use domain::seat::{SeatCommand, SeatError, SeatPool, pool_stream};
use domain::{Refused, WorkspaceId};
use infra::event_store::ExecuteError;
use infra::failpoint;
use infra::postgres::{OuterClient, PgError};
use infra::seats::{OverdueLease, Seats};

use crate::operations::system_command::SystemCommand;
use crate::wiring::App;

const LEASES_AT_ONCE: i64 = 128;

#[derive(Debug, thiserror::Error)]
pub(crate) enum ExpireLeasesError {
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error("the log could not be written: {0}")]
    Log(#[from] ExecuteError),
}

impl From<tokio_postgres::Error> for ExpireLeasesError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error.into())
    }
}

/// Ends every expired lease of a workspace, except those that another node is ending at this moment.
///
/// # Errors
/// Some may be left; call it again.
pub(crate) async fn expire_leases(
    app: &App,
    workspace: WorkspaceId,
) -> Result<(), ExpireLeasesError> {
    while app.seats.is_overdue(workspace).await? {
        if expire_some(app, workspace).await? == 0 {
            break;
        }
    }
    Ok(())
}

/// The rows are deleted with the commit, and the commit comes after the events. Without it the rows
/// stay, nobody can renew them, and the next call appends under the same command id.
async fn expire_some(app: &App, workspace: WorkspaceId) -> Result<usize, ExpireLeasesError> {
    let mut client = OuterClient::of(&app.pool).await?;
    let tx = client.transaction().await?;
    let overdue = Seats::take_overdue(&tx, workspace, LEASES_AT_ONCE).await?;
    if overdue.is_empty() {
        return Ok(0);
    }
    let expired = append(app, workspace, &overdue).await?;
    failpoint!(SeatExpired);
    tx.commit().await?;
    app.metrics.seat_expirations.inc_by(expired);
    Ok(overdue.len())
}

/// Returns how many leases it ended: a row whose lease has ended already is only deleted.
async fn append(
    app: &App,
    workspace: WorkspaceId,
    overdue: &[OverdueLease],
) -> Result<u64, ExecuteError> {
    let stream = pool_stream(workspace);
    let leases = overdue.iter().map(|overdue| overdue.lease.0.as_bytes().as_slice());
    let cause: Vec<&[u8]> = std::iter::once(b"seat.expire".as_slice()).chain(leases).collect();
    let mut command = SystemCommand::new(workspace.into(), &cause);
    for &OverdueLease { lease, account } in overdue {
        command = command.step::<SeatPool>(stream, SeatCommand::Expire { lease, account });
    }
    // Several callers may expire leases of one pool at the same time: a fresh load avoids conflicts.
    app.executor.load::<SeatPool>(workspace.into(), stream).await?;
    // A deleted workspace has no pool any more.
    let has_no_pool = |refused: &Refused| matches!(refused, Refused::Seat(SeatError::Unknown));
    match command.execute(&app.executor, has_no_pool).await? {
        Some(receipt) if !receipt.replayed() => {
            Ok(u64::try_from(receipt.events().len()).unwrap_or(u64::MAX))
        }
        Some(_) | None => Ok(0),
    }
}
