//! Events that cannot be read: what stops a reader, what is parked, and what an operator sees.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may")]

#[path = "support/mod.rs"]
mod support;
#[path = "support/tally.rs"]
mod tally;

use std::sync::Arc;

use infra::log::{Reader, Readers, parked, release, status};
use infra::metrics::Metrics;
use infra::postgres::{ConnectOptions, connect};
use support::{World, options, until};
use tally::{Tally, cure};
use tokio::sync::watch;
use uuid::Uuid;

async fn add(world: &World, stream: Uuid, letters: &str) {
    for letter in letters.chars() {
        let data = format!(r#"{{"add":"{letter}"}}"#);
        world.append("tally", stream, "tally.added", 1, &data, None).await;
    }
}

/// Sets the time of an event: no programme can read the year 294000.
async fn record_at(world: &World, position: i64, time: &str) {
    let update = format!(
        "set session_replication_role = replica;
         update event_log.events set recorded_at = '{time}' where position = {position};
         set session_replication_role = default"
    );
    world.admin.batch_execute(&update).await.unwrap();
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_a_metric_until_it_can_be_read() {
    let world = World::new().await;
    add(&world, Uuid::from_u128(0xb1), "ab").await;
    record_at(&world, 2, "294000-01-01").await;
    let pool = connect(&world.databases.log_url, &ConnectOptions::app()).await.unwrap();
    let metrics = Arc::new(Metrics::new().unwrap());
    let (_, wake) = watch::channel(0);
    let (node, tally) = (options(Uuid::from_u128(1)), vec![Reader::projection::<Tally>()]);

    let readers = Readers::start(pool, wake, tally, node, Arc::clone(&metrics)).await.unwrap();

    let shown = |value| {
        let text = String::from_utf8(metrics.text().unwrap()).unwrap();
        text.contains(&format!("\nlethe_log_damaged {value}\n"))
    };
    until(|| async { shown(1) }).await;
    record_at(&world, 2, "2026-01-01").await;
    until(|| async { shown(0) }).await;
    world.caught_up(&["tally"]).await;
    readers.stop().await;
}

#[tokio::test]
async fn a_released_stream_with_a_damaged_event_is_parked_again_and_the_others_are_released() {
    let world = World::new().await;
    let (damaged, well) = (Uuid::from_u128(0xb2), Uuid::from_u128(0xb3));
    add(&world, damaged, "!a").await;
    add(&world, well, "!b").await;
    let readers = world.read(vec![Reader::projection::<Tally>()]).await;
    world.caught_up(&["tally"]).await;
    assert_eq!(parked(&world.pool, None, 10).await.unwrap().len(), 2);
    record_at(&world, 2, "294000-01-01").await;
    cure(damaged);
    cure(well);

    for stream in [damaged, well] {
        assert!(release(&world.pool, "tally", stream).await.unwrap());
    }

    until(|| async {
        let waiting = parked(&world.pool, None, 10).await.unwrap();
        waiting.len() == 1 && waiting[0].released_at.is_none()
    })
    .await;
    let waiting = parked(&world.pool, None, 10).await.unwrap().remove(0);
    assert_eq!((waiting.stream, waiting.from_position), (damaged, 1));
    assert!(waiting.error.contains("the event at position 2 cannot be read"), "{}", waiting.error);
    let text = "select count(*) from read_models.tally where text = '!b'";
    assert_eq!(world.count(text).await, 1);
    add(&world, well, "c").await;
    world.caught_up(&["tally"]).await;
    assert_eq!(status(&world.pool).await.unwrap()[0].last_error, None);
    readers.stop().await;
}
