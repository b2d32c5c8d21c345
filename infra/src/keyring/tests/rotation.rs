//! After a rotation of the root key sealed values still open, and earlier copies of the keyring do not.

use std::task::Poll;

use super::super::rewrap::Rewrapped;
use super::super::root_rotation::RotationStep;
use super::super::{EscrowOptions, RootErasure, RootFingerprint, RootId, RootStore, Secret};
use super::wraps::Wraps;
use super::*;

/// Drops it once it has waited so many times. `None`: it had not ended.
async fn killed_after<T>(waits: usize, whole: impl Future<Output = T>) -> Option<T> {
    let mut whole = Box::pin(whole);
    let mut waited = 0;
    let killed = std::future::poll_fn(|context| {
        let polled = whole.as_mut().poll(context).map(Some);
        waited += 1;
        if polled.is_pending() && waited == waits { Poll::Ready(None) } else { polled }
    });
    killed.await
}

impl Harness {
    fn with_escrow(&mut self) -> age::x25519::Identity {
        let identity = age::x25519::Identity::generate();
        self.options.escrow = Some(EscrowOptions {
            recipient: identity.to_public().to_string(),
            dir: self.roots.path().join("escrow"),
            keep: TimeDelta::days(7),
        });
        identity
    }

    /// One current root, which alone wraps shard keys, and no other root's file.
    async fn is_rotated(&self, to: RootId) {
        assert_eq!(self.folder().list().await.unwrap(), [to]);
        let wrapping = "select root_id from keyring.shards
            union select root_id from keyring.keys where wrapped is not null and generation is null";
        let wrapping: Vec<i64> = self.sql(wrapping, &[]).await.iter().map(|r| r.get(0)).collect();
        assert_eq!(wrapping, [to.0]);
        let left = "select root_id from keyring.roots where state <> 'destroyed'";
        assert_eq!(self.sql(left, &[]).await.len(), 1);
    }
}

#[tokio::test]
async fn an_empty_keyring_mints_one_root_also_for_two_nodes_at_once() {
    let harness = Harness::new().await;
    let (one, two, three) = tokio::join!(harness.node(), harness.node(), harness.node());
    assert_eq!(harness.folder().list().await.unwrap(), [RootId(1)]);
    for node in [one, two, three] {
        assert_eq!(node.status().await.unwrap().root, RootId(1));
    }
}

#[tokio::test]
async fn keys_without_their_root_refuse_to_start_and_mint_nothing() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let people = harness.people(&node, 1).await;
    let root = harness.folder().read(RootId(1)).await.unwrap().unwrap();
    std::fs::remove_file(harness.root_file(1)).unwrap();
    assert!(matches!(
        harness.try_node().await,
        Err(KeyringError::RootMissing { id: RootId(1), .. })
    ));
    assert!(harness.folder().list().await.unwrap().is_empty());
    put_root(harness.roots.path(), 1, &Secret::random().unwrap());
    let refused = harness.try_node().await;
    assert!(matches!(refused, Err(KeyringError::RootWrong { id: RootId(1), .. })));
    std::fs::remove_file(harness.root_file(1)).unwrap();
    put_root(harness.roots.path(), 1, &root);
    all_open(&harness.node().await, &people).await;
    harness.sql("delete from keyring.roots", &[]).await;
    assert!(matches!(
        harness.try_node().await,
        Err(KeyringError::RootMissing { id: RootId(1), .. })
    ));
    assert_eq!(harness.folder().list().await.unwrap(), [RootId(1)]);
}

