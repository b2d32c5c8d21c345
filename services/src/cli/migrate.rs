//! `lethe migrate`: brings both databases up to date.

use clap::Args;
use infra::postgres::Migrated;

use super::{CliError, terminal::say};
use crate::config::Config;
use crate::databases::Databases;
use crate::installation;
use crate::wiring::{self, Creation};

#[derive(Args)]
pub struct MigrateArgs {
    /// Migrate even if nodes of an older version run that cannot work afterwards.
    #[arg(long)]
    force: bool,
}

pub async fn run(config: &Config, args: MigrateArgs) -> Result<(), CliError> {
    let databases = Databases::reach(config).await?;
    let migrated = migrate(config, &databases, args.force).await;
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

/// A new keyring gets its first root key, too: `lethe api` and `lethe work` make none.
async fn migrate(
    config: &Config,
    databases: &Databases,
    force: bool,
) -> Result<[Migrated; 2], CliError> {
    let migrated = databases.migrate(force).await?;
    installation::open(databases, Creation::All).await?;
    let pool = wiring::keyring_pool(config, databases).await?;
    wiring::create_first_root(config, pool).await?;
    Ok(migrated)
}
