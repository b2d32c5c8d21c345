//! The outcome of one append in PostgreSQL, or why there is none.

use postgres_types::FromSql;
use uuid::Uuid;

/// A stream and the version that it reached: `event_log.reached`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromSql)]
#[postgres(name = "reached")]
pub struct StreamVersion {
    pub stream_id: Uuid,
    pub version: i64,
}

/// The outcome of one append. All but `Appended` changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendOutcome {
    /// The positions of its events, in order.
    Appended { first: i64, last: i64 },
    /// The command was appended before: the positions of its events.
    Replayed { first: i64, last: i64, streams: Vec<StreamVersion> },
    /// Its command id was used before with another request.
    Reused,
    /// One of its subjects is erased.
    Fenced,
    /// One of its streams is at another version, or of another tenant or aggregate.
    Conflict,
    /// Another owner has a reservation that it takes.
    Reserved,
}

impl AppendOutcome {
    /// The labels in the metrics.
    pub const NAMES: [&'static str; 6] =
        ["appended", "replayed", "reused", "fenced", "conflict", "reserved"];

    /// Its index in `NAMES`.
    pub const fn number(&self) -> usize {
        match self {
            Self::Appended { .. } => 0,
            Self::Replayed { .. } => 1,
            Self::Reused => 2,
            Self::Fenced => 3,
            Self::Conflict => 4,
            Self::Reserved => 5,
        }
    }
}

/// Why a whole batch has no answer.
#[derive(Debug)]
pub enum AppendError {
    /// The connection was lost: the batch may have been written.
    AnswerLost(String),
    /// It was not written, and its members cannot be written one by one: a time-out, or no connection.
    Unavailable(String),
    /// It was not written, perhaps because of one of its members.
    Failed(String),
    /// It was not written, nor would another append be: the disk is full, the server read-only, a right gone.
    Refused(String),
    /// It was not written: there is no partition for the next position.
    NoPartition,
}
