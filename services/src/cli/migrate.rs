//! `lethe migrate`: brings both databases up to date.

use super::{CliError, terminal::say};
use crate::config::Config;
use crate::databases::Databases;

pub async fn run(config: &Config) -> Result<(), CliError> {
    let databases = Databases::reach(config).await?;
    let migrated = databases.migrate().await;
    databases.close().await;
    migrated?;
    say("both databases are up to date");
    Ok(())
}
