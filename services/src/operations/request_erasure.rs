//! Requests an erasure, and cancels it: in the ledger of erasures and in the log.

#![allow(clippy::wildcard_enum_match_arm, reason = "the other errors stay as they are")]

use chrono::{DateTime, TimeDelta, Utc};
use domain::account::{AccountError, AccountEvent};
use domain::workspace::{WorkspaceError, WorkspaceEvent};
use domain::{CommandId, DecodeError, Refused, SubjectId};
use infra::event_store::{ExecuteError, Receipt, Request, Step};
use infra::failpoint;
use infra::keyring::{ErasureEntry, ErasureState, KeyringError, NewErasure, SubjectKind};
use infra::log::{Feed, Recorded};
use infra::postgres::PgError;

use super::claim_codes::claim_code;
pub(crate) use super::claim_codes::{entry_of, hash_code};
use super::erasure_in_log::InLog;
use super::owners::OwnersError;
use crate::config::Config;
use crate::wiring::App;

/// A request that is entered this long, and not in the log, is taken back. Should it be appended later
/// still, its entry is opened again.
pub(crate) const SETTLED_AFTER: TimeDelta = TimeDelta::minutes(1);

/// Why a request was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum RequestErasureError {
    #[error("the same erasure is being requested elsewhere: try again in {retry_seconds} seconds")]
    InProgress { retry_seconds: i64 },
    #[error(transparent)]
    Owners(#[from] OwnersError),
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    #[error("the event of the earlier request could not be read: {0}")]
    Earlier(String),
}

/// An erasure of an account or a workspace.
pub(crate) struct ErasureToRequest<S> {
    pub(crate) kind: SubjectKind,
    pub(crate) subject: SubjectId,
    /// An earlier call of the same command that got only into the ledger keeps its own, unless that has
    /// passed.
    pub(crate) due: DateTime<Utc>,
    /// Requests it in the log, due then.
    pub(crate) step: S,
}

/// An erasure that has been requested.
pub(crate) struct RequestedErasure {
    pub(crate) receipt: Receipt,
    pub(crate) due: DateTime<Utc>,
    /// The claim code. A repeated command gets the same one. `None`: an earlier version
    /// drew it, or its key is erased.
    pub(crate) claim_code: Option<String>,
}

/// An entry of the ledger that a command uses.
struct OwnEntry {
    claim_code: String,
    hash: [u8; 32],
    due: DateTime<Utc>,
    /// `false`: an earlier call of the same command made it, and may be appending still.
    is_new: bool,
}

/// What an earlier call of the same command has requested, also if that was cancelled since. Ask it
/// before the state is judged, which that call has changed.
///
/// # Errors
/// [`RequestErasureError`].
pub(crate) async fn find_earlier(
    app: &App,
    subject: SubjectId,
    request: &Request,
) -> Result<Option<RequestedErasure>, RequestErasureError> {
    match app.executor.find_earlier(request).await? {
        Some(receipt) => Ok(Some(repeated(app, subject, request.command, receipt).await?)),
        None => Ok(None),
    }
}

impl<S: FnOnce(DateTime<Utc>) -> Step> ErasureToRequest<S> {
    /// Requests it: in the ledger first, then in the log. Call it after [`find_earlier`], and where
    /// the log has no open request.
    ///
    /// # Errors
    /// [`RequestErasureError`].
    pub(crate) async fn execute(
        self,
        app: &App,
        request: &Request,
    ) -> Result<RequestedErasure, RequestErasureError> {
        let (kind, subject) = (self.kind, self.subject);
        let own = self.enter(app, request.command).await?;
        failpoint!(ErasureEntered);
        let answer = app.executor.execute(request, &[(self.step)(own.due)]).await;
        match answer {
            Ok(receipt) if !receipt.replayed() => {
                failpoint!(ErasureRequested);
                let due = own.due;
                let claim_code = Some(own.confirm(app, subject, request.command).await);
                Ok(RequestedErasure { receipt, due, claim_code })
            }
            // Another call of the same command was faster.
            Ok(receipt) => {
                own.settle(app, kind, subject).await?;
                repeated(app, subject, request.command, receipt).await
            }
            Err(error) => {
                if !error.may_have_appended() {
                    own.take_back(app).await;
                }
                Err(error.into())
            }
        }
    }

