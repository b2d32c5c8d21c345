//! The queue of runs: a row for each attempt on a server, under a lease and a fence.

mod round;
mod secrets;
mod task;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::postgres::Transaction;
use chrono::{DateTime, Utc};
use domain::run::TaskLease;
use domain::{DeploymentId, RunId, RunSecretsId, ServerId, WorkspaceId};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::postgres::{PgError, Pool};
use crate::statement::{execute, query, query_opt};
use crate::workspace_rows::{DeleteRows, WorkspaceRows};

pub use round::ClaimRound;
pub use secrets::{SECRETS_OF_WORKSPACE, SecretsError, SecretsPlace, UnusedSecrets};
pub use task::{BegunTask, HeldTask, RenewedTask, Task};

const PUT: &str = include_str!("put.sql");
const SUPERSEDE: &str = include_str!("supersede.sql");
const CANCEL: &str = "update working.run_tasks set cancel = true, next_at = null, \
    state = case state when 'paused' then 'queued' else state end \
    where run_id = $1 and server_id = $2 and attempt = $3";
const DELETE_QUEUED: &str = "delete from working.run_tasks \
    where run_id = $1 and server_id = $2 and attempt = $3 and state in ('queued', 'paused')";
/// What an erasure deletes of a workspace.
pub const OF_WORKSPACE: WorkspaceRows = WorkspaceRows {
    table: "working.run_tasks",
    delete: DeleteRows::InBatches(include_str!("delete_tasks_of_workspace.sql")),
};
const END_OF_WORKSPACE: &str = include_str!("end_of_workspace.sql");
const LIST_BEGUN: &str = include_str!("list_begun.sql");
const CLAIM: &str = include_str!("claim.sql");
const RENEW: &str = include_str!("renew.sql");
const HAND_OVER: &str =
    "update working.run_tasks set node = null, lease_until = null where node = $1";
const LAUNCH: &str = "update working.run_tasks set launched = true \
    where run_id = $1 and server_id = $2 and attempt = $3 and fence = $4";
const BEGIN: &str = include_str!("begin.sql");
const LOSE: &str = include_str!("lose.sql");
const LOSE_ALL: &str = include_str!("lose_all.sql");
const LOSE_RUN: &str = "update working.run_tasks set state = 'lost', launched = true, \
    fence = fence + 1, node = null, lease_until = null, next_at = null, lost_at = clock_timestamp() \
    where run_id = $1 and state in ('queued', 'paused', 'running')";
const LEAVE: &str = include_str!("leave.sql");
const DELETE_EARLIER: &str = "delete from working.run_tasks \
    where run_id = $1 and server_id = $2 and attempt < $3 and state = 'lost'";
const SET_ASIDE: &str = include_str!("set_aside.sql");
const RESUME: &str = include_str!("resume.sql");
const RESUME_CANCELLED: &str = include_str!("resume_cancelled.sql");
const LIST_PAUSED: &str = include_str!("list_paused_workspaces.sql");
const LIST_PAUSED_RUNS: &str = include_str!("list_paused_runs.sql");
/// So many tasks are changed by one statement.
const AT_ONCE: i64 = 1000;
const FINISH: &str = include_str!("finish.sql");

/// How many tasks may be worked on at the same time.
#[derive(Clone, Copy, Debug)]
pub struct RunLimits {
    /// On one server, over all nodes.
    pub per_server: u32,
    /// Of one workspace, over all nodes.
    pub per_workspace: u32,
    /// By this node.
    pub per_node: u32,
}

/// A task to queue: an attempt on one server.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct NewTask {
    pub run: RunId,
    pub server: ServerId,
    /// From 1.
    pub attempt: u32,
    pub workspace: WorkspaceId,
    /// Tasks of a workspace are claimed in this order.
    pub queued_at: DateTime<Utc>,
    /// `None`: the run is of a command.
    pub deployment: Option<DeploymentId>,
    /// `None`: the run has no secrets.
    pub secrets: Option<RunSecretsId>,
    /// How long the command may run, from its start on the server.
    pub timeout_seconds: u32,
}

/// The queue, shared by all nodes.
#[derive(Clone)]
pub struct RunQueue {
    pool: Pool,
    /// A lease that is not renewed for this long expires, and other nodes can claim the task.
    lease: Duration,
}

impl RunQueue {
    /// `lease`: how long a node has a task after each renewal.
    pub const fn new(pool: Pool, lease: Duration) -> Self {
        Self { pool, lease }
    }

    /// As it was given to [`Self::new`].
    pub const fn lease(&self) -> Duration {
        self.lease
    }

    /// Queues a task in the reader's transaction, once. Earlier attempts on the server are superseded: one that
    /// may run is left, as [`Self::leave`] does it.
    pub async fn put(&self, tx: &Transaction<'_>, task: &NewTask) -> Result<(), PgError> {
        let attempt = signed(task.attempt);
        let (deployment, secrets) = (task.deployment.map(|id| id.0), task.secrets.map(|id| id.0));
        let timeout = signed(task.timeout_seconds);
        tx.execute(SUPERSEDE, &[&task.run.0, &task.server.0, &attempt]).await?;
        let values: [&(dyn ToSql + Sync); 8] = [
            &task.run.0,
            &task.server.0,
            &attempt,
            &task.workspace.0,
            &task.queued_at,
            &deployment,
            &secrets,
            &timeout,
        ];
        tx.execute(PUT, &values).await?;
        Ok(())
    }

