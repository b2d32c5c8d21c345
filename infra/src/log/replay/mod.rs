//! Builds a generation of a projection from the log, while its reader writes the live one; then the reader writes both, and
//! the view shows the new one. After a crash it resumes where the last lap was committed, or starts over.

mod begin;
mod fold_state;
mod index;
mod join;
mod lease;
mod options;
mod scan;

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
use super::{Feed, GenerationState, Reader, checkpoint, generation, parked};
use crate::cluster::Lease;
use crate::failpoint;
use crate::postgres::Pool;
use fold_state::FoldState;
use join::Joined;
pub use options::{Progress, REPLAY_CONNECTIONS, ReplayError, ReplayOptions, Replayed};
use scan::{Batch, Scan};

const DROP_TABLE: &str = "drop table if exists {table}";
const DELETE_PARKED: &str =
    "delete from readers.parked where reader = $1 and version = $2 and generation = $3";
const ADVANCE: &str = include_str!("advance.sql");
const NO_STATEMENT_TIMEOUT: &str = "set local statement_timeout = 0";

/// Builds a generation of the projection from the log. Its reader and queries continue in the meantime: the reader waits
/// while the last events are folded, and queries while the view is replaced. `pool` has [`REPLAY_CONNECTIONS`] at least.
///
/// # Errors
/// Another replay of it that runs, a hole in the log, the database: the view shows what it did. [`ReplayError::Joined`]:
/// it is built, and only not promoted.
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
            replay.end(GenerationState::Cancelled, None).await?;
            Err(ReplayError::Cancelled)
        }
        Err(error @ ReplayError::Parks { .. }) => {
            replay.end(GenerationState::Failed, Some(&error.to_string())).await?;
            Err(error)
        }
        Err(error) => {
            let is_own = replay.release(&error.to_string()).await;
            Err(if is_own { error } else { ReplayError::Lost })
        }
        Ok(joined) => replay.promote(joined).await,
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
    /// Which one is built.
    generation: i32,
    /// Its table, with its schema.
    table: String,
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
    /// The newest event of the log that this replay has read: the generation is not joined where it is missing.
    watermark: Watermark,
    renewal: JoinHandle<()>,
}

impl Drop for Replay<'_> {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

impl Replay<'_> {
    async fn build(
        &mut self,
        ceiling: i64,
        progress: &mut (impl FnMut(Progress) + Send),
    ) -> Result<Joined, ReplayError> {
        self.read_to(ceiling, progress).await?;
        self.index().await?;
        failpoint!(ReplayBuilt);
        self.join(progress).await
    }

    /// Lets the view show it, if that is wanted.
    async fn promote(&self, joined: Joined) -> Result<Replayed, ReplayError> {
        if self.options.promote && !joined.is_live {
            let (generation, keep) = (self.generation, self.options.keep);
            let known = &self.watermark;
            generation::promote(self.pool, self.reader, Some(generation), keep, known)
                .await
                .map_err(|why| ReplayError::Joined { generation, why: Box::new(why) })?;
        }
        Ok(Replayed {
            generation: self.generation,
            from: self.first,
            events: self.fold.events,
            through: joined.through,
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
            .execute(
                &advance,
                &[
                    &name,
                    &version,
                    &self.generation,
                    &self.lease.fence,
                    &self.written,
                    &self.folded,
                ],
            )
            .await?;
        if moved == 0 {
            return Err(ReplayError::Lost);
        }
        self.fold.rows.write(&tx).await?;
        for poisoned in self.fold.poisoned.drain(..) {
            parked::park(&tx, (name, version), self.generation, &poisoned).await?;
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
