//! Statements that wait for a lock which a test holds.

use tokio_postgres::Client;

use crate::until;

const WAITING: &str = "select pid from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and strpos(query, $1) > 0
    order by pid";

/// The processes in the database of `client` that run a statement with this text and wait for a lock.
pub async fn waiting_for_lock(client: &Client, text: &str) -> Vec<i32> {
    let rows = client.query(WAITING, &[&text]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Waits until a statement with this text waits for a lock.
pub async fn until_waits_for_lock(client: &Client, text: &str) {
    let what = format!("a statement with {text:?} waits for a lock");
    until(&what, async || !waiting_for_lock(client, text).await.is_empty()).await;
}
