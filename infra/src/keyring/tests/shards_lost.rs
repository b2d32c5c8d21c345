//! Keys that the database has lost are nowhere erased, and are out of reach all the same.

use std::collections::BTreeSet;

use domain::SubjectId;

use test_support::until_waits_for_lock;

use super::super::{ErasureStage, RootId, RootStore, SubjectKind, state_copy_lost};
use super::copy::update;
use super::wraps::Wraps;
use super::*;

impl Harness {
    /// As the next commits of another server, or after another restore.
    pub(super) async fn has_another_history(&self) {
        self.sql("update keyring.shard_history set history = 'another'", &[]).await;
    }

    /// Erases the person, as the worker does.
    pub(super) async fn erase(&self, node: &Keyring, person: AccountId) {
        let subject = SubjectId::from(person);
        let code: [u8; 32] = [person.0.as_bytes().as_slice(); 2].concat().try_into().unwrap();
        node.ledger.request(SubjectKind::Account, subject, noon(), code).await.unwrap();
        node.ledger.advance(subject, ErasureStage::Fenced { position: 1 }).await.unwrap();
        let erased = node.eraser.erase_subject(subject).await.unwrap();
        let stage = ErasureStage::KeysErased { keys: erased.keys, last_root: erased.last_root };
        node.ledger.advance(subject, stage).await.unwrap();
    }

    async fn last_root(&self, node: &Keyring, person: AccountId) -> Option<i64> {
        let entry = node.ledger.entry(person.into()).await.unwrap().unwrap();
        entry.last_root.map(|root| root.0)
    }
}

#[tokio::test]
async fn a_key_that_a_failover_has_lost_opens_nowhere_after_the_next_rotation() {
    let harness = Harness::new().await.with_shards(1).await;
    let node = harness.node().await;
    let people = harness.people(&node, 3).await;
    harness.back_up().await;
    let lost = harness.people(&node, 1).await;
    let mut kept = Wraps::of(&harness).await;
    drop(node);
    harness.take_back().await;
    harness.has_another_history().await;

    let node = harness.node().await;
    let rotated = node.root_rotation.rotate().await.unwrap();

    assert_eq!((rotated.shards, rotated.keys, rotated.erased), (0, 3, 1));
    kept.add(&harness).await;
    let opened = kept.opened_by(&harness).await;
    assert!(!opened.contains(&lost[0].0.0));
    assert_eq!(opened, people.iter().map(|(person, _)| person.0).collect::<BTreeSet<_>>());
    all_open(&node, &people).await;
    let rotated = node.root_rotation.rotate().await.unwrap();
    assert_eq!((rotated.shards, rotated.keys), (1, 0), "once");
}

#[tokio::test]
async fn a_place_of_the_wal_that_is_not_written_yet_is_a_server_that_went_back() {
    let harness = Harness::new().await.with_shards(1).await;
    let node = harness.node().await;
    harness.people(&node, 2).await;
    harness.sql("update keyring.shard_history set lsn = 'FFFF/0'", &[]).await;

    let rotated = node.root_rotation.rotate().await.unwrap();

    assert_eq!((rotated.shards, rotated.keys), (0, 2));
}

#[tokio::test]
async fn a_restore_of_the_log_counts_as_a_loss_of_keys() {
    let harness = Harness::new().await.with_shards(1).await;
    let node = harness.node().await;
    harness.people(&node, 2).await;
    let restored = "insert into keyring.watermark (position, event_id, restores)
        values (1, gen_random_uuid(), 1)";
    harness.sql(restored, &[]).await;

    let rotated = node.root_rotation.rotate().await.unwrap();

    assert_eq!((rotated.shards, rotated.keys), (0, 2));
}

#[tokio::test]
async fn what_another_history_may_have_wrapped_waits_for_the_newest_root() {
    let harness = Harness::new().await.with_shards(1).await;
    let node = harness.node().await;
    let people = harness.people(&node, 3).await;
    harness.erase(&node, people[0].0).await;
    assert_eq!(harness.last_root(&node, people[0].0).await, Some(1));
    // A server that failed has made it.
    put_root(harness.roots.path(), 7, &Secret::random().unwrap());
    harness.has_another_history().await;

    node.root_rotation.rotate().await.unwrap();

    assert_eq!(harness.last_root(&node, people[0].0).await, Some(7));
    assert_eq!(node.root_rotation.oldest_in_doubt().await.unwrap(), Some(RootId(7)));
    harness.erase(&node, people[1].0).await;
    assert_eq!(harness.last_root(&node, people[1].0).await, Some(8));
}

#[tokio::test]
async fn an_erasure_before_the_loss_is_noticed_waits_for_the_newest_root_too() {
    let harness = Harness::new().await.with_shards(1).await;
    let node = harness.node().await;
    harness.people(&node, 1).await;
    let (before, lost) = (harness.person(), harness.person());
    harness.erase(&node, before).await;
    assert_eq!(harness.last_root(&node, before).await, None, "nobody had a key");
    harness.has_another_history().await;

    harness.erase(&node, lost).await;

    assert_eq!(harness.last_root(&node, lost).await, Some(1));
}

