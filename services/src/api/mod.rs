//! The API over HTTP.

pub mod accounts;
pub mod after_answer;
mod audit;
mod auth;
mod http;
mod operators;
mod pages;
mod runs;
mod seats;
mod servers;
mod state;
mod workspaces;

use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App as Web, HttpResponse, HttpServer, web};
use infra::descriptors::DescriptorLimits;
use tracing_actix_web::TracingLogger;

use after_answer::AfterAnswer;
use http::guard::{RequestSpan, guard};
use http::openapi;
use http::problem::{Problem, ProblemKind};
use http::routes::Routes;
pub use state::{Api, ApiData};

use crate::config::Config;
use crate::readiness::ReadinessCheck;
use crate::wiring::App;

/// How long a client may take to send a request's head, or may hold a connection unused.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(75);
/// The most threads that actix starts, and the most connections that it gives one of them.
const WORKERS_MAX: usize = 512;
const WORKER_CONNECTIONS_MAX: usize = 25_600;

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
    pages::serve(config);
    openapi::serve(document, config);
}

/// Serves the API on `listener` until its handle stops it; `drain` is how long requests under way
/// may then take.
///
/// # Errors
/// The listener's.
pub fn serve(
    app: App,
    readiness: ReadinessCheck,
    after_answer: AfterAnswer,
    listener: TcpListener,
    drain: Duration,
) -> std::io::Result<(Server, SocketAddr)> {
    let at = listener.local_addr()?;
    let workers = workers(&app.config);
    let clients = worker_connections(&app.config, workers);
    let api = web::Data::new(Api::new(app, readiness, after_answer));
    let server = HttpServer::new(move || {
        Web::new()
            .app_data(api.clone())
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
    .workers(workers)
    .max_connections(clients)
    .client_request_timeout(HEAD_WITHIN)
    .keep_alive(IDLE)
    .shutdown_timeout(drain.as_secs());
    Ok((server.listen(listener)?.run(), at))
}

fn workers(config: &Config) -> usize {
    let cores = || available_parallelism().map_or(2, NonZeroUsize::get).min(WORKERS_MAX);
    config.workers.map_or_else(cores, usize::from)
}

/// How many clients one of the threads serves at once; the next ones wait.
fn worker_connections(config: &Config, workers: usize) -> usize {
    let clients = config.clients_max(DescriptorLimits::current().soft);
    let each = usize::try_from(clients).unwrap_or(usize::MAX) / workers.max(1);
    each.clamp(1, WORKER_CONNECTIONS_MAX)
}

async fn nothing() -> Result<HttpResponse, Problem> {
    Err(Problem::of(ProblemKind::NotFound))
}
