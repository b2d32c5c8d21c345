//! The listener that serves the metrics, and what makes a node unready.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, OnceLock};

use actix_web::dev::Server;
use actix_web::{App, HttpResponse, HttpServer, web};
use infra::metrics::Metrics;

use crate::readiness::{ReadinessCheck, answer};

/// Set when the node has started.
pub type Started = Arc<OnceLock<ReadinessCheck>>;

/// Returns the server to run and its address.
pub fn serve(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    started: Started,
) -> std::io::Result<(Server, SocketAddr)> {
    let at = listener.local_addr()?;
    let (metrics, started) = (web::Data::from(metrics), web::Data::new(started));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(metrics.clone())
            .app_data(started.clone())
            .route("/metrics", web::get().to(read_metrics))
            .route("/readyz", web::get().to(ready))
    });
    Ok((server.workers(1).disable_signals().listen(listener)?.run(), at))
}

async fn read_metrics(metrics: web::Data<Metrics>) -> HttpResponse {
    match metrics.text() {
        Ok(text) => HttpResponse::Ok().content_type(Metrics::CONTENT_TYPE).body(text),
        Err(error) => {
            tracing::error!(%error, "the metrics could not be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// As the API's, and with the reasons.
async fn ready(started: web::Data<Started>) -> HttpResponse {
    match started.get() {
        Some(check) => answer(check.look().await),
        None => HttpResponse::ServiceUnavailable().body("the node starts"),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;

    use super::*;

    #[tokio::test]
    async fn a_node_that_starts_is_not_ready() {
        let answer = ready(web::Data::new(Started::default())).await;

        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
