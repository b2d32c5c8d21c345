//! Migrations: forward only, embedded, one migrating process at a time.

use refinery::Runner;

use super::{ConnectOptions, PgError, connect_one};

mod log {
    refinery::embed_migrations!("../migrations/log");
}

mod keyring {
    refinery::embed_migrations!("../migrations/keyring");
}

/// Brings the events' database up to date. The role of `url` owns what is made; it is not the role
/// that the pool takes on.
pub async fn migrate_log(url: &str) -> Result<(), PgError> {
    migrate(url, log::migrations::runner()).await
}

/// Brings the keyring's database up to date.
pub async fn migrate_keyring(url: &str) -> Result<(), PgError> {
    migrate(url, keyring::migrations::runner()).await
}

async fn migrate(url: &str, runner: Runner) -> Result<(), PgError> {
    // Another node may migrate for minutes, and a migration may take as long.
    let patient = ConnectOptions { application: "lethe migrate", ..ConnectOptions::unlimited() };
    let mut client = connect_one(url, &patient).await?;
    // refinery takes no lock of its own. The lock ends with this connection, whatever happens.
    client.batch_execute(include_str!("lock_migrations.sql")).await?;
    let report = runner.run_async(&mut client).await.map_err(reason)?;
    for migration in report.applied_migrations() {
        tracing::info!(%migration, "migrated");
    }
    client.batch_execute(include_str!("unlock_migrations.sql")).await?;
    Ok(())
}

fn reason(error: refinery::Error) -> PgError {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        if let Some(cause) = cause.downcast_ref::<tokio_postgres::Error>() {
            text = format!("{text}: {}", super::describe(cause));
        }
        source = cause.source();
    }
    PgError::Migration(text)
}
