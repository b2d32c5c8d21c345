//! Service accounts: members without a person. They are listed, changed and removed with the members.

use actix_web::HttpResponse;
use domain::AccountId;
use domain::privacy::{Label, Personal};
use domain::workspace::{Role, Workspace, WorkspaceAction, WorkspaceCommand};
use infra::event_store::Step;
use infra::ids::derived;
use utoipa::ToSchema;

use crate::api::ApiData;
use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::http::answer::created_if_read;
use crate::api::http::body::Body;
use crate::api::http::fields::{Fields, FromFields, text};
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::http::schemas;
use crate::api::workspaces::member::read;
use crate::api::workspaces::members::{MemberView, role};

pub fn routes(routes: &mut Routes) {
    routes
        .add_action(WorkspaceAction::CreateServiceAccount, __path_create, create)
        .refuses(&[ProblemKind::Refused]);
}

#[derive(ToSchema)]
#[schema(example = json!({ "name": "deploys", "role": "operator" }))]
pub struct ServiceAccountRequest {
    #[schema(schema_with = schemas::label)]
    name: Label,
    #[schema(
        value_type = String, example = "operator",
        pattern = r"^(?:admin|operator|viewer|billing|auditor)$"
    )]
    role: Role,
}

impl FromFields for ServiceAccountRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.required("name", text(Label::parse));
        let role = role(fields);
        Some(Self { name: name?, role: role? })
    }
}

/// Makes a member without a person, for programmes: it acts by the tokens that owners and admins issue for it, whatever
/// becomes of them, and has no address, password or session. It is in the list of members, and removed as one.
#[utoipa::path(
    post, path = "/v1/workspaces/{workspace_id}/service-accounts", tag = "workspaces",
    request_body = ServiceAccountRequest,
    params(("workspace_id" = Uuid, Path),
        IdempotencyKey),
    responses((status = 201, body = MemberView)),
)]
async fn create(
    api: ApiData,
    member: Member,
    caller: Caller,
    body: Body<ServiceAccountRequest>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let (ServiceAccountRequest { name, role }, bytes) = body.read()?;
    let (workspace, by) = (member.workspace, member.account);
    let request = member.request(&caller, bytes);
    let account = AccountId(derived(request.command, "service_account"));
    let name = Personal::Clear(name);
    let creates = WorkspaceCommand::CreateServiceAccount { by, account, name, role };
    let step = Step::new::<Workspace>(workspace.0, creates);
    let receipt = api.app.executor.execute(&request, &[step]).await?;
    let location = format!("/v1/workspaces/{workspace}/members/{account}");
    Ok(created_if_read(location, &receipt, read(&api, workspace, account)).await)
}
