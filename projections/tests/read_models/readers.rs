//! Readers: what they park, and what stops them.

use std::time::Duration;

use crate::harness::{LogHarness, options};
use crate::tally::{ACTS, Act, Tally, cure};
use infra::log::{Reader, ReaderOptions, parked, release, status, wait_for};
use test_support::{LIMIT, until};
use uuid::Uuid;

const DIE_ONCE: &str = include_str!("die_once.sql");

pub fn tally() -> Vec<Reader> {
    vec![Reader::projection::<Tally>()]
}

/// The letters of a stream, or what its last act came to.
pub async fn letters(harness: &LogHarness, table: &str, stream: Uuid) -> Option<String> {
    let sql = format!(
        "select text from read_models.{table} where stream = $1 order by length(text) desc limit 1"
    );
    harness.admin.query_opt(&sql, &[&stream]).await.unwrap().map(|row| row.get(0))
}

pub async fn add(harness: &LogHarness, stream: Uuid, letters: &str) {
    for letter in letters.chars() {
        let data = format!(r#"{{"add":"{letter}"}}"#);
        harness.append("tally", stream, "tally.added", 1, &data, None).await;
    }
}

async fn released(harness: &LogHarness, reader: &str, stream: Uuid) {
    assert!(release(&harness.pool, reader, stream).await.unwrap());
    until("no release is pending", async || {
        parked(&harness.pool, None, None, 10)
            .await
            .unwrap()
            .iter()
            .all(|it| it.released_at.is_none())
    })
    .await;
}

#[tokio::test]
async fn a_poisoned_stream_waits_while_others_go_on_and_is_released_in_order() {
    let harness = LogHarness::new().await;
    let (sick, well) = (Uuid::from_u128(0xa1), Uuid::from_u128(0xa2));
    add(&harness, sick, "a!b").await;
    add(&harness, well, "xyz").await;
    let readers = harness.read(tally()).await;
    harness.caught_up(&["tally"]).await;
    add(&harness, sick, "cd").await;
    add(&harness, well, "w").await;
    harness.caught_up(&["tally"]).await;
    assert_eq!(letters(&harness, "tally", sick).await.as_deref(), Some("a"));
    assert_eq!(letters(&harness, "tally", well).await.as_deref(), Some("xyzw"));
    let seen = parked(&harness.pool, None, None, 10).await.unwrap();
    assert_eq!((seen[0].stream, seen[0].from_position), (sick, 2));
    assert_eq!(seen[0].error, "event 2 cannot be read");

    cure(sick);
    released(&harness, "tally", sick).await;

    assert_eq!(letters(&harness, "tally", sick).await.as_deref(), Some("a!bcd"));
    assert!(parked(&harness.pool, None, None, 10).await.unwrap().is_empty());
    add(&harness, sick, "e").await;
    harness.caught_up(&["tally"]).await;
    assert_eq!(letters(&harness, "tally", sick).await.as_deref(), Some("a!bcde"));
    readers.stop().await;
}

#[tokio::test]
async fn a_stream_that_is_poisoned_again_stays_parked_with_the_new_reason() {
    let harness = LogHarness::new().await;
    let sick = Uuid::from_u128(0xa3);
    add(&harness, sick, "a?").await;
    let readers = harness.read(tally()).await;
    harness.caught_up(&["tally"]).await;
    let seen = parked(&harness.pool, None, None, 10).await.unwrap();
    assert_eq!(seen[0].from_position, 2, "the database refused the letter, so its stream waits");
    let parked_at = seen[0].parked_at;
    add(&harness, sick, "b").await;
    harness.caught_up(&["tally"]).await;

    released(&harness, "tally", sick).await;

    let seen = parked(&harness.pool, None, None, 10).await.unwrap();
    assert_eq!((seen.len(), seen[0].from_position), (1, 2));
    assert_eq!(seen[0].parked_at, parked_at, "it has waited since");
    assert!(seen[0].error.contains("tally_v1_g1_text_check"), "{}", seen[0].error);
    assert_eq!(letters(&harness, "tally", sick).await.as_deref(), Some("a"));
    readers.stop().await;
}

#[tokio::test]
async fn a_reader_that_panics_at_an_event_parks_its_stream_and_others_go_on() {
    let harness = LogHarness::new().await;
    let (sick, well) = (Uuid::from_u128(0xb1), Uuid::from_u128(0xb2));
    add(&harness, sick, "a#b").await;
    add(&harness, well, "xyz").await;

    let readers = harness.read(tally()).await;

    harness.caught_up(&["tally"]).await;
    assert_eq!(letters(&harness, "tally", sick).await.as_deref(), Some("a"));
    assert_eq!(letters(&harness, "tally", well).await.as_deref(), Some("xyz"));
    let seen = parked(&harness.pool, None, None, 10).await.unwrap();
    assert_eq!((seen.len(), seen[0].stream, seen[0].from_position), (1, sick, 2));
    assert!(seen[0].error.contains("panicked"), "{}", seen[0].error);
    readers.stop().await;
}

#[tokio::test]
async fn a_long_stream_is_released_page_by_page() {
    let harness = LogHarness::new().await;
    let stream = Uuid::from_u128(0xae);
    add(&harness, stream, "!abc?d").await;
    let pages = ReaderOptions { page: 2, ..options(Uuid::from_u128(1)) };
    let readers = harness.read_as(pages, tally()).await;
    harness.caught_up(&["tally"]).await;
    cure(stream);

    released(&harness, "tally", stream).await;

    assert_eq!(letters(&harness, "tally", stream).await.as_deref(), Some("!abc"));
    let seen = parked(&harness.pool, None, None, 10).await.unwrap();
    assert_eq!((seen[0].stream, seen[0].from_position), (stream, 5), "the third page is refused");
    readers.stop().await;
}

#[tokio::test]
async fn a_worker_acts_once_and_its_half_done_act_is_undone() {
    let harness = LogHarness::new().await;
    harness.admin.batch_execute(ACTS).await.unwrap();
    let (sick, well) = (Uuid::from_u128(0xa4), Uuid::from_u128(0xa5));
    add(&harness, sick, "a!").await;
    add(&harness, well, "xy?z").await;
    let readers = harness.read(vec![Reader::worker(Act)]).await;
    harness.caught_up(&["act"]).await;
    assert_eq!(letters(&harness, "acts", sick).await.as_deref(), Some("a"));
    assert_eq!(letters(&harness, "acts", well).await.as_deref(), Some("xy"));
    assert_eq!(parked(&harness.pool, None, None, 10).await.unwrap().len(), 2);

    cure(sick);
    released(&harness, "act", sick).await;

    assert_eq!(letters(&harness, "acts", sick).await.as_deref(), Some("a!"));
    assert_eq!(harness.count("select count(*) from read_models.acts").await, 4);
    readers.stop().await;
}

#[tokio::test]
async fn rows_and_checkpoint_are_one_write_when_the_connection_dies_between_them() {
    let harness = LogHarness::new().await;
    let readers = harness.read(tally()).await;
    readers.stop().await;
    harness.admin.batch_execute(DIE_ONCE).await.unwrap();
    let stream = Uuid::from_u128(0xa6);
    add(&harness, stream, "abc").await;

    let readers = harness.read(tally()).await;
    harness.caught_up(&["tally"]).await;

    assert_eq!(harness.count("select last_value from public.deaths").await, 2, "it died once");
    assert_eq!(letters(&harness, "tally", stream).await.as_deref(), Some("abc"));
    readers.stop().await;
}

#[tokio::test]
async fn a_hole_stops_the_reader_before_it() {
    let harness = LogHarness::new().await;
    let stream = Uuid::from_u128(0xa7);
    add(&harness, stream, "ab").await;
    harness.skip_a_position();
    add(&harness, stream, "c").await;

    let readers = harness.read(tally()).await;

    until("the reader names the hole", async || {
        let status = status(&harness.pool).await.unwrap();
        status[0].last_error.as_deref() == Some("the log has a hole: position 3 is missing")
    })
    .await;
    let status = status(&harness.pool).await.unwrap();
    assert_eq!(status[0].position, 2);
    assert_eq!(letters(&harness, "tally", stream).await.as_deref(), Some("ab"));
    readers.stop().await;
}

#[tokio::test]
async fn a_reader_waits_for_a_position_and_says_when_it_does_not_come() {
    let harness = LogHarness::new().await;
    let readers = harness.read(tally()).await;
    add(&harness, Uuid::from_u128(0xa8), "a").await;

    assert!(wait_for::<Tally>(&harness.pool, 1, LIMIT).await.unwrap());
    assert!(!wait_for::<Tally>(&harness.pool, 2, Duration::from_millis(20)).await.unwrap());
    readers.stop().await;
}

#[tokio::test]
async fn a_reader_stops_at_an_event_that_cannot_be_read() {
    let harness = LogHarness::new().await;
    add(&harness, Uuid::from_u128(0xad), "ab").await;
    let damage = "set session_replication_role = replica; \
                  update event_log.events set recorded_at = '294000-01-01' where position = 2";
    harness.admin.batch_execute(damage).await.unwrap();

    let readers = harness.read(tally()).await;

    until("a reader has an error", async || {
        status(&harness.pool).await.unwrap().iter().any(|reader| reader.last_error.is_some())
    })
    .await;
    let status = status(&harness.pool).await.unwrap().remove(0);
    assert_eq!(status.position, 1);
    let error = status.last_error.unwrap();
    assert!(error.starts_with("the event at position 2 cannot be read: "), "{error}");
    readers.stop().await;
}
