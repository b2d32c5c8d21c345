//! The attempts of this node: each at one task, for as long as its lease is renewed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::{RunId, ServerId};
use infra::postgres::PgError;
use infra::run_queue::{HeldTask, RunLimits, Task};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::attempt::Attempt;
use crate::wiring::App;

type Key = (RunId, ServerId, u32);

/// How long attempts may take to stop.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// How an attempt and the renewal of its lease communicate.
#[derive(Clone)]
pub(super) struct AttemptSignals {
    /// The server is reached.
    pub reached: Arc<AtomicBool>,
    /// The run is to be cancelled.
    pub cancel: watch::Receiver<bool>,
}

struct Slot {
    held: HeldTask,
    reached: Arc<AtomicBool>,
    cancel: watch::Sender<bool>,
    abort: tokio::task::AbortHandle,
}

struct State {
    slots: HashMap<Key, Slot>,
    tasks: JoinSet<Key>,
    /// When the last renewal that succeeded was sent.
    renewed: Instant,
    stopped: bool,
}

#[derive(Clone)]
pub(in crate::workers) struct Attempts {
    app: App,
    state: Arc<Mutex<State>>,
}

impl Attempts {
    pub(in crate::workers) fn new(app: &App) -> Self {
        let state = State {
            slots: HashMap::new(),
            tasks: JoinSet::new(),
            renewed: Instant::now(),
            stopped: false,
        };
        Self { app: app.clone(), state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what there is to do and this node has room for. Answers whether there may be more.
    pub(in crate::workers) async fn take(&self) -> Result<bool, PgError> {
        let limits = limits(&self.app);
        let room = {
            let mut state = self.state();
            state.remove_ended();
            limits.per_node.saturating_sub(u32::try_from(state.slots.len()).unwrap_or(u32::MAX))
        };
        if room == 0 {
            return Ok(false);
        }
        // Claimed in small helpings, so that other nodes have their part and none waits for long.
        let most = room.min(8);
        let tasks = self.app.run_queue.claim(self.app.node, most, limits).await?;
        let may_have_more = tasks.len() >= usize::try_from(most).unwrap_or(usize::MAX);
        let mut state = self.state();
        if !state.stopped {
            for task in tasks {
                state.start(&self.app, task);
            }
        }
        Ok(may_have_more)
    }

    /// Renews every lease. An attempt whose task is another's by now stops where it is.
    pub(in crate::workers) async fn renew(&self) -> Result<(), PgError> {
        let sent_at = Instant::now();
        let held: Vec<HeldTask> = {
            let mut state = self.state();
            state.remove_ended();
            if state.slots.is_empty() {
                state.renewed = sent_at;
                return Ok(());
            }
            state.slots.values().map(Slot::held).collect()
        };
        let lease = self.app.run_queue.lease();
        let renewed = tokio::time::timeout(lease, self.app.run_queue.renew(self.app.node, &held));
        let renewed = match renewed.await {
            Ok(Ok(renewed)) => renewed,
            Ok(Err(error)) => return Err(self.state().on_failed_renewal(lease, error)),
            Err(_) => return Err(self.state().on_failed_renewal(lease, PgError::Busy)),
        };
        let mut state = self.state();
        state.renewed = sent_at;
        for HeldTask { run, lease: task_lease, .. } in held {
            let key = (run, task_lease.server, task_lease.attempt);
            let still = renewed.iter().find(|one| (one.run, one.server, one.attempt) == key);
            match (still, state.slots.get(&key)) {
                (Some(still), Some(slot)) if still.cancel => {
                    slot.cancel.send_if_modified(|cancel| !std::mem::replace(cancel, true));
                }
                (None, Some(slot)) if slot.held.lease == task_lease => slot.abort.abort(),
                _ => {}
            }
        }
        Ok(())
    }

    /// Lets every task go, for other nodes to go on with at once. The commands run on.
    pub(in crate::workers) async fn stop(&self) {
        let mut tasks = {
            let mut state = self.state();
            state.stopped = true;
            state.slots.clear();
            std::mem::take(&mut state.tasks)
        };
        if tokio::time::timeout(STOP_WITHIN, tasks.shutdown()).await.is_err() {
            tracing::warn!("an attempt did not stop in time");
        }
        if let Err(error) = self.app.run_queue.hand_over(self.app.node).await {
            tracing::warn!(%error, "runs were not handed over: they are taken once their leases end");
        }
    }
}

impl State {
    fn start(&mut self, app: &App, task: Task) {
        let key = (task.run, task.lease.server, task.lease.attempt);
        if let Some(slot) = self.slots.get(&key) {
            // Its lease had run out: this claim is the newer one.
            slot.abort.abort();
        }
        let (cancel, cancelled) = watch::channel(task.cancel);
        let reached = Arc::new(AtomicBool::new(false));
        let held = HeldTask { run: task.run, lease: task.lease, reached: false };
        let signals = AttemptSignals { reached: reached.clone(), cancel: cancelled };
        let attempt = Attempt::new(app.clone(), task, signals);
        let abort = self.tasks.spawn(async move {
            attempt.work().await;
            key
        });
        self.slots.insert(key, Slot { held, reached, cancel, abort });
    }

    /// Deletes the attempts that have ended.
    fn remove_ended(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            if let Err(error) = ended
                && error.is_panic()
            {
                tracing::error!("an attempt at a run has failed: its task is taken again");
            }
        }
        self.slots.retain(|_, slot| !slot.abort.is_finished());
    }

    /// The lease may have run out: then the tasks are others', and nothing here touches them.
    fn on_failed_renewal(&mut self, lease: Duration, error: PgError) -> PgError {
        if self.renewed.elapsed() >= lease {
            for slot in self.slots.values() {
                slot.abort.abort();
            }
        }
        error
    }
}

impl Slot {
    fn held(&self) -> HeldTask {
        HeldTask { reached: self.reached.load(Ordering::Relaxed), ..self.held }
    }
}

fn limits(app: &App) -> RunLimits {
    RunLimits {
        per_server: app.config.runs_per_server,
        per_workspace: app.config.runs_per_workspace,
        per_node: app.config.runs_per_node,
    }
}
