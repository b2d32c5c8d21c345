//! A shard key is replaced while keys are made and erased under it.

use super::super::root_rotation::RotationStep;
use super::super::{ErasedSubject, RootId};
use super::wraps::Wraps;
use super::*;
use test_support::until;

const WAITS: &str = "select count(*) from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'";

impl Harness {
    async fn somebody_waits(&self) {
        until("somebody waits for a lock", async || self.count(WAITS).await > 0).await;
    }

    /// A rotation before its first batch: the new root is current.
    async fn switched(&self, node: &Keyring) {
        let begin = Some(DateTime::<Utc>::MAX_UTC);
        assert_eq!(node.root_rotation.step(begin).await.unwrap(), RotationStep::Begun);
        for step in [RotationStep::Durable, RotationStep::Switched] {
            assert_eq!(node.root_rotation.step(None).await.unwrap(), step);
        }
    }

    async fn owner(&self) -> tokio_postgres::Client {
        connect_one(&self.databases.keyring_url, &ConnectOptions::default()).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_during_the_batch_of_a_rotation_waits_for_its_root() {
    let harness = Harness::new().await.with_shards(1).await;
    let node = harness.node().await;
    let people = harness.people(&node, 2).await;
    let (gone, eraser) = (people[0].0, node.eraser.clone());
    let mut owner = harness.owner().await;
    // As a batch of the rotation does.
    let batch = owner.transaction().await.unwrap();
    batch.execute("select from keyring.shards for no key update", &[]).await.unwrap();
    let erasing = tokio::spawn(async move { eraser.erase_subject(gone.into()).await });
    harness.somebody_waits().await;
    // Nobody else waits for the batch.
    let late = harness.people(&node, 3).await;
    all_open(&node, &late).await;

    batch.execute("update keyring.shards set root_id = 2", &[]).await.unwrap();
    batch.commit().await.unwrap();

    let ErasedSubject { last_root, .. } = erasing.await.unwrap().unwrap();
    assert_eq!(last_root, Some(RootId(2)), "the root of before would be said to be the last");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_during_an_erasure_leaves_the_shard_key_under_its_root() {
    let harness = Harness::new().await.with_shards(1).await;
    let node = harness.node().await;
    let people = harness.people(&node, 3).await;
    harness.switched(&node).await;
    let mut owner = harness.owner().await;
    let erasure = owner.transaction().await.unwrap();
    let erase = "update keyring.keys set wrapped = null, destroyed_at = now() where subject = $1";
    erasure.execute(erase, &[&people[0].0.0]).await.unwrap();
    let rotating = node.clone();
    let rotating = tokio::spawn(async move { rotating.root_rotation.rotate().await });
    harness.somebody_waits().await;

    erasure.commit().await.unwrap();

    let rotated = rotating.await.unwrap().unwrap();
    assert_eq!((rotated.shards, rotated.keys, rotated.erased), (0, 2, 1));
    let root = "select max(root_id) from keyring.keys where wrapped is null";
    assert_eq!(harness.count(root).await, 1);
    all_open(&harness.node().await, &people[1..]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_key_is_not_replaced_while_a_key_comes_under_it() {
    let harness = Harness::new().await.with_shards(1).await;
    let node = harness.node().await;
    let people = harness.people(&node, 2).await;
    let late = harness.people(&node, 1).await;
    let (subject, of) = (late[0].0.0, &late[0]);
    harness
        .sql(
            "create table public.late as select * from keyring.keys where subject = $1",
            &[&subject],
        )
        .await;
    let owner = harness.owner().await;
    owner.batch_execute("set session_replication_role = replica").await.unwrap();
    owner.execute("delete from keyring.keys where subject = $1", &[&subject]).await.unwrap();
    owner.batch_execute("set session_replication_role = origin").await.unwrap();
    // It has found the shard key live, and its key is not committed.
    let mut maker = harness.owner().await;
    let making = maker.transaction().await.unwrap();
    making.execute("select from keyring.shards for key share", &[]).await.unwrap();
    making.execute("insert into keyring.keys select * from public.late", &[]).await.unwrap();
    node.eraser.erase_subject(people[0].0.into()).await.unwrap();
    let rotating = node.clone();
    let rotating = tokio::spawn(async move { rotating.root_rotation.rotate().await });
    harness.somebody_waits().await;

    making.commit().await.unwrap();

    let rotated = rotating.await.unwrap().unwrap();
    assert_eq!((rotated.keys, rotated.erased), (2, 1));
    all_open(&harness.node().await, &people[1..]).await;
    let other = harness.node().await;
    opened(&other, of.0, &of.1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_rotate_seal_and_erase_at_once_and_nobody_is_lost() {
    let harness = Harness::new().await.with_shards(3).await;
    let (one, two, three) = (harness.node().await, harness.node().await, harness.node().await);
    let mut people = harness.people(&three, 8).await;
    let (mut gone, mut kept) = (Vec::new(), Wraps::default());
    for _ in 0..5 {
        kept.add(&harness).await;
        let dying: Vec<_> = people.drain(..3).collect();
        let erasing = async {
            for (person, _) in &dying {
                two.eraser.erase_subject((*person).into()).await.unwrap();
            }
        };
        let rotating = (one.root_rotation.rotate(), two.root_rotation.rotate());
        let (first, second, more, ()) =
            tokio::join!(rotating.0, rotating.1, harness.people(&three, 6), erasing);
        first.unwrap();
        second.unwrap();
        people.extend(more);
        gone.extend(dying);
    }
    for node in [&one, &two, &three, &harness.node().await] {
        all_open(node, &people).await;
    }
    one.root_rotation.rotate().await.unwrap();
    kept.add(&harness).await;
    let opened = kept.opened_by(&harness).await;
    assert!(people.iter().all(|(person, _)| opened.contains(&person.0)));
    assert!(gone.iter().all(|(person, _)| !opened.contains(&person.0)));
}

#[tokio::test]
async fn the_replacement_of_a_shard_key_resumes_after_every_step() {
    let harness = Harness::new().await.with_shards(1).await;
    let mut people = harness.people(&harness.node().await, 3).await;
    for stopped in 1..=4 {
        let node = harness.node().await;
        let (gone, _) = people.remove(0);
        node.eraser.erase_subject(gone.into()).await.unwrap();
        harness.switched(&node).await;
        for _ in 0..stopped {
            node.root_rotation.step(None).await.unwrap();
        }
        drop(node);

        let next = harness.node().await;
        all_open(&next, &people).await;
        people.extend(harness.people(&next, 2).await);
        next.root_rotation.rotate_when_due(TimeDelta::days(1)).await.unwrap();
        assert_eq!((harness.shards_in("tainted").await, harness.shards_in("live").await), (0, 1));
        all_open(&harness.node().await, &people).await;
    }
}
