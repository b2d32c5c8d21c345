//! Puts a backup in the place of the events' database.

use std::path::Path;
use std::process::Stdio;

use super::manifest::{DUMP, Manifest};
use super::{BackupError, Tools};
use crate::postgres::{
    ConnectOptions, DatabaseUrl, connect_one, create_database, database_exists, migrate_log,
};

const READ_END: &str = "select coalesce(max(position), 0) from event_log.events";
const READ_EVENT: &str = "select event_id from event_log.events where position = $1";
const READ_SERVER: &str = "select current_setting('server_version_num')::int";
/// Has every server that was not set up otherwise.
const MAINTENANCE: &str = "postgres";

/// What is where a backup is to be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreTarget {
    /// No database, or one without events.
    Empty,
    /// A database with events up to this position.
    Events(i64),
}

/// What is in the events' database now.
///
/// # Errors
/// The database does not answer.
pub async fn target(url: &DatabaseUrl) -> Result<RestoreTarget, BackupError> {
    if !database_exists(url).await? {
        return Ok(RestoreTarget::Empty);
    }
    let client = connect_one(url, &ConnectOptions::default()).await?;
    let has_log = "select to_regclass('event_log.events') is not null";
    if !client.query_one(has_log, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(RestoreTarget::Empty);
    }
    Ok(match client.query_one(READ_END, &[]).await?.try_get(0)? {
        0 => RestoreTarget::Empty,
        position => RestoreTarget::Events(position),
    })
}

/// Restores a backup in place of the events' database of this URL. The backup is read completely, and
/// restored into a database of its own beside it, before the earlier one is dropped. No node may run.
/// `data`: the data folder of a private server.
///
/// # Errors
/// [`BackupError`]: the earlier database is as it was.
pub async fn restore(
    url: &DatabaseUrl,
    data: Option<&Path>,
    folder: &Path,
) -> Result<Manifest, BackupError> {
    let from = folder.to_owned();
    let verified = tokio::task::spawn_blocking(move || Manifest::verify(&from)).await;
    let manifest = verified.map_err(|error| failed(error.to_string()))??;
    // Also makes the roles to which a dump grants rights.
    create_database(url).await?;
    migrate_log(url).await?;
    let name = url.database().unwrap_or_default().to_owned();
    let beside = url.with_database(&format!("{name}_restoring"));
    let admin = connect_one(&url.with_database(MAINTENANCE), &ConnectOptions::unlimited()).await?;
    let server: i32 = admin.query_one(READ_SERVER, &[]).await?.try_get(0)?;
    let tools = Tools::find(data, server / 10_000)?;
    // An earlier restore may have been interrupted.
    let other = quoted(beside.database().unwrap_or_default());
    admin.batch_execute(&format!("drop database if exists {other}")).await?;
    create_database(&beside).await?;
    let mut command = tools.command("pg_restore", &beside);
    command.args(["--exit-on-error", "--single-transaction", "--dbname"]);
    command.arg(beside.database().unwrap_or_default());
    command.arg(folder.join(DUMP)).stderr(Stdio::piped());
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let output = output.map_err(|error| failed(error.to_string()))?;
    let output = output.map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(last_line(&output.stderr)));
    }
    compare(&beside, &manifest, folder).await?;
    let name = quoted(&name);
    admin.batch_execute(&format!("drop database {name}")).await?;
    admin.batch_execute(&format!("alter database {other} rename to {name}")).await?;
    Ok(manifest)
}

/// That what was restored is what the manifest says.
async fn compare(
    restored: &DatabaseUrl,
    manifest: &Manifest,
    folder: &Path,
) -> Result<(), BackupError> {
    let client = connect_one(restored, &ConnectOptions::unlimited()).await?;
    let position: i64 = client.query_one(READ_END, &[]).await?.try_get(0)?;
    let event = client.query_opt(READ_EVENT, &[&position]).await?;
    let event = event.map(|row| row.try_get(0)).transpose()?;
    if (position, event) == (manifest.position, manifest.event_id) {
        return Ok(());
    }
    let reason = format!("the log ends at {position}, and the manifest says {}", manifest.position);
    Err(BackupError::Changed { path: folder.join(DUMP), reason })
}

fn failed(reason: String) -> BackupError {
    BackupError::Failed { name: "pg_restore", reason }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The last thing that a programme complained of: it names tables, and no value of a row.
pub(super) fn last_line(errors: &[u8]) -> String {
    let errors = String::from_utf8_lossy(errors);
    let says = |line: &&str| line.contains("error:") || line.contains("fatal:");
    let line = errors.lines().find(says).or_else(|| errors.lines().last());
    line.unwrap_or("it said nothing").to_owned()
}
