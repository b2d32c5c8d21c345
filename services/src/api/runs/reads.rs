//! Runs as a workspace sees them.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use domain::privacy::{
    DeploymentConfig, DeploymentStep, Leftovers, Personal, RunCommand, RunEnvironmentText, RunLeft,
    RunSecretNames,
};
use domain::run::{Ending, LogSeal, RunState, Settled, Target};
use domain::workspace::WorkspaceAction;
use domain::{ActorId, RunId, ServerId};
use infra::log::read_through;
use projections::runs::{Filter, Run, Runs, page as find_runs};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::auth::member::Member;
use crate::api::auth::path_resources::{PathRun, nothing};
use crate::api::http::answer::at_version;
use crate::api::http::body::Query;
use crate::api::http::cursor::Page;
use crate::api::http::fields::{Fields, RUNS_BACKWARDS, one_of, parsed, times};
use crate::api::http::listing::{ListFilter, Listing, Order};
use crate::api::http::position::MinPosition;
use crate::api::http::problem::Problem;
use crate::api::http::routes::Routes;
use crate::api::{Api, ApiData};
use crate::unseal::Unsealer;

const STATES: &str =
    "queued, running, cancelling, succeeded, failed, cancelled, timed_out, unproven, lost";

pub fn routes(routes: &mut Routes) {
    routes
        .add_action(WorkspaceAction::ListRuns, __path_list, list)
        .refuses_values(&[RUNS_BACKWARDS]);
    routes.add_action(WorkspaceAction::ShowRun, __path_show, show);
}

#[derive(Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RunFilter {
    #[param(value_type = Option<String>,
        pattern =
            r"^(?:queued|running|cancelling|succeeded|failed|cancelled|timed_out|unproven|lost)$")]
    state: Option<RunState>,
    #[param(value_type = Option<Uuid>)]
    server_id: Option<ServerId>,
    /// The account or the token that requested it.
    requester_id: Option<Uuid>,
    /// Requested then or later.
    from: Option<DateTime<Utc>>,
    /// Requested before.
    to: Option<DateTime<Utc>>,
}

type RunListing = Listing<RunFilter>;

impl ListFilter for RunFilter {
    const ORDERS: &'static [Order] = &[Order::Newest, Order::Oldest];

    fn read(fields: &mut Fields) -> Option<Self> {
        let state = fields.optional("state", one_of(STATES));
        let server = fields.optional("server_id", parsed("an id"));
        let requester = fields.optional("requester_id", parsed("an id"));
        let (from, to) = times(fields)?;
        Some(Self { state: state?, server_id: server?, requester_id: requester?, from, to })
    }
}

#[derive(Serialize, ToSchema)]
pub struct RunSummary {
    run_id: Uuid,
    /// `command` or `deployment`.
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment_id: Option<Uuid>,
    state: String,
    /// The account or the token that requested it.
    requester_id: Option<Uuid>,
    requested_at: DateTime<Utc>,
    servers: Vec<OnServer>,
}

#[derive(Serialize, ToSchema)]
pub struct OnServer {
    server_id: Uuid,
    attempt: u32,
    state: &'static str,
    /// How it ended, as in its event. Where `proven` is false, processes may be left.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    ending: Option<Ending>,
    queued_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dispatched_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<DateTime<Utc>>,
    /// Once it is sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    log: Option<LogSeal>,
    /// The attempts, up to this one, of which processes may be left on the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts_left: Option<Vec<u32>>,
    /// Its cancellation is requested although it has ended: what may be left is killed once it is found.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelling: Option<bool>,
    /// What became of what might have been left of this one, or of one before it that keeps this one unproven:
    /// `proven_gone` or `given_up`.
    #[serde(skip_serializing_if = "Option::is_none")]
    settled: Option<&'static str>,
    /// What may be left of it, where a node could look; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<LeftView>,
}

/// What may be left of an attempt whose end is not proven.
#[derive(Serialize, ToSchema)]
#[schema(as = RunLeft)]
pub struct LeftView {
    /// `no_tool`: the server has no tool that could look; `hidden`: it hides the processes of others; `denied`: they are
    /// another user's; `orphans`: some that began meanwhile may be the run's; `alive`: they did not go.
    why: &'static str,
    processes: u32,
    /// Units and containers that the run began, as the server names them.
    names: Vec<String>,
}

impl From<Leftovers> for LeftView {
    fn from(left: Leftovers) -> Self {
        let (why, processes) = (left.why().as_str(), left.processes());
        Self { why, processes, names: left.names().to_vec() }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Run)]
pub struct RunView {
    #[serde(flatten)]
    run: RunSummary,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    steps: Option<Vec<DeploymentStep>>,
    /// Of the secrets that it was requested with: a retry needs them again.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_names: Option<Vec<String>>,
    /// Its variables that are no secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    environment: Option<BTreeMap<String, String>>,
    timeout_seconds: u32,
}

