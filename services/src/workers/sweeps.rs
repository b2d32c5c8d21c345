//! Deletes rows and files that a crash left behind, and those whose retention has ended.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::time::Duration;

use chrono::TimeDelta;
use domain::account::Account;
use domain::server::Server;
use domain::workspace::Workspace;
use domain::{SubjectId, TenantId};
use infra::api_tokens::{UnnamedApiToken, UnnamedApiTokenSecret};
use infra::credentials::{CredentialsError, UnnamedCredential};
use infra::event_store::LoadError;
use infra::keyring::{KeyringError, SubjectKind};
use infra::log::{FeedError, delete_superseded, sweep_generations as delete_left_generations};
use infra::mail::{MailError, Via};
use infra::postgres::PgError;
use infra::server_credentials::UnnamedServerKey;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::eraser::record_in_ledger;
use super::pages::{AT_ONCE, Pages};
use crate::operations::delete_mails::{DeleteMailsError, delete_ended};
use crate::operations::end_tokens::{EndTokens, EndTokensError, revoke_left};
use crate::wiring::App;

const OVERDUE: &str = include_str!("overdue.sql");
const OVERDUE_WORKSPACES: &str = include_str!("overdue_workspaces.sql");
/// Far longer than a command takes from its hash to its event: a younger hash may still get one.
const NAMED_WITHIN: TimeDelta = TimeDelta::minutes(10);
/// As long as command ids: a worker that reads an event late still finds its mail, and sends no second.
pub(super) const MAILS_KEPT: TimeDelta = TimeDelta::days(30);

const SUPERSEDED_KEPT: Duration = Duration::from_hours(24);

