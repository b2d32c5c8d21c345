//! The log goes on from one partition to the next while it is written.

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use test_support::until;

use super::super::ExecuteError;
use super::super::append::outcome::AppendOutcome;
use super::super::append::partitions::{create_partitions_ahead, keep_partitions_ahead};
use super::{appended, count, databases, event, node, one, owner, pool};

/// A log whose first partition ends at `last`.
async fn short(client: &tokio_postgres::Client, last: i64) {
    let small =
        format!("drop table event_log.events_1; select event_log.create_partition(1, {last})");
    client.batch_execute(&small).await.unwrap();
}

async fn partitions(client: &tokio_postgres::Client) -> i64 {
    let count = "select count(*) from pg_inherits where inhparent = 'event_log.events'::regclass";
    client.query_one(count, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_extended_under_load_and_nobody_waits() {
    let databases = databases().await;
    let client = owner(&databases.log_url).await;
    short(&client, 5000).await;
    let nodes = [node(&databases.log_url).await, node(&databases.log_url).await];
    let pool = pool(&databases.log_url).await;
    let keeping: Vec<_> = nodes
        .iter()
        .map(|node| {
            let (head, missing) = (node.head.clone(), std::sync::Arc::clone(&node.missing));
            tokio::spawn(keep_partitions_ahead(pool.clone(), 5000, head, missing))
        })
        .collect();

    // Half a partition is left when the next one is asked for: a real node has millions of appends
    // until its end, here the last of them are appended once the next one is there.
    let append = async |n: u128| {
        if n % 5000 > 4500 {
            until("the next partition", async || {
                partitions(&client).await * 5000 >= i64::try_from(n).unwrap() + 500
            })
            .await;
        }
        nodes[usize::from(n.is_multiple_of(2))].queue.append(one(event(n, n, 1))).await
    };
    let refused: Vec<_> = stream::iter(1..=15_000_u128)
        .map(append)
        .buffer_unordered(32)
        .filter(|answer| std::future::ready(!answer.as_ref().is_ok_and(appended)))
        .collect()
        .await;

    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(count(&client).await, 15_000);
    let partitions = partitions(&client).await;
    assert!((3..=5).contains(&partitions), "{partitions} partitions");
    keeping.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_log_ends_appends_stop_and_say_so() {
    let databases = databases().await;
    let client = owner(&databases.log_url).await;
    short(&client, 10).await;
    let node = node(&databases.log_url).await;
    for n in 1..=10 {
        assert!(appended(&node.queue.append(one(event(n, n, 1))).await.unwrap()));
    }

    let beyond = join_all((11..=20).map(|n| node.queue.append(one(event(n, n, 1))))).await;

    for answer in beyond {
        assert!(
            matches!(answer, Err(ExecuteError::Unavailable(reason)) if reason.contains("partition"))
        );
    }
    node.missing.notified().await;
    assert_eq!(create_partitions_ahead(&pool(&databases.log_url).await, 10).await.unwrap(), 20);
    let answer = node.queue.append(one(event(11, 11, 1))).await.unwrap();
    assert_eq!(answer, AppendOutcome::Appended { first: 11, last: 11 });
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_extend_once() {
    let databases = databases().await;
    let client = owner(&databases.log_url).await;
    short(&client, 10).await;
    let node = node(&databases.log_url).await;
    for n in 1..=6 {
        assert!(appended(&node.queue.append(one(event(n, n, 1))).await.unwrap()));
    }
    let pool = pool(&databases.log_url).await;

    let rooms = join_all((0..8).map(|_| create_partitions_ahead(&pool, 10))).await;

    assert!(rooms.into_iter().all(|room| room.unwrap() == 20));
}
