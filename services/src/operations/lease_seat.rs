//! Leases of seats: the event decides who has a seat, the row says until when.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::seat::{ReleaseReason, SeatCommand, SeatError, SeatEvent, SeatPool, pool_stream};
use domain::{AccountId, DecodeError, LeaseId, WorkspaceId};
use infra::event_store::{ExecuteError, Guard, LoadError, Receipt, Request, Step};
use infra::failpoint;
use infra::ids::derived;
use infra::log::{FeedError, Recorded};
use infra::postgres::PgError;
use infra::seats::{NewSeatLease, Renewal, SeatLeaseRow};

use super::appended_event::appended_event;
use crate::operations::expire_leases::{ExpireLeasesError, expire_leases};
use crate::wiring::App;

/// A renewal is decided so often again while its streams move.
const RENEWALS_MAX: u32 = 8;

/// The seat was not leased, taken over or released.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LeaseSeatError {
    #[error(transparent)]
    Refused(#[from] SeatError),
    #[error("overdue leases were not expired: {0}")]
    Expire(#[from] ExpireLeasesError),
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error("the appended event was not read: {0}")]
    Feed(#[from] FeedError),
    #[error("the appended event was not read: {0}")]
    Decode(#[from] DecodeError),
    #[error("the command appended another event than it appends")]
    OtherEvent,
}

/// A seat that a member has.
pub(crate) struct LeasedSeat {
    pub(crate) receipt: Receipt,
    pub(crate) lease: LeaseId,
    pub(crate) fence: u64,
    pub(crate) acquired_at: DateTime<Utc>,
    pub(crate) row: SeatLeaseRow,
}

/// How an acquisition ends that is not refused.
pub(crate) enum Acquisition {
    Leased(LeasedSeat),
    /// Every seat is taken.
    Denied {
        in_use: u32,
        limit: u32,
    },
}

/// A member of a workspace, who leases seats in it.
#[derive(Clone, Copy)]
pub(crate) struct SeatMember {
    pub(crate) workspace: WorkspaceId,
    pub(crate) account: AccountId,
}

impl SeatMember {
    /// Leases a seat. Before the member is denied one, leases whose time is over are ended.
    ///
    /// # Errors
    /// [`LeaseSeatError`].
    pub(crate) async fn acquire(
        self,
        app: &App,
        request: &Request,
    ) -> Result<Acquisition, LeaseSeatError> {
        let pool = self.pool(app).await?;
        let (in_use, limit) = pool.taken();
        if in_use >= limit || pool.lease_of(self.account).is_some() {
            expire_leases(app, self.workspace).await?;
        }
        let lease = LeaseId(derived(request.command, "lease"));
        let acquires = SeatCommand::Acquire { lease, account: self.account };
        let receipt = app.executor.execute(request, &[self.step(acquires)]).await?;
        let Some(event) = appended_event(app, &receipt).await? else {
            // A denial that is repeated appends nothing.
            let (in_use, limit) = self.pool(app).await?.taken();
            return Ok(Acquisition::Denied { in_use, limit });
        };
        match event.decode()? {
            SeatEvent::LeaseAcquired { lease, fence, .. } => {
                failpoint!(SeatAcquired);
                let leased = self.put(app, receipt, &event, (lease, fence)).await?;
                Ok(Acquisition::Leased(leased))
            }
            SeatEvent::Denied { in_use, limit, .. } => Ok(Acquisition::Denied { in_use, limit }),
            SeatEvent::LimitSet { .. }
            | SeatEvent::LeaseReleased { .. }
            | SeatEvent::LeaseExpired { .. }
            | SeatEvent::LeaseTakenOver { .. } => Err(LeaseSeatError::OtherEvent),
        }
    }

    /// Renews the member's own lease, where `guards` hold and the pool still has it when the row is written.
    ///
    /// # Errors
    /// [`LeaseSeatError`].
    pub(crate) async fn renew(
        self,
        app: &App,
        guards: Vec<Guard>,
        (lease, fence): (LeaseId, u64),
    ) -> Result<SeatLeaseRow, LeaseSeatError> {
        let guards = [guards, vec![self.renews(lease, fence)]].concat();
        for _ in 0..RENEWALS_MAX {
            let decided = app.executor.check(&guards).await?;
            match app.seats.renew(lease, fence, &decided).await? {
                Renewal::Renewed(row) => return Ok(row),
                Renewal::Lost => return Err(SeatError::LeaseLost.into()),
                Renewal::Moved => {}
            }
        }
        Err(ExecuteError::Conflict.into())
    }

    /// The lease is the member's, and goes on.
    pub(crate) fn renews(self, lease: LeaseId, fence: u64) -> Guard {
        let renews = SeatCommand::Renew { lease, account: self.account, fence };
        Guard::new::<SeatPool>(self.workspace.into(), pool_stream(self.workspace), renews)
    }

    /// Replaces the member's own lease `from`, which ends at once.
    ///
    /// # Errors
    /// [`LeaseSeatError`].
    pub(crate) async fn take_over(
        self,
        app: &App,
        request: &Request,
        from: LeaseId,
    ) -> Result<LeasedSeat, LeaseSeatError> {
        let to = LeaseId(derived(request.command, "lease"));
        let takes = SeatCommand::TakeOver { account: self.account, from, to };
        let receipt = app.executor.execute(request, &[self.step(takes)]).await?;
        let event = appended_event(app, &receipt).await?.ok_or(SeatError::LeaseLost)?;
        let SeatEvent::LeaseTakenOver { to, fence, .. } = event.decode()? else {
            return Err(LeaseSeatError::OtherEvent);
        };
        failpoint!(SeatTakenOver);
        app.seats.delete(from).await?;
        failpoint!(SeatReplaced);
        self.put(app, receipt, &event, (to, fence)).await
    }

    /// Ends a lease, of this member or another.
    ///
    /// # Errors
    /// [`LeaseSeatError`].
    pub(crate) async fn release(
        self,
        app: &App,
        request: &Request,
        (lease, reason): (LeaseId, ReleaseReason),
    ) -> Result<Receipt, LeaseSeatError> {
        let releases = SeatCommand::Release { lease, reason };
        let receipt = app.executor.execute(request, &[self.step(releases)]).await?;
        failpoint!(SeatReleased);
        app.seats.delete(lease).await?;
        Ok(receipt)
    }

    /// Whether the member has a lease whose time is not over.
    ///
    /// # Errors
    /// It is not known.
    pub(crate) async fn holds_seat(self, app: &App) -> Result<bool, LeaseSeatError> {
        let pool = self.pool(app).await?;
        let Some(lease) = pool.lease_of(self.account) else { return Ok(false) };
        Ok(app.seats.is_live(lease.id, lease.fence).await?)
    }

    async fn pool(self, app: &App) -> Result<Arc<SeatPool>, LoadError> {
        let stream = pool_stream(self.workspace);
        Ok(app.executor.load::<SeatPool>(self.workspace.into(), stream).await?.state)
    }

    fn step(self, command: SeatCommand) -> Step {
        Step::new::<SeatPool>(pool_stream(self.workspace), command)
    }

    /// Writes until when the lease is held, unless it has ended since the same request came first.
    async fn put(
        self,
        app: &App,
        receipt: Receipt,
        event: &Recorded,
        (lease, fence): (LeaseId, u64),
    ) -> Result<LeasedSeat, LeaseSeatError> {
        if receipt.replayed() {
            let pool = self.pool(app).await?;
            pool.lease_of(self.account)
                .filter(|current| current.id == lease)
                .ok_or(SeatError::LeaseLost)?;
        }
        let leased = NewSeatLease {
            lease,
            workspace: self.workspace,
            account: self.account,
            fence,
            since: event.recorded_at(),
            ttl: TimeDelta::seconds(app.config.seat_lease_seconds.into()),
        };
        let row = app.seats.put(&leased).await?.ok_or(SeatError::LeaseLost)?;
        Ok(LeasedSeat { receipt, lease, fence, acquired_at: leased.since, row })
    }
}
