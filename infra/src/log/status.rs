//! How far the readers are, and waiting for one to have come far enough.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio_postgres::Row;
use uuid::Uuid;

use super::Projection;
use crate::postgres::{PgError, Pool};

const STATUS: &str = include_str!("status.sql");
const REACHED: &str = include_str!("reached.sql");

/// How far a reader is. Positions are those of the log.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct ReaderStatus {
    pub name: String,
    pub version: i16,
    /// `projection` or `worker`.
    pub kind: String,
    /// The last event that it has read.
    pub position: i64,
    /// The log's last position.
    pub head: i64,
    /// `head` less `position`.
    pub lag_events: i64,
    /// Age of the oldest event that is yet to be read.
    pub lag_seconds: f64,
    /// The node that runs it.
    pub node: Option<Uuid>,
    /// Rises when another node takes the reader over.
    pub fence: i64,
    /// Events of its types that it has read.
    pub processed: i64,
    pub last_event_at: Option<DateTime<Utc>>,
    /// Without any value of an event.
    pub last_error: Option<String>,
    /// How many streams wait for an operator.
    pub parked: i64,
    /// How far a replay has come, and how far it goes.
    pub replay: Option<(i64, i64)>,
    /// A projection that has read events, and has no view: what it shows is read from the log, stream by stream.
    pub lacks_table: bool,
    /// The one that the view of a projection shows; 0: a worker, or none.
    pub generation: i32,
}

/// Every reader that was ever installed, by name and version.
///
/// # Errors
/// The database does not answer.
pub async fn status(pool: &Pool) -> Result<Vec<ReaderStatus>, PgError> {
    let client = pool.get().await?;
    let status = client.prepare_cached(STATUS).await?;
    client.query(&status, &[]).await?.iter().map(|row| Ok(ReaderStatus::from_row(row)?)).collect()
}

impl ReaderStatus {
    fn from_row(row: &Row) -> Result<Self, tokio_postgres::Error> {
        let (position, head): (i64, i64) = (row.try_get(3)?, row.try_get(4)?);
        let (replayed, ceiling): (Option<i64>, Option<i64>) = (row.try_get(12)?, row.try_get(13)?);
        Ok(Self {
            name: row.try_get(0)?,
            version: row.try_get(1)?,
            kind: row.try_get(2)?,
            position,
            head,
            lag_events: head - position,
            lag_seconds: row.try_get(10)?,
            node: row.try_get(5)?,
            fence: row.try_get(6)?,
            processed: row.try_get(7)?,
            last_event_at: row.try_get(8)?,
            last_error: row.try_get(9)?,
            parked: row.try_get(11)?,
            replay: replayed.zip(ceiling),
            lacks_table: row.try_get(14)?,
            generation: row.try_get(15)?,
        })
    }
}

/// Waits until the projection shows what stands at `position`; `false` when it does not in time.
///
/// # Errors
/// The database does not answer.
pub async fn wait_for<P: Projection>(
    pool: &Pool,
    position: i64,
    limit: Duration,
) -> Result<bool, PgError> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        let client = pool.get().await?;
        let reached = client.prepare_cached(REACHED).await?;
        let row = client
            .query_opt(&reached, &[&P::NAME, &P::VERSION, &position, &P::EVENT_TYPES])
            .await?;
        drop(client);
        let reached: Option<bool> = row.map(|row| row.try_get(0)).transpose()?;
        if reached == Some(true) {
            return Ok(true);
        }
        let Some(left) = limit.checked_sub(started.elapsed()) else { return Ok(false) };
        tokio::time::sleep(pause.min(left)).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
