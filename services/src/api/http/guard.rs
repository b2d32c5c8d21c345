//! Around every request: its rate, its log line, its metrics, and the headers of every answer.

use std::net::IpAddr;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, ResponseError, web};
use tracing::Span;
use tracing_actix_web::{RequestId, RootSpanBuilder};

use crate::api::Api;
use crate::api::auth::caller;
use crate::api::http::cors;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::pages;

const DOCS: &str = "/docs/";
const STRICT: &str = "default-src 'none'; frame-ancestors 'none'";
/// The page draws itself with inline styles and shows its own images.
const PAGE: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                    frame-ancestors 'none'";

/// What the log says of a request: no query, no body, no address, no header of the caller.
pub struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let id = request.extensions().get::<RequestId>().map(ToString::to_string);
        tracing::info_span!("request", id, method = %method_name(request.method()))
    }

    fn on_request_end<B: MessageBody>(_: Span, _: &Result<ServiceResponse<B>, Error>) {}
}

/// Any text can be sent as a method: only known ones are logged.
fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// # Errors
/// Those of the services inside.
pub async fn guard(
    api: web::Data<Api>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let received = Instant::now();
    let id = request.extensions().get::<RequestId>().map(ToString::to_string);
    let page = request.path().starts_with(DOCS);
    let method = method_name(request.method());
    let origins = &api.app.config.cors_origins;
    let origin = cors::listed_origin(&request, origins);
    let mut answer = if origin.is_some() && cors::is_preflight(&request) {
        match api.limits.request(address(&api, &request)) {
            Ok(()) => request.into_response(cors::preflight()),
            Err(problem) => request.into_response(problem.error_response()),
        }
    } else {
        match admit(&api, &request) {
            Ok(()) => next.call(request).await?.map_into_boxed_body(),
            Err(problem) => {
                let refused = refusal(request.request(), &problem);
                request.into_response(refused)
            }
        }
    };
    let route = answer.request().match_pattern();
    let route = route.as_deref().unwrap_or("none");
    let (status, took) = (answer.status(), received.elapsed());
    let metrics = &api.app.metrics;
    metrics.requests.with_label_values(&[route, method, status.as_str()]).inc();
    metrics.request_seconds.with_label_values(&[route, method]).observe(took.as_secs_f64());
    tracing::info!(route, status = status.as_u16(), micros = took.as_micros(), "answered");
    dress(&mut answer, &api, id.as_deref(), page);
    if !origins.is_empty() {
        cors::dress(answer.headers_mut(), origin);
    }
    Ok(answer)
}

fn refusal(request: &HttpRequest, problem: &Problem) -> HttpResponse {
    if pages::is_page(request.path()) {
        pages::refusal(request, problem)
    } else {
        problem.error_response()
    }
}

/// Probes are not counted: they come from where everybody's requests come from. All of a second share one look.
fn admit(api: &Api, request: &ServiceRequest) -> Result<(), Problem> {
    if matches!(request.path(), "/healthz" | "/readyz") {
        return Ok(());
    }
    // Rather nothing than what is not in the log any more.
    if api.app.watermark.watermark().check().is_err() {
        let problem = Problem::of(ProblemKind::Unavailable);
        return Err(problem.with_header(header::RETRY_AFTER, 1));
    }
    api.limits.request(address(api, request))
}

fn address(api: &Api, request: &ServiceRequest) -> IpAddr {
    caller::address(request.peer_addr(), request.headers(), api.proxies())
}

fn dress(answer: &mut ServiceResponse<BoxBody>, api: &Api, id: Option<&str>, page: bool) {
    let headers = answer.headers_mut();
    let mut set = |name: &'static str, value: HeaderValue| {
        let name = HeaderName::from_static(name);
        if !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    };
    if let Some(id) = id.and_then(|id| HeaderValue::from_str(id).ok()) {
        set("x-request-id", id);
    }
    set(header::CACHE_CONTROL.as_str(), HeaderValue::from_static("no-store"));
    let policy = if page { PAGE } else { STRICT };
    set("content-security-policy", HeaderValue::from_static(policy));
    set("x-content-type-options", HeaderValue::from_static("nosniff"));
    set("x-frame-options", HeaderValue::from_static("DENY"));
    set("referrer-policy", HeaderValue::from_static("no-referrer"));
    set("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    if api.is_https() {
        set("strict-transport-security", HeaderValue::from_static("max-age=63072000"));
    }
}
