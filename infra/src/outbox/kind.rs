//! What a mail is about, and how many of a kind a person gets.

use domain::{InvitationId, LinkId, ProofId, ServerId, WorkspaceId};
use uuid::Uuid;

domain::named_enum! {
    /// The text that a mail has.
    #[allow(missing_docs, reason = "the name of each variant says what the mail is about")]
    pub enum MailKind {
        Verification = "verification",
        EmailChange = "email_change",
        EmailChangeRequested = "email_change_requested",
        EmailChanged = "email_changed",
        PasswordReset = "password_reset",
        PasswordChanged = "password_changed",
        ErasureRequested = "erasure_requested",
        ErasureCancelled = "erasure_cancelled",
        Invitation = "invitation",
        HostKeyMismatched = "host_key_mismatched",
        ServerWatchStopped = "server_watch_stopped",
        NewSignIn = "new_sign_in",
        ApiTokenIssued = "api_token_issued",
        ApiTokenRotated = "api_token_rotated",
        ServiceTokenIssued = "service_token_issued",
        RoleChanged = "role_changed",
        MemberRemoved = "member_removed",
        OwnershipReceived = "ownership_received",
        SuccessionAgreed = "succession_agreed",
        WorkspaceOwned = "workspace_owned",
        WorkspaceRestricted = "workspace_restricted",
        WorkspaceDeletionRequested = "workspace_deletion_requested",
        WorkspaceDeletionHastened = "workspace_deletion_hastened",
        WorkspaceDeletionCancelled = "workspace_deletion_cancelled",
        AccountUnverified = "account_unverified",
    }
}

/// Of notices about one thing, for one person.
pub(super) const NOTICES_A_DAY_MAX: i64 = 5;
/// Of notices about all servers that a person looks after: nobody limits how many these are.
const SERVER_NOTICES_A_DAY_MAX: i64 = 20;

impl MailKind {
    /// How many mails of this kind a person gets within a day, so that nobody fills somebody's mailbox by doing and
    /// undoing it; one more comes at its end. `None`: what causes them is limited.
    pub const fn a_day_max(self) -> Option<i64> {
        match self {
            Self::HostKeyMismatched | Self::ServerWatchStopped => Some(SERVER_NOTICES_A_DAY_MAX),
            Self::NewSignIn
            | Self::ApiTokenIssued
            | Self::ApiTokenRotated
            | Self::ServiceTokenIssued
            | Self::RoleChanged
            | Self::MemberRemoved
            | Self::OwnershipReceived
            | Self::SuccessionAgreed
            | Self::WorkspaceOwned
            | Self::WorkspaceRestricted => Some(NOTICES_A_DAY_MAX),
            Self::Verification
            | Self::EmailChange
            | Self::EmailChangeRequested
            | Self::EmailChanged
            | Self::PasswordReset
            | Self::PasswordChanged
            | Self::ErasureRequested
            | Self::ErasureCancelled
            | Self::WorkspaceDeletionRequested
            | Self::WorkspaceDeletionHastened
            | Self::WorkspaceDeletionCancelled
            | Self::AccountUnverified
            | Self::Invitation => None,
        }
    }

    /// Whether [`Self::a_day_max`] counts only mails that name the same thing.
    pub(super) const fn is_counted_by_reference(self) -> bool {
        !matches!(self, Self::HostKeyMismatched | Self::ServerWatchStopped)
    }
}

/// What a mail names: what its link is for, or the server or workspace that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the name of each variant says what is named")]
pub enum MailReference {
    Proof(ProofId),
    Invitation(InvitationId),
    Server(ServerId),
    Workspace(WorkspaceId),
}

impl MailReference {
    /// What the mail's link names; `None` where the mail has no link.
    pub fn link(self) -> Option<LinkId> {
        match self {
            Self::Proof(proof) => Some(proof.into()),
            Self::Invitation(invitation) => Some(invitation.into()),
            Self::Server(_) | Self::Workspace(_) => None,
        }
    }

    /// The id alone, as it is stored.
    pub const fn id(self) -> Uuid {
        match self {
            Self::Proof(ProofId(id))
            | Self::Invitation(InvitationId(id))
            | Self::Server(ServerId(id))
            | Self::Workspace(WorkspaceId(id)) => id,
        }
    }

    /// The stored id; the mail's kind says what it is of.
    pub(super) const fn stored(kind: MailKind, id: Uuid) -> Self {
        match kind {
            MailKind::Invitation => Self::Invitation(InvitationId(id)),
            MailKind::HostKeyMismatched | MailKind::ServerWatchStopped => {
                Self::Server(ServerId(id))
            }
            MailKind::ApiTokenIssued
            | MailKind::ApiTokenRotated
            | MailKind::ServiceTokenIssued
            | MailKind::RoleChanged
            | MailKind::MemberRemoved
            | MailKind::OwnershipReceived
            | MailKind::SuccessionAgreed
            | MailKind::WorkspaceOwned
            | MailKind::WorkspaceRestricted
            | MailKind::WorkspaceDeletionRequested
            | MailKind::WorkspaceDeletionHastened
            | MailKind::WorkspaceDeletionCancelled => Self::Workspace(WorkspaceId(id)),
            MailKind::Verification
            | MailKind::EmailChange
            | MailKind::EmailChangeRequested
            | MailKind::EmailChanged
            | MailKind::PasswordReset
            | MailKind::PasswordChanged
            | MailKind::ErasureRequested
            | MailKind::ErasureCancelled
            | MailKind::NewSignIn
            | MailKind::AccountUnverified => Self::Proof(ProofId(id)),
        }
    }
}
