//! After a restore the log is older than the ledger: the ledger is applied before anything is served.

use chrono::TimeDelta;
use domain::account::{Account, AccountCommand};
use domain::workspace::{Workspace, WorkspaceCommand};
use domain::{AccountId, ActorId, SubjectId, TenantId};
use infra::keyring::{ErasureEntry, ErasureState, SubjectKind};
use infra::postgres::PgError;
use infra::workspace_rows::{Deleted, DeletedThrough};
use uuid::Uuid;

use super::email_index::reserve_restored;
use super::eraser::{EraserError, close, delete_rows, raise_fence, workspace};
use super::unverified::{UNVERIFIED_ACCOUNTS, request_id};
use crate::operations::erasure_in_log::InLog;
use crate::operations::request_erasure::entry_of;
use crate::operations::system_command::SystemCommand;
use crate::wiring::App;

const UNAPPLIED: &str = include_str!("unapplied.sql");
const WAS_CANCELLED: &str = include_str!("was_cancelled.sql");
const AT_ONCE: i64 = 512;
/// A node of an older version may still be appending a younger request.
const APPENDING: TimeDelta = TimeDelta::minutes(1);

/// Applies again the erasures that are in the ledger but not, or not in full, in the log: deletes what
/// the restore brought back, and raises the fences. Requests again the erasures that the log has lost,
/// and returns the number of both. Then reserves the addresses of restored accounts under the current
/// key of the e-mail index.
///
/// # Errors
/// A database or the mail folder fails. A stream that cannot be read is logged, and is no error.
pub(super) async fn replay_ledger(app: &App) -> Result<u64, String> {
    let mut replay = Replay::default();
    let replayed = async {
        replay.apply_all(app).await?;
        replay.request_lost_again(app).await
    };
    replayed.await.map_err(|error| error.to_string())?;
    let Replay { replayed, left } = replay;
    if replayed > 0 {
        tracing::warn!(
            replayed,
            "the log was restored: these erasures of the ledger were not in it, and are applied again"
        );
    }
    if left > 0 {
        tracing::error!(
            left,
            "these erasures of the ledger are not applied in full, since a stream cannot be read: \
             the errors above name them, and the next start tries them again"
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

/// The same for the erasures that are under way: a start of a log that is known needs no more.
///
/// # Errors
/// As of [`replay_ledger`].
pub(super) async fn replay_under_way(app: &App) -> Result<(), String> {
    let replayed = async {
        let under_way = app.keyring.ledger.under_way().await?;
        Replay::default().apply_unapplied(app, &under_way).await
    };
    replayed.await.map_err(|error: EraserError| error.to_string())
}

/// How many erasures were applied or requested again, and how many could not be.
#[derive(Default)]
struct Replay {
    replayed: u64,
    left: u64,
}

impl Replay {
    async fn apply_all(&mut self, app: &App) -> Result<(), EraserError> {
        let mut after = None;
        loop {
            let entries = app.keyring.ledger.fenced(after, AT_ONCE).await?;
            let Some(last) = entries.last() else { return Ok(()) };
            after = Some(last.subject);
            self.apply_unapplied(app, &entries).await?;
        }
    }

    async fn apply_unapplied(
        &mut self,
        app: &App,
        entries: &[ErasureEntry],
    ) -> Result<(), EraserError> {
        let unapplied = unapplied(app, entries).await?;
        for entry in entries.iter().filter(|entry| unapplied.contains(&entry.subject)) {
            self.count(entry, apply(app, entry).await)?;
        }
        Ok(())
    }

    async fn request_lost_again(&mut self, app: &App) -> Result<(), EraserError> {
        let mut after = None;
        loop {
            let entries = app.keyring.ledger.requested(after.as_ref(), AT_ONCE).await?;
            let Some(last) = entries.last() else { return Ok(()) };
            after = Some(last.clone());
            for entry in &entries {
                if app.clock.now() - entry.requested_at >= APPENDING {
                    self.count(entry, request_if_lost(app, entry).await)?;
                }
            }
        }
    }

    fn count(
        &mut self,
        entry: &ErasureEntry,
        result: Result<bool, EraserError>,
    ) -> Result<(), EraserError> {
        match result {
            Ok(is_replayed) => self.replayed += u64::from(is_replayed),
            Err(error) if error.is_of_one_stream() => {
                self.left += 1;
                tracing::error!(subject = %entry.subject, %error, "an erasure is not applied in full after a restore");
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// The fence comes last: while it is missing, the next start does the whole again. Nobody is served
/// meanwhile.
async fn apply(app: &App, entry: &ErasureEntry) -> Result<bool, EraserError> {
    let (kind, subject) = (entry.kind, entry.subject);
    // The keys of this one still open the way to its servers: the eraser goes on with it, and deletes its rows.
    if kind == SubjectKind::Workspace && entry.state == ErasureState::Fenced {
        let closed = close_again(app, entry).await;
        if closed.as_ref().map_or_else(EraserError::is_of_one_stream, |()| true) {
            raise_fence(app, kind, subject).await?;
        }
        return closed.map(|()| true);
    }
    delete_all_rows(app, kind, subject).await?;
    let closed = close_again(app, entry).await;
    // Without the closing event, too, nothing more may be appended.
    if closed.as_ref().map_or_else(EraserError::is_of_one_stream, |()| true) {
        raise_fence(app, kind, subject).await?;
        // The append of the closing event may have written a snapshot.
        delete_all_rows(app, kind, subject).await?;
    }
    closed.map(|()| true)
}

async fn delete_all_rows(
    app: &App,
    kind: SubjectKind,
    subject: SubjectId,
) -> Result<(), EraserError> {
    let mut through = DeletedThrough::default();
    while delete_rows(app, kind, subject, &mut through).await? == Deleted::Some {}
    Ok(())
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

async fn unapplied(app: &App, entries: &[ErasureEntry]) -> Result<Vec<SubjectId>, PgError> {
    let subjects: Vec<Uuid> = entries.iter().map(|entry| entry.subject.0).collect();
    // The eraser goes on with the others.
    let is_completed = |entry: &ErasureEntry| entry.state >= ErasureState::Completed;
    let completed: Vec<bool> = entries.iter().map(is_completed).collect();
    let client = app.pool.get().await?;
    let rows = client.query(UNAPPLIED, &[&subjects, &completed]).await?;
    Ok(rows.iter().map(|row| row.try_get(0).map(SubjectId)).collect::<Result<_, _>>()?)
}

async fn request_if_lost(app: &App, entry: &ErasureEntry) -> Result<bool, EraserError> {
    Ok(is_lost(app, entry).await? && request_again(app, entry).await?)
}

/// Whether the log had the request, and has neither it nor its cancellation any more; or has lost that it was hastened.
/// An entry that was never confirmed is not lost: the eraser settles it.
async fn is_lost(app: &App, entry: &ErasureEntry) -> Result<bool, EraserError> {
    let (kind, subject) = (entry.kind, entry.subject);
    if entry.append_pending {
        return Ok(false);
    }
    match InLog::read(app, kind, subject).await? {
        InLog::NotRequested => {}
        InLog::Requested { due } => {
            return Ok(kind == SubjectKind::Workspace && entry.due < due);
        }
        InLog::Ended => return Ok(false),
    }
    let client = app.pool.get().await.map_err(PgError::from)?;
    let row = client.query_one(WAS_CANCELLED, &[&subject.0, &entry.requested_at]).await;
    Ok(!row.and_then(|row| row.try_get::<_, bool>(0)).map_err(PgError::from)?)
}

/// Lethe itself, where it requested the erasure since nobody had verified the address: nobody is mailed that they did. The
/// ledger does not say who did, but its claim code is of one command. Where the log has lost more of the account than the
/// request, or the key of the code is erased (8 days later), this is not known, and it is `None`.
async fn requester(app: &App, entry: &ErasureEntry) -> Result<Option<ActorId>, EraserError> {
    let account = AccountId(entry.subject.0);
    let version = app.executor.load::<Account>(account.into(), account.0).await?.version;
    let own = entry_of(app, entry.subject, request_id(account, version)).await?;
    let is_own = own.is_some_and(|(own, _)| own.claim_code_hash == entry.claim_code_hash);
    Ok(is_own.then_some(UNVERIFIED_ACCOUNTS))
}

/// Appends the erasure request again. `false`: it was refused.
async fn request_again(app: &App, entry: &ErasureEntry) -> Result<bool, EraserError> {
    let (subject, requested_at, due) = (entry.subject.0, entry.requested_at, entry.due);
    let since = requested_at.timestamp_micros().to_be_bytes();
    let label = format!("{}.erasure_requested", entry.kind.as_str());
    let due_at = due.timestamp_micros().to_be_bytes();
    let cause = [label.as_bytes(), subject.as_bytes(), since.as_slice(), due_at.as_slice()];
    let command = SystemCommand::new(TenantId(subject), &cause);
    let command = match entry.kind {
        SubjectKind::Account => command
            .by(requester(app, entry).await?)
            .step::<Account>(subject, AccountCommand::RequestErasure { now: requested_at, due }),
        SubjectKind::Workspace => command
            .step::<Workspace>(subject, WorkspaceCommand::RestoreDeletion { requested_at, due }),
    };
    Ok(command.execute(&app.executor, |_| true).await?.is_some())
}
