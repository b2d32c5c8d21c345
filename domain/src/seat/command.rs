//! The commands of a seat pool.

use super::{LimitCause, ReleaseReason};
use crate::{AccountId, LeaseId};

#[derive(Clone, Debug)]
pub enum SeatCommand {
    /// Comes with the workspace.
    Open {
        limit: u32,
    },
    SetLimit {
        limit: u32,
        cause: LimitCause,
    },
    /// Tells of a lease, or that it is denied: which, stands in the log.
    Acquire {
        lease: LeaseId,
        account: AccountId,
    },
    Release {
        lease: LeaseId,
        reason: ReleaseReason,
    },
    TakeOver {
        account: AccountId,
        from: LeaseId,
        to: LeaseId,
    },
    /// Changes nothing when the lease has ended.
    Expire {
        lease: LeaseId,
        account: AccountId,
    },
    /// Whoever has gone has no seat.
    Vacate {
        account: AccountId,
        reason: ReleaseReason,
    },
    VacateAll {
        reason: ReleaseReason,
    },
}
