//! Invitations: for one address, once, for some days.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::limits::{INVITATION_DAYS_MAX, INVITATIONS_MAX, MEMBERS_MAX};
use super::{LiveWorkspace, Right, Role, WorkspaceError, WorkspaceEvent};
use crate::privacy::{InvitationEmail, Personal};
use crate::{AccountId, InvitationId};

/// An invitation that is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Invitation {
    /// Sealed under the invitation's own key, which dies with it.
    pub email: Personal<InvitationEmail>,
    /// What the person becomes.
    pub role: Role,
    /// Who invites. The invitation ends when they may no longer invite for this role.
    pub by: AccountId,
    /// From here on it cannot be accepted.
    pub until: DateTime<Utc>,
}

impl LiveWorkspace {
    pub(super) fn invite(
        &self,
        invitation: InvitationId,
        of: Invitation,
        now: DateTime<Utc>,
        replaces: Option<InvitationId>,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        let own = self.needs(of.by, Right::ManageMembers)?;
        Self::disposes(own, of.role)?;
        if of.until <= now || of.until > now + TimeDelta::days(INVITATION_DAYS_MAX) {
            return Err(WorkspaceError::InvitationDays);
        }
        let former = replaces.filter(|old| self.invitations.contains_key(old));
        let open = self.invitations.len() - usize::from(former.is_some());
        if open >= INVITATIONS_MAX {
            return Err(WorkspaceError::InvitationsMax(INVITATIONS_MAX));
        }
        if open + self.members.len() >= MEMBERS_MAX {
            return Err(WorkspaceError::MembersMax(MEMBERS_MAX));
        }
        let revoked = former.map(|invitation| WorkspaceEvent::InvitationRevoked { invitation });
        let Invitation { email, role, by, until } = of;
        let invited = WorkspaceEvent::MemberInvited { invitation, email, role, by, until };
        Ok(revoked.into_iter().chain([invited]).collect())
    }

    pub(super) fn accept(
        &self,
        by: AccountId,
        id: InvitationId,
        now: DateTime<Utc>,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        let invitation = self.invitations.get(&id).ok_or(WorkspaceError::InvitationGone)?;
        if now >= invitation.until {
            return Err(WorkspaceError::InvitationExpired);
        }
        if self.members.contains_key(&by) {
            return Err(WorkspaceError::MemberAlready);
        }
        Ok(vec![
            WorkspaceEvent::InvitationAccepted { invitation: id, account: by },
            WorkspaceEvent::MemberJoined { account: by, role: invitation.role },
        ])
    }

    pub(super) fn decline(&self, id: InvitationId) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        if !self.invitations.contains_key(&id) {
            return Err(WorkspaceError::InvitationGone);
        }
        Ok(vec![WorkspaceEvent::InvitationDeclined { invitation: id }])
    }

    pub(super) fn revoke_invitation(
        &self,
        by: AccountId,
        id: InvitationId,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        let own = self.needs(by, Right::ManageMembers)?;
        let invitation = self.invitations.get(&id).ok_or(WorkspaceError::NoSuchInvitation)?;
        Self::disposes(own, invitation.role)?;
        Ok(vec![WorkspaceEvent::InvitationRevoked { invitation: id }])
    }

    pub(super) fn expire_invitation(
        &self,
        id: InvitationId,
        now: DateTime<Utc>,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        match self.invitations.get(&id) {
            None => Ok(vec![]),
            Some(invitation) if now < invitation.until => {
                Err(WorkspaceError::InvitationNotExpired(invitation.until))
            }
            Some(_) => Ok(vec![WorkspaceEvent::InvitationExpired { invitation: id }]),
        }
    }
}
