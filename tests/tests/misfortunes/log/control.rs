//! The same readers on a log whose positions are drawn before the commit: each of them stops at a hole.

use std::sync::Arc;

use futures_util::future::join_all;
use infra::log::FeedError;
use tokio::sync::watch;
use tokio_postgres::Client;
use uuid::Uuid;

use super::reading::follow;
use super::writing::Dice;
use test_support::{LIMIT, NodeHarness};

const APPEND_UNLOCKED: &str = include_str!("append_unlocked.sql");

#[tokio::test(flavor = "multi_thread")]
async fn positions_drawn_before_the_commit_are_a_hole_to_every_reader() {
    let _alone = tests::alone().await;
    let harness = Arc::new(NodeHarness::new().await);
    let node = harness.node().await;
    harness.owner().await.batch_execute("create sequence drawn").await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let readers = (0..3).map(|_| tokio::spawn(follow(node.pool.clone(), stopped.clone())));
    let readers: Vec<_> = readers.collect();

    let writers = (0..16).map(|seed| {
        let (harness, stopped) = (Arc::clone(&harness), stopped.clone());
        tokio::spawn(
            async move { write_until(stopped, harness.owner().await, &harness, seed).await },
        )
    });
    let writers: Vec<_> = writers.collect();
    // A reader ends at the hole alone: the writers go on.
    let seen = tokio::time::timeout(LIMIT, join_all(readers)).await;
    stop.send_replace(true);

    let written: usize = join_all(writers).await.into_iter().map(Result::unwrap).sum();
    assert!(written > 16, "{written} were written");
    for seen in seen.expect("a reader does not notice the hole") {
        let seen = seen.unwrap();
        assert!(matches!(seen, Err(FeedError::Hole { .. })), "{:?}", seen.map(|seen| seen.len()));
    }
}

/// Twice at least.
async fn write_until(
    stopped: watch::Receiver<bool>,
    mut client: Client,
    harness: &NodeHarness,
    seed: u64,
) -> usize {
    let mut dice = Dice::new(seed);
    let stream: Uuid = harness.ids.uuid();
    let mut version: i64 = 0;
    while version < 2 || !*stopped.borrow() {
        version += 1;
        let transaction = client.transaction().await.unwrap();
        let event = harness.ids.uuid();
        transaction.execute(APPEND_UNLOCKED, &[&stream, &version, &event]).await.unwrap();
        dice.pause(8000).await;
        transaction.commit().await.unwrap();
    }
    usize::try_from(version).unwrap()
}
