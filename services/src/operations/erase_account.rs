//! The erasure of an account: requested by the person, an operator, or Lethe itself.

#![allow(clippy::wildcard_enum_match_arm, reason = "the other errors stay as they are")]

use chrono::{DateTime, TimeDelta, Utc};
use domain::account::{Account, AccountCommand, AccountError, LiveAccount};
use domain::session::CloseReason;
use domain::{AccountId, Refused};
use infra::event_store::{ExecuteError, Receipt, Request, Step};
use infra::keyring::SubjectKind;

use super::owners::{OwnersError, another_leaves, check_nobody_depends};
use super::request_erasure::{
    ErasureToRequest, RequestErasureError, RequestedErasure, find_earlier,
};
use super::sign_out::{SignOut, SignedOut};
use crate::wiring::App;

/// What becomes of workspaces that only this account owns, and others belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeftWorkspaces {
    /// The request is refused unless somebody stays who owns, or inherits, each.
    HaveOwners,
    /// Those that nobody inherits are restricted: nobody is kept by what others rest on.
    MayBeRestricted,
}

impl LeftWorkspaces {
    pub(crate) const fn of(leave: bool) -> Self {
        if leave { Self::MayBeRestricted } else { Self::HaveOwners }
    }
}

/// Requests the erasure of an account, signs it out everywhere, and ends its API tokens.
///
/// # Errors
/// [`RequestErasureError`].
pub(crate) async fn request_of_account(
    app: &App,
    account: AccountId,
    live: &LiveAccount,
    with: (TimeDelta, LeftWorkspaces),
    request: &Request,
) -> Result<(RequestedErasure, SignedOut), RequestErasureError> {
    let requests =
        |now, due| Step::new::<Account>(account.0, AccountCommand::RequestErasure { now, due });
    request_as(app, (account, live), with, request, requests).await
}

/// The same of an account whose address nobody has verified, where nobody depends on it. Refused as stale if anything
/// has happened to it since `version`, such as a sign-in.
///
/// # Errors
/// [`RequestErasureError`].
pub(crate) async fn request_of_unverified(
    app: &App,
    account: AccountId,
    (live, version): (&LiveAccount, i64),
    grace: TimeDelta,
    request: &Request,
) -> Result<(RequestedErasure, SignedOut), RequestErasureError> {
    let requests = |now, due| {
        let erases = AccountCommand::EraseUnverified { now, due };
        Step::new::<Account>(account.0, erases).expecting(version)
    };
    let with = (grace, LeftWorkspaces::HaveOwners);
    request_as(app, (account, live), with, request, requests).await
}

/// `requests` is the step that requests it now, due then.
async fn request_as(
    app: &App,
    (account, live): (AccountId, &LiveAccount),
    (grace, left): (TimeDelta, LeftWorkspaces),
    request: &Request,
    requests: impl FnOnce(DateTime<Utc>, DateTime<Utc>) -> Step,
) -> Result<(RequestedErasure, SignedOut), RequestErasureError> {
    // Also where the handler has looked: `live` may be what the same request, sent twice, has made of it.
    if let Some((earlier, signed_out)) = earlier_of_account(app, account, request).await? {
        return Ok((earlier, signed_out));
    }
    if live.erasure.is_some() {
        let refused = Refused::Account(AccountError::ErasureRequested);
        return Err(ExecuteError::Refused(refused).into());
    }
    let mut request = request.clone();
    if left == LeftWorkspaces::HaveOwners {
        request.guards.extend(check_nobody_depends(app, account).await?);
    }
    let now = app.clock.now();
    let due = now + grace;
    let step = |due| requests(now, due);
    let (kind, subject) = (SubjectKind::Account, account.into());
    let requested = ErasureToRequest { kind, subject, due, step }.execute(app, &request).await;
    let requested = requested.map_err(|error| match error {
        RequestErasureError::Execute(error) if another_leaves(&error) => {
            OwnersError::OwnsWorkspaces.into()
        }
        error => error,
    })?;
    let signed_out = sign_out(app, account, &request, &requested.receipt).await;
    Ok((requested, signed_out))
}

/// What an earlier call of the same command has requested: it signs out again who was left.
///
/// # Errors
/// [`RequestErasureError`].
pub(crate) async fn earlier_of_account(
    app: &App,
    account: AccountId,
    request: &Request,
) -> Result<Option<(RequestedErasure, SignedOut)>, RequestErasureError> {
    let Some(earlier) = find_earlier(app, account.into(), request).await? else { return Ok(None) };
    let signed_out = sign_out(app, account, request, &earlier.receipt).await;
    Ok(Some((earlier, signed_out)))
}

/// Everywhere, because of the erasure that was requested.
async fn sign_out(
    app: &App,
    account: AccountId,
    request: &Request,
    receipt: &Receipt,
) -> SignedOut {
    let sign_out = SignOut { account, except: None, reason: CloseReason::ErasureRequested };
    sign_out.execute_after(app, (request, receipt), true).await
}
