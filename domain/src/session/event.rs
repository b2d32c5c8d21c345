//! What happened to a session.

use serde::{Deserialize, Serialize};

use crate::AccountId;
use crate::account::LoginRefusal;
use crate::privacy::{LoginIp, LoginUserAgent, Personal};

/// How the session shows itself with each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// A cookie.
    Browser,
    /// A bearer token.
    Client,
}

/// Why a session was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// The person signed out.
    SignedOut,
    /// The person closed it from another session.
    ClosedFromAnother,
    /// Each other session ends with the old password.
    PasswordChanged,
    /// The person asked for the account to be erased.
    ErasureRequested,
    /// It was not used for too long.
    Idle,
    /// It reached the longest time that a session may last.
    Expired,
}

non_personal!(SessionKind, CloseReason);

events! {
    /// What happened to a session.
    SessionEvent {
        "session.opened" 1 subject account => Opened {
            account: AccountId,
            kind: SessionKind,
            ip: Personal<LoginIp>,
            user_agent: Personal<LoginUserAgent>,
        }
        "session.closed" 1 => Closed { reason: CloseReason }
        "session.refused" 1 => Refused {
            reason: LoginRefusal,
            ip: Personal<LoginIp>,
            user_agent: Personal<LoginUserAgent>,
        }
    }
}

impl SessionEvent {
    /// The events that a session of an erased account still takes.
    pub const CLOSING: &'static [&'static str] = &["session.closed"];
}
