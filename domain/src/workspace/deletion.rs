//! Deletion: requested, cancelled within the grace, and then for good.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Hastening, LiveWorkspace, Right, Role, WorkspaceError, WorkspaceEvent};
use crate::AccountId;
use crate::privacy::deadlines::ERASURE_DAYS_MAX;

/// Where others belong to a workspace they hear of its deletion before it is over; who has been removed from it, a
/// moment before or long ago, has the time to object. A request whose answer was lost is sent again with the end that
/// it had: a day, less the time for that.
const GRACE_OF_OTHERS: TimeDelta = TimeDelta::hours(23);

/// A requested deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// The time from which the legal limit counts.
    pub requested_at: DateTime<Utc>,
    /// The end of the grace: from here on it cannot be cancelled.
    pub due: DateTime<Utc>,
}

impl LiveWorkspace {
    pub(super) fn request_deletion(
        &self,
        by: AccountId,
        deletion: Deletion,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        self.needs(by, Right::DeleteWorkspace)?;
        let Deletion { requested_at, due } = deletion;
        if due < requested_at || due > requested_at + TimeDelta::days(ERASURE_DAYS_MAX) {
            return Err(WorkspaceError::GraceOutOfRange);
        }
        if self.was_shared && due < requested_at + GRACE_OF_OTHERS {
            return Err(WorkspaceError::GraceNeeded);
        }
        Ok(vec![WorkspaceEvent::DeletionRequested { requested_at, due }])
    }

    /// The day of the others is theirs: whoever requested the deletion does not shorten it, nor somebody whom they have
    /// made an owner for that.
    pub(super) fn hasten_deletion(
        &self,
        by: Hastening,
        now: DateTime<Utc>,
        due: DateTime<Utc>,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        if let Hastening::Owner { account, .. } = by {
            self.needs(account, Right::DeleteWorkspace)?;
        }
        let deletion = self.deletion.ok_or(WorkspaceError::DeletionNotRequested)?;
        if let Hastening::Owner { account, requested_by, role_before } = by
            && (requested_by.is_none_or(|requester| requester == account)
                || role_before != Some(Role::Owner))
        {
            return Err(WorkspaceError::AnotherOwnerNeeded);
        }
        if now >= deletion.due {
            return Err(WorkspaceError::GraceOver(deletion.due));
        }
        if due >= deletion.due {
            return Err(WorkspaceError::NotSooner(deletion.due));
        }
        Ok(vec![WorkspaceEvent::DeletionHastened { due }])
    }

    pub(super) fn cancel_deletion(
        &self,
        by: AccountId,
        now: DateTime<Utc>,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        self.needs(by, Right::DeleteWorkspace)?;
        let deletion = self.deletion.ok_or(WorkspaceError::DeletionNotRequested)?;
        if now >= deletion.due {
            return Err(WorkspaceError::GraceOver(deletion.due));
        }
        Ok(vec![WorkspaceEvent::DeletionCancelled {}])
    }

    /// What acts for the member, and whom the member invited, ends in any case. A deletion that was requested
    /// before stays due when it was.
    pub(super) fn abandon(
        &self,
        member: AccountId,
        now: DateTime<Utc>,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        if self.members.keys().any(|account| *account != member) {
            return Err(WorkspaceError::NotAlone);
        }
        let mut events = self.ended_of(member);
        if self.deletion.is_none() {
            events.push(WorkspaceEvent::DeletionRequested { requested_at: now, due: now });
        }
        Ok(events)
    }

    pub(super) fn restore_deletion(&self, lost: Deletion) -> Vec<WorkspaceEvent> {
        let Deletion { requested_at, due } = lost;
        match self.deletion {
            Some(_) => vec![],
            None => vec![WorkspaceEvent::DeletionRequested { requested_at, due }],
        }
    }

    pub(super) fn complete_deletion(
        &self,
        now: DateTime<Utc>,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        let deletion = self.deletion.ok_or(WorkspaceError::DeletionNotRequested)?;
        if now < deletion.due {
            return Err(WorkspaceError::GraceNotOver(deletion.due));
        }
        Ok(vec![WorkspaceEvent::Deleted { requested_at: deletion.requested_at }])
    }
}
