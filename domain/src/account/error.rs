//! Why a command to an account is refused.

use chrono::{DateTime, Utc};

use crate::privacy::Purpose;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    #[error("there is no such account")]
    Unknown,
    #[error("this account is registered already")]
    AlreadyExists,
    #[error("this account has been erased")]
    Erased,
    #[error("this account has not been erased")]
    NotErased,
    #[error("this address is verified already")]
    EmailVerified,
    #[error("this link has been used, or replaced by a newer one")]
    LinkReplaced,
    #[error("this link has expired: ask for a new one")]
    LinkExpired,
    #[error("nothing was named that should be corrected")]
    NothingToRectify,
    #[error("{} does not rest on consent", purpose_name(*.0))]
    NotByConsent(Purpose),
    #[error("the erasure of this account has been requested: cancel it first")]
    ErasureRequested,
    #[error("no erasure of this account has been requested")]
    ErasureNotRequested,
    #[error("the grace ended at {0}: the erasure can no longer be cancelled")]
    GraceOver(DateTime<Utc>),
    #[error("the grace lasts until {0}")]
    GraceNotOver(DateTime<Utc>),
    #[error("the grace is at most 30 days")]
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
