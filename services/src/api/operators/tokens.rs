//! The tokens of operators, without their secrets.

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use domain::operator::Scope;
use infra::operators::ListedOperatorToken;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::ApiData;
use crate::api::auth::operator::{Admin, Operator};
use crate::api::http::body::Query;
use crate::api::http::cursor::Page;
use crate::api::http::fields::{Fields, choice};
use crate::api::http::listing::{ListFilter, Listing, Order};
use crate::api::http::problem::Problem;
use crate::api::http::routes::Routes;

pub fn routes(routes: &mut Routes) {
    routes.add(__path_list, list);
}

#[derive(Serialize, ToSchema)]
#[schema(as = OperatorToken)]
pub struct OperatorTokenView {
    token_id: Uuid,
    /// What it is for, as `lethe token create --name` was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// `admin` or `audit`.
    #[schema(value_type = String)]
    scope: Scope,
    /// Whether it is the token of this request.
    current: bool,
    issued_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TokenFilter {
    #[param(value_type = Option<String>, pattern = r"^(?:live|expired|revoked)$")]
    state: Option<&'static str>,
}

type TokenListing = Listing<TokenFilter>;

impl ListFilter for TokenFilter {
    const ORDERS: &'static [Order] = &[Order::Oldest, Order::Newest];

    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { state: fields.optional("state", choice(&["live", "expired", "revoked"]))? })
    }
}

/// Every token of an operator: also those that have expired or are revoked.
#[utoipa::path(
    get, path = "/v1/admin/tokens", tag = "operators",
    params(TokenListing), responses((status = 200, body = Page<OperatorTokenView>)),
)]
async fn list(
    api: ApiData,
    operator: Operator<Admin>,
    query: Query<TokenListing>,
) -> Result<HttpResponse, Problem> {
    let Query(listing) = query;
    let page = listing.page(&api, operator.tenant(), "/v1/admin/tokens").await?;
    let state = listing.filter.state;
    let tokens = api.app.operators.list(state, page.by_time(), page.rows()).await?;
    let view = |token| view(&operator, token);
    let tokens: Vec<OperatorTokenView> = tokens.into_iter().map(view).collect();
    let page = page.of(tokens, |token| (token.issued_at, token.token_id)).await?;
    Ok(HttpResponse::Ok().json(page))
}

fn view(operator: &Operator<Admin>, token: ListedOperatorToken) -> OperatorTokenView {
    OperatorTokenView {
        token_id: token.id.0,
        name: token.name,
        scope: token.scope,
        current: token.id == operator.id(),
        issued_at: token.issued_at,
        expires_at: token.expires_at,
        revoked_at: token.revoked_at,
    }
}
