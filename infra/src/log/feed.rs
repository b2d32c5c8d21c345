//! The log from a position on, page by page or as one stream; a missing position stops it.

use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use chrono::{DateTime, Utc};
use futures_util::Stream;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::watermark::{CompareError, WentBack};
use super::{DamagedEvent, Recorded};
use crate::postgres::{GenericClient, PgError, PoolClient, Rows, Transaction};

const HEAD: &str = "select coalesce(max(position), 0) from event_log.events";
const PAGE: &str = include_str!("page.sql");
const STREAM: &str = include_str!("stream.sql");
const AT: &str = include_str!("at.sql");
const NEWEST_OF_STREAM: &str = include_str!("newest_of_stream.sql");

/// Why the log is not read on.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum FeedError {
    /// The log is dense, so this is damage: nothing may be read past it.
    #[error("the log has a hole: position {at} is missing")]
    Hole { at: i64 },
    /// Nothing may be read past it either.
    #[error(transparent)]
    Damaged(#[from] DamagedEvent),
    #[error(transparent)]
    WentBack(#[from] WentBack),
    #[error(transparent)]
    Postgres(#[from] PgError),
}

impl From<CompareError> for FeedError {
    fn from(error: CompareError) -> Self {
        match error {
            CompareError::WentBack(why) => Self::WentBack(why),
            CompareError::Hole { at } => Self::Hole { at },
            error @ (CompareError::Postgres(_) | CompareError::Standby) => {
                Self::Postgres(error.into())
            }
        }
    }
}

impl From<tokio_postgres::Error> for FeedError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error.into())
    }
}

/// The log as readers see it: always a prefix, without a hole.
pub struct Feed<'a> {
    rows: Rows<'a>,
    after: i64,
}

impl<'a> Feed<'a> {
    /// The last position of the log; 0 when it is empty.
    pub async fn head(client: &impl GenericClient) -> Result<i64, FeedError> {
        let head = client.prepare_cached(HEAD).await?;
        Ok(client.query_one(&head, &[]).await?.try_get(0)?)
    }

    /// At most `limit` events, from `after + 1` on.
    pub async fn page(
        client: &impl GenericClient,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Recorded>, FeedError> {
        let page = client.prepare_cached(PAGE).await?;
        let rows = client.query(&page, &[&after, &limit]).await?;
        let mut expected = after;
        rows.into_iter()
            .map(|row| {
                expected += 1;
                dense(row.try_into()?, expected)
            })
            .collect()
    }

    /// The events at these positions, which rise. Other partitions of the log than theirs are not read.
    ///
    /// # Errors
    /// [`FeedError::Hole`] where the log lacks one of them.
    pub async fn at(client: &PoolClient, positions: &[i64]) -> Result<Vec<Recorded>, FeedError> {
        if positions.is_empty() {
            return Ok(Vec::new());
        }
        // Planned anew each time: partitions are left out of a plan by the positions themselves.
        let rows = client.query_typed(AT, &[(&positions, Type::INT8_ARRAY)]).await?;
        let mut rows = rows.into_iter();
        let found = positions.iter().map(|at| match rows.next() {
            Some(row) => dense(row.try_into()?, *at),
            None => Err(FeedError::Hole { at: *at }),
        });
        found.collect()
    }

    /// The newest events of these types in a stream, the newest first: at most `limit` of them. No event
    /// without one of these `versions` is looked at.
    ///
    /// # Errors
    /// [`FeedError`].
    pub async fn newest_of(
        client: &PoolClient,
        (stream, types): (Uuid, &[&str]),
        versions: Range<i64>,
        limit: i64,
    ) -> Result<Vec<Recorded>, FeedError> {
        Self::newest_between(client, (stream, types), versions, (None, None), limit).await
    }

    /// The same, of those that were recorded at a time or later, and before another one.
    ///
    /// # Errors
    /// [`FeedError`].
    pub async fn newest_between(
        client: &PoolClient,
        (stream, types): (Uuid, &[&str]),
        versions: Range<i64>,
        (since, until): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
        limit: i64,
    ) -> Result<Vec<Recorded>, FeedError> {
        let values: [(&(dyn ToSql + Sync), Type); 7] = [
            (&stream, Type::UUID),
            (&types, Type::TEXT_ARRAY),
            (&versions.start, Type::INT8),
            (&versions.end, Type::INT8),
            (&limit, Type::INT8),
            (&since, Type::TIMESTAMPTZ),
            (&until, Type::TIMESTAMPTZ),
        ];
        let rows = client.query_typed(NEWEST_OF_STREAM, &values).await?;
        let positions: Result<Vec<i64>, _> = rows.iter().rev().map(|row| row.try_get(0)).collect();
        let mut found = Self::at(client, &positions?).await?;
        found.reverse();
        Ok(found)
    }

    /// Every event after `after` up to and with `through`, in constant memory: for replays, in a
    /// transaction without a time limit.
    pub async fn stream(
        tx: &'a Transaction<'_>,
        after: i64,
        through: i64,
    ) -> Result<Self, FeedError> {
        let stream = tx.prepare(STREAM).await?;
        let rows = tx.query_raw(&stream, [after, through]).await?;
        Ok(Self { rows, after })
    }
}

impl Stream for Feed<'_> {
    type Item = Result<Recorded, FeedError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.rows).poll_next(context).map(|next| {
            next.map(|row| {
                self.after += 1;
                dense(row?.try_into()?, self.after)
            })
        })
    }
}

