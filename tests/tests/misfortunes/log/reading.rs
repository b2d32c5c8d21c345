//! A reader that trusts the log: it never looks back.

use std::collections::HashMap;

use infra::log::{Feed, FeedError};
use infra::postgres::Pool;
use tokio::sync::watch;
use uuid::Uuid;

/// Follows the log until the writers are done and it has read everything; answers the events in
/// the order it saw them, or why it stopped.
pub async fn follow(pool: Pool, mut done: watch::Receiver<bool>) -> Result<Vec<Uuid>, FeedError> {
    let mut seen = Vec::new();
    let mut versions: HashMap<Uuid, i64> = HashMap::new();
    loop {
        let last = *done.borrow_and_update();
        let client = pool.get().await.unwrap();
        let after = i64::try_from(seen.len()).unwrap();
        let page = Feed::page(&client, after, 500).await?;
        if page.is_empty() && last {
            return Ok(seen);
        }
        for event in page {
            let version = versions.entry(event.stream_id()).or_default();
            *version += 1;
            assert_eq!(event.version(), *version, "stream {} in its order", event.stream_id());
            seen.push(event.event_id().0);
        }
    }
}
