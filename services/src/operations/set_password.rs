//! Sets the password of an account. The hash is stored before the event that names it.

use chrono::{DateTime, Utc};
use domain::account::{Account, AccountCommand, LiveAccount};
use domain::session::CloseReason;
use domain::{AccountId, AggregateRoot, CredentialId, Refused, SessionId};
use infra::credentials::{CredentialsError, HashQueue, Password, PasswordHash};
use infra::event_store::{ExecuteError, LoadError, Receipt, Request, Step};
use infra::failpoint;
use infra::log::FeedError;
use uuid::Uuid;

use super::appended_event::appended_event;
use super::write_ahead::{LookedUp, NewCommand, WriteAhead, Written};
use crate::operations::sign_out::SignOut;
use crate::wiring::App;

/// The password was not set. It may be tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetPasswordError {
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    #[error("the event of the earlier request was not read: {0}")]
    Feed(#[from] FeedError),
}

/// The hash of a password, which no event names yet.
pub(super) struct NewHash {
    account: AccountId,
    pub(super) credential: CredentialId,
    hash: PasswordHash,
}

impl NewHash {
    /// Hashes a password and stores the hash.
    ///
    /// # Errors
    /// [`SetPasswordError`].
    pub(super) async fn write<'a>(
        app: &App,
        command: NewCommand<'a>,
        account: AccountId,
        (password, queue): (Password, HashQueue),
    ) -> Result<Written<'a, Self>, SetPasswordError> {
        let credential = CredentialId(command.row_id("credential").await?);
        let hash = app.credentials.hash(password, queue).await?;
        command.write(Self { account, credential, hash }).await
    }
}

impl WriteAhead for NewHash {
    type Error = SetPasswordError;

    async fn write(&mut self, app: &App) -> Result<DateTime<Utc>, SetPasswordError> {
        Ok(app.credentials.insert(self.account, self.credential, &self.hash).await?)
    }

    async fn take_back(
        &self,
        app: &App,
        written_at: DateTime<Utc>,
    ) -> Result<(), SetPasswordError> {
        Ok(app.credentials.take_back(self.credential, written_at).await?)
    }
}

/// Another password for an account, which is signed out everywhere `except` in one session, and whose API
/// tokens end with it, unless the command keeps them.
pub(crate) struct SetPassword {
    pub(crate) account: AccountId,
    pub(crate) password: Password,
    pub(crate) except: Option<SessionId>,
    /// Refused as stale unless the account is at this version.
    pub(crate) expected: Option<i64>,
}

impl SetPassword {
    /// `command` names the credential that it is given.
    ///
    /// # Errors
    /// [`SetPasswordError`].
    pub(crate) async fn execute(
        self,
        app: &App,
        request: &Request,
        command: impl Fn(CredentialId) -> AccountCommand,
    ) -> Result<Receipt, SetPasswordError> {
        let Self { account, password, except, expected } = self;
        let planned = command(CredentialId(Uuid::nil()));
        let new = match NewCommand::look_up(app, request).await? {
            LookedUp::New(new) => new,
            LookedUp::Earlier(receipt) => {
                repeat(app, (account, &planned), (request, &receipt)).await?;
                return Ok(receipt);
            }
        };
        let queue = refuse_early(app, account, planned.clone()).await?;
        let written = NewHash::write(app, new, account, (password, queue)).await?;
        failpoint!(PasswordStored);
        let step = Step::new::<Account>(account.0, command(written.row.credential));
        let step = match expected {
            Some(version) => step.expecting(version),
            None => step,
        };
        let receipt = written.execute(step).await?;
        failpoint!(PasswordChanged);
        end_access(app, (account, &planned), except, (request, &receipt)).await;
        Ok(receipt)
    }
}

/// Refuses what the account refuses anyway before the hash is computed, which is dear. Returns where to wait for it.
async fn refuse_early(
    app: &App,
    account: AccountId,
    planned: AccountCommand,
) -> Result<HashQueue, SetPasswordError> {
    let loaded = app.executor.load::<Account>(account.into(), account.0).await?;
    let decided = loaded.state.decide(planned).map(drop);
    decided.map_err(|refused| ExecuteError::from(Refused::Account(refused)))?;
    Ok(match &*loaded.state {
        Account::Live(live) => hash_queue_of(live),
        Account::Absent | Account::Ended { .. } => HashQueue::Strangers,
    })
}

/// Where somebody waits who has shown to be this person. Anybody can register: who has only done that is a stranger.
pub(crate) const fn hash_queue_of(live: &LiveAccount) -> HashQueue {
    if live.email_verified { HashQueue::Known } else { HashQueue::Strangers }
}

/// Ends what a repeated command ends: the call before may have been cut short.
///
/// # Errors
/// The event of the command was not read.
pub(crate) async fn repeat(
    app: &App,
    of: (AccountId, &AccountCommand),
    earlier: (&Request, &Receipt),
) -> Result<(), FeedError> {
    let event = appended_event(app, earlier.1).await?;
    end_access(app, of, event.and_then(|event| event.session()), earlier).await;
    Ok(())
}

/// Ends the sessions, and the API tokens as the command has it.
async fn end_access(
    app: &App,
    (account, command): (AccountId, &AccountCommand),
    except: Option<SessionId>,
    of: (&Request, &Receipt),
) {
    let sign_out = SignOut { account, except, reason: CloseReason::PasswordChanged };
    let keeps = matches!(command, AccountCommand::ChangePassword { keep_api_tokens: true, .. });
    sign_out.execute_after(app, of, !keeps).await;
}
