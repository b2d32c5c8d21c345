//! An account: one person's way in, and what that person has agreed to.

mod command;
mod error;
mod event;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

pub use command::AccountCommand;
pub use error::AccountError;
pub use event::{AccountEvent, LoginRefusal};

use crate::privacy::deadlines::ERASURE_DAYS_MAX;
use crate::privacy::{AccountEmail, Personal, Purpose};
use crate::{AggregateRoot, CredentialId, ProofId};

/// The state of an account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    /// Not registered.
    #[default]
    Absent,
    /// Registered, and not erased.
    Live(Box<LiveAccount>),
    /// Erased.
    Ended {
        /// No backup holds a key of the person any more.
        backup_proven: bool,
    },
}

/// What decisions about a registered account rest on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveAccount {
    /// Where mails go, and what the person signs in with.
    pub email: Personal<AccountEmail>,
    /// Whether the person has shown that mail to the address reaches them.
    pub email_state: EmailState,
    /// A change of address that was requested and is not confirmed.
    pub email_change: Option<EmailChange>,
    /// The hash of the current password.
    pub credential: CredentialId,
    /// The newest link for a new password, until a password is set.
    pub password_reset: Option<Proof>,
    /// What the person has ever agreed to, withdrawn or not.
    pub consents: BTreeMap<Purpose, Consent>,
    /// An erasure that was requested and neither cancelled nor completed.
    pub erasure: Option<Erasure>,
}

/// Whether an address is proven.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmailState {
    /// Only the newest link proves it.
    Unverified(Proof),
    /// A link that was mailed to it has been followed.
    Verified,
}

/// What a mailed link proves, until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// What the link names. No other link has it.
    pub id: ProofId,
    /// From here on the link does nothing.
    pub until: DateTime<Utc>,
}

/// A change of address that waits for its link to be followed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmailChange {
    /// The new address.
    pub email: Personal<AccountEmail>,
    /// The link that was mailed to the new address.
    pub proof: Proof,
}

/// What the person last said of one purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// The version of the privacy policy that was agreed to.
    pub policy_version: u32,
    /// `false` once it is withdrawn.
    pub given: bool,
}

/// A requested erasure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// The time from which the legal limit counts.
    pub requested_at: DateTime<Utc>,
    /// The end of the grace: from here on it cannot be cancelled.
    pub due: DateTime<Utc>,
}

impl AggregateRoot for Account {
    const SNAPSHOT_VERSION: i16 = 2;

    fn decide(&self, command: AccountCommand) -> Result<Vec<AccountEvent>, AccountError> {
        match self {
            Self::Absent => {
                let AccountCommand::Register { email, name, username, credential, verification } =
                    command
                else {
                    return Err(AccountError::Unknown);
                };
                Ok(vec![AccountEvent::Registered {
                    email,
                    name,
                    username,
                    credential,
                    verification,
                }])
            }
            Self::Live(live) => live.decide(command),
            Self::Ended { backup_proven } => match (command, backup_proven) {
                (AccountCommand::ProveBackupErasure, false) => {
                    Ok(vec![AccountEvent::ErasureBackupProven {}])
                }
                (
                    AccountCommand::CompleteErasure { .. } | AccountCommand::ProveBackupErasure,
                    _,
                ) => Ok(vec![]),
                (AccountCommand::Remain, _) => Err(AccountError::OwnerLeaves),
                _ => Err(AccountError::Erased),
            },
        }
    }
}

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Command = AccountCommand;
    type Event = AccountEvent;
    type Error = AccountError;
    type Services = ();

    async fn handle(
        &mut self,
        command: AccountCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), AccountError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: AccountEvent) {
        if let AccountEvent::Registered { email, credential, verification, .. } = event {
            *self = Self::Live(Box::new(LiveAccount {
                email,
                email_state: EmailState::Unverified(verification),
                email_change: None,
                credential,
                password_reset: None,
                consents: BTreeMap::new(),
                erasure: None,
            }));
            return;
        }
        if let Self::Ended { backup_proven } = self {
            *backup_proven |= matches!(event, AccountEvent::ErasureBackupProven {});
            return;
        }
        let Self::Live(live) = self else { return };
        match event {
            AccountEvent::EmailVerified {} => live.email_state = EmailState::Verified,
            AccountEvent::VerificationRequested { verification } => {
                live.email_state = EmailState::Unverified(verification);
            }
            AccountEvent::EmailChangeRequested { email, verification } => {
                live.email_change = Some(EmailChange { email, proof: verification });
            }
            AccountEvent::EmailChanged { email } => {
                live.email = email;
                live.email_state = EmailState::Verified;
                live.email_change = None;
            }
            AccountEvent::PasswordChanged { credential } => {
                live.credential = credential;
                live.password_reset = None;
            }
            AccountEvent::PasswordResetRequested { proof } => live.password_reset = Some(proof),
            AccountEvent::ConsentGiven { purpose, policy_version } => {
                live.consents.insert(purpose, Consent { policy_version, given: true });
            }
            AccountEvent::ConsentWithdrawn { purpose } => {
                if let Some(consent) = live.consents.get_mut(&purpose) {
                    consent.given = false;
                }
            }
            AccountEvent::ErasureRequested { requested_at, due } => {
                live.erasure = Some(Erasure { requested_at, due });
            }
            AccountEvent::ErasureCancelled {} => live.erasure = None,
            AccountEvent::ErasureCompleted { .. } => *self = Self::Ended { backup_proven: false },
            AccountEvent::Registered { .. }
            | AccountEvent::Rectified { .. }
            | AccountEvent::LoginSucceeded { .. }
            | AccountEvent::LoginFailed { .. }
            | AccountEvent::ErasureBackupProven {} => {}
        }
    }
}

