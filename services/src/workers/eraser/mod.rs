//! Erases people and workspaces: enters what is asked for into the ledger, and acts on it when it is due.

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

pub(super) use stage::next_stage;
use stage::prove;
pub(super) use stage::{EraserError, close, delete_rows, raise_fence};

use super::Wake;
use crate::wiring::App;

const AT_ONCE: i64 = 64;
/// A cancellation that was decided in time may still be on its way, or from a slow clock.
const LATE_MAX: TimeDelta = TimeDelta::seconds(2);
/// How long a request takes at most from the ledger into the log.
const ENTERING: TimeDelta = TimeDelta::minutes(1);

pub(super) struct Eraser {
    app: App,
    wake: Wake,
}

impl Eraser {
    pub(super) fn new(app: &App, wake: &Wake) -> Self {
        Self { app: app.clone(), wake: wake.clone() }
    }

    /// Whether the log, as it stands by now, asks for the erasure.
    async fn stands(&self, kind: SubjectKind, subject: SubjectId) -> Result<bool, EraserError> {
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

    async fn take_in(
        &self,
        kind: SubjectKind,
        subject: SubjectId,
        due: DateTime<Utc>,
    ) -> Result<(), EraserError> {
        if self.stands(kind, subject).await? {
            enter(&self.app.keyring, kind, subject, due).await?;
        }
        Ok(())
    }

    /// The API has struck it out already, unless it crashed. A request that came after the
    /// cancellation stays: in the log, or in the ledger only and on its way into the log.
    async fn strike_out(&self, kind: SubjectKind, subject: SubjectId) -> Result<(), EraserError> {
        let Self { app, .. } = self;
        let Some(entry) = app.keyring.ledger.entry(subject).await? else { return Ok(()) };
        let is_settled = app.clock.now() - entry.requested_at >= ENTERING;
        if is_settled && !self.stands(kind, subject).await? {
            app.keyring.ledger.cancel(subject).await?;
        }
        Ok(())
    }
}

/// What an event asks for, and when; `None` where it takes that back.
fn asked(event: &Recorded) -> Result<(SubjectKind, Option<DateTime<Utc>>), WorkerError> {
    if event.stream_type() == "workspace" {
        let told: WorkspaceEvent = event.decode()?;
        let WorkspaceEvent::DeletionRequested { due, .. } = told else {
            return Ok((SubjectKind::Workspace, None));
        };
        return Ok((SubjectKind::Workspace, Some(due)));
    }
    let told: AccountEvent = event.decode()?;
    let AccountEvent::ErasureRequested { due, .. } = told else {
        return Ok((SubjectKind::Account, None));
    };
    Ok((SubjectKind::Account, Some(due)))
}

/// The API has entered it with the claim code already, unless the ledger was lost since.
pub(super) async fn enter(
    keyring: &Keyring,
    kind: SubjectKind,
    subject: SubjectId,
    due: DateTime<Utc>,
) -> Result<(), KeyringError> {
    let entry = keyring.ledger.entry(subject).await?;
    if entry.is_none_or(|entry| entry.state == ErasureState::Cancelled) {
        let nobody_knows = *Secret::random()?.expose();
        keyring.ledger.request(kind, subject, due, nobody_knows).await?;
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
        let entered = match asked(event)? {
            (kind, Some(due)) => self.take_in(kind, subject, due).await,
            (kind, None) => self.strike_out(kind, subject).await,
        };
        entered.map_err(|error| WorkerError::Unavailable(error.to_string()))?;
        self.wake.notify_one();
        Ok(())
    }
}

/// Takes every erasure that is due as far as it goes now.
pub(super) async fn erase_due(app: App) -> Result<(), KeyringError> {
    let due = app.keyring.ledger.due(app.clock.now(), AT_ONCE).await?;
    let ripe = due.into_iter().filter(|entry| is_ripe(&app, entry));
    join_all(ripe.map(|entry| async {
        let subject = entry.subject;
        tell(subject, erase(&app, entry).await);
    }))
    .await;
    let provable = app.keyring.ledger.provable(AT_ONCE).await?;
    join_all(provable.iter().map(|entry| async {
        tell(entry.subject, prove(&app, entry).await);
    }))
    .await;
    Ok(())
}

fn tell(subject: SubjectId, went: Result<(), EraserError>) {
    if let Err(error) = went {
        tracing::warn!(%subject, %error, "an erasure is put off");
    }
}

fn is_ripe(app: &App, entry: &ErasureEntry) -> bool {
    let grace = entry.due - entry.requested_at;
    let late = LATE_MAX.min(grace.max(TimeDelta::zero()));
    entry.state != ErasureState::Requested || app.clock.now() >= entry.due + late
}

/// Stage after stage, each noted in the ledger once it is reached: after a crash it goes on from there.
async fn erase(app: &App, mut entry: ErasureEntry) -> Result<(), EraserError> {
    while let Some(stage) = next_stage(app, &entry).await? {
        entry = app.keyring.ledger.advance(entry.subject, stage).await?;
        tracing::info!(subject = %entry.subject, state = ?entry.state, "an erasure went on");
    }
    Ok(())
}
