//! Keeps the rows of seat leases in step with the log, and vacates the seats of members who have left.

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::seat::{ReleaseReason, SeatCommand, SeatError, SeatEvent, SeatPool, pool_stream};
use domain::workspace::{Right, WorkspaceEvent};
use domain::{AccountId, LeaseId, Refused, WorkspaceId};
use infra::event_store::Executor;
use infra::log::{Recorded, Worker, WorkerError};
use infra::postgres::Transaction;
use infra::seats::{NewSeatLease, Seats};

use crate::operations::system_command::SystemCommand;
use crate::wiring::App;

pub(super) struct SeatLeases {
    executor: Executor,
    ttl: TimeDelta,
}

impl SeatLeases {
    pub(super) fn new(app: &App) -> Self {
        let ttl = TimeDelta::seconds(app.config.seat_lease_seconds.into());
        Self { executor: app.executor.clone(), ttl }
    }

    /// The request that acquired a lease writes its row too: this repairs the row after a crash.
    async fn follow(&self, event: &Recorded, tx: &Transaction<'_>) -> Result<(), WorkerError> {
        let leased = |lease: LeaseId, account: AccountId, fence: u64| NewSeatLease {
            lease,
            workspace: WorkspaceId(event.tenant().0),
            account,
            fence,
            since: event.recorded_at(),
            ttl: self.ttl,
        };
        match event.decode()? {
            SeatEvent::LeaseAcquired { lease, account, fence } => {
                Seats::put_in(tx, &leased(lease, account, fence)).await?;
            }
            SeatEvent::LeaseTakenOver { account, from, to, fence } => {
                Seats::delete_in(tx, from).await?;
                Seats::put_in(tx, &leased(to, account, fence)).await?;
            }
            SeatEvent::LeaseReleased { lease, .. } | SeatEvent::LeaseExpired { lease, .. } => {
                Seats::delete_in(tx, lease).await?;
            }
            SeatEvent::LimitSet { .. } | SeatEvent::Denied { .. } => {}
        }
        Ok(())
    }

    async fn vacate(&self, event: &Recorded, command: SeatCommand) -> Result<(), WorkerError> {
        let cause = event.event_id();
        let stream = pool_stream(WorkspaceId(event.tenant().0));
        SystemCommand::new(event.tenant(), &[b"seat.vacate", cause.0.as_bytes()])
            .caused_by(Some(cause))
            .step::<SeatPool>(stream, command)
            // Workspaces of early releases may have no pool.
            .execute(&self.executor, |refused| matches!(refused, Refused::Seat(SeatError::Unknown)))
            .await?;
        Ok(())
    }
}

/// The member who may not hold a seat after this event, and why.
fn vacated(event: &WorkspaceEvent) -> Option<(AccountId, ReleaseReason)> {
    if let WorkspaceEvent::MemberRemoved { account }
    | WorkspaceEvent::ServiceAccountRemoved { account } = *event
    {
        Some((account, ReleaseReason::MemberGone))
    } else if let WorkspaceEvent::RoleChanged { account, to, .. }
    | WorkspaceEvent::ServiceAccountRoleChanged { account, to, .. } = *event
    {
        (!to.may(Right::LeaseSeat)).then_some((account, ReleaseReason::RoleChanged))
    } else {
        None
    }
}

#[async_trait]
impl Worker for SeatLeases {
    fn name(&self) -> &'static str {
        "seat_leases"
    }

    fn event_types(&self) -> &'static [&'static str] {
        &[
            "seat.lease_acquired",
            "seat.lease_released",
            "seat.lease_expired",
            "seat.lease_taken_over",
            "workspace.role_changed",
            "workspace.member_removed",
            "workspace.service_account_role_changed",
            "workspace.service_account_removed",
            "workspace.deleted",
        ]
    }

    async fn react(&self, event: &Recorded, tx: &Transaction<'_>) -> Result<(), WorkerError> {
        match event.event_type() {
            "workspace.role_changed"
            | "workspace.member_removed"
            | "workspace.service_account_role_changed"
            | "workspace.service_account_removed" => {
                let Some((account, reason)) = vacated(&event.decode()?) else { return Ok(()) };
                self.vacate(event, SeatCommand::Vacate { account, reason }).await
            }
            "workspace.deleted" => {
                let reason = ReleaseReason::WorkspaceDeleted;
                self.vacate(event, SeatCommand::VacateAll { reason }).await?;
                Ok(Seats::delete_all_in(tx, WorkspaceId(event.tenant().0)).await?)
            }
            _ => self.follow(event, tx).await,
        }
    }
}
