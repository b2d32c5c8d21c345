//! The log up to a fixed position, read ahead of the fold: one transaction a lap, so that no snapshot
//! is held for long.

use futures_util::TryStreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::types::ToSql;

use super::{ReplayError, ReplayOptions};
use crate::log::watermark::Watermark;
use crate::log::{Feed, FeedError, Reader, Recorded};
use crate::postgres::{PgError, Pool, Transaction};

const SCAN: &str = include_str!("scan.sql");
const SCAN_WITHOUT_CAUSES: &str = include_str!("scan_without_causes.sql");
/// Its rows wait for the fold, in the middle of a statement or behind its end.
const BEGIN_LAP: &str = "set transaction read only; set local statement_timeout = 0; \
    set local idle_in_transaction_session_timeout = 0";
/// Also of the types that the reader does not want: one of them may not be known.
const COUNT: &str = "select event_type, max(schema_version), count(*) from event_log.events \
    where position > $1 and position <= $2 group by event_type";

const BATCH: usize = 1000;
/// Batches that wait for the fold.
const AHEAD: usize = 8;

/// Events of the reader's types, in order, and the position up to which there are no others.
pub(super) struct Batch {
    pub events: Vec<Recorded>,
    pub reached: i64,
}

pub(super) struct Scan {
    batches: mpsc::Receiver<Result<Batch, ReplayError>>,
    task: JoinHandle<()>,
}

impl Drop for Scan {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Scan {
    pub(super) fn start(
        pool: Pool,
        reader: Reader,
        (after, through): (i64, i64),
        options: ReplayOptions,
        known: Watermark,
    ) -> Self {
        let (sender, batches) = mpsc::channel(AHEAD);
        let task = tokio::spawn(async move {
            if let Err(error) =
                scan(&pool, &reader, (after, through), options, &known, &sender).await
            {
                // Nobody waits any more: the replay has ended.
                let _ = sender.send(Err(error)).await;
            }
        });
        Self { batches, task }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Batch>, ReplayError> {
        self.batches.recv().await.transpose()
    }
}

type Sender = mpsc::Sender<Result<Batch, ReplayError>>;

async fn scan(
    pool: &Pool,
    reader: &Reader,
    (after, through): (i64, i64),
    options: ReplayOptions,
    known: &Watermark,
    sender: &Sender,
) -> Result<(), ReplayError> {
    let mut client = pool.get().await.map_err(PgError::from)?;
    known.compare(&client).await.map_err(FeedError::from)?;
    let mut after = after;
    while after < through {
        let end = through.min(after + options.lap);
        let lap = client.transaction().await?;
        lap.batch_execute(BEGIN_LAP).await?;
        if reader.event_types().is_empty() {
            scan_all(&lap, reader, (after, end), options, sender).await?;
        } else {
            scan_some(&lap, reader, (after, end), options, sender).await?;
        }
        after = end;
        // On the connection on which they were read.
        known.compare_in(&lap).await.map_err(FeedError::from)?;
        lap.commit().await?;
    }
    Ok(())
}

async fn scan_all(
    lap: &Transaction<'_>,
    reader: &Reader,
    (after, end): (i64, i64),
    options: ReplayOptions,
    sender: &Sender,
) -> Result<(), ReplayError> {
    let mut feed = Feed::stream(lap, after, end).await?;
    let (mut events, mut reached) = (Vec::with_capacity(BATCH), after);
    while let Some(event) = feed.try_next().await? {
        reached = event.position();
        check_known(reader, (event.event_type(), event.schema_version()), options)?;
        events.push(event);
        if events.len() == BATCH {
            let events = std::mem::replace(&mut events, Vec::with_capacity(BATCH));
            send(sender, Batch { events, reached }).await?;
        }
    }
    if reached < end {
        return Err(FeedError::Hole { at: reached + 1 }.into());
    }
    send(sender, Batch { events, reached }).await
}

async fn scan_some(
    lap: &Transaction<'_>,
    reader: &Reader,
    (after, end): (i64, i64),
    options: ReplayOptions,
    sender: &Sender,
) -> Result<(), ReplayError> {
    let count = lap.prepare_cached(COUNT).await?;
    let mut found = 0;
    for row in lap.query(&count, &[&after, &end]).await? {
        check_known(reader, (row.try_get(0)?, row.try_get(1)?), options)?;
        found += row.try_get::<_, i64>(2)?;
    }
    if found != end - after {
        return Err(hole(lap, after).await?);
    }
    let scan = if reader.reads_causes() { SCAN } else { SCAN_WITHOUT_CAUSES };
    let scan = lap.prepare_cached(scan).await?;
    let types = reader.event_types();
    let values: [&(dyn ToSql + Sync); 3] = [&after, &end, &types];
    let mut rows = lap.query_raw(&scan, values).await?;
    let mut events = Vec::with_capacity(BATCH);
    while let Some(row) = rows.try_next().await? {
        let event = Recorded::try_from(row).map_err(FeedError::from)?;
        let reached = event.position();
        events.push(event);
        if events.len() == BATCH {
            let events = std::mem::replace(&mut events, Vec::with_capacity(BATCH));
            send(sender, Batch { events, reached }).await?;
        }
    }
    send(sender, Batch { events, reached: end }).await
}

fn check_known(
    reader: &Reader,
    (event_type, version): (&str, i16),
    options: ReplayOptions,
) -> Result<(), ReplayError> {
    if reader.has_to_leave(event_type, version, options.newest_version) {
        return Err(ReplayError::Unknown { event_type: event_type.to_owned(), version });
    }
    Ok(())
}

/// Finds the position that is missing.
async fn hole(lap: &Transaction<'_>, after: i64) -> Result<ReplayError, ReplayError> {
    let mut feed = Feed::stream(lap, after, i64::MAX).await?;
    let mut at = after + 1;
    loop {
        match feed.try_next().await {
            Ok(Some(event)) => at = event.position() + 1,
            Ok(None) => return Ok(FeedError::Hole { at }.into()),
            Err(error) => return Ok(error.into()),
        }
    }
}

async fn send(sender: &Sender, batch: Batch) -> Result<(), ReplayError> {
    sender.send(Ok(batch)).await.map_err(|_| ReplayError::Cancelled)
}
