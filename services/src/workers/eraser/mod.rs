//! Erases people and workspaces: records requests in the ledger, and executes those that are due.

mod error;
mod stage;
pub(super) mod workspace;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::SubjectId;
use futures_util::future::join_all;
use infra::keyring::{
    ErasureEntry, ErasureLedger, ErasureState, KeyringError, Secret, SubjectKind,
};
use infra::log::{Recorded, Worker, WorkerError};
use tokio_postgres::Transaction;

pub(super) use error::EraserError;
use stage::prove;
pub(super) use stage::{close, delete_rows, next_stage, raise_fence};
#[cfg(test)]
pub(super) use stage::{due_at, raise_fence_at};

use super::timer::Wake;
use crate::operations::erasure_in_log::InLog;
use crate::operations::request_erasure::{SETTLED_AFTER, requested_erasure};
use crate::wiring::App;

const AT_ONCE: i64 = 64;
/// A cancellation that was accepted in time may arrive this late, or from a node whose clock is slow.
const CANCELLATION_DELAY_MAX: TimeDelta = TimeDelta::seconds(2);

pub(super) struct Eraser {
    app: App,
    wake: Wake,
}

impl Eraser {
    pub(super) fn new(app: &App, wake: &Wake) -> Self {
        Self { app: app.clone(), wake: wake.clone() }
    }

    async fn record_request(
        &self,
        kind: SubjectKind,
        subject: SubjectId,
    ) -> Result<(), EraserError> {
        let Self { app, .. } = self;
        // The ledger first: a cancellation reaches the log before the ledger, so an entry that is cancelled
        // here is not the one that the log still has.
        let entries = app.keyring.ledger.entries_of(subject).await?;
        let InLog::Requested { due } = InLog::read(app, kind, subject).await? else {
            return Ok(());
        };
        let open = entries.iter().find(|entry| entry.state != ErasureState::Cancelled);
        // The API has entered it. It may have been taken back, if its append took long.
        let is_its = |entry: &&ErasureEntry| entry.append_pending && entry.due == due;
        match open.or_else(|| entries.iter().find(is_its)) {
            Some(entry) if entry.append_pending => {
                app.keyring.ledger.confirm(entry.claim_code_hash, due).await?;
            }
            Some(_) => {}
            None => record_in_ledger(&app.keyring.ledger, kind, subject, due).await?,
        }
        Ok(())
    }

    /// The API has cancelled it in the ledger already, unless it crashed. A newer request stays: it is
    /// in the log, or still to be settled.
    async fn record_cancellation(
        &self,
        kind: SubjectKind,
        subject: SubjectId,
    ) -> Result<(), EraserError> {
        let Self { app, .. } = self;
        let Some(entry) = app.keyring.ledger.entry(subject).await? else { return Ok(()) };
        if !entry.append_pending && InLog::read(app, kind, subject).await? == InLog::NotRequested {
            app.keyring.ledger.cancel_requested_by(subject, entry.requested_at).await?;
        }
        Ok(())
    }
}

/// Does nothing if the API has recorded the request already, with its claim code. It has not if the
/// ledger was restored.
pub(super) async fn record_in_ledger(
    ledger: &ErasureLedger,
    kind: SubjectKind,
    subject: SubjectId,
    due: DateTime<Utc>,
) -> Result<(), KeyringError> {
    let entry = ledger.entry(subject).await?;
    if entry.is_none_or(|entry| entry.state == ErasureState::Cancelled) {
        let unknown_code = *Secret::random()?.expose();
        ledger.request(kind, subject, due, unknown_code).await?;
    }
    Ok(())
}

#[async_trait]
impl Worker for Eraser {
    fn name(&self) -> &'static str {
        "eraser"
    }

    fn event_types(&self) -> &'static [&'static str] {
        &[
            "account.erasure_requested",
            "account.erasure_cancelled",
            "workspace.deletion_requested",
            "workspace.deletion_cancelled",
        ]
    }

    async fn react(&self, event: &Recorded, _: &Transaction<'_>) -> Result<(), WorkerError> {
        let subject = SubjectId(event.stream_id());
        let recorded = match requested_erasure(event)? {
            (kind, Some(_)) => self.record_request(kind, subject).await,
            (kind, None) => self.record_cancellation(kind, subject).await,
        };
        recorded?;
        self.wake.notify_one();
        Ok(())
    }
}

/// Executes the erasures that are due, each up to the last stage that is possible now. Before that,
/// settles those that were entered in the ledger and are not known to be in the log.
pub(super) async fn erase_due(app: App) -> Result<(), KeyringError> {
    let settled = app.clock.now() - SETTLED_AFTER;
    for entry in app.keyring.ledger.pending(settled, AT_ONCE).await? {
        log_error(entry.subject, settle(&app, &entry).await);
    }
    let due = app.keyring.ledger.due(app.clock.now(), AT_ONCE).await?;
    let actionable = due.into_iter().filter(|entry| is_actionable(&app, entry));
    join_all(actionable.map(|entry| async {
        let subject = entry.subject;
        log_error(subject, erase(&app, entry).await);
    }))
    .await;
    let provable = app.keyring.ledger.provable(AT_ONCE).await?;
    join_all(provable.iter().map(|entry| async {
        log_error(entry.subject, prove(&app, entry).await);
    }))
    .await;
    Ok(())
}

/// Its request was appended and the answer was lost, or it was not appended and is taken back.
async fn settle(app: &App, entry: &ErasureEntry) -> Result<(), EraserError> {
    match InLog::read(app, entry.kind, entry.subject).await? {
        InLog::Requested { due } => {
            app.keyring.ledger.confirm(entry.claim_code_hash, due).await?;
        }
        InLog::NotRequested => {
            app.keyring.ledger.take_back(entry.claim_code_hash).await?;
        }
        // As an entry that is due: nothing comes after it in the log.
        InLog::Ended => {}
    }
    Ok(())
}

fn log_error(subject: SubjectId, result: Result<(), EraserError>) {
    if let Err(error) = result {
        tracing::warn!(%subject, %error, "a stage of an erasure failed: it is tried again");
    }
}

fn is_actionable(app: &App, entry: &ErasureEntry) -> bool {
    let grace = entry.due - entry.requested_at;
    let delay = CANCELLATION_DELAY_MAX.min(grace.max(TimeDelta::zero()));
    entry.state != ErasureState::Requested || app.clock.now() >= entry.due + delay
}

/// Records each stage in the ledger when it is reached, and continues there after a crash.
async fn erase(app: &App, mut entry: ErasureEntry) -> Result<(), EraserError> {
    while let Some(stage) = next_stage(app, &entry).await? {
        entry = app.keyring.ledger.advance(entry.subject, stage).await?;
        tracing::info!(subject = %entry.subject, state = ?entry.state, "an erasure reached its next stage");
    }
    Ok(())
}
