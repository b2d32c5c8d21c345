//! Asks for the password again, before what a stolen session should not be able to do.

use domain::AccountId;
use domain::account::{Account, AccountCommand, AccountError, LiveAccount};
use infra::event_store::{Guard, Loaded, Request};
use secrecy::SecretString;
use utoipa::ToSchema;

use crate::api::Api;
use crate::api::http::fields::{Fields, FromFields, secret};
use crate::api::http::problem::{Problem, ProblemKind};
use crate::operations::set_password::hash_queue_of;

/// For what is done in person, and says nothing else.
#[derive(ToSchema)]
#[schema(example = json!({ "password": "correct horse battery" }))]
pub struct PasswordRequest {
    /// The account's password, once more.
    #[schema(value_type = String, format = Password, min_length = 1)]
    pub password: SecretString,
}

impl FromFields for PasswordRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { password: fields.required("password", secret)? })
    }
}

/// Verifies the password of the account, and returns the account. The request is refused if, when its events
/// are appended, the password is another one.
///
/// # Errors
/// Another password, or too many attempts.
pub async fn step_up(
    api: &Api,
    request: &mut Request,
    account: AccountId,
    password: &SecretString,
) -> Result<Loaded<Account>, Problem> {
    api.limits.step_up(account)?;
    let loaded = api.app.executor.load::<Account>(account.into(), account.0).await?;
    let live = live_account(&loaded)?;
    let (credential, queue) = (live.credential, hash_queue_of(live));
    if !api.app.credentials.verify(account, credential, password, queue).await? {
        return Err(Problem::of(ProblemKind::PasswordWrong));
    }
    let verified = AccountCommand::Verified { credential };
    request.guards.push(Guard::new::<Account>(account.into(), account.0, verified));
    Ok(loaded)
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

/// The account has the address that was compared, when the events of a command are appended.
pub fn has_email(account: AccountId, live: &LiveAccount) -> Guard {
    let has = AccountCommand::HasEmail { email: live.email.clone() };
    Guard::new::<Account>(account.into(), account.0, has)
}
