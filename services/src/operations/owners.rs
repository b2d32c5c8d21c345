//! Whether an account is the only owner of a workspace that has other members.

use std::time::Duration;

use domain::AccountId;
use domain::workspace::Workspace;
use infra::event_store::LoadError;
use infra::log::{Feed, FeedError};
use infra::postgres::PgError;
use projections::memberships::{Memberships, mine};

use crate::wiring::App;

const WAIT: Duration = Duration::from_secs(2);
const AT_ONCE: i64 = 200;

#[derive(Debug, thiserror::Error)]
pub enum SoleOwnerError {
    #[error(
        "the account is the only owner of a workspace that has other members: make another member \
         its owner, or delete it"
    )]
    OwnsWorkspaces,
    #[error(
        "it is not known yet whether others depend on the account, since the projection of \
         memberships is behind the log: try again, while a node runs"
    )]
    ReadModelBehind,
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Postgres(#[from] PgError),
}

/// The projection says in which workspaces the account is a member, up to the end of the log as the
/// database has it: another node may have appended what this one does not know of. Whether it owns them
/// is read in the log.
///
/// # Errors
/// [`SoleOwnerError`].
pub(super) async fn check_nobody_depends(
    app: &App,
    account: AccountId,
) -> Result<(), SoleOwnerError> {
    let head = Feed::head(&app.pool.get().await.map_err(PgError::from)?).await?;
    if !app.read_positions.wait_for::<Memberships>(&app.pool, head, WAIT).await? {
        return Err(SoleOwnerError::ReadModelBehind);
    }
    let mut after = None;
    loop {
        let page = mine(&app.pool, account, after, AT_ONCE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.workspace);
        for mine in page {
            let (tenant, stream) = (mine.workspace.into(), mine.workspace.0);
            let loaded = app.executor.load::<Workspace>(tenant, stream).await?;
            let Some(live) = loaded.state.live() else { continue };
            let alone = live.members.len() == 1 || live.deletion.is_some();
            if !alone && live.is_sole_owner(account) {
                return Err(SoleOwnerError::OwnsWorkspaces);
            }
        }
    }
}
