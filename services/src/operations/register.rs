//! Registers a person: reserves the address, stores the password's hash, and opens the account.

use domain::account::{Account, AccountCommand};
use domain::privacy::{EmailAddress, PersonName, Personal, Username};
use domain::{AccountId, CommandId};
use infra::credentials::{HashQueue, Password};
use infra::event_store::{ExecuteError, Receipt, Request, Step};
use infra::failpoint;
use infra::ids::derived;

use super::set_password::{NewHash, SetPasswordError};
use super::write_ahead::{LookedUp, NewCommand};
use crate::operations::email_addresses::{AddressError, owner, reserve};
use crate::operations::links::{VERIFICATION, proof};
use crate::wiring::App;

/// Nobody was registered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegisterError {
    #[error("another account has this address: sign in, or use another address")]
    AddressTaken,
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(transparent)]
    SetPassword(#[from] SetPasswordError),
    #[error(transparent)]
    Execute(#[from] ExecuteError),
}

/// What a person registers with.
pub(crate) struct Registration {
    pub(crate) email: EmailAddress,
    pub(crate) name: PersonName,
    pub(crate) username: Option<Username>,
    pub(crate) password: Password,
}

/// The account that a command opens: the same one when the command comes again.
pub(crate) fn account_of(command: CommandId) -> AccountId {
    AccountId(derived(command, "account"))
}

impl Registration {
    /// Opens the account [`account_of`] the request's command.
    ///
    /// # Errors
    /// [`RegisterError`].
    pub(crate) async fn execute(
        self,
        app: &App,
        mut request: Request,
    ) -> Result<Receipt, RegisterError> {
        let Self { email, name, username, password } = self;
        let account = account_of(request.command);
        request.reservations = reserve(app, &email, account).await?;
        let new = match NewCommand::look_up(app, &request).await? {
            LookedUp::New(new) => new,
            LookedUp::Earlier(receipt) => return Ok(receipt),
        };
        if owner(app, &email).await?.is_some_and(|owner| owner != account) {
            return Err(RegisterError::AddressTaken);
        }
        let written = NewHash::write(app, new, account, (password, HashQueue::Strangers)).await?;
        failpoint!(PasswordHashed);
        let registers = AccountCommand::Register {
            email: Personal::Clear(email),
            name: Personal::Clear(name),
            username: username.map(Personal::Clear),
            credential: written.row.credential,
            verification: proof(app, request.command, VERIFICATION),
        };
        let step = Step::new::<Account>(account.0, registers);
        let outcome = app.executor.execute(&request, &[step]).await;
        Ok(written.settle(outcome).await?)
    }
}
