//! The commands of an operator's token.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Scope;

#[derive(Clone, Debug)]
pub enum OperatorCommand {
    IssueToken {
        scope: Scope,
        expires_at: DateTime<Utc>,
    },
    RevokeToken,
    /// Of the log up to and with position `through`.
    StartExport {
        through: i64,
    },
    FinishExport {
        through: i64,
        events: u64,
        complete: bool,
    },
    /// A parked stream goes on, from the event at `position`.
    ReleaseStream {
        stream: Uuid,
        position: i64,
    },
}
