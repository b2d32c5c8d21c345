//! Shard keys: each is under a root key, and wraps the keys of one in 16,384 subjects. None is kept in memory.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_postgres::Row;
use uuid::Uuid;

use super::crypto::{self, framed};
use super::roots::Roots;
use super::{KeyringError, RootId, RootStore, Secret};
use crate::postgres::{GenericClient, PoolClient};
use crate::random;

const MAKE: &str = include_str!("sql/make_shards.sql");
/// Null until the first shard key is made.
const LOCK_HISTORY: &str = "select from keyring.shard_history for no key update";
const HAS_LOST_KEYS: &str =
    "select history <> keyring.history() or lsn > pg_current_wal_insert_lsn()
    as has_lost from keyring.shard_history";
const TAINT_ALL: &str = include_str!("sql/taint_shards.sql");

/// A shard key as it stands in its row.
#[derive(Clone, Debug)]
pub(super) struct ShardKey {
    pub generation: Uuid,
    pub shard: i32,
    pub root: RootId,
    wrapped: Vec<u8>,
}

impl ShardKey {
    pub fn from_row(row: &Row) -> Result<Self, KeyringError> {
        Ok(Self {
            generation: row.try_get("generation")?,
            shard: row.try_get("shard")?,
            root: RootId(row.try_get("shard_root")?),
            wrapped: row.try_get("shard_key")?,
        })
    }

    /// With its root.
    pub fn unwrap(&self, root: &Secret) -> Result<Secret, KeyringError> {
        crypto::unwrap(root, &identity(self.shard, self.generation), &self.wrapped)
    }

    /// The bytes of its row under another root.
    pub fn rewrap(&self, from: &Secret, to: &Secret) -> Result<Vec<u8>, KeyringError> {
        crypto::wrap(to, &identity(self.shard, self.generation), &self.unwrap(from)?)
    }

    /// `None` when its root is not in the store.
    pub async fn open(&self, roots: &Roots) -> Result<Option<Secret>, KeyringError> {
        let root = roots.get(self.root).await?;
        root.map(|root| self.unwrap(&root)).transpose()
    }
}

/// The bytes that the wrapped shard key of the row is bound to.
fn identity(shard: i32, generation: Uuid) -> Vec<u8> {
    framed(&[b"lethe shard key 1", &shard.to_be_bytes(), generation.as_bytes()])
}

/// Shard keys that are drawn and are in no row yet.
pub(super) struct NewShards {
    pub generations: Vec<Uuid>,
    pub shards: Vec<i32>,
    pub wrapped: Vec<Vec<u8>>,
    pub under: RootId,
    secrets: Vec<Secret>,
}

impl NewShards {
    /// One for each shard, in the order of shards. `None` when the root is not in the store.
    pub async fn draw(
        mut shards: Vec<i32>,
        under: RootId,
        roots: &Roots,
    ) -> Result<Option<Self>, KeyringError> {
        let (generations, wrapped, secrets) = (vec![], vec![], vec![]);
        shards.sort_unstable();
        shards.dedup();
        let mut new = Self { generations, shards, wrapped, under, secrets };
        if new.shards.is_empty() {
            return Ok(Some(new));
        }
        let Some(root) = roots.get(under).await? else { return Ok(None) };
        for shard in &new.shards {
            let (generation, secret) = (Uuid::from_bytes(random::bytes()?), Secret::random()?);
            new.wrapped.push(crypto::wrap(&root, &identity(*shard, generation), &secret)?);
            new.generations.push(generation);
            new.secrets.push(secret);
        }
        Ok(Some(new))
    }

    /// The one of this shard.
    pub fn of(&self, shard: i32) -> Option<(Uuid, &Secret)> {
        let at = self.shards.binary_search(&shard).ok()?;
        Some((*self.generations.get(at)?, self.secrets.get(at)?))
    }

    /// Nothing is inserted for a shard that has a live one, and none when the root is not the current one.
    pub async fn insert(
        &self,
        client: &PoolClient,
        now: DateTime<Utc>,
    ) -> Result<(), KeyringError> {
        let make = client.prepare_cached(MAKE).await?;
        let Self { generations, shards, wrapped, under, .. } = self;
        client.execute(&make, &[generations, shards, wrapped, &under.0, &now]).await?;
        Ok(())
    }
}

/// Whether keys may be lost that live shard keys wrapped: the server is another, or went back. They are nowhere
/// erased, so no shard key that is there may be wrapped again.
pub(super) async fn have_lost_keys(client: &impl GenericClient) -> Result<bool, KeyringError> {
    let row = client.query_one(HAS_LOST_KEYS, &[]).await?;
    Ok(row.try_get::<_, Option<bool>>("has_lost")?.unwrap_or_default())
}

/// Has every shard key replaced at the next rotation. Erasures that are not proven wait for the newest root, since
/// what was lost may be under it. Returns how many there were.
pub(super) async fn taint_all(
    client: &impl GenericClient,
    store: &Arc<dyn RootStore>,
) -> Result<u64, KeyringError> {
    // In a statement of its own, so that the next one sees what was noted under the lock.
    client.execute(LOCK_HISTORY, &[]).await?;
    let newest = store.list().await?.into_iter().max().map_or(0, |newest| newest.0);
    let tainted = client.execute(TAINT_ALL, &[&newest]).await?;
    if tainted > 0 {
        tracing::warn!(
            shards = tainted,
            "the last keys of the keyring may be lost, since its server went back or is another: the \
             shard keys are replaced at the next rotation of the root key"
        );
    }
    Ok(tainted)
}
