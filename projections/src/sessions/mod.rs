//! Sessions, open and closed: where somebody is signed in.

use chrono::{DateTime, Utc};
use domain::privacy::{Field, LoginIp, LoginUserAgent, sealed_bytes};
use domain::session::SessionEvent;
use domain::{AccountId, Event, SessionId, TenantId};
use infra::log::{Poison, Projection, Recorded, Row};
use infra::postgres::{PgError, Pool};
use uuid::Uuid;

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
    const INDEXES: &'static str = include_str!("indexes.sql");
    type Key = SessionId;
    type Row = Session;

    fn key(event: &Recorded) -> SessionId {
        SessionId(event.stream_id())
    }

    fn begins(event: &Recorded) -> bool {
        event.version() == 1
    }

    fn fold(row: &mut Option<Session>, event: &Recorded) -> Result<(), Poison> {
        let told = SessionEvent::decode(event.event_type(), event.schema_version(), event.data())?;
        match told {
            SessionEvent::Opened { account, kind, .. } => {
                *row = Some(Session {
                    session_id: SessionId(event.stream_id()),
                    account_id: account,
                    tenant_id: event.tenant(),
                    kind: word(&kind)?,
                    ip: sealed::<LoginIp>(event)?,
                    user_agent: sealed::<LoginUserAgent>(event)?,
                    opened_at: event.recorded_at(),
                    closed_at: None,
                    close_reason: None,
                    version: event.version(),
                    position: event.position(),
                });
            }
            SessionEvent::Closed { reason } => {
                let session = row.as_mut().ok_or_else(Poison::no_row)?;
                session.close_reason = Some(word(&reason)?);
                session.closed_at = Some(event.recorded_at());
                session.version = event.version();
            }
            SessionEvent::Refused { .. } => {}
        }
        Ok(())
    }
}

fn sealed<F: Field>(event: &Recorded) -> Result<Vec<u8>, Poison> {
    let missing = || Poison::Unfit(format!("{} is not in its row", F::DECLARATION.name));
    sealed_bytes::<F>(event.sealed()).map(<[u8]>::to_vec).ok_or_else(missing)
}

/// The word that an enum of an event has in JSON.
fn word(of: &impl serde::Serialize) -> Result<String, Poison> {
    let quoted = serde_json::to_string(of).map_err(domain::Undecodable::Data)?;
    Ok(quoted.trim_matches('"').to_owned())
}

/// # Errors
/// The database's.
pub async fn by_id(pool: &Pool, session: SessionId) -> Result<Option<Session>, PgError> {
    let client = pool.get().await?;
    let find = client.prepare_cached(include_str!("find.sql")).await?;
    let row = client.query_opt(&find, &[&session.0]).await?;
    Ok(row.as_ref().map(Session::read).transpose()?)
}

/// An account's open sessions, the newest first, at most `limit` of them after `after`.
///
/// # Errors
/// The database's.
pub async fn open(
    pool: &Pool,
    account: AccountId,
    after: Option<(DateTime<Utc>, SessionId)>,
    limit: i64,
) -> Result<Vec<Session>, PgError> {
    let client = pool.get().await?;
    let list = client.prepare_cached(include_str!("list_open.sql")).await?;
    let end = DateTime::from_timestamp(32_503_680_000, 0).unwrap_or_default();
    let (opened_at, id) = after.unwrap_or((end, SessionId(Uuid::max())));
    let rows = client.query(&list, &[&account.0, &opened_at, &id.0, &limit]).await?;
    rows.iter().map(|row| Ok(Session::read(row)?)).collect()
}
