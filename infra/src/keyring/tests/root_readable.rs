//! A node serves only while it can read the root keys that it needs, and they are those of the rows.

use super::super::root_rotation::RotationStep;
use super::super::{RootId, RootStore};
use super::*;

#[tokio::test]
async fn a_node_with_a_root_folder_of_its_own_is_refused_at_its_start() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let people = harness.people(&node, 2).await;
    let own = tempfile::tempdir().unwrap();

    let refused = harness.try_node_with(own.path()).await.err();

    assert!(
        matches!(refused, Some(KeyringError::RootMissing { id: RootId(1), .. })),
        "{refused:?}"
    );
    assert_eq!(std::fs::read_dir(own.path()).unwrap().count(), 0);
    all_open(&node, &people).await;
}

#[tokio::test]
async fn of_two_nodes_with_two_folders_one_alone_makes_the_first_root() {
    let harness = Harness::new().await;
    let own = tempfile::tempdir().unwrap();
    let (one, other) = tokio::join!(harness.try_node(), harness.try_node_with(own.path()));
    assert!(one.is_ok() != other.is_ok(), "{:?} {:?}", one.err(), other.err());
}

#[tokio::test]
async fn a_new_root_that_only_another_folder_has_is_not_replaced() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let people = harness.people(&node, 2).await;
    let own = tempfile::tempdir().unwrap();
    std::fs::copy(harness.root_file(1), own.path().join("root-1.key")).unwrap();
    let second = harness.try_node_with(own.path()).await.unwrap();
    let step = async |begin| node.root_rotation.step(begin).await.unwrap();
    assert_eq!(step(Some(DateTime::<Utc>::MAX_UTC)).await, RotationStep::Begun);
    assert_eq!(step(None).await, RotationStep::Durable);

    let refused = second.root_rotation.rotate().await.err();
    assert!(
        matches!(refused, Some(KeyringError::RootMissing { id: RootId(2), .. })),
        "{refused:?}"
    );
    let refused = second.root_rotation.step(None).await.err();
    assert!(
        matches!(refused, Some(KeyringError::RootMissing { id: RootId(2), .. })),
        "{refused:?}"
    );

    assert_eq!(step(None).await, RotationStep::Switched);
    node.root_rotation.rotate().await.unwrap();
    all_open(&harness.node().await, &people).await;
}

#[tokio::test]
async fn a_node_that_cannot_read_its_root_opens_nothing_until_it_can() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let people = harness.people(&node, 1).await;
    let (person, sealed) = &people[0];
    let away = harness.roots.path().join("away");
    std::fs::rename(harness.root_file(1), &away).unwrap();

    node.roots.look().await;

    let refused = node.roots_usable().unwrap_err().to_string();
    assert!(refused.contains("root key 1, which is not in"), "{refused}");
    // Its keys are in memory, and are not used.
    let unavailable = opened(&node, *person, sealed).await.unwrap_err();
    assert!(
        matches!(unavailable, OpenError::Unavailable(KeyringError::RootsUnusable(_))),
        "{unavailable}"
    );
    assert!(harness.registered(&node, harness.person()).await.is_err());
    assert!(node.root_rotation.rotate().await.is_err());

    std::fs::rename(&away, harness.root_file(1)).unwrap();
    node.roots.look().await;
    node.roots_usable().unwrap();
    all_open(&node, &people).await;
}

#[tokio::test]
async fn a_node_whose_root_file_holds_another_key_opens_nothing() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let people = harness.people(&node, 1).await;
    let away = harness.roots.path().join("away");
    std::fs::rename(harness.root_file(1), &away).unwrap();
    put_root(harness.roots.path(), 1, &Secret::random().unwrap());

    node.roots.look().await;

    let refused = node.roots_usable().unwrap_err().to_string();
    assert!(refused.contains("is another key than the one"), "{refused}");
    std::fs::rename(&away, harness.root_file(1)).unwrap();
    node.roots.look().await;
    all_open(&node, &people).await;
}

#[tokio::test]
async fn a_node_of_another_folder_stops_when_the_root_is_replaced() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let people = harness.people(&node, 1).await;
    let own = tempfile::tempdir().unwrap();
    std::fs::copy(harness.root_file(1), own.path().join("root-1.key")).unwrap();
    let second = harness.try_node_with(own.path()).await.unwrap();
    all_open(&second, &people).await;

    node.root_rotation.rotate().await.unwrap();
    second.roots.look().await;

    let refused = second.roots_usable().unwrap_err().to_string();
    assert!(refused.contains("root key 2, which is not in"), "{refused}");
    node.roots.look().await;
    node.roots_usable().unwrap();
    std::fs::copy(harness.root_file(2), own.path().join("root-2.key")).unwrap();
    second.roots.look().await;
    all_open(&second, &people).await;
}

#[tokio::test]
async fn another_keyring_in_the_same_folder_takes_other_numbers_and_erases_nothing_of_this_one() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let people = harness.people(&node, 2).await;
    let other = Harness { roots: tempfile::tempdir().unwrap(), ..Harness::new().await };
    let stranger = other.try_node_with(harness.roots.path()).await.unwrap();
    assert_eq!(stranger.status().await.unwrap().root, RootId(2));
    let theirs = other.people(&stranger, 2).await;
    assert_eq!(node.root_rotation.unknown().await.unwrap(), [RootId(2)]);

    node.root_rotation.rotate().await.unwrap();
    stranger.root_rotation.rotate().await.unwrap();
    node.eraser.erase_expired().await.unwrap();
    stranger.eraser.erase_expired().await.unwrap();

    assert_eq!(harness.folder().list().await.unwrap(), [RootId(3), RootId(4)]);
    all_open(&harness.node().await, &people).await;
    all_open(&other.try_node_with(harness.roots.path()).await.unwrap(), &theirs).await;
}
