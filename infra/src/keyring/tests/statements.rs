//! What an operator states of a root key that Lethe cannot look at.

use super::super::{EscrowOptions, RootId, RootStore};
use super::*;

impl Harness {
    async fn state_of(&self, root: i64) -> (String, String) {
        let rows = "select state, escrow from keyring.roots where root_id = $1";
        let row = self.sql(rows, &[&root]).await.remove(0);
        (row.get(0), row.get(1))
    }
}

fn refusal(result: Result<(), KeyringError>) -> String {
    match result {
        Err(KeyringError::Statement { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

/// Root 1 is in an escrow.
async fn escrowed() -> (Harness, std::path::PathBuf) {
    let mut harness = Harness::new().await;
    let escrow = harness.roots.path().join("escrow");
    harness.options.escrow = Some(EscrowOptions {
        recipient: age::x25519::Identity::generate().to_public().to_string(),
        dir: escrow.clone(),
        keep: TimeDelta::days(7),
    });
    harness.node().await.root_rotation.rotate().await.unwrap();
    (harness, escrow)
}

/// The same, and its disk is not mounted then.
async fn unmounted() -> (Harness, std::path::PathBuf) {
    let (harness, escrow) = escrowed().await;
    std::fs::rename(&escrow, escrow.with_extension("away")).unwrap();
    (harness, escrow)
}

#[tokio::test]
async fn a_copy_that_is_not_seen_since_its_disk_is_not_mounted_is_not_destroyed() {
    let (harness, escrow) = unmounted().await;
    let node = harness.node().await;
    let state = async || node.root_rotation.state_escrow_destroyed(RootId(1), &escrow).await;

    assert!(refusal(state().await).contains("is not known"));
    std::fs::create_dir(&escrow).unwrap();
    let empty = refusal(state().await);
    assert!(empty.contains("mount its disk"), "{empty}");

    assert_eq!(harness.state_of(1).await, ("destroyed".to_owned(), "held".to_owned()));
    std::fs::remove_dir(&escrow).unwrap();
    std::fs::rename(escrow.with_extension("away"), &escrow).unwrap();
    std::fs::remove_file(escrow.join("root-1.age")).unwrap();
    state().await.unwrap();
}

#[tokio::test]
async fn an_escrow_whose_disk_is_not_mounted_is_not_over() {
    let (harness, escrow) = unmounted().await;
    harness.days_pass(8);
    let node = harness.node().await;

    node.eraser.erase_expired().await.unwrap_err();
    std::fs::create_dir(&escrow).unwrap();
    node.eraser.erase_expired().await.unwrap_err();

    assert_eq!(node.status().await.unwrap().escrowed, 1);
    std::fs::remove_dir(&escrow).unwrap();
    std::fs::rename(escrow.with_extension("away"), &escrow).unwrap();
    assert_eq!(node.eraser.erase_expired().await.unwrap().escrows, 1);
    assert!(!escrow.join("root-1.age").exists());
}

#[tokio::test]
async fn the_copy_of_an_escrow_that_is_switched_off_is_destroyed_when_an_operator_says_so() {
    let (mut harness, escrow) = escrowed().await;
    harness.options.escrow = None;
    harness.days_pass(8);
    let node = harness.node().await;
    assert_eq!(node.eraser.erase_expired().await.unwrap().escrows, 0);
    let held: Vec<_> = node.root_rotation.escrowed().await.unwrap();
    assert_eq!(held.iter().map(|held| held.id).collect::<Vec<_>>(), [RootId(1)]);
    let state = async |root| node.root_rotation.state_escrow_destroyed(RootId(root), &escrow).await;

    let there = refusal(state(1).await);
    assert!(there.contains("root-1.age is there: delete it first"), "{there}");
    assert_eq!(harness.state_of(1).await, ("destroyed".to_owned(), "held".to_owned()));
    std::fs::remove_file(escrow.join("root-1.age")).unwrap();
    let never = refusal(state(2).await);
    assert!(never.contains("no escrow holds it"), "{never}");

    state(1).await.unwrap();

    assert_eq!(harness.state_of(1).await, ("destroyed".to_owned(), "destroyed".to_owned()));
    assert_eq!(node.root_rotation.escrowed().await.unwrap(), []);
}

#[tokio::test]
async fn a_folder_that_cannot_be_read_is_not_one_without_a_copy() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let file = harness.roots.path().join("file");
    std::fs::write(&file, "").unwrap();

    let unread = refusal(node.root_rotation.state_escrow_destroyed(RootId(1), &file).await);

    assert!(unread.contains("is not known"), "{unread}");
}

#[tokio::test]
async fn an_old_root_is_lost_when_an_operator_says_so_and_it_is_nowhere_here() {
    let mut harness = Harness::new().await;
    harness.options.root_retention = TimeDelta::hours(24);
    let node = harness.node().await;
    let people = harness.people(&node, 2).await;
    node.root_rotation.rotate().await.unwrap();
    let state = async |root| node.root_rotation.state_lost(RootId(root)).await;

    let there = refusal(state(1).await);
    assert!(there.contains("where it is erased when nothing holds it"), "{there}");
    let needed = refusal(state(2).await);
    assert!(needed.contains("put it back"), "{needed}");
    let unknown = refusal(state(9).await);
    assert!(unknown.contains("no root key of this number"), "{unknown}");
    let file = harness.roots.path().join("root-1.key");
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let unread = refusal(state(1).await);
    assert!(unread.contains("whether it is lost is not known"), "{unread}");
    assert_eq!(harness.state_of(1).await.0, "retiring");
    std::fs::remove_dir(&file).unwrap();

    state(1).await.unwrap();

    assert_eq!(harness.state_of(1).await, ("destroyed".to_owned(), "none".to_owned()));
    assert_eq!(node.root_rotation.held().await.unwrap(), []);
    assert_eq!(harness.folder().list().await.unwrap(), [RootId(2)]);
    all_open(&node, &people).await;
}
