//! How a replay ends: the reader writes what it has built, and then the view shows it; or another one goes on.

use std::time::Duration;

use crate::harness::LogHarness;
use crate::mixed;
use crate::readers::{add, letters, tally};
use crate::replay::{replayed, small};
use crate::tally::Tally;
use infra::build_id::Build;
use infra::log::watermark::Watermark;
use infra::log::{
    Generation, GenerationState, Keep, Reader, ReplayError, ReplayOptions, generations, promote,
    replay,
};
use infra::postgres::{ConnectOptions, connect_one};
use test_support::{until, until_waits_for_lock, waiting_for_lock};
use tokio::sync::watch;
use uuid::Uuid;

const VIEW: &str = "read_models.sessions";
/// No event says so.
const DAMAGE: &str =
    "update read_models.sessions_v1_g1 set opened_at = opened_at - interval '1 day'";

const BUILT: &str = "select count(*) from pg_stats where tablename = 'tally_v1_g2'";

fn table(generation: i32) -> String {
    format!("read_models.sessions_v1_g{generation}")
}

/// Of `sessions`, the newest first.
async fn all(harness: &LogHarness) -> Vec<Generation> {
    generations(&harness.pool, "sessions").await.unwrap()
}

async fn states(harness: &LogHarness) -> Vec<(i32, GenerationState)> {
    all(harness).await.iter().map(|it| (it.generation, it.state)).collect()
}

async fn tables(harness: &LogHarness) -> i64 {
    let tables = "select count(*) from pg_tables
        where schemaname = 'read_models' and tablename like 'sessions%'";
    harness.count(tables).await
}

#[tokio::test]
async fn a_table_that_was_built_has_statistics() {
    let harness = LogHarness::new().await;
    mixed::live(&harness, 3).await;

    let replayed = replayed(&harness, "sessions", small()).await;

    let columns = format!(
        "select count(*) from pg_stats
        where schemaname = 'read_models' and tablename = 'sessions_v1_g{}'",
        replayed.generation
    );
    assert_eq!(harness.count(&columns).await, 11, "each column");
}

#[tokio::test]
async fn a_replay_that_is_not_promoted_leaves_the_view_and_follows_until_it_is() {
    let harness = LogHarness::new().await;
    mixed::live(&harness, 6).await;
    let readers = harness.read(projections::all()).await;
    harness.caught_up(&["sessions"]).await;
    let whole = harness.checksum(VIEW).await;
    harness.admin.batch_execute(DAMAGE).await.unwrap();
    let damaged = harness.checksum(VIEW).await;
    let options = ReplayOptions { promote: false, ..small() };

    let joined = replayed(&harness, "sessions", options).await.generation;

    assert_eq!(states(&harness).await, [(2, GenerationState::Joined), (1, GenerationState::Live)]);
    assert_eq!(harness.checksum(VIEW).await, damaged);
    assert_eq!(harness.checksum(&table(joined)).await, whole);

    mixed::live(&harness, 2).await;
    harness.caught_up(&["sessions"]).await;
    let differing = format!(
        "select count(*) from {VIEW} a full join {} b using (session_id)
        where a.position is distinct from b.position",
        table(joined)
    );
    assert_eq!(harness.count(&differing).await, 0, "the reader writes both");
    assert_ne!(harness.checksum(VIEW).await, damaged);
    let followed = harness.checksum(&table(joined)).await;

    let sessions = projections::named("sessions").unwrap();
    let known = Watermark::default();
    let live = promote(&harness.pool, &sessions, None, Keep(None), &known).await.unwrap();

    assert_eq!((live.generation, live.state), (joined, GenerationState::Live));
    assert_eq!(harness.checksum(VIEW).await, followed);
    replayed(&harness, "sessions", small()).await;
    assert_eq!(harness.checksum(VIEW).await, followed, "as the log has it");
    readers.stop().await;
}

