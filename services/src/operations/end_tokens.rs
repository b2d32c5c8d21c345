//! Ends the API tokens that act for a person, in every workspace.

use std::collections::BTreeMap;

use domain::workspace::{Workspace, WorkspaceCommand, WorkspaceError};
use domain::{AccountId, ApiTokenId, EventId, Refused, WorkspaceId};
use infra::api_tokens::{EndedApiToken, EndedBy};
use infra::event_store::{ExecuteError, Receipt};
use infra::failpoint;
use infra::log::{Feed, FeedError};
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

impl EndTokensError {
    /// Whether it is about one workspace: the tokens of others can be revoked.
    const fn is_of_workspace(&self) -> bool {
        match self {
            Self::Postgres(_) => false,
            Self::Execute(error) => error.is_of_stream(),
        }
    }
}

/// Those that were issued before an event of the account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EndTokens {
    pub(crate) account: AccountId,
    pub(crate) by: EndedBy,
}

impl EndTokens {
    /// The events that end API tokens, by the table of the account.
    pub(crate) const CAUSES: &[&str] =
        &["account.api_tokens_ended", "account.erasure_requested", "account.erasure_completed"];

    /// Those that the last of these events ends, if it came after this version of the account.
    ///
    /// # Errors
    /// The log was not read.
    pub(crate) async fn since(
        app: &App,
        account: AccountId,
        version: i64,
    ) -> Result<Option<Self>, FeedError> {
        let client = app.pool.get().await.map_err(PgError::from)?;
        let (of, since) = ((account.0, Self::CAUSES), version + 1..i64::MAX);
        let newest = Feed::newest_of(&client, of, since, 1).await?.pop();
        Ok(newest.map(|event| Self {
            account,
            by: EndedBy { event: event.event_id(), version: event.version() },
        }))
    }

    /// Those that a command of the account ends, by its last event; the first one is their cause. `None`: it
    /// has no event.
    pub(crate) fn of(account: AccountId, receipt: &Receipt) -> Option<Self> {
        let (first, last) = (receipt.first_of(account.0)?, receipt.last_of(account.0)?);
        Some(Self { account, by: EndedBy { event: first.id, version: last.version } })
    }

    /// Every token is refused first, on all nodes; then each workspace revokes its own. What is done already
    /// changes nothing, and tokens that were issued since stay.
    ///
    /// # Errors
    /// [`EndTokensError`].
    pub(crate) async fn execute(self, app: &App) -> Result<(), EndTokensError> {
        self.refuse(app).await?;
        self.revoke(app).await
    }

    /// From then on no node finds them.
    ///
    /// # Errors
    /// The database does not answer.
    pub(crate) async fn refuse(&self, app: &App) -> Result<(), PgError> {
        app.api_tokens.end_all(self.account, self.by).await
    }

    /// Each workspace revokes those that are refused, whatever becomes of the others. Where one cannot, a sweep
    /// tries it again: that is no error.
    ///
    /// # Errors
    /// [`EndTokensError`].
    pub(crate) async fn revoke(&self, app: &App) -> Result<(), EndTokensError> {
        let Self { account, by } = *self;
        let mut ended: BTreeMap<WorkspaceId, Vec<ApiTokenId>> = BTreeMap::new();
        for row in app.api_tokens.ended(account).await? {
            ended.entry(row.workspace).or_default().push(row.token);
        }
        failpoint!(ApiTokensEnded if !ended.is_empty());
        let mut revoked = Ok(());
        for (workspace, tokens) in ended {
            let of_workspace = revoke(app, (workspace, account), tokens, Some(by.event)).await;
            match of_workspace {
                Err(error) if error.is_of_workspace() => count_failed(app, workspace, &error),
                of_workspace => revoked = revoked.and(of_workspace),
            }
        }
        revoked
    }
}

/// Revokes what was ended and is listed in its workspace still.
///
/// # Errors
/// [`EndTokensError`], which is counted.
pub(crate) async fn revoke_left(app: &App, left: EndedApiToken) -> Result<(), EndTokensError> {
    let EndedApiToken { token, workspace, account, by } = left;
    let revoked = revoke(app, (workspace, account), vec![token], Some(by)).await;
    revoked.inspect_err(|error| count_failed(app, workspace, error))
}

fn count_failed(app: &App, workspace: WorkspaceId, error: &EndTokensError) {
    app.metrics.token_revocations_failed.inc();
    tracing::error!(%workspace, %error, "API tokens are refused, and the workspace still lists them: it is tried again");
}

/// Revokes tokens of a member, and deletes their rows. It is decided on what the workspace has now, so that
/// it may be sent any number of times.
///
/// # Errors
/// [`EndTokensError`].
async fn revoke(
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
