//! Tokens that act for a member, or for a service account: for programmes, with some of its rights, for some time.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use chrono::{DateTime, TimeDelta, Utc};
use domain::privacy::{ApiTokenName, Label, Sealed};
use domain::workspace::{ApiToken, Right, WorkspaceAction};
use domain::{AccountId, ApiTokenId, SealedId, WorkspaceId};
use infra::api_tokens::{ApiTokens, ListedApiToken};
use infra::ids::derived;
use infra::keyring::SealError;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::PathWorkspace;
use crate::api::auth::recent::Recent;
use crate::api::auth::repeatable::TokenKind;
use crate::api::http::answer::{created, if_read};
use crate::api::http::body::{Body, Query};
use crate::api::http::cursor::Page;
use crate::api::http::fields::{Fields, FromFields, choice, parsed, secret, text, time};
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::listing::{ListFilter, Listing, Order};
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::http::schemas;
use crate::api::{Api, ApiData};
use crate::operations::issue_token::{IssueToken, IssueTokenError, IssuedToken, repeated};
use crate::unseal::Unsealer;

/// A token that ends by then needs no password while the session is recent.
pub(super) const WITHOUT_PASSWORD: TimeDelta = TimeDelta::days(90);

pub(super) const API_TOKEN: TokenKind =
    TokenKind { label: "api_token", draw: ApiTokens::draw_token, of_secret: ApiTokens::token_of };

pub fn routes(routes: &mut Routes) {
    routes
        .add_action(WorkspaceAction::IssueApiToken, __path_issue, issue)
        .refuses(&[ProblemKind::PasswordNeeded, ProblemKind::PasswordWrong, ProblemKind::Refused])
        .refuses_values(&[
            ("/account_id", "this is no service account of the workspace"),
            ("/expires_at", "this is over, or later than in 365 days"),
            ("/scopes", "the service account may not do this"),
        ])
        .add_action(WorkspaceAction::ListApiTokens, __path_list, list);
}

#[derive(ToSchema)]
#[schema(example = json!({ "name": "ci", "scopes": ["runs:read", "runs:start"], "expires_at": "2027-01-31T00:00:00Z" }))]
pub struct IssueTokenRequest {
    #[schema(schema_with = schemas::label)]
    name: Label,
    #[schema(schema_with = schemas::scopes)]
    scopes: Vec<Right>,
    /// A service account of the workspace that the token acts for; without it, whoever asks.
    account_id: Option<Uuid>,
    /// Within 365 days.
    expires_at: DateTime<Utc>,
    /// Of whoever asks, once more. It may be left out within 10 minutes from the sign-in, for a token of 90
    /// days at most.
    #[schema(value_type = Option<String>, format = Password, min_length = 1)]
    password: Option<SecretString>,
}

impl FromFields for IssueTokenRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.required("name", text(Label::parse));
        let scopes = fields.required("scopes", scopes);
        let account_id = fields.optional("account_id", parsed("an id"));
        let expires_at = fields.required("expires_at", time);
        let password = fields.optional("password", secret);
        Some(Self {
            name: name?,
            scopes: scopes?,
            account_id: account_id?,
            expires_at: expires_at?,
            password: password?,
        })
    }
}

fn scopes(value: &Value) -> Result<Vec<Right>, String> {
    let field_error = || "this must be a list of rights: GET /v1/rights lists them".to_owned();
    let names = value.as_array().ok_or_else(field_error)?.iter();
    let rights = names.map(|name| name.as_str().and_then(Right::named).ok_or_else(field_error));
    rights.collect()
}

#[derive(Serialize, ToSchema)]
pub struct IssueTokenResponse {
    #[serde(flatten)]
    pub(super) issued: TokenView,
    /// Kept only as a hash. The same request, sent again within the day, is answered with the same one while it
    /// is not revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<String>,
}

