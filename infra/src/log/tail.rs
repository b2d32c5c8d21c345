//! The newest page of the log, read once for all readers of a node that have come as far.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::unknown::{UnknownEvent, newer_than};
use super::watermark::Watermark;
use super::{DamagedEvent, Feed, FeedError, NewestVersion, Reader, Recorded};
use crate::postgres::{PgError, Pool};

pub(super) struct Tail {
    newest: Mutex<Arc<Page>>,
    newest_version: NewestVersion,
    watermark: Watermark,
}

#[derive(Default)]
pub(super) struct Page {
    after: i64,
    events: Vec<Recorded>,
    /// Some of the events are not known to this programme. It seldom is so, and then each reader looks
    /// at each event.
    has_unknown: bool,
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

    /// What comes after a position, up to the first event that the reader has to leave to newer nodes.
    pub(super) fn known_after(
        &self,
        position: i64,
        reader: &Reader,
        newest_version: NewestVersion,
    ) -> (&[Recorded], Option<UnknownEvent>) {
        let events = self.after(position);
        if !self.has_unknown {
            return (events, None);
        }
        reader.known(events, newest_version)
    }
}

impl Tail {
    pub(super) fn new(newest_version: NewestVersion, watermark: Watermark) -> Self {
        Self { newest: Mutex::default(), newest_version, watermark }
    }

    /// At most `limit` events after `position`.
    pub(super) async fn page(
        &self,
        pool: &Pool,
        position: i64,
        limit: i64,
    ) -> Result<Arc<Page>, FeedError> {
        self.watermark.check()?;
        let mut newest = self.newest.lock().await;
        if (newest.after..newest.last()).contains(&position) {
            return Ok(Arc::clone(&newest));
        }
        if position < newest.after {
            drop(newest);
            return self.read(pool, position, limit).await;
        }
        let page = self.read(pool, position, limit).await?;
        *newest = Arc::clone(&page);
        Ok(page)
    }

    /// A page is of the log that is known: what it begins after is compared together with it.
    async fn read(&self, pool: &Pool, after: i64, limit: i64) -> Result<Arc<Page>, FeedError> {
        let client = pool.get().await.map_err(PgError::from)?;
        let events =
            match Feed::page(&client, after, limit).await {
                // What stands before it may be read.
                Err(
                    FeedError::Hole { at } | FeedError::Damaged(DamagedEvent { position: at, .. }),
                ) if at > after + 1 => Feed::page(&client, after, at - 1 - after).await?,
                page => page?,
            };
        if !events.is_empty() {
            self.watermark.compare(&client).await?;
        }
        let has_unknown = events.iter().any(|event| newer_than(event, self.newest_version));
        Ok(Arc::new(Page { after, events, has_unknown }))
    }
}

#[cfg(test)]
mod tests {
    use domain::EventId;
    use test_support::NodeHarness;
    use uuid::Uuid;

    use super::*;
    use crate::log::watermark::{NewestEvent, WentBack};
    use crate::postgres::{ConnectOptions, connect};

    #[tokio::test]
    async fn no_page_is_handed_out_of_a_log_that_is_another_one() {
        let log = NodeHarness::new().await;
        let writer = log.node().await;
        log.token(&writer).await;
        let pool = connect(&log.databases.log_url, &ConnectOptions::app()).await.unwrap();
        let same = Tail::new(domain::newest_version, Watermark::default());
        assert_eq!(same.page(&pool, 0, 10).await.unwrap().last(), 1);
        let known = Watermark::default();
        known.raise(NewestEvent { position: 1, event: EventId(Uuid::nil()) });

        let refused = Tail::new(domain::newest_version, known).page(&pool, 0, 10).await.map(drop);

        let why = WentBack::Other { known: 1, head: 1 };
        assert!(matches!(refused, Err(FeedError::WentBack(found)) if found == why), "{refused:?}");
    }
}
