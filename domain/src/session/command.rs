//! The commands of a session.

use super::{CloseReason, SessionKind};
use crate::AccountId;
use crate::privacy::{LoginIp, LoginUserAgent, Personal};

/// What can be requested of a session.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields are those of the event that follows")]
pub enum SessionCommand {
    /// The password was checked by the caller.
    Open {
        account: AccountId,
        kind: SessionKind,
        ip: Personal<LoginIp>,
        user_agent: Personal<LoginUserAgent>,
    },
    /// Changes nothing: a guard of what is done in the session.
    Use,
    /// Changes nothing if the session is closed already.
    Close { reason: CloseReason },
    /// As `Close`, of one session among others: changes nothing either if it is not opened.
    CloseIfOpen { reason: CloseReason },
}
