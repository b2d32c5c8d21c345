//! Requests a run, or another attempt of one: checks the servers, and seals the secrets before the event
//! that names them.

use domain::privacy::{CommandLine, Personal, RunEnvironment, RunSecrets};
use domain::run::{Run, RunCommand, Work};
use domain::server::{LiveServer, Server};
use domain::{DeploymentId, RunId, RunSecretsId, ServerId, WorkspaceId};
use infra::event_store::{ExecuteError, LoadError, Loaded, Receipt, Request, Step};
use infra::failpoint;
use infra::ids::derived;
use infra::keyring::SealError;
use infra::postgres::PgError;

use crate::wiring::App;

/// No run was requested.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestRunError {
    #[error("some of the servers cannot be used")]
    Servers(Vec<UnusableServer>),
    #[error("a deployment runs on one server: name only that one")]
    DeploymentOnSeveral,
    #[error("the server has no such deployment: check the id")]
    NoSuchDeployment,
    #[error("the secrets were not sealed: {0}")]
    Seal(#[from] SealError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    #[error(transparent)]
    Postgres(#[from] PgError),
}

/// A server on which nothing can be run, by its place in the request.
#[derive(Debug)]
pub(crate) struct UnusableServer {
    pub(crate) index: usize,
    pub(crate) reason: &'static str,
}

/// What is to be run.
pub(crate) enum RequestedWork {
    Command(CommandLine),
    Deployment(DeploymentId),
}

/// A run on servers of a workspace.
pub(crate) struct RequestRun {
    pub(crate) workspace: WorkspaceId,
    pub(crate) work: RequestedWork,
    pub(crate) servers: Vec<ServerId>,
    pub(crate) timeout_seconds: u32,
    pub(crate) secrets: RunEnvironment,
}

/// Another attempt, on `servers`; on all where the last attempt did not succeed if there are none.
pub(crate) struct RetryRun {
    pub(crate) workspace: WorkspaceId,
    pub(crate) run: RunId,
    pub(crate) servers: Vec<ServerId>,
    pub(crate) secrets: RunEnvironment,
}

/// The run that a command requests: the same one when the command comes again.
pub(crate) fn run_of(request: &Request) -> RunId {
    RunId(derived(request.command, "run"))
}

impl RequestRun {
    /// Requests the run [`run_of`] the request. Later changes of a deployment do not change it.
    ///
    /// # Errors
    /// [`RequestRunError`].
    pub(crate) async fn execute(
        self,
        app: &App,
        request: &Request,
    ) -> Result<Receipt, RequestRunError> {
        let Self { workspace, work, servers, timeout_seconds, secrets } = self;
        let usable = usable(app, workspace, &servers).await?;
        let work = match work {
            RequestedWork::Command(command) => Work::Command { command: Personal::Clear(command) },
            RequestedWork::Deployment(deployment) => work_of(deployment, &usable)?,
        };
        let run = run_of(request);
        let secrets = store_secrets(app, workspace, run, request, &secrets).await?;
        let command = RunCommand::Request { work, servers, timeout_seconds, secrets };
        let step = Step::new::<Run>(run.0, command);
        let receipt = app.executor.execute(request, &[step]).await?;
        failpoint!(RunRequested);
        Ok(receipt)
    }
}

impl RetryRun {
    /// # Errors
    /// [`RequestRunError`].
    pub(crate) async fn execute(
        self,
        app: &App,
        request: &Request,
    ) -> Result<Receipt, RequestRunError> {
        let Self { workspace, run, servers, secrets } = self;
        usable(app, workspace, &servers).await?;
        let secrets = store_secrets(app, workspace, run, request, &secrets).await?;
        let step = Step::new::<Run>(run.0, RunCommand::Retry { servers, secrets });
        Ok(app.executor.execute(request, &[step]).await?)
    }
}

/// Loads the servers, all of which must have an approved host key and a credential.
async fn usable(
    app: &App,
    workspace: WorkspaceId,
    servers: &[ServerId],
) -> Result<Vec<Loaded<Server>>, RequestRunError> {
    let mut usable = Vec::with_capacity(servers.len());
    let mut unusable = vec![];
    for (index, server) in servers.iter().enumerate() {
        let loaded = app.executor.load::<Server>(workspace.into(), server.0).await?;
        match why_unusable(loaded.state.live()) {
            None => usable.push(loaded),
            Some(reason) => unusable.push(UnusableServer { index, reason }),
        }
    }
    if unusable.is_empty() { Ok(usable) } else { Err(RequestRunError::Servers(unusable)) }
}

fn why_unusable(server: Option<&LiveServer>) -> Option<&'static str> {
    let Some(live) = server else { return Some("there is no such server in this workspace") };
    if live.host_key.pinned().is_none() {
        return Some("its host key is not approved: approve it first");
    }
    live.credential.is_none().then_some("it has no credential: attach one first")
}

/// The steps of the deployment as they are now, still sealed.
fn work_of(deployment: DeploymentId, servers: &[Loaded<Server>]) -> Result<Work, RequestRunError> {
    let [server] = servers else { return Err(RequestRunError::DeploymentOnSeveral) };
    let live = server.state.live();
    let found = live.and_then(|live| live.deployments.get(&deployment));
    let found = found.ok_or(RequestRunError::NoSuchDeployment)?;
    Ok(Work::Deployment { deployment, version: server.version, steps: found.config.clone() })
}

/// A row that no event names in the end is deleted by the sweep of unused secrets.
async fn store_secrets(
    app: &App,
    workspace: WorkspaceId,
    run: RunId,
    request: &Request,
    secrets: &RunEnvironment,
) -> Result<Option<RunSecretsId>, RequestRunError> {
    if secrets.expose().is_empty() {
        return Ok(None);
    }
    let id = RunSecretsId(derived(request.command, "secrets"));
    let (tenant, subject) = (workspace.into(), workspace.into());
    let sealed = app.keyring.sealer.seal_value::<RunSecrets>(tenant, subject, id.into(), secrets);
    let sealed = sealed.await?;
    app.run_queue.put_secrets(workspace, run, id, &sealed).await?;
    Ok(Some(id))
}
