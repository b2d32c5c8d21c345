//! Workspaces.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::privacy::{Label, Personal, WorkspaceName};
use domain::seat::{SeatCommand, SeatPool, pool_stream};
use domain::workspace::{Role, Workspace, WorkspaceAction, WorkspaceCommand};
use domain::{AccountId, WorkspaceId};
use infra::event_store::Step;
use infra::ids::derived;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::PathWorkspace;
use crate::api::auth::signed_in::SignedIn;
use crate::api::http::answer::{Read, at_version, created, if_read, shown_if_read};
use crate::api::http::body::Body;
use crate::api::http::fields::{Fields, FromFields, text};
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::precondition::MustMatch;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::http::schemas;
use crate::api::{Api, ApiData};
use crate::unseal::Unsealer;

pub fn routes(routes: &mut Routes) {
    routes
        .add(__path_create, create)
        .refuses(&[ProblemKind::ErasureRequested])
        .add_action(WorkspaceAction::ShowWorkspace, __path_show, show)
        .add_action(WorkspaceAction::RenameWorkspace, __path_rename, rename);
}

#[derive(ToSchema)]
#[schema(example = json!({ "name": "Engines" }))]
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
    let read = if_read(read(&api, workspace, signed_in.account)).await;
    let (version, view) = read.unwrap_or_else(|| {
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
#[schema(as = Workspace)]
pub struct WorkspaceView {
    workspace_id: Uuid,
    #[schema(value_type = String)]
    name: Label,
    /// The caller's role.
    #[schema(value_type = String)]
    role: Role,
    /// How many people belong to it.
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
    params(("workspace_id" = Uuid, Path)),
    responses((status = 200, body = WorkspaceView, headers(("ETag" = String)))),
)]
async fn show(api: ApiData, member: Member, named: PathWorkspace) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let view = view(&api, &named, member.role).await?;
    Ok(at_version(named.version, view))
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
    params(("workspace_id" = Uuid, Path), MustMatch),
    responses((status = 200, body = WorkspaceView,
        headers(("ETag" = String), ("Lethe-Position" = String)))),
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
    let read = async {
        let now = PathWorkspace::load(&api, member.workspace).await?;
        // Somebody may have removed the member since.
        let role = now.role_of(member.account).unwrap_or(member.role);
        Ok((now.version, view(&api, &now, role).await?))
    };
    Ok(shown_if_read(StatusCode::OK, &receipt, read).await)
}
