//! The commands of an operator's token.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{GenerationAct, ReadModel, Scope};
use crate::AccountId;

/// What can be requested of an operator's token.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields are those of the event that follows")]
pub enum OperatorCommand {
    /// Refused for an id that has been issued, revoked or not.
    IssueToken { scope: Scope, expires_at: DateTime<Utc> },
    /// Changes nothing: a guard of what is done with the token, which needs this scope.
    Use { scope: Scope, now: DateTime<Utc> },
    /// Changes nothing if the token is revoked already.
    RevokeToken,
    /// Of the log up to and with position `through`.
    StartExport { through: i64 },
    /// `complete`: every event up to `through` was handed out.
    FinishExport { through: i64, events: u64, complete: bool },
    /// Records that the account was found by its address, before it is shown which it is.
    FindAccount { account: AccountId },
    /// Records that no account has the address that was looked for. The address is not kept.
    FindNoAccount,
    /// A parked stream goes on, from the event at `position`.
    ReleaseStream { stream: Uuid, position: i64 },
    /// Records what is to be done with a generation of a projection, before it is done.
    ChangeGeneration { projection: ReadModel, version: i16, generation: i32, act: GenerationAct },
}
