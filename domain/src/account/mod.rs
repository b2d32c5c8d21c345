//! An account: one person's way in, and what that person has agreed to.

mod command;
mod consents;
mod erasure;
mod error;
mod event;
#[cfg(test)]
mod golden;
mod guards;
#[cfg(test)]
mod guards_tests;
mod holding;
#[cfg(test)]
mod parties_tests;
mod proofs;
#[cfg(test)]
mod proofs_tests;
#[cfg(test)]
mod recovery_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

pub use command::AccountCommand;
pub use consents::Consent;
pub use erasure::Erasure;
pub use error::AccountError;
pub use event::{AccountEvent, LoginRefusal};
pub use holding::Holding;
pub use proofs::{EmailChange, Proof, Proofs};

use crate::privacy::{AccountEmail, Personal, Purpose};
use crate::{AggregateRoot, CredentialId};
use proofs::check;

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
    pub email_verified: bool,
    /// Whether there is a username.
    pub has_username: bool,
    /// The links that may still be followed.
    pub proofs: Proofs,
    /// The hash of the current password.
    pub credential: CredentialId,
    /// How often all API tokens of the person were ended: a guard of whatever issues one.
    pub api_token_endings: u64,
    /// What the person has ever agreed to, withdrawn or not.
    pub consents: BTreeMap<Purpose, Consent>,
    /// An erasure that was requested and neither cancelled nor completed.
    pub erasure: Option<Erasure>,
}

