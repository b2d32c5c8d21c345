//! Ids have kinds; a bare `Uuid` stays at the wire.

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

        impl $crate::event::Plain for $name {}
    )*};
}

ids! {
    /// A person's account.
    AccountId
    /// Whoever caused an event: an account, an operator's token, or a duty.
    ActorId
    /// What makes a command the same command when it is sent again.
    CommandId
    /// A password's hash, kept outside the log.
    CredentialId
    EventId
    /// What a mailed link proves the receipt of.
    ProofId
    SessionId
    /// The person (or workspace) that a personal field is about.
    SubjectId
    /// The workspace, or the account for an account's own streams.
    TenantId
    /// An operator's token.
    TokenId
}

impl From<AccountId> for SubjectId {
    fn from(account: AccountId) -> Self {
        Self(account.0)
    }
}

impl From<AccountId> for TenantId {
    fn from(account: AccountId) -> Self {
        Self(account.0)
    }
}

impl From<AccountId> for ActorId {
    fn from(account: AccountId) -> Self {
        Self(account.0)
    }
}

impl From<TokenId> for ActorId {
    fn from(token: TokenId) -> Self {
        Self(token.0)
    }
}
