//! The leader lease of work that one node does for all. If two nodes do it at once, the work is only
//! done twice.

#[cfg(test)]
mod tests;

use std::time::Duration;

use uuid::Uuid;

use super::Lease;
use crate::postgres::{PgError, Pool};
use crate::statement::{execute, query_opt};

const ACQUIRE: &str = include_str!("acquire.sql");
const RELEASE: &str =
    "update working.leader_leases set node = null, lease_until = null where node = $1";

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

    /// Acquires or renews the lease of `name` for `length` from now. `None` while another node has it.
    ///
    /// # Errors
    /// The database does not answer: whether this node has the lease is not known.
    pub async fn acquire(&self, name: &str, length: Duration) -> Result<Option<Lease>, PgError> {
        let seconds = length.as_secs_f64();
        let row = query_opt(&self.pool, ACQUIRE, &[&name, &self.node, &seconds]).await?;
        let fence = row.map(|row| row.try_get(0)).transpose()?;
        Ok(fence.map(|fence| Lease { node: self.node, fence }))
    }

    /// Releases every lease of this node, so that another node need not wait until they end.
    ///
    /// # Errors
    /// The database does not answer: the leases end by themselves.
    pub async fn release(&self) -> Result<(), PgError> {
        execute(&self.pool, RELEASE, &[&self.node]).await.map(drop)
    }
}
