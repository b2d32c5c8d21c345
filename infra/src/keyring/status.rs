//! The state of the keyring, for metrics and operators.

use chrono::{DateTime, Utc};
use tokio_postgres::Row;

use super::{KeyringError, RootId};
use crate::postgres::Pool;

/// `None` for a time of the future: a clock that ran ahead has written it.
const READ_COPY_AGE: &str = "select extract(epoch from clock_timestamp() - complete_at)::float8
from keyring.copy where complete_at <= clock_timestamp() + interval '1 minute'";

/// How long ago the copy of the keyring had every change, in seconds; `None`: that is not known. `pool` leads to the
/// keyring's database.
///
/// # Errors
/// [`KeyringError::Database`].
pub async fn copy_age(pool: &Pool) -> Result<Option<f64>, KeyringError> {
    let client = pool.get().await?;
    let statement = client.prepare_cached(READ_COPY_AGE).await?;
    let row = client.query_opt(&statement, &[]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Counts and ages. Holds no key and no subject.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyringStatus {
    /// Keys that are not erased. From 1,000 on an estimate, as are those that are erased.
    pub live: i64,
    /// Keys that are erased.
    pub erased: i64,
    /// Live keys that are under a root key itself, from before there were shard keys. From 1,000 on an estimate.
    pub under_roots: i64,
    /// Shard keys under which new keys come.
    pub live_shards: i64,
    /// Shard keys that are replaced when their root is, since a key of theirs is erased, or may be lost.
    pub tainted_shards: i64,
    /// The root under which shard keys are wrapped.
    pub root: RootId,
    /// Since when.
    pub root_since: DateTime<Utc>,
    /// Old roots that their escrow's recipient could still open.
    pub escrowed: i64,
    /// The generation of the blind index under which new addresses are reserved.
    pub email_generation: i64,
    /// When that generation was made.
    pub email_generation_since: DateTime<Utc>,
    /// The age of the copy of the keyring, in seconds: how long ago it had every change. `None`: it
    /// was never complete.
    pub copy_seconds: Option<f64>,
}

impl KeyringStatus {
    pub(super) const READ: &str = include_str!("sql/read_status.sql");

    pub(super) fn from_row(row: &Row) -> Result<Self, KeyringError> {
        Ok(Self {
            live: row.try_get("live")?,
            erased: row.try_get("destroyed")?,
            under_roots: row.try_get("under_roots")?,
            live_shards: row.try_get("live_shards")?,
            tainted_shards: row.try_get("tainted_shards")?,
            root: RootId(row.try_get("root_id")?),
            root_since: row.try_get("current_at")?,
            escrowed: row.try_get("escrowed")?,
            email_generation: row.try_get("generation")?,
            email_generation_since: row.try_get("generation_at")?,
            copy_seconds: row.try_get("copy_seconds")?,
        })
    }
}
