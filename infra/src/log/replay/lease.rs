//! The lease of a replay: kept while it builds, given back at its end.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::types::ToSql;

use super::{DELETE_PARKED, Replay, ReplayError};
use crate::cluster::Lease;
use crate::log::GenerationState;
use crate::log::generation::drop_now_or_later;
use crate::postgres::Pool;
use crate::statement::execute;
use crate::supervise;

const END: &str = include_str!("end.sql");
const RELEASE: &str = include_str!("release.sql");
const RENEW: &str = "update readers.generations set lease_until = clock_timestamp() + make_interval(secs => $5) \
    where name = $1 and version = $2 and generation = $3 and fence = $4 and state = 'building' and node is not null";

impl Replay<'_> {
    /// Deletes what was built; the live table is as it was. The generation's row says why.
    pub(super) async fn end(
        &mut self,
        state: GenerationState,
        error: Option<&str>,
    ) -> Result<(), ReplayError> {
        let (name, version) = (self.reader.name(), self.reader.version());
        let (generation, fence, state) = (self.generation, self.lease.fence, state.as_str());
        let tx = self.client.transaction().await?;
        let end = tx.prepare_cached(END).await?;
        let ended =
            tx.execute(&end, &[&name, &version, &generation, &fence, &state, &error]).await?;
        if ended == 1 {
            tx.execute(DELETE_PARKED, &[&name, &version, &generation]).await?;
        }
        tx.commit().await?;
        drop_now_or_later(&mut self.client, (name, version, generation)).await;
        Ok(())
    }

    /// Gives the lease back: what is built stays, for another replay to resume. `false`: another one has taken it.
    pub(super) async fn release(&self, why: &str) -> bool {
        let (name, version) = (self.reader.name(), self.reader.version());
        let (generation, fence) = (self.generation, self.lease.fence);
        let values: [&(dyn ToSql + Sync); 5] = [&name, &version, &generation, &fence, &why];
        match execute(self.pool, RELEASE, &values).await {
            Ok(released) => released == 1,
            Err(error) => {
                tracing::warn!(%error, "another replay is refused until the lease of this one ends");
                true
            }
        }
    }
}

pub(super) fn keep_lease(
    pool: Pool,
    (name, version): (&'static str, i16),
    generation: i32,
    lease: Lease,
    length: Duration,
) -> JoinHandle<()> {
    supervise::spawn("lease of a replay", async move {
        loop {
            tokio::time::sleep(length / 3).await;
            // One that was not renewed is so the next time, or another replay takes over.
            if let Ok(client) = pool.get().await {
                let values: [&(dyn ToSql + Sync); 5] =
                    [&name, &version, &generation, &lease.fence, &length.as_secs_f64()];
                let _ = client.execute(RENEW, &values).await;
            }
        }
    })
}
