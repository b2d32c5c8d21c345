//! The newest page of the log, read once for all readers of a node that have come as far.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::{DamagedEvent, Feed, FeedError, Recorded};
use crate::postgres::{PgError, Pool};

#[derive(Default)]
pub(super) struct Tail(Mutex<Arc<Page>>);

#[derive(Default)]
pub(super) struct Page {
    after: i64,
    events: Vec<Recorded>,
}

impl Page {
    fn last(&self) -> i64 {
        self.events.last().map_or(self.after, Recorded::position)
    }

    /// What comes after a position that the page reaches to.
    pub(super) fn after(&self, position: i64) -> &[Recorded] {
        let passed = usize::try_from(position - self.after).unwrap_or_default();
        self.events.get(passed..).unwrap_or_default()
    }
}

impl Tail {
    /// At most `limit` events after `position`.
    pub(super) async fn page(
        &self,
        pool: &Pool,
        position: i64,
        limit: i64,
    ) -> Result<Arc<Page>, FeedError> {
        let mut newest = self.0.lock().await;
        if (newest.after..newest.last()).contains(&position) {
            return Ok(Arc::clone(&newest));
        }
        if position < newest.after {
            drop(newest);
            return read(pool, position, limit).await;
        }
        let page = read(pool, position, limit).await?;
        *newest = Arc::clone(&page);
        Ok(page)
    }
}

async fn read(pool: &Pool, after: i64, limit: i64) -> Result<Arc<Page>, FeedError> {
    let client = pool.get().await.map_err(PgError::from)?;
    let events = match Feed::page(&client, after, limit).await {
        // What stands before it may be read.
        Err(FeedError::Hole { at } | FeedError::Damaged(DamagedEvent { position: at, .. }))
            if at > after + 1 =>
        {
            Feed::page(&client, after, at - 1 - after).await?
        }
        page => page?,
    };
    Ok(Arc::new(Page { after, events }))
}
