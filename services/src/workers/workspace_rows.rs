//! Keeps the working rows of workspaces in step with the log, and forgets the address of an
//! invitation when it ends.

use async_trait::async_trait;
use domain::workspace::{Workspace, WorkspaceCommand, WorkspaceEvent};
use domain::{CommandId, InvitationId, WorkspaceId};
use infra::event_store::{ExecuteError, Request, Step};
use infra::ids::hashed;
use infra::log::{Recorded, Worker, WorkerError};
use tokio_postgres::Transaction;

use super::eraser::EraserError;
use crate::wiring::App;

const AT_ONCE: i64 = 256;

pub(super) struct WorkspaceRows(App);

impl WorkspaceRows {
    pub(super) fn new(app: &App) -> Self {
        Self(app.clone())
    }
}

#[async_trait]
impl Worker for WorkspaceRows {
    fn name(&self) -> &'static str {
        "workspace_rows"
    }

    fn event_types(&self) -> &'static [&'static str] {
        &[
            "workspace.member_invited",
            "workspace.invitation_accepted",
            "workspace.invitation_revoked",
            "workspace.invitation_expired",
            "workspace.api_token_revoked",
        ]
    }

    async fn react(&self, event: &Recorded, tx: &Transaction<'_>) -> Result<(), WorkerError> {
        let Self(app) = self;
        let told: WorkspaceEvent = event.decode()?;
        if let WorkspaceEvent::MemberInvited { invitation, until, .. } = told {
            let workspace = WorkspaceId(event.stream_id());
            return Ok(app.invitations.put(tx, invitation, workspace, until).await?);
        }
        if let WorkspaceEvent::InvitationAccepted { invitation, .. }
        | WorkspaceEvent::InvitationRevoked { invitation }
        | WorkspaceEvent::InvitationExpired { invitation } = told
        {
            let forgotten = forget_invitation(app, invitation).await;
            forgotten.map_err(|error| WorkerError::Unavailable(error.to_string()))?;
        }
        if let WorkspaceEvent::ApiTokenRevoked { token } = told {
            app.api_tokens.delete(token).await?;
        }
        Ok(())
    }
}

/// Whoever was invited and did not join is nobody whom we know.
pub(super) async fn forget_invitation(
    app: &App,
    invitation: InvitationId,
) -> Result<(), EraserError> {
    let subject = invitation.into();
    app.keyring.eraser.erase_subject(subject).await?;
    let mails = app.outbox.of_subject(subject).await?;
    app.outbox.delete_of_subject(subject).await?;
    app.transport.delete(&mails).await?;
    Ok(app.invitations.delete(invitation).await?)
}

/// Ends the invitations whose time is over.
pub(super) async fn expire_due(app: App) -> Result<(), EraserError> {
    for (invitation, workspace) in app.invitations.due(app.clock.now(), AT_ONCE).await? {
        expire(&app, invitation, workspace).await?;
    }
    Ok(())
}

async fn expire(
    app: &App,
    invitation: InvitationId,
    workspace: WorkspaceId,
) -> Result<(), EraserError> {
    let id = hashed(&[b"workspace.invitation_expired", invitation.0.as_bytes()]);
    let request = Request::new(workspace.into(), CommandId(id));
    let expires = WorkspaceCommand::ExpireInvitation { invitation, now: app.clock.now() };
    let steps = [Step::new::<Workspace>(workspace.0, expires)];
    match app.executor.execute(&request, &steps).await {
        // Also when the log knew of its end, or the workspace has gone.
        Ok(_) | Err(ExecuteError::Fenced | ExecuteError::Refused(_)) => {
            forget_invitation(app, invitation).await
        }
        Err(error) => Err(error.into()),
    }
}
