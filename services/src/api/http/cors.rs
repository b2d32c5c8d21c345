//! Pages of other sites (CORS, <https://fetch.spec.whatwg.org/#http-cors-protocol>): those of the origins that
//! `cors_origins` lists send what they like, and read the answers. They show a token: the cookie is taken
//! from our own pages only, so credentials are allowed to none.

use actix_web::HttpResponse;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};

use crate::config::CorsOrigins;

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
/// What requests may have, besides what any page may send.
const SENT: &str = "Authorization, Content-Type, Idempotency-Key, If-Match, Last-Event-ID, Lethe-Min-Position, \
                    Range";
/// What pages may read of an answer, besides what any page may read.
const READ: &str = "Accept-Ranges, Allow, Content-Disposition, Content-Range, ETag, Lethe-Log-Next, Lethe-Log-Over, \
                    Lethe-Position, Lethe-Run-State, Link, Location, Retry-After, WWW-Authenticate, X-Request-Id";
/// No browser keeps an answer to a preflight for longer than a day, and some for two hours only.
const PREFLIGHT_SECONDS: &str = "7200";

/// The origin of the page that sends the request, if it is one of these.
pub fn listed_origin(request: &ServiceRequest, origins: &CorsOrigins) -> Option<HeaderValue> {
    let origin = request.headers().get(header::ORIGIN)?;
    origins.has(origin.as_bytes()).then(|| origin.clone())
}

/// Whether a browser asks if a page may send a request. It shows nobody's token then, so nobody is admitted.
pub fn is_preflight(request: &ServiceRequest) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to a page whose origin is listed: whatever the path, the request itself is refused where it must be.
pub fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, METHODS))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, SENT))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS))
        .finish()
}

/// Lets the page read the answer. No answer may be shown to a page of another origin by a cache.
pub fn dress(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
    }
}
