//! The workspaces that one belongs to, page by page.

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use domain::AccountId;
use domain::privacy::{Label, Sealed, WorkspaceName};
use domain::workspace::{Role, Workspace};
use infra::postgres::TimeOrder;
use projections::memberships::{Memberships, Mine, joined};
use projections::workspaces::Workspaces;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::auth::signed_in::SignedIn;
use crate::api::http::body::Query;
use crate::api::http::cursor::Page;
use crate::api::http::fields::{Fields, one_of, text};
use crate::api::http::listing::{
    ListFilter, Listing, Order, SORTED_BY_NAME_MAX, TOO_MANY_NAMES, comparable, few_enough,
    open_all, part_of_name,
};
use crate::api::http::position::MinPosition;
use crate::api::http::problem::Problem;
use crate::api::http::routes::Routes;
use crate::api::workspaces::members::ROLES;
use crate::api::{Api, ApiData};
use crate::unseal::Unsealer;

pub fn routes(routes: &mut Routes) {
    routes
        .add(__path_list, list)
        .refuses_values(&[("name", TOO_MANY_NAMES), ("order", TOO_MANY_NAMES)]);
}

#[derive(Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WorkspaceFilter {
    /// Those in which the caller has this role.
    #[param(value_type = Option<String>,
        pattern = r"^(?:owner|admin|operator|viewer|billing|auditor)$")]
    role: Option<Role>,
    /// Those in whose name this stands, in capital or small letters.
    #[param(min_length = 1, max_length = 100)]
    name: Option<String>,
}

type WorkspaceListing = Listing<WorkspaceFilter>;

impl ListFilter for WorkspaceFilter {
    const ORDERS: &'static [Order] = &[Order::Newest, Order::Oldest, Order::Name];

    fn read(fields: &mut Fields) -> Option<Self> {
        let role = fields.optional("role", one_of(ROLES));
        let name = fields.optional("name", text(part_of_name));
        Some(Self { role: role?, name: name? })
    }
}

#[derive(Serialize, ToSchema)]
pub struct WorkspaceSummary {
    workspace_id: Uuid,
    #[schema(value_type = String)]
    name: Label,
    /// The caller's role.
    #[schema(value_type = String)]
    role: Role,
    /// How many people belong to it.
    members: i64,
    joined_at: DateTime<Utc>,
    /// Whether nobody owns it: nothing begins in it.
    restricted: bool,
    /// The end of the grace, once its deletion has been requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_due_at: Option<DateTime<Utc>>,
}

/// The workspaces that one belongs to.
#[utoipa::path(
    get, path = "/v1/workspaces", tag = "workspaces",
    params(WorkspaceListing,
        MinPosition),
    responses((status = 200, body = Page<WorkspaceSummary>)),
)]
async fn list(
    api: ApiData,
    signed_in: SignedIn,
    least: MinPosition,
    query: Query<WorkspaceListing>,
) -> Result<HttpResponse, Problem> {
    let (Query(listing), api): (_, &Api) = (query, &api);
    let (account, path) = (signed_in.account, "/v1/workspaces");
    let (pool, role, part) = (&api.app.pool, listing.filter.role, listing.filter.name.as_deref());
    if part.is_some() || listing.order == Order::Name {
        let page = listing.page(api, signed_in.tenant(), path).await?;
        reached(api, &least).await?;
        let all = (TimeOrder::Oldest, None);
        let rows = joined(pool, account, role, all, SORTED_BY_NAME_MAX + 1).await?;
        let parameter = if part.is_some() { "name" } else { "order" };
        let mut named = summaries(api, account, few_enough(rows, parameter)?).await?;
        named.retain(|it| comparable(it.name.expose()).contains(part.unwrap_or_default()));
        let place =
            |it: &WorkspaceSummary| listing.place(it.joined_at, it.name.expose(), it.workspace_id);
        let placed = named.into_iter().map(|it| (place(&it), it));
        return Ok(HttpResponse::Ok().json(page.of_all(placed.collect()).await?));
    }
    let page = listing.page(api, signed_in.tenant(), path).await?;
    reached(api, &least).await?;
    let rows = joined(pool, account, role, page.by_time(), page.rows()).await?;
    let page = page.of(rows, |mine| (mine.joined_at, mine.workspace.0)).await?;
    let items = summaries(api, account, page.items).await?;
    Ok(HttpResponse::Ok().json(Page { items, next: page.next }))
}

async fn reached(api: &Api, least: &MinPosition) -> Result<(), Problem> {
    least.reached::<Workspaces>(api).await?;
    least.reached::<Memberships>(api).await
}

async fn summaries(
    api: &Api,
    account: AccountId,
    rows: Vec<Mine>,
) -> Result<Vec<WorkspaceSummary>, Problem> {
    let summaries = open_all(rows, |mine| summary(api, account, mine)).await?;
    Ok(summaries.into_iter().flatten().collect())
}

async fn summary(
    api: &Api,
    account: AccountId,
    mine: Mine,
) -> Result<Option<WorkspaceSummary>, Problem> {
    let mine = if mine.is_unread { of_log(api, account, mine).await? } else { mine };
    let workspace = Unsealer::of_workspace(&api.app.keyring.sealer, mine.workspace);
    // One that is being deleted is not there any more.
    let name = workspace.optional::<WorkspaceName>(mine.name.as_deref()).await?;
    Ok(name.map(|name| WorkspaceSummary {
        workspace_id: mine.workspace.0,
        name,
        role: mine.role,
        members: mine.members,
        joined_at: mine.joined_at,
        restricted: mine.restricted,
        deletion_due_at: mine.deletion_due,
    }))
}

/// What the read model does not have. Nothing of a workspace that is deleted, that the account has left, or that
/// cannot be read.
async fn of_log(api: &Api, account: AccountId, mine: Mine) -> Result<Mine, Problem> {
    let of = mine.workspace;
    let loaded = match api.app.executor.load::<Workspace>(of.into(), of.0).await {
        Err(error) if error.is_of_stream() => {
            tracing::error!(workspace = %of, %error, "a workspace is left out of the list of its members");
            return Ok(mine);
        }
        loaded => loaded?,
    };
    let Some(live) = loaded.state.live() else { return Ok(mine) };
    let Some(role) = live.members.get(&account) else { return Ok(mine) };
    Ok(Mine {
        role: *role,
        name: live.name.sealed().map(Sealed::to_bytes),
        members: i64::try_from(live.members.len()).unwrap_or(i64::MAX),
        deletion_due: live.deletion.map(|deletion| deletion.due),
        restricted: live.is_restricted(),
        ..mine
    })
}
