//! Whether this node runs, and whether it can serve.

use std::time::Duration;

use actix_web::HttpResponse;
use infra::log::{Projection, Reader};
use projections::audit_trail::AuditTrail;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::http::routes::Routes;
use crate::api::{Api, ApiData};

/// A read model that is further behind shows the past.
const LAG_SECONDS_MAX: f64 = 30.0;
/// The copy is looked at every few seconds, and a large base takes minutes.
const COPY_SECONDS_MAX: f64 = 300.0;
/// A log that went back to a time since then might not be noticed.
const UNWRITTEN_MAX: Duration = Duration::from_secs(10);
const WITHIN: Duration = Duration::from_secs(2);
const PROXY_PROBES: usize = 4;
const OK: &str = "ok";

pub fn routes(routes: &mut Routes) {
    routes.add(__path_alive, alive).add(__path_ready, ready);
}

/// Answers as long as the process does.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200)))]
async fn alive() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(r#"{"status":"ok"}"#)
}

/// `ok`, or what is not.
#[derive(Serialize, ToSchema)]
pub struct Readiness {
    ready: bool,
    log: String,
    /// Whether the server takes what this node appends.
    writes: String,
    database: String,
    keyring: String,
    /// Whether the place of the root keys answers. A node serves also without, from memory.
    roots: String,
    readers: String,
    /// Whether the copy of the keyring has every change. A node serves also without.
    copy: String,
    workers: String,
    /// A clock that is wrong is not used, so that it makes no node unready.
    clock: String,
}

/// Whether the database, the keyring and the readers answer, the log is the one that is known and takes
/// appends, and no worker panics.
#[utoipa::path(
    get, path = "/readyz", tag = "health",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)),
)]
async fn ready(api: ApiData) -> HttpResponse {
    let (database, keyring, readers) = futures_util::join!(
        answer_of(database(&api)),
        answer_of(keyring(&api)),
        answer_of(readers(&api)),
    );
    let copy = answer_of(copy(&api)).await;
    let roots =
        api.app.keyring.roots_reached().map_or_else(|why| why.to_string(), |()| OK.to_owned());
    let workers = workers(&api).unwrap_or_else(|| OK.to_owned());
    let clock = api.app.clock.skew().fault().unwrap_or_else(|| OK.to_owned());
    let writes = api.app.executor.check_writes().err().unwrap_or_else(|| OK.to_owned());
    let log = log(&api).err().unwrap_or_else(|| OK.to_owned());
    let ready = [&log, &writes, &database, &keyring, &readers, &workers];
    let ready = ready.iter().all(|answer| *answer == OK);
    let mut answer = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.json(Readiness {
        ready,
        log,
        writes,
        database,
        keyring,
        roots,
        readers,
        copy,
        workers,
        clock,
    })
}

async fn answer_of(check: impl Future<Output = Result<(), String>>) -> String {
    match tokio::time::timeout(WITHIN, check).await {
        Ok(Ok(())) => OK.to_owned(),
        Ok(Err(why)) => why,
        Err(_) => format!("no answer within {} s", WITHIN.as_secs()),
    }
}

fn log(api: &Api) -> Result<(), String> {
    let known = &api.app.watermark;
    known.watermark().check().map_err(|why| why.to_string())?;
    match known.trouble() {
        Some(trouble) if trouble.age() >= UNWRITTEN_MAX => Err(format!(
            "for {} s its newest event was not compared or not written down, and nothing acts because \
             of it: {}",
            trouble.age().as_secs(),
            trouble.why()
        )),
        Some(_) | None => Ok(()),
    }
}

async fn database(api: &Api) -> Result<(), String> {
    // Several at once take several servers of a pooling proxy: one that loses prepared statements
    // answers a single one as if all were well.
    let probes = if api.app.config.is_proxied() { PROXY_PROBES } else { 1 };
    let probes = (0..probes).map(|_| api.query("select", &[]));
    let answered = futures_util::future::try_join_all(probes).await;
    answered.map(drop).map_err(|problem| problem.to_string())
}

async fn keyring(api: &Api) -> Result<(), String> {
    api.app.keyring.roots_usable().map_err(|error| error.to_string())?;
    api.app.keyring.status().await.map(drop).map_err(|error| error.to_string())
}

async fn copy(api: &Api) -> Result<(), String> {
    if api.app.keyring.copy.is_none() {
        return Ok(());
    }
    let status = api.app.keyring.status().await.map_err(|error| error.to_string())?;
    match status.copy_seconds {
        Some(age) if age <= COPY_SECONDS_MAX => Ok(()),
        Some(age) => Err(format!("the copy of the keyring is {age:.0} s behind")),
        None => Err("when the keyring was last copied is not known".to_owned()),
    }
}

/// The workers of this node whose last run has panicked.
fn workers(api: &Api) -> Option<String> {
    let panicked = api.app.panicked.names();
    (!panicked.is_empty()).then(|| format!("panicked, and tried again: {}", panicked.join(", ")))
}

/// What this node's own versions of the projections show. Without the trail: its route answers for itself, and a new
/// version of it is built for hours on a long log.
async fn readers(api: &Api) -> Result<(), String> {
    let readers = infra::log::status(&api.app.pool).await.map_err(|error| error.to_string())?;
    let mut own = projections::all();
    own.retain(|projection| projection.name() != AuditTrail::NAME);
    let late = |projection: &Reader| {
        let of = (projection.name(), projection.version());
        let found = readers.iter().find(|reader| (reader.name.as_str(), reader.version) == of);
        match found {
            None => Some(format!("{} has not begun", of.0)),
            Some(found) if found.lag_seconds > LAG_SECONDS_MAX => {
                let late = format!("{} is {:.0} s behind", of.0, found.lag_seconds);
                let why = found.last_error.as_ref();
                Some(why.map_or(late.clone(), |why| format!("{late}: {why}")))
            }
            Some(_) => None,
        }
    };
    let late: Vec<String> = own.iter().filter_map(late).collect();
    if late.is_empty() { Ok(()) } else { Err(late.join(", ")) }
}
