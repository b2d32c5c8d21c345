//! How many bytes of logs a workspace has stored today, on all nodes. Each node counts in memory, and adds
//! what it has counted to its row: a row that each chunk changed would have the logs of a workspace wait for
//! each other's commits.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{Days, NaiveDate};
use domain::WorkspaceId;
use prometheus::IntCounter;
use tokio::time::Instant;
use uuid::Uuid;

use super::{RunLogError, RunLogs};
use crate::postgres::Pool;
use crate::statement::{execute, query_opt};
use crate::workspace_rows::{DeleteRows, WorkspaceRows};

const RAISE: &str = include_str!("raise_usage.sql");
const DELETE: &str = "delete from working.run_log_usage where day < $1";
/// What a workspace has stored of its logs, as an erasure deletes it.
pub const USAGE_OF_WORKSPACE: WorkspaceRows = WorkspaceRows {
    table: "working.run_log_usage",
    delete: DeleteRows::AtOnce("delete from working.run_log_usage where workspace_id = $1"),
};

/// A node adds what it has stored so often, and learns what others have.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// It adds more bytes than these at once.
const SAVE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Of more workspaces than these, those that have stored nothing for a minute are forgotten.
const WORKSPACES_MAX: usize = 4096;
const FORGET_AFTER: Duration = Duration::from_mins(1);
/// The rows of a day are kept through the next one.
const KEPT_DAYS: u64 = 1;

/// How much the logs of a workspace may grow in a day (UTC).
#[derive(Clone, Debug)]
pub struct DayLimit {
    /// This process, as the rows name it.
    pub node: Uuid,
    /// Of all logs of a workspace, on all nodes. Each node may exceed it by 4 MiB, or by what it stores in a
    /// second.
    pub bytes: u64,
    /// Counts the logs that are cut by it.
    pub reached: IntCounter,
}

pub(super) struct Usage {
    limit: DayLimit,
    of_workspaces: Mutex<HashMap<WorkspaceId, DayUsage>>,
}

struct DayUsage {
    day: NaiveDate,
    /// Of all nodes, as far as it is known, with what is not saved.
    total: u64,
    /// Of this node, and not in its row.
    unsaved: u64,
    /// When the row was changed last.
    saved: Option<Instant>,
}

impl DayUsage {
    const fn new(day: NaiveDate) -> Self {
        Self { day, total: 0, unsaved: 0, saved: None }
    }

    fn is_due(&self, save_bytes: u64) -> bool {
        self.unsaved >= save_bytes || self.saved.is_none_or(|at| at.elapsed() >= SAVE_EVERY)
    }
}

/// Bytes that are on their way into the row. Dropped before they are there, they are unsaved again.
struct Saving<'a> {
    usage: &'a Usage,
    workspace: WorkspaceId,
    day: NaiveDate,
    bytes: u64,
    is_done: bool,
}

impl Drop for Saving<'_> {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let mut all = self.usage.of_workspaces();
        if let Some(of) = all.get_mut(&self.workspace).filter(|of| of.day == self.day) {
            of.unsaved += self.bytes;
            of.saved = None;
        }
    }
}

impl Usage {
    pub fn new(limit: DayLimit) -> Self {
        Self { limit, of_workspaces: Mutex::default() }
    }

    fn of_workspaces(&self) -> MutexGuard<'_, HashMap<WorkspaceId, DayUsage>> {
        self.of_workspaces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many bytes the workspace may store on this day.
    pub const fn bytes_a_day(&self) -> u64 {
        self.limit.bytes
    }

    /// A log of the workspace is cut because of the limit.
    pub fn count_reached(&self, workspace: WorkspaceId) {
        self.limit.reached.inc();
        tracing::warn!(%workspace, "a log was cut: those of its workspace have what they may have in a day");
    }

    /// How many bytes the workspace may still store on this day. Cancel safe.
    pub async fn left(
        &self,
        pool: &Pool,
        workspace: WorkspaceId,
        day: NaiveDate,
    ) -> Result<u64, RunLogError> {
        if let Some(mut saving) = self.begin_to_save(workspace, day) {
            let total = self.save(pool, &saving).await?;
            saving.is_done = true;
            let mut all = self.of_workspaces();
            if let Some(of) = all.get_mut(&workspace).filter(|of| of.day == day) {
                of.total = total + of.unsaved;
            }
        }
        let all = self.of_workspaces();
        let total = all.get(&workspace).filter(|of| of.day == day).map_or(0, |of| of.total);
        Ok(self.limit.bytes.saturating_sub(total))
    }

    /// Returns what all nodes have stored.
    async fn save(&self, pool: &Pool, saving: &Saving<'_>) -> Result<u64, RunLogError> {
        let bytes = i64::try_from(saving.bytes).map_err(|_| RunLogError::Number)?;
        let Saving { workspace, day, .. } = saving;
        let row = query_opt(pool, RAISE, &[&workspace.0, day, &self.limit.node, &bytes]).await?;
        let total = row.map_or(Ok(0), |row| row.try_get::<_, i64>(0));
        let total = total.map_err(|error| RunLogError::Database(error.into()))?;
        u64::try_from(total).map_err(|_| RunLogError::Number)
    }

    /// Counts bytes that are stored.
    pub fn add(&self, workspace: WorkspaceId, day: NaiveDate, bytes: u64) {
        let mut all = self.of_workspaces();
        let of = all.entry(workspace).or_insert_with(|| DayUsage::new(day));
        if of.day == day {
            of.total += bytes;
            of.unsaved += bytes;
        }
    }

    /// `None`: what is known is new enough.
    fn begin_to_save(&self, workspace: WorkspaceId, day: NaiveDate) -> Option<Saving<'_>> {
        let save_bytes = (self.limit.bytes / 1024).clamp(1, SAVE_BYTES_MAX);
        let mut all = self.of_workspaces();
        if all.len() >= WORKSPACES_MAX && !all.contains_key(&workspace) {
            all.retain(|_, of| of.saved.is_some_and(|at| at.elapsed() < FORGET_AFTER));
        }
        let of = all.entry(workspace).or_insert_with(|| DayUsage::new(day));
        // What is unsaved of another day limits nothing any more.
        if of.day != day {
            *of = DayUsage::new(day);
        }
        if !of.is_due(save_bytes) {
            return None;
        }
        of.saved = Some(Instant::now());
        let bytes = std::mem::take(&mut of.unsaved);
        Some(Saving { usage: self, workspace, day, bytes, is_done: false })
    }
}

impl RunLogs {
    /// Deletes what was counted before yesterday.
    pub(super) async fn forget_usage(&self, today: NaiveDate) -> Result<(), RunLogError> {
        let Some(before) = today.checked_sub_days(Days::new(KEPT_DAYS)) else { return Ok(()) };
        execute(&self.0.pool, DELETE, &[&before]).await?;
        Ok(())
    }
}
