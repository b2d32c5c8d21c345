//! Signs an account out: everywhere, or everywhere but in one session.

#![allow(clippy::single_match_else, reason = "both arms are of one weight")]

use domain::session::{CloseReason, Session, SessionCommand};
use domain::{AccountId, CommandId, SessionId};
use infra::event_store::{AppendedEvent, ExecuteError, Receipt, Request, Step};
use infra::failpoint;
use infra::postgres::PgError;
use infra::sessions::ClosedBy;

use super::end_tokens::EndTokens;
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
    /// Closes the sessions with the command of `request`, which also appends the events of `also`, and ends the
    /// API tokens if these say so. The events come first: a request that is refused closes nothing. Then the
    /// rows are deleted, also by a repeated command; sessions that were opened since stay. `None`: no session
    /// was open, and there is no other step. Nothing records that, so that the same command, sent again,
    /// closes what is open then.
    ///
    /// # Errors
    /// [`SignOutError`].
    pub(crate) async fn execute(
        self,
        app: &App,
        request: &Request,
        also: Option<Step>,
    ) -> Result<Option<Receipt>, SignOutError> {
        let (sessions, receipt) = match app.executor.find_earlier(request).await? {
            Some(earlier) => (Vec::new(), earlier),
            None => {
                let sessions = app.sessions.of_account(self.account, self.except).await?;
                let steps: Vec<Step> = self.steps(&sessions).chain(also).collect();
                if steps.is_empty() {
                    app.executor.check(&request.guards).await?;
                    return Ok(None);
                }
                let receipt = app.executor.execute(request, &steps).await?;
                failpoint!(SessionsClosed if !sessions.is_empty());
                (sessions, receipt)
            }
        };
        EndTokens::execute_after(app, self.account, &receipt).await;
        self.delete_rows(app, &sessions, &receipt).await?;
        Ok(Some(receipt))
    }

    /// Closes the sessions because of a command that has been carried out, or has come again, and ends the API
    /// tokens if it does: not those that came after its event. What fails here is left to the workers.
    pub(crate) async fn execute_after(
        self,
        app: &App,
        (request, receipt): (&Request, &Receipt),
        ends_tokens: bool,
    ) -> SignedOut {
        let signed_out = self.close_after(app, (request, receipt)).await;
        if ends_tokens {
            EndTokens::execute_after(app, self.account, receipt).await;
        }
        signed_out
    }

    async fn close_after(self, app: &App, (request, receipt): (&Request, &Receipt)) -> SignedOut {
        let Some(event) = receipt.first_of(self.account.0) else { return SignedOut::Closed(0) };
        let sessions = match self.close_before(app, event).await {
            Ok(sessions) => sessions,
            Err(error) => {
                tracing::warn!(%error, "sessions were not closed at once: the session closer does it");
                return SignedOut::NotClosed(error);
            }
        };
        let close = Request {
            tenant: self.account.into(),
            // Each time another one: what is closed already appends nothing.
            command: CommandId(app.ids.uuid()),
            body: None,
            causation: Some(event.id),
            reservations: Vec::new(),
            // The session of the request may be one of those that are closed.
            guards: Vec::new(),
            ..request.clone()
        };
        match self.append(app, &sessions, &close).await {
            Ok(()) => SignedOut::Closed(sessions.len()),
            Err(error) => {
                tracing::warn!(%error, "closing events were not appended: the session closer does it");
                SignedOut::NotAppended(sessions.len(), error)
            }
        }
    }

    async fn close_before(
        self,
        app: &App,
        event: &AppendedEvent,
    ) -> Result<Vec<SessionId>, PgError> {
        let Self { account, except, reason } = self;
        let by = ClosedBy { position: event.position, version: event.version };
        app.sessions.close_opened(account, except, reason, Some(event.id), by).await
    }

    async fn append(
        self,
        app: &App,
        sessions: &[SessionId],
        request: &Request,
    ) -> Result<(), SignOutError> {
        if sessions.is_empty() {
            return Ok(());
        }
        failpoint!(SessionsDeleted);
        let steps: Vec<Step> = self.steps(sessions).collect();
        let receipt = app.executor.execute(request, &steps).await?;
        failpoint!(SessionsClosed);
        Ok(app.sessions.closed(&closed_by(&receipt, self.account)).await?)
    }

    fn steps(self, sessions: &[SessionId]) -> impl Iterator<Item = Step> {
        let close = SessionCommand::CloseIfOpen { reason: self.reason };
        sessions.iter().map(move |session| Step::new::<Session>(session.0, close.clone()))
    }

    /// The row of a sign-in that is on its way has no closing event: if it is appended still, the session
    /// closer appends that.
    async fn delete_rows(
        self,
        app: &App,
        sessions: &[SessionId],
        receipt: &Receipt,
    ) -> Result<(), PgError> {
        let closed = closed_by(receipt, self.account);
        for session in sessions.iter().filter(|session| !closed.contains(session)) {
            app.sessions.close(*session, self.reason).await?;
        }
        app.sessions.closed(&closed).await
    }
}

/// The sessions whose closing events are in the receipt: it has no other streams beside the account's.
fn closed_by(receipt: &Receipt, account: AccountId) -> Vec<SessionId> {
    let streams = receipt.events().iter().map(|event| event.stream);
    streams.filter(|stream| *stream != account.0).map(SessionId).collect()
}
