//! Invitations: each is mailed to one address.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::header;
use chrono::{DateTime, TimeDelta, Utc};
use domain::privacy::{EmailAddress, InvitationEmail, Personal};
use domain::workspace::{
    INVITATION_DAYS_MAX, Invitation, LiveWorkspace, Right, Role, Workspace, WorkspaceAction,
    WorkspaceCommand, WorkspaceError,
};
use domain::{InvitationId, WorkspaceId};
use infra::event_store::{ExecuteError, Step};
use infra::ids::derived;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::{PathId, PathWorkspace, nothing};
use crate::api::http::answer::{at_version, created_if_read, done};
use crate::api::http::body::{Body, Query};
use crate::api::http::cursor::Page;
use crate::api::http::fields::{Fields, FromFields, one_of, parsed, text, time};
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::listing::{ListFilter, Listing, Order, Place, open_all};
use crate::api::http::precondition::IfMatch;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::http::schemas;
use crate::api::http::versions::versions_of;
use crate::api::workspaces::invited::invited_until;
use crate::api::workspaces::members::{ROLES, role};
use crate::api::{Api, ApiData};
use crate::operations::email_addresses::owner;
use crate::unseal::Unsealer;

const INVITING: &[&str] = &["workspace.member_invited"];
/// How often others may be faster.
const TRIES: usize = 8;

pub fn routes(routes: &mut Routes) {
    routes
        .add_action(WorkspaceAction::Invite, __path_invite, invite)
        .refuses(&[ProblemKind::AlreadyDone, ProblemKind::Refused])
        .refuses_values(&[
            ("/email", schemas::LOOKS_ALIKE),
            ("/expires_at", "this is over, or later than in 7 days"),
        ])
        .add_action(WorkspaceAction::ListInvitations, __path_list, list)
        .add_action(WorkspaceAction::ShowInvitation, __path_show, show)
        .add_action(WorkspaceAction::RevokeInvitation, __path_revoke, revoke);
}

#[derive(ToSchema)]
#[schema(example = json!({ "email": "bob@example.org", "role": "operator" }))]
pub struct InviteRequest {
    #[schema(schema_with = schemas::email)]
    email: EmailAddress,
    #[schema(
        value_type = String, example = "operator",
        pattern = r"^(?:owner|admin|operator|viewer|billing|auditor)$"
    )]
    role: Role,
    /// When the link stops working: within 7 days, which is what it is by default.
    expires_at: Option<DateTime<Utc>>,
}

impl FromFields for InviteRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email", text(EmailAddress::parse));
        let role = role(fields);
        let expires_at = fields.optional("expires_at", time);
        Some(Self { email: email?, role: role?, expires_at: expires_at? })
    }
}

/// Mails an invitation. A second one to the same address replaces the first.
#[utoipa::path(
    post, path = "/v1/workspaces/{workspace_id}/invitations", tag = "workspaces",
    request_body = InviteRequest,
    params(("workspace_id" = Uuid, Path),
        IdempotencyKey),
    responses((status = 201, body = InvitationView)),
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
    // Before the members are looked at: whoever was invited by this very request may be one by now.
    if let Some(earlier) = api.app.executor.find_earlier(&request).await? {
        let read = async {
            let view = InvitationView {
                invitation_id: invitation.0,
                role: form.role,
                inviter_id: member.account.0,
                expires_at: invited_until(&api, &earlier).await?,
                email: member.needs(Right::ManageMembers).is_ok().then_some(form.email),
            };
            Ok((earlier.version(), view))
        };
        let at = format!("/v1/workspaces/{workspace}/invitations/{invitation}");
        return Ok(created_if_read(at, &earlier, read).await);
    }
    let mut seen = named;
    for _ in 0..TRIES {
        let live = seen.state.live().ok_or(WorkspaceError::Unknown)?;
        if known.is_some_and(|known| live.members.contains_key(&known)) {
            return Err(WorkspaceError::MemberAlready.into());
        }
        let invites = WorkspaceCommand::Invite {
            by: member.account,
            invitation,
            email: Personal::Clear(form.email.clone()),
            role: form.role,
            now,
            until: form.expires_at.unwrap_or(now + TimeDelta::days(INVITATION_DAYS_MAX)),
            replaces: same_address(&api, workspace, live, &form.email).await?,
        };
        let step = Step::new::<Workspace>(workspace.0, invites).expecting(seen.version);
        match api.app.executor.execute(&request, &[step]).await {
            Err(ExecuteError::Stale { .. }) => seen = PathWorkspace::load(&api, workspace).await?,
            Err(error) => return Err(error.into()),
            Ok(receipt) => {
                let at = format!("/v1/workspaces/{workspace}/invitations/{invitation}");
                let read = async {
                    let now = PathWorkspace::load(&api, workspace).await?;
                    Ok((now.version, view(&api, &member, &now, invitation).await?))
                };
                return Ok(created_if_read(at, &receipt, read).await);
            }
        }
    }
    Err(Problem::of(ProblemKind::Unavailable).with_header(header::RETRY_AFTER, 1))
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
    open_all(&live.invitations, |(id, invitation)| async move {
        let address = address(api, workspace, *id, invitation).await?;
        Ok((*id, invitation, address))
    })
    .await
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

