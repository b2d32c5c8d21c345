//! Who belongs to it, and as what.

use chrono::{DateTime, Utc};

use super::{LiveWorkspace, Right, Role, WorkspaceError, WorkspaceEvent};
use crate::AccountId;
use crate::privacy::Purpose;

impl LiveWorkspace {
    /// Of a person, or of a service account.
    ///
    /// # Errors
    /// `NotAMember`.
    pub fn role(&self, account: AccountId) -> Result<Role, WorkspaceError> {
        let of_service = || self.service_accounts.get(&account).map(|of| of.role);
        let role = self.members.get(&account).copied().or_else(of_service);
        role.ok_or(WorkspaceError::NotAMember)
    }

    pub(super) fn needs(&self, by: AccountId, right: Right) -> Result<Role, WorkspaceError> {
        let role = self.role(by)?;
        if role.may(right) { Ok(role) } else { Err(WorkspaceError::NeedsRight(right)) }
    }

    /// Whether somebody in `role` may give, or take away, `other`.
    pub(super) fn disposes(role: Role, other: Role) -> Result<(), WorkspaceError> {
        if other == Role::Owner && role != Role::Owner {
            return Err(WorkspaceError::OwnersOnly);
        }
        Ok(())
    }

    /// The account owns it, and nobody else does.
    pub fn is_sole_owner(&self, account: AccountId) -> bool {
        let mut owners = self.members.iter().filter(|(_, role)| **role == Role::Owner);
        owners.next().is_some_and(|(owner, _)| *owner == account) && owners.next().is_none()
    }

    /// # Errors
    /// `LastOwner`: the account owns it no more, so that who leaves would be the last.
    pub(super) fn remain_owner(&self, account: AccountId) -> Result<(), WorkspaceError> {
        match self.members.get(&account) {
            Some(Role::Owner) => Ok(()),
            Some(_) | None => Err(WorkspaceError::LastOwner),
        }
    }

    /// # Errors
    /// `LastOwner`: others own it as well, and whether one of them stays is not known.
    pub(super) fn shares_no_ownership(&self, account: AccountId) -> Result<(), WorkspaceError> {
        let is_owner = self.members.get(&account) == Some(&Role::Owner);
        let is_shared = is_owner && !self.is_sole_owner(account);
        if is_shared { Err(WorkspaceError::LastOwner) } else { Ok(()) }
    }

    /// Without its owner the workspace would be left to others: one of them has to own it before.
    pub fn depends_on(&self, account: AccountId) -> bool {
        let is_owner = self.members.get(&account) == Some(&Role::Owner);
        is_owner && self.members.len() > 1 && self.deletion.is_none()
    }

    /// # Errors
    /// `LastOwner`: others depend on the account.
    pub(super) fn nobody_depends(&self, on: AccountId) -> Result<(), WorkspaceError> {
        if self.depends_on(on) { Err(WorkspaceError::LastOwner) } else { Ok(()) }
    }

    pub(super) fn change_role(
        &self,
        by: AccountId,
        member: AccountId,
        to: Role,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        let own = self.needs(by, Right::ManageMembers)?;
        if let Some(of) = self.service_accounts.get(&member) {
            return self.change_service_role(by, (member, of.role), to);
        }
        let from = self.role(member)?;
        if from == to {
            return Ok(vec![]);
        }
        Self::disposes(own, from)?;
        Self::disposes(own, to)?;
        if by == member && !to.is_within(from) {
            return Err(WorkspaceError::RaisesOneself);
        }
        if self.is_sole_owner(member) {
            return Err(WorkspaceError::LastOwner);
        }
        let mut events = vec![WorkspaceEvent::RoleChanged { account: member, from, to }];
        events.extend(self.withdrawn(member, |role| {
            !to.may(Right::ManageMembers) || Self::disposes(to, role).is_err()
        }));
        Ok(events)
    }

    pub(super) fn remove_member(
        &self,
        by: AccountId,
        member: AccountId,
        now: DateTime<Utc>,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        if self.service_accounts.contains_key(&member) {
            return self.remove_service_account(by, member);
        }
        let leaving = self.role(member);
        if by == member {
            leaving?;
        } else {
            let own = self.needs(by, Right::ManageMembers)?;
            let leaving = leaving?;
            Self::disposes(own, leaving)?;
            // Nobody stands above the admins who could undo it.
            if leaving == Role::Admin && self.is_restricted() {
                return Err(WorkspaceError::OwnersOnly);
            }
        }
        if self.is_sole_owner(member) {
            return Err(WorkspaceError::LastOwner);
        }
        let mut events = self.removed(member);
        if self.members.len() == 1 {
            events.extend(self.ended_of_service_accounts());
            if self.is_restricted() {
                events.push(Self::left_by_the_last(now));
            }
        }
        Ok(events)
    }

    /// Also revokes the member's tokens and invitations.
    pub(super) fn removed(&self, member: AccountId) -> Vec<WorkspaceEvent> {
        let mut events = self.ended_of(member);
        events.push(WorkspaceEvent::MemberRemoved { account: member });
        events
    }

    /// The tokens that act for the member, and the invitations by the member, are revoked.
    pub(super) fn ended_of(&self, member: AccountId) -> Vec<WorkspaceEvent> {
        let tokens = self.tokens.iter().filter(|(_, token)| token.account == member);
        let mut events: Vec<WorkspaceEvent> =
            tokens.map(|(token, _)| WorkspaceEvent::ApiTokenRevoked { token: *token }).collect();
        events.extend(self.withdrawn(member, |_| true));
        events
    }

    fn withdrawn(&self, by: AccountId, no_longer: impl Fn(Role) -> bool) -> Vec<WorkspaceEvent> {
        let of = self.invitations.iter().filter(|(_, of)| of.by == by && no_longer(of.role));
        of.map(|(invitation, _)| WorkspaceEvent::InvitationRevoked { invitation: *invitation })
            .collect()
    }

    pub(super) fn open_names(
        &self,
        by: AccountId,
        purpose: Purpose,
        count: u32,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        self.needs(by, Right::ManageMembers)?;
        if !matches!(purpose, Purpose::AccountAdministration | Purpose::ServiceCommunication) {
            return Err(WorkspaceError::NotAPurpose);
        }
        Ok(vec![WorkspaceEvent::MemberNamesOpened { purpose, count }])
    }
}
