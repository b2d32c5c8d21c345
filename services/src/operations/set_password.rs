//! Sets the password of an account. The hash is stored before the event that names it.

use domain::session::CloseReason;
use domain::{AccountId, CommandId, CredentialId, SessionId};
use infra::credentials::{CredentialsError, Password};
use infra::event_store::{ExecuteError, Receipt, Request, Step};
use infra::failpoint;
use infra::ids::derived;

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

/// The id of the hash that a command stores: the same one when the command comes again.
pub(crate) fn credential_of(command: CommandId) -> CredentialId {
    CredentialId(derived(command, "credential"))
}

/// Hashes a password and stores the hash, which no event names yet.
///
/// # Errors
/// [`CredentialsError`].
pub(crate) async fn store_hash(
    app: &App,
    account: AccountId,
    credential: CredentialId,
    password: Password,
) -> Result<(), CredentialsError> {
    let hash = app.credentials.hash(password).await?;
    app.credentials.insert(account, credential, &hash).await
}

/// Another password for an account, which is signed out everywhere `except` in one session.
pub(crate) struct SetPassword {
    pub(crate) account: AccountId,
    pub(crate) password: Password,
    pub(crate) except: Option<SessionId>,
}

impl SetPassword {
    /// `step` names the credential [`credential_of`] the request's command. The hash is deleted again
    /// if the command is refused.
    ///
    /// # Errors
    /// [`SetPasswordError`].
    pub(crate) async fn execute(
        self,
        app: &App,
        request: &Request,
        step: Step,
    ) -> Result<Receipt, SetPasswordError> {
        let Self { account, password, except } = self;
        let credential = credential_of(request.command);
        store_hash(app, account, credential, password).await?;
        failpoint!(PasswordStored);
        let receipt = match app.executor.execute(request, &[step]).await {
            Ok(receipt) => receipt,
            Err(error @ (ExecuteError::Refused(_) | ExecuteError::Stale { .. })) => {
                app.credentials.delete(credential).await?;
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        };
        failpoint!(PasswordChanged);
        let sign_out = SignOut { account, except, reason: CloseReason::PasswordChanged };
        sign_out.execute_after(app, (request, &receipt)).await;
        Ok(receipt)
    }
}
