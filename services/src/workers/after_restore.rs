//! After a restore the log is older than the ledger: the ledger is applied before anything is served.

use chrono::TimeDelta;
use domain::account::{Account, AccountCommand};
use domain::privacy::deadlines::ERASURE_DAYS_MAX;
use domain::workspace::{Workspace, WorkspaceCommand};
use domain::{SubjectId, TenantId};
use infra::keyring::{ErasureEntry, ErasureState, SubjectKind};
use infra::postgres::PgError;
use uuid::Uuid;

use super::eraser::{EraserError, InLog, close, delete_rows, raise_fence, workspace};
use super::keys::reserve_restored;
use crate::operations::system_command::SystemCommand;
use crate::wiring::App;

const UNFENCED: &str = "select s from unnest($1::uuid[]) s \
    where not exists (select from event_log.fences where subject = s)";
const WAS_CANCELLED: &str = include_str!("was_cancelled.sql");
const AT_ONCE: i64 = 512;
/// A node of an older version may still be appending a younger request.
const APPENDING: TimeDelta = TimeDelta::minutes(1);
/// No request of this time or earlier is due later.
const GRACE_MAX: TimeDelta = TimeDelta::days(ERASURE_DAYS_MAX);

/// Raises the fences that are in the ledger but not in the log, deletes again what the restore brought
/// back, requests again the erasures that the log has lost, and returns the number of both. Then
/// reserves the addresses of restored accounts under the current key of the e-mail index.
pub async fn replay_ledger(app: &App) -> Result<u64, String> {
    let replayed =
        async { Ok::<_, EraserError>(fence_all(app).await? + request_lost_again(app).await?) };
    let replayed = replayed.await.map_err(|error| error.to_string())?;
    if replayed > 0 {
        tracing::warn!(
            replayed,
            "the log was restored: these erasures of the ledger were not in it, and are applied again"
        );
    }
    let reserved = reserve_restored(app).await.map_err(|error| error.to_string())?;
    if reserved > 0 {
        tracing::warn!(
            reserved,
            "addresses of restored accounts are reserved again: their e-mail index key was erased"
        );
    }
    Ok(replayed)
}

async fn fence_all(app: &App) -> Result<u64, EraserError> {
    let (mut after, mut fenced) = (None, 0);
    loop {
        let entries = app.keyring.ledger.fenced(after, AT_ONCE).await?;
        let Some(last) = entries.last() else { return Ok(fenced) };
        after = Some(last.subject);
        let unfenced = unfenced(app, &entries).await?;
        for entry in entries.iter().filter(|entry| unfenced.contains(&entry.subject)) {
            raise_fence(app, entry.kind, entry.subject).await?;
            delete_rows(app, entry.kind, entry.subject).await?;
            close_again(app, entry).await?;
            fenced += 1;
        }
    }
}

async fn close_again(app: &App, entry: &ErasureEntry) -> Result<(), EraserError> {
    let (subject, requested_at, now) = (entry.subject, entry.requested_at, app.clock.now());
    match entry.kind {
        SubjectKind::Account => {
            close(app, subject, "completed", AccountCommand::CompleteErasure { now }).await
        }
        SubjectKind::Workspace => {
            workspace::close(app, subject, WorkspaceCommand::RepeatDeletion { requested_at }).await
        }
    }
}

async fn unfenced(app: &App, entries: &[ErasureEntry]) -> Result<Vec<SubjectId>, PgError> {
    let subjects: Vec<Uuid> = entries.iter().map(|entry| entry.subject.0).collect();
    let client = app.pool.get().await?;
    let rows = client.query(UNFENCED, &[&subjects]).await?;
    Ok(rows.iter().map(|row| row.try_get(0).map(SubjectId)).collect::<Result<_, _>>()?)
}

async fn request_lost_again(app: &App) -> Result<u64, EraserError> {
    let mut requested = 0;
    for entry in app.keyring.ledger.due(app.clock.now() + GRACE_MAX, i64::MAX).await? {
        let is_old = app.clock.now() - entry.requested_at >= APPENDING;
        if entry.state == ErasureState::Requested && is_old && is_lost(app, &entry).await? {
            requested += u64::from(request_again(app, &entry).await?);
        }
    }
    Ok(requested)
}

/// Whether the log had the request, and has neither it nor its cancellation any more. An entry that was
/// never confirmed is not lost: the eraser settles it.
async fn is_lost(app: &App, entry: &ErasureEntry) -> Result<bool, EraserError> {
    let (kind, subject) = (entry.kind, entry.subject);
    if entry.append_pending || InLog::read(app, kind, subject).await? != InLog::NotRequested {
        return Ok(false);
    }
    let client = app.pool.get().await.map_err(PgError::from)?;
    let row = client.query_one(WAS_CANCELLED, &[&subject.0, &entry.requested_at]).await;
    Ok(!row.and_then(|row| row.try_get::<_, bool>(0)).map_err(PgError::from)?)
}

/// Appends the erasure request again. `false`: it was refused.
async fn request_again(app: &App, entry: &ErasureEntry) -> Result<bool, EraserError> {
    let (subject, requested_at, due) = (entry.subject.0, entry.requested_at, entry.due);
    let since = requested_at.timestamp_micros().to_be_bytes();
    let label = format!("{}.erasure_requested", entry.kind.as_str());
    let cause = [label.as_bytes(), subject.as_bytes(), since.as_slice()];
    let command = SystemCommand::new(TenantId(subject), &cause);
    let command = match entry.kind {
        SubjectKind::Account => command
            .step::<Account>(subject, AccountCommand::RequestErasure { now: requested_at, due }),
        SubjectKind::Workspace => command
            .step::<Workspace>(subject, WorkspaceCommand::RestoreDeletion { requested_at, due }),
    };
    Ok(command.execute(&app.executor, |_| true).await?.is_some())
}
