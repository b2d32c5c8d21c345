//! What metrics and operators are shown of the keyring.

use chrono::{DateTime, Utc};

use super::{Keyring, KeyringError, RootId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub live: i64,
    pub destroyed: i64,
    pub root: RootId,
    pub root_since: DateTime<Utc>,
    /// Old roots that their escrow's recipient could still open.
    pub escrowed: i64,
    pub email_generation: i64,
    pub email_generation_since: DateTime<Utc>,
    /// Whether this node may use what it holds in memory.
    pub leased: bool,
}

impl Keyring {
    /// Counts rows: ask at most every few seconds.
    pub async fn status(&self) -> Result<Status, KeyringError> {
        let client = self.inner.pool.get().await?;
        let row = client.query_one(include_str!("sql/read_status.sql"), &[]).await?;
        Ok(Status {
            live: row.try_get("live")?,
            destroyed: row.try_get("destroyed")?,
            root: RootId(row.try_get("root_id")?),
            root_since: row.try_get("current_at")?,
            escrowed: row.try_get("escrowed")?,
            email_generation: row.try_get("generation")?,
            email_generation_since: row.try_get("generation_at")?,
            leased: self.inner.cache.leased(),
        })
    }
}
