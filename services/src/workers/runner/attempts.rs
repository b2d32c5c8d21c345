//! The attempts of this node: each works on one task while its lease is renewed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::{RunId, ServerId};
use infra::failpoint;
use infra::metrics::Metrics;
use infra::postgres::PgError;
use infra::run_queue::{ClaimRound, HeldTask, RunLimits, Task};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::attempt::{Attempt, AttemptSignals};
use crate::wiring::App;
use crate::workers::Wake;

type Key = (RunId, ServerId, u32);

/// How long attempts may take to stop.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// So seldom this node looks at every workspace that waits.
const WHOLE_ROUND_EVERY: Duration = Duration::from_secs(5);

struct Slot {
    task: HeldTask,
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
    round: ClaimRound,
    /// The round goes on at once, until every workspace that waits has been looked at.
    is_whole: bool,
    /// When the last whole round began.
    whole_at: Option<Instant>,
}

#[derive(Clone)]
pub struct Attempts {
    app: App,
    state: Arc<Mutex<State>>,
    wake: Wake,
    /// A task that waits may have become free.
    may_be_free: Arc<AtomicBool>,
}

impl Attempts {
    pub fn new(app: &App, wake: &Wake, may_be_free: &Arc<AtomicBool>) -> Self {
        let state = State {
            slots: HashMap::new(),
            tasks: JoinSet::new(),
            renewed: Instant::now(),
            stopped: false,
            round: ClaimRound::default(),
            is_whole: false,
            whole_at: None,
        };
        let (wake, may_be_free) = (wake.clone(), may_be_free.clone());
        Self { app: app.clone(), state: Arc::new(Mutex::new(state)), wake, may_be_free }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims tasks up to the node's limit. `true`: there may be more.
    pub async fn claim(&self) -> Result<bool, PgError> {
        let at_once = limits(&self.app);
        let (slots, mut round, may_begin) = {
            let mut state = self.state();
            if state.remove_ended(&self.app.metrics) {
                self.may_be_free.store(true, Ordering::Relaxed);
            }
            (at_once.free_slots(state.taken()), state.round, state.may_begin_round())
        };
        let Some(slots) = slots else { return Ok(false) };
        let begins_anew = may_begin && self.may_be_free.swap(false, Ordering::Relaxed);
        if begins_anew {
            round.begin_here();
            self.state().whole_at = Some(Instant::now());
        }
        let claimed = self.app.run_queue.claim(self.app.node, slots, at_once, &mut round).await;
        if claimed.is_err() && begins_anew {
            self.may_be_free.store(true, Ordering::Relaxed);
        }
        let tasks = claimed?;
        failpoint!(RunClaimed if !tasks.is_empty());
        let may_have_more = tasks.len() >= usize::try_from(slots.most).unwrap_or(usize::MAX);
        let mut state = self.state();
        state.round = round;
        state.is_whole = (state.is_whole || begins_anew) && round.is_under_way();
        if !state.stopped {
            for task in tasks {
                state.start(&self.app, task);
            }
        }
        state.note_slots(&self.app.metrics, at_once);
        Ok(may_have_more || state.is_whole)
    }

    /// Renews every lease. Aborts the attempts whose task another node has claimed.
    pub async fn renew(&self) -> Result<(), PgError> {
        let sent_at = Instant::now();
        let tasks: Vec<HeldTask> = {
            let mut state = self.state();
            // What they kept from being started is free.
            if state.remove_ended(&self.app.metrics) {
                self.may_be_free.store(true, Ordering::Relaxed);
                self.wake.notify_one();
            }
            state.note_slots(&self.app.metrics, limits(&self.app));
            // A round that was wished for too early.
            if state.may_begin_round() && self.may_be_free.load(Ordering::Relaxed) {
                self.wake.notify_one();
            }
            if state.slots.is_empty() {
                state.renewed = sent_at;
                return Ok(());
            }
            state.slots.values().map(Slot::to_held).collect()
        };
        let lease = self.app.run_queue.lease();
        let renewed = tokio::time::timeout(lease, self.app.run_queue.renew(self.app.node, &tasks));
        let renewed = match renewed.await {
            Ok(Ok(renewed)) => renewed,
            Ok(Err(error)) => return Err(self.state().on_failed_renewal(lease, error)),
            Err(_) => return Err(self.state().on_failed_renewal(lease, PgError::Busy)),
        };
        let mut state = self.state();
        state.renewed = sent_at;
        for HeldTask { run, lease: task_lease, .. } in tasks {
            let key = (run, task_lease.server, task_lease.attempt);
            let kept = renewed.iter().find(|one| (one.run, one.server, one.attempt) == key);
            match (kept, state.slots.get(&key)) {
                (Some(kept), Some(slot)) if kept.cancel => {
                    slot.cancel.send_if_modified(|cancel| !std::mem::replace(cancel, true));
                }
                (None, Some(slot)) if slot.task.lease == task_lease => slot.abort.abort(),
                _ => {}
            }
        }
        Ok(())
    }

    /// Ends every lease, so that other nodes can claim the tasks at once. The commands keep running.
    pub async fn stop(&self) {
        let mut tasks = {
            let mut state = self.state();
            state.stopped = true;
            state.slots.clear();
            std::mem::take(&mut state.tasks)
        };
        if tokio::time::timeout(STOP_WITHIN, tasks.shutdown()).await.is_err() {
            tracing::warn!("some attempts did not stop in time");
        }
        if let Err(error) = self.app.run_queue.hand_over(self.app.node).await {
            tracing::warn!(%error, "the leases of runs were not ended: other nodes claim the runs when the leases expire");
        }
    }
}

impl State {
    fn start(&mut self, app: &App, task: Task) {
        let key = (task.run, task.lease.server, task.lease.attempt);
        if let Some(slot) = self.slots.get(&key) {
            // Its lease has expired, and this node has claimed the task again.
            slot.abort.abort();
        }
        let (cancel, cancelled) = watch::channel(task.cancel);
        let reached = Arc::new(AtomicBool::new(false));
        let held_task = HeldTask { run: task.run, lease: task.lease, reached: false };
        let signals = AttemptSignals { reached: reached.clone(), cancel: cancelled };
        let attempt = Attempt::new(app.clone(), task, signals);
        let abort = self.tasks.spawn(async move {
            Box::pin(attempt.work()).await;
            key
        });
        self.slots.insert(key, Slot { task: held_task, reached, cancel, abort });
    }

