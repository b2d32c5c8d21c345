//! Makes room in the log well before it is needed: a partition ahead of the head.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::GenericClient;
use tokio::sync::{Notify, watch};

use crate::postgres::{PgError, Pool};

/// After a failure, and beside whatever this node appends itself.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// Extends the log whenever its head is past the middle of the last partition. Never ends.
pub(super) async fn keep_ahead(
    pool: Pool,
    size: i64,
    mut head: watch::Receiver<i64>,
    missing: Arc<Notify>,
) {
    let mut room = 0;
    loop {
        let middle = room - size / 2;
        if *head.borrow_and_update() > middle || room == 0 {
            match extend(&pool, size).await {
                Ok(last) => room = last,
                Err(error) => {
                    tracing::error!(%error, "the log was not extended: appends stop where it ends");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            }
        }
        tokio::select! {
            grown = head.wait_for(|head| *head > room - size / 2) => if grown.is_err() { return },
            () = missing.notified() => room = 0,
            () = tokio::time::sleep(LOOK_EVERY) => room = 0,
        }
    }
}

/// Answers the last position that there is room for.
pub(super) async fn extend(pool: &Pool, size: i64) -> Result<i64, PgError> {
    let client = pool.get().await?;
    let extend = client.prepare_cached(include_str!("extend_ahead.sql")).await?;
    Ok(client.query_one(&extend, &[&size]).await?.try_get(0)?)
}
