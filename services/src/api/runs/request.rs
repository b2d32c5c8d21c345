//! Runs: requested, cancelled, retried.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use domain::privacy::{ClearVariables, CommandLine, RunEnvironment};
use domain::run::{Run, RunCommand, SERVERS_MAX, TIMEOUT_SECONDS_MAX};
use domain::workspace::WorkspaceAction;
use domain::{DeploymentId, ServerId};
use infra::event_store::Step;
use infra::failpoint;
use serde_json::Value;
use utoipa::ToSchema;

use crate::api::ApiData;
use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::PathRun;
use crate::api::http::answer::{created_if_read, shown_if_read};
use crate::api::http::answers::Unfit;
use crate::api::http::body::Body;
use crate::api::http::fields::{
    Fields, FromFields, LARGE_BODY_BYTES_MAX, Nothing, number, parsed, text,
};
use crate::api::http::idempotency::{IdempotencyKey, NeededIdempotencyKey};
use crate::api::http::problem::{At, FieldError, Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::http::schemas;
use crate::api::runs::reads::{RunView, view};
use crate::api::runs::variables::{environment, secrets};
use crate::operations::request_run::{
    RequestRun, RequestRunError, RequestedWork, RetryRun, UnusableServer, run_of,
};

/// So much that a secret that is far too long is refused by its name, and not with the whole body.
const BODY_BYTES_MAX: usize = 2 * LARGE_BODY_BYTES_MAX;
const TIMEOUT_SECONDS: i64 = 3600;
/// Seconds after which a run may be requested again that had no room in the queue.
const ROOM_SECONDS: i32 = 30;

const UNMASKED: Unfit = (
    "/secrets",
    "they have more than 32 KiB together, or cannot be masked, or one has a name of the shell's own",
);
const UNMASKED_AGAIN: Unfit =
    ("/secrets", "the same as for a new run; or one is missing that the run was requested with");
const UNFIT_ENVIRONMENT: Unfit = (
    "/environment",
    "they have more than 32 KiB together, or one has the name of a secret or of the shell's own",
);
const UNUSABLE: Unfit =
    ("/server_ids", "one is unknown, there twice or not ready; or a deployment has several");

pub fn routes(routes: &mut Routes) {
    routes
        .add_action(WorkspaceAction::StartRun, __path_start, start)
        .refuses(&[ProblemKind::SeatNeeded, ProblemKind::LeaseLost, ProblemKind::QuotaReached])
        .refuses_values(&[
            ("/command", "there is a deployment, too; or neither of them"),
            ("/deployment_id", "the server has no such deployment"),
            UNFIT_ENVIRONMENT,
            UNMASKED,
            UNUSABLE,
        ])
        .add_action(WorkspaceAction::CancelRun, __path_cancel, cancel)
        .refuses(&[ProblemKind::Refused])
        .add_action(WorkspaceAction::RetryRun, __path_retry, retry)
        .refuses(&[ProblemKind::Refused, ProblemKind::SeatNeeded])
        .refuses(&[ProblemKind::LeaseLost, ProblemKind::QuotaReached])
        .refuses_values(&[UNMASKED_AGAIN, UNUSABLE]);
}

/// A command, or a deployment of one server.
#[derive(ToSchema)]
#[schema(example = json!({ "command": "uptime", "server_ids": ["0199e0c2-7a56-7cc1-9d5f-3c1f0a3f6a11"] }))]
pub struct StartRunRequest {
    #[schema(
        value_type = Option<String>, max_length = 32768, min_length = 1,
        pattern = r"^[^\x00]*[^\s\x00][^\x00]*$"
    )]
    command: Option<CommandLine>,
    #[schema(value_type = Option<Uuid>)]
    deployment_id: Option<DeploymentId>,
    #[schema(value_type = Vec<Uuid>, min_items = 1, max_items = 50)]
    server_ids: Vec<ServerId>,
    #[schema(schema_with = schemas::secrets, required = false)]
    secrets: RunEnvironment,
    #[schema(schema_with = schemas::environment, required = false)]
    environment: ClearVariables,
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 86400)]
    timeout_seconds: u32,
}

