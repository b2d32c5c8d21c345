//! `lethe restore`: puts back what a backup, or the copy of the keyring, holds.

use std::path::{Path, PathBuf};

use clap::Args;
use infra::backup::{Manifest, Noting, refuse_target, restore};
use infra::clock::Clock;
use infra::installation;
use infra::keyring::{
    KeyringError, holds_copies, holds_keys, refuse_unreadable_copies, restore_keyring,
};
use infra::log::watermark::{Durable, Known, Watermark};
use infra::postgres::{Pool, create_database, database_exists, keyring_users, live_nodes};

use super::CliError;
use super::terminal::{count, say, seconds};
use crate::config::Config;
use crate::databases::Databases;
use crate::wiring::{self, Creation, WiringError};

#[derive(Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["folder", "keyring"]))]
pub struct RestoreArgs {
    /// The folder of a `lethe backup`, whose events take the place of those in the events' database.
    /// A keyring that is behind its copy is put in place first.
    folder: Option<PathBuf>,
    /// Put the keys of the keyring's copy in place, after a backup of the data directory or of the
    /// keyring's database was restored, or that database was lost. Without a folder the events stay as they
    /// are.
    #[arg(long)]
    keyring: bool,
    /// Restore although there is an events' database of Lethe: it is dropped.
    #[arg(long, requires = "folder")]
    overwrite: bool,
}

pub async fn run(config: &Config, args: RestoreArgs) -> Result<(), CliError> {
    let databases = Databases::for_restore(config, args.keyring).await?;
    let restored = carry_out(config, &databases, &args).await;
    databases.close().await;
    restored
}

async fn carry_out(
    config: &Config,
    databases: &Databases,
    args: &RestoreArgs,
) -> Result<(), CliError> {
    if args.folder.is_some() {
        refuse_target(&databases.direct, args.overwrite).await?;
    }
    refuse_nodes(databases).await?;
    let backup = match &args.folder {
        Some(folder) => Some((folder, verify(folder).await?)),
        None => None,
    };
    let has_events = backup.as_ref().is_some_and(|(_, manifest)| manifest.position > 0);
    let pool = keyring(config, databases, args, has_events).await?;
    if let Some((folder, manifest)) = backup {
        refuse_other_installation(databases, &manifest).await?;
        let data = config.private_data();
        let url = &databases.direct;
        let known = may_be_known(config, databases, &pool).await;
        let noting = Some(Noting { keyring: &pool, known });
        restore(url, data.as_deref(), folder, &manifest, args.overwrite, noting).await?;
        let (position, at) = (manifest.position, seconds(manifest.at));
        say(format_args!("{url}: events to position {position} as of {at} restored"));
    }
    say("start `lethe serve`: before it serves, it erases again who was erased since");
    Ok(())
}

/// Refuses a backup whose events the keyring does not open, and a log of somebody else that would be dropped.
async fn refuse_other_installation(
    databases: &Databases,
    manifest: &Manifest,
) -> Result<(), CliError> {
    let (log, keyring) = (&databases.direct, &databases.keyring);
    if let Some(of) = manifest.installation
        && let Some(own) = installation::of_keyring(keyring).await?
        && of != own
    {
        return Err(CliError::Input(format!(
            "the backup is of installation {of}, and {keyring} is the keyring of {own}, so none of its events \
             would open: correct keyring_url; or name two new databases, and root_dir and copy_dir of the \
             backup's installation, and add --keyring"
        )));
    }
    if installation::is_empty(log).await? {
        return Ok(());
    }
    let by_hand = "To replace it all the same, drop the database by hand";
    if let Err(error) = installation::relate(log, keyring).await {
        return Err(CliError::Input(format!("{log} is not replaced: {error}. {by_hand}")));
    }
    let last = (manifest.position, manifest.event_id);
    if manifest.installation.is_none() && !installation::holds_event(log, last).await? {
        return Err(CliError::Input(format!(
            "the backup does not say of which installation it is, and {log} does not hold its newest event, so \
             it may be of another one. {by_hand}"
        )));
    }
    Ok(())
}

