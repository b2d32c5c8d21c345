//! The erasure ledger: outside the events' restore set, and replayed before serving.

use chrono::{DateTime, Utc};
use domain::SubjectId;

use super::RootId;

/// How far an erasure has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Requested,
    Cancelled,
    /// The fence stands: nothing more is appended for the subject.
    Fenced,
    /// The keys are destroyed.
    Destroyed,
    Completed,
    /// No backup opens anything either.
    BackupProven,
}

/// One erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub subject: SubjectId,
    pub state: State,
    pub requested_at: DateTime<Utc>,
    pub due: DateTime<Utc>,
    /// SHA-256 of the claim code, by which the person asks for the certificate.
    pub claim_code_hash: [u8; 32],
    pub cancelled_at: Option<DateTime<Utc>>,
    pub fenced_at: Option<DateTime<Utc>>,
    pub fenced_at_position: Option<i64>,
    pub destroyed_at: Option<DateTime<Utc>>,
    /// How many keys were destroyed.
    pub keys: Option<i64>,
    /// The youngest root key that ever wrapped the subject's keys.
    pub last_root: Option<RootId>,
    pub completed_at: Option<DateTime<Utc>>,
    pub backup_proven_at: Option<DateTime<Utc>>,
}

/// A step of an erasure, in this order. A step that was already taken changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Fenced { position: i64 },
    Destroyed { keys: i64, last_root: Option<RootId> },
    Completed,
    BackupProven,
}

/// The erasures that are requested and not completed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    pub count: i64,
    pub oldest: Option<DateTime<Utc>>,
}
