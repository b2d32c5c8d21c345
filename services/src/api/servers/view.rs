//! How a server is shown: never with its private key, nor with text that the server sent.

use chrono::{DateTime, Utc};
use domain::privacy::{Field, ServerHost, ServerName, ServerUser};
use domain::server::{
    ConnectFailure, Credential, Fingerprint, HostKey, KeyAlgorithm, LiveServer, PublicKey, Reach,
    Watch,
};
use domain::{DeploymentId, ServerId, WorkspaceId};
use projections::servers::Server as Row;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::Api;
use crate::api::http::problem::Problem;
use crate::unseal::Unsealer;

#[derive(Serialize, ToSchema)]
#[schema(as = Server)]
pub struct ServerView {
    pub server_id: Uuid,
    #[schema(value_type = String)]
    name: <ServerName as Field>::Value,
    #[schema(value_type = String)]
    host: <ServerHost as Field>::Value,
    port: u16,
    #[schema(value_type = String)]
    user: <ServerUser as Field>::Value,
    host_key: HostKeyView,
    /// Host keys that the server announced over an approved connection: one of them can be approved in place
    /// of the approved one.
    #[serde(skip_serializing_if = "Option::is_none")]
    host_key_proposals: Option<Vec<HostKeyProposal>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<CredentialView>,
    reach: ReachView,
    /// Why nobody connects to watch it any more, until its key, its address or its credential is another one,
    /// or a check reaches it.
    #[serde(skip_serializing_if = "Option::is_none")]
    watch_stopped: Option<WatchStopped>,
    deployment_ids: Vec<Uuid>,
}

/// `unobserved`, `observed`, `approved`, or `mismatched`: nothing connects with the credential
/// unless it is approved.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[schema(as = HostKey)]
pub struct HostKeyView {
    state: &'static str,
    /// What a person approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    approved: Option<Fingerprint>,
    /// What the server showed, and nobody approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    seen: Option<Fingerprint>,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
pub struct HostKeyProposal {
    #[schema(value_type = String)]
    algorithm: KeyAlgorithm,
    #[schema(value_type = String)]
    fingerprint: Fingerprint,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
pub struct WatchStopped {
    #[schema(value_type = String)]
    cause: ConnectFailure,
    /// When the first of the failures was.
    began_at: DateTime<Utc>,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
#[schema(as = ServerCredential)]
pub struct CredentialView {
    credential_id: Uuid,
    #[schema(value_type = String)]
    algorithm: KeyAlgorithm,
    #[schema(value_type = String)]
    fingerprint: Fingerprint,
}

/// `unknown`, `reachable` or `unreachable`.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[schema(as = Reach)]
pub struct ReachView {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    cause: Option<ConnectFailure>,
    /// Since when it is unreachable.
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_at: Option<DateTime<Utc>>,
}

impl From<HostKey> for HostKeyView {
    fn from(host_key: HostKey) -> Self {
        let (state, approved, seen) = match host_key {
            HostKey::Unobserved => ("unobserved", None, None),
            HostKey::Observed { key } => ("observed", None, Some(key)),
            HostKey::Approved { key } => ("approved", Some(key), None),
            HostKey::Mismatched { approved, seen } => ("mismatched", Some(approved), Some(seen)),
        };
        let fingerprint = |key: PublicKey| key.fingerprint;
        Self { state, approved: approved.map(fingerprint), seen: seen.map(fingerprint) }
    }
}

impl From<Credential> for CredentialView {
    fn from(credential: Credential) -> Self {
        let Credential { id, algorithm, fingerprint } = credential;
        Self { credential_id: id.0, algorithm, fingerprint }
    }
}

impl From<Reach> for ReachView {
    fn from(reach: Reach) -> Self {
        let (state, cause, changed_at) = match reach {
            Reach::Unknown => ("unknown", None, None),
            Reach::Reachable => ("reachable", None, None),
            Reach::Unreachable { cause, since } => ("unreachable", Some(cause), Some(since)),
        };
        Self { state, cause, changed_at }
    }
}

/// `None` where there are none.
pub fn proposals(keys: &[PublicKey]) -> Option<Vec<HostKeyProposal>> {
    let shown = |key: &PublicKey| {
        let PublicKey { algorithm, fingerprint } = *key;
        HostKeyProposal { algorithm, fingerprint }
    };
    (!keys.is_empty()).then(|| keys.iter().map(shown).collect())
}

pub const fn stopped(watch: Watch) -> Option<WatchStopped> {
    match watch {
        Watch::On => None,
        Watch::Stopped { cause, since } => Some(WatchStopped { cause, began_at: since }),
    }
}

/// As it stands in the log.
pub async fn view(
    api: &Api,
    workspace: WorkspaceId,
    server: ServerId,
    live: &LiveServer,
) -> Result<ServerView, Problem> {
    let sealed = Unsealer::of_workspace(&api.app.keyring.sealer, workspace);
    Ok(ServerView {
        server_id: server.0,
        name: sealed.required::<ServerName>(&live.name).await?,
        host: sealed.required::<ServerHost>(&live.host).await?,
        port: live.port,
        user: sealed.required::<ServerUser>(&live.user).await?,
        host_key: live.host_key.into(),
        host_key_proposals: proposals(&live.proposals),
        credential: live.credential.map(Into::into),
        reach: live.reach.into(),
        watch_stopped: stopped(live.watch),
        deployment_ids: live.deployments.keys().map(|deployment| deployment.0).collect(),
    })
}

/// Its name alone, as it stands in the read model.
pub async fn name_of_row(api: &Api, row: &Row) -> Result<<ServerName as Field>::Value, Problem> {
    let sealed = Unsealer::of_workspace(&api.app.keyring.sealer, row.workspace_id);
    Ok(sealed.required::<ServerName>(row.name.as_slice()).await?)
}

/// As it stands in the read model.
pub async fn view_of_row(api: &Api, row: Row) -> Result<ServerView, Problem> {
    let sealed = Unsealer::of_workspace(&api.app.keyring.sealer, row.workspace_id);
    Ok(ServerView {
        server_id: row.server_id.0,
        name: sealed.required::<ServerName>(row.name.as_slice()).await?,
        host: sealed.required::<ServerHost>(row.host.as_slice()).await?,
        port: u16::try_from(row.port).map_err(|error| Problem::internal(&error))?,
        user: sealed.required::<ServerUser>(row.login.as_slice()).await?,
        host_key: row.host_key.0.into(),
        host_key_proposals: proposals(&row.proposals.0),
        credential: row.credential.0.map(Into::into),
        reach: row.reach.0.into(),
        watch_stopped: stopped(row.watch.0),
        deployment_ids: row.deployments.0.iter().map(|DeploymentId(id)| *id).collect(),
    })
}
