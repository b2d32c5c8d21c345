//! One type for each kind of id; a bare `Uuid` stands only in requests and rows.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl $crate::NonPersonal for $name {}
    )*};
}

ids! {
    /// A person's account.
    AccountId
    /// Whoever caused an event: an account, a token of a workspace or an operator, or a worker.
    ActorId
    /// A token that acts for a person in one workspace.
    ApiTokenId
    /// One of the secrets that a token of a workspace has had, each of which is kept outside the log as a hash.
    ApiTokenSecretId
    /// What makes a command the same command when it is sent again.
    CommandId
    /// A password's hash, kept outside the log.
    CredentialId
    /// A named way to deploy on a server.
    DeploymentId
    /// An event. No two events of the log have the same id.
    EventId
    /// An invitation into a workspace: the subject of the address that it was sent to.
    InvitationId
    /// One holding of a seat.
    LeaseId
    /// What a mailed link names: a proof, or an invitation. The link's purpose says which.
    LinkId
    /// The proof in a mailed link: who sends it back has received the mail.
    ProofId
    /// A command or a deployment, on one or several servers.
    RunId
    /// The secrets of a run, kept outside the log until the run has ended.
    RunSecretsId
    /// A private key for a server, kept outside the log.
    ServerCredentialId
    /// A server that a workspace has Lethe reach.
    ServerId
    /// What a sealed value is bound to: the event that it was first written in, or for a value outside
    /// the log an id that no other value of its field has.
    SealedId
    /// One sign-in, or one attempt to sign in that was refused.
    SessionId
    /// The person (or workspace) that a personal field is about.
    SubjectId
    /// The workspace, or the account for an account's own streams.
    TenantId
    /// An operator's token.
    TokenId
    /// A workspace: the tenant of all that belongs to it.
    WorkspaceId
}

macro_rules! becomes {
    ($($from:ident => $to:ident),* $(,)?) => {$(
        impl From<$from> for $to {
            fn from(id: $from) -> Self {
                Self(id.0)
            }
        }
    )*};
}

becomes! {
    EventId => SealedId,
    ApiTokenId => SealedId,
    ApiTokenId => ApiTokenSecretId,
    RunSecretsId => SealedId,
    ServerCredentialId => SealedId,
    AccountId => SubjectId,
    AccountId => TenantId,
    AccountId => ActorId,
    TokenId => ActorId,
    ApiTokenId => ActorId,
    InvitationId => SubjectId,
    InvitationId => LinkId,
    ProofId => LinkId,
    WorkspaceId => SubjectId,
    WorkspaceId => TenantId,
}
