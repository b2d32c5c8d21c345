//! Connections that are kept while more are taken from the same pool: some of it is left for those.

use std::ops::{Deref, DerefMut};

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::{PgError, Pool, PooledClient};

/// A connection whose owner waits for others of the same pool before it gives this one back, as a worker
/// does that appends in its transaction. At most three quarters of a pool are out like this, so that
/// such owners never wait for each other. Never take one while you have one.
pub struct OuterClient {
    client: PooledClient,
    _permit: Option<OwnedSemaphorePermit>,
}

/// How many connections of a pool may be outer ones. A pool of one has none.
pub(super) const fn connections(connections_max: usize) -> usize {
    connections_max - connections_max.div_ceil(4)
}

impl OuterClient {
    /// Waits for it as long as for any connection of the pool, twice.
    ///
    /// # Errors
    /// [`PgError::Busy`]; the server is not reached.
    pub async fn of(pool: &Pool) -> Result<Self, PgError> {
        let permit = pool.manager().outer.clone().acquire_owned();
        let permit = match pool.timeouts().wait {
            Some(wait) => timeout(wait, permit).await.map_err(|_| PgError::Busy)?,
            None => permit.await,
        };
        let permit = permit.map_err(|closed| PgError::Database(closed.to_string()))?;
        Ok(Self { client: pool.get().await?, _permit: Some(permit) })
    }
}

/// The connection of somebody who takes no others.
impl From<PooledClient> for OuterClient {
    fn from(client: PooledClient) -> Self {
        Self { client, _permit: None }
    }
}

impl Deref for OuterClient {
    type Target = PooledClient;

    fn deref(&self) -> &PooledClient {
        &self.client
    }
}

impl DerefMut for OuterClient {
    fn deref_mut(&mut self) -> &mut PooledClient {
        &mut self.client
    }
}
