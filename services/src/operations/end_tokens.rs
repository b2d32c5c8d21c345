//! Ends the API tokens that act for a person, in every workspace.

use std::collections::BTreeMap;

use domain::workspace::{Workspace, WorkspaceCommand, WorkspaceError};
use domain::{AccountId, ApiTokenId, EventId, Refused, WorkspaceId};
use infra::api_tokens::EndedBy;
use infra::event_store::{ExecuteError, Receipt};
use infra::failpoint;
use infra::postgres::PgError;

use super::system_command::SystemCommand;
use crate::wiring::App;

/// Tokens may work still, or their revocations may be missing: the token closer does what is left.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndTokensError {
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error(transparent)]
    Execute(#[from] ExecuteError),
}

/// Those that were issued before an event of the account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EndTokens {
    pub(crate) account: AccountId,
    pub(crate) by: EndedBy,
}

impl EndTokens {
    /// Every token is refused first, on all nodes; then each workspace revokes its own. What is done
    /// already changes nothing, and tokens that were issued since stay.
    ///
    /// # Errors
    /// [`EndTokensError`].
    pub(crate) async fn execute(self, app: &App) -> Result<(), EndTokensError> {
        let Self { account, by } = self;
        app.api_tokens.end_all(account, by).await?;
        let mut ended: BTreeMap<WorkspaceId, Vec<ApiTokenId>> = BTreeMap::new();
        for row in app.api_tokens.ended(account).await? {
            ended.entry(row.workspace).or_default().push(row.token);
        }
        failpoint!(ApiTokensEnded if !ended.is_empty());
        for (workspace, tokens) in ended {
            revoke(app, (workspace, account), tokens, Some(by.event)).await?;
        }
        Ok(())
    }

    /// Ends them because of a command of the account, also when it comes again: a crash may have come in
    /// between. What fails here is left to the token closer.
    pub(crate) async fn execute_after(app: &App, account: AccountId, receipt: &Receipt) {
        let (Some(first), Some(last)) = (receipt.first_of(account.0), receipt.last_of(account.0))
        else {
            return;
        };
        let by = EndedBy { event: first.id, version: last.version, at: None };
        if let Err(error) = (Self { account, by }).execute(app).await {
            tracing::warn!(%error, "API tokens were not ended at once: the token closer does it");
        }
    }
}

/// Revokes tokens of a member, and deletes their rows. It is decided on what the workspace has now, so that
/// it may be sent any number of times.
///
/// # Errors
/// [`EndTokensError`].
pub(crate) async fn revoke(
    app: &App,
    (workspace, member): (WorkspaceId, AccountId),
    ended: Vec<ApiTokenId>,
    cause: Option<EventId>,
) -> Result<(), EndTokensError> {
    let revokes = WorkspaceCommand::RevokeTokensOf { member, ended: ended.clone() };
    let deleted = Refused::Workspace(WorkspaceError::Unknown);
    SystemCommand::with_id(workspace.into(), app.ids.uuid())
        .caused_by(cause)
        .step::<Workspace>(workspace.0, revokes)
        .execute(&app.executor, |refused| *refused == deleted)
        .await?;
    for token in ended {
        app.api_tokens.delete(token).await?;
    }
    Ok(())
}
