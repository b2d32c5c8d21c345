//! Signs an account out: everywhere, or everywhere but in one session.

use domain::session::{CloseReason, Session, SessionCommand};
use domain::{AccountId, CommandId, EventId, SessionId};
use infra::event_store::{ExecuteError, Receipt, Request, Step};
use infra::failpoint;
use infra::ids::derived;
use infra::postgres::PgError;

use crate::wiring::App;

/// Which sessions are closed, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignOut {
    pub(crate) account: AccountId,
    pub(crate) except: Option<SessionId>,
    pub(crate) reason: CloseReason,
}

/// What became of the sessions. What is left to the session closer needs a running node.
#[derive(Debug)]
pub(crate) enum SignedOut {
    /// So many sessions were closed; none is left.
    Closed(usize),
    /// So many sessions were closed, and their closing events are left to the session closer.
    NotAppended(usize, SignOutError),
    /// The sessions are open still: all is left to the session closer.
    NotClosed(PgError),
}

/// Why sessions may be open still, or their closing events missing: the session closer appends
/// these.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignOutError {
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error(transparent)]
    Execute(#[from] ExecuteError),
}

impl SignOut {
    /// Closes the sessions with the command of `request`, which also appends the events of `also`. The rows
    /// are deleted first, so that the tokens are refused from then on; a repeated command closes none that
    /// were opened since, if the first one appended anything. `None`: no session was open, and there is no
    /// other step. Nothing records that, so that the same command, sent again, closes what is open then.
    ///
    /// # Errors
    /// [`SignOutError`].
    pub(crate) async fn execute(
        self,
        app: &App,
        request: &Request,
        also: Option<Step>,
    ) -> Result<Option<Receipt>, SignOutError> {
        if let Some(earlier) = app.executor.find_earlier(request).await? {
            return Ok(Some(earlier));
        }
        let sessions = self.close_rows(app, request.causation).await?;
        self.append(app, &sessions, request, also).await
    }

    /// Closes the sessions because of a command that has been carried out; after a replay, none. What
    /// fails here is left to the session closer.
    pub(crate) async fn execute_after(
        self,
        app: &App,
        (request, receipt): (&Request, &Receipt),
    ) -> SignedOut {
        if receipt.replayed() {
            return SignedOut::Closed(0);
        }
        let cause = receipt.first_of(self.account.0).map(|event| event.id);
        let sessions = match self.close_rows(app, cause).await {
            Ok(sessions) => sessions,
            Err(error) => {
                tracing::warn!(%error, "sessions were not closed at once: the session closer does it");
                return SignedOut::NotClosed(error);
            }
        };
        let close = Request {
            tenant: self.account.into(),
            command: CommandId(derived(request.command, "close")),
            body: None,
            causation: cause,
            reservations: Vec::new(),
            // The session of the request may be one of those that are closed.
            guards: Vec::new(),
            ..request.clone()
        };
        match self.append(app, &sessions, &close, None).await {
            Ok(_) => SignedOut::Closed(sessions.len()),
            Err(error) => {
                tracing::warn!(%error, "closing events were not appended: the session closer does it");
                SignedOut::NotAppended(sessions.len(), error)
            }
        }
    }

    async fn close_rows(
        self,
        app: &App,
        cause: Option<EventId>,
    ) -> Result<Vec<SessionId>, PgError> {
        app.sessions.close_all(self.account, self.except, self.reason, cause).await
    }

    async fn append(
        self,
        app: &App,
        sessions: &[SessionId],
        request: &Request,
        also: Option<Step>,
    ) -> Result<Option<Receipt>, SignOutError> {
        failpoint!(SessionsDeleted if !sessions.is_empty());
        let close = SessionCommand::Close { reason: self.reason };
        let steps = sessions.iter().map(|session| Step::new::<Session>(session.0, close.clone()));
        let steps: Vec<Step> = steps.chain(also).collect();
        if steps.is_empty() {
            return Ok(None);
        }
        let receipt = app.executor.execute(request, &steps).await?;
        failpoint!(SessionsClosed if !sessions.is_empty());
        record_closed(app, sessions, &receipt).await?;
        Ok(Some(receipt))
    }
}

/// Nothing is left to do for those of the sessions whose closing event is in the receipt.
///
/// # Errors
/// The session closer does it.
pub(crate) async fn record_closed(
    app: &App,
    sessions: &[SessionId],
    receipt: &Receipt,
) -> Result<(), PgError> {
    let is_in_log = |session: &&SessionId| receipt.first_of(session.0).is_some();
    let closed: Vec<SessionId> = sessions.iter().filter(is_in_log).copied().collect();
    app.sessions.closed(&closed).await
}
