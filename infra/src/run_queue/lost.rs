//! Lost tasks: something of them may be at work on their servers.

use std::time::Duration;

use domain::run::TaskLease;
use domain::{RunId, ServerId, WorkspaceId};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::{EarlierAttempt, RunQueue, fence, signed, task};
use crate::postgres::{PgError, Transaction};
use crate::statement::{execute, query, query_opt};

const LOSE: &str = include_str!("lose.sql");
const LEAVE: &str = include_str!("leave.sql");
const LIST_EARLIER: &str = "select attempt, place from working.run_tasks where run_id = $1 \
    and server_id = $2 and attempt < $3 and state = 'lost' order by attempt desc";
const LIST_ON: &str = "select run_id, attempt from working.run_tasks \
    where workspace_id = $1 and server_id = $2 and state in ('running', 'lost') limit $3";
const PROVE_GONE: &str = include_str!("prove_gone.sql");
const NOTE_KILL: &str = "update working.run_tasks set kill_tries = kill_tries + 1 \
    where run_id = $1 and server_id = $2 and attempt = $3 and fence = $4 returning kill_tries";
const GIVE_UP: &str = include_str!("give_up.sql");
/// At once, also where it is looked for seldom.
const HASTEN_ON: &str = "update working.run_tasks set next_at = null \
    where server_id = $1 and workspace_id = $2 and state = 'lost' and next_at is not null";

impl RunQueue {
    /// Records that the task is lost. It can be claimed again after `pause`, to be searched for.
    pub async fn lose(
        &self,
        run: RunId,
        lease: TaskLease,
        pause: Duration,
    ) -> Result<bool, PgError> {
        let (attempt, fence, pause) = (signed(lease.attempt), fence(lease), pause.as_secs_f64());
        let values: [&(dyn ToSql + Sync); 5] = [&run.0, &lease.server.0, &attempt, &fence, &pause];
        Ok(execute(&self.pool, LOSE, &values).await? == 1)
    }

    /// Leaves a lost task, and deletes its secrets. It is claimed again a day later, then each time after as long as
    /// it has been lost by then, and at the end of its workspace; each 5 minutes where another run of its deployment
    /// waits for it. One that was to be killed is claimed again each hour of a day, and then each day.
    /// [`Self::begun`] lists it until it is finished.
    pub async fn leave(&self, run: RunId, lease: TaskLease) -> Result<(), PgError> {
        let (attempt, fence) = (signed(lease.attempt), fence(lease));
        execute(&self.pool, LEAVE, &[&run.0, &lease.server.0, &attempt, &fence]).await?;
        Ok(())
    }

    /// The earlier attempts of which something may be at work on the server, the last one first: those that are lost.
    /// What ended has left only what it wanted to leave.
    pub async fn earlier(
        &self,
        run: RunId,
        lease: TaskLease,
    ) -> Result<Vec<EarlierAttempt>, PgError> {
        let attempt = signed(lease.attempt);
        let rows = query(&self.pool, LIST_EARLIER, &[&run.0, &lease.server.0, &attempt]).await?;
        rows.iter().map(|row| Ok(task::earlier(row)?)).collect()
    }

    /// Counts a kill that has proven nothing. Returns how many there are; `None` when another node has the task.
    pub async fn note_kill(&self, run: RunId, lease: TaskLease) -> Result<Option<u32>, PgError> {
        let (attempt, fence) = (signed(lease.attempt), fence(lease));
        let values: [&(dyn ToSql + Sync); 4] = [&run.0, &lease.server.0, &attempt, &fence];
        let row = query_opt(&self.pool, NOTE_KILL, &values).await?;
        let tries: Option<i32> = row.map(|row| row.try_get(0)).transpose()?;
        Ok(tries.map(i32::unsigned_abs))
    }

    /// Looks for the lost tasks of a server at once, in the reader's transaction.
    pub async fn hasten_on(
        &self,
        tx: &Transaction<'_>,
        workspace: WorkspaceId,
        server: ServerId,
    ) -> Result<u64, PgError> {
        Ok(tx.execute(HASTEN_ON, &[&server.0, &workspace.0]).await?)
    }

    /// At most `limit` attempts of which something may be at work on a server, or is still to be read there.
    pub async fn begun_on(
        &self,
        workspace: WorkspaceId,
        server: ServerId,
        limit: i64,
    ) -> Result<Vec<(RunId, u32)>, PgError> {
        let rows = query(&self.pool, LIST_ON, &[&workspace.0, &server.0, &limit]).await?;
        let read =
            |row: &Row| Ok((RunId(row.try_get(0)?), row.try_get::<_, i32>(1)?.unsigned_abs()));
        rows.iter().map(read).collect()
    }

    /// Deletes a lost task, with its secrets unless another task needs them: it is certain that it does not run, so that
    /// its deployment is free. `false`: it is not lost.
    pub async fn prove_gone(
        &self,
        run: RunId,
        server: ServerId,
        attempt: u32,
    ) -> Result<bool, PgError> {
        let attempt = signed(attempt);
        let row = query_opt(&self.pool, PROVE_GONE, &[&run.0, &server.0, &attempt]).await?;
        Ok(row.map_or(Ok(false), |row| row.try_get(0))?)
    }

    /// Deletes the task of an attempt that is given up: it may run, and nobody looks for it any more, so that its
    /// deployment is free. With its secrets unless another task needs them. Once it has returned, nobody writes into the
    /// log of the attempt any more.
    pub async fn give_up(&self, run: RunId, server: ServerId, attempt: u32) -> Result<(), PgError> {
        execute(&self.pool, GIVE_UP, &[&run.0, &server.0, &signed(attempt)]).await?;
        Ok(())
    }
}
