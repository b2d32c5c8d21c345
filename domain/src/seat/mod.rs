//! A workspace's seats: never more live leases than the limit, one a person, and a fence that only
//! grows.

mod command;
mod error;
mod event;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use command::SeatCommand;
pub use error::SeatError;
pub use event::{LimitCause, ReleaseReason, SeatEvent};

use crate::{AccountId, AggregateRoot, LeaseId, WorkspaceId};

/// The most seats that a workspace may have.
pub const LIMIT_MAX: u32 = 10_000;

/// The stream of a workspace's seat pool. A stream's id is its own, so it is not the workspace's.
pub const fn pool_stream(workspace: WorkspaceId) -> Uuid {
    Uuid::from_u128(workspace.0.as_u128() ^ u128::from_be_bytes(*b"lethe seat pool\0"))
}

/// The state of a workspace's seats.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeatPool {
    /// Not opened.
    #[default]
    Absent,
    /// Opened. It stays so: a deleted workspace has released all its seats.
    Live(Box<LiveSeatPool>),
}

/// What decisions about seats rest on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveSeatPool {
    /// How many leases there may be. Under a lowered limit there may be more until they end.
    pub limit: u32,
    /// Who set the limit.
    pub cause: LimitCause,
    leases: BTreeMap<AccountId, Lease>,
    /// The last lease of each person that has ended.
    ended: BTreeMap<AccountId, LeaseId>,
    fence: u64,
    /// Who has a `denied` event since the last change of limit or leases.
    denied: BTreeSet<AccountId>,
}

/// A seat that somebody holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// A take-over gives the seat a new one.
    pub id: LeaseId,
    /// What the holder shows when it renews. Each new lease has a higher one.
    pub fence: u64,
    /// The fence with which the person took the seat: a take-over keeps it.
    since: u64,
}

impl SeatPool {
    /// The pool, once it has been opened.
    pub fn live(&self) -> Option<&LiveSeatPool> {
        match self {
            Self::Live(pool) => Some(pool),
            Self::Absent => None,
        }
    }

    /// The lease that the person has.
    pub fn lease_of(&self, account: AccountId) -> Option<&Lease> {
        self.live()?.leases.get(&account)
    }

    /// Who has this lease, or had it last.
    pub fn holder(&self, lease: LeaseId) -> Option<AccountId> {
        let pool = self.live()?;
        let live = pool.leases.iter().find(|(_, current)| current.id == lease);
        let ended = || pool.ended.iter().find(|(_, ended)| **ended == lease);
        live.map(|(account, _)| *account).or_else(|| ended().map(|(account, _)| *account))
    }

    /// How many seats are taken, and how many there are.
    pub fn taken(&self) -> (u32, u32) {
        self.live().map_or((0, 0), |pool| (pool.in_use(), pool.limit))
    }

    /// Whether the lease may be renewed: not where it is another's, has ended, has another fence, or is one too many.
    fn check_renewal(
        &self,
        account: AccountId,
        lease: LeaseId,
        fence: u64,
    ) -> Result<(), SeatError> {
        let current = self.live().ok_or(SeatError::Unknown)?.own(account, lease)?;
        if current.fence == fence { Ok(()) } else { Err(SeatError::LeaseLost) }
    }
}

impl AggregateRoot for SeatPool {
    const SNAPSHOT_VERSION: i16 = 2;

    fn decide(&self, command: SeatCommand) -> Result<Vec<SeatEvent>, SeatError> {
        if let SeatCommand::Open { limit } = command {
            return match self {
                Self::Live(_) => Err(SeatError::AlreadyExists),
                Self::Absent if limit > LIMIT_MAX => Err(SeatError::LimitOutOfRange),
                Self::Absent => Ok(vec![SeatEvent::LimitSet { limit, cause: LimitCause::Default }]),
            };
        }
        let pool = self.live().ok_or(SeatError::Unknown)?;
        match command {
            SeatCommand::Open { .. } => Err(SeatError::AlreadyExists),
            SeatCommand::SetLimit { limit, cause } => pool.set_limit(limit, cause),
            SeatCommand::Acquire { lease, account } => pool.acquire(lease, account),
            SeatCommand::Renew { lease, account, fence } => {
                self.check_renewal(account, lease, fence).map(|()| vec![])
            }
            SeatCommand::Release { lease, reason } => pool.release(lease, reason),
            SeatCommand::TakeOver { account, from, to } => {
                pool.own(account, from)?;
                let fence = pool.fence + 1;
                Ok(vec![SeatEvent::LeaseTakenOver { account, from, to, fence }])
            }
            SeatCommand::Expire { lease, account } => Ok(pool.expire(lease, account)),
            SeatCommand::Vacate { account, reason } => Ok(pool.vacate(reason, |of| of == account)),
            SeatCommand::VacateAll { reason } => Ok(pool.vacate(reason, |_| true)),
        }
    }
}

