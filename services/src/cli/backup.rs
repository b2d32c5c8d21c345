//! `lethe backup`: a backup of the events' database, while Lethe runs.

use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget};
use infra::backup::{BackupError, Manifest, back_up};

use super::CliError;
use super::folders;
use super::terminal::{say, seconds};
use crate::config::Config;
use crate::databases::Databases;

#[derive(Args)]
pub struct BackupArgs {
    /// A new folder for the backup. The keys are not in it: it is read with the keyring of the day of
    /// its restore.
    folder: PathBuf,
}

pub async fn run(config: &Config, args: BackupArgs) -> Result<(), CliError> {
    folders::refuse_volatile(config, "the backup", &args.folder)?;
    let databases = Databases::existing(config).await?;
    let written = write(config, &databases, args).await;
    databases.close().await;
    written
}

async fn write(config: &Config, databases: &Databases, args: BackupArgs) -> Result<(), CliError> {
    databases.refuse_without_schema().await?;
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let show = |bytes| bar.set_message(format!("{} MiB written", bytes >> 20));
    let data = config.private_data();
    let written = back_up(&databases.direct, data.as_deref(), &args.folder, show).await;
    bar.finish_and_clear();
    let Manifest { position, at, bytes, .. } = written?;
    say(format_args!(
        "{}: {bytes} bytes, events to position {position} as of {}",
        args.folder.display(),
        seconds(at)
    ));
    Ok(())
}

/// What was asked for cannot be done as it was given, or something failed on the way.
impl From<BackupError> for CliError {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Database(_)
            | BackupError::File { .. }
            | BackupError::Uncertain(_)
            | BackupError::Failed { .. } => Self::failed(error),
            BackupError::NotEmpty(_)
            | BackupError::Open(_)
            | BackupError::NoBackup { .. }
            | BackupError::Changed { .. }
            | BackupError::Tool { .. }
            | BackupError::Authorities { .. }
            | BackupError::NotLethes(_)
            | BackupError::HasLog { .. }
            | BackupError::NewerSchema { .. }
            | BackupError::InUse(_)
            | BackupError::LongName { .. }
            | BackupError::InTheWay(_)
            | BackupError::NodesRun(_) => Self::Input(error.to_string()),
        }
    }
}
