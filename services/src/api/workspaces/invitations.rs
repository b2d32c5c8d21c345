//! Invitations: mailed to one address, and accepted by the person whose address it is.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use chrono::{DateTime, TimeDelta, Utc};
use domain::account::{Account, AccountError};
use domain::privacy::{AccountEmail, EmailAddress, InvitationEmail, Personal};
use domain::workspace::{
    INVITATION_DAYS_MAX, Invitation, LiveWorkspace, Right, Role, Workspace, WorkspaceAction,
    WorkspaceCommand, WorkspaceError,
};
use domain::{InvitationId, WorkspaceId};
use futures_util::{StreamExt, TryStreamExt, stream};
use infra::event_store::{ExecuteError, Guard, Loaded, Step};
use infra::ids::derived;
use infra::keyring::LinkPurpose;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::accounts::link::LinkRequest;
use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::{PathId, PathWorkspace};
use crate::api::auth::signed_in::SignedIn;
use crate::api::auth::step_up::{has_email, live_account};
use crate::api::http::answer::{done, written};
use crate::api::http::body::Body;
use crate::api::http::fields::{Fields, FromFields, number, text};
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::precondition::IfMatch;
use crate::api::http::problem::{Problem, ProblemKind, ProblemView};
use crate::api::http::routes::Routes;
use crate::api::http::schemas;
use crate::api::workspaces::members::role;
use crate::api::{Api, ApiData};
use crate::operations::email_addresses::owner;
use crate::operations::owners::{another_leaves, remaining_owner};
use crate::unseal::Unsealer;

/// How many addresses are opened at once.
const AT_ONCE: usize = 16;
/// How often others may be faster.
const TRIES: usize = 8;

pub fn routes(routes: &mut Routes) {
    routes
        .add_action(WorkspaceAction::Invite, __path_invite, invite)
        .add_action(WorkspaceAction::ListInvitations, __path_list, list)
        .add_action(WorkspaceAction::RevokeInvitation, __path_revoke, revoke)
        .add(__path_accept, accept);
}

#[derive(ToSchema)]
pub struct InviteRequest {
    #[schema(schema_with = schemas::email)]
    email: EmailAddress,
    #[schema(
        value_type = String, example = "operator",
        pattern = r"^(?:owner|admin|operator|viewer|billing|auditor)$"
    )]
    role: Role,
    /// Days until the link stops working, 1 to 7; 7 by default.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 7)]
    expires_in_days: i64,
}

impl FromFields for InviteRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email", text(EmailAddress::parse));
        let role = role(fields);
        let days = fields.optional("expires_in_days", number(1, INVITATION_DAYS_MAX));
        let expires_in_days = days?.unwrap_or(INVITATION_DAYS_MAX);
        Some(Self { email: email?, role: role?, expires_in_days })
    }
}

#[derive(Serialize, ToSchema)]
pub struct InviteResponse {
    invitation_id: Uuid,
}

/// Mails an invitation. A second one to the same address replaces the first.
#[utoipa::path(
    post, path = "/v1/workspaces/{workspace}/invitations", tag = "workspaces",
    request_body = InviteRequest, security(("session" = [])),
    params(("workspace" = Uuid, Path),
        IdempotencyKey),
    responses((status = 201, body = InviteResponse), (status = 409, body = ProblemView)),
)]
async fn invite(
    api: ApiData,
    member: Member,
    named: PathWorkspace,
    caller: Caller,
    body: Body<InviteRequest>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let (form, bytes) = body.read()?;
    api.limits.mail(caller.address, form.email.canonical())?;
    let known = owner(&api.app, &form.email).await?;
    let request = member.request(&caller, bytes);
    let (workspace, now) = (member.workspace, api.app.clock.now());
    let invitation = InvitationId(derived(request.command, "invitation"));
    let mut loaded = named.loaded();
    for _ in 0..TRIES {
        let live = loaded.state.live().ok_or(WorkspaceError::Unknown)?;
        if known.is_some_and(|known| live.members.contains_key(&known)) {
            return Err(WorkspaceError::MemberAlready.into());
        }
        let invites = WorkspaceCommand::Invite {
            by: member.account,
            invitation,
            email: Personal::Clear(form.email.clone()),
            role: form.role,
            now,
            until: now + TimeDelta::days(form.expires_in_days),
            replaces: same_address(&api, workspace, live, &form.email).await?,
        };
        let step = Step::new::<Workspace>(workspace.0, invites).expecting(loaded.version);
        match api.app.executor.execute(&request, &[step]).await {
            Err(ExecuteError::Stale { .. }) => loaded = load(&api, workspace).await?,
            Err(error) => return Err(error.into()),
            Ok(receipt) => {
                let at = format!("/v1/workspaces/{workspace}/invitations/{invitation}");
                return Ok(written(StatusCode::CREATED, &receipt)
                    .insert_header((header::LOCATION, at))
                    .json(InviteResponse { invitation_id: invitation.0 }));
            }
        }
    }
    Err(Problem::of(ProblemKind::Unavailable).with_header(header::RETRY_AFTER, 1))
}

pub(super) async fn load(api: &Api, workspace: WorkspaceId) -> Result<Loaded<Workspace>, Problem> {
    Ok(api.app.executor.load::<Workspace>(workspace.into(), workspace.0).await?)
}

/// `None` once the key of the address is erased.
pub(super) async fn address(
    api: &Api,
    workspace: WorkspaceId,
    id: InvitationId,
    invitation: &Invitation,
) -> Result<Option<EmailAddress>, Problem> {
    let sealed = Unsealer::new(&api.app.keyring.sealer, workspace.into(), id.into());
    Ok(sealed.optional::<InvitationEmail>(Some(&invitation.email)).await?)
}

