//! The same readers on a log whose positions are drawn before the commit: each of them stops at a hole.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use infra::log::FeedError;
use tokio::sync::watch;
use tokio_postgres::Client;
use uuid::Uuid;

use super::reading::follow;
use super::writing::Dice;
use test_support::NodeHarness;

const APPEND_UNLOCKED: &str = include_str!("append_unlocked.sql");

#[tokio::test(flavor = "multi_thread")]
async fn positions_drawn_before_the_commit_are_a_hole_to_every_reader() {
    let _alone = tests::alone().await;
    let harness = Arc::new(NodeHarness::new().await);
    let node = harness.node().await;
    harness.owner().await.batch_execute("create sequence drawn").await.unwrap();
    let until = Instant::now() + Duration::from_secs(2);
    let (finished, done) = watch::channel(false);
    let readers: Vec<_> =
        (0..3).map(|_| tokio::spawn(follow(node.pool.clone(), done.clone()))).collect();

    let writers = (0..16).map(|seed| {
        let harness = Arc::clone(&harness);
        tokio::spawn(async move { write_until(until, harness.owner().await, &harness, seed).await })
    });
    let written: usize = join_all(writers).await.into_iter().map(Result::unwrap).sum();
    finished.send_replace(true);

    assert!(written > 16, "{written} were written");
    for reader in readers {
        let seen = reader.await.unwrap();
        assert!(matches!(seen, Err(FeedError::Hole { .. })), "{:?}", seen.map(|seen| seen.len()));
    }
}

async fn write_until(
    until: Instant,
    mut client: Client,
    harness: &NodeHarness,
    seed: u64,
) -> usize {
    let mut dice = Dice::new(seed);
    let stream: Uuid = harness.ids.uuid();
    let mut version: i64 = 0;
    while Instant::now() < until {
        version += 1;
        let transaction = client.transaction().await.unwrap();
        let event = harness.ids.uuid();
        transaction.execute(APPEND_UNLOCKED, &[&stream, &version, &event]).await.unwrap();
        dice.pause(8000).await;
        transaction.commit().await.unwrap();
    }
    usize::try_from(version).unwrap()
}
