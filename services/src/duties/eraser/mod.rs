//! Erases people: enters what is asked for into the ledger, and acts on it when it is due.

mod step;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::SubjectId;
use domain::account::AccountEvent;
use futures_util::future::join_all;
use infra::keyring::ledger::{Entry, State};
use infra::keyring::{Keyring, KeyringError, Secret};
use infra::log::{Duty, DutyError, Recorded};
use tokio_postgres::Transaction;

pub(super) use step::next;
use step::prove;
pub(super) use step::{EraserError, close, destroy_rows, raise_fence};

use super::Wake;
use crate::wiring::App;

const AT_ONCE: i64 = 64;
/// A cancellation that was decided in time may still be on its way, or from a slow clock.
const LATE_MAX: TimeDelta = TimeDelta::seconds(2);

pub(super) struct Eraser {
    keyring: Keyring,
    wake: Wake,
}

impl Eraser {
    pub(super) fn new(app: &App, wake: &Wake) -> Self {
        Self { keyring: app.keyring.clone(), wake: wake.clone() }
    }
}

/// The API has entered it with the claim code already, unless the ledger was lost since.
pub(super) async fn enter(
    keyring: &Keyring,
    subject: SubjectId,
    due: DateTime<Utc>,
) -> Result<(), KeyringError> {
    let entry = keyring.ledger_entry(subject).await?;
    if entry.is_none_or(|entry| entry.state == State::Cancelled) {
        let nobody_knows = *Secret::random()?.expose();
        keyring.ledger_request(subject, due, nobody_knows).await?;
    }
    Ok(())
}

#[async_trait]
impl Duty for Eraser {
    fn name(&self) -> &'static str {
        "eraser"
    }

    fn event_types(&self) -> &'static [&'static str] {
        &["account.erasure_requested", "account.erasure_cancelled"]
    }

    async fn react(&self, event: &Recorded, _: &Transaction<'_>) -> Result<(), DutyError> {
        let subject = SubjectId(event.stream_id());
        let entered = if let AccountEvent::ErasureRequested { due, .. } = event.decode()? {
            enter(&self.keyring, subject, due).await
        } else {
            self.keyring.ledger_cancel(subject).await.map(drop)
        };
        entered.map_err(|error| DutyError::Unavailable(error.to_string()))?;
        self.wake.notify_one();
        Ok(())
    }
}

/// Takes every erasure that is due as far as it goes now.
pub(super) async fn erase_due(app: App) -> Result<(), KeyringError> {
    let due = app.keyring.ledger_due(app.clock.now(), AT_ONCE).await?;
    let ripe = due.into_iter().filter(|entry| is_ripe(&app, entry));
    join_all(ripe.map(|entry| async {
        let subject = entry.subject;
        tell(subject, erase(&app, entry).await);
    }))
    .await;
    let provable = app.keyring.ledger_provable(AT_ONCE).await?;
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

fn is_ripe(app: &App, entry: &Entry) -> bool {
    let grace = entry.due - entry.requested_at;
    let late = LATE_MAX.min(grace.max(TimeDelta::zero()));
    entry.state != State::Requested || app.clock.now() >= entry.due + late
}

/// Step by step, each entered into the ledger once it is taken: a crash between goes on from there.
async fn erase(app: &App, mut entry: Entry) -> Result<(), EraserError> {
    while let Some(step) = next(app, &entry).await? {
        entry = app.keyring.ledger_advance(entry.subject, step).await?;
        tracing::info!(subject = %entry.subject, state = ?entry.state, "an erasure went on");
    }
    Ok(())
}
