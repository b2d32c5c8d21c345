//! Workspaces.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use domain::WorkspaceId;
use domain::privacy::{Label, Personal};
use domain::workspace::{Right, Role, Workspace, WorkspaceCommand};
use infra::event_store::Step;
use infra::ids::derived;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::ApiData;
use super::answer::written;
use super::auth::SignedIn;
use super::body::Body;
use super::caller::Caller;
use super::fields::{Fields, Form, text};
use super::member::Member;
use super::opened::of_workspace;
use super::precondition::etag;
use super::problem::{Kind, Problem};
use super::routes::Routes;

pub fn routes(routes: &mut Routes) {
    routes.add(__path_create, create).add(__path_show, show);
}

#[derive(ToSchema)]
pub struct NewWorkspace {
    #[schema(value_type = String, max_length = 100)]
    name: Label,
}

impl Form for NewWorkspace {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { name: fields.required("name", text(Label::parse))? })
    }
}

#[derive(Serialize, ToSchema)]
pub struct Created {
    workspace_id: Uuid,
}

/// Creates a workspace, which one then owns.
#[utoipa::path(
    post, path = "/v1/workspaces", tag = "workspaces", request_body = NewWorkspace,
    security(("session" = [])),
    params(("Idempotency-Key" = Option<String>, Header, min_length = 16, max_length = 128)),
    responses((status = 201, body = Created)),
)]
async fn create(
    api: ApiData,
    signed_in: SignedIn,
    caller: Caller,
    body: Body<NewWorkspace>,
) -> Result<HttpResponse, Problem> {
    let (form, bytes) = body.read()?;
    let mut request = signed_in.request(&caller, bytes);
    let workspace = WorkspaceId(derived(request.command, "workspace"));
    request.tenant = workspace.into();
    let creates =
        WorkspaceCommand::Create { name: Personal::Clear(form.name), owner: signed_in.account };
    let step = Step::new::<Workspace>(workspace.0, creates);
    let receipt = api.app.executor.execute(&request, &[step]).await?;
    Ok(written(StatusCode::CREATED, &receipt)
        .insert_header((header::LOCATION, format!("/v1/workspaces/{workspace}")))
        .json(Created { workspace_id: workspace.0 }))
}

#[derive(Serialize, ToSchema)]
pub struct Shown {
    workspace_id: Uuid,
    #[schema(value_type = String)]
    name: Label,
    /// What one is in it oneself.
    #[schema(value_type = String)]
    role: Role,
}

/// A workspace that one belongs to.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace}", tag = "workspaces",
    security(("session" = [])), params(("workspace" = Uuid, Path)),
    responses((status = 200, body = Shown, headers(("ETag" = String)))),
)]
async fn show(api: ApiData, member: Member) -> Result<HttpResponse, Problem> {
    member.needs(Right::ReadWorkspace)?;
    let workspace = member.workspace;
    let loaded = api.app.executor.load::<Workspace>(workspace.into(), workspace.0).await?;
    let Workspace::Live(live) = &*loaded.state else { return Err(Problem::of(Kind::NotFound)) };
    let shown = Shown {
        workspace_id: workspace.0,
        name: of_workspace(&api, workspace, &live.name).await?,
        role: member.role,
    };
    Ok(HttpResponse::Ok().insert_header((header::ETAG, etag(loaded.version))).json(shown))
}
