//! Snapshots of states, so that a long stream need not be read from its beginning.

use tokio::sync::mpsc;
use uuid::Uuid;

use super::state::{AnyState, Loaded, Stored};
use crate::log::json::JsonText;
use crate::postgres::{PgError, Pool};
use crate::supervise;
use crate::workspace_rows::{DeleteRows, WorkspaceRows};

/// Writes snapshots in its own task, so that no command waits for them. If the queue is full, a snapshot
/// is skipped: the next one that is due replaces it.
pub struct Snapshots {
    every: i64,
    queue: mpsc::Sender<Snapshot>,
}

pub struct Snapshot {
    stream: Uuid,
    version: i64,
    position: i64,
    state_version: i16,
    state: AnyState,
    encode: fn(&AnyState) -> Option<String>,
}

const WAITING_MAX: usize = 64;

/// What an erasure deletes of a workspace: the snapshots of all its streams.
pub const SNAPSHOTS_OF_WORKSPACE: WorkspaceRows = WorkspaceRows {
    table: "event_log.snapshots",
    delete: DeleteRows::ByOthers(include_str!("delete_snapshots.sql")),
};

impl Snapshots {
    /// One snapshot after every `every` events of a stream. The task ends when this value is dropped.
    pub fn start(pool: Pool, every: i64) -> Self {
        let (queue, mut snapshots) = mpsc::channel::<Snapshot>(WAITING_MAX);
        supervise::spawn("snapshots", async move {
            while let Some(snapshot) = snapshots.recv().await {
                if let Err(error) = snapshot.write(&pool).await {
                    let stream = snapshot.stream;
                    tracing::warn!(%error, %stream, "a snapshot was not written");
                }
            }
        });
        Self { every: every.max(1), queue }
    }

    /// Takes one when the last `events` events of the stream passed a multiple of `every`.
    pub fn take_if_due<A: Stored>(&self, stream: Uuid, events: i64, loaded: &Loaded<A>) {
        let before = loaded.version - events;
        if events == 0 || loaded.version / self.every == before / self.every {
            return;
        }
        let _ = self.queue.try_send(Snapshot::of(stream, loaded));
    }
}

impl Snapshot {
    pub fn of<A: Stored>(stream: Uuid, loaded: &Loaded<A>) -> Self {
        let Loaded { state, version, position } = loaded.clone();
        let state_version = A::SNAPSHOT_VERSION;
        Self { stream, version, position, state_version, state, encode: encode::<A> }
    }

    /// Writes nothing when the state holds a clear personal field: it cannot be encoded.
    pub async fn write(&self, pool: &Pool) -> Result<(), PgError> {
        let Some(state) = (self.encode)(&self.state) else { return Ok(()) };
        let client = pool.get().await?;
        let write = client.prepare_cached(include_str!("write_snapshot.sql")).await?;
        let state = JsonText(&state);
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&self.stream, &self.version, &self.state_version, &state, &self.position];
        client.execute(&write, &values).await?;
        Ok(())
    }
}

fn encode<A: Stored>(state: &AnyState) -> Option<String> {
    serde_json::to_string(state.downcast_ref::<A>()?).ok()
}
