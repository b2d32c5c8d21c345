//! Deletion: asked for, taken back within the grace, and then for good.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Live, Right, WorkspaceError, WorkspaceEvent as Tell};
use crate::AccountId;
use crate::account::ERASURE_DAYS_MAX;

type Told = Result<Vec<Tell>, WorkspaceError>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    pub requested_at: DateTime<Utc>,
    /// The end of the grace: from here on it cannot be cancelled.
    pub due: DateTime<Utc>,
}

impl Live {
    pub(super) fn request_deletion(&self, by: AccountId, asked: Deletion) -> Told {
        self.needs(by, Right::DeleteWorkspace)?;
        let Deletion { requested_at, due } = asked;
        if due < requested_at || due > requested_at + TimeDelta::days(ERASURE_DAYS_MAX) {
            return Err(WorkspaceError::GraceOutOfRange);
        }
        Ok(vec![Tell::DeletionRequested { requested_at, due }])
    }

    pub(super) fn cancel_deletion(&self, by: AccountId, now: DateTime<Utc>) -> Told {
        self.needs(by, Right::DeleteWorkspace)?;
        let deletion = self.deletion.ok_or(WorkspaceError::DeletionNotRequested)?;
        if now >= deletion.due {
            return Err(WorkspaceError::GraceOver(deletion.due));
        }
        Ok(vec![Tell::DeletionCancelled {}])
    }

    /// One that has been asked for already comes when it is due.
    pub(super) fn abandon(&self, member: AccountId, now: DateTime<Utc>) -> Told {
        if self.members.keys().any(|account| *account != member) {
            return Err(WorkspaceError::NotAlone);
        }
        if self.deletion.is_some() {
            return Ok(vec![]);
        }
        Ok(vec![Tell::DeletionRequested { requested_at: now, due: now }])
    }

    pub(super) fn restore_deletion(&self, lost: Deletion) -> Vec<Tell> {
        let Deletion { requested_at, due } = lost;
        match self.deletion {
            Some(_) => vec![],
            None => vec![Tell::DeletionRequested { requested_at, due }],
        }
    }

    pub(super) fn complete_deletion(&self, now: DateTime<Utc>) -> Told {
        let deletion = self.deletion.ok_or(WorkspaceError::DeletionNotRequested)?;
        if now < deletion.due {
            return Err(WorkspaceError::GraceNotOver(deletion.due));
        }
        Ok(vec![Tell::Deleted { requested_at: deletion.requested_at }])
    }
}
