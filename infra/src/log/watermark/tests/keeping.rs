//! From when on a process keeps the row up to date, and what it makes of a restore that is noted there.

use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use test_support::until;

use super::super::note_restore;
use super::*;

#[tokio::test]
async fn a_process_writes_nothing_before_its_start_is_done() {
    let harness = Harness::new().await;
    let node = harness.node();
    assert_eq!(node.load().await.unwrap(), Known::Nothing);

    node.secure().await.unwrap();
    node.keep_last().await;
    assert_eq!(harness.node().load().await.unwrap(), Known::Nothing);

    node.begin_keeping().await.unwrap();
    assert_eq!(harness.node().load().await.unwrap(), Known::Same);
}

#[tokio::test]
async fn a_restore_that_is_noted_is_dealt_with_though_nothing_was_known() {
    let harness = Harness::new().await;
    note_restore(&harness.keyring, false).await.unwrap();
    note_restore(&harness.keyring, false).await.unwrap();

    let node = harness.node();
    assert_eq!(node.load().await.unwrap(), Known::WentBack);
    let lost = node.begin_restore().await.unwrap();
    assert_eq!(lost, Some(Lost { through: 0, head: 5, restores: 0 }));
    node.finish_restore().await.unwrap();

    assert_eq!(harness.node().load().await.unwrap(), Known::Same);
    note_restore(&harness.keyring, false).await.unwrap();
    assert_eq!(harness.node().load().await.unwrap(), Known::Same, "it is of a log beside");
    note_restore(&harness.keyring, true).await.unwrap();
    assert_eq!(harness.node().load().await.unwrap(), Known::WentBack);
}

#[tokio::test]
async fn those_who_wait_together_share_one_look_at_what_all_nodes_know() {
    let harness = Harness::new().await;
    let node = harness.knowing().await;
    let options = ConnectOptions::default();
    let admin = connect_one(&harness.log.databases.keyring_url, &options).await.unwrap();
    admin.batch_execute("begin; lock table keyring.watermark").await.unwrap();
    let one = tokio::spawn({
        let node = node.clone();
        async move { node.raise().await }
    });
    until("the first waits for the row", async || {
        (node.shared.begun.load(Ordering::SeqCst) == 2).then_some(())
    })
    .await;
    let all = join_all((0..20).map(|_| node.raise()));
    let both = async {
        let (all, ()) = tokio::join!(all, async { admin.batch_execute("commit").await.unwrap() });
        all
    };

    assert!(both.await.iter().all(Result::is_ok));
    one.await.unwrap().unwrap();

    // The one that was under way, and the one that began after all had come.
    assert_eq!(node.shared.begun.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn an_idle_node_writes_nothing() {
    let harness = Harness::new().await;
    let node = harness.knowing().await;
    let before = harness.row().await;

    node.secure().await.unwrap();
    assert_eq!(harness.row().await, before);

    harness.append(1).await;
    node.secure().await.unwrap();
    assert_ne!(harness.row().await, before);
    let known = query(&harness.keyring, "select position from keyring.watermark", &[]).await;
    assert_eq!(known.unwrap()[0].get::<_, i64>(0), 6);
}
