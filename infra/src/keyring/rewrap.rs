//! Wraps again what is under an old root: its live shard keys under the current root. A tainted shard key stays under the
//! old one for good, and its keys come under another shard key, as do keys that are under the root itself.

use std::collections::HashMap;

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::key::{KeyColumns, KeyId};
use super::root_rotation::RotationStep;
use super::root_row::RootRow;
use super::roots::Roots;
use super::shards::{NewShards, ShardKey};
use super::{KeyringError, Secret, crypto};
use crate::clock::Clock;
use crate::failpoint;
use crate::postgres::{Pool, Transaction};

const LOCK_LIVE_SHARDS: &str = include_str!("sql/lock_live_shards.sql");
const LOCK_TAINTED_SHARDS: &str = include_str!("sql/lock_tainted_shards.sql");
const LOCK_KEYS_OF_SHARDS: &str = include_str!("sql/lock_keys_of_shards.sql");
const LOCK_KEYS_OF_ROOT: &str = include_str!("sql/lock_keys_of_root.sql");
const LIST_LIVE_SHARDS: &str = include_str!("sql/list_live_shards.sql");
const REWRAP_SHARDS: &str = include_str!("sql/rewrap_shards.sql");
const MOVE_KEYS: &str = include_str!("sql/move_keys.sql");
const REPLACE_SHARDS: &str = include_str!("sql/replace_shards.sql");

/// Shard keys in one transaction: while it is open, nobody is erased in these shards.
const SHARDS_BATCH: i64 = 64;
/// Keys in one transaction: a long one would hold back vacuum.
const KEYS_BATCH: i64 = 500;

/// What one step has wrapped again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rewrapped {
    pub shards: u64,
    pub keys: u64,
}

/// An old root and the one that replaces it.
pub(super) struct Rewrap<'a> {
    pub roots: &'a Roots,
    pub pool: &'a Pool,
    pub clock: &'a Clock,
    pub old: &'a RootRow,
    pub current: &'a RootRow,
}

