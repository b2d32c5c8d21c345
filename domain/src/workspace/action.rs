//! What a member can do in a workspace, and with what belongs to it: a table of facts.

use super::Right;

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident $right:ident $in_grace:ident $account:ident;)*) => {
        /// What a member can do in a workspace, to it and to its members, seats, servers and runs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "the name of each action says what it is")]
        pub enum WorkspaceAction { $($(#[$doc])* $action,)* }

        impl WorkspaceAction {
            /// Every action, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$action),*];

            /// The right that it needs.
            pub const fn right(self) -> Right {
                match self { $(Self::$action => Right::$right),* }
            }

            const fn in_grace(self) -> InGrace {
                match self { $(Self::$action => InGrace::$in_grace),* }
            }

            /// What is needed of the account that acts, besides.
            pub const fn account(self) -> ActingAccount {
                match self { $(Self::$action => ActingAccount::$account),* }
            }
        }
    };
}

/// Whether an action is possible between a request for deletion and its completion.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InGrace {
    Allowed,
    Refused,
}

/// What an action needs of the account that acts, or that a token acts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActingAccount {
    /// Nothing.
    Any,
    /// Its erasure is not requested: others come to depend on what is done.
    Stays,
    /// It stays, and its address is verified: others are written to, or connected to.
    Verified,
}

actions! {
    ShowWorkspace ReadWorkspace Allowed Any;
    RenameWorkspace ManageWorkspace Refused Any;
    /// Allowed in the grace, so that a request that is sent again gets its first answer.
    RequestDeletion DeleteWorkspace Allowed Any;
    /// The former way to request it.
    DeleteWorkspace DeleteWorkspace Allowed Any;
    ShowDeletion ReadWorkspace Allowed Any;
    CancelDeletion DeleteWorkspace Allowed Stays;
    ListMembers ReadMembers Allowed Any;
    ShowMember ReadMembers Allowed Any;
    ChangeRole ManageMembers Refused Any;
    /// Whoever leaves by themselves needs no right.
    RemoveMember ManageMembers Allowed Any;
    Invite ManageMembers Refused Verified;
    ListInvitations ReadMembers Allowed Any;
    ShowInvitation ReadMembers Allowed Any;
    RevokeInvitation ManageMembers Allowed Any;
    IssueApiToken ManageTokens Refused Stays;
    ListApiTokens ManageTokens Allowed Any;
    ShowApiToken ManageTokens Allowed Any;
    RevokeApiToken ManageTokens Allowed Any;
    ShowSeats ReadSeats Allowed Any;
    ShowLease ReadSeats Allowed Any;
    LeaseSeat LeaseSeat Refused Any;
    RenewLease LeaseSeat Refused Any;
    TakeOverLease LeaseSeat Refused Any;
    /// Another member's lease needs the right to manage members, too.
    ReleaseLease LeaseSeat Allowed Any;
    RegisterServer ManageServers Refused Verified;
    ListServers ReadServers Allowed Any;
    ShowServer ReadServers Allowed Any;
    RenameServer ManageServers Refused Any;
    ChangeServerAddress ManageServers Refused Verified;
    RemoveServer ManageServers Refused Any;
    CheckServer UseServers Refused Verified;
    ShowServerMetrics ReadServers Allowed Any;
    ApproveHostKey ManageServers Refused Verified;
    AttachCredential ManageServers Refused Verified;
    CreateDeployment ManageServers Refused Any;
    ListDeployments ReadServers Allowed Any;
    ShowDeployment ReadServers Allowed Any;
    ReplaceDeployment ManageServers Refused Any;
    RemoveDeployment ManageServers Refused Any;
    StartRun StartRuns Refused Verified;
    ListRuns ReadRuns Allowed Any;
    ShowRun ReadRuns Allowed Any;
    CancelRun StartRuns Allowed Any;
    RetryRun StartRuns Refused Verified;
    ReadRunLog ReadLogs Allowed Any;
    ReadTrail ReadAudit Allowed Any;
}

impl WorkspaceAction {
    /// Whether a token may do it, if it has the right: a host key is approved by a person.
    pub const fn is_for_tokens(self) -> bool {
        self.right().is_for_tokens() && !matches!(self, Self::ApproveHostKey)
    }

    /// Whether it is possible between a request for deletion and its completion: until the request is
    /// cancelled nothing begins in a workspace. It is read, and what runs there, or has a right, is ended.
    pub const fn allowed_in_grace(self) -> bool {
        matches!(self.in_grace(), InGrace::Allowed)
    }
}
