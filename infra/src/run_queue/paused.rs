//! What is set aside: tasks of a workspace in which nothing may begin.

use chrono::{DateTime, Utc};
use domain::run::TaskLease;
use domain::{RunId, WorkspaceId};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{AT_ONCE, RunQueue, fence, signed};
use crate::postgres::PgError;
use crate::statement::{execute, query};

const SET_ASIDE: &str = include_str!("set_aside.sql");
const RESUME: &str = include_str!("resume.sql");
const RESUME_CANCELLED: &str = include_str!("resume_cancelled.sql");
const LIST_PAUSED: &str = include_str!("list_paused_workspaces.sql");
const LIST_PAUSED_RUNS: &str = include_str!("list_paused_runs.sql");

impl RunQueue {
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
}
