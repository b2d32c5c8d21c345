//! Two replays of one projection: the second is refused, or has taken over from one that was paused.

use std::time::Duration;

use crate::harness::LogHarness;
use crate::mixed;
use crate::replay::{replayed, small};
use infra::log::{
    Progress, REPLAY_CONNECTIONS, Reader, ReplayError, ReplayOptions, Replayed, replay,
    restart_past, sweep_generations,
};
use infra::postgres::{ConnectOptions, connect, connect_one};
use test_support::{until, until_waits_for_lock};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

/// As of a replay that was killed: nobody renews it.
pub const END_LEASE: &str = "update readers.generations
    set node = null, lease_until = clock_timestamp() - interval '1 s' where state = 'building'";

/// A replay that waits at about the half until it may go on.
pub struct PausedReplay {
    go_on: std::sync::mpsc::Sender<()>,
    replaying: tokio::task::JoinHandle<Result<Replayed, ReplayError>>,
}

impl PausedReplay {
    /// Of `sessions`.
    fn start(runtime: &Runtime, harness: &LogHarness, options: ReplayOptions) -> Self {
        let sessions = projections::named("sessions").unwrap();
        Self::start_of(sessions, runtime, harness, ConnectOptions::app(), options)
    }

    pub fn start_of(
        reader: Reader,
        runtime: &Runtime,
        harness: &LogHarness,
        connect_options: ConnectOptions,
        options: ReplayOptions,
    ) -> Self {
        let url = harness.databases.log_url.clone();
        let (half, reached) = std::sync::mpsc::channel();
        let (go_on, goes_on) = std::sync::mpsc::channel();
        let replaying = runtime.spawn(async move {
            let connections_max = REPLAY_CONNECTIONS.into();
            let pool = ConnectOptions { connections_max, ..connect_options };
            let pool = connect(&url, &pool).await.unwrap();
            let (_keep, cancel) = watch::channel(false);
            let mut waited = false;
            let wait_at_half = move |progress: Progress| {
                if !waited && progress.done > progress.total / 2 {
                    waited = true;
                    half.send(()).unwrap();
                    // Else nothing of this runtime might hear of its sockets meanwhile.
                    tokio::task::block_in_place(|| goes_on.recv().unwrap());
                }
            };
            replay(&pool, &reader, options, cancel, wait_at_half).await
        });
        reached.recv().unwrap();
        Self { go_on, replaying }
    }

    pub fn end(self, runtime: &Runtime) -> Result<Replayed, ReplayError> {
        self.go_on.send(()).unwrap();
        runtime.block_on(self.replaying).unwrap()
    }
}

/// A paused replay holds a thread.
pub fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap()
}

#[test]
fn a_second_replay_at_once_is_refused() {
    let runtime = runtime();
    let harness = runtime.block_on(LogHarness::new());
    runtime.block_on(mixed::live(&harness, 12));
    let patient = ReplayOptions { lease: Duration::from_mins(1), ..small() };
    let first = PausedReplay::start(&runtime, &harness, patient);

    let (_keep, cancel) = watch::channel(false);
    let sessions = projections::named("sessions").unwrap();
    let second = replay(&harness.pool, &sessions, patient, cancel, |_| {});
    let second = runtime.block_on(second);

    assert!(matches!(second, Err(ReplayError::Running { .. })), "{second:?}");
    assert_eq!(first.end(&runtime).unwrap().from, 0);
}

#[test]
fn a_replay_keeps_its_lease_while_it_reads_with_as_few_connections_as_it_needs() {
    let runtime = runtime();
    let harness = runtime.block_on(LogHarness::new());
    runtime.block_on(mixed::live(&harness, 12));
    let short = ReplayOptions { lease: Duration::from_secs(1), ..small() };
    let paused = PausedReplay::start(&runtime, &harness, short);

    runtime.block_on(lease_is_renewed(&harness));

    paused.end(&runtime).unwrap();
}

#[test]
fn a_replay_keeps_its_lease_while_it_makes_indexes() {
    let runtime = runtime();
    let harness = runtime.block_on(LogHarness::new());
    runtime.block_on(mixed::live(&harness, 12));
    let short = ReplayOptions { lease: Duration::from_secs(1), ..small() };
    let PausedReplay { go_on, replaying } = PausedReplay::start(&runtime, &harness, short);

    let replayed = runtime.block_on(async {
        let options = ConnectOptions::default();
        let holder = connect_one(&harness.databases.log_url, &options).await.unwrap();
        let table = "read_models.sessions_v1_g2";
        // Rows are written, and an index waits.
        let lock = format!("begin; lock table {table} in row exclusive mode");
        holder.batch_execute(&lock).await.unwrap();
        go_on.send(()).unwrap();
        until_waits_for_lock(&harness.admin, table).await;

        lease_is_renewed(&harness).await;

        holder.batch_execute("commit").await.unwrap();
        replaying.await.unwrap()
    });
    assert_eq!(replayed.unwrap().generation, 2);
}

