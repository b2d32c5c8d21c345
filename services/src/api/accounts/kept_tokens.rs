//! The API tokens that stay where a person asked to keep them.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::AccountId;
use domain::privacy::{ApiTokenName, Label};
use infra::event_store::Receipt;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::Api;
use crate::api::http::answer::{done, written};
use crate::api::http::problem::Problem;
use crate::unseal::Unsealer;

/// The tokens that still act for the account.
#[derive(Serialize, ToSchema)]
pub struct KeptTokens {
    api_tokens: Vec<KeptToken>,
}

#[derive(Serialize, ToSchema)]
pub struct KeptToken {
    token_id: Uuid,
    workspace_id: Uuid,
    /// Absent once the workspace is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    name: Option<Label>,
    expires_at: DateTime<Utc>,
}

/// 204, or the tokens if they are kept.
///
/// # Errors
/// They cannot be read.
pub async fn answer(
    api: &Api,
    account: AccountId,
    receipt: &Receipt,
    are_kept: bool,
) -> Result<HttpResponse, Problem> {
    if !are_kept {
        return Ok(done(receipt));
    }
    Ok(written(StatusCode::OK, receipt).json(kept(api, account).await?))
}

/// Every token that acts for the account.
///
/// # Errors
/// They cannot be read.
async fn kept(api: &Api, account: AccountId) -> Result<KeptTokens, Problem> {
    let mut api_tokens = Vec::new();
    for kept in api.app.api_tokens.of_account(account).await? {
        let sealed = Unsealer::of_workspace(&api.app.keyring.sealer, kept.workspace);
        api_tokens.push(KeptToken {
            token_id: kept.token.0,
            workspace_id: kept.workspace.0,
            name: sealed.optional::<ApiTokenName>(Some(&kept.name)).await?,
            expires_at: kept.expires_at,
        });
    }
    Ok(KeptTokens { api_tokens })
}
