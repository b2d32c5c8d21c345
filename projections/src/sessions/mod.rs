//! Sessions, open and closed: where somebody is signed in.

use chrono::{DateTime, Utc};
use domain::privacy::{Field, LoginIp, LoginUserAgent, sealed_bytes};
use domain::session::SessionEvent;
use domain::{AccountId, DecodeError, Event, SessionId, TenantId};
use infra::log::{Poison, Projection, Recorded, Row};
use infra::postgres::{PgError, Pool};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

const FIND: &str = include_str!("find.sql");
const LIST_OPEN: &str = include_str!("list_open.sql");

pub struct Sessions;

infra::row! {
    /// One session.
    pub struct Session {
        pub session_id: SessionId,
        pub account_id: AccountId,
        pub tenant_id: TenantId,
        /// The event's word for it: `browser` or `client`.
        pub kind: String,
        /// Sealed.
        pub ip: Vec<u8>,
        /// Sealed.
        pub user_agent: Vec<u8>,
        pub opened_at: DateTime<Utc>,
        pub closed_at: Option<DateTime<Utc>>,
        /// The event's word for it.
        pub close_reason: Option<String>,
        pub version: i64,
        pub position: i64,
    }
}

impl Projection for Sessions {
    const NAME: &'static str = "sessions";
    const VERSION: i16 = 1;
    const EVENT_TYPES: &'static [&'static str] = &["session.opened", "session.closed"];
    const TABLE: &'static str = include_str!("table.sql");
    const INDEXES: &'static str = "\
        create index on {table} (account_id, opened_at desc, session_id desc) \
        where closed_at is null";
    const READS_CAUSES: bool = false;
    type Key = SessionId;
    type Row = Session;

    fn key(event: &Recorded) -> SessionId {
        SessionId(event.stream_id())
    }

    fn begins(event: &Recorded) -> bool {
        event.version() == 1
    }

    fn fold(row: &mut Option<Session>, event: &Recorded) -> Result<(), Poison> {
        if event.event_type() == "session.opened" {
            let Opened { account, kind } = decode(event)?;
            *row = Some(Session {
                session_id: SessionId(event.stream_id()),
                account_id: account,
                tenant_id: event.tenant(),
                kind,
                ip: sealed::<LoginIp>(event)?,
                user_agent: sealed::<LoginUserAgent>(event)?,
                opened_at: event.recorded_at(),
                closed_at: None,
                close_reason: None,
                version: event.version(),
                position: event.position(),
            });
        } else {
            let session = row.as_mut().ok_or_else(Poison::no_row)?;
            session.close_reason = Some(decode::<Closed>(event)?.reason);
            session.closed_at = Some(event.recorded_at());
            session.version = event.version();
        }
        Ok(())
    }
}

/// What a row takes from an event, its enums as the words that they are in JSON.
#[derive(Deserialize)]
struct Opened {
    account: AccountId,
    kind: String,
}

#[derive(Deserialize)]
struct Closed {
    reason: String,
}

/// Parses no more than is wanted; older shapes are lifted first.
fn decode<T: DeserializeOwned>(event: &Recorded) -> Result<T, Poison> {
    let (event_type, version) = (event.event_type(), event.schema_version());
    if SessionEvent::TYPES.contains(&(event_type, version)) {
        return Ok(serde_json::from_str(event.data()).map_err(DecodeError::Data)?);
    }
    let lifted = SessionEvent::decode(event_type, version, event.data())?;
    let data = lifted.encode().map_err(DecodeError::Data)?;
    Ok(serde_json::from_str(&data).map_err(DecodeError::Data)?)
}

fn sealed<F: Field>(event: &Recorded) -> Result<Vec<u8>, Poison> {
    let missing = || Poison::Unfit(format!("{} is not in its row", F::DECLARATION.name));
    sealed_bytes::<F>(event.sealed()).map(<[u8]>::to_vec).ok_or_else(missing)
}

/// # Errors
/// The database does not answer.
pub async fn by_id(pool: &Pool, session: SessionId) -> Result<Option<Session>, PgError> {
    let client = pool.get().await?;
    let find = client.prepare_cached(FIND).await?;
    let row = client.query_opt(&find, &[&session.0]).await?;
    Ok(row.as_ref().map(Session::read).transpose()?)
}

/// An account's open sessions, the newest first, at most `limit` of them after `after`.
///
/// # Errors
/// The database does not answer.
pub async fn open(
    pool: &Pool,
    account: AccountId,
    after: Option<(DateTime<Utc>, SessionId)>,
    limit: i64,
) -> Result<Vec<Session>, PgError> {
    let client = pool.get().await?;
    let list = client.prepare_cached(LIST_OPEN).await?;
    let end = DateTime::from_timestamp(32_503_680_000, 0).unwrap_or_default();
    let (opened_at, id) = after.unwrap_or((end, SessionId(Uuid::max())));
    let rows = client.query(&list, &[&account.0, &opened_at, &id.0, &limit]).await?;
    rows.iter().map(|row| Ok(Session::read(row)?)).collect()
}
