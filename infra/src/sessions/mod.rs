//! Live sessions, looked up by the token of a request.

mod cache;
mod rows;
mod session;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use domain::session::CloseReason;
use domain::{AccountId, EventId, SessionId};
use uuid::Uuid;

use crate::bearer::{BearerToken, TokenHash};
use crate::clock::Clock;
use crate::postgres::{PgError, Pool};
use crate::random::NoRandomness;
use cache::Cache;
use rows::Rows;

pub use session::{ClosedBy, Closing, LiveSession, NewSession, Period};

const PREFIX: &str = "ls_";
const END_AT_ONCE: i64 = 1000;
const TOUCHED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// Sessions by token, with a cache of half a second. `rows` is where a Redis store would go.
#[derive(Clone)]
pub struct Sessions {
    rows: Rows,
    cache: Arc<Cache>,
    clock: Clock,
}

impl Sessions {
    /// `pool` leads to the log's database.
    pub fn new(pool: Pool, clock: Clock) -> Self {
        Self { rows: Rows::new(pool), cache: Arc::default(), clock }
    }

    /// A new token: its secret is for the client, its hash for [`NewSession`].
    ///
    /// # Errors
    /// The system returned no random bytes.
    pub fn draw_token() -> Result<BearerToken, NoRandomness> {
        BearerToken::draw(PREFIX)
    }

    /// The token of a request that may come again, of a secret that it then has again.
    pub fn token_of(secret: &[u8; 32]) -> BearerToken {
        BearerToken::of_secret(PREFIX, secret)
    }

    /// Writes the row. Call it before the event is appended: a row without an event is harmless,
    /// since nobody was given its token. `false`: the account is erased, the session is closed, or it has a
    /// row, which keeps its token; nothing was written.
    pub async fn open(&self, session: &NewSession) -> Result<bool, PgError> {
        self.rows.open(session, self.clock.now()).await
    }

    /// Gives the row of a session another token, if it was written before `until`: what wrote it was cut short
    /// before its event, and whoever sends it again was never given a token. Call it where the log has no event
    /// of the session. `false`: there is no such row; nothing was written.
    pub async fn take_over(
        &self,
        session: &NewSession,
        until: DateTime<Utc>,
    ) -> Result<bool, PgError> {
        self.rows.take_over(session, self.clock.now(), until).await
    }

    /// Deletes the row of a session whose opening was refused: nothing was opened, so nothing is closed. Not
    /// if the session has another token.
    pub async fn take_back(&self, session: SessionId, token: &TokenHash) -> Result<(), PgError> {
        self.rows.take_back(session, token).await
    }

    /// The session of a token, if it is open. A closed session is refused within a second on every
    /// node: a row is cached for at most half a second, counted from before it was read.
    pub async fn find(&self, token: &str) -> Result<Option<LiveSession>, PgError> {
        let Some(hash) = TokenHash::read(PREFIX, token) else { return Ok(None) };
        let now = self.clock.now();
        if let Some(live) = self.cache.get(&hash) {
            return Ok(live.is_live(now).then_some(live));
        }
        let queried_at = Instant::now();
        let Some(mut live) = self.rows.find(&hash, now).await? else { return Ok(None) };
        if now - live.last_used_at >= TOUCHED_EVERY {
            let Some(idle_until) = self.rows.touch(&hash, now).await? else { return Ok(None) };
            live = LiveSession { last_used_at: now, idle_until, ..live };
        }
        self.cache.put(hash, live, queried_at);
        Ok(Some(live))
    }

    /// The periods of those of the sessions that are open.
    pub async fn periods(
        &self,
        sessions: &[SessionId],
    ) -> Result<HashMap<SessionId, Period>, PgError> {
        self.rows.periods(sessions).await
    }

    /// Deletes the row of a session whose closing event is not in the log: the session closer appends it,
    /// if the caller does not. `false`: it was closed already.
    pub async fn close(&self, session: SessionId, reason: CloseReason) -> Result<bool, PgError> {
        let closed = self.rows.close(session, reason, self.clock.now()).await?;
        self.cache.evict(|live| live.session == session);
        Ok(closed)
    }

    /// Deletes every row of the account except `except`; returns the sessions that were closed.
    /// `cause` is the event because of which they are closed.
    pub async fn close_all(
        &self,
        account: AccountId,
        except: Option<SessionId>,
        reason: CloseReason,
        cause: Option<EventId>,
    ) -> Result<Vec<SessionId>, PgError> {
        self.close_opened(account, except, reason, cause, ClosedBy::NOW).await
    }

    /// Like [`Self::close_all`], and may be repeated: answers also what the same cause has closed before, if its
    /// closing is not in the log yet. Leaves sessions whose sign-in was decided on a state of the account that
    /// had the event; of sessions that an older version of Lethe opened, those that the log has opened since.
    pub async fn close_opened(
        &self,
        account: AccountId,
        except: Option<SessionId>,
        reason: CloseReason,
        cause: Option<EventId>,
        by: ClosedBy,
    ) -> Result<Vec<SessionId>, PgError> {
        let now = self.clock.now();
        let closed = self.rows.close_all(account, except, reason, cause, now, by).await?;
        self.cache.evict(|live| closed.contains(&live.session));
        Ok(closed)
    }

    /// Deletes at most `limit` expired rows; returns how many.
    pub async fn close_expired(&self, limit: i64) -> Result<u64, PgError> {
        self.rows.close_expired(self.clock.now(), limit).await
    }

    /// After a restore of the log: ends every session, since one that was closed may be open again. Their
    /// closing events, which say that they expired, follow as of expired ones. Returns how many.
    pub async fn end_all(&self) -> Result<i64, PgError> {
        let (mut ended, mut after) = (0, Uuid::nil());
        let now = self.clock.now();
        while let Some((some, last)) = self.rows.end_all(now, after, END_AT_ONCE).await? {
            ended += some;
            after = last;
        }
        self.cache.evict(|_| true);
        Ok(ended)
    }

    /// Sessions whose closing event is missing as far as is known: those that a request closed before
    /// `until` (the request may still append it), and all that only the session closer appends.
    pub async fn closings(
        &self,
        until: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<Closing>, PgError> {
        self.rows.closings(until, limit).await
    }

    /// The closing events of these sessions are in the log: deletes their rows, and nothing is left to append.
    pub async fn closed(&self, sessions: &[SessionId]) -> Result<(), PgError> {
        self.rows.closed(sessions).await?;
        self.cache.evict(|live| sessions.contains(&live.session));
        Ok(())
    }
}
