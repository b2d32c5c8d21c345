//! Puts a backup in the place of the events' database.

use std::path::Path;
use std::process::Stdio;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::BackupError::Uncertain;
use super::manifest::{DUMP, Manifest};
use super::target::{Names, refuse_target};
use super::{BackupError, Tools, sessions};
use crate::log::watermark::{note_restore, take_back_note};
use crate::postgres::{
    ConnectOptions, DatabaseUrl, Pool, connect_one, create_database, database_exists, live_nodes,
    migrate_log,
};

pub(super) const READ_END: &str = "select coalesce(max(position), 0) from event_log.events";
const READ_EVENT: &str = "select event_id from event_log.events where position = $1";
const READ_SERVER: &str = "select current_setting('server_version_num')::int";
const READ_MARK: &str =
    "select shobj_description(oid, 'pg_database') from pg_database where datname = $1";
/// The comment on a database that a restore may drop.
pub(super) const MARK: &str = "Made by lethe restore, which drops it.";
/// How often the names are changed when somebody connects meanwhile.
const TRIES: u32 = 3;
/// Has every server that was not set up otherwise.
const MAINTENANCE: &str = "postgres";

/// Where a restore is noted, last before the restored database takes its place: its next start does what a
/// restore needs.
#[derive(Clone, Copy, Debug)]
pub struct Noting<'a> {
    /// The keyring's database.
    pub keyring: &'a Pool,
    /// The log that is dropped is the one that the nodes of this keyring know.
    pub known: bool,
}

/// Restores a backup in place of the events' database of this URL. It is restored into a database of
/// its own beside it, which takes the place of the earlier one in one transaction. No node may run.
/// `data`: the data folder of a private server; `manifest`: as [`Manifest::verify`] read it;
/// `overwrite`: an earlier database of Lethe may be dropped.
///
/// # Errors
/// [`BackupError`]: the earlier database is as it was, and nothing is noted. Of [`BackupError::Uncertain`] neither
/// is known.
pub async fn restore(
    url: &DatabaseUrl,
    data: Option<&Path>,
    folder: &Path,
    manifest: &Manifest,
    overwrite: bool,
    noting: Option<Noting<'_>>,
) -> Result<(), BackupError> {
    refuse_target(url, overwrite).await?;
    let names = Names::of(url)?;
    let beside = url.with_database(&names.restoring);
    let admin = url.with_database(MAINTENANCE);
    let mut admin = connect_one(&admin, &ConnectOptions::unlimited()).await?;
    let server: i32 = admin.query_one(READ_SERVER, &[]).await?.try_get(0)?;
    let tools = Tools::find(data, server / 10_000, url)?;
    sessions::refuse_lasting(&admin, &names.live).await?;
    drop_marked(&admin, &names.before).await?;
    make_marked(&admin, &beside, &names.restoring).await?;
    let mut note = None;
    let restored = async {
        // Makes the roles to which a dump grants rights.
        migrate_log(&beside).await?;
        make_marked(&admin, &beside, &names.restoring).await?;
        read_dump(&tools, &beside, folder).await?;
        compare(&beside, manifest, folder).await?;
        // It took a while.
        refuse_target(url, overwrite).await?;
        refuse_nodes(url).await?;
        if let Some(Noting { keyring, known }) = noting {
            note = note_restore(keyring, known).await?;
        }
        swap(&mut admin, &names).await
    };
    let restored = restored.await;
    let is_as_it_was = restored.as_ref().is_err_and(|error| !matches!(error, Uncertain(_)));
    if let (true, Some(note), Some(noting)) = (is_as_it_was, note, noting)
        && let Err(error) = take_back_note(noting.keyring, note).await
    {
        tracing::warn!(%error, "a restore is noted that was not done: the next start does what a restore needs");
    }
    if restored.is_err()
        && let Err(error) = drop_marked(&admin, &names.restoring).await
    {
        // The next restore drops it, and `lethe doctor` names it.
        tracing::warn!(database = names.restoring, %error, "what was restored so far is not dropped");
    }
    restored
}

