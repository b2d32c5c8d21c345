//! What a command is asked with, and what it is answered.

use std::sync::Arc;

use domain::{ActorId, CommandId, EventId, Refused, SessionId, TenantId, Undecodable};
use uuid::Uuid;

use crate::postgres::PgError;

/// Who asks, and why: stands on every event of the append.
#[derive(Clone, Debug)]
pub struct Request {
    pub tenant: TenantId,
    pub command: CommandId,
    /// The canonical bytes of the request, compared when the command id comes again. `None` for
    /// workers, whose command ids say everything.
    pub body: Option<Vec<u8>>,
    pub actor: Option<ActorId>,
    pub session: Option<SessionId>,
    pub request: Option<Uuid>,
    pub correlation: Option<Uuid>,
    pub causation: Option<EventId>,
    pub reservations: Vec<ReservationChange>,
}

impl Request {
    pub const fn new(tenant: TenantId, command: CommandId) -> Self {
        Self {
            tenant,
            command,
            body: None,
            actor: None,
            session: None,
            request: None,
            correlation: None,
            causation: None,
            reservations: Vec::new(),
        }
    }
}

/// What one owner at a time may have, taken or given back in the append's own commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReservationChange {
    Take { kind: String, blind_index: Vec<u8>, owner: Uuid },
    Release { kind: String, blind_index: Vec<u8>, owner: Uuid },
}

/// Where a command's events stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// `first..=last` are the positions; both are 0 when the command changed nothing.
    pub first: i64,
    pub last: i64,
    /// For each step, its stream's version afterwards.
    pub versions: Vec<i64>,
    /// The command id had been answered before: this is that answer again.
    pub replayed: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("the stream is at version {version} by now")]
    Stale { version: i64 },
    #[error("this command id came with another request before")]
    Reused,
    #[error("{kind} is reserved by another")]
    Reserved { kind: String },
    #[error("this person has been erased")]
    Fenced,
    #[error("others changed the same streams again and again")]
    Conflict,
    #[error("more appends wait than may")]
    Overloaded,
    /// Whether the command was done is known by asking again with the same command id.
    #[error("not available: {0}")]
    Unavailable(String),
    #[error(transparent)]
    Load(#[from] LoadError),
}

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error("stream {stream} cannot be read at version {version}: {reason}")]
    Undecodable { stream: Uuid, version: i64, reason: Undecodable },
    #[error("stream {stream} lacks version {version}")]
    Missing { stream: Uuid, version: i64 },
}

impl From<tokio_postgres::Error> for LoadError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error.into())
    }
}

impl From<deadpool_postgres::PoolError> for LoadError {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        Self::Postgres(error.into())
    }
}

/// An aggregate as it stands: its personal fields sealed.
#[derive(Clone, Debug)]
pub struct Loaded<A> {
    pub state: Arc<A>,
    /// 0 when the stream has no event.
    pub version: i64,
}
