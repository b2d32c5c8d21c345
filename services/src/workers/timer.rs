//! Work on a timer: on every node, or only on the node that has the leader lease.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use infra::cluster::leader_lease::LeaderLease;
use infra::supervise;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::wiring::App;

/// When a node dies, another node can acquire its leader lease after this time.
const LEASE: Duration = Duration::from_secs(5);

/// How long work that is under way may take when the node stops.
const STOP: Duration = Duration::from_secs(10);

/// A worker that reads the log uses this to start its timer early.
pub(super) type Wake = Arc<Notify>;

pub(super) struct Timers {
    app: App,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

#[derive(Clone)]
struct Timer {
    name: &'static str,
    period: Duration,
    wake: Option<Wake>,
    leader_lease: Option<LeaderLease>,
}

impl Timers {
    pub(super) fn new(app: &App) -> Self {
        Self { app: app.clone(), stop: watch::Sender::new(false), tasks: JoinSet::new() }
    }

    pub(super) fn on_every_node<W, F, E>(
        &mut self,
        name: &'static str,
        period: Duration,
        wake: Option<Wake>,
        work: W,
    ) where
        W: Fn(App) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send,
        E: Display + Send,
    {
        self.spawn(Timer { name, period, wake, leader_lease: None }, work);
    }

    pub(super) fn on_one_node<W, F, E>(
        &mut self,
        name: &'static str,
        period: Duration,
        wake: Option<Wake>,
        work: W,
    ) where
        W: Fn(App) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send,
        E: Display + Send,
    {
        self.spawn(
            Timer { name, period, wake, leader_lease: Some(self.app.leader_lease.clone()) },
            work,
        );
    }

    fn spawn<W, F, E>(&mut self, timer: Timer, work: W)
    where
        W: Fn(App) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send,
        E: Display + Send,
    {
        let (app, mut stop) = (self.app.clone(), self.stop.subscribe());
        self.tasks.spawn(async move {
            while !*stop.borrow() {
                timer.run(&app, &work).await;
                tokio::select! {
                    () = timer.wait() => {}
                    _ = stop.changed() => {}
                }
            }
        });
    }

    pub(super) async fn stop(mut self) {
        self.stop.send_replace(true);
        let ended = async {
            while let Some(ended) = self.tasks.join_next().await {
                if let Err(error) = ended {
                    tracing::error!(%error, "the timer of a worker panicked or was aborted");
                }
            }
        };
        if tokio::time::timeout(STOP, ended).await.is_err() {
            tracing::warn!(
                "a worker was stopped before it had finished: it continues at the next start"
            );
            self.tasks.shutdown().await;
        }
        if let Err(error) = self.app.leader_lease.release().await {
            tracing::warn!(%error, "leader leases were not released: other nodes wait until they expire");
        }
    }
}

impl Timer {
    async fn run<W, F, E>(&self, app: &App, work: &W)
    where
        W: Fn(App) -> F,
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        if app.watermark.watermark().check().is_err() || app.keyring.went_back().borrow().is_some()
        {
            return;
        }
        if let Some(lease) = &self.leader_lease {
            if app.keyring.roots_usable().is_err() {
                // A node that can open and seal does it: this one's lease expires.
                return;
            }
            // One that is woken runs whenever there is work, and its lease ends as fast as it may be needed.
            let length = if self.wake.is_some() { LEASE } else { LEASE.max(2 * self.period) };
            match lease.acquire(self.name, length).await {
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(worker = self.name, %error, "the leader lease was not acquired");
                    return;
                }
            }
        }
        match supervise::caught(async { work(app.clone()).await }).await {
            Ok(Ok(())) => app.panicked.remove(self.name),
            Ok(Err(error)) => {
                app.panicked.remove(self.name);
                tracing::warn!(worker = self.name, %error, "a worker failed: it runs again at its next interval");
            }
            Err(error) => {
                app.panicked.add(self.name);
                app.metrics.worker_panics.inc();
                tracing::error!(worker = self.name, %error, "a worker failed: it runs again at its next interval");
            }
        }
    }

    async fn wait(&self) {
        let period = tokio::time::sleep(self.period);
        let Some(wake) = &self.wake else { return period.await };
        tokio::select! {
            () = period => {}
            // The reader commits its rows a moment after it sends the wake-up.
            () = wake.notified() => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicU32, Ordering};

    use domain::EventId;
    use infra::log::watermark::NewestEvent;
    use test_support::until;

    use super::*;
    use crate::workers::tests::Harness;

    #[tokio::test]
    async fn a_node_without_its_root_key_leaves_the_work_of_one_node_to_others() {
        let harness = Harness::new().await;
        let (app, other) = (harness.node().await, harness.node().await);
        let (lease, name) = (app.leader_lease.clone(), "probe");
        let period = Duration::from_secs(1);
        let timer = Timer { name, period, wake: None, leader_lease: Some(lease) };
        let ran = AtomicU32::new(0);
        let work = |_| async {
            ran.fetch_add(1, Ordering::Relaxed);
            Ok::<(), Infallible>(())
        };
        let (file, away) = (harness.root_file(), harness.root_file().with_extension("away"));
        std::fs::rename(&file, &away).unwrap();
        until("it is seen", async || app.keyring.roots_usable().is_err()).await;

        timer.run(&app, &work).await;
        let others = other.leader_lease.acquire(name, LEASE).await.unwrap();

        assert_eq!(ran.load(Ordering::Relaxed), 0);
        assert!(others.is_some(), "it has taken the lease");
        std::fs::rename(&away, &file).unwrap();
        until("it is seen", async || app.keyring.roots_usable().is_ok()).await;
        other.leader_lease.release().await.unwrap();
        timer.run(&app, &work).await;
        assert_eq!(ran.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_node_whose_log_went_back_runs_no_timer() {
        let harness = Harness::new().await;
        let app = harness.node().await;
        let period = Duration::from_secs(1);
        let timer = Timer { name: "probe", period, wake: None, leader_lease: None };
        let ran = AtomicU32::new(0);
        let work = |_| async {
            ran.fetch_add(1, Ordering::Relaxed);
            Ok::<(), Infallible>(())
        };
        timer.run(&app, &work).await;
        assert_eq!(ran.load(Ordering::Relaxed), 1, "the control");
        let lost = NewestEvent { position: 9, event: EventId(uuid::Uuid::nil()) };
        app.watermark.watermark().raise(lost);
        app.watermark.secure().await.unwrap_err();

        timer.run(&app, &work).await;

        assert_eq!(ran.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_worker_that_panics_is_shown_and_runs_again() {
        let harness = Harness::new().await;
        let app = harness.node().await;
        let period = Duration::from_secs(1);
        let timer = Timer { name: "probe", period, wake: None, leader_lease: None };
        let runs = AtomicU32::new(0);
        let work = |_| async {
            assert_ne!(runs.fetch_add(1, Ordering::Relaxed), 0, "the first time");
            Ok::<(), Infallible>(())
        };

        timer.run(&app, &work).await;
        assert_eq!(app.panicked.names(), ["probe"]);
        assert_eq!(app.metrics.worker_panics.get(), 1);

        timer.run(&app, &work).await;
        assert_eq!(app.panicked.names(), [""; 0]);
    }
}
