//! Which log and which keyring belong together: the id of the keyring, made with its database, stands in both.
//!
//! Without it an empty database looks like a new installation, whether it is new, lost, or under a mistyped
//! name: a start would make a new root key beside a full log, or take an empty log for a restored one.

mod error;
mod look;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};
use tokio_postgres::Client;
use uuid::Uuid;

pub use error::InstallationError;
use look::Seen;

use crate::postgres::{ConnectOptions, DatabaseUrl, connect_one};

const NAME_KEYRING: &str =
    "insert into event_log.installation (id) values ($1) on conflict do nothing";
const NOTE_LOG: &str = "update keyring.copy set has_log = true where keyring = $1";

/// The id of an installation: that of its keyring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstallationId(Uuid);

impl fmt::Display for InstallationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a log and a keyring stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Each names the other.
    Paired,
    /// They are of one installation, and do not say so yet: a version that paired none has made them.
    Related,
    /// Neither was ever used. A database that is not there counts as such.
    New,
}

/// Whether a log and a keyring are of one installation. Changes nothing.
///
/// # Errors
/// [`InstallationError`]: they are not, or a database does not answer.
pub async fn relate(
    log: &DatabaseUrl,
    keyring: &DatabaseUrl,
) -> Result<Relation, InstallationError> {
    let mut before = None;
    loop {
        let seen = Seen::of(log, keyring).await?;
        match seen.judge() {
            // Another start may have paired them between the two looks.
            None if before != Some(seen) => before = Some(seen),
            None => return Err(seen.refusal(log, keyring)),
            Some(relation) => return Ok(relation),
        }
    }
}

/// Lets the log and the keyring name each other. Both have the schema of this programme.
///
/// # Errors
/// As of [`relate`].
pub async fn pair(log: &DatabaseUrl, keyring: &DatabaseUrl) -> Result<(), InstallationError> {
    if relate(log, keyring).await? == Relation::Paired {
        return Ok(());
    }
    let Some(id) = of_keyring(keyring).await? else {
        return Err(InstallationError::NoId { keyring: keyring.to_string() });
    };
    // The log first: a keyring that says that there is one refuses a log which does not name it.
    let client = connected(log).await.map_err(InstallationError::Log)?;
    client.execute(NAME_KEYRING, &[&id.0]).await.map_err(log_error)?;
    // Another keyring may have come first.
    relate(log, keyring).await?;
    let client = connected(keyring).await.map_err(InstallationError::Keyring)?;
    client.execute(NOTE_LOG, &[&id.0]).await.map_err(keyring_error)?;
    Ok(())
}

/// The id of a keyring; `None` where there is no database, or one of an older schema.
///
/// # Errors
/// [`InstallationError::Keyring`].
pub async fn of_keyring(
    keyring: &DatabaseUrl,
) -> Result<Option<InstallationId>, InstallationError> {
    look::keyring_id(keyring).await
}

/// Whether nothing is lost with this events' database: it is not there, or has no event. One that was migrated and has
/// no table of events counts as damaged, not as empty.
///
/// # Errors
/// [`InstallationError::Log`].
pub async fn is_empty(log: &DatabaseUrl) -> Result<bool, InstallationError> {
    look::is_empty(log).await
}

/// Whether a log has this event at this position, as the end of a backup of it would be.
///
/// # Errors
/// [`InstallationError::Log`].
pub async fn holds_event(
    log: &DatabaseUrl,
    (position, event): (i64, Option<Uuid>),
) -> Result<bool, InstallationError> {
    let Some(event) = event else { return Ok(false) };
    let client = connected(log).await.map_err(InstallationError::Log)?;
    look::has_event(&client, position, event).await.map_err(log_error)
}

/// The id that a log has.
///
/// # Errors
/// [`tokio_postgres::Error`].
pub(crate) async fn of_log(
    client: &Client,
) -> Result<Option<InstallationId>, tokio_postgres::Error> {
    look::log_id(client).await
}

async fn connected(url: &DatabaseUrl) -> Result<Client, crate::postgres::PgError> {
    connect_one(url, &options()).await
}

/// Whoever only looks is not taken for a node.
fn options() -> ConnectOptions {
    ConnectOptions { application: crate::postgres::LOOKS, ..ConnectOptions::default() }
}

fn log_error(error: tokio_postgres::Error) -> InstallationError {
    InstallationError::Log(error.into())
}

fn keyring_error(error: tokio_postgres::Error) -> InstallationError {
    InstallationError::Keyring(error.into())
}
