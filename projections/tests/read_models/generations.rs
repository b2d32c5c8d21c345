//! Generations: which one the view shows, in what two differ, and what is deleted.

mod compare;
mod first;
mod kept;
mod sweep;

use std::time::Duration;

use infra::log::GenerationState::{
    Building, Cancelled, Dropped, Failed, Joined, Kept, Live, Requested,
};
use infra::log::watermark::Watermark;
use infra::log::{
    Comparison, Generation, GenerationError, GenerationState, Keep, Reader, ReplayOptions, discard,
    generations, promote, replay, roll_back, status,
};
use infra::postgres::{ConnectOptions, connect_one};
use test_support::{until, until_waits_for_lock};
use tokio::sync::watch;
use uuid::Uuid;

use crate::harness::LogHarness;
use crate::readers::{add, letters, tally};
use crate::replay::small;
use crate::tally::{Act, Tally};

const DAY: Keep = Keep(Some(Duration::from_hours(24)));
const RELATIONS: &str = "select format('%s %s', relname, relkind) from pg_class
    where relnamespace = 'read_models'::regnamespace and relkind in ('r', 'v') order by relname";
/// As if generation 2 had come to a state. Its table is empty.
const MAKE: &str = "
    delete from readers.generations where generation = 2;
    insert into readers.generations (name, version, generation, state) values ('tally', 1, 2, '{state}');
    set role lethe_app;
    drop table if exists read_models.tally_v1_g2;
    create table read_models.tally_v1_g2 (like read_models.tally_v1_g1 including all);
    reset role";

fn reader() -> Reader {
    Reader::projection::<Tally>()
}

/// A log of some letters, which was read; nobody reads on.
async fn was_read(streams: &[u128]) -> LogHarness {
    let harness = LogHarness::new().await;
    for stream in streams {
        add(&harness, Uuid::from_u128(*stream), "ab").await;
    }
    let readers = harness.read(tally()).await;
    harness.caught_up(&["tally"]).await;
    readers.stop().await;
    harness
}

/// Builds a generation that nobody has seen.
async fn join(harness: &LogHarness) -> i32 {
    let (_keep, cancel) = watch::channel(false);
    let options = ReplayOptions { promote: false, ..small() };
    replay(&harness.pool, &reader(), options, cancel, |_| {}).await.unwrap().generation
}

async fn make(harness: &LogHarness, state: GenerationState) {
    let make = MAKE.replace("{state}", state.as_str());
    harness.admin.batch_execute(&make).await.unwrap();
}

async fn promoted(
    harness: &LogHarness,
    generation: i32,
    keep: Keep,
) -> Result<Generation, GenerationError> {
    promote(&harness.pool, &reader(), Some(generation), keep, &Watermark::default()).await
}

async fn rolled_back(harness: &LogHarness) -> Result<Generation, GenerationError> {
    roll_back(&harness.pool, &reader(), DAY, &Watermark::default()).await
}

async fn compared(
    harness: &LogHarness,
    generation: i32,
    at_most: usize,
) -> Result<Comparison, GenerationError> {
    infra::log::compare(&harness.pool, &reader(), generation, at_most).await
}

/// The oldest first.
async fn states(harness: &LogHarness) -> Vec<(i32, GenerationState)> {
    let all = generations(&harness.pool, "tally").await.unwrap();
    all.iter().rev().map(|it| (it.generation, it.state)).collect()
}

