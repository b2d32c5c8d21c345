//! A server's deployments: named lists of steps.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use domain::privacy::{
    CommandLine, DeploymentConfig, DeploymentName, DeploymentStep, DeploymentSteps, Label, Personal,
};
use domain::server::{Deployment, LiveServer, Server, ServerCommand};
use domain::workspace::WorkspaceAction;
use domain::{DeploymentId, ServerId};
use infra::event_store::{Receipt, Step};
use infra::ids::derived;
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::{PathId, PathServer, nothing};
use crate::api::http::answer::{Read, at_version, created_if_read, done, shown_if_read};
use crate::api::http::answers::Unfit;
use crate::api::http::body::{Body, Query};
use crate::api::http::cursor::Page;
use crate::api::http::fields::{Fields, FromFields, LARGE_BODY_BYTES_MAX, text};
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::listing::{ListFilter, Listing, Order, Place};
use crate::api::http::precondition::MustMatch;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::http::schemas;
use crate::api::http::versions::versions_of;
use crate::api::servers::change::{ServerChange, after};
use crate::api::{Api, ApiData};
use crate::unseal::Unsealer;

const CONFIGURING: &[&str] = &["server.deployment_configured"];
const TOO_LONG: Unfit = ("/steps", "names and commands have more than 128 KiB together");

pub fn routes(routes: &mut Routes) {
    routes
        .add_action(WorkspaceAction::CreateDeployment, __path_create, create)
        .refuses(&[ProblemKind::Refused])
        .refuses_values(&[TOO_LONG])
        .add_action(WorkspaceAction::ListDeployments, __path_list, list)
        .add_action(WorkspaceAction::ShowDeployment, __path_show, show)
        .add_action(WorkspaceAction::ReplaceDeployment, __path_replace, replace)
        .refuses_values(&[TOO_LONG])
        .add_action(WorkspaceAction::RemoveDeployment, __path_remove, remove);
}

#[derive(Serialize, ToSchema)]
#[schema(as = DeploymentStep)]
pub struct StepView {
    #[schema(schema_with = schemas::label)]
    name: Label,
    /// What a shell is given.
    #[schema(
        value_type = String, max_length = 32768, min_length = 1,
        pattern = r"^[^\x00]*[^\s\x00][^\x00]*$"
    )]
    command: CommandLine,
}

#[derive(ToSchema)]
#[schema(example = json!({ "name": "web", "steps": [{"name": "restart", "command": "systemctl restart web"}] }))]
pub struct DeploymentRequest {
    #[schema(schema_with = schemas::label)]
    name: Label,
    /// Names and commands have 128 KiB in all at most.
    #[schema(value_type = Vec<StepView>, min_items = 1, max_items = 50)]
    steps: DeploymentSteps,
}

impl FromFields for DeploymentRequest {
    const BYTES_MAX: usize = LARGE_BODY_BYTES_MAX;

    fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.required("name", text(Label::parse));
        let steps = fields.required("steps", steps);
        Some(Self { name: name?, steps: steps? })
    }
}

fn steps(value: &Value) -> Result<DeploymentSteps, String> {
    let list = value.as_array().ok_or("this must be a list of steps")?;
    let read = |(index, step): (usize, &Value)| {
        let part = |name: &str| {
            step.get(name).and_then(Value::as_str).ok_or("name and command must be strings")
        };
        let odd = step.as_object().is_none_or(|step| step.len() != 2);
        let at = |reason: &dyn std::fmt::Display| format!("step {}: {reason}", index + 1);
        if odd {
            return Err(at(&"it must have a name and a command, and nothing else"));
        }
        let name = part("name").map_err(|reason| at(&reason))?;
        let command = part("command").map_err(|reason| at(&reason))?;
        Ok(DeploymentStep {
            name: Label::parse(name).map_err(|reason| at(&reason))?,
            command: CommandLine::parse(command).map_err(|reason| at(&reason))?,
        })
    };
    let steps = list.iter().enumerate().map(read).collect::<Result<Vec<_>, String>>()?;
    DeploymentSteps::new(steps).map_err(|reason| reason.to_string())
}

#[derive(Serialize, ToSchema)]
#[schema(as = Deployment)]
pub struct DeploymentView {
    deployment_id: Uuid,
    #[schema(value_type = String)]
    name: Label,
    steps: Vec<StepView>,
}

#[derive(Serialize, IntoParams)]
pub struct DeploymentFilter {}

type DeploymentListing = Listing<DeploymentFilter>;

impl ListFilter for DeploymentFilter {
    const ORDERS: &'static [Order] = &[Order::Name, Order::Newest, Order::Oldest];

    fn read(_: &mut Fields) -> Option<Self> {
        Some(Self {})
    }
}

async fn opened(
    api: &Api,
    member: &Member,
    id: DeploymentId,
    deployment: &Deployment,
) -> Result<DeploymentView, Problem> {
    let sealed = Unsealer::of_workspace(&api.app.keyring.sealer, member.workspace);
    let config = sealed.required::<DeploymentConfig>(&deployment.config).await?;
    let step =
        |step: &DeploymentStep| StepView { name: step.name.clone(), command: step.command.clone() };
    Ok(DeploymentView {
        deployment_id: id.0,
        name: sealed.required::<DeploymentName>(&deployment.name).await?,
        steps: config.steps().iter().map(step).collect(),
    })
}

async fn view(
    api: &Api,
    member: &Member,
    server: &PathServer,
    id: DeploymentId,
) -> Result<DeploymentView, Problem> {
    let deployment = server.live()?.deployments.get(&id).ok_or_else(nothing)?;
    opened(api, member, id, deployment).await
}

