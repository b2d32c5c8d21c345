//! The commands of a session.

use super::{CloseReason, SessionKind};
use crate::AccountId;
use crate::account::LoginRefusal;
use crate::privacy::{LoginIp, LoginUserAgent, Personal};

#[derive(Clone, Debug)]
pub enum SessionCommand {
    Open {
        account: AccountId,
        kind: SessionKind,
        ip: Personal<LoginIp>,
        user_agent: Personal<LoginUserAgent>,
    },
    /// An attempt for an address that nobody has: its personal fields are about the attempt.
    Refuse {
        reason: LoginRefusal,
        ip: Personal<LoginIp>,
        user_agent: Personal<LoginUserAgent>,
    },
    Close {
        reason: CloseReason,
    },
}
