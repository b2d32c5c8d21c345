//! The secrets of an attempt: sealed, in a row that is written ahead of the event that names it.

use chrono::{DateTime, Utc};
use domain::privacy::{RunEnvironment, RunSecretNames, RunSecrets, Sealed};
use domain::run::Run;
use domain::{RunId, RunSecretsId, WorkspaceId};

use super::RequestRunError;
use crate::operations::write_ahead::{NewCommand, WriteAhead};
use crate::unseal::Unsealer;
use crate::wiring::App;

/// A command that finds a variable empty may do something else: every secret that the run was requested with must come
/// again. Others may come, too.
pub(super) async fn needs_the_same(
    app: &App,
    workspace: WorkspaceId,
    state: &Run,
    secrets: &RunEnvironment,
) -> Result<(), RequestRunError> {
    let names = state.requested().and_then(|run| run.secret_names.as_ref());
    let unsealer = Unsealer::of_workspace(&app.keyring.sealer, workspace);
    let Some(names) = unsealer.optional::<RunSecretNames>(names).await? else { return Ok(()) };
    let missing: Vec<String> = names.missing_in(secrets).into_iter().map(str::to_owned).collect();
    if missing.is_empty() { Ok(()) } else { Err(RequestRunError::SecretsMissing(missing)) }
}

/// The secrets of an attempt, which no event names yet.
pub(super) struct NewSecrets {
    workspace: WorkspaceId,
    run: RunId,
    pub(super) id: RunSecretsId,
    sealed: Sealed,
}

impl NewSecrets {
    /// `None`: there are none.
    pub(super) async fn seal(
        app: &App,
        command: NewCommand<'_>,
        (workspace, run): (WorkspaceId, RunId),
        secrets: &RunEnvironment,
    ) -> Result<Option<Self>, RequestRunError> {
        if secrets.expose().is_empty() {
            return Ok(None);
        }
        let id = RunSecretsId(command.row_id("secrets").await?);
        let (tenant, subject) = (workspace.into(), workspace.into());
        let seals =
            app.keyring.sealer.seal_value::<RunSecrets>(tenant, subject, id.into(), secrets);
        let sealed = seals.await?;
        Ok(Some(Self { workspace, run, id, sealed }))
    }
}

impl WriteAhead for NewSecrets {
    type Error = RequestRunError;

    async fn write(&mut self, app: &App) -> Result<DateTime<Utc>, RequestRunError> {
        let Self { workspace, run, id, ref sealed } = *self;
        Ok(app.run_queue.put_secrets(workspace, run, id, sealed).await?)
    }

    async fn take_back(&self, app: &App, written_at: DateTime<Utc>) -> Result<(), RequestRunError> {
        Ok(app.run_queue.delete_secrets(self.id, written_at).await?)
    }
}
