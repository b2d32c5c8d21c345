//! What an operator sees and does: readers, parked streams, the log's lock.

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use domain::operator::{Operator as Token, OperatorCommand};
use infra::event_store::Step;
use infra::log::{self, Parked, ReaderStatus};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::ApiData;
use crate::api::auth::caller::Caller;
use crate::api::auth::operator::{Admin, Operator};
use crate::api::http::answer::accepted;
use crate::api::http::body::{Body, Query};
use crate::api::http::cursor::Page;
use crate::api::http::fields::{Fields, Nothing, text};
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::listing::{ListFilter, Listing, Order};
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;

const LOG_LOCK: &str = include_str!("find_log_lock.sql");
const PARKED: &str = include_str!("find_parked.sql");

pub fn routes(routes: &mut Routes) {
    routes
        .add(__path_projections, projections)
        .add(__path_parked_streams, parked_streams)
        .add(__path_release, release)
        .add(__path_log_lock, log_lock);
}

#[derive(Serialize, ToSchema)]
pub struct Readers {
    /// The log's last position.
    head: i64,
    items: Vec<ReaderView>,
}

/// A projection or a worker, and how far it has come.
#[derive(Serialize, ToSchema)]
#[schema(as = Reader)]
pub struct ReaderView {
    name: String,
    version: i16,
    /// The generation that a projection shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<i32>,
    kind: String,
    position: i64,
    lag_events: i64,
    lag_seconds: f64,
    /// The node that reads for it.
    node_id: Option<Uuid>,
    parked_streams: i64,
    last_error: Option<String>,
    /// How far a replay has come, and how far it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<Replay>,
}

#[derive(Serialize, ToSchema)]
pub struct Replay {
    position: i64,
    ceiling: i64,
}

impl From<ReaderStatus> for ReaderView {
    fn from(status: ReaderStatus) -> Self {
        Self {
            name: status.name,
            version: status.version,
            generation: (status.generation > 0).then_some(status.generation),
            kind: status.kind,
            position: status.position,
            lag_events: status.lag_events,
            lag_seconds: status.lag_seconds,
            node_id: status.node,
            parked_streams: status.parked,
            last_error: status.last_error,
            replay: status.replay.map(|(position, ceiling)| Replay { position, ceiling }),
        }
    }
}

/// Every reader of the log: position, lag, owner.
#[utoipa::path(
    get, path = "/v1/admin/projections", tag = "operators",
    responses((status = 200, body = Readers)),
)]
async fn projections(api: ApiData, _: Operator<Admin>) -> Result<HttpResponse, Problem> {
    let readers = log::status(&api.app.pool).await?;
    let head = readers.first().map_or(0, |reader| reader.head);
    let items = readers.into_iter().map(ReaderView::from).collect();
    Ok(HttpResponse::Ok().json(Readers { head, items }))
}

/// A stream that waits, for one reader, from its poisonous event on.
#[derive(Serialize, ToSchema)]
pub struct ParkedStream {
    reader: String,
    version: i16,
    stream_id: Uuid,
    from_position: i64,
    error: String,
    parked_at: DateTime<Utc>,
    /// A replay was requested, and the stream has not been read again yet.
    released_at: Option<DateTime<Utc>>,
}

impl From<Parked> for ParkedStream {
    fn from(parked: Parked) -> Self {
        Self {
            reader: parked.reader,
            version: parked.version,
            stream_id: parked.stream,
            from_position: parked.from_position,
            error: parked.error,
            parked_at: parked.parked_at,
            released_at: parked.released_at,
        }
    }
}

#[derive(Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ParkedFilter {
    /// Those that wait for this reader.
    #[param(min_length = 1, max_length = 100, pattern = "^[a-z_]+$")]
    reader: Option<String>,
}

type ParkedListing = Listing<ParkedFilter>;

impl ListFilter for ParkedFilter {
    const ORDERS: &'static [Order] = &[Order::Name];

    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { reader: fields.optional("reader", text(reader))? })
    }
}

