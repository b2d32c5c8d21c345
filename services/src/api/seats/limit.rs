//! How many seats a workspace has, as an operator sets and reads it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use domain::WorkspaceId;
use domain::seat::{LIMIT_MAX, LimitCause, SeatCommand, SeatError, SeatPool, pool_stream};
use infra::event_store::Step;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::auth::operator::{Admin, Operator};
use crate::api::auth::path_resources::PathId;
use crate::api::http::answer::{Read, at_version, shown_if_read};
use crate::api::http::body::Body;
use crate::api::http::fields::{Fields, FromFields, number};
use crate::api::http::precondition::MustMatch;
use crate::api::http::problem::Problem;
use crate::api::http::routes::Routes;
use crate::api::operators::change::WorkspaceChange;
use crate::api::{Api, ApiData};

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
    responses((status = 200, body = SeatLimitView, headers(("ETag" = String)))),
)]
async fn show(
    api: ApiData,
    _: Operator<Admin>,
    workspace: PathId<WorkspaceId>,
) -> Result<HttpResponse, Problem> {
    let (version, view) = read(&api, workspace.get()?).await?;
    Ok(at_version(version, view))
}

async fn read(api: &Api, workspace: WorkspaceId) -> Read<SeatLimitView> {
    let pool = pool_stream(workspace);
    let loaded = api.app.executor.load::<SeatPool>(workspace.into(), pool).await?;
    let live = loaded.state.live().ok_or(SeatError::Unknown)?;
    Ok((loaded.version, SeatLimitView { limit: live.limit, cause: live.cause }))
}

/// Sets how many seats a workspace has. Under a lowered limit nobody is cut off: leases are no
/// longer renewed, those that came last first. Each lease changes the `ETag`, too: where these do not matter,
/// send `*`.
#[utoipa::path(
    put, path = "/v1/admin/workspaces/{workspace_id}/seat-limit", tag = "operators",
    request_body = SetSeatLimitRequest,
    params(("workspace_id" = uuid::Uuid, Path), MustMatch),
    responses((status = 200, body = SeatLimitView,
            headers(("ETag" = String), ("Lethe-Position" = i64)))),
)]
async fn set(
    api: ApiData,
    change: WorkspaceChange,
    matches: MustMatch,
    body: Body<SetSeatLimitRequest>,
) -> Result<HttpResponse, Problem> {
    let (SetSeatLimitRequest { limit }, bytes) = body.read()?;
    let sets = SeatCommand::SetLimit { limit, cause: LimitCause::Admin };
    let step = matches.0.on(Step::new::<SeatPool>(pool_stream(change.workspace), sets))?;
    let receipt = api.app.executor.execute(&change.request(bytes), &[step]).await?;
    Ok(shown_if_read(StatusCode::OK, &receipt, read(&api, change.workspace)).await)
}
