//! Why a command to an account is refused.

use chrono::{DateTime, Utc};

use crate::privacy::Purpose;
use crate::privacy::deadlines::ERASURE_DAYS_MAX;

/// Why a command to an account is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum AccountError {
    #[error("there is no account with this id")]
    Unknown,
    #[error("an account with this id is registered already: register with a new id")]
    AlreadyExists,
    #[error("this account has been erased: nothing can be done with it any more")]
    Erased,
    #[error("the erasure of backups is not proven, since this account has not been erased yet")]
    NotErased,
    #[error("this address is verified already: no link is needed")]
    EmailVerified,
    #[error("this address is not verified yet: follow its link first")]
    EmailUnverified,
    #[error(
        "the address of this account is not verified: follow the link in its mail, or ask for another one, \
         and then do this again"
    )]
    AddressUnverified,
    #[error("this link was used or replaced by a newer one: follow the newest, or ask for one")]
    LinkReplaced,
    #[error("this link has expired: ask for a new one")]
    LinkExpired,
    #[error("the password has been changed since it was checked: sign in with the new one")]
    CredentialReplaced,
    #[error("the password has been changed since it was verified: send the new one")]
    PasswordReplaced,
    #[error("the API tokens of the account were ended meanwhile: issue another one")]
    TokensEnded,
    #[error("the address of the account has been changed meanwhile: look at it, and try again")]
    EmailReplaced,
    #[error(
        "the only other owner of a workspace leaves as well: make another member its owner first, or \
         delete it"
    )]
    OwnerLeaves,
    #[error("no change of the address is waiting: there is nothing to cancel")]
    NoEmailChange,
    #[error("nothing is corrected: send a name, a username or both")]
    NothingToRectify,
    #[error(
        "{} does not rest on consent: only usage analysis and product news do",
        purpose_name(*.0)
    )]
    NotByConsent(Purpose),
    #[error("the erasure of this account has been requested: cancel it first")]
    ErasureRequested,
    #[error("no erasure of this account has been requested: request it first")]
    ErasureNotRequested,
    #[error("the erasure can no longer be cancelled: its grace ended at {0}")]
    GraceOver(DateTime<Utc>),
    #[error("the erasure is not completed yet: its grace lasts until {0}")]
    GraceNotOver(DateTime<Utc>),
    #[error("the grace must be 0 to {ERASURE_DAYS_MAX} days")]
    GraceOutOfRange,
}

fn purpose_name(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Authentication => "authentication",
        Purpose::AccountAdministration => "account administration",
        Purpose::ServiceCommunication => "service communication",
        Purpose::SecurityMonitoring => "security monitoring",
        Purpose::Support => "support",
        Purpose::UsageAnalysis => "usage analysis",
        Purpose::ProductOperation => "product operation",
        Purpose::ProductNews => "product news",
    }
}