#[tokio::test]
async fn a_later_replay_takes_the_place_of_one_that_was_joined() {
    let harness = LogHarness::new().await;
    mixed::live(&harness, 3).await;
    let readers = harness.read(projections::all()).await;
    harness.caught_up(&["sessions"]).await;
    let options = ReplayOptions { promote: false, ..small() };

    for _ in 0..2 {
        replayed(&harness, "sessions", options).await;
    }

    let expected =
        [(3, GenerationState::Joined), (2, GenerationState::Dropped), (1, GenerationState::Live)];
    assert_eq!(states(&harness).await, expected);
    assert_eq!(tables(&harness).await, 2);
    readers.stop().await;
}

#[tokio::test]
async fn a_replay_that_has_come_further_than_its_reader_takes_the_place_of_the_live_one() {
    let harness = LogHarness::new().await;
    mixed::live(&harness, 3).await;

    let first = replayed(&harness, "sessions", small()).await;

    assert_eq!(first.through, harness.head());
    assert_eq!(states(&harness).await, [(2, GenerationState::Live), (1, GenerationState::Dropped)]);
    assert_eq!(tables(&harness).await, 1);
    let position = "select position from readers.checkpoints where name = 'sessions'";
    assert_eq!(harness.count(position).await, harness.head(), "the reader goes on from there");
    let readers = harness.read(projections::all()).await;
    mixed::live(&harness, 4).await;
    harness.caught_up(&["sessions"]).await;
    let followed = harness.checksum(VIEW).await;
    replayed(&harness, "sessions", small()).await;
    assert_eq!(harness.checksum(VIEW).await, followed);
    readers.stop().await;
}

#[tokio::test]
async fn a_replay_that_is_not_promoted_needs_a_node_that_has_come_as_far() {
    let harness = LogHarness::new().await;
    mixed::live(&harness, 1).await;
    let (_keep, cancel) = watch::channel(false);
    let sessions = projections::named("sessions").unwrap();
    let options = ReplayOptions { promote: false, ..small() };

    let refused = replay(&harness.pool, &sessions, options, cancel, |_| {}).await;

    let Err(ReplayError::Behind { position, built }) = refused else { panic!("{refused:?}") };
    assert_eq!((position, built), (0, harness.head()));
    let expected = [(2, GenerationState::Building), (1, GenerationState::Live)];
    assert_eq!(states(&harness).await, expected);
    let resumed = ReplayOptions { resume: true, ..small() };
    let resumed = replayed(&harness, "sessions", resumed).await;
    assert_eq!((resumed.generation, resumed.from), (2, harness.head()));
}

#[tokio::test]
async fn only_what_the_same_programme_has_built_is_taken_up() {
    let harness = LogHarness::new().await;
    mixed::live(&harness, 2).await;
    harness.skip_a_position();
    mixed::live(&harness, 2).await;
    let sessions = projections::named("sessions").unwrap();
    let left_by = async |build: Build, resume: bool| {
        let (_keep, cancel) = watch::channel(false);
        let options = ReplayOptions { build, resume, ..small() };
        let failed = replay(&harness.pool, &sessions, options, cancel, |_| {}).await;
        assert!(matches!(failed, Err(ReplayError::Feed(_))), "{failed:?}");
        let newest = all(&harness).await.remove(0);
        assert_eq!((newest.state, newest.build), (GenerationState::Building, build.to_string()));
        assert_eq!(newest.error.as_deref(), Some("the log has a hole: position 51 is missing"));
        assert!(newest.position > 0, "it has built something");
        newest.generation
    };
    let [one, other] = [1, 2].map(|byte| Build([byte; 32]));

    assert_eq!(left_by(one, false).await, 2);
    assert_eq!(left_by(one, true).await, 2);
    assert_eq!(left_by(one, false).await, 3, "nobody wants to go on with it");
    assert_eq!(left_by(other, true).await, 4);
    assert_eq!(left_by(Build::UNKNOWN, true).await, 5);
    assert_eq!(left_by(Build::UNKNOWN, true).await, 6);

    let failed = all(&harness).await;
    let failed = failed.iter().filter(|it| it.state == GenerationState::Failed);
    let why: Vec<_> = failed.map(|it| it.error.as_deref().unwrap_or_default()).collect();
    assert_eq!(why, ["the log has a hole: position 51 is missing"; 4]);
    assert_eq!(tables(&harness).await, 2, "the live one, and the last");
}

