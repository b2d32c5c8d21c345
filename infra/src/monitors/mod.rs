//! Which node watches which server, under a fence; and what was measured, in a table a day.

mod samples;
#[cfg(test)]
mod tests;

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::server::Failures;
use domain::{ServerId, WorkspaceId};
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;

pub use samples::{Measured, Point, Sample, Series, Span};

use crate::clock::Clock;
use crate::postgres::{PgError, Pool};
use crate::statement::{execute, query};

const KEEP: &str = include_str!("keep.sql");
const DROP: &str = include_str!("drop.sql");
const DROP_WORKSPACE: &str = include_str!("drop_workspace.sql");
const BEAT: &str = include_str!("beat.sql");
const BURY: &str = include_str!("bury.sql");
const LEAVE: &str = include_str!("leave.sql");
const RELEASE: &str = include_str!("release.sql");
const CLAIM: &str = include_str!("claim.sql");
const HELD: &str = include_str!("held.sql");
const MARK: &str = include_str!("mark.sql");

/// After it, what a node had is free for the others.
const LEASE: Duration = Duration::from_secs(5);
/// Monitors that a node takes, or lets go of, in one round.
const AT_ONCE: i64 = 64;

/// A server that this node watches, for as long as nobody raises the fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub server: ServerId,
    pub workspace: WorkspaceId,
    pub fence: i64,
    /// In a row, whichever nodes met them.
    pub failures: Option<Failures>,
}

/// How many failures in a row a server has now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub server: ServerId,
    pub fence: i64,
    pub failures: Option<Failures>,
}

#[derive(Clone)]
pub struct Monitors {
    pool: Pool,
    node: Uuid,
    clock: Clock,
}

impl Monitors {
    pub const fn new(pool: Pool, node: Uuid, clock: Clock) -> Self {
        Self { pool, node, clock }
    }

    /// The server is watched from now on, from its beginning.
    pub async fn keep(
        &self,
        tx: &Transaction<'_>,
        workspace: WorkspaceId,
        server: ServerId,
    ) -> Result<(), tokio_postgres::Error> {
        tx.execute(KEEP, &[&server.0, &workspace.0]).await.map(drop)
    }

    pub async fn drop_server(
        &self,
        tx: &Transaction<'_>,
        server: ServerId,
    ) -> Result<(), tokio_postgres::Error> {
        tx.execute(DROP, &[&server.0]).await.map(drop)
    }

    pub async fn drop_workspace(
        &self,
        tx: &Transaction<'_>,
        workspace: WorkspaceId,
    ) -> Result<(), tokio_postgres::Error> {
        tx.execute(DROP_WORKSPACE, &[&workspace.0]).await.map(drop)
    }

    /// Says that this node lives, lets go of more than its share, and takes what is free of it.
    /// Answers what it watches now.
    pub async fn round(&self) -> Result<Vec<Held>, PgError> {
        execute(&self.pool, BEAT, &[&self.node, &LEASE.as_secs_f64()]).await?;
        execute(&self.pool, BURY, &[]).await?;
        execute(&self.pool, RELEASE, &[&self.node, &AT_ONCE]).await?;
        execute(&self.pool, CLAIM, &[&self.node, &AT_ONCE]).await?;
        let rows = query(&self.pool, HELD, &[&self.node]).await?;
        rows.iter().map(held).collect()
    }

    /// Lets the others have what this node watches, at once.
    pub async fn leave(&self) -> Result<(), PgError> {
        execute(&self.pool, LEAVE, &[&self.node]).await.map(drop)
    }

    /// Under a fence that somebody raised, a mark says nothing.
    pub async fn mark(&self, marks: &[Mark]) -> Result<(), PgError> {
        if marks.is_empty() {
            return Ok(());
        }
        let servers: Vec<Uuid> = marks.iter().map(|mark| mark.server.0).collect();
        let fences: Vec<i64> = marks.iter().map(|mark| mark.fence).collect();
        let count = |mark: &Mark| mark.failures.map_or(0, |failures| failures.count);
        let counts: Vec<i32> =
            marks.iter().map(|mark| i32::try_from(count(mark)).unwrap_or(i32::MAX)).collect();
        let since: Vec<Option<DateTime<Utc>>> =
            marks.iter().map(|mark| mark.failures.map(|failures| failures.since)).collect();
        execute(&self.pool, MARK, &[&servers, &fences, &counts, &since]).await.map(drop)
    }
}

fn held(row: &Row) -> Result<Held, PgError> {
    let (count, since): (i32, Option<DateTime<Utc>>) = (row.try_get(3)?, row.try_get(4)?);
    let count = u32::try_from(count).unwrap_or_default();
    Ok(Held {
        server: ServerId(row.try_get(0)?),
        workspace: WorkspaceId(row.try_get(1)?),
        fence: row.try_get(2)?,
        failures: since.map(|since| Failures { count, since }),
    })
}