async fn lease_is_renewed(harness: &LogHarness) {
    let until_sql = "select lease_until::text from readers.generations
        where name = 'sessions' and state = 'building'";
    let lease_until = async || -> String {
        harness.pool.get().await.unwrap().query_one(until_sql, &[]).await.unwrap().get(0)
    };
    let first = lease_until().await;
    until("it is renewed", async || lease_until().await != first).await;
}

#[test]
fn a_replay_that_another_has_taken_over_writes_nothing_more() {
    let runtime = runtime();
    let harness = runtime.block_on(LogHarness::new());
    runtime.block_on(mixed::live(&harness, 12));
    let paused = PausedReplay::start(&runtime, &harness, small());
    let written = "select position from readers.generations
        where name = 'sessions' and state = 'building'";
    let take = "update readers.generations
        set fence = nextval('readers.generation_fences'), lease_until = 'infinity'
        where state = 'building'";
    let before = runtime.block_on(async {
        assert_eq!(harness.admin.execute(take, &[]).await.unwrap(), 1);
        harness.count(written).await
    });

    let ended = paused.end(&runtime);

    assert!(matches!(ended, Err(ReplayError::Lost)), "{ended:?}");
    assert!(before > 0);
    assert_eq!(runtime.block_on(harness.count(written)), before);
    let held = "select count(*) from readers.generations where lease_until = 'infinity'";
    assert_eq!(runtime.block_on(harness.count(held)), 1, "the other's lease is not touched");
}

#[test]
fn a_replay_that_was_paused_does_not_join_what_a_later_one_has_half_built() {
    let runtime = runtime();
    let harness = runtime.block_on(LogHarness::new());
    runtime.block_on(mixed::live(&harness, 12));
    let paused = PausedReplay::start(&runtime, &harness, small());
    assert_eq!(runtime.block_on(harness.admin.execute(END_LEASE, &[])).unwrap(), 1);
    runtime.block_on(replayed(&harness, "sessions", small()));
    let live = runtime.block_on(harness.checksum("read_models.sessions"));
    let later = PausedReplay::start(&runtime, &harness, small());

    let ended = paused.end(&runtime);

    assert!(matches!(ended, Err(ReplayError::Lost)), "{ended:?}");
    assert_eq!(later.end(&runtime).unwrap().from, 0);
    assert_eq!(runtime.block_on(harness.checksum("read_models.sessions")), live);
}

#[test]
fn a_replay_that_has_read_events_that_the_log_has_lost_joins_nothing() {
    let runtime = runtime();
    let harness = runtime.block_on(LogHarness::new());
    runtime.block_on(mixed::live(&harness, 12));
    let readers = runtime.block_on(harness.read(projections::all()));
    runtime.block_on(harness.caught_up(&["sessions"]));
    runtime.block_on(readers.stop());
    let live = runtime.block_on(harness.checksum("read_models.sessions"));
    let paused = PausedReplay::start(&runtime, &harness, small());
    // As after a failover without the last event, and another in its place.
    let other = "set session_replication_role = replica; \
        update event_log.events set event_id = gen_random_uuid() \
        where position = (select max(position) from event_log.events)";
    runtime.block_on(harness.admin.batch_execute(other)).unwrap();

    let ended = paused.end(&runtime);

    assert!(ended.as_ref().is_err_and(|error| error.to_string().contains("the log")), "{ended:?}");
    assert_eq!(runtime.block_on(harness.checksum("read_models.sessions")), live);
}

#[test]
fn a_replay_that_a_restore_comes_upon_writes_nothing_more() {
    let runtime = runtime();
    let harness = runtime.block_on(LogHarness::new());
    runtime.block_on(mixed::live(&harness, 12));
    let paused = PausedReplay::start(&runtime, &harness, small());
    let head = harness.head();

    runtime.block_on(restart_past(&harness.pool, head)).unwrap();

    let ended = paused.end(&runtime);
    assert!(matches!(ended, Err(ReplayError::Lost)), "{ended:?}");
}

#[test]
fn a_replay_whose_generation_was_swept_meanwhile_writes_nothing_more() {
    let runtime = runtime();
    let harness = runtime.block_on(LogHarness::new());
    runtime.block_on(mixed::live(&harness, 12));
    let paused = PausedReplay::start(&runtime, &harness, small());
    let late = "update readers.generations
        set node = null, lease_until = clock_timestamp() - interval '61 s' where state = 'building'";
    assert_eq!(runtime.block_on(harness.admin.execute(late, &[])).unwrap(), 1);

    let swept = runtime.block_on(sweep_generations(&harness.pool)).unwrap();

    assert_eq!(swept, ["sessions_v1_g2"]);
    let ended = paused.end(&runtime);
    assert!(matches!(ended, Err(ReplayError::Lost)), "{ended:?}");
    let failed =
        "select count(*) from readers.generations where generation = 2 and state = 'failed'";
    assert_eq!(runtime.block_on(harness.count(failed)), 1);
}
