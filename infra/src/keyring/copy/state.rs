//! The row of the keyring's database that says where its copy is.

use crate::postgres::{GenericClient, PoolClient};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::super::{KeyringError, RootId};
use super::file::CopyHeader;

const READ: &str = include_str!("sql/read_state.sql");
const BEGIN: &str = include_str!("sql/begin_file.sql");
const GO_ON: &str = "update keyring.copy
set writing_until = clock_timestamp() + make_interval(secs => $2)
where token = $1 and writing_until > clock_timestamp()";
const GIVE_UP: &str = "update keyring.copy set writing_until = null where token = $1";
const COMPLETE: &str = include_str!("sql/complete_file.sql");
const NOTE_COPIED: &str =
    "update keyring.roots set copied = true where root_id = any($1) and state = 'retiring'";
const NOTE_UNCHANGED: &str = "update keyring.copy set complete_at = $2 where number = $1";
const SNAPSHOT: &str = "select pg_current_snapshot()::text, clock_timestamp()";
/// For how long nobody else writes after the last sign of life of a writer.
const WRITING_SECONDS: f64 = 60.0;

#[derive(Clone, Debug)]
pub(super) struct CopyState {
    pub keyring: Uuid,
    pub number: i64,
    token: Option<Uuid>,
    pub written: i64,
    written_token: Option<Uuid>,
    /// It is a minute since the copy was last said to be complete.
    pub is_old: bool,
    /// When this was read, by the clock of the database.
    read_at: DateTime<Utc>,
    /// No later transaction was over then.
    next_transaction: i64,
}

impl CopyState {
    pub async fn read(client: &impl GenericClient) -> Result<Self, KeyringError> {
        let read = client.prepare_cached(READ).await?;
        let row = client.query_one(&read, &[]).await?;
        Ok(Self {
            keyring: row.try_get("keyring")?,
            number: row.try_get("number")?,
            token: row.try_get("token")?,
            written: row.try_get("written")?,
            written_token: row.try_get("written_token")?,
            is_old: row.try_get("is_old")?,
            read_at: row.try_get("read_at")?,
            next_transaction: row.try_get("next_transaction")?,
        })
    }

    /// Whether the database has never begun this file: it was taken back to an earlier state.
    pub fn is_behind(&self, newest: &CopyHeader) -> bool {
        newest.number > self.number
            || newest.number == self.number && Some(newest.token) != self.token
    }

    /// Whether this file is the last that was completed. Where the database was moved to another
    /// server, the numbers of its transactions say nothing of what changed since.
    pub fn is_last(&self, newest: &CopyHeader) -> bool {
        newest.number == self.written
            && Some(newest.token) == self.written_token
            && newest.next_transaction().is_some_and(|next| next <= self.next_transaction)
    }
}

/// The transactions that are committed, in the form of PostgreSQL, and the time of the database.
pub(super) async fn snapshot(
    client: &impl GenericClient,
) -> Result<(String, DateTime<Utc>), KeyringError> {
    let row = client.query_one(SNAPSHOT, &[]).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// The number of the next file. `None`: another node writes.
pub(super) async fn begin(
    client: &impl GenericClient,
    last: i64,
    token: Uuid,
) -> Result<Option<i64>, KeyringError> {
    let row = client.query_opt(BEGIN, &[&last, &token, &WRITING_SECONDS]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Keeps others from writing. `false`: this was paused for so long that they may.
pub(super) async fn go_on(client: &impl GenericClient, token: Uuid) -> Result<bool, KeyringError> {
    Ok(client.execute(GO_ON, &[&token, &WRITING_SECONDS]).await? == 1)
}

pub(super) async fn give_up(client: &impl GenericClient, token: Uuid) -> Result<(), KeyringError> {
    client.execute(GIVE_UP, &[&token]).await?;
    Ok(())
}

/// The file is durable, and holds what replaces these roots. `false`: another node may have written.
pub(super) async fn complete(
    client: &mut PoolClient,
    file: &CopyHeader,
    replaced: &[RootId],
) -> Result<bool, KeyringError> {
    let replaced: Vec<i64> = replaced.iter().map(|root| root.0).collect();
    let transaction = client.transaction().await?;
    if transaction.execute(COMPLETE, &[&file.token, &file.complete_at]).await? == 0 {
        return Ok(false);
    }
    transaction.execute(NOTE_COPIED, &[&replaced]).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Nothing had changed since the last file when the state was read.
pub(super) async fn note_unchanged(
    client: &impl GenericClient,
    state: &CopyState,
) -> Result<(), KeyringError> {
    client.execute(NOTE_UNCHANGED, &[&state.number, &state.read_at]).await?;
    Ok(())
}
