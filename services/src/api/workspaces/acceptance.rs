//! Accepting an invitation: by the person whose address it was mailed to.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use domain::account::{Account, AccountError};
use domain::privacy::{AccountEmail, EmailAddress};
use domain::workspace::{LiveWorkspace, Role, Workspace, WorkspaceCommand, WorkspaceError};
use domain::{InvitationId, WorkspaceId};
use infra::event_store::{Guard, Receipt, Step};
use infra::keyring::LinkPurpose;

use crate::api::accounts::link::LinkRequest;
use crate::api::auth::caller::Caller;
use crate::api::auth::path_resources::PathWorkspace;
use crate::api::auth::signed_in::SignedIn;
use crate::api::auth::step_up::{has_email, live_account};
use crate::api::http::answer::shown_if_read;
use crate::api::http::body::Body;
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::workspaces::invitations::address;
use crate::api::workspaces::workspace::{WorkspaceView, view};
use crate::api::{Api, ApiData};
use crate::operations::owners::{another_leaves, remaining_owner};
use crate::unseal::Unsealer;

pub fn routes(routes: &mut Routes) {
    routes.add(__path_accept, accept).refuses(&[
        ProblemKind::AddressUnverified,
        ProblemKind::AlreadyDone,
        ProblemKind::ErasureRequested,
        ProblemKind::LinkInvalid,
        ProblemKind::LinkGone,
        ProblemKind::NotInvited,
        ProblemKind::Refused,
        ProblemKind::WorkspaceDeleting,
    ]);
}

/// Joins a workspace, by the link that was mailed to the caller's address.
#[utoipa::path(
    post, path = "/v1/invitations/accept", tag = "workspaces", request_body = LinkRequest,
    params(IdempotencyKey),
    responses((status = 200, body = WorkspaceView,
        headers(("ETag" = String), ("Lethe-Position" = String)))),
)]
async fn accept(
    api: ApiData,
    signed_in: SignedIn,
    caller: Caller,
    body: Body<LinkRequest>,
) -> Result<HttpResponse, Problem> {
    let (link, bytes) = body.read()?;
    let (workspace, receipt) = join(&api, &signed_in, &caller, (&link, bytes)).await?;
    Ok(joined(&api, workspace, &signed_in, &receipt).await)
}

/// Joins the workspace that the link is from.
///
/// # Errors
/// The invitation is for another address, or used, replaced or over.
pub async fn join(
    api: &Api,
    signed_in: &SignedIn,
    caller: &Caller,
    (link, bytes): (&LinkRequest, Vec<u8>),
) -> Result<(WorkspaceId, Receipt), Problem> {
    let (of, id) = link.subject(api, LinkPurpose::AcceptInvitation).await?;
    let (workspace, invitation) = (WorkspaceId(of.0), InvitationId(id.0));
    let mut request = signed_in.request(caller, bytes);
    request.tenant = workspace.into();
    // Whoever has joined may have left since, and the workspace be deleted.
    if let Some(earlier) = api.app.executor.find_earlier(&request).await? {
        return Ok((workspace, earlier));
    }
    let loaded = PathWorkspace::load(api, workspace).await?;
    let live = loaded.state.live().ok_or(WorkspaceError::InvitationGone)?;
    if let Some(open) = live.invitations.get(&invitation) {
        let sent_to = address(api, workspace, invitation, open).await?;
        let sent_to = sent_to.ok_or(WorkspaceError::InvitationGone)?;
        request.guards.push(check_is_theirs(api, signed_in, &sent_to).await?);
    }
    request.guards.push(signed_in.acts(true));
    request.guards.extend(owner_stays(api, workspace, live, invitation).await?);
    let now = api.app.clock.now();
    let accepts = WorkspaceCommand::AcceptInvitation { by: signed_in.account, invitation, now };
    let step = Step::new::<Workspace>(workspace.0, accepts);
    let receipt = api.app.executor.execute(&request, &[step]).await;
    let receipt = receipt.map_err(|error| match error {
        error if another_leaves(&error) => Problem::from(WorkspaceError::NoOwnerStays),
        error => error.into(),
    })?;
    Ok((workspace, receipt))
}

/// The workspace; for somebody who has left it, as it was when they joined.
async fn joined(
    api: &Api,
    workspace: WorkspaceId,
    signed_in: &SignedIn,
    receipt: &Receipt,
) -> HttpResponse {
    let read = async {
        let mut seen = PathWorkspace::load(api, workspace).await?;
        if seen.role_of(signed_in.account).is_err() {
            seen = PathWorkspace::load_at(api, workspace, receipt.version()).await?;
        }
        let role = seen.role_of(signed_in.account)?;
        Ok((seen.version, view(api, &seen, role).await?))
    };
    shown_if_read(StatusCode::OK, receipt, read).await
}

/// Whoever joins does not come to depend on an owner who leaves; an invited owner is one who stays.
async fn owner_stays(
    api: &Api,
    workspace: WorkspaceId,
    live: &LiveWorkspace,
    invitation: InvitationId,
) -> Result<Vec<Guard>, Problem> {
    match live.invitations.get(&invitation) {
        Some(open) if open.role != Role::Owner => {
            let owner = remaining_owner(&api.app, workspace, live, None).await?;
            Ok(owner.ok_or(WorkspaceError::NoOwnerStays)?.into())
        }
        // Without an invitation, the workspace refuses it.
        Some(_) | None => Ok(vec![]),
    }
}

/// An invitation is for the address alone: a forwarded mail is not enough. The guard says that it is still theirs
/// when events are appended.
pub(super) async fn check_is_theirs(
    api: &Api,
    signed_in: &SignedIn,
    sent_to: &EmailAddress,
) -> Result<Guard, Problem> {
    let account = signed_in.account;
    let loaded = api.app.executor.load::<Account>(account.into(), account.0).await?;
    let live = live_account(&loaded)?;
    if live.erasure.is_some() {
        return Err(AccountError::ErasureRequested.into());
    }
    let own = Unsealer::of_account(&api.app.keyring.sealer, account)
        .required::<AccountEmail>(&live.email)
        .await?;
    if !live.email_verified || own.canonical() != sent_to.canonical() {
        return Err(Problem::of(ProblemKind::NotInvited));
    }
    Ok(has_email(account, live))
}
