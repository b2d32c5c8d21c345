//! Creates a database that is not there.

use tokio_postgres::error::SqlState;

use super::{ConnectOptions, DatabaseUrl, PgError, connect_one};

/// Has every server that was not set up otherwise.
const MAINTENANCE: &str = "postgres";

/// A connection that only looks whether something is there.
pub(crate) const LOOKS: &str = "lethe look";

/// Whether the database is there; the error says why this is not known.
///
/// # Errors
/// The server is not reached, or refuses the login.
pub async fn database_exists(url: &DatabaseUrl) -> Result<bool, PgError> {
    let options = ConnectOptions { application: LOOKS, ..ConnectOptions::default() };
    match connect_one(url, &options).await {
        Ok(_) => Ok(true),
        Err(PgError::NoDatabase(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Creates the database unless it is there. Others may do the same at the same time.
///
/// # Errors
/// The server is not reached, or refuses; `CreateDatabase` when the role may not create databases.
pub async fn create_database(url: &DatabaseUrl) -> Result<(), PgError> {
    if database_exists(url).await? {
        return Ok(());
    }
    let name = url.database().unwrap_or_default();
    let admin = connect_one(&url.with_database(MAINTENANCE), &ConnectOptions::default()).await?;
    let create = format!("create database \"{}\"", name.replace('"', "\"\""));
    let Err(error) = admin.batch_execute(&create).await else { return Ok(()) };
    match error.code() {
        // Another process has created it meanwhile: by name, or by the index of names.
        Some(&(SqlState::DUPLICATE_DATABASE | SqlState::UNIQUE_VIOLATION)) => Ok(()),
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            let owner = url.user().unwrap_or("of Lethe").to_owned();
            Err(PgError::CreateDatabase { name: name.to_owned(), owner })
        }
        _ => Err(error.into()),
    }
}
