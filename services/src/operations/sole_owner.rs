//! Whether an account is the only owner of a workspace that has other members.

use std::time::Duration;

use domain::AccountId;
use domain::workspace::{Role, Workspace};
use infra::event_store::LoadError;
use infra::log::wait_for;
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
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Postgres(#[from] PgError),
}

/// # Errors
/// [`SoleOwnerError`].
pub(super) async fn check_nobody_depends(
    app: &App,
    account: AccountId,
) -> Result<(), SoleOwnerError> {
    let head = *app.executor.appended().borrow();
    if !wait_for::<Memberships>(&app.pool, head, WAIT).await? {
        // A late read model must not block an erasure: the highest role left inherits.
        tracing::warn!("an erasure is requested while the read model of memberships lags behind");
        return Ok(());
    }
    let mut after = None;
    loop {
        let page = mine(&app.pool, account, after, AT_ONCE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.workspace);
        for owned in page.iter().filter(|mine| mine.role == Role::Owner) {
            let (tenant, stream) = (owned.workspace.into(), owned.workspace.0);
            let loaded = app.executor.load::<Workspace>(tenant, stream).await?;
            let Some(live) = loaded.state.live() else { continue };
            let alone = live.members.len() == 1 || live.deletion.is_some();
            if !alone && live.is_sole_owner(account) {
                return Err(SoleOwnerError::OwnsWorkspaces);
            }
        }
    }
}