async fn relations(harness: &LogHarness) -> Vec<String> {
    let rows = harness.admin.query(RELATIONS, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn statements_read_a_view_and_the_follower_writes_the_table_behind_it() {
    let stream = 0xc1;
    let harness = was_read(&[stream]).await;

    assert_eq!(relations(&harness).await, ["tally v", "tally_v1_g1 r"]);
    for relation in ["tally", "tally_v1_g1"] {
        let found = letters(&harness, relation, Uuid::from_u128(stream)).await;
        assert_eq!(found.as_deref(), Some("ab"), "{relation}");
    }
    assert_eq!(states(&harness).await, [(1, Live)]);
    assert_eq!(status(&harness.pool).await.unwrap()[0].generation, 1);
}

#[tokio::test]
async fn a_view_that_is_gone_is_made_again_and_its_reader_begins_from_nothing() {
    let stream = Uuid::from_u128(0xc2);
    let harness = was_read(&[0xc2]).await;
    let lose = "drop table read_models.tally_v1_g1 cascade";
    harness.admin.batch_execute(lose).await.unwrap();
    assert!(status(&harness.pool).await.unwrap()[0].lacks_table);
    let other =
        "set role lethe_app; create table read_models.tally (stream uuid, text text); reset role";
    harness.admin.batch_execute(other).await.unwrap();

    let readers = harness.read(tally()).await;

    let found = async || letters(&harness, "tally", stream).await.filter(|found| found == "ab");
    until("all is read again", found).await;
    assert_eq!(relations(&harness).await, ["tally v", "tally_v1_g2 r"]);
    assert_eq!(states(&harness).await, [(1, Dropped), (2, Live)]);
    assert_eq!(status(&harness.pool).await.unwrap()[0].generation, 2);
    readers.stop().await;
}

#[tokio::test]
async fn each_state_is_reached_only_from_the_one_before() {
    let harness = was_read(&[0xc3]).await;
    let refused = |done: Result<(), GenerationError>, of: GenerationState| {
        let why = format!("generation 2 is {}: ", of.as_str());
        let is_why = |error: &GenerationError| error.to_string().starts_with(&why);
        assert!(done.as_ref().err().is_none_or(is_why), "{of:?}: {done:?}");
        done.is_err()
    };
    // Whether it is compared, promoted and discarded.
    for (state, may) in [
        (Requested, [false, false, true]),
        (Building, [false, false, true]),
        (Joined, [true; 3]),
        (Kept, [true; 3]),
        (Dropped, [false; 3]),
        (Cancelled, [false; 3]),
        (Failed, [false; 3]),
    ] {
        make(&harness, state).await;

        let is_compared = !refused(compared(&harness, 2, 10).await.map(drop), state);
        let is_promoted = !refused(promoted(&harness, 2, DAY).await.map(drop), state);
        if is_promoted {
            assert_eq!(states(&harness).await, [(1, Kept), (2, Live)]);
            assert_eq!(rolled_back(&harness).await.unwrap().generation, 1);
            assert_eq!(states(&harness).await, [(1, Live), (2, Kept)]);
        }
        let is_discarded = !refused(discard(&harness.pool, &reader(), 2).await, state);

        assert_eq!([is_compared, is_promoted, is_discarded], may, "{state:?}");
        let ended = match state {
            Requested | Building => Cancelled,
            Joined | Kept => Dropped,
            Live | Dropped | Cancelled | Failed => state,
        };
        assert_eq!(states(&harness).await, [(1, Live), (2, ended)]);
    }
}

#[tokio::test]
async fn what_is_live_or_is_not_there_is_neither_promoted_nor_compared_nor_discarded() {
    let harness = was_read(&[0xc4]).await;
    let all = async |generation| {
        [
            promoted(&harness, generation, DAY).await.map(drop).unwrap_err(),
            compared(&harness, generation, 10).await.map(drop).unwrap_err(),
            discard(&harness.pool, &reader(), generation).await.unwrap_err(),
        ]
    };

    for error in all(1).await {
        assert!(matches!(error, GenerationError::State { state: Live, .. }), "{error}");
    }
    for error in all(99).await {
        assert!(matches!(error, GenerationError::NotFound), "{error}");
    }
    let none = promote(&harness.pool, &reader(), None, DAY, &Watermark::default()).await;
    assert!(matches!(none, Err(GenerationError::NotFound)), "{none:?}");
    let none = rolled_back(&harness).await;
    assert!(matches!(none, Err(GenerationError::NothingKept)), "{none:?}");
    let worker = discard(&harness.pool, &Reader::worker(Act), 1).await;
    assert!(matches!(worker, Err(GenerationError::Worker)), "{worker:?}");
    assert_eq!(states(&harness).await, [(1, Live)]);
    assert_eq!(relations(&harness).await, ["tally v", "tally_v1_g1 r"]);
}

#[tokio::test]
async fn a_generation_with_other_columns_is_neither_shown_nor_compared() {
    let harness = was_read(&[0xc5]).await;
    make(&harness, Joined).await;
    // A view may get more columns, and never loses them again.
    let more = "alter table read_models.tally_v1_g2 add column more int";
    harness.admin.batch_execute(more).await.unwrap();

    let shown = promoted(&harness, 2, DAY).await.map(drop);
    let compared = compared(&harness, 2, 10).await.map(drop);

    for refused in [shown, compared] {
        let error = refused.unwrap_err();
        assert!(matches!(error, GenerationError::OtherColumns { generation: 2 }), "{error}");
    }
    assert_eq!(states(&harness).await, [(1, Live), (2, Joined)]);
}

#[tokio::test]
async fn a_promotion_that_keeps_nothing_drops_the_one_of_before_and_its_parked_streams() {
    let harness = was_read(&[0xc6]).await;
    make(&harness, Joined).await;
    let park = "insert into readers.parked
        (reader, version, generation, replay, stream_id, from_position, error) values
        ('tally', 1, 1, false, gen_random_uuid(), 1, ''), ('tally', 1, 2, true, gen_random_uuid(), 1, '')";
    harness.admin.batch_execute(park).await.unwrap();

    let shown = promoted(&harness, 2, Keep(None)).await.unwrap();

    assert_eq!((shown.generation, shown.state, shown.parked), (2, Live, 1));
    assert_eq!(relations(&harness).await, ["tally v", "tally_v1_g2 r"]);
    assert_eq!(states(&harness).await, [(1, Dropped), (2, Live)]);
    let of_live = "select count(*) from readers.parked where generation = 2 and not replay";
    assert_eq!(harness.count(of_live).await, 1);
    assert_eq!(harness.count("select count(*) from readers.parked").await, 1);
}

#[tokio::test]
async fn promotion_waits_for_a_long_read_and_no_read_waits_for_it_longer_than_its_limit() {
    let harness = was_read(&[0xc7]).await;
    make(&harness, Joined).await;
    let url = &harness.databases.log_url;
    let long = connect_one(url, &ConnectOptions::default()).await.unwrap();
    let lock_timeout = Duration::from_secs(1);
    let options = ConnectOptions { lock_timeout, ..ConnectOptions::default() };
    let short = connect_one(url, &options).await.unwrap();
    let read = "select * from read_models.tally";
    long.batch_execute(&format!("begin; {read}")).await.unwrap();
    let pool = harness.pool.clone();
    let promoting =
        tokio::spawn(
            async move { promote(&pool, &reader(), None, DAY, &Watermark::default()).await },
        );
    until_waits_for_lock(&harness.admin, "create or replace view").await;

    // Some of them come while a try waits, and stand behind it.
    for _ in 0..10 {
        short.batch_execute(read).await.unwrap();
        until_waits_for_lock(&harness.admin, "create or replace view").await;
    }

    assert!(!promoting.is_finished());
    assert_eq!(states(&harness).await, [(1, Live), (2, Joined)]);
    long.batch_execute("commit").await.unwrap();
    assert_eq!(promoting.await.unwrap().unwrap().generation, 2);
    assert_eq!(states(&harness).await, [(1, Kept), (2, Live)]);
}

#[tokio::test]
async fn a_rollback_shows_what_was_live_before_with_all_that_came_since() {
    let harness = LogHarness::new().await;
    let stream = Uuid::from_u128(0xc8);
    add(&harness, stream, "ab").await;
    let readers = harness.read(tally()).await;
    harness.caught_up(&["tally"]).await;
    let generation = join(&harness).await;
    let shown = promoted(&harness, generation, DAY).await.unwrap();
    assert!(shown.live_at.is_some() && shown.position == harness.head());
    add(&harness, stream, "cd").await;
    harness.caught_up(&["tally"]).await;
    let mark = "update read_models.tally_v1_g2 set text = 'other'";
    harness.admin.execute(mark, &[]).await.unwrap();
    assert_eq!(letters(&harness, "tally", stream).await.as_deref(), Some("other"));

    let back = rolled_back(&harness).await.unwrap();

    assert_eq!((back.generation, back.state, back.keep_until), (1, Live, None));
    assert_eq!(letters(&harness, "tally", stream).await.as_deref(), Some("abcd"));
    assert_eq!(status(&harness.pool).await.unwrap()[0].generation, 1);
    add(&harness, stream, "e").await;
    harness.caught_up(&["tally"]).await;
    assert_eq!(letters(&harness, "tally", stream).await.as_deref(), Some("abcde"));
    assert_eq!(rolled_back(&harness).await.unwrap().generation, generation);
    assert_eq!(letters(&harness, "tally", stream).await.as_deref(), Some("othere"));
    readers.stop().await;
}

#[tokio::test]
async fn what_is_discarded_is_gone_and_the_live_one_is_read_on() {
    let harness = LogHarness::new().await;
    let stream = Uuid::from_u128(0xc9);
    add(&harness, stream, "ab").await;
    let readers = harness.read(tally()).await;
    harness.caught_up(&["tally"]).await;
    let generation = join(&harness).await;
    assert_eq!(relations(&harness).await, ["tally v", "tally_v1_g1 r", "tally_v1_g2 r"]);

    discard(&harness.pool, &reader(), generation).await.unwrap();

    assert_eq!(relations(&harness).await, ["tally v", "tally_v1_g1 r"]);
    assert_eq!(states(&harness).await, [(1, Live), (2, Dropped)]);
    add(&harness, stream, "cd").await;
    harness.caught_up(&["tally"]).await;
    assert_eq!(letters(&harness, "tally", stream).await.as_deref(), Some("abcd"));
    assert_eq!(harness.count("select count(*) from readers.parked").await, 0);
    readers.stop().await;
}

#[tokio::test]
async fn those_that_have_ended_hide_none_that_is_written() {
    let harness = was_read(&[0xd3]).await;
    let generation = join(&harness).await;
    let ended = "insert into readers.generations (name, version, generation, state, ended_at)
        select 'tally', 1, n, 'failed', clock_timestamp() from generate_series(3, 160) n";
    harness.admin.batch_execute(ended).await.unwrap();

    assert!(compared(&harness, generation, 10).await.unwrap().is_complete);
    assert_eq!(promoted(&harness, generation, DAY).await.unwrap().generation, generation);
    assert_eq!(rolled_back(&harness).await.unwrap().generation, 1);

    let listed = states(&harness).await;
    assert_eq!((listed.len(), listed[0], listed[1]), (100, (1, Live), (generation, Kept)));
    assert_eq!(listed.last(), Some(&(160, Failed)));
}
