//! Whether this node runs, and whether it can serve.

use actix_web::HttpResponse;

use crate::api::ApiData;
use crate::api::http::routes::Routes;
use crate::readiness::{Readiness, answer};

pub fn routes(routes: &mut Routes) {
    routes.add(__path_alive, alive).add(__path_ready, ready);
}

/// Answers as long as the process does.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200)))]
async fn alive() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(r#"{"status":"ok"}"#)
}

/// Whether the database, the keyring and the readers answer, the log is the one that is known and takes
/// appends, and no worker panics: `ok` or `not ok` of each. What is wrong is said where the metrics are.
#[utoipa::path(
    get, path = "/readyz", tag = "health",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)),
)]
async fn ready(api: ApiData) -> HttpResponse {
    answer(api.readiness.look().await.without_reasons())
}
