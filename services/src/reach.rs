//! A connection to a workspace's server: with its own key, to the host key that a person approved.

use domain::privacy::{Personal, ServerHost, ServerUser};
use domain::server::{ConnectFailure, LiveServer, Server, ServerCommand};
use domain::{CommandId, Refused, ServerId, TenantId, WorkspaceId};
use infra::event_store::{ExecuteError, LoadError, Loaded, Receipt, Request, Step};
use infra::ids::hashed;
use infra::keyring::{Keyring, OpenError};
use infra::remote::{Address, Connection, HostKey, Identity, RemoteError};
use infra::server_credentials::ServerCredentialsError;

use crate::wiring::App;

/// Others may change the same server meanwhile: its name, its deployments.
const ATTEMPTS_MAX: usize = 8;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum Unreached {
    #[error("there is no such server")]
    Unknown,
    #[error("no host key of the server is approved")]
    NotApproved,
    #[error("the server has no credential")]
    NoCredential,
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// Nothing is known of the server: something of our own is not there.
    #[error("{0}")]
    Unavailable(String),
}

impl Unreached {
    /// How far it came; none when the server has no part in it.
    pub const fn cause(&self) -> Option<ConnectFailure> {
        match self {
            Self::NotApproved => Some(ConnectFailure::HostKey),
            Self::NoCredential => Some(ConnectFailure::Authentication),
            Self::Remote(error) => Some(error.cause()),
            Self::Unknown | Self::Unavailable(_) => None,
        }
    }
}

macro_rules! unavailable {
    ($($error:ty)*) => {$(
        impl From<$error> for Unreached {
            fn from(error: $error) -> Self {
                Self::Unavailable(error.to_string())
            }
        }
    )*};
}

unavailable!(LoadError OpenError ServerCredentialsError);

/// Connects, unless no key is approved. Another key than the approved one is told to the log,
/// once; from then on nothing connects until a person approves it.
///
/// # Errors
/// How far it came.
pub async fn connect(
    app: &App,
    workspace: WorkspaceId,
    server: ServerId,
) -> Result<Connection, Unreached> {
    let loaded = app.executor.load::<Server>(workspace.into(), server.0).await?;
    let live = loaded.state.live().ok_or(Unreached::Unknown)?;
    let pinned = live.host_key.pinned().ok_or(Unreached::NotApproved)?;
    let identity = identity(app, workspace, live).await?.ok_or(Unreached::NoCredential)?;
    let address = address(&app.keyring, workspace, live).await?;
    let user = live.user.sealed().ok_or(OpenError::Damaged)?;
    let user =
        app.keyring.sealer.open::<ServerUser>(workspace.into(), workspace.into(), user).await?;
    match app.remote.connect(&address, user.expose(), pinned, &identity).await {
        Err(error @ RemoteError::HostKey { seen }) => {
            if let Err(untold) = observed(app, workspace, server, &loaded, seen).await {
                tracing::error!(%server, error = %untold, "another host key could not be told");
            }
            Err(error.into())
        }
        outcome => Ok(outcome?),
    }
}

/// The key that the server is shown, if it has been given one.
pub async fn identity(
    app: &App,
    workspace: WorkspaceId,
    live: &LiveServer,
) -> Result<Option<Identity>, Unreached> {
    let Some(credential) = live.credential else { return Ok(None) };
    Ok(app.server_credentials.identity(workspace, credential.id).await?)
}

pub async fn address(
    keyring: &Keyring,
    workspace: WorkspaceId,
    live: &LiveServer,
) -> Result<Address, OpenError> {
    let host = live.host.sealed().ok_or(OpenError::Damaged)?;
    let host = keyring.sealer.open::<ServerHost>(workspace.into(), workspace.into(), host).await?;
    Ok(Address::new(host.expose(), live.port))
}

/// Tells the log of the key that a server of this state showed. However many see it at once, it
/// is one event; and none when the server has got another address meanwhile.
///
/// # Errors
/// The log is not reached.
pub async fn observed(
    app: &App,
    workspace: WorkspaceId,
    server: ServerId,
    found: &Loaded<Server>,
    seen: HostKey,
) -> Result<Option<Receipt>, ExecuteError> {
    let mut version = found.version;
    for _ in 0..ATTEMPTS_MAX {
        match tell(app, workspace, server, version, seen).await {
            Err(ExecuteError::Stale { .. }) => {}
            Err(ExecuteError::Fenced | ExecuteError::Refused(Refused::Server(_))) => {
                return Ok(None);
            }
            outcome => return outcome.map(Some),
        }
        let again = app.executor.load::<Server>(workspace.into(), server.0).await?;
        if place(&again) != place(found) {
            return Ok(None);
        }
        version = again.version;
    }
    Err(ExecuteError::Conflict)
}

async fn tell(
    app: &App,
    workspace: WorkspaceId,
    server: ServerId,
    version: i64,
    seen: HostKey,
) -> Result<Receipt, ExecuteError> {
    let HostKey { algorithm, fingerprint } = seen;
    let of = version.to_be_bytes();
    let parts = [b"host key".as_slice(), server.0.as_bytes(), &of, &fingerprint.0];
    let request = Request::new(TenantId::from(workspace), CommandId(hashed(&parts)));
    let observes = ServerCommand::ObserveHostKey { algorithm, fingerprint };
    let step = Step::new::<Server>(server.0, observes).expecting(version);
    app.executor.execute(&request, &[step]).await
}

/// As it was sealed, an address is the same only while nobody changed it.
fn place(loaded: &Loaded<Server>) -> Option<(&Personal<ServerHost>, u16)> {
    loaded.state.live().map(|live| (&live.host, live.port))
}
