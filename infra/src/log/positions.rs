//! How far the readers of this node have read, for those of this node who wait for a position, and what they do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::Projection;
use super::activity::{Activity, ReaderActivity};
use super::status::wait_for;
use super::wake::rise;
use crate::postgres::{PgError, Pool};
use crate::trouble::{LastTry, Trouble};

/// Name and version.
type Label = (&'static str, i16);

/// How far the readers of this node have read. A checkpoint may say less for a moment: events that
/// a reader does not want are written to it later. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ReadPositions(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    announced: Mutex<HashMap<Label, Announced>>,
    renewal: LastTry,
}

#[derive(Clone, Debug)]
struct Announced {
    /// Closed once the reader has ended on this node. What it said stays true.
    reached: watch::Receiver<i64>,
    awaited: watch::Sender<i64>,
    activity: Arc<Activity>,
}

/// Those who wait for one reader of this node.
pub(super) struct Waiters {
    reached: watch::Sender<i64>,
    awaited: watch::Receiver<i64>,
}

impl ReadPositions {
    /// Waits until the projection shows what stands at `position`; `false` when it does not in time.
    /// A reader of this node answers from memory, and reads its next page sooner.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn wait_for<P: Projection>(
        &self,
        pool: &Pool,
        position: i64,
        limit: Duration,
    ) -> Result<bool, PgError> {
        let until = Instant::now() + limit;
        if let Some(Announced { mut reached, awaited, .. }) = self.of((P::NAME, P::VERSION)) {
            rise(&awaited, position);
            match timeout_at(until, reached.wait_for(|reached| *reached >= position)).await {
                Ok(Ok(_)) => return Ok(true),
                // Another node may own the reader by now.
                Ok(Err(_)) => {}
                Err(_) => return Ok(false),
            }
        }
        wait_for::<P>(pool, position, until.saturating_duration_since(Instant::now())).await
    }

    /// What a reader of this node does; `None`: this node does not run it.
    pub fn activity(&self, name: &str, version: i16) -> Option<ReaderActivity> {
        let positions = self.announced();
        let found = positions.iter().find(|(label, _)| **label == (name, version));
        let (_, announced) = found?;
        // It is closed once the reader has ended.
        announced.reached.has_changed().is_ok().then(|| announced.activity.look())
    }

    /// Since when this node renews no lease of its readers, and why; `None`: it does.
    pub fn renewal_trouble(&self) -> Option<Trouble> {
        self.0.renewal.trouble()
    }

    pub(super) fn note_renewal(&self, renewed: &Result<(), PgError>) {
        self.0.renewal.note(renewed);
    }

    fn announced(&self) -> MutexGuard<'_, HashMap<Label, Announced>> {
        self.0.announced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, label: Label) -> Option<Announced> {
        self.announced().get(&label).cloned()
    }

    /// A reader starts on this node.
    pub(super) fn announce(&self, label: Label, position: i64, activity: Arc<Activity>) -> Waiters {
        let (reached, watched) = watch::channel(position);
        let (asked, awaited) = watch::channel(0);
        let announced = Announced { reached: watched, awaited: asked, activity };
        self.announced().insert(label, announced);
        Waiters { reached, awaited }
    }
}

impl Waiters {
    /// The reader has read so far.
    pub(super) fn reached(&self, position: i64) {
        rise(&self.reached, position);
    }

    /// Waits until somebody waits for what comes after `position`.
    pub(super) async fn awaited(&mut self, position: i64) {
        if self.awaited.wait_for(|awaited| *awaited > position).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
