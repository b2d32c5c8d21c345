//! What another node says of a server before that is called unreachable: the node that asks may be the one
//! that is cut off.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{ServerId, WorkspaceId};
use tokio_postgres::Row;

use super::{Monitors, WatchedServer};
use crate::postgres::{GenericClient, PgError};
use crate::statement::{execute, query_opt};

const WANT: &str = include_str!("want_opinion.sql");
const CLAIM: &str = include_str!("claim_opinions.sql");
const GIVE: &str = include_str!("give_opinion.sql");

/// How long an opinion is waited for. Nobody tries what was asked for longer ago.
pub const OPINION_WITHIN: Duration = Duration::from_secs(20);
/// The most servers that a node tries for others from one round.
const AT_ONCE: i64 = 64;

/// What another node has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// When it was asked for: an earlier one is the answer to another question.
    pub wanted_at: DateTime<Utc>,
    /// Whether it has reached the server.
    pub reached: bool,
}

/// A server that another node does not reach. Only the node that has claimed it tries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct WantedOpinion {
    pub server: ServerId,
    pub workspace: WorkspaceId,
    pub wanted_at: DateTime<Utc>,
}

impl Monitors {
    /// Asks the other nodes; the answer is in [`WatchedServer::opinion`] of a later round, with the time
    /// that is returned. `None`: no other node lives, or one has raised the fence.
    pub async fn want_opinion(
        &self,
        watched: &WatchedServer,
    ) -> Result<Option<DateTime<Utc>>, PgError> {
        let row = query_opt(&self.pool, WANT, &[&watched.server.0, &watched.fence]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    pub(super) async fn claim_opinions(
        &self,
        client: &impl GenericClient,
    ) -> Result<Vec<WantedOpinion>, PgError> {
        let claim = client.prepare_cached(CLAIM).await?;
        let within = OPINION_WITHIN.as_secs_f64();
        let rows = client.query(&claim, &[&self.node, &within, &AT_ONCE]).await?;
        rows.iter().map(wanted).collect()
    }

    /// Answers whether this node has reached the server.
    pub async fn give_opinion(&self, wanted: WantedOpinion, reached: bool) -> Result<(), PgError> {
        let WantedOpinion { server, wanted_at, .. } = wanted;
        execute(&self.pool, GIVE, &[&server.0, &wanted_at, &self.node, &reached]).await.map(drop)
    }
}

fn wanted(row: &Row) -> Result<WantedOpinion, PgError> {
    Ok(WantedOpinion {
        server: ServerId(row.try_get(0)?),
        workspace: WorkspaceId(row.try_get(1)?),
        wanted_at: row.try_get(2)?,
    })
}
