//! A reader that writes several generations at once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::harness::{LogHarness, options};
use crate::readers::{add, letters, tally};
use crate::replay::small;
use crate::tally::{Tally, cure};
use infra::log::watermark::Watermark;
use infra::log::{
    Generation, GenerationState, Keep, Reader, ReaderOptions, ReplayOptions, generations, parked,
    promote, release, replay, roll_back, status,
};
use infra::postgres::{ConnectOptions, connect_one};
use projections::audit_trail::AuditTrail;
use test_support::until;
use tokio::sync::watch;
use uuid::Uuid;

const KEEP: Keep = Keep(Some(Duration::from_hours(1)));
const LIVE: &str = "tally_v1_g1";
const JOINED: &str = "tally_v1_g2";
const REPLACE_OWNER: &str = include_str!("replace_owner.sql");
/// Whether both generations have the same rows, and how many letters there are in one.
const ARE_SAME: &str =
    "select not exists (table read_models.tally_v1_g1 except table read_models.tally_v1_g2)
      and not exists (table read_models.tally_v1_g2 except table read_models.tally_v1_g1),
    (select sum(length(text)) from read_models.tally_v1_g2)";
/// No row can be written into the second generation.
const REFUSE: &str = "create function public.refuse() returns trigger language plpgsql as $$
      begin raise exception 'refused by a test' using errcode = '{code}'; end $$;
    create trigger refuse before insert or update on read_models.tally_v1_g2
      for each row execute function public.refuse()";
/// The second generation refuses a letter that the first one takes.
const REFUSE_X: &str = "alter table read_models.tally_v1_g2 add check (text not like '%x%')";

const FILL: &str = "insert into readers.parked
      (reader, version, generation, replay, stream_id, from_position, error)
    select 'tally', 1, 2, true, gen_random_uuid(), 1, 'of a test' from generate_series(1, {count})";

/// Builds the second generation, which the reader then writes beside the first one.
async fn join(harness: &LogHarness) {
    let (_keep, cancel) = watch::channel(false);
    let options = ReplayOptions { promote: false, ..small() };
    let tally = Reader::projection::<Tally>();
    let built = replay(&harness.pool, &tally, options, cancel, |_| {}).await.unwrap();
    assert_eq!(built.generation, 2);
}

async fn generation(harness: &LogHarness, number: i32) -> Generation {
    let found = generations(&harness.pool, "tally").await.unwrap();
    found.into_iter().find(|it| it.generation == number).unwrap()
}

/// The letters of a stream in both generations.
async fn both(harness: &LogHarness, stream: Uuid) -> [Option<String>; 2] {
    [letters(harness, LIVE, stream).await, letters(harness, JOINED, stream).await]
}

fn twice(text: &str) -> [Option<String>; 2] {
    [Some(text.to_owned()), Some(text.to_owned())]
}

#[tokio::test]
async fn two_generations_have_the_same_rows_in_every_snapshot() {
    let harness = LogHarness::new().await;
    let readers = harness.read(tally()).await;
    add(&harness, Uuid::from_u128(0xe1), "ab").await;
    harness.caught_up(&["tally"]).await;
    join(&harness).await;
    let url = &harness.databases.log_url;
    let other = connect_one(url, &ConnectOptions::default()).await.unwrap();
    let is_written = AtomicBool::new(false);

    let writing = async {
        for at in 0..250 {
            add(&harness, Uuid::from_u128(0xe1 + at % 7), "ab").await;
        }
        harness.caught_up(&["tally"]).await;
        is_written.store(true, Ordering::SeqCst);
    };
    let looking = async {
        let (mut looks, mut seen) = (0, BTreeSet::<i64>::new());
        loop {
            let is_last = is_written.load(Ordering::SeqCst);
            let row = other.query_one(ARE_SAME, &[]).await.unwrap();
            looks += 1;
            assert!(row.get::<_, bool>(0), "look {looks}");
            seen.insert(row.get(1));
            if is_last && looks >= 100 {
                return seen;
            }
        }
    };
    let ((), seen) = tokio::join!(writing, looking);

    assert!(seen.len() > 1 && seen.last() == Some(&502), "{seen:?}");
    readers.stop().await;
}

/// Answers why the second generation has failed.
async fn failed(code: &str) -> String {
    let harness = LogHarness::new().await;
    let stream = Uuid::from_u128(0xe9);
    add(&harness, stream, "a").await;
    let readers = harness.read(tally()).await;
    harness.caught_up(&["tally"]).await;
    join(&harness).await;
    harness.admin.batch_execute(&REFUSE.replace("{code}", code)).await.unwrap();

    add(&harness, stream, "bc").await;

    harness.caught_up(&["tally"]).await;
    assert_eq!(letters(&harness, "tally", stream).await.as_deref(), Some("abc"));
    assert_eq!(letters(&harness, JOINED, stream).await.as_deref(), Some("a"));
    assert_eq!(harness.count("select count(*) from readers.parked").await, 0);
    assert_eq!(status(&harness.pool).await.unwrap()[0].last_error, None);
    let failed = generation(&harness, 2).await;
    assert_eq!(failed.state, GenerationState::Failed);
    add(&harness, stream, "d").await;
    harness.caught_up(&["tally"]).await;
    assert_eq!(letters(&harness, "tally", stream).await.as_deref(), Some("abcd"));
    readers.stop().await;
    failed.error.unwrap()
}

