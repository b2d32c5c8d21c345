//! Resumes tasks that are set aside although runs may begin in their workspace.

use domain::workspace::{Workspace, WorkspaceCommand};
use domain::{AggregateRoot, WorkspaceId};
use infra::event_store::LoadError;
use infra::postgres::PgError;

use crate::wiring::App;

const AT_ONCE: i32 = 256;

#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// A node that stops between setting tasks aside and looking at the deletion once more leaves them so; and a node of
/// an earlier version resumes nothing when a deletion is cancelled, and leaves what it cancels set aside.
pub(in crate::workers) async fn resume_forgotten(app: App) -> Result<(), ResumeError> {
    let mut after = None;
    loop {
        let workspaces = app.run_queue.paused(after, AT_ONCE).await?;
        let Some(last) = workspaces.last() else { return Ok(()) };
        after = Some(*last);
        for workspace in workspaces {
            if let Err(error) = resume(&app, workspace).await {
                tracing::warn!(%workspace, %error, "the tasks of a workspace that are set aside were not looked at: the next sweep tries it again");
            }
        }
    }
}

async fn resume(app: &App, workspace: WorkspaceId) -> Result<(), ResumeError> {
    app.run_queue.resume_cancelled(workspace).await?;
    let loaded = app.executor.load::<Workspace>(workspace.into(), workspace.0).await?;
    if loaded.state.decide(WorkspaceCommand::BeginRun { requester: None }).is_ok() {
        app.run_queue.resume(workspace).await?;
    }
    Ok(())
}
