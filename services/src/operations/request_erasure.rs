//! Requests an erasure, and cancels it: in the ledger of erasures and in the log.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use domain::account::{Account, AccountCommand, LiveAccount};
use domain::privacy::deadlines::grace_days_max;
use domain::session::CloseReason;
use domain::{AccountId, SubjectId};
use infra::event_store::{ExecuteError, Receipt, Request, Step};
use infra::failpoint;
use infra::keyring::{KeyringError, SubjectKind};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

use crate::config::Config;
use crate::operations::sign_out::SignOut;
use crate::wiring::App;

const PREFIX: &str = "le_";
/// After this time a request is in the log, or will never be.
const SETTLED: TimeDelta = TimeDelta::minutes(1);

/// Why a request was not recorded. It may be tried again.
#[derive(Debug, thiserror::Error)]
pub enum RequestErasureError {
    #[error("the system returned no random bytes")]
    Random,
    #[error("the same erasure is being requested elsewhere: try again in {retry_seconds} seconds")]
    InProgress { retry_seconds: i64 },
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// It is in the ledger and not in the log: the eraser cancels the entry.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
}

/// An erasure of an account or a workspace, and the step that requests it in the log.
pub(crate) struct ErasureToRequest {
    pub(crate) kind: SubjectKind,
    pub(crate) subject: SubjectId,
    pub(crate) due: DateTime<Utc>,
    pub(crate) step: Step,
    /// When an erasure is due that was requested before.
    pub(crate) due_before: Option<DateTime<Utc>>,
}

/// An erasure that has been requested.
pub(crate) struct RequestedErasure {
    pub(crate) receipt: Receipt,
    pub(crate) due: DateTime<Utc>,
    /// The claim code, which is shown once: `None` when the same command came before.
    pub(crate) claim_code: Option<String>,
}

impl ErasureToRequest {
    /// Requests it: in the ledger first, then in the log. Where one was requested before, that is
    /// refused, unless `request` is the same command.
    ///
    /// # Errors
    /// [`RequestErasureError`].
    pub(crate) async fn execute(
        self,
        app: &App,
        request: &Request,
    ) -> Result<RequestedErasure, RequestErasureError> {
        let Self { kind, subject, due, step, due_before } = self;
        if let Some(due) = due_before {
            let receipt = app.executor.execute(request, &[step]).await?;
            return Ok(RequestedErasure { receipt, due, claim_code: None });
        }
        let code = enter(app, kind, subject, due).await?;
        failpoint!(ErasureEntered);
        let receipt = app.executor.execute(request, &[step]).await?;
        failpoint!(ErasureRequested);
        Ok(RequestedErasure { receipt, due, claim_code: Some(code) })
    }
}

/// Requests the erasure of an account, and signs it out everywhere. Also returns how many sessions
/// were closed.
///
/// # Errors
/// [`RequestErasureError`].
pub(crate) async fn request_of_account(
    app: &App,
    account: AccountId,
    live: &LiveAccount,
    grace: TimeDelta,
    request: &Request,
) -> Result<(RequestedErasure, usize), RequestErasureError> {
    let now = app.clock.now();
    let due = now + grace;
    let erasure = ErasureToRequest {
        kind: SubjectKind::Account,
        subject: account.into(),
        due,
        step: Step::new::<Account>(account.0, AccountCommand::RequestErasure { now, due }),
        due_before: live.erasure.map(|before| before.due),
    };
    let requested = erasure.execute(app, request).await?;
    if requested.claim_code.is_none() {
        return Ok((requested, 0));
    }
    let sign_out = SignOut { account, except: None, reason: CloseReason::ErasureRequested };
    let closed = sign_out.execute_after(app, (request, &requested.receipt)).await;
    Ok((requested, closed))
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
    let receipt = app.executor.execute(request, &[step]).await?;
    // The eraser reads it in the log, too.
    if let Err(error) = app.keyring.ledger.cancel(subject).await {
        tracing::warn!(%error, "the ledger was not updated after a cancellation: the eraser does it");
    }
    Ok(receipt)
}

/// Records the erasure in the ledger, and returns a new claim code.
async fn enter(
    app: &App,
    kind: SubjectKind,
    subject: SubjectId,
    due: DateTime<Utc>,
) -> Result<String, RequestErasureError> {
    let (code, hash) = draw_code()?;
    let ledger = &app.keyring.ledger;
    let entry = ledger.request(kind, subject, due, hash).await?;
    if entry.claim_code_hash == hash {
        return Ok(code);
    }
    if app.clock.now() - entry.requested_at < SETTLED {
        // Another request may be running, and may have returned the code of that entry.
        return Err(RequestErasureError::InProgress { retry_seconds: SETTLED.num_seconds() });
    }
    ledger.cancel(subject).await?;
    ledger.request(kind, subject, due, hash).await?;
    Ok(code)
}

/// The grace of an erasure: `days`, or the default of the settings. The rotation of the root key and its
/// escrow must end within the 30 days, too.
///
/// # Errors
/// More or fewer days than this installation allows.
pub fn grace(config: &Config, days: Option<i64>) -> Result<TimeDelta, String> {
    let days = days.unwrap_or_else(|| config.erasure_grace_days.into());
    let least = i64::from(config.erasure_grace_days_min);
    let most = grace_days_max(config.escrow_days.into());
    if (least..=most).contains(&days) {
        return Ok(TimeDelta::days(days));
    }
    Err(format!("this must be {least} to {most} days on this installation"))
}

fn draw_code() -> Result<(String, [u8; 32]), RequestErasureError> {
    let mut random = [0; 24];
    let drawn = SystemRandom::new().fill(&mut random);
    drawn.map_err(|_| RequestErasureError::Random)?;
    let code = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
    let hash = hash_code(&code);
    Ok((code, hash))
}

/// The stored form of a code. A look-up by hash reveals nothing by its duration.
pub(crate) fn hash_code(code: &str) -> [u8; 32] {
    let hash = digest(&SHA256, code.as_bytes());
    hash.as_ref().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_code_is_drawn_anew_and_found_by_its_hash() {
        let (code, hash) = draw_code().unwrap();
        assert_eq!(hash_code(&code), hash);
        assert_ne!(draw_code().unwrap().0, code);
    }
}
