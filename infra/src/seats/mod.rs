//! When seat leases expire: a row for each lease, by the database's clock. Who holds a lease is in the
//! log.

#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{AccountId, LeaseId, WorkspaceId};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::event_store::GuardedStream;
use crate::postgres::{PgError, Pool, Transaction};
use crate::statement::{execute, query, query_opt};
use crate::workspace_rows::{DeleteRows, WorkspaceRows};

const PUT: &str = include_str!("put.sql");
const FIND: &str = "select expires_at, ttl_seconds from working.seat_leases where lease_id = $1";
const RENEW: &str = include_str!("renew.sql");
const IS_LIVE: &str = include_str!("is_live.sql");
const DELETE: &str = "delete from working.seat_leases where lease_id = $1";
const DELETE_ALL: &str = "delete from working.seat_leases where workspace_id = $1";
/// What an erasure deletes of a workspace.
pub const OF_WORKSPACE: WorkspaceRows =
    WorkspaceRows { table: "working.seat_leases", delete: DeleteRows::AtOnce(DELETE_ALL) };
const EXPIRIES: &str =
    "select lease_id, expires_at from working.seat_leases where workspace_id = $1";
const OVERDUE: &str = include_str!("overdue.sql");
const IS_OVERDUE: &str = include_str!("is_overdue.sql");
const TAKE_OVERDUE: &str = include_str!("take_overdue.sql");

/// The rows of seat leases.
#[derive(Clone)]
pub struct Seats {
    pool: Pool,
}

/// A lease as in its event. The row does not depend on who writes it, or when.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct NewSeatLease {
    pub lease: LeaseId,
    pub workspace: WorkspaceId,
    /// Who has the seat.
    pub account: AccountId,
    /// Grows from lease to lease of a workspace. Whoever renews has to name it.
    pub fence: u64,
    /// When the event was recorded: the lease runs from then on.
    pub since: DateTime<Utc>,
    /// How long the lease lasts unless it is renewed. Stored in whole seconds.
    pub ttl: TimeDelta,
}

/// When a lease expires unless it is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct SeatLeaseRow {
    pub expires_at: DateTime<Utc>,
    pub ttl_seconds: i32,
}

/// How a renewal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The lease goes on.
    Renewed(SeatLeaseRow),
    /// It has ended for good.
    Lost,
    /// What it was decided on has moved: it is to be decided again.
    Moved,
}

/// A lease that has expired and whose event is not in the log yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct OverdueLease {
    pub lease: LeaseId,
    pub account: AccountId,
}

impl Seats {
    /// `pool` leads to the log's database.
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Writes the row unless it is there, and returns it. `None`: it was there and has been deleted.
    pub async fn put(&self, leased: &NewSeatLease) -> Result<Option<SeatLeaseRow>, PgError> {
        let NewSeatLease { lease, workspace, account, since, .. } = leased;
        let (fence, ttl) = (fence(leased.fence), seconds(leased.ttl));
        execute(&self.pool, PUT, &[&lease.0, &workspace.0, &account.0, &fence, &ttl, since])
            .await?;
        let row = query_opt(&self.pool, FIND, &[&lease.0]).await?;
        row.as_ref().map(lease_row).transpose()
    }

    /// Writes the row in a reader's transaction, unless it is there.
    pub async fn put_in(
        tx: &Transaction<'_>,
        leased: &NewSeatLease,
    ) -> Result<(), tokio_postgres::Error> {
        let NewSeatLease { lease, workspace, account, since, .. } = leased;
        let (fence, ttl) = (fence(leased.fence), seconds(leased.ttl));
        tx.execute(PUT, &[&lease.0, &workspace.0, &account.0, &fence, &ttl, since]).await?;
        Ok(())
    }

