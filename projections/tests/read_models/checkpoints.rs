//! When a reader's checkpoint is written, and who learns earlier how far it is.

use std::sync::Arc;
use std::time::Duration;

use crate::harness::{LogHarness, options};
use crate::tally::Tally;
use infra::log::watermark::Watermark;
use infra::log::{ReadPositions, Reader, ReaderOptions, Readers, status, wait_for};
use infra::metrics::Metrics;
use infra::postgres::{ConnectOptions, connect};
use test_support::LIMIT;
use tokio::sync::watch;
use uuid::Uuid;

const NEVER: Duration = Duration::from_hours(1);
const AT_ONCE: Duration = Duration::from_millis(1);

async fn read(harness: &LogHarness, options: ReaderOptions) -> (Readers, ReadPositions) {
    let pool = connect(&harness.databases.log_url, &ConnectOptions::app()).await.unwrap();
    let positions = ReadPositions::default();
    let (_, wake) = watch::channel(0);
    let (tally, metrics) = (vec![Reader::projection::<Tally>()], Arc::new(Metrics::new().unwrap()));
    let readers = Readers::start(
        pool,
        wake,
        tally,
        options,
        metrics,
        positions.clone(),
        Watermark::default(),
    );
    (readers.await.unwrap(), positions)
}

async fn add(harness: &LogHarness, event_type: &str) {
    let (stream, data) = (Uuid::from_u128(0xc1), r#"{"add":"a"}"#);
    harness.append("tally", stream, event_type, 1, data, None).await;
}

async fn checkpoint(harness: &LogHarness) -> i64 {
    status(&harness.pool).await.unwrap()[0].position
}

#[tokio::test]
async fn a_page_without_wanted_events_is_written_later_and_waiters_learn_of_it_at_once() {
    let harness = LogHarness::new().await;
    let late = ReaderOptions {
        checkpoint_delay: NEVER,
        checkpoint_delay_busy: NEVER,
        ..options(Uuid::from_u128(1))
    };
    let (readers, positions) = read(&harness, late).await;
    add(&harness, "tally.added").await;
    assert!(wait_for::<Tally>(&harness.pool, 1, LIMIT).await.unwrap());
    for _ in 0..3 {
        add(&harness, "tally.unknown").await;
    }

    assert!(positions.wait_for::<Tally>(&harness.pool, 4, LIMIT).await.unwrap());

    assert_eq!(checkpoint(&harness).await, 1);
    assert!(wait_for::<Tally>(&harness.pool, 4, LIMIT).await.unwrap(), "another node learns too");
    assert!(!wait_for::<Tally>(&harness.pool, 5, AT_ONCE).await.unwrap(), "nothing stands there");
    assert!(!positions.wait_for::<Tally>(&harness.pool, 5, AT_ONCE).await.unwrap());
    add(&harness, "tally.added").await;
    assert!(positions.wait_for::<Tally>(&harness.pool, 5, LIMIT).await.unwrap());
    assert_eq!(checkpoint(&harness).await, 5, "a wanted event is written with its rows");
    add(&harness, "tally.unknown").await;
    assert!(positions.wait_for::<Tally>(&harness.pool, 6, LIMIT).await.unwrap());
    readers.stop().await;
    assert_eq!(checkpoint(&harness).await, 6, "a stop leaves nothing to read again");
    assert_eq!(harness.count("select length(text)::bigint from read_models.tally").await, 2);
}

#[tokio::test]
async fn a_checkpoint_is_behind_for_the_delay_at_most() {
    let harness = LogHarness::new().await;
    let (readers, _) = read(&harness, options(Uuid::from_u128(1))).await;
    add(&harness, "tally.unknown").await;

    harness.caught_up(&["tally"]).await;

    readers.stop().await;
}

/// The pages come without a pause: each of them is full.
#[tokio::test]
async fn a_reader_that_goes_from_page_to_page_writes_those_without_wanted_events_together() {
    const COUNT: &str = "create sequence public.moves;
        grant usage on sequence public.moves to public;
        create function public.count_move() returns trigger language plpgsql as $$
        begin perform nextval('public.moves'); return null; end $$;
        create trigger counted after update of position on readers.checkpoints
        for each row when (new.position <> old.position) execute function public.count_move()";
    let harness = LogHarness::new().await;
    harness.admin.batch_execute(COUNT).await.unwrap();
    for _ in 0..5 {
        add(&harness, "tally.unknown").await;
    }
    let busy = ReaderOptions {
        page: 1,
        checkpoint_delay: AT_ONCE,
        checkpoint_delay_busy: NEVER,
        ..options(Uuid::from_u128(1))
    };

    let (readers, _) = read(&harness, busy).await;
    harness.caught_up(&["tally"]).await;

    assert_eq!(harness.count("select last_value from public.moves").await, 1);
    readers.stop().await;
}

#[tokio::test]
async fn an_event_that_a_reader_has_not_read_yet_is_not_reached() {
    let harness = LogHarness::new().await;
    let (readers, _) = read(&harness, options(Uuid::from_u128(1))).await;
    readers.stop().await;
    add(&harness, "tally.unknown").await;
    assert!(wait_for::<Tally>(&harness.pool, 1, LIMIT).await.unwrap());
    add(&harness, "tally.added").await;

    assert!(!wait_for::<Tally>(&harness.pool, 2, AT_ONCE).await.unwrap());
}

#[tokio::test]
async fn whoever_waits_for_a_position_is_not_kept_for_the_delay_between_pages() {
    let harness = LogHarness::new().await;
    let slow =
        ReaderOptions { page_delay: NEVER, page_delay_min: AT_ONCE, ..options(Uuid::from_u128(1)) };
    let (readers, positions) = read(&harness, slow).await;
    add(&harness, "tally.added").await;
    assert!(wait_for::<Tally>(&harness.pool, 1, LIMIT).await.unwrap());
    add(&harness, "tally.added").await;

    assert!(positions.wait_for::<Tally>(&harness.pool, 2, LIMIT).await.unwrap());

    readers.stop().await;
}
