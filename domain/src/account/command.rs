//! The commands of an account.

use chrono::{DateTime, Utc};

use super::{LoginRefusal, Proof};
use crate::privacy::{
    AccountEmail, AccountName, AccountUsername, LoginIp, LoginUserAgent, Personal, Purpose,
};
use crate::{CredentialId, ProofId, SessionId};

/// What can be requested of an account. Where there is a `now`, it is the time of the request.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields are those of the event that follows")]
pub enum AccountCommand {
    /// Opens the account. The first link is mailed with it.
    Register {
        email: Personal<AccountEmail>,
        name: Personal<AccountName>,
        username: Option<Personal<AccountUsername>>,
        credential: CredentialId,
        verification: Proof,
    },
    /// Sends the link again; the earlier one no longer works.
    RequestVerification { verification: Proof },
    /// Follows the link that was mailed to the current address.
    VerifyEmail { proof: ProofId, now: DateTime<Utc> },
    /// The address changes when the link sent to the new one is followed.
    RequestEmailChange { email: Personal<AccountEmail>, verification: Proof },
    /// The link that was mailed to the new address no longer works.
    CancelEmailChange,
    /// Follows the link that was mailed to the new address.
    ConfirmEmailChange { proof: ProofId, now: DateTime<Utc> },
    /// The same address in another spelling, such as its case: no link is needed. The caller has compared
    /// the two, and has `HasEmail` guard the one that it compared.
    RespellEmail { email: Personal<AccountEmail> },
    /// Corrects what is given (Art. 16 GDPR); one of the two at least.
    Rectify { name: Option<Personal<AccountName>>, username: Option<Personal<AccountUsername>> },
    /// There is no username any more. Changes nothing if there is none.
    RemoveUsername,
    /// The password was checked by the caller, and the hash is stored already.
    ChangePassword { credential: CredentialId, keep_api_tokens: bool },
    /// Mails a link; an earlier one no longer works.
    RequestPasswordReset { proof: Proof },
    /// Follows the link for a new password. It proves the address, too.
    ResetPassword { proof: ProofId, credential: CredentialId, now: DateTime<Utc> },
    /// Ends every session but the one that it comes from, and every API token that acts for the person.
    EndSessions { keep_api_tokens: bool },
    /// Changes nothing: a guard of what issues an API token. The API tokens were ended so often before.
    TokensEnded { times: u64 },
    /// Records a sign-in. The password was checked by the caller, against `credential`.
    SucceedLogin {
        credential: CredentialId,
        session: SessionId,
        ip: Personal<LoginIp>,
        user_agent: Personal<LoginUserAgent>,
    },
    /// Records an attempt to sign in that was refused.
    FailLogin { reason: LoginRefusal, ip: Personal<LoginIp>, user_agent: Personal<LoginUserAgent> },
    /// The attempts that were not recorded one by one.
    CountFailedLogins { from: DateTime<Utc>, until: DateTime<Utc>, count: u64 },
    /// For a purpose that rests on consent. Changes nothing if it is given for this version
    /// already.
    GiveConsent { purpose: Purpose, policy_version: u32 },
    /// Changes nothing: a guard of what another owner of a workspace, who leaves, does.
    Remain,
    /// Changes nothing: a guard of what rests on the password, which was verified against `credential`.
    Verified { credential: CredentialId },
    /// Changes nothing: a guard of what rests on the address, which is verified and which the caller has
    /// compared as the state has it.
    HasEmail { email: Personal<AccountEmail> },
    /// Changes nothing: a guard of what the person begins elsewhere, with a verified address where others are
    /// written to or connected to. Refused while the erasure is requested.
    Act { verified: bool },
    /// At any time (Art. 7(3) GDPR). Changes nothing if there is no consent.
    WithdrawConsent { purpose: Purpose },
    /// `due` is the end of the grace: at most 30 days from `now`.
    RequestErasure { now: DateTime<Utc>, due: DateTime<Utc> },
    /// The same by Lethe itself, of an account whose address nobody has verified. Refused once it is.
    EraseUnverified { now: DateTime<Utc>, due: DateTime<Utc> },
    /// Refused from the end of the grace on.
    CancelErasure { now: DateTime<Utc> },
    /// Closes the account. Refused before the end of the grace.
    CompleteErasure { now: DateTime<Utc> },
    /// The last root key that ever wrapped this person's keys, and its escrow, are gone.
    ProveBackupErasure,
}

impl AccountCommand {
    /// Whether the command is accepted between a request for erasure and its completion. Whoever can
    /// read the mail gets a new password then, too: else a thief of the password could have the person
    /// erased.
    pub(super) const fn allowed_in_grace(&self) -> bool {
        matches!(
            self,
            Self::Register { .. }
                | Self::RequestPasswordReset { .. }
                | Self::ResetPassword { .. }
                | Self::EndSessions { .. }
                | Self::SucceedLogin { .. }
                | Self::FailLogin { .. }
                | Self::CountFailedLogins { .. }
                | Self::Remain
                | Self::Verified { .. }
                | Self::CancelErasure { .. }
                | Self::CompleteErasure { .. }
                | Self::ProveBackupErasure
        )
    }
}
