//! What a problem's `type` leads to: what it means, and what to do about it.

use actix_web::{HttpResponse, web};

use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;

pub fn routes(routes: &mut Routes) {
    routes.add(__path_list, list).add(__path_show, show);
}

/// Every kind of problem, one a line.
#[utoipa::path(get, path = "/problems", tag = "problems",
    responses((status = 200, content_type = "text/plain", body = String)))]
async fn list() -> HttpResponse {
    let lines = ProblemKind::ALL.iter().map(|kind| {
        format!("/problems/{} · {} · {}\n", kind.slug(), kind.status().as_u16(), kind.title())
    });
    text(lines.collect())
}

/// One kind of problem.
#[utoipa::path(get, path = "/problems/{slug}", tag = "problems",
    params(("slug" = String, Path)),
    responses((status = 200, content_type = "text/plain", body = String)))]
async fn show(slug: web::Path<String>) -> Result<HttpResponse, Problem> {
    let kind = ProblemKind::ALL.iter().find(|kind| kind.slug() == slug.as_str());
    let kind = kind.ok_or_else(|| Problem::of(ProblemKind::NotFound))?;
    let (status, title, help) = (kind.status().as_u16(), kind.title(), kind.help());
    Ok(text(format!("{title} ({status})\n\n{help}\n")))
}

fn text(text: String) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("Cache-Control", "public, max-age=3600"))
        .content_type("text/plain; charset=utf-8")
        .body(text)
}
