//! The row of a root key.

use crate::postgres::GenericClient;
use chrono::{DateTime, Utc};
use tokio_postgres::Row;

use super::{KeyringError, RootFingerprint, RootId};

const READ_ROOTS: &str =
    concat!(include_str!("sql/used_roots.sql"), include_str!("sql/read_roots.sql"));

/// The row of a root that is not erased, or that keys still need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RootRow {
    pub id: RootId,
    pub state: RootState,
    /// `None` until the key is durable.
    pub fingerprint: Option<RootFingerprint>,
    pub current_at: Option<DateTime<Utc>>,
    pub is_escrowed: bool,
    /// Whether live keys are wrapped under it.
    pub wraps: bool,
    pub replacement: Replacement,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RootState {
    New,
    Current,
    Retiring,
    /// Stored as `destroyed`.
    Erased,
}

/// What is known of the keys under the next root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replacement {
    /// Not all of them are wrapped again, or the row does not say so.
    Due,
    /// The row says when, and at which place of the WAL, the last key was wrapped again.
    Noted,
    /// A copy of the keyring was made after that.
    Copied,
}

impl RootRow {
    fn from_row(row: &Row) -> Result<Self, KeyringError> {
        let escrow: &str = row.try_get("escrow")?;
        let fingerprint: Option<&[u8]> = row.try_get("fingerprint")?;
        let parsed = |bytes| RootFingerprint::from_bytes(bytes).ok_or(KeyringError::Damaged);
        Ok(Self {
            id: RootId(row.try_get("root_id")?),
            state: match row.try_get("state")? {
                "new" => RootState::New,
                "current" => RootState::Current,
                "retiring" => RootState::Retiring,
                "destroyed" => RootState::Erased,
                _ => return Err(KeyringError::Damaged),
            },
            fingerprint: fingerprint.map(parsed).transpose()?,
            current_at: row.try_get("current_at")?,
            is_escrowed: escrow != "none",
            wraps: row.try_get("wraps")?,
            replacement: match (row.try_get("is_rewrapped")?, row.try_get("copied")?) {
                (false, _) => Replacement::Due,
                (true, false) => Replacement::Noted,
                (true, true) => Replacement::Copied,
            },
        })
    }

    /// Whether it waits for a copy of the keyring.
    pub fn waits_for_copy(&self) -> bool {
        let is_noted = self.replacement == Replacement::Noted;
        self.state == RootState::Retiring && !self.wraps && is_noted
    }

    /// Whether keys are being wrapped under the next root.
    pub fn is_rewrapping(&self) -> bool {
        let is_due = self.replacement == Replacement::Due;
        self.state == RootState::Retiring && (self.wraps || is_due)
    }

    /// Whether a node cannot do without this root: keys are wrapped under it, or will be.
    pub fn is_needed(&self) -> bool {
        let is_durable = self.state == RootState::New && self.fingerprint.is_some();
        self.wraps || self.state == RootState::Current || is_durable
    }
}

pub(super) async fn read_roots(client: &impl GenericClient) -> Result<Vec<RootRow>, KeyringError> {
    let read = client.prepare_cached(READ_ROOTS).await?;
    client.query(&read, &[]).await?.iter().map(RootRow::from_row).collect()
}

pub(super) fn in_state(roots: &[RootRow], state: RootState) -> Option<&RootRow> {
    roots.iter().find(|root| root.state == state)
}
