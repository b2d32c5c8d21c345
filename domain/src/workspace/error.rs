//! Why a command to a workspace is refused.

use chrono::{DateTime, Utc};

use super::Right;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkspaceError {
    #[error("this workspace exists already")]
    AlreadyExists,
    #[error("there is no such workspace")]
    Unknown,
    #[error("there is no such member")]
    NotAMember,
    #[error("this needs the right {}", .0.as_str())]
    NeedsRight(Right),
    #[error("only an owner makes or unmakes an owner")]
    OwnersOnly,
    #[error("nobody gives themselves more rights")]
    RaisesOneself,
    #[error("a workspace always has an owner: make another member one, or delete the workspace")]
    LastOwner,
    #[error("the only member is not removed: the workspace is deleted")]
    LastMember,
    #[error("others belong to this workspace")]
    NotAlone,
    #[error("this person belongs to the workspace already")]
    MemberAlready,
    #[error("a workspace has at most {0} members, invitations counted")]
    MembersMax(usize),
    #[error("names are not opened for this purpose")]
    NotAPurpose,
    #[error("there is no such invitation")]
    NoSuchInvitation,
    #[error("this invitation was used, withdrawn or replaced")]
    InvitationGone,
    #[error("this invitation has expired: ask for a new one")]
    InvitationExpired,
    #[error("this invitation works until {0}")]
    InvitationNotExpired(DateTime<Utc>),
    #[error("at most {0} invitations are open at once: revoke some")]
    InvitationsMax(usize),
    #[error("an invitation works for 1 to 7 days")]
    InvitationDays,
    #[error("there is no such token")]
    NoSuchToken,
    #[error("at most {0} tokens at once: revoke some")]
    TokensMax(usize),
    #[error("a token lives for 365 days at most")]
    TokenDays,
    #[error("a token has one right at least")]
    NoRights,
    #[error("no token may have {}", .0.as_str())]
    NotForTokens(Right),
    #[error("the deletion of this workspace has been requested: cancel it first")]
    DeletionRequested,
    #[error("no deletion of this workspace has been requested")]
    DeletionNotRequested,
    #[error("the grace ended at {0}: the deletion can no longer be cancelled")]
    GraceOver(DateTime<Utc>),
    #[error("the grace lasts until {0}")]
    GraceNotOver(DateTime<Utc>),
    #[error("the grace is at most 30 days")]
    GraceOutOfRange,
}
