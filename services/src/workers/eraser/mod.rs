//! Erases people and workspaces: records requests in the ledger, and executes those that are due.

mod error;
mod stage;
pub(super) mod workspace;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::account::{Account, AccountEvent};
use domain::workspace::{Workspace, WorkspaceEvent};
use domain::{SubjectId, TenantId};
use futures_util::future::join_all;
use infra::keyring::{ErasureEntry, ErasureState, Keyring, KeyringError, Secret, SubjectKind};
use infra::log::{Recorded, Worker, WorkerError};
use tokio_postgres::Transaction;

pub(super) use error::EraserError;
use stage::prove;
pub(super) use stage::{close, delete_rows, next_stage, raise_fence};

use super::timer::Wake;
use crate::wiring::App;

const AT_ONCE: i64 = 64;
/// A cancellation that was accepted in time may arrive this late, or from a node whose clock is slow.
const CANCELLATION_DELAY_MAX: TimeDelta = TimeDelta::seconds(2);
/// The longest time from a request's row in the ledger to its event.
const APPEND_TIME_MAX: TimeDelta = TimeDelta::minutes(1);

pub(super) struct Eraser {
    app: App,
    wake: Wake,
}

impl Eraser {
    pub(super) fn new(app: &App, wake: &Wake) -> Self {
        Self { app: app.clone(), wake: wake.clone() }
    }

    /// Whether the newest state of the subject has an open erasure request.
    async fn is_requested(
        &self,
        kind: SubjectKind,
        subject: SubjectId,
    ) -> Result<bool, EraserError> {
        let (executor, of, id) = (&self.app.executor, TenantId(subject.0), subject.0);
        Ok(match kind {
            SubjectKind::Account => {
                let loaded = executor.load::<Account>(of, id).await?;
                matches!(&*loaded.state, Account::Live(live) if live.erasure.is_some())
            }
            SubjectKind::Workspace => {
                let loaded = executor.load::<Workspace>(of, id).await?;
                loaded.state.live().is_some_and(|live| live.deletion.is_some())
            }
        })
    }

    async fn record_request(
        &self,
        kind: SubjectKind,
        subject: SubjectId,
        due: DateTime<Utc>,
    ) -> Result<(), EraserError> {
        if self.is_requested(kind, subject).await? {
            record_in_ledger(&self.app.keyring, kind, subject, due).await?;
        }
        Ok(())
    }

    /// The API has cancelled it in the ledger already, unless it crashed. A newer request stays: it is
    /// in the log, or younger than [`APPEND_TIME_MAX`] in the ledger.
    async fn record_cancellation(
        &self,
        kind: SubjectKind,
        subject: SubjectId,
    ) -> Result<(), EraserError> {
        let Self { app, .. } = self;
        let Some(entry) = app.keyring.ledger.entry(subject).await? else { return Ok(()) };
        let is_settled = app.clock.now() - entry.requested_at >= APPEND_TIME_MAX;
        if is_settled && !self.is_requested(kind, subject).await? {
            app.keyring.ledger.cancel(subject).await?;
        }
        Ok(())
    }
}

/// When the erasure that the event requests is due; `None`: the event cancels it.
fn requested_erasure(
    event: &Recorded,
) -> Result<(SubjectKind, Option<DateTime<Utc>>), WorkerError> {
    if event.stream_type() == "workspace" {
        let decoded: WorkspaceEvent = event.decode()?;
        let WorkspaceEvent::DeletionRequested { due, .. } = decoded else {
            return Ok((SubjectKind::Workspace, None));
        };
        return Ok((SubjectKind::Workspace, Some(due)));
    }
    let decoded: AccountEvent = event.decode()?;
    let AccountEvent::ErasureRequested { due, .. } = decoded else {
        return Ok((SubjectKind::Account, None));
    };
    Ok((SubjectKind::Account, Some(due)))
}

/// Does nothing if the API has recorded the request already, with its claim code. It has not if the
/// ledger was restored.
pub(super) async fn record_in_ledger(
    keyring: &Keyring,
    kind: SubjectKind,
    subject: SubjectId,
    due: DateTime<Utc>,
) -> Result<(), KeyringError> {
    let entry = keyring.ledger.entry(subject).await?;
    if entry.is_none_or(|entry| entry.state == ErasureState::Cancelled) {
        let unknown_code = *Secret::random()?.expose();
        keyring.ledger.request(kind, subject, due, unknown_code).await?;
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
            (kind, Some(due)) => self.record_request(kind, subject, due).await,
            (kind, None) => self.record_cancellation(kind, subject).await,
        };
        recorded.map_err(|error| WorkerError::Unavailable(error.to_string()))?;
        self.wake.notify_one();
        Ok(())
    }
}

/// Executes the erasures that are due, each up to the last stage that is possible now.
pub(super) async fn erase_due(app: App) -> Result<(), KeyringError> {
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
