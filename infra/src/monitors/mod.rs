//! Which node watches which server, under a fence, and what another node says of one; and the samples, in
//! a table for each day.

mod opinions;
mod samples;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::postgres::GenericClient;
use chrono::{DateTime, Utc};
use domain::server::Failures;
use domain::{ServerId, WorkspaceId};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::postgres::Transaction;
use uuid::Uuid;

pub use opinions::{OPINION_WITHIN, Opinion, WantedOpinion};
pub use samples::{Measured, Point, Sample, Series, Span};

use crate::clock::Clock;
use crate::cluster::fair_share::{Group, share};
use crate::cluster::nodes::{Membership, Part};
use crate::postgres::{PgError, Pool};
use crate::statement::execute;
use crate::workspace_rows::{DeleteRows, WorkspaceRows};

const WATCH: &str = include_str!("watch.sql");
const DELETE: &str = "delete from working.server_monitors where server_id = $1";
const DELETE_WORKSPACE: &str = "delete from working.server_monitors where workspace_id = $1";
/// What an erasure deletes of a workspace.
pub const OF_WORKSPACE: WorkspaceRows = WorkspaceRows {
    table: "working.server_monitors",
    delete: DeleteRows::AtOnce(DELETE_WORKSPACE),
};
const COUNT: &str = include_str!("count.sql");
const RELEASE: &str = include_str!("release.sql");
const CLAIM: &str = include_str!("claim.sql");
const WATCHED: &str = include_str!("watched.sql");
const STOP: &str = include_str!("stop.sql");
const RESUME: &str = include_str!("resume.sql");
const PAUSE: &str = include_str!("pause.sql");
const PROBE_NOW: &str = "update working.server_monitors set refused = 0, next_at = null \
    where server_id = $1 and next_at is not null and stopped_at is null";
const RECORD_FAILURES: &str = include_str!("record_failures.sql");

/// A node without a heartbeat for this long loses its servers to the other nodes.
const LEASE: Duration = Duration::from_secs(5);
/// The most servers that a node claims or releases in one round.
const AT_ONCE: usize = 64;

/// A server that this node watches, until another node raises the fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct WatchedServer {
    pub server: ServerId,
    pub workspace: WorkspaceId,
    /// Failures and samples are written under it.
    pub fence: i64,
    /// Consecutive failures, whichever nodes saw them.
    pub failures: Option<Failures>,
    /// In how many of them the server refused the credential.
    pub refused: u32,
    /// Whether nobody may connect now: see [`Monitors::pause`].
    pub is_paused: bool,
    /// What another node has answered last.
    pub opinion: Option<Opinion>,
}

/// What a node has to do.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct Round {
    pub servers: Vec<WatchedServer>,
    /// It tries each of them once, and gives its opinion.
    pub opinions: Vec<WantedOpinion>,
}

/// The consecutive failures of a server, as they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct ServerFailures {
    pub server: ServerId,
    /// Nothing is written under an older one.
    pub fence: i64,
    /// `None`: the last probe succeeded.
    pub failures: Option<Failures>,
    /// In how many of them the server refused the credential.
    pub refused: u32,
}

/// The servers that are watched, and their samples, as one node sees them.
#[derive(Clone)]
pub struct Monitors {
    pool: Pool,
    node: Uuid,
    membership: Membership,
    clock: Clock,
}

impl Monitors {
    /// `node` is the one that these calls are made for.
    pub fn new(pool: Pool, node: Uuid, clock: Clock) -> Self {
        Self::with_lease(pool, node, clock, LEASE)
    }

    fn with_lease(pool: Pool, node: Uuid, clock: Clock, lease: Duration) -> Self {
        let membership = Membership::new(pool.clone(), node, Part::Monitors, lease);
        Self { pool, node, membership, clock }
    }

    /// In a reader's transaction: the server is watched from now on, without failures. A node that
    /// watches it already loses it.
    pub async fn watch(
        &self,
        tx: &Transaction<'_>,
        workspace: WorkspaceId,
        server: ServerId,
    ) -> Result<(), tokio_postgres::Error> {
        tx.execute(WATCH, &[&server.0, &workspace.0]).await.map(drop)
    }

    /// In a reader's transaction: nobody watches the server, until [`Self::watch`] or [`Self::resume`].
    pub async fn stop(
        &self,
        tx: &Transaction<'_>,
        workspace: WorkspaceId,
        server: ServerId,
    ) -> Result<(), tokio_postgres::Error> {
        tx.execute(STOP, &[&server.0, &workspace.0]).await.map(drop)
    }

    /// In a reader's transaction: the server is watched again, if that was stopped.
    pub async fn resume(
        &self,
        tx: &Transaction<'_>,
        server: ServerId,
    ) -> Result<(), tokio_postgres::Error> {
        tx.execute(RESUME, &[&server.0]).await.map(drop)
    }

    /// In a reader's transaction: the server is not watched any more.
    pub async fn delete_server(
        &self,
        tx: &Transaction<'_>,
        server: ServerId,
    ) -> Result<(), tokio_postgres::Error> {
        tx.execute(DELETE, &[&server.0]).await.map(drop)
    }

    /// The same for every server of a workspace.
    pub async fn delete_workspace(
        &self,
        tx: &Transaction<'_>,
        workspace: WorkspaceId,
    ) -> Result<(), tokio_postgres::Error> {
        tx.execute(DELETE_WORKSPACE, &[&workspace.0]).await.map(drop)
    }

