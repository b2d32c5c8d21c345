//! Whether a database has the schema that this programme knows. Nothing is changed.

use tokio_postgres::Client;

use super::functions::{self, Functions};
use super::{ConnectOptions, PgError, ToDatabaseUrl, connect_one, migrate};

const FIND_HISTORY: &str = "select to_regclass('refinery_schema_history') is not null";
const APPLIED: &str = "select coalesce(max(version), 0) from refinery_schema_history";

/// The schema of a database, compared with the migrations and functions that are built into this
/// programme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schema {
    /// The database is not there, or no migration was ever applied to it.
    Missing,
    /// Numbered migrations wait to be applied.
    Older {
        /// The newest migration that was applied.
        applied: i32,
        /// The newest migration that is built in.
        known: i32,
    },
    /// The numbered migrations are applied, and these functions are missing or of an older
    /// revision. A function of a newer revision is left alone, as by a migration.
    OlderFunctions(Vec<&'static str>),
    /// Nothing waits to be applied.
    Current,
    /// A newer programme has migrated it.
    Newer {
        /// The newest migration that was applied.
        applied: i32,
        /// The newest migration that is built in.
        known: i32,
    },
}

/// The schema of the events' database.
///
/// # Errors
/// The database does not answer, or has a function of the same revision with another text.
pub async fn log_schema(url: &(impl ToDatabaseUrl + ?Sized)) -> Result<Schema, PgError> {
    schema(url, migrate::log_version(), &functions::LOG).await
}

/// The schema of the keyring's database.
///
/// # Errors
/// The database does not answer, or has a function of the same revision with another text.
pub async fn keyring_schema(url: &(impl ToDatabaseUrl + ?Sized)) -> Result<Schema, PgError> {
    schema(url, migrate::keyring_version(), &functions::KEYRING).await
}

async fn schema(
    url: &(impl ToDatabaseUrl + ?Sized),
    known: i32,
    functions: &Functions,
) -> Result<Schema, PgError> {
    let client = match connect_one(url, &ConnectOptions::default()).await {
        Err(PgError::NoDatabase(_)) => return Ok(Schema::Missing),
        connected => connected?,
    };
    Ok(match applied(&client).await? {
        0 => Schema::Missing,
        applied if applied < known => Schema::Older { applied, known },
        applied if applied > known => Schema::Newer { applied, known },
        _ => {
            let due = functions::due(&client, functions).await?;
            match due.iter().map(|function| function.name).collect::<Vec<_>>() {
                names if names.is_empty() => Schema::Current,
                names => Schema::OlderFunctions(names),
            }
        }
    })
}

/// The newest migration that was applied; 0 when none was.
pub(super) async fn applied(client: &Client) -> Result<i32, PgError> {
    let found: bool = client.query_one(FIND_HISTORY, &[]).await?.try_get(0)?;
    if !found {
        return Ok(0);
    }
    Ok(client.query_one(APPLIED, &[]).await?.try_get(0)?)
}
