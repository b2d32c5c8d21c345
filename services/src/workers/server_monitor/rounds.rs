//! One round every two seconds while there is a server: claims or releases servers, and writes the samples of all servers in one
//! statement.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDate;
use domain::ServerId;
use infra::monitors::{Opinion, Round, ServerFailures, WantedOpinion, WatchedServer};
use infra::postgres::PgError;
use infra::supervise;
use tokio::sync::{Mutex, mpsc};
use tokio::task::{AbortHandle, JoinSet};

use super::opinion::{self, Opinions};
use super::report::WatchReport;
use super::watch::watch;
use crate::wiring::App;

/// How many reports wait while the database is unreachable; further ones are dropped.
const WAITING_MAX: usize = 4096;

/// What another node has said last of a server.
type LastOpinion = tokio::sync::watch::Sender<Option<Opinion>>;

#[derive(Clone)]
pub struct Rounds(Arc<Mutex<State>>);

struct State {
    watches: HashMap<ServerId, Watch>,
    reports: mpsc::Sender<WatchReport>,
    received: mpsc::Receiver<WatchReport>,
    /// Servers of other nodes that are tried for them.
    tries: JoinSet<()>,
    /// The day on which the tables of the next days were created.
    day: Option<NaiveDate>,
}

/// The task that watches one server, for as long as this node has its fence.
struct Watch {
    fence: i64,
    task: AbortHandle,
    opinion: LastOpinion,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Rounds {
    pub fn new() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        Self(Arc::new(Mutex::new(State {
            watches: HashMap::new(),
            reports: sender,
            received: receiver,
            tries: JoinSet::new(),
            day: None,
        })))
    }

    /// Whether this node watches a server now.
    pub async fn round(&self, app: App) -> Result<bool, PgError> {
        if app.config.monitor_seconds == 0 {
            return Ok(false);
        }
        let mut state = self.0.lock().await;
        let today = app.clock.now().date_naive();
        if state.day != Some(today) {
            app.monitors.create_days().await?;
            state.day = Some(today);
        }
        // Before the rows are read: a watch ends once its pause is written.
        state.forget_ended();
        let Round { servers, opinions } = app.monitors.round().await?;
        state.follow(&app, &servers, watch);
        state.give(&app, opinions);
        state.write(&app).await?;
        Ok(!servers.is_empty())
    }

    /// Ends every watch and releases the servers: other nodes can claim them at once.
    pub async fn stop(&self, app: &App) {
        let mut state = self.0.lock().await;
        state.watches.clear();
        state.tries.abort_all();
        if app.config.monitor_seconds == 0 {
            return;
        }
        if let Err(error) = state.write(app).await {
            tracing::warn!(%error, "the last samples were not written");
        }
        if let Err(error) = app.monitors.release_all().await {
            tracing::warn!(%error, "watched servers were not released: other nodes claim them in some seconds");
        }
    }
}

impl State {
    fn forget_ended(&mut self) {
        self.watches.retain(|_, watch| !watch.task.is_finished());
        while self.tries.try_join_next().is_some() {}
    }

    /// Ends what is no longer watched by this node; with `watch`, starts what is not under way, unless it is
    /// paused; and hands on what other nodes have said.
    fn follow<W, F>(&mut self, app: &App, watched: &[WatchedServer], watch: W)
    where
        W: Fn(App, WatchedServer, mpsc::Sender<WatchReport>, Opinions) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        let fences: HashMap<ServerId, i64> =
            watched.iter().map(|watched| (watched.server, watched.fence)).collect();
        self.watches.retain(|server, watch| fences.get(server) == Some(&watch.fence));
        for watched in watched {
            if let Some(watch) = self.watches.get(&watched.server) {
                watch.opinion.send_if_modified(|known| {
                    std::mem::replace(known, watched.opinion) != watched.opinion
                });
            } else if !watched.is_paused {
                let opinion = LastOpinion::new(watched.opinion);
                let watch = watch(app.clone(), *watched, self.reports.clone(), opinion.subscribe());
                let task = tokio::spawn(supervised(app.clone(), watched.server, watch));
                let watch = Watch { fence: watched.fence, task: task.abort_handle(), opinion };
                self.watches.insert(watched.server, watch);
            }
        }
        // Those that are paused as well: this node starts them again.
        app.metrics.servers_watched.set(i64::try_from(watched.len()).unwrap_or(i64::MAX));
    }

    /// Tries what other nodes do not reach.
    fn give(&mut self, app: &App, opinions: Vec<WantedOpinion>) {
        for wanted in opinions {
            let given = opinion::give(app.clone(), wanted);
            self.tries.spawn(supervised(app.clone(), wanted.server, given));
        }
    }

    async fn write(&mut self, app: &App) -> Result<(), PgError> {
        let (mut measured, mut failures) = (Vec::new(), HashMap::new());
        while let Ok(report) = self.received.try_recv() {
            match report {
                WatchReport::Measured(one) => measured.push(one),
                WatchReport::Failures(one) => drop(failures.insert(one.server, one)),
            }
        }
        let failures: Vec<ServerFailures> = failures.into_values().collect();
        app.monitors.write(&measured).await?;
        app.monitors.record_failures(&failures).await
    }
}

/// A watch that panics is counted, and the next round starts another. Readiness does not show it: what a team's
/// server answers takes no node from the others.
async fn supervised(app: App, server: ServerId, watch: impl Future<Output = ()>) {
    if let Err(error) = supervise::caught(watch).await {
        app.metrics.worker_panics.inc();
        tracing::error!(%server, %error, "the watch of a server failed: the next round starts it again");
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicU32, Ordering};

    use domain::WorkspaceId;
    use test_support::until;
    use uuid::Uuid;

    use super::*;
    use crate::workers::tests::Harness;

    #[tokio::test]
    async fn a_watch_that_panics_is_counted_and_started_again_in_the_next_round() {
        let harness = Harness::new().await;
        let app = harness.node().await;
        let rounds = Rounds::new();
        let mut state = rounds.0.lock().await;
        let server = WatchedServer {
            server: ServerId(Uuid::from_u128(1)),
            workspace: WorkspaceId(Uuid::from_u128(2)),
            fence: 1,
            failures: None,
            refused: 0,
            is_paused: false,
            opinion: None,
        };
        let started = Arc::new(AtomicU32::new(0));
        let watch = |_, _, _, _| {
            let started = Arc::clone(&started);
            async move {
                assert_ne!(started.fetch_add(1, Ordering::Relaxed), 0, "the first time");
                pending::<()>().await;
            }
        };

        state.follow(&app, &[server], watch);

        let panics = app.metrics.worker_panics.clone();
        until("its panic is counted", async || panics.get() == 1).await;
        assert_eq!(app.panicked.names(), [""; 0]);
        until("it has ended", async || state.watches.values().all(|it| it.task.is_finished()))
            .await;

        state.forget_ended();
        for _ in 0..2 {
            state.follow(&app, &[server], watch);
        }

        until("it is started again", async || started.load(Ordering::Relaxed) == 2).await;
    }
}