fn reader(name: &str) -> Result<String, &'static str> {
    let fits = (1..=100).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    fits.then(|| name.to_owned()).ok_or("this must be the name of a reader, such as accounts")
}

/// The streams that are parked, by reader.
#[utoipa::path(
    get, path = "/v1/admin/parked-streams", tag = "operators",
    params(ParkedListing), responses((status = 200, body = Page<ParkedStream>)),
)]
async fn parked_streams(
    api: ApiData,
    operator: Operator<Admin>,
    query: Query<ParkedListing>,
) -> Result<HttpResponse, Problem> {
    let Query(listing) = query;
    let path = "/v1/admin/parked-streams";
    let page = listing.page::<(String, i16, Uuid)>(&api, operator.tenant(), path).await?;
    let (of, after) = (listing.filter.reader.as_deref(), page.after.as_ref());
    let after = after.map(|(reader, version, stream)| (&**reader, *version, *stream));
    let parked = log::parked(&api.app.pool, of, after, page.rows()).await?;
    let parked: Vec<ParkedStream> = parked.into_iter().map(ParkedStream::from).collect();
    let page = page.of(parked, |at| (at.reader.clone(), at.version, at.stream_id)).await?;
    Ok(HttpResponse::Ok().json(page))
}

/// Releases a parked stream, in order, from its poisonous event on.
#[utoipa::path(
    post, path = "/v1/admin/parked-streams/{reader}/{stream_id}/release", tag = "operators",
    params(("reader" = String, Path), ("stream_id" = Uuid, Path),
        IdempotencyKey),
    responses((status = 202)),
)]
async fn release(
    api: ApiData,
    operator: Operator<Admin>,
    caller: Caller,
    path: web::Path<(String, String)>,
    body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (Nothing, bytes) = body.read()?;
    let not_found = || Problem::of(ProblemKind::NotFound);
    let (reader, stream) = path.into_inner();
    let stream: Uuid = stream.parse().map_err(|_| not_found())?;
    if !reader.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(not_found());
    }
    let parked = api.query_opt(PARKED, &[&reader, &stream]).await?.ok_or_else(not_found)?;
    let releases = OperatorCommand::ReleaseStream { stream, position: parked.try_get(0)? };
    let request = operator.request(operator.tenant(), (&caller, bytes));
    let step = Step::new::<Token>(operator.id().0, releases);
    let receipt = api.app.executor.execute(&request, &[step]).await?;
    log::release(&api.app.pool, &reader, stream).await?;
    Ok(accepted(&receipt))
}

#[derive(Serialize, ToSchema)]
pub struct LogLock {
    /// Empty while nobody writes. The holder comes first, then those who wait.
    items: Vec<LogLockShare>,
}

#[derive(Serialize, ToSchema)]
pub struct LogLockShare {
    pid: i32,
    application: Option<String>,
    holds: bool,
    /// When it began to wait, or, of the holder, its transaction. Known where the database lets us see it.
    began_at: Option<DateTime<Utc>>,
}

/// Shows who holds the log's lock, which every append takes, and who waits for it.
#[utoipa::path(
    get, path = "/v1/admin/log-lock", tag = "operators",
    responses((status = 200, body = LogLock)),
)]
async fn log_lock(api: ApiData, _: Operator<Admin>) -> Result<HttpResponse, Problem> {
    let rows = api.query(LOG_LOCK, &[]).await?;
    let items = rows.iter().map(|row| {
        let (began, waits): (Option<_>, Option<_>) = (row.try_get(3)?, row.try_get(4)?);
        Ok(LogLockShare {
            pid: row.try_get(0)?,
            application: row.try_get(1)?,
            holds: row.try_get(2)?,
            began_at: waits.or(began),
        })
    });
    let items = items.collect::<Result<_, tokio_postgres::Error>>()?;
    Ok(HttpResponse::Ok().json(LogLock { items }))
}
