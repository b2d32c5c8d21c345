//! Folders of attempts that have ended, which could not be removed from their servers.

use domain::{RunId, ServerId, WorkspaceId};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::{RunQueue, signed};
use crate::postgres::PgError;
use crate::statement::{execute, query};
use crate::workspace_rows::{DeleteRows, WorkspaceRows};

const NOTE: &str = include_str!("note_leftover.sql");
const TAKE: &str = include_str!("take_leftovers.sql");
const DELETE: &str = "delete from working.run_leftovers \
    where run_id = $1 and server_id = $2 and attempt = $3";
/// What an erasure deletes of a workspace.
pub const LEFTOVERS_OF_WORKSPACE: WorkspaceRows = WorkspaceRows {
    table: "working.run_leftovers",
    delete: DeleteRows::InBatches(include_str!("delete_leftovers_of_workspace.sql")),
};

/// An attempt whose folder stays on its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct Leftover {
    pub run: RunId,
    pub server: ServerId,
    pub attempt: u32,
    pub workspace: WorkspaceId,
}

/// A folder that is to be removed now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct DueLeftover {
    pub leftover: Leftover,
    /// Where its start was sent to, as [`super::Task::place`].
    pub place: Option<Vec<u8>>,
    /// It has been there for 14 days: this is the last try, after which its row is to be deleted.
    pub is_last: bool,
}

impl RunQueue {
    /// Notes a folder, which is to be removed an hour later from where its start was sent to. Of an erased workspace
    /// nothing is noted.
    pub async fn note_leftover(
        &self,
        leftover: Leftover,
        place: Option<&[u8]>,
    ) -> Result<(), PgError> {
        let Leftover { run, server, attempt, workspace } = leftover;
        let attempt = signed(attempt);
        let values: [&(dyn ToSql + Sync); 5] = [&run.0, &server.0, &attempt, &workspace.0, &place];
        execute(&self.pool, NOTE, &values).await.map(drop)
    }

    /// At most `limit` folders that are due. No other node gets them, and each comes again unless it is deleted: six
    /// hours later, then each day.
    pub async fn take_leftovers(&self, limit: i64) -> Result<Vec<DueLeftover>, PgError> {
        let rows = query(&self.pool, TAKE, &[&limit]).await?;
        rows.iter().map(|row| Ok(due(row)?)).collect()
    }

    /// Deletes the row of a folder that is not there any more, or was due for the last time.
    pub async fn delete_leftover(&self, leftover: Leftover) -> Result<(), PgError> {
        let Leftover { run, server, attempt, .. } = leftover;
        let attempt = signed(attempt);
        execute(&self.pool, DELETE, &[&run.0, &server.0, &attempt]).await.map(drop)
    }
}

fn due(row: &Row) -> Result<DueLeftover, Error> {
    let leftover = Leftover {
        run: RunId(row.try_get("run_id")?),
        server: ServerId(row.try_get("server_id")?),
        attempt: row.try_get::<_, i32>("attempt")?.unsigned_abs(),
        workspace: WorkspaceId(row.try_get("workspace_id")?),
    };
    Ok(DueLeftover { leftover, place: row.try_get("place")?, is_last: row.try_get("is_last")? })
}