/// Creates a deployment on the server.
#[utoipa::path(
    post, path = "/v1/workspaces/{workspace_id}/servers/{server_id}/deployments", tag = "servers",
    request_body = DeploymentRequest,
    params(("workspace_id" = Uuid, Path), ("server_id" = Uuid, Path),
        IdempotencyKey),
    responses((status = 201, body = DeploymentView)),
)]
async fn create(
    api: ApiData,
    member: Member,
    caller: Caller,
    server: PathServer,
    body: Body<DeploymentRequest>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let (form, bytes) = body.read()?;
    let request = member.request(&caller, bytes);
    let deployment = DeploymentId(derived(request.command, "deployment"));
    let creates = ServerCommand::CreateDeployment {
        deployment,
        name: Personal::Clear(form.name),
        config: Personal::Clear(form.steps),
    };
    let step = Step::new::<Server>(server.id.0, creates);
    let receipt = api.app.executor.execute(&request, &[step]).await?;
    let (workspace, server) = (member.workspace, server.id);
    let location = format!("/v1/workspaces/{workspace}/servers/{server}/deployments/{deployment}");
    let read = read(&api, &member, (server, deployment), &receipt);
    Ok(created_if_read(location, &receipt, read).await)
}

/// The deployment behind a write.
async fn read(
    api: &Api,
    member: &Member,
    (server, id): (ServerId, DeploymentId),
    receipt: &Receipt,
) -> Read<DeploymentView> {
    let holds = |live: &LiveServer| live.deployments.contains_key(&id);
    let server = after(api, member, server, receipt, holds).await?;
    Ok((server.version, view(api, member, &server, id).await?))
}

/// The deployments of the server: 32 at most.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace_id}/servers/{server_id}/deployments", tag = "servers",
    params(("workspace_id" = Uuid, Path), ("server_id" = Uuid, Path), DeploymentListing),
    responses((status = 200, body = Page<DeploymentView>, headers(("ETag" = String)))),
)]
async fn list(
    api: ApiData,
    member: Member,
    server: PathServer,
    query: Query<DeploymentListing>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let Query(listing) = query;
    let path = format!("/v1/workspaces/servers/{}/deployments", server.id);
    let page = listing.page(&api, member.tenant(), &path).await?;
    let configured = if listing.order.is_by_begin() {
        versions_of(&api, (server.id.0, CONFIGURING), server.version, "deployment").await?
    } else {
        Vec::new()
    };
    // Of one that was replaced, the first time.
    let begun: BTreeMap<Uuid, i64> = configured.into_iter().rev().collect();
    let mut all = Vec::new();
    for (id, deployment) in &server.live()?.deployments {
        let view = opened(&api, &member, *id, deployment).await?;
        let place = if listing.order.is_by_begin() {
            Place::by_number(begun.get(&id.0).copied().unwrap_or_default(), id.0)
        } else {
            Place::by_name(view.name.expose(), id.0)
        };
        all.push((place, view));
    }
    Ok(at_version(server.version, page.of_all(all).await?))
}

/// Shows a deployment of the server. Its `ETag` is the server's.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace_id}/servers/{server_id}/deployments/{deployment_id}",
    tag = "servers",
    params(("workspace_id" = Uuid, Path), ("server_id" = Uuid, Path), ("deployment_id" = Uuid, Path)),
    responses((status = 200, body = DeploymentView, headers(("ETag" = String)))),
)]
async fn show(
    api: ApiData,
    member: Member,
    server: PathServer,
    deployment: PathId<DeploymentId>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let view = view(&api, &member, &server, deployment.get()?).await?;
    Ok(at_version(server.version, view))
}

/// Replaces a deployment.
#[utoipa::path(
    put, path = "/v1/workspaces/{workspace_id}/servers/{server_id}/deployments/{deployment_id}",
    tag = "servers", request_body = DeploymentRequest,
    params(("workspace_id" = Uuid, Path), ("server_id" = Uuid, Path), ("deployment_id" = Uuid, Path),
        MustMatch),
    responses((status = 200, body = DeploymentView,
        headers(("ETag" = String), ("Lethe-Position" = String)))),
)]
async fn replace(
    api: ApiData,
    change: ServerChange,
    deployment: PathId<DeploymentId>,
    body: Body<DeploymentRequest>,
) -> Result<HttpResponse, Problem> {
    change.member.authorise()?;
    let deployment = deployment.get()?;
    let (form, bytes) = body.read()?;
    let replaces = ServerCommand::ReplaceDeployment {
        deployment,
        name: Personal::Clear(form.name),
        config: Personal::Clear(form.steps),
    };
    let receipt = change.append(&api, replaces, bytes).await?;
    let read = read(&api, &change.member, (change.id(), deployment), &receipt);
    Ok(shown_if_read(StatusCode::OK, &receipt, read).await)
}

/// Removes a deployment.
#[utoipa::path(
    delete, path = "/v1/workspaces/{workspace_id}/servers/{server_id}/deployments/{deployment_id}",
    tag = "servers",
    params(("workspace_id" = Uuid, Path), ("server_id" = Uuid, Path), ("deployment_id" = Uuid, Path),
        MustMatch),
    responses((status = 204, headers(("ETag" = String), ("Lethe-Position" = String)))),
)]
async fn remove(
    api: ApiData,
    change: ServerChange,
    deployment: PathId<DeploymentId>,
) -> Result<HttpResponse, Problem> {
    change.member.authorise()?;
    let deployment = deployment.get()?;
    let removes = ServerCommand::DeleteDeployment { deployment };
    Ok(done(&change.append(&api, removes, vec![]).await?))
}
