//! What can be asked of a workspace.

use crate::AccountId;
use crate::privacy::{Personal, WorkspaceName};

#[derive(Clone, Debug)]
pub enum WorkspaceCommand {
    Create { name: Personal<WorkspaceName>, owner: AccountId },
}