impl Rewrap<'_> {
    /// One batch, which ends the transaction. The tainted shard keys follow when no live one is left, so that no
    /// key comes under a root that is older than one which wrapped it before.
    pub async fn batch(&self, step: Transaction<'_>) -> Result<RotationStep, KeyringError> {
        let from = self.roots.of(self.old).await?;
        let live = lock(&step, LOCK_LIVE_SHARDS, &self.old.id.0, SHARDS_BATCH).await?;
        if !live.is_empty() {
            return self.rewrap_shards(step, &live, &from).await;
        }
        let tainted = lock(&step, LOCK_TAINTED_SHARDS, &self.old.id.0, SHARDS_BATCH).await?;
        if tainted.is_empty() {
            let keys = lock(&step, LOCK_KEYS_OF_ROOT, &self.old.id.0, KEYS_BATCH).await?;
            return self.move_keys(step, &keys, &HashMap::new(), &from).await;
        }
        let mut under = HashMap::with_capacity(tainted.len());
        for row in &tainted {
            let shard = ShardKey::from_row(row)?;
            under.insert(shard.generation, shard.unwrap(&from)?);
        }
        let generations: Vec<Uuid> = under.keys().copied().collect();
        let keys = lock(&step, LOCK_KEYS_OF_SHARDS, &generations, KEYS_BATCH).await?;
        self.move_keys(step, &keys, &under, &from).await
    }

    async fn rewrap_shards(
        &self,
        step: Transaction<'_>,
        live: &[Row],
        from: &Secret,
    ) -> Result<RotationStep, KeyringError> {
        let to = self.roots.of(self.current).await?;
        let mut generations = Vec::with_capacity(live.len());
        let mut wrapped = Vec::with_capacity(live.len());
        for row in live {
            let shard = ShardKey::from_row(row)?;
            wrapped.push(shard.rewrap(from, &to)?);
            generations.push(shard.generation);
        }
        let with: [&(dyn ToSql + Sync); 3] = [&generations, &wrapped, &self.current.id.0];
        let shards = step.execute(REWRAP_SHARDS, &with).await?;
        step.commit().await?;
        failpoint!(RotationRewrapped);
        Ok(RotationStep::Rewrapped(Rewrapped { shards, keys: 0 }))
    }

    /// From the shard keys `under`, or from the root itself. A shard key that has no key left is replaced.
    async fn move_keys(
        &self,
        step: Transaction<'_>,
        keys: &[Row],
        under: &HashMap<Uuid, Secret>,
        from: &Secret,
    ) -> Result<RotationStep, KeyringError> {
        let mut shards = Vec::with_capacity(keys.len());
        for row in keys {
            shards.push(row.try_get::<_, i32>("shard")?);
        }
        shards.sort_unstable();
        shards.dedup();
        let to = self.live_shards(&step, &shards).await?;
        shards.retain(|shard| !to.contains_key(shard));
        if !shards.is_empty() {
            // Not in this transaction: whoever makes a key in these shards would wait for it.
            step.rollback().await?;
            return self.make_shards(shards).await;
        }
        let mut moved = Vec::with_capacity(keys.len());
        let mut wrapped = Vec::with_capacity(keys.len());
        let mut generations = Vec::with_capacity(keys.len());
        for row in keys {
            let key = KeyId::from_row(row)?;
            let identity = key.identity();
            let shard: i32 = row.try_get("shard")?;
            let (generation, to) = to.get(&shard).ok_or(KeyringError::Damaged)?;
            let from = match row.try_get::<_, Option<Uuid>>("generation")? {
                Some(generation) => under.get(&generation).ok_or(KeyringError::Damaged)?,
                None => from,
            };
            let secret = crypto::unwrap(from, &identity, row.try_get("wrapped")?)?;
            wrapped.push(crypto::wrap(to, &identity, &secret)?);
            generations.push(*generation);
            moved.push(key);
        }
        let KeyColumns { kinds, subjects, classes, numbers } = KeyColumns::of(&moved);
        let with: [&(dyn ToSql + Sync); 6] =
            [&kinds, &subjects, &classes, &numbers, &wrapped, &generations];
        let keys = step.execute(MOVE_KEYS, &with).await?;
        let emptied: Vec<Uuid> = under.keys().copied().collect();
        step.execute(REPLACE_SHARDS, &[&emptied]).await?;
        step.commit().await?;
        failpoint!(RotationKeysMoved);
        Ok(RotationStep::Rewrapped(Rewrapped { shards: 0, keys }))
    }

    /// The live shard key of each shard that has one.
    async fn live_shards(
        &self,
        step: &Transaction<'_>,
        shards: &[i32],
    ) -> Result<HashMap<i32, (Uuid, Secret)>, KeyringError> {
        let rows = step.query(LIST_LIVE_SHARDS, &[&shards, &self.old.id.0]).await?;
        let mut live = HashMap::with_capacity(rows.len());
        for row in &rows {
            let shard = ShardKey::from_row(row)?;
            let opened = shard.open(self.roots).await?;
            let secret = opened.ok_or_else(|| self.roots.missing(shard.root))?;
            live.insert(shard.shard, (shard.generation, secret));
        }
        Ok(live)
    }

    async fn make_shards(&self, shards: Vec<i32>) -> Result<RotationStep, KeyringError> {
        let current = self.current.id;
        let new = NewShards::draw(shards, current, self.roots).await?;
        let new = new.ok_or_else(|| self.roots.missing(current))?;
        new.insert(&*self.pool.get().await?, self.clock.now()).await?;
        failpoint!(RotationShardsMade);
        Ok(RotationStep::Rewrapped(Rewrapped::default()))
    }
}

/// The rows that nobody else has locked. Where there are only others, waits for one, and holds none meanwhile.
async fn lock(
    step: &Transaction<'_>,
    statement: &str,
    of: &(dyn ToSql + Sync),
    limit: i64,
) -> Result<Vec<Row>, KeyringError> {
    let statement = statement.trim_end();
    let rows = step.query(&format!("{statement} skip locked"), &[of, &limit]).await?;
    if rows.is_empty() { Ok(step.query(statement, &[of, &1_i64]).await?) } else { Ok(rows) }
}
