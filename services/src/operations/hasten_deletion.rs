//! Has the deletion of a workspace come sooner, or keeps the workspace, in the log and in the ledger of erasures; and who
//! requested it.

use chrono::{DateTime, TimeDelta, Utc};
use domain::workspace::{Deletion, Hastening, Role, Workspace, WorkspaceCommand, WorkspaceEvent};
use domain::{AccountId, DecodeError, WorkspaceId};
use infra::event_store::{ExecuteError, LoadError, Receipt, Request, Step, Until};
use infra::keyring::KeyringError;
use infra::log::{Feed, FeedError, Recorded};
use infra::postgres::PgError;

use super::owners::stays;
use super::request_erasure;
use crate::wiring::App;

const REQUESTED: &[&str] = &["workspace.deletion_requested"];
const DAY: TimeDelta = TimeDelta::days(1);

/// Who requested the deletion that the workspace's log has last; `None`: no person did.
///
/// # Errors
/// The log does not answer.
pub(crate) async fn requested_by(
    app: &App,
    workspace: WorkspaceId,
) -> Result<Option<AccountId>, FeedError> {
    let client = app.pool.get().await.map_err(PgError::from)?;
    let of = (workspace.0, REQUESTED);
    let requested = Feed::newest_of(&client, of, 0..i64::MAX, 1).await?;
    // In person only, or by Lethe itself: no token has the right.
    Ok(requested.first().and_then(Recorded::actor).map(|actor| AccountId(actor.0)))
}

/// When the account requested deletions of the workspace: those of its last `count` that it did request.
///
/// # Errors
/// The log does not answer.
pub(crate) async fn requests_of(
    app: &App,
    workspace: WorkspaceId,
    account: AccountId,
    count: usize,
) -> Result<Vec<DateTime<Utc>>, HastenError> {
    if count == 0 {
        return Ok(vec![]);
    }
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let client = app.pool.get().await.map_err(PgError::from).map_err(FeedError::from)?;
    let last = Feed::newest_of(&client, (workspace.0, REQUESTED), 0..i64::MAX, count).await?;
    let mut own = Vec::new();
    for event in last.iter().filter(|event| event.actor() == Some(account.into())) {
        if let WorkspaceEvent::DeletionRequested { requested_at, .. } = event.decode()? {
            own.push(requested_at);
        }
    }
    Ok(own)
}

/// An owner who hastens it: what the log has of who requested it, and of what this one was before. It holds at
/// the version of the workspace that `deletion` is of.
///
/// # Errors
/// The log does not answer.
pub(crate) async fn by_owner(
    app: &App,
    workspace: WorkspaceId,
    account: AccountId,
    deletion: Deletion,
) -> Result<Hastening, HastenError> {
    let requested_by = requested_by(app, workspace).await?;
    let role_before = role_before(app, workspace, account, deletion).await?;
    Ok(Hastening::Owner { account, requested_by, role_before })
}

/// What the account was in the workspace a day before its deletion was requested.
///
/// # Errors
/// The log does not answer.
pub(crate) async fn role_before(
    app: &App,
    workspace: WorkspaceId,
    account: AccountId,
    deletion: Deletion,
) -> Result<Option<Role>, LoadError> {
    let before = Until::Time(deletion.requested_at - DAY);
    let executor = &app.executor;
    let former = executor.load_until::<Workspace>(workspace.into(), workspace.0, before).await?;
    Ok(former.state.role_of(account))
}

/// Has it end as soon as this installation allows. At one of `versions`, or at any.
///
/// # Errors
/// What kept it out of the log.
pub(crate) async fn hasten(
    app: &App,
    workspace: WorkspaceId,
    by: Hastening,
    versions: Option<Vec<i64>>,
    request: &Request,
) -> Result<Receipt, ExecuteError> {
    let now = app.clock.now();
    let due: DateTime<Utc> = now + TimeDelta::days(app.config.erasure_grace_days_min.into());
    let command = WorkspaceCommand::HastenDeletion { by, now, due };
    let step = Step::new::<Workspace>(workspace.0, command).expecting_one_of(versions);
    let receipt = app.executor.execute(request, &[step]).await?;
    if !receipt.replayed()
        && let Err(error) = enter(app, workspace, now).await
    {
        tracing::warn!(%error, "the ledger was not updated after a deletion was hastened: the eraser does it");
    }
    Ok(receipt)
}

/// As the log has it, which may be later than was asked for.
async fn enter(app: &App, workspace: WorkspaceId, now: DateTime<Utc>) -> Result<(), EnterError> {
    let loaded = app.executor.load::<Workspace>(workspace.into(), workspace.0).await?;
    let Some(deletion) = loaded.state.live().and_then(|live| live.deletion) else { return Ok(()) };
    Ok(app.keyring.ledger.hasten(workspace.into(), deletion.due, now).await?)
}

/// An operator keeps the workspace, for a member or whoever was one a day before the request: that account owns it.
///
/// # Errors
/// What kept it out of the log.
pub(crate) async fn keep(
    app: &App,
    workspace: WorkspaceId,
    owner: AccountId,
    mut request: Request,
) -> Result<Receipt, ExecuteError> {
    let loaded = app.executor.load::<Workspace>(workspace.into(), workspace.0).await?;
    let deletion = loaded.state.live().and_then(|live| live.deletion);
    let role_before = match deletion {
        Some(deletion) => role_before(app, workspace, owner, deletion).await?,
        None => None,
    };
    request.guards.push(stays(owner));
    let keeps = WorkspaceCommand::Keep { owner, role_before, now: app.clock.now() };
    // Who belonged to it before is known for this request only.
    let step =
        Step::new::<Workspace>(workspace.0, keeps).expecting_one_of(Some(vec![loaded.version]));
    match request_erasure::cancel(app, workspace.into(), &request, step).await {
        Err(ExecuteError::Stale { .. }) => Err(ExecuteError::Conflict),
        kept => kept,
    }
}

#[derive(Debug, thiserror::Error)]
enum EnterError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Keyring(#[from] KeyringError),
}

/// Why it is not known who hastens a deletion, or has requested others before.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HastenError {
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
}
