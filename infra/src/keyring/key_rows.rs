//! Reads keys from their rows, several in one round trip, and creates missing ones.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::key::{KeyColumns, KeyId, KeyKind};
use super::key_cache::{KeyState, LEASE, LEASE_LOST};
use super::lease::within_lease;
use super::roots::Roots;
use super::shards::{NewShards, ShardKey};
use super::writes::Writes;
use super::{KeyringError, RootId, Secret, crypto};
use crate::clock::{Clock, since_boot};
use crate::postgres::Pool;

/// How often rows are read: again after a race with a root rotation or with another creator.
const ATTEMPTS_MAX: usize = 8;
const FIND: &str = "select * from keyring.find_keys($1, $2, $3, $4)";
const MAKE: &str =
    "select keyring.make_keys($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) as made";

/// A key that is asked for. A subject's newest generation has no number yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// How long a row is waited for that somebody else is making, erasing, or has locked.
#[derive(Clone, Copy, Debug)]
pub(super) enum LockWait {
    /// Others wait for the same statement, and for what it has made already. Then the answer is too late for the lease.
    Short,
    /// Longer than a lease: the statement goes on when nobody waits for it any more.
    Long,
}

impl LockWait {
    const fn as_setting(self) -> &'static str {
        match self {
            Self::Short => "100ms",
            Self::Long => "10s",
        }
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
    /// Its place among the wanted ones.
    at: usize,
    id: KeyId,
    shard: i32,
    under: Option<ShardKey>,
}

/// What the rows say.
enum ReadKeys {
    All(FetchedKeys),
    /// What there is, what is missing, and the root that is current.
    Missing(FetchedKeys, Vec<MissingKey>, RootId),
    /// This root is not in the store. If it is erased, what it wrapped has been wrapped under a later one since the
    /// row was read.
    Rootless(RootId),
}

/// What became of missing keys.
enum MadeKeys {
    All(FetchedKeys),
    /// Somebody else has made one of them, or a shard key, or has replaced the root.
    Overtaken,
    Rootless(RootId),
}

/// The rows of the keys.
pub(super) struct KeyRows {
    pool: Pool,
    clock: Clock,
    roots: Arc<Roots>,
    writes: Arc<Writes>,
}

impl KeyRows {
    pub const fn new(pool: Pool, clock: Clock, roots: Arc<Roots>, writes: Arc<Writes>) -> Self {
        Self { pool, clock, roots, writes }
    }

