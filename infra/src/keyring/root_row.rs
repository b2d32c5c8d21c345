//! The row of a root key.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use tokio_postgres::Row;

use super::{KeyringError, RootId, Secret, crypto};

const READ_ROOTS: &str = include_str!("sql/read_roots.sql");

/// The row of a root that is not erased, or that keys still need.
pub(super) struct RootRow {
    pub id: RootId,
    pub state: RootState,
    /// `None` until the key is durable.
    pub fingerprint: Option<Vec<u8>>,
    pub current_at: Option<DateTime<Utc>>,
    pub is_escrowed: bool,
    /// Whether live keys are wrapped under it.
    pub wraps: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RootState {
    New,
    Current,
    Retiring,
    /// Stored as `destroyed`.
    Erased,
}

impl RootRow {
    fn from_row(row: &Row) -> Result<Self, KeyringError> {
        let escrow: &str = row.try_get("escrow")?;
        Ok(Self {
            id: RootId(row.try_get("root_id")?),
            state: match row.try_get("state")? {
                "new" => RootState::New,
                "current" => RootState::Current,
                "retiring" => RootState::Retiring,
                "destroyed" => RootState::Erased,
                _ => return Err(KeyringError::Damaged),
            },
            fingerprint: row.try_get("fingerprint")?,
            current_at: row.try_get("current_at")?,
            is_escrowed: escrow != "none",
            wraps: row.try_get("wraps")?,
        })
    }

    pub fn is_of(&self, key: &Secret) -> bool {
        self.fingerprint.as_deref() == Some(crypto::fingerprint(key).as_slice())
    }
}

pub(super) async fn read_roots(client: &impl GenericClient) -> Result<Vec<RootRow>, KeyringError> {
    client.query(READ_ROOTS, &[]).await?.iter().map(RootRow::from_row).collect()
}

pub(super) fn in_state(roots: &[RootRow], state: RootState) -> Option<&RootRow> {
    roots.iter().find(|root| root.state == state)
}
