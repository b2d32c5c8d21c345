//! Connects to a workspace's server: with the server's own credential, to the host key that a person
//! approved.

use domain::privacy::{Personal, ServerHost, ServerUser};
use domain::server::{ConnectFailure, LiveServer, Server, ServerCommand};
use domain::{Refused, ServerId, WorkspaceId};
use infra::event_store::{ExecuteError, LoadError, Loaded, Receipt};
use infra::keyring::{OpenError, Sealer};
use infra::remote::{Address, Connection, HostKey, Identity, RemoteError};
use infra::server_credentials::ServerCredentialsError;

use crate::operations::system_command::SystemCommand;
use crate::unseal::Unsealer;
use crate::wiring::App;

/// Attempts to append, since other commands may change the server in the meantime.
const ATTEMPTS_MAX: usize = 8;
const DAY_SECONDS: i64 = 86_400;

/// Why no connection was made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("there is no such server")]
    Unknown,
    #[error("no host key of the server is approved: approve the one that it shows")]
    NotApproved,
    #[error("the server has no credential: attach one")]
    NoCredential,
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// Lethe's own database or keyring failed: this says nothing about the server.
    #[error("{0}")]
    Unavailable(String),
}

impl ConnectError {
    /// The stage at which the connection failed; `None` when the error does not depend on the server.
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
        impl From<$error> for ConnectError {
            fn from(error: $error) -> Self {
                Self::Unavailable(error.to_string())
            }
        }
    )*};
}

unavailable!(LoadError OpenError ServerCredentialsError);

/// Connects, if a host key is approved. When the server shows another key, that is appended once;
/// from then on nothing connects until a person approves the new key.
///
/// # Errors
/// [`ConnectError`].
pub async fn connect(
    app: &App,
    workspace: WorkspaceId,
    server: ServerId,
) -> Result<Connection, ConnectError> {
    let loaded = app.executor.load::<Server>(workspace.into(), server.0).await?;
    connect_to(app, workspace, server, &loaded).await
}

/// The same, to a server that has been loaded already.
///
/// # Errors
/// [`ConnectError`].
pub async fn connect_to(
    app: &App,
    workspace: WorkspaceId,
    server: ServerId,
    loaded: &Loaded<Server>,
) -> Result<Connection, ConnectError> {
    let live = loaded.state.live().ok_or(ConnectError::Unknown)?;
    let pinned = live.host_key.pinned().ok_or(ConnectError::NotApproved)?;
    let identity = identity(app, workspace, live).await?.ok_or(ConnectError::NoCredential)?;
    let sealer = &app.keyring.sealer;
    let address = address(sealer, workspace, live).await?;
    let user = Unsealer::of_workspace(sealer, workspace).required::<ServerUser>(&live.user).await?;
    match app.remote.connect(&address, user.expose(), pinned.into(), &identity).await {
        Err(error @ RemoteError::HostKey { seen }) => {
            if let Err(not_appended) = observe_host_key(app, workspace, server, loaded, seen).await
            {
                tracing::error!(%server, error = %not_appended, "the event about a changed host key was not appended: tried again at the next connection");
            }
            Err(error.into())
        }
        outcome => Ok(outcome?),
    }
}

/// The credential of the server, if one is attached.
///
/// # Errors
/// `Unavailable`.
pub async fn identity(
    app: &App,
    workspace: WorkspaceId,
    live: &LiveServer,
) -> Result<Option<Identity>, ConnectError> {
    let Some(credential) = live.credential else { return Ok(None) };
    Ok(app.server_credentials.identity(workspace, credential.id).await?)
}

/// The address of the server, opened.
///
/// # Errors
/// The workspace is erased, or the keyring failed.
pub async fn address(
    sealer: &Sealer,
    workspace: WorkspaceId,
    live: &LiveServer,
) -> Result<Address, OpenError> {
    let host = Unsealer::of_workspace(sealer, workspace).required::<ServerHost>(&live.host).await?;
    Ok(Address::new(host.expose(), live.port).of_workspace(workspace))
}

