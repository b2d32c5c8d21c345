//! What a member can do in a workspace, and with what belongs to it: a table of facts.

use super::Right;

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident $right:ident $in_grace:ident $restricted:ident $account:ident;)*) => {
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

            const fn in_grace(self) -> Meanwhile {
                match self { $(Self::$action => Meanwhile::$in_grace),* }
            }

            const fn while_restricted(self) -> Meanwhile {
                match self { $(Self::$action => Meanwhile::$restricted),* }
            }

            /// What is needed of the account that acts, besides.
            pub const fn account(self) -> ActingAccount {
                match self { $(Self::$action => ActingAccount::$account),* }
            }
        }
    };
}

/// Whether an action is possible while nothing begins in the workspace.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
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

// Action, right, in the grace of a deletion, while nobody owns the workspace, what the account needs.
actions! {
    ShowWorkspace ReadWorkspace Allowed Allowed Any;
    RenameWorkspace ManageWorkspace Refused Refused Any;
    /// Allowed in the grace, so that a request that is sent again gets its first answer.
    RequestDeletion DeleteWorkspace Allowed Allowed Any;
    ShowDeletion ReadWorkspace Allowed Allowed Any;
    CancelDeletion DeleteWorkspace Allowed Allowed Stays;
    /// An owner who did not request it has it come sooner.
    HastenDeletion DeleteWorkspace Allowed Allowed Stays;
    ShowSuccession ReadMembers Allowed Allowed Any;
    /// In a restricted workspace whoever agrees owns it at once. One that is being deleted is nobody's to bring back.
    AgreeSuccession ManageMembers Refused Allowed Stays;
    WithdrawSuccession ManageMembers Allowed Allowed Any;
    ListMembers ReadMembers Allowed Allowed Any;
    ShowMember ReadMembers Allowed Allowed Any;
    ChangeRole ManageMembers Refused Refused Any;
    /// Whoever leaves by themselves needs no right.
    RemoveMember ManageMembers Allowed Allowed Any;
    Invite ManageMembers Refused Refused Verified;
    ListInvitations ReadMembers Allowed Allowed Any;
    ShowInvitation ReadMembers Allowed Allowed Any;
    RevokeInvitation ManageMembers Allowed Allowed Any;
    CreateServiceAccount ManageMembers Refused Refused Verified;
    IssueApiToken ManageTokens Refused Refused Stays;
    ListApiTokens ManageTokens Allowed Allowed Any;
    ShowApiToken ManageTokens Allowed Allowed Any;
    RenameApiToken ManageTokens Refused Refused Any;
    RotateApiToken ManageTokens Refused Refused Stays;
    RevokeApiToken ManageTokens Allowed Allowed Any;
    ShowSeats ReadSeats Allowed Allowed Any;
    ShowLease ReadSeats Allowed Allowed Any;
    LeaseSeat LeaseSeat Refused Refused Any;
    RenewLease LeaseSeat Refused Refused Any;
    TakeOverLease LeaseSeat Refused Refused Any;
    /// Another member's lease needs the right to manage members, too.
    ReleaseLease LeaseSeat Allowed Allowed Any;
    RegisterServer ManageServers Refused Refused Verified;
    ListServers ReadServers Allowed Allowed Any;
    ShowServer ReadServers Allowed Allowed Any;
    RenameServer ManageServers Refused Refused Any;
    ChangeServerAddress ManageServers Refused Refused Verified;
    RemoveServer ManageServers Refused Refused Any;
    CheckServer UseServers Refused Refused Verified;
    ShowServerMetrics ReadServers Allowed Allowed Any;
    ApproveHostKey ManageServers Refused Refused Verified;
    AttachCredential ManageServers Refused Refused Verified;
    CreateDeployment ManageServers Refused Refused Any;
    ListDeployments ReadServers Allowed Allowed Any;
    ShowDeployment ReadServers Allowed Allowed Any;
    ReplaceDeployment ManageServers Refused Refused Any;
    RemoveDeployment ManageServers Refused Refused Any;
    StartRun StartRuns Refused Refused Verified;
    ListRuns ReadRuns Allowed Allowed Any;
    ShowRun ReadRuns Allowed Allowed Any;
    CancelRun StartRuns Allowed Allowed Any;
    RetryRun StartRuns Refused Refused Verified;
    /// Frees what waits for it, and ends nothing: while nothing begins there is no need.
    GiveUpRun StartRuns Refused Refused Any;
    ReadRunLog ReadLogs Allowed Allowed Any;
    ReadTrail ReadAudit Allowed Allowed Any;
}

impl WorkspaceAction {
    /// Whether a token may do it, if it has the right: a host key is approved, and what may be left of a run given
    /// up, by a person.
    pub const fn is_for_tokens(self) -> bool {
        self.right().is_for_tokens() && !matches!(self, Self::ApproveHostKey | Self::GiveUpRun)
    }

    /// Whether it is possible between a request for deletion and its completion: until the request is
    /// cancelled nothing begins in a workspace. It is read, and what runs there, or has a right, is ended.
    pub const fn allowed_in_grace(self) -> bool {
        matches!(self.in_grace(), Meanwhile::Allowed)
    }

    /// Whether it is possible while nobody owns the workspace: the same goes on as in the grace of a deletion,
    /// and an admin may become its owner.
    pub const fn allowed_while_restricted(self) -> bool {
        matches!(self.while_restricted(), Meanwhile::Allowed)
    }
}
