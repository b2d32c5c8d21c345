//! Migrations that break the nodes of an older version wait until these are stopped.

use super::create::LOOKS;
use super::migrate::{BREAKING_KEYRING, BREAKING_LOG, Migration, breaking_after};
use super::{ConnectOptions, DatabaseUrl, PgError, connect_one, schema};
use tokio_postgres::Client;

const FIND_NODES: &str = include_str!("find_nodes.sql");
const KEYRING_USERS: &str = include_str!("keyring_users.sql");
const LIVE_NODES: &str = include_str!("live_nodes.sql");

/// Refuses when a migration that is due in one of the two databases would break nodes of an older
/// version, and such nodes run. Call it before either database is migrated: otherwise one would be
/// of the new version and the other of the old one.
///
/// A node that starts later waits for the locks that `log` and `keyring` hold, and is refused after
/// them. One whose own check of the schema was over, and that had no lease and no appending connection
/// yet, is not seen.
///
/// # Errors
/// `NodesRunning`; a database does not answer.
pub async fn refuse_to_break_nodes(log: &Migration, keyring: &Migration) -> Result<(), PgError> {
    let client = &log.client;
    let applied = schema::applied(client).await?;
    let mut due = breaking_after(&log.runner, BREAKING_LOG, applied);
    let applied = schema::applied(&keyring.client).await?;
    due.extend(breaking_after(&keyring.runner, BREAKING_KEYRING, applied));
    if due.is_empty() {
        return Ok(());
    }
    let nodes = nodes(client).await?;
    if nodes.is_empty() {
        return Ok(());
    }
    Err(PgError::NodesRunning { migrations: due.join(", "), nodes: nodes.join("; ") })
}

/// The nodes and other programmes that use the events' database now, each with what it is.
///
/// # Errors
/// The database does not answer.
pub async fn live_nodes(log: &DatabaseUrl) -> Result<Vec<String>, PgError> {
    nodes(&connect_one(log, &ConnectOptions::default()).await?).await
}

/// The programmes of Lethe that are connected to the keyring's database now, each with what it is. A
/// proxy may keep their connections.
///
/// # Errors
/// The database does not answer.
pub async fn keyring_users(keyring: &DatabaseUrl) -> Result<Vec<String>, PgError> {
    let options = ConnectOptions { application: LOOKS, ..ConnectOptions::default() };
    let client = connect_one(keyring, &options).await?;
    let rows = client.query(KEYRING_USERS, &[]).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

async fn nodes(client: &Client) -> Result<Vec<String>, PgError> {
    let found = client.query_one(FIND_NODES, &[]).await?;
    let (nodes, replays): (Option<String>, Option<String>) = (found.try_get(0)?, found.try_get(1)?);
    let (Some(nodes), Some(replays)) = (nodes, replays) else { return Ok(Vec::new()) };
    let live = LIVE_NODES.replace("{nodes}", &nodes).replace("{replays}", &replays);
    let rows = client.query(&live, &[]).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}
