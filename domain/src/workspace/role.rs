//! Who may do what in a workspace: a table of facts.

use serde::{Deserialize, Serialize};

macro_rules! rights {
    ($($(#[$doc:meta])* $right:ident $word:literal: $($role:ident)*;)*) => {
        /// What can be done in a workspace. Its text is also a scope of API tokens.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[allow(missing_docs, reason = "the name of each right says what it is for")]
        pub enum Right {
            $($(#[$doc])* #[serde(rename = $word)] $right,)*
        }

        impl Right {
            /// Every right, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$right),*];

            /// The name in JSON, in scopes of tokens and in the API.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$right => $word),* }
            }

            /// `None` for a text that names no right.
            pub fn named(text: &str) -> Option<Self> {
                match text { $($word => Some(Self::$right),)* _ => None }
            }

            /// The roles that have it.
            pub const fn roles(self) -> &'static [Role] {
                match self { $(Self::$right => &[$(Role::$role),*]),* }
            }
        }
    };
}

crate::named_enum! {
    /// What somebody is in a workspace.
    #[derive(PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Role {
        /// Everything. The one role that can delete the workspace.
        Owner = "owner",
        /// Everything but deletion and billing.
        Admin = "admin",
        /// Leases seats and runs work on servers.
        Operator = "operator",
        /// Reads, but neither billing nor the audit trail.
        Viewer = "viewer",
        /// Reads and manages what is paid.
        Billing = "billing",
        /// Reads, the audit trail too, but no logs.
        Auditor = "auditor",
    }
}

rights! {
    ReadWorkspace "workspace:read": Owner Admin Operator Viewer Billing Auditor;
    ManageWorkspace "workspace:manage": Owner Admin;
    DeleteWorkspace "workspace:delete": Owner;
    ReadMembers "members:read": Owner Admin Operator Viewer Billing Auditor;
    ManageMembers "members:manage": Owner Admin;
    ManageTokens "tokens:manage": Owner Admin;
    ReadSeats "seats:read": Owner Admin Operator Viewer Billing Auditor;
    LeaseSeat "seats:lease": Owner Admin Operator;
    ReadServers "servers:read": Owner Admin Operator Viewer Auditor;
    ManageServers "servers:manage": Owner Admin;
    /// Check a server, and approve or attach nothing.
    UseServers "servers:use": Owner Admin Operator;
    ReadRuns "runs:read": Owner Admin Operator Viewer Auditor;
    StartRuns "runs:start": Owner Admin Operator;
    ReadLogs "logs:read": Owner Admin Operator Viewer;
    ReadBilling "billing:read": Owner Billing Auditor;
    ManageBilling "billing:manage": Owner Billing;
    ReadAudit "audit:read": Owner Admin Auditor;
}

impl Right {
    /// Whether a token may have it: whoever holds one neither makes more of them, nor decides who
    /// belongs to the workspace, nor ends it.
    pub const fn is_for_tokens(self) -> bool {
        !matches!(self, Self::ManageTokens | Self::ManageMembers | Self::DeleteWorkspace)
    }
}

impl Role {
    /// Whether the role has the right.
    pub fn may(self, right: Right) -> bool {
        right.roles().contains(&self)
    }

    /// The rights that the role has.
    pub fn rights(self) -> impl Iterator<Item = Right> {
        Right::ALL.iter().copied().filter(move |right| self.may(*right))
    }

    /// Whether whoever has it may do nothing that `other` may not.
    pub fn is_within(self, other: Self) -> bool {
        self.rights().all(|right| other.may(right))
    }
}

non_personal!(Role, Right);
