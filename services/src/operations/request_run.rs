//! Requests a run, or another attempt of one: checks the seat and the servers, and seals the secrets
//! before the event that names them.

mod secrets;

use domain::privacy::{ClearVariables, CommandLine, Personal, RunEnvironment};
use domain::run::{Run, RunCommand, RunEvent, Work};
use domain::server::{LiveServer, Server};
use domain::{AggregateRoot, DeploymentId, Refused, RunId, RunSecretsId, ServerId, WorkspaceId};
use infra::event_store::{ExecuteError, LoadError, Loaded, Receipt, Request, Step};
use infra::failpoint;
use infra::ids::derived;
use infra::keyring::SealError;
use infra::postgres::PgError;

use super::lease_seat::{LeaseSeatError, SeatMember};
use super::write_ahead::{LookedUp, NewCommand};
use crate::unseal::UnknownField;
use crate::wiring::App;
use secrets::{NewSecrets, needs_the_same};

/// No run was requested.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestRunError {
    #[error("the member has no live lease of a seat: lease one first")]
    SeatNeeded,
    #[error("some of the servers cannot be used")]
    Servers(Vec<UnusableServer>),
    #[error("a deployment runs on one server: name only that one")]
    DeploymentOnSeveral,
    #[error("the server has no such deployment: check the id")]
    NoSuchDeployment,
    #[error(
        "{waiting} runs of the workspace wait, of at most {limit}, one for each server: request this one once some \
         have begun, or cancel some"
    )]
    QueueFull { waiting: u32, limit: u32 },
    #[error("the run was requested with secrets, which are deleted by now: send these again: {}", .0.join(", "))]
    SecretsMissing(Vec<String>),
    #[error("the secrets were not sealed: {0}")]
    Seal(#[from] SealError),
    #[error(transparent)]
    Open(#[from] UnknownField),
    #[error(transparent)]
    Seat(#[from] LeaseSeatError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    #[error(transparent)]
    Postgres(#[from] PgError),
}

/// A server on which nothing can be run.
#[derive(Debug)]
pub(crate) struct UnusableServer {
    pub(crate) server: ServerId,
    /// Its place in the request; `None`: the request names no servers.
    pub(crate) index: Option<usize>,
    pub(crate) reason: &'static str,
}

/// What is to be run.
pub(crate) enum RequestedWork {
    Command(CommandLine),
    Deployment(DeploymentId),
}

/// A run on servers of the member's workspace.
pub(crate) struct RequestRun {
    pub(crate) member: SeatMember,
    pub(crate) work: RequestedWork,
    pub(crate) servers: Vec<ServerId>,
    pub(crate) timeout_seconds: u32,
    pub(crate) secrets: RunEnvironment,
    /// Of every attempt.
    pub(crate) environment: ClearVariables,
}

/// Another attempt, on `servers`; on all where the last attempt did not succeed if there are none.
pub(crate) struct RetryRun<'a> {
    pub(crate) member: SeatMember,
    pub(crate) run: RunId,
    pub(crate) state: &'a Run,
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
        let new = match NewCommand::look_up(app, request).await? {
            LookedUp::New(new) => new,
            LookedUp::Earlier(receipt) => return Ok(receipt),
        };
        let Self { member, work, servers, timeout_seconds, secrets, environment } = self;
        needs_seat(app, member).await?;
        let usable = usable(app, member, &servers, true).await?;
        let work = match work {
            RequestedWork::Command(command) => Work::Command { command: Personal::Clear(command) },
            RequestedWork::Deployment(deployment) => work_of(deployment, &usable)?,
        };
        let command = |kept: Option<RunSecretsId>| RunCommand::Request {
            work: work.clone(),
            servers: servers.clone(),
            timeout_seconds,
            secrets: kept,
            secret_names: kept.map(|_| Personal::Clear(secrets.names())),
            environment: (!environment.expose().is_empty())
                .then(|| Personal::Clear(environment.clone())),
        };
        refuse_early(&Run::Absent, command(None))?;
        needs_room(app, member, servers.len()).await?;
        let run = (member.workspace, run_of(request));
        let receipt = execute_with(app, new, run, &secrets, command).await?;
        failpoint!(RunRequested);
        Ok(receipt)
    }
}

impl RetryRun<'_> {
    /// # Errors
    /// [`RequestRunError`].
    pub(crate) async fn execute(
        self,
        app: &App,
        request: &Request,
    ) -> Result<Receipt, RequestRunError> {
        let new = match NewCommand::look_up(app, request).await? {
            LookedUp::New(new) => new,
            LookedUp::Earlier(receipt) => return Ok(receipt),
        };
        let Self { member, run, state, servers, secrets } = self;
        needs_seat(app, member).await?;
        usable(app, member, &servers, true).await?;
        let command = |secrets| RunCommand::Retry { servers: servers.clone(), secrets };
        // Which of the secrets there are is refused next: any id does.
        let any = RunSecretsId(run.0);
        let retried = retried(refuse_early(state, command(Some(any)))?);
        needs_the_same(app, member.workspace, state, &secrets).await?;
        // Their names are not known of a run of a former version.
        refuse_early(state, command((!secrets.expose().is_empty()).then_some(any)))?;
        if servers.is_empty() {
            usable(app, member, &retried, false).await?;
        }
        needs_room(app, member, retried.len()).await?;
        execute_with(app, new, (member.workspace, run), &secrets, command).await
    }
}

