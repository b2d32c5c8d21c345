//! What a path names beside the workspace must be the workspace's: loaded before the handler, so
//! that what is another tenant's is the same 404 as what is not there, whatever else is wrong with
//! the request. The handler is given what was loaded here, and does not load it again.

use std::str::FromStr;
use std::sync::Arc;

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use domain::run::{Run, Target};
use domain::seat::{SeatPool, pool_stream};
use domain::server::{LiveServer, Server};
use domain::workspace::{LiveWorkspace, Role, Workspace};
use domain::{
    AccountId, ApiTokenId, DeploymentId, InvitationId, LeaseId, RunId, ServerId, SessionId,
    TenantId, WorkspaceId,
};
use infra::event_store::{Loaded, Until};

use crate::api::Api;
use crate::api::http::problem::{Problem, ProblemKind};

/// An aggregate that the path names, as it was when the request was admitted.
pub struct PathAggregate<Id, A> {
    pub id: Id,
    pub state: Arc<A>,
    pub version: i64,
    position: i64,
}

pub type PathWorkspace = PathAggregate<WorkspaceId, Workspace>;
pub type PathServer = PathAggregate<ServerId, Server>;
pub type PathRun = PathAggregate<RunId, Run>;
/// The lease's id, and the pool of seats that it belongs to.
pub type PathLease = PathAggregate<LeaseId, SeatPool>;

impl<Id, A> PathAggregate<Id, A> {
    pub fn new(id: Id, loaded: Loaded<A>) -> Self {
        Self { id, state: loaded.state, version: loaded.version, position: loaded.position }
    }

    pub fn loaded(&self) -> Loaded<A> {
        let state = Arc::clone(&self.state);
        Loaded { state, version: self.version, position: self.position }
    }
}

impl PathWorkspace {
    /// The workspace as it is now.
    ///
    /// # Errors
    /// It could not be loaded.
    pub async fn load(api: &Api, id: WorkspaceId) -> Result<Self, Problem> {
        Ok(Self::new(id, api.app.executor.load::<Workspace>(id.into(), id.0).await?))
    }

    /// The workspace as it was at this version.
    ///
    /// # Errors
    /// It could not be loaded.
    pub async fn load_at(api: &Api, id: WorkspaceId, version: i64) -> Result<Self, Problem> {
        let until = Until::Version(version);
        Ok(Self::new(id, api.app.executor.load_until::<Workspace>(id.into(), id.0, until).await?))
    }

    /// # Errors
    /// It has been deleted.
    pub fn live(&self) -> Result<&LiveWorkspace, Problem> {
        self.state.live().ok_or_else(nothing)
    }

    /// # Errors
    /// The account is no member, and no service account.
    pub fn role_of(&self, account: AccountId) -> Result<Role, Problem> {
        Ok(self.live()?.role(account)?)
    }
}

impl PathServer {
    /// # Errors
    /// It has been removed.
    pub fn live(&self) -> Result<&LiveServer, Problem> {
        self.state.live().ok_or_else(nothing)
    }

    /// The server as it is now, and not as it was when the request was admitted.
    ///
    /// # Errors
    /// It has been removed since, or could not be loaded.
    pub async fn reload(&self, api: &Api, tenant: TenantId) -> Result<Self, Problem> {
        Self::load(api, tenant, self.id).await
    }

    /// The server as it was at this version.
    ///
    /// # Errors
    /// It could not be loaded.
    pub async fn load_at(
        api: &Api,
        tenant: TenantId,
        id: ServerId,
        version: i64,
    ) -> Result<Self, Problem> {
        let until = Until::Version(version);
        Ok(Self::new(id, api.app.executor.load_until::<Server>(tenant, id.0, until).await?))
    }

    /// # Errors
    /// It has been removed, or could not be loaded.
    pub async fn load(api: &Api, tenant: TenantId, id: ServerId) -> Result<Self, Problem> {
        let server = Self::new(id, api.app.executor.load::<Server>(tenant, id.0).await?);
        server.live()?;
        Ok(server)
    }
}

impl PathRun {
    /// How the run is doing on one of its servers.
    ///
    /// # Errors
    /// The run is not for that server.
    pub fn target(&self, server: ServerId) -> Result<&Target, Problem> {
        let target = self.state.requested().and_then(|run| run.targets.get(&server));
        target.ok_or_else(nothing)
    }
}

