//! What is where a backup is to be restored, and what is never dropped.

use tokio_postgres::Client;

use super::BackupError;
use super::restore::READ_END;
use crate::postgres::{ConnectOptions, DatabaseUrl, connect_one, database_exists};

const READ_TARGET: &str = include_str!("read_target.sql");
/// The first migration of the events' database.
const IS_LETHES: &str = "select exists (select from refinery_schema_history
where version = 1 and name = 'event_log')";
/// What PostgreSQL keeps of a name.
const NAME_BYTES_MAX: usize = 63;

/// The databases beside the events' one during a restore.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub live: String,
    /// Into which the backup is restored.
    pub restoring: String,
    /// The earlier one, once the restored one has its name.
    pub before: String,
}

impl Names {
    pub fn of(url: &DatabaseUrl) -> Result<Self, BackupError> {
        let live = url.database().unwrap_or_default().to_owned();
        let restoring = format!("{live}_restoring");
        // A longer one is cut off, and would be the name of the live database again.
        if restoring.len() > NAME_BYTES_MAX {
            let most = NAME_BYTES_MAX - (restoring.len() - live.len());
            return Err(BackupError::LongName { name: live, most });
        }
        Ok(Self { before: format!("{live}_before"), restoring, live })
    }
}

/// Refuses a database that a restore may not replace: one with tables of others, and, unless
/// `overwrite` is true, one that Lethe has migrated. One without tables is free.
///
/// # Errors
/// [`BackupError::NotLethes`], [`BackupError::HasLog`], [`BackupError::LongName`]; the database does
/// not answer.
pub async fn refuse_target(url: &DatabaseUrl, overwrite: bool) -> Result<(), BackupError> {
    Names::of(url)?;
    if !database_exists(url).await? {
        return Ok(());
    }
    let client = connect_one(url, &ConnectOptions::default()).await?;
    let row = client.query_one(READ_TARGET, &[]).await?;
    if !row.try_get::<_, bool>("has_tables")? {
        return Ok(());
    }
    if !row.try_get::<_, bool>("has_history")? || !is_lethes(&client).await? {
        return Err(BackupError::NotLethes(url.to_string()));
    }
    if overwrite {
        return Ok(());
    }
    let position = if row.try_get("has_log")? {
        client.query_one(READ_END, &[]).await?.try_get(0)?
    } else {
        0
    };
    Err(BackupError::HasLog { url: url.to_string(), position })
}

async fn is_lethes(client: &Client) -> Result<bool, BackupError> {
    Ok(client.query_one(IS_LETHES, &[]).await?.try_get(0)?)
}
