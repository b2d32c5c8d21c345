//! Seats: how many a workspace has and why, and who holds one.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::seat::{SeatEvent, pool_stream};
use domain::{AccountId, ActorId, EventId, LeaseId, WorkspaceId};
use infra::log::{Json, Origin, Poison, Projection, Reads, Recorded};
use serde::{Deserialize, Serialize};

pub struct SeatPools;

infra::row! {
    /// One workspace's seats.
    pub struct SeatPool {
        pub workspace_id: WorkspaceId,
        pub seat_limit: i64,
        /// The event's word for it.
        pub limit_cause: String,
        /// The event that set the limit, and by whom.
        pub limit_event_id: EventId,
        pub limit_position: i64,
        pub limit_set_at: DateTime<Utc>,
        pub limit_actor: Option<ActorId>,
        pub leases: Json<BTreeMap<AccountId, Lease>>,
        pub position: i64,
    }
}

/// A seat that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    pub lease_id: LeaseId,
    pub fence: u64,
    pub acquired_at: DateTime<Utc>,
}

impl Projection for SeatPools {
    const NAME: &'static str = "seat_pools";
    const VERSION: i16 = 1;
    const EVENT_TYPES: &'static [&'static str] = &[
        "seat.limit_set",
        "seat.lease_acquired",
        "seat.lease_released",
        "seat.lease_expired",
        "seat.lease_taken_over",
    ];
    const TABLE: &'static str = include_str!("table.sql");
    const INDEXES: &'static str = "";
    const READS: Reads = Reads { sealed: false, causes: false, ..Reads::ALL };
    type Key = WorkspaceId;
    type Row = SeatPool;

    fn key(event: &Recorded) -> WorkspaceId {
        WorkspaceId(event.tenant().0)
    }

    fn origin(row: &SeatPool) -> Origin {
        Origin::Stream(pool_stream(row.workspace_id))
    }

    fn begins(event: &Recorded) -> bool {
        event.version() == 1
    }

    fn fold(row: &mut Option<SeatPool>, event: &Recorded) -> Result<(), Poison> {
        let decoded: SeatEvent = event.decode()?;
        if let SeatEvent::LimitSet { limit, cause } = decoded {
            let leases = row.take().map_or_else(|| Json(BTreeMap::new()), |pool| pool.leases);
            *row = Some(SeatPool {
                workspace_id: WorkspaceId(event.tenant().0),
                seat_limit: limit.into(),
                limit_cause: cause.as_str().to_owned(),
                limit_event_id: event.event_id(),
                limit_position: event.position(),
                limit_set_at: event.recorded_at(),
                limit_actor: event.actor(),
                leases,
                position: event.position(),
            });
            return Ok(());
        }
        let leases = &mut row.as_mut().ok_or_else(Poison::no_row)?.leases.0;
        match decoded {
            SeatEvent::LeaseAcquired { lease, account, fence } => {
                let acquired_at = event.recorded_at();
                leases.insert(account, Lease { lease_id: lease, fence, acquired_at });
            }
            SeatEvent::LeaseTakenOver { account, to, fence, .. } => {
                let held = leases.get_mut(&account).ok_or_else(Poison::no_row)?;
                (held.lease_id, held.fence) = (to, fence);
            }
            SeatEvent::LeaseReleased { account, .. } | SeatEvent::LeaseExpired { account, .. } => {
                leases.remove(&account);
            }
            SeatEvent::LimitSet { .. } | SeatEvent::Denied { .. } => {}
        }
        Ok(())
    }
}