/// Appends the host key that a server showed; `loaded` is the server's state before the connection. It
/// is one event, also if several nodes see the key at the same time. `None`: there is nothing to append,
/// or the server's address has been changed in the meantime.
///
/// # Errors
/// The key could not be appended; call it again.
pub async fn observe_host_key(
    app: &App,
    workspace: WorkspaceId,
    server: ServerId,
    loaded: &Loaded<Server>,
    seen: HostKey,
) -> Result<Option<Receipt>, ExecuteError> {
    let mut version = loaded.version;
    for _ in 0..ATTEMPTS_MAX {
        match append_host_key(app, workspace, server, version, seen).await {
            Err(ExecuteError::Stale { .. }) => {}
            outcome => return outcome,
        }
        let newest = app.executor.load::<Server>(workspace.into(), server.0).await?;
        if sealed_address(&newest) != sealed_address(loaded) {
            return Ok(None);
        }
        version = newest.version;
    }
    Err(ExecuteError::Conflict)
}

async fn append_host_key(
    app: &App,
    workspace: WorkspaceId,
    server: ServerId,
    version: i64,
    seen: HostKey,
) -> Result<Option<Receipt>, ExecuteError> {
    let HostKey { algorithm, fingerprint } = seen;
    let at_version = version.to_be_bytes();
    let cause = [b"host key".as_slice(), server.0.as_bytes(), &at_version, &fingerprint.0];
    SystemCommand::new(workspace.into(), &cause)
        .step_at::<Server>(
            server.0,
            version,
            ServerCommand::ObserveHostKey { algorithm, fingerprint },
        )
        .execute(&app.executor, |refused| matches!(refused, Refused::Server(_)))
        .await
}

/// Appends the host keys that the server announced on this connection and proves to hold, where they are
/// others than those that are known: a person may approve one of them in place of the approved one. Call it
/// once a command has run, since the announcement has come by then. It is at most one event a day (UTC) for
/// an address and its approved key, also if the server announces other keys each time. A failure is logged:
/// the next connection tries it again.
pub async fn announce_host_keys(
    app: &App,
    workspace: WorkspaceId,
    server: ServerId,
    connection: &Connection,
) {
    match append_announced(app, workspace, server, connection).await {
        // The server has changed in the meantime: the keys are announced on the next connection again.
        Ok(()) | Err(ExecuteError::Stale { .. }) => {}
        Err(error) => {
            tracing::warn!(%server, %error, "the announced host keys of a server were not appended: tried again at the next connection");
        }
    }
}

async fn append_announced(
    app: &App,
    workspace: WorkspaceId,
    server: ServerId,
    connection: &Connection,
) -> Result<(), ExecuteError> {
    let Some(announced) = connection.announced_host_keys() else { return Ok(()) };
    let loaded = app.executor.load::<Server>(workspace.into(), server.0).await?;
    let Some(live) = loaded.state.live() else { return Ok(()) };
    // Only to the key that is approved now, and so at the address that it was approved at.
    let pinned = live.host_key.pinned().map(HostKey::from);
    let Some(pinned) = pinned.filter(|pinned| Some(*pinned) == connection.host_key()) else {
        return Ok(());
    };
    if are_known(live, &announced) {
        return Ok(());
    }
    let Some(proven) = connection.prove_host_keys().await else { return Ok(()) };
    let day = app.clock.now().timestamp().div_euclid(DAY_SECONDS).to_be_bytes();
    let (id, moves) = (server.0.as_bytes(), live.moves.to_be_bytes());
    let cause = [b"announced host keys".as_slice(), id, &pinned.fingerprint.0, &moves, &day];
    let keys = proven.into_iter().map(Into::into).collect();
    SystemCommand::new(workspace.into(), &cause)
        .step_at::<Server>(server.0, loaded.version, ServerCommand::AnnounceHostKeys { keys })
        .execute(&app.executor, |refused| matches!(refused, Refused::Server(_)))
        .await
        .map(drop)
}

/// Neither list has a key twice.
fn are_known(live: &LiveServer, announced: &[HostKey]) -> bool {
    let proposals: Vec<HostKey> = live.proposals.iter().copied().map(Into::into).collect();
    proposals.len() == announced.len() && announced.iter().all(|key| proposals.contains(key))
}

/// Compares sealed bytes: they differ after every change, since each sealing gives other bytes.
fn sealed_address(loaded: &Loaded<Server>) -> Option<(&Personal<ServerHost>, u16)> {
    loaded.state.live().map(|live| (&live.host, live.port))
}
