//! Password hashes, kept apart from the log: an event names one by its id.

mod hashing;
mod password;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use domain::{AccountId, CredentialId};
use secrecy::SecretString;

pub use hashing::PasswordHash;
pub use password::{Password, PasswordError};

use crate::clock::Clock;
use crate::postgres::{PgError, Pool};
use crate::statement::{execute, query, query_opt};
use hashing::Hashing;

const INSERT: &str = include_str!("insert.sql");
const FIND: &str = include_str!("find.sql");
const REHASH: &str = include_str!("rehash.sql");
const NAME: &str = include_str!("name.sql");
const ERASE: &str = include_str!("erase.sql");
const REMOVE: &str = include_str!("remove.sql");
const UNNAMED: &str = include_str!("unnamed.sql");

#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    #[error("too many passwords are being checked: try again in a moment")]
    Overloaded,
    #[error("a password could not be hashed")]
    Hashing,
    #[error(transparent)]
    Unavailable(#[from] PgError),
}

#[derive(Clone)]
pub struct Credentials {
    pool: Pool,
    clock: Clock,
    hashing: Hashing,
}

/// A hash that no event has been seen to name.
#[derive(Clone, Copy, Debug)]
pub struct Unnamed {
    pub account: AccountId,
    pub credential: CredentialId,
}

impl Credentials {
    /// Hashes as many passwords at once as there are cores, and refuses when the queue is long.
    pub fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock, hashing: Hashing::new() }
    }

    /// Callers that wait for a password to be hashed.
    pub fn waiting(&self) -> usize {
        self.hashing.waiting()
    }

    pub async fn hash(&self, password: Password) -> Result<PasswordHash, CredentialsError> {
        self.hashing.hash(password.into_secret()).await
    }

    /// Comes before the event that names it. The same id again keeps the first hash; an erased
    /// account gets none.
    pub async fn insert(
        &self,
        account: AccountId,
        credential: CredentialId,
        hash: &PasswordHash,
    ) -> Result<(), CredentialsError> {
        let (hash, now) = (hash.as_str(), self.clock.now());
        execute(&self.pool, INSERT, &[&credential.0, &account.0, &hash, &now]).await?;
        Ok(())
    }

    /// Whether the password is this credential's. A hash made with older parameters is made anew.
    pub async fn verify(
        &self,
        account: AccountId,
        credential: CredentialId,
        password: &SecretString,
    ) -> Result<bool, CredentialsError> {
        let found = query_opt(&self.pool, FIND, &[&credential.0, &account.0]).await?;
        let Some(row) = found else {
            self.verify_nothing(password).await?;
            return Ok(false);
        };
        let hash = PasswordHash::stored(row.try_get(0).map_err(PgError::from)?);
        let right = self.hashing.verify(password.clone(), hash.clone()).await?;
        if right && !hash.is_current() {
            let anew = self.hashing.hash(password.clone()).await?;
            let (old, new) = (hash.as_str(), anew.as_str());
            execute(&self.pool, REHASH, &[&credential.0, &old, &new]).await?;
        }
        Ok(right)
    }

    /// Does the same work for an address that nobody has.
    pub async fn verify_nothing(&self, password: &SecretString) -> Result<(), CredentialsError> {
        let nobody = self.hashing.nobody().await?;
        self.hashing.verify(password.clone(), nobody).await.map(drop)
    }

    /// An event names this one: it stays, and those before it go.
    pub async fn name(
        &self,
        account: AccountId,
        credential: CredentialId,
    ) -> Result<(), CredentialsError> {
        execute(&self.pool, NAME, &[&account.0, &credential.0]).await?;
        Ok(())
    }

    /// Hashes made before `until` whose event has not been seen: it may never have come.
    pub async fn unnamed(
        &self,
        until: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<Unnamed>, CredentialsError> {
        let rows = query(&self.pool, UNNAMED, &[&until, &limit]).await?;
        let read = |row: &tokio_postgres::Row| {
            let (account, credential) = (row.try_get(0)?, row.try_get(1)?);
            Ok(Unnamed { account: AccountId(account), credential: CredentialId(credential) })
        };
        let rows: Result<Vec<Unnamed>, tokio_postgres::Error> = rows.iter().map(read).collect();
        Ok(rows.map_err(PgError::from)?)
    }

    pub async fn remove(&self, credential: CredentialId) -> Result<(), CredentialsError> {
        execute(&self.pool, REMOVE, &[&credential.0]).await?;
        Ok(())
    }

    /// Destroys every hash of the account; answers how many there were.
    pub async fn erase(&self, account: AccountId) -> Result<u64, CredentialsError> {
        Ok(execute(&self.pool, ERASE, &[&account.0]).await?)
    }
}
