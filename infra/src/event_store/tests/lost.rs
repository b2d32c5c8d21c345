//! An answer lost after its commit is resolved by asking again.

use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use test_support::until;
use tokio_postgres::Config;
use tokio_postgres::config::Host;
use uuid::Uuid;

use super::super::append::outcome::{AppendOutcome, StreamVersion};
use super::proxy::Proxy;
use super::{Node, appended, count, databases, event, node, one, owner};

async fn behind_a_proxy(url: &str) -> (Node, Proxy) {
    let config: Config = url.parse().unwrap();
    let Host::Unix(folder) = &config.get_hosts()[0] else { panic!("a socket's folder") };
    let proxy = Proxy::to(&folder.join(".s.PGSQL.5432")).unwrap();
    let through = url.replace(folder.to_str().unwrap(), proxy.folder());
    (node(&through).await, proxy)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_lost_after_its_commit_is_the_same_answer() {
    let databases = databases().await;
    let (node, proxy) = behind_a_proxy(&databases.log_url).await;
    assert!(appended(&node.queue.append(one(event(1, 7, 1))).await.unwrap()));

    proxy.lose_answers(1);
    let answer = node.queue.append(one(event(2, 7, 2))).await.unwrap();

    assert_eq!(answer, AppendOutcome::Appended { first: 2, last: 2 });
    assert_eq!(proxy.connections.load(Ordering::Relaxed), 2);
    assert_eq!(count(&owner(&databases.log_url).await).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_several_times_is_the_same_answer() {
    let databases = databases().await;
    let (node, proxy) = behind_a_proxy(&databases.log_url).await;
    assert!(appended(&node.queue.append(one(event(1, 7, 1))).await.unwrap()));

    proxy.lose_answers(3);
    let answer = node.queue.append(one(event(2, 7, 2))).await.unwrap();

    assert_eq!(answer, AppendOutcome::Appended { first: 2, last: 2 });
    assert_eq!(proxy.connections.load(Ordering::Relaxed), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_answer_was_lost_answers_each_of_its_members() {
    let databases = databases().await;
    let (node, proxy) = behind_a_proxy(&databases.log_url).await;
    let mut holder = owner(&databases.log_url).await;
    let holding = holder.transaction().await.unwrap();
    holding.execute("select event_log.lock()", &[]).await.unwrap();

    proxy.lose_answers(1);
    let appends = (1..=100_u128).map(|n| {
        let version = if n % 10 == 0 { 2 } else { 1 };
        node.queue.append(one(event(n, n, version)))
    });
    let (answers, released) = tokio::join!(join_all(appends), holding.commit());
    released.unwrap();

    let answers: Vec<AppendOutcome> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| appended(answer)).count(), 90);
    assert_eq!(answers.iter().filter(|answer| **answer == AppendOutcome::Conflict).count(), 10);
    assert_eq!(count(&owner(&databases.log_url).await).await, 90);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_connection_loses_and_doubles_nothing() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    let killer = owner(&databases.log_url).await;
    let mut holder = owner(&databases.log_url).await;
    let holding = holder.transaction().await.unwrap();
    holding.execute("select event_log.lock()", &[]).await.unwrap();
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'lethe append' and datname = current_database()
        and wait_event_type = 'Lock'";

    let appends = (1..=400_u128).map(|n| node.queue.append(one(event(n, n, 1))));
    let killing = async {
        for _ in 0..5 {
            until("a connection that appends is killed", async || {
                killer.execute(kill, &[]).await.unwrap() > 0
            })
            .await;
        }
        holding.rollback().await.unwrap();
    };
    let (answers, ()) = tokio::join!(join_all(appends), killing);

    assert!(answers.into_iter().all(|answer| appended(&answer.unwrap())));
    let dense = "select max(position) = 400 and count(*) = 400 from event_log.events";
    assert!(killer.query_one(dense, &[]).await.unwrap().get::<_, bool>(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_answer_stays_a_replay_when_the_answer_is_lost() {
    let databases = databases().await;
    let (node, proxy) = behind_a_proxy(&databases.log_url).await;
    assert!(appended(&node.queue.append(one(event(1, 7, 1))).await.unwrap()));
    assert!(appended(&node.queue.append(one(event(2, 7, 2))).await.unwrap()));

    // The first command again, decided on the present state.
    proxy.lose_answers(1);
    let answer = node.queue.append(one(event(1, 7, 3))).await.unwrap();

    let streams = vec![StreamVersion { stream_id: Uuid::from_u128(7), version: 1 }];
    assert_eq!(answer, AppendOutcome::Replayed { first: 1, last: 1, streams });
}