#[tokio::test]
async fn a_generation_that_cannot_be_written_fails_and_the_live_one_goes_on() {
    assert_eq!(failed("P0001").await, "refused by a test (P0001)");
}

#[tokio::test]
async fn a_generation_that_may_be_written_later_is_tried_a_few_times_and_fails() {
    assert_eq!(failed("40001").await, "refused by a test (40001)");
}

#[tokio::test]
async fn a_stream_that_is_parked_for_one_generation_is_read_for_the_other() {
    let harness = LogHarness::new().await;
    let (sick, refused) = (Uuid::from_u128(0xea), Uuid::from_u128(0xeb));
    add(&harness, sick, "a!b").await;
    let readers = harness.read(tally()).await;
    harness.caught_up(&["tally"]).await;
    cure(sick);
    join(&harness).await;
    harness.admin.batch_execute(REFUSE_X).await.unwrap();
    let text = |text: &str| Some(text.to_owned());

    // The live one wants nothing of this page.
    add(&harness, sick, "c").await;
    harness.caught_up(&["tally"]).await;

    assert_eq!(both(&harness, sick).await, [text("a"), text("a!bc")]);
    add(&harness, refused, "wxy").await;
    harness.caught_up(&["tally"]).await;
    add(&harness, refused, "z").await;
    harness.caught_up(&["tally"]).await;
    assert_eq!(both(&harness, refused).await, [text("wxyz"), text("w")]);
    for number in [1, 2] {
        assert_eq!(generation(&harness, number).await.parked, 1, "{number}");
    }
    let seen = parked(&harness.pool, None, None, 10).await.unwrap();
    assert_eq!((seen.len(), seen[0].stream), (1, sick), "those of the live one");
    assert!(!release(&harness.pool, "tally", refused).await.unwrap());
    readers.stop().await;
}

#[tokio::test]
async fn what_no_generation_takes_parks_its_stream_for_each_of_them() {
    let harness = LogHarness::new().await;
    let sick = [("!", 0x101), ("?", 0x102), ("#", 0x103)];
    let sick = sick.map(|(letter, number)| (letter, Uuid::from_u128(number)));
    let well = Uuid::from_u128(0xed);
    let readers = harness.read(tally()).await;
    add(&harness, well, "x").await;
    harness.caught_up(&["tally"]).await;
    join(&harness).await;

    for (letter, stream) in sick {
        add(&harness, stream, &format!("a{letter}b")).await;
        add(&harness, well, "y").await;
    }

    harness.caught_up(&["tally"]).await;
    for (letter, stream) in sick {
        assert_eq!(both(&harness, stream).await, twice("a"), "{letter}");
    }
    assert_eq!(both(&harness, well).await, twice("xyyy"));
    for (number, state) in [(1, GenerationState::Live), (2, GenerationState::Joined)] {
        let found = generation(&harness, number).await;
        assert_eq!((found.state, found.parked), (state, 3));
    }
    readers.stop().await;
}

#[tokio::test]
async fn a_release_reads_the_stream_into_every_generation() {
    let harness = LogHarness::new().await;
    let sick = Uuid::from_u128(0xee);
    add(&harness, sick, "a!b").await;
    let readers = harness.read(tally()).await;
    harness.caught_up(&["tally"]).await;
    join(&harness).await;
    assert_eq!(both(&harness, sick).await, twice("a"));
    assert_eq!(harness.count("select count(*) from readers.parked").await, 2);
    cure(sick);

    assert!(release(&harness.pool, "tally", sick).await.unwrap());

    until("the stream waits for no generation", async || {
        harness.count("select count(*) from readers.parked").await == 0
    })
    .await;
    assert_eq!(both(&harness, sick).await, twice("a!b"));
    add(&harness, sick, "c").await;
    harness.caught_up(&["tally"]).await;
    assert_eq!(both(&harness, sick).await, twice("a!bc"));
    readers.stop().await;
}

#[tokio::test]
async fn a_generation_that_cannot_be_written_keeps_no_release_up() {
    let harness = LogHarness::new().await;
    let sick = Uuid::from_u128(0xef);
    add(&harness, sick, "a!b").await;
    let readers = harness.read(tally()).await;
    harness.caught_up(&["tally"]).await;
    join(&harness).await;
    harness.admin.batch_execute(&REFUSE.replace("{code}", "40001")).await.unwrap();
    cure(sick);

    assert!(release(&harness.pool, "tally", sick).await.unwrap());

    until("the stream waits for no generation", async || {
        harness.count("select count(*) from readers.parked").await == 0
    })
    .await;
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(both(&harness, sick).await, [text("a!b"), text("a")]);
    assert_eq!(generation(&harness, 2).await.state, GenerationState::Failed);
    readers.stop().await;
}

