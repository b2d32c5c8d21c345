//! One member of a workspace: shown, given another role, removed.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use domain::workspace::{Role, Workspace, WorkspaceAction, WorkspaceCommand, WorkspaceError};
use domain::{AccountId, WorkspaceId};
use infra::event_store::{Receipt, Request, Step};
use utoipa::ToSchema;

use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::{PathId, PathWorkspace};
use crate::api::http::answer::{Read, at_version, done, if_read, shown};
use crate::api::http::body::Body;
use crate::api::http::fields::{Fields, FromFields};
use crate::api::http::precondition::{IfMatch, MustMatch};
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::workspaces::members::{MemberView, role, view};
use crate::api::{Api, ApiData};
use crate::operations::owners::{another_leaves, stays_owned};

pub fn routes(routes: &mut Routes) {
    routes
        .add_action(WorkspaceAction::ShowMember, __path_show, show)
        .add_action(WorkspaceAction::ChangeRole, __path_change, change)
        .refuses(&[ProblemKind::Refused])
        .refuses_values(&[("/role", "a service account owns nothing")])
        .add_action(WorkspaceAction::RemoveMember, __path_remove, remove)
        .refuses(&[ProblemKind::Refused]);
}

/// Shows a member, a person without a name: those are opened for a purpose, with the list.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace_id}/members/{account_id}", tag = "workspaces",
    params(("workspace_id" = Uuid, Path), ("account_id" = Uuid, Path)),
    responses((status = 200, body = MemberView, headers(("ETag" = String)))),
)]
async fn show(
    api: ApiData,
    member: Member,
    workspace: PathWorkspace,
    whom: PathId<AccountId>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let whom = whom.get()?;
    let view = view(&api, workspace.id, workspace.live()?, whom).await?;
    Ok(at_version(workspace.version, view))
}

#[derive(ToSchema)]
#[schema(example = json!({ "role": "operator" }))]
pub struct ChangeRoleRequest {
    #[schema(
        value_type = String, example = "operator",
        pattern = r"^(?:owner|admin|operator|viewer|billing|auditor)$"
    )]
    role: Role,
}

impl FromFields for ChangeRoleRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { role: role(fields)? })
    }
}

/// Gives a member, or a service account, another role.
#[utoipa::path(
    put, path = "/v1/workspaces/{workspace_id}/members/{account_id}", tag = "workspaces",
    request_body = ChangeRoleRequest,
    params(("workspace_id" = Uuid, Path), ("account_id" = Uuid, Path), MustMatch),
    responses((status = 200, body = MemberView,
        headers(("ETag" = String), ("Lethe-Position" = String)))),
)]
async fn change(
    api: ApiData,
    member: Member,
    named: PathWorkspace,
    caller: Caller,
    matches: MustMatch,
    whom: PathId<AccountId>,
    body: Body<ChangeRoleRequest>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let (ChangeRoleRequest { role }, bytes) = body.read()?;
    let whom = whom.get()?;
    let changes = WorkspaceCommand::ChangeRole { by: member.account, member: whom, role };
    let step = matches.0.on(Step::new::<Workspace>(member.workspace.0, changes))?;
    let request = member.request(&caller, bytes);
    let receipt = if role == Role::Owner {
        api.app.executor.execute(&request, &[step]).await?
    } else {
        execute_leaving(&api, (member.workspace, whom), &request, step).await?
    };
    // Where it cannot be read, this is what was written; and the member may have left since.
    let (version, view) = match if_read(read(&api, member.workspace, whom)).await {
        Some(read) => read,
        None => (receipt.version(), MemberView::unnamed(named.live()?, whom, role)),
    };
    Ok(shown(StatusCode::OK, &receipt, version, view))
}

/// The member as it is now, and the version of the workspace.
pub(super) async fn read(api: &Api, workspace: WorkspaceId, whom: AccountId) -> Read<MemberView> {
    let now = PathWorkspace::load(api, workspace).await?;
    Ok((now.version, view(api, workspace, now.live()?, whom).await?))
}

/// Appends what ends the member's owning, where another owner stays. It is looked at once more where others were
/// faster: the member has become an owner, or an owner has left.
async fn execute_leaving(
    api: &Api,
    (workspace, whom): (WorkspaceId, AccountId),
    request: &Request,
    step: Step,
) -> Result<Receipt, Problem> {
    let steps = [step];
    let once = async || {
        let mut request = request.clone();
        let stays = stays_owned(&api.app, workspace, whom).await?;
        request.guards.extend(stays.ok_or(WorkspaceError::LastOwner)?);
        Ok::<_, Problem>(api.app.executor.execute(&request, &steps).await)
    };
    let outcome = match once().await? {
        Err(error) if another_leaves(&error) => once().await?,
        outcome => outcome,
    };
    Ok(outcome?)
}

/// Removes a member or a service account, and with it the tokens that act for it; or leaves.
#[utoipa::path(
    delete, path = "/v1/workspaces/{workspace_id}/members/{account_id}", tag = "workspaces",
    params(("workspace_id" = Uuid, Path), ("account_id" = Uuid, Path),
        IfMatch),
    responses((status = 204, headers(("ETag" = String), ("Lethe-Position" = String)))),
)]
async fn remove(
    api: ApiData,
    member: Member,
    caller: Caller,
    matches: IfMatch,
    whom: PathId<AccountId>,
) -> Result<HttpResponse, Problem> {
    member.in_person()?;
    let whom = whom.get()?;
    let request = if whom == member.account {
        member.request_without_right(&caller, vec![])
    } else {
        member.authorise()?;
        member.request(&caller, vec![])
    };
    let (by, now) = (member.account, caller.now());
    let removes = WorkspaceCommand::RemoveMember { by, member: whom, now };
    let step = matches.on(Step::new::<Workspace>(member.workspace.0, removes))?;
    Ok(done(&execute_leaving(&api, (member.workspace, whom), &request, step).await?))
}