fn dense(event: Recorded, expected: i64) -> Result<Recorded, FeedError> {
    if event.position() == expected { Ok(event) } else { Err(FeedError::Hole { at: expected }) }
}

#[cfg(test)]
mod tests {
    use test_support::{Databases, databases};

    use super::*;
    use crate::postgres::{ConnectOptions, Pool, connect, connect_one};

    /// Two partitions of ten positions, and one without an end in sight.
    const FILL: &str = "
        drop table event_log.events_1;
        select event_log.create_partition(1, 10), event_log.create_partition(11, 20),
          event_log.create_partition(21, 1000);
        insert into event_log.events (position, tenant_id, stream_type, stream_id, version, event_id,
          event_type, schema_version, data, subjects, recorded_at)
        select n, gen_random_uuid(), 'tally', gen_random_uuid(), 1, gen_random_uuid(), 'tally.added', 1,
          '{}', '{}', now()
        from generate_series(1, 25) n";

    async fn filled() -> (Databases, Pool) {
        let databases = databases().await.unwrap();
        let owner = connect_one(&databases.log_url, &ConnectOptions::unlimited()).await.unwrap();
        owner.batch_execute(FILL).await.unwrap();
        let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
        (databases, pool)
    }

    #[tokio::test]
    async fn the_events_at_given_positions_are_read_from_their_partitions_only() {
        let (_databases, pool) = filled().await;
        let client = pool.get().await.unwrap();
        let positions: &[i64] = &[3, 4, 25];

        let events = Feed::at(&client, positions).await.unwrap();

        assert_eq!(events.iter().map(Recorded::position).collect::<Vec<_>>(), positions);
        let explain = format!("explain {AT}");
        let plan = client.query_typed(&explain, &[(&positions, Type::INT8_ARRAY)]).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        let of = |partition: &str| plan.contains(&format!("on {partition} "));
        assert!(of("events_1") && of("events_21") && !of("events_11"), "{plan}");
    }

    #[tokio::test]
    async fn an_event_that_the_log_lacks_is_a_hole_and_not_passed_over() {
        let (_databases, pool) = filled().await;
        let client = pool.get().await.unwrap();
        let at = async |positions: &[i64]| Feed::at(&client, positions).await.map(|it| it.len());

        assert_eq!(at(&[]).await.unwrap(), 0);
        assert!(matches!(at(&[1, 26]).await, Err(FeedError::Hole { at: 26 })));
    }

    #[tokio::test]
    async fn the_newest_of_a_stream_are_looked_for_among_the_versions_that_are_named_only() {
        const EVENTS: i64 = 5_000;
        let databases = databases().await.unwrap();
        let owner = connect_one(&databases.log_url, &ConnectOptions::unlimited()).await.unwrap();
        let stream = Uuid::from_u128(7);
        let fill = format!(
            "insert into event_log.events (position, tenant_id, stream_type, stream_id, version, event_id,
              event_type, schema_version, data, subjects, recorded_at)
            select n, '{stream}', 'tally', '{stream}', n, gen_random_uuid(),
              case when n in (7, 9) then 'tally.reset' else 'tally.added' end, 1, '{{}}', '{{}}', now()
            from generate_series(1, {EVENTS}) n; analyze event_log.events"
        );
        owner.batch_execute(&fill).await.unwrap();
        let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
        let client = pool.get().await.unwrap();
        let newest = async |versions, limit| {
            let found = Feed::newest_of(&client, (stream, &["tally.reset"]), versions, limit).await;
            found.unwrap().iter().map(Recorded::version).collect::<Vec<_>>()
        };

        assert_eq!(newest(0..i64::MAX, 1).await, [9]);
        assert_eq!(newest(7..9, 9).await, [7]);
        assert!(newest(10..i64::MAX, 9).await.is_empty());

        let walked = async |after: i64| {
            let of = format!("'{stream}', '{{tally.reset}}', {after}, {}, 1, null, null", i64::MAX);
            let name = format!("newest_{after}");
            let types = "uuid, text[], bigint, bigint, bigint, timestamptz, timestamptz";
            let prepare = format!("prepare {name} ({types}) as ");
            owner.batch_execute(&(prepare + NEWEST_OF_STREAM)).await.unwrap();
            let explain = format!("explain (analyze, costs off) execute {name} ({of})");
            let plan = owner.query(&explain, &[]).await.unwrap();
            let lines = plan.iter().map(|row| row.get::<_, String>(0));
            let removed = lines.filter_map(|line| {
                line.split_once("Rows Removed by Filter: ")?.1.parse::<i64>().ok()
            });
            removed.sum::<i64>()
        };
        assert!(walked(0).await > EVENTS / 2, "the control");
        assert!(walked(EVENTS - 10).await <= 11);
    }
}
