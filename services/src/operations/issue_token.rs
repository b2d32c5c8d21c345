//! Issues an API token. Its row is written before the event that names it.

use chrono::{DateTime, Utc};
use domain::account::{Account, AccountCommand, AccountError};
use domain::privacy::Sealed;
use domain::workspace::{Right, Workspace, WorkspaceCommand};
use domain::{AccountId, ApiTokenId, ApiTokenSecretId, Refused, WorkspaceId};
use infra::api_tokens::{KeptSecret, NewApiToken};
use infra::bearer::{BearerToken, TokenHash};
use infra::event_store::{ExecuteError, Guard, LoadError, Receipt, Request, Step};
use infra::failpoint;
use infra::log::FeedError;
use infra::postgres::PgError;
use secrecy::SecretString;

use super::end_tokens::{EndTokens, EndTokensError};
use super::write_ahead::{LookedUp, NewCommand, WriteAhead};
use crate::wiring::App;

/// A service account has no stream, and nothing of its own that ends its tokens.
const OF_SERVICE_ACCOUNTS: i64 = 0;

/// No token was issued. It may be tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IssueTokenError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error("whether the tokens of the account have ended is not known: {0}")]
    Feed(#[from] FeedError),
    #[error("the tokens of the account have ended, and this one has not yet: {0}")]
    End(#[from] EndTokensError),
}

/// A token that acts for a member.
pub(crate) struct IssueToken {
    pub(crate) workspace: WorkspaceId,
    /// Who asks.
    pub(crate) by: AccountId,
    /// Whom it acts for: them, or a service account.
    pub(crate) account: AccountId,
    pub(crate) token: ApiTokenId,
    /// Sealed under the workspace's key.
    pub(crate) name: Sealed,
    pub(crate) rights: Vec<Right>,
    pub(crate) expires_at: DateTime<Utc>,
    /// What is to be given, and what the same request may have been given before.
    pub(crate) secrets: Vec<BearerToken>,
}

/// A token that the command has issued.
pub(crate) struct IssuedToken {
    pub(crate) receipt: Receipt,
    /// `None`: the token works no more, or nobody knows its secret any more.
    pub(crate) secret: Option<SecretString>,
}

/// The row of a token, which no event names yet.
pub(super) struct NewRow {
    pub(super) row: NewApiToken,
    pub(super) hash: TokenHash,
}

impl WriteAhead for NewRow {
    type Error = IssueTokenError;

    async fn write(&mut self, app: &App) -> Result<DateTime<Utc>, IssueTokenError> {
        Ok(app.api_tokens.insert(&self.row, self.hash).await?)
    }

    /// Whoever ended the tokens of the account behind the event did not find this one if it had no row then.
    async fn put_back(&mut self, app: &App) -> Result<(), IssueTokenError> {
        self.write(app).await?;
        let NewApiToken { account, account_version, .. } = self.row;
        if let Some(ends) = EndTokens::since(app, account, account_version).await? {
            ends.execute(app).await?;
        }
        Ok(())
    }

    async fn take_back(&self, app: &App, written_at: DateTime<Utc>) -> Result<(), IssueTokenError> {
        Ok(app.api_tokens.take_back(self.row.token, written_at).await?)
    }
}

impl IssueToken {
    /// A command that comes again has the same secret. It is refused if the API tokens of the account are
    /// ended before its event is appended.
    ///
    /// # Errors
    /// [`IssueTokenError`].
    pub(crate) async fn execute(
        self,
        app: &App,
        request: &Request,
    ) -> Result<IssuedToken, IssueTokenError> {
        let Self { workspace, by, account, token, name, rights, expires_at, secrets } = self;
        let mut request = request.clone();
        let account_version = if account == by {
            let loaded = app.executor.load::<Account>(account.into(), account.0).await?;
            request.guards.push(not_ended(account, &loaded.state)?);
            loaded.version
        } else {
            OF_SERVICE_ACCOUNTS
        };
        let new = match NewCommand::look_up(app, &request).await? {
            LookedUp::New(new) => new,
            LookedUp::Earlier(receipt) => {
                let of = (workspace, token, token.into());
                return repeated(app, of, secrets, receipt).await;
            }
        };
        let row = NewApiToken { token, workspace, account, account_version, name, expires_at };
        let Some(hash) = secrets.first().map(|secret| secret.hash) else {
            return Err(ExecuteError::Reused.into());
        };
        let mut written = new.write(NewRow { row, hash }).await?;
        failpoint!(ApiTokenStored);
        // Of an erased workspace nothing is written.
        let kept = app.api_tokens.kept(token.into()).await?.ok_or(ExecuteError::Fenced)?;
        // With another body, or days ago, it was another request.
        let secret = that_works(secrets, kept).ok_or(ExecuteError::Reused)?;
        written.row.hash = secret.hash;
        let now = app.clock.now();
        let issues =
            WorkspaceCommand::IssueApiToken { by, account, token, rights, now, expires_at };
        let receipt = written.execute(Step::new::<Workspace>(workspace.0, issues)).await?;
        failpoint!(ApiTokenIssued);
        Ok(IssuedToken { receipt, secret: Some(secret.secret) })
    }
}

/// The tokens of the account are not ended meanwhile.
fn not_ended(account: AccountId, state: &Account) -> Result<Guard, ExecuteError> {
    let Account::Live(live) = state else {
        return Err(ExecuteError::Refused(Refused::Account(AccountError::Unknown)));
    };
    let ended = AccountCommand::TokensEnded { times: live.api_token_endings };
    Ok(Guard::new::<Account>(account.into(), account.0, ended))
}

/// The answer to a command that was carried out before.
///
/// # Errors
/// The database does not answer, or the workspace cannot be loaded.
pub(crate) async fn repeated(
    app: &App,
    (workspace, token, secret): (WorkspaceId, ApiTokenId, ApiTokenSecretId),
    secrets: Vec<BearerToken>,
    receipt: Receipt,
) -> Result<IssuedToken, IssueTokenError> {
    let loaded = app.executor.load::<Workspace>(workspace.into(), workspace.0).await?;
    let token = loaded.state.live().and_then(|live| live.tokens.get(&token));
    let works = token.is_some_and(|token| token.works_with(secret, app.clock.now()));
    let kept = app.api_tokens.kept(secret).await?.filter(|_| works);
    let secret = kept.and_then(|kept| that_works(secrets, kept));
    Ok(IssuedToken { receipt, secret: secret.map(|secret| secret.secret) })
}

/// Of what the request may have been given, what is found.
pub(super) fn that_works(secrets: Vec<BearerToken>, kept: KeptSecret) -> Option<BearerToken> {
    secrets.into_iter().find(|secret| !kept.is_ended && secret.hash == kept.hash)
}
