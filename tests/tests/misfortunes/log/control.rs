//! The same readers against positions drawn before the commit: they lose events, and the harness
//! sees it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use infra::postgres::{ConnectOptions, connect_one};
use tokio::sync::watch;
use tokio_postgres::Client;

use super::writing::Dice;
use test_support::NodeHarness;

#[tokio::test(flavor = "multi_thread")]
async fn positions_drawn_before_the_commit_are_skipped_by_readers() {
    let _alone = tests::alone().await;
    let harness = Arc::new(NodeHarness::new().await);
    let owner = harness.owner().await;
    owner.batch_execute("create table drawn (position bigserial primary key)").await.unwrap();
    let until = Instant::now() + Duration::from_secs(2);
    let (finished, done) = watch::channel(false);
    let mut readers = Vec::new();
    for _ in 0..3 {
        readers.push(tokio::spawn(follow(harness.owner().await, done.clone())));
    }

    let mut writers = Vec::new();
    for seed in 0..16 {
        let url = harness.databases.log_url.clone();
        let client = connect_one(&url, &ConnectOptions::default()).await.unwrap();
        writers.push(tokio::spawn(draw_until(until, client, seed)));
    }
    join_all(writers).await;
    finished.send_replace(true);

    let written: i64 = owner.query_one("select count(*) from drawn", &[]).await.unwrap().get(0);
    for reader in readers {
        let seen = i64::try_from(reader.await.unwrap().len()).unwrap();
        eprintln!("a reader saw {seen} of {written}");
        assert!(seen < written, "lost none of {written}");
    }
}

async fn draw_until(until: Instant, mut client: Client, seed: u64) {
    let mut dice = Dice::new(seed);
    while Instant::now() < until {
        let drawing = client.transaction().await.unwrap();
        drawing.execute("insert into drawn default values", &[]).await.unwrap();
        dice.pause(8000).await;
        drawing.commit().await.unwrap();
    }
}

async fn follow(client: Client, done: watch::Receiver<bool>) -> HashSet<i64> {
    let next = "select position from drawn where position > $1 order by position limit 500";
    let next = client.prepare(next).await.unwrap();
    let (mut seen, mut after) = (HashSet::new(), 0_i64);
    loop {
        let last = *done.borrow();
        let page = client.query(&next, &[&after]).await.unwrap();
        if page.is_empty() && last {
            return seen;
        }
        for row in page {
            after = row.get(0);
            seen.insert(after);
        }
    }
}
