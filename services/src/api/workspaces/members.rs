//! The members of a workspace, today or at a time, and what they are in it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use domain::privacy::{EmailAddress, Label, PersonName, Purpose, ServiceAccountName};
use domain::workspace::{LiveWorkspace, Right, Role, Workspace, WorkspaceAction, WorkspaceCommand};
use domain::{AccountId, WorkspaceId};
use infra::event_store::{Step, Until};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::PathWorkspace;
use crate::api::http::answer::at_version;
use crate::api::http::body::Query;
use crate::api::http::cursor::Page;
use crate::api::http::fields::{Fields, one_of, parsed, text, time};
use crate::api::http::listing::{ListFilter, Listing, Order, Place, comparable, part_of_name};
use crate::api::http::problem::{At, FieldError, Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::http::versions::versions_of;
use crate::api::workspaces::member_names::{opened_names, opened_people};
use crate::api::{Api, ApiData};
use crate::unseal::Unsealer;

pub(super) const ROLES: &str = "owner, admin, operator, viewer, billing, auditor";
/// The events by which one becomes a member.
const JOINING: &[&str] = &["workspace.member_joined", "workspace.service_account_created"];
const KINDS: &str = "person, service_account";
const PURPOSES: &str = "account_administration, service_communication";

pub fn routes(routes: &mut Routes) {
    routes.add_action(WorkspaceAction::ListMembers, __path_list, list).refuses_values(&[
        ("name", "names are looked through where they are shown: add names=true"),
        ("order", "names are sorted where they are shown: add names=true"),
        ("purpose", "names are shown for a purpose only"),
    ]);
}

#[derive(Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MemberFilter {
    /// The members at that time, out of the log.
    #[param(value_type = Option<String>, format = DateTime)]
    as_of: Option<DateTime<Utc>>,
    /// With names, and addresses where the purpose allows; for owners and admins. It is recorded, with how many
    /// are shown. Those who belonged at `as_of`, and do not now, are shown without.
    #[param(required = false)]
    names: bool,
    /// What the names are opened for: `account_administration` (names) or `service_communication`
    /// (names and addresses).
    #[param(value_type = Option<String>,
        pattern = r"^(?:account_administration|service_communication)$")]
    purpose: Option<Purpose>,
    /// Those who have this role.
    #[param(value_type = Option<String>,
        pattern = r"^(?:owner|admin|operator|viewer|billing|auditor)$")]
    role: Option<Role>,
    /// People, or service accounts.
    #[param(value_type = Option<String>, pattern = r"^(?:person|service_account)$")]
    kind: Option<MemberKind>,
    /// Those in whose name this stands, in capital or small letters; with `names` alone.
    #[param(min_length = 1, max_length = 100)]
    name: Option<String>,
}

type MemberListing = Listing<MemberFilter>;

impl ListFilter for MemberFilter {
    const ORDERS: &'static [Order] = &[Order::Role, Order::Name, Order::Newest, Order::Oldest];

    fn read(fields: &mut Fields) -> Option<Self> {
        let as_of = fields.optional("as_of", time);
        let names = fields.optional("names", parsed("true or false"));
        let purpose = fields.optional("purpose", one_of(PURPOSES));
        let role = fields.optional("role", one_of(ROLES));
        let kind = fields.optional("kind", one_of(KINDS));
        let name = fields.optional("name", text(part_of_name));
        let (names, name) = (names?.unwrap_or(false), name?);
        Some(Self { as_of: as_of?, names, purpose: purpose?, role: role?, kind: kind?, name })
    }
}

#[derive(Serialize, ToSchema)]
pub struct Members {
    /// The time in the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<DateTime<Utc>>,
    items: Vec<MemberView>,
    /// To be sent back as `cursor`, with the same filters, within a day. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Member)]
pub struct MemberView {
    account_id: Uuid,
    #[schema(value_type = String, pattern = r"^(?:person|service_account)$")]
    kind: MemberKind,
    #[schema(value_type = String)]
    role: Role,
    /// Of a service account always.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    name: Option<MemberName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Email)]
    email: Option<EmailAddress>,
}

/// Who acts as a member.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberKind {
    Person,
    ServiceAccount,
}

