//! Who owns a workspace after its last owner: admins who have agreed, else nobody until one of them does.

use super::{LiveWorkspace, Right, Role, WorkspaceError, WorkspaceEvent};
use crate::AccountId;

impl LiveWorkspace {
    /// Nobody owns it, and it is not being deleted: nothing begins in it.
    pub fn is_restricted(&self) -> bool {
        self.deletion.is_none() && !self.members.values().any(|role| *role == Role::Owner)
    }

    pub(super) fn agree_succession(
        &self,
        by: AccountId,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        let from = self.needs(by, Right::ManageMembers)?;
        if from == Role::Owner {
            return Err(WorkspaceError::OwnsAlready);
        }
        let is_new = !self.heirs.contains(&by);
        let agrees = is_new.then_some(WorkspaceEvent::SuccessionAgreed { account: by });
        let inherits = self.is_restricted().then_some(owned_by(by, from));
        Ok(agrees.into_iter().chain(inherits).collect())
    }

    pub(super) fn withdraw_succession(
        &self,
        by: AccountId,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        self.role(by)?;
        if !self.heirs.contains(&by) {
            return Ok(vec![]);
        }
        Ok(vec![WorkspaceEvent::SuccessionWithdrawn { account: by }])
    }

    /// # Errors
    /// `NotAnHeir`: the account does not inherit it, so that who leaves would leave it to nobody.
    pub(super) fn remain_heir(&self, account: AccountId) -> Result<(), WorkspaceError> {
        if self.heirs.contains(&account) { Ok(()) } else { Err(WorkspaceError::NotAnHeir) }
    }

    pub(super) fn appoint_owner(
        &self,
        member: AccountId,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        let from = *self.members.get(&member).ok_or(WorkspaceError::NotAMember)?;
        if !self.is_restricted() {
            return Err(WorkspaceError::NotRestricted);
        }
        Ok(vec![owned_by(member, from)])
    }

    pub(super) fn remove_erased_member(
        &self,
        member: AccountId,
        heir: Option<AccountId>,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        if !self.members.contains_key(&member) {
            return Ok(vec![]);
        }
        if self.members.len() == 1 {
            return Err(WorkspaceError::LastMember);
        }
        // Nobody gets the right to bring back what the only owner wanted deleted.
        let is_left = self.is_sole_owner(member) && self.deletion.is_none();
        let mut events = Vec::new();
        if let Some(heir) = heir.filter(|_| is_left) {
            self.remain_heir(heir)?;
            events.push(owned_by(heir, self.role(heir)?));
        }
        events.extend(self.removed(member));
        if is_left && heir.is_none() {
            events.push(WorkspaceEvent::Restricted {});
        }
        Ok(events)
    }
}

pub(super) const fn owned_by(account: AccountId, from: Role) -> WorkspaceEvent {
    WorkspaceEvent::RoleChanged { account, from, to: Role::Owner }
}
