//! What is a workspace's own in its erasure.

use std::collections::BTreeSet;

use domain::workspace::{Workspace, WorkspaceCommand, WorkspaceError};
use domain::{CommandId, InvitationId, Refused, SubjectId, WorkspaceId};
use infra::event_store::{ExecuteError, Request, Step};
use infra::ids::hashed;
use infra::postgres::PgError;

use super::EraserError;
use crate::wiring::App;
use crate::workers::workspace_rows::forget_invitation;

/// The rows that are a workspace's, each by its id.
const ROWS: &[&str] = &[
    "delete from working.api_tokens where workspace_id = $1",
    "delete from working.invitations where workspace_id = $1",
    "delete from working.seat_leases where workspace_id = $1",
    "delete from working.server_credentials where workspace_id = $1",
    "delete from working.server_monitors where workspace_id = $1",
    "delete from working.run_tasks where workspace_id = $1",
    "delete from working.run_secrets where workspace_id = $1",
    "delete from working.run_log_chunks where workspace_id = $1",
];
const DELETE_SNAPSHOTS: &str = include_str!("delete_snapshots.sql");

/// Deletes what there is of a fenced workspace beside its keys: no new rows come.
pub(super) async fn delete_rows(app: &App, subject: SubjectId) -> Result<(), EraserError> {
    for invitation in invitations(app, WorkspaceId(subject.0)).await? {
        forget_invitation(app, invitation).await?;
    }
    let client = app.pool.get().await.map_err(PgError::from)?;
    for rows in ROWS.iter().chain([&DELETE_SNAPSHOTS]) {
        client.execute(*rows, &[&subject.0]).await.map_err(PgError::from)?;
    }
    Ok(())
}

/// Those that are open: of the log, and of the rows that may be ahead of it or behind.
async fn invitations(
    app: &App,
    workspace: WorkspaceId,
) -> Result<BTreeSet<InvitationId>, EraserError> {
    let loaded = app.executor.load::<Workspace>(workspace.into(), workspace.0).await?;
    let told = loaded.state.live().map(|live| live.invitations.keys().copied());
    let mut open: BTreeSet<InvitationId> = told.into_iter().flatten().collect();
    open.extend(app.invitations.of_workspace(workspace).await?);
    Ok(open)
}

/// Appends the closing event. A log that never knew the workspace has nothing to close.
pub(crate) async fn close(
    app: &App,
    subject: SubjectId,
    command: WorkspaceCommand,
) -> Result<(), EraserError> {
    let id = hashed(&[b"workspace.deleted", subject.0.as_bytes()]);
    let request = Request::new(WorkspaceId(subject.0).into(), CommandId(id));
    let steps = [Step::new::<Workspace>(subject.0, command)];
    match app.executor.execute(&request, &steps).await {
        Ok(_)
        | Err(
            ExecuteError::Fenced
            | ExecuteError::Refused(Refused::Workspace(
                WorkspaceError::Unknown | WorkspaceError::DeletionNotRequested,
            )),
        ) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