#[tokio::test]
async fn what_is_to_be_kept_is_kept_also_where_its_reader_comes_later() {
    let harness = LogHarness::new().await;
    let stream = Uuid::from_u128(0x113);
    add(&harness, stream, "a").await;
    let readers = harness.read(tally()).await;
    harness.caught_up(&["tally"]).await;
    readers.stop().await;
    add(&harness, stream, "b").await;
    let pool = harness.pool.clone();
    let replaying = tokio::spawn(async move {
        let (_keep, cancel) = watch::channel(false);
        let options = ReplayOptions { keep: Keep(Some(Duration::from_hours(1))), ..small() };
        replay(&pool, &Reader::projection::<Tally>(), options, cancel, |_| {}).await
    });
    until("only its end is left", async || harness.count(BUILT).await > 0).await;

    let readers = harness.read(tally()).await;

    assert_eq!(replaying.await.unwrap().unwrap().generation, 2);
    let found = generations(&harness.pool, "tally").await.unwrap();
    let states: Vec<_> = found.iter().map(|it| (it.generation, it.state)).collect();
    assert_eq!(states, [(2, GenerationState::Live), (1, GenerationState::Kept)]);
    for table in ["tally_v1_g1", "tally_v1_g2"] {
        assert_eq!(letters(&harness, table, stream).await.as_deref(), Some("ab"), "{table}");
    }
    readers.stop().await;
}

#[tokio::test]
async fn an_end_that_was_held_up_loses_nothing_of_a_stream_that_it_parks() {
    let harness = LogHarness::new().await;
    let (well, sick) = (Uuid::from_u128(0x111), Uuid::from_u128(0x112));
    add(&harness, well, "a").await;
    let readers = harness.read(tally()).await;
    harness.caught_up(&["tally"]).await;
    readers.stop().await;
    // The replay comes further than the reader, and waits for it.
    add(&harness, well, "b").await;
    let pool = harness.pool.clone();
    let replaying = tokio::spawn(async move {
        let (_keep, cancel) = watch::channel(false);
        let options = ReplayOptions { promote: false, ..small() };
        replay(&pool, &Reader::projection::<Tally>(), options, cancel, |_| {}).await
    });
    until("only its end is left", async || harness.count(BUILT).await > 0).await;
    let url = &harness.databases.log_url;
    let holder = connect_one(url, &ConnectOptions::default()).await.unwrap();
    let hold = "begin; lock table read_models.tally_v1_g2 in share mode";
    holder.batch_execute(hold).await.unwrap();
    add(&harness, sick, "c!").await;
    let readers = harness.read(tally()).await;

    let locks = "lock table read_models.tally_v1_g2";
    until_waits_for_lock(&harness.admin, locks).await;
    until("the first try is over", async || {
        waiting_for_lock(&harness.admin, locks).await.is_empty()
    })
    .await;
    until_waits_for_lock(&harness.admin, locks).await;
    holder.batch_execute("commit").await.unwrap();

    let joined = replaying.await.unwrap().unwrap();
    assert_eq!((joined.generation, joined.through, joined.parked), (2, harness.head(), 1));
    assert_eq!(letters(&harness, "tally_v1_g2", well).await.as_deref(), Some("ab"));
    assert_eq!(letters(&harness, "tally_v1_g2", sick).await.as_deref(), Some("c"));
    let parked = "select from_position from readers.parked where generation = 2";
    assert_eq!(harness.count(parked).await, harness.head());
    readers.stop().await;
}