#[derive(Serialize)]
#[serde(untagged)]
pub enum MemberName {
    Person(PersonName),
    ServiceAccount(Label),
}

impl MemberName {
    fn expose(&self) -> &str {
        match self {
            Self::Person(name) => name.expose(),
            Self::ServiceAccount(name) => name.expose(),
        }
    }
}

impl MemberView {
    /// Without a name.
    pub(super) fn unnamed(of: &LiveWorkspace, account: AccountId, role: Role) -> Self {
        let is_service_account = of.service_accounts.contains_key(&account);
        let kind = if is_service_account { MemberKind::ServiceAccount } else { MemberKind::Person };
        Self { account_id: account.0, kind, role, name: None, email: None }
    }
}

/// A member as whoever belongs to the workspace may see it: people without their names.
pub(super) async fn view(
    api: &Api,
    workspace: WorkspaceId,
    live: &LiveWorkspace,
    account: AccountId,
) -> Result<MemberView, Problem> {
    let mut view = MemberView::unnamed(live, account, live.role(account)?);
    name_service_accounts(api, workspace, live, std::slice::from_mut(&mut view)).await?;
    Ok(view)
}

/// Those that have no name yet: it is the workspace's, and no person's.
async fn name_service_accounts(
    api: &Api,
    workspace: WorkspaceId,
    live: &LiveWorkspace,
    views: &mut [MemberView],
) -> Result<(), Problem> {
    let sealed = Unsealer::of_workspace(&api.app.keyring.sealer, workspace);
    for view in views.iter_mut().filter(|view| view.name.is_none()) {
        if let Some(of) = live.service_accounts.get(&AccountId(view.account_id)) {
            let name = sealed.required::<ServiceAccountName>(&of.name).await?;
            view.name = Some(MemberName::ServiceAccount(name));
        }
    }
    Ok(())
}

/// Who belongs to the workspace, or did at a time; what a role may do is in `/v1/roles`. In the order of names with
/// names alone; those who are shown without come first.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace_id}/members", tag = "workspaces",
    params(("workspace_id" = Uuid, Path), MemberListing),
    responses((status = 200, body = Members, headers(("ETag" = String)))),
)]
async fn list(
    api: ApiData,
    member: Member,
    workspace: PathWorkspace,
    caller: Caller,
    query: Query<MemberListing>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let (Query(listing), api): (_, &Api) = (query, &api);
    let MemberFilter { as_of, names, purpose, role, kind, ref name } = listing.filter;
    let by_name = listing.order == Order::Name;
    let unshown = [("name", "looked through", name.is_some()), ("order", "sorted", by_name)];
    if let Some((parameter, what, _)) = unshown.into_iter().find(|(.., is)| *is && !names) {
        let detail = format!("names are {what} where they are shown: add names=true");
        return Err(bad_parameter(parameter, detail));
    }
    let opens = if names { Some(purpose.ok_or_else(no_purpose)?) } else { None };
    if opens.is_some() {
        member.needs(Right::ManageMembers)?;
    }
    let page = listing.page(api, member.tenant(), "/v1/workspaces/members").await?;
    let (executor, of) = (&api.app.executor, member.workspace);
    let mut version = workspace.version;
    let today = members_of(&workspace.state);
    let (state, last) = match as_of {
        Some(at) => {
            let until = Until::Time(at);
            let then = executor.load_until::<Workspace>(of.into(), of.0, until).await?;
            (then.state, then.version)
        }
        None => (workspace.state, version),
    };
    let mut all = Vec::new();
    if let Some(live) = state.live() {
        for account in live.members.keys().chain(live.service_accounts.keys()) {
            all.push(MemberView::unnamed(live, *account, live.role(*account)?));
        }
    }
    all.retain(|view| role.is_none_or(|role| role == view.role));
    all.retain(|view| kind.is_none_or(|kind| kind == view.kind));
    // Whoever has left is nobody's business any more.
    let is_shown = |account: &AccountId| today.contains_key(account);
    let joined = if listing.order.is_by_begin() {
        versions_of(api, (of.0, JOINING), last, "account").await?
    } else {
        Vec::new()
    };
    // Of somebody who has come back, the last time.
    let joined: BTreeMap<Uuid, i64> = joined.into_iter().collect();
    let named = match opens.filter(|_| by_name || name.is_some()) {
        Some(purpose) => {
            if let Some(live) = state.live() {
                name_service_accounts(api, of, live, &mut all).await?;
            }
            with_names(api, purpose, all, is_shown).await?
        }
        None => all.into_iter().map(|view| (String::new(), view)).collect(),
    };
    let part = name.as_deref().unwrap_or_default();
    let fit = named.into_iter().filter(|(name, _)| comparable(name).contains(part));
    let placed = fit.map(|(name, view)| (place(listing.order, &joined, &name, &view), view));
    let Page { mut items, next } = page.of_all(placed.collect()).await?;
    if let Some(live) = state.live() {
        name_service_accounts(api, of, live, &mut items).await?;
    }
    if let Some(purpose) = opens {
        let accounts = items.iter().map(|view| AccountId(view.account_id)).filter(is_shown);
        let accounts: Vec<AccountId> = accounts.collect();
        version = record(api, &member, &caller, purpose, accounts.len()).await?;
        let mut people = opened_people(api, purpose, &accounts).await?;
        for view in &mut items {
            if let Some((name, email)) = people.remove(&AccountId(view.account_id)) {
                (view.name, view.email) = (name.map(MemberName::Person), email);
            }
        }
    }
    Ok(at_version(version, Members { as_of, items, next }))
}

