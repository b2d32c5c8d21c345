//! The servers of a workspace, page by page.

use actix_web::HttpResponse;
use domain::workspace::WorkspaceAction;
use infra::postgres::TimeOrder;
use projections::servers::{Server, Servers, list as rows_of};
use serde::Serialize;
use utoipa::IntoParams;

use crate::api::auth::member::Member;
use crate::api::http::body::Query;
use crate::api::http::cursor::Page;
use crate::api::http::fields::{Fields, choice, text};
use crate::api::http::listing::{
    ListFilter, Listing, Order, Place, SORTED_BY_NAME_MAX, TOO_MANY_NAMES, comparable, few_enough,
    open_all, part_of_name,
};
use crate::api::http::position::MinPosition;
use crate::api::http::problem::Problem;
use crate::api::http::routes::Routes;
use crate::api::servers::view::{ServerView, name_of_row, view_of_row};
use crate::api::{Api, ApiData};

pub fn routes(routes: &mut Routes) {
    routes
        .add_action(WorkspaceAction::ListServers, __path_list, list)
        .refuses_values(&[("name", TOO_MANY_NAMES), ("order", TOO_MANY_NAMES)]);
}

#[derive(Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ServerFilter {
    /// Those that are reached, or are not, or of which that is not known.
    #[param(value_type = Option<String>, pattern = r"^(?:unknown|reachable|unreachable)$")]
    reach: Option<&'static str>,
    /// Those in whose name this stands, in capital or small letters.
    #[param(min_length = 1, max_length = 100)]
    name: Option<String>,
}

type ServerListing = Listing<ServerFilter>;

impl ListFilter for ServerFilter {
    const ORDERS: &'static [Order] = &[Order::Newest, Order::Oldest, Order::Name];

    fn read(fields: &mut Fields) -> Option<Self> {
        let reach = fields.optional("reach", choice(&["unknown", "reachable", "unreachable"]));
        let name = fields.optional("name", text(part_of_name));
        Some(Self { reach: reach?, name: name? })
    }
}

/// The workspace's servers.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace_id}/servers", tag = "servers",
    params(("workspace_id" = Uuid, Path), ServerListing,
        MinPosition),
    responses((status = 200, body = Page<ServerView>)),
)]
async fn list(
    api: ApiData,
    member: Member,
    least: MinPosition,
    query: Query<ServerListing>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let (Query(listing), api): (_, &Api) = (query, &api);
    let (tenant, path) = (member.tenant(), "/v1/workspaces/servers");
    let (pool, workspace) = (&api.app.pool, member.workspace);
    let ServerFilter { reach, name } = &listing.filter;
    let page = if name.is_some() || listing.order == Order::Name {
        let page = listing.page(api, tenant, path).await?;
        least.reached::<Servers>(api).await?;
        let parameter = if name.is_some() { "name" } else { "order" };
        let all = (TimeOrder::Oldest, None);
        let rows = rows_of(pool, workspace, *reach, all, SORTED_BY_NAME_MAX + 1).await?;
        page.of_all(placed(api, &listing, few_enough(rows, parameter)?).await?).await?
    } else {
        let page = listing.page(api, tenant, path).await?;
        least.reached::<Servers>(api).await?;
        let rows = rows_of(pool, workspace, *reach, page.by_time(), page.rows()).await?;
        page.of(rows, |row| (row.registered_at, row.server_id.0)).await?
    };
    let items = open_all(page.items, |row| view_of_row(api, row)).await?;
    Ok(HttpResponse::Ok().json(Page { items, next: page.next }))
}

/// Those whose name fits, each with its place in the order that was asked for.
async fn placed(
    api: &Api,
    listing: &ServerListing,
    rows: Vec<Server>,
) -> Result<Vec<(Place, Server)>, Problem> {
    let named = open_all(rows, |row| async move { Ok((name_of_row(api, &row).await?, row)) });
    let mut placed = Vec::new();
    for (name, row) in named.await? {
        let part = listing.filter.name.as_deref().unwrap_or_default();
        if comparable(name.expose()).contains(part) {
            placed.push((listing.place(row.registered_at, name.expose(), row.server_id.0), row));
        }
    }
    Ok(placed)
}
