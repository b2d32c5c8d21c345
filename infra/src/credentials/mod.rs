//! Password hashes, in rows of their own: an event names a hash by its id.

mod error;
mod password;
mod password_hash;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use domain::{AccountId, CredentialId};
use secrecy::SecretString;

pub use error::CredentialsError;
pub use password::{Password, PasswordError};
pub use password_hash::{HashQueue, PasswordHash};

use crate::clock::Clock;
use crate::postgres::{PgError, Pool};
use crate::statement::{execute, query, query_opt};
use password_hash::Hashing;

const INSERT: &str = include_str!("insert.sql");
const FIND: &str =
    "select hash from working.credentials where credential_id = $1 and account_id = $2";
const REHASH: &str =
    "update working.credentials set hash = $3 where credential_id = $1 and hash = $2";
const NAME: &str = include_str!("name.sql");
const DELETE_OF_ACCOUNT: &str = "delete from working.credentials where account_id = $1";
const DELETE: &str = "delete from working.credentials where credential_id = $1";
const TAKE_BACK: &str = "delete from working.credentials \
    where credential_id = $1 and created_at = $2 and not named";
const UNNAMED: &str = include_str!("unnamed.sql");

/// Password hashes, and the threads that compute them.
#[derive(Clone)]
pub struct Credentials {
    pool: Pool,
    clock: Clock,
    hashing: Hashing,
}

/// A hash that no event names yet, as far as is known.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct UnnamedCredential {
    pub account: AccountId,
    pub credential: CredentialId,
    pub written_at: DateTime<Utc>,
}

impl Credentials {
    /// Hashes as many passwords at the same time as there are cores. 32 callers for each core may
    /// wait in each [`HashQueue`]; more get `Overloaded`.
    pub fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock, hashing: Hashing::new() }
    }

    /// The number of callers that wait for a core in a queue.
    pub fn waiting(&self, queue: HashQueue) -> usize {
        self.hashing.waiting(queue)
    }

    /// Hashes a password with Argon2id.
    ///
    /// # Errors
    /// `Overloaded`, `Hashing`.
    pub async fn hash(
        &self,
        password: Password,
        queue: HashQueue,
    ) -> Result<PasswordHash, CredentialsError> {
        self.hashing.hash(password.into_secret(), queue).await
    }

    /// Writes the hash. Call it before the event that names it is appended. There is already a row of
    /// this id: its hash stays, and unless it is named it counts as written now. The account is erased:
    /// nothing is written. Returns the time of writing.
    pub async fn insert(
        &self,
        account: AccountId,
        credential: CredentialId,
        hash: &PasswordHash,
    ) -> Result<DateTime<Utc>, CredentialsError> {
        let (hash, now) = (hash.as_str(), self.clock.now());
        execute(&self.pool, INSERT, &[&credential.0, &account.0, &hash, &now]).await?;
        Ok(now)
    }

    /// Whether the password is the one of this credential. After a correct password, a hash with older
    /// parameters is replaced.
    pub async fn verify(
        &self,
        account: AccountId,
        credential: CredentialId,
        password: &SecretString,
        queue: HashQueue,
    ) -> Result<bool, CredentialsError> {
        let found = query_opt(&self.pool, FIND, &[&credential.0, &account.0]).await?;
        let Some(row) = found else {
            self.verify_nothing(password, queue).await?;
            return Ok(false);
        };
        let hash = PasswordHash::stored(row.try_get(0).map_err(PgError::from)?);
        let right = self.hashing.verify(password.clone(), hash.clone(), queue).await?;
        if right && !hash.is_current() {
            let anew = self.hashing.hash(password.clone(), queue).await?;
            let (old, new) = (hash.as_str(), anew.as_str());
            execute(&self.pool, REHASH, &[&credential.0, &old, &new]).await?;
        }
        Ok(right)
    }

    /// Does the same work as [`Self::verify`], for an address without an account.
    pub async fn verify_nothing(
        &self,
        password: &SecretString,
        queue: HashQueue,
    ) -> Result<(), CredentialsError> {
        let nobody = self.hashing.nobody().await?;
        self.hashing.verify(password.clone(), nobody, queue).await.map(drop)
    }

    /// Records that the account's newest event names this hash, and deletes those that earlier ones named.
    pub async fn name(
        &self,
        account: AccountId,
        credential: CredentialId,
    ) -> Result<(), CredentialsError> {
        execute(&self.pool, NAME, &[&account.0, &credential.0]).await?;
        Ok(())
    }

    /// At most `limit` hashes that were made before `until` and that no event names yet,
    /// after the first `skip`.
    pub async fn unnamed(
        &self,
        until: DateTime<Utc>,
        limit: i64,
        skip: i64,
    ) -> Result<Vec<UnnamedCredential>, CredentialsError> {
        let rows = query(&self.pool, UNNAMED, &[&until, &limit, &skip]).await?;
        let read = |row: &tokio_postgres::Row| {
            let (account, credential) = (row.try_get(0)?, row.try_get(1)?);
            Ok(UnnamedCredential {
                account: AccountId(account),
                credential: CredentialId(credential),
                written_at: row.try_get(2)?,
            })
        };
        let rows: Result<Vec<UnnamedCredential>, tokio_postgres::Error> =
            rows.iter().map(read).collect();
        Ok(rows.map_err(PgError::from)?)
    }

    /// Deletes a hash that was written at this time: not if it is named, or was written again since.
    pub async fn take_back(
        &self,
        credential: CredentialId,
        written_at: DateTime<Utc>,
    ) -> Result<(), CredentialsError> {
        execute(&self.pool, TAKE_BACK, &[&credential.0, &written_at]).await?;
        Ok(())
    }

    /// Deletes one hash, which a later event has replaced.
    pub async fn delete(&self, credential: CredentialId) -> Result<(), CredentialsError> {
        execute(&self.pool, DELETE, &[&credential.0]).await?;
        Ok(())
    }

    /// Deletes every hash of the account; returns how many.
    pub async fn delete_of_account(&self, account: AccountId) -> Result<u64, CredentialsError> {
        Ok(execute(&self.pool, DELETE_OF_ACCOUNT, &[&account.0]).await?)
    }
}
