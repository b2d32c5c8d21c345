//! A workspace's servers: registered, shown, renamed, moved, removed.

use actix_web::HttpResponse;
use domain::ServerId;
use domain::privacy::{HostName, Label, LoginName, Personal};
use domain::server::{Server, ServerCommand};
use domain::workspace::WorkspaceAction;
use infra::event_store::Step;
use infra::ids::derived;
use projections::servers::count;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::ApiData;
use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::PathServer;
use crate::api::http::answer::{at_version, created_if_read, done};
use crate::api::http::body::Body;
use crate::api::http::fields::{Fields, FromFields, number, text};
use crate::api::http::idempotency::NeededIdempotencyKey;
use crate::api::http::precondition::MustMatch;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::http::schemas;
use crate::api::servers::change::{ServerChange, read};
use crate::api::servers::view::{ServerView, view};

const PORT: i64 = 22;

pub fn routes(routes: &mut Routes) {
    routes
        .add_action(WorkspaceAction::RegisterServer, __path_register, register)
        .refuses(&[ProblemKind::Refused])
        .add_action(WorkspaceAction::ShowServer, __path_show, show)
        .add_action(WorkspaceAction::RenameServer, __path_rename, rename)
        .add_action(WorkspaceAction::ChangeServerAddress, __path_change_address, change_address)
        .add_action(WorkspaceAction::RemoveServer, __path_remove, remove);
}

/// Where a server is, and whom Lethe logs in as.
#[derive(ToSchema)]
#[schema(example = json!({ "host": "192.0.2.7", "port": 22, "user": "deploy" }))]
pub struct ServerAddressRequest {
    #[schema(schema_with = schemas::host)]
    host: HostName,
    /// 22 by default.
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 65535)]
    port: u16,
    #[schema(
        value_type = String, max_length = 64, min_length = 1,
        pattern = r"^[A-Za-z0-9._][A-Za-z0-9._-]*$"
    )]
    user: LoginName,
}

impl FromFields for ServerAddressRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let host = fields.required("host", text(HostName::parse));
        let port = fields.optional("port", number(1, u16::MAX.into()));
        let user = fields.required("user", text(LoginName::parse));
        let port = u16::try_from(port?.unwrap_or(PORT)).ok()?;
        Some(Self { host: host?, port, user: user? })
    }
}

#[derive(ToSchema)]
#[schema(example = json!({ "name": "web", "host": "web.example.org", "port": 22, "user": "deploy" }))]
pub struct RegisterServerRequest {
    #[schema(schema_with = schemas::label)]
    name: Label,
    #[schema(schema_with = schemas::host)]
    host: HostName,
    /// 22 by default.
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 65535)]
    port: u16,
    #[schema(
        value_type = String, max_length = 64, min_length = 1,
        pattern = r"^[A-Za-z0-9._][A-Za-z0-9._-]*$"
    )]
    user: LoginName,
}

impl FromFields for RegisterServerRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.required("name", text(Label::parse));
        let ServerAddressRequest { host, port, user } = ServerAddressRequest::read(fields)?;
        Some(Self { name: name?, host, port, user })
    }
}

#[derive(Serialize, ToSchema)]
pub struct RegisterServerResponse {
    #[serde(flatten)]
    server: ServerView,
    /// What is to be done before Lethe offers a credential to it.
    next: &'static str,
}

const NEXT: &str = "Check the server, so that its host key is observed; compare the fingerprint \
                    with the server's own, and approve it.";