async fn read_dump(tools: &Tools, into: &DatabaseUrl, folder: &Path) -> Result<(), BackupError> {
    let mut command = tools.command("pg_restore", into);
    command.args(["--exit-on-error", "--single-transaction", "--dbname"]);
    command.arg(into.database().unwrap_or_default());
    command.arg(folder.join(DUMP)).stderr(Stdio::piped());
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let output = output.map_err(|error| failed(error.to_string()))?;
    let output = output.map_err(|error| failed(error.to_string()))?;
    if output.status.success() { Ok(()) } else { Err(failed(last_line(&output.stderr))) }
}

async fn refuse_nodes(url: &DatabaseUrl) -> Result<(), BackupError> {
    if !database_exists(url).await? {
        return Ok(());
    }
    let nodes = live_nodes(url).await?;
    if nodes.is_empty() { Ok(()) } else { Err(BackupError::NodesRun(nodes.join("; "))) }
}

/// A new database with this name. An earlier restore may have been interrupted and have left one.
async fn make_marked(admin: &Client, url: &DatabaseUrl, name: &str) -> Result<(), BackupError> {
    drop_marked(admin, name).await?;
    create_database(url).await?;
    admin.batch_execute(&mark(name)).await?;
    Ok(())
}

fn mark(name: &str) -> String {
    format!("comment on database {} is '{MARK}'", quoted(name))
}

/// Drops a database that a restore has made; any other is refused.
pub(super) async fn drop_marked(admin: &Client, name: &str) -> Result<(), BackupError> {
    let Some(row) = admin.query_opt(READ_MARK, &[&name]).await? else { return Ok(()) };
    if row.try_get::<_, Option<&str>>(0)? != Some(MARK) {
        return Err(BackupError::InTheWay(name.to_owned()));
    }
    // `with (force)` would end PostgreSQL's own workers, which takes a superuser.
    let drop = format!("drop database {}", quoted(name));
    for number in 1..=TRIES {
        sessions::end(admin, &[name]).await?;
        match admin.batch_execute(&drop).await {
            Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) && number < TRIES => {}
            dropped => return Ok(dropped?),
        }
    }
    Ok(())
}

/// Gives the restored database the name of the earlier one, which is dropped then. Whoever is connected to one
/// of them is disconnected: PostgreSQL renames no database that is in use.
pub(super) async fn swap(admin: &mut Client, names: &Names) -> Result<(), BackupError> {
    let both = [names.live.as_str(), names.restoring.as_str()];
    for number in 1..=TRIES {
        sessions::end(admin, &both).await?;
        match rename(admin, names).await {
            // A proxy has connected again.
            Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) && number < TRIES => {}
            Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) => {
                return Err(BackupError::InUse(sessions::all(admin, &both).await?.join(", ")));
            }
            Err(error) if error.as_db_error().is_none() => return Err(Uncertain(error.into())),
            renamed => {
                renamed?;
                break;
            }
        }
    }
    if let Err(error) = drop_marked(admin, &names.before).await {
        // The next restore drops it, and `lethe doctor` names it.
        tracing::warn!(database = names.before, %error, "the earlier database is not dropped");
    }
    Ok(())
}

async fn rename(admin: &mut Client, names: &Names) -> Result<(), tokio_postgres::Error> {
    let (live, restoring) = (quoted(&names.live), quoted(&names.restoring));
    let before = quoted(&names.before);
    let transaction = admin.transaction().await?;
    if transaction.query_opt(READ_MARK, &[&names.live]).await?.is_some() {
        let away = format!("alter database {live} rename to {before}; {}", mark(&names.before));
        transaction.batch_execute(&away).await?;
    }
    let take =
        format!("alter database {restoring} rename to {live}; comment on database {live} is null");
    transaction.batch_execute(&take).await?;
    transaction.commit().await
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
