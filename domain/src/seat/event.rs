//! What happened to the seats of a workspace.

use serde::{Deserialize, Serialize};

use crate::{AccountId, LeaseId};

crate::named_enum! {
    /// Why there are so many seats.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum LimitCause {
        /// What a new workspace has.
        Default = "default",
        /// An operator set it.
        Admin = "admin",
    }
}

/// Why a lease was released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseReason {
    /// By whoever held it.
    Released,
    /// By somebody who manages members.
    RemovedByAdmin,
    /// They left the workspace, were removed from it, or were erased.
    MemberGone,
    /// Their new role has no seat.
    RoleChanged,
    /// The whole workspace is gone.
    WorkspaceDeleted,
}

non_personal!(LimitCause, ReleaseReason);

events! {
    /// What happened to the seats of a workspace.
    SeatEvent subject tenant {
        "seat.limit_set" 1 => LimitSet { limit: u32, cause: LimitCause }
        "seat.lease_acquired" 1 => LeaseAcquired { lease: LeaseId, account: AccountId, fence: u64 }
        "seat.lease_released" 1 => LeaseReleased {
            lease: LeaseId,
            account: AccountId,
            reason: ReleaseReason,
        }
        "seat.lease_expired" 1 => LeaseExpired { lease: LeaseId, account: AccountId, fence: u64 }
        "seat.lease_taken_over" 1 => LeaseTakenOver {
            account: AccountId,
            from: LeaseId,
            to: LeaseId,
            fence: u64,
        }
        "seat.denied" 1 => Denied { account: AccountId, in_use: u32, limit: u32 }
    }
}

impl SeatEvent {
    /// The events that the seats of a deleted workspace still take.
    pub const CLOSING: &'static [&'static str] = &["seat.lease_released", "seat.lease_expired"];
}