#[tokio::test]
async fn a_generation_for_which_too_many_streams_would_be_parked_fails() {
    let harness = LogHarness::new().await;
    add(&harness, Uuid::from_u128(0xf0), "a").await;
    let readers = harness.read(tally()).await;
    harness.caught_up(&["tally"]).await;
    join(&harness).await;
    readers.stop().await;
    harness.admin.batch_execute(REFUSE_X).await.unwrap();
    harness.admin.batch_execute(&FILL.replace("{count}", "999")).await.unwrap();
    let readers = harness.read(tally()).await;

    add(&harness, Uuid::from_u128(0xf1), "x").await;

    harness.caught_up(&["tally"]).await;
    let most = generation(&harness, 2).await;
    assert_eq!((most.state, most.parked), (GenerationState::Joined, 1000));
    add(&harness, Uuid::from_u128(0xf2), "x").await;
    harness.caught_up(&["tally"]).await;
    let failed = generation(&harness, 2).await;
    assert_eq!((failed.state, failed.parked), (GenerationState::Failed, 0));
    let why = failed.error.unwrap();
    assert!(why.starts_with("more than 1000 streams do not fit"), "{why}");
    assert_eq!(harness.count("select count(*) from read_models.tally").await, 3);
    readers.stop().await;
}

#[tokio::test]
async fn a_generation_that_has_many_parked_streams_is_written_on_while_it_parks_no_more() {
    let harness = LogHarness::new().await;
    let well = Uuid::from_u128(0xf7);
    add(&harness, well, "a").await;
    let readers = harness.read(tally()).await;
    harness.caught_up(&["tally"]).await;
    join(&harness).await;
    readers.stop().await;
    harness.admin.batch_execute(&FILL.replace("{count}", "1001")).await.unwrap();
    let readers = harness.read(tally()).await;

    add(&harness, well, "b").await;

    harness.caught_up(&["tally"]).await;
    let many = generation(&harness, 2).await;
    assert_eq!((many.state, many.parked), (GenerationState::Joined, 1001));
    assert_eq!(both(&harness, well).await, twice("ab"));
    readers.stop().await;
}

#[tokio::test]
async fn a_reader_that_was_replaced_writes_no_generation() {
    let harness = LogHarness::new().await;
    // As long as the other's: a much longer one is taken for one of a clock that ran ahead.
    let one = ReaderOptions { lease: Duration::from_hours(1), ..options(Uuid::from_u128(1)) };
    let both_readers = vec![Reader::projection::<Tally>(), Reader::projection::<AuditTrail>()];
    let readers = harness.read_as(one, both_readers).await;
    let stream = Uuid::from_u128(0xf3);
    add(&harness, stream, "ab").await;
    harness.caught_up(&["tally", "audit_trail"]).await;
    join(&harness).await;
    // By a reader that has its fence, and knows both.
    add(&harness, stream, "c").await;
    harness.caught_up(&["tally", "audit_trail"]).await;
    assert_eq!(both(&harness, stream).await, twice("abc"));

    harness.admin.batch_execute(REPLACE_OWNER).await.unwrap();
    add(&harness, stream, "de").await;

    harness.caught_up(&["audit_trail"]).await;
    until("the transaction was refused", async || {
        harness.count("select is_called::int::bigint from public.refused").await > 0
    })
    .await;
    assert_eq!(both(&harness, stream).await, twice("abc"));
    readers.stop().await;
}

#[tokio::test]
async fn a_promotion_between_two_pages_loses_and_doubles_nothing() {
    let harness = LogHarness::new().await;
    let (one, two) = (Uuid::from_u128(0xf4), Uuid::from_u128(0xf5));
    add(&harness, Uuid::from_u128(0xf6), "c").await;
    let readers = harness.read(tally()).await;
    harness.caught_up(&["tally"]).await;
    join(&harness).await;
    let (tally, known) = (Reader::projection::<Tally>(), Watermark::default());

    for at in 0..500 {
        add(&harness, one, "a").await;
        add(&harness, two, "b").await;
        match at % 20 {
            9 => drop(promote(&harness.pool, &tally, Some(2), KEEP, &known).await.unwrap()),
            19 => drop(roll_back(&harness.pool, &tally, KEEP, &known).await.unwrap()),
            _ => {}
        }
    }

    harness.caught_up(&["tally"]).await;
    assert_eq!(both(&harness, one).await, twice(&"a".repeat(500)));
    assert_eq!(both(&harness, two).await, twice(&"b".repeat(500)));
    for (number, state) in [(1, GenerationState::Live), (2, GenerationState::Kept)] {
        assert_eq!(generation(&harness, number).await.state, state);
    }
    assert_eq!(harness.count("select count(*) from readers.parked").await, 0);
    readers.stop().await;
}
