//! Workspaces without an owner, and what an operator does for those who are left.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::workspace::{Hastening, Role, Workspace};
use domain::{AccountId, WorkspaceId};
use projections::workspaces::{RestrictedWorkspace, restricted};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::auth::operator::{Admin, Operator};
use crate::api::auth::path_resources::{PathId, nothing};
use crate::api::http::answer::{Read, accepted, at_version, done, shown_if_read};
use crate::api::http::body::{Body, Query};
use crate::api::http::cursor::Page;
use crate::api::http::fields::{Fields, FromFields, Nothing, text};
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::listing::{ListFilter, Listing, Order};
use crate::api::http::precondition::{MustMatch, etag};
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::operators::change::WorkspaceChange;
use crate::api::{Api, ApiData};
use crate::operations::hasten_deletion;
use crate::operations::owners::appoint;

/// There is no such workspace, account or member; its erasure is requested; it has an owner, or is not being deleted.
const APPOINTS: &[ProblemKind] = &[
    ProblemKind::NotFound,
    ProblemKind::OwnsWorkspaces,
    ProblemKind::Refused,
    ProblemKind::WorkspaceDeleting,
];

pub fn routes(routes: &mut Routes) {
    routes
        .add(__path_list, list)
        .add(__path_show_owners, show_owners)
        .refuses(&[ProblemKind::NotFound])
        .add(__path_appoint_owner, appoint_owner)
        .refuses(APPOINTS)
        .add(__path_hasten, hasten)
        .refuses(&[ProblemKind::NotFound, ProblemKind::Refused])
        .add(__path_keep, keep)
        .refuses(APPOINTS);
}

#[derive(Serialize, ToSchema)]
#[schema(as = RestrictedWorkspace)]
pub struct RestrictedWorkspaceView {
    workspace_id: Uuid,
    /// Since then nobody owns it.
    restricted_at: DateTime<Utc>,
    members: i64,
    /// To be sent as `If-Match` with a change of it.
    etag: String,
}

impl From<RestrictedWorkspace> for RestrictedWorkspaceView {
    fn from(found: RestrictedWorkspace) -> Self {
        let RestrictedWorkspace { workspace, since, members, version } = found;
        Self { workspace_id: workspace.0, restricted_at: since, members, etag: etag(version) }
    }
}

#[derive(Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RestrictedFilter {}

type RestrictedListing = Listing<RestrictedFilter>;

impl ListFilter for RestrictedFilter {
    const ORDERS: &'static [Order] = &[Order::Oldest];

    fn read(_: &mut Fields) -> Option<Self> {
        Some(Self {})
    }
}

/// The workspaces that nobody owns, and that are not being deleted; the longest restricted first.
#[utoipa::path(
    get, path = "/v1/admin/restricted-workspaces", tag = "operators",
    params(RestrictedListing),
    responses((status = 200, body = Page<RestrictedWorkspaceView>)),
)]
async fn list(
    api: ApiData,
    operator: Operator<Admin>,
    query: Query<RestrictedListing>,
) -> Result<HttpResponse, Problem> {
    let Query(listing) = query;
    let path = "/v1/admin/restricted-workspaces";
    let page = listing.page::<(DateTime<Utc>, Uuid)>(&api, operator.tenant(), path).await?;
    let after = page.after.map(|(since, id)| (since, WorkspaceId(id)));
    let found = restricted(&api.app.pool, after, page.rows()).await?;
    let found: Vec<_> = found.into_iter().map(RestrictedWorkspaceView::from).collect();
    let page = page.of(found, |at| (at.restricted_at, at.workspace_id)).await?;
    Ok(HttpResponse::Ok().json(page))
}

#[derive(Serialize, ToSchema)]
#[schema(as = WorkspaceOwners)]
pub struct OwnersView {
    /// None while nobody owns it.
    items: Vec<OwnerView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = WorkspaceOwner)]
pub struct OwnerView {
    account_id: Uuid,
}

