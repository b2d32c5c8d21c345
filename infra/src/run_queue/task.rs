//! A claimed task.

use std::time::Duration;

use domain::run::TaskLease;
use domain::{AccountId, RunId, RunSecretsId, ServerId, WorkspaceId};
use tokio_postgres::{Error, Row};
use uuid::Uuid;

/// A task that this node has just claimed.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct Task {
    pub run: RunId,
    pub workspace: WorkspaceId,
    /// What this node writes about the task is written under its fence.
    pub lease: TaskLease,
    /// Who has requested the attempt. `None`: nobody is known, or a former version has queued it.
    pub requester: Option<AccountId>,
    /// `None`: the run has no secrets.
    pub secrets: Option<RunSecretsId>,
    /// This node or an earlier one may have sent the start to the server.
    pub launched: bool,
    /// Somebody wants the run to end.
    pub cancel: bool,
    /// How long the command may still run; `None` before it runs.
    pub left: Option<Duration>,
    /// How long ago the server last answered for it, without the time in which no node had the task.
    pub unseen: Duration,
    /// How long it has been lost; `None` if it is not.
    pub lost: Option<Duration>,
    /// Where a start was sent to, as it was given to [`super::RunQueue::launch`]. `None`: none was sent, or a former version
    /// has sent it.
    pub place: Option<Vec<u8>>,
    /// How many kills have proven nothing.
    pub kill_tries: u32,
}

/// An earlier attempt of which something may be at work on its server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct EarlierAttempt {
    pub attempt: u32,
    /// As [`Task::place`].
    pub place: Option<Vec<u8>>,
}

/// A task whose lease this node has, unless it expired.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct HeldTask {
    pub run: RunId,
    pub lease: TaskLease,
    /// Whether its server is reached at the moment.
    pub reached: bool,
}

/// A task whose lease was renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct RenewedTask {
    pub run: RunId,
    pub server: ServerId,
    pub attempt: u32,
    /// Somebody wants the run to end.
    pub cancel: bool,
}

/// A run that may be at work on a server: its task there is not finished, or was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct BegunTask {
    pub run: RunId,
    pub server: ServerId,
    /// A start may have been sent to the server, of this attempt or an earlier one.
    pub launched: bool,
}

pub(super) fn begun(row: &Row) -> Result<BegunTask, Error> {
    Ok(BegunTask {
        run: RunId(row.try_get("run_id")?),
        server: ServerId(row.try_get("server_id")?),
        launched: row.try_get("launched")?,
    })
}

pub(super) fn read(row: &Row) -> Result<Task, Error> {
    let (attempt, fence): (i32, i64) = (row.try_get("attempt")?, row.try_get("fence")?);
    Ok(Task {
        run: RunId(row.try_get("run_id")?),
        workspace: WorkspaceId(row.try_get("workspace_id")?),
        lease: TaskLease {
            server: ServerId(row.try_get("server_id")?),
            attempt: attempt.unsigned_abs(),
            fence: fence.unsigned_abs(),
        },
        requester: row.try_get::<_, Option<Uuid>>("requester_id")?.map(AccountId),
        secrets: row.try_get::<_, Option<Uuid>>("secrets_id")?.map(RunSecretsId),
        launched: row.try_get("launched")?,
        cancel: row.try_get("cancel")?,
        left: row.try_get::<_, Option<f64>>("left_seconds")?.map(seconds),
        unseen: seconds(row.try_get::<_, Option<f64>>("unseen_seconds")?.unwrap_or_default()),
        lost: row.try_get::<_, Option<f64>>("lost_seconds")?.map(seconds),
        place: row.try_get("place")?,
        kill_tries: row.try_get::<_, i32>("kill_tries")?.unsigned_abs(),
    })
}

pub(super) fn earlier(row: &Row) -> Result<EarlierAttempt, Error> {
    let attempt: i32 = row.try_get("attempt")?;
    Ok(EarlierAttempt { attempt: attempt.unsigned_abs(), place: row.try_get("place")? })
}

pub(super) fn renewed(row: &Row) -> Result<RenewedTask, Error> {
    let attempt: i32 = row.try_get("attempt")?;
    Ok(RenewedTask {
        run: RunId(row.try_get("run_id")?),
        server: ServerId(row.try_get("server_id")?),
        attempt: attempt.unsigned_abs(),
        cancel: row.try_get("cancel")?,
    })
}

/// Zero for a time that has passed.
pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
