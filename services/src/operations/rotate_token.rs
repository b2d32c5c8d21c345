//! Gives an API token another secret. Its row is written before the event that names it, and the former secret works on
//! for a while.

use chrono::{DateTime, TimeDelta, Utc};
use domain::workspace::{Workspace, WorkspaceCommand, WorkspaceError};
use domain::{AccountId, ApiTokenId, ApiTokenSecretId, Refused, WorkspaceId};
use infra::api_tokens::NewApiTokenSecret;
use infra::bearer::BearerToken;
use infra::event_store::{ExecuteError, Request, Step};
use infra::failpoint;

use super::issue_token::{IssueTokenError, IssuedToken, repeated, that_works};
use super::write_ahead::{LookedUp, NewCommand, WriteAhead};
use crate::wiring::App;

/// Another secret for a token.
pub(crate) struct RotateToken {
    pub(crate) workspace: WorkspaceId,
    /// Who asks.
    pub(crate) by: AccountId,
    pub(crate) token: ApiTokenId,
    pub(crate) secret: ApiTokenSecretId,
    /// For so long the former one works, too.
    pub(crate) overlap: TimeDelta,
    /// `None`: the token ends when it did.
    pub(crate) expires_at: Option<DateTime<Utc>>,
    /// What is to be given, and what the same request may have been given before.
    pub(crate) secrets: Vec<BearerToken>,
}

/// What ends the token ends all its secrets: nothing has to be looked for when the row is put back.
impl WriteAhead for NewApiTokenSecret {
    type Error = IssueTokenError;

    async fn write(&mut self, app: &App) -> Result<DateTime<Utc>, IssueTokenError> {
        Ok(app.api_tokens.insert_secret(self).await?)
    }

    async fn take_back(&self, app: &App, written_at: DateTime<Utc>) -> Result<(), IssueTokenError> {
        Ok(app.api_tokens.take_back_secret(self.secret, written_at).await?)
    }
}

impl RotateToken {
    /// A command that comes again has the same secret.
    ///
    /// # Errors
    /// [`IssueTokenError`].
    pub(crate) async fn execute(
        self,
        app: &App,
        request: &Request,
    ) -> Result<IssuedToken, IssueTokenError> {
        let Self { workspace, by, token, secret, overlap, expires_at, secrets } = self;
        let new = match NewCommand::look_up(app, request).await? {
            LookedUp::New(new) => new,
            LookedUp::Earlier(receipt) => {
                return repeated(app, (workspace, token, secret), secrets, receipt).await;
            }
        };
        let now = app.clock.now();
        let Some(hash) = secrets.first().map(|secret| secret.hash) else {
            return Err(ExecuteError::Reused.into());
        };
        let found_until = expires_at.unwrap_or(now);
        let row = NewApiTokenSecret { secret, token, hash, expires_at: found_until };
        let mut written = new.write(row).await?;
        failpoint!(ApiTokenSecretStored);
        // Of a token that was ended nothing is written.
        let none = || ExecuteError::Refused(Refused::Workspace(WorkspaceError::NoSuchToken));
        let kept = app.api_tokens.kept(secret).await?.ok_or_else(none)?;
        let given = that_works(secrets, kept).ok_or(ExecuteError::Reused)?;
        written.row.hash = given.hash;
        let rotates =
            WorkspaceCommand::RotateApiToken { by, token, secret, now, overlap, expires_at };
        let receipt = written.execute(Step::new::<Workspace>(workspace.0, rotates)).await?;
        failpoint!(ApiTokenRotated);
        Ok(IssuedToken { receipt, secret: Some(given.secret) })
    }
}
