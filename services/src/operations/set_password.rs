//! Sets the password of an account. The hash is stored before the event that names it.

use chrono::{DateTime, Utc};
use domain::account::{Account, AccountCommand};
use domain::session::CloseReason;
use domain::{AccountId, CredentialId, SessionId};
use infra::credentials::{CredentialsError, Password, PasswordHash};
use infra::event_store::{ExecuteError, Receipt, Request, Step};
use infra::failpoint;

use super::write_ahead::{LookedUp, NewCommand, WriteAhead, Written};
use crate::operations::sign_out::SignOut;
use crate::wiring::App;

/// The password was not set. It may be tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetPasswordError {
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Execute(#[from] ExecuteError),
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
        password: Password,
    ) -> Result<Written<'a, Self>, SetPasswordError> {
        let credential = CredentialId(command.row_id("credential").await?);
        let hash = app.credentials.hash(password).await?;
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

/// Another password for an account, which is signed out everywhere `except` in one session.
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
        command: impl FnOnce(CredentialId) -> AccountCommand,
    ) -> Result<Receipt, SetPasswordError> {
        let Self { account, password, except, expected } = self;
        let new = match NewCommand::look_up(app, request).await? {
            LookedUp::New(new) => new,
            LookedUp::Earlier(receipt) => return Ok(receipt),
        };
        let written = NewHash::write(app, new, account, password).await?;
        failpoint!(PasswordStored);
        let step = Step::new::<Account>(account.0, command(written.row.credential));
        let step = match expected {
            Some(version) => step.expecting(version),
            None => step,
        };
        let receipt = written.execute(step).await?;
        failpoint!(PasswordChanged);
        let sign_out = SignOut { account, except, reason: CloseReason::PasswordChanged };
        sign_out.execute_after(app, (request, &receipt)).await;
        Ok(receipt)
    }
}
