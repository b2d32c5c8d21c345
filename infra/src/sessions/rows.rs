//! Sessions as rows of `PostgreSQL`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::session::{CloseReason, SessionKind};
use domain::{AccountId, EventId, SessionId};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::session::{ClosedBy, Closing, LiveSession, NewSession, Period};
use crate::bearer::TokenHash;
use crate::postgres::{PgError, Pool};
use crate::statement::{execute, query, query_opt};

const OPEN: &str = include_str!("open.sql");
const TAKE_OVER: &str = include_str!("take_over.sql");
const FIND: &str = include_str!("find.sql");
const TOUCH: &str = include_str!("touch.sql");
const TAKE_BACK: &str = "delete from working.sessions where session_id = $1 and token_hash = $2";
const PERIODS: &str = "select session_id, last_used_at, least(idle_until, absolute_until), \
    absolute_until from working.sessions where session_id = any ($1)";
const CLOSE: &str = include_str!("close.sql");
const CLOSE_ALL: &str = include_str!("close_all.sql");
const CLOSE_EXPIRED: &str = include_str!("close_expired.sql");
const END_ALL: &str = include_str!("end_all.sql");
const CLOSINGS: &str = include_str!("closings.sql");
const CLOSED: &str = "with gone as (delete from working.sessions where session_id = any ($1)) \
    delete from working.closings where session_id = any ($1)";

#[derive(Clone)]
pub(super) struct Rows(Pool);

impl Rows {
    pub(super) const fn new(pool: Pool) -> Self {
        Self(pool)
    }

    pub(super) async fn open(
        &self,
        open: &NewSession,
        now: DateTime<Utc>,
    ) -> Result<bool, PgError> {
        let idle = i32::try_from(open.idle.num_seconds()).unwrap_or(i32::MAX);
        let (token, absolute) = (open.token.as_bytes(), now + open.absolute);
        let (session, account, kind) = (open.session.0, open.account.0, kind_name(open.kind));
        let version = open.account_version;
        let row: [&(dyn ToSql + Sync); 8] =
            [&token, &session, &account, &kind, &now, &idle, &absolute, &version];
        let opened = execute(&self.0, OPEN, &row).await?;
        Ok(opened == 1)
    }

