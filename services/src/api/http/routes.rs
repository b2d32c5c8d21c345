//! Collects the handlers: one resource a path, so that another method is 405, and the document.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::{Error, FromRequest, Handler, HttpRequest, HttpResponse, Responder, Route, web};
use domain::workspace::WorkspaceAction;
use utoipa::openapi::{OpenApi, PathItem, Paths, RefOr, Schema, path::HttpMethod};

use crate::api::auth::{member, path_resources};
use crate::api::http::actions::Actions;
use crate::api::http::problem::{Problem, ProblemKind};

/// Clients rarely wait longer for an answer. The body of an export may take longer.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// The routes so far. Path and method stand once, in each handler's `utoipa::path`.
#[derive(Default)]
pub struct Routes {
    found: BTreeMap<String, Vec<(Method, Route)>>,
    actions: BTreeMap<String, Actions>,
    paths: Paths,
    schemas: Vec<(String, RefOr<Schema>)>,
}

impl Routes {
    /// Adds a handler by what `utoipa::path` says of it.
    pub fn add<P, H, A>(&mut self, _: P, handler: H) -> &mut Self
    where
        // utoipa 6 has no public trait for the schemas of a handler: utoipa-actix-web, of the same
        // project, uses this one.
        P: utoipa::Path + utoipa::__dev::SchemaReferences,
        H: Handler<A>,
        A: FromRequest + 'static,
        H::Output: Responder + 'static,
    {
        P::schemas(&mut self.schemas);
        for spoken in P::methods() {
            let method = method(&spoken);
            let route = web::method(method.clone()).to(handler.clone());
            let found = self.found.entry(P::path()).or_default();
            if method == Method::GET {
                found.push((Method::HEAD, web::head().to(handler.clone())));
            }
            found.push((method, route));
            let mut operation = P::operation();
            operation.operation_id = Some(operation_id(&spoken, &P::path()));
            let item = PathItem::new(spoken, operation);
            self.paths.merge(Paths::builder().path(P::path(), item).build());
        }
        self
    }

    /// Adds a handler of a path within a workspace, for members. The action says which right it
    /// needs, and whether it is possible before a requested deletion is cancelled.
    pub fn add_action<P, H, A>(&mut self, action: WorkspaceAction, path: P, handler: H) -> &mut Self
    where
        P: utoipa::Path + utoipa::__dev::SchemaReferences,
        H: Handler<A>,
        A: FromRequest + 'static,
        H::Output: Responder + 'static,
    {
        let methods = P::methods().into_iter().map(|spoken| (method(&spoken), action));
        self.actions.entry(P::path()).or_default().0.extend(methods);
        self.add(path, handler)
    }

    /// Puts what was collected into the document, and the resources into the application.
    pub fn finish(mut self, config: &mut web::ServiceConfig, document: &mut OpenApi) {
        document.paths.merge(self.paths);
        document.components.get_or_insert_default().schemas.extend(self.schemas);
        for (path, found) in self.found {
            let allowed: Vec<&str> = found.iter().map(|(method, _)| method.as_str()).collect();
            let allow = HeaderValue::from_str(&allowed.join(", "));
            let allow = allow.unwrap_or(HeaderValue::from_static(""));
            let actions = self.actions.remove(&path);
            let mut resource = web::resource(path);
            if let Some(actions) = actions {
                resource = resource.app_data(actions);
            }
            for (_, route) in found {
                resource = resource.route(route);
            }
            let refuse = move || {
                let problem = Problem::of(ProblemKind::MethodNotAllowed);
                std::future::ready(problem.with_header(header::ALLOW, allow.clone()))
            };
            let other = web::to(move || {
                let problem = refuse();
                async move { Err::<HttpResponse, Problem>(problem.await) }
            });
            config.service(resource.default_service(other).wrap(from_fn(in_time)));
        }
    }
}

/// `delete_me_sessions_session_id`: handlers of several files have one name, operations must not.
fn operation_id(spoken: &HttpMethod, path: &str) -> String {
    let path = path.trim_start_matches("/v1").replace(['{', '}'], "").replace(['/', '-'], "_");
    format!("{}{path}", method(spoken).as_str().to_lowercase())
}

fn method(spoken: &HttpMethod) -> Method {
    match spoken {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Options => Method::OPTIONS,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Trace => Method::TRACE,
    }
}

async fn in_time(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    // Only after routing: a request that is shared cannot be routed.
    let head: HttpRequest = request.request().clone();
    let answer = async {
        let exists = async {
            member::admit(&request).await?;
            path_resources::load(&request).await
        };
        match exists.await {
            Ok(()) => next.call(request).await.map(ServiceResponse::map_into_boxed_body),
            Err(problem) => Ok(ServiceResponse::from_err(problem, head.clone())),
        }
    };
    match tokio::time::timeout(ANSWER_WITHIN, answer).await {
        Ok(answer) => answer,
        Err(_) => Ok(ServiceResponse::from_err(Problem::of(ProblemKind::TimedOut), head)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use utoipa::openapi::path::Operation;

    use super::*;

    const WORKSPACE: &str = "/v1/workspaces/{workspace_id}";

    fn operations(item: &PathItem) -> impl Iterator<Item = Method> {
        let all: [(Method, &Option<Operation>); 8] = [
            (Method::GET, &item.get),
            (Method::POST, &item.post),
            (Method::PUT, &item.put),
            (Method::PATCH, &item.patch),
            (Method::DELETE, &item.delete),
            (Method::HEAD, &item.head),
            (Method::OPTIONS, &item.options),
            (Method::TRACE, &item.trace),
        ];
        all.into_iter().filter_map(|(method, operation)| operation.as_ref().map(|_| method))
    }

    #[test]
    fn every_operation_of_a_workspace_has_an_action_of_its_own() {
        let routes = crate::api::all_routes();
        let mut found = BTreeSet::new();
        for (path, item) in &routes.paths.paths {
            for method in operations(item) {
                let action = routes.actions.get(path).and_then(|actions| actions.get(&method));
                assert_eq!(action.is_some(), path.starts_with(WORKSPACE), "{method} {path}");
                if let Some(action) = action {
                    assert!(found.insert(action), "{action:?} twice");
                }
            }
        }
        assert_eq!(found.into_iter().collect::<Vec<_>>(), WorkspaceAction::ALL);
    }

    #[test]
    fn before_its_deletion_is_cancelled_a_workspace_is_read_and_what_ends_something_goes_on() {
        let routes = crate::api::all_routes();
        let mut ends = BTreeSet::new();
        for (path, actions) in &routes.actions {
            for (method, action) in &actions.0 {
                let is_read = method == Method::GET;
                assert!(!is_read || action.allowed_in_grace(), "{method} {path}");
                if !is_read && action.allowed_in_grace() {
                    ends.insert(format!("{method} {}", path.trim_start_matches(WORKSPACE)));
                }
            }
        }
        let all = [
            "DELETE ",
            "DELETE /api-tokens/{token_id}",
            "DELETE /deletion",
            "DELETE /invitations/{invitation_id}",
            "DELETE /members/{account_id}",
            "DELETE /seat-leases/{lease_id}",
            "POST /deletion",
            "POST /runs/{run_id}/cancel",
        ];
        assert_eq!(ends.iter().collect::<Vec<_>>(), all);
    }
}
