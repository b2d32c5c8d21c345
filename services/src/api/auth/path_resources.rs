//! What a path names beside the workspace must be the workspace's: looked up before the handler, so
//! that what is another tenant's is the same 404 as what is not there, whatever else is asked.

use std::str::FromStr;

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use domain::run::Run;
use domain::seat::{SeatPool, pool_stream};
use domain::server::Server;
use domain::workspace::Workspace;
use domain::{
    AccountId, ApiTokenId, DeploymentId, InvitationId, LeaseId, RunId, ServerId, WorkspaceId,
};

use crate::api::Api;
use crate::api::auth::member::Member;
use crate::api::http::problem::{Problem, ProblemKind};

/// # Errors
/// Something named is not in the workspace, or not any more.
pub async fn check(request: &ServiceRequest) -> Result<(), Problem> {
    let Some(workspace) = request.extensions().get::<Member>().map(|member| member.workspace)
    else {
        return Ok(());
    };
    let (run, server) = (named(request, "run")?, named(request, "server")?);
    let (api, tenant) = (Api::of(request.request())?, workspace.into());
    let executor = &api.app.executor;
    check_people(request, &api, workspace).await?;
    if let Some(lease) = named::<LeaseId>(request, "lease")? {
        let loaded = executor.load::<SeatPool>(tenant, pool_stream(workspace)).await?;
        loaded.state.holder(lease).ok_or_else(nothing)?;
    }
    if let Some(RunId(run)) = run {
        let loaded = executor.load::<Run>(tenant, run).await?;
        let requested = loaded.state.requested().ok_or_else(nothing)?;
        // A run outlives the servers that it ran on.
        if let Some(server) = server {
            requested.targets.get(&server).ok_or_else(nothing)?;
        }
    } else if let Some(ServerId(server)) = server {
        let loaded = executor.load::<Server>(tenant, server).await?;
        let live = loaded.state.live().ok_or_else(nothing)?;
        if let Some(deployment) = named::<DeploymentId>(request, "deployment")? {
            live.deployments.get(&deployment).ok_or_else(nothing)?;
        }
    }
    Ok(())
}

/// Members, invitations and tokens, which the workspace itself tells of.
async fn check_people(
    request: &ServiceRequest,
    api: &Api,
    workspace: WorkspaceId,
) -> Result<(), Problem> {
    let member = named::<AccountId>(request, "member")?;
    let invitation = named::<InvitationId>(request, "invitation")?;
    let token = named::<ApiTokenId>(request, "token")?;
    if member.is_none() && invitation.is_none() && token.is_none() {
        return Ok(());
    }
    let loaded = api.app.executor.load::<Workspace>(workspace.into(), workspace.0).await?;
    let live = loaded.state.live().ok_or_else(nothing)?;
    let there = member.is_none_or(|member| live.members.contains_key(&member))
        && invitation.is_none_or(|invitation| live.invitations.contains_key(&invitation))
        && token.is_none_or(|token| live.tokens.contains_key(&token));
    if there { Ok(()) } else { Err(nothing()) }
}

fn named<Id: FromStr>(request: &ServiceRequest, name: &str) -> Result<Option<Id>, Problem> {
    let text = request.match_info().get(name);
    text.map(|text| text.parse().map_err(|_| nothing())).transpose()
}

fn nothing() -> Problem {
    Problem::of(ProblemKind::NotFound)
}
