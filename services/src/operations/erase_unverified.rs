//! Requests the erasure of an account that nobody has verified.

use domain::account::{Account, AccountCommand};
use domain::{AccountId, CommandId};
use infra::event_store::{Request, Step};
use infra::ids::hashed;
use infra::keyring::SubjectKind;

use super::owners::check_nobody_depends;
use super::request_erasure::{ErasureToRequest, RequestErasureError, earlier_of_account, sign_out};
use crate::wiring::App;

/// Requests it without a grace. Refused if the address has been verified.
///
/// # Errors
/// [`RequestErasureError`].
pub(crate) async fn erase_unverified(
    app: &App,
    account: AccountId,
) -> Result<(), RequestErasureError> {
    let command = CommandId(hashed(&[b"account.erase_unverified", account.0.as_bytes()]));
    let mut request = Request::new(account.into(), command);
    if earlier_of_account(app, account, &request).await?.is_some() {
        return Ok(());
    }
    request.guards.extend(check_nobody_depends(app, account).await?);
    let now = app.clock.now();
    let step = |due| {
        let command = AccountCommand::EraseUnverified { now, due };
        Step::new::<Account>(account.0, command)
    };
    let (kind, subject) = (SubjectKind::Account, account.into());
    let requested = ErasureToRequest { kind, subject, due: now, step }.execute(app, &request);
    let receipt = requested.await?.receipt;
    sign_out(app, account, &request, &receipt).await;
    Ok(())
}
