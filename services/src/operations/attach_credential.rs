//! Gives a server the key that Lethe shows to it. The key is stored, sealed, before the event that
//! names it.

use chrono::{DateTime, Utc};
use domain::server::{Credential, Server, ServerCommand, ServerEvent};
use domain::{DecodeError, ServerCredentialId, ServerId, WorkspaceId};
use infra::event_store::{ExecuteError, Receipt, Request, Step};
use infra::failpoint;
use infra::log::FeedError;
use infra::postgres::PgError;
use infra::remote::Identity;
use infra::server_credentials::ServerCredentialsError;

use super::appended_event::appended_event;
use super::write_ahead::{LookedUp, NewCommand, WriteAhead};
use crate::wiring::App;

/// The server keeps the key that it has.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttachCredentialError {
    #[error("the workspace has been erased")]
    Erased,
    #[error(transparent)]
    Store(#[from] ServerCredentialsError),
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error("the event of the earlier request was not read: {0}")]
    Feed(#[from] FeedError),
    #[error("the event of the earlier request was not read: {0}")]
    Decode(#[from] DecodeError),
    #[error("the earlier request appended another event than it appends")]
    OtherEvent,
}

/// A key for a server, in place of the one before.
pub(crate) struct AttachCredential {
    pub(crate) workspace: WorkspaceId,
    pub(crate) server: ServerId,
    pub(crate) identity: Identity,
    /// Refused as stale unless the server is at one of these versions.
    pub(crate) expected: Option<Vec<i64>>,
}

/// The key that the command has attached.
pub(crate) struct AttachedCredential {
    pub(crate) receipt: Receipt,
    pub(crate) credential: Credential,
    /// A line of `authorized_keys`; `None` if the key has been replaced since.
    pub(crate) public_line: Option<String>,
}

/// A key that no event names yet.
struct NewKey {
    workspace: WorkspaceId,
    server: ServerId,
    credential: ServerCredentialId,
    identity: Identity,
}

impl NewKey {
    fn credential(&self) -> Credential {
        let Self { credential: id, identity, .. } = self;
        Credential { id: *id, algorithm: identity.algorithm(), fingerprint: identity.fingerprint() }
    }
}

impl WriteAhead for NewKey {
    type Error = AttachCredentialError;

    /// When the command comes again, the key that was stored the first time counts.
    async fn write(&mut self, app: &App) -> Result<DateTime<Utc>, AttachCredentialError> {
        let Self { workspace, server, credential, .. } = *self;
        let keys = &app.server_credentials;
        let written_at = keys.insert(workspace, server, credential, &self.identity).await?;
        let stored = keys.identity(workspace, credential).await?;
        self.identity = stored.ok_or(AttachCredentialError::Erased)?;
        Ok(written_at)
    }

    async fn take_back(
        &self,
        app: &App,
        written_at: DateTime<Utc>,
    ) -> Result<(), AttachCredentialError> {
        Ok(app.server_credentials.take_back(self.credential, written_at).await?)
    }
}

impl AttachCredential {
    /// When the command has been executed before, answers the key that it attached then, and drops
    /// `identity`.
    ///
    /// # Errors
    /// [`AttachCredentialError`].
    pub(crate) async fn execute(
        self,
        app: &App,
        request: &Request,
    ) -> Result<AttachedCredential, AttachCredentialError> {
        let Self { workspace, server, identity, expected } = self;
        let new = match NewCommand::look_up(app, request).await? {
            LookedUp::New(new) => new,
            LookedUp::Earlier(receipt) => return attached(app, workspace, receipt).await,
        };
        let credential = ServerCredentialId(new.row_id("credential").await?);
        let written = new.write(NewKey { workspace, server, credential, identity }).await?;
        failpoint!(ServerKeyStored);
        let (credential, public_line) =
            (written.row.credential(), written.row.identity.public_line());
        let attaches = ServerCommand::AttachCredential { credential };
        let step = Step::new::<Server>(server.0, attaches).expecting_one_of(expected);
        let receipt = written.execute(step).await?;
        failpoint!(ServerKeyAttached);
        if receipt.replayed() {
            return attached(app, workspace, receipt).await;
        }
        Ok(AttachedCredential { receipt, credential, public_line: Some(public_line) })
    }
}

/// What the event of the command says. Its row is gone once another key has taken the place.
async fn attached(
    app: &App,
    workspace: WorkspaceId,
    receipt: Receipt,
) -> Result<AttachedCredential, AttachCredentialError> {
    let event = appended_event(app, &receipt).await?.ok_or(AttachCredentialError::OtherEvent)?;
    let (ServerEvent::CredentialAttached { credential: id, algorithm, fingerprint }
    | ServerEvent::CredentialRotated { credential: id, algorithm, fingerprint }) =
        event.decode()?
    else {
        return Err(AttachCredentialError::OtherEvent);
    };
    let public_line = app.server_credentials.public_line(workspace, id).await?;
    let credential = Credential { id, algorithm, fingerprint };
    Ok(AttachedCredential { receipt, credential, public_line })
}
