//! The rows of an erased workspace: each module that has some says how they are deleted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use crate::postgres::{PgError, Pool};
use crate::statement::execute;

#[cfg(test)]
mod tests;

const BY_INDEX: &str = "set local enable_seqscan = off; set local enable_bitmapscan = off; set local enable_sort = off; \
    set local enable_hashjoin = off; set local enable_mergejoin = off";

/// The rows of a workspace in one table.
#[derive(Clone, Copy, Debug)]
pub struct WorkspaceRows {
    /// With its schema.
    pub table: &'static str,
    /// How they are deleted.
    pub delete: DeleteRows,
}

/// The statement that deletes them. `$1` is the workspace's id.
#[derive(Clone, Copy, Debug)]
pub enum DeleteRows {
    /// All of them: there are never many.
    AtOnce(&'static str),
    /// A batch in the order of an id, after or from `$2` on. Answers the last id, or no row. The rows that
    /// are deleted are those that are read, so each turn begins with the first that is left.
    InBatches(&'static str),
    /// The same, after `$2`, for rows that are found by others, which stay: the next turn goes on after the
    /// last id.
    ByOthers(&'static str),
}

/// What a turn has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// No row is left.
    All,
    /// There may be more.
    Some,
}

/// How far the turns of one workspace have come: for each table of [`DeleteRows::ByOthers`] the last id.
/// A new one begins with the first.
#[derive(Clone, Debug, Default)]
pub struct DeletedThrough(HashMap<&'static str, Uuid>);

/// Of the workspaces whose rows are not all deleted, how far this node has come. Cheap to clone. A node
/// that is started again begins again, and finds nothing to delete where it was.
#[derive(Clone, Debug, Default)]
pub struct UnfinishedDeletions(Arc<Mutex<HashMap<Uuid, DeletedThrough>>>);

impl UnfinishedDeletions {
    /// How far it has come with the workspace: from the first row, if it has not begun.
    pub fn take(&self, workspace: Uuid) -> DeletedThrough {
        let mut unfinished = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        unfinished.remove(&workspace).unwrap_or_default()
    }

    /// The next turn goes on from here.
    pub fn put(&self, workspace: Uuid, through: DeletedThrough) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(workspace, through);
    }
}

impl WorkspaceRows {
    /// Deletes rows of the workspace, at most so many batches. `through` is of the turns before.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn delete(
        &self,
        pool: &Pool,
        workspace: Uuid,
        through: &mut DeletedThrough,
        batches_max: u32,
    ) -> Result<Deleted, PgError> {
        let mut of_this_turn = Uuid::nil();
        let (statement, last) = match self.delete {
            DeleteRows::AtOnce(statement) => {
                execute(pool, statement, &[&workspace]).await?;
                return Ok(Deleted::All);
            }
            DeleteRows::InBatches(statement) => (statement, &mut of_this_turn),
            DeleteRows::ByOthers(statement) => {
                (statement, through.0.entry(self.table).or_default())
            }
        };
        for _ in 0..batches_max {
            let mut client = pool.get().await?;
            let transaction = client.transaction().await?;
            // A plan that was made on empty tables must serve full ones.
            transaction.batch_execute(BY_INDEX).await?;
            let row = transaction.query_opt(statement, &[&workspace, &*last]).await?;
            transaction.commit().await?;
            let Some(row) = row else { return Ok(Deleted::All) };
            *last = row.try_get(0)?;
        }
        Ok(Deleted::Some)
    }
}
