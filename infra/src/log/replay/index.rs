//! The indexes of a table that is built, and its statistics.

use super::{NO_STATEMENT_TIMEOUT, Replay, ReplayError};

/// Held until the commit. The lease is renewed meanwhile, and nobody takes the generation.
const HOLD: &str = "select true from readers.generations \
    where name = $1 and version = $2 and generation = $3 and fence = $4 and state = 'building' for key share";
/// In kB: 256 MB, or more if the server is set to more.
const MEMORY: &str = "select set_config('maintenance_work_mem', greatest(setting::bigint, 262144)::text, true) \
    from pg_settings where name = 'maintenance_work_mem'";
const INDEXED: &str = "update readers.generations set indexed = true \
    where name = $1 and version = $2 and generation = $3 and fence = $4 and state = 'building'";

impl Replay<'_> {
    pub(super) async fn index(&mut self) -> Result<(), ReplayError> {
        self.check_cancelled()?;
        if !self.indexed {
            self.make_indexes().await?;
        }
        // Also of one that is resumed: its statistics may be missing. Apart from the indexes: it would hold their locks.
        let tx = self.client.transaction().await?;
        tx.batch_execute(NO_STATEMENT_TIMEOUT).await?;
        tx.batch_execute(&format!("analyze {}", self.table)).await?;
        Ok(tx.commit().await?)
    }

    async fn make_indexes(&mut self) -> Result<(), ReplayError> {
        let (name, version) = (self.reader.name(), self.reader.version());
        let (generation, fence) = (self.generation, self.lease.fence);
        let tx = self.client.transaction().await?;
        tx.batch_execute(NO_STATEMENT_TIMEOUT).await?;
        tx.batch_execute(MEMORY).await?;
        let held = tx.query_opt(HOLD, &[&name, &version, &generation, &fence]).await?;
        if held.is_none() {
            return Err(ReplayError::Lost);
        }
        tx.batch_execute(&self.projection.indexes_sql().replace("{table}", &self.table)).await?;
        if tx.execute(INDEXED, &[&name, &version, &generation, &fence]).await? == 0 {
            return Err(ReplayError::Lost);
        }
        tx.commit().await?;
        self.indexed = true;
        Ok(())
    }
}
