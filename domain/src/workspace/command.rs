//! The commands of a workspace. `by` is the member who acts: their right is checked in the decision itself.

use chrono::{DateTime, Utc};

use super::{Right, Role};
use crate::privacy::{InvitationEmail, Personal, Purpose, WorkspaceName};
use crate::{AccountId, ApiTokenId, InvitationId};

#[derive(Clone, Debug)]
pub enum WorkspaceCommand {
    Create {
        name: Personal<WorkspaceName>,
        owner: AccountId,
    },
    Rename {
        by: AccountId,
        name: Personal<WorkspaceName>,
    },
    ChangeRole {
        by: AccountId,
        member: AccountId,
        role: Role,
    },
    /// Of another, or of oneself.
    RemoveMember {
        by: AccountId,
        member: AccountId,
    },
    /// The member's account has been erased. If it was the only owner, a member
    /// of the highest other role becomes owner.
    RemoveErasedMember {
        member: AccountId,
    },
    OpenMemberNames {
        by: AccountId,
        purpose: Purpose,
        count: u32,
    },
    Invite {
        by: AccountId,
        invitation: InvitationId,
        email: Personal<InvitationEmail>,
        role: Role,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        /// An earlier invitation of the same address.
        replaces: Option<InvitationId>,
    },
    AcceptInvitation {
        by: AccountId,
        invitation: InvitationId,
        now: DateTime<Utc>,
    },
    RevokeInvitation {
        by: AccountId,
        invitation: InvitationId,
    },
    ExpireInvitation {
        invitation: InvitationId,
        now: DateTime<Utc>,
    },
    IssueApiToken {
        by: AccountId,
        token: ApiTokenId,
        rights: Vec<Right>,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    },
    RevokeApiToken {
        by: AccountId,
        token: ApiTokenId,
    },
    RequestDeletion {
        by: AccountId,
        now: DateTime<Utc>,
        due: DateTime<Utc>,
    },
    CancelDeletion {
        by: AccountId,
        now: DateTime<Utc>,
    },
    /// The account of its only member has been erased: the workspace becomes due for deletion at once.
    Abandon {
        member: AccountId,
        now: DateTime<Utc>,
    },
    CompleteDeletion {
        now: DateTime<Utc>,
    },
    /// The erasure ledger holds a request that is missing from a restored log.
    RestoreDeletion {
        requested_at: DateTime<Utc>,
        due: DateTime<Utc>,
    },
    /// The erasure ledger holds the deletion as completed, and a restore of the log brought the workspace back.
    RepeatDeletion {
        requested_at: DateTime<Utc>,
    },
}

impl WorkspaceCommand {
    /// Whether the command is accepted between a request for deletion and its completion.
    pub(super) const fn fits_a_grace(&self) -> bool {
        matches!(
            self,
            Self::Create { .. }
                | Self::RemoveErasedMember { .. }
                | Self::OpenMemberNames { .. }
                | Self::ExpireInvitation { .. }
                | Self::CancelDeletion { .. }
                | Self::Abandon { .. }
                | Self::CompleteDeletion { .. }
                | Self::RestoreDeletion { .. }
                | Self::RepeatDeletion { .. }
        )
    }
}
