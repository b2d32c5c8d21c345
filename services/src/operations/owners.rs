//! Who owns a workspace once an owner leaves it: somebody whose erasure is not requested, or an admin who has agreed.

use std::time::Duration;

use domain::account::{Account, AccountCommand, AccountError};
use domain::workspace::{LiveWorkspace, Role, Workspace, WorkspaceCommand, WorkspaceError};
use domain::{AccountId, AggregateRoot, Refused, WorkspaceId};
use infra::event_store::{ExecuteError, Guard, LoadError, Step};
use infra::log::{Feed, FeedError};
use infra::postgres::{PgError, TimeOrder};
use projections::memberships::{Memberships, joined};
use projections::workspaces::Workspaces;

use crate::wiring::App;

const WAIT: Duration = Duration::from_secs(2);
const AT_ONCE: i64 = 200;
/// Each has a guard of the request for erasure, or two, which the append looks up under the log's lock.
pub const OWNED_MAX: usize = 200;

/// Workspaces of which the account is a member and no owner are guarded as far as this.
const GUARDS_MAX: usize = 2 * OWNED_MAX;

#[derive(Debug, thiserror::Error)]
pub enum OwnersError {
    #[error(
        "the account is the only owner who stays in a workspace that has other members: make another \
         member its owner, have an admin agree to inherit it, or delete it; or leave such workspaces without an owner"
    )]
    OwnsWorkspaces,
    #[error(
        "the account owns more than {OWNED_MAX} workspaces: delete some of them, or leave those that \
         others own as well, and then request its erasure"
    )]
    OwnsTooMany,
    #[error(
        "it is not known yet whether others depend on the account, since the projections of \
         memberships and workspaces are behind the log: try again, while a node runs"
    )]
    ReadModelBehind,
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Postgres(#[from] PgError),
}

/// An owner of the workspace whose erasure is not requested, besides `leaving`, as guards: that one owns it
/// still, and stays. `None`: there is nobody.
///
/// # Errors
/// The log does not answer.
pub(crate) async fn remaining_owner(
    app: &App,
    workspace: WorkspaceId,
    live: &LiveWorkspace,
    leaving: Option<AccountId>,
) -> Result<Option<[Guard; 2]>, LoadError> {
    let owners = live.members.iter().filter(|(_, role)| **role == Role::Owner);
    for account in owners.map(|(account, _)| *account).filter(|owner| Some(*owner) != leaving) {
        let loaded = app.executor.load::<Account>(account.into(), account.0).await?;
        if loaded.state.decide(AccountCommand::Remain).is_ok() {
            let owns = WorkspaceCommand::RemainOwner { account };
            return Ok(Some([
                Guard::new::<Workspace>(workspace.into(), workspace.0, owns),
                stays(account),
            ]));
        }
    }
    Ok(None)
}

/// That another owner stays when `leaving` owns the workspace no more, as guards. Whoever owns it alone, or not at
/// all, is the workspace's own matter: then, that this is still so when the command is appended. `None`: nobody stays.
///
/// # Errors
/// The log does not answer.
pub(crate) async fn stays_owned(
    app: &App,
    workspace: WorkspaceId,
    leaving: AccountId,
) -> Result<Option<Vec<Guard>>, LoadError> {
    let loaded = app.executor.load::<Workspace>(workspace.into(), workspace.0).await?;
    let shares_none = WorkspaceCommand::SharesNoOwnership { account: leaving };
    match loaded.state.live() {
        Some(live) if loaded.state.decide(shares_none.clone()).is_err() => {
            let remains = remaining_owner(app, workspace, live, Some(leaving)).await?;
            Ok(remains.map(Vec::from))
        }
        Some(_) | None => {
            Ok(Some(vec![Guard::new::<Workspace>(workspace.into(), workspace.0, shares_none)]))
        }
    }
}

