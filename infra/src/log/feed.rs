//! The log from a position on, page by page or as one stream; a missing position stops it.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;

use super::watermark::{CompareError, WentBack};
use super::{DamagedEvent, Recorded};
use crate::postgres::{GenericClient, PgError, PoolClient, Rows};

const HEAD: &str = "select coalesce(max(position), 0) from event_log.events";
const PAGE: &str = include_str!("page.sql");
const STREAM: &str = include_str!("stream.sql");

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

    /// Every event after `after` up to and with `through`, in constant memory: for replays and
    /// exports, on a connection without a time limit.
    pub async fn stream(
        client: &'a PoolClient,
        after: i64,
        through: i64,
    ) -> Result<Self, FeedError> {
        let stream = client.prepare(STREAM).await?;
        let rows = client.query_raw(&stream, [after, through]).await?;
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