    /// Marks a task as cancelled, in the reader's transaction. Its node learns of it with the next
    /// renewal. A lost one is looked for at once.
    pub async fn cancel(
        &self,
        tx: &Transaction<'_>,
        run: RunId,
        server: ServerId,
        attempt: u32,
    ) -> Result<(), PgError> {
        tx.execute(CANCEL, &[&run.0, &server.0, &signed(attempt)]).await?;
        Ok(())
    }

    /// Deletes a task that no node has claimed, in the reader's transaction.
    pub async fn delete_queued(
        &self,
        tx: &Transaction<'_>,
        run: RunId,
        server: ServerId,
        attempt: u32,
    ) -> Result<(), PgError> {
        tx.execute(DELETE_QUEUED, &[&run.0, &server.0, &signed(attempt)]).await?;
        Ok(())
    }

    /// The tasks of a run whose request was read again after a restore of the log: they may have been
    /// started before, and are lost. In the reader's transaction.
    pub async fn lose_restored(&self, tx: &Transaction<'_>, run: RunId) -> Result<u64, PgError> {
        Ok(tx.execute(LOSE_RUN, &[&run.0]).await?)
    }

    /// The same of every task that is queued, set aside or running: after a restore of the log. Returns how many.
    pub async fn lose_all(&self) -> Result<u64, PgError> {
        let mut lost = 0;
        loop {
            match execute(&self.pool, LOSE_ALL, &[&AT_ONCE]).await? {
                0 => return Ok(lost),
                some => lost += some,
            }
        }
    }

    /// Claims at most `limit` tasks for this node, each under a new fence, within the limits. `round` says which
    /// workspaces are looked at, and after it which are next.
    pub async fn claim(
        &self,
        node: Uuid,
        limit: u32,
        limits: RunLimits,
        round: &mut ClaimRound,
    ) -> Result<Vec<Task>, PgError> {
        let (server, workspace) = (signed(limits.per_server), signed(limits.per_workspace));
        let (limit, lease) = (signed(limit), self.lease.as_secs_f64());
        let values: [&(dyn ToSql + Sync); 7] =
            [&node, &limit, &lease, &server, &workspace, &round.after, &round.upto];
        let rows = query(&self.pool, CLAIM, &values).await?;
        // The last row has no task.
        let Some((last, tasks)) = rows.split_last() else { return Ok(vec![]) };
        round.went(last.try_get("through")?);
        tasks.iter().map(|row| Ok(task::read(row)?)).collect()
    }

    /// Renews the leases of `held`. Returns the tasks that are still this node's, and whether each is
    /// to be cancelled; a task that is missing belongs to another node.
    pub async fn renew(&self, node: Uuid, tasks: &[HeldTask]) -> Result<Vec<RenewedTask>, PgError> {
        let runs: Vec<Uuid> = tasks.iter().map(|task| task.run.0).collect();
        let servers: Vec<Uuid> = tasks.iter().map(|task| task.lease.server.0).collect();
        let attempts: Vec<i32> = tasks.iter().map(|task| signed(task.lease.attempt)).collect();
        let fences: Vec<i64> = tasks.iter().map(|task| fence(task.lease)).collect();
        let reached: Vec<bool> = tasks.iter().map(|task| task.reached).collect();
        let lease = self.lease.as_secs_f64();
        let values: [&(dyn ToSql + Sync); 7] =
            [&node, &lease, &runs, &servers, &attempts, &fences, &reached];
        let rows = query(&self.pool, RENEW, &values).await?;
        rows.iter().map(|row| Ok(task::renewed(row)?)).collect()
    }

    /// Releases every task of this node at once; returns how many.
    pub async fn hand_over(&self, node: Uuid) -> Result<u64, PgError> {
        execute(&self.pool, HAND_OVER, &[&node]).await
    }

    /// Records that a start is about to be sent: from now on it may have reached the server.
    ///
    /// `false` when another node has the task, here and in [`Self::lose`].
    pub async fn launch(&self, run: RunId, lease: TaskLease) -> Result<bool, PgError> {
        let (attempt, fence) = (signed(lease.attempt), fence(lease));
        let values = [&run.0 as &(dyn ToSql + Sync), &lease.server.0, &attempt, &fence];
        Ok(execute(&self.pool, LAUNCH, &values).await? == 1)
    }

