//! What somebody can hold of an account, and which events end it: the one table of both.

use super::AccountEvent;

crate::named_enum! {
    /// What opens a way into an account, or to a part of it, until an event ends it.

    pub enum Holding {
        /// The link that proves the address. It rests on the address.
        Verification = "verification",
        /// A change of address whose link is not followed yet. It rests on the address, which got a
        /// mail about it, and on the password, with which it was requested.
        EmailChange = "email_change",
        /// The link for another password. It rests on the address.
        PasswordReset = "password_reset",
        /// Every session, apart from the one in which the event was caused. They rest on the password.
        Sessions = "sessions",
        /// The API tokens that act for the person, in every workspace. They rest on the password.
        ApiTokens = "api_tokens",
    }
}

impl AccountEvent {
    /// What ends with this event, whoever holds it. An event that begins something ends what was there
    /// of the same kind. There is no wildcard: a new event has to say what it ends.
    pub const fn ends(&self) -> &'static [Holding] {
        match self {
            Self::VerificationRequested { .. } | Self::EmailVerified {} => &[Holding::Verification],
            Self::EmailChangeRequested { .. } | Self::EmailChangeCancelled {} => {
                &[Holding::EmailChange]
            }
            Self::EmailChanged { .. } => {
                &[Holding::Verification, Holding::EmailChange, Holding::PasswordReset]
            }
            Self::PasswordResetRequested { .. } => &[Holding::PasswordReset],
            Self::PasswordChanged { .. } => {
                &[Holding::EmailChange, Holding::PasswordReset, Holding::Sessions]
            }
            Self::SessionsEnded {} => &[Holding::Sessions],
            Self::ApiTokensEnded {} => &[Holding::ApiTokens],
            Self::ErasureRequested { .. } | Self::ErasureCompleted { .. } => Holding::ALL,
            Self::Registered { .. }
            | Self::Rectified { .. }
            | Self::UsernameRemoved {}
            | Self::LoginSucceeded { .. }
            | Self::LoginFailed { .. }
            | Self::LoginsFailed { .. }
            | Self::ConsentGiven { .. }
            | Self::ConsentWithdrawn { .. }
            | Self::ErasureCancelled {}
            | Self::ErasureBackupProven {} => &[],
        }
    }
}
