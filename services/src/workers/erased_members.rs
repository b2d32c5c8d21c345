//! Removes erased people from their workspaces; a workspace whose only member is erased is deleted.

use domain::workspace::{Workspace, WorkspaceCommand};
use domain::{AccountId, WorkspaceId};
use infra::postgres::PgError;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

use super::eraser::EraserError;
use super::pages::{AT_ONCE, Pages};
use crate::operations::system_command::SystemCommand;
use crate::wiring::App;

const DEPARTED: &str = include_str!("departed.sql");

/// Reads the fences, not the events: a restored log can hold memberships without the erasure events.
pub(super) async fn remove_departed(app: App) -> Result<(), EraserError> {
    let mut pages = Pages::of("departures");
    loop {
        let departed = departed(&app, pages.skip).await?;
        for (workspace, member) in &departed {
            pages.stays(workspace.0, depart(&app, *workspace, *member).await);
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
    let now = app.clock.now();
    let (step, command) = if live.members.len() == 1 {
        (b"abandoned".as_slice(), WorkspaceCommand::Abandon { member, now })
    } else {
        (b"forgotten".as_slice(), WorkspaceCommand::RemoveErasedMember { member })
    };
    let version = loaded.version.to_be_bytes();
    let cause = [b"departure", step, workspace.0.as_bytes(), member.0.as_bytes(), &version];
    // A refusal means that the members have changed: the next round decides again.
    SystemCommand::new(workspace.into(), &cause)
        .step::<Workspace>(workspace.0, command)
        .execute(&app.executor, |_| true)
        .await?;
    Ok(())
}
