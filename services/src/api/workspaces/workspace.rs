//! Workspaces.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use chrono::{DateTime, Utc};
use domain::privacy::{Label, Personal, Sealed, WorkspaceName};
use domain::seat::{SeatCommand, SeatPool, pool_stream};
use domain::workspace::{Role, Workspace, WorkspaceAction, WorkspaceCommand};
use domain::{AccountId, WorkspaceId};
use infra::event_store::Step;
use infra::ids::derived;
use projections::memberships::{Memberships, Mine, mine};
use projections::workspaces::Workspaces;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::PathWorkspace;
use crate::api::auth::sessions::Paging;
use crate::api::auth::signed_in::SignedIn;
use crate::api::http::answer::{Read, created, shown_if_read};
use crate::api::http::body::{Body, Query};
use crate::api::http::cursor::{Cursors, Page};
use crate::api::http::fields::{Fields, FromFields, text};
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::position::MinPosition;
use crate::api::http::precondition::{MustMatch, etag};
use crate::api::http::problem::Problem;
use crate::api::http::routes::Routes;
use crate::api::http::schemas;
use crate::api::{Api, ApiData};
use crate::unseal::Unsealer;

pub fn routes(routes: &mut Routes) {
    routes
        .add(__path_create, create)
        .add(__path_list, list)
        .add_action(WorkspaceAction::ShowWorkspace, __path_show, show)
        .add_action(WorkspaceAction::RenameWorkspace, __path_rename, rename);
}

#[derive(ToSchema)]
pub struct WorkspaceRequest {
    #[schema(schema_with = schemas::label)]
    name: Label,
}

impl FromFields for WorkspaceRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { name: fields.required("name", text(Label::parse))? })
    }
}

/// Creates a workspace. The caller becomes its owner.
#[utoipa::path(
    post, path = "/v1/workspaces", tag = "workspaces", request_body = WorkspaceRequest,
    security(("session" = [])),
    params(IdempotencyKey),
    responses((status = 201, body = WorkspaceView)),
)]
async fn create(
    api: ApiData,
    signed_in: SignedIn,
    caller: Caller,
    body: Body<WorkspaceRequest>,
) -> Result<HttpResponse, Problem> {
    let (form, bytes) = body.read()?;
    let mut request = signed_in.request(&caller, bytes);
    let workspace = WorkspaceId(derived(request.command, "workspace"));
    request.tenant = workspace.into();
    request.guards.push(signed_in.acts(false));
    let creates = WorkspaceCommand::Create {
        name: Personal::Clear(form.name.clone()),
        owner: signed_in.account,
    };
    let step = Step::new::<Workspace>(workspace.0, creates);
    let opens = SeatCommand::Open { limit: api.app.config.seat_limit_default };
    let seats = Step::new::<SeatPool>(pool_stream(workspace), opens);
    let receipt = api.app.executor.execute(&request, &[step, seats]).await?;
    let location = format!("/v1/workspaces/{workspace}");
    // It cannot be read, or the request comes again, and it is deleted, or the caller has left it.
    let (version, view) = read(&api, workspace, signed_in.account).await.unwrap_or_else(|_| {
        let view = WorkspaceView {
            workspace_id: workspace.0,
            name: form.name,
            role: Role::Owner,
            members: 1,
            restricted: false,
            deletion_due_at: None,
        };
        (receipt.version(), view)
    });
    Ok(created(location, &receipt, version, view))
}

/// The workspace as a member sees it now.
async fn read(api: &Api, workspace: WorkspaceId, member: AccountId) -> Read<WorkspaceView> {
    let now = PathWorkspace::load(api, workspace).await?;
    let role = now.role_of(member)?;
    Ok((now.version, view(api, &now, role).await?))
}

#[derive(Serialize, ToSchema)]
pub struct WorkspaceSummary {
    workspace_id: Uuid,
    #[schema(value_type = String)]
    name: Label,
    /// The caller's role.
    #[schema(value_type = String)]
    role: Role,
    members: i64,
    joined_at: DateTime<Utc>,
    /// Whether nobody owns it: nothing begins in it.
    restricted: bool,
    /// The end of the grace, once its deletion has been requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_due_at: Option<DateTime<Utc>>,
}

