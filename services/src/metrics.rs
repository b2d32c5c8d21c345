//! The listener that serves the metrics.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::{App, HttpResponse, HttpServer, web};
use infra::metrics::Metrics;

/// Returns the server to run and its address.
pub fn serve(
    listener: TcpListener,
    metrics: Arc<Metrics>,
) -> std::io::Result<(Server, SocketAddr)> {
    let at = listener.local_addr()?;
    let metrics = web::Data::from(metrics);
    let server = HttpServer::new(move || {
        App::new().app_data(metrics.clone()).route("/metrics", web::get().to(answer))
    });
    Ok((server.workers(1).disable_signals().listen(listener)?.run(), at))
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
