//! What may be left of a run on a server is given up by a person: nobody looks for it any more.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use domain::ServerId;
use domain::run::{Run, RunCommand};
use domain::workspace::WorkspaceAction;
use infra::event_store::Step;

use crate::api::ApiData;
use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::{PathId, PathRun};
use crate::api::auth::step_up::{PasswordRequest, step_up};
use crate::api::http::answer::shown_if_read;
use crate::api::http::body::Body;
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::precondition::MustMatch;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::runs::reads::{RunView, view};

pub fn routes(routes: &mut Routes) {
    routes
        .add_action(WorkspaceAction::GiveUpRun, __path_give_up, give_up)
        .refuses(&[ProblemKind::PasswordWrong, ProblemKind::Refused]);
}

/// Gives up what may be left of the run on a server that is not reached any more: each attempt that its
/// `attempts_left` names, in the version of the run that If-Match names, so that nothing is given up unseen that is
/// lost since. Other runs of the deployment, which wait for it, begin. Its command may be at work there still, beside
/// theirs: only a person who knows better does this, with the password. Where the log is open it ends.
#[utoipa::path(
    post, path = "/v1/workspaces/{workspace_id}/runs/{run_id}/servers/{server_id}/give-up", tag = "runs",
    request_body = PasswordRequest,
    params(("workspace_id" = Uuid, Path), ("run_id" = Uuid, Path), ("server_id" = Uuid, Path),
        MustMatch, IdempotencyKey),
    responses((status = 200, body = RunView,
        headers(("ETag" = String), ("Lethe-Position" = String)))),
)]
async fn give_up(
    api: ApiData,
    member: Member,
    caller: Caller,
    matches: MustMatch,
    run: PathRun,
    server: PathId<ServerId>,
    body: Body<PasswordRequest>,
) -> Result<HttpResponse, Problem> {
    member.in_person()?;
    member.authorise()?;
    let server = server.get()?;
    let (PasswordRequest { password }, bytes) = body.read()?;
    let mut request = member.request(&caller, bytes);
    let shown = || view(&api, &member, run.id);
    // A repeated request needs no password, whatever has become of it since.
    if let Some(earlier) = api.app.executor.find_earlier(&request).await? {
        return Ok(shown_if_read(StatusCode::OK, &earlier, shown()).await);
    }
    step_up(&api, &mut request, member.account, &password).await?;
    let gives_up = RunCommand::GiveUp { server, by: Some(member.account) };
    let step = matches.0.on(Step::new::<Run>(run.id.0, gives_up))?;
    let receipt = api.app.executor.execute(&request, &[step]).await?;
    Ok(shown_if_read(StatusCode::OK, &receipt, shown()).await)
}
