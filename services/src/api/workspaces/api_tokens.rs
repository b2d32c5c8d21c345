//! Tokens that act for a member: for programmes, with some of the member's rights, for some time.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::header;
use chrono::{DateTime, Utc};
use domain::account::Account;
use domain::privacy::{ApiTokenName, Label, Sealed};
use domain::workspace::{ApiToken, Right, Workspace, WorkspaceAction, WorkspaceCommand};
use domain::{AccountId, ApiTokenId, WorkspaceId};
use infra::api_tokens::{ApiTokens, ListedApiToken, NewApiToken};
use infra::event_store::Step;
use infra::failpoint;
use infra::ids::derived;
use infra::keyring::SealError;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::{PathId, PathWorkspace, nothing};
use crate::api::auth::step_up::live_account;
use crate::api::http::answer::{created, done};
use crate::api::http::body::Body;
use crate::api::http::fields::{Fields, FromFields, text, time};
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::precondition::{IfMatch, etag};
use crate::api::http::problem::{Problem, ProblemKind, ProblemView};
use crate::api::http::routes::Routes;
use crate::api::http::schemas;
use crate::api::{Api, ApiData};
use crate::operations::end_tokens;
use crate::unseal::Unsealer;

pub fn routes(routes: &mut Routes) {
    routes
        .add_action(WorkspaceAction::IssueApiToken, __path_issue, issue)
        .add_action(WorkspaceAction::ListApiTokens, __path_list, list)
        .add_action(WorkspaceAction::ShowApiToken, __path_show, show)
        .add_action(WorkspaceAction::RevokeApiToken, __path_revoke, revoke);
}

#[derive(ToSchema)]
pub struct IssueTokenRequest {
    #[schema(schema_with = schemas::label)]
    name: Label,
    /// Rights of `/v1/roles` that tokens may have; no more than the caller has.
    #[schema(value_type = Vec<String>, min_items = 1, example = json!(["runs:read", "runs:start"]))]
    scopes: Vec<Right>,
    /// Within 365 days.
    expires_at: DateTime<Utc>,
}

impl FromFields for IssueTokenRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.required("name", text(Label::parse));
        let scopes = fields.required("scopes", scopes);
        let expires_at = fields.required("expires_at", time);
        Some(Self { name: name?, scopes: scopes?, expires_at: expires_at? })
    }
}

fn scopes(value: &Value) -> Result<Vec<Right>, String> {
    let field_error = || "this must be a list of rights: GET /v1/roles lists them".to_owned();
    let names = value.as_array().ok_or_else(field_error)?.iter();
    let rights = names.map(|name| name.as_str().and_then(Right::named).ok_or_else(field_error));
    rights.collect()
}

#[derive(Serialize, ToSchema)]
pub struct IssueTokenResponse {
    #[serde(flatten)]
    issued: TokenView,
    /// Shown once, and kept only as a hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// Issues a token that acts for the caller, in this workspace only.
#[utoipa::path(
    post, path = "/v1/workspaces/{workspace}/api-tokens", tag = "workspaces",
    request_body = IssueTokenRequest, security(("session" = [])),
    params(("workspace" = Uuid, Path),
        IdempotencyKey),
    responses((status = 201, body = IssueTokenResponse), (status = 409, body = ProblemView)),
)]
async fn issue(
    api: ApiData,
    member: Member,
    caller: Caller,
    body: Body<IssueTokenRequest>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let (form, bytes) = body.read()?;
    let (account_version, endings_before) = endings(&api, member.account).await?;
    let request = member.request(&caller, bytes);
    let token = ApiTokenId(derived(request.command, "token"));
    let (workspace, expires_at) = (member.workspace, form.expires_at);
    let name = seal(&api, workspace, token, &form.name).await?;
    let drawn = ApiTokens::draw_token().map_err(|error| Problem::unavailable(&error))?;
    let issues = WorkspaceCommand::IssueApiToken {
        by: member.account,
        token,
        rights: form.scopes,
        now: api.app.clock.now(),
        expires_at,
    };
    let step = Step::new::<Workspace>(workspace.0, issues);
    let receipt = api.app.executor.execute(&request, &[step]).await?;
    failpoint!(ApiTokenIssued);
    let now = PathWorkspace::load(&api, workspace).await?;
    let mut issued = show_one(&api, &now, token).await.map_err(|problem| {
        if problem.kind() == ProblemKind::NotFound { ended() } else { problem }
    })?;
    let mut secret = None;
    if !receipt.replayed() {
        let account = member.account;
        let row = NewApiToken { token, workspace, account, account_version, name, expires_at };
        issued.issued_at = api.app.api_tokens.insert(&row, drawn.hash).await?;
        issued.name = Some(form.name);
        refuse_ended(&api, &row, endings_before).await?;
        // Shown once: nothing may fail from here on.
        secret = Some(drawn.secret.expose_secret().to_owned());
    }
    let location = format!("/v1/workspaces/{workspace}/api-tokens/{token}");
    let response = IssueTokenResponse { issued, token: secret };
    Ok(created(location, &receipt, now.version, response))
}