/// Who owns a workspace. The `ETag` is that of the workspace: each change of it changes it.
#[utoipa::path(
    get, path = "/v1/admin/workspaces/{workspace_id}/owner", tag = "operators",
    params(("workspace_id" = Uuid, Path)),
    responses((status = 200, body = OwnersView, headers(("ETag" = String)))),
)]
async fn show_owners(
    api: ApiData,
    _: Operator<Admin>,
    workspace: PathId<WorkspaceId>,
) -> Result<HttpResponse, Problem> {
    let (version, view) = read_owners(&api, workspace.get()?).await?;
    Ok(at_version(version, view))
}

async fn read_owners(api: &Api, workspace: WorkspaceId) -> Read<OwnersView> {
    let loaded = api.app.executor.load::<Workspace>(workspace.into(), workspace.0).await?;
    let live = loaded.state.live().ok_or_else(nothing)?;
    let owners = live.members.iter().filter(|(_, role)| **role == Role::Owner);
    let items = owners.map(|(account, _)| OwnerView { account_id: account.0 }).collect();
    Ok((loaded.version, OwnersView { items }))
}

#[derive(ToSchema)]
#[schema(example = json!({ "account_id": "01980f6e-5d1c-7cc0-8f4e-2f9a1b7c3d5e" }))]
pub struct AppointOwnerRequest {
    /// Who owns it then.
    #[schema(value_type = Uuid)]
    account_id: AccountId,
}

impl FromFields for AppointOwnerRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let account_id = fields.required("account_id", text(str::parse::<Uuid>))?;
        Some(Self { account_id: AccountId(account_id) })
    }
}

/// Makes a member the owner of a workspace that nobody owns. Find out first whom the others want.
#[utoipa::path(
    put, path = "/v1/admin/workspaces/{workspace_id}/owner", tag = "operators",
    request_body = AppointOwnerRequest,
    params(("workspace_id" = Uuid, Path), MustMatch),
    responses((status = 200, body = OwnersView,
            headers(("ETag" = String), ("Lethe-Position" = i64)))),
)]
async fn appoint_owner(
    api: ApiData,
    change: WorkspaceChange,
    matches: MustMatch,
    body: Body<AppointOwnerRequest>,
) -> Result<HttpResponse, Problem> {
    let (AppointOwnerRequest { account_id }, bytes) = body.read()?;
    let (step, stays) = appoint(change.workspace, account_id);
    let mut request = change.request(bytes);
    request.guards.push(stays);
    let step = matches.0.on(step)?;
    let receipt = api.app.executor.execute(&request, &[step]).await?;
    Ok(shown_if_read(StatusCode::OK, &receipt, read_owners(&api, change.workspace)).await)
}

/// Cancels the deletion of a workspace, and makes the account its owner: one of its members, or of those who were
/// removed from it since a day before the request.
#[utoipa::path(
    post, path = "/v1/admin/workspaces/{workspace_id}/deletion/cancel", tag = "operators",
    request_body = AppointOwnerRequest,
    params(("workspace_id" = Uuid, Path), IdempotencyKey),
    responses((status = 204, headers(("Lethe-Position" = i64)))),
)]
async fn keep(
    api: ApiData,
    change: WorkspaceChange,
    body: Body<AppointOwnerRequest>,
) -> Result<HttpResponse, Problem> {
    let (AppointOwnerRequest { account_id }, bytes) = body.read()?;
    let (workspace, request) = (change.workspace, change.request(bytes));
    Ok(done(&hasten_deletion::keep(&api.app, workspace, account_id, request).await?))
}

/// Has the deletion of a workspace come at once, or as soon as the settings allow, on behalf of its members.
#[utoipa::path(
    post, path = "/v1/admin/workspaces/{workspace_id}/deletion/hasten", tag = "operators",
    params(("workspace_id" = Uuid, Path), IdempotencyKey),
    responses((status = 202, headers(("Lethe-Position" = i64)))),
)]
async fn hasten(
    api: ApiData,
    change: WorkspaceChange,
    body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (Nothing, bytes) = body.read()?;
    let (workspace, request) = (change.workspace, change.request(bytes));
    let by = Hastening::Operator;
    let receipt = hasten_deletion::hasten(&api.app, workspace, by, None, &request).await?;
    Ok(accepted(&receipt))
}
