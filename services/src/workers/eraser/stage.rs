//! The stages of an erasure. The work of each may be done again.

use chrono::TimeDelta;
use domain::account::{Account, AccountCommand, AccountError, AccountEvent};
use domain::seat::SeatEvent;
use domain::session::{CloseReason, SessionEvent};
use domain::workspace::{WorkspaceCommand, WorkspaceEvent};
use domain::{AccountId, Refused, SubjectId};
use infra::failpoint;
use infra::keyring::{ErasureEntry, ErasureStage, ErasureState, Keyring, SubjectKind};
use infra::postgres::PgError;
use infra::workspace_rows::{Deleted, DeletedThrough};

use super::error::EraserError;
use super::{runs, workspace};
use crate::operations::delete_mails::delete_mails_of;
use crate::operations::erasure_in_log::InLog;
use crate::operations::system_command::SystemCommand;
use crate::wiring::App;

const DELETE_SNAPSHOT: &str = "delete from event_log.snapshots where stream_id = $1";
const FENCE_ATTEMPTS_MAX: usize = 8;
/// A confirmed entry that is this old, and has no open request in the log, is cancelled.
const UNAPPENDED_MAX: TimeDelta = TimeDelta::minutes(10);

/// What is next in an erasure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Its work is done; the caller records it in the ledger.
    Stage(ErasureStage),
    /// There is nothing to do now.
    Nothing,
    /// A turn has left rows: others come first, and then it goes on.
    TurnOver,
}

#[cfg(test)]
impl Next {
    pub(crate) fn stage(self) -> Option<ErasureStage> {
        if let Self::Stage(stage) = self { Some(stage) } else { None }
    }
}

/// Does the work of the next stage, or a turn of it.
pub(crate) async fn next_stage(app: &App, entry: &ErasureEntry) -> Result<Next, EraserError> {
    let subject = entry.subject;
    match entry.state {
        ErasureState::Requested => {
            // A failed sign-in moves the stream of an account, too.
            for _ in 0..FENCE_ATTEMPTS_MAX {
                let Some(version) = due_at(app, entry).await? else { return Ok(Next::Nothing) };
                if let Some(position) = raise_fence_at(app, entry, version).await? {
                    failpoint!(ErasureFenced);
                    return Ok(Next::Stage(ErasureStage::Fenced { position }));
                }
            }
            tracing::warn!(%subject, "the stream of an erasure that is due keeps moving: it is tried again");
            Ok(Next::Nothing)
        }
        ErasureState::Fenced => {
            if entry.kind == SubjectKind::Workspace && !runs::end(app, entry).await? {
                return Ok(Next::Nothing);
            }
            // A restore to a time before the request is noticed, and erases again.
            app.watermark.secure().await.map_err(PgError::from)?;
            let erased = app.keyring.eraser.erase_subject(subject).await?;
            failpoint!(ErasureKeysErased);
            // What a turn leaves, nobody can open any more, and the next stage deletes.
            delete_rows(app, entry.kind, subject, &mut DeletedThrough::default()).await?;
            failpoint!(ErasureRowsDeleted);
            let (keys, last_root) = (erased.keys, erased.last_root);
            Ok(Next::Stage(ErasureStage::KeysErased { keys, last_root }))
        }
        ErasureState::KeysErased => {
            // A node may use a cached key until its lease ends.
            tokio::time::sleep(Keyring::LEASE).await;
            if take_turn(app, entry).await? == Deleted::Some {
                return Ok(Next::TurnOver);
            }
            // A failover may have lost it: a row alone is missed by nobody.
            raise_fence(app, entry.kind, subject).await?;
            complete(app, entry).await?;
            // A log that loses the fence is noticed: a start then applies the erasure again.
            app.watermark.secure().await.map_err(PgError::from)?;
            failpoint!(WorkspaceDeleted if entry.kind == SubjectKind::Workspace);
            failpoint!(ErasureCompleted if entry.kind == SubjectKind::Account);
            Ok(Next::Stage(ErasureStage::Completed))
        }
        ErasureState::Cancelled | ErasureState::Completed | ErasureState::BackupProven => {
            Ok(Next::Nothing)
        }
    }
}

async fn complete(app: &App, entry: &ErasureEntry) -> Result<(), EraserError> {
    let (subject, now) = (entry.subject, app.clock.now());
    match entry.kind {
        SubjectKind::Account => {
            close(app, subject, "completed", AccountCommand::CompleteErasure { now }).await
        }
        SubjectKind::Workspace => {
            workspace::close(app, subject, WorkspaceCommand::CompleteDeletion { now }).await
        }
    }
}