impl AggregateRoot for Account {
    const SNAPSHOT_VERSION: i16 = 4;

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
        if let AccountEvent::Registered { email, username, credential, verification, .. } = event {
            *self = Self::Live(Box::new(LiveAccount {
                email,
                email_verified: false,
                has_username: username.is_some(),
                proofs: Proofs { verification: Some(verification), ..Proofs::default() },
                credential,
                api_token_endings: 0,
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
        let ended = event.ends();
        live.proofs.end(ended);
        live.api_token_endings += u64::from(ended.contains(&Holding::ApiTokens));
        match event {
            AccountEvent::EmailVerified {} => live.email_verified = true,
            AccountEvent::VerificationRequested { verification } => {
                live.proofs.verification = Some(verification);
            }
            AccountEvent::EmailChangeRequested { email, verification } => {
                live.proofs.email_change = Some(EmailChange { email, proof: verification });
            }
            AccountEvent::EmailChanged { email } => {
                (live.email, live.email_verified) = (email, true);
            }
            AccountEvent::Rectified { username, .. } => live.has_username |= username.is_some(),
            AccountEvent::UsernameRemoved {} => live.has_username = false,
            AccountEvent::PasswordChanged { credential } => live.credential = credential,
            AccountEvent::PasswordResetRequested { proof } => {
                live.proofs.password_reset = Some(proof);
            }
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
            | AccountEvent::EmailChangeCancelled {}
            | AccountEvent::SessionsEnded {}
            | AccountEvent::ApiTokensEnded {}
            | AccountEvent::LoginSucceeded { .. }
            | AccountEvent::LoginFailed { .. }
            | AccountEvent::LoginsFailed { .. }
            | AccountEvent::ErasureBackupProven {} => {}
        }
    }
}

impl LiveAccount {
    #[allow(clippy::too_many_lines, reason = "an arm for each command")]
    fn decide(&self, command: AccountCommand) -> Result<Vec<AccountEvent>, AccountError> {
        if self.erasure.is_some() && !command.allowed_in_grace() {
            return Err(AccountError::ErasureRequested);
        }
        let event = match command {
            AccountCommand::RequestVerification { verification } => {
                self.needs_proof()?;
                AccountEvent::VerificationRequested { verification }
            }
            AccountCommand::VerifyEmail { proof, now } => {
                self.needs_proof()?;
                check(self.proofs.verification, proof, now)?;
                AccountEvent::EmailVerified {}
            }
            AccountCommand::RequestEmailChange { email, verification } => {
                AccountEvent::EmailChangeRequested { email, verification }
            }
            AccountCommand::CancelEmailChange => {
                self.proofs.email_change.as_ref().ok_or(AccountError::NoEmailChange)?;
                AccountEvent::EmailChangeCancelled {}
            }
            AccountCommand::ConfirmEmailChange { proof, now } => {
                AccountEvent::EmailChanged { email: self.proofs.new_email(proof, now)? }
            }
            AccountCommand::RespellEmail { .. } if !self.email_verified => {
                return Err(AccountError::EmailUnverified);
            }
            AccountCommand::RespellEmail { email } => AccountEvent::EmailChanged { email },
            AccountCommand::RemoveUsername if !self.has_username => return Ok(vec![]),
            AccountCommand::RemoveUsername => AccountEvent::UsernameRemoved {},
            AccountCommand::ChangePassword { credential, keep_api_tokens } => {
                return Ok(change_password(credential, keep_api_tokens));
            }
            AccountCommand::RequestPasswordReset { proof } => {
                AccountEvent::PasswordResetRequested { proof }
            }
            AccountCommand::ResetPassword { proof, credential, now } => {
                check(self.proofs.password_reset, proof, now)?;
                return Ok(self.reset_password(credential));
            }
            AccountCommand::EndSessions { keep_api_tokens } => {
                return Ok(ends_also_tokens(AccountEvent::SessionsEnded {}, keep_api_tokens));
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
            AccountCommand::RequestErasure { now, due } => return erasure::request(now, due),
            AccountCommand::EraseUnverified { now, due } => {
                self.needs_proof()?;
                return erasure::request(now, due);
            }
            AccountCommand::SucceedLogin { credential, .. } if credential != self.credential => {
                return Err(AccountError::CredentialReplaced);
            }
            AccountCommand::SucceedLogin { session, ip, user_agent, .. } => {
                AccountEvent::LoginSucceeded { session, ip, user_agent }
            }
            AccountCommand::FailLogin { reason, ip, user_agent } => {
                AccountEvent::LoginFailed { reason, ip, user_agent }
            }
            AccountCommand::CountFailedLogins { count: 0, .. } => return Ok(vec![]),
            AccountCommand::CountFailedLogins { from, until, count } => {
                AccountEvent::LoginsFailed { from, until, count }
            }
            AccountCommand::CancelErasure { now } => return self.cancel_erasure(now),
            AccountCommand::CompleteErasure { now } => return self.complete_erasure(now),
            AccountCommand::ProveBackupErasure => return Err(AccountError::NotErased),
            AccountCommand::Remain => return self.remains().map(|()| vec![]),
            AccountCommand::Verified { credential } => {
                return self.has_password(credential).map(|()| vec![]);
            }
            AccountCommand::TokensEnded { times } => {
                return self.tokens_ended(times).map(|()| vec![]);
            }
            AccountCommand::HasEmail { email } => return self.has_email(&email).map(|()| vec![]),
            AccountCommand::Act { verified: true } if !self.email_verified => {
                return Err(AccountError::AddressUnverified);
            }
            AccountCommand::Act { .. } => return Ok(vec![]),
            AccountCommand::Register { .. } => return Err(AccountError::AlreadyExists),
        };
        Ok(vec![event])
    }

    fn needs_proof(&self) -> Result<(), AccountError> {
        if self.email_verified { Err(AccountError::EmailVerified) } else { Ok(()) }
    }

    /// The link came by mail, so it proves the address as well: whoever has that mailbox gets the account
    /// that somebody else registered with it.
    fn reset_password(&self, credential: CredentialId) -> Vec<AccountEvent> {
        let mut events = change_password(credential, false);
        if !self.email_verified {
            events.push(AccountEvent::EmailVerified {});
        }
        events
    }
}

fn change_password(credential: CredentialId, keep_api_tokens: bool) -> Vec<AccountEvent> {
    ends_also_tokens(AccountEvent::PasswordChanged { credential }, keep_api_tokens)
}

/// What ends the sessions comes first: they name the first event as the cause of their end.
fn ends_also_tokens(ends_sessions: AccountEvent, keep_api_tokens: bool) -> Vec<AccountEvent> {
    let mut events = vec![ends_sessions];
    if !keep_api_tokens {
        events.push(AccountEvent::ApiTokensEnded {});
    }
    events
}
