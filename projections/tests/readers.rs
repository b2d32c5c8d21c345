//! Readers: what they park, who owns them, and what stops them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may")]

#[path = "support/mod.rs"]
mod support;
#[path = "support/tally.rs"]
mod tally;

use std::collections::BTreeSet;
use std::time::Duration;

use infra::log::{Reader, ReaderOptions, parked, release, status, wait_for};
use infra::postgres::{ConnectOptions, connect};
use projections::audit_trail::AuditTrail;
use support::{LIMIT, World, options, start, until};
use tally::{ACTS, Act, Tally, cure};
use uuid::Uuid;

const DIE_ONCE: &str = include_str!("support/die_once.sql");
const REPLACE_OWNER: &str = include_str!("support/replace_owner.sql");

fn tally() -> Vec<Reader> {
    vec![Reader::projection::<Tally>()]
}

/// The letters of a stream, or what its last act came to.
async fn letters(world: &World, table: &str, stream: Uuid) -> Option<String> {
    let sql = format!(
        "select text from read_models.{table} where stream = $1 order by length(text) desc limit 1"
    );
    world.admin.query_opt(&sql, &[&stream]).await.unwrap().map(|row| row.get(0))
}

async fn add(world: &World, stream: Uuid, letters: &str) {
    for letter in letters.chars() {
        let data = format!(r#"{{"add":"{letter}"}}"#);
        world.append("tally", stream, "tally.added", 1, &data, None).await;
    }
}

async fn released(world: &World, reader: &str, stream: Uuid) {
    assert!(release(&world.pool, reader, stream).await.unwrap());
    until(|| async {
        parked(&world.pool, None, 10).await.unwrap().iter().all(|it| it.released_at.is_none())
    })
    .await;
}

#[tokio::test]
async fn a_poisoned_stream_waits_while_others_go_on_and_is_released_in_order() {
    let world = World::new().await;
    let (sick, well) = (Uuid::from_u128(0xa1), Uuid::from_u128(0xa2));
    add(&world, sick, "a!b").await;
    add(&world, well, "xyz").await;
    let readers = world.read(tally()).await;
    world.caught_up(&["tally"]).await;
    add(&world, sick, "cd").await;
    add(&world, well, "w").await;
    world.caught_up(&["tally"]).await;
    assert_eq!(letters(&world, "tally", sick).await.as_deref(), Some("a"));
    assert_eq!(letters(&world, "tally", well).await.as_deref(), Some("xyzw"));
    let seen = parked(&world.pool, None, 10).await.unwrap();
    assert_eq!((seen[0].stream, seen[0].from_position), (sick, 2));
    assert_eq!(seen[0].error, "event 2 cannot be read");

    cure(sick);
    released(&world, "tally", sick).await;

    assert_eq!(letters(&world, "tally", sick).await.as_deref(), Some("a!bcd"));
    assert!(parked(&world.pool, None, 10).await.unwrap().is_empty());
    add(&world, sick, "e").await;
    world.caught_up(&["tally"]).await;
    assert_eq!(letters(&world, "tally", sick).await.as_deref(), Some("a!bcde"));
    readers.stop().await;
}

#[tokio::test]
async fn a_stream_that_is_poisoned_again_stays_parked_with_the_new_reason() {
    let world = World::new().await;
    let sick = Uuid::from_u128(0xa3);
    add(&world, sick, "a?").await;
    let readers = world.read(tally()).await;
    world.caught_up(&["tally"]).await;
    let seen = parked(&world.pool, None, 10).await.unwrap();
    assert_eq!(seen[0].from_position, 2, "the database refused the letter, so its stream waits");
    add(&world, sick, "b").await;
    world.caught_up(&["tally"]).await;

    released(&world, "tally", sick).await;

    let seen = parked(&world.pool, None, 10).await.unwrap();
    assert_eq!((seen.len(), seen[0].from_position), (1, 2));
    assert!(seen[0].error.contains("tally_text_check"), "{}", seen[0].error);
    assert_eq!(letters(&world, "tally", sick).await.as_deref(), Some("a"));
    readers.stop().await;
}

#[tokio::test]
async fn a_worker_acts_once_and_its_half_done_act_is_undone() {
    let world = World::new().await;
    world.admin.batch_execute(ACTS).await.unwrap();
    let (sick, well) = (Uuid::from_u128(0xa4), Uuid::from_u128(0xa5));
    add(&world, sick, "a!").await;
    add(&world, well, "xy?z").await;
    let readers = world.read(vec![Reader::worker(Act)]).await;
    world.caught_up(&["act"]).await;
    assert_eq!(letters(&world, "acts", sick).await.as_deref(), Some("a"));
    assert_eq!(letters(&world, "acts", well).await.as_deref(), Some("xy"));
    assert_eq!(parked(&world.pool, None, 10).await.unwrap().len(), 2);

    cure(sick);
    released(&world, "act", sick).await;

    assert_eq!(letters(&world, "acts", sick).await.as_deref(), Some("a!"));
    assert_eq!(world.count("select count(*) from read_models.acts").await, 4);
    readers.stop().await;
}

#[tokio::test]
async fn rows_and_checkpoint_are_one_write_when_the_connection_dies_between_them() {
    let world = World::new().await;
    let readers = world.read(tally()).await;
    readers.stop().await;
    world.admin.batch_execute(DIE_ONCE).await.unwrap();
    let stream = Uuid::from_u128(0xa6);
    add(&world, stream, "abc").await;

    let readers = world.read(tally()).await;
    world.caught_up(&["tally"]).await;

    assert_eq!(world.count("select last_value from public.deaths").await, 2, "it died once");
    assert_eq!(letters(&world, "tally", stream).await.as_deref(), Some("abc"));
    readers.stop().await;
}

#[tokio::test]
async fn a_hole_stops_the_reader_before_it() {
    let world = World::new().await;
    let stream = Uuid::from_u128(0xa7);
    add(&world, stream, "ab").await;
    world.skip_a_position();
    add(&world, stream, "c").await;

    let readers = world.read(tally()).await;

    until(|| async {
        let status = status(&world.pool).await.unwrap();
        status[0].last_error.as_deref() == Some("the log has a hole: position 3 is missing")
    })
    .await;
    let status = status(&world.pool).await.unwrap();
    assert_eq!(status[0].position, 2);
    assert_eq!(letters(&world, "tally", stream).await.as_deref(), Some("ab"));
    readers.stop().await;
}

#[tokio::test]
async fn a_reader_waits_for_a_position_and_says_when_it_does_not_come() {
    let world = World::new().await;
    let readers = world.read(tally()).await;
    add(&world, Uuid::from_u128(0xa8), "a").await;

    assert!(wait_for::<Tally>(&world.pool, 1, LIMIT).await.unwrap());
    assert!(!wait_for::<Tally>(&world.pool, 2, Duration::from_millis(20)).await.unwrap());
    readers.stop().await;
}

fn both() -> Vec<Reader> {
    let mut both = projections::all();
    both.extend(tally());
    both
}

async fn owners(world: &World) -> Vec<Option<Uuid>> {
    status(&world.pool).await.unwrap().iter().map(|status| status.owner).collect()
}

async fn owned_by(world: &World, node: Uuid) -> usize {
    owners(world).await.into_iter().filter(|owner| *owner == Some(node)).count()
}

#[tokio::test]
async fn two_nodes_share_the_readers_and_one_that_leaves_gives_its_own_up() {
    let world = World::new().await;
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let first = world.read_as(options(one), both()).await;
    let all = both().len();
    until(|| async { owned_by(&world, one).await == all }).await;

    let second = world.read_as(options(two), both()).await;

    let (fewer, more) = (all / 2, all.div_ceil(2));
    let shares = BTreeSet::from([fewer, more]);
    until(|| async {
        let owned = [owned_by(&world, one).await, owned_by(&world, two).await];
        owned.iter().sum::<usize>() == all && owned.iter().all(|count| shares.contains(count))
    })
    .await;
    add(&world, Uuid::from_u128(0xa9), "abc").await;
    world.caught_up(&["accounts", "sessions", "audit_trail", "tally"]).await;
    first.stop().await;
    until(|| async { owned_by(&world, two).await == all }).await;
    second.stop().await;
    let left: BTreeSet<_> = owners(&world).await.into_iter().collect();
    assert_eq!(left, BTreeSet::from([None]));
}

#[test]
fn a_node_that_dies_is_replaced_within_seconds() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let (dying, living) = (runtime(), runtime());
    let world = living.block_on(World::new());
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let stream = Uuid::from_u128(0xaa);
    let url = world.databases.log_url.clone();
    let held = dying.block_on(async {
        let pool = connect(&url, &ConnectOptions::app()).await.unwrap();
        let brief = ReaderOptions { lease: Duration::from_secs(1), ..options(one) };
        start(pool, brief, tally()).await
    });
    living.block_on(async {
        add(&world, stream, "ab").await;
        world.caught_up(&["tally"]).await;
        assert_eq!(owned_by(&world, one).await, 1);
    });

    dying.shutdown_background();

    living.block_on(async {
        let readers = world.read_as(options(two), tally()).await;
        add(&world, stream, "cd").await;
        world.caught_up(&["tally"]).await;
        assert_eq!(owned_by(&world, two).await, 1);
        assert_eq!(letters(&world, "tally", stream).await.as_deref(), Some("abcd"));
        readers.stop().await;
    });
    drop(held);
}