impl<Id: Copy, A> Clone for PathAggregate<Id, A> {
    fn clone(&self) -> Self {
        let state = Arc::clone(&self.state);
        Self { id: self.id, state, version: self.version, position: self.position }
    }
}

impl<Id: Copy + 'static, A: 'static> FromRequest for PathAggregate<Id, A> {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let loaded = request.extensions().get::<Self>().cloned();
        std::future::ready(loaded.ok_or_else(|| Problem::of(ProblemKind::Internal)))
    }
}

/// An id that has a place in a path.
pub trait InPath: FromStr {
    /// The name of the path's parameter.
    const NAME: &'static str;
}

macro_rules! in_path {
    ($($id:ident $name:literal)*) => {$(
        impl InPath for $id {
            const NAME: &'static str = $name;
        }
    )*};
}

in_path! {
    WorkspaceId "workspace_id"
    AccountId "account_id"
    InvitationId "invitation_id"
    ApiTokenId "token_id"
    ServerId "server_id"
    DeploymentId "deployment_id"
    RunId "run_id"
    LeaseId "lease_id"
    SessionId "session_id"
}

/// An id in the path. It is parsed with the request, and refused by the handler, after callers who
/// are not signed in.
pub struct PathId<Id>(Option<Id>);

impl<Id> PathId<Id> {
    /// # Errors
    /// What stands in the path is no id.
    pub fn get(self) -> Result<Id, Problem> {
        self.0.ok_or_else(nothing)
    }
}

impl<Id: InPath> FromRequest for PathId<Id> {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Ok(Self(named(request).ok().flatten())))
    }
}

/// Loads what the path names, and keeps it with the request.
///
/// # Errors
/// Something named is not in the workspace, or not any more.
pub async fn load(request: &ServiceRequest) -> Result<(), Problem> {
    let workspace = request.extensions().get::<PathWorkspace>().cloned();
    let Some(workspace) = workspace else { return Ok(()) };
    let request = request.request();
    check_people(request, &workspace)?;
    let (run, server) = (named::<RunId>(request)?, named::<ServerId>(request)?);
    let (api, tenant) = (Api::of(request)?, workspace.id.into());
    let executor = &api.app.executor;
    if let Some(lease) = named::<LeaseId>(request)? {
        let pool = executor.load::<SeatPool>(tenant, pool_stream(workspace.id)).await?;
        pool.state.holder(lease).ok_or_else(nothing)?;
        request.extensions_mut().insert(PathLease::new(lease, pool));
    }
    if let Some(id) = run {
        let run = PathRun::new(id, executor.load::<Run>(tenant, id.0).await?);
        run.state.requested().ok_or_else(nothing)?;
        // A run outlives the servers that it ran on.
        if let Some(server) = server {
            run.target(server)?;
        }
        request.extensions_mut().insert(run);
    } else if let Some(id) = server {
        let server = PathServer::load(&api, tenant, id).await?;
        let live = server.live()?;
        if let Some(deployment) = named::<DeploymentId>(request)? {
            live.deployments.get(&deployment).ok_or_else(nothing)?;
        }
        request.extensions_mut().insert(server);
    }
    Ok(())
}

/// Members, invitations and tokens are part of the workspace itself.
fn check_people(request: &HttpRequest, workspace: &PathWorkspace) -> Result<(), Problem> {
    let live = workspace.live()?;
    let member = named::<AccountId>(request)?;
    let invitation = named::<InvitationId>(request)?;
    let token = named::<ApiTokenId>(request)?;
    let exists = member.is_none_or(|member| live.role(member).is_ok())
        && invitation.is_none_or(|invitation| live.invitations.contains_key(&invitation))
        && token.is_none_or(|token| live.tokens.contains_key(&token));
    if exists { Ok(()) } else { Err(nothing()) }
}

/// The id in the path; none where the path has no such parameter.
pub fn named<Id: InPath>(request: &HttpRequest) -> Result<Option<Id>, Problem> {
    let text = request.match_info().get(Id::NAME);
    text.map(|text| text.parse().map_err(|_| nothing())).transpose()
}

pub fn nothing() -> Problem {
    Problem::of(ProblemKind::NotFound)
}
