//! Ends the sessions that a changed password or an erasure ends, and those whose time is over.

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::account::AccountEvent;
use domain::session::{CloseReason, Session, SessionCommand, SessionError};
use domain::{AccountId, CommandId, Refused, SessionId};
use futures_util::future::join_all;
use infra::credentials::Credentials;
use infra::event_store::{ExecuteError, Request, Step};
use infra::ids::hashed;
use infra::log::{Recorded, Worker, WorkerError};
use infra::postgres::PgError;
use infra::sessions::{Closing, Sessions};
use tokio_postgres::Transaction;

use super::Wake;
use crate::wiring::App;

/// Whoever closed a session tells the log of it; after this long, the session closer does.
const TELLING: TimeDelta = TimeDelta::seconds(5);
/// How long the event may take that opens a session whose row is there.
const OPENING: TimeDelta = TimeDelta::minutes(1);
const AT_ONCE: i64 = 256;

pub(super) struct SessionCloser {
    sessions: Sessions,
    credentials: Credentials,
    wake: Wake,
}

impl SessionCloser {
    pub(super) fn new(app: &App, wake: &Wake) -> Self {
        Self {
            sessions: app.sessions.clone(),
            credentials: app.credentials.clone(),
            wake: wake.clone(),
        }
    }

    /// Closes what was open when the event came: a later sign-in stays.
    async fn close_all(
        &self,
        event: &Recorded,
        except: Option<SessionId>,
        reason: CloseReason,
    ) -> Result<(), WorkerError> {
        let account = AccountId(event.stream_id());
        let (cause, position) = (Some(event.event_id()), event.position());
        let closed = self.sessions.close_opened(account, except, reason, cause, position).await?;
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
        &[
            "account.password_changed",
            "account.erasure_requested",
            "account.erasure_completed",
            "session.closed",
        ]
    }

    async fn react(&self, event: &Recorded, _: &Transaction<'_>) -> Result<(), WorkerError> {
        if event.event_type() == "session.closed" {
            return Ok(self.sessions.closed(&[SessionId(event.stream_id())]).await?);
        }
        let AccountEvent::PasswordChanged { credential } = event.decode()? else {
            return self.close_all(event, None, CloseReason::ErasureRequested).await;
        };
        self.close_all(event, event.session(), CloseReason::PasswordChanged).await?;
        let named = self.credentials.name(AccountId(event.stream_id()), credential).await;
        named.map_err(|error| WorkerError::Unavailable(error.to_string()))
    }
}

/// Closes what is over, and tells the log of what is closed.
pub(super) async fn close_due(app: App) -> Result<(), PgError> {
    while app.sessions.close_expired(AT_ONCE).await? == AT_ONCE.unsigned_abs() {}
    loop {
        let closings = app.sessions.closings(app.clock.now() - TELLING, AT_ONCE).await?;
        let told = join_all(closings.iter().map(|closing| tell(&app, closing))).await;
        let told: Vec<SessionId> = told.into_iter().flatten().collect();
        app.sessions.closed(&told).await?;
        if told.is_empty() || closings.len() < usize::try_from(AT_ONCE).unwrap_or_default() {
            return Ok(());
        }
    }
}

/// The session, when the log knows of its end.
async fn tell(app: &App, closing: &Closing) -> Option<SessionId> {
    let session = closing.session;
    let cause = closing.cause.map_or(session.0, |event| event.0);
    let command = hashed(&[b"session.closed", cause.as_bytes(), session.0.as_bytes()]);
    let request = Request {
        causation: closing.cause,
        ..Request::new(closing.account.into(), CommandId(command))
    };
    let close = SessionCommand::Close { reason: closing.reason };
    match app.executor.execute(&request, &[Step::new::<Session>(session.0, close)]).await {
        Ok(_) | Err(ExecuteError::Fenced) => Some(session),
        Err(ExecuteError::Refused(Refused::Session(SessionError::Unknown))) => {
            (app.clock.now() - closing.closed_at >= OPENING).then_some(session)
        }
        Err(error) => {
            tracing::warn!(%session, %error, "the end of a session is not in the log yet");
            None
        }
    }
}
