//! What every change of a server reads of its request, besides a body.

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use domain::server::{Server, ServerCommand};
use futures_util::future::LocalBoxFuture;
use infra::event_store::{Receipt, Step};

use crate::api::Api;
use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::PathServer;
use crate::api::http::answer::shown;
use crate::api::http::precondition::MustMatch;
use crate::api::http::problem::Problem;
use crate::api::servers::view::view;

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

    /// The server as it is after the change.
    ///
    /// # Errors
    /// It has been removed since.
    pub async fn changed(&self, api: &Api) -> Result<PathServer, Problem> {
        self.server.reload(api, self.member.tenant()).await
    }

    /// Answers with the server.
    ///
    /// # Errors
    /// As of [`Self::changed`].
    pub async fn answer(&self, api: &Api, receipt: &Receipt) -> Result<HttpResponse, Problem> {
        answer(api, &self.member, receipt, &self.changed(api).await?).await
    }
}

/// A change of the server, and the server after it.
pub async fn answer(
    api: &Api,
    member: &Member,
    receipt: &Receipt,
    server: &PathServer,
) -> Result<HttpResponse, Problem> {
    let view = view(api, member.workspace, server.id, server.live()?).await?;
    Ok(shown(StatusCode::OK, receipt, server.version, view))
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
