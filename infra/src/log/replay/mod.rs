//! Builds a projection again in a shadow table, while its live table follows the log until the two
//! are swapped. After a crash it resumes where the last lap was committed, or starts over.

mod fold_state;
mod options;
mod scan;
mod swap;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::postgres::PooledClient as Client;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::any_projection::AnyProjection;
use super::reader::ReaderKind;
use super::rows::Source;
use super::watermark::Watermark;
use super::{Feed, Reader, Recorded, checkpoint, parked};
use crate::cluster::Lease;
use crate::failpoint;
use crate::postgres::Pool;
use crate::statement::execute;
use crate::supervise;
use fold_state::FoldState;
pub use options::{Progress, REPLAY_CONNECTIONS, ReplayError, ReplayOptions, Replayed};
use scan::{Batch, Scan};

const ACQUIRE: &str = include_str!("acquire.sql");
const FIND_TABLE: &str = "select to_regclass($1) is not null";
const FIND: &str = "select position, ceiling from readers.replays where name = $1 and version = $2";
const DROP_SHADOW: &str = "drop table if exists {shadow}";
const DELETE_PARKED: &str =
    "delete from readers.parked where reader = $1 and version = $2 and replay = $3";
const ADVANCE: &str = include_str!("advance.sql");
const NO_STATEMENT_TIMEOUT: &str = "set local statement_timeout = 0";
const INDEXED: &str =
    "update readers.replays set indexed = true where name = $1 and version = $2 and fence = $3";
/// Also after the last one: the row stays, so that no later replay has the fence of an earlier one.
const RELEASE: &str = "update readers.replays set node = null, lease_until = null \
    where name = $1 and version = $2 and fence = $3";
const RENEW: &str = "\
    update readers.replays set lease_until = clock_timestamp() + make_interval(secs => $4) \
    where name = $1 and version = $2 and fence = $3 and node is not null";

/// Builds the projection's table from the log. Its reader and queries continue in the meantime; the swap
/// blocks them only while a table is renamed. `pool` has [`REPLAY_CONNECTIONS`] at least.
///
/// # Errors
/// Another replay of it that runs, a hole in the log, the database; the live table is as it was.
pub async fn replay(
    pool: &Pool,
    reader: &Reader,
    options: ReplayOptions,
    cancel: watch::Receiver<bool>,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Replayed, ReplayError> {
    let ReaderKind::Projection(projection) = &reader.0 else { return Err(ReplayError::Worker) };
    checkpoint::install(pool, reader).await?;
    let client = pool.get().await?;
    let ceiling = Feed::head(&client).await?;
    let mut replay = Replay::begin(pool, client, reader, projection, options, ceiling).await?;
    replay.cancel = Some(cancel);
    match replay.build(ceiling, &mut progress).await {
        Err(ReplayError::Cancelled) => {
            replay.abandon().await?;
            Err(ReplayError::Cancelled)
        }
        Err(error) => {
            replay.release().await;
            Err(error)
        }
        Ok(replayed) => Ok(replayed),
    }
}

/// Reads and folds the whole log and writes nothing: how fast this machine folds, and which
/// streams this code cannot read. All rows stay in memory.
///
/// # Errors
/// A hole in the log, the database.
pub async fn rehearse(pool: &Pool, reader: &Reader) -> Result<Replayed, ReplayError> {
    let ReaderKind::Projection(projection) = &reader.0 else { return Err(ReplayError::Worker) };
    let started = Instant::now();
    let client = pool.get().await?;
    let through = Feed::head(&client).await?;
    drop(client);
    let mut fold = FoldState::new(projection.rows(&projection.view()));
    let options = ReplayOptions::of(Uuid::nil());
    let known = Watermark::default();
    let mut scan = Scan::start(pool.clone(), reader.clone(), (0, through), options, known);
    while let Some(batch) = scan.next().await? {
        fold.fold(&fold.wanted(&batch.events));
        if fold.rows.changed() >= options.changed_max {
            fold.rows.mark_written();
        }
    }
    Ok(Replayed {
        generation: 0,
        from: 0,
        events: fold.events,
        through,
        took: started.elapsed(),
        parked: fold.parked.len(),
    })
}

struct Replay<'a> {
    pool: &'a Pool,
    client: Client,
    reader: &'a Reader,
    projection: &'a Arc<dyn AnyProjection>,
    options: ReplayOptions,
    lease: Lease,
    /// Up to here the rows are written and committed.
    written: i64,
    /// Up to here they are folded.
    folded: i64,
    indexed: bool,
    /// Every row of the table is in memory, so that none needs to be loaded.
    whole: bool,
    fold: FoldState,
    started: Instant,
    first: i64,
    cancel: Option<watch::Receiver<bool>>,
    /// The newest event of the log that this replay has read: the table is not swapped where it is missing.
    watermark: Watermark,
    renewal: JoinHandle<()>,
}

