//! The generations of projections: to look at, to compare, to promote and to take back.

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use infra::log::{self, Comparison, Difference, Differs, Generation, Reader};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::large_read;
use crate::api::ApiData;
use crate::api::auth::caller::Caller;
use crate::api::auth::operator::{Admin, Operator};
use crate::api::http::answer::accepted;
use crate::api::http::body::{Body, Query};
use crate::api::http::fields::{Fields, FromFields, Nothing, digits};
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::operations::change_generation::{Change, change_generation};

const NAMED_MAX: i64 = 1000;

pub fn routes(routes: &mut Routes) {
    let in_state = [ProblemKind::GenerationState];
    routes.add(__path_list, list);
    routes.add(__path_comparison, comparison).refuses(&in_state);
    routes.add(__path_promote, promote).refuses(&in_state);
    routes.add(__path_roll_back, roll_back).refuses(&in_state);
    routes.add(__path_discard, discard).refuses(&in_state);
}

#[derive(Serialize, ToSchema)]
pub struct Generations {
    items: Vec<GenerationView>,
}

/// A table of a projection that was built from the log, or is being built.
#[derive(Serialize, ToSchema)]
#[schema(as = Generation)]
pub struct GenerationView {
    generation: i32,
    /// The projection's; a node reads those of its own version.
    version: i16,
    /// `requested`, `building`, `joined` (written, and not shown), `live` (shown), `kept` (was shown, and is written still),
    /// `dropped`, `cancelled` or `failed`.
    state: &'static str,
    /// Its rows are those of the events up to here.
    position: i64,
    /// How far it is built before it is joined.
    ceiling: i64,
    parked_streams: i64,
    /// Of its table and indexes.
    bytes: i64,
    /// SHA-256 of the programme that has built it; empty: it is not known.
    build: String,
    /// The node that builds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    node_id: Option<Uuid>,
    requested_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    built_at: Option<DateTime<Utc>>,
    /// When it was shown last.
    #[serde(skip_serializing_if = "Option::is_none")]
    live_at: Option<DateTime<Utc>>,
    /// Until then a kept one is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
    /// When it was dropped or cancelled, or has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl From<Generation> for GenerationView {
    fn from(generation: Generation) -> Self {
        Self {
            generation: generation.generation,
            version: generation.version,
            state: generation.state.as_str(),
            position: generation.position,
            ceiling: generation.ceiling,
            parked_streams: generation.parked,
            bytes: generation.bytes,
            build: generation.build,
            node_id: generation.node,
            requested_at: generation.requested_at,
            built_at: generation.built_at,
            live_at: generation.live_at,
            expires_at: generation.keep_until,
            ended_at: generation.ended_at,
            error: generation.error,
        }
    }
}

/// In what a generation differs from the one that is shown, at the same position.
#[derive(Serialize, ToSchema)]
#[schema(as = GenerationComparison)]
pub struct ComparisonView {
    generation: i32,
    /// The one that is shown.
    live_generation: i32,
    /// Both have the events up to here.
    position: i64,
    /// How many rows of the generation were compared.
    rows: i64,
    /// How many of the one that is shown.
    live_rows: i64,
    /// Whether all rows were compared; else so many differ as were asked for.
    complete: bool,
    items: Vec<DifferenceView>,
}

/// A row in which they differ.
#[derive(Serialize, ToSchema)]
#[schema(as = GenerationDifference)]
pub struct DifferenceView {
    /// The first column.
    key: String,
    /// `missing` (the generation does not have it), `more` (only the generation has it) or `changed`.
    differs: &'static str,
    /// Those that are not the same. What they hold is not shown.
    columns: Vec<String>,
}

impl From<Comparison> for ComparisonView {
    fn from(comparison: Comparison) -> Self {
        let [live_rows, rows] = comparison.rows;
        Self {
            generation: comparison.generation,
            live_generation: comparison.live,
            position: comparison.position,
            rows,
            live_rows,
            complete: comparison.is_complete,
            items: comparison.differing.into_iter().map(DifferenceView::from).collect(),
        }
    }
}

impl From<Difference> for DifferenceView {
    fn from(Difference { key, is }: Difference) -> Self {
        let (differs, columns) = match is {
            Differs::Missing => ("missing", vec![]),
            Differs::More => ("more", vec![]),
            Differs::Changed { columns } => ("changed", columns),
        };
        Self { key, differs, columns }
    }
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ComparisonQuery {
    /// It ends where so many rows differ; 1000 unless given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
}

impl FromFields for ComparisonQuery {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { limit: fields.optional("limit", digits(1, NAMED_MAX))? })
    }
}

