//! The listener that serves the metrics.

use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::{App, HttpResponse, HttpServer, web};
use infra::metrics::Metrics;

/// Binds at once; returns the server to run and its address.
pub fn listen(at: SocketAddr, metrics: Arc<Metrics>) -> std::io::Result<(Server, SocketAddr)> {
    let metrics = web::Data::from(metrics);
    let server = HttpServer::new(move || {
        App::new().app_data(metrics.clone()).route("/metrics", web::get().to(answer))
    });
    let server = server.workers(1).disable_signals().bind(at)?;
    let bound = server.addrs().first().copied().unwrap_or(at);
    Ok((server.run(), bound))
}

async fn answer(metrics: web::Data<Metrics>) -> HttpResponse {
    match metrics.text() {
        Ok(text) => HttpResponse::Ok().content_type(Metrics::CONTENT_TYPE).body(text),
        Err(error) => {
            tracing::error!(%error, "the metrics could not be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}