fn members_of(workspace: &Workspace) -> BTreeMap<AccountId, Role> {
    workspace.live().map(|live| live.members.clone()).unwrap_or_default()
}

/// `joined` has the version of the workspace at which each member joined it, where that is asked for.
fn place(order: Order, joined: &BTreeMap<Uuid, i64>, name: &str, view: &MemberView) -> Place {
    let id = view.account_id;
    match order {
        Order::Name => Place::by_name(name, id),
        Order::Newest | Order::Oldest => {
            Place::by_number(joined.get(&id).copied().unwrap_or_default(), id)
        }
        // Owners come first.
        Order::Role | Order::Expiry => {
            let rank = Role::ALL.iter().take_while(|role| **role != view.role).count();
            Place::by_number(i64::try_from(rank).unwrap_or_default(), id)
        }
    }
}

/// All names are opened to sort by them, or to look through them, and those of people are not shown yet.
async fn with_names(
    api: &Api,
    purpose: Purpose,
    views: Vec<MemberView>,
    is_shown: impl Fn(&AccountId) -> bool,
) -> Result<Vec<(String, MemberView)>, Problem> {
    let accounts = views.iter().map(|view| AccountId(view.account_id)).filter(is_shown);
    let names = opened_names(api, purpose, &accounts.collect::<Vec<_>>()).await?;
    let name = |view: &MemberView| {
        let person = names.get(&AccountId(view.account_id)).and_then(Option::as_ref);
        let name = person.map(PersonName::expose).or(view.name.as_ref().map(MemberName::expose));
        name.unwrap_or_default().to_owned()
    };
    Ok(views.into_iter().map(|view| (name(&view), view)).collect())
}

fn no_purpose() -> Problem {
    let detail = format!("names are shown for a purpose only: use one of {PURPOSES}");
    bad_parameter("purpose", detail)
}

fn bad_parameter(name: &str, detail: impl Into<Cow<'static, str>>) -> Problem {
    let at = At::Parameter(name.to_owned());
    Problem::invalid(ProblemKind::BadQuery, vec![FieldError::new(at, detail)])
}

/// Appends the access before anything is shown; returns the new version.
async fn record(
    api: &Api,
    member: &Member,
    caller: &Caller,
    purpose: Purpose,
    count: usize,
) -> Result<i64, Problem> {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let opens = WorkspaceCommand::OpenMemberNames { by: member.account, purpose, count };
    let step = Step::new::<Workspace>(member.workspace.0, opens);
    let request = member.request_with(Right::ManageMembers, caller, vec![]);
    let receipt = api.app.executor.execute(&request, &[step]).await?;
    Ok(receipt.version())
}

pub fn role(fields: &mut Fields) -> Option<Role> {
    fields.required("role", one_of(ROLES))
}