/// Registers a server. Nothing connects to it yet: its host key is to be observed and approved.
#[utoipa::path(
    post, path = "/v1/workspaces/{workspace_id}/servers", tag = "servers",
    request_body = RegisterServerRequest,
    params(("workspace_id" = Uuid, Path),
        NeededIdempotencyKey),
    responses((status = 201, body = RegisterServerResponse)),
)]
async fn register(
    api: ApiData,
    member: Member,
    caller: Caller,
    body: Body<RegisterServerRequest>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    caller.needs_key()?;
    let (form, bytes) = body.read()?;
    let workspace = member.workspace;
    let most = i64::from(api.app.config.servers_max);
    let request = member.request(&caller, bytes);
    let server = ServerId(derived(request.command, "server"));
    let again = api.app.executor.load::<Server>(member.tenant(), server.0).await?.version > 0;
    if !again && count(&api.app.pool, workspace).await? >= most {
        let detail = format!("A workspace can have {most} servers at most: remove one first.");
        return Err(Problem::new(ProblemKind::Refused, detail));
    }
    let registers = ServerCommand::Register {
        name: Personal::Clear(form.name),
        host: Personal::Clear(form.host),
        port: form.port,
        user: Personal::Clear(form.user),
    };
    let step = Step::new::<Server>(server.0, registers);
    let receipt = api.app.executor.execute(&request, &[step]).await?;
    let location = format!("/v1/workspaces/{workspace}/servers/{server}");
    let read = async {
        let (version, server) = read(&api, &member, server, &receipt).await?;
        Ok((version, RegisterServerResponse { server, next: NEXT }))
    };
    Ok(created_if_read(location, &receipt, read).await)
}

/// Shows a server.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace_id}/servers/{server_id}", tag = "servers",
    params(("workspace_id" = Uuid, Path), ("server_id" = Uuid, Path)),
    responses((status = 200, body = ServerView, headers(("ETag" = String)))),
)]
async fn show(api: ApiData, member: Member, server: PathServer) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let view = view(&api, member.workspace, server.id, server.live()?).await?;
    Ok(at_version(server.version, view))
}

#[derive(ToSchema)]
#[schema(example = json!({ "name": "web-2" }))]
pub struct RenameServerRequest {
    #[schema(schema_with = schemas::label)]
    name: Label,
}

impl FromFields for RenameServerRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { name: fields.required("name", text(Label::parse))? })
    }
}

/// Renames a server.
#[utoipa::path(
    patch, path = "/v1/workspaces/{workspace_id}/servers/{server_id}", tag = "servers",
    request_body = RenameServerRequest,
    params(("workspace_id" = Uuid, Path), ("server_id" = Uuid, Path), MustMatch),
    responses((status = 200, body = ServerView,
        headers(("ETag" = String), ("Lethe-Position" = String)))),
)]
async fn rename(
    api: ApiData,
    change: ServerChange,
    body: Body<RenameServerRequest>,
) -> Result<HttpResponse, Problem> {
    change.member.authorise()?;
    let (form, bytes) = body.read()?;
    let renames = ServerCommand::Rename { name: Personal::Clear(form.name) };
    let receipt = change.append(&api, renames, bytes).await?;
    Ok(change.answer(&api, &receipt).await)
}

/// Changes where a server is. The approval of its host key is withdrawn: the key is to be observed and
/// approved again.
#[utoipa::path(
    put, path = "/v1/workspaces/{workspace_id}/servers/{server_id}/address", tag = "servers",
    request_body = ServerAddressRequest,
    params(("workspace_id" = Uuid, Path), ("server_id" = Uuid, Path), MustMatch),
    responses((status = 200, body = ServerView,
        headers(("ETag" = String), ("Lethe-Position" = String)))),
)]
async fn change_address(
    api: ApiData,
    change: ServerChange,
    body: Body<ServerAddressRequest>,
) -> Result<HttpResponse, Problem> {
    change.member.authorise()?;
    let (form, bytes) = body.read()?;
    let (host, user) = (Personal::Clear(form.host), Personal::Clear(form.user));
    let moves = ServerCommand::ChangeAddress { host, port: form.port, user };
    let receipt = change.append(&api, moves, bytes).await?;
    Ok(change.answer(&api, &receipt).await)
}

/// Removes a server, with its credential and its deployments.
#[utoipa::path(
    delete, path = "/v1/workspaces/{workspace_id}/servers/{server_id}", tag = "servers",
    params(("workspace_id" = Uuid, Path), ("server_id" = Uuid, Path), MustMatch),
    responses((status = 204, headers(("ETag" = String), ("Lethe-Position" = String)))),
)]
async fn remove(api: ApiData, change: ServerChange) -> Result<HttpResponse, Problem> {
    change.member.authorise()?;
    Ok(done(&change.append(&api, ServerCommand::Delete, vec![]).await?))
}
