//! The API tokens that act for a person, in every workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::privacy::{ApiTokenName, Label};
use domain::workspace::Workspace;
use domain::{AccountId, WorkspaceId};
use infra::api_tokens::ListedApiToken;
use infra::event_store::Receipt;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::auth::signed_in::SignedIn;
use crate::api::http::answer::{done, if_read, written};
use crate::api::http::body::Query;
use crate::api::http::cursor::Page;
use crate::api::http::fields::{Fields, parsed};
use crate::api::http::listing::{ListFilter, Listing, Order, open_all};
use crate::api::http::problem::Problem;
use crate::api::http::routes::Routes;
use crate::api::{Api, ApiData};
use crate::operations::service_tokens::{ServiceToken, ServiceTokensError, known_to};
use crate::unseal::Unsealer;

pub fn routes(routes: &mut Routes) {
    routes.add(__path_list, list);
}

/// The tokens that stay.
#[derive(Serialize, ToSchema)]
pub struct OwnTokens {
    /// Those that act for the account.
    items: Vec<OwnTokenView>,
    /// Those of service accounts that the account issued, or whose secret it was shown: they act for the workspace,
    /// and are revoked there. Absent where they cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    of_service_accounts: Option<Vec<StayingTokenView>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ServiceAccountToken)]
pub struct StayingTokenView {
    token_id: Uuid,
    workspace_id: Uuid,
    /// The service account that it acts for.
    account_id: Uuid,
    /// It has those of them that the service account has, too.
    scopes: Vec<&'static str>,
    expires_at: DateTime<Utc>,
}

impl From<ServiceToken> for StayingTokenView {
    fn from(token: ServiceToken) -> Self {
        let ServiceToken { token, workspace, account, rights, expires_at } = token;
        Self {
            token_id: token.0,
            workspace_id: workspace.0,
            account_id: account.0,
            scopes: rights.iter().map(|right| right.as_str()).collect(),
            expires_at,
        }
    }
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
    let (Query(listing), api): (_, &Api) = (query, &api);
    let page = listing.page(api, signed_in.tenant(), "/v1/me/api-tokens").await?;
    let wanted = listing.filter.workspace_id;
    let all = of_account(api, signed_in.account).await?.into_iter();
    let all = all.filter(|token| wanted.is_none_or(|wanted| wanted == token.row.workspace.0));
    let listing = &listing;
    let placed = open_all(all, |token| async move {
        let by_end = listing.order == Order::Expiry;
        let at = if by_end { token.expires_at } else { token.row.issued_at };
        let name = if listing.order == Order::Name { token.name(api).await? } else { None };
        let name = name.as_ref().map_or("", Label::expose);
        Ok((listing.place(at, name, token.row.token.0), token))
    });
    let page = page.of_all(placed.await?).await?;
    let items = open_all(page.items, |token| token.view(api)).await?;
    Ok(HttpResponse::Ok().json(Page { items, next: page.next }))
}

/// The tokens that stay, those of the account if they are kept; 204 if none was to be kept and none stays. Without a
/// body where they cannot be read.
pub async fn answer(
    api: &Api,
    account: AccountId,
    receipt: &Receipt,
    are_kept: bool,
) -> HttpResponse {
    let kept = async {
        let kept = if are_kept { of_account(api, account).await? } else { Vec::new() };
        open_all(kept, |token| token.view(api)).await
    };
    let known = async { Ok::<_, Problem>(known_to(&api.app, account).await?) };
    let (Some(items), known) = tokio::join!(if_read(kept), if_read(known)) else {
        return written(StatusCode::OK, receipt).finish();
    };
    let known = known.map(|known| known.into_iter().map(StayingTokenView::from).collect());
    let of_service_accounts: Option<Vec<_>> = known;
    match (are_kept, &of_service_accounts) {
        (false, Some(known)) if known.is_empty() => done(receipt),
        (false, None) => written(StatusCode::OK, receipt).finish(),
        _ => written(StatusCode::OK, receipt).json(OwnTokens { items, of_service_accounts }),
    }
}

impl From<ServiceTokensError> for Problem {
    fn from(error: ServiceTokensError) -> Self {
        Self::unavailable(&error)
    }
}

/// A token that its workspace knows: a row alone is none.
struct OwnToken {
    row: ListedApiToken,
    scopes: Vec<&'static str>,
    expires_at: DateTime<Utc>,
}

async fn of_account(api: &Api, account: AccountId) -> Result<Vec<OwnToken>, Problem> {
    let rows = api.app.api_tokens.of_account(account).await?;
    let workspaces: BTreeSet<WorkspaceId> = rows.iter().map(|row| row.workspace).collect();
    let loaded = open_all(workspaces, |id| async move { Ok((id, load(api, id).await?)) }).await?;
    let loaded: BTreeMap<WorkspaceId, Arc<Workspace>> = loaded.into_iter().collect();
    let now = api.app.clock.now();
    let known = rows.into_iter().filter_map(|row| {
        let token = loaded.get(&row.workspace)?.live()?.tokens.get(&row.token)?;
        // The row may have a later end: of a rotation that was refused, or has the token end sooner.
        if token.expires_at <= now {
            return None;
        }
        let scopes = token.rights.iter().map(|right| right.as_str()).collect();
        Some(OwnToken { row, scopes, expires_at: token.expires_at })
    });
    Ok(known.collect())
}

async fn load(api: &Api, workspace: WorkspaceId) -> Result<Arc<Workspace>, Problem> {
    Ok(api.app.executor.load::<Workspace>(workspace.into(), workspace.0).await?.state)
}

impl OwnToken {
    async fn name(&self, api: &Api) -> Result<Option<Label>, Problem> {
        let sealed = Unsealer::of_workspace(&api.app.keyring.sealer, self.row.workspace);
        Ok(sealed.optional::<ApiTokenName>(Some(&self.row.name)).await?)
    }

    async fn view(self, api: &Api) -> Result<OwnTokenView, Problem> {
        Ok(OwnTokenView {
            token_id: self.row.token.0,
            workspace_id: self.row.workspace.0,
            name: self.name(api).await?,
            scopes: self.scopes,
            issued_at: self.row.issued_at,
            expires_at: self.expires_at,
            last_used_at: self.row.last_used_at,
        })
    }
}