#[tokio::test]
async fn a_rotation_resumes_after_every_step() {
    let mut harness = Harness::new().await;
    harness.with_escrow();
    let mut people = harness.people(&harness.node().await, 3).await;
    let whole = [
        RotationStep::Begun,
        RotationStep::Durable,
        RotationStep::Switched,
        RotationStep::Rewrapped(Rewrapped::default()),
        RotationStep::Noted,
        RotationStep::Escrowed,
        RotationStep::Erased,
    ];
    for stopped in 1..=whole.len() {
        let broken = harness.node().await;
        broken.email_index.indexes(&email(people[0].0)).await.unwrap();
        let live = "select count(*) from keyring.shards where state = 'live'";
        let shards = u64::try_from(harness.count(live).await).unwrap();
        let before = broken.status().await.unwrap().root;
        for (step, expected) in whole.iter().take(stopped).enumerate() {
            let begin = (step == 0).then_some(DateTime::<Utc>::MAX_UTC);
            let step_taken = broken.root_rotation.step(begin).await.unwrap();
            let rewraps = matches!(expected, RotationStep::Rewrapped(_));
            let all = RotationStep::Rewrapped(Rewrapped { shards, keys: 0 });
            assert_eq!(step_taken, if rewraps { all } else { *expected });
        }
        drop(broken);
        let next = harness.node().await;
        all_open(&next, &people).await;
        people.extend(harness.people(&next, 1).await);
        let finished = next.root_rotation.rotate_when_due(TimeDelta::days(1)).await.unwrap();
        assert_eq!(finished.is_none(), stopped == whole.len());
        let current = next.status().await.unwrap().root;
        assert!(current > before);
        harness.is_rotated(current).await;
        all_open(&next, &people).await;
        all_open(&harness.node().await, &people).await;
    }
}

