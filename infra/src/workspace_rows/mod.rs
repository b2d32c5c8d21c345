//! The rows of an erased workspace: each module that has some says how they are deleted.

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
    /// A batch in the order of an id, after or from `$2` on. Answers the last id, or no row.
    InBatches(&'static str),
}

/// What a turn has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// No row is left.
    All,
    /// There may be more.
    Some,
}

impl WorkspaceRows {
    /// Deletes rows of the workspace, at most so many batches.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn delete(
        &self,
        pool: &Pool,
        workspace: Uuid,
        batches_max: u32,
    ) -> Result<Deleted, PgError> {
        let statement = match self.delete {
            DeleteRows::AtOnce(statement) => {
                execute(pool, statement, &[&workspace]).await?;
                return Ok(Deleted::All);
            }
            DeleteRows::InBatches(statement) => statement,
        };
        let mut last = Uuid::nil();
        for _ in 0..batches_max {
            let mut client = pool.get().await?;
            let transaction = client.transaction().await?;
            // A plan that was made on empty tables must serve full ones.
            transaction.batch_execute(BY_INDEX).await?;
            let row = transaction.query_opt(statement, &[&workspace, &last]).await?;
            transaction.commit().await?;
            let Some(row) = row else { return Ok(Deleted::All) };
            last = row.try_get(0)?;
        }
        Ok(Deleted::Some)
    }
}
