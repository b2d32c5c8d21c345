//! The API tokens that act for a person, in every workspace.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::privacy::{ApiTokenName, Label};
use domain::workspace::Workspace;
use domain::{AccountId, WorkspaceId};
use infra::api_tokens::OwnApiToken;
use infra::event_store::Receipt;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::auth::signed_in::SignedIn;
use crate::api::http::answer::{done, written};
use crate::api::http::body::Query;
use crate::api::http::cursor::Page;
use crate::api::http::fields::{Fields, parsed};
use crate::api::http::listing::{ListFilter, Listing, Order};
use crate::api::http::problem::Problem;
use crate::api::http::routes::Routes;
use crate::api::{Api, ApiData};
use crate::unseal::Unsealer;

pub fn routes(routes: &mut Routes) {
    routes.add(__path_list, list);
}

/// The tokens that still act for the account.
#[derive(Serialize, ToSchema)]
pub struct OwnTokens {
    items: Vec<OwnTokenView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OwnToken)]
pub struct OwnTokenView {
    token_id: Uuid,
    workspace_id: Uuid,
    /// Absent once the workspace is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    name: Option<Label>,
    /// It has those of them that the member has, too.
    scopes: Vec<&'static str>,
    issued_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    /// To the minute; absent while it has not been used.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OwnTokenFilter {
    /// Those of this workspace.
    workspace_id: Option<Uuid>,
}

type OwnTokenListing = Listing<OwnTokenFilter>;

impl ListFilter for OwnTokenFilter {
    const ORDERS: &'static [Order] = &[Order::Newest, Order::Oldest, Order::Name, Order::Expiry];

    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { workspace_id: fields.optional("workspace_id", parsed("an id"))? })
    }
}

/// The tokens that act for the caller, in every workspace.
#[utoipa::path(
    get, path = "/v1/me/api-tokens", tag = "accounts",
    params(OwnTokenListing), responses((status = 200, body = Page<OwnTokenView>)),
)]
async fn list(
    api: ApiData,
    signed_in: SignedIn,
    query: Query<OwnTokenListing>,
) -> Result<HttpResponse, Problem> {
    let Query(listing) = query;
    let cursors = listing.cursors(&api, signed_in.tenant(), "/v1/me/api-tokens")?;
    let wanted = listing.filter.workspace_id;
    let all = of_account(&api, signed_in.account).await?.into_iter();
    let all = all.filter(|view| wanted.is_none_or(|wanted| wanted == view.workspace_id));
    let placed = all.map(|view| {
        let by_end = listing.order == Order::Expiry;
        let at = if by_end { view.expires_at } else { view.issued_at };
        let name = view.name.as_ref().map_or("", Label::expose);
        (listing.place(at, name, view.token_id), view)
    });
    let page = listing.page_of(&cursors, placed.collect()).await?;
    Ok(HttpResponse::Ok().json(page))
}

/// 204, or the tokens if they are kept and can be read.
pub async fn answer(
    api: &Api,
    account: AccountId,
    receipt: &Receipt,
    are_kept: bool,
) -> HttpResponse {
    let kept = if are_kept { of_account(api, account).await.ok() } else { None };
    match kept {
        Some(items) => written(StatusCode::OK, receipt).json(OwnTokens { items }),
        None => done(receipt),
    }
}

/// A row alone is no token: what its workspace knows is one.
async fn of_account(api: &Api, account: AccountId) -> Result<Vec<OwnTokenView>, Problem> {
    let rows = api.app.api_tokens.of_account(account).await?;
    let mut workspaces = BTreeMap::new();
    for row in &rows {
        if let Entry::Vacant(place) = workspaces.entry(row.workspace) {
            place.insert(load(api, row.workspace).await?);
        }
    }
    let mut views = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(workspace) = workspaces.get(&row.workspace)
            && let Some(view) = view(api, row, workspace).await?
        {
            views.push(view);
        }
    }
    Ok(views)
}

async fn load(api: &Api, workspace: WorkspaceId) -> Result<Arc<Workspace>, Problem> {
    Ok(api.app.executor.load::<Workspace>(workspace.into(), workspace.0).await?.state)
}

async fn view(
    api: &Api,
    row: OwnApiToken,
    workspace: &Workspace,
) -> Result<Option<OwnTokenView>, Problem> {
    let Some(token) = workspace.live().and_then(|live| live.tokens.get(&row.token)) else {
        return Ok(None);
    };
    let sealed = Unsealer::of_workspace(&api.app.keyring.sealer, row.workspace);
    Ok(Some(OwnTokenView {
        token_id: row.token.0,
        workspace_id: row.workspace.0,
        name: sealed.optional::<ApiTokenName>(Some(&row.name)).await?,
        scopes: token.rights.iter().map(|right| right.as_str()).collect(),
        issued_at: row.issued_at,
        expires_at: token.expires_at,
        last_used_at: row.last_used_at,
    }))
}
