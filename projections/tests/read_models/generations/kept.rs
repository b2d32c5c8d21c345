//! What is kept of generations, and who writes it from then on.

use chrono::TimeDelta;
use domain::EventId;
use infra::log::GenerationState::{Building, Cancelled, Joined, Kept, Live};
use infra::log::watermark::{NewestEvent, Watermark};
use infra::log::{FeedError, GenerationError, discard, generations, promote, sweep_generations};
use uuid::Uuid;

use super::{DAY, make, promoted, reader, rolled_back, states, was_read};
use crate::harness::LogHarness;

/// A third generation, and one of another version that was shown last of all.
const OTHERS: &str = "
    insert into readers.generations (name, version, generation, state) values ('tally', 1, 3, 'joined');
    insert into readers.generations (name, version, generation, state, live_at)
    values ('tally', 2, 9, 'kept', clock_timestamp() + interval '1 hour');
    set role lethe_app;
    create table read_models.tally_v1_g3 (like read_models.tally_v1_g1 including all);
    reset role";

async fn set(harness: &LogHarness, what: &str) {
    let set = format!("update readers.generations set {what} where generation = 2");
    assert_eq!(harness.admin.execute(&set, &[]).await.unwrap(), 1);
}

async fn fence(harness: &LogHarness) -> i64 {
    harness.count("select fence from readers.checkpoints where name = 'tally'").await
}

#[tokio::test]
async fn a_rollback_shows_of_its_version_the_kept_one_that_was_shown_last() {
    let harness = was_read(&[0xd1]).await;
    make(&harness, Joined).await;
    harness.admin.batch_execute(OTHERS).await.unwrap();

    let second = promoted(&harness, 2, DAY).await.unwrap();
    let third = promoted(&harness, 3, DAY).await.unwrap();

    let all = generations(&harness.pool, "tally").await.unwrap();
    let kept = all.iter().find(|it| (it.version, it.generation) == (1, 2)).unwrap();
    assert_eq!((kept.state, kept.live_at), (Kept, second.live_at));
    let kept_for = kept.keep_until.unwrap() - third.live_at.unwrap();
    assert!((kept_for - TimeDelta::hours(24)).abs() < TimeDelta::minutes(1), "{kept_for}");
    for generation in [2, 3, 2] {
        assert_eq!(rolled_back(&harness).await.unwrap().generation, generation);
    }
}

#[tokio::test]
async fn what_was_built_of_events_that_the_log_has_lost_is_not_shown() {
    let harness = was_read(&[0xd2]).await;
    make(&harness, Joined).await;
    let known = Watermark::default();
    known.raise(NewestEvent { position: harness.head() + 1, event: EventId(Uuid::nil()) });

    let refused = promote(&harness.pool, &reader(), Some(2), DAY, &known).await;

    let went_back = matches!(refused, Err(GenerationError::Feed(FeedError::WentBack(_))));
    assert!(went_back, "{refused:?}");
    assert_eq!(states(&harness).await, [(1, Live), (2, Joined)]);
}

#[tokio::test]
async fn whoever_changes_what_a_reader_writes_takes_it_from_its_node() {
    let harness = was_read(&[0xd3]).await;
    let before = fence(&harness).await;

    make(&harness, Kept).await;
    set(&harness, "keep_until = clock_timestamp() - interval '1 second'").await;
    assert_eq!(fence(&harness).await, before, "the control");
    assert_eq!(sweep_generations(&harness.pool).await.unwrap(), ["tally_v1_g2"]);
    let swept = fence(&harness).await;
    make(&harness, Joined).await;
    discard(&harness.pool, &reader(), 2).await.unwrap();
    let discarded = fence(&harness).await;
    make(&harness, Joined).await;
    promoted(&harness, 2, DAY).await.unwrap();
    let promoted = fence(&harness).await;

    assert!(before < swept, "{before} {swept}");
    assert!(swept < discarded, "{swept} {discarded}");
    assert!(discarded < promoted, "{discarded} {promoted}");
}

#[tokio::test]
async fn what_a_replay_builds_is_discarded_once_its_lease_is_over() {
    let harness = was_read(&[0xd4]).await;
    make(&harness, Building).await;
    set(&harness, "lease_until = clock_timestamp() + interval '1 minute'").await;
    let running = discard(&harness.pool, &reader(), 2).await.unwrap_err();
    assert!(matches!(running, GenerationError::State { state: Building, .. }), "{running}");

    set(&harness, "lease_until = clock_timestamp() - interval '1 second'").await;
    discard(&harness.pool, &reader(), 2).await.unwrap();

    assert_eq!(states(&harness).await, [(1, Live), (2, Cancelled)]);
}
