//! Erases people and workspaces: records requests in the ledger, and executes those that are due.

mod error;
pub(super) mod runs;
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
use infra::postgres::Transaction;

pub(super) use error::EraserError;
use stage::prove;
pub(super) use stage::{Next, close, delete_rows, next_stage, raise_fence};
#[cfg(test)]
pub(super) use stage::{due_at, raise_fence_at};

use super::pages::{AT_ONCE, Pages};
use super::timer::Wake;
use crate::operations::erasure_in_log::InLog;
use crate::operations::request_erasure::{SETTLED_AFTER, requested_erasure};
use crate::wiring::App;

/// So many erasures are executed at once: the pool of connections is shared with the requests.
const TOGETHER: usize = 32;
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
        let now = app.clock.now();
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
            // A workspace's may have been hastened.
            Some(_) => app.keyring.ledger.hasten(subject, due, now).await?,
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
            "workspace.deletion_hastened",
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

/// What became of an erasure in a turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// It is completed or cancelled.
    Ended,
    /// There is nothing to do for it now.
    Waits,
    /// It has rows left to be deleted.
    Unfinished,
}

/// Executes the erasures that are due, each up to the last stage that is possible now, a large one for a
/// turn: one that takes long, or cannot be done, keeps no other waiting. Before that, settles those that
/// were entered in the ledger and are not known to be in the log. Answers whether some are unfinished.
pub(super) async fn erase_due(app: App) -> Result<bool, KeyringError> {
    settle_pending(&app).await?;
    let mut unfinished = 0;
    let mut pages = Pages::of("erasures");
    loop {
        let due = app.keyring.ledger.due(app.clock.now(), AT_ONCE, pages.skip).await?;
        for entries in due.chunks(TOGETHER) {
            let turns = join_all(entries.iter().map(|entry| {
                let goes_on = |turn: &Result<Turn, EraserError>| {
                    !is_actionable(&app, entry) || !matches!(turn, Ok(Turn::Waits) | Err(_))
                };
                unless_waiting(&app, entry, Ok(Turn::Waits), take_turn(&app, entry), goes_on)
            }));
            for (entry, turn) in entries.iter().zip(turns.await) {
                unfinished += i64::from(matches!(turn, Ok(Turn::Unfinished)));
                let ended = turn.map(|turn| turn == Turn::Ended);
                pages.leaves_if(entry.subject.0, ended);
            }
        }
        if pages.is_last(due.len()) {
            break;
        }
    }
    app.metrics.erasures_unfinished.set(unfinished);
    prove_all(&app).await?;
    Ok(unfinished > 0)
}

async fn settle_pending(app: &App) -> Result<(), KeyringError> {
    let settled = app.clock.now() - SETTLED_AFTER;
    let mut pages = Pages::of("erasures that are entered");
    loop {
        let pending = app.keyring.ledger.pending(settled, AT_ONCE, pages.skip).await?;
        for entry in &pending {
            let settled = unless_waiting(app, entry, Ok(false), settle(app, entry), |settled| {
                matches!(settled, Ok(true))
            });
            pages.leaves_if(entry.subject.0, settled.await);
        }
        if pages.is_last(pending.len()) {
            return Ok(());
        }
    }
}

async fn prove_all(app: &App) -> Result<(), KeyringError> {
    let mut pages = Pages::of("proofs of erasures");
    loop {
        let provable = app.keyring.ledger.provable(AT_ONCE, pages.skip).await?;
        if provable.is_empty() {
            return Ok(());
        }
        let in_doubt = app.keyring.root_rotation.oldest_in_doubt().await?;
        let waits =
            |entry: &ErasureEntry| in_doubt.is_some_and(|root| entry.last_root >= Some(root));
        for entries in provable.chunks(TOGETHER) {
            let proofs = join_all(entries.iter().map(|entry| async {
                let proof = async {
                    if waits(entry) { Ok(false) } else { prove(app, entry).await.map(|()| true) }
                };
                unless_waiting(app, entry, Ok(false), proof, |done| matches!(done, Ok(true))).await
            }));
            for (entry, proved) in entries.iter().zip(proofs.await) {
                pages.leaves_if(entry.subject.0, proved);
            }
        }
        if pages.is_last(provable.len()) {
            return Ok(());
        }
    }
}

/// Its request was appended and the answer was lost, or it was not appended and is taken back. `false`:
/// the entry stays as it is.
async fn settle(app: &App, entry: &ErasureEntry) -> Result<bool, EraserError> {
    let ledger = &app.keyring.ledger;
    match InLog::read(app, entry.kind, entry.subject).await? {
        InLog::Requested { due } => Ok(ledger.confirm(entry.claim_code_hash, due).await?),
        InLog::NotRequested => Ok(ledger.take_back(entry.claim_code_hash).await?),
        // As an entry that is due: nothing comes after it in the log.
        InLog::Ended => Ok(false),
    }
}

/// What is done for an erasure, unless it could not go on for a while and waits for its next turn.
async fn unless_waiting<T>(
    app: &App,
    entry: &ErasureEntry,
    waits: T,
    work: impl Future<Output = T>,
    goes_on: impl FnOnce(&T) -> bool,
) -> T {
    if app.stuck_erasures.is_waiting(entry.subject, app.clock.now()) {
        return waits;
    }
    let done = work.await;
    if goes_on(&done) {
        app.stuck_erasures.went_on(entry.subject);
    } else {
        app.stuck_erasures.note(entry.subject, app.clock.now());
    }
    done
}

fn is_actionable(app: &App, entry: &ErasureEntry) -> bool {
    let grace = entry.due - entry.requested_at;
    let delay = CANCELLATION_DELAY_MAX.min(grace.max(TimeDelta::zero()));
    entry.state != ErasureState::Requested || app.clock.now() >= entry.due + delay
}

/// Records each stage in the ledger when it is reached, and continues there after a crash.
async fn take_turn(app: &App, entry: &ErasureEntry) -> Result<Turn, EraserError> {
    if !is_actionable(app, entry) {
        return Ok(Turn::Waits);
    }
    let mut entry = entry.clone();
    loop {
        let stage = match next_stage(app, &entry).await? {
            Next::Stage(stage) => stage,
            Next::TurnOver => return Ok(Turn::Unfinished),
            Next::Nothing if entry.state >= ErasureState::Completed => return Ok(Turn::Ended),
            Next::Nothing => return Ok(Turn::Waits),
        };
        entry = app.keyring.ledger.advance(entry.subject, stage).await?;
        tracing::info!(subject = %entry.subject, state = ?entry.state, "an erasure reached its next stage");
    }
}
