//! Reads keys from their rows, several in one round trip, and creates missing ones.

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::key::{KeyId, KeyKind};
use super::key_cache::{KeyState, LEASE, LEASE_LOST};
use super::lease::within_lease;
use super::roots::Roots;
use super::{KeyringError, RootId, Secret, crypto};
use crate::clock::{Clock, since_boot};
use crate::postgres::Pool;

/// How often rows are read again after a race with a root rotation or with another creator.
const ATTEMPTS_MAX: usize = 5;
const OBTAIN: &str = include_str!("sql/obtain_keys.sql");

/// A key that is asked for. A subject's newest generation has no number yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WantedKey {
    pub kind: KeyKind,
    pub subject: Uuid,
    pub class: i16,
    pub number: Option<i64>,
    /// Whether to create it if it does not exist.
    pub make: bool,
}

impl WantedKey {
    pub const fn new(key: KeyId, make: bool) -> Self {
        let KeyId { kind, subject, class, number } = key;
        Self { kind, subject, class, number: Some(number), make }
    }

    fn id(&self, number: i64) -> KeyId {
        KeyId { kind: self.kind, subject: self.subject, class: self.class, number }
    }
}

/// Keys in the order they were asked for.
pub(super) struct FetchedKeys {
    pub keys: Vec<KeyState>,
    /// Where the list of invalidations ended when the keys were read.
    pub sequence: i64,
}

/// The rows of the keys.
pub(super) struct KeyRows {
    pool: Pool,
    clock: Clock,
    roots: Arc<Roots>,
}

impl KeyRows {
    pub const fn new(pool: Pool, clock: Clock, roots: Arc<Roots>) -> Self {
        Self { pool, clock, roots }
    }

    /// The keys, to be used at once.
    pub async fn fetch(&self, wanted: &[WantedKey]) -> Result<FetchedKeys, KeyringError> {
        for _ in 0..ATTEMPTS_MAX {
            if let Some((requested_at, fetched)) = self.obtain(wanted).await? {
                // Rows are as old as the request: they may be used for one lease, like keys in memory.
                let in_time = since_boot().saturating_sub(requested_at) < LEASE;
                return if in_time { Ok(fetched) } else { Err(LEASE_LOST) };
            }
            self.roots.read_current().await?;
        }
        Err(self.roots.missing(self.roots.current()))
    }

    /// The keys, and when the request was sent. `None`: a key was not created, or was wrapped under
    /// another root in the meantime.
    async fn obtain(
        &self,
        wanted: &[WantedKey],
    ) -> Result<Option<(Duration, FetchedKeys)>, KeyringError> {
        let current = self.roots.current();
        let candidates = self.candidates(wanted, current).await?;
        let kinds: Vec<&str> = wanted.iter().map(|wanted| wanted.kind.as_str()).collect();
        let subjects: Vec<Uuid> = wanted.iter().map(|wanted| wanted.subject).collect();
        let classes: Vec<i16> = wanted.iter().map(|wanted| wanted.class).collect();
        let numbers: Vec<Option<i64>> = wanted.iter().map(|wanted| wanted.number).collect();
        let client = self.pool.get().await?;
        // Counted from after the wait for a connection, since nothing was sent before.
        let requested_at = since_boot();
        let now = self.clock.now();
        let rows = within_lease(async move {
            let obtain = client.prepare_cached(OBTAIN).await?;
            let of: [&(dyn ToSql + Sync); 7] =
                [&kinds, &subjects, &classes, &numbers, &candidates, &current.0, &now];
            Ok(client.query(&obtain, &of).await?)
        });
        let rows = rows.await?;
        Ok(self.read(wanted, &rows).await?.map(|fetched| (requested_at, fetched)))
    }

    /// New keys for the missing ones, wrapped under the current root.
    async fn candidates(
        &self,
        wanted: &[WantedKey],
        current: RootId,
    ) -> Result<Vec<Option<Vec<u8>>>, KeyringError> {
        if !wanted.iter().any(|wanted| wanted.make) {
            return Ok(vec![None; wanted.len()]);
        }
        let Some(root) = self.roots.get(current).await? else {
            return Ok(vec![None; wanted.len()]);
        };
        let candidate = |wanted: &WantedKey| {
            let identity = wanted.id(wanted.number.unwrap_or(1)).identity();
            crypto::wrap(&root, &identity, &Secret::random()?)
        };
        wanted.iter().map(|wanted| wanted.make.then(|| candidate(wanted)).transpose()).collect()
    }

    async fn read(
        &self,
        wanted: &[WantedKey],
        rows: &[Row],
    ) -> Result<Option<FetchedKeys>, KeyringError> {
        let first = rows.first().ok_or(KeyringError::Damaged)?;
        if first.try_get("standby")? {
            return Err(KeyringError::Standby);
        }
        let mut keys = Vec::with_capacity(wanted.len());
        for (n, wanted) in (1_i64..).zip(wanted) {
            let row = rows.iter().find(|row| row.get::<_, Option<i64>>("n") == Some(n));
            let state = match row {
                Some(row) => self.unwrap(wanted, row).await?,
                None if wanted.make => None,
                None => Some(KeyState::Absent),
            };
            let Some(state) = state else { return Ok(None) };
            keys.push(state);
        }
        Ok(Some(FetchedKeys { keys, sequence: first.try_get("last")? }))
    }

    /// `None`: the row's root is erased, so the row has been wrapped under a later one.
    async fn unwrap(
        &self,
        wanted: &WantedKey,
        row: &Row,
    ) -> Result<Option<KeyState>, KeyringError> {
        let number: i64 = row.try_get("number")?;
        let Some(wrapped) = row.try_get::<_, Option<&[u8]>>("wrapped")? else {
            let is_bucket = wanted.kind == KeyKind::Bucket;
            return Ok(Some(if is_bucket { KeyState::Expired } else { KeyState::Erased }));
        };
        let Some(root) = self.roots.get(RootId(row.try_get("root_id")?)).await? else {
            return Ok(None);
        };
        let key = crypto::unwrap(&root, &wanted.id(number).identity(), wrapped)?;
        Ok(Some(KeyState::Live { number, key: Arc::new(key) }))
    }
}
