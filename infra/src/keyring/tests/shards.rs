//! A rotation wraps shard keys again, and keys only where one of their shard was erased.

use std::collections::{BTreeMap, BTreeSet};

use super::super::key::{KeyId, KeyKind};
use super::super::{RootId, RootStore, crypto};
use super::wraps::Wraps;
use super::*;

impl Harness {
    /// So few shards instead of 16,384. Call it before a node is there.
    pub(super) async fn with_shards(self, count: i32) -> Self {
        let few = format!(
            "create or replace function keyring.shard_of(subject uuid) returns int
             language sql immutable as 'select get_byte(uuid_send(subject), 15) % {count}'"
        );
        self.sql(&few, &[]).await;
        self
    }

    /// Which transaction has written the row of each subject's keys.
    async fn written_by(&self) -> BTreeMap<Uuid, String> {
        let rows = "select subject, xmin::text from keyring.keys where wrapped is not null";
        let rows = self.sql(rows, &[]).await;
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    pub(super) async fn shards_in(&self, state: &str) -> i64 {
        let count = format!("select count(*) from keyring.shards where state = '{state}'");
        self.count(&count).await
    }

    /// As a programme before shard keys has left it: under the root itself.
    async fn without_shards(&self, root: i64) {
        let key = self.folder().read(RootId(root)).await.unwrap().unwrap();
        let pool = connect(&self.databases.keyring_url, &ConnectOptions::app()).await.unwrap();
        let roots = super::super::roots::Roots::new(Arc::new(self.folder()), pool);
        let keys = "select k.*, s.shard, s.wrapped as shard_key, s.root_id as shard_root
            from keyring.keys k join keyring.shards s using (generation) where k.wrapped is not null";
        let move_back = "update keyring.keys set wrapped = $5, root_id = $6, generation = null
            where (kind, subject, class, number) = ($1, $2, $3, $4)";
        for row in self.sql(keys, &[]).await {
            let kind = KeyKind::parse(row.get("kind")).unwrap();
            let (subject, class) = (row.get("subject"), row.get("class"));
            let id = KeyId { kind, subject, class, number: row.get("number") };
            let shard = super::super::shards::ShardKey::from_row(&row).unwrap();
            let shard = shard.open(&roots).await.unwrap().unwrap();
            let secret = crypto::unwrap(&shard, &id.identity(), row.get("wrapped")).unwrap();
            let wrapped = crypto::wrap(&key, &id.identity(), &secret).unwrap();
            let of: [&(dyn ToSql + Sync); 6] =
                [&kind.as_str(), &id.subject, &id.class, &id.number, &wrapped, &root];
            self.sql(move_back, &of).await;
        }
        self.sql("update keyring.shards set state = 'replaced'", &[]).await;
        self.sql("delete from keyring.shards", &[]).await;
    }
}

fn shard(of: AccountId) -> u8 {
    of.0.as_bytes()[15] % 2
}

/// Two rows for one key would give the next key that of another.
#[tokio::test]
async fn a_shard_with_two_live_keys_is_an_error_of_who_comes_to_it() {
    let harness = Harness::new().await.with_shards(2).await;
    let node = harness.node().await;
    let people = harness.people(&node, 4).await;
    // As with an index that is damaged.
    harness.sql("drop index keyring.shards_one_live", &[]).await;
    let doubled =
        "insert into keyring.shards (generation, shard, state, wrapped, root_id, created_at)
        select gen_random_uuid(), shard, state, wrapped, root_id, created_at from keyring.shards";
    harness.sql(doubled, &[]).await;

    let refused = harness.registered(&node, harness.person()).await.map(drop);

    assert!(matches!(refused, Err(SealError::Unavailable(KeyringError::Damaged))), "{refused:?}");
    all_open(&harness.node().await, &people).await;
}

#[tokio::test]
async fn only_the_keys_of_a_shard_with_an_erasure_are_wrapped_again() {
    let harness = Harness::new().await.with_shards(2).await;
    let node = harness.node().await;
    let people = harness.people(&node, 12).await;
    let before = harness.written_by().await;
    let rotated = node.root_rotation.rotate().await.unwrap();
    assert_eq!((rotated.shards, rotated.keys, rotated.erased), (2, 0, 1));
    assert_eq!(harness.written_by().await, before, "no row of a key is written");

    let (gone, _) = people[0];
    node.eraser.erase_subject(gone.into()).await.unwrap();
    let rotated = node.root_rotation.rotate().await.unwrap();

    let after = harness.written_by().await;
    let rewritten: BTreeSet<Uuid> =
        after.iter().filter(|(of, xmin)| before[of] != **xmin).map(|(of, _)| *of).collect();
    let others = people[1..].iter().filter(|(of, _)| shard(*of) == shard(gone));
    let others: BTreeSet<Uuid> = others.map(|(of, _)| of.0).collect();
    assert!(others.len() > 1 && others.len() < 11, "{others:?}");
    assert_eq!(rewritten, others);
    assert_eq!((rotated.shards, rotated.keys), (1, u64::try_from(others.len()).unwrap()));
    assert_eq!((harness.shards_in("live").await, harness.shards_in("replaced").await), (2, 0));
    all_open(&node, &people[1..]).await;
    all_open(&harness.node().await, &people[1..]).await;
}

/// With every row that the tables ever had, and the roots that are left.
#[tokio::test]
async fn an_erased_person_opens_nowhere_once_the_root_of_the_time_is_gone_and_others_do() {
    let harness = Harness::new().await.with_shards(1).await;
    let node = harness.node().await;
    let people = harness.people(&node, 4).await;
    let mut kept = Wraps::of(&harness).await;
    let root = harness.folder().read(RootId(1)).await.unwrap().unwrap();
    let erased = node.eraser.erase_subject(people[0].0.into()).await.unwrap();
    assert_eq!(erased.last_root, Some(RootId(1)));
    // Made after the erasure, under another shard key.
    let late = harness.people(&node, 1).await;
    kept.add(&harness).await;
    assert!(kept.opened_by(&harness).await.contains(&people[0].0.0), "its root is there");

    for _ in 0..3 {
        node.root_rotation.rotate().await.unwrap();
        kept.add(&harness).await;

        let others: BTreeSet<Uuid> = people[1..].iter().chain(&late).map(|(of, _)| of.0).collect();
        assert_eq!(kept.opened_by(&harness).await, others);
    }
    let with_old_root = kept.opened_with(&[(1, root)]);
    assert!(with_old_root.contains(&people[0].0.0), "the control: with the old root it does open");
}

#[tokio::test]
async fn keys_of_an_older_programme_open_and_come_under_shard_keys_at_the_rotation() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let people = harness.people(&node, 5).await;
    drop(node);
    harness.without_shards(1).await;
    let mut kept = Wraps::of(&harness).await;

