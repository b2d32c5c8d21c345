//! Creates the next partition of the log in advance: appends stop without one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::postgres::{PgError, Pool};

const CREATE_AHEAD: &str = "select event_log.create_partitions_ahead($1)";
/// How often the head is read again, since other nodes append too.
const LOOK_EVERY: Duration = Duration::from_mins(1);
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Creates a partition of `size` positions whenever the head is past the middle of the last one, or
/// `missing` is notified. Runs until the sender of `head` is dropped.
pub async fn keep_partitions_ahead(
    pool: Pool,
    size: i64,
    mut head: watch::Receiver<i64>,
    missing: Arc<Notify>,
) {
    let mut last = 0;
    loop {
        let middle = last - size / 2;
        if *head.borrow_and_update() > middle || last == 0 {
            match create_partitions_ahead(&pool, size).await {
                Ok(created) => last = created,
                Err(error) => {
                    tracing::error!(
                        %error,
                        "the log's next partition was not created: appends stop where the last one \
                         ends; it is tried again every second"
                    );
                    tokio::time::sleep(RETRY_AFTER).await;
                    continue;
                }
            }
        }
        tokio::select! {
            grown = head.wait_for(|head| *head > last - size / 2) => if grown.is_err() { return },
            () = missing.notified() => last = 0,
            () = tokio::time::sleep(LOOK_EVERY) => last = 0,
        }
    }
}

/// Returns the last position that has a partition.
pub async fn create_partitions_ahead(pool: &Pool, size: i64) -> Result<i64, PgError> {
    let client = pool.get().await?;
    let create = client.prepare_cached(CREATE_AHEAD).await?;
    Ok(client.query_one(&create, &[&size]).await?.try_get(0)?)
}
