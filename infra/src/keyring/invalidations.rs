//! The list of invalidated keys, which every node reads: it must not use them from memory.

use crate::postgres::{GenericClient, PoolClient};
use chrono::{DateTime, TimeDelta, Utc};
use tokio_postgres::Row;

use super::KeyringError;
use super::key::{KeyColumns, KeyId};

const APPEND: &str = include_str!("sql/append_invalidations.sql");
const LIST: &str = include_str!("sql/list_invalidations.sql");
const DELETE_OLD: &str = "delete from keyring.invalidations where invalidated_at < $1";
/// Nodes read the list every third of a second; one that is further behind evicts everything.
const KEPT: TimeDelta = TimeDelta::days(2);

/// Adds keys to the list. Call it last in the transaction: its lock is held until the commit.
pub(super) async fn append(
    client: &impl GenericClient,
    keys: &[KeyId],
    now: DateTime<Utc>,
) -> Result<(), KeyringError> {
    if keys.is_empty() {
        return Ok(());
    }
    let KeyColumns { kinds, subjects, classes, numbers } = KeyColumns::of(keys);
    client.execute(APPEND, &[&kinds, &subjects, &classes, &numbers, &now]).await?;
    Ok(())
}

/// What a renewal of the lease reads.
pub(super) struct Invalidations {
    /// The list's last number.
    pub last: i64,
    /// The keys after the number that was asked for. `None`: the list does not reach back to it; then
    /// discard every key in memory.
    pub invalidated: Option<Vec<KeyId>>,
    /// The last file of the copy that was begun.
    pub file: i64,
}

/// The list after the entry `after`.
pub(super) async fn read(client: &PoolClient, after: i64) -> Result<Invalidations, KeyringError> {
    let statement = client.prepare_cached(LIST).await?;
    let rows = client.query(&statement, &[&after]).await?;
    let first = rows.first().ok_or(KeyringError::Damaged)?;
    if first.try_get("standby")? {
        return Err(KeyringError::Standby);
    }
    let last = first.try_get("last")?;
    Ok(Invalidations {
        last,
        file: first.try_get("file")?,
        invalidated: since(&rows, after, last)?,
    })
}

fn since(rows: &[Row], after: i64, last: i64) -> Result<Option<Vec<KeyId>>, KeyringError> {
    if last == after {
        return Ok(Some(Vec::new()));
    }
    let first: Option<i64> = rows.first().map(|row| row.try_get("sequence")).transpose()?.flatten();
    if first != Some(after + 1) {
        return Ok(None);
    }
    rows.iter().map(KeyId::from_row).collect::<Result<_, _>>().map(Some)
}

/// Deletes entries that no node needs any more.
pub(super) async fn delete_old(
    client: &impl GenericClient,
    now: DateTime<Utc>,
) -> Result<(), KeyringError> {
    let delete = client.prepare_cached(DELETE_OLD).await?;
    client.execute(&delete, &[&(now - KEPT)]).await?;
    Ok(())
}
