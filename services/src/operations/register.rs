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

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use futures_util::poll;
    use infra::credentials::CredentialsError;
    use secrecy::SecretString;
    use uuid::Uuid;

    use super::*;
    use crate::workers::tests::Harness;

    fn password() -> Password {
        Password::parse(SecretString::from("correct horse battery")).unwrap()
    }

    #[tokio::test]
    async fn whoever_registers_waits_among_strangers_for_a_hash() {
        let harness = Harness::new().await;
        let app = harness.node().await;
        let command = CommandId(Uuid::from_u128(1));
        let account = account_of(command);
        let registers = async || {
            let registration = Registration {
                email: EmailAddress::parse("ada@example.org").unwrap(),
                name: PersonName::parse("Ada Lovelace").unwrap(),
                username: None,
                password: password(),
            };
            registration.execute(&app, Request::new(account.into(), command)).await
        };
        // Nobody polls them again: they keep all places.
        let mut strangers = vec![];
        let refused = loop {
            let mut hash = Box::pin(app.credentials.hash(password(), HashQueue::Strangers));
            let polled = poll!(hash.as_mut());
            match polled {
                Poll::Pending => strangers.push(hash),
                Poll::Ready(answer) => break answer,
            }
        };
        assert!(matches!(refused, Err(CredentialsError::Overloaded)), "{refused:?}");

        let refused = registers().await;

        let Err(RegisterError::SetPassword(SetPasswordError::Credentials(
            CredentialsError::Overloaded,
        ))) = refused
        else {
            panic!("{refused:?}")
        };
        drop(strangers);
        assert!(registers().await.is_ok(), "the control");
    }
}
