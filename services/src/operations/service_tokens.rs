//! The API tokens of service accounts that a person knows: they work on whatever becomes of the person's account.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use domain::workspace::{LiveWorkspace, Right, TOKEN_DAYS_MAX, Workspace, WorkspaceEvent};
use domain::{AccountId, ApiTokenId, ApiTokenSecretId, DecodeError, WorkspaceId};
use infra::event_store::LoadError;
use infra::log::{FeedError, Recorded};
use projections::audit_trail::of_actor;

use crate::wiring::App;

const GIVES_SECRET: &[&str] = &["workspace.api_token_issued", "workspace.api_token_rotated"];
/// Who was given more secrets within [`TOKEN_DAYS_MAX`] is not answered.
const SECRETS_MAX: i64 = 1000;

/// A token that works still, with a secret that the person was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceToken {
    pub(crate) token: ApiTokenId,
    pub(crate) workspace: WorkspaceId,
    /// The service account that it acts for.
    pub(crate) account: AccountId,
    pub(crate) rights: BTreeSet<Right>,
    pub(crate) expires_at: DateTime<Utc>,
}

/// It is not known which tokens these are. It may be tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceTokensError {
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The newest alone do not say which.
    #[error("the account was given more than {SECRETS_MAX} secrets within {TOKEN_DAYS_MAX} days")]
    TooMany,
}

/// Those that the person issued, or gave the secret by which they work, in every workspace.
///
/// # Errors
/// [`ServiceTokensError`].
pub(crate) async fn known_to(
    app: &App,
    person: AccountId,
) -> Result<Vec<ServiceToken>, ServiceTokensError> {
    let now = app.clock.now();
    let since = now - TimeDelta::days(TOKEN_DAYS_MAX);
    let by = (person.into(), GIVES_SECRET);
    let mut given: BTreeMap<WorkspaceId, Vec<(ApiTokenId, ApiTokenSecretId)>> = BTreeMap::new();
    let events = of_actor(&app.pool, by, since, SECRETS_MAX + 1).await?;
    if i64::try_from(events.len()).is_ok_and(|count| count > SECRETS_MAX) {
        return Err(ServiceTokensError::TooMany);
    }
    for event in events {
        if let Some(secret) = secret_of(&event)? {
            given.entry(WorkspaceId(event.stream_id())).or_default().push(secret);
        }
    }
    let mut known = Vec::new();
    for (workspace, secrets) in given {
        let loaded = app.executor.load::<Workspace>(workspace.into(), workspace.0).await?;
        let Some(live) = loaded.state.live() else { continue };
        known.extend(working(live, workspace, &secrets, now));
    }
    Ok(known)
}

#[allow(clippy::wildcard_enum_match_arm, reason = "the other events give no secret")]
fn secret_of(event: &Recorded) -> Result<Option<(ApiTokenId, ApiTokenSecretId)>, DecodeError> {
    Ok(match event.decode()? {
        WorkspaceEvent::ApiTokenIssued { token, .. } => Some((token, token.into())),
        WorkspaceEvent::ApiTokenRotated { token, secret, .. } => Some((token, secret)),
        _ => None,
    })
}

/// Each token once, though two of its secrets may be known.
fn working(
    live: &LiveWorkspace,
    workspace: WorkspaceId,
    secrets: &[(ApiTokenId, ApiTokenSecretId)],
    now: DateTime<Utc>,
) -> Vec<ServiceToken> {
    let known = live.tokens.iter().filter(|(id, token)| {
        let is_known = |(of, secret): &(ApiTokenId, ApiTokenSecretId)| {
            of == *id && token.works_with(*secret, now)
        };
        live.service_accounts.contains_key(&token.account) && secrets.iter().any(is_known)
    });
    let known = known.map(|(id, token)| ServiceToken {
        token: *id,
        workspace,
        account: token.account,
        rights: token.rights.clone(),
        expires_at: token.expires_at,
    });
    known.collect()
}
