//! Who inherits a workspace from its last owner: the admins who have agreed.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use domain::workspace::{Workspace, WorkspaceAction, WorkspaceCommand};
use infra::event_store::Step;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::ApiData;
use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::PathWorkspace;
use crate::api::auth::step_up::{PasswordRequest, step_up};
use crate::api::http::answer::{at_version, done, shown_if_read};
use crate::api::http::body::Body;
use crate::api::http::precondition::{IfMatch, MustMatch};
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;

pub fn routes(routes: &mut Routes) {
    routes
        .add_action(WorkspaceAction::ShowSuccession, __path_show, show)
        .add_action(WorkspaceAction::AgreeSuccession, __path_agree, agree)
        .refuses(&[ProblemKind::PasswordWrong, ProblemKind::Refused])
        .add_action(WorkspaceAction::WithdrawSuccession, __path_withdraw, withdraw);
}

#[derive(Serialize, ToSchema)]
pub struct Succession {
    /// Whether nobody owns the workspace: nothing begins in it.
    restricted: bool,
    /// The first who is still there inherits.
    items: Vec<HeirView>,
}

/// An admin who has agreed to own the workspace once its last owner is erased.
#[derive(Serialize, ToSchema)]
#[schema(as = Heir)]
pub struct HeirView {
    account_id: Uuid,
}

fn view(workspace: &PathWorkspace) -> Result<Succession, Problem> {
    let live = workspace.live()?;
    let items = live.heirs.iter().map(|heir| HeirView { account_id: heir.0 }).collect();
    Ok(Succession { restricted: live.is_restricted(), items })
}

/// Who inherits the workspace: admins who have agreed, in the order in which they did.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace_id}/succession", tag = "workspaces",
    params(("workspace_id" = Uuid, Path)),
    responses((status = 200, body = Succession, headers(("ETag" = String)))),
)]
async fn show(member: Member, workspace: PathWorkspace) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let view = view(&workspace)?;
    Ok(at_version(workspace.version, view))
}

/// Agrees to inherit the workspace, as an admin. A restricted one is the caller's at once.
#[utoipa::path(
    put, path = "/v1/workspaces/{workspace_id}/succession", tag = "workspaces",
    request_body = PasswordRequest,
    params(("workspace_id" = Uuid, Path), MustMatch),
    responses((status = 200, body = Succession,
            headers(("ETag" = String), ("Lethe-Position" = String)))),
)]
async fn agree(
    api: ApiData,
    member: Member,
    caller: Caller,
    matches: MustMatch,
    body: Body<PasswordRequest>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let (PasswordRequest { password }, bytes) = body.read()?;
    let mut request = member.request(&caller, bytes);
    step_up(&api, &mut request, member.account, &password).await?;
    let agrees = WorkspaceCommand::AgreeSuccession { by: member.account };
    let step = matches.0.on(Step::new::<Workspace>(member.workspace.0, agrees))?;
    let receipt = api.app.executor.execute(&request, &[step]).await?;
    let read = async {
        let now = PathWorkspace::load(&api, member.workspace).await?;
        Ok((now.version, view(&now)?))
    };
    Ok(shown_if_read(StatusCode::OK, &receipt, read).await)
}

/// Does not want to inherit it any more.
#[utoipa::path(
    delete, path = "/v1/workspaces/{workspace_id}/succession", tag = "workspaces",
    params(("workspace_id" = Uuid, Path), IfMatch),
    responses((status = 204, headers(("ETag" = String), ("Lethe-Position" = String)))),
)]
async fn withdraw(
    api: ApiData,
    member: Member,
    caller: Caller,
    matches: IfMatch,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let withdraws = WorkspaceCommand::WithdrawSuccession { by: member.account };
    let step = matches.on(Step::new::<Workspace>(member.workspace.0, withdraws))?;
    let request = member.request(&caller, vec![]);
    Ok(done(&api.app.executor.execute(&request, &[step]).await?))
}
