//! The commands of a seat pool.

use super::{LimitCause, ReleaseReason};
use crate::{AccountId, LeaseId};

/// What can be requested of a seat pool.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields are those of the event that follows")]
pub enum SeatCommand {
    /// Sent when the workspace is created.
    Open { limit: u32 },
    /// Sets the limit. It ends no lease: the newest leases above it cannot be renewed.
    SetLimit { limit: u32, cause: LimitCause },
    /// Causes a lease, or a denial where no seat is free: which of them, the event says.
    Acquire { lease: LeaseId, account: AccountId },
    /// Changes nothing: a guard of the renewal of a lease, which is no event.
    Renew { lease: LeaseId, account: AccountId, fence: u64 },
    /// Changes nothing when the lease has ended.
    Release { lease: LeaseId, reason: ReleaseReason },
    /// Moves a person's own seat to another lease, with a new fence.
    TakeOver { account: AccountId, from: LeaseId, to: LeaseId },
    /// Changes nothing when the lease has ended.
    Expire { lease: LeaseId, account: AccountId },
    /// Releases whatever lease the person has, who is gone.
    Vacate { account: AccountId, reason: ReleaseReason },
    /// Releases every lease: the workspace is deleted.
    VacateAll { reason: ReleaseReason },
}
