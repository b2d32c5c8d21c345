//! One API token: shown, renamed, given another secret, revoked.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use domain::privacy::Label;
use domain::workspace::{
    ApiToken, FormerSecret, OVERLAP_MINUTES_MAX, Workspace, WorkspaceAction, WorkspaceCommand,
};
use domain::{ApiTokenId, ApiTokenSecretId, SealedId, WorkspaceId};
use infra::event_store::Step;
use infra::ids::derived;
use secrecy::{ExposeSecret, SecretString};
use utoipa::ToSchema;

use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::{PathId, PathWorkspace, nothing};
use crate::api::auth::recent::Recent;
use crate::api::http::answer::{Read, at_version, done, if_read, shown, shown_if_read};
use crate::api::http::body::Body;
use crate::api::http::fields::{Fields, FromFields, number, secret, text, time};
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::precondition::{IfMatch, MustMatch};
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::http::schemas;
use crate::api::workspaces::api_tokens::{
    API_TOKEN, IssueTokenResponse, TokenView, WITHOUT_PASSWORD, kept, seal, view,
};
use crate::api::{Api, ApiData};
use crate::operations::issue_token::{IssuedToken, repeated};
use crate::operations::rotate_token::RotateToken;

pub fn routes(routes: &mut Routes) {
    routes
        .add_action(WorkspaceAction::ShowApiToken, __path_show, show)
        .add_action(WorkspaceAction::RenameApiToken, __path_rename, rename)
        .add_action(WorkspaceAction::RotateApiToken, __path_rotate, rotate)
        .refuses(&[ProblemKind::PasswordNeeded, ProblemKind::PasswordWrong, ProblemKind::Refused])
        .refuses_values(&[("/expires_at", "this is over, or later than in 365 days")])
        .add_action(WorkspaceAction::RevokeApiToken, __path_revoke, revoke);
}

/// Shows a token of the workspace that has not been revoked. Its `ETag` is the workspace's.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace_id}/api-tokens/{token_id}", tag = "workspaces",
    params(("workspace_id" = Uuid, Path), ("token_id" = Uuid, Path)),
    responses((status = 200, body = TokenView, headers(("ETag" = String)))),
)]
async fn show(
    api: ApiData,
    member: Member,
    named: PathWorkspace,
    token: PathId<ApiTokenId>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let id = token.get()?;
    let token = named.live()?.tokens.get(&id).ok_or_else(nothing)?;
    let kept = kept(&api, named.id, id).await?;
    let view = view(&api, named.id, id, token, kept).await?;
    Ok(at_version(named.version, view))
}

/// The token as it is now, and the version of its workspace.
async fn read(api: &Api, workspace: WorkspaceId, id: ApiTokenId) -> Read<TokenView> {
    let now = PathWorkspace::load(api, workspace).await?;
    let token = now.live()?.tokens.get(&id).ok_or_else(nothing)?;
    let kept = kept(api, workspace, id).await?;
    Ok((now.version, view(api, workspace, id, token, kept).await?))
}

#[derive(ToSchema)]
#[schema(example = json!({ "name": "deploys" }))]
pub struct RenameTokenRequest {
    #[schema(schema_with = schemas::label)]
    name: Label,
}

impl FromFields for RenameTokenRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { name: fields.required("name", text(Label::parse))? })
    }
}

/// Renames a token.
#[utoipa::path(
    patch, path = "/v1/workspaces/{workspace_id}/api-tokens/{token_id}", tag = "workspaces",
    request_body = RenameTokenRequest,
    params(("workspace_id" = Uuid, Path), ("token_id" = Uuid, Path), MustMatch),
    responses((status = 200, body = TokenView,
        headers(("ETag" = String), ("Lethe-Position" = String)))),
)]
async fn rename(
    api: ApiData,
    member: Member,
    caller: Caller,
    matches: MustMatch,
    token: PathId<ApiTokenId>,
    body: Body<RenameTokenRequest>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let (token, workspace) = (token.get()?, member.workspace);
    let (RenameTokenRequest { name }, bytes) = body.read()?;
    let renames = WorkspaceCommand::RenameApiToken { by: member.account, token };
    let step = matches.0.on(Step::new::<Workspace>(workspace.0, renames))?;
    let request = member.request(&caller, bytes);
    let name = seal(&api, workspace, SealedId(derived(request.command, "name")), &name).await?;
    let receipt = api.app.executor.execute(&request, &[step]).await?;
    // The log does not have the name: where this fails, the same request again does it.
    api.app.api_tokens.rename(token, &name, receipt.version()).await?;
    Ok(shown_if_read(StatusCode::OK, &receipt, read(&api, workspace, token)).await)
}