    let node = harness.node().await;
    all_open(&node, &people).await;
    assert_eq!(node.status().await.unwrap().under_roots, 5);
    let erased = node.eraser.erase_subject(people[0].0.into()).await.unwrap();
    assert_eq!((erased.keys, erased.last_root), (1, Some(RootId(1))));
    let rotated = node.root_rotation.rotate().await.unwrap();

    assert_eq!((rotated.shards, rotated.keys, rotated.erased), (0, 4, 1));
    assert_eq!(node.status().await.unwrap().under_roots, 0);
    all_open(&harness.node().await, &people[1..]).await;
    node.root_rotation.rotate().await.unwrap();
    kept.add(&harness).await;
    assert!(!kept.opened_by(&harness).await.contains(&people[0].0.0));
}

/// It is not taken for a shard without a key.
#[tokio::test]
async fn a_shard_key_without_its_root_is_an_error_of_that_shard() {
    let harness = Harness::new().await.with_shards(2).await;
    let node = harness.node().await;
    let people = harness.people(&node, 12).await;
    // It has read none of their keys.
    let other = harness.node().await;
    harness.sql("alter table keyring.shards disable trigger all", &[]).await;
    harness.sql("update keyring.shards set root_id = 99 where shard = 0", &[]).await;

    for (person, sealed) in &people {
        let opened = opened(&other, *person, sealed).await;
        let missing = |error: &OpenError| {
            matches!(
                error,
                OpenError::Unavailable(KeyringError::RootMissing { id: RootId(99), .. })
            )
        };
        assert!(opened.as_ref().is_err_and(missing) == (shard(*person) == 0), "{opened:?}");
    }
    let before = harness.count("select count(*) from keyring.shards").await;
    while harness.registered(&node, harness.person()).await.is_ok() {}
    assert_eq!(harness.count("select count(*) from keyring.shards").await, before);
    let refused = harness.try_node().await.err();
    assert!(
        matches!(refused, Some(KeyringError::RootMissing { id: RootId(99), .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn the_tables_refuse_what_would_bring_an_erased_key_back() {
    let harness = Harness::new().await.with_shards(1).await;
    let node = harness.node().await;
    let people = harness.people(&node, 2).await;
    let owner = connect_one(&harness.databases.keyring_url, &ConnectOptions::default()).await;
    let owner = owner.unwrap();
    let refused = async |sql: &str| owner.batch_execute(sql).await.unwrap_err().to_string();
    refused("delete from keyring.shards").await;
    node.eraser.erase_subject(people[0].0.into()).await.unwrap();
    assert_eq!(harness.shards_in("tainted").await, 1);

    for statement in [
        "update keyring.shards set root_id = 2, wrapped = 'x'",
        "update keyring.shards set wrapped = 'x'",
        "update keyring.shards set state = 'live'",
        "delete from keyring.shards",
        "update keyring.keys set root_id = null where wrapped is null",
        "insert into keyring.keys (kind, subject, class, number, generation, created_at, destroyed_at)
         select 'subject', gen_random_uuid(), 1, 1, generation, now(), now() from keyring.shards",
    ] {
        refused(statement).await;
    }
    all_open(&harness.node().await, &people[1..]).await;
}

#[tokio::test]
async fn shards_are_as_the_hash_of_the_subject_says_for_good() {
    let harness = Harness::new().await;
    let of = "select keyring.shard_of('00000000-0000-0000-0000-000000000001'::uuid)::bigint";
    // The first 14 of the low bits of two bytes of SHA-256, computed with Python.
    assert_eq!(harness.count(of).await, 15_420);
    let spread = "select count(distinct keyring.shard_of(gen_random_uuid()))
        from generate_series(1, 20000)";
    assert!(harness.count(spread).await > 10_000);
}
