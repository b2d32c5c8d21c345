//! The steps of an erasure. Each may be taken again.

use chrono::TimeDelta;
use domain::account::{Account, AccountCommand, AccountError, AccountEvent};
use domain::seat::SeatEvent;
use domain::session::{CloseReason, SessionEvent};
use domain::workspace::{Workspace, WorkspaceCommand, WorkspaceEvent};
use domain::{AccountId, CommandId, Refused, SubjectId, TenantId};
use infra::credentials::CredentialsError;
use infra::event_store::{ExecuteError, LoadError, Request};
use infra::ids::hashed;
use infra::keyring::ledger::{Entry, Kind, State, Step};
use infra::keyring::{Keyring, KeyringError};
use infra::mail::MailError;
use infra::postgres::PgError;

use super::workspace;
use crate::wiring::App;

const DROP_SNAPSHOT: &str = include_str!("drop_snapshot.sql");
/// How long a request may be in the ledger before the log tells of it.
const TELLING: TimeDelta = TimeDelta::minutes(10);

#[derive(Debug, thiserror::Error)]
pub(crate) enum EraserError {
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error("the log: {0}")]
    Log(#[from] ExecuteError),
    #[error("the log: {0}")]
    Load(#[from] LoadError),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error(transparent)]
    Mail(#[from] MailError),
}

/// Takes the next step; answers what to enter into the ledger. `None`: nothing is left to do now.
pub(crate) async fn next(app: &App, entry: &Entry) -> Result<Option<Step>, EraserError> {
    let subject = entry.subject;
    match entry.state {
        State::Requested => {
            if !is_due(app, entry).await? {
                return Ok(None);
            }
            let position = raise_fence(app, entry.kind, subject).await?;
            Ok(Some(Step::Fenced { position }))
        }
        State::Fenced => {
            let forgotten = app.keyring.forget(subject).await?;
            destroy_rows(app, entry.kind, subject).await?;
            Ok(Some(Step::Destroyed { keys: forgotten.keys, last_root: forgotten.root }))
        }
        State::Destroyed => {
            // No node opens anything of this subject once its lease has passed.
            tokio::time::sleep(Keyring::lease()).await;
            destroy_rows(app, entry.kind, subject).await?;
            complete(app, entry).await?;
            Ok(Some(Step::Completed))
        }
        State::Cancelled | State::Completed | State::BackupProven => Ok(None),
    }
}

async fn complete(app: &App, entry: &Entry) -> Result<(), EraserError> {
    let (subject, now) = (entry.subject, app.clock.now());
    match entry.kind {
        Kind::Account => {
            close(app, subject, "completed", AccountCommand::CompleteErasure { now }).await
        }
        Kind::Workspace => {
            workspace::close(app, subject, WorkspaceCommand::CompleteDeletion { now }).await
        }
    }
}

/// No backup opens anything of this subject either. The log of a workspace has ended by then.
pub(crate) async fn prove(app: &App, entry: &Entry) -> Result<(), EraserError> {
    if entry.kind == Kind::Account {
        let command = AccountCommand::ProveBackupErasure;
        close(app, entry.subject, "backup_proven", command).await?;
    }
    app.keyring.ledger_advance(entry.subject, Step::BackupProven).await?;
    Ok(())
}

/// The log has the last word: it may know of a cancellation that the ledger has yet to hear of.
async fn is_due(app: &App, entry: &Entry) -> Result<bool, EraserError> {
    let (of, id, now) = (TenantId(entry.subject.0), entry.subject.0, app.clock.now());
    let due = match entry.kind {
        Kind::Account => match &*app.executor.load::<Account>(of, id).await?.state {
            Account::Live(live) => live.erasure.map(|erasure| erasure.due),
            Account::Unregistered | Account::Erased { .. } => return Ok(true),
        },
        Kind::Workspace => match &*app.executor.load::<Workspace>(of, id).await?.state {
            Workspace::Live(live) => live.deletion.map(|deletion| deletion.due),
            Workspace::Absent | Workspace::Deleted => return Ok(true),
        },
    };
    // It is being asked for, or was refused, or was cancelled.
    if due.is_none() && now - entry.requested_at >= TELLING {
        app.keyring.ledger_cancel(entry.subject).await?;
    }
    Ok(due.is_some_and(|due| now >= due))
}

/// The fence stands before the keys die, so that no late event brings one back.
pub(crate) async fn raise_fence(
    app: &App,
    kind: Kind,
    subject: SubjectId,
) -> Result<i64, EraserError> {
    let closing = match kind {
        Kind::Account => [AccountEvent::CLOSING, SessionEvent::CLOSING].concat(),
        Kind::Workspace => [WorkspaceEvent::CLOSING, SeatEvent::CLOSING].concat(),
    };
    Ok(app.executor.fence(subject, &closing).await?)
}

/// Destroys what working rows there are of a fenced subject: no new ones come.
pub(crate) async fn destroy_rows(
    app: &App,
    kind: Kind,
    subject: SubjectId,
) -> Result<(), EraserError> {
    if kind == Kind::Workspace {
        return workspace::destroy_rows(app, subject).await;
    }
    let account = AccountId(subject.0);
    app.credentials.erase(account).await?;
    app.sessions.close_all(account, None, CloseReason::ErasureRequested, None).await?;
    let mails = app.outbox.of_subject(subject).await?;
    app.outbox.erase(subject).await?;
    app.transport.destroy(&mails).await?;
    let client = app.pool.get().await.map_err(PgError::from)?;
    client.execute(DROP_SNAPSHOT, &[&subject.0]).await.map_err(PgError::from)?;
    Ok(())
}

/// Appends a closing event. A log that never knew the request has nothing to close.
pub(crate) async fn close(
    app: &App,
    subject: SubjectId,
    step: &str,
    command: AccountCommand,
) -> Result<(), EraserError> {
    let account = AccountId(subject.0);
    let id = hashed(&[b"account.erasure", step.as_bytes(), subject.0.as_bytes()]);
    let request = Request::new(account.into(), CommandId(id));
    let steps = [infra::event_store::Step::new::<Account>(account.0, command)];
    match app.executor.execute(&request, &steps).await {
        Ok(_)
        | Err(
            ExecuteError::Fenced
            | ExecuteError::Refused(Refused::Account(
                AccountError::Unknown | AccountError::ErasureNotRequested | AccountError::NotErased,
            )),
        ) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