/// The workspaces that one belongs to.
#[utoipa::path(
    get, path = "/v1/workspaces", tag = "workspaces", security(("session" = [])),
    params(Paging,
        ("Lethe-Min-Position" = Option<i64>, Header, minimum = 0)),
    responses((status = 200, body = Page<WorkspaceSummary>)),
)]
async fn list(
    api: ApiData,
    signed_in: SignedIn,
    least: MinPosition,
    paging: Query<Paging>,
) -> Result<HttpResponse, Problem> {
    let Query(Paging { limit, cursor }) = paging;
    least.reached::<Workspaces>(&api).await?;
    least.reached::<Memberships>(&api).await?;
    let (of, scope) = (signed_in.tenant(), "/v1/workspaces".to_owned());
    let cursors = Cursors { keys: &api.app.keyring.request_macs, of, scope };
    let after: Option<WorkspaceId> = match cursor {
        Some(cursor) => Some(cursors.read(&cursor).await?),
        None => None,
    };
    let rows = mine(&api.app.pool, signed_in.account, after, limit + 1).await?;
    let page = cursors.page(rows, limit, |mine| mine.workspace).await?;
    let mut items = Vec::with_capacity(page.items.len());
    for mine in page.items {
        let mine = if mine.is_unread { of_log(&api, mine).await? } else { mine };
        // One that is being deleted is not there any more.
        let workspace = Unsealer::of_workspace(&api.app.keyring.sealer, mine.workspace);
        let name = workspace.optional::<WorkspaceName>(mine.name.as_deref()).await?;
        let Some(name) = name else { continue };
        items.push(WorkspaceSummary {
            workspace_id: mine.workspace.0,
            name,
            role: mine.role,
            members: mine.members,
            joined_at: mine.joined_at,
            restricted: mine.restricted,
            deletion_due_at: mine.deletion_due,
        });
    }
    Ok(HttpResponse::Ok().json(Page { items, next: page.next }))
}

/// What the read model does not have. Nothing of a workspace that is deleted, or cannot be read.
async fn of_log(api: &Api, mine: Mine) -> Result<Mine, Problem> {
    let of = mine.workspace;
    let loaded = match api.app.executor.load::<Workspace>(of.into(), of.0).await {
        Err(error) if error.is_of_stream() => {
            tracing::error!(workspace = %of, %error, "a workspace is left out of the list of its members");
            return Ok(mine);
        }
        loaded => loaded?,
    };
    let Some(live) = loaded.state.live() else { return Ok(mine) };
    Ok(Mine {
        name: live.name.sealed().map(Sealed::to_bytes),
        members: i64::try_from(live.members.len()).unwrap_or(i64::MAX),
        deletion_due: live.deletion.map(|deletion| deletion.due),
        restricted: live.is_restricted(),
        ..mine
    })
}

#[derive(Serialize, ToSchema)]
#[schema(as = Workspace)]
pub struct WorkspaceView {
    workspace_id: Uuid,
    #[schema(value_type = String)]
    name: Label,
    /// The caller's role.
    #[schema(value_type = String)]
    role: Role,
    members: usize,
    /// Whether nobody owns it: nothing begins in it.
    restricted: bool,
    /// The end of the grace, once its deletion has been requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_due_at: Option<DateTime<Utc>>,
}

/// A workspace that one belongs to.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace_id}", tag = "workspaces",
    security(("session" = [])), params(("workspace_id" = Uuid, Path)),
    responses((status = 200, body = WorkspaceView, headers(("ETag" = String)))),
)]
async fn show(api: ApiData, member: Member, named: PathWorkspace) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let view = view(&api, &named, member.role).await?;
    Ok(HttpResponse::Ok().insert_header((header::ETAG, etag(named.version))).json(view))
}

/// The workspace as one of its members sees it.
pub(super) async fn view(
    api: &Api,
    workspace: &PathWorkspace,
    role: Role,
) -> Result<WorkspaceView, Problem> {
    let live = workspace.live()?;
    Ok(WorkspaceView {
        workspace_id: workspace.id.0,
        role,
        name: Unsealer::of_workspace(&api.app.keyring.sealer, workspace.id)
            .required::<WorkspaceName>(&live.name)
            .await?,
        members: live.members.len(),
        restricted: live.is_restricted(),
        deletion_due_at: live.deletion.map(|deletion| deletion.due),
    })
}

/// Renames the workspace.
#[utoipa::path(
    patch, path = "/v1/workspaces/{workspace_id}", tag = "workspaces", request_body = WorkspaceRequest,
    security(("session" = [])), params(("workspace_id" = Uuid, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = WorkspaceView,
        headers(("ETag" = String), ("Lethe-Position" = i64)))),
)]
async fn rename(
    api: ApiData,
    member: Member,
    caller: Caller,
    matches: MustMatch,
    body: Body<WorkspaceRequest>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let (form, bytes) = body.read()?;
    let name = Personal::Clear(form.name);
    let renames = WorkspaceCommand::Rename { by: member.account, name };
    let step = matches.0.on(Step::new::<Workspace>(member.workspace.0, renames))?;
    let request = member.request(&caller, bytes);
    let receipt = api.app.executor.execute(&request, &[step]).await?;
    let read: Read<_> = async {
        let now = PathWorkspace::load(&api, member.workspace).await?;
        // Somebody may have removed the member since.
        let role = now.role_of(member.account).unwrap_or(member.role);
        Ok((now.version, view(&api, &now, role).await?))
    }
    .await;
    Ok(shown_if_read(StatusCode::OK, &receipt, read))
}