    /// Enters it in the ledger, unless an earlier call of the same command has.
    async fn enter(&self, app: &App, command: CommandId) -> Result<OwnEntry, RequestErasureError> {
        let Self { kind, subject, due, .. } = *self;
        if let Some((entry, claim_code)) = entry_of(app, subject, command).await?
            && entry.state == ErasureState::Requested
        {
            let due = if entry.due < app.clock.now() { due } else { entry.due };
            let hash = entry.claim_code_hash;
            return Ok(OwnEntry { claim_code, hash, due, is_new: false });
        }
        let requested_at = app.clock.now();
        let claim_code = claim_code(app, subject, command, requested_at).await?;
        let claim_code = claim_code.ok_or(KeyringError::Date)?;
        let hash = hash_code(&claim_code);
        let new = NewErasure { kind, subject, requested_at, due, claim_code_hash: hash };
        let mut entry = app.keyring.ledger.enter(&new).await?;
        let age = requested_at - entry.requested_at;
        if entry.claim_code_hash != hash && give_up(app, &entry, age).await? {
            entry = app.keyring.ledger.enter(&new).await?;
        }
        if entry.claim_code_hash != hash {
            // Another request may be running, and may have returned the code of that entry.
            let retry_seconds = SETTLED_AFTER.num_seconds();
            return Err(RequestErasureError::InProgress { retry_seconds });
        }
        Ok(OwnEntry { claim_code, hash, due, is_new: true })
    }
}

/// Cancels an entry of another request that the log does not have. `false`: it may still be appended.
///
/// # Errors
/// The log has that request: this one is refused.
async fn give_up(
    app: &App,
    entry: &ErasureEntry,
    age: TimeDelta,
) -> Result<bool, RequestErasureError> {
    let ErasureEntry { kind, subject, requested_at, .. } = *entry;
    let is_settled = age >= SETTLED_AFTER;
    if entry.append_pending {
        if is_settled {
            app.keyring.ledger.take_back(entry.claim_code_hash).await?;
        }
        return Ok(is_settled);
    }
    match InLog::read(app, kind, subject).await.map_err(ExecuteError::from)? {
        InLog::Requested { .. } => Err(ExecuteError::Refused(already_requested(kind)).into()),
        InLog::NotRequested if is_settled => {
            app.keyring.ledger.cancel_requested_by(subject, requested_at).await?;
            Ok(true)
        }
        InLog::NotRequested | InLog::Ended => Ok(false),
    }
}

const fn already_requested(kind: SubjectKind) -> Refused {
    match kind {
        SubjectKind::Account => Refused::Account(AccountError::ErasureRequested),
        SubjectKind::Workspace => Refused::Workspace(WorkspaceError::DeletionRequested),
    }
}

impl OwnEntry {
    /// Returns the claim code of the entry that is open now: a later call of the same command may have
    /// made another one, after this one was taken back.
    async fn confirm(self, app: &App, subject: SubjectId, command: CommandId) -> String {
        let other = match app.keyring.ledger.confirm(self.hash, self.due).await {
            Ok(true) => return self.claim_code,
            Ok(false) => entry_of(app, subject, command).await,
            Err(error) => Err(error),
        };
        match other {
            Ok(other) => other.map_or(self.claim_code, |(_, claim_code)| claim_code),
            Err(error) => {
                tracing::warn!(%error, "an erasure is not confirmed in the ledger: the eraser does it");
                self.claim_code
            }
        }
    }

