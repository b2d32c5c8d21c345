//! Whether a node may have as many descriptors open as it needs.

use std::time::Duration;

use infra::descriptors::DescriptorLimits;
use infra::postgres::{ConnectOptions, connect_one};

use super::Findings;
use crate::config::Config;
use crate::databases::Databases;

const WATCHED: &str = "select count(*) from working.server_monitors";
const WITHIN: Duration = Duration::from_secs(5);
/// What a node says of itself. A start raises its soft limit, so this is all it may have.
const LIMIT: &str = "process_max_fds ";

/// The unit or the container of the node has a limit of its own: where the node runs, it is asked.
pub async fn look(config: &Config, databases: &Databases, findings: &mut Findings) {
    // Where the database does not answer, others say so.
    let watched = watched(databases).await.unwrap_or_default();
    let at = config.metrics_listen;
    let (whose, limit) = match node(config).await {
        Some(limit) => (format!("the node at {at}"), limit),
        None => ("a node with this command's limits".to_owned(), DescriptorLimits::current().hard),
    };
    match config.descriptors_warning(limit, watched) {
        Some(warning) => findings.wrong(&format!("{whose}: {warning}")),
        None => findings.well(&format!(
            "{whose} may have {limit} descriptors open, and needs {}",
            config.descriptors_needed(watched)
        )),
    }
}

/// How many servers one node watches where no other one runs.
async fn watched(databases: &Databases) -> Option<u64> {
    let client = connect_one(&databases.direct, &ConnectOptions::default()).await.ok()?;
    let row = client.query_one(WATCHED, &[]).await.ok()?;
    u64::try_from(row.try_get::<_, i64>(0).ok()?).ok()
}

/// The limit of the node of this machine, if it runs.
async fn node(config: &Config) -> Option<u64> {
    let at = config.metrics_listen;
    // Any port: only the node knows which.
    if at.port() == 0 {
        return None;
    }
    let metrics = Box::pin(ask(&format!("http://{at}/metrics"))).await.ok()?;
    metrics.lines().find_map(|line| line.strip_prefix(LIMIT))?.parse().ok()
}

async fn ask(metrics: &str) -> reqwest::Result<String> {
    let client = reqwest::Client::builder().no_proxy().timeout(WITHIN).build()?;
    client.get(metrics).send().await?.text().await
}
