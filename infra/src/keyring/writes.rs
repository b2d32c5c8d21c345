//! Whether the keyring's database takes new keys: what the last refusal, or the last probe, has found.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::Error;

use super::KeyringError;
use crate::postgres::{Pool, describe, is_refusal_of_any_write};
use crate::supervise;
use crate::trouble::{LastTry, Trouble, probe_pause};

/// How often a database that has refused a key is probed, in the first minute.
const PROBE_EVERY: Duration = Duration::from_secs(1);
const PROBE: &str = include_str!("sql/probe.sql");
/// Its commit waits for the WAL, as that of a key does.
const FLUSH: &str = "select pg_logical_emit_message(true, 'lethe.probe', '')";

/// Of one node.
pub(super) struct Writes {
    pool: Pool,
    last: LastTry,
    probed_at: Mutex<Option<Instant>>,
}

impl Writes {
    pub fn new(pool: Pool) -> Self {
        Self { pool, last: LastTry::default(), probed_at: Mutex::default() }
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

    /// On a disk that stays full, what a probe leaves must not come to much.
    async fn probe_if_due(&self) {
        let Some(trouble) = self.trouble() else { return };
        let pause = probe_pause(trouble.age());
        let is_due = self.probed_at().is_none_or(|at| at.elapsed() >= pause);
        if is_due {
            *self.probed_at() = Some(Instant::now());
            self.probe().await;
        }
    }

    fn probed_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.probed_at.lock().unwrap_or_else(PoisonError::into_inner)
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
    supervise::spawn_every("keyring probe", PROBE_EVERY, writes, |writes| async move {
        writes.probe_if_due().await;
    });
}

#[cfg(test)]
mod tests {
    use test_support::databases;

    use super::*;
    use crate::postgres::{ConnectOptions, connect};

    const REFUSED: Result<(), &str> = Err("the disk was full");
    const LONG: Duration = Duration::from_hours(1);

    #[tokio::test]
    async fn a_refusal_that_lasts_is_probed_each_half_a_minute() {
        let databases = databases().await.unwrap();
        let pool = connect(&databases.keyring_url, &ConnectOptions::keyring()).await.unwrap();
        let writes = Writes::new(pool);
        let is_over = async || {
            writes.probe_if_due().await;
            writes.trouble().is_none()
        };
        writes.last.note(&REFUSED);
        assert!(is_over().await, "the first probe");
        writes.last.note(&REFUSED);
        assert!(is_over().await, "in the first minute there is no pause");

        writes.last.note(&REFUSED);
        writes.last.let_pass(LONG);

        assert!(!is_over().await, "the last probe was just now");
        *writes.probed_at() = Instant::now().checked_sub(Duration::from_secs(31));
        assert!(is_over().await);
    }
}
