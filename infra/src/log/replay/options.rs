//! The options of a replay, its progress, its outcome and its errors.

use std::time::Duration;

use uuid::Uuid;

use crate::build_id::Build;
use crate::log::unknown::UnknownEvent;
use crate::log::{FeedError, GenerationError, Keep, NewestVersion};
use crate::postgres::PgError;

/// How many connections a replay has of its pool: for its table, for the log, and to keep its lease.
pub const REPLAY_CONNECTIONS: u16 = 3;

/// Why a replay was not done.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum ReplayError {
    #[error("a worker acts once, and is never replayed")]
    Worker,
    #[error("a replay of {name} is running: it has come to {position} of {ceiling}")]
    Running { name: &'static str, position: i64, ceiling: i64 },
    #[error("the replay was cancelled: the table is as it was")]
    Cancelled,
    #[error("another replay has taken over")]
    Lost,
    #[error(
        "the log has {event_type} in version {version}, which this version of Lethe does not know: the \
         table is as it was; replay with the newer version"
    )]
    Unknown { event_type: String, version: i16 },
    #[error(
        "{streams} streams do not fit: the fold is wrong, not the events; the table is as it was"
    )]
    Parks { streams: usize },
    #[error(
        "the projection is built through {built}, and no node has read further than {position}: the view shows \
         what it did; start a node, and resume the replay"
    )]
    Behind { position: i64, built: i64 },
    /// The view shows what it did.
    #[error("generation {generation} is built and joined, and is not promoted: {why}")]
    Joined { generation: i32, why: Box<GenerationError> },
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Postgres(#[from] PgError),
}

impl From<UnknownEvent> for ReplayError {
    fn from(UnknownEvent { event_type, version, .. }: UnknownEvent) -> Self {
        Self::Unknown { event_type, version }
    }
}

impl From<tokio_postgres::Error> for ReplayError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error.into())
    }
}

impl From<crate::postgres::PoolError> for ReplayError {
    fn from(error: crate::postgres::PoolError) -> Self {
        Self::Postgres(error.into())
    }
}

/// How a projection is replayed.
#[derive(Clone, Copy, Debug)]
pub struct ReplayOptions {
    /// Who replays: the holder of the lease.
    pub node: Uuid,
    /// Goes on with what a crash has left, if the same programme has built it.
    pub resume: bool,
    /// Which programme builds.
    pub build: Build,
    /// Lets the view show the generation once it is built. Else it is joined: the reader writes it beside the live one.
    pub promote: bool,
    /// How long the generation of before is kept after that.
    pub keep: Keep,
    /// So many streams may be parked on the way; a fold that refuses more is wrong.
    pub parked_max: usize,
    /// Positions a transaction, at most.
    pub lap: i64,
    /// How long a transaction that reads the log waits for the fold: what it has not handed on by then, the next one
    /// reads again. Vacuum spares what a transaction may see.
    pub lap_time_max: Duration,
    /// Changed rows a transaction, about.
    pub changed_max: usize,
    /// Rows in memory, about; more are written, evicted, and loaded again when they change.
    pub rows_max: usize,
    /// How long after a crash another replay is refused.
    pub lease: Duration,
    /// Which events this programme knows: a log with others is not replayed.
    pub newest_version: NewestVersion,
}

impl ReplayOptions {
    /// A new replay, which is promoted and keeps nothing of before, by a programme that is not known. With the usual sizes:
    /// 100,000 positions or ten minutes a transaction, 200,000 rows in memory.
    pub const fn of(node: Uuid) -> Self {
        Self {
            node,
            resume: false,
            build: Build::UNKNOWN,
            promote: true,
            keep: Keep(None),
            parked_max: 1000,
            lap: 100_000,
            lap_time_max: Duration::from_mins(10),
            changed_max: 20_000,
            rows_max: 200_000,
            lease: Duration::from_secs(10),
            newest_version: domain::newest_version,
        }
    }
}

/// How far a replay has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Positions of the log that are read.
    pub done: i64,
    /// Positions in all.
    pub total: i64,
    /// Since the replay began, or was resumed.
    pub events_per_second: f64,
    /// How long the rest takes at this rate.
    pub left: Option<Duration>,
}

/// What a replay has done.
#[derive(Clone, Copy, Debug)]
pub struct Replayed {
    /// The generation that was built.
    pub generation: i32,
    /// The position that an interrupted replay had reached; 0 when none was resumed.
    pub from: i64,
    /// Events of the projection's types.
    pub events: i64,
    /// The position that the new table shows.
    pub through: i64,
    /// From its beginning, or from where it was resumed.
    pub took: Duration,
    /// Streams that wait, as they would for the live table.
    pub parked: usize,
}
