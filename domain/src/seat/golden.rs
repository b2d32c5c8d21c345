//! Each event as the log keeps it.

use uuid::Uuid;

use super::{LimitCause, ReleaseReason, SeatEvent};
use crate::{AccountId, LeaseId, golden};

#[test]
fn every_event_of_a_seat_pool_is_kept_as_it_ever_was() {
    let account = AccountId(Uuid::from_u128(1));
    let lease = LeaseId(Uuid::from_u128(2));
    golden::check(
        "seat",
        vec![
            SeatEvent::LimitSet { limit: 5, cause: LimitCause::Default },
            SeatEvent::LeaseAcquired { lease, account, fence: 1 },
            SeatEvent::LeaseReleased { lease, account, reason: ReleaseReason::RemovedByAdmin },
            SeatEvent::LeaseExpired { lease, account, fence: 1 },
            SeatEvent::LeaseTakenOver {
                account,
                from: lease,
                to: LeaseId(Uuid::from_u128(3)),
                fence: 2,
            },
            SeatEvent::Denied { account, in_use: 5, limit: 5 },
        ],
    );
}
