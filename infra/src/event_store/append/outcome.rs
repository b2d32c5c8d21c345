//! What PostgreSQL answered to one append, and why it answered nothing.

use postgres_types::FromSql;
use uuid::Uuid;

/// A stream and the version that it reached: `event_log.reached`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromSql)]
#[postgres(name = "reached")]
pub struct StreamVersion {
    pub stream_id: Uuid,
    pub version: i64,
}

/// What became of one append. All but `Appended` changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendOutcome {
    /// Its events have these positions, in their order.
    Appended { first: i64, last: i64 },
    /// The same command came before: the positions that its events have.
    Replayed { first: i64, last: i64, streams: Vec<StreamVersion> },
    /// Its command id came before with another request.
    Reused,
    /// One of its subjects is erased.
    Fenced,
    /// One of its streams is at another version, or of another tenant or aggregate.
    Conflict,
    /// Another owner has what it takes.
    Reserved,
}

impl AppendOutcome {
    /// As the metrics name them.
    pub const NAMES: [&'static str; 6] =
        ["appended", "replayed", "reused", "fenced", "conflict", "reserved"];

    /// Its place in `NAMES`.
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
    /// The connection was lost on the way: it may have been written.
    AnswerLost(String),
    /// It was not written, and its members would not be one by one: a time-out, or no connection.
    Unavailable(String),
    /// It was not written; perhaps one member is at fault.
    Failed(String),
    /// It was not written: no partition takes the next position.
    NoPartition,
}
