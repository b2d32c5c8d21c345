//! The queue of runs: a row for each attempt on a server, under a lease and a fence.

mod leftovers;
mod limits;
mod lost;
mod paused;
mod round;
mod secrets;
mod task;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::postgres::Transaction;
use chrono::{DateTime, Utc};
use domain::run::TaskLease;
use domain::{AccountId, DeploymentId, RunId, RunSecretsId, ServerId, WorkspaceId};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::postgres::{PgError, Pool};
use crate::statement::{execute, query, query_opt};
use crate::workspace_rows::{DeleteRows, WorkspaceRows};

pub use leftovers::{DueLeftover, LEFTOVERS_OF_WORKSPACE, Leftover};
pub use limits::{FreeSlots, RunLimits};
pub use round::ClaimRound;
pub use secrets::{SECRETS_OF_WORKSPACE, SecretsError, SecretsPlace, UnusedSecrets};
pub use task::{BegunTask, EarlierAttempt, HeldTask, RenewedTask, Task};

const PUT: &str = include_str!("put.sql");
/// What a deployment waits for is looked for soon, however seldom it was before.
const HASTEN: &str = "update working.run_tasks set next_at = null \
    where server_id = $1 and deployment_id = $2 and run_id <> $3 and state = 'lost' \
    and next_at > clock_timestamp() + interval '1 minute'";
const COUNT_WAITING: &str = include_str!("count_waiting.sql");
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
    "update working.run_tasks set node = null, lease_until = clock_timestamp() where node = $1";
const LAUNCH: &str = "update working.run_tasks set launched = true, place = coalesce(place, $5) \
    where run_id = $1 and server_id = $2 and attempt = $3 and fence = $4";
const BEGIN: &str = include_str!("begin.sql");
const LOSE_ALL: &str = include_str!("lose_all.sql");
const LOSE_RUN: &str = "update working.run_tasks set state = 'lost', launched = true, \
    fence = fence + 1, node = null, lease_until = null, next_at = null, lost_at = clock_timestamp() \
    where run_id = $1 and state in ('queued', 'paused', 'running')";
/// So many tasks are changed by one statement.
const AT_ONCE: i64 = 1000;
const FINISH: &str = include_str!("finish.sql");

/// A task to queue: an attempt on one server.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct NewTask {
    pub run: RunId,
    pub server: ServerId,
    /// From 1.
    pub attempt: u32,
    pub workspace: WorkspaceId,
    /// Whose it is, among the limits, and who must be allowed to start runs when it begins. `None`: it counts for no
    /// account, and begins in any case.
    pub requester: Option<AccountId>,
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
    /// may run is left, as [`Self::leave`] does it. A lost task of another run of its deployment, which this one waits
    /// for, is looked for at once.
    pub async fn put(&self, tx: &Transaction<'_>, task: &NewTask) -> Result<(), PgError> {
        let attempt = signed(task.attempt);
        let (deployment, secrets) = (task.deployment.map(|id| id.0), task.secrets.map(|id| id.0));
        let requester = task.requester.map(|id| id.0);
        let timeout = signed(task.timeout_seconds);
        tx.execute(SUPERSEDE, &[&task.run.0, &task.server.0, &attempt]).await?;
        if let Some(deployment) = deployment {
            tx.execute(HASTEN, &[&task.server.0, &deployment, &task.run.0]).await?;
        }
        let values: [&(dyn ToSql + Sync); 9] = [
            &task.run.0,
            &task.server.0,
            &attempt,
            &task.workspace.0,
            &task.queued_at,
            &deployment,
            &secrets,
            &timeout,
            &requester,
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

    /// Counts the tasks of a workspace that have not begun, queued or set aside: at most `most` of each.
    pub async fn count_waiting(&self, workspace: WorkspaceId, most: u32) -> Result<u32, PgError> {
        let rows = query(&self.pool, COUNT_WAITING, &[&workspace.0, &i64::from(most)]).await?;
        let count: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// Claims tasks for these slots of this node, each under a new fence, within the limits. `round` says which
    /// workspaces are looked at, and after it which are next.
    pub async fn claim(
        &self,
        node: Uuid,
        slots: FreeSlots,
        limits: RunLimits,
        round: &mut ClaimRound,
    ) -> Result<Vec<Task>, PgError> {
        let (server, workspace) = (signed(limits.per_server), signed(limits.per_workspace));
        let (account, most) = (signed(limits.per_account), signed(slots.most));
        let (lease, kept) = (self.lease.as_secs_f64(), slots.are_kept);
        let values: [&(dyn ToSql + Sync); 9] =
            [&node, &most, &lease, &server, &workspace, &account, &kept, &round.after, &round.upto];
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

    /// Records that a start is about to be sent to this place: from now on it may have reached the server. The first
    /// place that was recorded stays.
    ///
    /// `false` when another node has the task, here and in [`Self::lose`].
    pub async fn launch(
        &self,
        run: RunId,
        lease: TaskLease,
        place: &[u8],
    ) -> Result<bool, PgError> {
        let (attempt, fence) = (signed(lease.attempt), fence(lease));
        let values: [&(dyn ToSql + Sync); 5] = [&run.0, &lease.server.0, &attempt, &fence, &place];
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
