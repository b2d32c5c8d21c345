//! Snapshots of states, so that a long stream need not be read from its beginning.

use std::time::Duration;

use domain::TenantId;
use tokio::sync::mpsc;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::state::{AnyState, Loaded, Stored};
use crate::log::json::JsonText;
use crate::postgres::{PgError, Pool};
use crate::supervise;
use crate::workspace_rows::{DeleteRows, WorkspaceRows};

const WRITE: &str = include_str!("write_snapshot.sql");
const WAITING_MAX: usize = 64;
/// Most commands are answered so soon after their load: a snapshot does not compete with them.
const PAUSE: Duration = Duration::from_millis(10);
/// A larger state is read from its events.
const STATE_BYTES_MAX: usize = 1024 * 1024;
/// A state that stays in memory is not loaded again: its snapshot is for the next start, and may be older.
const APPENDED_FOR_READ: i64 = 40;

/// What an erasure deletes of a workspace: the snapshots of all its streams.
pub const SNAPSHOTS_OF_WORKSPACE: WorkspaceRows = WorkspaceRows {
    table: "event_log.snapshots",
    delete: DeleteRows::ByOthers(include_str!("delete_snapshots.sql")),
};

/// Writes snapshots in its own task, so that no command waits for them. If the queue is full, a snapshot
/// is skipped: the next load of the stream takes one.
pub struct Snapshots {
    every: i64,
    queue: mpsc::Sender<Snapshot>,
}

pub struct Snapshot {
    tenant: TenantId,
    stream: Uuid,
    version: i64,
    position: i64,
    state_version: i16,
    state: AnyState,
    encode: fn(&AnyState) -> Option<String>,
    /// Whatever snapshot the stream has: it cannot be used.
    replaces: bool,
}

impl Snapshots {
    /// One after each load that reads `every` events or more. The task ends when this value is dropped.
    pub fn start(pool: Pool, every: i64) -> Self {
        let (queue, mut due) = mpsc::channel(WAITING_MAX);
        supervise::spawn("snapshots", async move {
            while let Some(first) = due.recv().await {
                tokio::time::sleep(PAUSE).await;
                for snapshot in newest_of_each(first, &mut due) {
                    if let Err(error) = snapshot.write(&pool).await {
                        let stream = snapshot.stream;
                        tracing::warn!(%error, %stream, "a snapshot was not written");
                    }
                }
            }
        });
        Self { every: every.max(1), queue }
    }

    /// After a load that has read `events` events besides the snapshot. `unusable`: the stream's snapshot
    /// was read around.
    pub fn take_after_load<A: Stored>(
        &self,
        (tenant, stream): (TenantId, Uuid),
        loaded: &Loaded<A>,
        events: i64,
        unusable: bool,
    ) {
        if events >= self.every || (unusable && events > 0) {
            let snapshot = Snapshot::of(tenant, stream, loaded);
            self.take(Snapshot { replaces: unusable, ..snapshot });
        }
    }

    /// After an append of `events` events, which lead to this state.
    pub fn take_after_append<A: Stored>(
        &self,
        (tenant, stream): (TenantId, Uuid),
        loaded: &Loaded<A>,
        events: i64,
    ) {
        let every = self.every.saturating_mul(APPENDED_FOR_READ);
        if loaded.version / every != (loaded.version - events) / every {
            self.take(Snapshot::of(tenant, stream, loaded));
        }
    }

    fn take(&self, snapshot: Snapshot) {
        let _ = self.queue.try_send(snapshot);
    }
}

/// Of all that are due now, the newest of each stream, in their order.
fn newest_of_each(first: Snapshot, due: &mut mpsc::Receiver<Snapshot>) -> Vec<Snapshot> {
    let mut newest = vec![first];
    while newest.len() < WAITING_MAX
        && let Ok(next) = due.try_recv()
    {
        match newest.iter_mut().find(|known| known.stream == next.stream) {
            Some(known) => {
                let replaces = known.replaces || next.replaces;
                if next.version >= known.version {
                    *known = next;
                }
                known.replaces = replaces;
            }
            None => newest.push(next),
        }
    }
    newest
}

impl Snapshot {
    pub fn of<A: Stored>(tenant: TenantId, stream: Uuid, loaded: &Loaded<A>) -> Self {
        let Loaded { state, version, position } = loaded.clone();
        let (state_version, encode) = (A::SNAPSHOT_VERSION, encode::<A>);
        Self { tenant, stream, version, position, state_version, state, encode, replaces: false }
    }

    /// Writes nothing when the state holds a clear personal field, which cannot be encoded, when it is
    /// too large, and when its subject is erased.
    pub async fn write(&self, pool: &Pool) -> Result<(), PgError> {
        let Some(state) = (self.encode)(&self.state) else { return Ok(()) };
        if state.len() > STATE_BYTES_MAX {
            let (stream, bytes) = (self.stream, state.len());
            tracing::debug!(%stream, bytes, "a state is too large for a snapshot");
            return Ok(());
        }
        let client = pool.get().await?;
        let write = client.prepare_cached(WRITE).await?;
        let state = JsonText(&state);
        let values: [&(dyn ToSql + Sync); 7] = [
            &self.stream,
            &self.version,
            &self.state_version,
            &state,
            &self.position,
            &self.tenant.0,
            &self.replaces,
        ];
        client.execute(&write, &values).await?;
        Ok(())
    }
}

fn encode<A: Stored>(state: &AnyState) -> Option<String> {
    serde_json::to_string(state.downcast_ref::<A>()?).ok()
}