    /// Records that the command runs. Returns how long it may still run; the first call sets the
    /// deadline. `None` when another node has the task.
    pub async fn begin(&self, run: RunId, lease: TaskLease) -> Result<Option<Duration>, PgError> {
        let (attempt, fence) = (signed(lease.attempt), fence(lease));
        let row =
            query_opt(&self.pool, BEGIN, &[&run.0, &lease.server.0, &attempt, &fence]).await?;
        let left: Option<f64> = row.map(|row| row.try_get(0)).transpose()?;
        Ok(left.map(task::seconds))
    }

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
    /// it has been lost by then, and at the end of its workspace; [`Self::begun`] lists it until it is finished.
    pub async fn leave(&self, run: RunId, lease: TaskLease) -> Result<(), PgError> {
        let (attempt, fence) = (signed(lease.attempt), fence(lease));
        execute(&self.pool, LEAVE, &[&run.0, &lease.server.0, &attempt, &fence]).await?;
        Ok(())
    }

    /// Deletes the earlier attempts that were left: it is certain that none of them runs.
    pub async fn delete_earlier(&self, run: RunId, lease: TaskLease) -> Result<(), PgError> {
        let attempt = signed(lease.attempt);
        execute(&self.pool, DELETE_EARLIER, &[&run.0, &lease.server.0, &attempt]).await?;
        Ok(())
    }

    /// Sets a claimed task aside that may not begin, and others of its workspace that are queued: no claim looks at them
    /// until [`Self::resume`]. One that was launched is let go instead, and can be claimed again after some minutes.
    pub async fn set_aside(&self, run: RunId, lease: TaskLease) -> Result<(), PgError> {
        let (attempt, fence) = (signed(lease.attempt), fence(lease));
        let values: [&(dyn ToSql + Sync); 5] =
            [&run.0, &lease.server.0, &attempt, &fence, &AT_ONCE];
        execute(&self.pool, SET_ASIDE, &values).await?;
        Ok(())
    }

    /// Queues again what was set aside of a workspace; returns how many tasks.
    pub async fn resume(&self, workspace: WorkspaceId) -> Result<u64, PgError> {
        self.all_batches(RESUME, workspace).await
    }

    /// Queues again what was set aside of a workspace, and cancelled by a node that does not know of it.
    pub async fn resume_cancelled(&self, workspace: WorkspaceId) -> Result<u64, PgError> {
        self.all_batches(RESUME_CANCELLED, workspace).await
    }

    /// At most `limit` workspaces of which tasks are set aside, in the order of their ids, after `after`.
    pub async fn paused(
        &self,
        after: Option<WorkspaceId>,
        limit: i32,
    ) -> Result<Vec<WorkspaceId>, PgError> {
        let after = after.map_or(Uuid::nil(), |after| after.0);
        let rows = query(&self.pool, LIST_PAUSED, &[&after, &limit]).await?;
        rows.iter().map(|row| Ok(WorkspaceId(row.try_get(0)?))).collect()
    }

    /// At most `limit` runs of a workspace that were requested before `before` and are set aside, in the order of their
    /// ids, after `after`.
    pub async fn paused_runs(
        &self,
        workspace: WorkspaceId,
        before: DateTime<Utc>,
        after: Option<RunId>,
        limit: i64,
    ) -> Result<Vec<RunId>, PgError> {
        let after = after.map_or(Uuid::nil(), |after| after.0);
        let values: [&(dyn ToSql + Sync); 4] = [&workspace.0, &before, &after, &limit];
        let rows = query(&self.pool, LIST_PAUSED_RUNS, &values).await?;
        rows.iter().map(|row| Ok(RunId(row.try_get(0)?))).collect()
    }

    /// Marks every task of a workspace of which something may run on a server as to be ended.
    pub async fn end_of_workspace(&self, workspace: WorkspaceId) -> Result<u64, PgError> {
        self.all_batches(END_OF_WORKSPACE, workspace).await
    }

    async fn all_batches(&self, sql: &str, workspace: WorkspaceId) -> Result<u64, PgError> {
        let mut changed = 0;
        loop {
            match execute(&self.pool, sql, &[&workspace.0, &AT_ONCE]).await? {
                0 => return Ok(changed),
                some => changed += some,
            }
        }
    }

    /// The runs of a workspace of which something may be at work on a server, at most `limit`, in the order of their
    /// ids and servers', after `after`.
    pub async fn begun(
        &self,
        workspace: WorkspaceId,
        after: Option<(RunId, ServerId)>,
        limit: i64,
    ) -> Result<Vec<BegunTask>, PgError> {
        let (run, server) = after.map_or_else(Default::default, |(run, server)| (run.0, server.0));
        let rows = query(&self.pool, LIST_BEGUN, &[&workspace.0, &run, &server, &limit]).await?;
        rows.iter().map(|row| Ok(task::begun(row)?)).collect()
    }

    /// Deletes the task, and its secrets unless another task needs them.
    pub async fn finish(&self, run: RunId, lease: TaskLease) -> Result<(), PgError> {
        let (attempt, fence) = (signed(lease.attempt), fence(lease));
        execute(&self.pool, FINISH, &[&run.0, &lease.server.0, &attempt, &fence]).await?;
        Ok(())
    }
}

fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn fence(lease: TaskLease) -> i64 {
    i64::try_from(lease.fence).unwrap_or(i64::MAX)
}
