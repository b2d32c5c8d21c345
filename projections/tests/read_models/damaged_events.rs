//! Events that cannot be read: what stops a reader, what is parked, and what an operator sees.

use std::sync::Arc;
use std::time::Duration;

use crate::harness::{LogHarness, options};
use crate::tally::{Tally, cure};
use infra::log::watermark::Watermark;
use infra::log::{ReadPositions, Reader, ReaderOptions, Readers, parked, release, status};
use infra::metrics::Metrics;
use infra::postgres::{ConnectOptions, connect};
use test_support::until;
use tokio::sync::watch;
use uuid::Uuid;

async fn add(harness: &LogHarness, stream: Uuid, letters: &str) {
    for letter in letters.chars() {
        let data = format!(r#"{{"add":"{letter}"}}"#);
        harness.append("tally", stream, "tally.added", 1, &data, None).await;
    }
}

/// Sets the time of an event: no programme can read the year 294000.
async fn record_at(harness: &LogHarness, position: i64, time: &str) {
    let update = format!(
        "set session_replication_role = replica;
         update event_log.events set recorded_at = '{time}' where position = {position};
         set session_replication_role = default"
    );
    harness.admin.batch_execute(&update).await.unwrap();
}

/// A reader of `tally` that stands at an unreadable event, with the metrics of its node.
async fn stopped_reader(harness: &LogHarness) -> (Readers, Arc<Metrics>) {
    add(harness, Uuid::from_u128(0xb1), "ab").await;
    record_at(harness, 2, "294000-01-01").await;
    let pool = connect(&harness.databases.log_url, &ConnectOptions::app()).await.unwrap();
    let metrics = Arc::new(Metrics::new().unwrap());
    let (_, wake) = watch::channel(0);
    // As long as that of a node that takes over: a much longer one is taken for one of a clock that ran ahead.
    let node = ReaderOptions { lease: Duration::from_hours(1), ..options(Uuid::from_u128(1)) };
    let tally = vec![Reader::projection::<Tally>()];
    let (of_node, positions) = (Arc::clone(&metrics), ReadPositions::default());
    let readers = Readers::start(pool, wake, tally, node, of_node, positions, Watermark::default())
        .await
        .unwrap();
    until("the metric is 1", async || is_alarm(&metrics, 1)).await;
    (readers, metrics)
}

fn is_alarm(metrics: &Metrics, value: u8) -> bool {
    let text = String::from_utf8(metrics.text().unwrap()).unwrap();
    text.contains(&format!("\nlethe_log_damaged {value}\n"))
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_a_metric_until_it_can_be_read() {
    let harness = LogHarness::new().await;
    let (readers, metrics) = stopped_reader(&harness).await;

    record_at(&harness, 2, "2026-01-01").await;

    until("the metric is 0", async || is_alarm(&metrics, 0)).await;
    harness.caught_up(&["tally"]).await;
    readers.stop().await;
}

#[tokio::test]
async fn a_node_that_gives_up_a_stopped_reader_shows_its_alarm_no_longer() {
    let harness = LogHarness::new().await;
    let (readers, metrics) = stopped_reader(&harness).await;

    readers.stop().await;

    assert!(is_alarm(&metrics, 0));
}

#[tokio::test]
async fn a_node_whose_stopped_reader_is_taken_over_shows_its_alarm_no_longer() {
    let harness = LogHarness::new().await;
    let (readers, metrics) = stopped_reader(&harness).await;

    let taken_over = "update readers.checkpoints set node = gen_random_uuid(), fence = fence + 1,
        lease_until = now() + interval '1 hour' where name = 'tally'";
    harness.admin.batch_execute(taken_over).await.unwrap();

    until("the metric is 0", async || is_alarm(&metrics, 0)).await;
    readers.stop().await;
}

#[tokio::test]
async fn an_event_whose_time_is_infinite_does_not_hide_the_readers_from_the_operator() {
    let harness = LogHarness::new().await;
    let (readers, _) = stopped_reader(&harness).await;

    for time in ["infinity", "-infinity"] {
        record_at(&harness, 2, time).await;
        let reader = status(&harness.pool).await.unwrap().remove(0);
        assert_eq!((reader.position, reader.lag_events), (1, 1), "{time}");
        assert!(reader.lag_seconds.is_finite(), "{time}");
    }
    readers.stop().await;
}

#[tokio::test]
async fn a_released_stream_with_a_damaged_event_is_parked_again_and_the_others_are_released() {
    let harness = LogHarness::new().await;
    let (damaged, well) = (Uuid::from_u128(0xb2), Uuid::from_u128(0xb3));
    add(&harness, damaged, "!a").await;
    add(&harness, well, "!b").await;
    let readers = harness.read(vec![Reader::projection::<Tally>()]).await;
    harness.caught_up(&["tally"]).await;
    assert_eq!(parked(&harness.pool, None, None, 10).await.unwrap().len(), 2);
    record_at(&harness, 2, "294000-01-01").await;
    cure(damaged);
    cure(well);

    for stream in [damaged, well] {
        assert!(release(&harness.pool, "tally", stream).await.unwrap());
    }

    until("the stream is parked again", async || {
        let waiting = parked(&harness.pool, None, None, 10).await.unwrap();
        waiting.len() == 1 && waiting[0].released_at.is_none()
    })
    .await;
    let waiting = parked(&harness.pool, None, None, 10).await.unwrap().remove(0);
    assert_eq!((waiting.stream, waiting.from_position), (damaged, 1));
    assert!(waiting.error.contains("the event at position 2 cannot be read"), "{}", waiting.error);
    let text = "select count(*) from read_models.tally where text = '!b'";
    assert_eq!(harness.count(text).await, 1);
    add(&harness, well, "c").await;
    harness.caught_up(&["tally"]).await;
    assert_eq!(status(&harness.pool).await.unwrap()[0].last_error, None);
    readers.stop().await;
}
