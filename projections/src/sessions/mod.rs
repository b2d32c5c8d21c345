//! Sessions, open and closed: where somebody is signed in.

use chrono::{DateTime, Utc};
use domain::privacy::{Field, LoginIp, LoginUserAgent, sealed_bytes};
use domain::session::SessionEvent;
use domain::{AccountId, DecodeError, Event, SessionId, TenantId};
use infra::log::{Origin, Poison, Projection, Reads, Recorded, Row, ToSql, Type};
use infra::postgres::{PgError, Pool, TimeOrder, TimePlace};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

const LIST_NEWEST: &str =
    concat!(include_str!("list_open.sql"), "order by opened_at desc, session_id desc limit $7");
const LIST_OLDEST: &str =
    concat!(include_str!("list_open.sql"), "order by opened_at, session_id limit $7");

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
    const READS: Reads = Reads::CONTENT;
    type Key = SessionId;
    type Row = Session;

    fn key(event: &Recorded) -> SessionId {
        SessionId(event.stream_id())
    }

    fn origin(row: &Session) -> Origin {
        Origin::Stream(row.session_id.0)
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

/// Which open sessions to show; what is `None` excludes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    pub kind: Option<&'a str>,
    /// Opened then or later.
    pub since: Option<DateTime<Utc>>,
    /// The first moment that is not shown.
    pub until: Option<DateTime<Utc>>,
}

/// An account's open sessions, at most `limit` of them after `last`.
///
/// # Errors
/// The database does not answer.
pub async fn open(
    pool: &Pool,
    account: AccountId,
    Filter { kind, since, until }: Filter<'_>,
    (order, last): (TimeOrder, Option<TimePlace>),
    limit: i64,
) -> Result<Vec<Session>, PgError> {
    let client = pool.get().await?;
    let (from, to) = order.between(last);
    let from = since.map_or(from, |since| from.max((since, Uuid::nil())));
    let to = until.map_or(to, |until| to.min((until, Uuid::nil())));
    let values: [(&(dyn ToSql + Sync), Type); 7] = [
        (&account.0, Type::UUID),
        (&from.0, Type::TIMESTAMPTZ),
        (&from.1, Type::UUID),
        (&to.0, Type::TIMESTAMPTZ),
        (&to.1, Type::UUID),
        (&kind, Type::TEXT),
        (&limit, Type::INT8),
    ];
    // Planned anew each time: the index serves a page whose limit and bounds are known.
    let rows = client.query_typed(order.of(LIST_NEWEST, LIST_OLDEST), &values).await?;
    rows.iter().map(|row| Ok(Session::read(row)?)).collect()
}