#[derive(Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InvitationFilter {
    /// Those for this role.
    #[param(value_type = Option<String>,
        pattern = r"^(?:owner|admin|operator|viewer|billing|auditor)$")]
    role: Option<Role>,
    /// Those of this member.
    inviter_id: Option<Uuid>,
}

type InvitationListing = Listing<InvitationFilter>;

impl ListFilter for InvitationFilter {
    const ORDERS: &'static [Order] = &[Order::Expiry, Order::Newest, Order::Oldest];

    fn read(fields: &mut Fields) -> Option<Self> {
        let role = fields.optional("role", one_of(ROLES));
        let inviter = fields.optional("inviter_id", parsed("an id"));
        Some(Self { role: role?, inviter_id: inviter? })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Invitation)]
pub struct InvitationView {
    invitation_id: Uuid,
    #[schema(value_type = String)]
    role: Role,
    inviter_id: Uuid,
    expires_at: DateTime<Utc>,
    /// For owners and admins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Email)]
    email: Option<EmailAddress>,
}

/// The invitations that are open: those that end first come first.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace_id}/invitations", tag = "workspaces",
    params(("workspace_id" = Uuid, Path), InvitationListing),
    responses((status = 200, body = Page<InvitationView>)),
)]
async fn list(
    api: ApiData,
    member: Member,
    workspace: PathWorkspace,
    query: Query<InvitationListing>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let (Query(listing), live) = (query, workspace.live()?);
    let page = listing.page(&api, member.tenant(), "/v1/workspaces/invitations").await?;
    let InvitationFilter { role, inviter_id } = listing.filter;
    let open = live.invitations.iter().filter(|(_, invitation)| {
        role.is_none_or(|role| role == invitation.role)
            && inviter_id.is_none_or(|inviter| inviter == invitation.by.0)
    });
    let invited = if listing.order.is_by_begin() {
        let of = (workspace.id.0, INVITING);
        versions_of(&api, of, workspace.version, "invitation").await?
    } else {
        Vec::new()
    };
    let invited: BTreeMap<Uuid, i64> = invited.into_iter().collect();
    let place = |id: InvitationId, until: DateTime<Utc>| {
        if listing.order.is_by_begin() {
            Place::by_number(invited.get(&id.0).copied().unwrap_or_default(), id.0)
        } else {
            listing.place(until, "", id.0)
        }
    };
    let placed = open.map(|(id, open)| (place(*id, open.until), (*id, open)));
    let page = page.of_all(placed.collect()).await?;
    let may_see = member.needs(Right::ManageMembers).is_ok();
    let (api, of): (&Api, _) = (&api, workspace.id);
    let items = open_all(page.items, |(id, invitation)| async move {
        let email = if may_see { address(api, of, id, invitation).await? } else { None };
        Ok(InvitationView::of((id, invitation, email)))
    });
    let items = items.await?;
    Ok(HttpResponse::Ok().json(Page { items, next: page.next }))
}

impl InvitationView {
    fn of((id, invitation, email): Addressed<'_>) -> Self {
        Self {
            invitation_id: id.0,
            role: invitation.role,
            inviter_id: invitation.by.0,
            expires_at: invitation.until,
            email,
        }
    }
}

/// Shows an invitation that is open. Its `ETag` is the workspace's.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace_id}/invitations/{invitation_id}", tag = "workspaces",
    params(("workspace_id" = Uuid, Path), ("invitation_id" = Uuid, Path)),
    responses((status = 200, body = InvitationView, headers(("ETag" = String)))),
)]
async fn show(
    api: ApiData,
    member: Member,
    workspace: PathWorkspace,
    invitation: PathId<InvitationId>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let view = view(&api, &member, &workspace, invitation.get()?).await?;
    Ok(at_version(workspace.version, view))
}

async fn view(
    api: &Api,
    member: &Member,
    workspace: &PathWorkspace,
    id: InvitationId,
) -> Result<InvitationView, Problem> {
    let invitation = workspace.live()?.invitations.get(&id).ok_or_else(nothing)?;
    let email = if member.needs(Right::ManageMembers).is_ok() {
        address(api, workspace.id, id, invitation).await?
    } else {
        None
    };
    Ok(InvitationView::of((id, invitation, email)))
}

/// Withdraws an invitation: its link stops working, and its address is erased.
#[utoipa::path(
    delete, path = "/v1/workspaces/{workspace_id}/invitations/{invitation_id}", tag = "workspaces",
    params(("workspace_id" = Uuid, Path), ("invitation_id" = Uuid, Path),
        IfMatch),
    responses((status = 204)),
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