#[tokio::test]
async fn what_a_crash_left_half_done_is_done_again() {
    let mut harness = Harness::new().await;
    let escrowed_to = harness.with_escrow();
    let node = harness.node().await;
    let people = harness.people(&node, 2).await;
    let step = async |begin| node.root_rotation.step(begin).await.unwrap();
    assert_eq!(step(Some(DateTime::<Utc>::MAX_UTC)).await, RotationStep::Begun);
    // The file of the new root was written, its row was not.
    put_root(harness.roots.path(), 2, &Secret::random().unwrap());
    assert_eq!(step(None).await, RotationStep::Durable);
    assert_eq!(step(None).await, RotationStep::Switched);
    let rewrapped = Rewrapped { shards: 2, keys: 0 };
    assert_eq!(step(None).await, RotationStep::Rewrapped(rewrapped));
    assert_eq!(step(None).await, RotationStep::Noted);
    assert_eq!(step(None).await, RotationStep::Escrowed);
    // The file of the old root is deleted, its row is not.
    let old = harness.folder().read(RootId(1)).await.unwrap().unwrap();
    let erased = harness.folder().erase(RootId(1), RootFingerprint::of(&old)).await.unwrap();
    assert_eq!(erased, RootErasure::Erased);
    assert_eq!(step(None).await, RotationStep::Erased);
    assert_eq!(step(None).await, RotationStep::Idle);
    harness.is_rotated(RootId(2)).await;
    all_open(&harness.node().await, &people).await;
    // The file came back: a restored disk, or a crash before it was unlinked.
    put_root(harness.roots.path(), 1, &old);
    node.eraser.erase_expired().await.unwrap();
    harness.is_rotated(RootId(2)).await;
    // Another keyring's file is left alone.
    put_root(harness.roots.path(), 1, &Secret::random().unwrap());
    node.eraser.erase_expired().await.unwrap();
    assert!(harness.root_file(1).exists());
    drop(escrowed_to);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_killed_anywhere_is_finished_by_the_next() {
    let mut harness = Harness::new().await;
    harness.with_escrow();
    let node = harness.node().await;
    let mut people = harness.people(&node, 2).await;
    let mut killed = 0;
    for attempt in 0..25 {
        let ended = tokio::task::block_in_place(|| {
            // On a runtime of its own, whose end waits for what it does on the disk.
            let dying = tokio::runtime::Runtime::new().unwrap();
            dying.block_on(async {
                let node = harness.node().await;
                killed_after(1 + 3 * attempt, node.root_rotation.rotate()).await
            })
        });
        killed += usize::from(ended.map(Result::unwrap).is_none());
        people.extend(harness.people(&node, 1).await);
        all_open(&node, &people).await;
    }
    assert!(killed > 1, "{killed}");
    let rotation = node.root_rotation.rotate().await.unwrap();
    harness.is_rotated(rotation.current).await;
    all_open(&harness.node().await, &people).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_rotate_at_once_while_a_third_seals() {
    let harness = Harness::new().await;
    let (one, two, three) = (harness.node().await, harness.node().await, harness.node().await);
    let mut people = harness.people(&three, 5).await;
    for _ in 0..5 {
        let sealing = harness.people(&three, 10);
        let (first, second, more) =
            tokio::join!(one.root_rotation.rotate(), two.root_rotation.rotate(), sealing);
        first.unwrap();
        second.unwrap();
        people.extend(more);
    }
    let current = one.status().await.unwrap().root;
    assert_eq!(two.status().await.unwrap().root, current);
    harness.is_rotated(current).await;
    for node in [&one, &two, &three, &harness.node().await] {
        all_open(node, &people).await;
    }
}

#[tokio::test]
async fn a_root_is_rotated_when_it_is_old_and_not_before() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let day = TimeDelta::days(1);
    assert_eq!(node.root_rotation.rotate_when_due(day).await.unwrap(), None);
    harness.days_pass(1);
    let rotated = node.root_rotation.rotate_when_due(day).await.unwrap().unwrap();
    assert_eq!(rotated.current, RootId(2));
    assert_eq!(node.root_rotation.rotate_when_due(day).await.unwrap(), None);
}

#[tokio::test]
async fn an_old_dump_of_the_keys_opens_nothing_once_its_root_is_gone() {
    let mut harness = Harness::new().await;
    let identity = harness.with_escrow();
    let node = harness.node().await;
    let people = harness.people(&node, 3).await;
    let dumped = Wraps::of(&harness).await;
    let old_root = harness.folder().read(RootId(1)).await.unwrap().unwrap();
    node.root_rotation.rotate().await.unwrap();
    assert_eq!(harness.folder().list().await.unwrap(), [RootId(2)]);
    let new_root = harness.folder().read(RootId(2)).await.unwrap().unwrap();
    assert_eq!(dumped.opened_with(&[(2, new_root)]).len(), 0);
    let old = [(1, old_root.clone())];
    assert_eq!(dumped.opened_with(&old).len(), 3, "the control: with the old root they do open");
    // The escrow's recipient could, for seven days.
    let escrow = harness.options.escrow.as_ref().unwrap().dir.join("root-1.age");
    let held = age::decrypt(&identity, &std::fs::read(&escrow).unwrap()).unwrap();
    assert_eq!(held, old_root.expose());
    assert_eq!(node.status().await.unwrap().escrowed, 1);
    harness.days_pass(6);
    assert_eq!(node.eraser.erase_expired().await.unwrap().escrows, 0);
    harness.days_pass(1);
    assert_eq!(node.eraser.erase_expired().await.unwrap().escrows, 1);
    assert!(!escrow.exists());
    assert_eq!(node.status().await.unwrap().escrowed, 0);
    all_open(&harness.node().await, &people).await;
    // The dump restored in place of the keyring does not even start.
    harness.sql("alter table keyring.shards disable trigger all", &[]).await;
    harness.sql("update keyring.shards set root_id = 1", &[]).await;
    assert!(matches!(
        harness.try_node().await,
        Err(KeyringError::RootMissing { id: RootId(1), .. })
    ));
}

#[tokio::test]
async fn an_escrow_for_nobody_is_refused_at_the_start() {
    let mut harness = Harness::new().await;
    harness.with_escrow();
    harness.options.escrow.as_mut().unwrap().recipient = "age1nobody".to_owned();
    assert!(matches!(harness.try_node().await, Err(KeyringError::EscrowRecipient)));
}
