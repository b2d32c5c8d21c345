//! Which nodes live: a row for each part of a node, under a lease. Statements that ask who lives read
//! the view `working.live_nodes`.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::postgres::GenericClient;
use uuid::Uuid;

use crate::postgres::{PgError, Pool};
use crate::statement::execute;

const HEARTBEAT: &str = include_str!("heartbeat.sql");
const LIVE: &str = "select node, serves from working.live_nodes where part = $1";
const DELETE: &str = "delete from working.nodes where node = $1 and part = $2";

/// What a node takes its share of. Each part lives by a heartbeat of its own, so that a loop that hangs
/// loses what it holds, whatever the rest of the programme does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    Readers,
    Monitors,
}

impl Part {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Readers => "readers",
            Self::Monitors => "monitors",
        }
    }
}

/// One part of this node, in the table of the nodes.
#[derive(Clone)]
pub(crate) struct Membership {
    pool: Pool,
    node: Uuid,
    part: Part,
    lease: Duration,
}

impl Membership {
    /// Without a heartbeat for `lease` the part counts as dead.
    pub const fn new(pool: Pool, node: Uuid, part: Part, lease: Duration) -> Self {
        Self { pool, node, part, lease }
    }

    /// The part lives for the length of its lease from now on, and serves what is named. Rows of
    /// parts that died are deleted.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn heartbeat(
        &self,
        client: &impl GenericClient,
        serves: &[String],
    ) -> Result<(), PgError> {
        let (part, lease) = (self.part.as_str(), self.lease.as_secs_f64());
        let heartbeat = client.prepare_cached(HEARTBEAT).await?;
        client.execute(&heartbeat, &[&self.node, &part, &serves, &lease]).await?;
        Ok(())
    }

    /// The live nodes that have this part, with what each of them serves.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn live(
        &self,
        client: &impl GenericClient,
    ) -> Result<BTreeMap<Uuid, Vec<String>>, PgError> {
        let live = client.prepare_cached(LIVE).await?;
        let rows = client.query(&live, &[&self.part.as_str()]).await?;
        let nodes = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        Ok(nodes.collect::<Result<_, tokio_postgres::Error>>()?)
    }

    /// The part is dead at once: others need not wait for the end of its lease.
    ///
    /// # Errors
    /// The database does not answer: the lease ends by itself.
    pub async fn leave(&self) -> Result<(), PgError> {
        execute(&self.pool, DELETE, &[&self.node, &self.part.as_str()]).await.map(drop)
    }
}
