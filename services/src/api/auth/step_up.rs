//! Asks for the password again, before what a stolen session should not be able to do.

use domain::AccountId;
use domain::account::{Account, AccountError, LiveAccount};
use infra::event_store::Loaded;
use secrecy::SecretString;

use crate::api::Api;
use crate::api::http::problem::{Problem, ProblemKind};

/// Verifies the password of the account, and returns the account.
///
/// # Errors
/// Another password, or too many attempts.
pub async fn step_up(
    api: &Api,
    account: AccountId,
    password: &SecretString,
) -> Result<Loaded<Account>, Problem> {
    api.limits.step_up(account)?;
    let loaded = api.app.executor.load::<Account>(account.into(), account.0).await?;
    let credential = live_account(&loaded)?.credential;
    if api.app.credentials.verify(account, credential, password).await? {
        Ok(loaded)
    } else {
        Err(Problem::of(ProblemKind::PasswordWrong))
    }
}

/// The account, if it is registered and not erased.
///
/// # Errors
/// It does not exist, or has been erased.
pub fn live_account(loaded: &Loaded<Account>) -> Result<&LiveAccount, Problem> {
    match &*loaded.state {
        Account::Live(live) => Ok(live),
        Account::Absent | Account::Ended { .. } => Err(AccountError::Unknown.into()),
    }
}
