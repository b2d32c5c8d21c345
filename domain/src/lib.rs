//! What the business knows and decides. Pure: no database, no network, no clock.

#[macro_use]
mod event;
pub mod account;
#[cfg(test)]
mod golden;
mod id;
pub mod operator;
pub mod privacy;
mod refused;
pub mod session;
#[cfg(test)]
mod upcasting;

pub use event::{Event, Plain, Root, Undecodable, Upcaster, Visit, check_upcasters};
pub use id::{
    AccountId, ActorId, CommandId, CredentialId, EventId, ProofId, SessionId, SubjectId, TenantId,
    TokenId,
};
pub use refused::Refused;
