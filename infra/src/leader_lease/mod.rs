//! The leader lease of work that one node does for all. If two nodes do it at once, the work is only
//! done twice.

#[cfg(test)]
mod tests;

use std::time::Duration;

use uuid::Uuid;

use crate::postgres::{PgError, Pool};
use crate::statement::execute;

const ACQUIRE: &str = include_str!("acquire.sql");
const RELEASE: &str = "delete from working.leader_leases where node = $1";

/// The leader leases as one node sees them, one for each name.
#[derive(Clone)]
pub struct LeaderLease {
    pool: Pool,
    node: Uuid,
}

impl LeaderLease {
    /// `node` is whom leases are acquired for.
    pub const fn new(pool: Pool, node: Uuid) -> Self {
        Self { pool, node }
    }

    /// Acquires or renews the lease of `name` for `lease` from now, by the database's clock. False
    /// while another node has it.
    ///
    /// # Errors
    /// The database does not answer: whether this node has the lease is not known.
    pub async fn acquire(&self, name: &str, lease: Duration) -> Result<bool, PgError> {
        let rows = execute(&self.pool, ACQUIRE, &[&name, &self.node, &lease.as_secs_f64()]).await?;
        Ok(rows == 1)
    }

    /// Releases every lease of this node, so that another node need not wait until they end.
    ///
    /// # Errors
    /// The database does not answer: the leases end by themselves.
    pub async fn release(&self) -> Result<(), PgError> {
        execute(&self.pool, RELEASE, &[&self.node]).await.map(drop)
    }
}
