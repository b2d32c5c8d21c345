//! How many seats a workspace has, as an operator sets and reads it.

use actix_web::{HttpResponse, web};
use domain::WorkspaceId;
use domain::operator::Scope;
use domain::seat::{LIMIT_MAX, LimitCause, SeatCommand, SeatError, SeatPool, pool_stream};
use infra::event_store::Step;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::ApiData;
use crate::api::auth::caller::Caller;
use crate::api::auth::signed_in::Operator;
use crate::api::http::answer::done;
use crate::api::http::body::Body;
use crate::api::http::fields::{Fields, FromFields, number};
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;

pub fn routes(routes: &mut Routes) {
    routes.add(__path_show, show).add(__path_set, set);
}

#[derive(ToSchema)]
#[schema(example = json!({ "limit": 20 }))]
pub struct SetSeatLimitRequest {
    #[schema(maximum = 10_000)]
    limit: u32,
}

impl FromFields for SetSeatLimitRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let limit = fields.required("limit", number(0, LIMIT_MAX.into()))?;
        u32::try_from(limit).ok().map(|limit| Self { limit })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = SeatLimit)]
pub struct SeatLimitView {
    limit: u32,
    /// `default` or `admin`: whether an operator has set it.
    #[schema(value_type = String)]
    cause: LimitCause,
}

/// How many seats a workspace has.
#[utoipa::path(
    get, path = "/v1/admin/workspaces/{workspace_id}/seat-limit", tag = "operators",
    params(("workspace_id" = uuid::Uuid, Path)),
    responses((status = 200, body = SeatLimitView)),
)]
async fn show(
    api: ApiData,
    operator: Operator,
    workspace: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    operator.needs(Scope::Admin)?;
    let workspace = read(&workspace)?;
    let pool = pool_stream(workspace);
    let loaded = api.app.executor.load::<SeatPool>(workspace.into(), pool).await?;
    let live = loaded.state.live().ok_or(SeatError::Unknown)?;
    let (limit, cause) = (live.limit, live.cause);
    Ok(HttpResponse::Ok().json(SeatLimitView { limit, cause }))
}

fn read(workspace: &str) -> Result<WorkspaceId, Problem> {
    workspace.parse().map(WorkspaceId).map_err(|_| Problem::of(ProblemKind::NotFound))
}

/// Sets how many seats a workspace has. Under a lowered limit nobody is cut off: leases are no
/// longer renewed, those that came last first.
#[utoipa::path(
    put, path = "/v1/admin/workspaces/{workspace_id}/seat-limit", tag = "operators",
    request_body = SetSeatLimitRequest,
    params(("workspace_id" = uuid::Uuid, Path)),
    responses((status = 204, headers(("Lethe-Position" = i64)))),
)]
async fn set(
    api: ApiData,
    operator: Operator,
    caller: Caller,
    workspace: web::Path<String>,
    body: Body<SetSeatLimitRequest>,
) -> Result<HttpResponse, Problem> {
    operator.needs(Scope::Admin)?;
    let (SetSeatLimitRequest { limit }, bytes) = body.read()?;
    let workspace = read(&workspace)?;
    let request = operator.request(Scope::Admin, workspace.into(), (&caller, bytes));
    let sets = SeatCommand::SetLimit { limit, cause: LimitCause::Admin };
    let step = Step::new::<SeatPool>(pool_stream(workspace), sets);
    Ok(done(&api.app.executor.execute(&request, &[step]).await?))
}
