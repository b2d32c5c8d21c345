//! What comes with a command: who asks, why, and under which idempotency key.

use domain::{ActorId, CommandId, EventId, SessionId, TenantId};
use uuid::Uuid;

/// Who asks, and why. All but `body` and `reservations` is recorded with each event.
#[derive(Clone, Debug)]
pub struct Request {
    /// Whose streams: a workspace, or an account for its own.
    pub tenant: TenantId,
    /// The idempotency key, within the tenant: a command is done once, and answered alike each time
    /// that it is sent. It is kept for 30 days, `body` is compared for 24 hours.
    pub command: CommandId,
    /// The canonical bytes of the request. The same command id with another body is refused. `None`
    /// for workers, whose command ids say everything.
    pub body: Option<Vec<u8>>,
    /// The account or token that asks; `None` for Lethe itself.
    pub actor: Option<ActorId>,
    /// The session that the actor is signed in with.
    pub session: Option<SessionId>,
    /// The id of the HTTP request.
    pub request: Option<Uuid>,
    /// What belongs together, as the caller names it.
    pub correlation: Option<Uuid>,
    /// The event that this reacts to.
    pub causation: Option<EventId>,
    /// What is taken and given back in the append's own commit.
    pub reservations: Vec<ReservationChange>,
}

impl Request {
    /// A request of nobody in particular, that takes nothing.
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

/// What one owner at a time may have. It is taken or given back in the append's own commit, or not
/// at all when the append is refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReservationChange {
    /// Refused when another owner has it; its own already is no fault.
    Take {
        /// What it is, with the generation of the index key.
        kind: String,
        /// The blind index of the value.
        blind_index: Vec<u8>,
        /// Who takes it.
        owner: Uuid,
    },
    /// Nothing happens when the owner does not have it.
    Release {
        /// What it is, with the generation of the index key.
        kind: String,
        /// The blind index of the value.
        blind_index: Vec<u8>,
        /// Who gives it back.
        owner: Uuid,
    },
}
