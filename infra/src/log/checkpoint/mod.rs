//! How far a reader has read, and who may say so: the fence grows with each change of owner.

use std::time::{Duration, Instant};

use crate::postgres::GenericClient;
use chrono::{DateTime, Utc};
use domain::EventId;

use super::reader::{Reader, ReaderKind};
use super::{Recorded, generation, parked};
use crate::cluster::Lease;
use crate::postgres::{PgError, Pool};

const ADVANCE: &str = include_str!("advance.sql");
const RECORD_ERROR: &str = "update readers.checkpoints set last_error = $5 \
    where name = $1 and version = $2 and node = $3 and fence = $4";
/// Held by whoever makes or deletes checkpoints and tables of readers.
pub(super) const LOCK_TABLES: &str =
    "select pg_advisory_xact_lock('readers.checkpoints'::regclass::bigint)";
const INSTALL: &str = include_str!("install.sql");
const KEEP: &str = include_str!("keep.sql");

/// A reader that this node owns, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct OwnedReader {
    pub name: &'static str,
    pub version: i16,
    pub lease: Lease,
    /// How far it has read.
    pub position: i64,
    /// The event at `position`, unless only the checkpoint is known.
    pub event: Option<EventId>,
    /// What its checkpoint says. Between it and `position` are only events that the reader does not
    /// want.
    pub written: i64,
    pub written_at: Instant,
    /// Each advance renews the lease for so long.
    pub length: Duration,
}

/// A position up to which a reader has read, and the event there if it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reached {
    pub position: i64,
    pub event: Option<EventId>,
}

impl From<&Recorded> for Reached {
    fn from(event: &Recorded) -> Self {
        Self { position: event.position(), event: Some(event.event_id()) }
    }
}

/// What was read between two checkpoints.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReadStats {
    pub processed: i64,
    pub last_event_at: Option<DateTime<Utc>>,
}

impl OwnedReader {
    /// It has read up to this event.
    pub(super) fn read(&mut self, to: Reached) {
        (self.position, self.event) = (to.position, to.event);
    }

    /// The checkpoint says so now.
    pub(super) fn wrote(&mut self, to: Reached) {
        self.read(to);
        (self.written, self.written_at) = (to.position, Instant::now());
    }

    pub(super) const fn reached(&self) -> Reached {
        Reached { position: self.position, event: self.event }
    }

    /// How long the checkpoint may still say less than `position`; `None` if it says the same.
    pub(super) fn write_in(&self, delay: Duration) -> Option<Duration> {
        (self.written < self.position).then(|| delay.saturating_sub(self.written_at.elapsed()))
    }

    /// Writes `position` to the checkpoint, if it says less. `false`: another node owns the reader.
    pub(super) async fn write(&mut self, pool: &Pool) -> Result<bool, PgError> {
        let (from, to) = (self.written, self.reached());
        if from < to.position {
            let client = pool.get().await?;
            if !self.advance(&client, from, to, ReadStats::default()).await? {
                return Ok(false);
            }
            self.wrote(to);
        }
        Ok(true)
    }

    /// Moves the checkpoint, and holds its row until the commit. It comes first in the transaction:
    /// two owners then never work at once, and `false` costs no work: another one has it, or the log went
    /// back.
    pub(super) async fn advance(
        &self,
        tx: &impl GenericClient,
        from: i64,
        to: Reached,
        read: ReadStats,
    ) -> Result<bool, tokio_postgres::Error> {
        let advance = tx.prepare_cached(ADVANCE).await?;
        let length = self.length.as_secs_f64();
        let moved = tx
            .execute(
                &advance,
                &[
                    &self.name,
                    &self.version,
                    &self.lease.node,
                    &self.lease.fence,
                    &from,
                    &to.position,
                    &read.processed,
                    &read.last_event_at,
                    &length,
                    &to.event.map(|event| event.0),
                ],
            )
            .await?;
        Ok(moved == 1)
    }

    /// Records what is wrong, for operators to see; the next advance deletes it. `false`: another
    /// node owns the reader.
    pub(super) async fn record_error(
        &self,
        pool: &Pool,
        error: Option<&str>,
    ) -> Result<bool, PgError> {
        let client = pool.get().await?;
        let record = client.prepare_cached(RECORD_ERROR).await?;
        let Lease { node, fence } = self.lease;
        let recorded =
            client.execute(&record, &[&self.name, &self.version, &node, &fence, &error]).await?;
        Ok(recorded == 1)
    }
}

/// Creates the reader's checkpoint, and its view with the first table behind it if it has one, unless they exist.
pub(super) async fn install(pool: &Pool, reader: &Reader) -> Result<(), PgError> {
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    tx.execute(LOCK_TABLES, &[]).await?;
    let made = match &reader.0 {
        ReaderKind::Projection(projection) => {
            generation::make_first(&tx, projection.as_ref()).await?
        }
        ReaderKind::Worker(_) => None,
    };
    let (name, version, kind) = (reader.name(), reader.version(), reader.kind());
    if let Some(generation) = made {
        parked::delete_all(&tx, reader).await?;
        tx.execute(INSTALL, &[&name, &version, &kind, &generation]).await?;
    } else {
        tx.execute(KEEP, &[&name, &version, &kind]).await?;
    }
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use test_support::NodeHarness;
    use uuid::Uuid;

    use super::*;
    use crate::postgres::{ConnectOptions, connect};

    #[tokio::test]
    async fn a_checkpoint_does_not_move_over_an_event_that_the_log_does_not_hold() {
        let log = NodeHarness::new().await;
        let writer = log.node().await;
        log.token(&writer).await;
        let pool = connect(&log.databases.log_url, &ConnectOptions::app()).await.unwrap();
        let client = pool.get().await.unwrap();
        let node = Uuid::from_u128(1);
        let insert =
            "insert into readers.checkpoints (name, version, kind, node, fence, lease_until)
            values ('tally', 1, 'projection', $1, 7, 'infinity')";
        client.execute(insert, &[&node]).await.unwrap();
        let owned = OwnedReader {
            name: "tally",
            version: 1,
            lease: Lease { node, fence: 7 },
            position: 0,
            event: None,
            written: 0,
            written_at: Instant::now(),
            length: Duration::from_mins(1),
        };
        let first = "select event_id from event_log.events where position = 1";
        let event: Uuid = client.query_one(first, &[]).await.unwrap().get(0);
        let moves = async |event: Uuid| {
            let to = Reached { position: 1, event: Some(EventId(event)) };
            owned.advance(&client, 0, to, ReadStats::default()).await.unwrap()
        };

        assert!(!moves(Uuid::nil()).await, "another event stands there");
        assert!(moves(event).await);
    }
}
