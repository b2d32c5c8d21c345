//! What a member can do in a workspace, and with what belongs to it: a table of facts.

use super::Right;

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident $right:ident $in_grace:ident;)*) => {
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
        }
    };
}

/// Whether an action is possible between a request for deletion and its completion.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InGrace {
    Allowed,
    Refused,
}

actions! {
    ShowWorkspace ReadWorkspace Allowed;
    RenameWorkspace ManageWorkspace Refused;
    /// Allowed in the grace, so that a request that is sent again gets its first answer.
    RequestDeletion DeleteWorkspace Allowed;
    ShowDeletion ReadWorkspace Allowed;
    CancelDeletion DeleteWorkspace Allowed;
    ListMembers ReadMembers Allowed;
    ChangeRole ManageMembers Refused;
    /// Whoever leaves by themselves needs no right.
    RemoveMember ManageMembers Refused;
    Invite ManageMembers Refused;
    ListInvitations ReadMembers Allowed;
    RevokeInvitation ManageMembers Refused;
    IssueApiToken ManageTokens Refused;
    ListApiTokens ManageTokens Allowed;
    RevokeApiToken ManageTokens Refused;
    ShowSeats ReadSeats Allowed;
    LeaseSeat LeaseSeat Refused;
    RenewLease LeaseSeat Refused;
    TakeOverLease LeaseSeat Refused;
    /// Another member's lease needs the right to manage members, too.
    ReleaseLease LeaseSeat Refused;
    RegisterServer ManageServers Refused;
    ListServers ReadServers Allowed;
    ShowServer ReadServers Allowed;
    RenameServer ManageServers Refused;
    ChangeServerAddress ManageServers Refused;
    RemoveServer ManageServers Refused;
    CheckServer UseServers Refused;
    ShowServerMetrics ReadServers Allowed;
    ApproveHostKey ManageServers Refused;
    AttachCredential ManageServers Refused;
    CreateDeployment ManageServers Refused;
    ListDeployments ReadServers Allowed;
    ShowDeployment ReadServers Allowed;
    ReplaceDeployment ManageServers Refused;
    RemoveDeployment ManageServers Refused;
    StartRun StartRuns Refused;
    ListRuns ReadRuns Allowed;
    ShowRun ReadRuns Allowed;
    CancelRun StartRuns Refused;
    RetryRun StartRuns Refused;
    ReadRunLog ReadLogs Allowed;
}

impl WorkspaceAction {
    /// Whether it is possible between a request for deletion and its completion: until the request
    /// is cancelled, a workspace is only read.
    pub const fn allowed_in_grace(self) -> bool {
        matches!(self.in_grace(), InGrace::Allowed)
    }
}