    /// The keys, to be used at once. `lock_wait`: for whoever makes or erases meanwhile what is missing.
    pub async fn fetch(
        &self,
        wanted: &[WantedKey],
        lock_wait: LockWait,
    ) -> Result<FetchedKeys, KeyringError> {
        let mut rootless = None;
        for _ in 0..ATTEMPTS_MAX {
            let (requested_at, rows) = self.find(wanted).await?;
            // Rows are as old as the request: they may be used for one lease, like keys in memory.
            let in_time = || since_boot().saturating_sub(requested_at) < LEASE;
            match self.read(wanted, &rows).await? {
                ReadKeys::All(fetched) if in_time() => return Ok(fetched),
                ReadKeys::All(_) => return Err(LEASE_LOST),
                ReadKeys::Rootless(root) => rootless = Some(root),
                ReadKeys::Missing(fetched, missing, current) => {
                    match self.make(fetched, missing, current, lock_wait).await? {
                        MadeKeys::All(fetched) if in_time() => return Ok(fetched),
                        MadeKeys::All(_) | MadeKeys::Overtaken => rootless = None,
                        MadeKeys::Rootless(root) => rootless = Some(root),
                    }
                }
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
        // They fit by place.
        if rows.len() != wanted.len() {
            return Err(KeyringError::Damaged);
        }
        let (mut keys, mut missing) = (Vec::with_capacity(wanted.len()), Vec::new());
        for (at, (wanted, row)) in wanted.iter().zip(rows).enumerate() {
            let Some(number) = row.try_get::<_, Option<i64>>("number")? else {
                if wanted.make {
                    let id = wanted.id(wanted.number.unwrap_or(1));
                    let shard = row.try_get("shard")?;
                    missing.push(MissingKey { at, id, shard, under: shard_key(row)? });
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
        let fetched = FetchedKeys { keys, sequence: first.try_get("last")? };
        if missing.is_empty() {
            return Ok(ReadKeys::All(fetched));
        }
        if let Some(current) = first.try_get("current_root")? {
            self.roots.set_current(RootId(current));
        }
        Ok(ReadKeys::Missing(fetched, missing, self.roots.current()))
    }

    /// What wraps the live key of a row: its shard key, or a root. `None`: this root is not in the store.
    async fn above(&self, row: &Row) -> Result<(RootId, Option<Arc<Secret>>), KeyringError> {
        if let Some(root) = row.try_get("root_id")? {
            return Ok((RootId(root), self.roots.get(RootId(root)).await?));
        }
        let shard = shard_key(row)?.ok_or(KeyringError::Damaged)?;
        Ok((shard.root, shard.open(&self.roots).await?.map(Arc::new)))
    }

    /// Makes the missing keys, and the shard keys that are missing for them, in one transaction.
    async fn make(
        &self,
        mut fetched: FetchedKeys,
        missing: Vec<MissingKey>,
        current: RootId,
        lock_wait: LockWait,
    ) -> Result<MadeKeys, KeyringError> {
        let bare = missing.iter().filter(|missing| missing.under.is_none());
        let bare: Vec<i32> = bare.map(|missing| missing.shard).collect();
        let Some(new) = NewShards::draw(bare, current, &self.roots).await? else {
            return Ok(MadeKeys::Rootless(current));
        };
        let mut wrapped = Vec::with_capacity(missing.len());
        let mut generations = Vec::with_capacity(missing.len());
        for MissingKey { at, id, shard, under } in &missing {
            let key = Secret::random()?;
            let (generation, above) = if let Some(under) = under {
                let Some(above) = under.open(&self.roots).await? else {
                    return Ok(MadeKeys::Rootless(under.root));
                };
                (under.generation, Cow::Owned(above))
            } else {
                let (generation, above) = new.of(*shard).ok_or(KeyringError::Damaged)?;
                (generation, Cow::Borrowed(above))
            };
            wrapped.push(crypto::wrap(&above, &id.identity(), &key)?);
            generations.push(generation);
            let made = fetched.keys.get_mut(*at).ok_or(KeyringError::Damaged)?;
            *made = KeyState::Live { number: id.number, key: Arc::new(key) };
        }
        let ids = missing.iter().map(|missing| missing.id).collect();
        let inserted = self.insert(ids, wrapped, generations, new, lock_wait).await?;
        let all = usize::try_from(inserted) == Ok(missing.len());
        Ok(if all { MadeKeys::All(fetched) } else { MadeKeys::Overtaken })
    }

    /// Returns how many of the keys were not there.
    async fn insert(
        &self,
        ids: Vec<KeyId>,
        wrapped: Vec<Vec<u8>>,
        generations: Vec<Uuid>,
        new: NewShards,
        lock_wait: LockWait,
    ) -> Result<i64, KeyringError> {
        let (client, now) = (self.pool.get().await?, self.clock.now());
        let writes = Arc::clone(&self.writes);
        within_lease(async move {
            let KeyColumns { kinds, subjects, classes, numbers } = KeyColumns::of(&ids);
            let NewShards { generations: drawn, shards, wrapped: shard_keys, under, .. } = &new;
            let lock_wait = lock_wait.as_setting();
            let make = client.prepare_cached(MAKE).await?;
            let of: [&(dyn ToSql + Sync); 12] = [
                &kinds,
                &subjects,
                &classes,
                &numbers,
                &wrapped,
                &generations,
                &now,
                drawn,
                shards,
                shard_keys,
                &under.0,
                &lock_wait,
            ];
            match client.query_one(&make, &of).await {
                Ok(row) => Ok(row.try_get("made")?),
                Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                    Err(LEASE_LOST)
                }
                Err(error) => {
                    writes.note_failure(&error);
                    Err(error.into())
                }
            }
        })
        .await
    }
}

fn shard_key(row: &Row) -> Result<Option<ShardKey>, KeyringError> {
    let generation: Option<Uuid> = row.try_get("generation")?;
    generation.map(|_| ShardKey::from_row(row)).transpose()
}
