//! The pages that mailed links open. The secret is behind the `#`, which browsers do not send: no server
//! gets it before a person confirms.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{ServiceConfig, get};

/// The page loads nothing from other places, and runs no script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";

const PAGE: (&str, &str) = ("text/html; charset=utf-8", include_str!("link_pages/page.html"));
const STYLE: (&str, &str) = ("text/css; charset=utf-8", include_str!("link_pages/links.css"));
const SCRIPT: (&str, &str) =
    ("text/javascript; charset=utf-8", include_str!("link_pages/follow.js"));

/// The pages are those that the letters name.
pub fn serve(config: &mut ServiceConfig) {
    for (path, file) in [
        ("/verify-email", PAGE),
        ("/change-email", PAGE),
        ("/reset-password", PAGE),
        ("/accept-invitation", PAGE),
        ("/links/links.css", STYLE),
        ("/links/follow.js", SCRIPT),
    ] {
        config.route(path, get().to(move || std::future::ready(answer(file))));
    }
}

fn answer((kind, text): (&'static str, &'static str)) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(kind)
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .body(text)
}
