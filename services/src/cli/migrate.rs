//! `lethe migrate`: brings both databases up to date.

use clap::Args;
use infra::postgres::Migrated;

use super::{CliError, terminal::say};
use crate::config::Config;
use crate::databases::Databases;

#[derive(Args)]
pub struct MigrateArgs {
    /// Migrate even if nodes of an older version run that cannot work afterwards.
    #[arg(long)]
    force: bool,
}

pub async fn run(config: &Config, args: MigrateArgs) -> Result<(), CliError> {
    let databases = Databases::reach(config).await?;
    let migrated = databases.migrate(args.force).await;
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
