//! Gives a server the key that Lethe shows to it. The key is stored, sealed, before the event that
//! names it.

use domain::server::{Credential, Server, ServerCommand};
use domain::{ServerCredentialId, ServerId, WorkspaceId};
use infra::event_store::{ExecuteError, Receipt, Request, Step};
use infra::failpoint;
use infra::ids::derived;
use infra::postgres::PgError;
use infra::remote::Identity;
use infra::server_credentials::ServerCredentialsError;

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
}

/// A key for a server, in place of the one before.
pub(crate) struct AttachCredential<'a> {
    pub(crate) workspace: WorkspaceId,
    pub(crate) server: ServerId,
    pub(crate) identity: &'a Identity,
    /// Refused as stale unless the server is at this version.
    pub(crate) expected: Option<i64>,
}

/// The key that the command has attached.
pub(crate) struct AttachedCredential {
    pub(crate) receipt: Receipt,
    pub(crate) credential: Credential,
    /// A line of `authorized_keys`; `None` if the key has been replaced since.
    pub(crate) public_line: Option<String>,
}

impl AttachCredential<'_> {
    /// The key is deleted again if the command is refused. When the command comes again, the key that
    /// was stored the first time counts, and `identity` is dropped.
    ///
    /// # Errors
    /// [`AttachCredentialError`].
    pub(crate) async fn execute(
        self,
        app: &App,
        request: &Request,
    ) -> Result<AttachedCredential, AttachCredentialError> {
        let credential = self.store(app, request).await?;
        failpoint!(ServerKeyStored);
        let attaches = ServerCommand::AttachCredential { credential };
        let step = Step::new::<Server>(self.server.0, attaches);
        let step = match self.expected {
            Some(version) => step.expecting(version),
            None => step,
        };
        let receipt = match app.executor.execute(request, &[step]).await {
            Ok(receipt) => receipt,
            Err(error @ (ExecuteError::Refused(_) | ExecuteError::Stale { .. })) => {
                app.server_credentials.delete(credential.id).await?;
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        };
        failpoint!(ServerKeyAttached);
        let public_line = app.server_credentials.public_line(self.workspace, credential.id).await?;
        Ok(AttachedCredential { receipt, credential, public_line })
    }

    async fn store(
        &self,
        app: &App,
        request: &Request,
    ) -> Result<Credential, AttachCredentialError> {
        let (keys, workspace) = (&app.server_credentials, self.workspace);
        let id = ServerCredentialId(derived(request.command, "credential"));
        keys.insert(workspace, self.server, id, self.identity).await?;
        let kept = keys.identity(workspace, id).await?.ok_or(AttachCredentialError::Erased)?;
        Ok(Credential { id, algorithm: kept.algorithm(), fingerprint: kept.fingerprint() })
    }
}
