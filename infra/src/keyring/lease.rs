//! The lease: cached keys are used for a second after the list of destroyed keys was last read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::Object;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_postgres::Row;

use super::cache::{LEASE, Renewal};
use super::key::{KeyId, Kind};
use super::{Inner, KeyringError};

const RENEW_EVERY: Duration = Duration::from_millis(300);

pub(super) const LOST: KeyringError = KeyringError::LeaseLost(LEASE.as_millis());

impl Inner {
    /// Reads what was destroyed since the last time. One request at a time, for all who wait.
    pub(super) async fn renew(&self) -> Result<(), KeyringError> {
        let wanted = Instant::now();
        let renewal = async {
            let mut link = self.renewing.lock().await;
            if self.cache.renewed_since(wanted) {
                return Ok(());
            }
            // A connection of its own, so that a renewal waits behind nobody who needs a key.
            let client = match link.take() {
                Some(client) if !client.is_closed() => client,
                _ => self.pool.get().await?,
            };
            self.read_dropped(&client).await?;
            *link = Some(client);
            Ok(())
        };
        timeout(LEASE, renewal).await.map_err(|_| LOST)?
    }

    async fn read_dropped(&self, client: &Object) -> Result<(), KeyringError> {
        let after = self.cache.sequence();
        let asked = Instant::now();
        let read = client.prepare_cached(include_str!("sql/list_dropped.sql")).await?;
        let rows = client.query(&read, &[&after]).await?;
        let first = rows.first().ok_or(KeyringError::Damaged)?;
        if first.try_get("standby")? {
            return Err(KeyringError::Standby);
        }
        let last = first.try_get("last")?;
        let dropped = since(&rows, after, last)?;
        self.drop_roots(dropped.as_deref());
        self.cache.renew(&Renewal { asked, last, dropped });
        Ok(())
    }

    fn drop_roots(&self, dropped: Option<&[KeyId]>) {
        let mut known = self.known_roots();
        match dropped {
            None => known.clear(),
            Some(dropped) => {
                for key in dropped.iter().filter(|key| key.kind == Kind::Root) {
                    known.remove(&super::RootId(key.number));
                }
            }
        }
    }
}

/// None when the list was cut short, or does not reach as far as this node has seen it (an older
/// keyring was put in its place): then nothing in memory can be trusted.
fn since(rows: &[Row], after: i64, last: i64) -> Result<Option<Vec<KeyId>>, KeyringError> {
    if last == after {
        return Ok(Some(Vec::new()));
    }
    let first: Option<i64> = rows.first().map(|row| row.try_get("sequence")).transpose()?.flatten();
    if first != Some(after + 1) {
        return Ok(None);
    }
    rows.iter().map(key).collect::<Result<_, _>>().map(Some)
}

fn key(row: &Row) -> Result<KeyId, KeyringError> {
    let kind: &str = row.try_get("kind")?;
    Ok(KeyId {
        kind: Kind::named(kind).ok_or(KeyringError::Damaged)?,
        subject: row.try_get("subject")?,
        class: row.try_get("class")?,
        number: row.try_get("number")?,
    })
}

/// Renews well before the lease ends, for as long as the keyring is in use.
pub(super) fn keep_renewed(inner: &Arc<Inner>) {
    let inner = Arc::downgrade(inner);
    tokio::spawn(async move {
        let mut every = interval(RENEW_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut well = true;
        loop {
            every.tick().await;
            let Some(inner) = inner.upgrade() else { return };
            let renewed = inner.renew().await;
            match &renewed {
                Err(error) if well => tracing::warn!(%error, "the keyring's lease is not renewed"),
                Ok(()) if !well => tracing::info!("the keyring's lease is renewed again"),
                Ok(()) | Err(_) => {}
            }
            well = renewed.is_ok();
        }
    });
}
