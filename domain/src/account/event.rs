//! What happened to an account.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Proof;
use crate::privacy::{
    AccountEmail, AccountName, AccountUsername, LoginIp, LoginUserAgent, Personal, Purpose,
};
use crate::{CredentialId, SessionId};

/// Why a sign-in was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginRefusal {
    /// The account exists, and the password is another one.
    WrongPassword,
    /// No account has the address.
    UnknownAddress,
}

non_personal!(Proof, LoginRefusal);

events! {
    /// What happened to an account.
    AccountEvent {
        "account.registered" 1 => Registered {
            email: Personal<AccountEmail>,
            name: Personal<AccountName>,
            username: Option<Personal<AccountUsername>>,
            credential: CredentialId,
            verification: Proof,
        }
        "account.verification_requested" 1 => VerificationRequested { verification: Proof }
        "account.email_verified" 1 => EmailVerified {}
        "account.email_change_requested" 1 => EmailChangeRequested {
            email: Personal<AccountEmail>,
            verification: Proof,
        }
        "account.email_change_cancelled" 1 => EmailChangeCancelled {}
        "account.email_changed" 1 => EmailChanged { email: Personal<AccountEmail> }
        "account.rectified" 1 => Rectified {
            name: Option<Personal<AccountName>>,
            username: Option<Personal<AccountUsername>>,
        }
        "account.username_removed" 1 => UsernameRemoved {}
        "account.password_changed" 1 => PasswordChanged { credential: CredentialId }
        "account.password_reset_requested" 1 => PasswordResetRequested { proof: Proof }
        "account.sessions_ended" 1 => SessionsEnded {}
        "account.api_tokens_ended" 1 => ApiTokensEnded {}
        "account.login_succeeded" 1 => LoginSucceeded {
            session: SessionId,
            ip: Personal<LoginIp>,
            user_agent: Personal<LoginUserAgent>,
        }
        "account.login_failed" 1 => LoginFailed {
            reason: LoginRefusal,
            ip: Personal<LoginIp>,
            user_agent: Personal<LoginUserAgent>,
        }
        "account.logins_failed" 1 => LoginsFailed {
            from: DateTime<Utc>,
            until: DateTime<Utc>,
            count: u64,
        }
        "account.consent_given" 1 => ConsentGiven { purpose: Purpose, policy_version: u32 }
        "account.consent_withdrawn" 1 => ConsentWithdrawn { purpose: Purpose }
        "account.erasure_requested" 1 => ErasureRequested {
            requested_at: DateTime<Utc>,
            due: DateTime<Utc>,
        }
        "account.erasure_cancelled" 1 => ErasureCancelled {}
        "account.erasure_completed" 1 => ErasureCompleted { requested_at: DateTime<Utc> }
        "account.erasure_backup_proven" 1 => ErasureBackupProven {}
    }
}

impl AccountEvent {
    /// The events that an erased account still takes.
    pub const CLOSING: &'static [&'static str] =
        &["account.erasure_completed", "account.erasure_backup_proven"];
}
