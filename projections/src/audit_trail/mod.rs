//! The audit trail: what every event of the log is found by. The events themselves are read from the log.

use chrono::{DateTime, Utc};
use domain::{ActorId, TenantId};
use infra::log::{Feed, FeedError, Origin, Poison, Projection, Reads, Recorded, ToSql, Type};
use infra::postgres::{PgError, Pool, PooledClient, TimeOrder};
use uuid::Uuid;

const OLDEST: &str = concat!(include_str!("find.sql"), "order by position limit $8");
const NEWEST: &str = concat!(include_str!("find.sql"), "order by position desc limit $8");
const OLDEST_IN_STREAM: &str =
    concat!(include_str!("find_in_stream.sql"), "order by version limit $8");
const NEWEST_IN_STREAM: &str =
    concat!(include_str!("find_in_stream.sql"), "order by version desc limit $8");
const FIND_POSITION: &str = include_str!("find_position.sql");
const FIND_EDGE: &str = include_str!("find_edge.sql");
const REACHED: &str = "select coalesce(max(position), 0) from read_models.audit_trail_v2";
const FIND_OF_ACTOR: &str = include_str!("find_of_actor.sql");

pub struct AuditTrail;

infra::row! {
    /// One event.
    pub struct Entry {
        pub position: i64,
        pub tenant_id: TenantId,
        pub actor: Option<ActorId>,
        pub event_type: String,
        pub recorded_at: DateTime<Utc>,
    }
}

