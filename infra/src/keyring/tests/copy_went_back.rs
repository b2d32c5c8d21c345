//! A keyring that went back under its nodes, or behind a copy that is not there.

use super::super::CopyUpdate;
use super::copy::{forgot_an_erasure, update};
use super::*;

/// Its disk is not mounted, so that nothing says what the copy knows.
#[tokio::test]
async fn a_keyring_that_went_back_is_refused_where_its_copy_is_not_there() {
    let (harness, _) = forgot_an_erasure().await;
    let away = harness.roots.path().join("away");
    std::fs::rename(harness.copies(), &away).unwrap();

    let refused = harness.try_node().await.err().unwrap();

    assert!(matches!(refused, KeyringError::CopyMissing { written: 1, .. }), "{refused:?}");
    std::fs::rename(&away, harness.copies()).unwrap();
    let refused = harness.try_node().await.err().unwrap();
    assert!(matches!(refused, KeyringError::WentBack { .. }), "{refused:?}");
}

/// The server fails over to a standby that lacks the end, while nodes run.
#[tokio::test]
async fn a_node_uses_no_key_of_a_keyring_that_went_back_under_it() {
    let harness = Harness::with_copy().await;
    let node = harness.node().await;
    let people = harness.people(&node, 1).await;
    update(&node).await;
    harness.back_up().await;
    harness.people(&node, 1).await;
    update(&node).await;
    node.keys.renew().await.unwrap();
    all_open(&node, &people).await;

    harness.take_back().await;

    let renewed = node.keys.renew().await;
    assert!(matches!(renewed, Err(KeyringError::Regressed(_))), "{renewed:?}");
    assert!(node.went_back().borrow().is_some());
    let sealed = harness.registered(&node, harness.person()).await;
    let is_regressed = |error| matches!(error, SealError::Unavailable(KeyringError::Regressed(_)));
    assert!(sealed.is_err_and(is_regressed));
    assert!(opened(&node, people[0].0, &people[0].1).await.is_err());
}

/// The clock of a server that failed ran ahead: what it has written is not younger than now.
#[tokio::test]
async fn a_copy_that_was_complete_in_the_future_is_said_to_be_so_again() {
    let harness = Harness::with_copy().await;
    let node = harness.node().await;
    update(&node).await;
    let ahead = "update keyring.copy set complete_at = clock_timestamp() + interval '1 day'";
    harness.sql(ahead, &[]).await;
    assert_eq!(node.status().await.unwrap().copy_seconds, None);

    assert_eq!(update(&node).await, CopyUpdate::Unchanged);

    assert!(node.status().await.unwrap().copy_seconds.is_some_and(|age| age < 600.0));
}

/// Without a copy.
#[tokio::test]
async fn a_shorter_list_of_invalidations_is_a_keyring_that_went_back() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    node.keys.renew().await.unwrap();
    assert!(node.went_back().borrow().is_none());

    harness.sql("update keyring.last_invalidation set sequence = sequence - 1", &[]).await;

    let renewed = node.keys.renew().await;
    assert!(matches!(renewed, Err(KeyringError::Regressed(_))), "{renewed:?}");
}

/// Only the folder says it: the node has read nothing since.
#[tokio::test]
async fn a_copy_that_knows_more_ends_the_use_of_keys_too() {
    let harness = Harness::with_copy().await;
    let node = harness.node().await;
    update(&node).await;
    let folder = std::fs::read_dir(harness.copies()).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(folder.join("base-1.copy")).unwrap();
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[..end]).unwrap();
    header["number"] = 9.into();
    let later = [header.to_string().as_bytes(), &bytes[end..]].concat();
    std::fs::write(folder.join("base-9.copy"), later).unwrap();
    std::fs::remove_file(folder.join("base-1.copy")).unwrap();

    node.copy.as_ref().unwrap().keep_up().await;

    assert!(node.went_back().borrow().is_some());
}

/// Nodes went on before anybody noticed: the values of both are sealed under keys of the same name.
#[tokio::test]
async fn a_key_that_was_made_twice_is_not_merged() {
    let mut harness = Harness::with_copy().await;
    let node = harness.node().await;
    update(&node).await;
    harness.back_up().await;
    let person = harness.person();
    harness.registered(&node, person).await.unwrap();
    let others = harness.people(&node, 1).await;
    update(&node).await;
    drop(node);
    harness.take_back().await;
    let copy = harness.options.copy.take();
    let node = harness.node().await;
    harness.options.copy = copy;
    harness.days_pass(1);
    let [made, _] = harness.registered(&node, person).await.unwrap();

    let refused = harness.restore().await.unwrap_err();

    assert!(matches!(refused, KeyringError::Forked { keys: 1 }), "{refused:?}");
    opened(&node, person, &made).await.unwrap();
    let copied = "select count(*) from keyring.keys where subject = $1";
    let copied = harness.sql(copied, &[&others[0].0.0]).await;
    assert_eq!(copied[0].get::<_, i64>(0), 0, "nothing is changed");
}
