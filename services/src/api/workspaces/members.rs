//! The members of a workspace, today or at a time, and what they are in it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::header;
use chrono::{DateTime, Utc};
use domain::privacy::{
    AccountEmail, AccountName, EmailAddress, Field, Label, PersonName, Purpose, ServiceAccountName,
};
use domain::workspace::{LiveWorkspace, Right, Role, Workspace, WorkspaceAction, WorkspaceCommand};
use domain::{AccountId, WorkspaceId};
use futures_util::{StreamExt, TryStreamExt, stream};
use infra::event_store::{Step, Until};
use projections::accounts::{Account, by_ids};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::PathWorkspace;
use crate::api::http::body::Query;
use crate::api::http::cursor::Page;
use crate::api::http::fields::{Fields, one_of, parsed, time};
use crate::api::http::listing::{ListFilter, Listing, Order, Place};
use crate::api::http::precondition::etag;
use crate::api::http::problem::{At, FieldError, Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::{Api, ApiData};
use crate::unseal::Unsealer;

pub(super) const ROLES: &str = "owner, admin, operator, viewer, billing, auditor";
const KINDS: &str = "person, service_account";
const PURPOSES: &str = "account_administration, service_communication";
/// How many names are opened at once.
const AT_ONCE: usize = 16;

pub fn routes(routes: &mut Routes) {
    routes.add_action(WorkspaceAction::ListMembers, __path_list, list);
}

#[derive(Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MemberFilter {
    /// The members at that time, out of the log.
    #[param(value_type = Option<String>, format = DateTime)]
    as_of: Option<DateTime<Utc>>,
    /// With names, and addresses where the purpose allows; for owners and admins. It is recorded. Those
    /// who belonged at `as_of`, and do not now, are shown without.
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
}

type MemberListing = Listing<MemberFilter>;

impl ListFilter for MemberFilter {
    const ORDERS: &'static [Order] = &[Order::Role, Order::Name];

