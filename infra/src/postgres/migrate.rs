//! Migrations: forward only, embedded, one migrating process at a time.

use refinery::Runner;
use tokio_postgres::Client;

use super::functions::{self, Functions};
use super::{ConnectOptions, PgError, ToDatabaseUrl, connect_one, schema};

const LOCK: &str = "select pg_advisory_lock(hashtextextended('lethe.migrate', 0))";
const LACKS_CREATEROLE: &str = "select rolname::text from pg_roles \
    where rolname = current_user and not (rolcreaterole or rolsuper)";
const UNLOCK: &str = "select pg_advisory_unlock(hashtextextended('lethe.migrate', 0))";

pub(super) mod log {
    refinery::embed_migrations!("../migrations/log");
}

pub(super) mod keyring {
    refinery::embed_migrations!("../migrations/keyring");
}

/// The migrations that a running node of an older version cannot work with. They say so in their
/// first lines.
pub(super) const BREAKING_LOG: &[i32] = &[9, 11, 24, 27, 28, 31, 34, 38];
pub(super) const BREAKING_KEYRING: &[i32] = &[3, 6, 9, 13];

/// What a migration found missing, and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migrated {
    /// The numbered migrations, as `V9__plain_words`.
    pub migrations: Vec<String>,
    /// The functions that were created or replaced, with their schemas.
    pub functions: Vec<&'static str>,
}

/// Brings the events' database up to date. The role of `url` owns what is made; it is not the role
/// that the pool takes on.
///
/// # Errors
/// The database does not answer, or refuses a statement.
pub async fn migrate_log(url: &(impl ToDatabaseUrl + ?Sized)) -> Result<Migrated, PgError> {
    Migration::of_log(url).await?.run().await
}

/// Brings the keyring's database up to date.
///
/// # Errors
/// As of [`migrate_log`].
pub async fn migrate_keyring(url: &(impl ToDatabaseUrl + ?Sized)) -> Result<Migrated, PgError> {
    Migration::of_keyring(url).await?.run().await
}

/// A database that no other process migrates, until this is dropped or has run.
pub struct Migration {
    pub(super) client: Client,
    pub(super) runner: Runner,
    functions: &'static Functions,
}

impl Migration {
    /// Waits until no other process migrates the events' database.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn of_log(url: &(impl ToDatabaseUrl + ?Sized)) -> Result<Self, PgError> {
        Self::lock(url, log::migrations::runner(), &functions::LOG).await
    }

    /// Waits until no other process migrates the keyring's database.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn of_keyring(url: &(impl ToDatabaseUrl + ?Sized)) -> Result<Self, PgError> {
        Self::lock(url, keyring::migrations::runner(), &functions::KEYRING).await
    }

    async fn lock(
        url: &(impl ToDatabaseUrl + ?Sized),
        runner: Runner,
        functions: &'static Functions,
    ) -> Result<Self, PgError> {
        // Another node may migrate for minutes, and a migration may take as long.
        let patient =
            ConnectOptions { application: "lethe migrate", ..ConnectOptions::unlimited() };
        let client = connect_one(url, &patient).await?;
        // refinery takes no lock. This lock ends with the connection, also after an error.
        client.batch_execute(LOCK).await?;
        Ok(Self { client, runner, functions })
    }

    /// Applies what is due.
    ///
    /// # Errors
    /// The database does not answer, or refuses a statement.
    pub async fn run(self) -> Result<Migrated, PgError> {
        let Self { mut client, runner, functions } = self;
        if schema::applied(&client).await? == 0 {
            refuse_without_createrole(&client).await?;
        }
        let report = runner.run_async(&mut client).await.map_err(reason)?;
        let migrations = report.applied_migrations().iter().map(ToString::to_string).collect();
        let functions = functions::apply(&mut client, functions).await?;
        client.batch_execute(UNLOCK).await?;
        let migrated = Migrated { migrations, functions };
        for name in &migrated.migrations {
            tracing::info!(migration = name, "migrated");
        }
        for function in &migrated.functions {
            tracing::info!(function, "a database function was created or replaced");
        }
        Ok(migrated)
    }
}

/// The role must have the attribute itself: membership does not pass it on.
async fn refuse_without_createrole(client: &Client) -> Result<(), PgError> {
    match client.query_opt(LACKS_CREATEROLE, &[]).await? {
        Some(row) => Err(PgError::CreateRole(row.try_get(0)?)),
        None => Ok(()),
    }
}

/// The newest migration of the events' database that is built in.
pub(crate) fn log_version() -> i32 {
    newest(&log::migrations::runner())
}

/// The newest migration of the keyring's database that is built in.
pub(crate) fn keyring_version() -> i32 {
    newest(&keyring::migrations::runner())
}

/// The migrations of `breaking` that come after the migration `applied`, by name. 0: none was
/// applied, so no older node uses the database.
pub(super) fn breaking_after(runner: &Runner, breaking: &[i32], applied: i32) -> Vec<String> {
    let due = runner.get_migrations().iter().filter(|migration| {
        applied > 0 && applied < migration.version() && breaking.contains(&migration.version())
    });
    let mut due: Vec<_> = due.collect();
    due.sort_by_key(|migration| migration.version());
    due.into_iter().map(ToString::to_string).collect()
}

fn newest(runner: &Runner) -> i32 {
    runner.get_migrations().iter().map(refinery::Migration::version).max().unwrap_or_default()
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
