//! What happened to a workspace.

use chrono::{DateTime, Utc};

use super::{Right, Role};
use crate::privacy::{InvitationEmail, Personal, Purpose, ServiceAccountName, WorkspaceName};
use crate::{AccountId, ApiTokenId, ApiTokenSecretId, InvitationId};

events! {
    /// What happened to a workspace.
    WorkspaceEvent subject tenant {
        "workspace.created" 1 => Created { name: Personal<WorkspaceName> }
        "workspace.renamed" 1 => Renamed { name: Personal<WorkspaceName> }
        "workspace.member_joined" 1 => MemberJoined { account: AccountId, role: Role }
        "workspace.role_changed" 1 => RoleChanged { account: AccountId, from: Role, to: Role }
        "workspace.member_removed" 1 => MemberRemoved { account: AccountId }
        "workspace.member_names_opened" 1 => MemberNamesOpened { purpose: Purpose, count: u32 }
        "workspace.member_invited" 1 subject invitation => MemberInvited {
            invitation: InvitationId,
            email: Personal<InvitationEmail>,
            role: Role,
            by: AccountId,
            until: DateTime<Utc>,
        }
        "workspace.invitation_accepted" 1 => InvitationAccepted {
            invitation: InvitationId,
            account: AccountId,
        }
        "workspace.invitation_revoked" 1 => InvitationRevoked { invitation: InvitationId }
        "workspace.invitation_declined" 1 => InvitationDeclined { invitation: InvitationId }
        "workspace.invitation_expired" 1 => InvitationExpired { invitation: InvitationId }
        "workspace.service_account_created" 1 => ServiceAccountCreated {
            account: AccountId,
            name: Personal<ServiceAccountName>,
            role: Role,
        }
        "workspace.service_account_role_changed" 1 => ServiceAccountRoleChanged {
            account: AccountId,
            from: Role,
            to: Role,
        }
        "workspace.service_account_removed" 1 => ServiceAccountRemoved { account: AccountId }
        "workspace.api_token_issued" 1 => ApiTokenIssued {
            token: ApiTokenId,
            account: AccountId,
            rights: Vec<Right>,
            expires_at: DateTime<Utc>,
        }
        "workspace.api_token_renamed" 1 => ApiTokenRenamed { token: ApiTokenId }
        "workspace.api_token_rotated" 1 => ApiTokenRotated {
            token: ApiTokenId,
            secret: ApiTokenSecretId,
            former_until: DateTime<Utc>,
            expires_at: DateTime<Utc>,
        }
        "workspace.api_token_revoked" 1 => ApiTokenRevoked { token: ApiTokenId }
        "workspace.succession_agreed" 1 => SuccessionAgreed { account: AccountId }
        "workspace.succession_withdrawn" 1 => SuccessionWithdrawn { account: AccountId }
        "workspace.restricted" 1 => Restricted {}
        "workspace.deletion_requested" 1 => DeletionRequested {
            requested_at: DateTime<Utc>,
            due: DateTime<Utc>,
        }
        "workspace.deletion_hastened" 1 => DeletionHastened { due: DateTime<Utc> }
        "workspace.deletion_cancelled" 1 => DeletionCancelled {}
        "workspace.deleted" 1 => Deleted { requested_at: DateTime<Utc> }
    }
}

impl WorkspaceEvent {
    /// The events that a deleted workspace still takes.
    pub const CLOSING: &'static [&'static str] = &["workspace.deleted"];
}
