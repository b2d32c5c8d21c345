//! The parts of an erasure that only workspaces have.

use std::collections::BTreeSet;

use domain::workspace::{Workspace, WorkspaceCommand, WorkspaceError};
use domain::{InvitationId, Refused, SubjectId, WorkspaceId};
use infra::workspace_rows::{Deleted, DeletedThrough, WorkspaceRows};
use infra::{
    api_tokens, event_store, invitations, monitors, run_log, run_queue, seats, server_credentials,
};

use super::error::EraserError;
use crate::operations::system_command::SystemCommand;
use crate::wiring::App;
use crate::workers::workspace_rows::erase_invitation;

/// Every table that has rows of a workspace.
pub(crate) const ROWS: [WorkspaceRows; 11] = [
    api_tokens::OF_WORKSPACE,
    invitations::OF_WORKSPACE,
    seats::OF_WORKSPACE,
    server_credentials::OF_WORKSPACE,
    monitors::OF_WORKSPACE,
    run_queue::OF_WORKSPACE,
    run_queue::SECRETS_OF_WORKSPACE,
    run_queue::LEFTOVERS_OF_WORKSPACE,
    run_log::OF_WORKSPACE,
    run_log::USAGE_OF_WORKSPACE,
    event_store::SNAPSHOTS_OF_WORKSPACE,
];

/// Of each table, in one turn.
pub(crate) const BATCHES_A_TURN: u32 = 20;

/// Deletes the rows of a fenced workspace, at most those of one turn: the fence prevents new ones. `through`
/// is of the turns before.
pub(super) async fn delete_rows(
    app: &App,
    subject: SubjectId,
    through: &mut DeletedThrough,
) -> Result<Deleted, EraserError> {
    for invitation in invitations(app, WorkspaceId(subject.0)).await? {
        erase_invitation(app, invitation).await?;
    }
    let mut deleted = Deleted::All;
    for rows in ROWS {
        if rows.delete(&app.pool, subject.0, through, BATCHES_A_TURN).await? == Deleted::Some {
            tracing::info!(workspace = %subject, table = rows.table, "an erased workspace has more rows than a turn deletes");
            deleted = Deleted::Some;
        }
    }
    Ok(deleted)
}

/// The open invitations in the log and those with a row: either may be newer than the other.
async fn invitations(
    app: &App,
    workspace: WorkspaceId,
) -> Result<BTreeSet<InvitationId>, EraserError> {
    let loaded = app.executor.load::<Workspace>(workspace.into(), workspace.0).await?;
    let in_log = loaded.state.live().map(|live| live.invitations.keys().copied());
    let mut open: BTreeSet<InvitationId> = in_log.into_iter().flatten().collect();
    open.extend(app.invitations.of_workspace(workspace).await?);
    Ok(open)
}

/// Appends the closing event, unless the workspace or its deletion request is not in the log.
pub(crate) async fn close(
    app: &App,
    subject: SubjectId,
    command: WorkspaceCommand,
) -> Result<(), EraserError> {
    let is_unknown = |refused: &Refused| {
        let unknown = WorkspaceError::Unknown;
        let never_requested = WorkspaceError::DeletionNotRequested;
        [unknown, never_requested].map(Refused::Workspace).contains(refused)
    };
    SystemCommand::new(
        WorkspaceId(subject.0).into(),
        &[b"workspace.deleted", subject.0.as_bytes()],
    )
    .step::<Workspace>(subject.0, command)
    .execute(&app.executor, is_unknown)
    .await?;
    Ok(())
}