    /// Renews the lease, if it has not expired and has this fence, and no stream of `decided` has moved.
    pub async fn renew(
        &self,
        lease: LeaseId,
        of: u64,
        decided: &[GuardedStream],
    ) -> Result<Renewal, PgError> {
        let streams: Vec<Uuid> = decided.iter().map(|on| on.stream).collect();
        let versions: Vec<i64> = decided.iter().map(|on| on.version).collect();
        let after: Vec<i64> = decided.iter().map(|on| on.after).collect();
        let of = fence(of);
        let values: [&(dyn ToSql + Sync); 5] = [&lease.0, &of, &streams, &versions, &after];
        let Some(row) = query_opt(&self.pool, RENEW, &values).await? else {
            return Ok(Renewal::Lost);
        };
        let expires_at: Option<DateTime<Utc>> = row.try_get(0)?;
        match expires_at {
            Some(_) => Ok(Renewal::Renewed(lease_row(&row)?)),
            None => Ok(Renewal::Moved),
        }
    }

    /// Whether the lease has this fence and has not expired.
    pub async fn is_live(&self, lease: LeaseId, of: u64) -> Result<bool, PgError> {
        let row = query_opt(&self.pool, IS_LIVE, &[&lease.0, &fence(of)]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or_default())
    }

    /// Deletes the row of a lease.
    pub async fn delete(&self, lease: LeaseId) -> Result<(), PgError> {
        execute(&self.pool, DELETE, &[&lease.0]).await.map(drop)
    }

    /// The same in a reader's transaction.
    pub async fn delete_in(
        tx: &Transaction<'_>,
        lease: LeaseId,
    ) -> Result<(), tokio_postgres::Error> {
        tx.execute(DELETE, &[&lease.0]).await.map(drop)
    }

    /// Deletes the rows of a workspace, in a reader's transaction.
    pub async fn delete_all_in(
        tx: &Transaction<'_>,
        workspace: WorkspaceId,
    ) -> Result<(), tokio_postgres::Error> {
        tx.execute(DELETE_ALL, &[&workspace.0]).await.map(drop)
    }

    /// When each lease of a workspace expires. A lease whose row is not written yet is missing.
    pub async fn expiries(
        &self,
        workspace: WorkspaceId,
    ) -> Result<Vec<(LeaseId, DateTime<Utc>)>, PgError> {
        let rows = query(&self.pool, EXPIRIES, &[&workspace.0]).await?;
        let ends = rows.iter().map(|row| Ok((LeaseId(row.try_get(0)?), row.try_get(1)?)));
        ends.collect()
    }

    /// At most `limit` workspaces that have expired leases, the longest expired first.
    pub async fn overdue(&self, limit: i64) -> Result<Vec<WorkspaceId>, PgError> {
        let rows = query(&self.pool, OVERDUE, &[&limit]).await?;
        rows.iter().map(|row| Ok(WorkspaceId(row.try_get(0)?))).collect()
    }

    /// Whether a workspace has expired leases.
    pub async fn is_overdue(&self, workspace: WorkspaceId) -> Result<bool, PgError> {
        let row = query_opt(&self.pool, IS_OVERDUE, &[&workspace.0]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or_default())
    }

    /// Deletes at most `limit` rows of expired leases and returns them. Append the events before the
    /// transaction is committed: until then nobody can renew these leases, and after a rollback they
    /// are still expired.
    pub async fn take_overdue(
        tx: &Transaction<'_>,
        workspace: WorkspaceId,
        limit: i64,
    ) -> Result<Vec<OverdueLease>, PgError> {
        let rows = tx.query(TAKE_OVERDUE, &[&workspace.0, &limit]).await?;
        let overdue = |row: &Row| {
            Ok(OverdueLease {
                lease: LeaseId(row.try_get(0)?),
                account: AccountId(row.try_get(1)?),
            })
        };
        rows.iter().map(overdue).collect()
    }
}

fn fence(fence: u64) -> i64 {
    i64::try_from(fence).unwrap_or(i64::MAX)
}

fn seconds(ttl: TimeDelta) -> i32 {
    i32::try_from(ttl.num_seconds()).unwrap_or(i32::MAX)
}

fn lease_row(row: &Row) -> Result<SeatLeaseRow, PgError> {
    Ok(SeatLeaseRow { expires_at: row.try_get(0)?, ttl_seconds: row.try_get(1)? })
}