/// Issues a token that acts for the caller, or for a service account, in this workspace only. Needs the password,
/// unless the session was opened within 10 minutes and the token ends within 90 days.
#[utoipa::path(
    post, path = "/v1/workspaces/{workspace_id}/api-tokens", tag = "workspaces",
    request_body = IssueTokenRequest,
    params(("workspace_id" = Uuid, Path),
        IdempotencyKey),
    responses((status = 201, body = IssueTokenResponse)),
)]
async fn issue(
    api: ApiData,
    member: Member,
    caller: Caller,
    body: Body<IssueTokenRequest>,
) -> Result<HttpResponse, Problem> {
    // A token that is shown may not issue others; whoever lacks the right hears of that.
    member.authorise()?;
    let signed_in = member.in_person()?;
    let (form, bytes) = body.read()?;
    let IssueTokenRequest { name, scopes: rights, account_id, expires_at, password } = form;
    let mut request = member.request(&caller, bytes);
    let secrets = API_TOKEN.tokens(&api, &caller, &request).await?;
    let token = ApiTokenId(derived(request.command, "token"));
    let (workspace, by, now) = (member.workspace, member.account, caller.now());
    let account = account_id.map_or(by, AccountId);
    let asked = ApiToken::issued(token, account, rights.iter().copied().collect(), expires_at);
    // A repeated request needs no password.
    let issued = if let Some(earlier) = api.app.executor.find_earlier(&request).await? {
        repeated(&api.app, (workspace, token, token.into()), secrets, earlier).await?
    } else {
        let may_omit = expires_at <= now + WITHOUT_PASSWORD;
        let recent = Recent { signed_in, may_omit, now };
        recent.verify(&api, &mut request, password.as_ref()).await?;
        let name = seal(&api, workspace, token.into(), &name).await?;
        let issue = IssueToken { workspace, by, account, token, name, rights, expires_at, secrets };
        issue.execute(&api.app, &request).await?
    };
    let IssuedToken { receipt, secret } = issued;
    // Of this request, and not of the workspace, which may have revoked it since: a repeated one answers the same.
    let kept = if_read(kept(&api, workspace, token)).await.flatten();
    let issued = TokenView::of(token, &asked, (Some(name), kept), now);
    let secret = secret.map(|secret| secret.expose_secret().to_owned());
    let location = format!("/v1/workspaces/{workspace}/api-tokens/{token}");
    let response = IssueTokenResponse { issued, token: secret };
    Ok(created(location, &receipt, receipt.version(), response))
}

pub(super) async fn seal(
    api: &Api,
    workspace: WorkspaceId,
    id: SealedId,
    name: &Label,
) -> Result<Sealed, Problem> {
    let (tenant, subject) = (workspace.into(), workspace.into());
    let sealed = api.app.keyring.sealer.seal_value::<ApiTokenName>(tenant, subject, id, name);
    sealed.await.map_err(|error| match error {
        SealError::Erased(_) => Problem::of(ProblemKind::NotFound),
        error @ (SealError::Expired | SealError::Unavailable(_)) => Problem::unavailable(&error),
    })
}

#[derive(Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TokenFilter {
    /// Those that act for this member.
    account_id: Option<Uuid>,
    /// Those that work, or those that have expired.
    #[param(value_type = Option<String>, pattern = r"^(?:live|expired)$")]
    state: Option<&'static str>,
}

type TokenListing = Listing<TokenFilter>;

impl ListFilter for TokenFilter {
    const ORDERS: &'static [Order] = &[Order::Newest, Order::Oldest, Order::Name, Order::Expiry];

    fn read(fields: &mut Fields) -> Option<Self> {
        let account = fields.optional("account_id", parsed("an id"));
        let state = fields.optional("state", choice(&["live", "expired"]));
        Some(Self { account_id: account?, state: state? })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = ApiToken)]
