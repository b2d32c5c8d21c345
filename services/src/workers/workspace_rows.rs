//! Updates the working rows of workspaces from the log, and erases the address of an invitation when it
//! ends.

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::workspace::{Workspace, WorkspaceCommand, WorkspaceEvent};
use domain::{InvitationId, WorkspaceId};
use infra::log::{Recorded, Worker, WorkerError};
use infra::postgres::PgError;
use infra::postgres::Transaction;

use super::eraser::EraserError;
use super::pages::{AT_ONCE, Pages};
use crate::operations::delete_mails::{DeleteMailsError, delete_mails_of};
use crate::operations::system_command::SystemCommand;
use crate::wiring::App;

/// After this time the mails of an invitation that has ended are tried again.
const MAILS_AGAIN: TimeDelta = TimeDelta::minutes(1);

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
            "workspace.invitation_declined",
            "workspace.invitation_expired",
            "workspace.api_token_issued",
            "workspace.api_token_rotated",
            "workspace.api_token_revoked",
        ]
    }

    async fn react(&self, event: &Recorded, tx: &Transaction<'_>) -> Result<(), WorkerError> {
        let Self(app) = self;
        let event_data: WorkspaceEvent = event.decode()?;
        if let WorkspaceEvent::MemberInvited { invitation, until, .. } = event_data {
            let workspace = WorkspaceId(event.stream_id());
            return Ok(app.invitations.put(tx, invitation, workspace, until).await?);
        }
        if let WorkspaceEvent::InvitationAccepted { invitation, .. }
        | WorkspaceEvent::InvitationDeclined { invitation }
        | WorkspaceEvent::InvitationRevoked { invitation }
        | WorkspaceEvent::InvitationExpired { invitation } = event_data
        {
            match erase_invitation(app, invitation).await {
                Err(EraserError::Mails(error)) => {
                    log_put_off(invitation, &error);
                    app.invitations.put_off(tx, invitation, app.clock.now()).await?;
                }
                erased => erased?,
            }
        }
        if let WorkspaceEvent::ApiTokenIssued { token, .. } = event_data {
            app.api_tokens.name(token).await?;
        }
        if let WorkspaceEvent::ApiTokenRotated { secret, .. } = event_data {
            app.api_tokens.name_secret(secret, event.version()).await?;
        }
        if let WorkspaceEvent::ApiTokenRevoked { token } = event_data {
            app.api_tokens.delete(token).await?;
        }
        Ok(())
    }
}

/// The timer of the invitations goes on with it: no other event waits for a mail.
fn log_put_off(invitation: InvitationId, error: &DeleteMailsError) {
    tracing::warn!(%invitation, %error, "the mails of an invitation that has ended are not deleted yet: it is tried again");
}

/// Erases the key, the mails and the row of an invitation that has ended: the row is the list of the
/// mails that are left.
pub(super) async fn erase_invitation(
    app: &App,
    invitation: InvitationId,
) -> Result<(), EraserError> {
    let subject = invitation.into();
    // A log that loses the end of the invitation is noticed.
    app.watermark.secure().await.map_err(PgError::from)?;
    app.keyring.eraser.erase_subject(subject).await?;
    delete_mails_of(app, subject).await?;
    Ok(app.invitations.delete(invitation).await?)
}

/// Appends the event of each invitation that has expired.
pub(super) async fn expire_due(app: App) -> Result<(), EraserError> {
    let now = app.clock.now();
    let mut pages = Pages::of("invitations");
    loop {
        let due = app.invitations.due(now, AT_ONCE, pages.skip).await?;
        for (invitation, workspace) in &due {
            pages.leaves(invitation.0, expire(&app, *invitation, *workspace).await);
        }
        if pages.is_last(due.len()) {
            return Ok(());
        }
    }
}

async fn expire(
    app: &App,
    invitation: InvitationId,
    workspace: WorkspaceId,
) -> Result<(), EraserError> {
    let expires = WorkspaceCommand::ExpireInvitation { invitation, now: app.clock.now() };
    // A refusal means that it has ended already, or that the workspace is deleted.
    SystemCommand::new(
        workspace.into(),
        &[b"workspace.invitation_expired", invitation.0.as_bytes()],
    )
    .step::<Workspace>(workspace.0, expires)
    .execute(&app.executor, |_| true)
    .await?;
    match erase_invitation(app, invitation).await {
        Err(EraserError::Mails(error)) => {
            log_put_off(invitation, &error);
            let client = app.pool.get().await.map_err(PgError::from)?;
            let next = app.clock.now() + MAILS_AGAIN;
            Ok(app.invitations.put_off(&client, invitation, next).await?)
        }
        erased => erased,
    }
}
