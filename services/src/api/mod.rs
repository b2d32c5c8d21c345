//! The API over HTTP.

pub mod accounts;
mod audit;
mod auth;
mod http;
mod operators;
mod runs;
mod seats;
mod servers;
mod workspaces;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::http::Uri;
use actix_web::middleware::from_fn;
use actix_web::{App as Web, HttpRequest, HttpResponse, HttpServer, web};
use infra::postgres::PgError;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use tracing_actix_web::TracingLogger;

use http::body::BODY_BYTES_MAX;
use http::guard::{RequestSpan, guard};
use http::limits::{Limits, Rates};
use http::problem::{Problem, ProblemKind};
use http::routes::Routes;
use http::{link_pages, openapi};
use runs::log_stream::Streams;

use crate::wiring::App;

/// How long a client may take to send a request's head, or may hold a connection unused.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(75);

/// What every worker shares.
pub struct Api {
    app: App,
    limits: Limits,
    streams: Streams,
    origin: String,
}

pub type ApiData = web::Data<Api>;

impl Api {
    pub fn new(app: App) -> Self {
        let config = &app.config;
        let limits = Limits::new(Rates {
            address_requests_per_second: config.address_requests_per_second,
            account_requests_per_second: config.account_requests_per_second,
            sign_ins_per_minute: config.sign_ins_per_minute,
            registrations_per_hour: config.registrations_per_hour,
            mails_per_hour: config.mails_per_hour,
            checks_per_minute: config.checks_per_minute,
        });
        let origin = origin(&app.public_url);
        Self { app, limits, streams: Streams::default(), origin }
    }

    fn of(request: &HttpRequest) -> Result<ApiData, Problem> {
        let api = request.app_data::<ApiData>().cloned();
        api.ok_or_else(|| Problem::of(ProblemKind::Internal))
    }

    /// The origin that our own pages have.
    fn origin(&self) -> &str {
        &self.origin
    }

    fn is_https(&self) -> bool {
        self.origin.starts_with("https:")
    }

    fn proxies(&self) -> usize {
        self.app.config.trusted_proxies.into()
    }

    async fn query(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Problem> {
        let client = self.app.pool.get().await.map_err(PgError::from)?;
        let statement = client.prepare_cached(sql).await?;
        Ok(client.query(&statement, values).await?)
    }

    async fn query_opt(
        &self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, Problem> {
        Ok(self.query(sql, values).await?.pop())
    }
}

fn origin(url: &str) -> String {
    let uri: Uri = url.parse().unwrap_or_default();
    let (scheme, host) = (uri.scheme_str().unwrap_or_default(), uri.authority());
    format!("{scheme}://{}", host.map_or("", |host| host.as_str()))
}

fn all_routes() -> Routes {
    let mut routes = Routes::default();
    auth::routes(&mut routes);
    accounts::routes(&mut routes);
    workspaces::routes(&mut routes);
    seats::routes(&mut routes);
    servers::routes(&mut routes);
    runs::routes(&mut routes);
    operators::routes(&mut routes);
    audit::routes(&mut routes);
    http::routes(&mut routes);
    routes
}

/// Puts every route into an application of a worker.
pub fn configure(config: &mut web::ServiceConfig) {
    let mut document = openapi::document();
    all_routes().finish(config, &mut document);
    link_pages::serve(config);
    openapi::serve(document, config);
}

/// Serves the API on `listener` until its handle stops it; `drain` is how long requests under way
/// may then take.
///
/// # Errors
/// The listener's.
pub fn serve(
    app: App,
    listener: TcpListener,
    drain: Duration,
) -> std::io::Result<(Server, SocketAddr)> {
    let at = listener.local_addr()?;
    let workers = app.config.workers.map(usize::from);
    let api = web::Data::new(Api::new(app));
    let server = HttpServer::new(move || {
        Web::new()
            .app_data(api.clone())
            .app_data(web::PayloadConfig::new(BODY_BYTES_MAX))
            .app_data(
                web::PathConfig::default()
                    .error_handler(|_, _| Problem::of(ProblemKind::NotFound).into()),
            )
            .configure(configure)
            .default_service(web::to(nothing))
            .wrap(from_fn(guard))
            .wrap(TracingLogger::<RequestSpan>::new())
    })
    .disable_signals()
    .client_request_timeout(HEAD_WITHIN)
    .keep_alive(IDLE)
    .shutdown_timeout(drain.as_secs());
    let server = match workers {
        Some(workers) => server.workers(workers),
        None => server,
    };
    Ok((server.listen(listener)?.run(), at))
}

async fn nothing() -> Result<HttpResponse, Problem> {
    Err(Problem::of(ProblemKind::NotFound))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_is_scheme_host_and_port() {
        assert_eq!(origin("https://lethe.example/app"), "https://lethe.example");
        assert_eq!(origin("http://127.0.0.1:8080"), "http://127.0.0.1:8080");
    }
}
