//! `lethe migrate`: brings both databases up to date.

use infra::postgres::Migrated;

use super::{CliError, terminal::say};
use crate::config::Config;
use crate::databases::Databases;

pub async fn run(config: &Config) -> Result<(), CliError> {
    let databases = Databases::reach(config).await?;
    let migrated = databases.migrate().await;
    databases.close().await;
    for Migrated { migrations, functions } in migrated? {
        for name in migrations {
            say(format!("migrated {name}"));
        }
        for name in functions {
            say(format!("applied the function {name}"));
        }
    }
    say("both databases are up to date");
    Ok(())
}
