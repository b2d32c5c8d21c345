//! How far the readers of this node have read, for those of this node who wait for a position.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::Projection;
use super::status::wait_for;
use super::wake::rise;
use crate::postgres::{PgError, Pool};

/// Name and version.
type Label = (&'static str, i16);

/// How far the readers of this node have read. A checkpoint may say less for a moment: events that
/// a reader does not want are written to it later. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ReadPositions(Arc<Mutex<HashMap<Label, Announced>>>);

#[derive(Clone, Debug)]
struct Announced {
    /// Closed once the reader has ended on this node. What it said stays true.
    reached: watch::Receiver<i64>,
    awaited: watch::Sender<i64>,
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
        if let Some(Announced { mut reached, awaited }) = self.of((P::NAME, P::VERSION)) {
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

    fn of(&self, label: Label) -> Option<Announced> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&label).cloned()
    }

    /// A reader starts on this node.
    pub(super) fn announce(&self, label: Label, position: i64) -> Waiters {
        let (reached, watched) = watch::channel(position);
        let (asked, awaited) = watch::channel(0);
        let announced = Announced { reached: watched, awaited: asked };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(label, announced);
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
