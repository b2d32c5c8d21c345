//! Whose turn it is to do what one node is enough for. Two at once do no harm, only work.

#[cfg(test)]
mod tests;

use std::time::Duration;

use uuid::Uuid;

use crate::postgres::{PgError, Pool};
use crate::statement::execute;

const TAKE: &str = include_str!("take.sql");
const GIVE: &str = include_str!("give.sql");

#[derive(Clone)]
pub struct Turns {
    pool: Pool,
    node: Uuid,
}

impl Turns {
    pub const fn new(pool: Pool, node: Uuid) -> Self {
        Self { pool, node }
    }

    /// Whether it is this node's turn, for `lease` from now. By the database's clock.
    pub async fn take(&self, name: &str, lease: Duration) -> Result<bool, PgError> {
        let taken = execute(&self.pool, TAKE, &[&name, &self.node, &lease.as_secs_f64()]).await?;
        Ok(taken == 1)
    }

    /// Lets another node have its turn at once.
    pub async fn give_up(&self) -> Result<(), PgError> {
        execute(&self.pool, GIVE, &[&self.node]).await.map(drop)
    }
}
