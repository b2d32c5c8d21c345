//! What every change of a server reads of its request, besides a body.

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use domain::ServerId;
use domain::server::{LiveServer, Server, ServerCommand};
use futures_util::future::LocalBoxFuture;
use infra::event_store::{Receipt, Step};

use crate::api::Api;
use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::PathServer;
use crate::api::http::answer::{Read, shown_if_read};
use crate::api::http::precondition::MustMatch;
use crate::api::http::problem::Problem;
use crate::api::servers::view::{ServerView, view};

/// A change of the server that the path names, at the version that If-Match names.
pub struct ServerChange {
    pub member: Member,
    caller: Caller,
    matches: MustMatch,
    server: PathServer,
}

impl ServerChange {
    /// Appends the command. `bytes` is the body of the request.
    ///
    /// # Errors
    /// If-Match names another version, or the command is refused.
    pub async fn append(
        &self,
        api: &Api,
        command: ServerCommand,
        bytes: Vec<u8>,
    ) -> Result<Receipt, Problem> {
        let Self { member, caller, matches, server } = self;
        let step = matches.0.on_path(Step::new::<Server>(server.id.0, command), server)?;
        let request = member.request(caller, bytes);
        Ok(api.app.executor.execute(&request, &[step]).await?)
    }

    /// The id of the server.
    pub const fn id(&self) -> ServerId {
        self.server.id
    }

    /// Answers with the server.
    pub async fn answer(&self, api: &Api, receipt: &Receipt) -> HttpResponse {
        answer(api, &self.member, self.server.id, receipt).await
    }
}

/// A change of the server, and the server after it.
pub async fn answer(
    api: &Api,
    member: &Member,
    server: ServerId,
    receipt: &Receipt,
) -> HttpResponse {
    shown_if_read(StatusCode::OK, receipt, read(api, member, server, receipt)).await
}

/// The server behind a write.
///
/// # Errors
/// It could not be loaded, or its workspace is erased.
pub async fn read(api: &Api, member: &Member, id: ServerId, receipt: &Receipt) -> Read<ServerView> {
    let server = after(api, member, id, receipt, |_| true).await?;
    Ok((server.version, view(api, member.workspace, id, server.live()?).await?))
}

/// The server as it is now; where it, or what the write was about, is removed since, as it was right after the write.
///
/// # Errors
/// It could not be loaded.
pub async fn after(
    api: &Api,
    member: &Member,
    id: ServerId,
    receipt: &Receipt,
    holds: impl Fn(&LiveServer) -> bool,
) -> Result<PathServer, Problem> {
    let now = api.app.executor.load::<Server>(member.tenant(), id.0).await?;
    if now.state.live().is_some_and(holds) {
        return Ok(PathServer::new(id, now));
    }
    PathServer::load_at(api, member.tenant(), id, receipt.version()).await
}

impl FromRequest for ServerChange {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let member = Member::from_request(request, payload);
        let caller = Caller::from_request(request, payload);
        let matches = MustMatch::from_request(request, payload);
        let server = PathServer::from_request(request, payload);
        Box::pin(async move {
            Ok(Self {
                member: member.await?,
                caller: caller.await?,
                matches: matches.await?,
                server: server.await?,
            })
        })
    }
}
