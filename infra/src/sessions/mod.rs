//! Live sessions: what the token of a request is looked up in.

mod cache;
mod rows;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use domain::session::{CloseReason, SessionKind};
use domain::{AccountId, EventId, SessionId};

use crate::bearer::{BearerToken, NoRandomness, TokenHash};
use crate::clock::Clock;
use crate::postgres::{PgError, Pool};
use cache::Cache;
use rows::Rows;

const PREFIX: &str = "ls_";
const TOUCHED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// `rows` is the seam: where Redis is configured, it will hold what `working.sessions` holds.
#[derive(Clone)]
pub struct Sessions {
    rows: Rows,
    cache: Arc<Cache>,
    clock: Clock,
}

/// A session that is about to be opened.
#[derive(Clone, Debug)]
pub struct Opening {
    pub session: SessionId,
    pub account: AccountId,
    pub kind: SessionKind,
    pub token: TokenHash,
    /// How long it lives after its last use, and at most.
    pub idle: TimeDelta,
    pub absolute: TimeDelta,
}

/// A session whose token was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    pub session: SessionId,
    pub account: AccountId,
    pub kind: SessionKind,
    pub opened_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
    pub idle_until: DateTime<Utc>,
    pub absolute_until: DateTime<Utc>,
}

/// A session whose row is gone and whose end the log has not been told yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    pub session: SessionId,
    pub account: AccountId,
    pub reason: CloseReason,
    pub cause: Option<EventId>,
    pub closed_at: DateTime<Utc>,
}

impl Sessions {
    pub fn new(pool: Pool, clock: Clock) -> Self {
        Self { rows: Rows::new(pool), cache: Arc::default(), clock }
    }

    /// A token that no session has yet: its secret is for the client, its hash for [`Opening`].
    pub fn draw_token() -> Result<BearerToken, NoRandomness> {
        BearerToken::draw(PREFIX)
    }

    /// Comes before the event: a row without one is harmless, since nobody was told its token. The
    /// same session again takes the later token. An erased account opens none: `false`.
    pub async fn open(&self, opening: &Opening) -> Result<bool, PgError> {
        self.rows.open(opening, self.clock.now()).await
    }

    /// The live session of a token. A closed one is refused within a second on every node: an
    /// answer is repeated for at most half a second, counted from before it was asked for.
    pub async fn find(&self, token: &str) -> Result<Option<Live>, PgError> {
        let Some(hash) = TokenHash::read(PREFIX, token) else { return Ok(None) };
        let now = self.clock.now();
        if let Some(live) = self.cache.get(&hash) {
            return Ok(live.is_live(now).then_some(live));
        }
        let asked = Instant::now();
        let Some(mut live) = self.rows.find(&hash, now).await? else { return Ok(None) };
        if now - live.last_used_at >= TOUCHED_EVERY {
            let Some(idle_until) = self.rows.touch(&hash, now).await? else { return Ok(None) };
            live = Live { last_used_at: now, idle_until, ..live };
        }
        self.cache.put(hash, live, asked);
        Ok(Some(live))
    }

    /// Deletes the row; the log is told afterwards, by the caller or else by the session closer.
    /// `false` when it was closed already.
    pub async fn close(&self, session: SessionId, reason: CloseReason) -> Result<bool, PgError> {
        let closed = self.rows.close(session, reason, self.clock.now()).await?;
        self.cache.forget(|live| live.session == session);
        Ok(closed)
    }

    /// Deletes every row of the account but one; answers the sessions that were closed.
    pub async fn close_all(
        &self,
        account: AccountId,
        except: Option<SessionId>,
        reason: CloseReason,
        cause: Option<EventId>,
    ) -> Result<Vec<SessionId>, PgError> {
        self.close_opened(account, except, reason, cause, i64::MAX).await
    }

    /// The same, but for sessions that the log tells of after `position`.
    pub async fn close_opened(
        &self,
        account: AccountId,
        except: Option<SessionId>,
        reason: CloseReason,
        cause: Option<EventId>,
        position: i64,
    ) -> Result<Vec<SessionId>, PgError> {
        let now = self.clock.now();
        let closed = self.rows.close_all(account, except, reason, cause, now, position).await?;
        self.cache.forget(|live| closed.contains(&live.session));
        Ok(closed)
    }

    /// Deletes rows whose time is over; answers how many.
    pub async fn close_expired(&self, limit: i64) -> Result<u64, PgError> {
        self.rows.close_expired(self.clock.now(), limit).await
    }

    /// Sessions whose end is not in the log as far as is known: those that somebody closed before
    /// `until`, who may yet tell it, and all that nobody but the session closer will tell of.
    pub async fn closings(
        &self,
        until: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<Closing>, PgError> {
        self.rows.closings(until, limit).await
    }

    /// The log has been told.
    pub async fn closed(&self, sessions: &[SessionId]) -> Result<(), PgError> {
        self.rows.closed(sessions).await
    }
}

impl Live {
    fn is_live(&self, now: DateTime<Utc>) -> bool {
        now < self.idle_until && now < self.absolute_until
    }
}
