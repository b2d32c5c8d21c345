//! After a restore: older events under the ledger of today. Nothing is served before it is replayed.

use chrono::TimeDelta;
use domain::account::{Account, AccountCommand};
use domain::{AccountId, CommandId, SubjectId};
use infra::event_store::{ExecuteError, Request, Step};
use infra::ids::hashed;
use infra::keyring::ledger::{Entry, State};
use infra::postgres::PgError;
use uuid::Uuid;

use super::eraser::{EraserError, close, destroy_rows, raise_fence};
use super::keys::reclaim_restored;
use crate::wiring::App;

const UNFENCED: &str = include_str!("unfenced.sql");
const WAS_CANCELLED: &str = include_str!("was_cancelled.sql");
const AT_ONCE: i64 = 512;
/// Requests that are younger may still be on their way into the log, from another node.
const TELLING: TimeDelta = TimeDelta::minutes(1);
/// No grace is longer.
const FAR: TimeDelta = TimeDelta::days(400);

/// Raises the fences that the ledger tells of and the log lacks, destroys what the restore brought
/// back of those people, and asks again for the erasures that the log has lost. Answers how many.
/// Then everybody else is found by today's index of addresses.
pub async fn replay_ledger(app: &App) -> Result<u64, String> {
    let replayed = async { Ok::<_, EraserError>(fence_all(app).await? + ask_again(app).await?) };
    let replayed = replayed.await.map_err(|error| error.to_string())?;
    if replayed > 0 {
        tracing::warn!(replayed, "erasures of the ledger were not in the log: it was restored");
    }
    let reclaimed = reclaim_restored(app).await.map_err(|error| error.to_string())?;
    if reclaimed > 0 {
        tracing::warn!(reclaimed, "accounts were claimed under an index of addresses that is gone");
    }
    Ok(replayed)
}

async fn fence_all(app: &App) -> Result<u64, EraserError> {
    let (mut after, mut fenced) = (None, 0);
    loop {
        let subjects = app.keyring.ledger_fences(after, AT_ONCE).await?;
        let Some(last) = subjects.last() else { return Ok(fenced) };
        after = Some(*last);
        for subject in unfenced(app, &subjects).await? {
            raise_fence(app, subject).await?;
            destroy_rows(app, subject).await?;
            let now = app.clock.now();
            close(app, subject, "completed", AccountCommand::CompleteErasure { now }).await?;
            fenced += 1;
        }
    }
}

async fn unfenced(app: &App, subjects: &[SubjectId]) -> Result<Vec<SubjectId>, PgError> {
    let subjects: Vec<Uuid> = subjects.iter().map(|subject| subject.0).collect();
    let client = app.pool.get().await?;
    let rows = client.query(UNFENCED, &[&subjects]).await?;
    Ok(rows.iter().map(|row| row.try_get(0).map(SubjectId)).collect::<Result<_, _>>()?)
}

async fn ask_again(app: &App) -> Result<u64, EraserError> {
    let mut asked = 0;
    for entry in app.keyring.ledger_due(app.clock.now() + FAR, i64::MAX).await? {
        let is_old = app.clock.now() - entry.requested_at >= TELLING;
        if entry.state == State::Requested && is_old && is_lost(app, &entry).await? {
            asked += u64::from(ask(app, &entry).await?);
        }
    }
    Ok(asked)
}

async fn is_lost(app: &App, entry: &Entry) -> Result<bool, EraserError> {
    let account = AccountId(entry.subject.0);
    let loaded = app.executor.load::<Account>(account.into(), account.0).await?;
    let Account::Live(live) = &*loaded.state else { return Ok(false) };
    if live.erasure.is_some() {
        return Ok(false);
    }
    let client = app.pool.get().await.map_err(PgError::from)?;
    let row = client.query_one(WAS_CANCELLED, &[&account.0, &entry.requested_at]).await;
    Ok(!row.and_then(|row| row.try_get::<_, bool>(0)).map_err(PgError::from)?)
}

async fn ask(app: &App, entry: &Entry) -> Result<bool, EraserError> {
    let account = AccountId(entry.subject.0);
    let since = entry.requested_at.timestamp_micros().to_be_bytes();
    let id = hashed(&[b"account.erasure_requested", account.0.as_bytes(), &since]);
    let request = Request::new(account.into(), CommandId(id));
    let again = AccountCommand::RequestErasure { now: entry.requested_at, due: entry.due };
    let steps = [Step::new::<Account>(account.0, again)];
    match app.executor.execute(&request, &steps).await {
        Ok(_) => Ok(true),
        Err(ExecuteError::Refused(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