impl Drop for Replay<'_> {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

impl<'a> Replay<'a> {
    async fn begin(
        pool: &'a Pool,
        mut client: Client,
        reader: &'a Reader,
        projection: &'a Arc<dyn AnyProjection>,
        options: ReplayOptions,
        ceiling: i64,
    ) -> Result<Self, ReplayError> {
        let (name, version) = (reader.name(), reader.version());
        let length = options.lease.as_secs_f64();
        let shadow = shadow_table(projection.as_ref());
        let tx = client.transaction().await?;
        // Without its table there is nothing to continue.
        let found: bool = tx.query_one(FIND_TABLE, &[&shadow]).await?.try_get(0)?;
        let resume = options.resume && found;
        let acquire = tx.prepare_cached(ACQUIRE).await?;
        let acquired = tx
            .query_opt(&acquire, &[&name, &version, &options.node, &length, &ceiling, &resume])
            .await?;
        let Some(acquired) = acquired else {
            let running = tx.query_opt(FIND, &[&name, &version]).await?;
            let (position, ceiling) = match running {
                Some(row) => (row.try_get(0)?, row.try_get(1)?),
                None => (0, 0),
            };
            return Err(ReplayError::Running { name, position, ceiling });
        };
        let lease = Lease { node: options.node, fence: acquired.try_get(0)? };
        let written: i64 = acquired.try_get(1)?;
        let mut fold = FoldState::new(projection.rows(&shadow));
        if written == 0 {
            let drop = DROP_SHADOW.replace("{shadow}", &shadow);
            tx.batch_execute(&drop).await?;
            tx.batch_execute(&projection.table_sql().replace("{table}", &shadow)).await?;
            tx.execute(DELETE_PARKED, &[&name, &version, &true]).await?;
        } else {
            let rows = parked::load(&tx, (name, version)).await?;
            fold.parked = rows.iter().map(|row| row.stream).collect();
        }
        tx.commit().await?;
        Ok(Self {
            pool,
            client,
            reader,
            projection,
            options,
            lease,
            written,
            folded: written,
            indexed: acquired.try_get(2)?,
            whole: written == 0,
            fold,
            started: Instant::now(),
            first: written,
            cancel: None,
            watermark: Watermark::default(),
            renewal: keep_lease(pool.clone(), (name, version), lease, options.lease),
        })
    }

    async fn build(
        &mut self,
        ceiling: i64,
        progress: &mut (impl FnMut(Progress) + Send),
    ) -> Result<Replayed, ReplayError> {
        self.read_to(ceiling, progress).await?;
        self.index().await?;
        failpoint!(ReplayBuilt);
        let through = self.swap(progress).await?;
        Ok(Replayed {
            generation: 0,
            from: self.first,
            events: self.fold.events,
            through,
            took: self.started.elapsed(),
            parked: self.fold.parked.len(),
        })
    }

    /// Folds and writes up to `through`.
    async fn read_to(
        &mut self,
        through: i64,
        progress: &mut (impl FnMut(Progress) + Send),
    ) -> Result<(), ReplayError> {
        let range = (self.folded, through);
        let (pool, reader, known) =
            (self.pool.clone(), self.reader.clone(), self.watermark.clone());
        let mut scan = Scan::start(pool, reader, range, self.options, known);
        while let Some(Batch { events, reached }) = scan.next().await? {
            self.check_cancelled()?;
            let wanted = self.fold.wanted(&events);
            if !self.whole {
                self.fold.rows.load(Source::Built(&self.client), &wanted).await?;
            }
            self.fold.fold(&wanted);
            self.fold.check_parked(self.options.parked_max)?;
            self.folded = reached;
            if self.folded - self.written >= self.options.lap
                || self.fold.rows.changed() >= self.options.changed_max
            {
                self.write().await?;
            }
            progress(self.progress(through));
        }
        self.write().await
    }

