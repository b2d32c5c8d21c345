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

use crate::privacy::{AccountEmail, Personal, Purpose};
use crate::{CredentialId, ProofId, Root};

/// The days from a request for erasure until it must be complete (Art. 12(3) GDPR).
pub const ERASURE_DAYS_MAX: i64 = 30;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    #[default]
    Unregistered,
    Live(Box<Live>),
    Erased {
        backup_proven: bool,
    },
}

/// What decisions about a registered account rest on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Live {
    pub email: Personal<AccountEmail>,
    pub email_state: EmailState,
    pub email_change: Option<EmailChange>,
    pub credential: CredentialId,
    pub password_reset: Option<Proof>,
    pub consents: BTreeMap<Purpose, Consent>,
    pub erasure: Option<Erasure>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmailState {
    Unverified(Proof),
    Verified,
}

/// What a mailed link proves, until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    pub id: ProofId,
    pub until: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmailChange {
    pub email: Personal<AccountEmail>,
    pub proof: Proof,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    pub policy_version: u32,
    pub given: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    pub requested_at: DateTime<Utc>,
    /// The end of the grace: from here on it cannot be cancelled.
    pub due: DateTime<Utc>,
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

impl Root for Account {
    const SNAPSHOT_VERSION: i16 = 1;

    fn decide(&self, command: AccountCommand) -> Result<Vec<AccountEvent>, AccountError> {
        use AccountCommand as Ask;
        use AccountEvent as Tell;
        match self {
            Self::Unregistered => {
                let Ask::Register { email, name, username, credential, verification } = command
                else {
                    return Err(AccountError::Unknown);
                };
                Ok(vec![Tell::Registered { email, name, username, credential, verification }])
            }
            Self::Live(live) => live.decide(command),
            Self::Erased { backup_proven } => match (command, backup_proven) {
                (Ask::ProveBackupErasure, false) => Ok(vec![Tell::ErasureBackupProven {}]),
                (Ask::CompleteErasure { .. } | Ask::ProveBackupErasure, _) => Ok(vec![]),
                _ => Err(AccountError::Erased),
            },
        }
    }
}

impl Live {
    fn decide(&self, command: AccountCommand) -> Result<Vec<AccountEvent>, AccountError> {
        use AccountCommand as Ask;
        use AccountEvent as Tell;
        if self.erasure.is_some() && !command.fits_a_grace() {
            return Err(AccountError::ErasureRequested);
        }
        let event = match command {
            Ask::RequestVerification { verification } => match self.email_state {
                EmailState::Verified => return Err(AccountError::EmailVerified),
                EmailState::Unverified(_) => Tell::VerificationRequested { verification },
            },
            Ask::VerifyEmail { proof, now } => match self.email_state {
                EmailState::Verified => return Err(AccountError::EmailVerified),
                EmailState::Unverified(sent) => {
                    sent.check(proof, now)?;
                    Tell::EmailVerified {}
                }
            },
            Ask::RequestEmailChange { email, verification } => {
                Tell::EmailChangeRequested { email, verification }
            }
            Ask::ConfirmEmailChange { proof, now } => {
                let change = self.email_change.as_ref().ok_or(AccountError::LinkReplaced)?;
                change.proof.check(proof, now)?;
                Tell::EmailChanged { email: change.email.clone() }
            }
            Ask::ChangePassword { credential } => Tell::PasswordChanged { credential },
            Ask::RequestPasswordReset { proof } => Tell::PasswordResetRequested { proof },
            Ask::ResetPassword { proof, credential, now } => {
                self.password_reset.ok_or(AccountError::LinkReplaced)?.check(proof, now)?;
                Tell::PasswordChanged { credential }
            }
            Ask::Rectify { name: None, username: None } => {
                return Err(AccountError::NothingToRectify);
            }
            Ask::Rectify { name, username } => Tell::Rectified { name, username },
            Ask::GiveConsent { purpose, .. } | Ask::WithdrawConsent { purpose }
                if !purpose.needs_consent() =>
            {
                return Err(AccountError::NotByConsent(purpose));
            }
            Ask::GiveConsent { purpose, policy_version } => {
                let given = Consent { policy_version, given: true };
                if self.consents.get(&purpose) == Some(&given) {
                    return Ok(vec![]);
                }
                Tell::ConsentGiven { purpose, policy_version }
            }
            Ask::WithdrawConsent { purpose } => match self.consents.get(&purpose) {
                Some(consent) if consent.given => Tell::ConsentWithdrawn { purpose },
                _ => return Ok(vec![]),
            },
            Ask::RequestErasure { now, due } => {
                if due < now || due > now + chrono::Duration::days(ERASURE_DAYS_MAX) {
                    return Err(AccountError::GraceOutOfRange);
                }
                Tell::ErasureRequested { requested_at: now, due }
            }
            Ask::SucceedLogin { session, ip, user_agent } => {
                Tell::LoginSucceeded { session, ip, user_agent }
            }
            Ask::FailLogin { reason, ip, user_agent } => {
                Tell::LoginFailed { reason, ip, user_agent }
            }
            Ask::CancelErasure { now } => return self.cancel_erasure(now),
            Ask::CompleteErasure { now } => return self.complete_erasure(now),
            Ask::ProveBackupErasure => return Err(AccountError::NotErased),
            Ask::Register { .. } => return Err(AccountError::Registered),
        };
        Ok(vec![event])
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
        use AccountEvent as Told;
        if let Told::Registered { email, credential, verification, .. } = event {
            *self = Self::Live(Box::new(Live {
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
        if let Self::Erased { backup_proven } = self {
            *backup_proven |= matches!(event, Told::ErasureBackupProven {});
            return;
        }
        let Self::Live(live) = self else { return };
        match event {
            Told::EmailVerified {} => live.email_state = EmailState::Verified,
            Told::VerificationRequested { verification } => {
                live.email_state = EmailState::Unverified(verification);
            }
            Told::EmailChangeRequested { email, verification } => {
                live.email_change = Some(EmailChange { email, proof: verification });
            }
            Told::EmailChanged { email } => {
                live.email = email;
                live.email_state = EmailState::Verified;
                live.email_change = None;
            }
            Told::PasswordChanged { credential } => {
                live.credential = credential;
                live.password_reset = None;
            }
            Told::PasswordResetRequested { proof } => live.password_reset = Some(proof),
            Told::ConsentGiven { purpose, policy_version } => {
                live.consents.insert(purpose, Consent { policy_version, given: true });
            }
            Told::ConsentWithdrawn { purpose } => {
                if let Some(consent) = live.consents.get_mut(&purpose) {
                    consent.given = false;
                }
            }
            Told::ErasureRequested { requested_at, due } => {
                live.erasure = Some(Erasure { requested_at, due });
            }
            Told::ErasureCancelled {} => live.erasure = None,
            Told::ErasureCompleted { .. } => *self = Self::Erased { backup_proven: false },
            Told::Registered { .. }
            | Told::Rectified { .. }
            | Told::LoginSucceeded { .. }
            | Told::LoginFailed { .. }
            | Told::ErasureBackupProven {} => {}
        }
    }
}
