//! What every change of a workspace by an operator reads of its request, besides a body.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use domain::WorkspaceId;
use futures_util::future::LocalBoxFuture;
use infra::event_store::Request;

use crate::api::auth::caller::Caller;
use crate::api::auth::operator::{Admin, Operator};
use crate::api::auth::path_resources::PathId;
use crate::api::http::problem::Problem;

/// A change of the workspace that the path names.
pub struct WorkspaceChange {
    pub workspace: WorkspaceId,
    operator: Operator<Admin>,
    caller: Caller,
}

impl WorkspaceChange {
    /// A command of the operator, on streams of the workspace. `bytes` is the body of the request.
    pub fn request(&self, bytes: Vec<u8>) -> Request {
        self.operator.request(self.workspace.into(), (&self.caller, bytes))
    }
}

impl FromRequest for WorkspaceChange {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let operator = Operator::from_request(request, payload);
        let caller = Caller::from_request(request, payload);
        let workspace = PathId::from_request(request, payload);
        Box::pin(async move {
            Ok(Self {
                operator: operator.await?,
                caller: caller.await?,
                workspace: workspace.await?.get()?,
            })
        })
    }
}