    pub(super) async fn take_over(
        &self,
        open: &NewSession,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<bool, PgError> {
        let idle = i32::try_from(open.idle.num_seconds()).unwrap_or(i32::MAX);
        let (token, absolute) = (open.token.as_bytes(), now + open.absolute);
        let (session, account, kind) = (open.session.0, open.account.0, kind_name(open.kind));
        let version = open.account_version;
        let row: [&(dyn ToSql + Sync); 9] =
            [&token, &session, &account, &kind, &now, &idle, &absolute, &version, &until];
        Ok(execute(&self.0, TAKE_OVER, &row).await? == 1)
    }

    pub(super) async fn find(
        &self,
        token: &TokenHash,
        now: DateTime<Utc>,
    ) -> Result<Option<LiveSession>, PgError> {
        let row = query_opt(&self.0, FIND, &[&token.as_bytes(), &now]).await?;
        row.map(|row| live(&row)).transpose()
    }

    pub(super) async fn touch(
        &self,
        token: &TokenHash,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, PgError> {
        let row = query_opt(&self.0, TOUCH, &[&token.as_bytes(), &now]).await?;
        row.map(|row| row.try_get(0)).transpose().map_err(PgError::from)
    }

    pub(super) async fn periods(
        &self,
        sessions: &[SessionId],
    ) -> Result<HashMap<SessionId, Period>, PgError> {
        let sessions: Vec<Uuid> = sessions.iter().map(|session| session.0).collect();
        let rows = query(&self.0, PERIODS, &[&sessions]).await?;
        let read = |row: &Row| -> Result<(SessionId, Period), PgError> {
            let period = Period {
                last_used_at: row.try_get(1)?,
                idle_until: row.try_get(2)?,
                absolute_until: row.try_get(3)?,
            };
            Ok((SessionId(row.try_get(0)?), period))
        };
        rows.iter().map(read).collect()
    }

    pub(super) async fn close(
        &self,
        session: SessionId,
        reason: CloseReason,
        now: DateTime<Utc>,
    ) -> Result<bool, PgError> {
        let reason = reason_name(reason);
        Ok(execute(&self.0, CLOSE, &[&session.0, &reason, &now]).await? == 1)
    }

    pub(super) async fn take_back(
        &self,
        session: SessionId,
        token: &TokenHash,
    ) -> Result<(), PgError> {
        execute(&self.0, TAKE_BACK, &[&session.0, &token.as_bytes()]).await.map(drop)
    }

    pub(super) async fn close_all(
        &self,
        account: AccountId,
        except: Option<SessionId>,
        reason: CloseReason,
        cause: Option<EventId>,
        now: DateTime<Utc>,
        by: ClosedBy,
    ) -> Result<Vec<SessionId>, PgError> {
        let (except, cause) = (except.map(|one| one.0), cause.map(|event| event.0));
        let reason = reason_name(reason);
        let ClosedBy { position, version } = by;
        let values: [&(dyn ToSql + Sync); 7] =
            [&account.0, &except, &reason, &cause, &now, &position, &version];
        let rows = query(&self.0, CLOSE_ALL, &values).await?;
        let closed = rows.iter().map(|row| row.try_get(0).map(SessionId));
        Ok(closed.collect::<Result<_, _>>()?)
    }

    pub(super) async fn close_expired(
        &self,
        now: DateTime<Utc>,
        limit: i64,
    ) -> Result<u64, PgError> {
        execute(&self.0, CLOSE_EXPIRED, &[&now, &limit]).await
    }

    /// How many were ended, and the last of them; `None`: there are none after `after`.
    pub(super) async fn end_all(
        &self,
        now: DateTime<Utc>,
        after: Uuid,
        limit: i64,
    ) -> Result<Option<(i64, Uuid)>, PgError> {
        let page = query_opt(&self.0, END_ALL, &[&now, &after, &limit]).await?;
        let Some(page) = page else { return Ok(None) };
        Ok(Some((page.try_get(0)?, page.try_get(1)?)))
    }

    pub(super) async fn closings(
        &self,
        until: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<Closing>, PgError> {
        let rows = query(&self.0, CLOSINGS, &[&until, &limit]).await?;
        rows.iter().map(closing).collect()
    }

    pub(super) async fn closed(&self, sessions: &[SessionId]) -> Result<(), PgError> {
        let sessions: Vec<Uuid> = sessions.iter().map(|session| session.0).collect();
        execute(&self.0, CLOSED, &[&sessions]).await.map(drop)
    }
}

fn live(row: &Row) -> Result<LiveSession, PgError> {
    Ok(LiveSession {
        session: SessionId(row.try_get("session_id")?),
        account: AccountId(row.try_get("account_id")?),
        kind: named(row.try_get("kind")?)?,
        opened_at: row.try_get("opened_at")?,
        last_used_at: row.try_get("last_used_at")?,
        idle_until: row.try_get("idle_until")?,
        absolute_until: row.try_get("absolute_until")?,
    })
}

fn closing(row: &Row) -> Result<Closing, PgError> {
    Ok(Closing {
        session: SessionId(row.try_get("session_id")?),
        account: AccountId(row.try_get("account_id")?),
        reason: named(row.try_get("reason")?)?,
        cause: row.try_get::<_, Option<Uuid>>("cause")?.map(EventId),
        closed_at: row.try_get("closed_at")?,
    })
}

const fn kind_name(kind: SessionKind) -> &'static str {
    match kind {
        SessionKind::Browser => "browser",
        SessionKind::Client => "client",
    }
}

const fn reason_name(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::SignedOut => "signed_out",
        CloseReason::ClosedFromAnother => "closed_from_another",
        CloseReason::PasswordChanged => "password_changed",
        CloseReason::ErasureRequested => "erasure_requested",
        CloseReason::Idle => "idle",
        CloseReason::Expired => "expired",
    }
}

/// The variant that serde calls by this name.
fn named<'de, T: Deserialize<'de>>(name: &'de str) -> Result<T, PgError> {
    let named: StrDeserializer<'de, Error> = name.into_deserializer();
    T::deserialize(named).map_err(|error| PgError::Database(error.to_string()))
}
