#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

#[macro_use]
mod event;
#[macro_use]
mod non_personal;
pub mod account;
#[cfg(test)]
mod golden;
mod id;
mod known_events;
pub mod log;
mod named_enum;
pub mod operator;
pub mod privacy;
mod refused;
pub mod run;
pub mod seat;
pub mod server;
pub mod session;
pub mod strangers;
#[cfg(test)]
mod upcasting_tests;
pub mod workspace;

pub use event::{AggregateRoot, DecodeError, Event, PersonalVisitor, Upcaster, check_upcasters};
pub use id::{
    AccountId, ActorId, ApiTokenId, ApiTokenSecretId, CommandId, CredentialId, DeploymentId,
    EventId, InvitationId, LeaseId, LinkId, ProofId, RunId, RunSecretsId, SealedId,
    ServerCredentialId, ServerId, SessionId, SubjectId, TenantId, TokenId, WorkspaceId,
};
pub use known_events::{event_types, newest_version};
pub use non_personal::NonPersonal;
pub use refused::Refused;
