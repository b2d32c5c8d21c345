//! Ends leases whose time is over. It runs on every node, so that no seat waits for another node
//! to take the turn of one that died: the rows are locked, and each is reaped once.

use domain::seat::{SeatCommand, SeatError, SeatPool, pool_stream};
use domain::{CommandId, Refused, WorkspaceId};
use infra::event_store::{ExecuteError, Request, Step};
use infra::ids::hashed;
use infra::postgres::PgError;
use infra::seats::{Overdue, Seats};

use crate::wiring::App;

const WORKSPACES_AT_ONCE: i64 = 64;
const LEASES_AT_ONCE: i64 = 128;

#[derive(Debug, thiserror::Error)]
enum ReapError {
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error("the log: {0}")]
    Log(#[from] ExecuteError),
}

impl From<tokio_postgres::Error> for ReapError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error.into())
    }
}

/// One workspace's trouble is not the others'.
pub(super) async fn reap_due(app: App) -> Result<(), PgError> {
    for workspace in app.seats.overdue(WORKSPACES_AT_ONCE).await? {
        if let Err(error) = reap_workspace(&app, workspace).await {
            tracing::warn!(%workspace, %error, "leases that are over could not be ended yet");
        }
    }
    Ok(())
}

async fn reap_workspace(app: &App, workspace: WorkspaceId) -> Result<(), ReapError> {
    while reap(app, workspace).await? == LEASES_AT_ONCE.unsigned_abs() {}
    Ok(())
}

/// The rows go with the commit, and the commit comes after the events. Without it the rows stay,
/// nobody can renew them, and the next reaper asks the same of the log.
async fn reap(app: &App, workspace: WorkspaceId) -> Result<u64, ReapError> {
    let mut client = app.pool.get().await.map_err(PgError::from)?;
    let tx = tokio_postgres::Client::transaction(&mut client).await?;
    let overdue = Seats::take_overdue(&tx, workspace, LEASES_AT_ONCE).await?;
    if overdue.is_empty() {
        return Ok(0);
    }
    let expired = tell(app, workspace, &overdue).await?;
    tx.commit().await?;
    app.metrics.seat_expirations.inc_by(expired);
    Ok(u64::try_from(overdue.len()).unwrap_or_default())
}

/// Answers how many leases it ended: a row whose lease has ended already is only dropped.
async fn tell(app: &App, workspace: WorkspaceId, overdue: &[Overdue]) -> Result<u64, ExecuteError> {
    let leases: Vec<&[u8]> =
        overdue.iter().map(|over| over.lease.0.as_bytes().as_slice()).collect();
    let id = hashed(&[[b"seat.expire".as_slice()].as_slice(), leases.as_slice()].concat());
    let request = Request::new(workspace.into(), CommandId(id));
    let steps = overdue.iter().map(|&Overdue { lease, account }| {
        Step::new::<SeatPool>(pool_stream(workspace), SeatCommand::Expire { lease, account })
    });
    let steps: Vec<Step> = steps.collect();
    match app.executor.execute(&request, &steps).await {
        Ok(receipt) if receipt.last > 0 && !receipt.replayed => {
            Ok((receipt.last - receipt.first + 1).unsigned_abs())
        }
        // A deleted workspace's seats have ended with it.
        Ok(_)
        | Err(ExecuteError::Fenced | ExecuteError::Refused(Refused::Seat(SeatError::Unknown))) => {
            Ok(0)
        }
        Err(error) => Err(error),
    }
}
