//! What a batch does when a member is at fault, when it is full, and at the end.

use std::sync::Arc;
use std::task::Poll;

use futures_util::future::join_all;
use futures_util::poll;
use test_support::{until, until_waits_for_lock};
use tokio::sync::{Notify, watch};

use super::super::ExecuteError;
use super::super::append::batcher::{self, ANSWER_WITHIN, BatcherOptions, RESEND_FOR};
use super::super::append::outcome::AppendOutcome;
use super::super::append::rows::Json;
use super::super::config::ExecutorConfig;
use super::{appended, count, databases, event, node, one, owner, writes};
use crate::log::watermark::Watermark;
use crate::metrics::Metrics;

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_cannot_be_written_fails_alone() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    let mut holder = owner(&databases.log_url).await;
    let holding = holder.transaction().await.unwrap();
    holding.execute("select event_log.lock()", &[]).await.unwrap();

    let appends = (1..=100_u128).map(|n| {
        let mut event = event(n, n, 1);
        if n == 50 {
            event.data = Json("{".to_owned());
        }
        node.queue.append(one(event))
    });
    let (answers, released) = tokio::join!(join_all(appends), holding.commit());
    released.unwrap();

    let (written, failed): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert!(written.iter().all(|answer| appended(answer.as_ref().unwrap())));
    // The value itself is not in the reason: it may be personal.
    let [Err(ExecuteError::Unavailable(reason))] = failed.as_slice() else { panic!("{failed:?}") };
    assert!(reason.contains("22P02") && !reason.contains('{'), "{reason}");
    assert_eq!((written.len(), count(&owner(&databases.log_url).await).await), (99, 99));
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_that_wait_share_a_batch() {
    let databases = databases().await;
    let ExecutorConfig { connect, appends_max, waiting_max, ask_every, .. } =
        ExecutorConfig::default();
    let url = databases.log_url.parse().unwrap();
    let options = BatcherOptions {
        url,
        connect,
        appends_max,
        waiting_max,
        answer_within: ANSWER_WITHIN,
        resend_for: RESEND_FOR,
        watermark: Watermark::default(),
        writes: writes(),
        ask_every,
    };
    let (head, metrics) = (watch::Sender::new(0), Arc::new(Metrics::new().unwrap()));
    let starting = batcher::start(options, Arc::clone(&metrics), head, Arc::new(Notify::new()));
    let queue = starting.await.unwrap();
    let mut holder = owner(&databases.log_url).await;
    let holding = holder.transaction().await.unwrap();
    holding.execute("select event_log.lock()", &[]).await.unwrap();

    let appends = join_all((1..=100_u128).map(|n| queue.append(one(event(n, n, 1)))));
    let (answers, released) = tokio::join!(appends, holding.commit());
    released.unwrap();

    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(appended)));
    // A batch is counted after its appends are answered.
    let counted = || metrics.transaction_events.get_sample_sum().to_string() == "100";
    until("all events are counted", async || counted()).await;
    // The first ones wait for the lock; all others came meanwhile.
    let batches = metrics.batch_appends.get_sample_count();
    assert!(batches <= 2, "{batches} batches");
    assert_eq!(metrics.batch_appends.get_sample_sum().to_string(), "100");
    assert_eq!(metrics.events.get(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_may_wait_are_refused_at_once() {
    let databases = databases().await;
    let ExecutorConfig { connect, appends_max, ask_every, .. } = ExecutorConfig::default();
    let url = databases.log_url.parse().unwrap();
    let options = BatcherOptions {
        url,
        connect,
        appends_max,
        waiting_max: 4,
        answer_within: ANSWER_WITHIN,
        resend_for: RESEND_FOR,
        watermark: Watermark::default(),
        writes: writes(),
        ask_every,
    };
    let (head, metrics) = (watch::Sender::new(0), Arc::new(Metrics::new().unwrap()));
    let queue = batcher::start(options, metrics, head, Arc::new(Notify::new())).await.unwrap();
    let mut holder = owner(&databases.log_url).await;
    let holding = holder.transaction().await.unwrap();
    holding.execute("select event_log.lock()", &[]).await.unwrap();

    let appends = join_all((1..=1000_u128).map(|n| queue.append(one(event(n, n, 1)))));
    let (answers, released) = tokio::join!(appends, holding.commit());
    released.unwrap();

    let refused = |answer: &Result<AppendOutcome, ExecuteError>| {
        matches!(answer, Err(ExecuteError::Overloaded))
    };
    let overloaded = answers.iter().filter(|answer| refused(answer)).count();
    let written = answers.iter().filter(|answer| answer.as_ref().is_ok_and(appended)).count();
    assert!(overloaded > 0);
    assert_eq!(overloaded + written, 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_waits_for_all_that_came_before_it() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    let mut holder = owner(&databases.log_url).await;
    let holding = holder.transaction().await.unwrap();
    holding.execute("select event_log.lock()", &[]).await.unwrap();

    // All on one stream, so that each waits for a batch of its own.
    let appends = join_all((1..=20_u128).map(|n| node.queue.append(one(event(n, 7, 1)))));
    let mut appends = std::pin::pin!(appends);
    assert!(poll!(appends.as_mut()).is_pending());
    let mut drained = std::pin::pin!(node.queue.drain());
    assert!(poll!(drained.as_mut()).is_pending(), "nothing is answered while the lock is held");
    holding.commit().await.unwrap();
    drained.await;

    let Poll::Ready(answers) = poll!(appends.as_mut()) else {
        panic!("the drain ended before the appends that came before it were answered")
    };
    let written = answers.into_iter().filter(|answer| answer.as_ref().is_ok_and(appended));
    assert_eq!(written.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_append_of_a_caller_that_waits_no_longer_is_not_written() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    let (mut holder, watcher) = (owner(&databases.log_url).await, owner(&databases.log_url).await);
    let holding = holder.transaction().await.unwrap();
    holding.execute("select event_log.lock()", &[]).await.unwrap();
    let mut first = std::pin::pin!(node.queue.append(one(event(1, 7, 1))));
    assert!(poll!(first.as_mut()).is_pending());
    until_waits_for_lock(&watcher, "event_log.append_one").await;

    let mut second = Box::pin(node.queue.append(one(event(2, 8, 1))));
    assert!(poll!(second.as_mut()).is_pending());
    drop(second);
    holding.commit().await.unwrap();
    node.queue.drain().await;

    assert!(appended(&first.await.unwrap()));
    assert_eq!(count(&watcher).await, 1);
}
