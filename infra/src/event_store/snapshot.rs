//! A state now and then, so that a long stream need not be read from its beginning.

use std::sync::Arc;

use deadpool_postgres::GenericClient;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::step::AnyState;
use super::{Loaded, Stored};
use crate::log::json::JsonText;
use crate::postgres::{PgError, Pool};

/// Takes snapshots beside the command's path. One that finds the queue full is left out: the next
/// hundred events ask again.
pub(super) struct Snapshots {
    every: i64,
    queue: mpsc::Sender<Shot>,
}

pub(super) struct Shot {
    stream: Uuid,
    version: i64,
    snapshot_version: i16,
    state: AnyState,
    encode: fn(&AnyState) -> Option<String>,
}

const WAITING_MAX: usize = 64;

impl Snapshots {
    /// A snapshot every so many events. The task ends with this value.
    pub fn start(pool: Pool, every: i64) -> Self {
        let (queue, mut shots) = mpsc::channel::<Shot>(WAITING_MAX);
        tokio::spawn(async move {
            while let Some(shot) = shots.recv().await {
                if let Err(error) = write(&pool, &shot).await {
                    tracing::warn!(%error, stream = %shot.stream, "a snapshot was not taken");
                }
            }
        });
        Self { every: every.max(1), queue }
    }

    /// Takes one when the last `events` events passed a hundredth.
    pub fn consider<A: Stored>(&self, stream: Uuid, events: i64, at: &Loaded<A>) {
        let before = at.version - events;
        if events == 0 || at.version / self.every == before / self.every {
            return;
        }
        let _ = self.queue.try_send(shot(stream, at));
    }
}

pub(super) fn shot<A: Stored>(stream: Uuid, at: &Loaded<A>) -> Shot {
    let state: AnyState = Arc::<A>::clone(&at.state);
    let snapshot_version = A::SNAPSHOT_VERSION;
    Shot { stream, version: at.version, snapshot_version, state, encode: encode::<A> }
}

fn encode<A: Stored>(state: &AnyState) -> Option<String> {
    serde_json::to_string(state.downcast_ref::<A>()?).ok()
}

pub(super) async fn write(pool: &Pool, shot: &Shot) -> Result<(), PgError> {
    let Some(state) = (shot.encode)(&shot.state) else { return Ok(()) };
    let client = pool.get().await?;
    let write = client.prepare_cached(include_str!("snapshot.sql")).await?;
    let state = JsonText(&state);
    client.execute(&write, &[&shot.stream, &shot.version, &shot.snapshot_version, &state]).await?;
    Ok(())
}