/// Whether the next start has to do what a restore needs: not where another log than that of the nodes of this
/// keyring is replaced, as in a drill. A log that cannot be read may be theirs.
async fn may_be_known(config: &Config, databases: &Databases, keyring: &Pool) -> bool {
    let looked = async {
        if !database_exists(&databases.direct).await? {
            return Ok(false);
        }
        let log = wiring::log_pool(config, databases, None).await?;
        let known = Durable::new(Watermark::default(), log.clone(), keyring.clone()).load().await;
        log.close();
        Ok(known? == Known::Same)
    };
    let looked: Result<bool, CliError> = looked.await;
    looked.unwrap_or_else(|error| {
        tracing::warn!(%error, "the log that is replaced cannot be read, and counts as the one that is known");
        true
    })
}

/// A node would go on with what it has in memory.
async fn refuse_nodes(databases: &Databases) -> Result<(), CliError> {
    let mut nodes = Vec::new();
    if database_exists(&databases.keyring).await? {
        nodes.extend(keyring_users(&databases.keyring).await?);
    }
    if database_exists(&databases.direct).await? {
        nodes.extend(live_nodes(&databases.direct).await?);
    }
    if nodes.is_empty() {
        return Ok(());
    }
    Err(CliError::Input(format!("stop every node first; these run: {}", nodes.join("; "))))
}

/// Puts the keyring of its copy in place if it is behind, and checks that every key has its root.
async fn keyring(
    config: &Config,
    databases: &Databases,
    args: &RestoreArgs,
    has_events: bool,
) -> Result<Pool, CliError> {
    if let Some(copies) = &config.copy_dir {
        refuse_unreadable_copies(copies).await?;
    }
    if !database_exists(&databases.keyring).await? {
        create_keyring(config, databases).await?;
    }
    // A backup has the schema of its time.
    databases.migrate_keyring().await?;
    let pool = wiring::keyring_pool(config, databases).await?;
    let roots = wiring::root_store(config)?;
    let mut nothing = "copy_dir is empty".to_owned();
    match &config.copy_dir {
        None if args.keyring => {
            let reason = "copy_dir is empty, so there is no copy of the keyring to restore";
            return Err(CliError::Input(reason.to_owned()));
        }
        None => {}
        Some(copies) => match restore_keyring(&pool, roots, copies).await {
            Ok(restored) => say(format_args!(
                "{} of the keyring restored from {}, which was complete at {}",
                count(restored.rows, "row", "rows"),
                restored.from.display(),
                seconds(restored.complete_at)
            )),
            // With a folder the same command may be given again after it was interrupted.
            Err(KeyringError::NothingToRestore(reason)) if args.folder.is_some() => {
                nothing = reason;
            }
            Err(error) => return Err(error.into()),
        },
    }
    if has_events && !holds_keys(&pool).await? {
        return Err(CliError::Input(format!(
            "the keyring has no keys, so no event of the backup would open, and {nothing}: restore \
             its database, or set root_dir (or root_vault) and copy_dir to the places of the backup's \
             keyring"
        )));
    }
    match wiring::keyring(config, pool.clone(), Clock::system(), Creation::Nothing).await {
        Err(WiringError::Keyring(KeyringError::NoRoot)) => Err(CliError::Input(
            "the keyring is empty, so no event would open: restore its database, or its copy with \
             `lethe restore --keyring`"
                .to_owned(),
        )),
        started => Ok(started.map(|_| pool)?),
    }
}

/// In the place of one that is lost.
async fn create_keyring(config: &Config, databases: &Databases) -> Result<(), CliError> {
    let copies = config.copy_dir.clone().unwrap_or_default();
    if !holds_copies(&copies).await? {
        let reason = format!("there is no copy of a keyring in {}", copies.display());
        return Err(KeyringError::NothingToRestore(reason).into());
    }
    Ok(create_database(&databases.keyring).await?)
}

async fn verify(folder: &Path) -> Result<Manifest, CliError> {
    let folder = folder.to_owned();
    let verified = tokio::task::spawn_blocking(move || Manifest::verify(&folder)).await;
    Ok(verified.map_err(CliError::failed)??)
}
