//! Collects the handlers: one resource a path, so that another method is 405, and the document.

use std::collections::BTreeMap;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::{Error, FromRequest, Handler, HttpRequest, HttpResponse, Responder, Route, web};
use domain::workspace::{ActingAccount, WorkspaceAction};
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::{OpenApi, PathItem, Paths, RefOr, Schema};

use crate::api::auth::{member, path_resources};
use crate::api::http::actions::Actions;
use crate::api::http::answers::{Answers, Documented, Unfit};
use crate::api::http::arguments::{Arguments, Callers};
use crate::api::http::deadline;
use crate::api::http::position;
use crate::api::http::problem::{Problem, ProblemKind};

/// The routes so far. Path and method stand once, in each handler's `utoipa::path`.
#[derive(Default)]
pub struct Routes {
    found: BTreeMap<String, Vec<(Method, Route)>>,
    actions: BTreeMap<String, Actions>,
    answers: BTreeMap<String, Answers>,
    /// The operations that were added last.
    last: Vec<(String, Method)>,
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
        A: FromRequest + Arguments + 'static,
        H::Output: Responder + 'static,
    {
        P::schemas(&mut self.schemas);
        self.last.clear();
        for spoken in P::methods() {
            let method = method(&spoken);
            let route = web::method(method.clone()).to(handler.clone());
            let found = self.found.entry(P::path()).or_default();
            if method == Method::GET {
                found.push((Method::HEAD, web::head().to(handler.clone())));
            }
            found.push((method.clone(), route));
            let mut operation = P::operation();
            operation.operation_id = Some(operation_id(&spoken, &P::path()));
            operation.security = A::callers().map(|callers| callers.security(None));
            let mut documented = Documented::new(&operation, &A::refuses(&method));
            documented.refuse_values(&A::unfit());
            self.answers.entry(P::path()).or_default().add(method.clone(), documented);
            self.last.push((P::path(), method));
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
        A: FromRequest + Arguments + 'static,
        H::Output: Responder + 'static,
    {
        let methods = P::methods().into_iter().map(|spoken| (method(&spoken), action));
        self.actions.entry(P::path()).or_default().0.extend(methods);
        let unowned: &[_] = if action.allowed_while_restricted() {
            &[]
        } else {
            &[ProblemKind::WorkspaceRestricted]
        };
        self.add(path, handler).refuses(refusals_of(action)).refuses(unowned)
    }

    /// How the operation that was added last is refused besides, because of what it does.
    pub fn refuses(&mut self, kinds: &[ProblemKind]) -> &mut Self {
        self.document_last(|documented| documented.extend(kinds))
    }

    /// What the operation that was added last refuses though its schema admits it.
    pub fn refuses_values(&mut self, unfit: &[Unfit]) -> &mut Self {
        self.document_last(|documented| documented.refuse_values(unfit))
    }

    fn document_last(&mut self, document: impl Fn(&mut Documented)) -> &mut Self {
        for (path, method) in &self.last {
            let answers = self.answers.get_mut(path);
            if let Some(documented) = answers.and_then(|answers| answers.get_mut(method)) {
                document(documented);
            }
        }
        self
    }

    /// Says of each operation of a path who may call it, and how it is refused.
    fn describe(&mut self) {
        for (path, item) in &mut self.paths.paths {
            let actions = self.actions.get(path);
            for (method, operation) in operations(item) {
                let action = actions.and_then(|actions| actions.get(&method));
                if let Some(action) = action {
                    operation.security = Some(Callers::Members.security(Some(action)));
                }
                let answers = self.answers.get_mut(path);
                if let Some(documented) = answers.and_then(|answers| answers.get_mut(&method)) {
                    documented.describe(operation);
                }
            }
        }
    }

    /// Puts what was collected into the document, and the resources into the application.
    pub fn finish(mut self, config: &mut web::ServiceConfig, document: &mut OpenApi) {
        self.describe();
        document.paths.merge(self.paths);
        document.components.get_or_insert_default().schemas.extend(self.schemas);
        for (path, found) in self.found {
            let allowed: Vec<&str> = found.iter().map(|(method, _)| method.as_str()).collect();
            let allow = HeaderValue::from_str(&allowed.join(", "));
            let allow = allow.unwrap_or(HeaderValue::from_static(""));
            let actions = self.actions.remove(&path);
            let answers = self.answers.remove(&path).unwrap_or_default();
            let mut resource = web::resource(path).app_data(answers);
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
            config.service(resource.default_service(other).wrap(from_fn(answer)));
        }
    }
}

/// What the table of actions says of how one is refused.
const fn refusals_of(action: WorkspaceAction) -> &'static [ProblemKind] {
    match (action.allowed_in_grace(), action.account()) {
        (true, ActingAccount::Any) => &[],
        (false, ActingAccount::Any) => &[ProblemKind::WorkspaceDeleting],
        (true, ActingAccount::Stays) => &[ProblemKind::ErasureRequested],
        (false, ActingAccount::Stays) => {
            &[ProblemKind::ErasureRequested, ProblemKind::WorkspaceDeleting]
        }
        (true, ActingAccount::Verified) => {
            &[ProblemKind::AddressUnverified, ProblemKind::ErasureRequested]
        }
        (false, ActingAccount::Verified) => &[
            ProblemKind::AddressUnverified,
            ProblemKind::ErasureRequested,
            ProblemKind::WorkspaceDeleting,
        ],
    }
}

/// The operations of a path, by method.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let all = [
        (Method::GET, &mut item.get),
        (Method::POST, &mut item.post),
        (Method::PUT, &mut item.put),
        (Method::PATCH, &mut item.patch),
        (Method::DELETE, &mut item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
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

async fn answer(
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
            Ok(()) => answer_of(request, next).await,
            Err(problem) => Ok(ServiceResponse::from_err(problem, head.clone())),
        }
    };
    let answer = match deadline::in_time(answer).await {
        Some(answer) => answer?,
        None => ServiceResponse::from_err(Problem::of(ProblemKind::TimedOut), head.clone()),
    };
    Answers::compare(&head, &answer);
    Ok(answer)
}

async fn answer_of(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut answer = next.call(request).await?.map_into_boxed_body();
    position::show(&mut answer).await;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const WORKSPACE: &str = "/v1/workspaces/{workspace_id}";

    fn methods(item: &PathItem) -> impl Iterator<Item = Method> {
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
            for method in methods(item) {
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
            "DELETE /api-tokens/{token_id}",
            "DELETE /deletion",
            "DELETE /invitations/{invitation_id}",
            "DELETE /members/{account_id}",
            "DELETE /seat-leases/{lease_id}",
            "DELETE /succession",
            "POST /deletion",
            "POST /deletion/hasten",
            "POST /runs/{run_id}/cancel",
        ];
        assert_eq!(ends.iter().collect::<Vec<_>>(), all);
    }
}
