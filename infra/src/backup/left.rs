//! The databases that an interrupted restore has left.

use super::BackupError;
use super::restore::MARK;
use super::target::Names;
use crate::postgres::{ConnectOptions, DatabaseUrl, connect_one};

const LIST: &str = "select datname::text from pg_database
where datname = any($1) and shobj_description(oid, 'pg_database') = $2 order by datname";

/// The names of the databases that a restore of this events' database has made or replaced, and has not dropped.
/// They have events that no erasure reaches.
///
/// # Errors
/// [`BackupError::LongName`]; the database does not answer.
pub async fn left_databases(log: &DatabaseUrl) -> Result<Vec<String>, BackupError> {
    let Names { restoring, before, .. } = Names::of(log)?;
    let client = connect_one(log, &ConnectOptions::default()).await?;
    let rows = client.query(LIST, &[&vec![restoring, before], &MARK]).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}