type Addressed<'a> = (InvitationId, &'a Invitation, Option<EmailAddress>);

async fn addresses<'a>(
    api: &Api,
    workspace: WorkspaceId,
    live: &'a LiveWorkspace,
) -> Result<Vec<Addressed<'a>>, Problem> {
    let opening = live.invitations.iter().map(|(id, invitation)| async move {
        let address = address(api, workspace, *id, invitation).await?;
        Ok::<_, Problem>((*id, invitation, address))
    });
    stream::iter(opening).buffered(AT_ONCE).try_collect().await
}

async fn same_address(
    api: &Api,
    workspace: WorkspaceId,
    live: &LiveWorkspace,
    email: &EmailAddress,
) -> Result<Option<InvitationId>, Problem> {
    let open = addresses(api, workspace, live).await?;
    let same =
        |of: &Addressed<'_>| of.2.as_ref().is_some_and(|to| to.canonical() == email.canonical());
    Ok(open.into_iter().find(same).map(|(id, ..)| id))
}

#[derive(Serialize, ToSchema)]
pub struct Invitations {
    items: Vec<InvitationView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Invitation)]
pub struct InvitationView {
    invitation_id: Uuid,
    #[schema(value_type = String)]
    role: Role,
    invited_by: Uuid,
    expires_at: DateTime<Utc>,
    /// For owners and admins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Email)]
    email: Option<EmailAddress>,
}

/// The invitations that are open.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace}/invitations", tag = "workspaces",
    security(("session" = []), ("token" = [])), params(("workspace" = Uuid, Path)),
    responses((status = 200, body = Invitations)),
)]
async fn list(
    api: ApiData,
    member: Member,
    workspace: PathWorkspace,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let live = workspace.live()?;
    let may_see = member.needs(Right::ManageMembers).is_ok();
    let open = if may_see {
        addresses(&api, workspace.id, live).await?
    } else {
        live.invitations.iter().map(|(id, invitation)| (*id, invitation, None)).collect()
    };
    let items = open.into_iter().map(|(id, invitation, email)| InvitationView {
        invitation_id: id.0,
        role: invitation.role,
        invited_by: invitation.by.0,
        expires_at: invitation.until,
        email,
    });
    Ok(HttpResponse::Ok().json(Invitations { items: items.collect() }))
}

/// Withdraws an invitation: its link stops working, and its address is erased.
#[utoipa::path(
    delete, path = "/v1/workspaces/{workspace}/invitations/{invitation}", tag = "workspaces",
    security(("session" = [])),
    params(("workspace" = Uuid, Path), ("invitation" = Uuid, Path),
        ("If-Match" = Option<String>, Header)),
    responses((status = 204), (status = 404, body = ProblemView)),
)]
async fn revoke(
    api: ApiData,
    member: Member,
    caller: Caller,
    matches: IfMatch,
    invitation: PathId<InvitationId>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let invitation = invitation.get()?;
    let revokes = WorkspaceCommand::RevokeInvitation { by: member.account, invitation };
    let step = matches.on(Step::new::<Workspace>(member.workspace.0, revokes))?;
    let request = member.request(&caller, vec![]);
    Ok(done(&api.app.executor.execute(&request, &[step]).await?))
}

#[derive(Serialize, ToSchema)]
pub struct AcceptInvitationResponse {
    workspace_id: Uuid,
}

/// Joins a workspace, by the link that was mailed to the caller's address.
#[utoipa::path(
    post, path = "/v1/invitations/accept", tag = "workspaces", request_body = LinkRequest,
    security(("session" = [])),
    params(IdempotencyKey),
    responses((status = 200, body = AcceptInvitationResponse), (status = 403, body = ProblemView),
        (status = 410, body = ProblemView)),
)]
async fn accept(
    api: ApiData,
    signed_in: SignedIn,
    caller: Caller,
    body: Body<LinkRequest>,
) -> Result<HttpResponse, Problem> {
    let (link, bytes) = body.read()?;
    let (of, id) = link.subject(&api, LinkPurpose::AcceptInvitation).await?;
    let (workspace, invitation) = (WorkspaceId(of.0), InvitationId(id.0));
    let mut request = signed_in.request(&caller, bytes);
    request.tenant = workspace.into();
    let loaded = load(&api, workspace).await?;
    let live = loaded.state.live().ok_or(WorkspaceError::InvitationGone)?;
    if let Some(open) = live.invitations.get(&invitation) {
        let sent_to = address(&api, workspace, invitation, open).await?;
        let sent_to = sent_to.ok_or(WorkspaceError::InvitationGone)?;
        request.guards.push(check_is_theirs(&api, &signed_in, &sent_to).await?);
    }
    request.guards.push(signed_in.acts(true));
    request.guards.extend(owner_stays(&api, workspace, live, invitation).await?);
    let now = api.app.clock.now();
    let accepts = WorkspaceCommand::AcceptInvitation { by: signed_in.account, invitation, now };
    let step = Step::new::<Workspace>(workspace.0, accepts);
    let receipt = api.app.executor.execute(&request, &[step]).await;
    let receipt = receipt.map_err(|error| match error {
        error if another_leaves(&error) => Problem::from(WorkspaceError::NoOwnerStays),
        error => error.into(),
    })?;
    Ok(written(StatusCode::OK, &receipt)
        .json(AcceptInvitationResponse { workspace_id: workspace.0 }))
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
