//! Reads keys from their rows, several in one round trip, and creates missing ones.

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::key::{KeyColumns, KeyId, KeyKind};
use super::key_cache::{KeyState, LEASE, LEASE_LOST};
use super::lease::within_lease;
use super::roots::Roots;
use super::shards::{NewShards, ShardKey};
use super::{KeyringError, RootId, Secret, crypto};
use crate::clock::{Clock, since_boot};
use crate::postgres::Pool;

/// How often rows are read: again when keys or shard keys are made, and after a race with a root rotation or with
/// another creator.
const ATTEMPTS_MAX: usize = 8;
const FIND: &str = include_str!("sql/find_keys.sql");
const MAKE: &str = include_str!("sql/make_keys.sql");

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

/// A key that there is none of, its shard, and the live shard key of that.
struct MissingKey {
    id: KeyId,
    shard: i32,
    under: Option<ShardKey>,
}

/// What the rows say.
enum ReadKeys {
    All(FetchedKeys),
    Missing(Vec<MissingKey>),
    /// This root is not in the store. If it is erased, what it wrapped has been wrapped under a later one since the
    /// row was read.
    Rootless(RootId),
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
        let mut rootless = None;
        for _ in 0..ATTEMPTS_MAX {
            let (requested_at, rows) = self.find(wanted).await?;
            match self.read(wanted, &rows).await? {
                ReadKeys::All(fetched) => {
                    // Rows are as old as the request: they may be used for one lease, like keys in memory.
                    let in_time = since_boot().saturating_sub(requested_at) < LEASE;
                    return if in_time { Ok(fetched) } else { Err(LEASE_LOST) };
                }
                ReadKeys::Missing(missing) => rootless = self.make(missing).await?,
                ReadKeys::Rootless(root) => rootless = Some(root),
            }
        }
        Err(self.roots.missing(rootless.unwrap_or_else(|| self.roots.current())))
    }

    /// The rows, and when they were asked for.
    async fn find(&self, wanted: &[WantedKey]) -> Result<(Duration, Vec<Row>), KeyringError> {
        let kinds: Vec<&str> = wanted.iter().map(|wanted| wanted.kind.as_str()).collect();
        let subjects: Vec<Uuid> = wanted.iter().map(|wanted| wanted.subject).collect();
        let classes: Vec<i16> = wanted.iter().map(|wanted| wanted.class).collect();
        let numbers: Vec<Option<i64>> = wanted.iter().map(|wanted| wanted.number).collect();
        let client = self.pool.get().await?;
        // Counted from after the wait for a connection, since nothing was sent before.
        let requested_at = since_boot();
        let rows = within_lease(async move {
            let find = client.prepare_cached(FIND).await?;
            let of: [&(dyn ToSql + Sync); 4] = [&kinds, &subjects, &classes, &numbers];
            Ok(client.query(&find, &of).await?)
        });
        Ok((requested_at, rows.await?))
    }

    async fn read(&self, wanted: &[WantedKey], rows: &[Row]) -> Result<ReadKeys, KeyringError> {
        let first = rows.first().ok_or(KeyringError::Damaged)?;
        if first.try_get("standby")? {
            return Err(KeyringError::Standby);
        }
        let (mut keys, mut missing) = (Vec::with_capacity(wanted.len()), Vec::new());
        for (wanted, row) in wanted.iter().zip(rows) {
            let Some(number) = row.try_get::<_, Option<i64>>("number")? else {
                if wanted.make {
                    let id = wanted.id(wanted.number.unwrap_or(1));
                    let shard = row.try_get("shard")?;
                    missing.push(MissingKey { id, shard, under: shard_key(row)? });
                }
                keys.push(KeyState::Absent);
                continue;
            };
            let Some(wrapped) = row.try_get::<_, Option<&[u8]>>("wrapped")? else {
                let is_bucket = wanted.kind == KeyKind::Bucket;
                keys.push(if is_bucket { KeyState::Expired } else { KeyState::Erased });
                continue;
            };
            let (root, above) = self.above(row).await?;
            let Some(above) = above else { return Ok(ReadKeys::Rootless(root)) };
            let key = Arc::new(crypto::unwrap(&above, &wanted.id(number).identity(), wrapped)?);
            keys.push(KeyState::Live { number, key });
        }
        if !missing.is_empty() {
            return Ok(ReadKeys::Missing(missing));
        }
        Ok(ReadKeys::All(FetchedKeys { keys, sequence: first.try_get("last")? }))
    }

    /// What wraps the live key of a row: its shard key, or a root. `None`: this root is not in the store.
    async fn above(&self, row: &Row) -> Result<(RootId, Option<Arc<Secret>>), KeyringError> {
        if let Some(root) = row.try_get("root_id")? {
            return Ok((RootId(root), self.roots.get(RootId(root)).await?));
        }
        let shard = shard_key(row)?.ok_or(KeyringError::Damaged)?;
        Ok((shard.root, shard.open(&self.roots).await?.map(Arc::new)))
    }

    /// Makes the keys whose shard has a live shard key, else the shard keys. Somebody else may have made them before, or
    /// replaced the root: read again. Returns a root that is not in the store.
    async fn make(&self, missing: Vec<MissingKey>) -> Result<Option<RootId>, KeyringError> {
        let mut shards: Vec<i32> = missing
            .iter()
            .filter_map(|missing| missing.under.is_none().then_some(missing.shard))
            .collect();
        if shards.is_empty() {
            return self.make_keys(missing).await;
        }
        shards.sort_unstable();
        shards.dedup();
        self.roots.read_current().await?;
        let current = self.roots.current();
        let Some(new) = NewShards::draw(shards, current, &self.roots).await? else {
            return Ok(Some(current));
        };
        let (client, now) = (self.pool.get().await?, self.clock.now());
        within_lease(async move { new.insert(&client, now).await }).await?;
        Ok(None)
    }

    async fn make_keys(&self, missing: Vec<MissingKey>) -> Result<Option<RootId>, KeyringError> {
        let mut wrapped = Vec::with_capacity(missing.len());
        let mut generations = Vec::with_capacity(missing.len());
        for key in &missing {
            let Some(shard) = &key.under else { return Ok(None) };
            let Some(above) = shard.open(&self.roots).await? else { return Ok(Some(shard.root)) };
            wrapped.push(crypto::wrap(&above, &key.id.identity(), &Secret::random()?)?);
            generations.push(shard.generation);
        }
        let ids: Vec<KeyId> = missing.iter().map(|missing| missing.id).collect();
        let (client, now) = (self.pool.get().await?, self.clock.now());
        within_lease(async move {
            let KeyColumns { kinds, subjects, classes, numbers } = KeyColumns::of(&ids);
            let make = client.prepare_cached(MAKE).await?;
            let of: [&(dyn ToSql + Sync); 7] =
                [&kinds, &subjects, &classes, &numbers, &wrapped, &generations, &now];
            Ok(client.execute(&make, &of).await?)
        })
        .await?;
        Ok(None)
    }
}

fn shard_key(row: &Row) -> Result<Option<ShardKey>, KeyringError> {
    let generation: Option<Uuid> = row.try_get("generation")?;
    generation.map(|_| ShardKey::from_row(row)).transpose()
}