/// The first of the admins who have agreed to inherit the workspace and whose erasure is not requested, with guards: that
/// one is an heir still, and stays.
///
/// # Errors
/// The log does not answer.
pub(crate) async fn first_heir(
    app: &App,
    workspace: WorkspaceId,
    live: &LiveWorkspace,
) -> Result<Option<(AccountId, [Guard; 2])>, LoadError> {
    for &account in &live.heirs {
        let loaded = app.executor.load::<Account>(account.into(), account.0).await?;
        if loaded.state.decide(AccountCommand::Remain).is_ok() {
            let inherits = WorkspaceCommand::RemainHeir { account };
            let inherits = Guard::new::<Workspace>(workspace.into(), workspace.0, inherits);
            return Ok(Some((account, [inherits, stays(account)])));
        }
    }
    Ok(None)
}

/// The erasure of the account is not requested.
pub(crate) fn stays(account: AccountId) -> Guard {
    Guard::new::<Account>(account.into(), account.0, AccountCommand::Remain)
}

/// Makes the member the owner of a restricted workspace: the step, and a guard that the member stays.
pub(crate) fn appoint(workspace: WorkspaceId, member: AccountId) -> (Step, Guard) {
    let appoints = WorkspaceCommand::AppointOwner { member };
    (Step::new::<Workspace>(workspace.0, appoints), stays(member))
}

/// Whoever depends on the account has another owner, or an heir; the guards say which, and where nobody depends on it, that
/// nobody does when the erasure is appended, also where the account is a member and may be made an owner. The projection says in which
/// workspaces the account is a member, up to the end of the log as the database has it: another node may
/// have appended what this one does not know of. Whether it owns them is read in the log.
///
/// # Errors
/// [`OwnersError`].
pub(crate) async fn check_nobody_depends(
    app: &App,
    account: AccountId,
) -> Result<Vec<Guard>, OwnersError> {
    let head = Feed::head(&app.pool.get().await.map_err(PgError::from)?).await?;
    // The list leaves out a workspace that has no row yet.
    if !app.read_positions.wait_for::<Memberships>(&app.pool, head, WAIT).await?
        || !app.read_positions.wait_for::<Workspaces>(&app.pool, head, WAIT).await?
    {
        return Err(OwnersError::ReadModelBehind);
    }
    let (mut after, mut owned, mut guards) = (None, 0, Vec::new());
    loop {
        let order = (TimeOrder::Oldest, after);
        let page = joined(&app.pool, account, None, order, AT_ONCE).await?;
        let Some(last) = page.last() else { return Ok(guards) };
        after = Some((last.joined_at, last.workspace.0));
        for mine in page {
            let (tenant, stream) = (mine.workspace.into(), mine.workspace.0);
            let loaded = app.executor.load::<Workspace>(tenant, stream).await?;
            let Some(live) = loaded.state.live() else { continue };
            let nobody = WorkspaceCommand::NobodyDepends { on: account };
            let nobody = Guard::new::<Workspace>(tenant, stream, nobody);
            match live.members.get(&account) {
                Some(Role::Owner) => owned += 1,
                // Others may make an owner of the member before the erasure is appended.
                Some(_) if guards.len() < GUARDS_MAX => {
                    guards.push(nobody);
                    continue;
                }
                Some(_) | None => continue,
            }
            if owned > OWNED_MAX {
                return Err(OwnersError::OwnsTooMany);
            }
            if live.depends_on(account) {
                guards.extend(next_owner(app, mine.workspace, live, account).await?);
            } else {
                guards.push(nobody);
            }
        }
    }
}

/// Who owns the workspace after `leaving`.
async fn next_owner(
    app: &App,
    workspace: WorkspaceId,
    live: &LiveWorkspace,
    leaving: AccountId,
) -> Result<[Guard; 2], OwnersError> {
    if let Some(remains) = remaining_owner(app, workspace, live, Some(leaving)).await? {
        return Ok(remains);
    }
    let (_, inherits) =
        first_heir(app, workspace, live).await?.ok_or(OwnersError::OwnsWorkspaces)?;
    Ok(inherits)
}

/// Whether the guards of [`remaining_owner`], [`stays_owned`] or [`check_nobody_depends`] refused it: others were
/// faster.
pub(crate) const fn another_leaves(error: &ExecuteError) -> bool {
    matches!(
        error,
        ExecuteError::Refused(
            Refused::Account(AccountError::OwnerLeaves)
                | Refused::Workspace(WorkspaceError::LastOwner | WorkspaceError::NotAnHeir)
        )
    )
}