    fn read(fields: &mut Fields) -> Option<Self> {
        let as_of = fields.optional("as_of", time);
        let names = fields.optional("names", parsed("true or false"));
        let purpose = fields.optional("purpose", one_of(PURPOSES));
        let role = fields.optional("role", one_of(ROLES));
        let kind = fields.optional("kind", one_of(KINDS));
        let names = names?.unwrap_or(false);
        Some(Self { as_of: as_of?, names, purpose: purpose?, role: role?, kind: kind? })
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
    if let Some(of) = live.service_accounts.get(&account) {
        let sealed = Unsealer::of_workspace(&api.app.keyring.sealer, workspace);
        let name = sealed.required::<ServiceAccountName>(&of.name).await?;
        view.name = Some(MemberName::ServiceAccount(name));
    }
    Ok(view)
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
    let Query(listing) = query;
    let MemberFilter { as_of, names, purpose, role, kind } = listing.filter;
    let by_name = listing.order == Order::Name;
    if by_name && !names {
        return Err(bad_parameter(
            "order",
            "names are sorted where they are shown: add names=true",
        ));
    }
    let cursors = listing.cursors(&api, member.tenant(), "/v1/workspaces/members")?;
    let (executor, of) = (&api.app.executor, member.workspace);
    let mut version = workspace.version;
    let today = workspace.state.live().map(|live| live.members.clone()).unwrap_or_default();
    let state = match as_of {
        Some(at) => executor.load_until::<Workspace>(of.into(), of.0, Until::Time(at)).await?.state,
        None => workspace.state,
    };
    let mut all = Vec::new();
    if let Some(live) = state.live() {
        for account in live.members.keys().chain(live.service_accounts.keys()) {
            let view = view(&api, of, live, *account).await?;
            if role.is_none_or(|role| role == view.role) && kind.is_none_or(|it| it == view.kind) {
                all.push(view);
            }
        }
    }
    let mut page = Page { items: all, next: None };
    if !by_name {
        page = listing.page_of(&cursors, placed(page.items, by_role)).await?;
    }
    if names {
        let purpose = purpose.ok_or_else(no_purpose)?;
        // Whoever has left is nobody's business any more.
        let of_today = page.items.iter().map(|view| AccountId(view.account_id));
        let named: Vec<AccountId> =
            of_today.filter(|account| today.contains_key(account)).collect();
        version = open(&api, &member, &caller, purpose, named.len()).await?;
        let mut people = opened_people(&api, purpose, &named).await?;
        for view in &mut page.items {
            if let Some((name, email)) = people.remove(&AccountId(view.account_id)) {
                (view.name, view.email) = (name.map(MemberName::Person), email);
            }
        }
    }
    if by_name {
        page = listing.page_of(&cursors, placed(page.items, of_name)).await?;
    }
    let view = Members { as_of, items: page.items, next: page.next };
    Ok(HttpResponse::Ok().insert_header((header::ETAG, etag(version))).json(view))
}

fn placed(views: Vec<MemberView>, at: fn(&MemberView) -> Place) -> Vec<(Place, MemberView)> {
    views.into_iter().map(|view| (at(&view), view)).collect()
}

/// Owners come first.
fn by_role(view: &MemberView) -> Place {
    let rank = Role::ALL.iter().take_while(|role| **role != view.role).count();
    Place::by_number(i64::try_from(rank).unwrap_or_default(), view.account_id)
}

fn of_name(view: &MemberView) -> Place {
    Place::by_name(view.name.as_ref().map_or("", MemberName::expose), view.account_id)
}

fn no_purpose() -> Problem {
    let detail = format!("names are shown for a purpose only: use one of {PURPOSES}");
    bad_parameter("purpose", detail)
}

fn bad_parameter(name: &str, detail: impl Into<Cow<'static, str>>) -> Problem {
    let at = At::Parameter(name.to_owned());
    Problem::invalid(ProblemKind::BadQuery, vec![FieldError::new(at, detail)])
}

/// Appends the access before anything is decrypted; returns the new version.
async fn open(
    api: &Api,
    member: &Member,
    caller: &Caller,
    purpose: Purpose,
    count: usize,
) -> Result<i64, Problem> {
    member.needs(Right::ManageMembers)?;
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let opens = WorkspaceCommand::OpenMemberNames { by: member.account, purpose, count };
    let step = Step::new::<Workspace>(member.workspace.0, opens);
    let request = member.request_with(Right::ManageMembers, caller, vec![]);
    let receipt = api.app.executor.execute(&request, &[step]).await?;
    Ok(receipt.version())
}

type Opened = (Option<PersonName>, Option<EmailAddress>);

/// Nothing of people whose erasure has been requested is opened.
async fn opened_people(
    api: &Api,
    purpose: Purpose,
    accounts: &[AccountId],
) -> Result<BTreeMap<AccountId, Opened>, Problem> {
    let rows = by_ids(&api.app.pool, accounts).await?;
    let rows = rows.into_iter().filter(|row| !row.restricted());
    let opening = rows.map(|row| opened_person(api, purpose, row));
    stream::iter(opening).buffer_unordered(AT_ONCE).try_collect().await
}

async fn opened_person(
    api: &Api,
    purpose: Purpose,
    row: Account,
) -> Result<(AccountId, Opened), Problem> {
    let about = row.account_id;
    let name = row.name.as_deref().filter(|_| is_for::<AccountName>(purpose));
    let email = row.email.as_deref().filter(|_| is_for::<AccountEmail>(purpose));
    let person = Unsealer::of_account(&api.app.keyring.sealer, about);
    let name = person.optional::<AccountName>(name).await?;
    Ok((about, (name, person.optional::<AccountEmail>(email).await?)))
}

fn is_for<F: Field>(purpose: Purpose) -> bool {
    F::DECLARATION.purposes.contains(&purpose)
}

pub fn role(fields: &mut Fields) -> Option<Role> {
    fields.required("role", one_of(ROLES))
}