pub struct TokenView {
    token_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    name: Option<Label>,
    /// Whom it acts for.
    account_id: Uuid,
    /// It has those of them that the member has, too.
    scopes: Vec<&'static str>,
    expires_at: DateTime<Utc>,
    /// Until then the secret that it had before works, too; absent where none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    former_secret_expires_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_at: Option<DateTime<Utc>>,
    /// To the minute; absent while it has not been used.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<DateTime<Utc>>,
}

/// The tokens of the workspace that have not been revoked.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace_id}/api-tokens", tag = "workspaces",
    params(("workspace_id" = Uuid, Path), TokenListing),
    responses((status = 200, body = Page<TokenView>)),
)]
async fn list(
    api: ApiData,
    member: Member,
    named: PathWorkspace,
    query: Query<TokenListing>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let (Query(listing), workspace, live) = (query, named.id, named.live()?);
    let page = listing.page(&api, member.tenant(), "/v1/workspaces/api-tokens").await?;
    let kept = api.app.api_tokens.of_workspace(workspace).await?;
    let mut kept: BTreeMap<ApiTokenId, ListedApiToken> =
        kept.into_iter().map(|kept| (kept.token, kept)).collect();
    let (TokenFilter { account_id, state }, now) = (&listing.filter, api.app.clock.now());
    let is_wanted = |token: &ApiToken| {
        let is = if now < token.expires_at { "live" } else { "expired" };
        account_id.is_none_or(|account| account == token.account.0)
            && state.is_none_or(|state| state == is)
    };
    let mut all = Vec::with_capacity(live.tokens.len());
    for (id, token) in live.tokens.iter().filter(|(_, token)| is_wanted(token)) {
        let view = view(&api, workspace, *id, token, kept.remove(id)).await?;
        let issued_at = view.issued_at.unwrap_or_default();
        let at = if listing.order == Order::Expiry { view.expires_at } else { issued_at };
        let name = view.name.as_ref().map_or("", Label::expose);
        all.push((listing.place(at, name, id.0), view));
    }
    Ok(HttpResponse::Ok().json(page.of_all(all).await?))
}

pub(super) async fn kept(
    api: &Api,
    workspace: WorkspaceId,
    id: ApiTokenId,
) -> Result<Option<ListedApiToken>, Problem> {
    let kept = api.app.api_tokens.of_workspace(workspace).await?;
    Ok(kept.into_iter().find(|kept| kept.token == id))
}

pub(super) async fn view(
    api: &Api,
    workspace: WorkspaceId,
    id: ApiTokenId,
    token: &ApiToken,
    kept: Option<ListedApiToken>,
) -> Result<TokenView, Problem> {
    let name = match &kept {
        Some(kept) => {
            let sealed = Unsealer::of_workspace(&api.app.keyring.sealer, workspace);
            Some(sealed.required::<ApiTokenName>(&kept.name).await?)
        }
        None => None,
    };
    Ok(TokenView::of(id, token, (name, kept), api.app.clock.now()))
}

impl TokenView {
    pub(super) fn of(
        id: ApiTokenId,
        token: &ApiToken,
        (name, kept): (Option<Label>, Option<ListedApiToken>),
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            token_id: id.0,
            name,
            account_id: token.account.0,
            scopes: token.rights.iter().map(|right| right.as_str()).collect(),
            expires_at: token.expires_at,
            former_secret_expires_at: token.working_former(now).map(|former| former.until),
            issued_at: kept.as_ref().map(|kept| kept.issued_at),
            last_used_at: kept.and_then(|kept| kept.last_used_at),
        }
    }
}

impl From<IssueTokenError> for Problem {
    fn from(error: IssueTokenError) -> Self {
        match error {
            IssueTokenError::Load(error) => error.into(),
            IssueTokenError::Execute(error) => error.into(),
            IssueTokenError::Postgres(error) => error.into(),
            error @ (IssueTokenError::Feed(_) | IssueTokenError::End(_)) => {
                Self::unavailable(&error)
            }
        }
    }
}