fn not_found() -> Problem {
    Problem::of(ProblemKind::NotFound)
}

/// A worker has no generations.
fn projection(name: &str) -> Result<Reader, Problem> {
    projections::named(name).ok_or_else(not_found)
}

fn generation((name, generation): (String, String)) -> Result<(Reader, i32), Problem> {
    let number = generation.parse().ok().filter(|number| *number > 0);
    Ok((projection(&name)?, number.ok_or_else(not_found)?))
}

/// The generations of a projection, of each of its versions, the newest first: at most 100.
#[utoipa::path(
    get, path = "/v1/admin/projections/{name}/generations", tag = "operators",
    params(("name" = String, Path)), responses((status = 200, body = Generations)),
)]
async fn list(
    api: ApiData,
    _: Operator<Admin>,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let reader = projection(&name)?;
    let generations = log::generations(&api.app.pool, reader.name()).await?;
    let items = generations.into_iter().map(GenerationView::from).collect();
    Ok(HttpResponse::Ok().json(Generations { items }))
}

/// In what a generation that is joined or kept differs from the one that is shown. Of tables for which a request does not
/// wait long enough, `lethe replay NAME --compare GENERATION` says it.
#[utoipa::path(
    get, path = "/v1/admin/projections/{name}/generations/{generation}/comparison", tag = "operators",
    params(("name" = String, Path), ("generation" = i32, Path), ComparisonQuery),
    responses((status = 200, body = ComparisonView)),
)]
async fn comparison(
    api: ApiData,
    _: Operator<Admin>,
    path: web::Path<(String, String)>,
    query: Query<ComparisonQuery>,
) -> Result<HttpResponse, Problem> {
    let (reader, generation) = generation(path.into_inner())?;
    let limit = query.0.limit.unwrap_or(NAMED_MAX);
    let limit = usize::try_from(limit).map_err(|error| Problem::internal(&error))?;
    let _only = large_read()?;
    let compared = log::compare(&api.app.pool, &reader, generation, limit).await?;
    Ok(HttpResponse::Ok().json(ComparisonView::from(compared)))
}

/// Has a projection show this generation, which is joined or kept. The one that was shown is kept, and written, for
/// `replay_keep_hours`.
#[utoipa::path(
    post, path = "/v1/admin/projections/{name}/generations/{generation}/promote", tag = "operators",
    params(("name" = String, Path), ("generation" = i32, Path), IdempotencyKey),
    responses((status = 202, headers(("Lethe-Position" = i64)))),
)]
async fn promote(
    api: ApiData,
    operator: Operator<Admin>,
    caller: Caller,
    path: web::Path<(String, String)>,
    body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (Nothing, bytes) = body.read()?;
    let (reader, generation) = generation(path.into_inner())?;
    change(&api, operator, (&caller, bytes), &reader, Change::Promote(generation)).await
}

/// Has a projection show the kept generation again that was shown last, with all that came since.
#[utoipa::path(
    post, path = "/v1/admin/projections/{name}/rollback", tag = "operators",
    params(("name" = String, Path), IdempotencyKey),
    responses((status = 202, headers(("Lethe-Position" = i64)))),
)]
async fn roll_back(
    api: ApiData,
    operator: Operator<Admin>,
    caller: Caller,
    name: web::Path<String>,
    body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (Nothing, bytes) = body.read()?;
    change(&api, operator, (&caller, bytes), &projection(&name)?, Change::RollBack).await
}

/// Drops a generation that is joined or kept.
#[utoipa::path(
    post, path = "/v1/admin/projections/{name}/generations/{generation}/discard", tag = "operators",
    params(("name" = String, Path), ("generation" = i32, Path), IdempotencyKey),
    responses((status = 202, headers(("Lethe-Position" = i64)))),
)]
async fn discard(
    api: ApiData,
    operator: Operator<Admin>,
    caller: Caller,
    path: web::Path<(String, String)>,
    body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (Nothing, bytes) = body.read()?;
    let (reader, generation) = generation(path.into_inner())?;
    change(&api, operator, (&caller, bytes), &reader, Change::Discard(generation)).await
}

async fn change(
    api: &ApiData,
    operator: Operator<Admin>,
    (caller, bytes): (&Caller, Vec<u8>),
    reader: &Reader,
    change: Change,
) -> Result<HttpResponse, Problem> {
    let request = operator.request(operator.tenant(), (caller, bytes));
    let receipt = change_generation(&api.app, operator.id(), reader, change, &request).await?;
    Ok(accepted(&receipt))
}