/// The version of the account, and how often its tokens were ended until then.
async fn endings(api: &Api, account: AccountId) -> Result<(i64, u64), Problem> {
    let loaded = api.app.executor.load::<Account>(account.into(), account.0).await?;
    Ok((loaded.version, live_account(&loaded)?.api_token_endings))
}

/// What ended the tokens of the account meanwhile may have looked for them before the row was there.
async fn refuse_ended(api: &Api, issued: &NewApiToken, before: u64) -> Result<(), Problem> {
    let (_, now) = endings(api, issued.account).await?;
    if now == before {
        return Ok(());
    }
    api.app.api_tokens.delete(issued.token).await?;
    end_tokens::revoke(&api.app, (issued.workspace, issued.account), vec![issued.token], None)
        .await?;
    Err(ended())
}

fn ended() -> Problem {
    let detail = "The API tokens of the account were ended meanwhile: issue another one.";
    Problem::new(ProblemKind::Refused, detail)
}

async fn seal(
    api: &Api,
    workspace: WorkspaceId,
    token: ApiTokenId,
    name: &Label,
) -> Result<Sealed, Problem> {
    let (tenant, subject, id) = (workspace.into(), workspace.into(), token.into());
    let sealed = api.app.keyring.sealer.seal_value::<ApiTokenName>(tenant, subject, id, name);
    sealed.await.map_err(|error| match error {
        SealError::Erased(_) => Problem::of(ProblemKind::NotFound),
        error @ (SealError::Expired | SealError::Unavailable(_)) => Problem::unavailable(&error),
    })
}

#[derive(Serialize, ToSchema)]
pub struct Tokens {
    items: Vec<TokenView>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_at: Option<DateTime<Utc>>,
    /// To the minute; absent while it has not been used.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<DateTime<Utc>>,
}

/// The tokens of the workspace that have not been revoked.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace}/api-tokens", tag = "workspaces",
    security(("session" = [])), params(("workspace" = Uuid, Path)),
    responses((status = 200, body = Tokens)),
)]
async fn list(api: ApiData, member: Member, named: PathWorkspace) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let (workspace, live) = (named.id, named.live()?);
    let kept = api.app.api_tokens.of_workspace(workspace).await?;
    let mut kept: BTreeMap<ApiTokenId, ListedApiToken> =
        kept.into_iter().map(|kept| (kept.token, kept)).collect();
    let mut items = Vec::with_capacity(live.tokens.len());
    for (id, token) in &live.tokens {
        items.push(view(&api, workspace, *id, token, kept.remove(id)).await?);
    }
    Ok(HttpResponse::Ok().json(Tokens { items }))
}

/// Shows a token of the workspace that has not been revoked. Its `ETag` is the workspace's.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace}/api-tokens/{token}", tag = "workspaces",
    security(("session" = [])), params(("workspace" = Uuid, Path), ("token" = Uuid, Path)),
    responses((status = 200, body = TokenView, headers(("ETag" = String))),
        (status = 404, body = ProblemView)),
)]
async fn show(
    api: ApiData,
    member: Member,
    named: PathWorkspace,
    token: PathId<ApiTokenId>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let view = show_one(&api, &named, token.get()?).await?;
    Ok(HttpResponse::Ok().insert_header((header::ETAG, etag(named.version))).json(view))
}

async fn show_one(
    api: &Api,
    workspace: &PathWorkspace,
    id: ApiTokenId,
) -> Result<TokenView, Problem> {
    let token = workspace.live()?.tokens.get(&id).ok_or_else(nothing)?;
    let kept = api.app.api_tokens.of_workspace(workspace.id).await?;
    let kept = kept.into_iter().find(|kept| kept.token == id);
    view(api, workspace.id, id, token, kept).await
}

async fn view(
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
    Ok(TokenView {
        token_id: id.0,
        name,
        account_id: token.account.0,
        scopes: token.rights.iter().map(|right| right.as_str()).collect(),
        expires_at: token.expires_at,
        issued_at: kept.as_ref().map(|kept| kept.issued_at),
        last_used_at: kept.and_then(|kept| kept.last_used_at),
    })
}

/// Revokes a token: it is refused from now on, on every node.
#[utoipa::path(
    delete, path = "/v1/workspaces/{workspace}/api-tokens/{token}", tag = "workspaces",
    security(("session" = [])),
    params(("workspace" = Uuid, Path), ("token" = Uuid, Path),
        ("If-Match" = Option<String>, Header)),
    responses((status = 204), (status = 404, body = ProblemView)),
)]
async fn revoke(
    api: ApiData,
    member: Member,
    caller: Caller,
    matches: IfMatch,
    token: PathId<ApiTokenId>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let token = token.get()?;
    let revokes = WorkspaceCommand::RevokeApiToken { by: member.account, token };
    let step = matches.on(Step::new::<Workspace>(member.workspace.0, revokes))?;
    let receipt = api.app.executor.execute(&member.request(&caller, vec![]), &[step]).await?;
    // It is refused without its event; a row that stays is swept by the worker that reads the log.
    api.app.api_tokens.delete(token).await?;
    Ok(done(&receipt))
}
