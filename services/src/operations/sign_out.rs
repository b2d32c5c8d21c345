//! Signs an account out: everywhere, or everywhere but in one session.

use domain::session::{CloseReason, Session, SessionCommand};
use domain::{AccountId, CommandId, SessionId};
use infra::event_store::{AppendedEvent, ExecuteError, Receipt, Request, Step};
use infra::failpoint;
use infra::postgres::PgError;
use infra::sessions::ClosedBy;

use super::end_tokens::EndTokens;
use crate::wiring::App;

/// Closing events of one append: it is decided on the streams of so many sessions.
const CLOSINGS_MAX: usize = 200;

/// Which sessions are closed, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignOut {
    pub(crate) account: AccountId,
    pub(crate) except: Option<SessionId>,
    pub(crate) reason: CloseReason,
}

/// What became of the sessions. What is left to a worker needs a running node.
#[derive(Debug)]
pub(crate) enum SignedOut {
    /// So many sessions were closed; none is left.
    Closed(usize),
    /// So many sessions were closed, and closing events are left to the session closer.
    NotAppended(usize, SignOutError),
    /// Sessions, or API tokens, may work still: all is left to the workers.
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
    /// Closes the sessions because of a command that has been carried out, or has come again, and ends the API
    /// tokens if it does: not those that came after its event. What requests are admitted by goes first: no
    /// session and no token works any more, however long the events take that say so. What fails here is left
    /// to the workers.
    pub(crate) async fn execute_after(
        self,
        app: &App,
        (request, receipt): (&Request, &Receipt),
        ends_tokens: bool,
    ) -> SignedOut {
        let Some(event) = receipt.first_of(self.account.0) else { return SignedOut::Closed(0) };
        let closed = self.delete_rows(app, event).await;
        let tokens = EndTokens::of(self.account, receipt).filter(|_| ends_tokens);
        let refused = match &tokens {
            Some(tokens) => tokens.refuse(app).await,
            None => Ok(()),
        };
        let signed_out = match closed {
            Ok(sessions) => self.append(app, (request, event), &sessions).await,
            Err(error) => {
                tracing::warn!(%error, "sessions were not closed at once: the session closer does it");
                SignedOut::NotClosed(error)
            }
        };
        if let Err(error) = refused {
            tracing::warn!(%error, "API tokens were not ended at once: the token closer does it");
            return SignedOut::NotClosed(error);
        }
        if let Some(tokens) = tokens
            && let Err(error) = tokens.revoke(app).await
        {
            tracing::warn!(%error, "API tokens were not revoked at once: the token closer does it");
        }
        signed_out
    }

    async fn delete_rows(
        self,
        app: &App,
        event: &AppendedEvent,
    ) -> Result<Vec<SessionId>, PgError> {
        let Self { account, except, reason } = self;
        let by = ClosedBy { position: event.position, version: event.version };
        app.sessions.close_opened(account, except, reason, Some(event.id), by).await
    }

    /// Appends the closing events of the sessions whose rows are deleted.
    async fn append(
        self,
        app: &App,
        (request, event): (&Request, &AppendedEvent),
        sessions: &[SessionId],
    ) -> SignedOut {
        failpoint!(SessionsDeleted if !sessions.is_empty());
        for some in sessions.chunks(CLOSINGS_MAX) {
            if let Err(error) = self.append_some(app, (request, event), some).await {
                tracing::warn!(%error, "closing events were not appended: the session closer does it");
                return SignedOut::NotAppended(sessions.len(), error);
            }
        }
        SignedOut::Closed(sessions.len())
    }

    async fn append_some(
        self,
        app: &App,
        (request, event): (&Request, &AppendedEvent),
        sessions: &[SessionId],
    ) -> Result<(), SignOutError> {
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
        let closes = SessionCommand::CloseIfOpen { reason: self.reason };
        let closings = sessions.iter().map(|of| Step::new::<Session>(of.0, closes.clone()));
        let closings: Vec<Step> = closings.collect();
        let receipt = app.executor.execute(&close, &closings).await?;
        failpoint!(SessionsClosed);
        // The row of a sign-in that was on its way has no closing event: if it is opened still, the session
        // closer appends that.
        let streams = receipt.events().iter().map(|event| event.stream);
        let ended: Vec<SessionId> = streams.map(SessionId).collect();
        Ok(app.sessions.closed(&ended).await?)
    }
}