    /// Confirms it when another call of the command has appended, unless that is cancelled by now.
    async fn settle(
        &self,
        app: &App,
        kind: SubjectKind,
        subject: SubjectId,
    ) -> Result<(), RequestErasureError> {
        let in_log = InLog::read(app, kind, subject).await.map_err(ExecuteError::from)?;
        let InLog::Requested { due } = in_log else {
            self.take_back(app).await;
            return Ok(());
        };
        app.keyring.ledger.confirm(self.hash, due).await?;
        Ok(())
    }

    /// What another call of the command has entered is left to that call.
    async fn take_back(&self, app: &App) {
        if self.is_new
            && let Err(error) = app.keyring.ledger.take_back(self.hash).await
        {
            tracing::warn!(%error, "an erasure that was not requested is in the ledger: the eraser takes it back");
        }
    }
}

/// The answer to a command that was carried out before.
async fn repeated(
    app: &App,
    subject: SubjectId,
    command: CommandId,
    receipt: Receipt,
) -> Result<RequestedErasure, RequestErasureError> {
    let due = requested_due(app, &receipt).await.map_err(RequestErasureError::Earlier)?;
    let claim_code = entry_of(app, subject, command).await?.map(|(_, code)| code);
    Ok(RequestedErasure { receipt, due, claim_code })
}

/// When the erasure is due that the command requested, as its event has it.
async fn requested_due(app: &App, receipt: &Receipt) -> Result<DateTime<Utc>, String> {
    let position = receipt.position().ok_or("it has none")?;
    let client = app.pool.get().await.map_err(|error| PgError::from(error).to_string())?;
    let page = Feed::page(&client, position - 1, 1).await.map_err(|error| error.to_string())?;
    let event = page.first().ok_or("it is not in the log")?;
    let (_, due) = requested_erasure(event).map_err(|error| error.to_string())?;
    due.ok_or_else(|| "it is another event".to_owned())
}

/// When the erasure is due that the event requests, or hastens; `None`: it is another event.
///
/// # Errors
/// The event is not of an account or a workspace.
pub(crate) fn requested_erasure(
    event: &Recorded,
) -> Result<(SubjectKind, Option<DateTime<Utc>>), DecodeError> {
    if event.stream_type() == "workspace" {
        let decoded: WorkspaceEvent = event.decode()?;
        let due = match decoded {
            WorkspaceEvent::DeletionRequested { due, .. }
            | WorkspaceEvent::DeletionHastened { due } => Some(due),
            _ => None,
        };
        return Ok((SubjectKind::Workspace, due));
    }
    let decoded: AccountEvent = event.decode()?;
    let AccountEvent::ErasureRequested { due, .. } = decoded else {
        return Ok((SubjectKind::Account, None));
    };
    Ok((SubjectKind::Account, Some(due)))
}

/// Cancels an erasure with the command of `step`.
///
/// # Errors
/// What kept the cancellation out of the log.
pub(crate) async fn cancel(
    app: &App,
    subject: SubjectId,
    request: &Request,
    step: Step,
) -> Result<Receipt, ExecuteError> {
    let now = app.clock.now();
    let receipt = app.executor.execute(request, &[step]).await?;
    if receipt.replayed() {
        return Ok(receipt);
    }
    failpoint!(ErasureCancelled);
    // The eraser reads it in the log, too.
    if let Err(error) = app.keyring.ledger.cancel_requested_by(subject, now).await {
        tracing::warn!(%error, "the ledger was not updated after a cancellation: the eraser does it");
    }
    Ok(receipt)
}

/// The grace of an erasure: `days`, or the default of the settings. The rotation of the root key, the
/// time for which the old one is kept, and its escrow must end within the 30 days, too.
///
/// # Errors
/// More or fewer days than this installation allows.
pub fn grace(config: &Config, days: Option<i64>) -> Result<TimeDelta, String> {
    let days = days.unwrap_or_else(|| config.erasure_grace_days.into());
    let least = i64::from(config.erasure_grace_days_min);
    let most = config.grace_days_max();
    if (least..=most).contains(&days) {
        return Ok(TimeDelta::days(days));
    }
    Err(format!("this must be {least} to {most} days on this installation"))
}
