//! What happened to a workspace.

use super::Role;
use crate::AccountId;
use crate::privacy::{Personal, WorkspaceName};

events! {
    /// What happened to a workspace.
    WorkspaceEvent about tenant {
        "workspace.created" 1 => Created { name: Personal<WorkspaceName> }
        "workspace.member_joined" 1 => MemberJoined { account: AccountId, role: Role }
    }
}
