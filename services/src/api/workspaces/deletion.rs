//! The deletion of a workspace: requested, and cancelled within the grace.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::workspace::{Deletion, Workspace, WorkspaceAction, WorkspaceCommand, WorkspaceError};
use infra::event_store::Step;
use infra::keyring::SubjectKind;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::ApiData;
use crate::api::accounts::erasure::ErasureRequest;
use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::{PathWorkspace, nothing};
use crate::api::auth::step_up::step_up;
use crate::api::http::answer::{done, written};
use crate::api::http::body::Body;
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::precondition::{IfMatch, MustMatch};
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::operations::request_erasure::{
    self, ErasureToRequest, RequestedErasure, find_earlier, grace,
};

pub fn routes(routes: &mut Routes) {
    routes
        .add_action(WorkspaceAction::RequestDeletion, __path_request, request)
        .refuses(&[
            ProblemKind::PasswordWrong,
            ProblemKind::Refused,
            ProblemKind::WorkspaceDeleting,
        ])
        .add_action(WorkspaceAction::DeleteWorkspace, __path_delete, delete)
        .refuses(&[
            ProblemKind::PasswordWrong,
            ProblemKind::Refused,
            ProblemKind::WorkspaceDeleting,
        ])
        .add_action(WorkspaceAction::ShowDeletion, __path_show, show)
        .add_action(WorkspaceAction::CancelDeletion, __path_cancel, cancel)
        .refuses(&[ProblemKind::Refused]);
}

#[derive(Serialize, ToSchema)]
pub struct DeleteWorkspaceResponse {
    /// Until then it can be cancelled.
    due_at: DateTime<Utc>,
    /// It is needed for the certificate at `/v1/erasures/{claim_code}`. Shown in this answer only, and
    /// when the same request is sent again within a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim_code: Option<String>,
}

/// Requests the deletion of the workspace, with everything in it. Until it is cancelled, nothing begins
/// there: it is read, and runs are cancelled, rights taken away. Where it has, or has had, other members,
/// the grace is a day at least.
#[utoipa::path(
    post, path = "/v1/workspaces/{workspace_id}/deletion", tag = "workspaces",
    request_body = ErasureRequest,
    params(("workspace_id" = Uuid, Path), ("If-Match" = String, Header),
        IdempotencyKey),
    responses((status = 202, body = DeleteWorkspaceResponse)),
)]
async fn request(
    api: ApiData,
    member: Member,
    named: PathWorkspace,
    caller: Caller,
    matches: MustMatch,
    body: Body<ErasureRequest>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let (form, bytes) = body.read()?;
    let grace = grace(&api.app.config, form.grace_days);
    let grace = grace.map_err(|detail| Problem::field("grace_days", detail))?;
    let mut request = member.request(&caller, bytes);
    let (workspace, now) = (member.workspace, api.app.clock.now());
    // Before the password, which may be another one by now, and is dear to verify.
    if let Some(earlier) = find_earlier(&api.app, workspace.into(), &request).await? {
        return Ok(answer(earlier));
    }
    step_up(&api, &mut request, member.account, &form.password).await?;
    // And behind it: the same request may have been sent to another node meanwhile.
    if let Some(earlier) = find_earlier(&api.app, workspace.into(), &request).await? {
        return Ok(answer(earlier));
    }
    // The body may come long after the admission: a deletion may be requested or cancelled since.
    let loaded = api.app.executor.load::<Workspace>(member.tenant(), workspace.0).await?;
    let live = loaded.state.live().ok_or_else(nothing)?;
    matches.0.check(loaded.version)?;
    if live.deletion.is_some() {
        return Err(WorkspaceError::DeletionRequested.into());
    }
    let due = now + grace;
    let (by, versions) = (member.account, matches.0.versions_of(&named)?);
    let step = move |due| {
        let command = WorkspaceCommand::RequestDeletion { by, now, due };
        Step::new::<Workspace>(workspace.0, command).expecting_one_of(versions)
    };
    let (kind, subject) = (SubjectKind::Workspace, workspace.into());
    let erasure = ErasureToRequest { kind, subject, due, step };
    Ok(answer(erasure.execute(&api.app, &request).await?))
}

/// The same as `POST /v1/workspaces/{workspace}/deletion`, for clients of before: the next release takes no body
/// with a DELETE.
#[utoipa::path(
    delete, path = "/v1/workspaces/{workspace_id}", tag = "workspaces",
    request_body = ErasureRequest,
    params(("workspace_id" = Uuid, Path), ("If-Match" = String, Header),
        IdempotencyKey),
    responses((status = 202, body = DeleteWorkspaceResponse)),
)]
async fn delete(
    api: ApiData,
    member: Member,
    named: PathWorkspace,
    caller: Caller,
    matches: MustMatch,
    body: Body<ErasureRequest>,
) -> Result<HttpResponse, Problem> {
    request(api, member, named, caller, matches, body).await
}

fn answer(requested: RequestedErasure) -> HttpResponse {
    let RequestedErasure { receipt, due, claim_code } = requested;
    written(StatusCode::ACCEPTED, &receipt)
        .json(DeleteWorkspaceResponse { due_at: due, claim_code })
}

#[derive(Serialize, ToSchema)]
pub struct DeletionView {
    requested_at: DateTime<Utc>,
    due_at: DateTime<Utc>,
}

/// The deletion that has been requested.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace_id}/deletion", tag = "workspaces",
    params(("workspace_id" = Uuid, Path)),
    responses((status = 200, body = DeletionView)),
)]
async fn show(member: Member, workspace: PathWorkspace) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let pending = workspace.live()?.deletion;
    let Deletion { requested_at, due } = pending.ok_or_else(nothing)?;
    Ok(HttpResponse::Ok().json(DeletionView { requested_at, due_at: due }))
}

/// Cancels the request.
#[utoipa::path(
    delete, path = "/v1/workspaces/{workspace_id}/deletion", tag = "workspaces",
    params(("workspace_id" = Uuid, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 204)),
)]
async fn cancel(
    api: ApiData,
    member: Member,
    caller: Caller,
    matches: IfMatch,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let now = api.app.clock.now();
    let cancels = WorkspaceCommand::CancelDeletion { by: member.account, now };
    let step = matches.on(Step::new::<Workspace>(member.workspace.0, cancels))?;
    let request = member.request(&caller, vec![]);
    let receipt =
        request_erasure::cancel(&api.app, member.workspace.into(), &request, step).await?;
    Ok(done(&receipt))
}
