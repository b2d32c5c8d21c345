//! Replays: a generation that equals the one of before, whatever happens meanwhile.

use std::time::Duration;

use crate::harness::{LogHarness, newest_version};
use crate::replay_takeover::END_LEASE;
use crate::tally::{Act, Tally, cure};
use crate::{mixed, team};
use infra::build_id::Build;
use infra::log::{
    Progress, Reader, ReplayError, ReplayOptions, Replayed, parked, rehearse, replay, status,
};
use infra::postgres::{ConnectOptions, connect};
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

/// Every projection there is: a new one is tested with the others.
fn all() -> Vec<&'static str> {
    projections::all().iter().map(Reader::name).collect()
}

/// So small that rows are written, forgotten and loaded again many times.
pub fn small() -> ReplayOptions {
    let node = Uuid::from_u128(9);
    let lease = Duration::from_millis(300);
    ReplayOptions {
        build: Build([7; 32]),
        lap: 17,
        changed_max: 5,
        rows_max: 3,
        lease,
        newest_version,
        ..ReplayOptions::of(node)
    }
}

pub async fn replayed(harness: &LogHarness, name: &str, options: ReplayOptions) -> Replayed {
    let (_keep, cancel) = watch::channel(false);
    let projection = projections::named(name).unwrap();
    replay(&harness.pool, &projection, options, cancel, |_| {}).await.unwrap()
}

async fn tables(harness: &LogHarness) -> Vec<String> {
    let mut tables = Vec::new();
    for table in projections::all().iter().filter_map(Reader::view) {
        tables.push(harness.checksum(&table).await);
    }
    tables
}

#[tokio::test]
async fn a_replay_from_zero_gives_the_same_tables() {
    let harness = LogHarness::new().await;
    mixed::live(&harness, 12).await;
    team::work(&harness, 6).await;
    let readers = harness.read(projections::all()).await;
    harness.caught_up(&all()).await;
    let live = tables(&harness).await;
    for (name, table) in all().iter().zip(&live) {
        assert!(!table.starts_with("0 "), "no event of the test makes a row of {name}");
    }
    assert_eq!(harness.count("select count(*) from readers.parked").await, 0);
    let indexes = "select count(*) from pg_indexes where schemaname = 'read_models'";
    let built = harness.count(indexes).await;

    for name in all() {
        assert!(replayed(&harness, name, small()).await.events > 0, "{name}");
    }

    assert_eq!(tables(&harness).await, live);
    let large = ReplayOptions::of(Uuid::from_u128(9));
    for name in all() {
        replayed(&harness, name, large).await;
    }
    assert_eq!(tables(&harness).await, live);
    assert_eq!(harness.count(indexes).await, built);
    readers.stop().await;
}

#[tokio::test]
async fn a_replay_gives_the_same_tables_while_events_come() {
    let harness = LogHarness::new().await;
    mixed::live(&harness, 6).await;
    let readers = harness.read(projections::all()).await;

    let (replay, ()) =
        tokio::join!(replayed(&harness, "accounts", small()), mixed::live(&harness, 5));

    assert!(replay.through <= harness.head());
    harness.caught_up(&all()).await;
    let live = tables(&harness).await;
    readers.stop().await;
    replayed(&harness, "accounts", small()).await;
    assert_eq!(tables(&harness).await, live);
}

#[tokio::test]
async fn a_cancelled_replay_leaves_the_live_table_as_it_was() {
    let harness = LogHarness::new().await;
    mixed::live(&harness, 12).await;
    let readers = harness.read(projections::all()).await;
    harness.caught_up(&all()).await;
    let live = tables(&harness).await;
    let (cancel, cancelled) = watch::channel(false);
    let projection = projections::named("sessions").unwrap();
    let at_half = move |progress: Progress| {
        if progress.done > progress.total / 2 {
            cancel.send_replace(true);
        }
    };

    let ended = replay(&harness.pool, &projection, small(), cancelled, at_half).await;

    assert!(matches!(ended, Err(ReplayError::Cancelled)), "{ended:?}");
    assert_eq!(tables(&harness).await, live);
    let tables = "select count(*) from pg_tables where schemaname = 'read_models'";
    assert_eq!(harness.count(tables).await, i64::try_from(projections::all().len()).unwrap());
    let cancelled = "select count(*) from readers.generations
        where name = 'sessions' and generation = 2 and state = 'cancelled' and lease_until is null";
    assert_eq!(harness.count(cancelled).await, 1);
    readers.stop().await;
}

/// Longer than this test takes.
const OF_KILLED: Duration = Duration::from_mins(10);

/// Kills a replay at about the half, with the runtime it is in. It keeps its lease.
fn kill_at_half(harness: &LogHarness, name: &'static str) {
    let dying = tokio::runtime::Runtime::new().unwrap();
    let (half, mut reached) = mpsc::unbounded_channel();
    let url = harness.databases.log_url.clone();
    dying.spawn(async move {
        let pool = connect(&url, &ConnectOptions::app()).await.unwrap();
        let (_keep, cancel) = watch::channel(false);
        let tell = move |progress: Progress| {
            if progress.done > progress.total / 2 {
                half.send(()).unwrap();
                // Killed here: this thread never comes back.
                loop {
                    std::thread::park();
                }
            }
        };
        let options = ReplayOptions { lease: OF_KILLED, ..small() };
        let _ = replay(&pool, &projections::named(name).unwrap(), options, cancel, tell).await;
    });
    reached.blocking_recv().unwrap();
    dying.shutdown_background();
}

