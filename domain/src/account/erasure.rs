//! The erasure of an account: requested, cancelled within the grace, and then for good.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{AccountError, AccountEvent, LiveAccount};
use crate::privacy::deadlines::ERASURE_DAYS_MAX;

/// A requested erasure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// The time from which the legal limit counts.
    pub requested_at: DateTime<Utc>,
    /// The end of the grace: from here on it cannot be cancelled.
    pub due: DateTime<Utc>,
}

pub(super) fn request(
    now: DateTime<Utc>,
    due: DateTime<Utc>,
) -> Result<Vec<AccountEvent>, AccountError> {
    if due < now || due > now + chrono::Duration::days(ERASURE_DAYS_MAX) {
        return Err(AccountError::GraceOutOfRange);
    }
    Ok(vec![AccountEvent::ErasureRequested { requested_at: now, due }])
}

impl LiveAccount {
    pub(super) fn cancel_erasure(
        &self,
        now: DateTime<Utc>,
    ) -> Result<Vec<AccountEvent>, AccountError> {
        let erasure = self.erasure.ok_or(AccountError::ErasureNotRequested)?;
        if now >= erasure.due {
            return Err(AccountError::GraceOver(erasure.due));
        }
        Ok(vec![AccountEvent::ErasureCancelled {}])
    }

    pub(super) fn complete_erasure(
        &self,
        now: DateTime<Utc>,
    ) -> Result<Vec<AccountEvent>, AccountError> {
        let erasure = self.erasure.ok_or(AccountError::ErasureNotRequested)?;
        if now < erasure.due {
            return Err(AccountError::GraceNotOver(erasure.due));
        }
        Ok(vec![AccountEvent::ErasureCompleted { requested_at: erasure.requested_at }])
    }
}
