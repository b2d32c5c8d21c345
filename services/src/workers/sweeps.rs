//! Deletes rows and files that a crash left behind, and those whose retention has ended.

use std::collections::HashSet;

use chrono::TimeDelta;
use domain::account::Account;
use domain::server::Server;
use domain::workspace::Workspace;
use domain::{SubjectId, TenantId};
use infra::credentials::{CredentialsError, UnnamedCredential};
use infra::event_store::LoadError;
use infra::keyring::{KeyringError, SubjectKind};
use infra::mail::{MailError, Transport};
use infra::postgres::PgError;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::eraser::record_in_ledger;
use crate::wiring::App;

const OVERDUE: &str = include_str!("overdue.sql");
const OVERDUE_WORKSPACES: &str = include_str!("overdue_workspaces.sql");
/// Far longer than a command takes from its hash to its event: a younger hash may still get one.
const NAMED_WITHIN: TimeDelta = TimeDelta::minutes(10);
/// As long as command ids: a worker that reads an event late still finds its mail, and sends no second.
const MAILS_KEPT: TimeDelta = TimeDelta::days(30);
const AT_ONCE: i64 = 256;

#[derive(Debug, thiserror::Error)]
pub(super) enum SweepError {
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Mail(#[from] MailError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Keyring(#[from] KeyringError),
}

/// Password hashes whose event was never appended.
pub(super) async fn sweep_credentials(app: App) -> Result<(), SweepError> {
    loop {
        let unnamed = app.credentials.unnamed(app.clock.now() - NAMED_WITHIN, AT_ONCE).await?;
        if unnamed.is_empty() {
            return Ok(());
        }
        for UnnamedCredential { account, credential, written_at } in unnamed {
            let loaded = app.executor.load::<Account>(account.into(), account.0).await?;
            match &*loaded.state {
                Account::Live(live) if live.credential == credential => {
                    app.credentials.name(account, credential).await?;
                }
                Account::Absent | Account::Live(_) | Account::Ended { .. } => {
                    app.credentials.take_back(credential, written_at).await?;
                }
            }
        }
    }
}

/// Private keys of servers whose event was never appended.
pub(super) async fn sweep_server_credentials(app: App) -> Result<(), SweepError> {
    let keys = &app.server_credentials;
    loop {
        let unnamed = keys.unnamed(app.clock.now() - NAMED_WITHIN, AT_ONCE).await?;
        if unnamed.is_empty() {
            return Ok(());
        }
        for key in unnamed {
            let loaded = app.executor.load::<Server>(key.workspace.into(), key.server.0).await?;
            let named = loaded.state.live().and_then(|live| live.credential);
            if named.is_some_and(|named| named.id == key.credential) {
                keys.name(key.server, key.credential).await?;
            } else {
                keys.take_back(key.credential, key.written_at).await?;
            }
        }
    }
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
    app.outbox.delete_finished(app.clock.now() - MAILS_KEPT, AT_ONCE).await?;
    Ok(())
}

/// Files of this node's mail folder whose mails are deleted from the outbox.
pub(super) async fn sweep_mail_folder(app: App) -> Result<(), SweepError> {
    let Transport::Folder(folder) = &app.transport else { return Ok(()) };
    let files = folder.mails().await?;
    let known: HashSet<Uuid> = app.outbox.existing(&files).await?.into_iter().collect();
    let unknown: Vec<Uuid> = files.into_iter().filter(|file| !known.contains(file)).collect();
    app.transport.delete(&unknown).await?;
    Ok(())
}

/// Erasures that are due by the log, but are missing or cancelled in the ledger: the keyring was
/// restored, or the cancellation was never appended.
pub(super) async fn sweep_erasures(app: App) -> Result<(), SweepError> {
    let ledger = &app.keyring.ledger;
    for account in overdue(&app, OVERDUE).await? {
        let loaded = app.executor.load::<Account>(TenantId(account), account).await?;
        if let Account::Live(live) = &*loaded.state
            && let Some(erasure) = live.erasure
        {
            record_in_ledger(ledger, SubjectKind::Account, SubjectId(account), erasure.due).await?;
        }
    }
    for workspace in overdue(&app, OVERDUE_WORKSPACES).await? {
        let loaded = app.executor.load::<Workspace>(TenantId(workspace), workspace).await?;
        if let Some(deletion) = loaded.state.live().and_then(|live| live.deletion) {
            record_in_ledger(ledger, SubjectKind::Workspace, SubjectId(workspace), deletion.due)
                .await?;
        }
    }
    Ok(())
}

async fn overdue(app: &App, list: &str) -> Result<Vec<Uuid>, PgError> {
    let client = app.pool.get().await?;
    let rows = match client.query(list, &[&app.clock.now(), &AT_ONCE]).await {
        // The projections have not created their tables yet.
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(vec![]),
        overdue => overdue?,
    };
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}
