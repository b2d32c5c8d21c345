//! The commands of a workspace. `by` is the member who acts: their right is checked in the decision itself.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Actor, Right, Role, WorkspaceAction};
use crate::privacy::{InvitationEmail, Personal, Purpose, ServiceAccountName, WorkspaceName};
use crate::{AccountId, ApiTokenId, ApiTokenSecretId, InvitationId};

/// What can be requested of a workspace.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields are those of the event that follows")]
pub enum WorkspaceCommand {
    /// `owner` becomes its first member.
    Create { name: Personal<WorkspaceName>, owner: AccountId },
    /// Changes nothing: a guard of what `by` does to the workspace, or to what belongs to it. Without an
    /// action whoever belongs to it may; `also` is a right beside that of the action.
    Act { by: Actor, action: Option<WorkspaceAction>, also: Option<Right>, now: DateTime<Utc> },
    /// Changes nothing: a guard of what another owner, who leaves, does.
    RemainOwner { account: AccountId },
    /// Changes nothing: a guard of what ends `account`'s owning, where it owns the workspace alone, or not at all.
    SharesNoOwnership { account: AccountId },
    /// Changes nothing: a guard of the erasure of `on`, who is alone in the workspace, or no owner, or
    /// whose workspace is being deleted.
    NobodyDepends { on: AccountId },
    /// Changes nothing: a guard of what an owner does who leaves the workspace to this member, who has agreed.
    RemainHeir { account: AccountId },
    /// Changes nothing: a guard of what a node begins on a server. Refused while nothing begins in the workspace, and if
    /// `requester`, who has requested it, may not start runs any more. `None`: nobody is known who has.
    BeginRun { requester: Option<AccountId> },
    /// Needs the right to manage the workspace.
    Rename { by: AccountId, name: Personal<WorkspaceName> },
    /// Needs the right to manage members. The last owner stays one, and a service account becomes none.
    ChangeRole { by: AccountId, member: AccountId, role: Role },
    /// Of another, a service account too, or of oneself. Whoever is the last to leave a restricted workspace leaves it to be deleted
    /// after 30 days. While it is restricted, admins remove no admins.
    RemoveMember { by: AccountId, member: AccountId, now: DateTime<Utc> },
    /// The member's account has been erased. If it was the only owner, `heir` becomes owner: the first of
    /// [`LiveWorkspace::heirs`](super::LiveWorkspace::heirs) whose erasure is not requested, which the caller has
    /// looked up. Without one the workspace is restricted, unless it is being deleted.
    RemoveErasedMember { member: AccountId, heir: Option<AccountId> },
    /// `by`, an admin, agrees to own the workspace if its last owner is erased; a restricted one at once.
    AgreeSuccession { by: AccountId },
    /// Changes nothing if `by` has not agreed.
    WithdrawSuccession { by: AccountId },
    /// By an operator: `member` becomes the owner of a restricted workspace.
    AppointOwner { member: AccountId },
    /// Records that names were shown to `by`, and for what; it is the caller that shows them.
    OpenMemberNames { by: AccountId, purpose: Purpose, count: u32 },
    /// Needs the right to manage members, and the role of an owner to invite an owner.
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
    /// `by` becomes a member. That the invitation is theirs was checked by the caller.
    AcceptInvitation { by: AccountId, invitation: InvitationId, now: DateTime<Utc> },
    /// Whom the invitation is for does not want it; that it is theirs was checked by the caller.
    DeclineInvitation { invitation: InvitationId },
    /// Withdraws an open invitation.
    RevokeInvitation { by: AccountId, invitation: InvitationId },
    /// Changes nothing if it is not open any more.
    ExpireInvitation { invitation: InvitationId, now: DateTime<Utc> },
    /// A member without a person, which acts by the tokens that are issued for it. Needs the right to manage members.
    CreateServiceAccount {
        by: AccountId,
        account: AccountId,
        name: Personal<ServiceAccountName>,
        role: Role,
    },
    /// For `by`, or for a service account; with no right that `by` does not have, nor the service account.
    IssueApiToken {
        by: AccountId,
        account: AccountId,
        token: ApiTokenId,
        rights: Vec<Right>,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    },
    /// Of any member. Needs the right to manage tokens. The name is kept outside the log.
    RenameApiToken { by: AccountId, token: ApiTokenId },
    /// Another secret for a token that acts for `by`, or for a service account and with no right that `by` does not
    /// have. The one that it has works for `overlap` more, an hour at
    /// most; while one from before that works still, only a rotation that ends both at once is possible.
    RotateApiToken {
        by: AccountId,
        token: ApiTokenId,
        secret: ApiTokenSecretId,
        now: DateTime<Utc>,
        overlap: TimeDelta,
        /// `None`: it ends when it did.
        expires_at: Option<DateTime<Utc>>,
    },
    /// Of any member. Needs the right to manage tokens.
    RevokeApiToken { by: AccountId, token: ApiTokenId },
    /// The member's account has ended these tokens: others, which were issued since, stay. Changes
    /// nothing where they are revoked already.
    RevokeTokensOf { member: AccountId, ended: Vec<ApiTokenId> },
    /// `due` is the end of the grace: at most 30 days from `now`. Refused within a day after two that were cancelled
    /// and that `by` had requested, at those times (`requested_before`, as the caller has looked up), or after ten of
    /// anybody.
    RequestDeletion {
        by: AccountId,
        now: DateTime<Utc>,
        due: DateTime<Utc>,
        requested_before: Vec<DateTime<Utc>>,
    },
    /// The grace ends at `due` already; where others are left, in an hour at the earliest.
    HastenDeletion { by: Hastening, now: DateTime<Utc>, due: DateTime<Utc> },
    /// Refused from the end of the grace on.
    CancelDeletion { by: AccountId, now: DateTime<Utc> },
    /// By an operator: the deletion is cancelled, and `owner` owns the workspace: a member, or whoever was one a day
    /// before the request, as the caller has looked up (`role_before`).
    Keep { owner: AccountId, role_before: Option<Role>, now: DateTime<Utc> },
    /// The account of its only member has been erased: the member's tokens and invitations are revoked, and the
    /// workspace becomes due for deletion, if it is not being deleted yet: at once, or, where others have belonged to
    /// it, after a day.
    Abandon { member: AccountId, now: DateTime<Utc> },
    /// Refused before the end of the grace. Changes nothing if it is deleted already.
    CompleteDeletion { now: DateTime<Utc> },
    /// The erasure ledger holds a request that is missing from a restored log, or that was hastened since.
    RestoreDeletion { requested_at: DateTime<Utc>, due: DateTime<Utc> },
    /// The erasure ledger holds the deletion as completed, and a restore of the log brought the workspace back.
    RepeatDeletion { requested_at: DateTime<Utc> },
}

