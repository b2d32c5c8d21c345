//! Ends seat leases whose time is over: by the clock, and for whoever finds every seat taken.

use domain::seat::{SeatCommand, SeatError, SeatPool, pool_stream};
use domain::{CommandId, Refused, WorkspaceId};
use infra::event_store::{ExecuteError, Request, Step};
use infra::ids::hashed;
use infra::postgres::PgError;
use infra::seats::{OverdueLease, Seats};
use tokio::sync::Semaphore;

use crate::wiring::App;

const LEASES_AT_ONCE: i64 = 128;
/// Each holds a connection while the log is told over others: the pool must have some left.
static AT_WORK: Semaphore = Semaphore::const_new(2);

#[derive(Debug, thiserror::Error)]
pub(crate) enum ReapError {
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

/// What another is ending at this moment is left to them.
pub(crate) async fn reap(app: &App, workspace: WorkspaceId) -> Result<(), ReapError> {
    while app.seats.is_overdue(workspace).await? {
        let _turn = AT_WORK.acquire().await;
        if reap_some(app, workspace).await? == 0 {
            break;
        }
    }
    Ok(())
}

/// The rows go with the commit, and the commit comes after the events. Without it the rows stay,
/// nobody can renew them, and the next reaper asks the same of the log.
async fn reap_some(app: &App, workspace: WorkspaceId) -> Result<usize, ReapError> {
    let mut client = app.pool.get().await.map_err(PgError::from)?;
    let tx = tokio_postgres::Client::transaction(&mut client).await?;
    let overdue = Seats::take_overdue(&tx, workspace, LEASES_AT_ONCE).await?;
    if overdue.is_empty() {
        return Ok(0);
    }
    let expired = tell(app, workspace, &overdue).await?;
    tx.commit().await?;
    app.metrics.seat_expirations.inc_by(expired);
    Ok(overdue.len())
}

/// Answers how many leases it ended: a row whose lease has ended already is only dropped.
async fn tell(
    app: &App,
    workspace: WorkspaceId,
    overdue: &[OverdueLease],
) -> Result<u64, ExecuteError> {
    let stream = pool_stream(workspace);
    let leases: Vec<&[u8]> =
        overdue.iter().map(|over| over.lease.0.as_bytes().as_slice()).collect();
    let id = hashed(&[[b"seat.expire".as_slice()].as_slice(), leases.as_slice()].concat());
    let request = Request::new(workspace.into(), CommandId(id));
    let steps = overdue.iter().map(|&OverdueLease { lease, account }| {
        Step::new::<SeatPool>(stream, SeatCommand::Expire { lease, account })
    });
    let steps: Vec<Step> = steps.collect();
    // Of many who ask a busy pool at once, whoever has seen it last is not sent back into the line.
    app.executor.load::<SeatPool>(workspace.into(), stream).await?;
    match app.executor.execute(&request, &steps).await {
        Ok(receipt) if !receipt.replayed() => {
            Ok(u64::try_from(receipt.events().len()).unwrap_or(u64::MAX))
        }
        // A deleted workspace's seats have ended with it.
        Ok(_)
        | Err(ExecuteError::Fenced | ExecuteError::Refused(Refused::Seat(SeatError::Unknown))) => {
            Ok(0)
        }
        Err(error) => Err(error),
    }
}
