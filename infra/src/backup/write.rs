//! Writes a backup.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use super::manifest::{DUMP, Manifest, digest};
use super::{BackupError, Tools};
use crate::accounts::User;
use crate::installation;
use crate::postgres::{ConnectOptions, DatabaseUrl, connect_one};

/// One snapshot for the dump and for what is said of it.
const BEGIN: &str = "begin isolation level repeatable read read only";
const READ: &str = include_str!("read_end.sql");
/// How often it is said how far the dump is.
const SAY_EVERY: Duration = Duration::from_millis(500);

/// Writes a backup of the events' database into a new folder, while nodes work. It holds the oldest
/// snapshot meanwhile, as every dump does. `data`: the data folder of a private server; `say` gets
/// the size of the dump so far.
///
/// # Errors
/// [`BackupError`]. What is left in the folder has no manifest, and is no backup.
pub async fn back_up(
    url: &DatabaseUrl,
    data: Option<&Path>,
    folder: &Path,
    say: impl Fn(u64),
) -> Result<Manifest, BackupError> {
    let client = connect_one(url, &ConnectOptions::unlimited()).await?;
    client.batch_execute(BEGIN).await?;
    let row = client.query_one(READ, &[]).await?;
    let server: i32 = row.try_get("server")?;
    let snapshot: String = row.try_get("snapshot")?;
    let installation = installation::of_log(&client).await?;
    let tools = Tools::find(data, server / 10_000, url)?;
    make(folder)?;
    let dump = folder.join(DUMP);
    // Whatever the umask is: `pg_dump` writes into the file that is there.
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&dump);
    made.map_err(|reason| BackupError::File { path: dump.clone(), reason })?;
    let mut command = tools.command("pg_dump", url);
    command.args(["--format=custom", "--snapshot"]).arg(&snapshot);
    command.arg("--file").arg(&dump).stderr(Stdio::piped());
    let mut running = tokio::task::spawn_blocking(move || command.output());
    let output = loop {
        tokio::select! {
            ended = &mut running => break ended,
            () = tokio::time::sleep(SAY_EVERY) => {
                say(std::fs::metadata(&dump).map_or(0, |found| found.len()));
            }
        }
    };
    let failed = |reason: String| BackupError::Failed { name: "pg_dump", reason };
    let output = output.map_err(|error| failed(error.to_string()))?;
    let output = output.map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(super::restore::last_line(&output.stderr)));
    }
    File::open(&dump)
        .and_then(|file| file.sync_all())
        .map_err(|reason| BackupError::File { path: dump.clone(), reason })?;
    let (bytes, sha256) = digest(&dump)?;
    let manifest = Manifest {
        format: Manifest::FORMAT,
        lethe: env!("CARGO_PKG_VERSION").to_owned(),
        installation,
        postgres: row.try_get("version")?,
        schema: row.try_get("schema")?,
        at: row.try_get("at")?,
        position: row.try_get("position")?,
        event_id: row.try_get("event_id")?,
        bytes,
        sha256,
    };
    manifest.write(folder)?;
    Ok(manifest)
}

/// A new folder, which its owner alone can read, or one that is empty, as it is.
fn make(folder: &Path) -> Result<(), BackupError> {
    let failed = |reason| BackupError::File { path: folder.to_owned(), reason };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    if std::fs::read_dir(folder).map_err(failed)?.next().is_some() {
        return Err(BackupError::NotEmpty(folder.to_owned()));
    }
    let found = std::fs::metadata(folder).map_err(failed)?;
    match User::of_this_process() {
        Some(me) if !me.shares_writing(&found) => Ok(()),
        _ => Err(BackupError::Open(folder.to_owned())),
    }
}
