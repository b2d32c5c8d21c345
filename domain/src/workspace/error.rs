//! Why a command to a workspace is refused.

use chrono::{DateTime, Utc};

use super::Right;
use super::limits::{INVITATION_DAYS_MAX, OVERLAP_MINUTES_MAX, TOKEN_DAYS_MAX};
use crate::privacy::deadlines::ERASURE_DAYS_MAX;

/// Why a command to a workspace is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum WorkspaceError {
    #[error("a workspace with this id exists already: create one with a new id")]
    AlreadyExists,
    #[error("there is no workspace with this id")]
    Unknown,
    #[error("this account is not a member of the workspace: invite the person first")]
    NotAMember,
    #[error(
        "this needs the right {}, of the role and in the scopes of a token: ask an owner for a role \
         that has it, or use another token",
        .0.as_str()
    )]
    NeedsRight(Right),
    #[error("only an owner may give the role of an owner, or take it away: ask an owner")]
    OwnersOnly,
    #[error("nobody may give themselves more rights: ask somebody else who manages members")]
    RaisesOneself,
    #[error("this is the last owner: make another member an owner, or delete the workspace")]
    LastOwner,
    #[error(
        "nobody who stays owns this workspace, so nobody can join it: ask for another invitation once its \
         owner stays, or somebody else owns it"
    )]
    NoOwnerStays,
    #[error(
        "nobody owns this workspace, so nothing begins in it: an admin agrees to own it, or an operator appoints \
         an owner"
    )]
    Restricted,
    #[error("this workspace has an owner, or is being deleted: an owner gives roles")]
    NotRestricted,
    #[error("an owner owns the workspace already: admins agree to inherit it")]
    OwnsAlready,
    #[error("this member has not agreed to inherit the workspace, or is no admin any more")]
    NotAnHeir,
    #[error("the only member cannot be removed: delete the workspace instead")]
    LastMember,
    #[error("a workspace with other members cannot be abandoned: remove the member instead")]
    NotAlone,
    #[error("this person is a member of the workspace already")]
    MemberAlready,
    #[error("at most {0} members and open invitations are possible: remove or revoke some")]
    MembersMax(usize),
    #[error("names are opened for account_administration and service_communication only")]
    NotAPurpose,
    #[error("there is no open invitation with this id")]
    NoSuchInvitation,
    #[error("this invitation was used, declined, revoked or replaced: ask for a new one")]
    InvitationGone,
    #[error("this invitation has expired: ask for a new one")]
    InvitationExpired,
    #[error("this invitation has not expired: it works until {0}")]
    InvitationNotExpired(DateTime<Utc>),
    #[error("at most {0} invitations may be open at once: revoke some first")]
    InvitationsMax(usize),
    #[error("an invitation must end within {INVITATION_DAYS_MAX} days, and not before now")]
    InvitationDays,
    #[error("there is no API token with this id")]
    NoSuchToken,
    #[error("this API token has expired: issue a new one")]
    TokenExpired,
    #[error(
        "this API token acts for another member, and so does whoever has its secret: ask that member, or revoke it"
    )]
    TokenOfAnother,
    #[error(
        "the secret before the present one works until {0}: rotate the token then, or with an overlap of 0 minutes, \
         which ends both at once"
    )]
    FormerSecretWorks(DateTime<Utc>),
    #[error("both secrets may work for 0 to {OVERLAP_MINUTES_MAX} minutes")]
    OverlapOutOfRange,
    #[error("this API token has been revoked or has expired: issue a new one")]
    TokenGone,
    #[error("a workspace has at most {0} API tokens at once: revoke some first")]
    TokensMax(usize),
    #[error("a workspace has at most {0} service accounts: remove some first")]
    ServiceAccountsMax(usize),
    #[error("there is no service account with this id: leave it out for a token that acts for you")]
    NoSuchServiceAccount,
    #[error("a service account cannot be an owner, which is a person: use another role")]
    ServiceAccountOwns,
    #[error(
        "the role of this service account does not have the right {}: give it another role, or leave the right out",
        .0.as_str()
    )]
    ServiceAccountLacks(Right),
    #[error("a token must expire later than now, and within {TOKEN_DAYS_MAX} days")]
    TokenDays,
    #[error("a token needs one right at least: name some")]
    NoRights,
    #[error("no token may have the right {}: leave it out", .0.as_str())]
    NotForTokens(Right),
    #[error("the deletion of this workspace has been requested: cancel it first")]
    DeletionRequested,
    #[error("no deletion of this workspace has been requested: request it first")]
    DeletionNotRequested,
    #[error(
        "the deletion was requested and cancelled too often within a day: nothing is deleted now, and from {0} on it can \
         be requested again"
    )]
    RequestedTooOften(DateTime<Utc>),
    #[error("the deletion can no longer be cancelled: its grace ended at {0}")]
    GraceOver(DateTime<Utc>),
    #[error("the deletion is not completed yet: its grace lasts until {0}")]
    GraceNotOver(DateTime<Utc>),
    #[error(
        "the deletion is hastened by another owner than the one who requested it, who has owned the workspace for a \
         day before: ask one, or an operator"
    )]
    AnotherOwnerNeeded,
    #[error("the deletion is due at {0} already: only an earlier end hastens it")]
    NotSooner(DateTime<Utc>),
    #[error(
        "where others belong to the workspace, or have belonged to it, the grace must be a day at least"
    )]
    GraceNeeded,
    #[error("the grace must be 0 to {ERASURE_DAYS_MAX} days")]
    GraceOutOfRange,
}