#[derive(ToSchema)]
#[schema(example = json!({ "overlap_minutes": 60, "expires_at": "2027-01-31T00:00:00Z" }))]
pub struct RotateTokenRequest {
    /// For so long the secret that it has works beside the new one; 60 by default. With 0 every earlier one ends at
    /// once.
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 60)]
    overlap_minutes: i64,
    /// Within 365 days; without it the token ends when it did.
    expires_at: Option<DateTime<Utc>>,
    /// Of whoever asks, once more. It may be left out within 10 minutes from the sign-in, for a token that ends
    /// within 90 days.
    #[schema(value_type = Option<String>, format = Password, min_length = 1)]
    password: Option<SecretString>,
}

impl FromFields for RotateTokenRequest {
    const EMPTY: bool = true;

    fn read(fields: &mut Fields) -> Option<Self> {
        let overlap = fields.optional("overlap_minutes", number(0, OVERLAP_MINUTES_MAX));
        let expires_at = fields.optional("expires_at", time);
        let password = fields.optional("password", secret);
        let overlap_minutes = overlap?.unwrap_or(OVERLAP_MINUTES_MAX);
        Some(Self { overlap_minutes, expires_at: expires_at?, password: password? })
    }
}

/// Gives a token that acts for the caller, or for a service account, another secret, and shows it. The one that it
/// had works for an hour more, or as long as is asked for. Needs the password where issuing does.
#[utoipa::path(
    post, path = "/v1/workspaces/{workspace_id}/api-tokens/{token_id}/rotate", tag = "workspaces",
    request_body = RotateTokenRequest,
    params(("workspace_id" = Uuid, Path), ("token_id" = Uuid, Path),
        IdempotencyKey),
    responses((status = 200, body = IssueTokenResponse,
        headers(("ETag" = String), ("Lethe-Position" = String)))),
)]
async fn rotate(
    api: ApiData,
    member: Member,
    named: PathWorkspace,
    caller: Caller,
    token: PathId<ApiTokenId>,
    body: Body<RotateTokenRequest>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let signed_in = member.in_person()?;
    let (token, workspace, by) = (token.get()?, member.workspace, member.account);
    let admitted = named.live()?.tokens.get(&token).ok_or_else(nothing)?;
    let (form, bytes) = body.read()?;
    let RotateTokenRequest { overlap_minutes, expires_at, password } = form;
    let mut request = member.request(&caller, bytes);
    let secrets = API_TOKEN.tokens(&api, &caller, &request).await?;
    let secret = ApiTokenSecretId(derived(request.command, "secret"));
    let overlap = TimeDelta::minutes(overlap_minutes);
    // A repeated request is admitted behind the rotation.
    let former = if admitted.secret == secret {
        admitted.former
    } else {
        let until = admitted.expires_at.min(caller.now() + overlap);
        Some(FormerSecret { secret: admitted.secret, until })
    };
    // A repeated request needs no password.
    let rotated = if let Some(earlier) = api.app.executor.find_earlier(&request).await? {
        repeated(&api.app, (workspace, token, secret), secrets, earlier).await?
    } else {
        let now = caller.now();
        let may_omit = expires_at.unwrap_or(admitted.expires_at) <= now + WITHOUT_PASSWORD;
        let recent = Recent { signed_in, may_omit, now };
        recent.verify(&api, &mut request, password.as_ref()).await?;
        let rotate = RotateToken { workspace, by, token, secret, overlap, expires_at, secrets };
        rotate.execute(&api.app, &request).await?
    };
    let IssuedToken { receipt, secret } = rotated;
    // Where it cannot be read in time, its secret is shown all the same.
    let read = if_read(read(&api, workspace, token)).await;
    let (version, issued) = read.unwrap_or_else(|| {
        let expires_at = expires_at.unwrap_or(admitted.expires_at);
        let token_now = ApiToken { expires_at, former, ..admitted.clone() };
        let view = TokenView::of(token, &token_now, (None, None), api.app.clock.now());
        (receipt.version(), view)
    });
    let secret = secret.map(|secret| secret.expose_secret().to_owned());
    let response = IssueTokenResponse { issued, token: secret };
    Ok(shown(StatusCode::OK, &receipt, version, response))
}

/// Revokes a token: it is refused from now on, on every node.
#[utoipa::path(
    delete, path = "/v1/workspaces/{workspace_id}/api-tokens/{token_id}", tag = "workspaces",
    params(("workspace_id" = Uuid, Path), ("token_id" = Uuid, Path),
        IfMatch),
    responses((status = 204)),
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
    // The workspace knows it no more, so that it is refused. A row that stays is deleted by a worker.
    if let Err(error) = api.app.api_tokens.delete(token).await {
        tracing::warn!(%error, "the row of a revoked API token is left to a worker");
    }
    Ok(done(&receipt))
}
