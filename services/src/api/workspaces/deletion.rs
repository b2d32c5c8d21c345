//! The deletion of a workspace: requested, hastened, and cancelled within the grace.

#![allow(clippy::wildcard_enum_match_arm, reason = "the other errors stay as they are")]

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::workspace::{
    Deletion, Hastening, Workspace, WorkspaceAction, WorkspaceCommand, WorkspaceError,
};
use infra::event_store::Step;
use infra::keyring::SubjectKind;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::accounts::erasure::{ErasureRequest, GRACE};
use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::{PathWorkspace, nothing};
use crate::api::auth::step_up::{PasswordRequest, step_up};
use crate::api::http::answer::{at_version, done, shown_if_read, written};
use crate::api::http::body::Body;
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::precondition::{IfMatch, MustMatch};
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::{Api, ApiData};
use crate::operations::hasten_deletion::{
    HastenError, by_owner, hasten as hasten_deletion, requested_by, requests_of,
};
use crate::operations::request_erasure::{
    self, ErasureToRequest, RequestErasureError, RequestedErasure, find_earlier, grace,
};

pub fn routes(routes: &mut Routes) {
    routes
        .add_action(WorkspaceAction::RequestDeletion, __path_request, request)
        .refuses(&[
            ProblemKind::PasswordWrong,
            ProblemKind::Refused,
            ProblemKind::WorkspaceDeleting,
        ])
        .refuses_values(&[GRACE])
        .add_action(WorkspaceAction::ShowDeletion, __path_show, show)
        .add_action(WorkspaceAction::HastenDeletion, __path_hasten, hasten)
        .refuses(&[ProblemKind::PasswordWrong, ProblemKind::Refused])
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
    params(("workspace_id" = Uuid, Path), MustMatch,
        IdempotencyKey),
    responses((status = 202, body = DeleteWorkspaceResponse)),
)]
async fn request(
    api: ApiData,
    member: Member,
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
    let (by, recently) = (member.account, live.cancelled_within_a_day(now).len());
    let requested_before = requests_of(&api.app, workspace, by, recently).await?;
    // What was requested before is known for this version only.
    let step = move |due| {
        let command = WorkspaceCommand::RequestDeletion { by, now, due, requested_before };
        Step::new::<Workspace>(workspace.0, command).expecting(loaded.version)
    };
    let (kind, subject, due) = (SubjectKind::Workspace, workspace.into(), now + grace);
    let erasure = ErasureToRequest { kind, subject, due, step };
    let requested = erasure.execute(&api.app, &request).await.map_err(|error| match error {
        RequestErasureError::Execute(error) => {
            RequestErasureError::Execute(matches.0.unexpected(error))
        }
        error => error,
    })?;
    Ok(answer(requested))
}

fn answer(requested: RequestedErasure) -> HttpResponse {
    let RequestedErasure { receipt, due, claim_code } = requested;
    written(StatusCode::ACCEPTED, &receipt)
        .json(DeleteWorkspaceResponse { due_at: due, claim_code })
}

#[derive(Serialize, ToSchema)]
pub struct DeletionView {
    requested_at: DateTime<Utc>,
    /// The account that requested it; absent where no person did.
    #[serde(skip_serializing_if = "Option::is_none")]
    requester_id: Option<Uuid>,
    due_at: DateTime<Utc>,
}

/// The deletion that has been requested.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace_id}/deletion", tag = "workspaces",
    params(("workspace_id" = Uuid, Path)),
    responses((status = 200, body = DeletionView)),
)]
async fn show(
    api: ApiData,
    member: Member,
    workspace: PathWorkspace,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let view = view(&api, &workspace).await?;
    Ok(at_version(workspace.version, view))
}

async fn view(api: &Api, workspace: &PathWorkspace) -> Result<DeletionView, Problem> {
    let Deletion { requested_at, due } = workspace.live()?.deletion.ok_or_else(nothing)?;
    let requester_id = requested_by(&api.app, workspace.id).await?.map(|account| account.0);
    Ok(DeletionView { requested_at, requester_id, due_at: due })
}

/// Has the deletion come at once, or as soon as the settings allow: for another owner than the one who requested
/// it, who has owned the workspace since a day before the request. An operator can do it as well.
#[utoipa::path(
    post, path = "/v1/workspaces/{workspace_id}/deletion/hasten", tag = "workspaces",
    request_body = PasswordRequest,
    params(("workspace_id" = Uuid, Path), IfMatch,
        IdempotencyKey),
    responses((status = 202, body = DeletionView,
            headers(("ETag" = String), ("Lethe-Position" = String)))),
)]
async fn hasten(
    api: ApiData,
    member: Member,
    named: PathWorkspace,
    caller: Caller,
    matches: IfMatch,
    body: Body<PasswordRequest>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let (PasswordRequest { password }, bytes) = body.read()?;
    let mut request = member.request(&caller, bytes);
    step_up(&api, &mut request, member.account, &password).await?;
    let (app, workspace, account) = (&api.app, member.workspace, member.account);
    // Who requested it is read for the state of the admission: it is appended to no other.
    let versions = matches.versions_of(&named)?.unwrap_or_else(|| vec![named.version]);
    let by = match named.live()?.deletion {
        Some(deletion) => by_owner(app, workspace, account, deletion).await?,
        None => Hastening::Owner { account, requested_by: None, role_before: None },
    };
    let receipt = hasten_deletion(app, workspace, by, Some(versions), &request).await;
    let receipt = receipt.map_err(|error| matches.unexpected(error))?;
    let read = async {
        let now = PathWorkspace::load(&api, workspace).await?;
        Ok((now.version, view(&api, &now).await?))
    };
    Ok(shown_if_read(StatusCode::ACCEPTED, &receipt, read).await)
}

/// Cancels the request.
#[utoipa::path(
    delete, path = "/v1/workspaces/{workspace_id}/deletion", tag = "workspaces",
    params(("workspace_id" = Uuid, Path), IfMatch),
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

impl From<HastenError> for Problem {
    fn from(error: HastenError) -> Self {
        Self::unavailable(&error)
    }
}
