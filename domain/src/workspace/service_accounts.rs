//! Service accounts: members without a person, for programmes. They act by tokens only, and own nothing.

use serde::{Deserialize, Serialize};

use super::limits::SERVICE_ACCOUNTS_MAX;
use super::{LiveWorkspace, Right, Role, WorkspaceError, WorkspaceEvent};
use crate::AccountId;
use crate::privacy::{Personal, ServiceAccountName};

/// A service account of a workspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceAccount {
    /// What people call it. Sealed under the workspace's key.
    pub name: Personal<ServiceAccountName>,
    /// What it is in the workspace: no owner.
    pub role: Role,
}

impl LiveWorkspace {
    pub(super) fn create_service_account(
        &self,
        by: AccountId,
        account: AccountId,
        of: ServiceAccount,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        self.needs(by, Right::ManageMembers)?;
        let ServiceAccount { name, role } = of;
        owns_nothing(role)?;
        if self.service_accounts.len() >= SERVICE_ACCOUNTS_MAX {
            return Err(WorkspaceError::ServiceAccountsMax(SERVICE_ACCOUNTS_MAX));
        }
        Ok(vec![WorkspaceEvent::ServiceAccountCreated { account, name, role }])
    }

    pub(super) fn change_service_role(
        &self,
        by: AccountId,
        (account, from): (AccountId, Role),
        to: Role,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        self.needs(by, Right::ManageMembers)?;
        owns_nothing(to)?;
        if from == to {
            return Ok(vec![]);
        }
        Ok(vec![WorkspaceEvent::ServiceAccountRoleChanged { account, from, to }])
    }

    /// Also revokes its tokens.
    pub(super) fn remove_service_account(
        &self,
        by: AccountId,
        account: AccountId,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        self.needs(by, Right::ManageMembers)?;
        let mut events = self.ended_of(account);
        events.push(WorkspaceEvent::ServiceAccountRemoved { account });
        Ok(events)
    }

    /// Nobody is left who could revoke their tokens.
    pub(super) fn ended_of_service_accounts(&self) -> impl Iterator<Item = WorkspaceEvent> {
        self.service_accounts.keys().flat_map(|account| self.ended_of(*account))
    }
}

fn owns_nothing(role: Role) -> Result<(), WorkspaceError> {
    if role == Role::Owner { Err(WorkspaceError::ServiceAccountOwns) } else { Ok(()) }
}