#[derive(Debug, thiserror::Error)]
pub(super) enum SweepError {
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Folder(#[from] MailError),
    #[error(transparent)]
    Mails(#[from] DeleteMailsError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    EndTokens(#[from] EndTokensError),
}

/// Password hashes whose event was never appended.
pub(super) async fn sweep_credentials(app: App) -> Result<(), SweepError> {
    let until = app.clock.now() - NAMED_WITHIN;
    let mut pages = Pages::of("credentials");
    loop {
        let unnamed = app.credentials.unnamed(until, AT_ONCE, pages.skip).await?;
        for credential in &unnamed {
            pages.leaves(credential.account.0, name_or_delete(&app, credential).await);
        }
        if pages.is_last(unnamed.len()) {
            return Ok(());
        }
    }
}

async fn name_or_delete(app: &App, unnamed: &UnnamedCredential) -> Result<(), SweepError> {
    let UnnamedCredential { account, credential, written_at } = *unnamed;
    let loaded = app.executor.load::<Account>(account.into(), account.0).await?;
    match &*loaded.state {
        Account::Live(live) if live.credential == credential => {
            app.credentials.name(account, credential).await?;
        }
        Account::Absent | Account::Live(_) | Account::Ended { .. } => {
            app.credentials.take_back(credential, written_at).await?;
        }
    }
    Ok(())
}

/// API tokens that are refused, and that their workspaces still list.
pub(super) async fn sweep_ended_tokens(app: App) -> Result<(), SweepError> {
    let mut pages = Pages::of("ended API tokens");
    loop {
        let left = app.api_tokens.left(AT_ONCE, pages.skip).await?;
        for token in &left {
            pages.leaves(token.workspace.0, revoke_left(&app, *token).await);
        }
        if pages.is_last(left.len()) {
            return Ok(());
        }
    }
}

/// Rows of API tokens, and of their other secrets, whose event was never appended.
pub(super) async fn sweep_unnamed_tokens(app: App) -> Result<(), SweepError> {
    let until = app.clock.now() - NAMED_WITHIN;
    let mut pages = Pages::of("API tokens");
    loop {
        let unnamed = app.api_tokens.unnamed(until, AT_ONCE, pages.skip).await?;
        for token in &unnamed {
            pages.leaves(token.workspace.0, name_or_delete_token(&app, token).await);
        }
        if pages.is_last(unnamed.len()) {
            return sweep_unnamed_secrets(&app).await;
        }
    }
}

async fn name_or_delete_token(app: &App, unnamed: &UnnamedApiToken) -> Result<(), SweepError> {
    let UnnamedApiToken { token, workspace, account, account_version, written_at } = *unnamed;
    let loaded = app.executor.load::<Workspace>(workspace.into(), workspace.0).await?;
    if loaded.state.live().is_some_and(|live| live.tokens.contains_key(&token)) {
        // It may have been put back by a node that went no further.
        if let Some(ends) = EndTokens::since(app, account, account_version).await? {
            return Ok(ends.execute(app).await?);
        }
        app.api_tokens.name(token).await?;
    } else {
        app.api_tokens.take_back(token, written_at).await?;
    }
    Ok(())
}

async fn sweep_unnamed_secrets(app: &App) -> Result<(), SweepError> {
    let until = app.clock.now() - NAMED_WITHIN;
    let mut pages = Pages::of("secrets of API tokens");
    loop {
        let unnamed = app.api_tokens.unnamed_secrets(until, AT_ONCE, pages.skip).await?;
        for secret in &unnamed {
            pages.leaves_if(secret.workspace.0, name_or_delete_secret(app, secret).await);
        }
        if pages.is_last(unnamed.len()) {
            return Ok(());
        }
    }
}

/// Whether it was done.
async fn name_or_delete_secret(
    app: &App,
    unnamed: &UnnamedApiTokenSecret,
) -> Result<bool, SweepError> {
    let UnnamedApiTokenSecret { secret, token, workspace, written_at } = *unnamed;
    let loaded = app.executor.load::<Workspace>(workspace.into(), workspace.0).await?;
    let now = app.clock.now();
    match loaded.state.live().and_then(|live| live.tokens.get(&token)) {
        Some(token) if token.secret == secret => {
            app.api_tokens.name_secret(secret, loaded.version).await?;
        }
        // Its event is an earlier one: the worker that reads it names it, or it is over soon.
        Some(token) if token.working_former(now).is_some_and(|it| it.secret == secret) => {
            return Ok(false);
        }
        Some(_) | None => app.api_tokens.take_back_secret(secret, written_at).await?,
    }
    Ok(true)
}

/// Private keys of servers whose event was never appended.
pub(super) async fn sweep_server_credentials(app: App) -> Result<(), SweepError> {
    let until = app.clock.now() - NAMED_WITHIN;
    let mut pages = Pages::of("server keys");
    loop {
        let unnamed = app.server_credentials.unnamed(until, AT_ONCE, pages.skip).await?;
        for key in &unnamed {
            pages.leaves(key.server.0, name_or_delete_key(&app, key).await);
        }
        if pages.is_last(unnamed.len()) {
            return Ok(());
        }
    }
}

async fn name_or_delete_key(app: &App, key: &UnnamedServerKey) -> Result<(), SweepError> {
    let loaded = app.executor.load::<Server>(key.workspace.into(), key.server.0).await?;
    let named = loaded.state.live().and_then(|live| live.credential);
    if named.is_some_and(|named| named.id == key.credential) {
        app.server_credentials.name(key.server, key.credential).await?;
    } else {
        app.server_credentials.take_back(key.credential, key.written_at).await?;
    }
    Ok(())
}

/// Mails that a dead node was sending, and mails whose retention has ended.
pub(super) async fn sweep_outbox(app: App) -> Result<(), SweepError> {
    let unknown = app.outbox.expire_leases().await?;
    if unknown > 0 {
        app.metrics.mails_handled.with_label_values(&["unknown"]).inc_by(unknown);
        tracing::error!(
            unknown,
            "a node died while it sent these mails: they may have been sent, and are not sent again"
        );
    }
    let finished = app.outbox.finished(app.clock.now() - MAILS_KEPT, AT_ONCE).await?;
    Ok(delete_ended(&app, &finished).await?)
}

/// Files of this node's mail folder whose mails are deleted from the outbox.
pub(super) async fn sweep_mail_folder(app: App) -> Result<(), SweepError> {
    let files = match app.mail_folder.mails().await {
        Err(MailError::Folder(error))
            if error.kind() == ErrorKind::NotFound && app.transport.via() == Via::Smtp =>
        {
            return Ok(());
        }
        files => files?,
    };
    let known: HashSet<Uuid> = app.outbox.existing(&files).await?.into_iter().collect();
    let unknown: Vec<Uuid> = files.into_iter().filter(|file| !known.contains(file)).collect();
    Ok(app.mail_folder.delete(&unknown).await?)
}

/// Tables of projections that only an older version of the programme has read, and not for a day: until then it
/// can be started again as it was.
pub(super) async fn sweep_superseded(app: App) -> Result<(), PgError> {
    for table in delete_superseded(&app.pool, &projections::all(), SUPERSEDED_KEPT).await? {
        tracing::info!(table, "the table of an older version of a projection was deleted");
    }
    Ok(())
}

/// Tables of generations that were kept for long enough, or that a replay has left.
pub(super) async fn sweep_generations(app: App) -> Result<(), PgError> {
    for table in delete_left_generations(&app.pool).await? {
        tracing::info!(table, "the table of a generation of a projection was deleted");
    }
    Ok(())
}

/// Erasures that are due by the log, but are missing or cancelled in the ledger: the keyring was
/// restored, or the cancellation was never appended.
pub(super) async fn sweep_erasures(app: App) -> Result<(), SweepError> {
    let mut pages = Pages::of("erasures of accounts");
    loop {
        let accounts = overdue(&app, OVERDUE, pages.skip).await?;
        for account in &accounts {
            pages.stays(*account, record_account(&app, *account).await);
        }
        if pages.is_last(accounts.len()) {
            break;
        }
    }
    let mut pages = Pages::of("deletions of workspaces");
    loop {
        let workspaces = overdue(&app, OVERDUE_WORKSPACES, pages.skip).await?;
        for workspace in &workspaces {
            pages.stays(*workspace, record_workspace(&app, *workspace).await);
        }
        if pages.is_last(workspaces.len()) {
            return Ok(());
        }
    }
}

async fn record_account(app: &App, account: Uuid) -> Result<(), SweepError> {
    let loaded = app.executor.load::<Account>(TenantId(account), account).await?;
    let Account::Live(live) = &*loaded.state else { return Ok(()) };
    let Some(erasure) = live.erasure else { return Ok(()) };
    let (kind, subject) = (SubjectKind::Account, SubjectId(account));
    Ok(record_in_ledger(&app.keyring.ledger, kind, subject, erasure.due).await?)
}

async fn record_workspace(app: &App, workspace: Uuid) -> Result<(), SweepError> {
    let now = app.clock.now();
    let loaded = app.executor.load::<Workspace>(TenantId(workspace), workspace).await?;
    let deletion = loaded.state.live().and_then(|live| live.deletion);
    let Some(deletion) = deletion else { return Ok(()) };
    let (kind, subject) = (SubjectKind::Workspace, SubjectId(workspace));
    record_in_ledger(&app.keyring.ledger, kind, subject, deletion.due).await?;
    // A ledger that was restored may have it from before it was hastened.
    Ok(app.keyring.ledger.hasten(subject, deletion.due, now).await?)
}

async fn overdue(app: &App, list: &str, skip: i64) -> Result<Vec<Uuid>, PgError> {
    let client = app.pool.get().await?;
    let rows = match client.query(list, &[&app.clock.now(), &AT_ONCE, &skip]).await {
        // The projections have not created their tables yet.
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(vec![]),
        overdue => overdue?,
    };
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}
