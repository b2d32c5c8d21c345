//! What a reader does with events inside its transaction: fold them into rows, or react to them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::postgres::Transaction;
use uuid::Uuid;

use super::reader::{Reader, ReaderKind};
use super::rows::{Order, Rows, Source};
use super::unknown::UnknownEvent;
use super::watermark::WentBack;
use super::worker::refused_as_data;
use super::{DamagedEvent, FeedError, Poison, Recorded, Worker, WorkerError};
use crate::postgres::{PgError, describe};
use crate::supervise;

/// A worker's transaction holds its checkpoint's row: it is not kept for longer than this.
const REACTIONS_MAX: Duration = Duration::from_secs(1);

/// The classes of errors that another try meets again, since they are of the table or of its triggers.
const OF_TABLE: [&str; 2] = ["42", "P0"];

/// Why a reader stops where it is. `Lost`, `Unknown` and `WentBack` end it; else it tries again after a
/// pause.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    #[error("another node owns this reader")]
    Lost,
    #[error(transparent)]
    Unknown(UnknownEvent),
    #[error(transparent)]
    WentBack(WentBack),
    #[error("the log has a hole: position {at} is missing")]
    Hole { at: i64 },
    #[error(transparent)]
    Damaged(DamagedEvent),
    /// The database refused a value, and would refuse it again.
    #[error("{0}")]
    Data(String),
    /// The database refused the statement, whatever it writes: the table is not as it should be.
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Unavailable(String),
}

impl From<tokio_postgres::Error> for Stop {
    fn from(error: tokio_postgres::Error) -> Self {
        let why = describe(&error);
        match error.code() {
            _ if refused_as_data(&error) => Self::Data(why),
            Some(code) if OF_TABLE.iter().any(|class| code.code().starts_with(class)) => {
                Self::Refused(why)
            }
            _ => Self::Unavailable(why),
        }
    }
}

impl From<PgError> for Stop {
    fn from(error: PgError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<crate::postgres::PoolError> for Stop {
    fn from(error: crate::postgres::PoolError) -> Self {
        PgError::from(error).into()
    }
}

impl From<FeedError> for Stop {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::WentBack(why) => Self::WentBack(why),
            FeedError::Hole { at } => Self::Hole { at },
            FeedError::Damaged(event) => Self::Damaged(event),
            FeedError::Postgres(error) => error.into(),
        }
    }
}

/// A stream's first event that could not be read.
pub(super) struct Poisoned {
    pub stream: Uuid,
    pub position: i64,
    pub poison: Poison,
}

/// What became of a batch of events.
#[derive(Default)]
pub(super) struct WorkOutcome {
    pub poisoned: Vec<Poisoned>,
    pub processed: i64,
    /// The position that a worker stopped after, and why; no reason: its time was over.
    pub stopped_at: Option<(i64, Option<String>)>,
}

pub(super) enum Work {
    Rows(Box<dyn Rows>),
    Worker(Arc<dyn Worker>),
}

impl Work {
    /// `table`: where the rows of a projection are written, with its schema.
    pub(super) fn of(reader: &Reader, table: &str) -> Self {
        match &reader.0 {
            ReaderKind::Projection(projection) => Self::Rows(projection.rows(table)),
            ReaderKind::Worker(worker) => Self::Worker(Arc::clone(worker)),
        }
    }

    /// A panic is as an event that the database refuses: its stream is parked, and the others go on.
    pub(super) async fn process(
        &mut self,
        tx: &mut Transaction<'_>,
        events: &[&Recorded],
        order: Order,
    ) -> Result<WorkOutcome, Stop> {
        let processed = supervise::caught(self.process_uncaught(tx, events, order)).await;
        processed.unwrap_or_else(|panicked| Err(Stop::Data(panicked.to_string())))
    }

    async fn process_uncaught(
        &mut self,
        tx: &mut Transaction<'_>,
        events: &[&Recorded],
        order: Order,
    ) -> Result<WorkOutcome, Stop> {
        match self {
            Self::Rows(rows) => {
                rows.load(Source::Live(tx), events).await?;
                Ok(fold(rows.as_mut(), events, order))
            }
            Self::Worker(worker) => react(worker.as_ref(), tx, events).await,
        }
    }

    /// Writes what `process` has left in memory.
    pub(super) async fn finish(&mut self, tx: &Transaction<'_>) -> Result<(), Stop> {
        match self {
            Self::Rows(rows) => Ok(rows.write(tx).await?),
            Self::Worker(_) => Ok(()),
        }
    }
}

fn fold(rows: &mut dyn Rows, events: &[&Recorded], order: Order) -> WorkOutcome {
    let mut outcome = WorkOutcome::default();
    let mut parked = HashSet::new();
    for event in events {
        if parked.contains(&event.stream_id()) {
            continue;
        }
        match rows.fold(event, order) {
            Ok(()) => outcome.processed += 1,
            Err(poison) => {
                parked.insert(event.stream_id());
                outcome.poisoned.push(Poisoned::by(event, poison));
            }
        }
    }
    outcome
}

/// Each reaction has its own savepoint, which is rolled back if the event is poisonous.
async fn react(
    worker: &dyn Worker,
    tx: &mut Transaction<'_>,
    events: &[&Recorded],
) -> Result<WorkOutcome, Stop> {
    let mut outcome = WorkOutcome::default();
    let mut parked = HashSet::new();
    let started = Instant::now();
    for event in events {
        if parked.contains(&event.stream_id()) {
            continue;
        }
        if outcome.processed > 0 && started.elapsed() > REACTIONS_MAX {
            outcome.stopped_at = Some((event.position() - 1, None));
            break;
        }
        let point = tx.transaction().await?;
        match worker.react(event, &point).await {
            Ok(()) => {
                point.commit().await?;
                outcome.processed += 1;
            }
            Err(WorkerError::Poison(poison)) => {
                point.rollback().await?;
                parked.insert(event.stream_id());
                outcome.poisoned.push(Poisoned::by(event, poison));
            }
            Err(WorkerError::Unavailable(why)) => {
                point.rollback().await?;
                outcome.stopped_at = Some((event.position() - 1, Some(why)));
                break;
            }
        }
    }
    Ok(outcome)
}

impl Poisoned {
    fn by(event: &Recorded, poison: Poison) -> Self {
        Self { stream: event.stream_id(), position: event.position(), poison }
    }
}
