//! The blind index of e-mail addresses: which keys there are, and what an address is under them.

use std::sync::Arc;
use std::time::Duration;

use domain::privacy::EmailAddress;
use tokio::time::timeout;

use super::cache::{Held, LEASE, Slot};
use super::key::Kind;
use super::{Inner, Keyring, KeyringError, crypto, lease};

/// The kind of reservation that one generation of the index takes.
pub(super) fn reservation_kind(generation: i64) -> String {
    format!("account.email.{generation}")
}

impl Keyring {
    /// `(kind of reservation, blind index)` under each generation that is written, newest first: one,
    /// or two during a rotation. An address is taken under all of them and found under any.
    pub async fn email_index(
        &self,
        email: &EmailAddress,
    ) -> Result<Vec<(String, Vec<u8>)>, KeyringError> {
        let generations = match self.inner.cache.email() {
            Some(generations) => generations,
            None => {
                timeout(LEASE, self.inner.read_generations()).await.map_err(|_| lease::LOST)??
            }
        };
        let slots = generations.iter().map(|number| Slot::Named(Kind::EmailIndex, *number));
        let held = self.inner.held(&slots.collect::<Vec<_>>(), true).await?;
        let folded = zeroize::Zeroizing::new(email.folded());
        let mut indexes = Vec::with_capacity(held.len());
        for held in held {
            if let Held::Key { generation, key } = held {
                let index = crypto::mac(&key, &[b"e-mail", folded.as_bytes()]);
                indexes.push((reservation_kind(generation), index.to_vec()));
            }
        }
        if indexes.is_empty() { Err(KeyringError::Damaged) } else { Ok(indexes) }
    }
}

impl Inner {
    pub(super) async fn begin_email_index(&self) -> Result<(), KeyringError> {
        let client = self.pool.get().await?;
        let begin = include_str!("sql/begin_email_index.sql");
        client.execute(begin, &[&self.clock.now()]).await?;
        Ok(())
    }

    async fn read_generations(&self) -> Result<Arc<[i64]>, KeyringError> {
        let client = self.pool.get().await?;
        let read = client.prepare_cached(include_str!("sql/read_email_generations.sql")).await?;
        let row = client.query_one(&read, &[]).await?;
        if row.try_get("standby")? {
            return Err(KeyringError::Standby);
        }
        let generations: Arc<[i64]> = row.try_get::<_, Vec<i64>>("generations")?.into();
        self.cache.keep_email(row.try_get("last")?, Arc::clone(&generations));
        Ok(generations)
    }

    /// Waits until no node, and no command that takes at most `settle`, acts on what was so before.
    pub(super) async fn settle(&self, settle: Duration) {
        const MARGIN: Duration = Duration::from_millis(50);
        tokio::time::sleep(LEASE + MARGIN + settle).await;
    }
}
