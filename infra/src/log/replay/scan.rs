//! The log up to a fixed position, read ahead of the fold: one transaction a lap, so that no snapshot
//! is held for long.

use futures_util::TryStreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::types::ToSql;

use super::{ReplayError, ReplayOptions};
use crate::log::watermark::Watermark;
use crate::log::{Feed, FeedError, Reader, Reads, Recorded};
use crate::postgres::{PgError, Pool, Transaction};

const SCAN: &str = include_str!("scan.sql");
const CAUSES: &str = "session, request, correlation, causation";
const NO_CAUSES: &str = "null::uuid, null::uuid, null::uuid, null::uuid";
const OF_TYPES: &str = " and event_type = any($3)";
/// Its rows wait for the fold, in the middle of a statement or behind its end, where the server cannot send. Each
/// statement sees what is committed before it: the log is compared with what is known by then.
const BEGIN_LAP: &str = "set transaction isolation level read committed, read only; \
    set local statement_timeout = 0; set local tcp_user_timeout = 0; \
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
        let tx = client.transaction().await?;
        tx.batch_execute(BEGIN_LAP).await?;
        let mut lap = Lap::new(sender, options);
        if reader.event_types().is_empty() {
            lap.read_all(&tx, reader, (after, end)).await?;
        } else {
            lap.read_some(&tx, reader, (after, end)).await?;
        }
        // On the connection on which they were read.
        known.compare_in(&tx).await.map_err(FeedError::from)?;
        tx.commit().await?;
        after = end;
        if let Some(late) = lap.late {
            after = late.reached;
            sender.send(Ok(late)).await.map_err(|_| ReplayError::Cancelled)?;
        }
    }
    Ok(())
}

/// What one transaction reads.
struct Lap<'a> {
    sender: &'a Sender,
    options: ReplayOptions,
    until: Instant,
    events: Vec<Recorded>,
    /// The batch that the fold had no room for in time. What is read after it is dropped, so that the statement ends,
    /// and the next lap reads it again.
    late: Option<Batch>,
}

impl<'a> Lap<'a> {
    fn new(sender: &'a Sender, options: ReplayOptions) -> Self {
        let until = Instant::now() + options.lap_time_max;
        Self { sender, options, until, events: Vec::with_capacity(BATCH), late: None }
    }

    async fn read_all(
        &mut self,
        tx: &Transaction<'_>,
        reader: &Reader,
        (after, end): (i64, i64),
    ) -> Result<(), ReplayError> {
        let scan = tx.prepare(&statement(reader)).await?;
        let mut rows = tx.query_raw(&scan, [after, end]).await?;
        let mut reached = after;
        while let Some(row) = rows.try_next().await? {
            let event = Recorded::try_from(row).map_err(FeedError::from)?;
            if event.position() != reached + 1 {
                break;
            }
            reached = event.position();
            check_known(reader, (event.event_type(), event.schema_version()), self.options)?;
            self.take(event).await?;
        }
        if reached < end {
            return Err(FeedError::Hole { at: reached + 1 }.into());
        }
        self.send(end).await
    }

    async fn read_some(
        &mut self,
        tx: &Transaction<'_>,
        reader: &Reader,
        (after, end): (i64, i64),
    ) -> Result<(), ReplayError> {
        let count = tx.prepare_cached(COUNT).await?;
        let mut found = 0;
        for row in tx.query(&count, &[&after, &end]).await? {
            check_known(reader, (row.try_get(0)?, row.try_get(1)?), self.options)?;
            found += row.try_get::<_, i64>(2)?;
        }
        if found != end - after {
            return Err(hole(tx, after).await?);
        }
        let scan = tx.prepare_cached(&statement(reader)).await?;
        let types = reader.event_types();
        let values: [&(dyn ToSql + Sync); 3] = [&after, &end, &types];
        let mut rows = tx.query_raw(&scan, values).await?;
        while let Some(row) = rows.try_next().await? {
            self.take(Recorded::try_from(row).map_err(FeedError::from)?).await?;
        }
        self.send(end).await
    }

    async fn take(&mut self, event: Recorded) -> Result<(), ReplayError> {
        if self.late.is_some() {
            return Ok(());
        }
        let reached = event.position();
        self.events.push(event);
        if self.events.len() == BATCH { self.send(reached).await } else { Ok(()) }
    }

    async fn send(&mut self, reached: i64) -> Result<(), ReplayError> {
        if self.late.is_some() {
            return Ok(());
        }
        let events = std::mem::replace(&mut self.events, Vec::with_capacity(BATCH));
        let batch = Batch { events, reached };
        match timeout_at(self.until, self.sender.reserve()).await {
            Ok(Ok(room)) => room.send(Ok(batch)),
            Ok(Err(_)) => return Err(ReplayError::Cancelled),
            Err(_) => self.late = Some(batch),
        }
        Ok(())
    }
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

/// The columns of `page.sql`, in that order, of the events that the reader wants.
fn statement(reader: &Reader) -> String {
    let Reads { data, sealed, actor, causes } = reader.looks_at();
    let columns = [
        if data { "data" } else { "'{}'::json" },
        if sealed { "sealed" } else { "null::bytea" },
        if causes { "subjects" } else { "'{}'::uuid[]" },
        if actor { "actor" } else { "null::uuid" },
        if causes { CAUSES } else { NO_CAUSES },
    ];
    let of_types = if reader.event_types().is_empty() { "" } else { OF_TYPES };
    SCAN.replace("{columns}", &columns.join(", ")).replace("{of_types}", of_types)
}

/// Finds the position that is missing.
async fn hole(tx: &Transaction<'_>, after: i64) -> Result<ReplayError, ReplayError> {
    let mut feed = Feed::stream(tx, after, i64::MAX).await?;
    let mut at = after + 1;
    loop {
        match feed.try_next().await {
            Ok(Some(event)) => at = event.position() + 1,
            Ok(None) => return Ok(FeedError::Hole { at }.into()),
            Err(error) => return Ok(error.into()),
        }
    }
}