impl Aggregate for SeatPool {
    const TYPE: &'static str = "seats";
    type Command = SeatCommand;
    type Event = SeatEvent;
    type Error = SeatError;
    type Services = ();

    async fn handle(
        &mut self,
        command: SeatCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), SeatError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: SeatEvent) {
        if let (Self::Absent, SeatEvent::LimitSet { limit, cause }) = (&*self, &event) {
            *self = Self::Live(Box::new(LiveSeatPool {
                limit: *limit,
                cause: *cause,
                leases: BTreeMap::new(),
                ended: BTreeMap::new(),
                fence: 0,
                denied: BTreeSet::new(),
            }));
            return;
        }
        let Self::Live(pool) = self else { return };
        match event {
            SeatEvent::LimitSet { limit, cause } => {
                (pool.limit, pool.cause) = (limit, cause);
                pool.denied.clear();
            }
            SeatEvent::LeaseAcquired { lease, account, fence } => {
                pool.leases.insert(account, Lease { id: lease, fence, since: fence });
                pool.fence = fence;
                pool.denied.clear();
            }
            SeatEvent::LeaseTakenOver { account, from, to, fence } => {
                if let Some(current) = pool.leases.get_mut(&account) {
                    (current.id, current.fence) = (to, fence);
                }
                pool.ended.insert(account, from);
                pool.fence = fence;
            }
            SeatEvent::LeaseReleased { lease, account, .. }
            | SeatEvent::LeaseExpired { lease, account, .. } => pool.free_seat(account, lease),
            SeatEvent::Denied { account, .. } => {
                pool.denied.insert(account);
            }
        }
    }
}

impl LiveSeatPool {
    fn in_use(&self) -> u32 {
        u32::try_from(self.leases.len()).unwrap_or(u32::MAX)
    }

    /// A lease that goes on: under a lowered limit those who came last leave first.
    fn own(&self, account: AccountId, lease: LeaseId) -> Result<&Lease, SeatError> {
        let current = self.leases.get(&account).filter(|current| current.id == lease);
        let Some(current) = current else {
            let lost = self.ended.get(&account) == Some(&lease);
            return Err(if lost { SeatError::LeaseLost } else { SeatError::LeaseUnknown });
        };
        let before = self.leases.values().filter(|other| other.since < current.since).count();
        if u32::try_from(before).is_ok_and(|before| before < self.limit) {
            Ok(current)
        } else {
            Err(SeatError::LimitLowered)
        }
    }

    fn set_limit(&self, limit: u32, cause: LimitCause) -> Result<Vec<SeatEvent>, SeatError> {
        if limit > LIMIT_MAX {
            return Err(SeatError::LimitOutOfRange);
        }
        if (limit, cause) == (self.limit, self.cause) {
            return Ok(vec![]);
        }
        Ok(vec![SeatEvent::LimitSet { limit, cause }])
    }

    fn acquire(&self, lease: LeaseId, account: AccountId) -> Result<Vec<SeatEvent>, SeatError> {
        if let Some(current) = self.leases.get(&account) {
            return Err(SeatError::Held { lease: current.id });
        }
        let (in_use, limit) = (self.in_use(), self.limit);
        if in_use < limit {
            return Ok(vec![SeatEvent::LeaseAcquired { lease, account, fence: self.fence + 1 }]);
        }
        if self.denied.contains(&account) {
            return Ok(vec![]);
        }
        Ok(vec![SeatEvent::Denied { account, in_use, limit }])
    }

    fn release(&self, lease: LeaseId, reason: ReleaseReason) -> Result<Vec<SeatEvent>, SeatError> {
        let current = self.leases.iter().find(|(_, current)| current.id == lease);
        match current {
            Some((account, _)) => {
                Ok(vec![SeatEvent::LeaseReleased { lease, account: *account, reason }])
            }
            None if self.ended.values().any(|ended| *ended == lease) => Ok(vec![]),
            None => Err(SeatError::LeaseUnknown),
        }
    }

    fn expire(&self, lease: LeaseId, account: AccountId) -> Vec<SeatEvent> {
        let current = self.leases.get(&account).filter(|current| current.id == lease);
        let expired =
            |current: &Lease| SeatEvent::LeaseExpired { lease, account, fence: current.fence };
        current.map(expired).into_iter().collect()
    }

    /// All leases that `of` picks.
    fn vacate(&self, reason: ReleaseReason, of: impl Fn(AccountId) -> bool) -> Vec<SeatEvent> {
        let leases = self.leases.iter().filter(|(account, _)| of(**account));
        let release = |(account, current): (&AccountId, &Lease)| SeatEvent::LeaseReleased {
            lease: current.id,
            account: *account,
            reason,
        };
        leases.map(release).collect()
    }

    fn free_seat(&mut self, account: AccountId, lease: LeaseId) {
        self.leases.remove(&account);
        self.ended.insert(account, lease);
        self.denied.clear();
    }
}
