//! The context of a command: its actor, its cause, and its idempotency key.

use domain::{ActorId, CommandId, EventId, SessionId, TenantId};
use uuid::Uuid;

use super::guard::Guard;

/// The context of a command. All but the bodies, `reservations` and `guards` is recorded with each event.
#[derive(Clone, Debug)]
pub struct Request {
    /// The owner of the streams: a workspace, or an account.
    pub tenant: TenantId,
    /// The idempotency key, unique within the tenant: a command is executed once, and each call returns
    /// the same events. It counts for at least 30 days. `body` can be compared until the key of its
    /// day is erased, 24 hours after that day; a later repetition is refused.
    pub command: CommandId,
    /// The canonical bytes of the request. The same command id with another body is refused. `None`
    /// for workers, whose command ids say everything.
    pub body: Option<Vec<u8>>,
    /// The bytes that a former version compared in place of `body`, where it was another form: what it has
    /// executed is recognised, too. Nothing is recorded of it.
    pub former_body: Option<Vec<u8>>,
    /// The account or token that sent the command; `None` for Lethe itself.
    pub actor: Option<ActorId>,
    /// The session that the actor is signed in with.
    pub session: Option<SessionId>,
    /// The id of the HTTP request.
    pub request: Option<Uuid>,
    /// The caller's id for commands that belong together.
    pub correlation: Option<Uuid>,
    /// The event that caused this command.
    pub causation: Option<EventId>,
    /// Reservations that are taken and released in the same commit.
    pub reservations: Vec<ReservationChange>,
    /// What must hold of other streams, such as that the actor may still act. A call that the log has an
    /// earlier one of is answered all the same.
    pub guards: Vec<Guard>,
}

impl Request {
    /// A request without actor, reservations and guards.
    pub const fn new(tenant: TenantId, command: CommandId) -> Self {
        Self {
            tenant,
            command,
            body: None,
            former_body: None,
            actor: None,
            session: None,
            request: None,
            correlation: None,
            causation: None,
            reservations: Vec::new(),
            guards: Vec::new(),
        }
    }
}

/// A value that only one owner may have, such as an address. It is taken or released in the commit of
/// the append; a refused append changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReservationChange {
    /// Refused if another owner has it. Succeeds if the owner itself has it.
    Take {
        /// The kind of the value, with the generation of the index key.
        kind: String,
        /// The blind index of the value.
        blind_index: Vec<u8>,
        /// The new owner.
        owner: Uuid,
    },
    /// Does nothing if the owner does not have it.
    Release {
        /// The kind of the value, with the generation of the index key.
        kind: String,
        /// The blind index of the value.
        blind_index: Vec<u8>,
        /// The owner that releases it.
        owner: Uuid,
    },
}