impl Projection for AuditTrail {
    const NAME: &'static str = "audit_trail";
    const VERSION: i16 = 2;
    const EVENT_TYPES: &'static [&'static str] = &[];
    const TABLE: &'static str = include_str!("table.sql");
    const INDEXES: &'static str = include_str!("indexes.sql");
    const APPEND_ONLY: bool = true;
    const TAKES_UNKNOWN: bool = true;
    const READS: Reads = Reads { data: false, sealed: false, actor: true, causes: false };
    type Key = i64;
    type Row = Entry;

    fn key(event: &Recorded) -> i64 {
        event.position()
    }

    fn origin(row: &Entry) -> Origin {
        Origin::Position(row.position)
    }

    fn fold(row: &mut Option<Entry>, event: &Recorded) -> Result<(), Poison> {
        *row = Some(Entry {
            position: event.position(),
            tenant_id: event.tenant(),
            actor: event.actor(),
            event_type: event.event_type().to_owned(),
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
    /// The position after which to show.
    pub after: Option<i64>,
    /// The last position to show.
    pub through: Option<i64>,
    pub since: Option<DateTime<Utc>>,
    /// The first moment that is not shown.
    pub until: Option<DateTime<Utc>>,
}

/// At most `limit` events that come after the position `last` in the order; `None`: from its beginning.
///
/// # Errors
/// The database does not answer; the log lacks an event of the trail, or it cannot be read.
pub async fn page(
    pool: &Pool,
    filter: &Filter,
    (order, last): (TimeOrder, Option<i64>),
    limit: i64,
) -> Result<Vec<Recorded>, FeedError> {
    let client = pool.get().await.map_err(PgError::from)?;
    let statement = match filter.stream {
        Some(_) => order.of(NEWEST_IN_STREAM, OLDEST_IN_STREAM),
        None => order.of(NEWEST, OLDEST),
    };
    match order {
        TimeOrder::Oldest => {
            let after = filter.after.max(last).unwrap_or_default();
            let positions = find(&client, statement, filter, after, limit).await?;
            Feed::at(&client, &positions).await
        }
        TimeOrder::Newest => {
            let before_last = last.map(|last| last - 1);
            let through = before_last.into_iter().chain(filter.through).min();
            let filter = Filter { through, ..filter.clone() };
            let after = filter.after.unwrap_or_default();
            let mut positions = find(&client, statement, &filter, after, limit).await?;
            positions.reverse();
            let mut events = Feed::at(&client, &positions).await?;
            events.reverse();
            Ok(events)
        }
    }
}

/// What an actor did of these types since a time, the oldest first: the newest `limit` of it. It does not lag: what
/// the trail has not come to, and what it has parked, is read from the log.
///
/// # Errors
/// The database does not answer; the log lacks an event of the trail, or it cannot be read.
pub async fn of_actor(
    pool: &Pool,
    (actor, types): (ActorId, &[&str]),
    since: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Recorded>, FeedError> {
    let client = pool.get().await.map_err(PgError::from)?;
    // A value, so that it is planned by it: the log behind it is short.
    let reached: i64 = client.query_one(REACHED, &[]).await?.try_get(0)?;
    let values: [(&(dyn ToSql + Sync), Type); 5] = [
        (&actor.0, Type::UUID),
        (&types, Type::TEXT_ARRAY),
        (&since, Type::TIMESTAMPTZ),
        (&limit, Type::INT8),
        (&reached, Type::INT8),
    ];
    let rows = client.query_typed(FIND_OF_ACTOR, &values).await?;
    let positions: Result<Vec<i64>, _> = rows.iter().rev().map(|row| row.try_get(0)).collect();
    Feed::at(&client, &positions?).await
}

/// Where an event of a stream stands in the log; `None` if there is no such event.
///
/// # Errors
/// The database does not answer.
pub async fn position_of(pool: &Pool, stream: Uuid, version: i64) -> Result<Option<i64>, PgError> {
    let client = pool.get().await?;
    let statement = client.prepare_cached(FIND_POSITION).await?;
    let found = client.query_opt(&statement, &[&stream, &version]).await?;
    Ok(found.map(|row| row.try_get(0)).transpose()?)
}

/// The positions of at most `limit` events after the position `after`, in the order of the statement.
async fn find(
    client: &PooledClient,
    statement: &str,
    filter: &Filter,
    after: i64,
    limit: i64,
) -> Result<Vec<i64>, FeedError> {
    let (after, through) = bounds(client, filter, after).await?;
    let (tenant, actor) = (filter.tenant.map(|it| it.0), filter.actor.map(|it| it.0));
    let mut values: Vec<(&(dyn ToSql + Sync), Type)> = vec![
        (&after, Type::INT8),
        (&through, Type::INT8),
        (&tenant, Type::UUID),
        (&actor, Type::UUID),
        (&filter.event_type, Type::TEXT),
        (&filter.since, Type::TIMESTAMPTZ),
        (&filter.until, Type::TIMESTAMPTZ),
        (&limit, Type::INT8),
    ];
    if filter.stream.is_some() {
        values.push((&filter.stream, Type::UUID));
    }
    // Planned anew each time: which index serves depends on which filters are given.
    let rows = client.query_typed(statement, &values).await?;
    let positions: Result<Vec<i64>, _> = rows.iter().map(|row| row.try_get(0)).collect();
    Ok(positions?)
}

/// The positions between which the events of the filter's times are: after the first, up to and with the second.
async fn bounds(
    client: &PooledClient,
    filter: &Filter,
    after: i64,
) -> Result<(i64, i64), FeedError> {
    let (mut after, mut through) = (after, filter.through.unwrap_or(i64::MAX));
    // A stream is walked by itself.
    let of_trail = filter.stream.is_none();
    if let Some(since) = filter.since.filter(|_| of_trail) {
        let (first, _) = edge(client, since).await?;
        after = after.max(first - 1);
    }
    if let Some(until) = filter.until.filter(|_| of_trail) {
        let (_, last) = edge(client, until).await?;
        through = through.min(last);
    }
    Ok((after, through))
}

/// The first position that was recorded at this time or later, and the last that was recorded before.
async fn edge(client: &PooledClient, time: DateTime<Utc>) -> Result<(i64, i64), FeedError> {
    let edge = client.prepare_cached(FIND_EDGE).await?;
    let row = client.query_one(&edge, &[&time]).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}
