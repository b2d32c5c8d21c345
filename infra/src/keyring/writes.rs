//! Whether the keyring's database takes new keys: what the last refusal, or the last probe, has found.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_postgres::Error;

use super::KeyringError;
use crate::postgres::{Pool, describe, is_refusal_of_any_write};
use crate::supervise;
use crate::trouble::{LastTry, Trouble};

/// How often a database that has refused a key is probed.
const PROBE_EVERY: Duration = Duration::from_secs(1);
const PROBE: &str = include_str!("sql/probe.sql");
/// Its commit waits for the WAL, as that of a key does.
const FLUSH: &str = "select pg_logical_emit_message(true, 'lethe.probe', '')";

/// Of one node.
pub(super) struct Writes {
    pool: Pool,
    last: LastTry,
}

impl Writes {
    pub fn new(pool: Pool) -> Self {
        Self { pool, last: LastTry::default() }
    }

    /// Since when no key is taken. `None`: the last probe was written, or nothing was refused.
    pub fn trouble(&self) -> Option<Trouble> {
        self.last.trouble()
    }

    /// A key was not made. Only an error that every key would meet counts.
    pub fn note_failure(&self, error: &Error) {
        if !error.code().is_some_and(is_refusal_of_any_write) {
            return;
        }
        let why = describe(error);
        if self.trouble().is_none() {
            tracing::error!(
                %why,
                "the keyring's database takes no new keys: this node is not ready"
            );
        }
        self.last.note(&Err::<(), _>(why));
    }

    /// Only this says that a refusal is over: a page may have room for some keys.
    async fn probe(&self) {
        let probed = self.write().await;
        if probed.is_ok() {
            tracing::info!("the keyring's database takes new keys again");
        }
        self.last.note(&probed);
    }

    /// A large key that is rolled back, then a message. In this order: on a full disk, what goes into the WAL brings
    /// the server nearer to a PANIC.
    async fn write(&self) -> Result<(), KeyringError> {
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await?;
        transaction.execute(PROBE, &[]).await?;
        transaction.rollback().await?;
        client.query(FLUSH, &[]).await?;
        Ok(())
    }
}

/// Probes a database that has refused a key, until this is dropped.
pub(super) fn keep_probed(writes: &Arc<Writes>) {
    let writes = Arc::downgrade(writes);
    supervise::spawn("keyring probe", async move {
        let mut every = interval(PROBE_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            let Some(writes) = writes.upgrade() else { return };
            if writes.trouble().is_some() {
                writes.probe().await;
            }
        }
    });
}
