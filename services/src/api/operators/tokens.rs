//! The tokens of operators, without their secrets.

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use domain::TokenId;
use domain::operator::Scope;
use infra::operators::ListedOperatorToken;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::ApiData;
use crate::api::auth::sessions::Paging;
use crate::api::auth::signed_in::Operator;
use crate::api::http::body::Query;
use crate::api::http::cursor::{Cursors, Page};
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

/// Every token of an operator, the oldest first: also those that have expired or are revoked.
#[utoipa::path(
    get, path = "/v1/admin/tokens", tag = "operators", security(("operator" = [])),
    params(Paging), responses((status = 200, body = Page<OperatorTokenView>)),
)]
async fn list(
    api: ApiData,
    operator: Operator,
    paging: Query<Paging>,
) -> Result<HttpResponse, Problem> {
    operator.needs(Scope::Admin)?;
    let Query(Paging { limit, cursor }) = paging;
    let scope = "/v1/admin/tokens".to_owned();
    let cursors = Cursors { keys: &api.app.keyring.request_macs, of: operator.tenant(), scope };
    let after: Option<(DateTime<Utc>, Uuid)> = match cursor {
        Some(cursor) => Some(cursors.read(&cursor).await?),
        None => None,
    };
    let after = after.map(|(at, id)| (at, TokenId(id)));
    let tokens = api.app.operators.list(after, limit + 1).await?;
    let view = |token| view(&operator, token);
    let tokens: Vec<OperatorTokenView> = tokens.into_iter().map(view).collect();
    let page = cursors.page(tokens, limit, |token| (token.issued_at, token.token_id)).await?;
    Ok(HttpResponse::Ok().json(page))
}

fn view(operator: &Operator, token: ListedOperatorToken) -> OperatorTokenView {
    OperatorTokenView {
        token_id: token.id.0,
        name: token.name,
        scope: token.scope,
        current: token.id == operator.0.id,
        issued_at: token.issued_at,
        expires_at: token.expires_at,
        revoked_at: token.revoked_at,
    }
}
