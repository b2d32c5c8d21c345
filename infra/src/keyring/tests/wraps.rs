//! What somebody has who kept everything that ever stood in the keyring's tables: each key, wrapped in every way in which
//! it ever was.

use std::collections::{BTreeMap, BTreeSet};

use super::super::key::{KeyId, KeyKind};
use super::super::shards::ShardKey;
use super::super::{RootStore, Secret, crypto};
use super::*;

const KEYS: &str = "select * from keyring.keys where wrapped is not null";
const SHARDS: &str = "select generation, shard, wrapped as shard_key, root_id as shard_root
    from keyring.shards";

/// A key in one of its wraps.
struct WrappedKey {
    id: KeyId,
    /// A shard key, or a root.
    under: Result<Uuid, i64>,
}

#[derive(Default)]
pub(super) struct Wraps {
    /// By their bytes.
    keys: BTreeMap<Vec<u8>, WrappedKey>,
    shards: BTreeMap<(Uuid, i64), ShardKey>,
}

impl Wraps {
    pub async fn of(harness: &Harness) -> Self {
        let mut wraps = Self::default();
        wraps.add(harness).await;
        wraps
    }

    /// What stands in the tables now.
    pub async fn add(&mut self, harness: &Harness) {
        for row in harness.sql(KEYS, &[]).await {
            let kind = KeyKind::parse(row.get("kind")).unwrap();
            let (subject, class) = (row.get("subject"), row.get("class"));
            let id = KeyId { kind, subject, class, number: row.get("number") };
            let generation: Option<Uuid> = row.get("generation");
            let under = generation.ok_or_else(|| row.get::<_, i64>("root_id"));
            self.keys.insert(row.get("wrapped"), WrappedKey { id, under });
        }
        for row in harness.sql(SHARDS, &[]).await {
            let shard = ShardKey::from_row(&row).unwrap();
            self.shards.insert((shard.generation, shard.root.0), shard);
        }
    }

    /// The subjects of the keys that open with these roots.
    pub fn opened_with(&self, roots: &[(i64, Secret)]) -> BTreeSet<Uuid> {
        let roots: BTreeMap<i64, &Secret> = roots.iter().map(|(id, key)| (*id, key)).collect();
        let mut shards = BTreeMap::new();
        for ((generation, root), shard) in &self.shards {
            if let Some(Ok(opened)) = roots.get(root).map(|root| shard.unwrap(root)) {
                shards.insert(*generation, opened);
            }
        }
        let opens = |(wrapped, key): (&Vec<u8>, &WrappedKey)| {
            let above = match &key.under {
                Ok(generation) => shards.get(generation),
                Err(root) => roots.get(root).copied(),
            }?;
            crypto::unwrap(above, &key.id.identity(), wrapped).ok().map(|_| key.id.subject)
        };
        self.keys.iter().filter_map(opens).collect()
    }

    /// The same with every root that the store has.
    pub async fn opened_by(&self, harness: &Harness) -> BTreeSet<Uuid> {
        let store = harness.folder();
        let mut roots = Vec::new();
        for id in store.list().await.unwrap() {
            roots.push((id.0, store.read(id).await.unwrap().unwrap()));
        }
        self.opened_with(&roots)
    }

    /// The youngest root at which a chain of wraps of a subject's keys ends.
    pub fn youngest_root(&self, subject: Uuid) -> Option<i64> {
        let of = self.keys.values().filter(|key| key.id.subject == subject);
        let roots = of.flat_map(|key| match &key.under {
            Err(root) => vec![*root],
            Ok(generation) => {
                let ids = self.shards.keys().filter(|(of, _)| of == generation);
                ids.map(|(_, root)| *root).collect()
            }
        });
        roots.max()
    }

    /// The subjects of all keys that ever were.
    pub fn subjects(&self) -> BTreeSet<Uuid> {
        self.keys.values().map(|key| key.id.subject).collect()
    }
}
