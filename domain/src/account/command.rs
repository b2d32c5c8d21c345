//! The commands of an account.

use chrono::{DateTime, Utc};

use super::{LoginRefusal, Proof};
use crate::privacy::{
    AccountEmail, AccountName, AccountUsername, LoginIp, LoginUserAgent, Personal, Purpose,
};
use crate::{CredentialId, ProofId, SessionId};

#[derive(Clone, Debug)]
pub enum AccountCommand {
    Register {
        email: Personal<AccountEmail>,
        name: Personal<AccountName>,
        username: Option<Personal<AccountUsername>>,
        credential: CredentialId,
        verification: Proof,
    },
    /// Sends the link again; the earlier one no longer works.
    RequestVerification {
        verification: Proof,
    },
    VerifyEmail {
        proof: ProofId,
        now: DateTime<Utc>,
    },
    /// The address changes when the link sent to the new one is followed.
    RequestEmailChange {
        email: Personal<AccountEmail>,
        verification: Proof,
    },
    ConfirmEmailChange {
        proof: ProofId,
        now: DateTime<Utc>,
    },
    Rectify {
        name: Option<Personal<AccountName>>,
        username: Option<Personal<AccountUsername>>,
    },
    ChangePassword {
        credential: CredentialId,
    },
    RequestPasswordReset {
        proof: Proof,
    },
    ResetPassword {
        proof: ProofId,
        credential: CredentialId,
        now: DateTime<Utc>,
    },
    SucceedLogin {
        session: SessionId,
        ip: Personal<LoginIp>,
        user_agent: Personal<LoginUserAgent>,
    },
    FailLogin {
        reason: LoginRefusal,
        ip: Personal<LoginIp>,
        user_agent: Personal<LoginUserAgent>,
    },
    GiveConsent {
        purpose: Purpose,
        policy_version: u32,
    },
    WithdrawConsent {
        purpose: Purpose,
    },
    RequestErasure {
        now: DateTime<Utc>,
        due: DateTime<Utc>,
    },
    CancelErasure {
        now: DateTime<Utc>,
    },
    CompleteErasure {
        now: DateTime<Utc>,
    },
    /// The last root key that ever wrapped this person's keys, and its escrow, are gone.
    ProveBackupErasure,
}

impl AccountCommand {
    /// Whether the command is accepted between a request for erasure and its completion.
    pub(super) const fn fits_a_grace(&self) -> bool {
        matches!(
            self,
            Self::Register { .. }
                | Self::SucceedLogin { .. }
                | Self::FailLogin { .. }
                | Self::CancelErasure { .. }
                | Self::CompleteErasure { .. }
                | Self::ProveBackupErasure
        )
    }
}
