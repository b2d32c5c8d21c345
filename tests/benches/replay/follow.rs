//! What a follower costs that reads the whole log: events a second, and bytes of WAL an event.

use std::sync::Arc;
use std::time::{Duration, Instant};

use infra::log::watermark::Watermark;
use infra::log::{ReadPositions, Reader, ReaderOptions, Readers, status};
use infra::metrics::Metrics;
use tests::until_within;
use tokio::sync::watch;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::harness::Harness;

const WITHIN: Duration = Duration::from_mins(30);
const RESET: &str = include_str!("reset.sql");
const WRITTEN: &str = "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8";

pub async fn follow(harness: &Harness, owner: &Client, reader: Reader) {
    let name = reader.name();
    owner.batch_execute(&RESET.replace("{name}", name)).await.unwrap();
    owner.batch_execute("checkpoint").await.unwrap();
    let written = async || owner.query_one(WRITTEN, &[]).await.unwrap().get::<_, f64>(0);
    let (before, started) = (written().await, Instant::now());
    let (_appended, wake) = watch::channel(0);
    let options = ReaderOptions::of(Uuid::from_u128(1));
    let metrics = Arc::new(Metrics::new().unwrap());
    let positions = ReadPositions::default();
    let known = Watermark::default();
    let pool = harness.pool.clone();
    let readers = Readers::start(pool, wake, vec![reader], options, metrics, positions, known);
    let readers = readers.await.unwrap();
    let events = until_within(WITHIN, "the reader is at the end of the log", async || {
        let all = status(&harness.pool).await.unwrap();
        let reader = all.iter().rfind(|it| it.name == name)?;
        (reader.lag_events == 0).then_some(reader.head as f64)
    });
    let events = events.await;
    let rate = events / started.elapsed().as_secs_f64();
    let bytes = (written().await - before) / events;
    println!("{name} followed from 1: {rate:.0} events/s, {bytes:.0} bytes of WAL an event");
    readers.stop().await;
}
