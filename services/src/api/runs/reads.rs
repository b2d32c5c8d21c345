//! Runs as a workspace sees them.

use actix_web::HttpResponse;
use actix_web::http::header;
use chrono::{DateTime, Utc};
use domain::privacy::{DeploymentConfig, DeploymentStep, RunCommand};
use domain::run::{Ending, LogSeal, RunState, Stage};
use domain::workspace::WorkspaceAction;
use domain::{RunId, ServerId, WorkspaceId};
use infra::log::read_through;
use projections::runs::{Filter, Run, Runs, page};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::auth::member::Member;
use crate::api::auth::path_resources::{PathRun, nothing};
use crate::api::http::body::Query;
use crate::api::http::cursor::{Cursors, Page};
use crate::api::http::fields::{Fields, FromFields, digits, one_of, parsed, text};
use crate::api::http::position::MinPosition;
use crate::api::http::precondition::etag;
use crate::api::http::problem::Problem;
use crate::api::http::routes::Routes;
use crate::api::{Api, ApiData};
use crate::unseal::Unsealer;

const STATES: &str = "queued, running, cancelling, succeeded, failed, cancelled, timed_out, lost";

pub fn routes(routes: &mut Routes) {
    routes.add_action(WorkspaceAction::ListRuns, __path_list, list);
    routes.add_action(WorkspaceAction::ShowRun, __path_show, show);
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RunsQuery {
    #[param(value_type = Option<String>,
        pattern = r"^(?:queued|running|cancelling|succeeded|failed|cancelled|timed_out|lost)$")]
    state: Option<RunState>,
    #[param(value_type = Option<Uuid>)]
    server: Option<ServerId>,
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: i64,
    #[param(min_length = 1, max_length = 512, pattern = r"^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

impl FromFields for RunsQuery {
    fn read(fields: &mut Fields) -> Option<Self> {
        let state = fields.optional("state", one_of(STATES));
        let server = fields.optional("server", parsed("an id"));
        let limit = fields.optional("limit", digits(1, 200));
        let cursor = fields.optional("cursor", text(|text| Ok::<_, String>(text.to_owned())));
        Some(Self { state: state?, server: server?, limit: limit?.unwrap_or(50), cursor: cursor? })
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
    requested_by: Option<Uuid>,
    requested_at: DateTime<Utc>,
    servers: Vec<OnServer>,
}

#[derive(Serialize, ToSchema)]
pub struct OnServer {
    server_id: Uuid,
    attempt: u32,
    state: &'static str,
    /// How it ended, as in its event.
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
    timeout_seconds: u32,
}

/// The runs of a workspace, the newest first.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace}/runs", tag = "runs", security(("session" = [])),
    params(("workspace" = Uuid, Path), RunsQuery,
        ("Lethe-Min-Position" = Option<i64>, Header, minimum = 0)),
    responses((status = 200, body = Page<RunSummary>)),
)]
async fn list(
    api: ApiData,
    member: Member,
    least: MinPosition,
    query: Query<RunsQuery>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let Query(RunsQuery { state, server, limit, cursor }) = query;
    least.reached::<Runs>(&api).await?;
    let of = member.tenant();
    let scope = scope(member.workspace, state, server);
    let cursors = Cursors { keys: &api.app.keyring.request_macs, of, scope };
    let after: Option<(DateTime<Utc>, RunId)> = match cursor {
        Some(cursor) => Some(cursors.read(&cursor).await?),
        None => None,
    };
    let filter = Filter { state, server };
    let rows = page(&api.app.pool, member.workspace, &filter, after, limit + 1).await?;
    let runs: Vec<RunSummary> = rows.iter().map(summary).collect();
    let page = cursors.page(runs, limit, |run| (run.requested_at, run.run_id));
    Ok(HttpResponse::Ok().json(page.await?))
}

/// What a cursor of this listing is bound to. Clients keep cursors, so no `Debug` text stands in it.
fn scope(workspace: WorkspaceId, state: Option<RunState>, server: Option<ServerId>) -> String {
    let state = state.map_or("", RunState::as_str);
    let server = server.map_or_else(String::new, |server| server.to_string());
    format!("/v1/workspaces/{workspace}/runs?state={state}&server={server}")
}

/// A run: what was requested, and how far it is on each server.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace}/runs/{run}", tag = "runs",
    security(("session" = [])),
    params(("workspace" = Uuid, Path), ("run" = Uuid, Path),
        ("Lethe-Min-Position" = Option<i64>, Header, minimum = 0)),
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
    Ok(HttpResponse::Ok().insert_header((header::ETAG, etag(version))).json(view))
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
    let timeout_seconds = run.run.0.requested().map_or(0, |run| run.timeout_seconds);
    Ok((run.version, RunView { run: summary(&run), command, steps, timeout_seconds }))
}

fn summary(run: &Run) -> RunSummary {
    let targets = run.run.0.requested().into_iter().flat_map(|run| &run.targets);
    let servers = targets.filter_map(|(server, target)| {
        let on = run.on_servers.0.get(server)?;
        Some(OnServer {
            server_id: server.0,
            attempt: target.attempt,
            state: target.as_str(),
            ending: match target.stage {
                Stage::Ended(ending) => Some(ending),
                Stage::Queued | Stage::Dispatched | Stage::Started => None,
            },
            queued_at: on.queued_at,
            dispatched_at: on.dispatched_at,
            started_at: on.started_at,
            ended_at: on.ended_at,
            log: target.log,
        })
    });
    RunSummary {
        run_id: run.run_id.0,
        kind: if run.deployment_id.is_some() { "deployment" } else { "command" },
        deployment_id: run.deployment_id.map(|id| id.0),
        state: run.state.clone(),
        requested_by: run.requested_by.map(|actor| actor.0),
        requested_at: run.requested_at,
        servers: servers.collect(),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_scope_of_a_cursor_names_its_filters_as_the_query_does() {
        let id = |n| Uuid::from_u128(n);
        let filtered = scope(WorkspaceId(id(1)), Some(RunState::Running), Some(ServerId(id(2))));
        let (workspace, server) = (id(1), id(2));
        let expected = format!("/v1/workspaces/{workspace}/runs?state=running&server={server}");
        assert_eq!(filtered, expected);
        let all = scope(WorkspaceId(id(1)), None, None);
        assert_eq!(all, format!("/v1/workspaces/{workspace}/runs?state=&server="));
    }
}
