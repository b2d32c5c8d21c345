//! A reader that stands still is started again, and what each does can be seen meanwhile. One that has read everything
//! does not stand still.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use infra::log::watermark::Watermark;
use infra::log::{
    ReadPositions, Reader, ReaderOptions, ReaderStage, Readers, Recorded, Worker, WorkerError,
    status,
};
use infra::metrics::Metrics;
use infra::postgres::{ConnectOptions, Transaction, connect};
use test_support::until;
use tokio::sync::watch;
use uuid::Uuid;

use crate::harness::{LogHarness, options};
use crate::readers::{add, tally};

const NAME: &str = "hangs";
const STREAM: Uuid = Uuid::from_u128(0xd1);

/// Never ends its first reaction.
#[derive(Default)]
struct Hangs(AtomicBool);

#[async_trait]
impl Worker for Hangs {
    fn name(&self) -> &'static str {
        NAME
    }

    fn event_types(&self) -> &'static [&'static str] {
        &["tally.added"]
    }

    async fn react(&self, _: &Recorded, _: &Transaction<'_>) -> Result<(), WorkerError> {
        if self.0.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        pending().await
    }
}

async fn read(
    harness: &LogHarness,
    stands_still: Duration,
) -> (Readers, ReadPositions, Arc<Metrics>) {
    let pool = connect(&harness.databases.log_url, &ConnectOptions::app()).await.unwrap();
    let (_, wake) = watch::channel(0);
    let positions = ReadPositions::default();
    let metrics = Arc::new(Metrics::new().unwrap());
    let options = ReaderOptions {
        stands_still,
        lease: Duration::from_secs(2),
        ..options(Uuid::from_u128(1))
    };
    let readers = Readers::start(
        pool,
        wake,
        vec![Reader::worker(Hangs::default())],
        options,
        Arc::clone(&metrics),
        positions.clone(),
        Watermark::default(),
    );
    (readers.await.unwrap(), positions, metrics)
}

#[tokio::test]
async fn a_reader_that_stands_still_is_started_again_and_goes_on() {
    let harness = LogHarness::new().await;
    add(&harness, STREAM, "ab").await;

    // What it does not hang in is over sooner, also on a busy machine.
    let (readers, _, metrics) = read(&harness, Duration::from_secs(4)).await;

    harness.caught_up(&[NAME]).await;
    assert_eq!(metrics.reader_restarts.with_label_values(&[NAME, "1"]).get(), 1);
    let status = status(&harness.pool).await.unwrap();
    assert_eq!(status[0].last_error, None, "it goes on");
    assert!(status[0].fence > 1, "what it had begun writes nothing any more");
    readers.stop().await;
}

#[tokio::test]
async fn what_a_reader_does_can_be_seen_while_it_stands_still() {
    let harness = LogHarness::new().await;
    add(&harness, STREAM, "a").await;

    let (readers, positions, metrics) = read(&harness, Duration::from_hours(1)).await;

    let seen = until("it is in its transaction", async || {
        let activity = positions.activity(NAME, 1)?;
        (activity.stage == ReaderStage::Working).then_some(activity)
    })
    .await;
    assert!(seen.to_string().starts_with("its transaction is open, for "), "{seen}");
    assert_eq!(metrics.reader_restarts.with_label_values(&[NAME, "1"]).get(), 0);
    readers.stop().await;
    assert!(positions.activity(NAME, 1).is_none(), "this node runs it no more");
}

#[tokio::test]
async fn a_reader_that_has_read_everything_is_not_behind_however_long_ago_that_was() {
    let harness = LogHarness::new().await;
    add(&harness, STREAM, "a").await;
    let readers = harness.read(tally()).await;
    harness.caught_up(&["tally"]).await;
    readers.stop().await;
    let long_ago =
        "update readers.checkpoints set last_event_at = clock_timestamp() - interval '1 hour'";
    harness.admin.batch_execute(long_ago).await.unwrap();
    let lag = async || {
        let reader = status(&harness.pool).await.unwrap().remove(0);
        (reader.lag_events, reader.lag_seconds)
    };

    assert_eq!(lag().await, (0, 0.0));

    harness.skip_a_position();
    add(&harness, STREAM, "c").await;
    let (events, seconds) = lag().await;
    assert!(events == 2 && seconds > 3_599.0, "a hole does not hide it: {events}, {seconds}");
}