    fn taken(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    fn note_slots(&self, metrics: &Metrics, limits: RunLimits) {
        metrics.run_slots.set(limits.per_node.into());
        metrics.run_slots_free.set(limits.per_node.saturating_sub(self.taken()).into());
    }

    fn may_begin_round(&self) -> bool {
        self.whole_at.is_none_or(|at| at.elapsed() >= WHOLE_ROUND_EVERY)
    }

    /// Deletes the attempts that have ended. `false`: there was none.
    fn remove_ended(&mut self, metrics: &Metrics) -> bool {
        let mut any = false;
        while let Some(ended) = self.tasks.try_join_next() {
            any = true;
            if let Err(error) = ended
                && error.is_panic()
            {
                metrics.worker_panics.inc();
                tracing::error!(
                    "an attempt at a run has panicked: its task is claimed again when its lease expires"
                );
            }
        }
        self.slots.retain(|_, slot| !slot.abort.is_finished());
        any
    }

    /// Aborts every attempt if the leases may have expired: other nodes may have claimed the tasks.
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
    fn to_held(&self) -> HeldTask {
        HeldTask { reached: self.reached.load(Ordering::Relaxed), ..self.task }
    }
}

fn limits(app: &App) -> RunLimits {
    RunLimits {
        per_server: app.config.runs_per_server,
        per_workspace: app.config.runs_per_workspace,
        per_account: app.config.runs_per_account,
        per_node: app.config.runs_per_node,
    }
}

#[cfg(test)]
mod tests {
    use domain::run::TaskLease;
    use test_support::until;
    use uuid::Uuid;

    use super::*;
    use crate::workers::tests::Harness;

    #[tokio::test]
    async fn an_attempt_that_panics_is_counted_and_makes_room_for_others() {
        let harness = Harness::new().await;
        let app = harness.node().await;
        let attempts = Attempts::new(&app, &Wake::default(), &Arc::default());
        let (run, server) = (RunId(Uuid::from_u128(1)), ServerId(Uuid::from_u128(2)));
        let lease = TaskLease { server, attempt: 1, fence: 1 };
        let key = (run, server, lease.attempt);
        {
            let mut state = attempts.state();
            let abort = state.tasks.spawn(async { panic!("of a test") });
            let task = HeldTask { run, lease, reached: false };
            let (cancel, reached) = (watch::Sender::new(false), Arc::default());
            state.slots.insert(key, Slot { task, reached, cancel, abort });
        }

        until("it is forgotten", async || {
            attempts.renew().await.unwrap();
            attempts.state().slots.is_empty()
        })
        .await;

        assert_eq!(app.metrics.worker_panics.get(), 1);
        assert!(attempts.may_be_free.load(Ordering::Relaxed), "others are looked for");
    }
}