#[tokio::test]
async fn nothing_is_proven_before_the_loss_is_noticed() {
    let harness = Harness::new().await.with_shards(1).await;
    let node = harness.node().await;
    let lost = harness.person();
    harness.erase(&node, lost).await;
    node.ledger.advance(lost.into(), ErasureStage::Completed).await.unwrap();
    let (now, nobody) = (noon(), []);
    assert_eq!(node.ledger.provable(10, 0).await.unwrap().len(), 1);
    assert!(node.ledger.has_work(now, now, &nobody).await.unwrap());

    harness.has_another_history().await;

    assert_eq!(node.ledger.provable(10, 0).await.unwrap(), []);
    assert!(!node.ledger.has_work(now, now, &nobody).await.unwrap());
    node.root_rotation.rotate().await.unwrap();
    assert_eq!(harness.last_root(&node, lost).await, Some(1), "it waits for the newest root");
}

#[tokio::test]
async fn an_erasure_is_noted_with_the_root_of_a_loss_that_is_noticed_meanwhile() {
    let harness = Harness::new().await.with_shards(1).await;
    let node = harness.node().await;
    let person = harness.person();
    let subject = SubjectId::from(person);
    node.ledger.request(SubjectKind::Account, subject, noon(), [1; 32]).await.unwrap();
    node.ledger.advance(subject, ErasureStage::Fenced { position: 1 }).await.unwrap();
    let url = &harness.databases.keyring_url;
    let watching = connect_one(url, &ConnectOptions::default()).await.unwrap();
    let pool = connect(url, &ConnectOptions::keyring()).await.unwrap();
    let mut noticing = pool.get().await.unwrap();
    let noticing = noticing.transaction().await.unwrap();
    let store: Arc<dyn RootStore> = Arc::new(harness.folder());
    put_root(harness.roots.path(), 7, &Secret::random().unwrap());
    super::super::shards::taint_all(&noticing, &store).await.unwrap();

    let stage = ErasureStage::KeysErased { keys: 0, last_root: None };
    let ledger = node.ledger.clone();
    let noting = tokio::spawn(async move { ledger.advance(subject, stage).await });
    until_waits_for_lock(&watching, "keyring.shard_history").await;
    noticing.commit().await.unwrap();

    noting.await.unwrap().unwrap();
    assert_eq!(harness.last_root(&node, person).await, Some(7));
}

/// The keyring went back, its nodes went on under another root, and the copy knows of an erasure.
#[tokio::test]
async fn a_merge_raises_the_last_root_of_who_is_erased_in_the_copy_only() {
    let mut harness = Harness::with_copy().await.with_shards(1).await;
    harness.options.root_retention = TimeDelta::days(1);
    let node = harness.node().await;
    let people = harness.people(&node, 3).await;
    update(&node).await;
    harness.back_up().await;
    harness.erase(&node, people[0].0).await;
    let late = harness.people(&node, 1).await;
    update(&node).await;
    let mut kept = Wraps::of(&harness).await;
    drop(node);
    harness.take_back().await;
    let copy = harness.options.copy.take();
    let node = harness.node().await;
    harness.options.copy = copy;
    node.root_rotation.rotate().await.unwrap();
    kept.add(&harness).await;
    assert_eq!(kept.youngest_root(people[0].0.0), Some(2), "it is wrapped again");
    drop(node);

    harness.restore().await.unwrap();

    let node = harness.node().await;
    assert_eq!(harness.last_root(&node, people[0].0).await, Some(2));
    assert_eq!(harness.shards_in("live").await, 0);
    all_open(&node, &people[1..]).await;
    all_open(&node, &late).await;
    for _ in 0..2 {
        node.root_rotation.rotate().await.unwrap();
        kept.add(&harness).await;
    }
    assert_eq!(kept.youngest_root(people[0].0.0), Some(2));
    all_open(&harness.node().await, &people[1..]).await;
    let roots = [RootId(1), RootId(2)];
    let left = node.root_rotation.held().await.unwrap();
    assert_eq!(left.iter().map(|held| held.id).filter(|id| roots.contains(id)).count(), 2);
}

#[tokio::test]
async fn a_copy_that_is_lost_may_have_known_more_keys() {
    let harness = Harness::with_copy().await.with_shards(1).await;
    let node = harness.node().await;
    harness.people(&node, 2).await;
    update(&node).await;
    std::fs::remove_dir_all(harness.copies()).unwrap();
    std::fs::create_dir(harness.copies()).unwrap();
    let pool = connect(&harness.databases.keyring_url, &ConnectOptions::app()).await.unwrap();

    state_copy_lost(&pool, &harness.copies()).await.unwrap();

    let node = harness.node().await;
    let rotated = node.root_rotation.rotate().await.unwrap();
    assert_eq!((rotated.shards, rotated.keys), (0, 2));
}

/// The copy is of the middle of a rotation: what it does not know of keys that moved does not matter.
#[tokio::test]
async fn a_copy_made_during_the_replacement_of_a_shard_key_restores_everybody() {
    let mut harness = Harness::with_copy().await.with_shards(1).await;
    harness.options.root_retention = TimeDelta::days(1);
    let node = harness.node().await;
    let people = harness.people(&node, 4).await;
    update(&node).await;
    node.eraser.erase_subject(people[0].0.into()).await.unwrap();
    let mut begin = Some(DateTime::<Utc>::MAX_UTC);
    for step in 0..8 {
        node.root_rotation.step(begin.take()).await.unwrap();
        update(&node).await;
        let empty = test_support::databases().await.unwrap();
        let databases = std::mem::replace(&mut harness.databases, empty);
        harness.restore().await.unwrap_or_else(|error| panic!("step {step}: {error}"));

        let restored = harness.node().await;
        all_open(&restored, &people[1..]).await;
        assert!(opened(&restored, people[0].0, &people[0].1).await.is_err());
        drop(restored);
        harness.databases = databases;
    }
}
