//! A log of a test's own, and readers that follow it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::privacy::{Field, Personal, Sealed, take_apart};
use domain::{AccountId, Event, SealedId};
use infra::log::watermark::Watermark;
use infra::log::{
    Projection, ReadPositions, Reader, ReaderOptions, Readers, Row, RowLookups, Value, status,
};
use infra::metrics::Metrics;
use infra::postgres::{ConnectOptions, Pool, connect, connect_one};
use test_support::{Databases, LIMIT, databases, until};
use tokio::sync::watch;
use uuid::Uuid;

const APPEND: &str = include_str!("append.sql");
const CHECKSUM: &str = "select count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' \
    order by t::text)), '') from {table} t";

pub struct LogHarness {
    pub pool: Pool,
    /// The owner of everything, whom no grant hinders.
    pub admin: tokio_postgres::Client,
    pub databases: Databases,
    head: AtomicI64,
}

impl LogHarness {
    pub async fn new() -> Self {
        let databases = databases().await.unwrap();
        let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
        let admin = connect_one(&databases.log_url, &ConnectOptions::default()).await.unwrap();
        Self { pool, admin, databases, head: AtomicI64::new(0) }
    }

    pub fn head(&self) -> i64 {
        self.head.load(Ordering::SeqCst)
    }

    /// Leaves a hole.
    pub fn skip_a_position(&self) {
        self.head.fetch_add(1, Ordering::SeqCst);
    }

    /// Appends an event whose personal fields are sealed already; answers its position.
    pub async fn record<E: Event>(&self, stream_type: &str, stream: Uuid, event: E) -> i64 {
        self.record_of(stream, (stream_type, stream), event).await
    }

    /// The same, of a tenant whose id is not the stream's.
    pub async fn record_of<E: Event>(
        &self,
        tenant: Uuid,
        stream: (&str, Uuid),
        mut event: E,
    ) -> i64 {
        let sealed = take_apart(&mut event).unwrap();
        let (event_type, version) = event.type_and_version();
        let data = event.encode().unwrap();
        self.insert((tenant, stream), (event_type, version), &data, sealed).await
    }

    /// Appends an event of any shape.
    pub async fn append(
        &self,
        stream_type: &str,
        stream: Uuid,
        event_type: &str,
        schema_version: i16,
        data: &str,
        sealed: Option<Vec<u8>>,
    ) -> i64 {
        let at = (stream, (stream_type, stream));
        self.insert(at, (event_type, schema_version), data, sealed).await
    }

    async fn insert(
        &self,
        (tenant, (stream_type, stream)): (Uuid, (&str, Uuid)),
        (event_type, schema_version): (&str, i16),
        data: &str,
        sealed: Option<Vec<u8>>,
    ) -> i64 {
        let position = self.head.fetch_add(1, Ordering::SeqCst) + 1;
        let event_id = Uuid::from_u128(position.unsigned_abs().into());
        self.admin
            .execute(
                APPEND,
                &[
                    &position,
                    &stream,
                    &stream_type,
                    &event_id,
                    &event_type,
                    &schema_version,
                    &data,
                    &sealed,
                    &time(position),
                    &tenant,
                ],
            )
            .await
            .unwrap();
        position
    }

    pub async fn read(&self, readers: Vec<Reader>) -> Readers {
        self.read_as(options(Uuid::from_u128(1)), readers).await
    }

    /// On a pool of the node's own: a test may kill its connections, and still looks on.
    pub async fn read_as(&self, options: ReaderOptions, readers: Vec<Reader>) -> Readers {
        let pool = connect(&self.databases.log_url, &ConnectOptions::app()).await.unwrap();
        start(pool, options, readers).await
    }

    /// Waits until each of the readers has come as far as the log.
    pub async fn caught_up(&self, readers: &[&str]) {
        until("the readers are at the end of the log", async || {
            let status = status(&self.pool).await.unwrap();
            readers
                .iter()
                .all(|name| status.iter().any(|it| it.name == *name && it.position == self.head()))
        })
        .await;
    }

    /// The row of a key, as its reader has written it.
    pub async fn row<P: Projection>(&self, key: P::Key) -> Option<P::Row> {
        let columns = P::Row::columns();
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let version = if P::VERSION == 1 { String::new() } else { format!("_v{}", P::VERSION) };
        let (columns, table) = (names.join(", "), format!("{}{version}", P::NAME));
        let find = format!("select {columns} from read_models.{table} where {} = $1", names[0]);
        let found = self.admin.query_opt(&find, &[key.sql()]).await.unwrap();
        found.map(|row| P::Row::read(&row).unwrap())
    }

    pub async fn count(&self, sql: &str) -> i64 {
        self.admin.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Every row of a table, whole.
    pub async fn checksum(&self, table: &str) -> String {
        let sql = CHECKSUM.replace("{table}", table);
        self.admin.query_one(&sql, &[]).await.unwrap().get(0)
    }
}

/// Look-ups of rows that a busy machine does not give up.
pub fn lookups<P: Projection>(pool: &Pool) -> RowLookups<P> {
    RowLookups::start(pool.clone(), &Metrics::new().unwrap(), LIMIT)
}

/// Readers of a node; without a wake-up they poll, here often.
pub async fn start(pool: Pool, options: ReaderOptions, readers: Vec<Reader>) -> Readers {
    let (_, wake) = watch::channel(0);
    let metrics = Arc::new(Metrics::new().unwrap());
    let positions = ReadPositions::default();
    Readers::start(pool, wake, readers, options, metrics, positions, Watermark::default())
        .await
        .unwrap()
}

pub const fn options(node: Uuid) -> ReaderOptions {
    let often = Duration::from_millis(20);
    ReaderOptions {
        poll: often,
        checkpoint_delay: often,
        checkpoint_delay_busy: often,
        newest_version,
        ..ReaderOptions::of(node)
    }
}

/// What the programme knows, and the events of `Tally`.
pub fn newest_version(event_type: &str) -> Option<i16> {
    if event_type.starts_with("tally.") { Some(1) } else { domain::newest_version(event_type) }
}

/// The time at which the event of a position is recorded.
pub fn time(position: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::seconds(position)
}

/// Something that only looks sealed: nobody here opens it.
pub fn sealed<F: Field>(words: &str) -> Personal<F> {
    Personal::Sealed(Sealed { id: SealedId(Uuid::nil()), envelope: words.into() })
}

/// How it stands in a read model.
pub fn bytes(words: &str) -> Vec<u8> {
    Sealed { id: SealedId(Uuid::nil()), envelope: words.into() }.to_bytes()
}

pub fn account(number: u128) -> AccountId {
    AccountId(Uuid::from_u128(number))
}