#[tokio::test]
async fn an_owner_that_was_replaced_writes_nothing_more() {
    let world = World::new().await;
    let one = ReaderOptions { lease: Duration::from_mins(1), ..options(Uuid::from_u128(1)) };
    let readers = world
        .read_as(one, vec![Reader::projection::<Tally>(), Reader::projection::<AuditTrail>()])
        .await;
    let stream = Uuid::from_u128(0xab);
    add(&world, stream, "ab").await;
    world.caught_up(&["tally", "audit_trail"]).await;

    world.admin.batch_execute(REPLACE_OWNER).await.unwrap();
    add(&world, stream, "cd").await;

    world.caught_up(&["audit_trail"]).await;
    until(|| async { world.count("select is_called::int::bigint from public.refused").await > 0 })
        .await;
    assert_eq!(letters(&world, "tally", stream).await.as_deref(), Some("ab"));
    readers.stop().await;
}

#[tokio::test]
async fn an_owner_whose_fence_is_out_of_date_moves_nothing() {
    let world = World::new().await;
    let one = ReaderOptions { lease: Duration::from_mins(1), ..options(Uuid::from_u128(1)) };
    let readers = world.read_as(one, tally()).await;
    let stream = Uuid::from_u128(0xae);
    add(&world, stream, "ab").await;
    world.caught_up(&["tally"]).await;

    // The same node has taken the reader again: only the fence tells its two lives apart.
    let (count_refused, _) = REPLACE_OWNER.rsplit_once("update readers.checkpoints").unwrap();
    world.admin.batch_execute(count_refused).await.unwrap();
    let taken_again = "update readers.checkpoints set fence = fence + 1 where name = 'tally'";
    world.admin.batch_execute(taken_again).await.unwrap();
    add(&world, stream, "cd").await;

    until(|| async { world.count("select is_called::int::bigint from public.refused").await > 0 })
        .await;
    readers.stop().await;
}

#[tokio::test]
async fn a_reader_stops_at_an_event_that_cannot_be_read() {
    let world = World::new().await;
    add(&world, Uuid::from_u128(0xad), "ab").await;
    let damage = "set session_replication_role = replica; \
                  update event_log.events set recorded_at = '294000-01-01' where position = 2";
    world.admin.batch_execute(damage).await.unwrap();

    let readers = world.read(tally()).await;

    until(|| async {
        status(&world.pool).await.unwrap().iter().any(|reader| reader.last_error.is_some())
    })
    .await;
    let status = status(&world.pool).await.unwrap().remove(0);
    assert_eq!(status.position, 1);
    let error = status.last_error.unwrap();
    assert!(error.starts_with("the event at position 2 cannot be read: "), "{error}");
    readers.stop().await;
}