#[test]
fn a_killed_replay_refuses_another_for_its_lease_and_is_resumed_after_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let harness = runtime.block_on(async {
        let harness = LogHarness::new().await;
        mixed::live(&harness, 12).await;
        harness
    });
    let readers = runtime.block_on(async {
        let readers = harness.read(projections::all()).await;
        harness.caught_up(&all()).await;
        readers
    });
    let live = runtime.block_on(tables(&harness));

    for (resume, events) in [(true, 1..180), (false, 180..181)] {
        kill_at_half(&harness, "sessions");
        runtime.block_on(async {
            let (_keep, cancel) = watch::channel(false);
            let sessions = projections::named("sessions").unwrap();
            let options = ReplayOptions { resume, ..small() };
            // A lease that is much longer than one's own is taken for one of a clock that ran ahead.
            let patient = ReplayOptions { lease: OF_KILLED, ..options };
            let early = replay(&harness.pool, &sessions, patient, cancel, |_| {}).await;
            assert!(matches!(early, Err(ReplayError::Running { .. })), "{early:?}");
            assert_eq!(harness.admin.execute(END_LEASE, &[]).await.unwrap(), 1);

            let replayed = replayed(&harness, "sessions", options).await;

            assert!(events.contains(&replayed.events), "{}", replayed.events);
            assert_eq!(tables(&harness).await, live);
        });
    }
    runtime.block_on(readers.stop());
}

#[tokio::test]
async fn a_replay_that_fails_gives_its_lease_back() {
    let harness = LogHarness::new().await;
    mixed::live(&harness, 2).await;
    harness.skip_a_position();
    mixed::live(&harness, 2).await;
    let patient = ReplayOptions { lease: Duration::from_mins(1), ..small() };

    for _ in 0..2 {
        let (_keep, cancel) = watch::channel(false);
        let sessions = projections::named("sessions").unwrap();
        let failed = replay(&harness.pool, &sessions, patient, cancel, |_| {}).await;
        assert!(matches!(failed, Err(ReplayError::Feed(_))), "{failed:?}");
    }
}

#[tokio::test]
async fn a_replay_whose_table_is_gone_starts_over() {
    let harness = LogHarness::new().await;
    mixed::live(&harness, 3).await;
    let readers = harness.read(projections::all()).await;
    harness.caught_up(&all()).await;
    let live = tables(&harness).await;
    let half = "insert into readers.generations
          (name, version, generation, state, build, node, lease_until, position, ceiling, indexed)
        select name, version, 2, 'building', repeat('07', 32), gen_random_uuid(), clock_timestamp(), 10, 20, true
        from readers.checkpoints where name = 'accounts'";
    harness.admin.batch_execute(half).await.unwrap();

    let resume = ReplayOptions { resume: true, ..small() };
    let replayed = replayed(&harness, "accounts", resume).await;

    assert_eq!(replayed.events, 30);
    assert_eq!(tables(&harness).await, live);
    readers.stop().await;
}

#[tokio::test]
async fn a_replay_parks_what_it_cannot_read_and_heals_what_it_can() {
    let harness = LogHarness::new().await;
    let tally = Reader::projection::<Tally>();
    let (sick, healed) = (Uuid::from_u128(0xac), Uuid::from_u128(0xad));
    for stream in [sick, healed] {
        for letter in ["a", "!", "b"] {
            let data = format!(r#"{{"add":"{letter}"}}"#);
            harness.append("tally", stream, "tally.added", 1, &data, None).await;
        }
    }
    let readers = harness.read(vec![tally.clone()]).await;
    harness.caught_up(&["tally"]).await;
    assert_eq!(parked(&harness.pool, None, None, 10).await.unwrap().len(), 2);
    cure(healed);
    let (_keep, cancel) = watch::channel(false);

    let replayed = replay(&harness.pool, &tally, small(), cancel, |_| {}).await.unwrap();

    assert_eq!((replayed.events, replayed.parked), (4, 1));
    let left = parked(&harness.pool, None, None, 10).await.unwrap();
    assert_eq!((left.len(), left[0].stream, left[0].from_position), (1, sick, 2));
    let letters = "select count(*) from read_models.tally where text in ('a', 'a!b')";
    assert_eq!(harness.count(letters).await, 2);
    assert_eq!(status(&harness.pool).await.unwrap()[0].parked, 1);
    readers.stop().await;
}

#[tokio::test]
async fn a_hole_stops_a_replay() {
    let harness = LogHarness::new().await;
    mixed::live(&harness, 3).await;
    harness.skip_a_position();
    mixed::live(&harness, 1).await;
    for name in ["accounts", "audit_trail"] {
        let (_keep, cancel) = watch::channel(false);
        let projection = projections::named(name).unwrap();

        let ended = replay(&harness.pool, &projection, small(), cancel, |_| {}).await;

        let error = ended.unwrap_err().to_string();
        assert_eq!(error, "the log has a hole: position 76 is missing");
    }
}

#[tokio::test]
async fn a_worker_is_never_replayed_and_a_rehearsal_writes_nothing() {
    let harness = LogHarness::new().await;
    mixed::live(&harness, 3).await;
    let (_keep, cancel) = watch::channel(false);

    let refused = replay(&harness.pool, &Reader::worker(Act), small(), cancel, |_| {}).await;

    assert!(matches!(refused, Err(ReplayError::Worker)));
    let accounts = projections::named("accounts").unwrap();
    assert_eq!(rehearse(&harness.pool, &accounts).await.unwrap().events, 30);
    let tables = "select count(*) from pg_tables where schemaname = 'read_models'";
    assert_eq!(harness.count(tables).await, 0);
}