/// Records that no backup holds a usable key of this subject. The stream of a workspace has ended before.
pub(crate) async fn prove(app: &App, entry: &ErasureEntry) -> Result<(), EraserError> {
    if entry.kind == SubjectKind::Account {
        let command = AccountCommand::ProveBackupErasure;
        close(app, entry.subject, "backup_proven", command).await?;
    }
    app.keyring.ledger.advance(entry.subject, ErasureStage::BackupProven).await?;
    Ok(())
}

/// The version of the subject's stream at which the erasure is due; `None`: it is not. The log decides: it
/// may hold a cancellation that the ledger does not have yet.
pub(crate) async fn due_at(app: &App, entry: &ErasureEntry) -> Result<Option<i64>, EraserError> {
    let now = app.clock.now();
    let (in_log, version) = InLog::read_versioned(app, entry.kind, entry.subject).await?;
    match in_log {
        InLog::Requested { due } => Ok((now >= due).then_some(version)),
        InLog::Ended => Ok(Some(version)),
        InLog::NotRequested => {
            // It was cancelled; or an older version entered it, and has not appended it yet.
            if !entry.append_pending && now - entry.requested_at >= UNAPPENDED_MAX {
                app.keyring.ledger.cancel(entry.subject).await?;
            }
            Ok(None)
        }
    }
}

/// As [`raise_fence`], unless the subject's stream has moved since that version: it may have been
/// cancelled. `None`: it has moved.
pub(crate) async fn raise_fence_at(
    app: &App,
    entry: &ErasureEntry,
    version: i64,
) -> Result<Option<i64>, EraserError> {
    Ok(app.executor.fence_at(entry.subject, &closing(entry.kind), version).await?)
}

/// The fence comes before the erasure of the keys: no later event can create a new one.
pub(crate) async fn raise_fence(
    app: &App,
    kind: SubjectKind,
    subject: SubjectId,
) -> Result<i64, EraserError> {
    Ok(app.executor.fence(subject, &closing(kind)).await?)
}

/// The types of the events that are appended after the fence.
fn closing(kind: SubjectKind) -> Vec<&'static str> {
    match kind {
        SubjectKind::Account => [AccountEvent::CLOSING, SessionEvent::CLOSING].concat(),
        SubjectKind::Workspace => [WorkspaceEvent::CLOSING, SeatEvent::CLOSING].concat(),
    }
}

/// Deletes rows from where the turn before it has ended.
async fn take_turn(app: &App, entry: &ErasureEntry) -> Result<Deleted, EraserError> {
    let subject = entry.subject;
    let mut through = app.unfinished_deletions.take(subject.0);
    let deleted = delete_rows(app, entry.kind, subject, &mut through).await;
    if !matches!(deleted, Ok(Deleted::All)) {
        app.unfinished_deletions.put(subject.0, through);
    }
    deleted
}

/// Deletes the working rows of a fenced subject, of a workspace at most those of one turn: the fence
/// prevents new ones. `through` is of the turns before.
pub(crate) async fn delete_rows(
    app: &App,
    kind: SubjectKind,
    subject: SubjectId,
    through: &mut DeletedThrough,
) -> Result<Deleted, EraserError> {
    if kind == SubjectKind::Workspace {
        return workspace::delete_rows(app, subject, through).await;
    }
    let account = AccountId(subject.0);
    app.credentials.delete_of_account(account).await?;
    app.sessions.close_all(account, None, CloseReason::ErasureRequested, None).await?;
    let client = app.pool.get().await.map_err(PgError::from)?;
    client.execute(DELETE_SNAPSHOT, &[&subject.0]).await.map_err(PgError::from)?;
    drop(client);
    delete_mails_of(app, subject).await?;
    Ok(Deleted::All)
}

/// Appends a closing event, unless the account or its erasure request is not in the log.
pub(crate) async fn close(
    app: &App,
    subject: SubjectId,
    stage: &str,
    command: AccountCommand,
) -> Result<(), EraserError> {
    let account = AccountId(subject.0);
    let is_unknown = |refused: &Refused| {
        use AccountError::{ErasureNotRequested, NotErased, Unknown};
        [Unknown, ErasureNotRequested, NotErased].map(Refused::Account).contains(refused)
    };
    SystemCommand::new(
        account.into(),
        &[b"account.erasure", stage.as_bytes(), subject.0.as_bytes()],
    )
    .step::<Account>(account.0, command)
    .execute(&app.executor, is_unknown)
    .await?;
    Ok(())
}
