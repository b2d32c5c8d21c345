//! Whether this node can serve. It is looked at once a second at most, however many ask, on connections of its
//! own: neither does a flood of probes take those of requests, nor the other way round.

mod probe;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use infra::keyring::copy_age;
use infra::log::{Projection, ReadPositions, Reader, ReaderStatus};
use infra::postgres::{ConnectOptions, PgError, Pool, connect, connect_with};
use infra::trouble::Trouble;
use projections::audit_trail::AuditTrail;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::databases::Databases;
use crate::wiring::{App, WiringError};
use probe::Probe;

/// A read model that is further behind shows the past.
const LAG_SECONDS_MAX: f64 = 30.0;
/// The copy is looked at every few seconds, and a large base takes minutes.
const COPY_SECONDS_MAX: f64 = 300.0;
/// A log that went back to a time since then might not be noticed.
const UNWRITTEN_MAX: Duration = Duration::from_secs(10);
/// A busy machine renews a lease late now and then.
const UNRENEWED_MAX: Duration = Duration::from_secs(2);
/// For how long what was found is answered again.
const KEPT: Duration = Duration::from_secs(1);
const WITHIN: Duration = Duration::from_secs(2);
const PROXY_PROBES: usize = 4;
const OK: &str = "ok";

/// `ok`, or what is not.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Readiness {
    pub ready: bool,
    log: String,
    /// Whether the server takes what this node appends.
    writes: String,
    database: String,
    /// Whether the root keys can be read, the lease on keys in memory is renewed, and the server takes new keys.
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

impl Readiness {
    /// For anybody: which parts are well, and nothing of hosts, paths or events.
    #[must_use]
    pub fn without_reasons(self) -> Self {
        let word = |part: String| if part == OK { part } else { "not ok".to_owned() };
        Self {
            ready: self.ready,
            log: word(self.log),
            writes: word(self.writes),
            database: word(self.database),
            keyring: word(self.keyring),
            roots: word(self.roots),
            readers: word(self.readers),
            copy: word(self.copy),
            workers: word(self.workers),
            clock: word(self.clock),
        }
    }
}

/// Looks for all who ask. Cheap to clone.
#[derive(Clone)]
pub struct ReadinessCheck(Arc<Inner>);

struct Inner {
    app: App,
    log: Pool,
    keyring: Pool,
    last: Mutex<Last>,
}

/// What was found last, and what is still being asked.
#[derive(Default)]
struct Last {
    found: Option<(Instant, Readiness)>,
    database: Probe,
    readers: Probe,
    copy: Probe,
}

impl ReadinessCheck {
    pub async fn start(app: &App, databases: &Databases) -> Result<Self, WiringError> {
        let proxied = app.config.is_proxied();
        let probes = if proxied { PROXY_PROBES } else { 1 };
        let app_options = ConnectOptions::app();
        let options = ConnectOptions {
            // And one for the readers.
            connections_max: probes + 1,
            // Behind a proxy the role's own limit holds. A probe is waited for no longer than `WITHIN`.
            statement_timeout: if proxied { app_options.statement_timeout } else { WITHIN },
            proxied,
            ..app_options
        };
        let known = app.watermark.watermark().hook();
        let log = connect_with(&databases.log, &options, Some(known)).await;
        let log = log.map_err(WiringError::Log)?;
        let options = ConnectOptions {
            connections_max: 1,
            proxied: false,
            statement_timeout: WITHIN,
            ..options
        };
        let keyring = connect(&databases.keyring, &options).await;
        let keyring = keyring.map_err(WiringError::KeyringDatabase)?;
        Ok(Self(Arc::new(Inner { app: app.clone(), log, keyring, last: Mutex::default() })))
    }

    /// Whether the database, the keyring and the readers answer, the log is the one that is known and takes
    /// appends, and no worker panics.
    pub async fn look(&self) -> Readiness {
        let mut last = self.0.last.lock().await;
        if let Some((at, found)) = &last.found
            && at.elapsed() < KEPT
        {
            return found.clone();
        }
        let found = self.0.look(&mut last).await;
        last.found = Some((Instant::now(), found.clone()));
        found
    }
}

impl Inner {
    async fn look(&self, last: &mut Last) -> Readiness {
        let app = &self.app;
        let probes = if app.config.is_proxied() { PROXY_PROBES } else { 1 };
        let (database, readers, copy) = futures_util::join!(
            last.database.ask(WITHIN, database(self.log.clone(), probes)),
            last.readers
                .ask(WITHIN, readers(self.log.clone(), app.node, app.read_positions.clone())),
            last.copy.ask(WITHIN, copy(app.keyring.copy.is_some(), self.keyring.clone())),
        );
        let parts =
            [log(app), app.executor.check_writes(), database, keyring(app), readers, workers(app)];
        let ready = parts.iter().all(Result::is_ok);
        let [log, writes, database, keyring, readers, workers] = parts.map(text);
        Readiness {
            ready,
            log,
            writes,
            database,
            keyring,
            roots: text(app.keyring.roots_reached().map_err(|why| why.to_string())),
            readers,
            copy: text(copy),
            workers,
            clock: text(app.clock.skew().fault().map_or(Ok(()), Err)),
        }
    }
}

