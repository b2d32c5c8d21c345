//! A session, from its opening to the record that it was closed.

use chrono::{DateTime, TimeDelta, Utc};
use domain::session::{CloseReason, SessionKind};
use domain::{AccountId, EventId, SessionId};

use crate::bearer::TokenHash;

/// A session that is to be opened.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct NewSession {
    pub session: SessionId,
    pub account: AccountId,
    /// Of the account's stream, when the sign-in was decided.
    pub account_version: i64,
    pub kind: SessionKind,
    /// Of the token that the client is given.
    pub token: TokenHash,
    /// How long it lives after its last use.
    pub idle: TimeDelta,
    /// How long it lives at most, from now on.
    pub absolute: TimeDelta,
}

/// The event of an account that closes its sessions.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct ClosedBy {
    pub position: i64,
    /// In the account's stream.
    pub version: i64,
}

impl ClosedBy {
    /// Every session that is open now.
    pub(super) const NOW: Self = Self { position: i64::MAX, version: i64::MAX };
}

/// An open session, found by its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct LiveSession {
    pub session: SessionId,
    pub account: AccountId,
    pub kind: SessionKind,
    pub opened_at: DateTime<Utc>,
    /// To the minute.
    pub last_used_at: DateTime<Utc>,
    /// It ends then, unless it is used before.
    pub idle_until: DateTime<Utc>,
    /// It ends then, however much it is used.
    pub absolute_until: DateTime<Utc>,
}

/// When an open session was used last, and when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct Period {
    /// To the minute.
    pub last_used_at: DateTime<Utc>,
    /// It ends then, unless it is used before.
    pub idle_until: DateTime<Utc>,
    /// It ends then, however much it is used.
    pub absolute_until: DateTime<Utc>,
}

/// A session whose row has been deleted and whose closing event is not in the log yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct Closing {
    pub session: SessionId,
    pub account: AccountId,
    pub reason: CloseReason,
    /// The event because of which it was closed; `None`: none.
    pub cause: Option<EventId>,
    pub closed_at: DateTime<Utc>,
}

impl LiveSession {
    pub(super) fn is_live(&self, now: DateTime<Utc>) -> bool {
        now < self.idle_until && now < self.absolute_until
    }
}