/// Who has a deletion come sooner: where others belong to the workspace, never its requester alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hastening {
    /// An owner.
    Owner {
        /// Who acts.
        account: AccountId,
        /// Who requested the deletion, as the log has it; `None`: no person.
        requested_by: Option<AccountId>,
        /// What `account` was in the workspace a day before the request: an owner who was made one for this does
        /// not count.
        role_before: Option<Role>,
    },
    /// An operator, on behalf of the members.
    Operator,
}

impl WorkspaceCommand {
    /// Whether the command is accepted between a request for deletion and its completion.
    pub(super) const fn allowed_in_grace(&self) -> bool {
        matches!(
            self,
            Self::Create { .. }
                | Self::Act { .. }
                | Self::RemainOwner { .. }
                | Self::SharesNoOwnership { .. }
                | Self::RemainHeir { .. }
                | Self::NobodyDepends { .. }
                | Self::RemoveMember { .. }
                | Self::RemoveErasedMember { .. }
                | Self::DeclineInvitation { .. }
                | Self::RevokeInvitation { .. }
                | Self::RevokeApiToken { .. }
                | Self::RevokeTokensOf { .. }
                | Self::OpenMemberNames { .. }
                | Self::ExpireInvitation { .. }
                | Self::WithdrawSuccession { .. }
                | Self::HastenDeletion { .. }
                | Self::CancelDeletion { .. }
                | Self::Keep { .. }
                | Self::Abandon { .. }
                | Self::CompleteDeletion { .. }
                | Self::RestoreDeletion { .. }
                | Self::RepeatDeletion { .. }
        )
    }

    /// Whether the command is accepted while nobody owns the workspace: what is in the grace of a deletion, and what
    /// gives it an owner.
    pub(super) const fn allowed_while_restricted(&self) -> bool {
        self.allowed_in_grace()
            || matches!(self, Self::AgreeSuccession { .. } | Self::AppointOwner { .. })
    }
}