    /// Sends this node's heartbeat, releases servers beyond its share, and takes free ones up to it.
    /// Returns the servers that it watches now, and of which others it is asked. Call it at least every
    /// two seconds.
    pub async fn round(&self) -> Result<Round, PgError> {
        let mut client = self.pool.get().await?;
        let tx = client.transaction().await?;
        self.membership.heartbeat(&tx, &[]).await?;
        let (nodes, held, share) = self.share(&tx).await?;
        let (change, servers) = match share.checked_sub(held) {
            Some(missing) => (CLAIM, missing),
            None => (RELEASE, held - share),
        };
        if servers > 0 {
            let servers = i64::try_from(servers.min(AT_ONCE)).unwrap_or_default();
            let change = tx.prepare_cached(change).await?;
            tx.execute(&change, &[&self.node, &servers]).await?;
        }
        let list = tx.prepare_cached(WATCHED).await?;
        let rows = tx.query(&list, &[&self.node]).await?;
        // A node that is alone asks nobody, and nobody asks it.
        let opinions = if nodes > 1 { self.claim_opinions(&tx).await? } else { vec![] };
        tx.commit().await?;
        let servers = rows.iter().map(watched).collect::<Result<_, _>>()?;
        Ok(Round { servers, opinions })
    }

    /// How many nodes live; how many servers this one has, and how many it is to have.
    async fn share(&self, client: &impl GenericClient) -> Result<(usize, usize, usize), PgError> {
        let mut servers = Group::default();
        let count = client.prepare_cached(COUNT).await?;
        for row in client.query(&count, &[]).await? {
            let (node, count): (Option<Uuid>, i64) = (row.try_get(0)?, row.try_get(1)?);
            let count = usize::try_from(count).unwrap_or_default();
            match node {
                Some(node) => drop(servers.held.insert(node, count)),
                None => servers.free = count,
            }
        }
        let held = |servers: &Group| servers.held.get(&self.node).copied().unwrap_or_default();
        let (nodes, before) = (servers.held.len(), held(&servers));
        share(std::slice::from_mut(&mut servers));
        Ok((nodes, before, held(&servers)))
    }

    /// Releases every server of this node at once.
    pub async fn release_all(&self) -> Result<(), PgError> {
        self.membership.leave().await
    }

    /// Nobody connects to watch the server for so long, whichever node has it: [`WatchedServer::is_paused`].
    /// `false`: nothing was written, since another node has raised the fence.
    pub async fn pause(&self, failing: ServerFailures, length: Duration) -> Result<bool, PgError> {
        let ServerFailures { server, fence, failures, refused } = failing;
        let count = i32::try_from(failures.map_or(0, |it| it.count)).unwrap_or(i32::MAX);
        let since = failures.map(|failures| failures.since);
        let (refused, seconds) = (i32::try_from(refused).unwrap_or(i32::MAX), length.as_secs_f64());
        let values: [&(dyn ToSql + Sync); 6] =
            [&server.0, &fence, &count, &since, &refused, &seconds];
        Ok(execute(&self.pool, PAUSE, &values).await? > 0)
    }

    /// Ends a pause: somebody has just reached the server.
    pub async fn probe_now(&self, server: ServerId) -> Result<(), PgError> {
        execute(&self.pool, PROBE_NOW, &[&server.0]).await.map(drop)
    }

    /// Writes the failures, except under a fence that another node has raised.
    pub async fn record_failures(&self, failures: &[ServerFailures]) -> Result<(), PgError> {
        if failures.is_empty() {
            return Ok(());
        }
        let servers: Vec<Uuid> = failures.iter().map(|server| server.server.0).collect();
        let fences: Vec<i64> = failures.iter().map(|server| server.fence).collect();
        let count = |server: &ServerFailures| server.failures.map_or(0, |failures| failures.count);
        let counts: Vec<i32> = failures
            .iter()
            .map(|server| i32::try_from(count(server)).unwrap_or(i32::MAX))
            .collect();
        let since: Vec<Option<DateTime<Utc>>> =
            failures.iter().map(|server| server.failures.map(|failures| failures.since)).collect();
        let refused: Vec<i32> = failures
            .iter()
            .map(|server| i32::try_from(server.refused).unwrap_or(i32::MAX))
            .collect();
        let values: [&(dyn ToSql + Sync); 5] = [&servers, &fences, &counts, &since, &refused];
        execute(&self.pool, RECORD_FAILURES, &values).await.map(drop)
    }
}

fn watched(row: &Row) -> Result<WatchedServer, PgError> {
    let (count, since): (i32, Option<DateTime<Utc>>) = (row.try_get(3)?, row.try_get(4)?);
    let count = u32::try_from(count).unwrap_or_default();
    let refused: i32 = row.try_get(5)?;
    let (wanted_at, reached): (Option<DateTime<Utc>>, Option<bool>) =
        (row.try_get(7)?, row.try_get(8)?);
    Ok(WatchedServer {
        server: ServerId(row.try_get(0)?),
        workspace: WorkspaceId(row.try_get(1)?),
        fence: row.try_get(2)?,
        failures: since.map(|since| Failures { count, since }),
        refused: u32::try_from(refused).unwrap_or_default(),
        is_paused: row.try_get(6)?,
        opinion: wanted_at.zip(reached).map(|(wanted_at, reached)| Opinion { wanted_at, reached }),
    })
}
