//! Has the deletion of a workspace come sooner, in the log and in the ledger of erasures; and who requested it.

use chrono::{DateTime, TimeDelta, Utc};
use domain::workspace::{Deletion, Hastening, Workspace, WorkspaceCommand};
use domain::{AccountId, WorkspaceId};
use infra::event_store::{ExecuteError, LoadError, Receipt, Request, Step};
use infra::log::{Feed, FeedError, Recorded};
use infra::postgres::PgError;

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
    let requested = Feed::newest_of(&client, (workspace.0, REQUESTED), i64::MAX, 1).await?;
    // In person only, or by Lethe itself: no token has the right.
    Ok(requested.first().and_then(Recorded::actor).map(|actor| AccountId(actor.0)))
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
    let before = deletion.requested_at - DAY;
    let executor = &app.executor;
    let former = executor.load_as_of::<Workspace>(workspace.into(), workspace.0, before).await?;
    let role_before = former.state.role_of(account);
    Ok(Hastening::Owner { account, requested_by, role_before })
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
        && let Err(error) = app.keyring.ledger.hasten(workspace.into(), due).await
    {
        tracing::warn!(%error, "the ledger was not updated after a deletion was hastened: the eraser does it");
    }
    Ok(receipt)
}

/// Why it is not known who hastens a deletion.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HastenError {
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Load(#[from] LoadError),
}
