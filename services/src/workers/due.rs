//! Looks for work that is due, for all timers at once: an idle node asks each of the two databases one statement
//! every two seconds.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use infra::keyring::KeyringError;
use infra::postgres::PgError;

use super::blocked_queue::{BlockedQueue, Tried};
use super::sweeps::MAILS_KEPT;
use super::timer::{Timers, Wake};
use crate::operations::request_erasure::SETTLED_AFTER;
use crate::wiring::App;

const DUE: &str = include_str!("due.sql");
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A timer that is woken runs this often in any case: each look finds again what is due.
pub(super) const SELDOM: Duration = Duration::from_mins(5);

/// What wakes the timers that have work.
#[derive(Clone, Default)]
pub(super) struct Due {
    pub mails: Wake,
    pub seats: Wake,
    pub outbox: Wake,
    pub sessions: Wake,
    pub invitations: Wake,
    pub runs: Wake,
    pub erasures: Wake,
    pub monitors: Wake,
    /// A task that waits may have become free: all workspaces that wait are looked at.
    pub may_be_free: Arc<AtomicBool>,
    /// Whether this node watches servers.
    pub watching: Arc<AtomicBool>,
    queue: Arc<Mutex<BlockedQueue>>,
}

impl Due {
    pub(super) fn start_timers(&self, timers: &mut Timers) {
        let due = self.clone();
        timers.on_every_node("due work", LOOK_EVERY, None, move |app| {
            let due = due.clone();
            async move { due.look(&app).await }
        });
        let due = self.clone();
        timers.on_every_node("due erasures", LOOK_EVERY, None, move |app| {
            let due = due.clone();
            async move { due.look_for_erasures(&app).await }
        });
    }

    /// Wakes the timers that have work in the events' database.
    pub(super) async fn look(&self, app: &App) -> Result<(), PgError> {
        // The lease on the servers that are watched here does not wait for what follows. One of them may be no more.
        let is_watching = self.watching.load(Ordering::Relaxed);
        if is_watching {
            self.monitors.notify_one();
        }
        let client = app.pool.get().await?;
        let due = client.prepare_cached(DUE).await?;
        let now = app.clock.now();
        let row = client.query_one(&due, &[&now, &(now - MAILS_KEPT)]).await?;
        drop(client);
        for (name, wake) in [
            ("mails", &self.mails),
            ("outbox", &self.outbox),
            ("sessions", &self.sessions),
            ("invitations", &self.invitations),
            ("runs", &self.runs),
        ] {
            if row.try_get(name)? {
                wake.notify_one();
            }
        }
        let queue = row.try_get("queue")?;
        let tried = self.queue().is_tried(queue, Instant::now());
        if tried == Some(Tried::Changed) {
            self.may_be_free.store(true, Ordering::Relaxed);
        }
        if tried.is_some() {
            self.runs.notify_one();
        }
        if row.try_get("monitors")? && !is_watching {
            self.monitors.notify_one();
        }
        let seat: Option<f64> = row.try_get("seat_seconds")?;
        // No seat stays taken until the next look.
        if let Some(left) = seat.map(|left| Duration::try_from_secs_f64(left).unwrap_or_default())
            && left < LOOK_EVERY
        {
            let seats = self.seats.clone();
            tokio::spawn(async move {
                tokio::time::sleep(left).await;
                seats.notify_one();
            });
        }
        Ok(())
    }

    fn queue(&self) -> MutexGuard<'_, BlockedQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the eraser if it has work.
    pub(super) async fn look_for_erasures(&self, app: &App) -> Result<(), KeyringError> {
        let now = app.clock.now();
        let waiting = app.stuck_erasures.waiting(now);
        if app.keyring.ledger.has_work(now - SETTLED_AFTER, now, &waiting).await? {
            self.erasures.notify_one();
        }
        Ok(())
    }
}
