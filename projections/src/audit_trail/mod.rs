//! The audit trail: every event of the log, with indexes by actor, type and time.

use chrono::{DateTime, Utc};
use domain::{ActorId, EventId, SessionId, TenantId};
use infra::log::{JsonString, Poison, Projection, Recorded, Row, ToSql, Type};
use infra::postgres::{PgError, Pool};
use uuid::Uuid;

const LIST: &str = include_str!("list.sql");

pub struct AuditTrail;

infra::row! {
    /// One event.
    pub struct Entry {
        pub position: i64,
        pub tenant_id: TenantId,
        pub stream_type: String,
        pub stream_id: Uuid,
        pub version: i64,
        pub event_id: EventId,
        pub event_type: String,
        pub schema_version: i16,
        pub actor: Option<ActorId>,
        pub session: Option<SessionId>,
        pub request: Option<Uuid>,
        pub correlation: Option<Uuid>,
        pub causation: Option<EventId>,
        pub subjects: Vec<Uuid>,
        /// The clear part, byte for byte.
        pub data: JsonString,
        /// The ciphertexts of the personal fields.
        pub sealed: Option<Vec<u8>>,
        pub recorded_at: DateTime<Utc>,
    }
}

impl Projection for AuditTrail {
    const NAME: &'static str = "audit_trail";
    const VERSION: i16 = 1;
    const EVENT_TYPES: &'static [&'static str] = &[];
    const TABLE: &'static str = include_str!("table.sql");
    const INDEXES: &'static str = include_str!("indexes.sql");
    const APPEND_ONLY: bool = true;
    const TAKES_UNKNOWN: bool = true;
    type Key = i64;
    type Row = Entry;

    fn key(event: &Recorded) -> i64 {
        event.position()
    }

    fn fold(row: &mut Option<Entry>, event: &Recorded) -> Result<(), Poison> {
        *row = Some(Entry {
            position: event.position(),
            tenant_id: event.tenant(),
            stream_type: event.stream_type().to_owned(),
            stream_id: event.stream_id(),
            version: event.version(),
            event_id: event.event_id(),
            event_type: event.event_type().to_owned(),
            schema_version: event.schema_version(),
            actor: event.actor(),
            session: event.session(),
            request: event.request(),
            correlation: event.correlation(),
            causation: event.causation(),
            subjects: event.subjects().into_iter().map(|subject| subject.0).collect(),
            data: JsonString(event.data().to_owned()),
            sealed: event.sealed().map(<[u8]>::to_vec),
            recorded_at: event.recorded_at(),
        });
        Ok(())
    }
}

/// Which events to show; what is `None` excludes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub tenant: Option<TenantId>,
    pub stream: Option<Uuid>,
    pub actor: Option<ActorId>,
    pub event_type: Option<String>,
    /// The last position to show.
    pub through: Option<i64>,
    pub since: Option<DateTime<Utc>>,
    /// The first moment that is not shown.
    pub until: Option<DateTime<Utc>>,
}

/// At most `limit` events after the position `after`, in the log's order.
///
/// # Errors
/// The database does not answer.
pub async fn page(
    pool: &Pool,
    filter: &Filter,
    after: i64,
    limit: i64,
) -> Result<Vec<Entry>, PgError> {
    let client = pool.get().await?;
    let through = filter.through.unwrap_or(i64::MAX);
    let (tenant, actor) = (filter.tenant.map(|it| it.0), filter.actor.map(|it| it.0));
    // Planned anew each time: which index serves depends on which filters are given.
    let values: [(&(dyn ToSql + Sync), Type); 9] = [
        (&after, Type::INT8),
        (&through, Type::INT8),
        (&tenant, Type::UUID),
        (&filter.stream, Type::UUID),
        (&actor, Type::UUID),
        (&filter.event_type, Type::TEXT),
        (&filter.since, Type::TIMESTAMPTZ),
        (&filter.until, Type::TIMESTAMPTZ),
        (&limit, Type::INT8),
    ];
    let rows = client.query_typed(LIST, &values).await?;
    rows.iter().map(|row| Ok(Entry::read(row)?)).collect()
}