/// Executes the command that names the secrets, which are sealed and written ahead of it.
async fn execute_with(
    app: &App,
    new: NewCommand<'_>,
    (workspace, run): (WorkspaceId, RunId),
    secrets: &RunEnvironment,
    command: impl FnOnce(Option<RunSecretsId>) -> RunCommand,
) -> Result<Receipt, RequestRunError> {
    let secrets = NewSecrets::seal(app, new, (workspace, run), secrets).await?;
    let written = new.write(secrets).await?;
    let id = written.row.as_ref().map(|secrets| secrets.id);
    written.execute(Step::new::<Run>(run.0, command(id))).await
}

/// Nothing is sealed and stored for a command that is refused anyway.
fn refuse_early(state: &Run, command: RunCommand) -> Result<Vec<RunEvent>, ExecuteError> {
    state.decide(command).map_err(|refused| Refused::Run(refused).into())
}

/// The servers of another attempt: those that the decision has chosen, where the request names none.
fn retried(decided: Vec<RunEvent>) -> Vec<ServerId> {
    let mut retried = vec![];
    for event in decided {
        if let RunEvent::Retried { servers, .. } = event {
            retried.extend(servers);
        }
    }
    retried
}

async fn needs_seat(app: &App, member: SeatMember) -> Result<(), RequestRunError> {
    if member.holds_seat(app).await? { Ok(()) } else { Err(RequestRunError::SeatNeeded) }
}

/// No more of a workspace waits than the setting says. What is on its way into the queue is not counted.
async fn needs_room(app: &App, member: SeatMember, tasks: usize) -> Result<(), RequestRunError> {
    let limit = app.config.runs_queued_per_workspace;
    let waiting = app.run_queue.count_waiting(member.workspace, limit).await?;
    let tasks = u32::try_from(tasks).unwrap_or(u32::MAX);
    if waiting.saturating_add(tasks) <= limit {
        return Ok(());
    }
    app.metrics.run_quotas_reached.inc();
    Err(RequestRunError::QueueFull { waiting: waiting.min(limit), limit })
}

/// Loads the servers, all of which must have an approved host key and a credential. `are_named`: the request names
/// them.
async fn usable(
    app: &App,
    member: SeatMember,
    servers: &[ServerId],
    are_named: bool,
) -> Result<Vec<Loaded<Server>>, RequestRunError> {
    let mut usable = Vec::with_capacity(servers.len());
    let mut unusable = vec![];
    for (index, server) in servers.iter().enumerate() {
        let loaded = app.executor.load::<Server>(member.workspace.into(), server.0).await?;
        match why_unusable(loaded.state.live()) {
            None => usable.push(loaded),
            Some(reason) => {
                let index = are_named.then_some(index);
                unusable.push(UnusableServer { server: *server, index, reason });
            }
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
