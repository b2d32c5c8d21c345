//! Statements that have to be answered within the lease. One that is too late goes on, and keeps its connection
//! until its answer: the size of the pool bounds how many a slow server has to do.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::KeyringError;
use super::invalidations::{self, Invalidations};
use super::key_cache::{LEASE, LEASE_LOST};
use crate::clock::since_boot;
use crate::postgres::{Pool, PooledClient};

/// How often something is asked while the server answers too late for the lease.
const TRIES: u32 = 3;

/// Whether the answer came too late, and it may be asked again.
pub(super) const fn is_to_be_asked_again<T>(answer: &Result<T, KeyringError>, tries: u32) -> bool {
    tries < TRIES && matches!(answer, Err(KeyringError::LeaseLost(_)))
}

/// Waits for the answer for the length of a lease.
pub(super) async fn within_lease<T: Send + 'static>(
    statement: impl Future<Output = Result<T, KeyringError>> + Send + 'static,
) -> Result<T, KeyringError> {
    timeout(LEASE, tokio::spawn(statement))
        .await
        .map_err(|_| LEASE_LOST)?
        .map_err(|_| LEASE_LOST)?
}

/// What a renewal has read.
pub(super) struct ReadInvalidations {
    pub requested_at: Duration,
    /// The number after which the list was read.
    pub known: i64,
    pub invalidations: Invalidations,
}

/// The renewals of a node, one at a time, on a connection of their own: they do not wait for other requests.
#[derive(Default)]
pub(super) struct Renewing {
    client: Option<PooledClient>,
    reading: Option<JoinHandle<(PooledClient, Result<ReadInvalidations, KeyringError>)>>,
}

impl Renewing {
    /// What was invalidated after the entry `known`; or, if an earlier renewal is still under way, what that one
    /// has read. When the future is dropped, the next call goes on waiting.
    pub async fn read(
        &mut self,
        pool: &Pool,
        known: i64,
    ) -> Result<ReadInvalidations, KeyringError> {
        if self.reading.is_none() {
            let client = match self.client.take() {
                Some(client) if !client.is_closed() => client,
                _ => pool.get().await?,
            };
            self.reading = Some(tokio::spawn(async move {
                let requested_at = since_boot();
                let read = invalidations::read(&client, known).await;
                let read = read.map(|invalidations| ReadInvalidations {
                    requested_at,
                    known,
                    invalidations,
                });
                (client, read)
            }));
        }
        let Some(reading) = &mut self.reading else { return Err(LEASE_LOST) };
        let ended = reading.await;
        self.reading = None;
        let (client, read) = ended.map_err(|_| LEASE_LOST)?;
        let read = read?;
        self.client = Some(client);
        Ok(read)
    }
}