impl FromFields for StartRunRequest {
    const BYTES_MAX: usize = BODY_BYTES_MAX;

    fn read(fields: &mut Fields) -> Option<Self> {
        let command = fields.optional("command", text(CommandLine::parse));
        let deployment = fields.optional("deployment_id", parsed("an id"));
        let servers = fields.required("server_ids", |value| servers(value, 1));
        let secrets = fields.object("secrets", secrets);
        let hidden = secrets.as_ref().and_then(Option::as_ref);
        let environment = fields.object("environment", |value| environment(value, hidden));
        let timeout = fields.optional("timeout_seconds", number(1, i64::from(TIMEOUT_SECONDS_MAX)));
        Some(Self {
            command: command?,
            deployment_id: deployment?,
            server_ids: servers?,
            environment: environment?.unwrap_or_default(),
            secrets: secrets?.unwrap_or_default(),
            timeout_seconds: u32::try_from(timeout?.unwrap_or(TIMEOUT_SECONDS)).ok()?,
        })
    }
}

fn servers(value: &Value, least: usize) -> Result<Vec<ServerId>, String> {
    let ids: Option<Vec<ServerId>> =
        value.as_array().and_then(|ids| ids.iter().map(|id| id.as_str()?.parse().ok()).collect());
    ids.filter(|ids| (least..=SERVERS_MAX).contains(&ids.len()))
        .ok_or_else(|| format!("this must be a list of {least} to {SERVERS_MAX} ids"))
}

/// Requests a run. It needs a live seat. Later changes of the deployment do not change the run.
#[utoipa::path(
    post, path = "/v1/workspaces/{workspace_id}/runs", tag = "runs", request_body = StartRunRequest,
    params(("workspace_id" = Uuid, Path),
        NeededIdempotencyKey),
    responses((status = 201, body = RunView)),
)]
async fn start(
    api: ApiData,
    member: Member,
    caller: Caller,
    body: Body<StartRunRequest>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    caller.needs_key()?;
    let (form, bytes) = body.read()?;
    let work = match (form.command, form.deployment_id) {
        (Some(command), None) => RequestedWork::Command(command),
        (None, Some(deployment)) => RequestedWork::Deployment(deployment),
        _ => {
            return Err(Problem::field(
                "command",
                "either a command or a deployment must be given, and not both",
            ));
        }
    };
    let request = member.request(&caller, bytes);
    let (workspace, run) = (member.workspace, run_of(&request));
    let requested = RequestRun {
        member: member.of_seats(),
        work,
        servers: form.server_ids,
        timeout_seconds: form.timeout_seconds,
        secrets: form.secrets,
        environment: form.environment,
    };
    let receipt = requested.execute(&api.app, &request).await?;
    let place = format!("/v1/workspaces/{workspace}/runs/{run}");
    Ok(created_if_read(place, &receipt, view(&api, &member, run)).await)
}

/// Requests that a run be cancelled: what waits is cancelled at once, what runs is ended, and what is lost once it is
/// found.
#[utoipa::path(
    post, path = "/v1/workspaces/{workspace_id}/runs/{run_id}/cancel", tag = "runs",
    params(("workspace_id" = Uuid, Path), ("run_id" = Uuid, Path),
        IdempotencyKey),
    responses((status = 202, body = RunView)),
)]
async fn cancel(
    api: ApiData,
    member: Member,
    caller: Caller,
    run: PathRun,
    body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let (Nothing, bytes) = body.read()?;
    let request = member.request(&caller, bytes);
    let cancels = RunCommand::RequestCancel { by: member.account };
    let step = Step::new::<Run>(run.id.0, cancels);
    let receipt = api.app.executor.execute(&request, &[step]).await?;
    failpoint!(CancelRequested);
    Ok(shown_if_read(StatusCode::ACCEPTED, &receipt, view(&api, &member, run.id)).await)
}

