//! Keeps the rows of seat leases in step with the log, and vacates the seats of those who are gone.

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::seat::{ReleaseReason, SeatCommand, SeatError, SeatEvent, SeatPool, pool_stream};
use domain::workspace::{Right, Role};
use domain::{AccountId, CommandId, LeaseId, Refused, WorkspaceId};
use infra::event_store::{ExecuteError, Executor, Request, Step};
use infra::ids::hashed;
use infra::log::{Recorded, Worker, WorkerError};
use infra::seats::{NewSeatLease, Seats};
use serde::Deserialize;
use tokio_postgres::Transaction;

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

    /// Whoever acquired a lease puts its row down, too: here it comes after a crash.
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
        let id = hashed(&[b"seat.vacate", event.event_id().0.as_bytes()]);
        let request = Request {
            causation: Some(event.event_id()),
            ..Request::new(event.tenant(), CommandId(id))
        };
        let stream = pool_stream(WorkspaceId(event.tenant().0));
        match self.executor.execute(&request, &[Step::new::<SeatPool>(stream, command)]).await {
            // A deleted workspace's seats end with it; an old one may have had none.
            Ok(_)
            | Err(
                ExecuteError::Fenced | ExecuteError::Refused(Refused::Seat(SeatError::Unknown)),
            ) => Ok(()),
            Err(error) => Err(WorkerError::Unavailable(error.to_string())),
        }
    }
}

/// What is wanted of a member's event.
#[derive(Deserialize)]
struct Changed {
    account: AccountId,
    /// The new role.
    to: Option<Role>,
}

/// Why the member has no seat any more, if so.
fn reason(changed: &Changed) -> Option<ReleaseReason> {
    match changed.to {
        None => Some(ReleaseReason::MemberGone),
        Some(role) => (!role.may(Right::LeaseSeat)).then_some(ReleaseReason::RoleChanged),
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
            "workspace.deleted",
        ]
    }

    async fn react(&self, event: &Recorded, tx: &Transaction<'_>) -> Result<(), WorkerError> {
        match event.event_type() {
            "workspace.role_changed" | "workspace.member_removed" => {
                let changed: Changed =
                    serde_json::from_str(event.data()).map_err(domain::DecodeError::Data)?;
                let Some(reason) = reason(&changed) else { return Ok(()) };
                let vacates = SeatCommand::Vacate { account: changed.account, reason };
                self.vacate(event, vacates).await
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
