//! Closes the sessions that an event of their account ends, and those that have expired.

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::account::{Account, AccountEvent, Holding};
use domain::session::{CloseReason, Session, SessionCommand, SessionError};
use domain::{AccountId, CredentialId, Refused, SessionId};
use futures_util::future::join_all;
use infra::credentials::Credentials;
use infra::event_store::{ExecuteError, Executor};
use infra::log::{Recorded, Worker, WorkerError};
use infra::postgres::PgError;
use infra::postgres::Transaction;
use infra::sessions::{ClosedBy, Closing, Sessions};

use super::timer::Wake;
use crate::operations::system_command::SystemCommand;
use crate::wiring::App;

/// The request that closed a session appends the event; if it has not after this time, this worker does.
const APPENDING: TimeDelta = TimeDelta::seconds(5);
/// The longest time from the row of a session to its opening event.
const OPENING: TimeDelta = TimeDelta::minutes(1);
const AT_ONCE: i64 = 256;

pub(super) struct SessionCloser {
    executor: Executor,
    sessions: Sessions,
    credentials: Credentials,
    wake: Wake,
}

impl SessionCloser {
    /// Registrations for the hash, and what ends sessions, by the table of the account.
    pub(super) const EVENT_TYPES: &[&str] = &[
        "account.registered",
        "account.password_changed",
        "account.sessions_ended",
        "account.erasure_requested",
        "account.erasure_completed",
        "session.closed",
    ];

    pub(super) fn new(app: &App, wake: &Wake) -> Self {
        Self {
            executor: app.executor.clone(),
            sessions: app.sessions.clone(),
            credentials: app.credentials.clone(),
            wake: wake.clone(),
        }
    }

    /// Notes that the hash is the account's, and deletes the one before; or deletes it, if a later event
    /// has replaced it.
    async fn name(&self, account: AccountId, credential: CredentialId) -> Result<(), WorkerError> {
        let unavailable =
            |error: &dyn std::fmt::Display| WorkerError::Unavailable(error.to_string());
        let loaded = self.executor.load::<Account>(account.into(), account.0).await;
        let named = match &*loaded.map_err(|error| unavailable(&error))?.state {
            Account::Live(live) if live.credential == credential => {
                self.credentials.name(account, credential).await
            }
            Account::Absent | Account::Live(_) | Account::Ended { .. } => {
                self.credentials.delete(credential).await
            }
        };
        named.map_err(|error| unavailable(&error))
    }

    /// Closes the sessions whose sign-in was decided before the event; later ones stay open.
    async fn close_all(
        &self,
        event: &Recorded,
        except: Option<SessionId>,
        reason: CloseReason,
    ) -> Result<(), WorkerError> {
        let account = AccountId(event.stream_id());
        let cause = Some(event.event_id());
        let by = ClosedBy { position: event.position(), version: event.version() };
        let closed = self.sessions.close_opened(account, except, reason, cause, by).await?;
        if !closed.is_empty() {
            self.wake.notify_one();
        }
        Ok(())
    }
}

#[async_trait]
impl Worker for SessionCloser {
    fn name(&self) -> &'static str {
        "session_closer"
    }

    fn event_types(&self) -> &'static [&'static str] {
        Self::EVENT_TYPES
    }

    async fn react(&self, event: &Recorded, _: &Transaction<'_>) -> Result<(), WorkerError> {
        if event.event_type() == "session.closed" {
            return Ok(self.sessions.closed(&[SessionId(event.stream_id())]).await?);
        }
        let account = AccountId(event.stream_id());
        let decoded: AccountEvent = event.decode()?;
        if decoded.ends().contains(&Holding::Sessions) {
            let (except, reason) = if matches!(decoded, AccountEvent::PasswordChanged { .. }) {
                (event.session(), CloseReason::PasswordChanged)
            } else if matches!(decoded, AccountEvent::SessionsEnded {}) {
                (event.session(), CloseReason::ClosedFromAnother)
            } else {
                (None, CloseReason::ErasureRequested)
            };
            self.close_all(event, except, reason).await?;
        }
        if let AccountEvent::Registered { credential, .. }
        | AccountEvent::PasswordChanged { credential } = decoded
        {
            self.name(account, credential).await?;
        }
        Ok(())
    }
}

/// Closes expired sessions, and appends the closing events that are missing.
pub(super) async fn close_due(app: App) -> Result<(), PgError> {
    while app.sessions.close_expired(AT_ONCE).await? == AT_ONCE.unsigned_abs() {}
    loop {
        let closings = app.sessions.closings(app.clock.now() - APPENDING, AT_ONCE).await?;
        let appended = join_all(closings.iter().map(|closing| append(&app, closing))).await;
        let appended: Vec<SessionId> = appended.into_iter().flatten().collect();
        app.sessions.closed(&appended).await?;
        if appended.is_empty() || closings.len() < usize::try_from(AT_ONCE).unwrap_or_default() {
            return Ok(());
        }
    }
}

/// Appends the closing event. Returns the session if nothing is left to append.
async fn append(app: &App, closing: &Closing) -> Option<SessionId> {
    let session = closing.session;
    let cause = closing.cause.map_or(session.0, |event| event.0);
    let is_opened_by_now = app.clock.now() - closing.closed_at >= OPENING;
    let unknown = Refused::Session(SessionError::Unknown);
    let appended = SystemCommand::new(
        closing.account.into(),
        &[b"session.closed", cause.as_bytes(), session.0.as_bytes()],
    )
    .caused_by(closing.cause)
    .step::<Session>(session.0, SessionCommand::Close { reason: closing.reason })
    .execute(&app.executor, |refused| is_opened_by_now && *refused == unknown);
    match appended.await {
        Ok(_) => Some(session),
        // Its opening event may still be appended.
        Err(ExecuteError::Refused(Refused::Session(SessionError::Unknown))) => None,
        Err(error) => {
            tracing::warn!(%session, %error, "the closing event of a session was not appended: tried again");
            None
        }
    }
}