impl LiveAccount {
    fn decide(&self, command: AccountCommand) -> Result<Vec<AccountEvent>, AccountError> {
        if self.erasure.is_some() && !command.allowed_in_grace() {
            return Err(AccountError::ErasureRequested);
        }
        let event = match command {
            AccountCommand::RequestVerification { verification } => match self.email_state {
                EmailState::Verified => return Err(AccountError::EmailVerified),
                EmailState::Unverified(_) => AccountEvent::VerificationRequested { verification },
            },
            AccountCommand::VerifyEmail { proof, now } => match self.email_state {
                EmailState::Verified => return Err(AccountError::EmailVerified),
                EmailState::Unverified(sent) => {
                    sent.check(proof, now)?;
                    AccountEvent::EmailVerified {}
                }
            },
            AccountCommand::RequestEmailChange { email, verification } => {
                AccountEvent::EmailChangeRequested { email, verification }
            }
            AccountCommand::ConfirmEmailChange { proof, now } => {
                let change = self.email_change.as_ref().ok_or(AccountError::LinkReplaced)?;
                change.proof.check(proof, now)?;
                AccountEvent::EmailChanged { email: change.email.clone() }
            }
            AccountCommand::ChangePassword { credential } => {
                AccountEvent::PasswordChanged { credential }
            }
            AccountCommand::RequestPasswordReset { proof } => {
                AccountEvent::PasswordResetRequested { proof }
            }
            AccountCommand::ResetPassword { proof, credential, now } => {
                self.password_reset.ok_or(AccountError::LinkReplaced)?.check(proof, now)?;
                AccountEvent::PasswordChanged { credential }
            }
            AccountCommand::Rectify { name: None, username: None } => {
                return Err(AccountError::NothingToRectify);
            }
            AccountCommand::Rectify { name, username } => {
                AccountEvent::Rectified { name, username }
            }
            AccountCommand::GiveConsent { purpose, policy_version } => {
                return self.give_consent(purpose, policy_version);
            }
            AccountCommand::WithdrawConsent { purpose } => return self.withdraw_consent(purpose),
            AccountCommand::RequestErasure { now, due } => return request_erasure(now, due),
            AccountCommand::SucceedLogin { credential, .. } if credential != self.credential => {
                return Err(AccountError::CredentialReplaced);
            }
            AccountCommand::SucceedLogin { session, ip, user_agent, .. } => {
                AccountEvent::LoginSucceeded { session, ip, user_agent }
            }
            AccountCommand::FailLogin { reason, ip, user_agent } => {
                AccountEvent::LoginFailed { reason, ip, user_agent }
            }
            AccountCommand::CancelErasure { now } => return self.cancel_erasure(now),
            AccountCommand::CompleteErasure { now } => return self.complete_erasure(now),
            AccountCommand::ProveBackupErasure => return Err(AccountError::NotErased),
            AccountCommand::Remain if self.erasure.is_some() => {
                return Err(AccountError::OwnerLeaves);
            }
            AccountCommand::Remain => return Ok(vec![]),
            AccountCommand::Register { .. } => return Err(AccountError::AlreadyExists),
        };
        Ok(vec![event])
    }

    fn give_consent(
        &self,
        purpose: Purpose,
        policy_version: u32,
    ) -> Result<Vec<AccountEvent>, AccountError> {
        if !purpose.needs_consent() {
            return Err(AccountError::NotByConsent(purpose));
        }
        let given = Consent { policy_version, given: true };
        if self.consents.get(&purpose) == Some(&given) {
            return Ok(vec![]);
        }
        Ok(vec![AccountEvent::ConsentGiven { purpose, policy_version }])
    }

    fn withdraw_consent(&self, purpose: Purpose) -> Result<Vec<AccountEvent>, AccountError> {
        if !purpose.needs_consent() {
            return Err(AccountError::NotByConsent(purpose));
        }
        match self.consents.get(&purpose) {
            Some(consent) if consent.given => Ok(vec![AccountEvent::ConsentWithdrawn { purpose }]),
            Some(_) | None => Ok(vec![]),
        }
    }

    fn cancel_erasure(&self, now: DateTime<Utc>) -> Result<Vec<AccountEvent>, AccountError> {
        let erasure = self.erasure.ok_or(AccountError::ErasureNotRequested)?;
        if now >= erasure.due {
            return Err(AccountError::GraceOver(erasure.due));
        }
        Ok(vec![AccountEvent::ErasureCancelled {}])
    }

    fn complete_erasure(&self, now: DateTime<Utc>) -> Result<Vec<AccountEvent>, AccountError> {
        let erasure = self.erasure.ok_or(AccountError::ErasureNotRequested)?;
        if now < erasure.due {
            return Err(AccountError::GraceNotOver(erasure.due));
        }
        Ok(vec![AccountEvent::ErasureCompleted { requested_at: erasure.requested_at }])
    }
}

impl Proof {
    fn check(self, shown: ProofId, now: DateTime<Utc>) -> Result<(), AccountError> {
        if self.id != shown {
            return Err(AccountError::LinkReplaced);
        }
        if now >= self.until {
            return Err(AccountError::LinkExpired);
        }
        Ok(())
    }
}

fn request_erasure(
    now: DateTime<Utc>,
    due: DateTime<Utc>,
) -> Result<Vec<AccountEvent>, AccountError> {
    if due < now || due > now + chrono::Duration::days(ERASURE_DAYS_MAX) {
        return Err(AccountError::GraceOutOfRange);
    }
    Ok(vec![AccountEvent::ErasureRequested { requested_at: now, due }])
}