/// On which servers to try again; by default on all where the last attempt did not succeed.
#[derive(ToSchema)]
#[schema(example = json!({ "server_ids": ["0199e0c2-7a56-7cc1-9d5f-3c1f0a3f6a11"] }))]
pub struct RetryRunRequest {
    #[schema(value_type = Option<Vec<Uuid>>, max_items = 50)]
    server_ids: Vec<ServerId>,
    /// They are kept no longer than an attempt: each that the run was requested with is needed again. There may be
    /// more: one takes the place of a variable of `environment` that has its name.
    #[schema(schema_with = schemas::secrets, required = false)]
    secrets: RunEnvironment,
}

impl FromFields for RetryRunRequest {
    const EMPTY: bool = true;
    const BYTES_MAX: usize = BODY_BYTES_MAX;

    fn read(fields: &mut Fields) -> Option<Self> {
        let servers = fields.optional("server_ids", |value| servers(value, 0));
        let secrets = fields.object("secrets", secrets);
        let server_ids = servers?.unwrap_or_default();
        Some(Self { server_ids, secrets: secrets?.unwrap_or_default() })
    }
}

/// Another attempt, of the same command or the same steps.
#[utoipa::path(
    post, path = "/v1/workspaces/{workspace_id}/runs/{run_id}/retry", tag = "runs",
    request_body = RetryRunRequest,
    params(("workspace_id" = Uuid, Path), ("run_id" = Uuid, Path),
        NeededIdempotencyKey),
    responses((status = 202, body = RunView)),
)]
async fn retry(
    api: ApiData,
    member: Member,
    caller: Caller,
    run: PathRun,
    body: Body<RetryRunRequest>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    caller.needs_key()?;
    let (RetryRunRequest { server_ids: servers, secrets }, bytes) = body.read()?;
    let (member_of_seats, state) = (member.of_seats(), &*run.state);
    let retry = RetryRun { member: member_of_seats, run: run.id, state, servers, secrets };
    let receipt = retry.execute(&api.app, &member.request(&caller, bytes)).await?;
    Ok(shown_if_read(StatusCode::ACCEPTED, &receipt, view(&api, &member, run.id)).await)
}

impl From<RequestRunError> for Problem {
    fn from(error: RequestRunError) -> Self {
        let of = |UnusableServer { server, index, reason }: UnusableServer| {
            if let Some(index) = index {
                return FieldError::new(At::Pointer(format!("/server_ids/{index}")), reason);
            }
            let at = At::Pointer("/server_ids".to_owned());
            FieldError::new(at, format!("the server {server} of the run: {reason}"))
        };
        match error {
            RequestRunError::SeatNeeded => Self::of(ProblemKind::SeatNeeded),
            RequestRunError::Seat(error) => error.into(),
            RequestRunError::Servers(unusable) => {
                Self::invalid(ProblemKind::BadBody, unusable.into_iter().map(of).collect())
            }
            RequestRunError::DeploymentOnSeveral => Self::field("server_ids", error.to_string()),
            RequestRunError::NoSuchDeployment => Self::field("deployment_id", error.to_string()),
            RequestRunError::QueueFull { waiting, limit } => {
                Self::new(ProblemKind::QuotaReached, error.to_string())
                    .with_member("waiting", waiting)
                    .with_member("limit", limit)
                    .with_header(header::RETRY_AFTER, ROOM_SECONDS)
            }
            RequestRunError::SecretsMissing(_) => Self::field("secrets", error.to_string()),
            RequestRunError::Seal(error) => Self::unavailable(&error),
            RequestRunError::Open(error) => error.into(),
            RequestRunError::Load(error) => error.into(),
            RequestRunError::Execute(error) => error.into(),
            RequestRunError::Postgres(error) => error.into(),
        }
    }
}
