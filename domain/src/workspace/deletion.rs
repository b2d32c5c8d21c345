//! Deletion: requested, cancelled within the grace, and then for good.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::succession::owned_by;
use super::{Hastening, LiveWorkspace, Right, Role, WorkspaceError, WorkspaceEvent};
use crate::AccountId;
use crate::privacy::deadlines::ERASURE_DAYS_MAX;

const DAY: TimeDelta = TimeDelta::days(1);
/// Where others belong to a workspace, or have belonged to it, they hear of its deletion before it is over. A request
/// whose answer was lost is sent again with the end that it had: a day, less the time for that.
const GRACE_OF_OTHERS: TimeDelta = TimeDelta::hours(23);
/// Where others are left, nobody has it come sooner than that: whoever takes the wrong workspace can be stopped.
const HASTENED_MIN: TimeDelta = TimeDelta::hours(1);
/// What nobody cancels, and nobody has asked for with a password, is kept as long as the law allows.
const GRACE_OF_THE_LAST: TimeDelta = TimeDelta::days(ERASURE_DAYS_MAX);
/// So many requests of one owner are cancelled within a day, and so many of all: all members are mailed each time, and
/// the last mail has to be read. Nobody alone keeps another owner from a request.
const CANCELLED_OWN_MAX: usize = 2;
pub(super) const CANCELLED_MAX: usize = 10;

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
        requested_before: &[DateTime<Utc>],
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        self.needs(by, Right::DeleteWorkspace)?;
        let Deletion { requested_at, due } = deletion;
        if due < requested_at || due > requested_at + TimeDelta::days(ERASURE_DAYS_MAX) {
            return Err(WorkspaceError::GraceOutOfRange);
        }
        if self.was_shared && due < requested_at + GRACE_OF_OTHERS {
            return Err(WorkspaceError::GraceNeeded);
        }
        let all = self.cancelled_within_a_day(requested_at);
        let own: Vec<_> = all.iter().copied().filter(|at| requested_before.contains(at)).collect();
        for (cancelled, most) in [(own, CANCELLED_OWN_MAX), (all, CANCELLED_MAX)] {
            if let Some(first) = cancelled.iter().rev().nth(most - 1) {
                return Err(WorkspaceError::RequestedTooOften(*first + DAY));
            }
        }
        Ok(vec![WorkspaceEvent::DeletionRequested { requested_at, due }])
    }

    /// When those were requested, within the day before `now`, that were cancelled: the earliest first.
    pub fn cancelled_within_a_day(&self, now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        self.cancelled.iter().copied().filter(|requested_at| now < *requested_at + DAY).collect()
    }

    /// The day of the others is theirs: whoever requested the deletion does not shorten it, nor somebody whom they have
    /// made an owner for that. Where others are left, an hour of it stays.
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
        if due < now {
            return Err(WorkspaceError::GraceOutOfRange);
        }
        let due = if self.others_are_left(by) { due.max(now + HASTENED_MIN) } else { due };
        if due >= deletion.due {
            return Err(WorkspaceError::NotSooner(deletion.due));
        }
        Ok(vec![WorkspaceEvent::DeletionHastened { due }])
    }

    /// Besides those who want it deleted.
    fn others_are_left(&self, by: Hastening) -> bool {
        match by {
            Hastening::Owner { account, requested_by, .. } => self
                .members
                .keys()
                .any(|member| *member != account && Some(*member) != requested_by),
            Hastening::Operator => self.members.len() > 1,
        }
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

    /// What acts for the member or for a service account, and whom the member invited, ends in any case. A deletion
    /// that was requested before stays due when it was.
    pub(super) fn abandon(
        &self,
        member: AccountId,
        now: DateTime<Utc>,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        if self.members.keys().any(|account| *account != member) {
            return Err(WorkspaceError::NotAlone);
        }
        let mut events = self.ended_of(member);
        events.extend(self.ended_of_service_accounts());
        if self.deletion.is_none() {
            // Whoever was removed from it a moment before has the same day as in any other deletion.
            let due = if self.was_shared { now + DAY } else { now };
            events.push(WorkspaceEvent::DeletionRequested { requested_at: now, due });
        }
        Ok(events)
    }

    /// Nobody who asks for its deletion is left.
    pub(super) fn left_by_the_last(now: DateTime<Utc>) -> WorkspaceEvent {
        WorkspaceEvent::DeletionRequested { requested_at: now, due: now + GRACE_OF_THE_LAST }
    }

    pub(super) fn keep(
        &self,
        owner: AccountId,
        role_before: Option<Role>,
        now: DateTime<Utc>,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        let deletion = self.deletion.ok_or(WorkspaceError::DeletionNotRequested)?;
        if now >= deletion.due {
            return Err(WorkspaceError::GraceOver(deletion.due));
        }
        let owns = match (self.members.get(&owner), role_before) {
            (Some(Role::Owner), _) => None,
            (Some(from), _) => Some(owned_by(owner, *from)),
            (None, Some(_)) => {
                Some(WorkspaceEvent::MemberJoined { account: owner, role: Role::Owner })
            }
            (None, None) => return Err(WorkspaceError::NotAMember),
        };
        Ok(owns.into_iter().chain([WorkspaceEvent::DeletionCancelled {}]).collect())
    }

    pub(super) fn restore_deletion(&self, lost: Deletion) -> Vec<WorkspaceEvent> {
        let Deletion { requested_at, due } = lost;
        match self.deletion {
            Some(known) if due < known.due => vec![WorkspaceEvent::DeletionHastened { due }],
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
