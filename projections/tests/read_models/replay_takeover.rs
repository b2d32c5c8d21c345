//! A replay that was paused for so long that another has taken over.

use crate::harness::LogHarness;
use crate::mixed;
use crate::replay::{replayed, small};
use infra::log::{Progress, ReplayError, Replayed, replay};
use infra::postgres::{ConnectOptions, connect};
use tokio::sync::watch;

/// A replay of `sessions` that waits at about the half until it may go on.
struct PausedReplay {
    go_on: std::sync::mpsc::Sender<()>,
    replaying: tokio::task::JoinHandle<Result<Replayed, ReplayError>>,
}

impl PausedReplay {
    fn start(runtime: &tokio::runtime::Runtime, harness: &LogHarness) -> Self {
        let url = harness.databases.log_url.clone();
        let (half, reached) = std::sync::mpsc::channel();
        let (go_on, goes_on) = std::sync::mpsc::channel();
        let replaying = runtime.spawn(async move {
            let pool = connect(&url, &ConnectOptions::app()).await.unwrap();
            let (_keep, cancel) = watch::channel(false);
            let mut waited = false;
            let wait_at_half = move |progress: Progress| {
                if !waited && progress.done > progress.total / 2 {
                    waited = true;
                    half.send(()).unwrap();
                    goes_on.recv().unwrap();
                }
            };
            let sessions = projections::named("sessions").unwrap();
            replay(&pool, &sessions, small(), cancel, wait_at_half).await
        });
        reached.recv().unwrap();
        Self { go_on, replaying }
    }

    fn end(self, runtime: &tokio::runtime::Runtime) -> Result<Replayed, ReplayError> {
        self.go_on.send(()).unwrap();
        runtime.block_on(self.replaying).unwrap()
    }
}

/// A paused replay holds a thread.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap()
}

#[test]
fn a_replay_that_another_has_taken_over_writes_nothing_more() {
    let runtime = runtime();
    let harness = runtime.block_on(LogHarness::new());
    runtime.block_on(mixed::live(&harness, 12));
    let paused = PausedReplay::start(&runtime, &harness);
    let written = "select position from readers.replays where name = 'sessions'";
    let take = "update readers.replays set fence = fence + 1, lease_until = 'infinity'";
    let before = runtime.block_on(async {
        assert_eq!(harness.admin.execute(take, &[]).await.unwrap(), 1);
        harness.count(written).await
    });

    let ended = paused.end(&runtime);

    assert!(matches!(ended, Err(ReplayError::Lost)), "{ended:?}");
    assert!(before > 0);
    assert_eq!(runtime.block_on(harness.count(written)), before);
    let held = "select count(*) from readers.replays where lease_until = 'infinity'";
    assert_eq!(runtime.block_on(harness.count(held)), 1, "the other's lease is not touched");
}

#[test]
fn a_replay_that_was_paused_does_not_swap_what_a_later_one_has_half_built() {
    let runtime = runtime();
    let harness = runtime.block_on(LogHarness::new());
    runtime.block_on(mixed::live(&harness, 12));
    let end_lease = "update readers.replays set lease_until = clock_timestamp() - interval '1 s'";
    let paused = PausedReplay::start(&runtime, &harness);
    runtime.block_on(harness.admin.batch_execute(end_lease)).unwrap();
    runtime.block_on(replayed(&harness, "sessions", small()));
    let live = runtime.block_on(harness.checksum("read_models.sessions"));
    let later = PausedReplay::start(&runtime, &harness);

    let ended = paused.end(&runtime);

    assert!(matches!(ended, Err(ReplayError::Lost)), "{ended:?}");
    assert_eq!(later.end(&runtime).unwrap().from, 0);
    assert_eq!(runtime.block_on(harness.checksum("read_models.sessions")), live);
}