    /// Writes the changed rows and how far they have come, in one transaction.
    async fn write(&mut self) -> Result<(), ReplayError> {
        if self.folded == self.written {
            return Ok(());
        }
        let (name, version) = (self.reader.name(), self.reader.version());
        let tx = self.client.transaction().await?;
        tx.batch_execute(NO_STATEMENT_TIMEOUT).await?;
        let advance = tx.prepare_cached(ADVANCE).await?;
        let moved = tx
            .execute(&advance, &[&name, &version, &self.lease.fence, &self.written, &self.folded])
            .await?;
        if moved == 0 {
            return Err(ReplayError::Lost);
        }
        self.fold.rows.write(&tx).await?;
        for poisoned in self.fold.poisoned.drain(..) {
            parked::park(&tx, (name, version), 0, &poisoned).await?;
        }
        tx.commit().await?;
        failpoint!(ReplayWritten);
        self.written = self.folded;
        if self.fold.rows.len() > self.options.rows_max {
            self.fold.rows.clear();
            self.whole = false;
        }
        Ok(())
    }

    async fn index(&mut self) -> Result<(), ReplayError> {
        self.check_cancelled()?;
        if self.indexed {
            return Ok(());
        }
        let shadow = shadow_table(self.projection.as_ref());
        let tx = self.client.transaction().await?;
        tx.batch_execute(NO_STATEMENT_TIMEOUT).await?;
        let (name, version) = (self.reader.name(), self.reader.version());
        if tx.execute(INDEXED, &[&name, &version, &self.lease.fence]).await? == 0 {
            return Err(ReplayError::Lost);
        }
        tx.batch_execute(&self.projection.indexes_sql().replace("{table}", &shadow)).await?;
        tx.commit().await?;
        self.indexed = true;
        Ok(())
    }

    /// Deletes what was built; the live table is as it was.
    async fn abandon(&mut self) -> Result<(), ReplayError> {
        let (name, version) = (self.reader.name(), self.reader.version());
        let shadow = shadow_table(self.projection.as_ref());
        let tx = self.client.transaction().await?;
        if tx.execute(RELEASE, &[&name, &version, &self.lease.fence]).await? == 1 {
            let drop = DROP_SHADOW.replace("{shadow}", &shadow);
            tx.batch_execute(&drop).await?;
            tx.execute(DELETE_PARKED, &[&name, &version, &true]).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Gives the lease back: what is built stays, for another replay to resume.
    async fn release(&self) {
        let (name, version) = (self.reader.name(), self.reader.version());
        if let Err(error) = execute(self.pool, RELEASE, &[&name, &version, &self.lease.fence]).await
        {
            tracing::warn!(%error, "another replay is refused until the lease of this one ends");
        }
    }

    fn check_cancelled(&self) -> Result<(), ReplayError> {
        match &self.cancel {
            Some(cancel) if *cancel.borrow() => Err(ReplayError::Cancelled),
            _ => Ok(()),
        }
    }

    fn progress(&self, total: i64) -> Progress {
        let seconds = self.started.elapsed().as_secs_f64().max(0.001);
        let (done, rest) = (self.folded, total - self.folded);
        #[allow(clippy::cast_precision_loss, reason = "a rate is shown in a few digits")]
        let (read, rest) = ((done - self.first) as f64, rest as f64);
        let events_per_second = read / seconds;
        let left = Duration::try_from_secs_f64(rest / events_per_second).ok();
        Progress { done, total, events_per_second, left }
    }
}

fn shadow_table(projection: &dyn AnyProjection) -> String {
    projection.view() + "_shadow"
}

fn keep_lease(
    pool: Pool,
    (name, version): (&'static str, i16),
    lease: Lease,
    length: Duration,
) -> JoinHandle<()> {
    supervise::spawn("lease of a replay", async move {
        loop {
            tokio::time::sleep(length / 3).await;
            // One that was not renewed is so the next time, or another replay takes over.
            if let Ok(client) = pool.get().await {
                let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
                    [&name, &version, &lease.fence, &length.as_secs_f64()];
                let _ = client.execute(RENEW, &values).await;
            }
        }
    })
}
