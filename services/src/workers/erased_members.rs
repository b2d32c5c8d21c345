//! Removes erased people from their workspaces, which an heir inherits; one whose only member is erased is deleted.

use std::time::Duration;

use domain::workspace::{Workspace, WorkspaceCommand};
use domain::{AccountId, WorkspaceId};
use infra::event_store::ExecuteError;
use infra::postgres::PgError;
use projections::memberships::Memberships;
use projections::workspaces::Workspaces;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

use super::eraser::EraserError;
use super::pages::{AT_ONCE, Pages};
use crate::operations::owners::first_heir;
use crate::operations::system_command::SystemCommand;
use crate::wiring::App;

const LAST: &str = "select max(position) from working.departures";
const DEPARTED: &str = include_str!("departed.sql");
const FINISH: &str = include_str!("finish_departures.sql");

/// Reads who was fenced, not the events: a restored log can hold memberships without the erasure events.
pub(super) async fn remove_departed(app: App) -> Result<(), EraserError> {
    let client = app.pool.get().await.map_err(PgError::from)?;
    let last = client.query_one(LAST, &[]).await.and_then(|row| row.try_get(0));
    drop(client);
    let Some(last) = last.map_err(PgError::from)? else { return Ok(()) };
    // This is read before the memberships: those that are read afterwards are not older. A projection that is built anew
    // shows less than there is.
    let (pool, positions) = (&app.pool, &app.read_positions);
    let is_read = positions.wait_for::<Memberships>(pool, last, Duration::ZERO).await?
        && positions.wait_for::<Workspaces>(pool, last, Duration::ZERO).await?;
    remove_all(&app).await?;
    if is_read {
        let client = app.pool.get().await.map_err(PgError::from)?;
        client.execute(FINISH, &[&last]).await.map_err(PgError::from)?;
    }
    Ok(())
}

async fn remove_all(app: &App) -> Result<(), EraserError> {
    let mut pages = Pages::of("departures");
    loop {
        let departed = departed(app, pages.skip).await?;
        for (workspace, member) in &departed {
            pages.stays(workspace.0, depart(app, *workspace, *member).await);
        }
        if pages.is_last(departed.len()) {
            return Ok(());
        }
    }
}

async fn departed(app: &App, skip: i64) -> Result<Vec<(WorkspaceId, AccountId)>, PgError> {
    let client = app.pool.get().await?;
    let rows = match client.query(DEPARTED, &[&AT_ONCE, &skip]).await {
        // The projections have not created their tables yet.
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(vec![]),
        rows => rows?,
    };
    let read = |row: &Row| Ok((WorkspaceId(row.try_get(0)?), AccountId(row.try_get(1)?)));
    rows.iter().map(read).collect()
}

async fn depart(app: &App, workspace: WorkspaceId, member: AccountId) -> Result<(), EraserError> {
    let loaded = app.executor.load::<Workspace>(workspace.into(), workspace.0).await?;
    let Some(live) = loaded.state.live() else { return Ok(()) };
    if !live.members.contains_key(&member) {
        return Ok(());
    }
    if live.members.len() == 1 {
        let abandons = WorkspaceCommand::Abandon { member, now: app.clock.now() };
        let command = departure(b"abandoned", workspace, member, loaded.version);
        let command = command.step::<Workspace>(workspace.0, abandons);
        command.execute(&app.executor, |_| true).await?;
        return Ok(());
    }
    // Whoever has agreed and is not erased, either. Who that is holds at this version.
    let is_left = live.is_sole_owner(member) && live.deletion.is_none();
    let heir = if is_left { first_heir(app, workspace, live).await? } else { None };
    let removes =
        WorkspaceCommand::RemoveErasedMember { member, heir: heir.as_ref().map(|of| of.0) };
    let mut command = departure(b"forgotten", workspace, member, loaded.version);
    for guard in heir.into_iter().flat_map(|(_, guards)| guards) {
        command = command.guarded_by(guard);
    }
    let command = command.step_at::<Workspace>(workspace.0, loaded.version, removes);
    match command.execute(&app.executor, |_| true).await {
        Ok(_) | Err(ExecuteError::Stale { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A refusal, or another version, means that the members have changed: the next round decides again.
fn departure(
    step: &[u8],
    workspace: WorkspaceId,
    member: AccountId,
    version: i64,
) -> SystemCommand {
    let (of, version) = (workspace.0.as_bytes(), version.to_be_bytes());
    let cause: [&[u8]; 5] = [b"departure", step, of, member.0.as_bytes(), &version];
    SystemCommand::new(workspace.into(), &cause)
}
