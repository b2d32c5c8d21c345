//! What whoever restores a log, or deals with a restore, says to the others in the keyring's database.

use chrono::{DateTime, Utc};
use tokio_postgres::Client;

use crate::postgres::{ConnectOptions, DatabaseUrl, PgError, Pool, connect_one};
use crate::statement::{execute, query_opt};

/// The log was restored, or the keyring: what the log has lost is not known.
pub(crate) const NOTE_RESTORE: &str = include_str!("note_restore.sql");
const TAKE_BACK_NOTE: &str = include_str!("take_back_note.sql");
const LOCK: &str = "select pg_advisory_lock(hashtextextended('lethe.restore', 0))";

/// A note that a log is restored, for whoever takes it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoreNote(DateTime<Utc>);

/// Writes down that a log is restored, by whoever restores it: the next start does what a restore needs. Where
/// no row says what the log was, always; else if the `known` log is taken away, and not one beside it. `None`:
/// nothing was written, or another restore was noted before.
///
/// # Errors
/// The keyring's database does not answer.
pub async fn note_restore(keyring: &Pool, known: bool) -> Result<Option<RestoreNote>, PgError> {
    let Some(row) = query_opt(keyring, NOTE_RESTORE, &[&known]).await? else { return Ok(None) };
    let was_noted: bool = row.try_get("was_noted")?;
    Ok(if was_noted { None } else { Some(RestoreNote(row.try_get("noticed_at")?)) })
}

/// The log was not restored after all. Nothing is changed once a start has begun to deal with it.
///
/// # Errors
/// The keyring's database does not answer: the next start does what a restore needs.
pub async fn take_back_note(keyring: &Pool, note: RestoreNote) -> Result<(), PgError> {
    execute(keyring, TAKE_BACK_NOTE, &[&note.0]).await.map(drop)
}

/// Waits until no other start deals with a restore, and keeps others waiting until the client is dropped.
///
/// # Errors
/// The keyring's database does not answer.
pub async fn lock_restores(keyring: &DatabaseUrl) -> Result<Client, PgError> {
    let patient = ConnectOptions { application: "lethe restore", ..ConnectOptions::unlimited() };
    let client = connect_one(keyring, &patient).await?;
    client.batch_execute(LOCK).await?;
    Ok(client)
}