/// 200, or 503.
pub fn answer(found: Readiness) -> HttpResponse {
    let mut answer =
        if found.ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.json(found)
}

fn text(part: Result<(), String>) -> String {
    part.err().unwrap_or_else(|| OK.to_owned())
}

fn log(app: &App) -> Result<(), String> {
    let known = &app.watermark;
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

/// What requests need: root keys, a lease on the keys in memory, and room for new keys.
fn keyring(app: &App) -> Result<(), String> {
    app.keyring.roots_usable().map_err(|error| error.to_string())?;
    match app.keyring.lease_trouble() {
        Some(trouble) if trouble.age() >= UNRENEWED_MAX => Err(format!(
            "for {} s the lease on its keys is not renewed, and no key is used: {}",
            trouble.age().as_secs(),
            trouble.why()
        )),
        Some(_) | None => takes_keys(app),
    }
}

fn takes_keys(app: &App) -> Result<(), String> {
    let refused = |trouble: Trouble| {
        let seconds = trouble.age().as_secs();
        format!("its database has taken no new keys for {seconds} s: {}", trouble.why())
    };
    app.keyring.key_trouble().map_or(Ok(()), |trouble| Err(refused(trouble)))
}

/// The workers of this node whose last run has panicked.
fn workers(app: &App) -> Result<(), String> {
    let panicked = app.panicked.names();
    if panicked.is_empty() {
        return Ok(());
    }
    Err(format!("panicked, and tried again: {}", panicked.join(", ")))
}

/// Several at once take several servers of a pooling proxy: one that loses prepared statements answers a single
/// one as if all were well.
async fn database(pool: Pool, probes: usize) -> Result<(), String> {
    let probe = async || {
        let client = pool.get().await.map_err(PgError::from)?;
        let statement = client.prepare_cached("select").await?;
        Ok(client.query(&statement, &[]).await.map(drop)?)
    };
    let answered = futures_util::future::try_join_all((0..probes).map(|_| probe())).await;
    answered.map(drop).map_err(|error: PgError| error.to_string())
}

/// What this node's own versions of the projections show. Without the trail: its route answers for itself, and a new
/// version of it is built for hours on a long log.
async fn readers(pool: Pool, node: Uuid, running: ReadPositions) -> Result<(), String> {
    let readers = infra::log::status(&pool).await.map_err(|error| error.to_string())?;
    let mut own = projections::all();
    own.retain(|projection| projection.name() != AuditTrail::NAME);
    let late = |projection: &Reader| {
        let of = (projection.name(), projection.version());
        let found = readers.iter().find(|reader| (reader.name.as_str(), reader.version) == of);
        match found {
            None => Some(format!("{} has not begun", of.0)),
            Some(found) if found.lacks_table => {
                Some(format!("{0} has no table: `lethe replay {0}` builds it", of.0))
            }
            Some(found) if found.lag_seconds > LAG_SECONDS_MAX => {
                let late = format!("{} is {:.0} s behind", of.0, found.lag_seconds);
                Some(format!("{late}: {}", why(found, node, &running)))
            }
            Some(_) => None,
        }
    };
    let late: Vec<String> = own.iter().filter_map(late).collect();
    if late.is_empty() { Ok(()) } else { Err(late.join(", ")) }
}

/// What a reader that is behind waits for.
fn why(late: &ReaderStatus, node: Uuid, running: &ReadPositions) -> String {
    let activity = running.activity(&late.name, late.version).map(|activity| activity.to_string());
    let owner = match late.node {
        Some(owner) if owner != node => format!("node {owner} reads it"),
        Some(_) | None => "no node reads it".to_owned(),
    };
    let why = late.last_error.clone().or(activity).unwrap_or(owner);
    match running.renewal_trouble() {
        Some(trouble) => format!(
            "{why}; for {} s this node renews no lease of its readers: {}",
            trouble.age().as_secs(),
            trouble.why()
        ),
        None => why,
    }
}

async fn copy(is_kept: bool, keyring: Pool) -> Result<(), String> {
    if !is_kept {
        return Ok(());
    }
    match copy_age(&keyring).await.map_err(|error| error.to_string())? {
        Some(age) if age <= COPY_SECONDS_MAX => Ok(()),
        Some(age) => Err(format!("the copy of the keyring is {age:.0} s behind")),
        None => Err("when the keyring was last copied is not known".to_owned()),
    }
}
