//! The clocks of this machine and of the database, what the newest event says of them, and the node that runs.

use std::time::Duration;

use chrono::{DateTime, Utc};
use infra::clock::{Clock, TOLERANCE};
use infra::postgres::{PgError, Pool};
use serde::Deserialize;

use super::Findings;
use crate::config::Config;

const NEWEST: &str = "select recorded_at from event_log.events order by position desc limit 1";
const WITHIN: Duration = Duration::from_secs(5);

/// Two clocks of one machine jump together. A node that ran before knows the time from before, and the log knows until
/// when it was used.
pub async fn look(config: &Config, pool: &Pool, findings: &mut Findings) {
    let clock = Clock::system();
    if let Err(error) = clock.compare(pool).await {
        return findings.wrong(&format!("the database's clock is not known: {error}"));
    }
    match clock.skew().fault() {
        None => findings.well("the clocks of this machine and of the database agree"),
        Some(fault) => findings.wrong(&fault),
    }
    match newest(pool).await {
        Ok(newest) => newest_event(newest, clock.now(), findings),
        Err(error) => findings.wrong(&format!("when the newest event was is not known: {error}")),
    }
    node(config, findings).await;
}

/// `None`: the log is empty.
async fn newest(pool: &Pool) -> Result<Option<DateTime<Utc>>, PgError> {
    let client = pool.get().await?;
    let newest = client.query_opt(NEWEST, &[]).await?;
    Ok(newest.map(|row| row.try_get(0)).transpose()?)
}

fn newest_event(newest: Option<DateTime<Utc>>, now: DateTime<Utc>, findings: &mut Findings) {
    let Some(ahead) = newest.map(|newest| newest - now).filter(|ahead| *ahead > TOLERANCE) else {
        return;
    };
    findings.wrong(&format!(
        "the newest event is of a time {} s from now: the clocks are behind, or were ahead when it was \
         appended. Set them right; what was erased or has expired meanwhile stays so",
        ahead.num_seconds()
    ));
}

#[derive(Deserialize)]
struct NodeReadiness {
    clock: String,
}

/// The node of this machine, which may run or not.
async fn node(config: &Config, findings: &mut Findings) {
    let at = config.metrics_listen;
    // Any port: only the node knows which.
    if at.port() == 0 {
        return;
    }
    match Box::pin(ask(&format!("http://{at}/readyz"))).await {
        Ok(NodeReadiness { clock }) if clock == "ok" => {
            findings.well(&format!("the node at {at} believes the clocks"));
        }
        Ok(NodeReadiness { clock }) => findings.wrong(&format!("the node at {at}: {clock}")),
        Err(_) => findings.note(&format!(
            "no node at {at} (metrics_listen) says whether it believes the clocks: where they have \
             jumped together, only one that ran before knows"
        )),
    }
}

async fn ask(readiness: &str) -> reqwest::Result<NodeReadiness> {
    let client = reqwest::Client::builder().no_proxy().timeout(WITHIN).build()?;
    client.get(readiness).send().await?.json().await
}
