//! An invitation as the person sees it whom it is for: looked at, or declined, by the link that was mailed.

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use domain::privacy::{Label, WorkspaceName};
use domain::workspace::{
    Invitation, LiveWorkspace, Role, Workspace, WorkspaceCommand, WorkspaceError,
};
use domain::{InvitationId, WorkspaceId};
use infra::event_store::{Guard, Receipt, Step};
use infra::keyring::LinkPurpose;
use infra::log::Feed;
use infra::postgres::PgError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::accounts::link::LinkRequest;
use crate::api::auth::caller::Caller;
use crate::api::auth::path_resources::PathWorkspace;
use crate::api::auth::signed_in::SignedIn;
use crate::api::http::body::Body;
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::workspaces::acceptance::check_is_theirs;
use crate::api::workspaces::invitations::address;
use crate::api::{Api, ApiData};
use crate::unseal::Unsealer;

pub fn routes(routes: &mut Routes) {
    let refused = [
        ProblemKind::ErasureRequested,
        ProblemKind::LinkGone,
        ProblemKind::LinkInvalid,
        ProblemKind::NotFound,
        ProblemKind::NotInvited,
    ];
    routes.add(__path_look, look).refuses(&refused).add(__path_decline, decline).refuses(&refused);
}

#[derive(Serialize, ToSchema)]
pub struct InvitedView {
    invitation_id: Uuid,
    workspace_id: Uuid,
    #[schema(value_type = String)]
    pub workspace_name: Label,
    /// What the caller becomes by accepting.
    #[schema(value_type = String)]
    pub role: Role,
    inviter_id: Uuid,
    pub expires_at: DateTime<Utc>,
}

/// Shows what the caller is invited to, by the link that was mailed to the caller's address. Nothing changes.
#[utoipa::path(
    post, path = "/v1/invitations/look", tag = "workspaces", request_body = LinkRequest,
    responses((status = 200, body = InvitedView)),
)]
async fn look(
    api: ApiData,
    signed_in: SignedIn,
    body: Body<LinkRequest>,
) -> Result<HttpResponse, Problem> {
    let (link, _) = body.read()?;
    Ok(HttpResponse::Ok().json(invited(&api, &signed_in, &link).await?))
}

/// Whether the invitation stands: whoever has its mail may know.
///
/// # Errors
/// It is used, replaced or over.
pub async fn is_open(api: &Api, link: &LinkRequest) -> Result<(), Problem> {
    let (workspace, invitation) = named(api, link).await?;
    let loaded = PathWorkspace::load(api, workspace).await?;
    open_invitation(api, &loaded, invitation).map(drop)
}

fn open_invitation<'a>(
    api: &Api,
    loaded: &'a PathWorkspace,
    invitation: InvitationId,
) -> Result<(&'a LiveWorkspace, &'a Invitation), Problem> {
    let live = loaded.state.live().ok_or(WorkspaceError::InvitationGone)?;
    let open = live.invitations.get(&invitation).ok_or(WorkspaceError::InvitationGone)?;
    if api.app.clock.now() >= open.until {
        return Err(WorkspaceError::InvitationExpired.into());
    }
    Ok((live, open))
}

/// What the person who is signed in is invited to.
///
/// # Errors
/// The invitation is for another address, or used, replaced or over.
pub async fn invited(
    api: &Api,
    signed_in: &SignedIn,
    link: &LinkRequest,
) -> Result<InvitedView, Problem> {
    let (workspace, invitation) = named(api, link).await?;
    let loaded = PathWorkspace::load(api, workspace).await?;
    let (live, open) = open_invitation(api, &loaded, invitation)?;
    is_theirs(api, signed_in, (workspace, invitation), open).await?;
    let workspace_name = Unsealer::of_workspace(&api.app.keyring.sealer, workspace)
        .required::<WorkspaceName>(&live.name)
        .await?;
    Ok(InvitedView {
        invitation_id: invitation.0,
        workspace_id: workspace.0,
        workspace_name,
        role: open.role,
        inviter_id: open.by.0,
        expires_at: open.until,
    })
}

/// Declines an invitation, by the link that was mailed to the caller's address: the link stops working, and
/// the address is erased there.
#[utoipa::path(
    post, path = "/v1/invitations/decline", tag = "workspaces", request_body = LinkRequest,
    params(IdempotencyKey),
    responses((status = 204)),
)]
async fn decline(
    api: ApiData,
    signed_in: SignedIn,
    caller: Caller,
    body: Body<LinkRequest>,
) -> Result<HttpResponse, Problem> {
    let (link, bytes) = body.read()?;
    decline_by(&link, &api, &signed_in, (&caller, bytes)).await?;
    // Who does not join learns nothing of how much happens there.
    Ok(HttpResponse::NoContent().finish())
}

/// Ends the invitation.
///
/// # Errors
/// It is for another address, or used, replaced or over.
pub async fn decline_by(
    link: &LinkRequest,
    api: &Api,
    signed_in: &SignedIn,
    (caller, bytes): (&Caller, Vec<u8>),
) -> Result<(), Problem> {
    let (workspace, invitation) = named(api, link).await?;
    let mut request = signed_in.request(caller, bytes);
    request.tenant = workspace.into();
    // Nor does the workspace learn from its trail which account declines.
    (request.actor, request.session) = (None, None);
    let loaded = PathWorkspace::load(api, workspace).await?;
    let live = loaded.state.live().ok_or(WorkspaceError::InvitationGone)?;
    if let Some(open) = live.invitations.get(&invitation) {
        let theirs = is_theirs(api, signed_in, (workspace, invitation), open).await?;
        request.guards.push(theirs);
    }
    let declines = WorkspaceCommand::DeclineInvitation { invitation };
    let step = Step::new::<Workspace>(workspace.0, declines);
    api.app.executor.execute(&request, &[step]).await?;
    Ok(())
}

async fn named(api: &Api, link: &LinkRequest) -> Result<(WorkspaceId, InvitationId), Problem> {
    let (of, id) = link.subject(api, LinkPurpose::AcceptInvitation).await?;
    Ok((WorkspaceId(of.0), InvitationId(id.0)))
}

/// Until when the invitation is open that an earlier call has appended.
pub(super) async fn invited_until(api: &Api, earlier: &Receipt) -> Result<DateTime<Utc>, Problem> {
    let positions: Vec<i64> = earlier.events().iter().map(|event| event.position).collect();
    let client = api.app.pool.get().await.map_err(PgError::from)?;
    let events = Feed::at(&client, &positions).await?;
    let invited = events.iter().find(|event| event.event_type() == "workspace.member_invited");
    let invited = invited.ok_or_else(|| Problem::of(ProblemKind::Internal))?;
    let Invited { until } =
        serde_json::from_str(invited.data()).map_err(|error| Problem::internal(&error))?;
    Ok(until)
}

/// The part of the event that is asked for.
#[derive(Deserialize)]
struct Invited {
    until: DateTime<Utc>,
}

/// The guard says that the address is still theirs when events are appended.
async fn is_theirs(
    api: &Api,
    signed_in: &SignedIn,
    (workspace, id): (WorkspaceId, InvitationId),
    open: &Invitation,
) -> Result<Guard, Problem> {
    let sent_to = address(api, workspace, id, open).await?;
    let sent_to = sent_to.ok_or(WorkspaceError::InvitationGone)?;
    check_is_theirs(api, signed_in, &sent_to).await
}