/// The runs of a workspace. With `state`, `server_id` or `requester_id`, 10,000 runs are looked through for a page:
/// it may have fewer things than the limit, or none, and go on by its `next`.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace_id}/runs", tag = "runs",
    params(("workspace_id" = Uuid, Path), RunListing,
        MinPosition),
    responses((status = 200, body = Page<RunSummary>)),
)]
async fn list(
    api: ApiData,
    member: Member,
    least: MinPosition,
    query: Query<RunListing>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let Query(listing) = query;
    let page = listing.page(&api, member.tenant(), "/v1/workspaces/runs").await?;
    least.reached::<Runs>(&api).await?;
    let RunFilter { state, server_id: server, requester_id, from: since, to: until } =
        listing.filter;
    let filter = Filter { state, server, requester: requester_id.map(ActorId), since, until };
    let (pool, of) = (&api.app.pool, member.workspace);
    let found = find_runs(pool, of, &filter, page.by_time(), page.rows()).await?;
    let runs: Vec<RunSummary> = found.runs.iter().map(summary).collect();
    let page = page.of_part(runs, |run| (run.requested_at, run.run_id), found.end).await?;
    Ok(HttpResponse::Ok().json(page))
}

/// A run: what was requested, and how far it is on each server.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace_id}/runs/{run_id}", tag = "runs",
    params(("workspace_id" = Uuid, Path), ("run_id" = Uuid, Path),
        MinPosition),
    responses((status = 200, body = RunView, headers(("ETag" = String)))),
)]
async fn show(
    api: ApiData,
    member: Member,
    least: MinPosition,
    run: PathRun,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    least.reached::<Runs>(&api).await?;
    let (version, view) = view(&api, &member, run.id).await?;
    Ok(at_version(version, view))
}

/// The run as the log has it now, and its version.
pub(super) async fn view(
    api: &Api,
    member: &Member,
    run: RunId,
) -> Result<(i64, RunView), Problem> {
    let run = read_through(&api.app.runs, run, run.0).await?.ok_or_else(nothing)?;
    let (work, sealed) =
        (run.work.as_slice(), Unsealer::of_workspace(&api.app.keyring.sealer, member.workspace));
    let (command, steps) = if run.deployment_id.is_some() {
        let steps = sealed.required::<DeploymentConfig>(work).await?;
        (None, Some(steps.steps().to_vec()))
    } else {
        let command = sealed.required::<RunCommand>(work).await?;
        (Some(command.expose().to_owned()), None)
    };
    let secret_names = sealed.optional::<RunSecretNames>(run.secret_names.as_deref()).await?;
    let environment = sealed.optional::<RunEnvironmentText>(run.environment.as_deref()).await?;
    let mut shown = summary(&run);
    for server in &mut shown.servers {
        let left = left_on(&run, ServerId(server.server_id));
        server.left = sealed.optional::<RunLeft>(left).await?.map(Into::into);
    }
    let view = RunView {
        run: shown,
        command,
        steps,
        secret_names: secret_names.map(|names| names.expose().iter().cloned().collect()),
        environment: environment.map(|variables| variables.expose().clone()),
        timeout_seconds: run.run.0.requested().map_or(0, |run| run.timeout_seconds),
    };
    Ok((run.version, view))
}

/// Still sealed: what may be left of the last attempt on the server, unless it is proven to be gone.
fn left_on(run: &Run, server: ServerId) -> Option<&Personal<RunLeft>> {
    let target = run.run.0.requested()?.targets.get(&server)?;
    target.left.as_ref()?;
    run.on_servers.0.get(&server)?.left.as_ref()
}

/// Attempts of which processes may be left; `None` where there are none.
fn attempts_left(target: &Target) -> Option<Vec<u32>> {
    let own = target.may_run().then_some(target.attempt);
    let attempts: Vec<u32> = target.earlier.iter().copied().chain(own).collect();
    (!attempts.is_empty()).then_some(attempts)
}

fn settled(target: &Target) -> Option<Settled> {
    let is_after = target.is_unproven() && !target.may_be_left() && target.after_given_up;
    target.settled.or(is_after.then_some(Settled::GivenUp))
}

fn summary(run: &Run) -> RunSummary {
    let targets = run.run.0.requested().into_iter().flat_map(|run| &run.targets);
    let servers = targets.filter_map(|(server, target)| {
        let on = run.on_servers.0.get(server)?;
        Some(OnServer {
            server_id: server.0,
            attempt: target.attempt,
            state: target.as_str(),
            ending: target.ending(),
            queued_at: on.queued_at,
            dispatched_at: on.dispatched_at,
            started_at: on.started_at,
            ended_at: on.ended_at,
            log: target.log,
            attempts_left: attempts_left(target),
            cancelling: (target.may_run() && target.cancelling).then_some(true),
            settled: settled(target).map(Settled::as_str),
            left: None,
        })
    });
    RunSummary {
        run_id: run.run_id.0,
        kind: if run.deployment_id.is_some() { "deployment" } else { "command" },
        deployment_id: run.deployment_id.map(|id| id.0),
        state: run.state.clone(),
        requester_id: run.requested_by.map(|actor| actor.0),
        requested_at: run.requested_at,
        servers: servers.collect(),
    }
}
